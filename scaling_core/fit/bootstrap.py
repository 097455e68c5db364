"""How far the constants could have been elsewhere: replicates of a fit, each re-converged.

pairs: runs are drawn with replacement (Efron 1979); right where there are many. cluster: whole groups of runs are
drawn (a budget, a training run), where runs of a group share their error. residual: the design is kept and new losses
are drawn around the fitted law, with the residual scale itself drawn from its chi-square distribution, so that few
runs give wide intervals; right where each run was chosen, as in a ladder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.fit.objective import Problem
from scaling_core.fit.solver import Solution, polish

Resampling = Literal["pairs", "cluster", "residual"]
RESAMPLINGS: tuple[Resampling, ...] = ("pairs", "cluster", "residual")
PAIRS_FROM = 60
"""From this many runs on, pairs are resampled by default; below, residuals."""
MOST_RUNS = 20_000
"""More runs than this are not resampled: it would take minutes."""
FEWEST_GROUPS = 6
CHUNK_CELLS = 60_000
"""Replicates are solved together until their runs are about this many, which a processor's cache still holds."""


def check_resampling(resampling: str | None, groups: tuple[str, ...] | None) -> None:
    """Raises InputError for a resampling that does not exist, FitError for groups too few to be drawn."""
    if resampling is not None and resampling not in RESAMPLINGS:
        raise InputError("resampling", resampling, f"it must be one of {', '.join(RESAMPLINGS)}")
    if resampling == "cluster" and len(set(groups or ())) < FEWEST_GROUPS:
        seen = f"{len(set(groups))} groups" if groups else "no groups"
        raise FitError(f"The runs have {seen}: at least {FEWEST_GROUPS} are needed to resample whole groups.")


def default_resampling(n: int) -> Resampling:
    """pairs for many runs, residual for few."""
    return "pairs" if n >= PAIRS_FROM else "residual"


def replicate(
    problem: Problem,
    theta: FloatArray,
    *,
    delta: float,
    scale: float,
    count: int,
    seed: int,
    resampling: Resampling,
    groups: tuple[str, ...] | None = None,
) -> tuple[FloatArray, FloatArray, int]:
    """theta of each replicate (count, q), residual scale of each (count,), and how many did not converge.

    theta: the fit itself, shape (q,), from which every replicate starts. scale: its residual sd in log loss (in loss,
    for a fit of the loss itself). groups: label of each run, for `cluster`. Equal seeds give equal replicates, however
    many processors solve them.
    """
    n, free = problem.x.shape[1], len(problem.frame.free)
    start = theta[problem.frame.free]
    deltas = _approach(delta, scale)
    members = np.unique(np.array(groups), return_inverse=True)[1] if resampling == "cluster" else None
    log_hat = problem.fitted(theta[None, :]).log_hat

    def one(part: tuple[int, int]) -> tuple[Solution, FloatArray]:
        index, many = part
        rng = np.random.default_rng((seed, index))
        drawn, weights, sigma = problem, np.ones((many, n)), np.full(many, scale)
        if resampling == "residual":
            freedom = max(n - free, 1)
            sigma = scale * np.sqrt(freedom / rng.chisquare(freedom, size=many))
            noise = sigma[:, None] * rng.standard_normal((many, n))
            if problem.precision is not None:
                noise /= problem.precision
            if problem.level:
                log_loss = np.log(np.maximum(np.exp(log_hat) + noise, 1e-3 * np.exp(log_hat)))
            else:
                log_loss = log_hat + noise
            drawn = replace(problem, log_loss=log_loss)
        elif members is None:
            weights = _drawn(rng, n, many)
        else:
            weights = _drawn(rng, int(members.max()) + 1, many)[:, members]
        starts = np.repeat(start[None, :], many, axis=0)
        return polish(drawn, starts, weights, deltas, stage_steps=4, steps=3000, tolerance=1e-10), sigma

    parts = list(_parts(count, n))
    with ThreadPoolExecutor(max_workers=max(1, min(_processors(), len(parts), 8))) as pool:
        solved = list(pool.map(one, parts))
    failed = sum(int((~solution.converged).sum()) for solution, _ in solved)
    return np.concatenate([s.theta for s, _ in solved]), np.concatenate([sigma for _, sigma in solved]), failed


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pair_counts(n: int, count: int, seed: int) -> FloatArray:
    """How often each of n runs, in their sorted order, is in each replicate that is drawn as pairs: (count, n).

    For checks that solve a replicate once more by other means.
    """
    parts = _parts(count, n)
    return np.concatenate([_drawn(np.random.default_rng((seed, index)), n, many) for index, many in parts])


def _drawn(rng: np.random.Generator, n: int, many: int) -> FloatArray:
    """How often each of n is drawn when n are drawn with replacement, `many` times over: (many, n)."""
    return rng.multinomial(n, np.full(n, 1.0 / n), size=many).astype(np.float64)


def _parts(count: int, n: int) -> Iterator[tuple[int, int]]:
    """(index, replicates) of each part of `count` replicates of n runs."""
    size = max(32, min(500, CHUNK_CELLS // n))
    for index, first in enumerate(range(0, count, size)):
        yield index, min(size, count - first)


def _approach(delta: float, scale: float) -> tuple[float, ...]:
    """Huber widths from about the residual scale down to delta."""
    if not np.isfinite(delta) or delta >= scale:
        return (delta,)
    steps = max(1, int(np.ceil(np.log(scale / delta) / np.log(8.0))))
    return tuple(float(d) for d in np.geomspace(scale, delta, steps + 1))
