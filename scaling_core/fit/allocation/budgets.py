"""Runs sorted into budgets of equal compute, as a padded table that many resamplings can be fitted on at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.fit.allocation.record import FEWEST_BUDGETS, LOG_6, BudgetOptimum
from scaling_core.fit.points import RunPoints
from scaling_core.language import t, tn
from scaling_core.units import format_flops, format_quantity

GAP = 1.2
"""Sorted by compute, neighbouring runs that differ by more than this factor belong to different budgets."""
WIDEST = 1.5
"""Runs of one budget differ by at most this factor in compute."""
FEWEST_SIZES = 4
"""Different sizes that a budget needs: three would fix a parabola without saying whether it is one."""
SAME_SIZE = 1e-6
"""Sizes closer than this in ln N are one size, and their losses are averaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """B budgets of up to n sizes, by increasing compute, padded with weight 0; runs that count come first, by size.

    log_C (B,): ln of the geometric mean compute. centre (B,): mean ln N. x (B, n): ln N - centre. z (B, n): the same
    coordinate read from the tokens, ln(C / (6 D)) - centre, which differs from x only where a run is off its budget.
    loss, weight (B, n): mean loss of the runs of that size, and the inverse variance of its logarithm in units of
    1 / scale^2, one for a run of average precision. runs (B,): how many there are. scale: standard deviation of ln loss
    of a run of unit weight where standard errors are known, else None.
    """

    log_C: FloatArray
    centre: FloatArray
    x: FloatArray
    z: FloatArray
    loss: FloatArray
    weight: FloatArray
    runs: IndexArray
    scale: float | None

    @property
    def sizes(self) -> int:
        """How many sizes count, in all budgets."""
        return int((self.weight > 0).sum())

    def take(self, keep: IndexArray) -> Table:
        """The budgets at these positions."""
        return Table(
            log_C=self.log_C[keep],
            centre=self.centre[keep],
            x=self.x[keep],
            z=self.z[keep],
            loss=self.loss[keep],
            weight=self.weight[keep],
            runs=self.runs[keep],
            scale=self.scale,
        )


def find_budgets(
    points: RunPoints, given: Sequence[float] | FloatArray | None = None
) -> tuple[list[IndexArray], tuple[str, ...]]:
    """Positions of the runs of each budget, by increasing compute, and sentences about how they were found.

    given: computes in FLOP; each run goes to the nearest one, or nowhere if that is more than a factor sqrt(1.5) off.
    Otherwise the labels of `points.group` where they name budgets; otherwise ln 6ND is sorted and split at its gaps.
    Raises InputError for a given compute that is not a positive number.
    """
    log_C = np.log(points.C)
    if given is not None:
        return _nearest(log_C, given)
    note: tuple[str, ...] = ()
    if points.group is not None:
        labels = np.array(points.group)
        groups = [np.flatnonzero(labels == label) for label in sorted(set(points.group))]
        full = [index for index in groups if len(index) >= FEWEST_SIZES]
        if len(full) >= FEWEST_BUDGETS and all(np.ptp(log_C[index]) <= np.log(WIDEST) for index in groups):
            groups.sort(key=lambda index: float(log_C[index].mean()))
            return groups, (t("{count} budgets were read from the runs' groups.", count=len(groups)),)
        note = (t("The groups of the runs are not budgets of equal compute, so they were set aside."),)
    order = np.argsort(log_C, kind="stable")
    breaks = np.flatnonzero(np.diff(log_C[order]) > np.log(GAP)) + 1
    groups = np.split(order, breaks)
    found = tn("{n} budget was found from C = 6 N D.", "{n} budgets were found from C = 6 N D.", len(groups))
    return groups, (*note, found)


def _nearest(log_C: FloatArray, given: Sequence[float] | FloatArray) -> tuple[list[IndexArray], tuple[str, ...]]:
    values = np.unique(np.array(given, dtype=np.float64))
    if not values.size or not (np.isfinite(values) & (values > 0)).all():
        raise InputError("budgets", list(given), t("each must be a positive finite number of FLOP"))
    distance = np.abs(log_C[:, None] - np.log(values))
    nearest, close = distance.argmin(axis=1), distance.min(axis=1) <= 0.5 * np.log(WIDEST)
    groups = [np.flatnonzero(close & (nearest == i)) for i in range(len(values))]
    left = int((~close).sum())
    said = tn("{n} budget was given.", "{n} budgets were given.", len(values))
    if left:
        said = tn(
            "{n} budget was given; {left} of {runs} runs belong to none of them.",
            "{n} budgets were given; {left} of {runs} runs belong to none of them.",
            len(values),
            left=left,
            runs=len(log_C),
        )
    return [index for index in groups if len(index)], (said,)


