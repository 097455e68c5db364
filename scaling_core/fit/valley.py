"""Newton steps along the floor of a curved valley.

Where an exponent is small, E + A x^-alpha is a straight line in log x whose height is E + A and whose slope is alpha A;
E and A alone are hardly determined, and steps in (log E, log A, alpha) creep around a bend. In height, slope and
exponent,
    u = E + sum_k A_k,  v_k = alpha_k A_k,  alpha_k:   L = u + sum_k v_k (x^-alpha_k - 1) / alpha_k,
L is linear in u and v (a Box-Cox transformation of x; Box & Cox 1964, eq. 1) and the valley is straight.
"""

from __future__ import annotations

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.fit.frame import Frame

PATIENCE = 25
"""Newton steps before these are tried beside the plain ones."""
_KEEP = 0.9
"""Of the way to E = 0, v = 0 or alpha = 0 a step goes at most this far."""


def straightens(frame: Frame) -> bool:
    """Whether a problem has such a valley: an irreducible loss beside power terms, all of them free."""
    return frame.form.offset and frame.plain and not frame.form.power


def damped(gradient: FloatArray, hessian: FloatArray, damping: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The step -(|H| + damping |H|max)^-1 g for each of R, (R, p), and the decrease that it promises, (R,).

    |H| has the absolute eigenvalues of H, so that the step goes down also where H is not positive definite.
    """
    eigenvalue, vector = np.linalg.eigh(hessian)
    scale = np.abs(eigenvalue).max(axis=1, initial=0.0) + 1e-300
    lifted = np.abs(eigenvalue) + ((damping + 1e-14) * scale)[:, None] + 1e-150
    along = np.matmul(vector.transpose(0, 2, 1), gradient[:, :, None])[:, :, 0]
    step = -np.matmul(vector, (along / lifted)[:, :, None])[:, :, 0]
    return step, np.asarray(0.5 * (along**2 / lifted).sum(axis=1))


def straightened(theta: FloatArray, gradient: FloatArray, hessian: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradient (R, p) and Hessian (R, p, p) in relative changes of (u, v_1, alpha_1, ...), from those in theta.

    J' g and J' H J + sum_i g_i Hess(theta_i), with J the derivatives of theta = (log E, a_1, alpha_1, ...).
    """
    E, A, alpha = np.exp(theta[:, :1]), np.exp(theta[:, 1::2]), theta[:, 2::2]
    share, floor = A / E, gradient[:, 0]
    jacobian, bend = np.zeros_like(hessian), np.zeros_like(hessian)
    jacobian[:, 0, 0] = 1.0 + share.sum(axis=1)
    for k in range(A.shape[1]):
        i = 1 + 2 * k
        jacobian[:, 0, i], jacobian[:, 0, i + 1] = -share[:, k], share[:, k]
        jacobian[:, i, i], jacobian[:, i, i + 1] = 1.0, -1.0
        jacobian[:, i + 1, i + 1] = alpha[:, k]
        bend[:, i, i] = -gradient[:, i]
        bend[:, i + 1, i + 1] = gradient[:, i] - 2.0 * floor * share[:, k]
        bend[:, i, i + 1] = bend[:, i + 1, i] = floor * share[:, k]
    first, turned = jacobian[:, 0], jacobian.transpose(0, 2, 1)
    bend -= floor[:, None, None] * first[:, :, None] * first[:, None, :]
    curved = np.matmul(turned, np.matmul(hessian, jacobian)) + bend
    return np.matmul(turned, gradient[:, :, None])[:, :, 0], curved


def straight_step(
    frame: Frame, theta: FloatArray, gradient: FloatArray, hessian: FloatArray, damping: FloatArray
) -> FloatArray:
    """Where a Newton step in (u, v, alpha) leads from theta (R, p), within the frame's box; all arguments in theta.

    theta: (log E, a_1, alpha_1, ...), with A_k = exp(a_k) at the centre of the runs. An exponent that stands at its
    bound and would go beyond stays there.
    """
    E, A, alpha = np.exp(theta[:, :1]), np.exp(theta[:, 1::2]), theta[:, 2::2]
    slope, bend = straightened(theta, gradient, hessian)
    held = ((theta <= frame.low) & (slope > 0)) | ((theta >= frame.high) & (slope < 0))
    held[:, 0] = held[:, 1::2] = False
    slope = np.where(held, 0.0, slope)
    bend = np.where(held[:, :, None] | held[:, None, :], 0.0, bend)
    step, _ = damped(slope, bend, damping)
    moved = 1.0 + _feasible(step, E, A)[:, None] * step
    result = theta.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        A_new = A * moved[:, 1::2] / moved[:, 2::2]
        E_new = (E + A.sum(axis=1, keepdims=True)) * moved[:, :1] - A_new.sum(axis=1, keepdims=True)
        result[:, :1], result[:, 1::2], result[:, 2::2] = np.log(E_new), np.log(A_new), alpha * moved[:, 2::2]
    bad = ~np.isfinite(result).all(axis=1)
    result[bad] = theta[bad]
    return np.clip(result, frame.low, frame.high)


def _feasible(step: FloatArray, E: FloatArray, A: FloatArray) -> FloatArray:
    """How much of a relative step keeps v and alpha positive and, to first order, E; (R,), at most 1."""
    down = -step[:, 1:]
    limit = np.where(down > 0, _KEEP / np.maximum(down, 1e-300), np.inf).min(axis=1)
    u = E[:, 0] + A.sum(axis=1)
    falls = -(u * step[:, 0] - (A * (step[:, 1::2] - step[:, 2::2])).sum(axis=1))
    floor = np.where(falls > 0, _KEEP * E[:, 0] / np.maximum(falls, 1e-300), np.inf)
    return np.asarray(np.minimum(1.0, np.minimum(limit, floor)))
