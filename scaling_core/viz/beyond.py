"""Beyond the compute optimum as pictures: models that are served, models kept small, and data that run out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.language import raw, t
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum import (
    Overtrained,
    inference_optimal,
    lifetime_flops,
    overtraining_curve,
    served_for,
    smaller_model,
    standing,
)
from scaling_core.units import format_quantity
from scaling_core.viz.axes import LABELS, Domain, axis_values, decades, log_domain, log_x, log_y
from scaling_core.viz.figure import Figure, axes_of, template
from scaling_core.viz.isoflop import Mark
from scaling_core.viz.labels import Box, datum, halo_text, named_points, text_width, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, themed

HEIGHT = 350
WIDTH, PLOT = 780.0, 280.0
"""Pixels of the plot without its axes, for which labels are laid out; a wider page only spreads them further."""
_STEPS = (
    "(round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))) == 1 ? '' : "
    "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))) + ' × ') + "
) + str(LABELS["flops"]).replace("round(log(datum.value) / LN10)", "floor(log(datum.value) / LN10 + 1e-9)")
"""A tick of compute between decades: 2 × 10²³."""
_PERCENT = "format(100 * datum.value, '~r') + '%'"


def boxes(x: FloatArray, y: FloatArray, x_domain: Domain, y_domain: Domain, log_y: bool) -> list[Box]:
    """A curve as thin boxes in pixels, some fifty: what names must keep off."""
    step = max(1, len(x) // 48)
    pixels = [
        to_pixels(a, b, x_domain, y_domain, WIDTH, PLOT, log_y=log_y)
        for a, b in zip(x[::step].tolist(), y[::step].tolist(), strict=True)
    ]
    return [(a[0], min(a[1], b[1]) - 2, b[0], max(a[1], b[1]) + 2) for a, b in pairwise(pixels)]


def share_text(x: float) -> str:
    """A share in percent, in full digits: 31%, 0.03%."""
    return f"{100 * x:.0f}%" if x >= 0.01 else f"{100 * x:.1g}%"


def served_amounts(law: Law, C: float, served: float) -> list[float]:
    """The amounts of tokens whose curves are drawn: none, a tenth of `served`, itself, ten times, where they differ.

    Where even ten times changes the best size by less than 4%, rounder amounts large enough to matter take its place.
    """
    best = {x: inference_optimal(law, C=C, D_inference=x) for x in (0.0, served / 10.0, served, 10.0 * served)}
    apart = [best[a].N / best[b].N > 1.04 for a, b in pairwise(best)]
    amounts = [served]
    if best[0.0].N / best[served].N > 1.04:
        amounts = [0.0, *([served / 10.0] if apart[0] and apart[1] else []), served]
    large = 10.0 ** math.ceil(math.log10(3.0 * best[0.0].D))
    return [*amounts, *([10.0 * served] if apart[2] or 10.0 * served > large else [large, 10.0 * large])]


def lifetime_chart(law: Law, C: float, served: float, theme: Theme) -> Figure:
    """Training and serving compute against N at the loss that C buys, for several served amounts, minima marked.

    The strong curve is the one of `served` tokens; the dotted line joins the best sizes as the amount grows.
    """
    amounts = served_amounts(law, C, served)
    best = [inference_optimal(law, C=C, D_inference=amount) for amount in amounts]
    least = overtraining_curve(law, C=C, fractions=np.array([1.0])).least_fraction * best[0].N
    x_domain = (max(0.9 * least, best[-1].N / 12), 12 * best[0].N)
    y_domain = log_domain([0.75 * best[0].total_flops, 4.0 * best[-1].total_flops], per_decade=3)
    N = np.unique(np.concatenate([decades(*x_domain, per_decade=72), least * (1.0 + np.geomspace(1e-6, 1.0, 60))]))
    strong = amounts.index(served)
    curves, names = [], []
    ceiling = y_domain[0] * (y_domain[1] / y_domain[0]) ** 0.9
    for k, amount in enumerate(amounts):
        total = lifetime_flops(law, N, C=C, D_inference=amount)
        keep = np.isfinite(total) & (total < 3.0 * y_domain[1]) & (N >= x_domain[0]) & (N <= x_domain[1])
        kind, width = ("strong", 4.5) if k == strong else ("other", 2.2)
        curve = pd.DataFrame({"N": N[keep], "total": total[keep], "line": str(k), "kind": kind, "width": width})
        last = (curve[curve.total <= ceiling] if (curve.total <= ceiling).any() else curve).iloc[-1]
        text = t("{amount} tokens served", amount=format_quantity(amount)) if amount else t("training alone")
        names.append((float(last.N), float(last.total), text, kind, -13.0 if k else 38.0))
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
    x = log_x("N", t("Parameters N"), "x")
    y = log_y("total", t("Training and serving, FLOP"), "y", labelExpr=_STEPS, labelFont=POWER_FONT)
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
    C = some_budget(law)
    chosen = smaller_model(law, C=C, times=times)
    x_domain = (0.8 * chosen.least_fraction, 12.0)
    y_domain = (0.6, max(20.0, 1.6 * times))
    beyond_wall = chosen.least_fraction * (1.0 + np.geomspace(1e-6, 1.0, 80))
    f = np.unique(np.concatenate([beyond_wall, decades(chosen.least_fraction * 1.01, x_domain[1], per_decade=72)]))
    curve = overtraining_curve(law, C=C, fractions=f)
    keep = curve.compute_ratio < 2.0 * y_domain[1]
    line = pd.DataFrame({"f": f[keep], "ratio": curve.compute_ratio[keep]})
    placed: list[tuple[str, Overtrained, str]] = [(m.name, standing(law, m.N, m.D), "mark") for m in marks]
    shown = [(t("{times:.3g} times the compute", times=times), chosen, "chosen")] if times > 1.0 else []
    shown += [
        p for p in placed if x_domain[0] < p[1].fraction < x_domain[1] and p[1].compute_ratio < y_domain[1] * 0.97
    ]
    points = [to_pixels(p.fraction, max(p.compute_ratio, 1.0), x_domain, y_domain, WIDTH, PLOT) for _, p, _ in shown]
    wall = t("below {share} no data suffice", share=share_text(chosen.least_fraction))
    wide = text_width(wall, theme.laid_size) + 20
    x, y = to_pixels(chosen.least_fraction, 0.8, x_domain, y_domain, WIDTH, PLOT)
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
                width=WIDTH,
                height=PLOT,
                size=theme.laid_size,
                obstacles=[
                    *boxes(line.f.to_numpy(), line.ratio.to_numpy(), x_domain, y_domain, True),
                    (x, y - 10, x + wide, y + 10),
                ],
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


def some_budget(law: Law) -> float:
    """A budget whose optimum and its smaller neighbours can be written; the curve is the same for every one."""
    for C in (1e22, 1e26, 1e32, 1e18, 1e38):
        try:
            smaller_model(law, C=C, times=10.0)
        except InputError:
            continue
        return C
    raise InputError(t("law"), law.form, t("under these constants no budget has an optimum that can be drawn"))


@template
def _overtraining_template(theme: Theme) -> AltairChart:
    x = log_x("f", t("Size, as a share of the optimal size for the same loss"), "x", labelExpr=_PERCENT)
    y = log_y("ratio", t("Training compute, times the least"), "y", "plain")
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


def lifetime_args(figure: Figure, law: Law, C: float, served: float) -> dict[str, Any]:
    """What `beyond.js` holds fixed of a lifetime figure: its axes, its amounts, and the places of names."""
    amounts = served_amounts(law, C, served)
    return {
        **axes_of(figure),
        "amounts": amounts,
        "strong": amounts.index(served),
        "names": figure.data["names"].text.to_list(),
        "levels": figure.data["names"].dy.to_list(),
        "places": figure.data["minima"][["dx", "dy"]].to_dict("records"),
        "excess": isinstance(law, MuennighoffLaw),
    }


def overtraining_args(figure: Figure, law: Law, times: float, marks: Sequence[Mark]) -> dict[str, Any]:
    """The same of an over-training figure; a point without N is the chosen one."""
    trained = {mark.name: {"N": mark.N, "D": mark.D} for mark in marks}
    return {
        **axes_of(figure),
        "budget": some_budget(law),
        "times": times,
        "points": [
            {**point, **trained.get(str(point["name"]), {"N": 0.0, "D": 0.0})}
            for point in figure.data["points"][["kind", "name", "dx", "dy", "align"]].to_dict("records")
        ],
        "words": {"wall": raw("below {share} no data suffice")},
        "excess": isinstance(law, MuennighoffLaw),
    }
