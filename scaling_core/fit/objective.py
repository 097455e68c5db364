"""What a fit minimises: a robust loss of residuals, with its exact gradient and Hessian, for many weightings at once.

Residuals are taken in the logarithm of the loss (Hoffmann et al. 2022, eq. 3) or in the loss itself:
    r_i = s_i (log Lhat_i - log L_i)      or      r_i = s_i (Lhat_i - L_i),
with s_i = 1, or the precision of run i relative to the others where standard errors are known. The objective is the
*sum* over runs of w_i rho(r_i). (The mean of a Huber loss with delta = 1e-3 is so flat that common optimisers stop
where they began.) rho is Huber's: r^2/2 inside delta, delta (|r| - delta/2) outside; delta = inf is least squares and
a tiny delta is least absolute deviation up to the factor delta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.fit.frame import Frame
from scaling_core.fit.told import choice, within

Objective = Literal["huber-log", "lad", "ls-log", "ls"]
OBJECTIVES: tuple[Objective, ...] = ("huber-log", "lad", "ls-log", "ls")
LAD_DELTA = 1e-7
"""Width of the rounded corner by which least absolute deviation is made smooth, in log loss."""


def effective_delta(objective: Objective, delta: float) -> float:
    """The Huber width that stands for an objective; raises InputError for one that is unknown or a bad delta."""
    if objective not in OBJECTIVES:
        raise InputError("objective", objective, choice(OBJECTIVES))
    if objective == "huber-log":
        if not np.isfinite(delta) or not 1e-9 <= delta <= 1e3:
            raise InputError("delta", delta, within("1e-9", 1000))
        return float(delta)
    return LAD_DELTA if objective == "lad" else float("inf")


def huber(r: FloatArray, delta: float) -> FloatArray:
    """Huber's rho, elementwise; Huber 1964, eq. 4.1. delta = inf gives r^2/2."""
    size = np.abs(r)
    clipped = np.minimum(size, delta)
    return clipped * (size - 0.5 * clipped)


@dataclass(slots=True)
class Fitted:
    """What the law says at some theta: log Lhat (R, n), and the share of each term in the sum, (T, R, n)."""

    log_hat: FloatArray
    share: FloatArray

    def of(self, keep: BoolArray) -> Fitted:
        """The same for some of the R."""
        return Fitted(log_hat=self.log_hat[keep], share=self.share[:, keep])

    def replace(self, rows: BoolArray, other: Fitted) -> None:
        """Overwrite some of the R, in place."""
        self.log_hat[rows] = other.log_hat[rows]
        self.share[:, rows] = other.share[:, rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Data of one fit.

    x: centred and scaled log x_k, shape (K, n). log_loss: shape (n,), or (R, n) where each replicate has its own.
    precision: s above, shape (n,), or None for ones. level: whether the residual is in the loss itself.
    """

    frame: Frame
    x: FloatArray
    log_loss: FloatArray
    precision: FloatArray | None
    level: bool

    def losses(self, index: IndexArray) -> FloatArray:
        """log loss of chosen replicates, or the one shared by all."""
        return self.log_loss if self.log_loss.ndim == 1 else self.log_loss[index]

    def fitted(self, theta: FloatArray) -> Fitted:
        """The law at theta (R, q). Terms stay far inside the floating-point range by the box of the frame."""
        form, (terms, n) = self.frame.form, self.x.shape
        first = int(form.offset)
        share = np.empty((first + terms, theta.shape[0], n))
        if first:
            share[0] = np.exp(theta[:, :1])
        for k in range(terms):
            a, alpha = theta[:, first + 2 * k], theta[:, first + 2 * k + 1]
            term = share[first + k]
            np.multiply(-alpha[:, None], self.x[k], out=term)
            term += a[:, None]
            np.exp(term, out=term)
        total = share.sum(axis=0)
        share /= total
        log_hat = np.log(total, out=total)
        if form.power:
            log_hat *= np.exp(theta[:, -1:])
        return Fitted(log_hat, share)

    def residual(self, log_hat: FloatArray, log_loss: FloatArray) -> FloatArray:
        """r as above, shape (R, n)."""
        r = np.exp(log_hat) - np.exp(log_loss) if self.level else log_hat - log_loss
        return r if self.precision is None else r * self.precision

    def value(self, at: Fitted, weights: FloatArray, delta: float, log_loss: FloatArray) -> FloatArray:
        """sum_i w_i rho(r_i), shape (R,)."""
        rho = huber(self.residual(at.log_hat, log_loss), delta)
        rho *= weights
        return np.asarray(rho.sum(axis=-1))

    def slopes(
        self, at: Fitted, weights: FloatArray, delta: float, log_loss: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """First and second derivative of each run's w rho in log Lhat, (R, n) both."""
        r = self.residual(at.log_hat, log_loss)
        bend = weights * (np.abs(r) <= delta)
        slope = weights * np.clip(r, -delta, delta, out=r)
        if self.precision is not None:
            bend, slope = bend * self.precision**2, slope * self.precision
        if self.level:
            hat = np.exp(at.log_hat)
            return slope * hat, bend * hat * hat + slope * hat
        return slope, bend

    def derivatives(
        self, theta: FloatArray, at: Fitted, weights: FloatArray, delta: float, log_loss: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Gradient (R, q) and Hessian (R, q, q) in theta, exact except at the corners of rho.

        With s_k the share of term k and T_k its gradient in theta, the gradient of log Lhat is J = p sum s_k T_k and
        its Hessian p sum s_k T_k T_k' - J J' / p. T_k is non-zero only in (a_k, alpha_k), where it is (1, -x_k). The
        last entry is log p where p is free: there J = log Lhat, and the Hessian's row is J itself.
        """
        form, share = self.frame.form, at.share
        inner, outer = self.slopes(at, weights, delta, log_loss)
        first, terms, q = int(form.offset), len(form.variables), form.entries
        p = np.exp(theta[:, -1:]) if form.power else np.ones((1, 1))
        J = np.empty((theta.shape[0], q, self.x.shape[1]))
        if first:
            J[:, 0] = share[0]
        for k in range(terms):
            J[:, first + 2 * k] = share[first + k]
            np.multiply(-self.x[k], share[first + k], out=J[:, first + 2 * k + 1])
        if form.power:
            J[:, :-1] *= p[:, :, None]
            J[:, -1] = at.log_hat
        gradient = np.matmul(J, inner[:, :, None])[:, :, 0]
        hessian = np.matmul(J * (outer - inner / p)[:, None, :], J.transpose(0, 2, 1))
        if first:
            hessian[:, 0, 0] += (inner * share[0] * p).sum(axis=1)
        for k in range(terms):
            i, weighted = first + 2 * k, inner * share[first + k] * p
            cross = -(weighted @ self.x[k])
            hessian[:, i, i] += weighted.sum(axis=1)
            hessian[:, i + 1, i + 1] += weighted @ (self.x[k] ** 2)
            hessian[:, i, i + 1] += cross
            hessian[:, i + 1, i] += cross
        if form.power:  # the row of log p: J J' / p is taken back, and J stands there instead
            back = np.matmul(J, (inner / p * at.log_hat)[:, :, None])[:, :, 0] + gradient
            hessian[:, -1] += back
            hessian[:, :, -1] += back
            hessian[:, -1, -1] -= back[:, -1]
        return gradient, hessian
