"""A deterministic global solver: variable projection on a grid of exponents, then a damped Newton polish.

1. For each set of exponents on a grid the coefficients enter linearly: a non-negative least squares of relative
   residuals is solved exactly by trying every support.
2. The best few grid points are polished together by Newton steps with exact second derivatives. A narrow Huber
   corner is approached from a wide one, so that no start is caught on a wrong set of interpolated points.
The same polish re-converges thousands of bootstrap replicates at once: every array carries a leading axis R.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.fit.objective import Problem
from scaling_core.fit.valley import PATIENCE, damped, straight_step, straightens

EXPONENT_GRID = np.array([0.02, 0.05, 0.09, 0.14, 0.2, 0.27, 0.35, 0.45, 0.58, 0.75, 1.0, 1.4, 2.0])
POWER_GRID = np.array([0.03, 0.06, 0.1, 0.17, 0.3, 0.6, 1.0])
STARTS = 8
MOST_GRID_POINTS = 2000
"""Runs that the grid looks at: of more, every k-th by size, since a start need not be exact."""


LOG_CELL = 150.0
"""Logarithms of the cells of a linear problem are clipped to this, so that sums of their squares stay finite."""
FIRST_STEPS = 15
"""After this many steps of the last stage, starts that have come together are counted as one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """theta (R, q), value (R,) of the objective, converged (R,), iterations of the Newton polish."""

    theta: FloatArray
    value: FloatArray
    converged: BoolArray
    iterations: int


