"""Approach 1: the lower envelope of training curves. At each compute the run of least loss, and its size.

    fit = fit_envelope(RunPoints.of(N=..., D=tokens_so_far, loss=..., group=run_names))

Every run gives a curve of loss against C = 6 N D along its own training, read off between its points in ln C and ln
loss, never beyond them. At each of a log-spaced set of C the least of these curves names a size, so each size is best
over a stretch of computes. A stretch counts where it ends on both sides because another curve crosses below, and not
because a curve starts or stops there: elsewhere the best size may be one that was not trained for so long, or at all.
A power law goes through the sizes at the middles of their stretches.

The start of each run is left out (`warmup`): while the learning rate rises, and shortly after, the loss tells of the
schedule rather than of the size. A point before the end of a decaying schedule is not the loss that a run planned for
so few tokens would have reached, so losses on the envelope read high.
Source: Hoffmann et al. 2022, section 3.1.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.errors import FitError, InputError
from scaling_core.fit.allocation import remarks
from scaling_core.fit.allocation.budgets import SAME_SIZE, by_size, pad
from scaling_core.fit.allocation.curves import neighbour_scatter
from scaling_core.fit.allocation.record import (
    LOG_6,
    AllocationFit,
    BudgetOptimum,
    check_options,
    constants_of,
    intervals_of,
    power_law,
)
from scaling_core.fit.bootstrap import FEWEST_GROUPS
from scaling_core.fit.diagnosis import NARROW_DECADES
from scaling_core.fit.points import RunPoints
from scaling_core.fit.told import within
from scaling_core.language import t
from scaling_core.units import format_flops, format_quantity, parse_count

FEWEST_SIZES = 3
"""Different sizes that must have reached a compute for a best one to be named there."""
MOST_BINS = 2000
EnvelopeResampling = Literal["residual", "cluster"]
ENVELOPE_RESAMPLINGS: tuple[EnvelopeResampling, ...] = ("residual", "cluster")
_CELLS = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Curves:
    """log_N (r,): size of each run, in order. log_C (k,): the computes. log_loss (r, k): inf where a run has none."""

    log_N: FloatArray
    log_C: FloatArray
    log_loss: FloatArray

    @property
    def sizes(self) -> FloatArray:
        """ln N of each different size, (s,)."""
        return np.asarray(self.log_N[np.concatenate([[True], np.diff(self.log_N) > SAME_SIZE])])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Envelope:
    """The least of R sets of curves. best (R, k): the run. counts (R, k): whether its stretch counts. number (R, s): of
    computes in the stretch of each size, 0 where it does not count; middle (R, s): their mean ln C."""

    best: IndexArray
    counts: BoolArray
    number: IndexArray
    middle: FloatArray


def fit_envelope(
    points: RunPoints,
    *,
    bins: int = 100,
    warmup: float = 0.02,
    smooth: float = 0.0,
    bootstrap: int = 1000,
    resampling: EnvelopeResampling = "residual",
    seed: int = 0,
    level: float = 0.95,
) -> AllocationFit:
    """N*(C) and D*(C) from whole training curves.

    points: one row for each measurement, with D the tokens seen so far and `group` the run's name. bins: computes, log
    spaced over the range that at least three sizes reach. warmup: share of each run's tokens that is left out at its
    start. smooth: each loss is averaged with those up to this share of tokens before and after it, 0 for none.

    Points of one run share their error, so whole runs are resampled. 'residual' moves each curve by an error of the
    size by which the curves of neighbouring sizes scatter; 'cluster' draws runs with replacement, which needs several
    runs of each size: with one, a run that is not drawn takes its size away, and intervals are many times too wide.

    Raises FitError where no envelope can be drawn, InputError for a row or an option that cannot be used.
    """
    check_options(bootstrap, level, {"resampling": (resampling, ENVELOPE_RESAMPLINGS)})
    parse_count(bins, field="bins", minimum=10, maximum=MOST_BINS)
    for name, value in (("warmup", warmup), ("smooth", smooth)):
        if not 0 <= value < 1:
            raise InputError(name, value, within(0, 1))
    started = time.perf_counter()
    curves, short = _curves(points.sorted(), bins, warmup, smooth)
    envelope = _envelope(curves, curves.log_loss[None])
    if (envelope.number[0] > 0).sum() < 2:
        raise FitError(_no_envelope(curves, envelope))
    line = _lines(curves, envelope)[0]
    fitted = time.perf_counter()
    warnings = _doubts(curves, envelope, short)
    replicates = None
    if bootstrap:
        lines, why = _resample(curves, bootstrap, seed, resampling)
        replicates = lines if len(lines) else None
        warnings += why
    constants, exponents = constants_of(line)
    intervals, exponent_intervals = ({}, {}) if replicates is None else intervals_of(line, replicates, level)
    return AllocationFit(
        approach="envelope",
        method="envelope",
        optima=_rows(curves, envelope),
        constants=constants,
        exponents=exponents,
        intervals=intervals,
        exponent_intervals=exponent_intervals,
        n=len(curves.log_N),
        scale=None,
        level=level,
        resampling=None if replicates is None else resampling,
        replicates=replicates,
        warnings=tuple(warnings),
        seconds={"fit": fitted - started, "bootstrap": time.perf_counter() - fitted},
    )


def _curves(points: RunPoints, bins: int, warmup: float, smooth: float) -> tuple[_Curves, int]:
    """The runs' curves on common computes, and how many runs were too short to be used."""
    if points.group is None:
        allowed = t("each row must name its training run, so that curves can be told apart")
        raise InputError("group", t("no column"), allowed)
    labels = np.array(points.group)
    sizes, starts, ends, shapes, short = [], [], [], [], 0
    for label in sorted(set(points.group)):
        rows = np.flatnonzero(labels == label)
        log_N = np.log(points.N[rows])
        if np.ptp(log_N) > SAME_SIZE:
            allowed = t("a run has one size N, and this one has several: name each run apart")
            raise InputError("group", label, allowed)
        C, log_loss = _curve(points.D[rows], np.log(points.loss[rows]), warmup, smooth)
        if len(C) < 2:
            short += 1
            continue
        C = C + LOG_6 + log_N[0]
        sizes.append(log_N[0])
        starts.append(C[0])
        ends.append(C[-1])
        shapes.append((C, log_loss))
    order = np.argsort(sizes, kind="stable")
    low, high = _reached(np.array(sizes), np.array(starts), np.array(ends))
    log_C = np.linspace(low, high, bins)
    log_loss = np.array([np.interp(log_C, *shape, left=np.inf, right=np.inf) for shape in shapes])
    return _Curves(log_N=np.array(sizes)[order], log_C=log_C, log_loss=log_loss[order]), short


