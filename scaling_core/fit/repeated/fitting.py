"""Fit of the data-constrained law: what a repeated token, and a parameter in excess, is worth.

The procedure is that of Muennighoff et al. 2023 (arXiv 2305.16264, section 3.1 and appendix A): a base law of new data
comes first, given or fitted, and R_N* and R_D* are then fitted to all runs, on the sum of Huber losses of log
residuals. All constants can be polished together afterwards. The minimum over R_N* and R_D* is the global one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.fit.bootstrap import MOST_RUNS, Resampling, check_resampling, default_resampling
from scaling_core.fit.intervals import Interval, check_interval, interval
from scaling_core.fit.objective import Objective, effective_delta
from scaling_core.fit.parametric import MAX_BOOTSTRAP
from scaling_core.fit.points import RunPoints
from scaling_core.fit.repeated.bootstrap import replicate
from scaling_core.fit.repeated.objective import BASE, FORM, STAR_N, constants_of, repetitions
from scaling_core.fit.repeated.remarks import about_fit, about_intervals, about_runs
from scaling_core.fit.repeated.result import RepeatedFit, predict_repeated
from scaling_core.fit.repeated.solve import FEWEST, NOTABLE, Options, base_law, named, solve
from scaling_core.fit.result import exponents_of
from scaling_core.fit.told import no_intervals, unsettled, within
from scaling_core.language import t, tn
from scaling_core.laws import ChinchillaLaw, MuennighoffLaw

__all__ = ["RepeatedFit", "fit_repeated", "predict_repeated"]


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
    a fitted base law, R_N* and R_D* together on all runs afterwards, which halves the scatter of both where the law
    holds. objective, delta, bootstrap, resampling, seed, level and interval_method as in `fit_law`; each replicate
    repeats every stage. R_N* is held at its published value where the runs do not tell of it. The order of the runs
    does not matter. Raises FitError where the runs cannot carry the law, InputError for an option that does not exist.
    """
    options = Options(
        base=base,
        shared=shared and base is None,
        joint=joint,
        objective=objective,
        width=effective_delta(objective, delta),
    )
    if not 0 <= bootstrap <= MAX_BOOTSTRAP:
        raise InputError("bootstrap", bootstrap, within(0, MAX_BOOTSTRAP))
    if not 0 < level < 1:
        raise InputError("level", level, within(0, 1))
    if joint and base is not None:
        raise InputError("joint", joint, t("a base law that is given is held: give none, or leave joint out"))
    check_resampling(resampling, points.group)
    check_interval(interval_method)
    started = time.perf_counter()
    points = points.sorted()
    _refuse(points, options)
    stage, nature = base_law(points, options)
    solved = solve(points, nature, options)
    held = {} if base is None else dict(base.constants)
    if solved.problem.held[STAR_N]:
        held["R_N_star"] = named(nature)["R_N_star"]
    size = options.base_size + int((~solved.problem.held[BASE:]).sum())
    best = np.array(list((named(solved.nature) | held).values()))
    law = FORM.law(best)
    assert isinstance(law, MuennighoffLaw)
    scale, noise = solved.scatter(size)
    again, larger = solved.problem.repeats > NOTABLE, solved.excess > NOTABLE
    alternative = None if joint else solved.alternative()
    fitted = time.perf_counter()
    warnings = [
        *about_runs(points, again, larger, hold_N="R_N_star" in held),
        *about_fit(points, solved.problem, solved.nature, solved.residuals, size, alternative),
    ]
    kind = resampling or default_resampling(len(points) if stage is None or joint else len(stage.runs))
    exponents = {name: value[0] for name, value in exponents_of(FORM, best[None, :]).items()}
    replicates = scales = None
    intervals: dict[str, tuple[float, float]] = {}
    exponent_intervals: dict[str, tuple[float, float]] = {}
    if bootstrap and len(points) > MOST_RUNS:
        warnings.append(no_intervals(MOST_RUNS))
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
            warnings.append(unsettled(failed, bootstrap))
        columns = dict(zip(FORM.names, replicates.T, strict=True))
        free = {name: column for name, column in columns.items() if name not in held}
        intervals = _intervals(free, law.constants, level, interval_method)
        warnings += about_intervals(solved.problem, intervals)
        if base is None:
            exponent_intervals = _intervals(exponents_of(FORM, replicates), exponents, level, interval_method)
    return RepeatedFit(
        law=law,
        constants=law.constants,
        objective=objective,
        delta=options.width if objective == "huber-log" else None,
        fixed=held,
        shared=options.shared,
        joint=joint,
        value=solved.value / (options.width if objective == "lad" else 1.0),
        n=len(points),
        repeated=int(again.sum()),
        excess=int(larger.sum()),
        base_runs=None if stage is None else len(stage.runs),
        alternative=alternative,
        points=points,
        residuals=solved.residuals,
        scale=scale,
        converged=solved.converged,
        warnings=tuple(warnings),
        level=level,
        resampling=kind if replicates is not None else None,
        interval_method=interval_method,
        replicates=replicates,
        replicate_scales=scales,
        intervals=intervals,
        exponents={name: float(value) for name, value in exponents.items()},
        exponent_intervals=exponent_intervals,
        seconds={"fit": fitted - started, "bootstrap": time.perf_counter() - fitted},
    )


def _refuse(points: RunPoints, options: Options) -> None:
    """Raise FitError where no fit exists, InputError for a base law with which there is no optimal size."""
    if options.base is not None:
        MuennighoffLaw(**options.base.constants, R_N_star=1.0, R_D_star=1.0)
    if points.unique is None:
        raise FitError(t("The runs do not say how many of their tokens are unique: add a column for U."))
    repeated = int((repetitions(points) > NOTABLE).sum())
    if repeated < FEWEST:
        raise FitError(_too_few_repeat(repeated))
    size = options.base_size + 2
    if len(points) <= size:
        raise FitError(
            tn(
                "{n} run cannot carry the {size} constants of this law: at least {least} are needed.",
                "{n} runs cannot carry the {size} constants of this law: at least {least} are needed.",
                len(points),
                size=size,
                least=size + 1,
            )
        )


def _too_few_repeat(repeated: int) -> str:
    if repeated == 0:
        return t(
            "No run repeats its data, so R_D* cannot be found: at least {fewest} runs must see more tokens than are "
            "unique.",
            fewest=FEWEST,
        )
    return tn(
        "Only {n} run repeats its data, so R_D* cannot be found: at least {fewest} runs must see more tokens than are "
        "unique.",
        "Only {n} runs repeat their data, so R_D* cannot be found: at least {fewest} runs must see more tokens than "
        "are unique.",
        repeated,
        fewest=FEWEST,
    )


def _intervals(
    replicates: Mapping[str, FloatArray], estimate: Mapping[str, float], level: float, method: Interval
) -> dict[str, tuple[float, float]]:
    """Interval of each quantity from its replicates, (R,) each."""
    best = np.array([estimate[name] for name in replicates])
    low, high = interval(np.stack(list(replicates.values()), axis=1), best, level, method)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(replicates)}
