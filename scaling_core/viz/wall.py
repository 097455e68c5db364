"""Loss against compute where the unique tokens are few: the wall that repeating them leads to, as a picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scaling_core.language import t
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum import RepeatedOptimum, data_wall, loss_limit, wall_at_epochs
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import axis_values, decades, linear_y, log_domain, log_x, nice_domain
from scaling_core.viz.beyond import HEIGHT, PLOT, WIDTH, boxes
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import datum, halo_text, named_points, text_width, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed


def epochs_text(x: float) -> str:
    """A number of epochs in two digits: 1.9, 14, 17K."""
    return f"{x:.2g}" if x < 99.5 else format_quantity(x, digits=2)


EPOCHS = (1.0, 2.0, 4.0, 8.0, 16.0, 40.0)
"""Epochs that are marked along the wall."""


def wall_chart(law: MuennighoffLaw, here: RepeatedOptimum, stop: RepeatedOptimum, theme: Theme) -> Figure:
    """Loss against compute with unlimited data and with few unique tokens, epochs marked, and the limit of the latter.

    here: the best training for a budget, a diamond. stop: where more compute stops helping, an upright line.
    """
    U, C, limit = here.U, here.C, loss_limit(law, here.U)
    marks = wall_at_epochs(law, U=U, epochs=np.array(EPOCHS))
    low, high = min(float(marks.C[0]) / 5.0, C / 3.0), max(float(marks.C[-1]) * 5.0, stop.C * 5.0, C * 3.0)
    x_domain = log_domain([low, high])
    budgets = decades(*x_domain, per_decade=16)
    wall = data_wall(law, U=U, C=budgets)
    y_domain = nice_domain([float(wall.unlimited_loss[-1]), float(marks.loss[0]), here.loss], margin=0.06)
    lines = [("free", wall.unlimited_loss), ("limited", wall.loss)]
    ys = [*(loss for _, loss in lines), np.full_like(budgets, limit)]
    x, y = to_pixels(stop.C, stop.loss, x_domain, y_domain, WIDTH, PLOT, log_y=False)
    at, floor = int(0.93 * len(budgets)), t("no compute goes below {limit}", limit=format_loss(limit))
    below = to_pixels(x_domain[0], limit, x_domain, y_domain, WIDTH, PLOT, log_y=False)[1]
    names = [
        (budgets[at], wall.unlimited_loss[at], t("unlimited data"), "free", -6.0, 18.0, "right"),
        (x_domain[0], limit, floor, "limited", 6.0, 14.0, "left"),
    ]
    points = [
        (C, here.loss, _times(here.epochs), "here"),
        *(
            (c, loss, "" if abs(math.log(c / C)) < 1.0 else _times(e), "epochs")
            for c, loss, e in zip(marks.C.tolist(), marks.loss.tolist(), EPOCHS, strict=True)
        ),
    ]
    return Figure(
        template=_wall_template(theme),
        data={
            "curves": pd.concat(
                [pd.DataFrame({"C": budgets, "loss": loss, "line": line}) for line, loss in lines], ignore_index=True
            ),
            "names": pd.DataFrame(names, columns=["C", "loss", "text", "line", "dx", "dy", "align"]),
            "limit": pd.DataFrame({"loss": [limit]}),
            "stop": pd.DataFrame({"C": [stop.C], "loss": [stop.loss], "top": [y_domain[1]]}),
            "points": named_points(
                [to_pixels(c, y, x_domain, y_domain, WIDTH, PLOT, log_y=False) for c, y, _, _ in points],
                [name for _, _, name, _ in points],
                {
                    "C": [c for c, _, _, _ in points],
                    "loss": [y for _, y, _, _ in points],
                    "kind": [kind for _, _, _, kind in points],
                },
                width=WIDTH,
                height=PLOT,
                size=theme.laid_size,
                obstacles=[
                    *(box for curve in ys for box in boxes(budgets, curve, x_domain, y_domain, False)),
                    (x - 2, 0.0, x + 2, y),
                    (0.0, below + 2, text_width(floor, theme.laid_size) + 10, below + 26),
                ],
            ),
        },
        values={**axis_values("x", x_domain, kind="flops"), **axis_values("y", y_domain, log=False)},
    )


def _times(epochs: float) -> str:
    if epochs <= 1.0:
        return t("once") if epochs > 0.999 else t("not all of it")
    return t("{n} epochs", n=epochs_text(epochs))


@template
def _wall_template(theme: Theme) -> AltairChart:
    title = t("Loss, nats per token")
    x, y = log_x("C", t("Training compute, FLOP"), "x", "flops"), linear_y("loss", title, "y", "loss")
    colour = alt.Color(
        "line:N", scale=alt.Scale(domain=["limited", "free"], range=[theme.accent, theme.muted]), legend=None
    )
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=["limited", "free"], range=[[1, 0], [3, 6]]), legend=None)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=colour)
    points, stop = alt.Chart(alt.NamedData("points")).encode(x, y), alt.Chart(alt.NamedData("stop"))
    of: dict[str, Any] = {kind: points.transform_filter(f"datum.kind == '{kind}'") for kind in ("here", "epochs")}
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align"), "clip": True}
    ink = alt.condition("datum.kind == 'here'", alt.value(theme.accent_2), alt.value(theme.accent))
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("limit"))
            .mark_rule(clip=True, color=theme.accent, strokeWidth=1.5, strokeDash=[4, 4])
            .encode(y),
            alt.Chart(alt.NamedData("curves")).mark_line(clip=True).encode(x, y, color=colour, strokeDash=dash),
            of["epochs"].mark_point(clip=True, filled=True, size=theme.point_size, color=theme.accent, opacity=1),
            stop.mark_rule(clip=True, color=theme.accent, strokeWidth=1.5, strokeDash=[4, 4]).encode(x, y, y2="top:Q"),
            of["here"].mark_point(
                clip=True, filled=True, size=1.7 * theme.point_size, color=theme.accent_2, opacity=1, shape="diamond"
            ),
            *halo_text(
                stop.encode(x, linear_y("top", title, "y", "loss")),
                theme,
                text=t("more compute stops helping"),
                align="left",
                dx=8,
                dy=13,
                color=theme.accent,
            ),
            *halo_text(names, theme, dx=datum("dx"), dy=datum("dy"), align=datum("align")),
            *halo_text(points.encode(text="name:N", color=ink), theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
