"""The global minimum over R_N* and R_D*: a grid on which the law is cheap, then Newton from its lowest points.

Given the base law, one term of the loss depends on R_N* alone and the other on R_D* alone, so that a grid of both costs
little more than its two edges. A Huber loss that is narrow beside the residuals has many local minima along the ridge
on which the two trade places, too many for a few starts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.fit.bootstrap import widths
from scaling_core.fit.objective import huber
from scaling_core.fit.repeated.objective import BASE, STAR_D, STAR_N, RepeatedProblem, Worth
from scaling_core.fit.solver import MOST_GRID_POINTS, Solution, polish

LINES, KEEP = 96, 24
"""Of the grid of one fit, each way, and how many of its minima are polished."""
BLOCK_CELLS = 2_000_000
"""Cells of the grid that are looked at together, runs counted."""
WIDE = 1e-3
"""Narrower Huber corners than this are approached from here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stars:
    """The best R_N* and R_D* for each of R base laws, (R, ...), and every local minimum that was found."""

    best: Solution
    found: Solution


def find_stars(
    problem: RepeatedProblem,
    theta: FloatArray,
    weights: FloatArray,
    delta: float,
    *,
    lines: int = LINES,
    keep: int = KEEP,
    tolerance: float = 1e-13,
) -> Stars:
    """The best R_N* and R_D* under each base law.

    theta (R, 7): the base laws, and an R_N* and R_D* to look from besides the grid. weights (R, n).
    """
    starts = np.concatenate([_grid_starts(problem, theta, weights, delta, lines, keep), theta[:, None, :]], axis=1)
    count, many = starts.shape[:2]
    if problem.log_loss.ndim > 1:
        problem = replace(problem, log_loss=np.repeat(problem.log_loss, many, axis=0))
    flat, repeated = starts.reshape(count * many, -1), np.repeat(weights, many, axis=0)
    found = polish(problem, flat, repeated, (delta,), steps=500, tolerance=tolerance)
    if delta < WIDE:
        wide = polish(problem, flat, repeated, widths(delta, WIDE), steps=500, tolerance=tolerance)
        ahead = wide.value < found.value
        for mine, theirs in ((found.theta, wide.theta), (found.value, wide.value), (found.converged, wide.converged)):
            mine[ahead] = theirs[ahead]
    best = found.value.reshape(count, many).argmin(axis=1) + many * np.arange(count)
    chosen = Solution(
        theta=found.theta[best],
        value=found.value[best],
        converged=found.converged[best],
        iterations=found.iterations,
    )
    return Stars(best=chosen, found=found)


def settle(problem: RepeatedProblem, theta: FloatArray, weights: FloatArray, delta: float, scale: float) -> Solution:
    """All that is free, from theta (R, 7), for replicates with weights (R, n)."""
    return polish(
        problem,
        theta[:, problem.frame.free],
        weights,
        widths(delta, scale),
        stage_steps=4,
        steps=3000,
        tolerance=1e-10,
    )


def thinned(problem: RepeatedProblem, most: int) -> RepeatedProblem:
    """The same problem on at most `most` runs, every k-th; log_loss (n,) or (R, n)."""
    every = -(-problem.x.shape[1] // most)
    if every == 1:
        return problem
    return replace(
        problem,
        x=problem.x[:, ::every],
        log_loss=problem.log_loss[..., ::every],
        precision=None if problem.precision is None else problem.precision[::every],
        repeats=problem.repeats[::every],
    )


def _grid_starts(
    problem: RepeatedProblem, theta: FloatArray, weights: FloatArray, delta: float, lines: int, keep: int
) -> FloatArray:
    """theta of the `keep` lowest local minima on the grid for each of R: (R, keep, 7)."""
    every = -(-weights.shape[1] // MOST_GRID_POINTS)
    problem, weights = thinned(problem, MOST_GRID_POINTS), weights[:, ::every]
    low, high = problem.frame.low[-2:], problem.frame.high[-2:]
    nature = problem.frame.nature(theta)
    across = nature[:1, STAR_N] if problem.held[STAR_N] else np.linspace(low[0], high[0], lines)
    along = nature[:1, STAR_D] if problem.held[STAR_D] else np.linspace(low[1], high[1], lines)
    values = np.empty((len(theta), len(across), len(along)))
    if problem.log_loss.ndim == 1 and (theta[:, :BASE] == theta[:1, :BASE]).all():
        values[:] = _on_grid(problem, nature[0], weights, delta, across, along)
    else:
        for i in range(len(theta)):
            log_loss = problem.log_loss if problem.log_loss.ndim == 1 else problem.log_loss[i]
            one = replace(problem, log_loss=log_loss)
            values[i] = _on_grid(one, nature[i], weights[i : i + 1], delta, across, along)[0]
    lowest = _local_minima(values).reshape(len(theta), -1)
    order = np.argsort(np.where(lowest, values.reshape(len(theta), -1), np.inf), axis=1, kind="stable")[:, :keep]
    order = np.where(np.take_along_axis(lowest, order, axis=1), order, order[:, :1])
    starts = np.repeat(theta[:, None, :], order.shape[1], axis=1)
    starts[:, :, STAR_N], starts[:, :, STAR_D] = across[order // len(along)], along[order % len(along)]
    return starts


def _on_grid(
    problem: RepeatedProblem,
    nature: FloatArray,
    weights: FloatArray,
    delta: float,
    across: FloatArray,
    along: FloatArray,
) -> FloatArray:
    """The objective of one base law, nature (7,), for weights (R, n), on a grid: (R, len(across), len(along))."""
    e, a, alpha, b, beta = nature[:BASE]
    excess = problem.excess(nature[None, :])
    N = problem.x[0] - np.log1p(excess) + Worth.of(excess, across[:, None]).value
    D = problem.x[1] + Worth.of(problem.repeats, along[:, None]).value
    by_size, by_data = np.exp(a - alpha * N), np.exp(e) + np.exp(b - beta * D)
    values = np.empty((len(weights), len(across), len(along)))
    rows = max(1, BLOCK_CELLS // by_data.size)
    for first in range(0, len(across), rows):
        log_hat = np.log(by_size[first : first + rows, None, :] + by_data[None, :, :])
        rho = huber(problem.residual(log_hat, problem.log_loss), delta)
        sums = weights @ rho.reshape(-1, rho.shape[-1]).T
        values[:, first : first + rows] = sums.reshape(len(weights), *rho.shape[:2])
    return values


def _local_minima(values: FloatArray) -> BoolArray:
    """Which cells of each table (R, G, H) are no higher than their eight neighbours."""
    around = np.pad(values, ((0, 0), (1, 1), (1, 1)), constant_values=np.inf)
    places: IndexArray = np.array([(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)])
    lowest = np.ones(values.shape, dtype=bool)
    for i, j in places:
        lowest &= values <= around[:, i : i + values.shape[1], j : j + values.shape[2]]
    return lowest
