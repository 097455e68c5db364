"""What is left over by a fit, and how far its exponents could have been elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.fit import joint_region
from scaling_core.language import t
from scaling_core.laws import form_of
from scaling_core.viz.axes import Domain, axis_values, linear_ticks, linear_x, linear_y, log_domain, log_x, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit import run_marks
from scaling_core.viz.fit_runs import MOST_NAMED, Fit, Plane, Shown, axis_title, runs_frame
from scaling_core.viz.labels import datum, halo_text, named_points
from scaling_core.viz.late import alt, pd
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
}
"""How constants are written; others by their own names."""
MOST_REPLICATES = 600
FARTHEST = 1e60
"""Refits whose constants exceed this do not determine them, and no picture would show anything."""
LEAST_BAND = 1e-3
"""Percent: runs without any noise are drawn on an axis of this width, and not of none."""
Against = Literal["N", "D", "C"]


def sign(name: str) -> str:
    """A constant as it is written in text."""
    words = {"offset": t("floor"), "coefficient": t("coefficient"), "exponent": t("exponent")}
    return words.get(name) or SIGNS.get(name, name)


def residual_chart(result: Fit, shown: Shown, against: Against, theme: Theme, *, noise: float | None = None) -> Figure:
    """By how many percent each run lies above the law, against N, D or C; the runs farthest off are named.

    The shaded band is two robust spreads on either side, or `noise` percent where the noise is known. What lies far
    beyond it stands at the edge, as a triangle with its value, so that the other runs can be seen.
    """
    frame = runs_frame(result, shown, theme)
    runs = frame.assign(x=frame[against], off=100.0 * frame.off)
    spread = 2.0 * 1.4826 * float(np.median(np.abs(runs.off[runs.kind == "fitted"])))
    band = max(spread if noise is None else noise, LEAST_BAND)
    near = runs.off[runs.kind.isin(("fitted", "held out"))]
    limit = max(2.5 * band, 1.1 * float(near.abs().max()))
    x_domain = log_domain(runs.x.to_list())
    y_domain = nice_domain([*runs.off.clip(-limit, limit), band, -band], margin=0.08)
    low, high = y_domain
    inside = runs.off.between(low, high)
    runs = runs.assign(
        y=runs.off.clip(low + 0.04 * (high - low), high - 0.04 * (high - low)).where(~inside, runs.off),
        shape=np.where(inside, "", np.where(runs.off > 0, "triangle-up", "triangle-down")),
    )
    named = runs[runs.kind.isin(("far", "left out"))]
    named = named.reindex(named.off.abs().sort_values(ascending=False).index).head(MOST_NAMED)
    words = [
        name if seen == "" else t("{name}, {off:+.0f}%", name=name, off=off)
        for name, seen, off in zip(named["name"], named["shape"], named.off, strict=True)
    ]
    plane = Plane(x=x_domain, y=y_domain, width=_WIDTH, height=_PLOT, log_y=False)
    return Figure(
        template=_residual_template(theme, against),
        data={
            "runs": runs,
            "band": pd.DataFrame({"low": [-band], "high": [band], "zero": [0.0]}),
            "far": plane.named(named[["x", "y"]].assign(name=words), size=theme.laid_size - 1, runs=runs),
        },
        values={
            **axis_values("x", x_domain, kind="flops" if against == "C" else "count", most=5),
            **axis_values("y", y_domain, log=False),
        },
    )


@template
def _residual_template(theme: Theme, against: str) -> AltairChart:
    title = t("Measured above the law, %")
    x = log_x("x", axis_title(against), "x", "flops" if against == "C" else "count")
    y, low = linear_y("y", title, "y"), linear_y("low", title, "y")
    band = alt.Chart(alt.NamedData("band"))
    tips = [
        alt.Tooltip("name:N", title=t("run")),
        alt.Tooltip("off:Q", title=t("above the law, %"), format="+.2f"),
    ]
    runs = alt.Chart(alt.NamedData("runs")).encode(x, y, tooltip=tips)
    far = alt.Chart(alt.NamedData("far")).encode(x, y, text="name:N")
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    within = runs.transform_filter("datum.shape == ''")
    return themed(
        alt.layer(
            band.mark_rect(color=theme.surface, opacity=0.9).encode(low, y2="high:Q"),
            band.mark_rule(color=theme.muted, strokeWidth=1.5).encode(linear_y("zero", title, "y")),
            *run_marks(within, alt.Color("colour:N", scale=None, legend=None), theme),
            runs.mark_point(filled=True, size=1.4 * theme.point_size, color=theme.accent_2, opacity=1)
            .encode(shape=alt.Shape("shape:N", scale=None, legend=None))
            .transform_filter("datum.shape != ''"),
            *halo_text(far, theme, size=theme.mark_size - 1, color=theme.accent_2, clip=True, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


def joint_pairs(result: Fit) -> tuple[tuple[str, str], ...]:
    """Pairs of constants that are worth seeing together, both free: the exponents first, then those on a ridge."""
    pairs = {
        "chinchilla": (("alpha", "beta"), ("alpha", "A"), ("beta", "B"), ("alpha", "E")),
        "kaplan": (("alpha_N", "alpha_D"), ("alpha_N", "N_c"), ("alpha_D", "D_c")),
        "muennighoff": (("R_N_star", "R_D_star"), ("alpha", "A"), ("beta", "B")),
        "gadre": (("eta", "E"), ("eta", "a"), ("eta", "b")),
    }.get(form_of(result.law), (("exponent", "coefficient"), ("exponent", "offset")))
    if result.replicates is None:
        return ()
    held = {*result.fixed, *(("beta",) if result.shared else ())}
    return tuple(pair for pair in pairs if not held & set(pair) and set(pair) <= set(result.constants))


def joint_chart(
    result: Fit, pair: tuple[str, str], published: Sequence[tuple[str, float, float]], theme: Theme
) -> Figure | None:
    """Two constants of each refit, the region that holds the level's share of them, the fit, and published values.

    published: name and both constants of other laws of the form; those further off than the region is wide are left
    out. None where the refits do not differ in them.
    """
    if result.replicates is None:
        return None
    names = list(result.constants)
    x, y = (result.replicates[:, names.index(name)] for name in pair)
    here = (t("your fit"), result.constants[pair[0]], result.constants[pair[1]])
    return cloud_chart(x, y, result.level, pair, here, published, theme)


Named = tuple[str, float, float]
"""A point of a plot with its name in front."""


def cloud_chart(
    x: FloatArray, y: FloatArray, level: float, pair: tuple[str, str], here: Named, others: Sequence[Named],
    theme: Theme, *, farther: Sequence[Named] = (),
) -> Figure | None:  # fmt: skip
    """Two constants of each refit, (R,) each, the region that holds `level` of them, and the estimate, `here`.

    others: further points, left out where they lie further off than the region is wide; farther: those that are shown
    wherever they lie. None where the refits do not differ in the constants.
    """
    if any(float(np.ptp(v)) < 1e-6 * float(v.max()) + 1e-9 or float(v.max()) > FARTHEST for v in (x, y)):
        return None
    outline = joint_region(x, y, level)
    some = slice(None, None, -(-len(x) // MOST_REPLICATES))
    x_span, y_span = ((float(end.min()), float(end.max())) for end in outline.T)
    near = [*farther, *(row for row in others if _near(row[1], x_span) and _near(row[2], y_span))]
    points = [here, *near]
    x_domain = nice_domain([*x_span, *(row[1] for row in points)], margin=0.12)
    y_domain = nice_domain([*y_span, *(row[2] for row in points)], margin=0.12)
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
                size=theme.laid_size,
            ),
        },
        values={
            **axis_values("x", x_domain, log=False),
            "x_ticks": linear_ticks(x_domain, about=4),
            **axis_values("y", y_domain, log=False),
        },
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
                clip=True, filled=True, size=1.6 * theme.point_size, opacity=1, stroke=theme.background, strokeWidth=1.5
            ).encode(
                color=colour, shape=alt.condition("datum.kind == 'own'", alt.value("circle"), alt.value("diamond"))
            ),
            *halo_text(points.encode(text="name:N", color=colour), theme, clip=True, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
