"""How far a fit can be trusted where it was not fitted: runs left out one at a time, the largest left out, and longer
and longer steps beyond the runs that were fitted.

Errors are relative errors of the loss, |Lhat - L| / L. A law is refitted without the runs it is judged on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.errors import FitError
from scaling_core.fit.forms import form as form_named
from scaling_core.fit.parametric import fit_law, options_of, refit
from scaling_core.fit.points import RunPoints
from scaling_core.fit.result import FitResult, predict

FACTORS = (2.0, 10.0, 100.0, 350.0)
"""By how many times in compute the extrapolations step."""
PROMISED = {10.0: 0.05, 100.0: 0.10, 350.0: 0.20}
"""Relative errors that the talk promises at these steps: 5% at 10x, 10% at 100x, 20% at 350x."""
MOST_LEFT_OUT = 500
"""Of more runs than this, every k-th is left out in turn."""
MOST_CUTS = 12
FEWEST = 2.0
"""A part is fitted where it has at least this many runs for each free constant."""
REACH = math.sqrt(2.0)
"""A run counts as `factor` times beyond a cut when its compute lies within this factor of that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """Runs left out one at a time. index: which of the fit's `points`. error: signed, Lhat / L - 1, same shape."""

    index: IndexArray
    error: FloatArray

    @property
    def median(self) -> float:
        """Median of the absolute errors."""
        return float(np.median(np.abs(self.error)))

    @property
    def worst(self) -> float:
        """Largest absolute error."""
        return float(np.abs(self.error).max())


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Predictions of runs `factor` times the compute of the largest run fitted.

    cuts: how many times the runs were cut. runs: how many predictions that gave. median, worst: absolute relative
    error. covered: the share of them inside the fit's interval, None without one. promised: the error that the talk
    allows, or None. decades: the widest range of compute that was fitted before such a step.
    """

    factor: float
    cuts: int
    runs: int
    median: float
    worst: float
    covered: float | None
    promised: float | None
    decades: float

    @property
    def kept(self) -> bool | None:
        """Whether the median error is within what was promised; None where nothing was."""
        return None if self.promised is None else self.median <= self.promised


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What came of judging a fit.

    left_out: runs one at a time, or None where the fit does not survive it. largest: the runs of most compute, within
    a factor of two of the largest, held out together, or None. steps: one for each of FACTORS that the runs reach;
    missing: those they do not.
    """

    left_out: LeftOut | None
    largest: Step | None
    steps: tuple[Step, ...]
    missing: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON types."""
        out = self.left_out
        return {
            "leave_one_out": out and {"runs": len(out.error), "median": out.median, "worst": out.worst},
            "leave_largest_out": None if self.largest is None else _plain(self.largest),
            "extrapolation": [_plain(step) for step in self.steps],
            "out_of_reach": list(self.missing),
        }


def validate(result: FitResult, *, bootstrap: int = 0, seed: int = 0) -> Validation:
    """Judge a fit by refitting parts of its runs with the same options.

    bootstrap: replicates for the intervals of the extrapolations, 0 for none. Parts that cannot carry the law are
    passed over.
    """
    same = {**options_of(result), "bootstrap": bootstrap, "seed": seed}
    points, compute = result.points, result.points.C
    steps, missing = [], []
    for factor in FACTORS:
        step = _step(points, same, factor)
        if step is None:
            missing.append(factor)
        else:
            steps.append(step)
    top = compute >= compute.max() / 2.0
    below = compute[~top]
    largest = None
    if below.size:
        factor = float(np.median(compute[top]) / below.max())
        largest = _summary(points, same, factor, [(~top, top)])
    return Validation(left_out=leave_one_out(result), largest=largest, steps=tuple(steps), missing=tuple(missing))


def leave_one_out(result: FitResult) -> LeftOut | None:
    """Each run predicted by the fit to all others, re-converged; None where one run fewer cannot carry the law."""
    points = result.points
    n = len(points)
    index = np.arange(0, n, -(-n // MOST_LEFT_OUT))
    masks = np.ones((len(index), n), dtype=bool)
    masks[np.arange(len(index)), index] = False
    try:
        constants = refit(result, masks)
    except FitError:
        return None
    logs = np.stack([np.log(points.variable(variable)) for variable in result.form.variables])
    hat = np.array([result.form.predict(c[None, :], logs[:, [i]])[0, 0] for c, i in zip(constants, index, strict=True)])
    return LeftOut(index=index, error=hat / points.loss[index] - 1.0)


def _step(points: RunPoints, options: Mapping[str, Any], factor: float) -> Step | None:
    """All predictions of runs `factor` times beyond a cut, for up to MOST_CUTS cuts; None where no cut allows it."""
    compute = points.C
    levels = np.unique(np.round(np.log(compute), 2))
    pairs = []
    for level in levels:
        fitted = compute <= math.exp(level) * 1.01
        edge = float(compute[fitted].max()) if fitted.any() else 0.0
        target = (compute >= factor * edge / REACH) & (compute <= factor * edge * REACH) & ~fitted
        if target.any():
            pairs.append((fitted, target))
    chosen = pairs[:: max(1, -(-len(pairs) // MOST_CUTS))]
    return _summary(points, options, factor, chosen)


def _summary(
    points: RunPoints, options: Mapping[str, Any], factor: float, pairs: list[tuple[BoolArray, BoolArray]]
) -> Step | None:
    """Fit the first of each pair, predict the second, and gather the errors; None where no fit was possible."""
    errors, inside, decades, cuts = [], [], 0.0, 0
    for fitted, target in pairs:
        if fitted.sum() < FEWEST * form_named(options["form"]).size:
            continue
        try:
            part = fit_law(points.subset(fitted), **options)
        except FitError:
            continue
        cuts += 1
        seen = predict(part, points.N[target], points.D[target])
        loss = points.loss[target]
        errors.append(np.abs(seen.loss / loss - 1.0))
        if part.replicates is not None:
            inside.append((seen.low <= loss) & (loss <= seen.high))
        decades = max(decades, float(np.ptp(np.log10(points.C[fitted]))))
    if not errors:
        return None
    every = np.concatenate(errors)
    return Step(
        factor=factor,
        cuts=cuts,
        runs=every.size,
        median=float(np.median(every)),
        worst=float(every.max()),
        covered=float(np.concatenate(inside).mean()) if inside else None,
        promised=PROMISED.get(factor),
        decades=decades,
    )


def _plain(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in step.__slots__} | {"kept": step.kept}
