"""What is left over by a fit, and how far its exponents could have been elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.fit import FitResult, joint_region
from scaling_core.viz.axes import Domain, axis_values, linear_x, linear_y, log_domain, log_x, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit import AXES, MOST_NAMED, Shown, law_says, run_names, shades, thinned
from scaling_core.viz.labels import datum, halo_text, named_points, to_pixels
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 330
_WIDTH, _PLOT = 320.0, 262.0
"""Pixels of each of two plots beside each other, without axes, on a page 1280 wide."""
SIGNS = {
    "alpha": "α",
    "beta": "β",
    "eta": "η",
    "alpha_N": "α_N",
    "alpha_D": "α_D",
    "R_N_star": "R_N*",
    "R_D_star": "R_D*",
    "offset": "floor",
}
"""How constants are written; others by their own names."""
MOST_REPLICATES = 600
Against = Literal["N", "D", "C"]


def sign(name: str) -> str:
    """A constant as it is written in text."""
    return SIGNS.get(name, name)


def residual_chart(result: FitResult, shown: Shown, against: Against, theme: Theme) -> Figure:
    """By how many percent each run lies above the law, against N, D or C; the runs farthest off are named.

    The shaded band is twice the residual standard deviation.
    """
    ends = (float(result.points.N.min()), float(result.points.N.max()))
    frames = []
    for kind, points in shown.parts:
        far = shown.far if kind == "fitted" else np.zeros(len(points), dtype=bool)
        keep = thinned(far)
        some = points.subset(keep)
        off = 100.0 * (some.loss / law_says(result, some) - 1.0)
        kinds = np.where(far[keep], "far", kind)
        frames.append(
            pd.DataFrame(
                {
                    "x": some.variable(against),
                    "off": off,
                    "kind": kinds,
                    "colour": shades(some.N, ends, theme),
                    "name": run_names(some),
                }
            )
        )
    runs = pd.concat(frames, ignore_index=True)
    scale = 200.0 * result.scale / (1.0 if result.objective != "ls" else float(np.median(result.points.loss)))
    reach = 1.12 * max(float(runs.off.abs().max()), scale, 1e-6)
    x_domain, y_domain = log_domain(runs.x.to_list()), nice_domain([-reach, reach], margin=0.0)
    named = runs[runs.kind.isin(("far", "left out"))]
    named = named.reindex(named.off.abs().sort_values(ascending=False).index).head(MOST_NAMED)
    return Figure(
        template=_residual_template(theme, against),
        data={
            "runs": runs,
            "band": pd.DataFrame({"low": [-scale], "high": [scale], "zero": [0.0]}),
            "far": _named(named, x_domain, y_domain, theme),
        },
        values={
            **axis_values("x", x_domain, kind="flops" if against == "C" else "count", most=5),
            **axis_values("y", y_domain, log=False),
        },
    )


def _named(far: pd.DataFrame, x_domain: Domain, y_domain: Domain, theme: Theme) -> pd.DataFrame:
    points = [
        to_pixels(x, y, x_domain, y_domain, _WIDTH, _PLOT, log_y=False)
        for x, y in zip(far.x.to_list(), far.off.to_list(), strict=True)
    ]
    return named_points(
        points, far.name.to_list(), {"x": far.x.to_list(), "off": far.off.to_list()}, width=_WIDTH, height=_PLOT,
        size=theme.mark_size - 1,
    )  # fmt: skip


@template
def _residual_template(theme: Theme, against: str) -> AltairChart:
    title, kind = AXES[against]
    x = log_x("x", title.removeprefix("Training "), "x", "flops" if kind == "flops" else "count")
    y = linear_y("off", "Measured above the law, %", "y")
    low = linear_y("low", "Measured above the law, %", "y")
    band = alt.Chart(alt.NamedData("band"))
    tips = [alt.Tooltip("name:N", title="run"), alt.Tooltip("off:Q", title="above the law, %", format="+.2f")]
    runs = alt.Chart(alt.NamedData("runs")).encode(x, y, tooltip=tips)
    far = alt.Chart(alt.NamedData("far")).encode(x, y, text="name:N")
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    size = theme.point_size
    return themed(
        alt.layer(
            band.mark_rect(color=theme.surface, opacity=0.9).encode(low, y2="high:Q"),
            band.mark_rule(color=theme.muted, strokeWidth=1.5).encode(linear_y("zero", None, "y")),
            runs.mark_point(filled=True, size=0.7 * size, opacity=1, stroke=theme.background, strokeWidth=1)
            .encode(color=alt.Color("colour:N", scale=None, legend=None))
            .transform_filter("datum.kind == 'fitted'"),
            runs.mark_point(size=1.3 * size, strokeWidth=2.5, color=theme.accent_2, opacity=1)
            .transform_filter("datum.kind == 'far'"),
            runs.mark_point(shape="cross", size=size, filled=True, color=theme.accent_2, opacity=1, angle=45)
            .transform_filter("datum.kind == 'left out'"),
            runs.mark_point(
                shape="diamond", size=1.3 * size, filled=True, fill=theme.background, stroke=theme.accent_2,
                strokeWidth=2.5, opacity=1,
            ).transform_filter("datum.kind == 'held out'"),
            *halo_text(far, theme, size=theme.mark_size - 1, color=theme.accent_2, clip=True, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )  # fmt: skip


def joint_pair(result: FitResult) -> tuple[str, str] | None:
    """The two constants of a form that belong together on one picture, None where fewer than two of them are free."""
    wanted = {"chinchilla": ("alpha", "beta"), "kaplan": ("alpha_N", "alpha_D"), "gadre": ("eta", "E")}
    first, second = wanted.get(result.form.name, ("exponent", "offset" if result.form.offset else "coefficient"))
    if result.replicates is None or {first, second} & set(result.fixed) or result.shared:
        return None
    return first, second


def joint_chart(result: FitResult, published: Sequence[tuple[str, float, float]], theme: Theme) -> Figure | None:
    """The two exponents of each refit, the region that holds the level's share of them, the fit and published values.

    published: name and both constants of other laws of the form; those further off than the region is wide are left
    out. None where there is nothing to draw.
    """
    pair = joint_pair(result)
    if pair is None or result.replicates is None:
        return None
    x, y = (result.replicates[:, result.form.names.index(name)] for name in pair)
    if min(float(np.ptp(x)), float(np.ptp(y))) <= 0:
        return None
    outline = joint_region(x, y, result.level)
    some = slice(None, None, -(-len(x) // MOST_REPLICATES))
    here_x, here_y = (result.constants[name] for name in pair)
    x_span, y_span = ((float(end.min()), float(end.max())) for end in outline.T)
    near = [row for row in published if _near(row[1], x_span) and _near(row[2], y_span)]
    x_domain = nice_domain([*x_span, here_x, *(row[1] for row in near)], margin=0.12)
    y_domain = nice_domain([*y_span, here_y, *(row[2] for row in near)], margin=0.12)
    points = [("your fit", here_x, here_y), *near]
    return Figure(
        template=_joint_template(theme, *(sign(name) for name in pair)),
        data={
            "cloud": pd.DataFrame({"x": x[some], "y": y[some]}),
            "region": pd.DataFrame({"x": outline[:, 0], "y": outline[:, 1], "order": np.arange(len(outline))}),
            "points": named_points(
                [_linear(row[1], row[2], x_domain, y_domain) for row in points],
                [row[0] for row in points],
                {
                    "x": [row[1] for row in points],
                    "y": [row[2] for row in points],
                    "kind": ["own", *["other"] * len(near)],
                },
                width=_WIDTH,
                height=_PLOT,
                size=theme.mark_size,
            ),
        },
        values={**axis_values("x", x_domain, log=False), **axis_values("y", y_domain, log=False)},
    )


def _near(value: float, span: Domain) -> bool:
    """Whether a value lies no further off a span than that is wide."""
    low, high = span
    return low - (high - low) <= value <= high + (high - low)


def _linear(x: float, y: float, x_domain: Domain, y_domain: Domain) -> tuple[float, float]:
    """Where a point stands in the plot of two linear axes."""
    return (
        _WIDTH * (x - x_domain[0]) / (x_domain[1] - x_domain[0]),
        _PLOT * (y_domain[1] - y) / (y_domain[1] - y_domain[0]),
    )


@template
def _joint_template(theme: Theme, x_name: str, y_name: str) -> AltairChart:
    x, y = linear_x("x", x_name, "x"), linear_y("y", y_name, "y")
    points = alt.Chart(alt.NamedData("points")).encode(x, y)
    colour = alt.condition("datum.kind == 'own'", alt.value(theme.accent), alt.value(theme.accent_2))
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("cloud"))
            .mark_point(filled=True, size=16, color=theme.accent, opacity=0.28, clip=True)
            .encode(x, y),
            alt.Chart(alt.NamedData("region"))
            .mark_line(color=theme.accent, strokeWidth=2.5, clip=True)
            .encode(x, y, order="order:Q"),
            points.mark_point(
                filled=True, size=1.6 * theme.point_size, opacity=1, stroke=theme.background, strokeWidth=1.5
            ).encode(
                color=colour, shape=alt.condition("datum.kind == 'own'", alt.value("circle"), alt.value("diamond"))
            ),
            *halo_text(points.encode(text="name:N", color=colour), theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
