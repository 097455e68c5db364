"""Approach 2: at each of several budgets the size of least loss, and a power law through these optima.

    fit = fit_isoflop(RunPoints.of(N=..., D=..., loss=...), method="profile")
    fit.optimum(1e25).N

How the minimum of a budget is found, with what it costs (`data/coverage_isoflop.csv` has the measured figures):
profile      the curve of a Chinchilla-type law, `profile`. Exact for such a law, whatever its exponents, however
             wide the sizes and wherever they sit; as steady as the parabola in `a`, and a quarter less so in N* (in
             both up to a half less where the sizes are wide and off the optimum). The default.
parabola     Hoffmann et al. 2022, section 3.2. Off where alpha differs from beta and the sizes are wide or sit beside
             the optimum: N* is shifted, and where the shift drifts with compute so is `a` (arXiv 2603.22339).
interpolate  Akima's spline through the runs. It assumes no law, so it is the one for runs that follow none, as small
             models under an unfit schedule do; but it smooths nothing, and with the scatter of ordinary runs it is
             four to ten times less steady. Porian et al. 2024 (arXiv 2406.19146) interpolate.

A budget whose runs do not bracket its minimum is refused: an extrapolated vertex is no measurement.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.fit.allocation.budgets import Table, find_budgets, tabulate
from scaling_core.fit.allocation.curves import METHODS, Curves, Method, curves_of, neighbour_scatter
from scaling_core.fit.allocation.minima import Minima
from scaling_core.fit.allocation.profile import EXPONENT_BOUNDS
from scaling_core.fit.allocation.record import (
    FEWEST_BUDGETS,
    AllocationFit,
    BudgetOptimum,
    check_options,
    constants_of,
    intervals_of,
    power_law,
)
from scaling_core.fit.bootstrap import CHUNK_CELLS, MOST_RUNS
from scaling_core.fit.diagnosis import NARROW_DECADES
from scaling_core.fit.points import RunPoints
from scaling_core.fit.told import in_a_row, no_intervals
from scaling_core.language import t, tn, together
from scaling_core.units import format_flops

IsoflopResampling = Literal["residual", "pairs"]
ISOFLOP_RESAMPLINGS: tuple[IsoflopResampling, ...] = ("residual", "pairs")
LEAST_FREEDOM = 3
"""Sizes beyond its constants that a profile needs; with fewer, parabolas are fitted, which have two constants less."""
LACK_OF_FIT = 2.0
"""Curves that miss the runs by this many times the scatter of neighbouring runs are reported."""
OFF_THE_LINE = 2.0
"""So are optima that scatter about the power law by this many times what their replicates do."""
_CURVE = 61


@dataclass(frozen=True, kw_only=True, slots=True)
class _Replicates:
    """line (R, 2): ln coefficient and exponent, NaN where a replicate carries none. x, found (R, B): its minima."""

    line: FloatArray
    x: FloatArray
    found: BoolArray

    @property
    def good(self) -> FloatArray:
        """The lines that exist."""
        return self.line[np.isfinite(self.line).all(axis=1)]


def fit_isoflop(
    points: RunPoints,
    *,
    method: Method = "profile",
    budgets: Sequence[float] | FloatArray | None = None,
    window: float | None = None,
    bootstrap: int = 1000,
    resampling: IsoflopResampling = "residual",
    seed: int = 0,
    level: float = 0.95,
) -> AllocationFit:
    """N*(C) and D*(C) from runs at several budgets, each with several sizes.

    method: one of `METHODS`, see above. budgets: their computes in FLOP; by default the runs' groups if these are
    budgets, else clusters of 6 N D. window: keep only sizes within this factor of the best of their budget. Losses are
    weighted by their relative standard errors where these are given, and losses of equal sizes are averaged.

    resampling: 'residual' draws new losses about the fitted curves with the scale of their residuals, itself drawn from
    its chi-square distribution, and has close to its nominal coverage; 'pairs' draws the sizes of each budget with
    replacement, which with few sizes gives intervals almost twice too wide. A budget without a minimum in a replicate
    is left out of that replicate. The order of the runs does not matter.

    Raises FitError where fewer than three budgets bracket a minimum, InputError for an option that does not exist.
    """
    check_options(bootstrap, level, {"method": (method, METHODS), "resampling": (resampling, ISOFLOP_RESAMPLINGS)})
    if window is not None and not (math.isfinite(window) and window > 1):
        raise InputError("window", window, t("it must be a factor above 1"))
    if method == "interpolate" and resampling == "pairs":
        allowed = t("with interpolate it must be residual: sizes left out move a spline")
        raise InputError("resampling", resampling, allowed)
    started = time.perf_counter()
    points = points.sorted()
    groups, found = find_budgets(points, budgets)
    table, refused = tabulate(points, groups, window)
    warnings = list(found)
    if method == "profile" and (short := _too_few(table)) is not None:
        method = "parabola"
        warnings.append(short)
    curves, minima, without = _settle(method, table, refused)
    refused, table = [*refused, *without], curves.table
    line = power_law(table.log_C, minima.x + table.centre, minima.found)[0]
    fitted = time.perf_counter()
    scale, freedom = curves.noise()
    replicates = None
    if bootstrap and len(points) > MOST_RUNS:
        warnings.append(no_intervals(MOST_RUNS))
    elif bootstrap:
        replicates = _resample(curves, scale, freedom, bootstrap, seed, resampling)
        warnings += _lost(replicates)
    rows = sorted([*refused, *_rows(curves, minima, replicates, level)], key=lambda row: row.C)
    if refused:
        warnings.append(_left_out(refused, len(rows)))
    warnings += _doubts(curves, scale, minima, line, replicates)
    constants, exponents = constants_of(line)
    intervals, exponent_intervals = ({}, {}) if replicates is None else intervals_of(line, replicates.good, level)
    return AllocationFit(
        approach="isoflop",
        method=method,
        optima=tuple(rows),
        constants={**constants, **curves.shared},
        exponents=exponents,
        intervals=intervals,
        exponent_intervals=exponent_intervals,
        n=int(table.runs.sum()),
        scale=scale,
        level=level,
        resampling=None if replicates is None else resampling,
        replicates=None if replicates is None else replicates.good,
        warnings=tuple(warnings),
        seconds={"fit": fitted - started, "bootstrap": time.perf_counter() - fitted},
    )


def _too_few(table: Table) -> str | None:
    """Why these budgets cannot carry the constants of a profile, or None."""
    B, constants = len(table.log_C), 3 * len(table.log_C) + 2
    if B < FEWEST_BUDGETS or table.sizes - constants >= LEAST_FREEDOM:
        return None
    return t(
        "{sizes} sizes are too few for the {constants} constants of a profile of {budgets} budgets, so parabolas "
        "were fitted, which are biased where alpha differs from beta: train more sizes.",
        sizes=table.sizes,
        constants=constants,
        budgets=B,
    )


def _settle(method: Method, table: Table, before: list[BudgetOptimum]) -> tuple[Curves, Minima, list[BudgetOptimum]]:
    """The curves of all budgets that have a minimum, and rows for those that turn out to have none.

    Raises FitError where too few are left.
    """
    refused: list[BudgetOptimum] = []
    while len(table.log_C) >= FEWEST_BUDGETS:
        curves = curves_of(method, table)
        minima = curves.minima(table.loss[None], np.ones((1, 1, 1)))
        found = minima.found[0]
        if found.all():
            return curves, minima, refused
        for b in np.flatnonzero(~found):
            sentence = t(
                "The curve through its runs has no minimum between them: train more sizes, or sizes further out."
            )
            refused.append(BudgetOptimum(C=math.exp(table.log_C[b]), n=int(table.runs[b]), refused=sentence))
        table = table.take(np.flatnonzero(found))
    refused = [*before, *refused]
    left, count = len(table.log_C), len(refused) + len(table.log_C)
    largest = max(refused, key=lambda row: row.n, default=None)
    which = "" if largest is None else t("At {C}: {why}", C=format_flops(largest.C), why=largest.refused)
    raise FitError(together(_too_few_minima(left, count), which))


def _too_few_minima(left: int, count: int) -> str:
    """That only `left` of `count` budgets have a minimum."""
    if count == 1:
        return tn(
            "{n} of 1 budget has a minimum between the runs, and a power law needs at least {fewest}.",
            "{n} of 1 budget have a minimum between the runs, and a power law needs at least {fewest}.",
            left,
            fewest=FEWEST_BUDGETS,
        )
    return tn(
        "{n} of {count} budgets has a minimum between the runs, and a power law needs at least {fewest}.",
        "{n} of {count} budgets have a minimum between the runs, and a power law needs at least {fewest}.",
        left,
        count=count,
        fewest=FEWEST_BUDGETS,
    )


def _resample(
    curves: Curves, scale: float, freedom: int, count: int, seed: int, resampling: IsoflopResampling
) -> _Replicates:
    """`count` replicates, some at a time; equal seeds give equal replicates."""
    table = curves.table
    B, n = table.x.shape
    sizes = (table.weight > 0).sum(axis=1)
    fitted = curves.at(table.x, table.z)
    deviation = 1.0 / np.sqrt(np.where(table.weight > 0, table.weight, np.inf))
    chunk = max(16, CHUNK_CELLS // (B * n))
    x, found = np.empty((count, B)), np.empty((count, B), dtype=bool)
    for index, first in enumerate(range(0, count, chunk)):
        many = min(chunk, count - first)
        rng = np.random.default_rng((seed, index))
        loss, times = table.loss[None], np.ones((1, B, n))
        if resampling == "residual":
            sigma = np.full(many, scale)
            if freedom:
                sigma = scale * np.sqrt(freedom / rng.chisquare(freedom, size=many))
            loss = fitted * np.exp(sigma[:, None, None] * deviation * rng.standard_normal((many, B, n)))
        else:
            times = np.zeros((many, B, n))
            for b, m in enumerate(sizes):
                times[:, b, :m] = rng.multinomial(m, np.full(m, 1.0 / m), size=many)
        minima = curves.minima(loss, times)
        x[first : first + many], found[first : first + many] = minima.x, minima.found
    return _Replicates(line=power_law(table.log_C, x + table.centre, found), x=x, found=found)


def _lost(replicates: _Replicates) -> list[str]:
    """A sentence where minima went missing in resamplings; raises FitError where hardly a replicate is left."""
    without = 1.0 - len(replicates.good) / len(replicates.line)
    if without > 0.5:
        raise FitError(
            t(
                "In {without:.0%} of the resamplings fewer than {fewest} budgets have a minimum: the losses "
                "scatter too much for these sizes. Spread the sizes wider, or average seeds.",
                without=without,
                fewest=FEWEST_BUDGETS,
            )
        )
    lost = 1.0 - float(replicates.found.mean())
    if lost <= 0.05:
        return []
    return [t("{lost:.0%} of the minima are lost when the runs are resampled: read the intervals as rough.", lost=lost)]


def _rows(curves: Curves, minima: Minima, replicates: _Replicates | None, level: float) -> list[BudgetOptimum]:
    """One row for each budget that was fitted."""
    table, sizes = curves.table, (curves.table.weight > 0).sum(axis=1)
    last = np.array([table.x[b, m - 1] for b, m in enumerate(sizes)])
    x = np.linspace(table.x[:, 0], last, _CURVE, axis=1)
    loss = curves.at(x, x)
    rows = []
    for b, log_C in enumerate(table.log_C):
        spread = None
        if replicates is not None and replicates.found[:, b].any():
            own = replicates.x[replicates.found[:, b], b]
            ends = np.quantile(own, [(1 - level) / 2, (1 + level) / 2]) + table.centre[b]
            spread = (math.exp(ends[0]), math.exp(ends[1]))
        C, N = math.exp(log_C), math.exp(minima.x[0, b] + table.centre[b])
        rows.append(
            BudgetOptimum(
                C=C,
                n=int(table.runs[b]),
                N=N,
                D=C / (6.0 * N),
                loss=float(minima.loss[0, b]),
                interval=spread,
                curve=(np.exp(x[b] + table.centre[b]), loss[b]),
            )
        )
    return rows


def _left_out(refused: list[BudgetOptimum], count: int) -> str:
    first = [format_flops(row.C) for row in sorted(refused, key=lambda row: row.C)[:4]]
    return tn(
        "{n} of {count} budgets was left out, at {where}: no minimum lies between the runs there.",
        "{n} of {count} budgets were left out, at {where}: no minimum lies between the runs there.",
        len(refused),
        count=count,
        where=in_a_row(first, more=len(refused) - len(first)),
    )


def _doubts(
    curves: Curves, scale: float, minima: Minima, line: FloatArray, replicates: _Replicates | None
) -> list[str]:
    """What the data cannot say, in sentences."""
    table, said = curves.table, list[str]()
    decades = float(np.ptp(table.log_C)) / math.log(10.0)
    if decades < NARROW_DECADES:
        said.append(
            t(
                "Narrow range: the budgets span {decades:.1f} decades of compute; extrapolate by less than that.",
                decades=decades,
            )
        )
    low, high = EXPONENT_BOUNDS
    for name, value in curves.shared.items():
        if not low * 1.01 < value < high * 0.99:
            said.append(
                t(
                    "{name} ended at its bound ({value:.3g}): these runs do not fix it, though they may fix N*.",
                    name=name,
                    value=value,
                )
            )
    near, _ = neighbour_scatter(table)
    if scale > LACK_OF_FIT * near:
        said.append(
            t(
                "The curves miss the runs by {scale:.2%} where neighbouring runs scatter by {near:.2%}: sizes far from "
                "the minimum bend them. Use a window, or interpolate.",
                scale=scale,
                near=near,
            )
        )
    if replicates is not None and len(table.log_C) > FEWEST_BUDGETS:
        B = len(table.log_C)
        off = minima.x[0] + table.centre - line[0] - line[1] * table.log_C
        times = np.maximum(replicates.found.sum(axis=0), 1)
        mean = (replicates.found * replicates.x).sum(axis=0) / times
        variance = (replicates.found * (replicates.x - mean) ** 2).sum(axis=0) / times
        expected = float(variance.sum()) * (B - 2) / B
        ratio = math.sqrt(float((off**2).sum()) / max(expected, 1e-24))
        if ratio > OFF_THE_LINE and float(np.abs(off).max()) > 0.01:
            said.append(
                t(
                    "The optima lie {ratio:.1f} times further off the power law than their scatter explains: it may "
                    "bend, and the intervals do not know.",
                    ratio=ratio,
                )
            )
    return said
