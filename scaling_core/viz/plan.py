"""What hardware buys with time, as a picture: the loss of the best model against the wall time of its training."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Preset
from scaling_core.errors import FitError, InputError
from scaling_core.hardware import DAY, HOUR, YEAR
from scaling_core.language import raw, t
from scaling_core.laws import Law
from scaling_core.optimum import Allocation, frontier, optimal_for_params, optimum_band
from scaling_core.planning import Budgeted, Machine, Source, law_of, refits_of
from scaling_core.units import format_quantity
from scaling_core.viz.axes import LABELS, Domain, axis_values, decades, linear_y, log_x, nice_domain
from scaling_core.viz.beyond import HEIGHT, PLOT, WIDTH, boxes
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import datum, halo_text, named_points, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

SPAN = 100.0
"""The curve goes from this many times less than the plan's wall time to this many times more."""
MINUTE = 60.0
MOST_SIZES = 8
"""Most sizes that are named along the curve."""
_STEPS = ((1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
"""Mantissas of the named sizes: the first of these that names three sizes or more."""
_BAND_OPACITY = 0.2


def time_chart(source: Source, machine: Machine, plan: Budgeted, theme: Theme) -> Figure:
    """Loss of the best model for what `machine` does in a wall time, from a hundredth to a hundred times the plan's.

    The plan is a diamond; small dots name round sizes where each is the best one. The curve is dashed where it lies
    beyond the law's range. Around it lies the band of the law's refits, where it has any.
    """
    law, speed = law_of(source), machine.achieved
    budgets = decades(plan.C / SPAN, plan.C * SPAN, per_decade=24)
    N, D, loss = frontier(law, budgets)
    keep = (N >= 1.0) & (D >= 1.0) & np.isfinite(loss)
    budgets, N, D, loss = budgets[keep], N[keep], D[keep], loss[keep]
    times = budgets / speed
    x_domain = (plan.C / SPAN / speed, plan.C * SPAN / speed)
    low, high = _band(source, budgets)
    y_domain = nice_domain([float(loss.min()), float(loss.max()), plan.loss], margin=0.05)
    sizes = _sizes(law, float(budgets[0]), float(budgets[-1]), float(N[0]), float(N[-1]), plan.C)
    here = t("{N} on {D}", N=format_quantity(plan.N), D=format_quantity(plan.D))
    points = [
        (plan.C / speed, plan.loss, here, "here"),
        *((best.C / speed, best.loss, format_quantity(best.N), "size") for best in sizes),
    ]
    return Figure(
        template=_time_template(theme),
        data={
            "band": pd.DataFrame(
                {"seconds": times, "low": np.maximum(low, y_domain[0]), "high": np.minimum(high, y_domain[1])}
            )
            if len(low)
            else pd.DataFrame(columns=["seconds", "low", "high"], dtype=float),
            "curve": _curve(source, times, N, D, loss),
            "points": named_points(
                [to_pixels(x, y, x_domain, y_domain, WIDTH, PLOT, log_y=False) for x, y, _, _ in points],
                [name for _, _, name, _ in points],
                {
                    "seconds": [x for x, _, _, _ in points],
                    "loss": [y for _, y, _, _ in points],
                    "kind": [kind for _, _, _, kind in points],
                },
                width=WIDTH,
                height=PLOT,
                size=theme.laid_size,
                obstacles=boxes(times, loss, x_domain, y_domain, False),
            ),
        },
        values={
            **axis_values("x", x_domain),
            "x_ticks": time_ticks(x_domain),
            **axis_values("y", y_domain, log=False),
        },
    )


def time_ticks(domain: Domain) -> list[float]:
    """Round wall times inside a domain, in seconds: 1 s, 10 s, 1 min, 10 min, 1 h, 10 h, 1 day, 10 days, then years."""
    short = [10.0**k for k in range(-30, 2)] + [MINUTE, 10 * MINUTE, HOUR, 10 * HOUR]
    long = [DAY, 10 * DAY, 100 * DAY] + [10.0**k * YEAR for k in range(40)]
    inside = [x for x in short + long if domain[0] * (1 - 1e-9) <= x <= domain[1] * (1 + 1e-9)]
    wide = math.log(domain[1] / domain[0])
    kept: list[float] = []
    for x in inside:
        if not kept or math.log(x / kept[-1]) > 0.07 * wide:
            kept.append(x)
    return kept


def leaves_its_range(figure: Figure) -> bool:
    """Whether some of the curve is dashed: beyond the range that the law states."""
    return bool((figure.data["curve"].part == "beyond").any())


def _curve(source: Source, times: FloatArray, N: FloatArray, D: FloatArray, loss: FloatArray) -> pd.DataFrame:
    """The curve in pieces within the law's range and beyond it; each piece begins with the last point before it."""
    beyond = np.zeros(len(times), dtype=bool)
    if isinstance(source, Preset):
        for x, span in ((N, source.valid_N), (D, source.valid_D), (6.0 * N * D, source.valid_C)):
            if span is not None:
                beyond |= (x < span[0]) | (x > span[1])
    ends = [0, *(np.flatnonzero(np.diff(beyond)) + 1).tolist(), len(times)]
    pieces = [
        pd.DataFrame(
            {
                "seconds": times[max(0, a - 1) : b],
                "loss": loss[max(0, a - 1) : b],
                "line": k,
                "part": "beyond" if beyond[a] else "within",
            }
        )
        for k, (a, b) in enumerate(pairwise(ends))
    ]
    return pd.concat(pieces, ignore_index=True)


def _band(source: Source, budgets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ends of the interval of the best loss at each budget; both empty where the law has no refits."""
    refits = refits_of(source)
    if refits is not None:
        with contextlib.suppress(FitError):
            spread = optimum_band(
                refits.form, refits.rows, budgets, estimate=refits.estimate, level=refits.level, interval=refits.ends
            ).loss
            return spread.low, spread.high
    return np.empty(0), np.empty(0)


def _sizes(law: Law, least: float, most: float, low: float, high: float, C: float) -> list[Allocation]:
    """Round sizes from `low` to `high`, each with the training that it is best for, away from the ends and from C."""
    found: list[Allocation] = []
    for steps in _STEPS:
        found = []
        for N in _round_sizes(low, high, steps):
            with contextlib.suppress(InputError):
                best = optimal_for_params(law, N)
                if 1.15 * least < best.C < most / 1.6 and abs(math.log(best.C / C)) > 0.45:
                    found.append(best)
        if len(found) >= 3:
            break
    every = math.ceil(len(found) / MOST_SIZES) or 1
    return found[::every]


def _round_sizes(low: float, high: float, steps: Sequence[float]) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    sizes = [step * 10.0**k for k in range(first, last + 1) for step in steps]
    return [N for N in sizes if low <= N <= high]


def _time_labels() -> str:
    """A Vega expression that writes a tick in seconds as a time: 10 min, 1 day, 10 years."""
    told = ""
    for unit, one, many in (
        (YEAR, raw("1 year"), raw("{n} years")),
        (DAY, raw("1 day"), raw("{n} days")),
        (HOUR, "", raw("{n} h")),
        (MINUTE, "", raw("{n} min")),
        (1.0, "", raw("{n} s")),
    ):
        before, after = (json_text(part) for part in many.split("{n}"))
        number = str(LABELS["count"]).replace("datum.value", f"(datum.value / {unit!r})")
        written = f"{before} + ({number}) + {after}"
        if one:
            written = f"(abs(datum.value / {unit!r} - 1) < 1e-6 ? {json_text(one)} : {written})"
        told += written if unit == 1.0 else f"datum.value >= {0.999999 * unit!r} ? {written} : "
    return told


def json_text(text: str) -> str:
    """A text as Vega's expressions quote it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@template
def _time_template(theme: Theme) -> AltairChart:
    title = t("Loss, nats per token")
    x = log_x("seconds", t("Wall time on this hardware"), "x", labelExpr=_time_labels())
    y = linear_y("loss", title, "y", "loss")
    points = alt.Chart(alt.NamedData("points")).encode(x, y)
    of: dict[str, Any] = {kind: points.transform_filter(f"datum.kind == '{kind}'") for kind in ("here", "size")}
    dash = alt.StrokeDash("part:N", scale=alt.Scale(domain=["within", "beyond"], range=[[1, 0], [7, 5]]), legend=None)
    ink = alt.condition("datum.kind == 'here'", alt.value(theme.accent_2), alt.value(theme.accent))
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align"), "clip": True}
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("band"))
            .mark_area(clip=True, color=theme.accent, opacity=_BAND_OPACITY)
            .encode(x, linear_y("low", title, "y", "loss"), y2="high:Q"),
            alt.Chart(alt.NamedData("curve"))
            .mark_line(clip=True, color=theme.accent, strokeCap="butt")
            .encode(x, y, detail="line:N", strokeDash=dash),
            of["size"].mark_point(clip=True, filled=True, size=theme.point_size, color=theme.accent, opacity=1),
            of["here"].mark_point(
                clip=True, filled=True, size=2.2 * theme.point_size, color=theme.accent_2, opacity=1, shape="diamond"
            ),
            *halo_text(points.encode(text="name:N", color=ink), theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
