"""What a fit of the data-constrained law minimises: the same robust loss, with N and D at what they are worth.

log Lhat = log(exp(t_E) + exp(t_N) + exp(t_D)),   t_N = log A - alpha log N',   t_D = log B - beta log D',

with N' and D' as `MuennighoffLaw` has them (Muennighoff et al. 2023, section 3.1). N' depends on A, B, alpha and beta
too, through the size that is optimal for the unique tokens. The nature of the law is that of the Chinchilla form with
two more entries, ln R_N* and ln R_D*, in the order of NATURE; gradient and Hessian are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.fit.forms import FORMS, ONE_EXPONENT, Form
from scaling_core.fit.frame import Frame, make_frame
from scaling_core.fit.objective import Fitted, Problem
from scaling_core.fit.points import RunPoints

FORM = Form(
    name="muennighoff",
    names=("E", "A", "B", "alpha", "beta", "R_N_star", "R_D_star"),
    variables=("N", "D"),
    offset=True,
)
"""Names of the constants, in the order of `MuennighoffLaw`, and the variables of the law."""
NATURE = ("log E", "log A", "alpha", "log B", "beta", "ln R_N*", "ln R_D*")
BASE, STAR_N, STAR_D = 5, 5, 6
"""How many entries of the nature are the base law's, and where the other two stand."""
LEAST_STAR = 1e-3
MOST_STAR = 1e2
"""R* stays between LEAST_STAR, where repetition is worth nothing, and MOST_STAR times the repetitions of the runs."""
SAME = 1.0 + 1e-9
"""Tokens are new where D is at most U times this, which forgives the rounding of a table."""
LONGEST_LOG = 300.0


def repetitions(points: RunPoints) -> FloatArray:
    """R_D = max(D / U - 1, 0) of each run, shape (n,); zero where every token is new."""
    unique = points.D if points.unique is None else points.unique
    return np.where(points.D <= unique * SAME, 0.0, points.D / unique - 1.0)


def constants_of(nature: FloatArray) -> FloatArray:
    """Constants in the order of FORM.names from natures: (R, 7) -> (R, 7)."""
    base = FORMS["chinchilla"].constants_of(nature[:, :BASE])
    return np.concatenate([base, np.exp(nature[:, BASE:])], axis=1)


