"""What a law's numbers rest on: the range of the runs behind it, and the refits that say how sure it is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Preset
from scaling_core.errors import FitError
from scaling_core.fit import interval
from scaling_core.flops import training_flops
from scaling_core.laws import Law
from scaling_core.optimum import loss_band, optimum_band

Source: TypeAlias = Preset | Law
"""A published or saved law with its range and its refits, or bare constants."""
LEVEL = 0.95
"""Of the intervals, where a law names no level of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Ends of an interval of the given level, from the refits of the law."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Extrapolation:
    """How far a training lies beyond the runs behind a law.

    factors: by how many times, at least 1, of "the parameters", "the tokens" and "the compute" those that lie outside.
    sentences: the same in words. stated: whether the law states any range, without which nothing is known.
    """

    factors: Mapping[str, float] = field(hash=False)
    sentences: tuple[str, ...]
    stated: bool

    @property
    def worst(self) -> float:
        """The largest factor; 1 inside the range, NaN where no range is stated."""
        return max(self.factors.values(), default=1.0) if self.stated else math.nan


def law_of(source: Source) -> Law:
    """The law in N and D of a source; raises InputError where it is a law in one variable."""
    return source.joint if isinstance(source, Preset) else source


def extrapolation(source: Source, N: float, D: float, C: float | None = None) -> Extrapolation:
    """How far a training of N parameters on D tokens, C FLOP (6 N D where None), lies beyond the law's stated range."""
    if not isinstance(source, Preset):
        return Extrapolation(factors={}, sentences=(), stated=False)
    spent = training_flops(N, D) if C is None else C
    factors = source.range_factors(N=N, D=D)
    span = source.valid_C
    if span is not None and not span[0] <= spent <= span[1]:
        factors["the compute"] = max(spent / span[1], span[0] / spent)
    stated = any(known is not None for known in (source.valid_N, source.valid_D, source.valid_C))
    return Extrapolation(factors=factors, sentences=source.range_notes(N=N, D=D, C=spent), stated=stated)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refits:
    """The refits of a law, in the order of its constants, and the level of their intervals."""

    form: str
    rows: FloatArray = field(compare=False, repr=False)
    estimate: FloatArray = field(compare=False, repr=False)
    level: float

    def ends(self, rows: FloatArray, estimate: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The method of the intervals, the same as on the other pages."""
        return interval(rows, estimate, self.level)

    def of_losses(self, N: FloatArray, D: FloatArray) -> list[Interval] | None:
        """An interval of the loss of each model, N and D of shape (m,); None where no refit gives every one a loss."""
        with contextlib.suppress(FitError):
            spread = loss_band(
                self.form, self.rows, N, D, estimate=self.estimate, level=self.level, interval=self.ends
            )  # fmt: skip
            ends = zip(spread.low.tolist(), spread.high.tolist(), strict=True)
            return [Interval(low=low, high=high, level=self.level) for low, high in ends]
        return None

    def of_optimum(self, C: float) -> tuple[Interval, Interval] | None:
        """Intervals of the optimal N and D at C FLOP; None where no refit has an optimum."""
        with contextlib.suppress(FitError):
            band = optimum_band(
                self.form, self.rows, np.array([C]), estimate=self.estimate, level=self.level, interval=self.ends
            )  # fmt: skip
            low, high = (
                Interval(low=float(one.low[0]), high=float(one.high[0]), level=self.level) for one in (band.N, band.D)
            )
            return low, high
        return None

    def log_losses(self, N: FloatArray, D: FloatArray) -> FloatArray | None:
        """ln of the losses of the models, N and D of shape (m,), under each refit, (R, m); None as in `of_losses`."""
        seen: list[FloatArray] = []

        def keep(rows: FloatArray, estimate: FloatArray) -> tuple[FloatArray, FloatArray]:
            seen.append(rows)
            return estimate, estimate

        with contextlib.suppress(FitError):
            loss_band(self.form, self.rows, N, D, estimate=self.estimate, level=self.level, interval=keep)
        return seen[0] if seen else None


def refits_of(source: Source) -> Refits | None:
    """The refits of a law; None where it has none, as bare constants never do."""
    if not isinstance(source, Preset) or source.replicates is None:
        return None
    law = source.joint
    point = np.array(list(law.constants.values()))
    return Refits(form=law.form, rows=source.replicates, estimate=point, level=source.level or LEVEL)
