"""Where a run that is being trained will end: an ensemble of curves, each with its cooldown, weighed by what was seen.

For one shape phi of `families` everything seen is linear in five unknowns, E, B, d, slope, g:

    on the trunk              L(t) = E + B phi(t) = f(t)
    in the cooldown           L(t) = f(t) - f(T) g psi(share)         C S2 of Tissue et al. 2024 (arXiv 2408.11029)
    ends of shorter runs      log L_val(T_k) = log f(T_k) + d + slope log(T_k / T)
    the end to be foretold    log L_val(T)   = log f(T) + d

where d = e - g is the gain g of the cooldown and the distance e from training to validation text together. f(T_k) and
f(T) are linearised about the fit to the trunk alone. With normal errors each shape has a normal posterior; what is
foretold is the median of their mixture, the interval its quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.curves.curve import Cooled, Drop, LearningCurve, Schedule
from scaling_core.curves.drops import DropBelief, believe
from scaling_core.curves.families import FAMILIES, annealed_tokens, annealing_shares
from scaling_core.curves.trunk import Trunk, fit_trunk, normalised
from scaling_core.errors import InputError
from scaling_core.language import listed, t, tn, together
from scaling_core.units import format_loss, format_quantity

DISCREPANCY = 0.012
"""Standard deviation of the log loss by which real trunks leave every shape, per unit of log(T / tokens seen)."""
END_NOISE = 0.006
"""Standard deviation of the log cooled loss about trunk and drop."""
GAIN, GAIN_SD = 0.05, 0.04
"""What is believed of g before anything is seen."""
DISTANCE, DISTANCE_SD = 0.02, 0.04
"""What is believed of e."""
MEMORY = 0.3
"""Span of the annealing's memory in units of the cooldown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extrapolation:
    """The validation loss, nats per token, at which a run will end, as its curve foretells it.

    low, high: the interval at `level`. families: weight of each, summing to 1. seen: share of the run's tokens that
    its curve had reached. note: one sentence.
    """

    loss: float
    low: float
    high: float
    level: float
    families: dict[str, float]
    seen: float
    note: str

    @property
    def half_width(self) -> float:
        """Half the interval, relative to the loss."""
        return 0.5 * (self.high - self.low) / self.loss


def certain(extrapolation: Extrapolation, tolerance: float) -> bool:
    """Whether half the interval, relative to the loss, lies within `tolerance`.

    Raises InputError for a tolerance that is not between 0 and 1.
    """
    if not 0.0 < tolerance < 1.0:
        raise InputError("tolerance", tolerance, t("it must lie between 0 and 1, as 0.01 for one per cent"))
    return extrapolation.half_width <= tolerance


def extrapolate(
    curve: LearningCurve, *, schedule: Schedule, evidence: Sequence[Drop] = (), level: float = 0.95
) -> Extrapolation:
    """Foretell the validation loss at the end of `schedule` from what was seen.

    evidence: what cooling did in other finished lines on the same text, see `drops`; with neither it nor ends of
    shorter runs the interval is wide. level: of the interval. Raises FitError where the curve is too short, too far
    from the end, or does not fall, and InputError for a level outside (0.5, 0.999).
    """
    check_level(level)
    trunk = fit_trunk(curve, horizon=schedule.final_tokens)
    ends = tuple(one for one in curve.cooled if not one.censored)
    mean, sd, weights = _foretell(trunk, curve, ends, schedule, believe(evidence, at=schedule.final_tokens))
    reach = math.log(max(1.0, schedule.final_tokens / curve.seen))
    sd = np.sqrt(sd**2 + END_NOISE**2 + (DISCREPANCY * reach) ** 2)
    shares = (0.5, 0.5 - level / 2.0, 0.5 + level / 2.0)
    loss, low, high = (math.exp(mixture_quantile(mean, sd, weights, share)) for share in shares)
    seen = min(1.0, curve.seen / schedule.final_tokens)
    return Extrapolation(
        loss=loss,
        low=low,
        high=high,
        level=level,
        families={name: float(weights[trunk.shapes.family == i].sum()) for i, name in enumerate(FAMILIES)},
        seen=seen,
        note=together(
            t(
                "After {seen:.0%} of its {tokens} tokens the run is foretold to end at {loss}, between {low} and "
                "{high} at {level:.0%}.",
                seen=seen,
                tokens=format_quantity(schedule.final_tokens),
                loss=format_loss(loss),
                low=format_loss(low),
                high=format_loss(high),
                level=level,
            ),
            _grounds(len(ends), len(evidence)),
        ),
    )


def _grounds(ends: int, others: int) -> str:
    """What the gain of cooling is known from: ends of the run's own trunk, and of other lines."""
    if not ends and not others:
        return t("What cooling gains: from no measurement, so the interval is wide.")
    own = tn("{n} shorter run of its trunk", "{n} shorter runs of its trunk", ends)
    beside = tn("{n} end of other lines", "{n} ends of other lines", others)
    grounds = [text for text, count in ((own, ends), (beside, others)) if count]
    return t("What cooling gains: from {grounds}.", grounds=listed(grounds))