def _curve(D: FloatArray, log_loss: FloatArray, warmup: float, smooth: float) -> tuple[FloatArray, FloatArray]:
    """ln D and ln loss of one run, by D: means of equal D, smoothed, then without the first `warmup` of its tokens."""
    D, where = np.unique(D, return_inverse=True)
    count = np.bincount(where)
    log_loss = np.bincount(where, log_loss) / count
    log_D = np.log(D)
    if smooth > 0:
        first = np.searchsorted(D, D * (1.0 - smooth), side="left")
        last = np.searchsorted(D, D * (1.0 + smooth), side="right")
        sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (log_D, log_loss)]
        log_D, log_loss = ((total[last] - total[first]) / (last - first) for total in sums)
    late = warmup * D[-1] <= D
    return log_D[late], log_loss[late]


def _reached(sizes: FloatArray, starts: FloatArray, ends: FloatArray) -> tuple[float, float]:
    """ln of the least and the largest compute that at least three different sizes reach; raises FitError for none."""
    edges = np.unique(np.concatenate([starts, ends]))
    middles = 0.5 * (edges[1:] + edges[:-1])
    enough = [len(np.unique(np.round(sizes[(starts <= C) & (ends >= C)] / SAME_SIZE))) >= FEWEST_SIZES for C in middles]
    if not any(enough):
        raise FitError(
            t(
                "No compute is reached by {fewest} different sizes, so there is no envelope: train more sizes, or "
                "each of them over a wider range of tokens.",
                fewest=FEWEST_SIZES,
            )
        )
    which = np.flatnonzero(enough)
    return float(edges[which[0]]), float(edges[which[-1] + 1])


def _envelope(curves: _Curves, log_loss: FloatArray) -> _Envelope:
    """The envelope of R sets of curves, log_loss (R, r, k) with inf where there is none."""
    best = log_loss.argmin(axis=1)
    R, k = best.shape
    crossing = np.isfinite(np.take_along_axis(log_loss[:, :, 1:], best[:, None, :-1], axis=1)[:, 0])
    crossing &= np.isfinite(np.take_along_axis(log_loss[:, :, :-1], best[:, None, 1:], axis=1)[:, 0])
    ends = np.zeros((R, k + 1), dtype=bool)
    ends[:, 1:-1] = crossing
    of_size = np.abs(curves.log_N[best][:, None, :] - curves.sizes[:, None]) <= SAME_SIZE
    of_size &= np.isfinite(log_loss.min(axis=1))[:, None, :]
    first, last = of_size.argmax(axis=2), k - 1 - of_size[:, :, ::-1].argmax(axis=2)
    whole = np.take_along_axis(ends, first, axis=1) & np.take_along_axis(ends, last + 1, axis=1)
    of_size &= whole[:, :, None]
    number = of_size.sum(axis=2, dtype=np.intp)
    return _Envelope(
        best=best,
        counts=of_size.any(axis=1),
        number=number,
        middle=of_size @ curves.log_C / np.maximum(number, 1),
    )


def _lines(curves: _Curves, envelope: _Envelope) -> FloatArray:
    """(ln coefficient, exponent) of each envelope, (R, 2); NaN where fewer than two sizes count.

    Each size stands at the middle of its stretch, with the number of computes there as its weight. (A line through all
    computes, as the paper draws it, is too flat by the share 1/m^2 for m sizes, since each step has a length in C.)
    """
    return power_law(envelope.middle, curves.sizes, envelope.number, fewest=2)