def grid_starts(problem: Problem, weights: FloatArray, delta: float, keep: int = STARTS) -> FloatArray:
    """The `keep` best free coordinates on the grid of exponents, by the objective itself; shape (keep, p)."""
    frame, form = problem.frame, problem.frame.form
    chosen = slice(None, None, -(-problem.x.shape[1] // MOST_GRID_POINTS))
    x, w = problem.x[:, chosen], weights[chosen]
    log_loss = problem.log_loss[chosen]
    first, terms = int(form.offset), len(form.variables)
    powers = [first + 2 * k + 1 for k in range(terms)]
    free = set(frame.free.tolist())
    axes = [EXPONENT_GRID * frame.scale[k] for k in range(terms) if powers[k] in free]
    last = form.entries - 1
    if form.power and last in free:
        axes.append(np.log(POWER_GRID))
    grid = list(itertools.product(*axes))
    corners = np.array(grid).reshape(len(grid), len(axes))
    phi = np.zeros((len(corners), len(frame.free)))
    varied = [*(i for i in powers if i in free), *([last] if form.power and last in free else [])]
    for column, entry in enumerate(varied):
        phi[:, frame.free == entry] = corners[:, [column]]
    theta = frame.theta(phi)
    places = [*([0] if first else []), *(i - 1 for i in powers)]
    gram, moment = np.empty((len(corners), len(places), len(places))), np.empty((len(corners), len(places)))
    middle = np.empty((len(corners), 1))
    p = theta[:, -1] if form.power else np.zeros(len(corners))
    for one in np.unique(p):
        rows = p == one
        log_target = log_loss * np.exp(-one)
        middle[rows] = log_target.mean()
        gram[rows], moment[rows] = _moments(
            theta[rows][:, powers], x, log_target - log_target.mean(), w, offset=bool(first)
        )
    loose = [j for j, place in enumerate(places) if place in free]
    for j, place in enumerate(places):
        if place not in free:
            moment -= gram[:, :, j] * np.exp(np.clip(theta[:, place, None] - middle, -LOG_CELL, LOG_CELL))
    solved, gained = _non_negative(gram[:, loose][:, :, loose], moment[:, loose])
    floor = np.log(np.maximum(solved, 1e-9)) + middle
    for column, j in enumerate(loose):
        phi[:, frame.free == places[j]] = floor[:, [column]]
    phi = np.clip(phi, frame.low, frame.high)
    small = Problem(
        frame=frame,
        x=x,
        log_loss=log_loss,
        precision=None if problem.precision is None else problem.precision[chosen],
        level=problem.level,
    )
    promising = np.argsort(-gained, kind="stable")[: 6 * keep] if not form.power else np.arange(len(phi))
    phi = phi[promising]
    value = small.value(small.fitted(frame.theta(phi)), w, delta, log_loss)
    return phi[np.argsort(value, kind="stable")[:keep]]


def _moments(
    exponents: FloatArray, x: FloatArray, log_target: FloatArray, weights: FloatArray, *, offset: bool
) -> tuple[FloatArray, FloatArray]:
    """Gram matrices (G, m, m) of the columns of each linear problem, and their products (G, m) with the target.

    exponents: (G, K). The target is exp(log_target), shape (n,), about 1, and residuals are relative, so every column
    is divided by it: the target itself becomes 1. Few columns are distinct, so all products come from one small matrix.
    """
    columns, places = [np.ones_like(log_target)], []
    if offset:
        columns.append(np.exp(np.clip(-log_target, -LOG_CELL, LOG_CELL)))
        places.append(np.ones(len(exponents), dtype=np.intp))
    for k in range(len(x)):
        distinct, which = np.unique(exponents[:, k], return_inverse=True)
        places.append(which + len(columns))
        columns.extend(np.exp(np.clip(-distinct[:, None] * x[k] - log_target, -LOG_CELL, LOG_CELL)))
    matrix, place = np.array(columns), np.stack(places, axis=1)
    products = (matrix * weights) @ matrix.T
    return products[place[:, :, None], place[:, None, :]], products[0][place]


def _non_negative(gram: FloatArray, moment: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The non-negative least squares solution of each of G problems, (G, m), from X'WX (G, m, m) and X'Wy (G, m).

    Exact, by trying each of the 2^m - 1 supports and keeping the feasible one of least residual. Second, by how much
    the sum of squares falls below that of the target itself, (G,).
    """
    count, m = moment.shape
    best, gained = np.zeros((count, m)), np.full(count, -np.inf)
    for size in range(1, m + 1):
        for support in itertools.combinations(range(m), size):
            chosen = list(support)
            part = gram[:, chosen][:, :, chosen]
            ridge = (1e-13 * np.trace(part, axis1=1, axis2=2)[:, None, None] + 1e-290) * np.eye(size)
            solved = np.linalg.solve(part + ridge, moment[:, chosen, None])[:, :, 0]
            gain = (solved * moment[:, chosen]).sum(axis=1)
            better = (solved > 0).all(axis=1) & (gain > gained)
            gained[better] = gain[better]
            best[better] = 0.0
            best[np.ix_(better, chosen)] = solved[better]
    return best, gained


def polish(
    problem: Problem,
    phi: FloatArray,
    weights: FloatArray,
    deltas: tuple[float, ...],
    *,
    stage_steps: int = 6,
    steps: int = 200,
    tolerance: float = 1e-13,
    distinct: bool = False,
) -> Solution:
    """Newton with an eigenvalue-damped Hessian from phi (R, p), weights (R, n); the last delta is the objective's.

    A step is taken only where it lowers the objective. Converged where the decrease promised by the quadratic model
    falls below `tolerance` of the value, or no step lowers it any more. distinct: of starts that have come together
    after a stage only the best goes on, which is for many starts of one problem.
    """
    phi = phi.copy()
    value, converged, iterations = np.empty(len(phi)), np.zeros(len(phi), dtype=bool), 0
    stages = [(delta, stage_steps) for delta in deltas[:-1]]
    stages += [(deltas[-1], FIRST_STEPS), (deltas[-1], steps)] if distinct and len(phi) > 1 else [(deltas[-1], steps)]
    for stage, (delta, most) in enumerate(stages):
        if distinct and stage:
            phi, weights = _distinct(phi, weights, value)
        value, converged, used = _newton(problem, phi, weights, delta, most, tolerance)
        iterations += used
    return Solution(theta=problem.frame.theta(phi), value=value, converged=converged, iterations=iterations)


def _distinct(phi: FloatArray, weights: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The starts that are not within a thousandth of a better one, best first."""
    kept: list[int] = []
    for i in np.argsort(value, kind="stable"):
        if all(np.abs(phi[i] - phi[j]).max() > 1e-3 for j in kept):
            kept.append(int(i))
    return phi[kept], weights[kept]


def _newton(
    problem: Problem, phi: FloatArray, weights: FloatArray, delta: float, steps: int, tolerance: float
) -> tuple[FloatArray, BoolArray, int]:
    """Improve phi in place; returns the values, which of them converged, and the steps used."""
    frame, bends = problem.frame, straightens(problem.frame)
    damping = np.full(len(phi), 1e-3)
    active: IndexArray = np.arange(len(phi))
    converged = np.zeros(len(phi), dtype=bool)
    at, w, log_loss = problem.fitted(frame.theta(phi)), weights, problem.losses(active)
    result = problem.value(at, w, delta, log_loss)
    value, used = result.copy(), 0
    while len(active) and used < steps:
        used += 1
        now = phi[active]
        slope, curvature = problem.derivatives(frame.theta(now), at, w, delta, log_loss)
        gradient, hessian = frame.reduced(slope, curvature)
        blocked = ((now <= frame.low) & (gradient > 0)) | ((now >= frame.high) & (gradient < 0))
        gradient = np.where(blocked, 0.0, gradient)
        hessian = np.where(blocked[:, :, None] | blocked[:, None, :], 0.0, hessian)
        step, promised = damped(gradient, hessian, damping[active])
        longest = np.abs(step).max(axis=1)
        step *= np.minimum(1.0, 2.0 / np.maximum(longest, 1e-300))[:, None]
        trial = np.clip(now + step, frame.low, frame.high)
        there = problem.fitted(frame.theta(trial))
        new = problem.value(there, w, delta, log_loss)
        if bends and used > PATIENCE:
            along = straight_step(frame, now, slope, curvature, damping[active])
            beyond = problem.fitted(along)
            lower = problem.value(beyond, w, delta, log_loss)
            chosen = lower < new
            trial[chosen], new = along[chosen], np.minimum(new, lower)
            there.replace(chosen, beyond)
        better = new < value
        phi[active[better]] = trial[better]
        value = np.where(better, new, value)
        damping[active] = np.where(better, damping[active] * 0.1, np.maximum(damping[active], 1e-9) * 8.0)
        done = (promised <= tolerance * np.maximum(value, 1e-300)) | (~better & (damping[active] > 1e8))
        result[active] = value
        converged[active[done]] = True
        if better.all():
            at = there
        else:
            at.replace(better, there)
        if done.any():
            stay = ~done
            active, value, w, at = active[stay], value[stay], w[stay], at.of(stay)
            log_loss = log_loss if log_loss.ndim == 1 else log_loss[stay]
    return result, converged, used
