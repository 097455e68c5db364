"""Fit a law to runs: exact optimum, bootstrap intervals, and sentences about what the data cannot say.

    result = fit_law(RunPoints.of(N=..., D=..., loss=...), bootstrap=1000)
    predict(result, N=70e9, D=1.4e12)

Objective and data: Hoffmann et al. 2022, section 3.3 (approach 3); Besiroglu et al. 2024 for its intervals.
"""

from __future__ import annotations

import time

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.fit.bootstrap import Resampling, default_resampling, replicate
from scaling_core.fit.diagnosis import refuse, warn
from scaling_core.fit.forms import FORMS, FittedLaw, Form
from scaling_core.fit.forms import form as form_named
from scaling_core.fit.objective import OBJECTIVES, Objective, Problem, effective_delta
from scaling_core.fit.points import RunPoints, read_csv
from scaling_core.fit.result import FitResult, Prediction, predict
from scaling_core.fit.solver import STARTS, grid_starts, polish

MAX_BOOTSTRAP = 100_000


def fit_law(
    points: RunPoints,
    *,
    form: str = "chinchilla",
    objective: Objective = "huber-log",
    delta: float = 1e-3,
    bootstrap: int = 0,
    resampling: Resampling | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> FitResult:
    """Minimise sum_i rho(r_i) over the constants of a form, to the optimum, and resample it `bootstrap` times.

    points: n runs. form: one of `FORMS`. objective: huber-log (Hoffmann et al. 2022, eq. 3), lad, ls-log (all on log
    loss) or ls (on the loss). resampling: 'pairs' or 'residual', by default what suits n. level: of the intervals.
    The order of the runs does not matter. Raises FitError where the runs cannot carry the law, InputError for an
    option that does not exist.
    """
    shape = form_named(form)
    width = effective_delta(objective, delta)
    if not 0 <= bootstrap <= MAX_BOOTSTRAP:
        raise InputError("bootstrap", bootstrap, f"it must lie between 0 and {MAX_BOOTSTRAP}")
    if not 0 < level < 1:
        raise InputError("level", level, "it must lie between 0 and 1")
    refuse(points, shape)
    started = time.perf_counter()
    points = points.sorted()
    logs = np.stack([np.log(points.variable(variable)) for variable in shape.variables])
    centre, scales = logs.mean(axis=1), logs.std(axis=1)
    x = (logs - centre[:, None]) / scales[:, None]
    problem = Problem(form=shape, x=x, log_loss=np.log(points.loss), level=objective == "ls")
    weights = np.ones(len(points))
    starts = grid_starts(problem, scales, weights, width, STARTS)
    solution = polish(
        problem,
        starts,
        np.repeat(weights[None, :], len(starts), axis=0),
        _approach_from(problem, starts, width),
        scales=scales,
    )
    best = int(np.argmin(solution.value))
    theta = solution.theta[best]
    constants = _constants(shape, theta[None, :], centre, scales)
    residuals = shape.predict(constants, logs)[0]
    residuals = np.log(residuals) - np.log(points.loss)
    spread = float(np.sqrt((residuals**2).sum() / max(len(points) - shape.size, 1)))
    fitted = time.perf_counter()
    replicates = replicate_scales = None
    warnings = list(warn(points, shape, constants[0], residuals))
    kind = resampling or default_resampling(len(points))
    if bootstrap:
        thetas, replicate_scales, failed = replicate(
            problem, theta, delta=width, scales=scales, scale=spread, count=bootstrap, seed=seed, resampling=kind
        )
        replicates = _constants(shape, thetas, centre, scales)
        if failed > bootstrap // 100:
            warnings.append(f"{failed} of {bootstrap} bootstrap refits did not settle: read the intervals as rough.")
    named = dict(zip(shape.names, (float(value) for value in constants[0]), strict=True))
    exponents, exponent_intervals = _exponents(named, replicates, level)
    return FitResult(
        form=shape,
        law=shape.law(constants[0]),
        constants=named,
        objective=objective,
        delta=width if objective == "huber-log" else None,
        value=float(solution.value[best]) / (width if objective == "lad" else 1.0),
        n=len(points),
        points=points,
        residuals=residuals,
        scale=spread,
        converged=bool(solution.converged[best]),
        warnings=tuple(warnings),
        level=level,
        resampling=kind if bootstrap else None,
        replicates=replicates,
        replicate_scales=replicate_scales,
        intervals={} if replicates is None else _intervals(shape.names, replicates, level),
        exponents=exponents,
        exponent_intervals=exponent_intervals,
        seconds={"fit": fitted - started, "bootstrap": time.perf_counter() - fitted},
    )


def _constants(shape: Form, theta: FloatArray, centre: FloatArray, scales: FloatArray) -> FloatArray:
    """Constants in log x from solver parameters in (log x - centre) / scale."""
    theta = theta.copy()
    first = int(shape.offset)
    theta[:, first + 1 :: 2] /= scales
    return shape.constants_of(theta, centre)


def _approach_from(problem: Problem, starts: FloatArray, delta: float) -> tuple[float, ...]:
    """Huber widths from the spread of the best start down to delta, a factor of about four at a time."""
    log_hat, _ = problem.terms(starts[:1])
    spread = float(np.median(np.abs(problem.residual(log_hat, problem.log_loss)))) * 3.0
    if not np.isfinite(delta) or delta >= spread:
        return (delta,)
    count = int(np.ceil(np.log(spread / delta) / np.log(4.0)))
    return tuple(float(width) for width in np.geomspace(spread, delta, count + 1))


def _intervals(names: tuple[str, ...], replicates: FloatArray, level: float) -> dict[str, tuple[float, float]]:
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}


def _exponents(
    constants: dict[str, float], replicates: FloatArray | None, level: float
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """a = beta / (alpha + beta) and b = 1 - a, Hoffmann et al. 2022, eq. 4; empty for a law of one variable."""
    if "alpha" not in constants:
        return {}, {}
    a = constants["beta"] / (constants["alpha"] + constants["beta"])
    exponents = {"a": a, "b": 1.0 - a}
    if replicates is None:
        return exponents, {}
    spread = replicates[:, 4] / (replicates[:, 3] + replicates[:, 4])
    return exponents, _intervals(("a", "b"), np.stack([spread, 1.0 - spread], axis=1), level)


__all__ = [
    "FORMS",
    "OBJECTIVES",
    "FitResult",
    "FittedLaw",
    "Prediction",
    "RunPoints",
    "fit_law",
    "predict",
    "read_csv",
]
