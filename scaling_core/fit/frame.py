"""The coordinates in which a fit is solved: centred, scaled, and only as many as there are free constants.

log x_k enters as (log x_k - centre_k) / scale_k. In these coordinates theta (R, q) is the nature of the law, with
a_k = log c_k - alpha_k centre_k and alpha_k scale_k in place of log c_k and alpha_k, which takes the condition number
of the Hessian from about 3e11 to about a hundred. Equations that hold constants, or tie two together, are linear there,
so theta = phi T' + t with phi (R, p) the free coordinates; each of them is one entry of theta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.fit.forms import EXPONENT_BOUNDS, POWER_BOUNDS, Constraint, Form
from scaling_core.language import t

LOG_RANGE = 40.0
"""Logarithms of the terms stay within this distance of the data's mean log loss."""
LOG_FLOOR = 16.0
"""An irreducible loss stays above exp(-LOG_FLOOR) of the mean loss, which is zero to any eye."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """centre, scale: of log x_k, shape (K,). free: entries of theta that are free, (p,). matrix T (q, p), shift t (q,).

    low, high: box of the free coordinates, (p,). plain: whether every entry is free.
    """

    form: Form
    centre: FloatArray
    scale: FloatArray
    free: IndexArray
    matrix: FloatArray
    shift: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def plain(self) -> bool:
        """Whether theta = phi."""
        return len(self.free) == len(self.shift)

    def theta(self, phi: FloatArray) -> FloatArray:
        """All coordinates (R, q) from the free ones (R, p)."""
        return phi if self.plain else phi @ self.matrix.T + self.shift

    def reduced(self, gradient: FloatArray, hessian: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradient (R, q) and Hessian (R, q, q) in the free coordinates: T' g and T' H T."""
        if self.plain:
            return gradient, hessian
        return gradient @ self.matrix, np.matmul(self.matrix.T, np.matmul(hessian, self.matrix))

    def nature(self, theta: FloatArray) -> FloatArray:
        """The nature of the law, as `Form` has it, from theta (R, q)."""
        nature, first = theta.copy(), int(self.form.offset)
        for k in range(len(self.form.variables)):
            i = first + 2 * k
            nature[:, i + 1] /= self.scale[k]
            nature[:, i] += nature[:, i + 1] * self.centre[k]
        return nature


def make_frame(form: Form, logs: FloatArray, mean_log_loss: float, constraints: tuple[Constraint, ...]) -> Frame:
    """The frame of runs with log x of shape (K, n), under the form's own equations and these.

    Raises InputError where the equations leave nothing free.
    """
    centre, scale = logs.mean(axis=1), np.maximum(logs.std(axis=1), 1e-3)
    q, first = form.entries, int(form.offset)
    to_nature = np.eye(q)
    low, high = np.full(q, mean_log_loss - LOG_RANGE), np.full(q, mean_log_loss + LOG_RANGE)
    if first:
        low[0] = mean_log_loss - LOG_FLOOR
    if form.power:
        low[-1], high[-1] = np.log(POWER_BOUNDS)
        span = 0.1 * LOG_RANGE / POWER_BOUNDS[0]  # the bracket is L^(1/p)
        low[first : q - 1 : 2], high[first : q - 1 : 2] = -span, span
    for k in range(len(form.variables)):
        i = first + 2 * k
        to_nature[i + 1, i + 1] = 1.0 / scale[k]
        to_nature[i, i + 1] = centre[k] / scale[k]
        low[i + 1], high[i + 1] = EXPONENT_BOUNDS[0] * scale[k], EXPONENT_BOUNDS[1] * scale[k]
    matrix, shift = np.eye(q), np.zeros(q)
    held = (*form.own, *constraints)
    for _ in held:  # once more for each, so that one equation may rest on another
        for one in held:
            row = to_nature[one.pivot] - sum((c * to_nature[j] for j, c in one.others), np.zeros(q))
            rest = -row / row[one.pivot]
            rest[one.pivot] = 0.0
            matrix[one.pivot] = rest @ matrix
            shift[one.pivot] = rest @ shift + one.constant / row[one.pivot]
    free = np.array([i for i in range(q) if i not in {one.pivot for one in held}], dtype=np.intp)
    if not len(free):
        raise InputError("fixed", t("every constant"), t("at least one must be left to the fit"))
    return Frame(
        form=form,
        centre=centre,
        scale=scale,
        free=free,
        matrix=matrix[:, free],
        shift=shift,
        low=low[free],
        high=high[free],
    )
