"""What a fit returns, and what can be predicted from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.fit.forms import FittedLaw, Form
from scaling_core.fit.intervals import Interval, at_shares, shares
from scaling_core.fit.points import RunPoints
from scaling_core.language import retold


@dataclass(frozen=True, kw_only=True, slots=True)
class FitResult:
    """A fitted law with all that was asked of it.

    constants: by the papers' names. value: the objective at the optimum, for lad the sum of |r|. n: runs fitted.
    weights: equal, or se. fixed: constants that were held. shared: whether beta = alpha was asked for.
    intervals: for each constant the interval at `level`, empty without bootstrap. exponents: a and b of N* ~ C^a and
    D* ~ C^b for a law in N and D, Hoffmann et al. 2022, eq. 4. residuals: log Lhat - log L of each of `points`.
    scale: residual standard deviation of the log loss about the least-squares fit next to the optimum, with n - p
    degrees of freedom; of a run of average precision where runs are weighted. replicates: constants of each bootstrap
    replicate, shape (R, m); replicate_scales: its residual scale, (R,). seconds: of fit and bootstrap.
    """

    form: Form
    law: FittedLaw
    constants: dict[str, float]
    objective: str
    delta: float | None
    weights: str
    fixed: dict[str, float]
    shared: bool
    value: float
    n: int
    points: RunPoints
    residuals: FloatArray
    scale: float
    converged: bool
    warnings: tuple[str, ...]
    level: float
    resampling: str | None
    interval_method: Interval
    replicates: FloatArray | None
    replicate_scales: FloatArray | None
    intervals: dict[str, tuple[float, float]]
    exponents: dict[str, float]
    exponent_intervals: dict[str, tuple[float, float]]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The fit as JSON types, for the command line and downloads; its sentences in the present language."""
        return {
            "form": self.form.name,
            "constants": self.constants,
            "objective": self.value,
            "objective_name": self.objective,
            "delta": self.delta,
            "weights": self.weights,
            "fixed": self.fixed,
            "shared": self.shared,
            "n": self.n,
            "level": self.level,
            "resampling": self.resampling,
            "interval_method": self.interval_method if self.resampling else None,
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "exponents": self.exponents,
            "exponent_intervals": {name: list(pair) for name, pair in self.exponent_intervals.items()},
            "residual_sd": self.scale,
            "converged": self.converged,
            "warnings": [retold(warning) for warning in self.warnings],
            "seconds": self.seconds,
        }


def exponents_of(form: Form, constants: FloatArray) -> dict[str, FloatArray]:
    """{"a", "b"} of N* ~ C^a, D* ~ C^b for constants (R, m): a = beta/(alpha + beta), b = 1 - a; {} in one variable.

    Kaplan's joint law has alpha = alpha_N / alpha_D and beta = 1, Gadre's alpha = beta = eta.
    Source: Hoffmann et al. 2022, eq. 4.
    """
    column = dict(zip(form.names, constants.T, strict=True))
    if "beta" in column:
        a = column["beta"] / (column["alpha"] + column["beta"])
    elif "alpha_N" in column:
        a = column["alpha_D"] / (column["alpha_N"] + column["alpha_D"])
    elif "eta" in column:
        a = np.full(len(constants), 0.5)
    else:
        return {}
    return {"a": a, "b": 1.0 - a}


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
    """Loss of a run that was not fitted, with its interval over the bootstrap replicates.

    noise=True is the interval of a *measurement* (the residual scale of each replicate is added); noise=False is the
    band of the law itself. Without replicates low and high equal the loss.
    """
    level = result.level if level is None else level
    n, d = np.broadcast_arrays(np.asarray(N, dtype=np.float64), np.asarray(D, dtype=np.float64))
    logs_of = {
        "N": np.log(n.ravel()),
        "D": np.log(d.ravel()),
        "C": math.log(6.0) + np.log(n.ravel()) + np.log(d.ravel()),
    }
    logs = np.stack([logs_of[variable] for variable in result.form.variables])
    loss = result.form.predict(np.array([list(result.constants.values())]), logs)[0]
    low = high = loss
    if result.replicates is not None and result.replicate_scales is not None:
        spread = result.form.predict(result.replicates, logs)
        at = shares(spread, loss, level, result.interval_method)
        if noise:
            sigma = result.replicate_scales[:, None]
            if result.objective == "ls":  # there the scale is one of the loss itself
                sigma = sigma / loss
            spread = spread * np.exp(sigma * np.random.default_rng(0).standard_normal(spread.shape))
        low, high = (at_shares(spread, share) for share in at)
    return Prediction(loss=loss.reshape(n.shape), low=low.reshape(n.shape), high=high.reshape(n.shape), level=level)
