"""Approach 3: the constants of a law through all runs at once, to the exact optimum, with replicates and sentences."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.fit import diagnosis
from scaling_core.fit.bootstrap import (
    MOST_RUNS,
    Resampling,
    check_resampling,
    default_interval,
    default_resampling,
    replicate,
)
from scaling_core.fit.forms import ONE_EXPONENT, Constraint, Form
from scaling_core.fit.forms import form as form_named
from scaling_core.fit.frame import make_frame
from scaling_core.fit.intervals import Interval, check_interval, interval
from scaling_core.fit.objective import Objective, Problem, effective_delta
from scaling_core.fit.points import RunPoints
from scaling_core.fit.result import FitResult, exponents_of
from scaling_core.fit.solver import Solution, grid_starts, polish
from scaling_core.fit.told import choice, no_intervals, unsettled, within
from scaling_core.language import t

MAX_BOOTSTRAP = 100_000
MANY = 20_000
"""Above this many runs all but the best start are polished on a part of them."""
Weights = Literal["equal", "se"]
WEIGHTS: tuple[Weights, ...] = ("equal", "se")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    """What a fit was asked for, checked. width: of the Huber loss. held: the constants that are given."""

    form: Form
    objective: Objective
    width: float
    held: Mapping[str, float]
    constraints: tuple[Constraint, ...]

    @property
    def size(self) -> int:
        """Constants that are free."""
        return self.form.size - len(self.constraints)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Solved:
    """A solved fit: constants (m,), residuals log Lhat - log L (n,), and how far runs scatter about the law.

    scale, noise: residual sd with n - p degrees of freedom, in log loss and in what the objective takes residuals of.
    Both come from the least-squares fit next to the optimum, whose residuals alone have that expectation: a robust fit
    leaves larger ones behind, and intervals made from those are too wide.
    """

    problem: Problem
    theta: FloatArray
    constants: FloatArray
    residuals: FloatArray
    scale: float
    noise: float
    value: float
    converged: bool


def fit_law(
    points: RunPoints,
    *,
    form: str = "chinchilla",
    objective: Objective = "huber-log",
    delta: float = 1e-3,
    weights: Weights = "equal",
    fixed: Mapping[str, float] | None = None,
    shared: bool = False,
    bootstrap: int = 0,
    resampling: Resampling | None = None,
    interval_method: Interval | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> FitResult:
    """Minimise sum_i rho(r_i) over the constants of a form, to the optimum, and resample it `bootstrap` times.

    points: n runs. form: one of `FORMS`. objective: huber-log (Hoffmann et al. 2022, eq. 3), lad, ls-log (all on log
    loss) or ls (on the loss). weights: `se` scales each residual by 1/sqrt(se^2 + tau^2), tau the scatter that the
    standard errors leave unexplained (DerSimonian & Laird 1986). fixed: constants held at a value. shared: one exponent
    for N and D (beta = alpha). resampling: 'pairs', 'cluster' or 'residual', by default what suits n. interval_method:
    'bias-corrected' or 'percentile', by default what covers best (`data/coverage.csv`). level: of the intervals. The
    order of the runs does not matter. Raises FitError where the runs cannot carry the law, InputError for an option
    that does not exist.
    """
    options = _options(form, objective, delta, fixed, shared)
    if not 0 <= bootstrap <= MAX_BOOTSTRAP:
        raise InputError("bootstrap", bootstrap, within(0, MAX_BOOTSTRAP))
    if not 0 < level < 1:
        raise InputError("level", level, within(0, 1))
    check_resampling(resampling, points.group)
    if interval_method is not None:
        check_interval(interval_method)
    if weights not in WEIGHTS:
        raise InputError("weights", weights, choice(WEIGHTS))
    if weights == "se" and points.se is None:
        raise InputError("weights", weights, t("the runs carry no standard errors; give a column se"))
    diagnosis.refuse(points, options.form, options.size, free=_free_exponents(options))
    started = time.perf_counter()
    points = points.sorted()
    solved = _solve(points, options, None)
    if weights == "se":
        solved = _solve(points, options, _precision(points, solved, level_loss=objective == "ls"))
    without = _without_outliers(points, options, solved)
    fitted = time.perf_counter()
    shape, constants = options.form, dict(zip(options.form.names, solved.constants.tolist(), strict=True))
    warnings: list[str] = [*diagnosis.warn(points, shape, options.size, constants, solved.residuals)]
    if not solved.converged:
        warnings.append(
            t("The optimum lies in a flat valley that was not walked to its end: these runs hardly fix the law.")
        )
    if without is not None:
        warnings.append(diagnosis.outlier_sentence(points, shape, solved.residuals, solved.constants, *without))
    replicates = scales = None
    kind = resampling or default_resampling(len(points))
    method = interval_method or default_interval(kind)
    if bootstrap and len(points) > MOST_RUNS:
        warnings.append(no_intervals(MOST_RUNS))
    elif bootstrap:
        thetas, scales, failed = replicate(
            solved.problem,
            solved.theta,
            delta=options.width,
            scale=solved.noise,
            count=bootstrap,
            seed=seed,
            resampling=kind,
            groups=points.group,
        )
        replicates = shape.constants_of(solved.problem.frame.nature(thetas))
        if failed > bootstrap // 100:
            warnings.append(unsettled(failed, bootstrap))
    exponents = exponents_of(shape, solved.constants[None, :])
    intervals: dict[str, tuple[float, float]] = {}
    exponent_intervals: dict[str, tuple[float, float]] = {}
    if replicates is not None:
        intervals = _intervals(shape.names, replicates, solved.constants, level, method)
        spread = np.stack(list(exponents_of(shape, replicates).values()), axis=1) if exponents else replicates[:, :0]
        best = np.array([float(value[0]) for value in exponents.values()])
        exponent_intervals = _intervals(tuple(exponents), spread, best, level, method)
    return FitResult(
        form=shape,
        law=shape.law(solved.constants),
        constants=constants,
        objective=objective,
        delta=options.width if objective == "huber-log" else None,
        weights=weights,
        fixed=dict(fixed or {}),
        shared=shared,
        value=solved.value / (options.width if objective == "lad" else 1.0),
        n=len(points),
        points=points,
        residuals=solved.residuals,
        scale=solved.scale,
        converged=solved.converged,
        warnings=tuple(warnings),
        level=level,
        resampling=kind if replicates is not None else None,
        interval_method=method,
        replicates=replicates,
        replicate_scales=scales,
        intervals=intervals,
        exponents={name: float(value[0]) for name, value in exponents.items()},
        exponent_intervals=exponent_intervals,
        seconds={"fit": fitted - started, "bootstrap": time.perf_counter() - fitted},
    )


def options_of(result: FitResult) -> dict[str, Any]:
    """The keywords of `fit_law` that made a result, but for those of its bootstrap."""
    return {
        "form": result.form.name,
        "objective": result.objective,
        "delta": result.delta or 1e-3,
        "weights": result.weights,
        "fixed": result.fixed,
        "shared": result.shared,
    }


def refit(result: FitResult, masks: BoolArray) -> FloatArray:
    """Constants of the same fit to parts of its runs, all re-converged together from the whole: masks (M, n) -> (M, m).

    Raises FitError where the smallest part cannot carry the law.
    """
    given, points = options_of(result), result.points
    weighted = given.pop("weights") == "se"
    options = _options(**given)
    smallest = points.subset(masks[int(masks.sum(axis=1).argmin())])
    diagnosis.refuse(smallest, options.form, options.size, free=_free_exponents(options))
    solved = _solve(points, options, None)
    if weighted:
        solved = _solve(points, options, _precision(points, solved, level_loss=options.objective == "ls"))
    frame = solved.problem.frame
    starts = np.repeat(solved.theta[None, frame.free], len(masks), axis=0)
    again = polish(solved.problem, starts, masks.astype(np.float64), (options.width,), tolerance=1e-10)
    return options.form.constants_of(frame.nature(again.theta))


def _options(
    form: str, objective: Objective, delta: float, fixed: Mapping[str, float] | None, shared: bool
) -> _Options:
    shape = form_named(form)
    constraints = shape.fixing(fixed or {})
    if shared:
        if shape.name != "chinchilla":
            allowed = t("one exponent for N and D is a choice of the chinchilla form only")
            raise InputError("shared", shape.name, allowed)
        if fixed and {"alpha", "beta"} <= set(fixed):
            allowed = t("hold at most one of them where they are to be equal")
            raise InputError("shared", t("alpha and beta fixed"), allowed)
        if fixed and "beta" in fixed:  # beta = alpha is an equation for beta, so the value is put on alpha
            constraints = shape.fixing({("alpha" if name == "beta" else name): x for name, x in fixed.items()})
        constraints = (*constraints, ONE_EXPONENT)
    width = effective_delta(objective, delta)
    return _Options(form=shape, objective=objective, width=width, held=dict(fixed or {}), constraints=constraints)


def _free_exponents(options: _Options) -> tuple[bool, ...]:
    """For each variable whether its exponent is free."""
    first = int(options.form.offset)
    held = {one.pivot for one in (*options.form.own, *options.constraints) if not one.others}
    return tuple(first + 2 * k + 1 not in held for k in range(len(options.form.variables)))


def _solve(points: RunPoints, options: _Options, precision: FloatArray | None) -> _Solved:
    """The optimum over `points`, which are in their sorted order."""
    shape, width = options.form, options.width
    logs = np.stack([np.log(points.variable(variable)) for variable in shape.variables])
    log_loss = np.log(points.loss)
    frame = make_frame(shape, logs, float(log_loss.mean()), options.constraints)
    x = (logs - frame.centre[:, None]) / frame.scale[:, None]
    problem = Problem(frame=frame, x=x, log_loss=log_loss, precision=precision, level=options.objective == "ls")
    ones = np.ones(len(points))
    starts = grid_starts(problem, ones, width)
    deltas = _approach_from(problem, frame.theta(starts[:1]), width)
    if len(points) > MANY:
        thin = slice(None, None, -(-len(points) // MANY))
        part = replace(
            problem, x=x[:, thin], log_loss=log_loss[thin], precision=None if precision is None else precision[thin]
        )
        first = _polish_all(part, starts, deltas)
        starts = first.theta[np.argmin(first.value)][None, frame.free]
        deltas = deltas[-1:]
    solution = _polish_all(problem, starts, deltas)
    best = int(np.argmin(solution.value))
    theta = solution.theta[best]
    at = problem.fitted(theta[None, :])
    constants = shape.constants_of(frame.nature(theta[None, :]))[0]
    for name, value in options.held.items():
        constants[shape.names.index(name)] = value  # to the last digit, and zero where zero was asked for
    least = polish(problem, theta[None, frame.free], np.ones((1, len(points))), (float("inf"),))
    least_log_hat = problem.fitted(least.theta).log_hat
    scatter = (least_log_hat[0] - log_loss) * (1.0 if precision is None else precision)
    return _Solved(
        problem=problem,
        theta=theta,
        constants=constants,
        residuals=at.log_hat[0] - log_loss,
        scale=_spread(scatter, options.size),
        noise=_spread(problem.residual(least_log_hat, log_loss), options.size),
        value=float(solution.value[best]),
        converged=bool(solution.converged[best]),
    )


def _polish_all(problem: Problem, starts: FloatArray, deltas: tuple[float, ...]) -> Solution:
    return polish(problem, starts, np.ones((len(starts), problem.x.shape[1])), deltas, distinct=True)


def _spread(residuals: FloatArray, size: int) -> float:
    """Residual standard deviation with n - p degrees of freedom."""
    return float(np.sqrt((residuals**2).sum() / max(residuals.size - size, 1)))


def _precision(points: RunPoints, solved: _Solved, *, level_loss: bool) -> FloatArray:
    """1 / sqrt(se^2 + tau^2) of each run, scaled to a mean square of one; se over the loss where residuals are logs."""
    se = np.ones(len(points)) if points.se is None else points.se
    variance = (se if level_loss else se / points.loss) ** 2
    residuals = solved.residuals * (points.loss if level_loss else 1.0)
    spread = float(np.median(np.abs(residuals))) * 1.4826
    tau = max(spread**2 - float(np.median(variance)), 0.0)
    precision = 1.0 / np.sqrt(variance + tau + 1e-300)
    return np.asarray(precision / np.sqrt((precision**2).mean()))


def _without_outliers(points: RunPoints, options: _Options, solved: _Solved) -> tuple[BoolArray, FloatArray] | None:
    """Which runs lie far off, and the constants of the fit without them; None where none do or too few are left."""
    far = diagnosis.outliers(solved.residuals)
    if not far.any() or len(points) - int(far.sum()) <= options.size:
        return None
    try:
        diagnosis.refuse(points.subset(~far), options.form, options.size, free=_free_exponents(options))
    except FitError:
        return None
    frame, start = solved.problem.frame, solved.theta[None, solved.problem.frame.free]
    again = polish(solved.problem, start, (~far).astype(np.float64)[None, :], (options.width,))
    return far, options.form.constants_of(frame.nature(again.theta))[0]


def _approach_from(problem: Problem, start: FloatArray, delta: float) -> tuple[float, ...]:
    """Huber widths from the spread of the best start down to delta, a factor of about four at a time."""
    log_hat = problem.fitted(start).log_hat
    spread = float(np.median(np.abs(problem.residual(log_hat, problem.log_loss)))) * 3.0
    if not np.isfinite(delta) or delta >= spread:
        return (delta,)
    count = int(np.ceil(np.log(spread / delta) / np.log(4.0)))
    return tuple(float(width) for width in np.geomspace(spread, delta, count + 1))


def _intervals(
    names: tuple[str, ...], replicates: FloatArray, estimate: FloatArray, level: float, method: Interval
) -> dict[str, tuple[float, float]]:
    if not names:
        return {}
    low, high = interval(replicates, estimate, level, method)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}
