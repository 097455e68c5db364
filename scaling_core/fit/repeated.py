"""Fit of the data-constrained law: what a repeated token, and a parameter in excess, is worth.

The procedure is that of Muennighoff et al. 2023 (arXiv 2305.16264, section 3.1 and appendix A): a base law of new data
comes first, given or fitted, and R_N* and R_D* are then fitted to all runs, on the sum of Huber losses of log
residuals. All constants can be polished together afterwards. The minimum over R_N* and R_D* is the global one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.catalog import preset
from scaling_core.errors import FitError, InputError
from scaling_core.fit.bootstrap import MOST_RUNS, Resampling, check_resampling, default_resampling
from scaling_core.fit.intervals import Interval, check_interval, interval
from scaling_core.fit.objective import Objective, effective_delta
from scaling_core.fit.parametric import MAX_BOOTSTRAP, fit_law
from scaling_core.fit.points import RunPoints
from scaling_core.fit.repeated_bootstrap import KEEP, LINES, BaseStage, replicate, settle, stars
from scaling_core.fit.repeated_objective import (
    BASE,
    FORM,
    STAR_D,
    STAR_N,
    RepeatedProblem,
    constants_of,
    make_problem,
    nature_of,
    repetitions,
)
from scaling_core.fit.repeated_remarks import about_fit, about_intervals, about_runs
from scaling_core.fit.repeated_result import RepeatedFit
from scaling_core.fit.result import exponents_of
from scaling_core.fit.solver import polish
from scaling_core.laws import ChinchillaLaw, MuennighoffLaw

PUBLISHED = "muennighoff2023"
FEWEST = 3
"""Runs that must repeat data for R_D*, and be in excess for R_N*."""
NOTABLE = 0.1
"""A run repeats data, or is in excess, where R_D or R_N is above this."""
CANDIDATES = 4
"""Minima in R_N* and R_D* from which all constants are polished together."""
APART = math.log(2.0)
"""Minima are different where R_N* or R_D* differs by more than a factor of two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    """What a fit was asked for, checked. width: of the Huber loss."""

    base: ChinchillaLaw | None
    shared: bool
    joint: bool
    objective: Objective
    width: float

    @property
    def level(self) -> bool:
        """Whether residuals are in the loss itself."""
        return self.objective == "ls"

    @property
    def base_size(self) -> int:
        """Constants of the base law that are fitted."""
        return 0 if self.base is not None else BASE - self.shared


@dataclass(frozen=True, kw_only=True, slots=True)
class _Solved:
    """A solved fit. nature (7,). minima: natures of the local minima in R_N* and R_D*, best first, with their values."""

    problem: RepeatedProblem
    theta: FloatArray
    value: float
    converged: bool
    minima: FloatArray
    values: FloatArray

    @property
    def nature(self) -> FloatArray:
        """The nature of the law, (7,)."""
        return self.problem.frame.nature(self.theta[None, :])[0]


