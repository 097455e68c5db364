"""Beyond the compute optimum as pictures: models that are served, models kept small, and data that run out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum import (
    Overtrained,
    compute_wall,
    data_limited,
    data_wall,
    inference_optimal,
    lifetime_flops,
    loss_limit,
    overtraining_curve,
    served_for,
    smaller_model,
    standing,
    wall_at_epochs,
)
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import LABELS, Domain, axis_values, decades, linear_y, log_domain, log_x, log_y, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import datum, halo_text, named_points, to_pixels
from scaling_core.viz.laws import LOSS, Mark
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, themed

HEIGHT = 350
_WIDTH, _PLOT = 780.0, 280.0
"""Pixels of the plot without its axes, for which labels are laid out; a wider page only spreads them further."""
_STEPS = (
    "(round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))) == 1 ? '' : "
    "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))) + ' × ') + "
) + str(LABELS["flops"]).replace("round(log(datum.value) / LN10)", "floor(log(datum.value) / LN10 + 1e-9)")
"""A tick of compute between decades: 2 × 10²³."""
_PERCENT = "format(100 * datum.value, '~r') + '%'"


def _segments(x: FloatArray, y: FloatArray, x_domain: Domain, y_domain: Domain, log_y: bool) -> list[tuple[float, ...]]:
    """A curve as straight pieces in pixels, coarse: what names should keep off."""
    pixels = [
        to_pixels(a, b, x_domain, y_domain, _WIDTH, _PLOT, log_y=log_y)
        for a, b in zip(x[::3].tolist(), y[::3].tolist(), strict=True)
    ]
    return [(*a, *b) for a, b in pairwise(pixels)]


def served_amounts(served: float) -> list[float]:
    """The amounts of tokens whose curves are drawn beside `served`: none, a tenth, itself, ten times."""
    return [0.0, served / 10.0, served, served * 10.0] if served > 0 else [0.0, 1e12, 1e13, 1e14]


def lifetime_chart(law: Law, C: float, served: float, theme: Theme) -> Figure:
    """Training and serving compute against N at the loss that C buys, for several served amounts, minima marked.

    The strong curve is the one of `served` tokens; the dotted line joins the best sizes as the amount grows.
    """
    amounts = served_amounts(served)
    best = [inference_optimal(law, C=C, D_inference=amount) for amount in amounts]
    least = overtraining_curve(law, C=C, fractions=np.array([1.0])).least_fraction * best[0].N
    x_domain = (max(0.9 * least, best[-1].N / 12), 12 * best[0].N)
    y_domain = log_domain([0.75 * best[0].total_flops, 4.0 * best[-1].total_flops], per_decade=3)
    N = np.unique(np.concatenate([decades(*x_domain), least * (1.0 + np.geomspace(1e-6, 1.0, 60))]))
    strong = amounts.index(served)
    curves, names = [], []
    for k, amount in enumerate(amounts):
        total = lifetime_flops(law, N, C=C, D_inference=amount)
        keep = np.isfinite(total) & (total < 3.0 * y_domain[1]) & (N >= x_domain[0]) & (N <= x_domain[1])
        kind = "strong" if k == strong else "other"
        curves.append(pd.DataFrame({"N": N[keep], "total": total[keep], "line": str(k), "kind": kind}))
        inside = curves[-1][curves[-1].total <= 0.88 * y_domain[1]]
        last = (inside if len(inside) else curves[-1]).iloc[-1]
        text = f"{format_quantity(amount)} tokens served" if amount else "training alone"
        names.append({"N": float(last.N), "total": float(last.total), "text": text, "kind": kind})
    path = np.geomspace(best[-1].N, best[0].N, 60)
    along = lifetime_flops(law, path, C=C, D_inference=served_for(law, path, C=C))
    return Figure(
        template=_lifetime_template(theme),
        data={
            "curves": pd.concat(curves, ignore_index=True),
            "ridge": pd.DataFrame({"N": path, "total": along}),
            "minima": pd.DataFrame(
                [
                    {
                        "N": b.N,
                        "total": b.total_flops,
                        "text": format_quantity(b.N),
                        "kind": "strong" if k == strong else "other",
                    }
                    for k, b in enumerate(best)
                ]
            ),
            "names": pd.DataFrame(names),
        },
        values={**axis_values("x", x_domain), **axis_values("y", y_domain)},
    )


@template
def _lifetime_template(theme: Theme) -> AltairChart:
    x = log_x("N", "Parameters N", "x")
    y = log_y("total", "Training and serving, FLOP", "y", labelExpr=_STEPS, labelFont=POWER_FONT)
    colour = alt.condition("datum.kind == 'strong'", alt.value(theme.accent), alt.value(theme.sequential[4]))
    ink = alt.condition("datum.kind == 'strong'", alt.value(theme.accent), alt.value(theme.muted))
    wide = alt.condition("datum.kind == 'strong'", alt.value(4.5), alt.value(2.2))
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=ink)
    minima = alt.Chart(alt.NamedData("minima")).encode(x, y)
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("ridge"))
            .mark_line(clip=True, strokeDash=[2, 6], strokeWidth=2.5, color=theme.muted)
            .encode(x, y, order="N:Q"),
            alt.Chart(alt.NamedData("curves"))
            .mark_line(clip=True)
            .encode(x, y, detail="line:N", color=colour, strokeWidth=wide),
            *halo_text(names, theme, align="right", dx=-8, dy=-12),
            minima.mark_point(clip=True, filled=True, size=1.2 * theme.point_size, opacity=1).encode(color=colour),
            *halo_text(minima.encode(text="text:N", color=ink), theme, dy=18, clip=True),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


def overtraining_chart(law: Law, times: float, marks: Sequence[Mark], theme: Theme) -> Figure:
    """Training compute against size at equal loss, both relative to the optimum; where trained models stand.

    The curve is the same for every loss of a law. The dot is the model that spends `times` the compute; the line at
    the left the size below which no data suffice. Marks outside the plot are left out.
    """
    C = _some_budget(law)
    chosen = smaller_model(law, C=C, times=times)
    x_domain = (0.8 * chosen.least_fraction, 12.0)
    y_domain = (0.93, max(20.0, 1.6 * times))
    beyond_wall = chosen.least_fraction * (1.0 + np.geomspace(1e-6, 1.0, 80))
    f = np.unique(np.concatenate([beyond_wall, decades(chosen.least_fraction * 1.01, x_domain[1])]))
    curve = overtraining_curve(law, C=C, fractions=f)
    keep = curve.compute_ratio < 2.0 * y_domain[1]
    line = pd.DataFrame({"f": f[keep], "ratio": curve.compute_ratio[keep]})
    placed: list[tuple[str, Overtrained, str]] = [(m.name, standing(law, m.N, m.D), "mark") for m in marks]
    shown = [(f"{times:.3g} times the compute", chosen, "chosen")] if times > 1.0 else []
    shown += [
        p for p in placed if x_domain[0] < p[1].fraction < x_domain[1] and p[1].compute_ratio < y_domain[1] * 0.97
    ]
    points = [to_pixels(p.fraction, max(p.compute_ratio, 1.0), x_domain, y_domain, _WIDTH, _PLOT) for _, p, _ in shown]
    wall = f"below {100 * chosen.least_fraction:.2g}% no data suffice"
    return Figure(
        template=_overtraining_template(theme),
        data={
            "curve": line,
            "wall": pd.DataFrame({"f": [chosen.least_fraction], "ratio": [y_domain[1]], "text": [wall]}),
            "points": named_points(
                points,
                [name for name, _, _ in shown],
                {
                    "f": [p.fraction for _, p, _ in shown],
                    "ratio": [p.compute_ratio for _, p, _ in shown],
                    "kind": [kind for _, _, kind in shown],
                },
                width=_WIDTH,
                height=_PLOT,
                size=theme.mark_size,
                segments=_segments(line.f.to_numpy(), line.ratio.to_numpy(), x_domain, y_domain, True),
                obstacles=[(0.0, 0.0, 260.0, 24.0)],
            ),
        },
        values={**axis_values("x", x_domain), **axis_values("y", y_domain)},
    )


def _some_budget(law: Law) -> float:
    """A budget whose optimum and its smaller neighbours can be written; the curve is the same for every one."""
    for C in (1e22, 1e26, 1e32, 1e18, 1e38):
        try:
            smaller_model(law, C=C, times=10.0)
        except InputError:
            continue
        return C
    raise InputError("law", law.form, "under these constants no budget has an optimum that can be drawn")


@template
def _overtraining_template(theme: Theme) -> AltairChart:
    x = log_x("f", "Size, of the optimal one at the same loss", "x", labelExpr=_PERCENT)
    y = log_y("ratio", "Training compute, times the least", "y", "plain")
    colour = alt.condition("datum.kind == 'chosen'", alt.value(theme.accent), alt.value(theme.accent_2))
    points = alt.Chart(alt.NamedData("points")).encode(x, y)
    wall = alt.Chart(alt.NamedData("wall")).encode(x)
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            wall.mark_rule(color=theme.muted, strokeWidth=2, strokeDash=[4, 4]),
            alt.Chart(alt.NamedData("curve")).mark_line(clip=True, color=theme.accent).encode(x, y),
            *halo_text(wall.encode(y, text="text:N"), theme, align="left", dx=8, dy=12, color=theme.muted),
            points.mark_point(filled=True, size=1.3 * theme.point_size, opacity=1).encode(
                color=colour,
                shape=alt.condition("datum.kind == 'chosen'", alt.value("circle"), alt.value("diamond")),
            ),
            *halo_text(points.encode(text="name:N", color=colour), theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


EPOCHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Epochs that are marked along the wall."""


