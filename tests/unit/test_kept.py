"""What is kept between starts: found again, never of another version, never torn, and never in the way."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaling_core.viz import kept as module
from scaling_core.viz.isoflop import _isoflop_template
from scaling_core.viz.kept import STAMPS, kept
from scaling_core.viz.theme import light

TEXT = "Verlust ≥ 1.69\r\nund 中文\n"


@pytest.fixture(autouse=True)
def stamp() -> Iterator[None]:
    """A stamp that another test gave must not be believed."""
    module._stamp.cache_clear()
    yield
    module._stamp.cache_clear()


def never() -> str:
    raise AssertionError("it was made again")


def files(home: Path) -> list[Path]:
    return sorted(path for path in (home / "made").rglob("*") if path.is_file())


def test_it_is_made_once_and_read_to_the_last_sign(lab_home: Path) -> None:
    assert kept("a", lambda: TEXT) == TEXT
    assert kept("a", never) == TEXT
    assert kept("b", lambda: "other") == "other"
    assert kept("a", never) == TEXT
    assert len(files(lab_home)) == 2


@pytest.mark.parametrize("harm", ["torn", "changed", "empty", "binary", "folder"])
def test_a_file_that_came_to_harm_is_made_again(lab_home: Path, harm: str) -> None:
    kept("a", lambda: TEXT)
    (path,) = files(lab_home)
    whole = path.read_bytes()
    if harm == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"torn": whole[:-5], "changed": whole[:-2] + b"x\n", "empty": b"", "binary": b"\xff"}[harm])
    assert kept("a", lambda: "new") == "new"
    if harm != "folder":
        assert kept("a", never) == "new"


def test_another_version_reads_nothing_of_this_one(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = lab_home / "project" / "chart.py"
    source.parent.mkdir()
    source.write_text("one")
    monkeypatch.setattr(module, "_SOURCES", ((source.parent, (".py",)),))
    assert kept("a", lambda: "of one") == "of one"
    for k in range(STAMPS + 3):
        source.write_text("two" + "!" * k)
        module._stamp.cache_clear()
        assert kept("a", lambda k=k: f"of {k}") == f"of {k}"  # type: ignore[misc]  # a lambda's default has no type
    assert len(list((lab_home / "made").iterdir())) <= STAMPS + 1, "old ones go"
    assert kept("a", never) == f"of {STAMPS + 2}"


def test_a_home_that_takes_nothing_costs_time_alone(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab_home / "made").write_text("a file where the folder should be")
    assert kept("a", lambda: TEXT) == TEXT
    assert kept("a", lambda: "again") == "again"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_no_half_of_a_file(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept("a", lambda: TEXT)
    folder = files(lab_home)[0].parent
    monkeypatch.setattr(os, "getpid", lambda: 7)
    name = hashlib.sha256(b"b").hexdigest()[:24]
    (folder / f".{name}.7-{threading.get_ident()}").symlink_to("/dev/full")
    assert kept("b", lambda: TEXT) == TEXT
    assert [path.name for path in files(lab_home)] == [files(lab_home)[0].name]


CODE = """
import json, sys
from scaling_core.viz.isoflop import _isoflop_template
from scaling_core.viz.theme import light
print(json.dumps([_isoflop_template(light()), "altair" in sys.modules]))
"""


def test_a_kept_template_is_the_one_that_altair_makes_and_needs_no_altair(project: Path, lab_home: Path) -> None:
    answers = [
        json.loads(
            subprocess.run([sys.executable, "-c", CODE], cwd=project, capture_output=True, text=True, check=True).stdout
        )
        for _ in range(2)
    ]
    (first, imported), (second, again) = answers
    assert (imported, again) == (True, False)
    assert first == second == _isoflop_template(light())
