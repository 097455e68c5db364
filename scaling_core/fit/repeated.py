"""Fit of the data-constrained law: what a repeated token, and a parameter in excess, is worth.

The procedure is that of Muennighoff et al. 2023 (arXiv 2305.16264, section 3.1 and appendix A): a base law on new data
comes first, given or fitted, and R_N* and R_D* are then fitted to all runs, on the sum of Huber losses of log
residuals. All constants can be polished together afterwards. The minimum over R_N* and R_D* is the global one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.catalog import preset
from scaling_core.errors import FitError, InputError
from scaling_core.fit.bootstrap import MOST_RUNS, Resampling, check_resampling, default_resampling
from scaling_core.fit.forms import FORMS, ONE_EXPONENT
from scaling_core.fit.frame import make_frame
from scaling_core.fit.intervals import Interval, check_interval, interval
from scaling_core.fit.objective import Objective, Problem, effective_delta
from scaling_core.fit.parametric import MAX_BOOTSTRAP, fit_law
from scaling_core.fit.points import RunPoints
from scaling_core.fit.repeated_bootstrap import KEEP, LINES, BaseStage, replicate, stars, widths
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
"""A run counts as repeated, or in excess, where R_D or R_N is above this."""
ROUNDS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    """What a fit was asked for, checked. width: of the Huber loss."""

    base: ChinchillaLaw | None
    shared: bool
    joint: bool
    objective: Objective
    width: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Base:
    """The base law. runs: which runs it rests on, stage: its fit, both None where it was given."""

    law: ChinchillaLaw
    runs: BoolArray | None
    stage: BaseStage | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Solved:
    """A solved fit: theta (7,), nature (7,), the objective, and a minimum elsewhere that is as good, (7,) or None."""

    problem: RepeatedProblem
    theta: FloatArray
    nature: FloatArray
    value: float
    converged: bool
    other: FloatArray | None


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

    base: the law of new data, held; by default it is fitted to the runs whose tokens are all new and whose size is not
    in excess, with one exponent for N and D if `shared`. joint: polish the fitted base law and R_N*, R_D* together on
    all runs afterwards. objective, delta, bootstrap, resampling, seed, level and interval_method as in `fit_law`; each
    replicate repeats every stage. R_N* is held at its published value where no run tells of it. The order of the runs
    does not matter. Raises FitError where the runs cannot carry the law, InputError for an option that does not exist.
    """
    width = effective_delta(objective, delta)
    if not 0 <= bootstrap <= MAX_BOOTSTRAP:
        raise InputError("bootstrap", bootstrap, f"it must lie between 0 and {MAX_BOOTSTRAP}")
    if not 0 < level < 1:
        raise InputError("level", level, "it must lie between 0 and 1")
    if joint and base is not None:
        raise InputError("joint", joint, "it must be false where a base law is given, which is held")
    check_resampling(resampling, points.group)
    check_interval(interval_method)
    options = _Options(base=base, shared=shared and base is None, joint=joint, objective=objective, width=width)
    started = time.perf_counter()
    points = points.sorted()
    repeated = _refuse(points)
    found = _base_law(points, options)
    solved, excess = _solve(points, options, found)
    free = int((~solved.problem.held).sum()) - (options.joint and options.shared)
    fitted_base = 0 if base is not None or joint else BASE - shared
    size = free + fitted_base
    if len(points) <= size:
        raise FitError(f"{len(points)} runs cannot carry the {size} constants of this law: at least {size + 1} are needed.")
    residuals = solved.problem.fitted(solved.theta[None, :]).log_hat[0] - solved.problem.log_loss
    constants = constants_of(solved.nature[None, :])[0]
    if base is not None:
        constants[:BASE] = list(base.constants.values())
    named = dict(zip(FORM.names, constants.tolist(), strict=True))
    scale, noise = _scatter(solved, size)
    fitted = time.perf_counter()
    held = {} if base is None else base.constants
    if solved.problem.held[STAR_N]:
        held = {**held, "R_N_star": named["R_N_star"]}
    alternative = None
    if solved.other is not None:
        alternative = dict(zip(FORM.names, constants_of(solved.other[None, :])[0].tolist(), strict=True))
    warnings = [
        *found.remarks,
        *about_runs(points, repeated, excess, hold_N="R_N_star" in held),
        *about_fit(points, solved.problem, solved.nature, residuals, size, alternative),
    ]
    replicates = scales = None
    kind = resampling or default_resampling(len(points))
    intervals: dict[str, tuple[float, float]] = {}
    exponent_intervals: dict[str, tuple[float, float]] = {}
    exponents = exponents_of(FORM, constants[None, :])
    if bootstrap and len(points) > MOST_RUNS:
        warnings.append(f"More than {MOST_RUNS} runs are not resampled, so there are no intervals: thin the table.")
    elif bootstrap:
        natures, scales, failed = replicate(
            solved.problem,
            solved.theta,
            stage=found.stage if not joint else None,
            delta=width,
            scale=noise,
            free=size,
            count=bootstrap,
            seed=seed,
            resampling=kind,
            groups=points.group,
        )
        replicates = constants_of(natures)
        if failed > bootstrap // 100:
            warnings.append(f"{failed} of {bootstrap} bootstrap refits did not settle: read the intervals as rough.")
        replicates[:, [name in held for name in FORM.names]] = list(held.values())
        low, high = interval(replicates, constants, level, interval_method)
        intervals = {
            name: (float(low[i]), float(high[i])) for i, name in enumerate(FORM.names) if name not in held
        }
        warnings += about_intervals(solved.problem, intervals)
        if base is None:
            spread = np.stack(list(exponents_of(FORM, replicates).values()), axis=1)
            best = np.array([float(value[0]) for value in exponents.values()])
            low, high = interval(spread, best, level, interval_method)
            exponent_intervals = {name: (float(low[i]), float(high[i])) for i, name in enumerate(exponents)}
    return RepeatedFit(
        law=MuennighoffLaw(**named),
        constants=named,
        objective=objective,
        delta=width if objective == "huber-log" else None,
        weights="equal",
        fixed=dict(held),
        shared=options.shared,
        joint=joint,
        value=solved.value / (width if objective == "lad" else 1.0),
        n=len(points),
        repeated=int((repeated > NOTABLE).sum()),
        excess=int((excess > NOTABLE).sum()),
        base_runs=None if found.runs is None else int(found.runs.sum()),
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
        exponents={name: float(value[0]) for name, value in exponents.items()},
        exponent_intervals=exponent_intervals,
        seconds={"fit": fitted - started, "bootstrap": time.perf_counter() - fitted},
    )