def fit_repeated(
    points: RunPoints,
    *,
    base: ChinchillaLaw | None = None,
    shared: bool = True,
    joint: bool = False,
    objective: Objective = "huber-log",
    delta: float = 1e-3,
    bootstrap: int = 0,
    resampling: Resampling | None = None,
    seed: int = 0,
    level: float = 0.95,
    interval_method: Interval = "bias-corrected",
) -> RepeatedFit:
    """Fit R_N* and R_D* of `MuennighoffLaw`, and its base law where none is given, to runs with `unique` tokens.

    base: the law of new data, held. By default it is fitted to the runs whose tokens are all new, with one exponent for
    N and D if `shared`, and with an R_N* of its own, since models too large for their data would bend it. joint: polish
    a fitted base law, R_N* and R_D* together on all runs afterwards. objective, delta, bootstrap, resampling, seed,
    level and interval_method as in `fit_law`; each replicate repeats every stage. R_N* is held at its published value
    where the runs do not tell of it. The order of the runs does not matter. Raises FitError where the runs cannot carry
    the law, InputError for an option that does not exist.
    """
    options = _Options(
        base=base,
        shared=shared and base is None,
        joint=joint,
        objective=objective,
        width=effective_delta(objective, delta),
    )
    if not 0 <= bootstrap <= MAX_BOOTSTRAP:
        raise InputError("bootstrap", bootstrap, f"it must lie between 0 and {MAX_BOOTSTRAP}")
    if not 0 < level < 1:
        raise InputError("level", level, "it must lie between 0 and 1")
    if joint and base is not None:
        raise InputError("joint", joint, "a base law that is given is held: give none, or leave joint out")
    check_resampling(resampling, points.group)
    check_interval(interval_method)
    started = time.perf_counter()
    points = points.sorted()
    _refuse(points, options)
    stage, nature = _base_law(points, options)
    solved, excess = _solve(points, nature, options)
    held = dict(base.constants) if base is not None else {}
    if solved.problem.held[STAR_N]:
        held["R_N_star"] = float(np.exp(nature[STAR_N]))
    size = options.base_size + int((~solved.problem.held[BASE:]).sum())
    constants = _named(solved.nature) | held
    best = np.array(list(constants.values()))
    residuals = solved.problem.fitted(solved.theta[None, :]).log_hat[0] - solved.problem.log_loss
    scale, noise = _scatter(solved, size)
    alternative = None if joint else _alternative(solved, len(points))
    fitted = time.perf_counter()
    repeats = solved.problem.repeats
    warnings = [
        *about_runs(points, repeats > NOTABLE, excess > NOTABLE, hold_N="R_N_star" in held),
        *about_fit(points, solved.problem, solved.nature, residuals, size, alternative),
    ]
    kind = resampling or default_resampling(len(points))
    replicates = scales = None
    intervals: dict[str, tuple[float, float]] = {}
    if bootstrap and len(points) > MOST_RUNS:
        warnings.append(f"More than {MOST_RUNS} runs are not resampled, so there are no intervals: thin the table.")
    elif bootstrap:
        natures, scales, failed = replicate(
            solved.problem,
            solved.theta,
            stage=None if joint else stage,
            delta=options.width,
            scale=noise,
            free=size,
            count=bootstrap,
            seed=seed,
            resampling=kind,
            groups=points.group,
        )
        replicates = constants_of(natures)
        replicates[:, [name in held for name in FORM.names]] = list(held.values())
        if failed > bootstrap // 100:
            warnings.append(f"{failed} of {bootstrap} bootstrap refits did not settle: read the intervals as rough.")
        intervals = _intervals(FORM.names, replicates, best, level, interval_method, without=held)
        warnings += about_intervals(solved.problem, intervals)
    exponents = {name: float(value[0]) for name, value in exponents_of(FORM, best[None, :]).items()}
    spread = {} if replicates is None or base is not None else exponents_of(FORM, replicates)
    return RepeatedFit(
        law=MuennighoffLaw(**constants),
        constants=constants,
        objective=objective,
        delta=options.width if objective == "huber-log" else None,
        weights="equal",
        fixed=held,
        shared=options.shared,
        joint=joint,
        value=solved.value / (options.width if objective == "lad" else 1.0),
        n=len(points),
        repeated=int((repeats > NOTABLE).sum()),
        excess=int((excess > NOTABLE).sum()),
        base_runs=None if stage is None else len(stage.runs),
        alternative=alternative,
        points=points,
        residuals=residuals,
        scale=scale,
        converged=solved.converged,
        warnings=tuple(warnings),
        level=level,
        resampling=kind if replicates is not None else None,
        interval_method=interval_method,
        replicates=replicates,
        replicate_scales=scales,
        intervals=intervals,
        exponents=exponents,
        exponent_intervals=_intervals(
            tuple(spread), np.stack(list(spread.values()), axis=1), np.array(list(exponents.values())), level,
            interval_method, without={},
        ) if spread else {},
        seconds={"fit": fitted - started, "bootstrap": time.perf_counter() - fitted},
    )  # fmt: skip


def _refuse(points: RunPoints, options: _Options) -> None:
    """Raise FitError where no fit exists."""
    if points.unique is None:
        raise FitError("The runs carry no unique tokens: add a column for the unique tokens U of each run.")
    repeated = int((repetitions(points) > NOTABLE).sum())
    if repeated < FEWEST:
        seen = (
            "No run repeats"
            if repeated == 0
            else f"Only {repeated} {'run repeats' if repeated == 1 else 'runs repeat'}"
        )
        raise FitError(
            f"{seen} its data, so R_D* cannot be found: at least {FEWEST} runs with D above their unique tokens are "
            "needed."
        )
    size = options.base_size + 2
    if len(points) <= size:
        raise FitError(
            f"{len(points)} runs cannot carry the {size} constants of this law: at least {size + 1} are needed."
        )


def _base_law(points: RunPoints, options: _Options) -> tuple[BaseStage | None, FloatArray]:
    """How the base law was fitted, None where it was given, and a nature (7,) that has it and the published R_N*."""
    published = preset(PUBLISHED).law
    assert isinstance(published, MuennighoffLaw)
    start = {"R_N_star": published.R_N_star, "R_D_star": published.R_D_star}
    if options.base is not None:
        return None, _nature(options.base.constants | start)
    runs: IndexArray = np.flatnonzero(repetitions(points) == 0.0)
    new = points.subset(runs)
    try:
        plain = fit_law(new, shared=options.shared, objective=options.objective, delta=options.width)
    except FitError as error:
        raise FitError(
            f"The base law cannot be fitted to the {len(new)} runs that repeat nothing ({str(error).rstrip('.')}): give "
            "a published one."
        ) from error
    nature = _nature(plain.constants | start)
    hold: tuple[int, ...] = (STAR_D,)
    problem = make_problem(new, nature, shared=options.shared, joint=True, level=options.level, hold=hold)
    if int((problem.excess(nature[None, :]) > NOTABLE).sum()) < FEWEST or len(new) <= options.base_size + 1:
        hold = (STAR_N, STAR_D)
    problem = make_problem(new, nature, shared=options.shared, joint=True, level=options.level, hold=hold)
    starts = np.repeat(nature[None, :], 1 if STAR_N in hold else CANDIDATES, axis=0)
    starts[1:, STAR_N] = np.log(np.geomspace(0.3, 100.0, CANDIDATES - 1))[: len(starts) - 1]
    theta, _, _ = _polished(problem, starts, options.width)
    return BaseStage(problem=problem, theta=theta, runs=runs), _nature(
        _named(problem.frame.nature(theta[None, :])[0]) | start
    )


