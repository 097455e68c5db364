"""The measured coverage of intervals: read whole, looked up for what was chosen, and told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaling_core.errors import ScalingError
from scaling_core.fit.coverage import ALLOCATION_FILE, allocation_sentence, coverage_sentence, coverages, measured

HEAD = "design,noise,objective,resampling,interval,quantity,coverage,studies\n"
ROWS = """30 runs,normal,huber-log,residual,bias-corrected,alpha,0.942,1000
30 runs,normal,huber-log,residual,bias-corrected,E,0.961,1000
30 runs,grouped,huber-log,residual,bias-corrected,alpha,0.83,1000
30 runs,grouped,huber-log,residual,bias-corrected,E,0.96,1000
120 runs,normal,huber-log,residual,bias-corrected,alpha,0.95,250
30 runs,normal,lad,residual,percentile,alpha,0.9,1000
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "coverage.csv"
    file.write_text(HEAD + ROWS, encoding="utf-8")
    return file


def test_the_ranges_are_those_of_the_choice_and_of_the_nearest_size(table: Path) -> None:
    rows = coverages(table)
    assert len(rows) == 6
    choice = {"objective": "huber-log", "resampling": "residual", "interval": "bias-corrected"}
    normal, grouped = measured(rows, n=49, **choice)
    assert (normal.noise, normal.low, normal.high, normal.worst, normal.studies) == (
        "normal",
        0.942,
        0.961,
        "alpha",
        1000,
    )
    assert (grouped.low, grouped.high, grouped.runs) == (0.83, 0.96, 30)
    (many,) = measured(rows, n=400, **choice)
    assert (many.runs, many.low, many.high) == (120, 0.95, 0.95)
    assert measured(rows, n=30, objective="huber-log", resampling="pairs", interval="percentile") == ()


def test_the_sentence_says_how_often_and_under_which_noise(table: Path) -> None:
    found = measured(coverages(table), n=30, objective="huber-log", resampling="residual", interval="bias-corrected")
    assert coverage_sentence(found) == (
        "In 1,000 simulated studies of 30 runs these 95% intervals held the truth 94 to 96% of the time with normal "
        "noise; 83 to 96% of the time with runs of one size sharing half of their error."
    )
    assert coverage_sentence(()) is None


def test_without_a_table_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert coverages(tmp_path / "none.csv") == ()
    assert allocation_sentence("profile", "residual", tmp_path / "none.csv") is None


@pytest.mark.parametrize(
    "row", ["30 runs,normal,lad,pairs,percentile,E,1.2,1000", "runs,normal,lad,pairs,x,E,0.9,10", "a,b"]
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, row: str) -> None:
    file = tmp_path / "coverage.csv"
    file.write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(ScalingError, match=r"coverage\.csv cannot be read"):
        coverages(file)


def test_the_table_of_the_project_shows_that_the_parabola_can_miss_what_the_profile_does_not() -> None:
    assert ALLOCATION_FILE.exists()
    profile, parabola = (allocation_sentence(method, "residual") for method in ("profile", "parabola"))
    assert profile is not None
    assert parabola is not None
    assert profile.startswith(
        "In 300 simulated studies of each of 8 designs these 95% intervals held the exponent a in 9"
    )
    assert profile != parabola
    assert allocation_sentence("profile", "cluster") is None
