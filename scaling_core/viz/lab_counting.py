"""The exponent of N* under each count of parameters, and the line of best sizes that moves when the count does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scaling_core.fit import FitResult
from scaling_core.language import t
from scaling_core.runs.results import Counting
from scaling_core.viz.axes import axis_values, linear_ticks, linear_x, log_domain, log_x, log_y
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_path import fitted_path
from scaling_core.viz.fit_runs import Plane
from scaling_core.viz.lab_counts import Exponent, counting_names
from scaling_core.viz.labels import datum, halo_text, spread
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 300
WIDTH, PLOT = 430.0, 235.0
"""Pixels of one of two plots beside each other, without its axes, for which names are laid out."""
NAME_ROOM = 0.25
"""Share of the axis of compute kept free at its right end, for names."""


def exponent_chart(
    own: Sequence[Exponent], published: Sequence[tuple[str, float]], chosen: str, theme: Theme
) -> Figure:
    """Exponents a of N* ~ C^a, one beneath the other, each with its interval; published values are upright lines.

    chosen: name of the one that the page is about, drawn in orange.
    """
    rows = pd.DataFrame(
        {
            "name": [one.name for one in own],
            "x": [one.value for one in own],
            "low": [one.value if one.low is None else max(one.low, 0.0) for one in own],
            "high": [one.value if one.high is None else min(one.high, 1.0) for one in own],
            "text": [f"{one.value:.2f}" for one in own],
            "colour": row_colours([one.name for one in own], chosen, theme),
        }
    )
    marks = pd.DataFrame({"x": [value for _, value in published], "name": [name for name, _ in published]})
    ends = [*rows["low"], *rows["high"], *marks["x"]]
    low, high = np.floor(10 * (min(ends) - 0.04)) / 10, np.ceil(10 * (max(ends) + 0.04)) / 10
    x_domain = (float(max(0.0, low)), float(min(1.0, high)))
    return Figure(
        template=_exponent_template(theme),
        data={"rows": rows, "marks": marks},
        values={"x_domain": list(x_domain), "x_ticks": linear_ticks(x_domain, about=5)},
    )


@template
def _exponent_template(theme: Theme) -> AltairChart:
    title = t("Exponent a of N* ∝ Cᵃ")
    x = linear_x("x", title, "x")
    y = alt.Y(
        "name:N",
        sort=None,
        title=None,
        axis=alt.Axis(
            labelColor=theme.ink,
            labelFontSize=theme.label_size,
            labelLimit=260 * theme.larger,
            ticks=False,
            domain=False,
        ),
        scale=alt.Scale(paddingOuter=0.35),
    )
    colour = alt.Color("colour:N", scale=None, legend=None)
    rows = alt.Chart(alt.NamedData("rows")).encode(x, y)
    marks = alt.Chart(alt.NamedData("marks")).encode(x)
    tips = [
        alt.Tooltip("x:Q", title="a", format=".3f"),
        alt.Tooltip("low:Q", title=t("from"), format=".3f"),
        alt.Tooltip("high:Q", title=t("to"), format=".3f"),
    ]
    return themed(
        alt.layer(
            marks.mark_rule(color=theme.muted, strokeWidth=2, strokeDash=[5, 5]),
            rows.mark_rule(strokeWidth=theme.line_width + 2, opacity=0.5).encode(
                linear_x("low", title, "x"), x2="high:Q", color=colour
            ),
            rows.mark_point(
                filled=True, size=2 * theme.point_size, opacity=1, stroke=theme.background, strokeWidth=1.5
            ).encode(color=colour, tooltip=tips),
            *halo_text(rows.encode(text="text:N", color=colour), theme, dy=-19),
            *halo_text(marks.encode(text="name:N", y=alt.value(9)), theme, color=theme.muted, align="left", dx=5),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


def best_size_chart(fits: Mapping[Counting, FitResult], chosen: Counting, theme: Theme) -> Figure:
    """N* over C in each count, each in its own N and C = 6 N D: the chosen with its band and the runs it was fitted to.

    Lines end where the runs do; `fits` holds the counts for which there is a law.
    """
    lines = []
    names = counting_names()
    colours = dict(zip(fits, row_colours([*fits], chosen, theme), strict=True))
    for counting, fit in fits.items():
        C = np.geomspace(float(fit.points.C.min()), float(fit.points.C.max()), 41)
        path = fitted_path(fit, C)
        if path is None:
            continue
        low, high = (path.N if end is None else end for end in (path.N_low, path.N_high))
        lines.append(
            pd.DataFrame(
                {
                    "x": C,
                    "y": path.N,
                    "low": low,
                    "high": high,
                    "line": names[counting][1],
                    "colour": colours[counting],
                    "chosen": counting == chosen,
                }
            )
        )
    frame = pd.concat(lines, ignore_index=True)
    points = fits[chosen].points
    runs = pd.DataFrame({"x": points.C, "y": points.N})
    inside = [*frame["y"], *runs["y"]]
    first, last = float(frame["x"].min()) / 1.3, float(frame["x"].max())
    x_domain = (first, last * (last / first) ** NAME_ROOM)
    y_domain = log_domain([min(inside) / 1.3, max(inside) * 1.3], per_decade=6)
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    ends = frame.groupby("line", sort=False).tail(1)
    places = [y for _, y in plane.at(ends)]
    apart = spread(places, gap=theme.laid_size + 2.0, low=8.0, high=PLOT - 8.0)
    return Figure(
        template=_size_template(theme),
        data={
            "lines": frame,
            "runs": runs,
            "names": ends.assign(dy=[new - old for new, old in zip(apart, places, strict=True)]),
        },
        values={**axis_values("x", x_domain, kind="flops"), **axis_values("y", y_domain)},
    )


def row_colours(names: Sequence[str], chosen: str, theme: Theme) -> list[str]:
    """Orange for the chosen one; steps of the sequential blue for the others, in their order."""
    others = [name for name in names if name != chosen]
    return [theme.accent_2 if name == chosen else theme.sequential[5 + 2 * (others.index(name) % 3)] for name in names]


@template
def _size_template(theme: Theme) -> AltairChart:
    x = log_x("x", t("Training compute C = 6 N D, FLOP"), "x", "flops")
    title = t("Best parameters N*")
    y, low = log_y("y", title, "y", "count"), log_y("low", title, "y", "count")
    own = alt.Color("colour:N", scale=None, legend=None)
    lines = alt.Chart(alt.NamedData("lines"))
    names = alt.Chart(alt.NamedData("names")).encode(x, y, own, text="line:N")
    return themed(
        alt.layer(
            lines.encode(x, low, y2="high:Q")
            .transform_filter("datum.chosen")
            .mark_area(clip=True, color=theme.accent_2, opacity=0.16),
            alt.Chart(alt.NamedData("runs"))
            .encode(x, y)
            .mark_point(filled=True, clip=True, size=0.5 * theme.point_size, color=theme.muted, opacity=0.55),
            lines.encode(x, y, own, detail="line:N").mark_line(clip=True, strokeWidth=theme.line_width),
            *halo_text(names, theme, dx=8, dy=datum("dy"), align="left"),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
