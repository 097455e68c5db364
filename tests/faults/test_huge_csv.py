"""Huge and malformed files: each ends in points or in one sentence, in bounded memory and time.

They are read one after another in a process of their own, whose peak memory is the largest of them all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scaling_core.fit.tables.gather import MAX_BAD, MAX_ROWS
from scaling_core.fit.tables.sheet import MAX_BYTES, MAX_COLUMNS, MAX_LINES

PEAK_MEMORY = 1.5e9
"""Bytes, of the whole process with NumPy and SciPy, the text of the file included."""
SECONDS = 40.0
"""Of processor time for one file; on an idle core of 2020 they take less than 8."""

READER = """
import json, resource, sys, time
import numpy as np
from scaling_core.errors import InputError
from scaling_core.fit import fit_law, read_table
from scaling_core.laws import ChinchillaLaw

n = 1_000_000
rng = np.random.default_rng(0)
N, D = np.round(10 ** rng.uniform(6, 11, n)), np.round(10 ** rng.uniform(9, 12, n))
law = ChinchillaLaw(E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28)
loss = law.loss(N, D) * np.exp(0.005 * rng.standard_normal(n))
rows = lambda pattern: "\\n".join(map(pattern.format, (N / 1e6).tolist(), D.tolist(), loss.tolist()))

def million():
    return "N;D;loss\\n" + rows("{0:.6f}M;{1:.0f};{2:.5f}").replace(".", ",") + "\\n"

FILES = {
    "a million runs": million,
    "a million runs and one": lambda: "N,D,loss\\n" + "1e8,1e9,3\\n" * (n + 1),
    "a million bad rows": lambda: "N,D,loss\\n" + "x,y,z\\n" * n,
    "a million blank rows of many cells": lambda: "N,D,loss\\n" + ",,,,,,,,,,,,,,,,,,,,\\n" * n,
    "nothing but line ends": lambda: "N,D,loss" + "\\n" * 60_000_000,
    "a cell of 60 MB": lambda: "N,D,loss\\n1e8,1e9," + "3" * 60_000_000,
    "a quote that never closes": lambda: 'N,D,loss\\n1e8,"1e9,3\\n' + "1e8,1e9,3\\n" * 900_000,
    "quotes within quotes": lambda: "N,D,loss\\n" + '1e8,1e9,"' + '""' * 30_000_000,
    "a line of quotes": lambda: ("N,D,loss\\n" + '"' * 900_000 + "\\n") * 60,
    "60 million commas": lambda: "N,D,loss\\n" + "," * 60_000_000,
    "a hundred thousand columns": lambda: ",".join(f"c{i}" for i in range(100_000)) + "\\n" + "1," * 100_000,
    "as many columns as may be": lambda: "N,D,loss" + ",c" * 4000 + "\\n1e8,1e9,3\\n",
    "brackets": lambda: "[" * 60_000_000,
    "no text": lambda: b"\\xff\\xfe" + bytes(range(256)) * 100_000,
    "too large": lambda: b"1" * (64 * 1024 * 1024 + 1),
}
report = {}
for name, make in FILES.items():
    content = make()
    data = content if isinstance(content, bytes) else content.encode()
    del content
    started, entry = time.process_time(), {}
    try:
        table = read_table(data, skip_bad=name == "a million bad rows")
        entry["runs"] = len(table.points)
        if name == "a million runs":
            entry["read"] = time.process_time() - started
            entry["exact"] = np.array_equal(table.points.D, D) and np.allclose(table.points.N, N, rtol=1e-12)
            result = fit_law(table.fitted)
            entry["constants"] = result.constants
            del result
        del table
    except InputError as error:
        entry["sentence"] = str(error)
    del data
    entry["seconds"] = time.process_time() - started
    report[name] = entry
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"files": report, "peak": peak}))
"""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_memory_stays_bounded(report: dict[str, Any]) -> None:
    assert report["peak"] < PEAK_MEMORY


@pytest.mark.slow
def test_no_file_takes_long(report: dict[str, Any]) -> None:
    assert {name: entry["seconds"] for name, entry in report["files"].items() if entry["seconds"] > SECONDS} == {}


@pytest.mark.slow
def test_a_million_runs_are_read_and_fitted(report: dict[str, Any]) -> None:
    entry = report["files"]["a million runs"]
    assert (entry["runs"], entry["exact"]) == (1_000_000, True)
    planted = {"E": 1.7, "A": 400.0, "B": 410.0, "alpha": 0.34, "beta": 0.28}
    assert entry["constants"] == pytest.approx(planted, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a million runs and one", f"over {MAX_ROWS} rows"),
        ("a million bad rows", f"over {MAX_BAD} bad rows"),
        ("a million blank rows of many cells", "no rows"),
        ("nothing but line ends", f"over {MAX_LINES} lines"),
        ("a cell of 60 MB", "line 2: got '60000008 characters'"),
        ("a quote that never closes", "line 2: got"),
        ("quotes within quotes", "line 2: got '60000009 characters'"),
        ("a line of quotes", "line 2: got"),
        ("60 million commas", "line 2: got '60000000 characters'"),
        ("a hundred thousand columns", f"at most {MAX_COLUMNS}"),
        ("brackets", "line 1: got '60000000 characters'"),
        ("no text", "binary data"),
        ("too large", f"over {MAX_BYTES} bytes"),
    ],
)
def test_other_files_end_in_a_sentence(report: dict[str, Any], name: str, sentence: str) -> None:
    assert sentence in report["files"][name]["sentence"]
    assert len(report["files"][name]["sentence"]) < 400


@pytest.mark.slow
def test_a_table_of_four_thousand_columns_is_read(report: dict[str, Any]) -> None:
    assert report["files"]["as many columns as may be"]["runs"] == 1
