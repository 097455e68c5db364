"""What a sweep of rates found: a bowl of loss over the rate for each size, and the rate that is best over size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.runs.tuning import Bowl, RateLaw
from scaling_core.units import format_quantity
from scaling_core.viz.axes import axis_values, linear_y, log_domain, log_x, log_y, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_runs import Plane
from scaling_core.viz.lab import rung_colours
from scaling_core.viz.lab_frames import rung_label
from scaling_core.viz.labels import datum, halo_text, spread
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 315
WIDTH, PLOT = 430.0, 250.0
"""Pixels of one of two plots beside each other, without its axes, for which names are laid out."""
LEAST_HEIGHT = 0.02
"""Nats: bowls flatter than this are not blown up to fill the picture."""
CURVE_POINTS = 41


def bowl_chart(plan: Plan, bowls: Sequence[Bowl], theme: Theme) -> Figure:
    """Loss above the least of its size over the rate: what was measured, the parabola through it, and its vertex.

    A bowl whose best rate lies at the edge of those tried has no vertex: its best is an open ring. Rates at which
    training diverged stand as crosses at the top.
    """
    colours = {line.rung: rung_colours(plan, theme)[rung_label(line)] for line in plan.sizes}
    names = {line.rung: rung_label(line) for line in plan.sizes}
    tried = [rate for bowl in bowls for rate in (*bowl.rates, *bowl.failed, bowl.best_rate)]
    points, curves, best, lost = [], [], [], []
    for bowl in bowls:
        shared = {"line": names[bowl.rung], "colour": colours[bowl.rung]}
        points += [
            {"x": r, "y": loss - bowl.best_loss, **shared} for r, loss in zip(bowl.rates, bowl.losses, strict=True)
        ]
        best.append({"x": bowl.best_rate, "y": 0.0, "edge": bowl.at_edge, "name": names[bowl.rung], **shared})
        lost += [{"x": rate, **shared} for rate in bowl.failed]
        if bowl.parabola is not None:
            a, b, c = bowl.parabola
            grid = np.geomspace(bowl.rates[0], bowl.rates[-1], CURVE_POINTS)
            values = a * np.log(grid) ** 2 + b * np.log(grid) + c - bowl.best_loss
            curves += [{"x": x, "y": y, **shared} for x, y in zip(grid.tolist(), values.tolist(), strict=True)]
    x_domain = min(tried) / 1.35, max(tried) * 1.35
    high = max([LEAST_HEIGHT, *(max(bowl.losses) - bowl.best_loss for bowl in bowls)])
    y_domain = (-0.12 * high, nice_domain([0.0, high], margin=0.08)[1])
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT, log_y=False)
    vertices = pd.DataFrame(best, columns=["x", "y", "edge", "name", "line", "colour"])
    named = _below(vertices, plane)
    return Figure(
        template=_bowl_template(theme),
        data={
            "points": pd.DataFrame(points, columns=["x", "y", "line", "colour"]),
            "curves": pd.DataFrame(curves, columns=["x", "y", "line", "colour"]),
            "best": vertices,
            "lost": pd.DataFrame(lost, columns=["x", "line", "colour"]).assign(y=y_domain[1] * 0.97),
            "names": named,
        },
        values={
            **axis_values("x", x_domain, kind="plain"),
            "x_ticks": _rate_ticks(x_domain),
            **axis_values("y", y_domain, log=False),
        },
    )


def _rate_ticks(domain: tuple[float, float]) -> list[float]:
    """Rates of 1, 2 and 5 times a power of ten within a domain."""
    ticks = [m * 10.0**k for k in range(-7, 1) for m in (1, 2, 5)]
    return [tick for tick in ticks if domain[0] <= tick <= domain[1]]


def _below(vertices: pd.DataFrame, plane: Plane) -> pd.DataFrame:
    """Names of the sizes beneath their vertices, moved apart sideways where they would touch."""
    places = [x for x, _ in plane.at(vertices)]
    moved = spread(places, gap=50.0, low=22.0, high=plane.width - 22.0)
    return vertices.assign(dx=[new - old for new, old in zip(moved, places, strict=True)], dy=15.0, align="center")


@template
def _bowl_template(theme: Theme) -> AltairChart:
    x = log_x("x", t("Peak learning rate"), "x", "plain", format="~g")
    y = linear_y("y", t("Loss above its least, nats"), "y", "plain")
    own = alt.Color("colour:N", scale=None, legend=None)
    tips = [
        alt.Tooltip("line:N", title=t("parameters")),
        alt.Tooltip("x:Q", title=t("rate"), format=".2~g"),
        alt.Tooltip("y:Q", title=t("above the least"), format=".4f"),
    ]
    size = theme.point_size
    points = alt.Chart(alt.NamedData("points")).encode(x, y, own, tooltip=tips)
    curves = alt.Chart(alt.NamedData("curves")).encode(x, y, own, detail="line:N")
    best = alt.Chart(alt.NamedData("best")).encode(x, y, tooltip=tips)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, own, text="name:N")
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            curves.mark_line(clip=True, strokeWidth=theme.line_width - 0.7),
            points.mark_point(filled=True, clip=True, size=0.8 * size, opacity=1),
            alt.Chart(alt.NamedData("lost"))
            .encode(x, y, own)
            .mark_point(shape="cross", angle=45, filled=True, size=size, opacity=1),
            best.transform_filter("!datum.edge")
            .encode(fill=alt.Fill("colour:N", scale=None, legend=None))
            .mark_point(shape="diamond", size=1.8 * size, opacity=1, stroke=theme.background, strokeWidth=1.5),
            best.transform_filter("datum.edge").mark_point(
                size=2.4 * size, opacity=1, filled=False, stroke=theme.accent_2, strokeWidth=2.5
            ),
            *halo_text(names, theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


def rate_chart(plan: Plan, bowls: Sequence[Bowl], law: RateLaw | None, theme: Theme) -> Figure:
    """The best rate of each size over N without embeddings, the law through those that lie inside what was tried, and
    the rule by which the sweep chose its middle rate, dashed."""
    colours = {line.rung: rung_colours(plan, theme)[rung_label(line)] for line in plan.sizes}
    best = pd.DataFrame(
        {
            "x": [float(bowl.params_non_embedding) for bowl in bowls],
            "y": [bowl.best_rate for bowl in bowls],
            "edge": [bowl.at_edge for bowl in bowls],
            "name": [f"{bowl.best_rate:.2g}" for bowl in bowls],
            "line": [format_quantity(bowl.params_non_embedding) for bowl in bowls],
            "colour": [colours[bowl.rung] for bowl in bowls],
        }
    )
    x_domain = log_domain([float(best["x"].min()) / 1.5, float(best["x"].max()) * 1.5], per_decade=6)
    grid = np.geomspace(*x_domain, CURVE_POINTS)
    spec = plan.spec
    rule = RateLaw(coefficient=spec.rate_coefficient, exponent=spec.rate_exponent, note="")
    lines = [("the sweep's own rule", rule), *([] if law is None else [("the law found", law)])]
    frame = pd.concat(
        [pd.DataFrame({"x": grid, "y": [one.rate(x) for x in grid], "line": name}) for name, one in lines],
        ignore_index=True,
    )
    y_domain = log_domain([*best["y"] / 1.2, *best["y"] * 1.2, *frame["y"]], per_decade=6)
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    placed = plane.named(best[["x", "y", "name", "colour"]], size=theme.laid_size, segments=plane.pieces(frame))
    return Figure(
        template=_rate_template(theme),
        data={
            "best": best,
            "lines": frame,
            "names": placed,
        },
        values={
            **axis_values("x", x_domain),
            **axis_values("y", y_domain, kind="plain"),
            "y_ticks": _rate_ticks(y_domain),
        },
    )  # fmt: skip


@template
def _rate_template(theme: Theme) -> AltairChart:
    x = log_x("x", t("Parameters without embeddings and head"), "x", "count")
    y = log_y("y", t("Best peak rate"), "y", "plain", format="~g")
    own = alt.Color("colour:N", scale=None, legend=None)
    fill = alt.Fill("colour:N", scale=None, legend=None)
    best = alt.Chart(alt.NamedData("best")).encode(x, y)
    lines = alt.Chart(alt.NamedData("lines")).encode(x, y, detail="line:N")
    names = alt.Chart(alt.NamedData("names")).encode(x, y, own, text="name:N")
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    ours, own_rule = "datum.line == 'the law found'", "datum.line != 'the law found'"
    size = theme.point_size
    return themed(
        alt.layer(
            lines.transform_filter(ours).mark_line(clip=True, color=theme.accent, strokeWidth=theme.line_width),
            lines.transform_filter(own_rule).mark_line(clip=True, color=theme.muted, strokeWidth=2, strokeDash=[6, 6]),
            best.transform_filter("!datum.edge")
            .encode(fill)
            .mark_point(shape="diamond", size=1.8 * size, opacity=1, stroke=theme.background, strokeWidth=1.5),
            best.transform_filter("datum.edge").mark_point(
                size=2.4 * size, opacity=1, filled=False, stroke=theme.accent_2, strokeWidth=2.5
            ),
            *halo_text(names, theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
