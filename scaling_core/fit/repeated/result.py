"""What a fit of the data-constrained law returns, and what can be predicted from it.

A record of its own, since a prediction of this law needs the unique tokens as well, and the base law may have come
from elsewhere. Its fields have the names that `FitResult` gives them, so that whoever shows the one can show the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.fit.intervals import Interval, at_shares, shares
from scaling_core.fit.points import RunPoints
from scaling_core.fit.repeated.objective import FORM, make_problem, nature_of
from scaling_core.fit.result import Prediction
from scaling_core.laws import MuennighoffLaw


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedFit:
    """A fitted `MuennighoffLaw` with all that was asked of it.

    constants: E, A, B, alpha, beta, R_N_star, R_D_star. fixed: those that were held, the base law's where it was given.
    joint: whether all constants were fitted together. shared: whether beta = alpha in a base law that was fitted.
    repeated, excess: runs that see a token twice, and runs larger than their unique tokens call for. base_runs: runs
    that the base law rests on, None where it was given. alternative: constants of another minimum that these runs do
    not tell from this one, or None. The other fields are those of `FitResult`; intervals has the fitted constants only.
    replicates: (R, 7), in the order of `constants`.
    """

    law: MuennighoffLaw
    constants: dict[str, float]
    objective: str
    delta: float | None
    fixed: dict[str, float]
    shared: bool
    joint: bool
    value: float
    n: int
    repeated: int
    excess: int
    base_runs: int | None
    alternative: dict[str, float] | None
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
        """The fit as JSON types, with the keys of `FitResult.to_dict` and those of its own."""
        return {
            "form": FORM.name,
            "constants": self.constants,
            "objective": self.value,
            "objective_name": self.objective,
            "delta": self.delta,
            "weights": "equal",
            "fixed": self.fixed,
            "shared": self.shared,
            "joint": self.joint,
            "n": self.n,
            "repeated": self.repeated,
            "excess": self.excess,
            "base_runs": self.base_runs,
            "alternative": self.alternative,
            "level": self.level,
            "resampling": self.resampling,
            "interval_method": self.interval_method if self.resampling else None,
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "exponents": self.exponents,
            "exponent_intervals": {name: list(pair) for name, pair in self.exponent_intervals.items()},
            "residual_sd": self.scale,
            "converged": self.converged,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }


def predict_repeated(
    result: RepeatedFit,
    N: ArrayLike,
    D: ArrayLike,
    U: ArrayLike | None = None,
    *,
    noise: bool = True,
    level: float | None = None,
) -> Prediction:
    """Loss of a run of N parameters that sees D tokens, U of them unique, with its interval over the replicates.

    N, D and U broadcast; U None: every token is new. noise=True is the interval of a *measurement*, noise=False the
    band of the law itself. Without replicates low and high equal the loss.
    """
    level = result.level if level is None else level
    n, d, u = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (N, D, D if U is None else U)))
    loss = np.asarray(result.law.loss(n, d, u)).ravel()
    low = high = loss
    if result.replicates is not None and result.replicate_scales is not None:
        runs = RunPoints.of(N=n.ravel(), D=d.ravel(), loss=np.ones(n.size), unique=u.ravel())
        nature = nature_of(result.replicates)
        problem = make_problem(runs, nature[0], shared=False, joint=False, level=False)
        spread = np.exp(problem.fitted(problem.frame.of_nature(nature)).log_hat)
        at = shares(spread, loss, level, result.interval_method)
        if noise:
            sigma = result.replicate_scales[:, None]
            if result.objective == "ls":  # there the scale is one of the loss itself
                sigma = sigma / loss
            spread = spread * np.exp(sigma * np.random.default_rng(0).standard_normal(spread.shape))
        low, high = (at_shares(spread, share) for share in at)
    return Prediction(loss=loss.reshape(n.shape), low=low.reshape(n.shape), high=high.reshape(n.shape), level=level)