def wall_chart(law: MuennighoffLaw, U: float, C: float, theme: Theme) -> Figure:
    """Loss against compute with unlimited data and with U unique tokens, epochs marked, and the limit of the latter.

    The diamond is the best training for C FLOP; a tick on the axis of the limit marks where more compute stops helping.
    """
    marks = wall_at_epochs(law, U=U, epochs=np.array(EPOCHS))
    stop, limit, here = compute_wall(law, U), loss_limit(law, U), data_limited(law, U=U, C=C)
    low, high = min(float(marks.C[0]) / 20.0, C / 3.0), max(float(marks.C[-1]) * 6.0, stop.C * 6.0, C * 3.0)
    x_domain = log_domain([low, high], per_decade=1)
    budgets = decades(*x_domain, per_decade=16)
    wall = data_wall(law, U=U, C=budgets)
    first = float(np.interp(math.log(float(marks.C[0]) / 12.0), np.log(budgets), wall.loss))
    y_domain = nice_domain([float(wall.unlimited_loss[-1]), max(first, here.loss)], margin=0.02)
    lines = [("free", wall.unlimited_loss), ("limited", wall.loss)]
    at = int(0.93 * len(budgets))
    names = [
        (budgets[at], wall.unlimited_loss[at], "unlimited data", "free", -14.0, "center"),
        (x_domain[1], limit, f"no compute goes below {format_loss(limit)}", "limited", -14.0, "right"),
    ]
    points = [to_pixels(C, here.loss, x_domain, y_domain, _WIDTH, _PLOT, log_y=False)]
    epochs = [(C, loss, _times(e)) for C, loss, e in zip(marks.C, marks.loss, EPOCHS, strict=True)]
    return Figure(
        template=_wall_template(theme),
        data={
            "curves": pd.concat(
                [pd.DataFrame({"C": budgets, "loss": loss, "line": line}) for line, loss in lines], ignore_index=True
            ),
            "names": pd.DataFrame(names, columns=["C", "loss", "text", "line", "dy", "align"]),
            "limit": pd.DataFrame({"loss": [limit]}),
            "epochs": pd.DataFrame(epochs, columns=["C", "loss", "text"]),
            "stop": pd.DataFrame({"C": [stop.C], "loss": [stop.loss]}),
            "point": named_points(
                points,
                [f"{format_quantity(here.N)}, {_times(here.epochs)}"],
                {"C": [C], "loss": [here.loss]},
                width=_WIDTH,
                height=_PLOT,
                size=theme.mark_size + 1,
                segments=_segments(budgets, wall.loss, x_domain, y_domain, False),
            ),
        },
        values={**axis_values("x", x_domain, kind="flops"), **axis_values("y", y_domain, log=False)},
    )


