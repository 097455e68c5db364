"""What runs on repeated data cannot say about R_N* and R_D*, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.fit import diagnosis
from scaling_core.fit.points import RunPoints
from scaling_core.fit.repeated.objective import FORM, LEAST_STAR, NATURE, STAR_D, STAR_N, RepeatedProblem
from scaling_core.language import t, tn

FEW = 8
"""With fewer runs that repeat data, or are in excess, the answer rests on single runs."""
RISES = 1.03
"""A loss this many times that of the same model after fewer epochs is overfitting, not noise."""
BEYOND = 3.0
"""R* of this many times the most repetitions seen is an extrapolation."""
_NEAR_BOUND = 0.02
_STARS = {"R_N_star": (STAR_N, "R_N*"), "R_D_star": (STAR_D, "R_D*")}


def about_runs(points: RunPoints, again: BoolArray, larger: BoolArray, *, hold_N: bool) -> list[str]:
    """Sentences about the design: how many runs repeat data, how many are in excess, and which overfit.

    again, larger: which runs do so, (n,) both. hold_N: whether R_N* had to be held.
    """
    said: list[str] = []
    repeated, excess = int(again.sum()), int(larger.sum())
    if repeated < FEW:
        said.append(
            t(
                "Only {repeated} of {runs} runs repeat their data: R_D* rests on these.",
                repeated=repeated,
                runs=len(points),
            )
        )
    if hold_N:
        said.append(_held(excess))
    elif excess < FEW:
        said.append(
            t(
                "Only {excess} of {runs} runs are larger than their data call for: R_N* rests on these.",
                excess=excess,
                runs=len(points),
            )
        )
    risen = overfitted(points)
    if risen.any():
        said.append(
            tn(
                "{n} run has a higher loss than the same model had after fewer epochs on the same data: this law "
                "cannot rise with epochs, so they bend its constants; leave them out and compare.",
                "{n} runs have a higher loss than the same model had after fewer epochs on the same data: this law "
                "cannot rise with epochs, so they bend its constants; leave them out and compare.",
                int(risen.sum()),
            )
        )
    return said


def _held(excess: int) -> str:
    """Why R_N* was held, with so few runs in excess."""
    if excess == 0:
        return t(
            "No run is larger than its unique tokens call for, so R_N* cannot be found: it is held at the value of "
            "Muennighoff et al. 2023."
        )
    return tn(
        "Only {n} run is larger than its unique tokens call for, so R_N* cannot be found: it is held at the value of "
        "Muennighoff et al. 2023.",
        "Only {n} runs are larger than its unique tokens call for, so R_N* cannot be found: it is held at the value of "
        "Muennighoff et al. 2023.",
        excess,
    )


def overfitted(points: RunPoints) -> BoolArray:
    """Which runs lost by going on: loss above RISES times the lowest of the same N and U after fewer tokens, (n,)."""
    unique = points.D if points.unique is None else points.unique
    key = np.round(np.log(np.stack([points.N, unique])), 6)
    _, series = np.unique(key, axis=1, return_inverse=True)
    series = series.ravel()
    result = np.zeros(len(points), dtype=bool)
    for one in np.flatnonzero(np.bincount(series) > 1):
        members = np.flatnonzero(series == one)
        members = members[np.argsort(points.D[members], kind="stable")]
        lowest = np.minimum.accumulate(points.loss[members])
        result[members[1:]] = points.loss[members[1:]] > RISES * lowest[:-1]
    return result


def about_fit(
    points: RunPoints,
    problem: RepeatedProblem,
    nature: FloatArray,
    residuals: FloatArray,
    size: int,
    alternative: Mapping[str, float] | None,
) -> list[str]:
    """Sentences about a fit that exists. nature (7,), residuals (n,), size: constants fitted.

    alternative: constants of a minimum that is as good, or None.
    """
    said: list[str] = []
    most = {STAR_N: float(problem.excess(nature[None, :]).max()), STAR_D: float(problem.repeats.max())}
    for at, shown in _STARS.values():
        if problem.held[at]:
            continue
        value = float(np.exp(nature[at]))
        if nature[at] > problem.frame.high[at - len(nature)] - _NEAR_BOUND:
            said.append(_at_upper(at))
        elif nature[at] < np.log(LEAST_STAR) + _NEAR_BOUND:
            said.append(_at_lower(at))
        elif value > BEYOND * most[at]:
            said.append(
                t(
                    "{star} = {value:.3g} lies beyond the runs, none of which goes further than R = {most:.3g}: read "
                    "it as a lower bound.",
                    star=shown,
                    value=value,
                    most=most[at],
                )
            )
    if alternative is not None:
        said.append(
            t(
                "Another minimum is as good: R_D* = {R_D:.3g} with R_N* = {R_N:.3g}. These runs do not tell the two "
                "apart.",
                R_D=alternative["R_D_star"],
                R_N=alternative["R_N_star"],
            )
        )
    constants = {"E": float(np.exp(nature[0])), "alpha": float(nature[2]), "beta": float(nature[4])}
    return [*said, *diagnosis.warn(points, FORM, size, constants if size > 2 else {}, residuals)]


def _at_upper(at: int) -> str:
    if at == STAR_N:
        return t(
            "R_N* ended at its upper bound: in these runs a parameter in excess is worth as much as a new one, so R_N* "
            "cannot be found."
        )
    return t(
        "R_D* ended at its upper bound: in these runs a repeated token is worth as much as a new one, so R_D* cannot "
        "be found."
    )


def _at_lower(at: int) -> str:
    if at == STAR_N:
        return t("R_N* ended at its lower bound: in these runs a parameter in excess is worth nothing.")
    return t("R_D* ended at its lower bound: in these runs a repeated token is worth nothing.")


def about_intervals(problem: RepeatedProblem, intervals: Mapping[str, tuple[float, float]]) -> list[str]:
    """Sentences where an interval reaches a bound of the search, and so has no end there."""
    said: list[str] = []
    for name, (at, shown) in _STARS.items():
        if name in intervals and np.log(intervals[name][1]) > problem.frame.high[at - len(NATURE)] - _NEAR_BOUND:
            said.append(
                t(
                    "The interval of {star} has no upper end: these runs do not exclude that it is infinite.",
                    star=shown,
                )
            )
    return said
