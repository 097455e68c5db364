"""How far the constants could have been elsewhere: replicates of a fit, each re-converged.

pairs: runs are drawn with replacement (Efron 1979); right where there are many. residual: the design is kept and new
losses are drawn around the fitted law, with the residual scale itself drawn from its chi-square distribution, so that
few runs give wide intervals; right where each run was chosen, as in a ladder.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.fit.objective import Problem
from scaling_core.fit.solver import polish

Resampling = Literal["pairs", "residual"]
PAIRS_FROM = 60
"""From this many runs on, pairs are resampled by default; below, residuals."""
CHUNK = 250


def default_resampling(n: int) -> Resampling:
    """pairs for many runs, residual for few."""
    return "pairs" if n >= PAIRS_FROM else "residual"


def replicate(
    problem: Problem,
    theta: FloatArray,
    *,
    delta: float,
    scales: FloatArray,
    scale: float,
    count: int,
    seed: int,
    resampling: Resampling,
) -> tuple[FloatArray, FloatArray, int]:
    """theta of each replicate (count, p), residual scale of each (count,), and how many did not converge.

    theta: the fit itself, shape (p,), from which every replicate starts. scale: its residual log-sd. Equal seeds give
    equal replicates.
    """
    rng = np.random.default_rng(seed)
    n, p = problem.x.shape[1], problem.form.size
    log_hat, _ = problem.terms(theta[None, :])
    free = max(n - p, 1)
    sigma = np.full(count, scale)
    if resampling == "residual":
        sigma = scale * np.sqrt(free / rng.chisquare(free, size=count))
    deltas = _approach(delta, scale)
    thetas, failed = np.empty((count, p)), 0
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        if resampling == "pairs":
            weights = rng.multinomial(n, np.full(n, 1.0 / n), size=size).astype(np.float64)
            log_loss = problem.log_loss
        else:
            weights = np.ones((size, n))
            log_loss = log_hat + sigma[start : start + size, None] * rng.standard_normal((size, n))
        part = Problem(form=problem.form, x=problem.x, log_loss=log_loss, level=problem.level)
        solution = polish(
            part,
            np.repeat(theta[None, :], size, axis=0),
            weights,
            deltas,
            scales=scales,
            stage_steps=4,
            steps=3000,
            tolerance=1e-10,
        )
        thetas[start : start + size] = solution.theta
        failed += int((~solution.converged).sum())
    return thetas, sigma, failed


def _approach(delta: float, scale: float) -> tuple[float, ...]:
    """Huber widths from about the residual scale down to delta."""
    if not np.isfinite(delta) or delta >= scale:
        return (delta,)
    steps = max(1, int(np.ceil(np.log(scale / delta) / np.log(8.0))))
    return tuple(float(d) for d in np.geomspace(scale, delta, steps + 1))