def tabulate(points: RunPoints, groups: list[IndexArray], window: float | None) -> tuple[Table, list[BudgetOptimum]]:
    """The budgets that can be tried, and a row with its sentence for each that cannot.

    window: only sizes within this factor of the best one of their budget are kept; None keeps all.
    """
    precision = np.ones(len(points)) if points.se is None else (points.loss / points.se) ** 2
    typical = float(np.median(precision))
    precision = precision / typical
    scale = None if points.se is None else typical**-0.5
    columns: list[tuple[float, FloatArray]] = []
    refused = []
    for index in groups:
        logs = np.log(points.C[index])
        C = float(np.exp(logs.mean()))
        if np.ptp(logs) > np.log(WIDEST):
            low, high = format_flops(float(np.exp(logs.min()))), format_flops(float(np.exp(logs.max())))
            spread = t(
                "Its runs spread from {low} to {high} without a gap, which is not one budget: name the budgets.",
                low=low,
                high=high,
            )
            refused.append(BudgetOptimum(C=C, n=len(index), refused=spread))
            continue
        rows = by_size(np.log(points.N[index]), np.log(points.D[index]), points.loss[index], precision[index])
        if window is not None:
            rows = rows[:, np.abs(rows[0] - rows[0][rows[2].argmin()]) <= np.log(window) * (1 + 1e-12)]
        sentence = _why_not(rows, window)
        if sentence is not None:
            refused.append(BudgetOptimum(C=C, n=int(rows[4].sum()), refused=sentence))
        else:
            columns.append((float(logs.mean()), rows))
    columns.sort(key=lambda column: column[0])
    return pad(columns, scale), refused


def by_size(log_N: FloatArray, log_D: FloatArray, loss: FloatArray, weight: FloatArray) -> FloatArray:
    """Rows ln N, ln D, loss, weight and number of runs of each different size, by size: shape (5, m)."""
    order = np.argsort(log_N, kind="stable")
    size = np.concatenate([[0], np.cumsum(np.diff(log_N[order]) > SAME_SIZE)])
    total = np.bincount(size, weight[order])
    means = [np.bincount(size, (weight * each)[order]) / total for each in (log_N, log_D, loss)]
    return np.stack([*means, total, np.bincount(size)])


def _why_not(rows: FloatArray, window: float | None) -> str | None:
    """The sentence that refuses a budget whose runs do not bracket a minimum, or None."""
    m, best = rows.shape[1], int(rows[2].argmin()) if rows.shape[1] else 0
    if m < FEWEST_SIZES and window is None:
        return tn(
            "It has {n} size: at least {fewest} are needed.",
            "It has {n} sizes: at least {fewest} are needed.",
            m,
            fewest=FEWEST_SIZES,
        )
    if m < FEWEST_SIZES:
        return tn(
            "It has {n} size within a factor {window:g} of the best one: at least {fewest} are needed.",
            "It has {n} sizes within a factor {window:g} of the best one: at least {fewest} are needed.",
            m,
            window=window,
            fewest=FEWEST_SIZES,
        )
    if 0 < best < m - 1:
        return None
    size = format_quantity(float(np.exp(rows[0, best])))
    if best == 0:
        return t(
            "The smallest size, {size}, has the least loss, so the minimum lies below the sizes: train one beyond it.",
            size=size,
        )
    return t(
        "The largest size, {size}, has the least loss, so the minimum lies above the sizes: train one beyond it.",
        size=size,
    )


def pad(columns: list[tuple[float, FloatArray]], scale: float | None) -> Table:
    """A table from ln C and the rows of `by_size` of each budget."""
    B, n = len(columns), max((rows.shape[1] for _, rows in columns), default=0)
    x, z, loss, weight = np.zeros((B, n)), np.zeros((B, n)), np.ones((B, n)), np.zeros((B, n))
    centre = np.zeros(B)
    for b, (log_C, rows) in enumerate(columns):
        m = rows.shape[1]
        centre[b] = rows[0].mean()
        x[b, :m] = rows[0] - centre[b]
        z[b, :m] = log_C - LOG_6 - rows[1] - centre[b]
        loss[b, :m], weight[b, :m] = rows[2], rows[3]
    return Table(
        log_C=np.array([log_C for log_C, _ in columns]),
        centre=centre,
        x=x,
        z=z,
        loss=loss,
        weight=weight,
        runs=np.array([rows[4].sum() for _, rows in columns], dtype=np.intp),
        scale=scale,
    )
