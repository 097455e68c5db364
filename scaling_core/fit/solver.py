"""A deterministic global solver: variable projection on a grid of exponents, then a damped Newton polish.

1. For each pair of exponents on a grid, E, A and B enter linearly: a non-negative least squares of relative
   residuals is solved exactly by trying every support.
2. The best few grid points are polished together by Newton steps with exact second derivatives. A narrow Huber
   corner is approached from a wide one, so that no start is caught on a wrong set of interpolated points.
The same polish re-converges thousands of bootstrap replicates at once: every array carries a leading axis R.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.fit.objective import Problem

EXPONENT_GRID = np.array([0.02, 0.05, 0.09, 0.14, 0.2, 0.27, 0.35, 0.45, 0.58, 0.75, 1.0, 1.4, 2.0])
STARTS = 8
EXPONENT_BOUNDS = (1e-3, 5.0)
LOG_RANGE = 40.0
"""Logarithms of the terms, relative to the data's mean log loss, stay within this distance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """theta (R, p), value (R,) of the objective, converged (R,), iterations of the Newton polish."""

    theta: FloatArray
    value: FloatArray
    converged: BoolArray
    iterations: int


def grid_starts(problem: Problem, scales: FloatArray, weights: FloatArray, delta: float, keep: int) -> FloatArray:
    """The `keep` best (a_k, alpha_k, log E) on the exponent grid, by the objective itself; shape (keep, p).

    scales: what one unit of x_k is in log x_k, shape (K,), so that the grid is in true exponents.
    """
    form, n = problem.form, problem.x.shape[1]
    first, terms = int(form.offset), len(form.variables)
    exponents = np.array(list(itertools.product(EXPONENT_GRID, repeat=terms)))
    loss = np.exp(problem.log_loss)
    columns = np.empty((len(exponents), n, first + terms))
    columns[:, :, :first] = (1.0 / loss)[None, :, None]
    for k in range(terms):
        columns[:, :, first + k] = np.exp(-exponents[:, k, None] * scales[k] * problem.x[k]) / loss
    weighted = columns * weights[None, :, None]
    gram = np.matmul(weighted.transpose(0, 2, 1), columns)
    target = weighted.sum(axis=1)
    best, size = np.full((len(exponents), first + terms), 1e-12), np.full(len(exponents), -np.inf)
    for count in range(1, first + terms + 1):
        for support in itertools.combinations(range(first + terms), count):
            index = np.ix_(range(len(exponents)), support, support)
            ridge = 1e-13 * np.eye(count) * np.trace(gram[index], axis1=1, axis2=2)[:, None, None]
            solved = np.linalg.solve(gram[index] + ridge, target[:, list(support), None])[:, :, 0]
            gain = (solved * target[:, list(support)]).sum(axis=1)
            better = (solved > 0).all(axis=1) & (gain > size)
            size[better] = gain[better]
            best[better] = 1e-12
            best[np.ix_(better, support)] = solved[better]
    floor = np.log(best.clip(1e-9 * float(loss.min())))
    theta = np.empty((len(exponents), form.size))
    theta[:, :first] = floor[:, :first]
    for k in range(terms):
        theta[:, first + 2 * k] = floor[:, first + k]
        theta[:, first + 2 * k + 1] = exponents[:, k] * scales[k]
    value = problem.value(theta, weights[None, :], delta, problem.log_loss)
    return theta[np.argsort(value, kind="stable")[:keep]]


def polish(
    problem: Problem,
    theta: FloatArray,
    weights: FloatArray,
    deltas: tuple[float, ...],
    *,
    scales: FloatArray,
    stage_steps: int = 6,
    steps: int = 200,
    tolerance: float = 1e-13,
) -> Solution:
    """Newton with an eigenvalue-damped Hessian from theta (R, p), weights (R, n); the last delta is the objective's.

    A step is taken only where it lowers the objective. Converged where the decrease promised by the quadratic model
    falls below `tolerance` of the value, or no step lowers it any more.
    """
    theta = theta.copy()
    value, converged, iterations = np.empty(len(theta)), np.zeros(len(theta), dtype=bool), 0
    for stage, delta in enumerate(deltas):
        last = stage == len(deltas) - 1
        theta, value, converged, used = _newton(
            problem, theta, weights, delta, scales, steps if last else stage_steps, tolerance
        )
        iterations += used
    return Solution(theta=theta, value=value, converged=converged, iterations=iterations)


def _newton(
    problem: Problem,
    theta: FloatArray,
    weights: FloatArray,
    delta: float,
    scales: FloatArray,
    steps: int,
    tolerance: float,
) -> tuple[FloatArray, FloatArray, BoolArray, int]:
    low, high = _bounds(problem, scales)
    damping = np.full(len(theta), 1e-3)
    active = np.arange(len(theta))
    result = theta.copy()
    value_of = problem.value(theta, weights, delta, problem.log_loss)
    converged = np.zeros(len(theta), dtype=bool)
    used = 0
    while len(active) and used < steps:
        used += 1
        now, w, log_loss = result[active], weights[active], problem.rows(active)
        value, gradient, hessian = problem.derivatives(now, w, delta, log_loss)
        blocked = ((now <= low) & (gradient > 0)) | ((now >= high) & (gradient < 0))
        gradient = np.where(blocked, 0.0, gradient)
        hessian = np.where(blocked[:, :, None] | blocked[:, None, :], 0.0, hessian)
        eigenvalue, vector = np.linalg.eigh(hessian)
        scale = np.abs(eigenvalue).max(axis=1, initial=0.0) + 1e-300
        lifted = np.abs(eigenvalue) + (damping[active] * scale)[:, None] + 1e-14 * scale[:, None]
        along = np.matmul(vector.transpose(0, 2, 1), gradient[:, :, None])[:, :, 0]
        step = -np.matmul(vector, (along / lifted)[:, :, None])[:, :, 0]
        longest = np.abs(step).max(axis=1)
        step *= np.minimum(1.0, 2.0 / np.maximum(longest, 1e-300))[:, None]
        promised = 0.5 * (along**2 / lifted).sum(axis=1)
        trial = np.clip(now + step, low, high)
        new = problem.value(trial, w, delta, log_loss)
        better = new < value
        result[active[better]] = trial[better]
        value_of[active] = np.where(better, new, value)
        damping[active] = np.where(better, damping[active] * 0.1, np.maximum(damping[active], 1e-9) * 8.0)
        tiny = promised <= tolerance * np.maximum(value, 1e-300)
        exhausted = ~better & (damping[active] > 1e8)
        done = tiny | exhausted
        converged[active[done]] = True
        active = active[~done]
    return result, value_of, converged, used


def _bounds(problem: Problem, scales: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Box in theta: exponents within EXPONENT_BOUNDS, log terms within LOG_RANGE of the mean log loss."""
    form = problem.form
    middle = float(problem.log_loss.mean())
    low, high = np.full(form.size, middle - LOG_RANGE), np.full(form.size, middle + LOG_RANGE)
    first = int(form.offset)
    if first:
        low[0] = middle - 16.0
    for k in range(len(form.variables)):
        low[first + 2 * k + 1] = EXPONENT_BOUNDS[0] * scales[k]
        high[first + 2 * k + 1] = EXPONENT_BOUNDS[1] * scales[k]
    return low, high