def _solve(points: RunPoints, nature: FloatArray, options: _Options) -> tuple[_Solved, FloatArray]:
    """The optimum over `points`, which are in their sorted order, and R_N of each under the base law."""
    problem = make_problem(points, nature, shared=False, joint=False, level=options.level)
    excess = problem.excess(nature[None, :])[0]
    hold = (STAR_N,) if int((excess > NOTABLE).sum()) < FEWEST else ()
    problem = make_problem(points, nature, shared=False, joint=False, level=options.level, hold=hold)
    theta = problem.frame.of_nature(nature[None, :])
    best, found = stars(problem, theta, np.ones((1, len(points))), options.width, lines=LINES, keep=KEEP)
    order = np.argsort(found.value, kind="stable")
    minima, values = problem.frame.nature(found.theta[order]), found.value[order]
    theta, value, converged = best.theta[0], float(best.value[0]), bool(best.converged[0])
    if options.joint:
        problem = make_problem(points, minima[0], shared=options.shared, joint=True, level=options.level, hold=hold)
        theta, value, converged = _polished(problem, _distinct(minima)[:CANDIDATES], options.width)
    return (
        _Solved(problem=problem, theta=theta, value=value, converged=converged, minima=minima, values=values),
        excess,
    )


def _polished(problem: RepeatedProblem, natures: FloatArray, width: float) -> tuple[FloatArray, float, bool]:
    """theta (7,) of the best optimum from several starts (S, 7), its value, and whether it converged.

    Each start goes straight down, and once more from its least-squares fit through ever narrower Huber corners.
    """
    frame, theta = problem.frame, problem.frame.of_nature(natures)
    ones = np.ones((2 * len(theta), problem.x.shape[1]))
    smooth = polish(problem, theta[:, frame.free], ones[: len(theta)], (math.inf,))
    left = problem.fitted(smooth.theta[[smooth.value.argmin()]]).log_hat[0]
    spread = 3.0 * float(np.median(np.abs(problem.residual(left, problem.log_loss))))
    wide = settle(problem, smooth.theta, ones[: len(theta)], width, max(spread, 1e-12))
    starts = np.concatenate([theta, wide.theta])
    last = polish(problem, starts[:, frame.free], ones, (width,))
    i = int(last.value.argmin())
    return last.theta[i], float(last.value[i]), bool(last.converged[i])


def _distinct(minima: FloatArray) -> FloatArray:
    """Of minima (M, 7), best first, those that are apart from every better one."""
    kept: list[FloatArray] = []
    for one in minima:
        if all(np.abs(one - other)[BASE:].max() > APART for other in kept):
            kept.append(one)
    return np.array(kept)


def _alternative(solved: _Solved, n: int) -> dict[str, float] | None:
    """Constants of the best other minimum, if its objective is within a factor 1 + 1/n of the least one.

    For residuals with a Laplace distribution that is less than one unit of log-likelihood.
    """
    close = solved.values <= solved.values[0] * (1.0 + 1.0 / n)
    distinct = _distinct(solved.minima[close])
    return _named(distinct[1]) if len(distinct) > 1 else None


def _scatter(solved: _Solved, size: int) -> tuple[float, float]:
    """Residual sd about the least-squares fit next to the optimum, n - size degrees of freedom: in log loss, and in
    what the objective takes residuals of."""
    problem = solved.problem
    n = problem.x.shape[1]
    least = polish(problem, solved.theta[None, problem.frame.free], np.ones((1, n)), (float("inf"),))
    log_hat = problem.fitted(least.theta).log_hat[0]
    apart = log_hat - problem.log_loss, problem.residual(log_hat, problem.log_loss)
    first, second = (float(np.sqrt((r**2).sum() / max(n - size, 1))) for r in apart)
    return first, second


def _nature(constants: Mapping[str, float]) -> FloatArray:
    """The nature (7,) of named constants."""
    return nature_of(np.array([[constants[name] for name in FORM.names]]))[0]


def _named(nature: FloatArray) -> dict[str, float]:
    """The constants of a nature (7,), by name."""
    return dict(zip(FORM.names, constants_of(nature[None, :])[0].tolist(), strict=True))


def _intervals(
    names: tuple[str, ...],
    replicates: FloatArray,
    estimate: FloatArray,
    level: float,
    method: Interval,
    *,
    without: Mapping[str, float],
) -> dict[str, tuple[float, float]]:
    low, high = interval(replicates, estimate, level, method)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names) if name not in without}
