"""A learning curve as far as it was seen, how its run will end, and what cooling did to finished runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.errors import InputError
from scaling_core.language import t

FULL_RATE = 0.999
"""Share of the peak rate from which on a step counts as one at constant rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cooled:
    """The measured end of a shorter run of the same line: tokens from zero, validation loss in nats per token.

    censored: the loss was foretold, not measured; it is then no evidence.
    """

    tokens: float
    loss: float
    censored: bool = False

    def __post_init__(self) -> None:
        _positive("cooled tokens", self.tokens)
        _positive("cooled loss", self.loss)


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningCurve:
    """What was seen of one run, from zero along the trunk and then, where it has begun, along its cooldown.

    tokens: seen at the end of each point, growing. losses: mean training loss of each point, nats per token. rates:
    learning rate at each point. All have shape (n,). cooled: ends of shorter runs that left the same trunk. Raises
    InputError where they are not finite, not positive, of unequal length or out of order.
    """

    tokens: FloatArray
    losses: FloatArray
    rates: FloatArray
    cooled: tuple[Cooled, ...] = ()
    peak: float = field(init=False)

    def __post_init__(self) -> None:
        for name in ("tokens", "losses", "rates"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 1 or values.size != np.size(self.tokens):
                raise InputError(name, values.shape, t("tokens, losses and rates are lists of the same length"))
            if not (np.isfinite(values) & (values > 0)).all():
                bad = values[~(np.isfinite(values) & (values > 0))][0]
                raise InputError(name, float(bad), t("every value of a learning curve must be positive and finite"))
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if (np.diff(self.tokens) <= 0).any():
            at = int(np.flatnonzero(np.diff(self.tokens) <= 0)[0]) + 1
            raise InputError("tokens", float(self.tokens[at]), t("the tokens of a learning curve must grow"))
        object.__setattr__(self, "peak", float(self.rates.max()) if self.rates.size else math.nan)

    @classmethod
    def of(
        cls,
        tokens: Sequence[float],
        losses: Sequence[float | None],
        rates: Sequence[float],
        *,
        cooled: Sequence[Cooled] = (),
    ) -> LearningCurve:
        """The curve through stored points; a point without a loss (it was not finite) is left out."""
        kept = [(at, loss, rate) for at, loss, rate in zip(tokens, losses, rates, strict=True) if loss is not None]
        columns = np.array(kept, dtype=np.float64).reshape(-1, 3).T
        return cls(tokens=columns[0], losses=columns[1], rates=columns[2], cooled=tuple(cooled))

    @property
    def seen(self) -> float:
        """Tokens at the last point, 0 where there is none."""
        return float(self.tokens[-1]) if self.tokens.size else 0.0

    @property
    def warmup(self) -> float:
        """Tokens at the first point of full rate."""
        full = np.flatnonzero(self.rates >= FULL_RATE * self.peak)
        return float(self.tokens[full[0]]) if full.size else 0.0

    @property
    def cooling(self) -> BoolArray:
        """Which points lie in the cooldown, shape (n,): below the peak rate, after it was reached."""
        return np.asarray((self.rates < FULL_RATE * self.peak) & (self.tokens > self.warmup))

    def until(self, tokens: float) -> LearningCurve:
        """What of it had been seen at `tokens`: points up to there, and ends of shorter runs up to there."""
        kept = self.tokens <= tokens
        cooled = tuple(one for one in self.cooled if one.tokens <= tokens)
        return LearningCurve(
            tokens=self.tokens[kept],
            losses=self.losses[kept],
            rates=self.rates[kept],
            cooled=cooled,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How a run ends: at `final_tokens` from zero, cooled by 1 - sqrt from `decay_from` tokens on.

    Source of the shape: Hagele et al. 2024 (arXiv 2405.18392), section 4.
    """

    decay_from: float
    final_tokens: float

    def __post_init__(self) -> None:
        _positive("decay_from", self.decay_from)
        _positive("final_tokens", self.final_tokens)
        if self.decay_from >= self.final_tokens:
            allowed = t("it must lie before the end at {end:g} tokens", end=self.final_tokens)
            raise InputError("decay_from", self.decay_from, allowed)

    def share(self, tokens: FloatArray) -> FloatArray:
        """Share of the cooldown that is done at `tokens`, within 0 and 1."""
        return np.clip((tokens - self.decay_from) / (self.final_tokens - self.decay_from), 0.0, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """What cooling did in another, finished line: log validation loss at its end less log trunk loss at those tokens.

    It holds both the gain of the cooldown and the distance from training to validation text. tokens: at the end.
    line: name of the line, equal for ends of one trunk. se: standard error of `drop`.
    """

    line: str
    tokens: float
    drop: float
    se: float = 0.0


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InputError(name, value, t("it must be a positive, finite number"))
