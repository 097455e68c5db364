"""What cooling does to a loss, learned from finished lines: log validation loss at the end less log trunk loss there.

drop(T) = mean + own(line) + slope log(T / T*) + noise, each normal: a random-effects model in closed form. A line that
has not cooled yet is believed to do as the others did, within the spread between lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.curves.curve import Drop, LearningCurve
from scaling_core.curves.trunk import fit_trunk

MEAN, MEAN_SD = -0.03, 0.05
"""What is believed of the drop before any was measured: 3% of the loss, distance to the validation text included."""
SLOPE, SLOPE_SD = -0.015, 0.015
"""And of how it changes with each factor e of tokens."""
LINE_SD = 0.012
"""Between lines of one sweep."""
NOISE = 0.008
"""Between ends of one line, about its own trend."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DropBelief:
    """What is believed of (drop, slope) of a line at given tokens: mean (2,), covariance (2, 2)."""

    mean: FloatArray
    covariance: FloatArray


def believe(evidence: Sequence[Drop], *, at: float, line: str | None = None) -> DropBelief:
    """The belief about a line at `at` tokens after what finished ends showed; without any, the wide one.

    line: the name under which ends of the line itself stand in the evidence, None where none do.
    """
    mean = np.array([MEAN, SLOPE])
    prior = np.diag([MEAN_SD**2 + LINE_SD**2, SLOPE_SD**2])
    if not evidence:
        return DropBelief(mean=mean, covariance=prior)
    x = np.log(np.array([one.tokens for one in evidence]) / at)
    y = np.array([one.drop for one in evidence])
    same = np.array([[float(a.line == b.line) for b in evidence] for a in evidence])
    own = np.array([float(one.line == line) for one in evidence])
    whole = MEAN_SD**2 + SLOPE_SD**2 * np.outer(x, x) + LINE_SD**2 * same
    whole += np.diag(NOISE**2 + np.array([one.se for one in evidence]) ** 2)
    across = np.stack([MEAN_SD**2 + LINE_SD**2 * own, SLOPE_SD**2 * x])
    gain = across @ np.linalg.inv(whole)
    return DropBelief(mean=mean + gain @ (y - mean[0] - mean[1] * x), covariance=prior - gain @ across.T)


def drops(line: str, curve: LearningCurve) -> tuple[Drop, ...]:
    """What cooling did at each measured end of a line, from its trunk's curve; foretold ends are left out.

    Raises FitError where the trunk is too short to be smoothed.
    """
    ends = [one for one in curve.cooled if not one.censored]
    if not ends:
        return ()
    tokens = np.array([one.tokens for one in ends])
    trunk, se = fit_trunk(curve, horizon=float(tokens.max())).smooth(tokens)
    return tuple(
        Drop(line=line, tokens=one.tokens, drop=float(np.log(one.loss / level)), se=float(error))
        for one, level, error in zip(ends, trunk, se, strict=True)
    )
