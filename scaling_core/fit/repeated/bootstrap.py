"""Replicates of a fit of the data-constrained law, each re-converged from everywhere it might have gone.

Runs are drawn as in `bootstrap`: pairs, whole clusters, or new losses about the fitted law. A robust objective has
several minima in R_N* and R_D*, and which one is lowest changes from replicate to replicate. So each replicate looks
over a grid of its own before it is polished. A base law that was fitted is fitted again to each replicate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.fit.bootstrap import Resampling, Sampling
from scaling_core.fit.repeated.objective import BASE, RepeatedProblem
from scaling_core.fit.repeated.search import find_stars, settle

LINES, KEEP = 32, 2
"""Of the grid of a replicate, each way, and how many of its minima are polished."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseStage:
    """The base law's own fit, which each replicate repeats. runs: positions of its runs. theta (7,): its optimum."""

    problem: RepeatedProblem
    theta: FloatArray
    runs: IndexArray

    def again(self, log_loss: FloatArray, weights: FloatArray, delta: float, scale: float) -> FloatArray:
        """Natures (R, 7) of the base law for losses (n,) or (R, n) and weights (R, n) of all runs."""
        drawn = replace(self.problem, log_loss=log_loss[..., self.runs])
        starts = np.repeat(self.theta[None, :], len(weights), axis=0)
        return self.problem.frame.nature(settle(drawn, starts, weights[:, self.runs], delta, scale).theta)


def replicate(
    problem: RepeatedProblem,
    theta: FloatArray,
    *,
    stage: BaseStage | None,
    delta: float,
    scale: float,
    free: int,
    count: int,
    seed: int,
    resampling: Resampling,
    groups: tuple[str, ...] | None,
) -> tuple[FloatArray, FloatArray, int]:
    """Nature of each replicate (count, 7), residual scale of each (count,), and how many did not converge.

    theta (7,): the fit itself. stage: how the base law was fitted, None where it is given or free in `problem`. scale:
    residual sd in log loss (in loss, for a fit of the loss itself). free: constants that were fitted.
    """
    natures, sigmas, failed = [], [], 0
    joint = not problem.held[:BASE].all()
    sampling = Sampling(
        resampling=resampling,
        log_loss=problem.log_loss,
        log_hat=problem.fitted(theta[None, :]).log_hat[0],
        scale=scale,
        free=free,
        level=problem.level,
        precision=problem.precision,
        groups=groups,
        seed=seed,
    )
    for part in sampling.parts(count, least=16):
        draw = sampling.draw(*part)
        drawn = replace(problem, log_loss=draw.log_loss)
        from_here = np.repeat(theta[None, :], len(draw.weights), axis=0)
        if joint:
            solution = settle(drawn, from_here, draw.weights, delta, scale)
        else:
            if stage is not None:
                nature = problem.frame.nature(from_here)
                nature[:, :BASE] = stage.again(draw.log_loss, draw.weights, delta, scale)[:, :BASE]
                from_here = problem.frame.of_nature(nature)
            solution = find_stars(drawn, from_here, draw.weights, delta, lines=LINES, keep=KEEP, tolerance=1e-10).best
        natures.append(problem.frame.nature(solution.theta))
        sigmas.append(draw.sigma)
        failed += int((~solution.converged).sum())
    return np.concatenate(natures), np.concatenate(sigmas), failed
