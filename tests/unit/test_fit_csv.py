"""Tables of runs: what is recognised, and the sentence for what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scaling_core.errors import InputError
from scaling_core.fit import read_csv


def test_columns_are_recognised_and_the_third_quantity_follows() -> None:
    points = read_csv("Model Size,FLOPs,Val Loss,group\n70B,5.88e23,1.94,a\n1B,1.2e20,2.6,b\n")
    np.testing.assert_allclose(points.D, [1.4e12, 2e10])
    assert points.group == ("a", "b")


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xef\xbb\xbfN,D,loss\r\n1e8,2e9,3.1\r\n\r\n2e8,4e9,2.9\r\n")
    assert len(read_csv(path)) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no rows"),
        ("N,D\n1e8,1e9\n", "one column must be the loss"),
        ("N,loss\n1e8,3\n", "two of N"),
        ("N,params,D,loss\n1,1,1,1\n", "already given"),
        ("N,D,loss\n1e8,1e9,3\n1e8,many,3\n", "line 3, column D"),
        ("N,D,loss\n1e8,1e9,nan\n", "line 2, column loss"),
        ("N,D,loss\n1e8,1e9\n", "line 2, column loss"),
        (b"N,D,loss\n\x00\n", "binary"),
        (b"\xff\xfe\x00", "binary"),
        (b"N,D,loss\n\xff,1,1\n", "UTF-8"),
    ],
)
def test_a_bad_table_ends_in_a_sentence(text: str | bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_csv(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="could not be read"):
        read_csv(tmp_path / "absent.csv")
