"""How N* and D* grow with compute: the record that approaches 1 and 2 return.

Both approaches find the size of least loss at several C and put a straight line through the logarithms,
    N* = N_coefficient C^a,   D* = D_coefficient C^b,   C = 6 N D in FLOP,
by ordinary least squares of ln N* on ln C; C = 6 N D makes b = 1 - a and D_coefficient = 1 / (6 N_coefficient).
Optima are not weighted by their own bootstrap variance. In `benchmarks/isoflop_bias.py` that takes about a tenth off
the spread of `a`, but doubles the parabola's bias where the sizes drift off the optimum, and the estimate would hang on
the seed.
Source: Hoffmann et al. 2022, sections 3.1 and 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scaling_core.arrays import ArrayLike, BoolArray, FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.fit.intervals import interval
from scaling_core.fit.parametric import MAX_BOOTSTRAP
from scaling_core.fit.told import choice, within
from scaling_core.language import t

FEWEST_BUDGETS = 3
"""Optima that a power law needs: with two it passes through both and nothing can be said about it."""
LOG_6 = math.log(6.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetOptimum:
    """The least loss at one compute C, in FLOP: N parameters on D tokens, loss in nats per token.

    N, D, loss: None where no minimum was found. n: runs compared. interval: of N, where there are replicates. refused:
    the sentence that says why this C is left out of the power law, or None. curve: sizes N (k,) and the loss (k,) of
    the curve through the runs, for drawing, or None.
    """

    C: float
    n: int
    N: float | None = None
    D: float | None = None
    loss: float | None = None
    interval: tuple[float, float] | None = None
    refused: str | None = None
    curve: tuple[FloatArray, FloatArray] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The optimum as JSON types, without the curve."""
        return {
            "C": self.C,
            "N": self.N,
            "D": self.D,
            "loss": self.loss,
            "n": self.n,
            "interval": None if self.interval is None else list(self.interval),
            "refused": self.refused,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeOptimal:
    """N* and D* at C, each with its interval; arrays of C's shape. level: of the intervals."""

    C: FloatArray
    N: FloatArray
    N_low: FloatArray
    N_high: FloatArray
    D: FloatArray
    D_low: FloatArray
    D_high: FloatArray
    level: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AllocationFit:
    """The power laws N* = N_coefficient C^a and D* = D_coefficient C^b, with what they rest on.

    approach: isoflop or envelope. method: how each minimum was found. optima: one row for each C, refused ones too.
    constants: the coefficients, and what else the method shares between budgets. exponents: a and b. intervals,
    exponent_intervals: percentile intervals at `level`, empty without bootstrap. n: runs used. scale: standard
    deviation of ln loss about the curves, None where it is not known. replicates: (ln N_coefficient, a) of each
    bootstrap replicate that carried a fit, shape (R, 2). seconds: of fit and bootstrap.
    """

    approach: Literal["isoflop", "envelope"]
    method: str
    optima: tuple[BudgetOptimum, ...]
    constants: dict[str, float]
    exponents: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    exponent_intervals: dict[str, tuple[float, float]]
    n: int
    scale: float | None
    level: float
    resampling: str | None
    replicates: FloatArray | None
    warnings: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def used(self) -> tuple[BudgetOptimum, ...]:
        """The optima that the power law goes through."""
        return tuple(row for row in self.optima if row.refused is None)

    def optimum(self, C: ArrayLike, *, level: float | None = None) -> ComputeOptimal:
        """N* and D* at C FLOP, with the percentile interval over the replicates; without them low and high equal N*.

        Raises InputError where C is not a positive finite number.
        """
        flops = np.asarray(C, dtype=np.float64)
        if not (np.isfinite(flops) & (flops > 0)).all():
            raise InputError(t("compute"), C, t("it must be a positive finite number of FLOP"))
        level = self.level if level is None else level
        log_C = np.log(flops).ravel()
        log_N = math.log(self.constants["N_coefficient"]) + self.exponents["a"] * log_C
        low = high = log_N
        if self.replicates is not None:
            spread = self.replicates[:, :1] + self.replicates[:, 1:] * log_C
            low, high = interval(spread, log_N, level, "percentile")
        N, N_low, N_high = (np.exp(each).reshape(flops.shape) for each in (log_N, low, high))
        D, D_high, D_low = (np.asarray(flops / (6.0 * each)) for each in (N, N_low, N_high))
        return ComputeOptimal(C=flops, N=N, N_low=N_low, N_high=N_high, D=D, D_low=D_low, D_high=D_high, level=level)

    def to_dict(self) -> dict[str, Any]:
        """The fit as JSON types, for the command line and downloads."""
        return {
            "approach": self.approach,
            "method": self.method,
            "constants": self.constants,
            "n": self.n,
            "level": self.level,
            "resampling": self.resampling,
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "exponents": self.exponents,
            "exponent_intervals": {name: list(pair) for name, pair in self.exponent_intervals.items()},
            "residual_sd": self.scale,
            "optima": [row.to_dict() for row in self.optima],
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }


def power_law(
    log_C: FloatArray, log_N: FloatArray, weights: FloatArray | BoolArray | IndexArray, fewest: int = FEWEST_BUDGETS
) -> FloatArray:
    """(ln coefficient, exponent) of N* = k C^a by least squares, for R sets of m optima: (R, 2).

    log_C, log_N: (m,) or (R, m). weights: (R, m), zero or False for an optimum that was not found; NaN where fewer than
    `fewest` were.
    """
    w = weights.astype(np.float64)
    enough = (w > 0).sum(axis=1) >= fewest
    total = np.where(enough, w.sum(axis=1), 1.0)
    x = np.where(w > 0, log_C, 0.0)
    y = np.where(w > 0, log_N, 0.0)
    middle = (w * x).sum(axis=1) / total
    x = x - middle[:, None]
    spread = (w * x * x).sum(axis=1)
    usable = enough & (spread > 1e-12 * total)
    a = (w * x * y).sum(axis=1) / np.where(usable, spread, 1.0)
    log_k = (w * y).sum(axis=1) / total - a * middle
    out = np.stack([log_k, a], axis=1)
    out[~usable] = np.nan
    return out


def constants_of(line: FloatArray) -> tuple[dict[str, float], dict[str, float]]:
    """Coefficients and exponents of N* and D* from one (ln N_coefficient, a)."""
    log_k, a = float(line[0]), float(line[1])
    return (
        {"N_coefficient": math.exp(log_k), "D_coefficient": math.exp(-LOG_6 - log_k)},
        {"a": a, "b": 1.0 - a},
    )


def intervals_of(
    line: FloatArray, replicates: FloatArray, level: float
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Percentile intervals of what `constants_of` names, from replicates (R, 2)."""
    low, high = (each.tolist() for each in interval(replicates, line, level, "percentile"))
    return (
        {
            "N_coefficient": (math.exp(low[0]), math.exp(high[0])),
            "D_coefficient": (math.exp(-LOG_6 - high[0]), math.exp(-LOG_6 - low[0])),
        },
        {"a": (low[1], high[1]), "b": (1.0 - high[1], 1.0 - low[1])},
    )


def check_options(bootstrap: int, level: float, choices: Mapping[str, tuple[str, tuple[str, ...]]]) -> None:
    """Raises InputError for a bootstrap or a level out of range, or a choice (name to value and what is allowed)."""
    if not 0 <= bootstrap <= MAX_BOOTSTRAP:
        raise InputError("bootstrap", bootstrap, within(0, MAX_BOOTSTRAP))
    if not 0 < level < 1:
        raise InputError("level", level, within(0, 1))
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise InputError(name, value, choice(allowed))