def _times(epochs: float) -> str:
    if epochs <= 1.0:
        return "once" if epochs > 0.999 else "not all of it"
    return f"{epochs:.2g} epochs"


@template
def _wall_template(theme: Theme) -> AltairChart:
    x, y = log_x("C", "Training compute, FLOP", "x", "flops"), linear_y("loss", LOSS, "y", "loss")
    colour = alt.Color(
        "line:N", scale=alt.Scale(domain=["limited", "free"], range=[theme.accent, theme.muted]), legend=None
    )
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=["limited", "free"], range=[[1, 0], [3, 6]]), legend=None)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=colour)
    epochs, point = alt.Chart(alt.NamedData("epochs")).encode(x, y), alt.Chart(alt.NamedData("point")).encode(x, y)
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("limit"))
            .mark_rule(clip=True, color=theme.accent, strokeWidth=1.5, strokeDash=[4, 4])
            .encode(y),
            alt.Chart(alt.NamedData("curves")).mark_line(clip=True).encode(x, y, color=colour, strokeDash=dash),
            epochs.mark_point(clip=True, filled=True, size=theme.point_size, color=theme.accent, opacity=1),
            *halo_text(epochs.encode(text="text:N"), theme, clip=True, align="left", dx=4, dy=-15, color=theme.accent),
            *halo_text(names, theme, dy=datum("dy"), align=datum("align")),
            alt.Chart(alt.NamedData("stop"))
            .mark_tick(clip=True, color=theme.accent, thickness=3, size=26, orient="vertical")
            .encode(x, y),
            point.mark_point(
                clip=True, filled=True, size=1.7 * theme.point_size, color=theme.accent_2, opacity=1, shape="diamond"
            ),
            *halo_text(point.encode(text="name:N"), theme, size=theme.mark_size + 1, color=theme.accent_2, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
