"""The loss along budgets of a Chinchilla-type law: L = e + p N^-alpha + q D^-beta, with alpha and beta shared by all.

With C = 6 N D fixed, D^-beta is (6 / C)^beta N^beta, so a law of that type has exactly this shape along every budget,
whatever its constants. For given exponents e, p, q >= 0 of each budget are a linear least squares problem; what is left
is a search in two dimensions. (Variable projection: Golub & Pereyra 1973, with the shorter derivative of Kaufman 1975.
Czech et al. 2026, arXiv 2603.22339, use it on all runs at once with one E, A and B, which is approach 3; here each
budget has its own e, p, q, so nothing is assumed about how they change with compute.)

With x = ln N and z = -ln D, both centred so that x = z on the budget, the curve is c . (1, s, u),
    s = (exp(beta z) - exp(-alpha x)) / (alpha + beta),
    u = (beta (exp(-alpha x) - 1) + alpha (exp(beta z) - 1)) / (alpha beta (alpha + beta)).
As the exponents tend to zero these tend to x and x^2 / 2: the parabola is the limit of this curve, and least squares in
this basis is as well conditioned as a parabola's. The minimum is at
    x* = ln((c2 - alpha c1) / (c2 + beta c1)) / (alpha + beta) = ln(alpha p / (beta q)) / (alpha + beta).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.fit.allocation.minima import Minima, bracketed, inverse, moments

EXPONENT_BOUNDS = (0.02, 3.0)
"""The box in which alpha and beta are sought."""
GRID = np.array([0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 1.8])
STARTS = 3
STEPS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """exponents: alpha and beta, (R, 2). c: coefficients (R, B, 3). value: weighted sum of squares, (R,)."""

    exponents: FloatArray
    c: FloatArray
    value: FloatArray


def basis(x: FloatArray, z: FloatArray, exponents: FloatArray) -> FloatArray:
    """1, s and u at x, z (B, n) for exponents (R, 2): shape (R, B, n, 3)."""
    alpha, beta = exponents[:, 0, None, None], exponents[:, 1, None, None]
    down, up = np.expm1(-alpha * x), np.expm1(beta * z)
    out = np.empty((*down.shape, 3))
    out[..., 0] = 1.0
    out[..., 1] = (up - down) / (alpha + beta)
    out[..., 2] = (beta * down + alpha * up) / (alpha * beta * (alpha + beta))
    return out


def lowest(x: FloatArray, y: FloatArray, w: FloatArray, fit: Profile) -> Minima:
    """The minimum of each fitted curve; not found where p or q is zero or the sizes do not bracket it."""
    alpha, beta = fit.exponents[:, :1], fit.exponents[:, 1:]
    c0, c1, c2 = fit.c[..., 0], fit.c[..., 1], fit.c[..., 2]
    down, up = c2 - alpha * c1, c2 + beta * c1  # alpha p and beta q, times alpha + beta
    curved = (down > 1e-9 * np.abs(c2)) & (up > 1e-9 * np.abs(c2))
    down, up = np.where(curved, down, 1.0), np.where(curved, up, 1.0)
    at = np.log(down / up) / (alpha + beta)
    loss = c0 + (down * np.exp(-alpha * at) - c2) / (alpha * beta)
    return Minima(x=at, loss=loss, found=curved & bracketed(x, y, w, at))


def best(x: FloatArray, z: FloatArray, y: FloatArray, w: FloatArray) -> Profile:
    """The fit of one set of losses (1, B, n): the best of a grid of exponents, and of what they lead to."""
    grid = np.stack([each.ravel() for each in np.meshgrid(GRID, GRID, indexing="ij")], axis=-1)
    columns = basis(x, z, grid)
    c, _ = _linear(columns, grid, y, w)
    starts = grid[np.argsort(_value(columns, c, y, w), kind="stable")[:STARTS]]
    fit = solve(x, z, y, w, starts)
    i = int(np.argmin(fit.value))
    return Profile(exponents=fit.exponents[i : i + 1], c=fit.c[i : i + 1], value=fit.value[i : i + 1])


def solve(
    x: FloatArray, z: FloatArray, y: FloatArray, w: FloatArray, start: FloatArray, *, tolerance: float = 1e-9
) -> Profile:
    """Damped Gauss-Newton in (ln alpha, ln beta) from start (R, 2), inside the box `EXPONENT_BOUNDS`.

    y, w: (R, B, n), or (1, B, n) for all R. A step is taken only where it lowers the sum of squares; done where the
    decrease that it promises falls below `tolerance` of that sum.
    """
    R, (low, high) = len(start), np.log(EXPONENT_BOUNDS)
    theta = np.clip(np.log(start), low, high)
    y, w = np.broadcast_to(y, (R, *y.shape[1:])), np.broadcast_to(w, (R, *w.shape[1:]))
    columns = basis(x, z, np.exp(theta))
    c, H = _linear(columns, np.exp(theta), y, w)
    value = _value(columns, c, y, w)
    exact = 1e-24 * (w * y * y).sum(axis=(-1, -2))
    damping, active = np.full(R, 1e-3), np.arange(R)
    for _ in range(STEPS):
        if not len(active):
            break
        now, losses, weights = theta[active], y[active], w[active]
        gradient, normal = _derivatives(x, z, columns[active], c[active], H[active], losses, weights, np.exp(now))
        blocked = ((now <= low) & (gradient < 0)) | ((now >= high) & (gradient > 0))
        gradient = np.where(blocked, 0.0, gradient)
        a, d = (normal[:, i, i] * (1.0 + damping[active]) + 1e-300 for i in (0, 1))
        b = np.where(blocked.any(axis=1), 0.0, normal[:, 0, 1])
        across = d * gradient[:, 0] - b * gradient[:, 1], a * gradient[:, 1] - b * gradient[:, 0]
        step = np.stack(across, axis=1) / np.maximum(a * d - b * b, 1e-15 * a * d)[:, None]
        promised = (gradient * step).sum(axis=1)
        step /= np.maximum(1.0, np.abs(step).max(axis=1))[:, None]
        trial = np.clip(now + step, low, high)
        tried = basis(x, z, np.exp(trial))
        tried_c, tried_H = _linear(tried, np.exp(trial), losses, weights)
        new = _value(tried, tried_c, losses, weights)
        better = new < value[active]
        taken = active[better]
        theta[taken], columns[taken], value[taken] = trial[better], tried[better], new[better]
        c[taken], H[taken] = tried_c[better], tried_H[better]
        damping[active] = np.where(better, damping[active] * 0.2, np.maximum(damping[active], 1e-7) * 8.0)
        done = (promised <= tolerance * value[active] + exact[active]) | (~better & (damping[active] > 1e8))
        active = active[~done]
    return Profile(exponents=np.exp(theta), c=c, value=value)


def _value(columns: FloatArray, c: FloatArray, y: FloatArray, w: FloatArray) -> FloatArray:
    r = y - np.matmul(columns, c[..., None])[..., 0]
    return np.asarray((w * r * r).sum(axis=(-1, -2)))


def _derivatives(
    x: FloatArray,
    z: FloatArray,
    columns: FloatArray,
    c: FloatArray,
    H: FloatArray,
    y: FloatArray,
    w: FloatArray,
    exponents: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Downhill gradient (R, 2) and normal matrix (R, 2, 2) of half the sum of squares in (ln alpha, ln beta).

    D is the slope of the curve at fixed e, p, q. The residual is orthogonal to the columns, so D' r is the gradient;
    the part of D that the columns can take up, D' X H X' D, is taken off the normal matrix.
    """
    alpha, beta = exponents[:, 0, None, None], exponents[:, 1, None, None]
    p = (c[..., 2:] - alpha * c[..., 1:2]) / (alpha * (alpha + beta))
    q = (c[..., 2:] + beta * c[..., 1:2]) / (beta * (alpha + beta))
    D = np.stack([-alpha * x * p * np.exp(-alpha * x), beta * z * q * np.exp(beta * z)], axis=-1)
    weighted = (D * w[..., None]).swapaxes(-1, -2)
    residual = y - np.matmul(columns, c[..., None])[..., 0]
    cross = np.matmul(weighted, columns)
    taken_up = np.matmul(cross, np.matmul(H, cross.swapaxes(-1, -2)))
    gradient = np.matmul(weighted, residual[..., None])[..., 0].sum(axis=1)
    return gradient, (np.matmul(weighted, D) - taken_up).sum(axis=1)


