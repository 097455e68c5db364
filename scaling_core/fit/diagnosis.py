"""What the data cannot say, in sentences, before any number is shown."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.errors import FitError
from scaling_core.fit.forms import EXPONENT_BOUNDS, Form
from scaling_core.fit.points import RunPoints
from scaling_core.fit.told import in_a_row
from scaling_core.language import t, tn
from scaling_core.units import format_quantity

NARROW_DECADES = 2.0
"""Below this many decades of compute a fitted law says little about larger runs."""
FAR = 6.0
"""Residuals of more than this many robust spreads are outliers."""
SURE = 1e-3
"""A pattern in the residuals is spoken of when chance would give it less often than this."""
EXPONENTS = ("alpha", "beta", "exponent", "eta", "alpha_N", "alpha_D")


def refuse(points: RunPoints, form: Form, size: int, *, free: tuple[bool, ...]) -> None:
    """Raise FitError where no fit exists: fewer runs than constants, or a variable that never changes.

    size: constants that are free. free: for each variable whether its exponent is.
    """
    n = len(points)
    if n <= size:
        raise FitError(
            tn(
                "{n} run cannot carry the {size} constants of this law: at least {least} are needed.",
                "{n} runs cannot carry the {size} constants of this law: at least {least} are needed.",
                n,
                size=size,
                least=size + 1,
            )
        )
    for variable, loose in zip(form.variables, free, strict=True):
        values = np.log(points.variable(variable))
        if np.ptp(values) < 1e-6 and loose:
            held = format_quantity(float(points.variable(variable)[0]))
            raise FitError(
                t(
                    "{variable} is {held} in every run, so its exponent cannot be found: vary {variable}, or hold the "
                    "exponent at a published value.",
                    variable=variable,
                    held=held,
                )
            )
        levels = len(np.unique(np.round(values, 6)))
        if loose and levels < 2 + int(form.offset and len(form.variables) == 1):
            raise FitError(
                t(
                    "{variable} takes only {levels} values, too few for this law: add sizes between or beyond.",
                    variable=variable,
                    levels=levels,
                )
            )
    if len(form.variables) == 2 and all(free) and form.name != "gadre" and _ratio_spread(points) < 0.02:
        raise FitError(
            t(
                "D/N is the same in every run, so alpha and beta cannot be told apart: train some sizes longer or "
                "shorter."
            )
        )


def warn(
    points: RunPoints, form: Form, size: int, constants: Mapping[str, float], residuals: FloatArray
) -> tuple[str, ...]:
    """Sentences about a fit that exists; residuals (n,) in log loss. Outliers have their own sentence."""
    return (
        *_about_design(points, form, size),
        *_about_constants(points, constants),
        *_about_residuals(points, form, residuals),
    )


def _about_design(points: RunPoints, form: Form, size: int) -> list[str]:
    sentences: list[str] = []
    n = len(points)
    if n / max(size, 1) < 4:
        sentences.append(
            t(
                "Few points: {runs} runs for {size} constants. The curve through the points is steadier than any "
                "single constant.",
                runs=n,
                size=size,
            )
        )
    decades = compute_decades(points)
    if decades < NARROW_DECADES:
        sentences.append(
            t(
                "Narrow range: the runs span {decades:.1f} decades of compute; extrapolate by less than that.",
                decades=decades,
            )
        )
    if len(form.variables) == 2:
        logs = np.log(points.N), np.log(points.D)
        correlation = float(np.corrcoef(*logs)[0, 1]) if min(map(np.ptp, logs)) > 1e-6 else 0.0
        if abs(correlation) > 0.95:
            sentences.append(
                t(
                    "N and D move together (correlation {correlation:.2f}), so alpha and beta are hard to tell apart.",
                    correlation=correlation,
                )
            )
        for name, values in (("N", points.N), ("D", points.D)):
            levels = len(np.unique(np.round(np.log(values), 3)))
            if 1 < levels < 4:
                sentences.append(
                    t(
                        "{name} takes only {levels} values: its exponent rests on few steps.",
                        name=name,
                        levels=levels,
                    )
                )
    tokenizers = sorted(set(points.tokenizer or ()))
    if len(tokenizers) > 1:
        named = [*tokenizers[:3], *(["..."] if len(tokenizers) > 3 else [])]
        sentences.append(
            t(
                "The losses come from {count} tokenizers ({names}): per token they cannot be compared. Fit one at a "
                "time, or use bits per byte.",
                count=len(tokenizers),
                names=in_a_row(named),
            )
        )
    return sentences


def _about_constants(points: RunPoints, constants: Mapping[str, float]) -> list[str]:
    sentences: list[str] = []
    for name in EXPONENTS:
        if name in constants and not EXPONENT_BOUNDS[0] * 1.01 < constants[name] < EXPONENT_BOUNDS[1] * 0.99:
            sentences.append(
                t(
                    "{name} ended at its bound ({value:.3g}): the data do not determine it.",
                    name=name,
                    value=constants[name],
                )
            )
    for name in ("E", "offset"):
        if name in constants and constants[name] < 1e-3 * float(points.loss.min()):
            sentences.append(
                t("{name} ended at zero: the runs show no floor, which does not mean there is none.", name=name)
            )
    return sentences


def _about_residuals(points: RunPoints, form: Form, residuals: FloatArray) -> list[str]:
    """Whether what is left over bends with N or D, or is shared by the runs of a group."""
    inside = ~outliers(residuals)
    r = residuals[inside]
    if r.size < 12 or float(np.abs(r).max()) < 1e-9:
        return []
    sentences: list[str] = []
    chances = {x: _bend(np.log(points.variable(x))[inside], r) for x in form.variables}
    surest = min(chances, key=lambda x: chances[x])
    if chances[surest] < SURE:
        sentences.append(
            t(
                "The residuals bend with {variable}: the law misses a pattern in the runs, so its extrapolation will "
                "be off by more than the interval says.",
                variable=surest,
            )
        )
    if points.group is not None:
        labels = np.array(points.group)[inside]
        shared = _intraclass(labels, r)
        if shared is not None:
            sentences.append(
                t(
                    "Runs of one group share their error (intraclass correlation {shared:.2f}): resample whole groups, "
                    "or the intervals come out too narrow.",
                    shared=shared,
                )
            )
    return sentences


def _bend(x: FloatArray, r: FloatArray) -> float:
    """Chance of a quartic in x explaining this much of r where there is nothing (F test); 1 where it cannot be asked.

    The law itself takes up a slope and most of a curvature, so what it misses is a wave.
    """
    from scipy.special import fdtrc  # here: the first page does without SciPy

    levels = len(np.unique(np.round(x, 6)))
    if levels < 6:
        return 1.0
    z = 2.0 * (x - x.min()) / np.ptp(x) - 1.0
    design = np.polynomial.chebyshev.chebvander(z, 4)
    left = r - design @ np.linalg.lstsq(design, r, rcond=None)[0]
    before, after = float(((r - r.mean()) ** 2).sum()), float((left**2).sum())
    free = r.size - 5
    return float(fdtrc(4, free, (before - after) / 4.0 / max(after / free, 1e-300)))


def _intraclass(labels: np.ndarray[tuple[int], np.dtype[np.str_]], r: FloatArray) -> float | None:
    """Intraclass correlation of r within the groups where an F test is sure of it, else None (Fisher 1925, ch. VII)."""
    from scipy.special import fdtrc  # here: the first page does without SciPy

    names, member = np.unique(labels, return_inverse=True)
    k, n = len(names), r.size
    if k < 3 or n < 2 * k:
        return None
    size = np.bincount(member)
    means = np.bincount(member, r) / size
    between = float((size * (means - r.mean()) ** 2).sum()) / (k - 1)
    within = float(((r - means[member]) ** 2).sum()) / (n - k)
    if within <= 0 or fdtrc(k - 1, n - k, between / within) > SURE:
        return None
    typical = (n - float((size**2).sum()) / n) / (k - 1)
    return (between - within) / (between + (typical - 1) * within)


def outliers(residuals: FloatArray) -> BoolArray:
    """Which runs lie more than FAR robust spreads (1.4826 times the median |r|) off the curve; none of fewer than 8."""
    spread = float(np.median(np.abs(residuals))) * 1.4826
    if residuals.size < 8 or spread <= 0:
        return np.zeros(residuals.size, dtype=bool)
    return np.asarray(np.abs(residuals) > max(FAR * spread, 1e-6))


def outlier_sentence(
    points: RunPoints, form: Form, residuals: FloatArray, constants: FloatArray, far: BoolArray, others: FloatArray
) -> str:
    """Which runs lie far off, and what the answer would be without them. constants, others: with and without."""
    worst = int(np.argmax(np.abs(residuals)))
    moved = np.argsort(-np.abs(np.log((others + 1e-12) / (constants + 1e-12))), kind="stable")
    changes = [
        t("{name} {value} becomes {other}", name=form.names[i], value=_plain(constants[i]), other=_plain(others[i]))
        for i in moved[:3]
    ]
    return tn(
        "{n} of {runs} runs lies more than {far:.0f} spreads off the curve; farthest is N = {N}, D = {D}. Without it: "
        "{changes}.",
        "{n} of {runs} runs lie more than {far:.0f} spreads off the curve; farthest is N = {N}, D = {D}. Without them: "
        "{changes}.",
        int(far.sum()),
        runs=len(points),
        far=FAR,
        N=format_quantity(float(points.N[worst])),
        D=format_quantity(float(points.D[worst])),
        changes=in_a_row(changes),
    )


def _plain(x: float) -> str:
    """A constant for reading: four digits, 12,850 and not 1.285e+04."""
    return f"{x:,.0f}" if 1e4 <= x < 1e7 else f"{x:.4g}".replace("e+", "e")


def extrapolation_note(points: RunPoints, N: float, D: float) -> str | None:
    """A sentence where a prediction asks for more than the range of the runs carries, None where it does not."""
    top = float(points.C.max())
    factor = 6.0 * N * D / top
    if factor <= 1.0:
        return None
    reach = compute_decades(points)
    if np.log10(factor) <= reach / 2:
        return None
    return t(
        "This lies {factor} times beyond the largest run, and the runs themselves span {reach:.1f} decades of compute: "
        "too narrow a range for so long a step.",
        factor=format_quantity(factor),
        reach=reach,
    )


def compute_decades(points: RunPoints) -> float:
    """How many powers of ten of compute the runs span."""
    logs = np.log10(points.N) + np.log10(points.D)
    return float(np.ptp(logs))


def _ratio_spread(points: RunPoints) -> float:
    return float(np.ptp(np.log(points.D / points.N)))