def nature_of(constants: FloatArray) -> FloatArray:
    """The inverse of `constants_of`: (R, 7) -> (R, 7)."""
    return np.concatenate([FORMS["chinchilla"].nature_of(constants[:, :BASE]), np.log(constants[:, BASE:])], axis=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedFrame(Frame):
    """The frame of the base law with two more coordinates, ln R_N* and ln R_D*."""

    @property
    def plain(self) -> bool:
        """Never: what the solver does for power terms alone does not hold for this law."""
        return False

    def of_nature(self, nature: FloatArray) -> FloatArray:
        """The inverse of `nature`: (R, 7) -> (R, 7)."""
        return np.asarray(nature @ np.linalg.inv(self.nature(np.eye(len(NATURE)))))


@dataclass(frozen=True, slots=True)
class Worth:
    """What repetitions are worth: log(1 + w), w = R* (1 - exp(-R / R*)), with two derivatives in ln R*.

    left: exp(-R / R*). whole: 1 + w. All of the shape that R and ln R* broadcast to.
    """

    value: FloatArray
    first: FloatArray
    second: FloatArray
    left: FloatArray
    whole: FloatArray

    @classmethod
    def of(cls, repeats: FloatArray, log_star: FloatArray) -> Worth:
        """From repetitions R and ln R*, which broadcast."""
        star = np.exp(log_star)
        left = np.exp(-repeats / star)
        w = -star * np.expm1(-repeats / star)
        rest = repeats * left
        one = (w - rest) / (1.0 + w)
        two = (w - rest - rest * (repeats / star)) / (1.0 + w)
        return cls(np.log1p(w), one, two - one * one, left, 1.0 + w)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedProblem(Problem):
    """Data of one fit. x: ln N and ln U_D of each run, (2, n). repeats: R_D of each, (n,).

    held: entries of theta that keep the value they come with, (7,), so that each replicate can have its own base law.
    """

    repeats: FloatArray
    frame: RepeatedFrame
    held: BoolArray

    def size(self, nature: FloatArray) -> FloatArray:
        """ln of the size that is optimal for each run's unique tokens: (R, 7) -> (R, n)."""
        _, a, alpha, b, beta = nature[:, :BASE, None].transpose(1, 0, 2)
        return np.asarray((np.log(alpha / beta) + a - b + beta * self.x[1]) / alpha)

    def excess(self, nature: FloatArray) -> FloatArray:
        """R_N = N / U_N - 1 of each run, (R, n)."""
        over = self.x[0] - np.minimum(self.x[0], self.size(nature))
        return np.asarray(np.expm1(np.minimum(over, LONGEST_LOG)))

    def log_worth(self, nature: FloatArray) -> tuple[FloatArray, FloatArray]:
        """ln N' and ln D' of each run, (R, n) both."""
        excess = self.excess(nature)
        by_size = Worth.of(excess, nature[:, STAR_N, None])
        by_data = Worth.of(self.repeats, nature[:, STAR_D, None])
        return self.x[0] - np.log1p(excess) + by_size.value, self.x[1] + by_data.value

    def fitted(self, theta: FloatArray) -> Fitted:
        """The law at theta (R, 7); the share holds the terms E, N and D."""
        nature = self.frame.nature(theta)
        e, a, alpha, b, beta = nature[:, :BASE, None].transpose(1, 0, 2)
        N, D = self.log_worth(nature)
        share = np.exp(np.stack([np.broadcast_to(e, N.shape), a - alpha * N, b - beta * D]))
        total = share.sum(axis=0)
        share /= total
        return Fitted(np.log(total, out=total), share)

    def derivatives(
        self, theta: FloatArray, at: Fitted, weights: FloatArray, delta: float, log_loss: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Gradient (R, 7) and Hessian (R, 7, 7) in theta, zero in what is held, exact except at the corners of rho."""
        nature = self.frame.nature(theta)
        inner, outer = self.slopes(at, weights, delta, log_loss)
        if self.held[:BASE].all():
            gradient, hessian = self._in_stars(nature, at, inner, outer)
        else:
            gradient, hessian = self._in_all(nature, at, inner, outer)
            to_theta = self.frame.nature(np.eye(len(NATURE)))
            gradient, hessian = gradient @ to_theta.T, to_theta @ hessian @ to_theta.T
        gradient[:, self.held] = 0.0
        hessian[:, self.held] = 0.0
        hessian[:, :, self.held] = 0.0
        return gradient, hessian

    def _in_stars(
        self, nature: FloatArray, at: Fitted, inner: FloatArray, outer: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Derivatives in ln R_N* and ln R_D* alone; zero elsewhere."""
        gradient, hessian = _empty(len(nature))
        J = []
        for term, star, repeats in ((1, STAR_N, self.excess(nature)), (2, STAR_D, self.repeats)):
            worth = Worth.of(repeats, nature[:, star, None])
            slope = -nature[:, 2 * term, None] * worth.first
            J.append(at.share[term] * slope)
            curve = at.share[term] * (slope * slope - nature[:, 2 * term, None] * worth.second)
            gradient[:, star] = (inner * J[-1]).sum(axis=1)
            hessian[:, star, star] = ((outer - inner) * J[-1] ** 2 + inner * curve).sum(axis=1)
        hessian[:, STAR_N, STAR_D] = hessian[:, STAR_D, STAR_N] = ((outer - inner) * J[0] * J[1]).sum(axis=1)
        return gradient, hessian

    def _in_all(
        self, nature: FloatArray, at: Fitted, inner: FloatArray, outer: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Derivatives in the whole nature.

        With m = log U_N, linear in log A and log B, log N' is a function y(m, ln R_N*), and t_N = log A - alpha y.
        Where N is at most U_N, y = log N and all its derivatives vanish.
        """
        alpha, beta = nature[:, 2, None], nature[:, 4, None]
        m, log_U = self.size(nature), np.broadcast_to(self.x[1], at.log_hat.shape)
        excess = self.excess(nature)
        worth, data = Worth.of(excess, nature[:, STAR_N, None]), Worth.of(self.repeats, nature[:, STAR_D, None])
        y, d = self.x[0] - np.log1p(excess) + worth.value, self.x[1] + data.value
        lost = (1.0 + excess) * worth.left / worth.whole
        steep = (1.0 + excess) / np.exp(nature[:, STAR_N, None])
        inside = self.x[0] > m
        y_m = np.where(inside, 1.0 - lost, 0.0)
        y_mm = np.where(inside, lost * (1.0 - steep - lost), 0.0)
        y_mz = np.where(inside, lost * (worth.first - excess / np.exp(nature[:, STAR_N, None])), 0.0)
        m_alpha, m_beta = (1.0 / alpha - m) / alpha, (log_U - 1.0 / beta) / alpha
        by = np.stack([np.broadcast_to(1.0 / alpha, m.shape), m_alpha, np.broadcast_to(-1.0 / alpha, m.shape), m_beta])
        by = by.transpose(1, 0, 2)
        size, tokens = np.zeros((2, len(nature), len(NATURE), m.shape[1]))
        size[:, 1:BASE] = -(alpha * y_m)[:, None] * by
        size[:, 1] += 1.0
        size[:, 2] -= y
        size[:, STAR_N] = -alpha * worth.first
        tokens[:, 3], tokens[:, 4], tokens[:, STAR_D] = 1.0, -d, -beta * data.first
        J = at.share[1, :, None] * size + at.share[2, :, None] * tokens
        J[:, 0] = at.share[0]
        gradient = np.matmul(J, inner[:, :, None])[:, :, 0]
        cost, price = inner * at.share[1], inner * at.share[2]
        hessian = np.matmul(J * (outer - inner)[:, None], J.transpose(0, 2, 1))
        hessian += np.matmul(size * cost[:, None], size.transpose(0, 2, 1))
        hessian += np.matmul(tokens * price[:, None], tokens.transpose(0, 2, 1))
        hessian[:, 0, 0] += (inner * at.share[0]).sum(axis=1)
        # the second derivatives of t_N: through y, through m, and through the alpha before y
        hessian[:, 1:BASE, 1:BASE] += np.matmul(by * (-alpha * y_mm * cost)[:, None], by.transpose(0, 2, 1))
        bent = -y_m * cost  # alpha times what multiplies the second derivatives of m
        whole = bent.sum(axis=1)
        _add(hessian, 1, 2, -whole / alpha[:, 0])
        _add(hessian, 2, 3, whole / alpha[:, 0])
        _add(hessian, 2, 4, -(bent * m_beta).sum(axis=1))
        hessian[:, 2, 2] += (bent * (-1.0 / alpha**2 - 2.0 * m_alpha)).sum(axis=1)
        hessian[:, 4, 4] += whole / beta[:, 0] ** 2
        across = np.matmul(by, (-y_m * cost)[:, :, None])[:, :, 0]
        hessian[:, 2, 1:BASE] += across
        hessian[:, 1:BASE, 2] += across
        aside = np.matmul(by, (-alpha * y_mz * cost)[:, :, None])[:, :, 0]
        aside[:, 1] -= (worth.first * cost).sum(axis=1)
        hessian[:, STAR_N, 1:BASE] += aside
        hessian[:, 1:BASE, STAR_N] += aside
        hessian[:, STAR_N, STAR_N] -= (alpha * worth.second * cost).sum(axis=1)
        _add(hessian, 4, STAR_D, -(data.first * price).sum(axis=1))
        hessian[:, STAR_D, STAR_D] -= (beta * data.second * price).sum(axis=1)
        return gradient, hessian


def _empty(count: int) -> tuple[FloatArray, FloatArray]:
    q = len(NATURE)
    return np.zeros((count, q)), np.zeros((count, q, q))


def _add(hessian: FloatArray, i: int, j: int, value: FloatArray) -> None:
    """Add to one entry and its mirror image."""
    hessian[:, i, j] += value
    hessian[:, j, i] += value


def make_problem(
    points: RunPoints,
    nature: FloatArray,
    *,
    shared: bool,
    joint: bool,
    level: bool,
    hold: tuple[int, ...] = (),
) -> RepeatedProblem:
    """The problem of all runs. nature (7,): where it will start, whose base law says how far sizes are in excess.

    joint: whether the base law is free too, then with one exponent if `shared`. level: whether residuals are in the
    loss itself. hold: which of STAR_N and STAR_D keep their value.
    """
    unique = points.D if points.unique is None else np.minimum(points.unique, points.D)
    x, log_loss = np.log(np.stack([points.N, unique])), np.log(points.loss)
    base = make_frame(FORMS["chinchilla"], x, float(log_loss.mean()), (ONE_EXPONENT,) if joint and shared else ())
    q, p = len(NATURE), len(base.free)
    matrix, shift = np.zeros((q, p + 2)), np.concatenate([base.shift, np.zeros(2)])
    matrix[:BASE, :p], matrix[BASE:, p:] = base.matrix, np.eye(2)
    repeats = repetitions(points)
    low, high = (base.low, base.high) if joint else (np.full(BASE, -np.inf), np.full(BASE, np.inf))
    held = np.zeros(q, dtype=bool)
    held[:BASE] = not joint
    held[list(hold)] = True
    frame = RepeatedFrame(
        form=FORM,
        centre=base.centre,
        scale=base.scale,
        free=np.concatenate([base.free, [STAR_N, STAR_D]]).astype(np.intp),
        matrix=matrix,
        shift=shift,
        low=np.concatenate([low, np.full(2, np.log(LEAST_STAR))]),
        high=np.concatenate([high, np.zeros(2)]),
    )
    problem = RepeatedProblem(
        frame=frame, x=x, log_loss=log_loss, precision=None, level=level, repeats=repeats, held=held
    )
    most = float(problem.excess(nature[None, :]).max()), float(repeats.max())
    frame.high[BASE - len(NATURE) :] = np.log(MOST_STAR * np.maximum(most, 1.0))
    return problem
