"""The stages of a fit of the data-constrained law: the base law, R_N* and R_D* under it, and all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.catalog import preset
from scaling_core.errors import FitError
from scaling_core.fit.objective import Objective
from scaling_core.fit.parametric import MANY, fit_law
from scaling_core.fit.points import RunPoints
from scaling_core.fit.repeated.bootstrap import BaseStage
from scaling_core.fit.repeated.objective import (
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
from scaling_core.fit.repeated.search import find_stars, settle, thinned
from scaling_core.fit.solver import polish
from scaling_core.language import tn, together
from scaling_core.laws import ChinchillaLaw

PUBLISHED = "muennighoff2023"
"""The preset whose R_N* is held where the runs do not tell of it."""
FEWEST = 3
"""Runs that must repeat data for R_D*, and be in excess for R_N*."""
NOTABLE = 0.1
"""A run repeats data, or is in excess, where R_D or R_N is above this."""
CANDIDATES = 4
"""Starts from which a base law, or all constants together, are polished."""
APART = math.log(2.0)
"""Minima are different where R_N* or R_D* differs by more than a factor of two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a fit was asked for, checked. base: the law that is held, or None. width: of the Huber loss."""

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
class Solved:
    """A solved fit: theta (7,), the objective there, and whether it converged.

    minima (M, 7): natures of the local minima in R_N* and R_D* under the base law that came first, the best one first,
    and their values (M,).
    """

    problem: RepeatedProblem
    theta: FloatArray
    value: float
    converged: bool
    minima: FloatArray
    values: FloatArray

    @property
    def nature(self) -> FloatArray:
        """The nature of the law, (7,)."""
        return np.asarray(self.problem.frame.nature(self.theta[None, :])[0])

    @property
    def excess(self) -> FloatArray:
        """R_N of each run, (n,)."""
        return np.asarray(self.problem.excess(self.nature[None, :])[0])

    @property
    def residuals(self) -> FloatArray:
        """log Lhat - log L of each run, (n,)."""
        return np.asarray(self.problem.fitted(self.theta[None, :]).log_hat[0] - self.problem.log_loss)

    def alternative(self) -> dict[str, float] | None:
        """Constants of the best other minimum, if its objective is within a factor 1 + 1/n of the least one.

        For residuals with a Laplace distribution that is less than one unit of log-likelihood.
        """
        close = self.values <= self.values[0] * (1.0 + 1.0 / self.problem.x.shape[1])
        apart = _apart(self.minima[close])
        return named(apart[1]) if len(apart) > 1 else None

    def scatter(self, size: int) -> tuple[float, float]:
        """Residual sd, with n - size degrees of freedom, in log loss and in what the objective takes residuals of.

        Both are about the least-squares fit next to the optimum, as in `parametric`.
        """
        problem, n = self.problem, self.problem.x.shape[1]
        least = polish(problem, self.theta[None, problem.frame.free], np.ones((1, n)), (math.inf,))
        log_hat = problem.fitted(least.theta).log_hat[0]
        apart = log_hat - problem.log_loss, problem.residual(log_hat, problem.log_loss)
        first, second = (float(np.sqrt((r**2).sum() / max(n - size, 1))) for r in apart)
        return first, second


def base_law(points: RunPoints, options: Options) -> tuple[BaseStage | None, FloatArray]:
    """The fit of the base law, None where it was given, and a nature (7,) that has it beside the published R*.

    It rests on the runs that repeat nothing. Those larger than their data call for would bend a plain Chinchilla law,
    so an R_N* is fitted beside it, and then forgotten. Raises FitError where these runs cannot carry it.
    """
    published = preset(PUBLISHED).law.constants
    start = {name: published[name] for name in FORM.names[BASE:]}
    if options.base is not None:
        return None, nature_from(options.base.constants | start)
    runs: IndexArray = np.flatnonzero(repetitions(points) == 0.0)
    new = points.subset(runs)
    try:
        plain = fit_law(new, shared=options.shared, objective=options.objective, delta=options.width)
    except FitError as error:
        unable = tn(
            "{n} run repeats nothing, and the base law cannot be fitted to it: give a published base law.",
            "{n} runs repeat nothing, and the base law cannot be fitted to them: give a published base law.",
            len(new),
        )
        raise FitError(together(unable, str(error))) from error
    nature = nature_from(plain.law.constants | start)
    problem = make_problem(new, nature, shared=options.shared, joint=True, level=options.level, hold=(STAR_D,))
    larger = int((problem.excess(nature[None, :]) > NOTABLE).sum())
    starts = nature[None, :]
    if larger >= FEWEST and len(new) > options.base_size + 1:
        starts = np.repeat(starts, CANDIDATES, axis=0)
        starts[1:, STAR_N] = np.log(np.geomspace(0.3, 100.0, CANDIDATES - 1))
    else:
        problem = make_problem(
            new, nature, shared=options.shared, joint=True, level=options.level, hold=(STAR_N, STAR_D)
        )
    theta, _, _ = _polished(problem, starts, options.width)
    fitted = named(problem.frame.nature(theta[None, :])[0])
    return BaseStage(problem=problem, theta=theta, runs=runs), nature_from(fitted | start)


def solve(points: RunPoints, nature: FloatArray, options: Options) -> Solved:
    """The optimum over `points`, which are in their sorted order, from a nature (7,) that has the base law."""
    problem = make_problem(points, nature, shared=False, joint=False, level=options.level)
    larger = int((problem.excess(nature[None, :]) > NOTABLE).sum())
    hold = (STAR_N,) if larger < FEWEST else ()
    problem = make_problem(points, nature, shared=False, joint=False, level=options.level, hold=hold)
    theta, small = problem.frame.of_nature(nature[None, :]), thinned(problem, MANY)
    stars = find_stars(small, theta, np.ones((1, small.x.shape[1])), options.width)
    if small is not problem:
        stars = find_stars(problem, stars.best.theta, np.ones((1, len(points))), options.width, keep=0)
    order = np.argsort(stars.found.value, kind="stable")
    minima, values = problem.frame.nature(stars.found.theta[order]), stars.found.value[order]
    best = stars.best.theta[0], float(stars.best.value[0]), bool(stars.best.converged[0])
    if options.joint:
        problem = make_problem(points, minima[0], shared=options.shared, joint=True, level=options.level, hold=hold)
        best = _polished(problem, _apart(minima)[:CANDIDATES], options.width)
    theta, value, converged = best
    return Solved(
        problem=problem,
        theta=theta,
        value=value,
        converged=converged,
        minima=minima,
        values=values,
    )


def _polished(problem: RepeatedProblem, natures: FloatArray, width: float) -> tuple[FloatArray, float, bool]:
    """theta (7,) of the best optimum from several starts (S, 7), its value, and whether it converged.

    Each start goes straight down, and once more from its least-squares fit through ever narrower Huber corners; of many
    runs a part shows which start is best.
    """
    small, free = thinned(problem, MANY), problem.frame.free
    theta = problem.frame.of_nature(natures)
    ones = np.ones((2 * len(theta), small.x.shape[1]))
    smooth = polish(small, theta[:, free], ones[: len(theta)], (math.inf,))
    left = small.fitted(smooth.theta[[smooth.value.argmin()]]).log_hat[0]
    spread = 3.0 * float(np.median(np.abs(small.residual(left, small.log_loss))))
    wide = settle(small, smooth.theta, ones[: len(theta)], width, max(spread, 1e-12))
    last = polish(small, np.concatenate([theta, wide.theta])[:, free], ones, (width,))
    if small is not problem:
        first = last.theta[[last.value.argmin()]]
        last = polish(problem, first[:, free], np.ones((1, problem.x.shape[1])), (width,))
    i = int(last.value.argmin())
    return last.theta[i], float(last.value[i]), bool(last.converged[i])


def _apart(minima: FloatArray) -> FloatArray:
    """Of minima (M, 7), best first, those that are apart from every better one."""
    kept: list[FloatArray] = []
    for one in minima:
        if all(np.abs(one - other)[BASE:].max() > APART for other in kept):
            kept.append(one)
    return np.array(kept)


def nature_from(constants: Mapping[str, float]) -> FloatArray:
    """The nature (7,) of named constants."""
    return np.asarray(nature_of(np.array([[constants[name] for name in FORM.names]]))[0])


def named(nature: FloatArray) -> dict[str, float]:
    """The constants of a nature (7,), by name."""
    return dict(zip(FORM.names, constants_of(nature[None, :])[0].tolist(), strict=True))
