"""Beyond the compute optimum as pictures: models that are served, models kept small, and data that run out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum import (
    Overtrained,
    RepeatedOptimum,
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
from scaling_core.viz.labels import datum, halo_text, named_points, text_width, to_pixels
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
    step = max(1, len(x) // 32)
    pixels = [
        to_pixels(a, b, x_domain, y_domain, _WIDTH, _PLOT, log_y=log_y)
        for a, b in zip(x[::step].tolist(), y[::step].tolist(), strict=True)
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
    N = np.unique(np.concatenate([decades(*x_domain, per_decade=72), least * (1.0 + np.geomspace(1e-6, 1.0, 60))]))
    strong = amounts.index(served) if served > 0 else 0
    curves, names = [], []
    ceiling = y_domain[0] * (y_domain[1] / y_domain[0]) ** 0.9
    for k, amount in enumerate(amounts):
        total = lifetime_flops(law, N, C=C, D_inference=amount)
        keep = np.isfinite(total) & (total < 3.0 * y_domain[1]) & (N >= x_domain[0]) & (N <= x_domain[1])
        kind, width = ("strong", 4.5) if k == strong else ("other", 2.2)
        curve = pd.DataFrame({"N": N[keep], "total": total[keep], "line": str(k), "kind": kind, "width": width})
        last = (curve[curve.total <= ceiling] if (curve.total <= ceiling).any() else curve).iloc[-1]
        text = f"{format_quantity(amount)} tokens served" if amount else "training alone"
        names.append((float(last.N), float(last.total), text, kind, -13.0 if amount else 38.0))
        curves.append(curve)
    minima = [
        (
            b.N,
            b.total_flops,
            format_quantity(b.N),
            "strong" if k == strong else "other",
            *((8, -14) if k else (-20, 18)),
        )
        for k, b in enumerate(best)
    ]
    path = np.geomspace(best[-1].N, best[0].N, 60)
    along = lifetime_flops(law, path, C=C, D_inference=served_for(law, path, C=C))
    return Figure(
        template=_lifetime_template(theme),
        data={
            "curves": pd.concat(curves, ignore_index=True),
            "ridge": pd.DataFrame({"N": path, "total": along}),
            "minima": pd.DataFrame(minima, columns=["N", "total", "text", "kind", "dx", "dy"]),
            "names": pd.DataFrame(names, columns=["N", "total", "text", "kind", "dy"]),
        },
        values={**axis_values("x", x_domain), **axis_values("y", y_domain)},
    )


@template
def _lifetime_template(theme: Theme) -> AltairChart:
    x = log_x("N", "Parameters N", "x")
    y = log_y("total", "Training and serving, FLOP", "y", labelExpr=_STEPS, labelFont=POWER_FONT)
    colour = alt.condition("datum.kind == 'strong'", alt.value(theme.accent), alt.value(theme.sequential[4]))
    ink = alt.condition("datum.kind == 'strong'", alt.value(theme.accent), alt.value(theme.muted))
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=ink)
    minima = alt.Chart(alt.NamedData("minima")).encode(x, y)
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("ridge"))
            .mark_line(clip=True, strokeDash=[2, 6], strokeWidth=2.5, color=theme.muted)
            .encode(x, y, order="N:Q"),
            alt.Chart(alt.NamedData("curves"))
            .mark_line(clip=True)
            .encode(x, y, detail="line:N", color=colour, size=alt.Size("width:Q", scale=None, legend=None)),
            *halo_text(names, theme, align="right", dx=-8, dy=datum("dy")),
            minima.mark_point(clip=True, filled=True, size=1.2 * theme.point_size, opacity=1).encode(color=colour),
            *halo_text(
                minima.encode(text="text:N", color=ink), theme, align="left", dx=datum("dx"), dy=datum("dy"), clip=True
            ),
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
    y_domain = (0.6, max(20.0, 1.6 * times))
    beyond_wall = chosen.least_fraction * (1.0 + np.geomspace(1e-6, 1.0, 80))
    f = np.unique(np.concatenate([beyond_wall, decades(chosen.least_fraction * 1.01, x_domain[1], per_decade=72)]))
    curve = overtraining_curve(law, C=C, fractions=f)
    keep = curve.compute_ratio < 2.0 * y_domain[1]
    line = pd.DataFrame({"f": f[keep], "ratio": curve.compute_ratio[keep]})
    placed: list[tuple[str, Overtrained, str]] = [(m.name, standing(law, m.N, m.D), "mark") for m in marks]
    shown = [(f"{times:.3g} times the compute", chosen, "chosen")] if times > 1.0 else []
    shown += [
        p for p in placed if x_domain[0] < p[1].fraction < x_domain[1] and p[1].compute_ratio < y_domain[1] * 0.97
    ]
    points = [to_pixels(p.fraction, max(p.compute_ratio, 1.0), x_domain, y_domain, _WIDTH, _PLOT) for _, p, _ in shown]
    wall = f"below {100 * chosen.least_fraction:.0f}% no data suffice"
    wide = text_width(wall, theme.mark_size) + 20
    x, y = to_pixels(chosen.least_fraction, 0.8, x_domain, y_domain, _WIDTH, _PLOT)
    return Figure(
        template=_overtraining_template(theme),
        data={
            "curve": line,
            "wall": pd.DataFrame({"f": [chosen.least_fraction], "ratio": [0.8], "text": [wall]}),
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
                obstacles=[(x, y - 10, x + wide, y + 10)],
            ),
        },
        values={
            **axis_values("x", x_domain),
            **axis_values("y", y_domain),
            "x_ticks": [t for t in _SHARES if x_domain[0] < t < x_domain[1]],
            "y_ticks": [t for t in _RATIOS if t <= y_domain[1]],
        },
    )


_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_RATIOS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


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
    x = log_x("f", "Size, as a share of the optimal size for the same loss", "x", labelExpr=_PERCENT)
    y = log_y("ratio", "Training compute, times the least", "y", "plain")
    colour = alt.condition("datum.kind == 'chosen'", alt.value(theme.accent), alt.value(theme.accent_2))
    points = alt.Chart(alt.NamedData("points")).encode(x, y)
    wall = alt.Chart(alt.NamedData("wall")).encode(x)
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            wall.mark_rule(color=theme.muted, strokeWidth=2, strokeDash=[4, 4]),
            alt.Chart(alt.NamedData("curve")).mark_line(clip=True, color=theme.accent).encode(x, y),
            *halo_text(wall.encode(y, text="text:N"), theme, align="left", dx=8, color=theme.muted),
            points.mark_point(filled=True, size=1.3 * theme.point_size, opacity=1).encode(
                color=colour,
                shape=alt.condition("datum.kind == 'chosen'", alt.value("circle"), alt.value("diamond")),
            ),
            *halo_text(points.encode(text="name:N", color=colour), theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


EPOCHS = (1.0, 2.0, 4.0, 8.0, 16.0, 40.0)
"""Epochs that are marked along the wall."""


def wall_chart(law: MuennighoffLaw, here: RepeatedOptimum, stop: RepeatedOptimum, theme: Theme) -> Figure:
    """Loss against compute with unlimited data and with few unique tokens, epochs marked, and the limit of the latter.

    here: the best training for a budget, a diamond. stop: where more compute stops helping, an upright stroke.
    """
    U, C, limit = here.U, here.C, loss_limit(law, here.U)
    marks = wall_at_epochs(law, U=U, epochs=np.array(EPOCHS))
    low, high = min(float(marks.C[0]) / 5.0, C / 3.0), max(float(marks.C[-1]) * 5.0, stop.C * 5.0, C * 3.0)
    x_domain = log_domain([low, high])
    budgets = decades(*x_domain, per_decade=16)
    wall = data_wall(law, U=U, C=budgets)
    y_domain = nice_domain([float(wall.unlimited_loss[-1]), float(marks.loss[0]), here.loss], margin=0.06)
    lines = [("free", wall.unlimited_loss), ("limited", wall.loss)]
    ys, bottom = [loss for _, loss in lines], np.full_like(budgets, limit)
    at = int(0.93 * len(budgets))
    names = [
        (budgets[at], wall.unlimited_loss[at], "unlimited data", "free", -6.0, 18.0, "right"),
        (x_domain[0], limit, f"no compute goes below {format_loss(limit)}", "limited", 6.0, 14.0, "left"),
    ]
    points = [
        (C, here.loss, f"{format_quantity(here.N)}, {_times(here.epochs)}", "here"),
        *((c, y, _times(e), "epochs") for c, y, e in zip(marks.C.tolist(), marks.loss.tolist(), EPOCHS, strict=True)),
        (stop.C, stop.loss, "stops helping", "stop"),
    ]
    return Figure(
        template=_wall_template(theme),
        data={
            "curves": pd.concat(
                [pd.DataFrame({"C": budgets, "loss": loss, "line": line}) for line, loss in lines], ignore_index=True
            ),
            "names": pd.DataFrame(names, columns=["C", "loss", "text", "line", "dx", "dy", "align"]),
            "limit": pd.DataFrame({"loss": [limit]}),
            "points": named_points(
                [to_pixels(c, y, x_domain, y_domain, _WIDTH, _PLOT, log_y=False) for c, y, _, _ in points],
                [name for _, _, name, _ in points],
                {
                    "C": [c for c, _, _, _ in points],
                    "loss": [y for _, y, _, _ in points],
                    "kind": [kind for _, _, _, kind in points],
                },
                width=_WIDTH,
                height=_PLOT,
                size=theme.mark_size,
                segments=3 * [p for y in (*ys, bottom) for p in _segments(budgets, y, x_domain, y_domain, False)],
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
    points = alt.Chart(alt.NamedData("points")).encode(x, y)
    of: dict[str, Any] = {
        kind: points.transform_filter(f"datum.kind == '{kind}'") for kind in ("here", "epochs", "stop")
    }
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align"), "clip": True}
    ink = alt.condition("datum.kind == 'here'", alt.value(theme.accent_2), alt.value(theme.accent))
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("limit"))
            .mark_rule(clip=True, color=theme.accent, strokeWidth=1.5, strokeDash=[4, 4])
            .encode(y),
            alt.Chart(alt.NamedData("curves")).mark_line(clip=True).encode(x, y, color=colour, strokeDash=dash),
            of["epochs"].mark_point(clip=True, filled=True, size=theme.point_size, color=theme.accent, opacity=1),
            of["stop"].mark_tick(clip=True, color=theme.accent, thickness=3, size=24, orient="vertical", opacity=1),
            of["here"].mark_point(
                clip=True, filled=True, size=1.7 * theme.point_size, color=theme.accent_2, opacity=1, shape="diamond"
            ),
            *halo_text(names, theme, dx=datum("dx"), dy=datum("dy"), align=datum("align")),
            *halo_text(points.encode(text="name:N", color=ink), theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