def check_level(level: float) -> None:
    """Raises InputError for a level that no interval should have."""
    if not 0.5 < level < 0.999:
        raise InputError("level", level, t("it must lie between {least} and {most}", least=0.5, most=0.999))


class _Posterior:
    """Normal beliefs about the five unknowns under each of G shapes, as precision (G, 5, 5) and its product."""

    def __init__(self, precision: FloatArray, mean: FloatArray) -> None:
        self.precision = precision
        self.b = np.einsum("gij,gj->gi", precision, mean)
        self.log_likelihood = np.zeros(len(mean))

    def mean(self) -> FloatArray:
        """Of the unknowns, (G, 5)."""
        return np.asarray(np.linalg.solve(self.precision, self.b[:, :, None])[:, :, 0])

    def _height(self) -> FloatArray:
        """(b' mean - log det precision) / 2, (G,): what a likelihood is a difference of."""
        return np.asarray(0.5 * ((self.b * self.mean()).sum(axis=1) - np.linalg.slogdet(self.precision)[1]))

    def see(self, rows: FloatArray, values: FloatArray, sd: float) -> None:
        """Observations: design (G, k, 5), values (G, k); their likelihood under what was believed is kept."""
        before = self._height()
        self.precision = self.precision + np.einsum("gki,gkj->gij", rows, rows) / sd**2
        self.b = self.b + np.einsum("gki,gk->gi", rows, values) / sd**2
        self.log_likelihood += self._height() - before - 0.5 * (values**2).sum(axis=1) / sd**2


def _foretell(
    trunk: Trunk, curve: LearningCurve, ends: Sequence[Cooled], schedule: Schedule, belief: DropBelief
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean and standard deviation of the log final loss under each shape, and the shapes' weights, each (G,)."""
    cool = np.flatnonzero(curve.cooling & (curve.tokens > schedule.decay_from))
    path = np.append(curve.tokens[cool], schedule.final_tokens)
    moments = np.array([*(one.tokens for one in ends), schedule.final_tokens])
    point = trunk.at(moments, moments - trunk.warmup / 2.0)
    cooled_path = trunk.at(path, annealed_tokens(path, warmup=trunk.warmup, schedule=schedule))
    groups = len(point)
    one, zero = np.ones(groups), np.zeros(groups)
    level = np.maximum(trunk.mean[:, :1] + trunk.mean[:, 1:] * point, trunk.lowest)
    end = level[:, -1]
    annealed_end = np.maximum(trunk.mean[:, 0] + trunk.mean[:, 1] * cooled_path[:, -1], trunk.lowest)
    shift = np.log(annealed_end / end)  # where the clock is S1, the cooldown must first make up for its slower pace

    precision, mean = np.zeros((groups, 5, 5)), np.zeros((groups, 5))
    precision[:, :2, :2], mean[:, :2] = np.linalg.inv(trunk.covariance), trunk.mean
    precision[:, 2:4, 2:4], mean[:, 2:4] = np.linalg.inv(belief.covariance), belief.mean
    precision[:, 4, 4], mean[:, 4] = GAIN_SD**-2.0, GAIN + shift
    known = _Posterior(precision, mean)
    known.see(_rows(zero, zero, one, zero, one), (DISTANCE + shift)[:, None], DISTANCE_SD)
    for k, measured in enumerate(ends):
        here, late = level[:, k], math.log(measured.tokens / schedule.final_tokens)
        row = _rows(1.0 / here, point[:, k] / here, one, late * one, zero)
        known.see(row, (math.log(measured.loss) - np.log(here) + 1.0)[:, None], END_NOISE)
    if cool.size:
        rows = np.zeros((groups, cool.size, 5))
        psi = annealing_shares(schedule.share(path[:-1]), MEMORY)
        rows[:, :, 0], rows[:, :, 1], rows[:, :, 4] = 1.0, cooled_path[:, :-1], -end[:, None] * psi
        known.see(rows, np.tile(curve.losses[cool], (groups, 1)), trunk.sigma)

    target = _rows(1.0 / end, point[:, -1] / end, one, zero, zero)[:, 0]
    log_loss = np.log(end) - 1.0 + (target * known.mean()).sum(axis=1)
    variance = np.linalg.solve(known.precision, target[:, :, None])[:, :, 0]
    sd = np.sqrt((target * variance).sum(axis=1))
    return log_loss, sd, normalised(trunk.log_weights + known.log_likelihood)


def _rows(*columns: FloatArray) -> FloatArray:
    """One observation's design under each shape: columns (G,) to (G, 1, 5)."""
    return np.stack(columns, axis=1)[:, None, :]


def mixture_quantile(mean: FloatArray, sd: FloatArray, weights: FloatArray, share: float) -> float:
    """The value below which a share of a mixture of normals lies, by bisection; mean, sd, weights: (G,)."""
    from scipy.special import ndtr, ndtri  # here: the first page does without SciPy

    z = float(ndtri(share))
    used = weights > 1e-12
    low, high = float((mean + z * sd)[used].min()), float((mean + z * sd)[used].max())
    for _ in range(60):
        middle = 0.5 * (low + high)
        if float(weights @ ndtr((middle - mean) / sd)) < share:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
