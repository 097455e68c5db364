"""What a fit minimises: a robust loss of residuals, with its exact gradient and Hessian, for many weightings at once.

Residuals are taken in the logarithm of the loss (Hoffmann et al. 2022, eq. 3) or in the loss itself:
    r_i = log Lhat_i - log L_i      or      r_i = Lhat_i - L_i.
The objective is the *sum* over points of w_i rho(r_i). (The mean of a Huber loss with delta = 1e-3 is so flat that
common optimisers stop where they began.) rho is Huber's: r^2/2 inside delta, delta (|r| - delta/2) outside;
delta = inf is least squares and a tiny delta is least absolute deviation up to the factor delta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.fit.forms import Form

Objective = Literal["huber-log", "lad", "ls-log", "ls"]
OBJECTIVES: tuple[Objective, ...] = ("huber-log", "lad", "ls-log", "ls")
LAD_DELTA = 1e-7
"""Width of the rounded corner by which least absolute deviation is made smooth, in log loss."""


def effective_delta(objective: Objective, delta: float) -> float:
    """The Huber width that stands for an objective; raises InputError for one that is unknown or a bad delta."""
    if objective not in OBJECTIVES:
        raise InputError("objective", objective, f"it must be one of {', '.join(OBJECTIVES)}")
    if objective == "huber-log":
        if not np.isfinite(delta) or not 1e-9 <= delta <= 1e3:
            raise InputError("delta", delta, "it must lie between 1e-9 and 1000")
        return float(delta)
    return LAD_DELTA if objective == "lad" else float("inf")


def huber(r: FloatArray, delta: float) -> FloatArray:
    """Huber's rho, elementwise; Huber 1964, eq. 4.1. delta = inf gives r^2/2."""
    size = np.abs(r)
    clipped = np.minimum(size, delta)
    return clipped * (size - 0.5 * clipped)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Data of one fit.

    x: centred and scaled log x_k, shape (K, n). log_loss: shape (n,), or (R, n) where each replicate has its own.
    level: whether the residual is in the loss itself.
    """

    form: Form
    x: FloatArray
    log_loss: FloatArray
    level: bool

    def rows(self, index: IndexArray) -> FloatArray:
        """log loss of chosen replicates, or the one shared by all."""
        return self.log_loss if self.log_loss.ndim == 1 else self.log_loss[index]

    def terms(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(log Lhat, share of each term): theta (R, p) -> (R, n), (T, R, n) with T the offset and the powers."""
        first = int(self.form.offset)
        n = self.x.shape[1]
        count = first + len(self.form.variables)
        log_terms = np.empty((count, theta.shape[0], n))
        if first:
            log_terms[0] = theta[:, :1]
        for k in range(len(self.form.variables)):
            a, alpha = theta[:, first + 2 * k], theta[:, first + 2 * k + 1]
            np.multiply(-alpha[:, None], self.x[k][None, :], out=log_terms[first + k])
            log_terms[first + k] += a[:, None]
        top = log_terms.max(axis=0)
        log_terms -= top
        np.exp(log_terms, out=log_terms)
        total = log_terms.sum(axis=0)
        log_terms /= total
        return top + np.log(total), log_terms

    def residual(self, log_hat: FloatArray, log_loss: FloatArray) -> FloatArray:
        """r as above, shape (R, n)."""
        return np.exp(log_hat) - np.exp(log_loss) if self.level else log_hat - log_loss

    def value(self, theta: FloatArray, weights: FloatArray, delta: float, log_loss: FloatArray) -> FloatArray:
        """sum_i w_i rho(r_i), shape (R,)."""
        log_hat, _ = self.terms(theta)
        return np.asarray((weights * huber(self.residual(log_hat, log_loss), delta)).sum(axis=-1))

    def derivatives(
        self, theta: FloatArray, weights: FloatArray, delta: float, log_loss: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Value (R,), gradient (R, p) and Hessian (R, p, p), exact except at the corners of rho.

        With s_k the share of term k and T_k its gradient in theta, the gradient of log Lhat is J = sum s_k T_k and
        its Hessian sum s_k T_k T_k' - J J'. T_k is non-zero only in (a_k, alpha_k), where it is (1, -x_k).
        """
        log_hat, share = self.terms(theta)
        r = self.residual(log_hat, log_loss)
        inside = np.abs(r) <= delta
        slope = weights * np.clip(r, -delta, delta)
        bend = weights * inside
        value = np.asarray((weights * huber(r, delta)).sum(axis=-1))
        if self.level:
            hat = np.exp(log_hat)
            outer, inner = bend * hat * hat, slope * hat
        else:
            outer, inner = bend - slope, slope
        first, p = int(self.form.offset), self.form.size
        J = np.empty((theta.shape[0], p, self.x.shape[1]))
        if first:
            J[:, 0] = share[0]
        for k in range(len(self.form.variables)):
            J[:, first + 2 * k] = share[first + k]
            np.multiply(-self.x[k], share[first + k], out=J[:, first + 2 * k + 1])
        gradient = np.matmul(J, inner[:, :, None])[:, :, 0]
        hessian = np.matmul(J * outer[:, None, :], J.transpose(0, 2, 1))
        if first:
            hessian[:, 0, 0] += (inner * share[0]).sum(axis=1)
        for k in range(len(self.form.variables)):
            i, weighted = first + 2 * k, inner * share[first + k]
            cross = -(weighted @ self.x[k])
            hessian[:, i, i] += weighted.sum(axis=1)
            hessian[:, i + 1, i + 1] += weighted @ (self.x[k] ** 2)
            hessian[:, i, i + 1] += cross
            hessian[:, i + 1, i] += cross
        return value, gradient, hessian
