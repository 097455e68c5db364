"""What the data cannot say, in sentences, before any number is shown."""

from __future__ import annotations

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError
from scaling_core.fit.forms import Form
from scaling_core.fit.points import RunPoints
from scaling_core.fit.solver import EXPONENT_BOUNDS
from scaling_core.units import format_quantity

NARROW_DECADES = 2.0
"""Below this many decades of compute a fitted law says little about larger runs."""


def refuse(points: RunPoints, form: Form) -> None:
    """Raise FitError where no fit exists: fewer runs than constants, or a variable that never changes."""
    n = len(points)
    if n <= form.size:
        raise FitError(
            f"{n} {'run cannot' if n == 1 else 'runs cannot'} carry the {form.size} constants of this law: "
            f"at least {form.size + 1} are needed."
        )
    for variable in form.variables:
        values = points.variable(variable)
        if np.ptp(np.log(values)) < 1e-6:
            raise FitError(
                f"{variable} is {format_quantity(float(values[0]))} in every run, so its exponent cannot be found: "
                f"vary {variable}."
            )
        levels = len(np.unique(np.round(np.log(values), 6)))
        if levels < 2 + int(form.offset and len(form.variables) == 1):
            raise FitError(f"{variable} takes only {levels} values, too few for this law: add sizes between or beyond.")
    if len(form.variables) == 2 and _ratio_spread(points) < 0.02:
        raise FitError(
            "D/N is the same in every run, so alpha and beta cannot be told apart: train some sizes longer or shorter."
        )


def warn(points: RunPoints, form: Form, constants: FloatArray, residual: FloatArray) -> tuple[str, ...]:
    """Sentences about a fit that exists: residual (n,) in log loss, constants as in `Form.names`."""
    sentences = []
    n, per = len(points), len(points) / form.size
    if per < 4:
        sentences.append(
            f"Few points: {n} runs for {form.size} constants. The curve through the points is steadier than any "
            "single constant."
        )
    compute = points.C
    decades = float(np.log10(compute.max() / compute.min()))
    if decades < NARROW_DECADES:
        sentences.append(
            f"Narrow range: the runs span {decades:.1f} decades of compute; extrapolate by less than that."
        )
    if len(form.variables) == 2:
        logs = np.log(points.N), np.log(points.D)
        correlation = float(np.corrcoef(*logs)[0, 1])
        if abs(correlation) > 0.95:
            sentences.append(
                f"N and D move together (correlation {correlation:.2f}), so alpha and beta are hard to tell apart."
            )
        for name, values in (("N", points.N), ("D", points.D)):
            levels = len(np.unique(np.round(np.log(values), 3)))
            if levels < 4:
                sentences.append(f"{name} takes only {levels} values: its exponent rests on few steps.")
    named = dict(zip(form.names, constants, strict=True))
    for name in ("alpha", "beta", "exponent"):
        if name in named and not EXPONENT_BOUNDS[0] * 1.01 < named[name] < EXPONENT_BOUNDS[1] * 0.99:
            sentences.append(f"{name} ended at its bound ({named[name]:.3g}): the data do not determine it.")
    for name in ("E", "offset"):
        if name in named and named[name] < 1e-3 * float(points.loss.min()):
            sentences.append(f"{name} ended at zero: the runs show no floor, which does not mean there is none.")
    spread = float(np.median(np.abs(residual))) * 1.4826
    if n >= 8 and spread > 0:
        far = np.abs(residual) > max(6.0 * spread, 1e-6)
        if far.any():
            worst = int(np.argmax(np.abs(residual)))
            sentences.append(
                f"{int(far.sum())} of {n} runs lie more than 6 spreads off the curve; the farthest is "
                f"N = {format_quantity(float(points.N[worst]))}, D = {format_quantity(float(points.D[worst]))}."
            )
    return tuple(sentences)


def _ratio_spread(points: RunPoints) -> float:
    return float(np.ptp(np.log(points.D / points.N)))
