"""The score of predictions against hand arithmetic, and the interval of a share against published values."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from scaling_core.curves import Foretold, score, wilson
from scaling_core.errors import InputError


def told(predicted: float, measured: float, factor: float, *, width: float = 0.05, censored: bool = False) -> Foretold:
    return Foretold(
        predicted=predicted,
        low=predicted - width,
        high=predicted + width,
        level=0.95,
        measured=measured,
        factor=factor,
        censored=censored,
    )


def test_rows_hold_the_errors_and_the_coverage_of_their_factors() -> None:
    some = [
        told(2.02, 2.0, 1.5),
        told(1.98, 2.0, 2.0),
        told(2.20, 2.0, 4.9),
        told(2.04, 2.0, 4.0),
        told(1.50, 2.0, 20.0),
        told(9.99, 2.0, 3.0, censored=True),
    ]
    found = score(some)
    assert [row.label for row in found.rows] == ["under 2x", "2x to 5x", "5x to 10x", "over 10x"]
    assert [row.n for row in found.rows] == [1, 3, 0, 1]
    assert [row.within for row in found.rows] == [1, 2, 0, 0]
    middle = found.rows[1]
    assert middle.median_error == pytest.approx(0.02)
    assert middle.worst_error == pytest.approx(0.1)
    assert middle.coverage == pytest.approx(2 / 3)
    assert middle.promised == pytest.approx(0.95)
    empty = found.rows[2]
    assert (empty.median_error, empty.worst_error, empty.coverage, empty.promised) == (None, None, None, None)
    assert (empty.coverage_low, empty.coverage_high) == (0.0, 1.0)
    assert (found.total.n, found.total.within, found.total.label, found.left_out) == (5, 3, "all", 1)
    assert found.sentence == (
        "Of 5 predictions 3 held the measurement in their intervals (60%, between 23% and 88%), fewer than the 95% "
        "promised: the intervals are too narrow; the error is 2.00% in the median and 25.00% at worst. "
        "1 run stopped early is left out."
    )


def test_the_verdict_follows_the_coverage() -> None:
    assert "(100%, between 21% and 100%), which agrees with the 95% promised" in score([told(2.0, 2.0, 1.0)]).sentence
    assert score([told(2.0, 2.0, 1.0)]).sentence.startswith("Of 1 prediction 1 held the measurement in its interval (")
    many = score([told(2.0, 2.01, 3.0)] * 200)
    assert "more than the 95% promised: the intervals are too wide" in many.sentence
    assert score([]).sentence == "No prediction has been measured yet."
    left = score([told(2.0, 2.0, 1.0, censored=True)] * 2)
    assert left.sentence == "No prediction has been measured yet. 2 runs stopped early are left out."
    assert left.total.n == 0


@pytest.mark.parametrize(("hits", "n"), [(8, 10), (0, 10), (10, 10), (1, 1), (81, 263), (15, 148)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    exact = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_wilson_gives_newcombes_printed_values() -> None:
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(InputError, match="hits"):
        wilson(3, 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_numbers_that_judge_nothing_are_refused(bad: float) -> None:
    good = told(2.0, 2.0, 2.0)
    with pytest.raises(InputError, match="predicted: got"):
        replace(good, predicted=bad)
    with pytest.raises(InputError, match="measured: got"):
        replace(good, measured=bad)
    with pytest.raises(InputError, match="factor: got"):
        replace(good, factor=bad)
    with pytest.raises(InputError, match="interval"):
        Foretold(predicted=2.0, low=2.1, high=1.9, level=0.95, measured=2.0, factor=1.0)
    with pytest.raises(InputError, match="level"):
        Foretold(predicted=2.0, low=1.9, high=2.1, level=1.0, measured=2.0, factor=1.0)
    with pytest.raises(InputError, match="edges"):
        score([], edges=(5.0, 2.0))
    with pytest.raises(InputError, match="edges"):
        score([], edges=(bad if bad <= 0 else math.nan, 5.0))
