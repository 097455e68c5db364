"""How well predictions did: error and coverage by how far they reached beyond what was fitted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scaling_core.errors import InputError
from scaling_core.language import t, tn, together

EDGES = (2.0, 5.0, 10.0)
"""Factors of compute at which a new row of the score begins."""
SCORE_LEVEL = 0.95
"""Of the interval for a share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Foretold:
    """One prediction that was registered, and what came of it. Losses in nats per token.

    low, high: its interval at `level`. factor: compute of the run foretold over the largest that was fitted. censored:
    the run was stopped early and its loss is itself foretold, so that it judges nothing. Raises InputError where a
    number is not finite or the interval is upside down.
    """

    predicted: float
    low: float
    high: float
    level: float
    measured: float
    factor: float
    censored: bool = False

    def __post_init__(self) -> None:
        for name in ("predicted", "measured", "factor"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(name, value, t("it must be a positive, finite number"))
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise InputError(t("interval"), (self.low, self.high), t("its ends must be finite, the low one first"))
        if not 0.0 < self.level < 1.0:
            raise InputError("level", self.level, t("it must lie between {least} and {most}", least=0, most=1))

    @property
    def error(self) -> float:
        """(predicted - measured) / measured."""
        return (self.predicted - self.measured) / self.measured

    @property
    def within(self) -> bool:
        """Whether the interval holds the measurement."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """The predictions of one range of factors, low <= factor < high. n: how many.

    median_error, worst_error: of |predicted - measured| / measured, None where n is 0. within: how many intervals held
    the measurement. coverage: their share, None where n is 0, between coverage_low and coverage_high (Wilson 1927, at
    95%). promised: mean level of the intervals, None where n is 0.
    """

    low: float
    high: float
    n: int
    median_error: float | None
    worst_error: float | None
    within: int
    coverage: float | None
    coverage_low: float
    coverage_high: float
    promised: float | None

    @property
    def label(self) -> str:
        """The range in words: under 2x, 2x to 5x, over 10x, all."""
        if self.low <= 0.0:
            return t("all") if math.isinf(self.high) else t("under {high:g}x", high=self.high)
        if math.isinf(self.high):
            return t("over {low:g}x", low=self.low)
        return t("{low:g}x to {high:g}x", low=self.low, high=self.high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """rows: one for each range of factors. total: all together. left_out: censored ones. sentence: the verdict."""

    rows: tuple[ScoreRow, ...]
    total: ScoreRow
    left_out: int
    sentence: str


def score(foretold: Sequence[Foretold], *, edges: Sequence[float] = EDGES) -> Score:
    """Error and coverage of predictions, by factor of compute.

    Predictions of one sweep share its law and are not independent, so that the interval of the coverage is narrower
    than it should be. edges: factors at which a row begins. Raises InputError where they are not positive and growing.
    """
    bounds = [0.0, *edges, math.inf]
    if any(not a < b for a, b in pairwise(bounds)):
        raise InputError("edges", tuple(edges), t("they must be positive and grow"))
    judged = [one for one in foretold if not one.censored]
    rows = tuple(_row([one for one in judged if a <= one.factor < b], a, b) for a, b in pairwise(bounds))
    total, left_out = _row(judged, 0.0, math.inf), len(foretold) - len(judged)
    return Score(rows=rows, total=total, left_out=left_out, sentence=_sentence(total, left_out))


def wilson(hits: int, n: int, level: float = SCORE_LEVEL) -> tuple[float, float]:
    """The interval of a share from `hits` of `n`: Wilson 1927; (0, 1) where n is 0.

    (p + z^2/2n +- z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n). Raises InputError unless 0 <= hits <= n.
    """
    if not 0 <= hits <= n:
        raise InputError("hits", hits, t("it must lie between {least} and {most}", least=0, most=n))
    if n == 0:
        return 0.0, 1.0
    z = statistics.NormalDist().inv_cdf(0.5 + level / 2.0)
    p, whole = hits / n, 1.0 + z * z / n
    middle = p + z * z / (2.0 * n)
    half = z * math.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
    low = 0.0 if hits == 0 else max(0.0, (middle - half) / whole)
    return low, 1.0 if hits == n else min(1.0, (middle + half) / whole)


def _row(some: Sequence[Foretold], low: float, high: float) -> ScoreRow:
    n, within = len(some), sum(one.within for one in some)
    errors = [abs(one.error) for one in some]
    coverage_low, coverage_high = wilson(within, n)
    return ScoreRow(
        low=low,
        high=high,
        n=n,
        median_error=statistics.median(errors) if errors else None,
        worst_error=max(errors, default=None),
        within=within,
        coverage=within / n if n else None,
        coverage_low=coverage_low,
        coverage_high=coverage_high,
        promised=statistics.fmean(one.level for one in some) if some else None,
    )


def _sentence(total: ScoreRow, left_out: int) -> str:
    if total.median_error is None or total.worst_error is None or total.promised is None:
        return together(t("No prediction has been measured yet."), _left_out(left_out))
    promised = total.promised
    if total.coverage_high < promised:
        verdict = t("fewer than the {promised:.0%} promised: the intervals are too narrow", promised=promised)
    elif total.coverage_low > promised:
        verdict = t("more than the {promised:.0%} promised: the intervals are too wide", promised=promised)
    else:
        verdict = t("which agrees with the {promised:.0%} promised", promised=promised)
    sentence = tn(
        "Of {n} prediction {within} held the measurement in its interval ({share:.0%}, between {low:.0%} and "
        "{high:.0%}), {verdict}; the error is {median:.2%} in the median and {worst:.2%} at worst.",
        "Of {n} predictions {within} held the measurement in their intervals ({share:.0%}, between {low:.0%} and "
        "{high:.0%}), {verdict}; the error is {median:.2%} in the median and {worst:.2%} at worst.",
        total.n,
        within=total.within,
        share=total.within / total.n,
        low=total.coverage_low,
        high=total.coverage_high,
        verdict=verdict,
        median=total.median_error,
        worst=total.worst_error,
    )
    return together(sentence, _left_out(left_out))


def _left_out(count: int) -> str:
    if not count:
        return ""
    return tn("{n} run stopped early is left out.", "{n} runs stopped early are left out.", count)
