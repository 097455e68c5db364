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
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.fit.intervals import Interval
from scaling_core.fit.objective import Problem
from scaling_core.fit.solver import Solution, polish
from scaling_core.fit.told import choice
from scaling_core.language import t, tn

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
        raise InputError("resampling", resampling, choice(RESAMPLINGS))
    if resampling == "cluster" and len(set(groups or ())) < FEWEST_GROUPS:
        if not groups:
            raise FitError(
                t(
                    "The runs have no groups: at least {fewest} are needed to resample whole groups.",
                    fewest=FEWEST_GROUPS,
                )
            )
        raise FitError(
            tn(
                "The runs have {n} group: at least {fewest} are needed to resample whole groups.",
                "The runs have {n} groups: at least {fewest} are needed to resample whole groups.",
                len(set(groups)),
                fewest=FEWEST_GROUPS,
            )
        )


def default_resampling(n: int) -> Resampling:
    """pairs for many runs, residual for few."""
    return "pairs" if n >= PAIRS_FROM else "residual"


def default_interval(resampling: Resampling) -> Interval:
    """What covers best in `data/coverage.csv`: plain percentiles of whole groups, bias-corrected ones of the others."""
    return "percentile" if resampling == "cluster" else "bias-corrected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """Replicates to be solved: log_loss (n,) or (R, n), weights (R, n), and the residual scale of each, (R,)."""

    log_loss: FloatArray
    weights: FloatArray
    sigma: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How replicates are drawn.

    log_loss, log_hat: measured and fitted, (n,) each. scale: residual sd in log loss, or in loss where `level`. free:
    constants that were fitted. precision: of each run, (n,) or None. groups: label of each run, for `cluster`. The
    draws of a part depend on the seed and on its place alone, however many processors solve them.
    """

    resampling: Resampling
    log_loss: FloatArray
    log_hat: FloatArray
    scale: float
    free: int
    level: bool
    precision: FloatArray | None
    groups: tuple[str, ...] | None
    seed: int

    def parts(self, count: int, *, least: int = 32) -> Iterator[tuple[int, int]]:
        """(place, replicates) of each part, so large that a processor's cache still holds one."""
        size = max(least, min(500, CHUNK_CELLS // len(self.log_loss)))
        for place, first in enumerate(range(0, count, size)):
            yield place, min(size, count - first)

    def draw(self, place: int, many: int) -> Draw:
        """The replicates of one part."""
        rng, n = np.random.default_rng((self.seed, place)), len(self.log_loss)
        if self.resampling != "residual":
            clustered = self.resampling == "cluster"
            member = np.unique(np.array(self.groups), return_inverse=True)[1] if clustered else np.arange(n)
            clusters = int(member.max()) + 1
            times = rng.multinomial(clusters, np.full(clusters, 1.0 / clusters), size=many)
            weights = times[:, member].astype(np.float64)
            return Draw(log_loss=self.log_loss, weights=weights, sigma=np.full(many, self.scale))
        freedom = max(n - self.free, 1)
        sigma = self.scale * np.sqrt(freedom / rng.chisquare(freedom, size=many))
        noise = sigma[:, None] * rng.standard_normal((many, n))
        if self.precision is not None:
            noise /= self.precision
        if self.level:
            hat = np.exp(self.log_hat)
            log_loss = np.log(np.maximum(hat + noise, 1e-3 * hat))
        else:
            log_loss = self.log_hat + noise
        return Draw(log_loss=log_loss, weights=np.ones((many, n)), sigma=sigma)


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

    theta: the fit itself, shape (q,), from which every replicate starts. The rest as in `Sampling`; equal seeds give
    equal replicates.
    """
    free = problem.frame.free
    sampling = Sampling(
        resampling=resampling,
        log_loss=problem.log_loss,
        log_hat=problem.fitted(theta[None, :]).log_hat[0],
        scale=scale,
        free=len(free),
        level=problem.level,
        precision=problem.precision,
        groups=groups,
        seed=seed,
    )
    deltas = widths(delta, scale)

    def one(part: tuple[int, int]) -> tuple[Solution, FloatArray]:
        drawn = sampling.draw(*part)
        starts = np.repeat(theta[None, free], part[1], axis=0)
        solution = polish(
            replace(problem, log_loss=drawn.log_loss), starts, drawn.weights, deltas,
            stage_steps=4, steps=3000, tolerance=1e-10,
        )  # fmt: skip
        return solution, drawn.sigma

    parts = list(sampling.parts(count))
    with ThreadPoolExecutor(max_workers=max(1, min(_processors(), len(parts), 8))) as pool:
        solved = list(pool.map(one, parts))
    failed = sum(int((~solution.converged).sum()) for solution, _ in solved)
    return np.concatenate([s.theta for s, _ in solved]), np.concatenate([sigma for _, sigma in solved]), failed


def pair_counts(n: int, count: int, seed: int) -> FloatArray:
    """How often each of n runs, in their sorted order, is in each replicate that is drawn as pairs: (count, n).

    For checks that solve a replicate once more by other means.
    """
    flat = np.zeros(n)
    sampling = Sampling(
        resampling="pairs", log_loss=flat, log_hat=flat, scale=0.0, free=0, level=False, precision=None, groups=None,
        seed=seed,
    )  # fmt: skip
    return np.concatenate([sampling.draw(*part).weights for part in sampling.parts(count)])


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def widths(delta: float, scale: float) -> tuple[float, ...]:
    """Huber widths from about the residual scale down to delta, so that no start is caught in a corner."""
    if not np.isfinite(delta) or delta >= scale:
        return (delta,)
    steps = max(1, int(np.ceil(np.log(scale / delta) / np.log(8.0))))
    return tuple(float(width) for width in np.geomspace(scale, delta, steps + 1))
