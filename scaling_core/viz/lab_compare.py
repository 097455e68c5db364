"""Several ladders in one picture: their measured ends, and the least loss that each one's law buys with compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.fit import FitResult
from scaling_core.language import t
from scaling_core.runs.rows import RunRow
from scaling_core.viz.axes import axis_values, log_x, log_y
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit import loss_domain
from scaling_core.viz.fit_path import fitted_path
from scaling_core.viz.fit_runs import Plane
from scaling_core.viz.lab import loss_ticks
from scaling_core.viz.labels import datum, halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 345
WIDTH, PLOT = 1050.0, 280.0
"""Pixels of the plot without its axes, for which names are laid out."""
SHAPES = ("circle", "square", "triangle-up")
"""Marks of the first, second and third ladder: they are told apart without their colours too."""

NAME_ROOM = 0.16
"""Share of the axis kept free at its right end, for names."""
BEYOND = 10.0
"""How far beyond the last fitted run a law is drawn, as a factor of compute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One ladder of a comparison. fit: its law, or None. unit: what a loss in nats per token is multiplied by."""

    name: str
    runs: tuple[RunRow, ...]
    fit: FitResult | None
    unit: float


def bits_per_nat(runs: Sequence[RunRow]) -> float | None:
    """Bits per byte of a loss of one nat per token, from the first run that has both; None where none has."""
    for run in runs:
        if run.loss and run.bits_per_byte:
            return run.bits_per_byte / run.loss
    return None


def compare_chart(ladders: Sequence[Compared], title: str, theme: Theme) -> Figure:
    """Loss over compute: a line with its band is the least loss that a ladder's law buys, a mark a measured end.

    title: of the loss axis. Lines are solid within the computes of the fitted runs and dashed beyond.
    """
    points, lines = [], []
    for k, ladder in enumerate(ladders):
        colour = theme.categorical[k]
        shared = {"line": ladder.name, "colour": colour, "shape": SHAPES[k % len(SHAPES)]}
        points += [
            {"x": 6.0 * run.params * run.tokens, "y": run.loss * ladder.unit, "held_out": run.held_out, **shared}
            for run in ladder.runs
            if run.loss is not None
        ]
    runs = pd.DataFrame(points, columns=["x", "y", "held_out", "line", "colour", "shape"])
    top = 3.0 * float(runs["x"].max())
    for k, ladder in enumerate(ladders):
        if ladder.fit is not None:
            lines += _law(ladder, ladder.fit, theme.categorical[k], top)
    low = float(runs["x"].min()) / 1.3
    x_domain = (low, top * (top / low) ** NAME_ROOM)
    columns = ["x", "y", "low", "high", "line", "colour", "part"]
    law = pd.concat(lines, ignore_index=True) if lines else pd.DataFrame(columns=columns)
    y_domain = loss_domain([*runs["y"], *law["y"]])
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    both = pd.concat([law[["x", "y", "line", "colour"]], runs[["x", "y", "line", "colour"]]], ignore_index=True)
    last = both.loc[both.groupby("line", sort=False)["x"].idxmax()]
    return Figure(
        template=_compare_template(theme, title),
        data={
            "runs": runs,
            "law": law,
            "names": plane.named(
                last.assign(name=last["line"]), size=theme.laid_size, runs=runs[["x", "y"]],
                segments=plane.pieces(law.drop(columns="part")) if len(law) else (),
            ),
        },
        values={
            **axis_values("x", x_domain, kind="flops"),
            **axis_values("y", y_domain, kind="loss"),
            "y_ticks": loss_ticks(y_domain),
        },
    )  # fmt: skip


def _law(ladder: Compared, fit: FitResult, colour: str, top: float) -> list[pd.DataFrame]:
    """The frontier of one ladder in the unit of the picture, in two parts: within the fitted runs, and beyond."""
    last = float(fit.points.C.max())
    parts = []
    for name, ends in (
        ("within", (float(fit.points.C.min()), last)),
        ("beyond", (last, min(max(top, last * 1.01), BEYOND * last))),
    ):
        path = fitted_path(fit, np.geomspace(*ends, 31))
        if path is None or path.loss is None:
            continue
        low, high = (path.loss if end is None else end for end in (path.loss_low, path.loss_high))
        values = {"x": path.C, "y": path.loss * ladder.unit, "low": low * ladder.unit, "high": high * ladder.unit}
        parts.append(pd.DataFrame({**values, "line": ladder.name, "colour": colour, "part": name}))
    return parts


@template
def _compare_template(theme: Theme, title: str) -> AltairChart:
    x = log_x("x", t("Training compute C = 6 N D, FLOP"), "x", "flops")
    y, low = log_y("y", title, "y", "loss"), log_y("low", title, "y", "loss")
    own = alt.Color("colour:N", scale=None, legend=None)
    shape = alt.Shape("shape:N", scale=None, legend=None)
    law = alt.Chart(alt.NamedData("law"))
    line = law.encode(x, y, own, detail="line:N")
    tips = [alt.Tooltip("line:N", title=t("ladder")), alt.Tooltip("y:Q", title=t("loss"), format=".3f")]
    runs = alt.Chart(alt.NamedData("runs")).encode(x, y, shape, tooltip=tips)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, own, text="name:N")
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    fill, stroke = alt.Fill("colour:N", scale=None, legend=None), alt.Stroke("colour:N", scale=None, legend=None)
    return themed(
        alt.layer(
            law.encode(x, low, y2="high:Q", fill=fill, detail="line:N").mark_area(clip=True, opacity=0.13),
            line.transform_filter("datum.part == 'within'").mark_line(clip=True, strokeWidth=theme.line_width),
            line.transform_filter("datum.part == 'beyond'").mark_line(
                clip=True, strokeWidth=theme.line_width - 0.5, strokeDash=[6, 7]
            ),
            runs.transform_filter("!datum.held_out")
            .encode(fill=fill)
            .mark_point(clip=True, size=0.8 * theme.point_size, opacity=1, stroke=theme.background, strokeWidth=1),
            runs.transform_filter("datum.held_out")
            .encode(stroke=stroke)
            .mark_point(clip=True, size=1.2 * theme.point_size, opacity=1, fill=theme.background, strokeWidth=2.5),
            *halo_text(names, theme, clip=True, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
