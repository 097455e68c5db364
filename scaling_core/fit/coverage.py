"""How often intervals covered the truth in simulated studies, as measured and stored in `data/`.

A study plants a law, makes runs of it with noise, fits them and looks whether each constant, the exponent a and N* lie
inside their 95% intervals. `benchmarks/coverage.py` makes coverage.csv for approach 3, `benchmarks/isoflop_bias.py`
makes coverage_isoflop.csv for approaches 2 and 1.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scaling_core.allocations import DATA
from scaling_core.errors import ScalingError
from scaling_core.language import t

FILE = DATA / "coverage.csv"
ALLOCATION_FILE = DATA / "coverage_isoflop.csv"
NOISES = ("normal", "heavy", "grouped")
"""How the runs of a study scatter: the names in the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """One measured share: of `studies` studies the intervals of `quantity` that covered what was planted.

    design: how many runs a study has, as in "30 runs". noise: one of NOISES. coverage: in [0, 1].
    """

    design: str
    noise: str
    objective: str
    resampling: str
    interval: str
    quantity: str
    coverage: float
    studies: int

    @property
    def runs(self) -> int:
        """Runs of each study."""
        return int(re.findall(r"\d+", self.design)[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class CoverageRange:
    """Least and largest coverage over the quantities under one kind of noise, with the quantity of the least."""

    noise: str
    low: float
    high: float
    worst: str
    runs: int
    studies: int


def coverages(file: Path = FILE) -> tuple[Coverage, ...]:
    """Every measured share; none where the table was not made. Raises ScalingError where it cannot be read."""
    return _read(file) if file.exists() else ()


@cache
def _read(file: Path) -> tuple[Coverage, ...]:
    try:
        with file.open(encoding="utf-8", newline="") as rows:
            return tuple(
                _checked(
                    Coverage(
                        design=row["design"],
                        noise=row["noise"],
                        objective=row["objective"],
                        resampling=row["resampling"],
                        interval=row["interval"],
                        quantity=row["quantity"],
                        coverage=float(row["coverage"]),
                        studies=int(row["studies"]),
                    )
                )
                for row in csv.DictReader(rows)
            )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> ScalingError:
    return ScalingError(
        t("data/{file} cannot be read ({reason}); restore it from the project.", file=file.name, reason=str(error))
    )


def _checked(row: Coverage) -> Coverage:
    if not (0.0 <= row.coverage <= 1.0 and row.studies > 0 and row.runs > 0):
        raise ValueError(f"a share of {row.coverage} in {row.studies} studies of {row.design}")
    return row


def measured(
    rows: Sequence[Coverage], *, n: int, objective: str, resampling: str, interval: str
) -> tuple[CoverageRange, ...]:
    """What was measured for these choices, one range for each kind of noise, for the size of study nearest to n runs.

    Empty where these choices were not measured.
    """
    same = [r for r in rows if (r.objective, r.resampling, r.interval) == (objective, resampling, interval)]
    if not same:
        return ()
    nearest = min({r.runs for r in same}, key=lambda runs: abs(math.log(runs / max(n, 1))))
    ranges = []
    for noise in NOISES:
        those = [r for r in same if r.runs == nearest and r.noise == noise]
        if those:
            worst = min(those, key=lambda r: r.coverage)
            ranges.append(
                CoverageRange(
                    noise=noise,
                    low=worst.coverage,
                    high=max(r.coverage for r in those),
                    worst=worst.quantity,
                    runs=nearest,
                    studies=worst.studies,
                )
            )
    return tuple(ranges)


def coverage_sentence(ranges: Sequence[CoverageRange]) -> str | None:
    """The ranges as one sentence: in so many simulated studies the intervals held the truth so often; None for none."""
    if not ranges:
        return None
    first, parts = ranges[0], [_share(one) for one in ranges]
    shares = parts[0]
    for part in parts[1:]:
        shares = t("{some}; {another}", some=shares, another=part)
    return t(
        "In {studies:,} simulated studies of {runs} runs these 95% intervals held the truth {shares}.",
        studies=first.studies,
        runs=first.runs,
        shares=shares,
    )


def _share(found: CoverageRange) -> str:
    percent = _percents(found.low, found.high)
    if found.noise == "normal":
        return t("{percent} of the time with normal noise", percent=percent)
    if found.noise == "heavy":
        return t("{percent} of the time with heavy-tailed noise", percent=percent)
    return t("{percent} of the time with runs of one size sharing half of their error", percent=percent)


def _percents(least: float, most: float) -> str:
    low, high = f"{100 * least:.0f}", f"{100 * most:.0f}"
    return f"{low}%" if low == high else t("{low} to {high}%", low=low, high=high)


@cache
def _allocation_rows(file: Path) -> tuple[tuple[str, str, str, float, int], ...]:
    """(method, resampling, quantity, coverage, studies) of each row."""
    try:
        with file.open(encoding="utf-8", newline="") as rows:
            return tuple(
                (row["method"], row["resampling"], row["quantity"], float(row["coverage"]), int(row["studies"]))
                for row in csv.DictReader(rows)
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(file, error) from error


def allocation_sentence(method: str, resampling: str, file: Path = ALLOCATION_FILE) -> str | None:
    """What was measured for a method of approach 2, or the envelope, over all designs; None where nothing was.

    The ranges are those over designs and planted laws, for a and for N* at ten times the largest budget.
    """
    rows = _allocation_rows(file) if file.exists() else ()
    shares = {
        quantity: [(row[3], row[4]) for row in rows if row[:3] == (method, resampling, quantity)]
        for quantity in ("a", "N*")
    }
    if not all(shares.values()):
        return None
    a, N = (_percents(min(seen)[0], max(seen)[0]) for seen in shares.values())
    return t(
        "In {studies:,} simulated studies of each of {designs} designs these 95% intervals held the exponent a in {a} "
        "of them, and N* at ten times the largest compute in {N}.",
        studies=shares["a"][0][1],
        designs=len(shares["a"]),
        a=a,
        N=N,
    )
