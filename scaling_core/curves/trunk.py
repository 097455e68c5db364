"""The trunk of a learning curve against every shape of `families`: usable points, their noise, weights of the shapes.

For a shape phi the loss is linear in E and B, so a normal prior on them gives a normal posterior and a marginal
likelihood in closed form. Shapes of one family are averaged by that likelihood; families are weighed by how well what
they learned from the earlier four fifths of the trunk foretold the last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.curves.curve import LearningCurve
from scaling_core.curves.families import FAMILIES, Shapes, shapes
from scaling_core.errors import FitError
from scaling_core.language import t
from scaling_core.units import format_loss, format_quantity

LEAST_POINTS = 16
"""Points of the trunk, after the warm-up, below which nothing is foretold."""
MOST_REACH = 8.0
"""Times the tokens seen beyond which nothing is foretold."""
SKIPPED = 0.08
"""Share of the tokens seen at whose end the fit begins; twice the warm-up, where that is later."""
HELD_OUT = 0.2
"""Share of the tokens seen that the weights of the families are judged by."""
LEAST_SHARE = 0.05
"""Of the lowest loss seen: no shape is allowed below it where its logarithm is taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trunk:
    """A trunk that was learned from. t, y: tokens and losses of the points used, (n,). warmup: tokens.

    sigma: standard deviation of a point in nats, with what autocorrelation adds. mean (G, 2), covariance (G, 2, 2): of
    E and B under each shape. log_weights: of the shapes, (G,), up to a constant.
    """

    t: FloatArray
    y: FloatArray
    warmup: float
    shapes: Shapes
    sigma: float
    mean: FloatArray
    covariance: FloatArray
    log_weights: FloatArray

    @property
    def lowest(self) -> float:
        """The lowest loss that a shape may take."""
        return LEAST_SHARE * float(self.y.min())

    def at(self, tokens: FloatArray, annealed: FloatArray) -> FloatArray:
        """phi of every shape at more moments, tokens and S1 given, each (m,): shape (G, m)."""
        return _shapes(self.t, self.warmup, tokens, annealed).at[:, self.t.size :]

    def smooth(self, tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean of the ensemble at `tokens` (m,) on the trunk, and its relative standard error."""
        phi = self.at(tokens, tokens - self.warmup / 2.0)
        design = np.stack([np.ones_like(phi), phi], axis=2)
        value = np.einsum("gmi,gi->gm", design, self.mean)
        variance = np.einsum("gmi,gij,gmj->gm", design, self.covariance, design)
        weights = normalised(self.log_weights)
        middle = weights @ value
        return middle, np.sqrt(weights @ (variance + (value - middle) ** 2)) / middle


def fit_trunk(curve: LearningCurve, *, horizon: float) -> Trunk:
    """Learn the trunk from its points at full rate, for use up to `horizon` tokens.

    Raises FitError where there are too few points after the warm-up, where the horizon is too far beyond them, and
    where the loss does not fall by more than its noise.
    """
    start = max(2.0 * curve.warmup, SKIPPED * curve.seen)
    rows = np.flatnonzero(~curve.cooling & (curve.tokens > start))
    if rows.size < LEAST_POINTS:
        raise FitError(
            t(
                "The curve has {points} points after the warm-up, and extrapolating takes {least}: train on.",
                points=rows.size,
                least=LEAST_POINTS,
            )
        )
    tokens, y = curve.tokens[rows], curve.losses[rows]
    if horizon > MOST_REACH * tokens[-1]:
        raise FitError(
            t(
                "The end lies at {end} tokens, more than {times:g} times the {seen} seen: train on.",
                end=format_quantity(horizon),
                times=MOST_REACH,
                seen=format_quantity(float(tokens[-1])),
            )
        )
    early, late = np.array_split(y, 2)
    spread = math.sqrt(early.var(ddof=1) / early.size + late.var(ddof=1) / late.size)
    if not early.mean() - late.mean() > 2.0 * spread:
        raise FitError(
            t(
                "The curve does not fall beyond its noise (mean {early} in its first half, {late} in its second), so "
                "it foretells no end: train on, or lower the rate.",
                early=format_loss(float(early.mean())),
                late=format_loss(float(late.mean())),
            )
        )
    return _learn(tokens, y, curve.warmup)


def normalised(logs: FloatArray) -> FloatArray:
    """Weights in proportion to exp(logs), summing to 1; shape (G,)."""
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def _shapes(t: FloatArray, warmup: float, tokens: FloatArray, annealed: FloatArray) -> Shapes:
    """Shapes at the points fitted, and behind them at more moments."""
    return shapes(np.concatenate([t, tokens]), np.concatenate([t - warmup / 2.0, annealed]), first=0, last=t.size - 1)


def _learn(t: FloatArray, y: FloatArray, warmup: float) -> Trunk:
    """Noise from the residuals of the best shape, then posterior and weights of all."""
    family = _shapes(t, warmup, np.empty(0), np.empty(0))
    everything = np.ones(t.size)
    least = 1e-6 * float(y.min())
    sigma = max(float(np.diff(y).std()) / math.sqrt(2.0), least)
    for _ in range(2):
        mean, _, evidence = _solve(family, y, everything / sigma**2)
        best = int(np.argmax(evidence))
        sigma = max(_noise(y - mean[best, 0] - mean[best, 1] * family.at[best]), least)
    mean, covariance, evidence = _solve(family, y, everything / sigma**2)
    earlier = t <= t[-1] * (1.0 - HELD_OUT)
    judged = int(earlier.sum()) >= LEAST_POINTS // 2
    before = _solve(family, y, earlier / sigma**2)[2] if judged else evidence
    log_weights = np.empty(evidence.shape)
    for i in range(len(FAMILIES)):
        own = family.family == i
        later = _log_mean(evidence[own]) - _log_mean(before[own])
        log_weights[own] = evidence[own] - _log_mean(evidence[own]) - math.log(int(own.sum())) + later
    falling = mean[:, 1] > 0
    log_weights[~falling] = -np.inf if falling.any() else log_weights[~falling]
    return Trunk(
        t=t,
        y=y,
        warmup=warmup,
        shapes=family,
        sigma=sigma,
        mean=mean,
        covariance=covariance,
        log_weights=log_weights,
    )


def _solve(family: Shapes, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Posterior mean (G, 2) and covariance (G, 2, 2) of E, B, and log marginal likelihood (G,).

    weight: precision of each point, (n,), zero where it is left out; what is common to all shapes is left out of the
    likelihood.
    """
    phi, lowest = family.at, float(y.min())
    believed = np.stack([family.floor[:, 0] * lowest, np.zeros(len(phi))], axis=1)
    precision = np.stack([family.floor[:, 1] * lowest, np.full(len(phi), 3.0 * lowest)], axis=1) ** -2.0
    whole = np.zeros((len(phi), 2, 2))
    whole[:, 0, 0], whole[:, 1, 1] = weight.sum() + precision[:, 0], phi**2 @ weight + precision[:, 1]
    whole[:, 0, 1] = whole[:, 1, 0] = phi @ weight
    b = np.stack([np.full(len(phi), weight @ y), phi @ (weight * y)], axis=1) + precision * believed
    covariance = np.linalg.inv(whole)
    mean = np.einsum("gij,gj->gi", covariance, b)
    square = float(weight @ y**2) + (precision * believed**2).sum(axis=1) - (b * mean).sum(axis=1)
    volume = np.linalg.slogdet(whole)[1] - np.log(precision).sum(axis=1)
    return mean, np.asarray(covariance), -0.5 * (square + volume)


def _noise(residuals: FloatArray) -> float:
    """Standard deviation of a point that counts as independent: sd sqrt((1 + rho) / (1 - rho)), rho of lag one."""
    square = float(residuals @ residuals)
    rho = min(max(float(residuals[1:] @ residuals[:-1]) / max(square, 1e-300), 0.0), 0.9)
    return math.sqrt(square / (residuals.size - 3) * (1.0 + rho) / (1.0 - rho))


def _log_mean(logs: FloatArray) -> float:
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))