def _linear(columns: FloatArray, exponents: FloatArray, y: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients c (R, B, 3) under e, p, q >= 0, and the matrix H (R, B, 3, 3) with c = H times the moments."""
    gram, right = moments(columns, y, w)
    H, fine = inverse(gram)
    c = np.matmul(H, right[..., None])[..., 0]
    bad = ~(fine & _allowed(c, exponents[:, None, :]))
    if bad.any():
        where = np.nonzero(bad)
        H[where], c[where] = _bounded(gram[where], right[where], exponents[where[0]])
    return c, H


def _allowed(c: FloatArray, exponents: FloatArray) -> BoolArray:
    """Whether e, p and q are all non-negative, but for rounding."""
    alpha, beta = exponents[..., 0], exponents[..., 1]
    slack = 1e-9 * np.abs(c[..., 2])
    e = alpha * beta * c[..., 0] - c[..., 2]
    return np.asarray(
        (e >= -slack) & (c[..., 2] - alpha * c[..., 1] >= -slack) & (c[..., 2] + beta * c[..., 1] >= -slack)
    )


def _bounded(gram: FloatArray, right: FloatArray, exponents: FloatArray) -> tuple[FloatArray, FloatArray]:
    """H (m, 3, 3) and c (m, 3) of the best solution with e = 0, or p = 0, or q = 0, or p = q = 0.

    Each leaves c = T d with fewer d; gram (m, 3, 3), right (m, 3), exponents (m, 2).
    """
    alpha, beta = exponents[:, 0], exponents[:, 1]
    T = np.zeros((4, len(gram), 3, 2))
    T[0, :, 0, 1], T[0, :, 1, 0], T[0, :, 2, 1] = 1.0 / (alpha * beta), 1.0, 1.0
    T[1, :, 0, 0], T[1, :, 1, 1], T[1, :, 2, 1] = 1.0, 1.0, alpha
    T[2, :, 0, 0], T[2, :, 1, 1], T[2, :, 2, 1] = 1.0, -1.0, beta
    T[3, :, 0, 0] = 1.0
    small = np.matmul(T.swapaxes(-1, -2), np.matmul(gram, T))
    small[3, :, 1, 1] = 1.0
    a, b, d = small[..., 0, 0], small[..., 0, 1], small[..., 1, 1]
    determinant = np.maximum(a * d - b * b, 1e-14 * a * d + 1e-300)
    turned = np.stack([np.stack([d, -b], axis=-1), np.stack([-b, a], axis=-1)], axis=-2)
    H = np.matmul(T, np.matmul(turned / determinant[..., None, None], T.swapaxes(-1, -2)))
    c = np.matmul(H, right[:, :, None])[..., 0]
    gain = np.where(_allowed(c, exponents), (c * right).sum(axis=-1), -np.inf)
    gain[3] = np.maximum(gain[3], 0.0)
    chosen, rows = gain.argmax(axis=0), np.arange(len(gram))
    return H[chosen, rows], c[chosen, rows]
