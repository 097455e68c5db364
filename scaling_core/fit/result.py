"""What a fit returns, and what can be predicted from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.fit.forms import FittedLaw, Form
from scaling_core.fit.points import RunPoints


@dataclass(frozen=True, kw_only=True, slots=True)
class FitResult:
    """A fitted law with all that was asked of it.

    constants: by the papers' names. value: the objective at the optimum, for lad the sum of |r|. n: runs fitted.
    intervals: for each constant the percentile interval at `level`, empty without bootstrap. exponents: a and b of
    N* ~ C^a and D* ~ C^b for the Chinchilla form, Hoffmann et al. 2022, eq. 4. residuals: log Lhat - log L
    of each of `points`.
    scale: residual standard deviation of the log loss with n - p degrees of freedom. replicates: constants of each
    bootstrap replicate, shape (R, p); replicate_scales: its residual scale, (R,). seconds: of fit and bootstrap.
    """

    form: Form
    law: FittedLaw
    constants: dict[str, float]
    objective: str
    delta: float | None
    value: float
    n: int
    points: RunPoints
    residuals: FloatArray
    scale: float
    converged: bool
    warnings: tuple[str, ...]
    level: float
    resampling: str | None
    replicates: FloatArray | None
    replicate_scales: FloatArray | None
    intervals: dict[str, tuple[float, float]]
    exponents: dict[str, float]
    exponent_intervals: dict[str, tuple[float, float]]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The fit as JSON types, for the command line and downloads."""
        return {
            "form": self.form.name,
            "constants": self.constants,
            "objective": self.value,
            "objective_name": self.objective,
            "delta": self.delta,
            "n": self.n,
            "level": self.level,
            "resampling": self.resampling,
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "exponents": self.exponents,
            "exponent_intervals": {name: list(pair) for name, pair in self.exponent_intervals.items()},
            "residual_sd": self.scale,
            "converged": self.converged,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Predicted loss with its interval; arrays of the broadcast shape of N and D. level: of the interval."""

    loss: FloatArray
    low: FloatArray
    high: FloatArray
    level: float


def predict(
    result: FitResult, N: ArrayLike, D: ArrayLike, *, noise: bool = True, level: float | None = None
) -> Prediction:
    """Loss of a run that was not fitted, with the percentile interval over the bootstrap replicates.

    noise=True is the interval of a *measurement* (the residual scale of each replicate is added); noise=False is the
    band of the law itself. Without replicates low and high equal the loss.
    """
    level = result.level if level is None else level
    n, d = np.broadcast_arrays(np.asarray(N, dtype=np.float64), np.asarray(D, dtype=np.float64))
    logs_of = {"N": np.log(n.ravel()), "D": np.log(d.ravel()), "C": np.log(6.0 * n.ravel() * d.ravel())}
    logs = np.stack([logs_of[variable] for variable in result.form.variables])
    values = np.array([list(result.constants.values())])
    loss = result.form.predict(values, logs)[0].reshape(n.shape)
    if result.replicates is None or result.replicate_scales is None:
        return Prediction(
            loss=loss.reshape(n.shape), low=loss.reshape(n.shape), high=loss.reshape(n.shape), level=level
        )
    spread = result.form.predict(result.replicates, logs)
    if noise:
        rng = np.random.default_rng(0)
        spread = spread * np.exp(result.replicate_scales[:, None] * rng.standard_normal(spread.shape))
    low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Prediction(loss=loss, low=low.reshape(n.shape), high=high.reshape(n.shape), level=level)