def _resample(curves: _Curves, count: int, seed: int, resampling: EnvelopeResampling) -> tuple[FloatArray, list[str]]:
    """`_lines` of `count` replicates, those that exist, and what is wrong with them; equal seeds give equal ones."""
    none = np.empty((0, 2))
    (runs, k), rng = curves.log_loss.shape, np.random.default_rng(seed)
    if resampling == "cluster":
        if runs < FEWEST_GROUPS:
            few = t(
                "There are no intervals: {runs} runs are too few to draw from, {fewest} are needed.",
                runs=runs,
                fewest=FEWEST_GROUPS,
            )
            return none, [few]
        drawn = rng.multinomial(runs, np.full(runs, 1.0 / runs), size=count) > 0
        shift = np.where(drawn, 0.0, np.inf)
    else:
        scatter, compared = _scatter(curves)
        if not compared:
            return none, [t("There are no intervals: no compute is reached by four sizes, to compare their scatter.")]
        freedom = max(runs - 3, 1)  # the curve over sizes has about three constants
        sigma = scatter * np.sqrt(freedom / rng.chisquare(freedom, size=count))
        shift = sigma[:, None] * rng.standard_normal((count, runs))
    chunk = max(1, _CELLS // (runs * k))
    parts = [shift[first : first + chunk, :, None] for first in range(0, count, chunk)]
    lines = np.concatenate([_lines(curves, _envelope(curves, curves.log_loss + part)) for part in parts])
    lines = lines[np.isfinite(lines).all(axis=1)]
    lost = 1.0 - len(lines) / count
    if lost > 0.5:
        return none, [t("There are no intervals: in {lost:.0%} of the resamplings no envelope is left.", lost=lost)]
    rough = t("In {lost:.0%} of the resamplings no envelope is left: read the intervals as rough.", lost=lost)
    return lines, [rough] if lost > 0.05 else []


def _scatter(curves: _Curves) -> tuple[float, int]:
    """How far the curves of neighbouring sizes scatter in ln loss, and in how many places that could be seen."""
    columns = []
    for k, log_C in enumerate(curves.log_C):
        there = np.isfinite(curves.log_loss[:, k])
        log_N, loss = curves.log_N[there], np.exp(curves.log_loss[there, k])
        rows = by_size(log_N, log_C - LOG_6 - log_N, loss, np.ones(len(loss)))
        if rows.shape[1] > FEWEST_SIZES:
            columns.append((float(log_C), rows))
    return neighbour_scatter(pad(columns, None))


def _rows(curves: _Curves, envelope: _Envelope) -> tuple[BudgetOptimum, ...]:
    """One row for each compute."""
    rows, nobody = [], t("No run reaches it.")
    cut = {
        run: t(
            "The stretch of computes at which its size, {size}, is best is not seen whole.",
            size=format_quantity(math.exp(curves.log_N[run])),
        )
        for run in np.unique(envelope.best[0]).tolist()
    }
    for k, log_C in enumerate(curves.log_C):
        C, there = math.exp(log_C), np.isfinite(curves.log_loss[:, k])
        if not there.any():
            rows.append(BudgetOptimum(C=C, n=0, refused=nobody))
            continue
        run = int(envelope.best[0, k])
        N, loss = math.exp(curves.log_N[run]), math.exp(curves.log_loss[run, k])
        refused = None if envelope.counts[0, k] else cut[run]
        rows.append(BudgetOptimum(C=C, n=int(there.sum()), N=N, D=C / (6.0 * N), loss=loss, refused=refused))
    return tuple(rows)


def _no_envelope(curves: _Curves, envelope: _Envelope) -> str:
    """Why no power law goes through this envelope."""
    low, high = (format_flops(math.exp(each)) for each in (curves.log_C[0], curves.log_C[-1]))
    reach, best = np.isfinite(curves.log_loss), envelope.best[0]
    smallest, largest = reach.argmax(axis=0), len(reach) - 1 - reach[::-1].argmax(axis=0)
    for edge, which in ((smallest, "smallest"), (largest, "largest")):
        if (np.abs(curves.log_N[best] - curves.log_N[edge]) <= SAME_SIZE).all():
            return remarks.not_bracketed(low, high, smallest=which == "smallest")
    sizes, whole = len(np.unique(curves.log_N[best])), int((envelope.number[0] > 0).sum())
    return remarks.few_whole(low, high, sizes=sizes, whole=whole)


def _doubts(curves: _Curves, envelope: _Envelope, short: int) -> list[str]:
    """What the curves cannot say, in sentences."""
    counts, number = envelope.counts[0], int((envelope.number[0] > 0).sum())
    said = [remarks.reads_high()]
    if not counts.all():
        said.append(remarks.cut_off(len(counts) - int(counts.sum()), len(counts)))
    if number < FEWEST_SIZES:
        said.append(remarks.one_step(number))
    if short:
        said.append(remarks.too_short(short))
    decades = float(np.ptp(curves.log_C[counts])) / math.log(10.0)
    if decades < NARROW_DECADES:
        said.append(remarks.narrow(decades))
    return said
