"""A law as pictures: isoFLOP curves with their minima, L(N) and L(D), and the terms of a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.arrays import FloatArray
from scaling_core.flops import training_flops
from scaling_core.laws import Law
from scaling_core.optimum import frontier, isoflop
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import Domain, axis_values, decades, linear_y, log_domain, log_x, nice_domain, scientific
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import datum, halo_text, named_points, to_pixels
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, themed

HEIGHT = 350
_WIDTH, _PLOT = 790.0, 285.0
"""Pixels of the plot without its axes, for which labels are laid out; a wider page only spreads them further."""
LOSS = "Loss, nats per token"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A model to show on a chart: its name, N parameters and D tokens. strong: the one the page is about."""

    name: str
    N: float
    D: float
    strong: bool = False

    @property
    def C(self) -> float:
        """Its compute in FLOP."""
        return training_flops(self.N, self.D)


def isoflop_chart(law: Law, C: float, marks: Sequence[Mark], theme: Theme) -> Figure:
    """Loss against N at five budgets, a decade apart with C (FLOP) in the middle; minima joined by the frontier.

    Each mark is drawn with the curve of its own budget; for strong ones the height above their minimum is drawn too.
    """
    budgets = np.array([C * 10.0**k for k in (-2, -1, 0, 1, 2)])
    best_N, _, best_loss = frontier(law, budgets)
    x_domain = log_domain([_held(best_N[0] / 12), _held(best_N[-1] * 12), *(m.N for m in marks)], per_decade=1)
    losses = [law.loss(m.N, m.D) for m in marks]
    top = float(best_loss[0] + 0.55 * (best_loss[0] - best_loss[-1]))
    y_domain = nice_domain([float(best_loss[-1]), top, *(x for x in losses if x < 2 * top)])
    N = decades(*x_domain)
    own = [m for m in marks if abs(math.log(m.C / C)) > 1e-3]
    curves = [_curve(law, float(budget), N, y_domain, str(k)) for k, budget in enumerate(budgets)]
    curves += [_curve(law, m.C, N, y_domain, f"own {m.name}") for m in own]
    sweep_N, _, sweep_loss = frontier(law, np.geomspace(budgets[0] / 30, budgets[-1] * 30, 60))
    steps = []
    for mark, loss in zip(marks, losses, strict=True):
        if mark.strong:
            N_best, _, best = frontier(law, np.array([mark.C]))
            steps.append({"N": mark.N, "loss": loss, "N2": float(N_best[0]), "loss2": float(best[0])})
    points = [
        to_pixels(m.N, y, x_domain, y_domain, _WIDTH, _PLOT, log_y=False) for m, y in zip(marks, losses, strict=True)
    ]
    return Figure(
        template=_isoflop_template(theme),
        data={
            "curves": pd.concat(curves, ignore_index=True),
            "ridge": pd.DataFrame({"N": sweep_N, "loss": sweep_loss}),
            "minima": pd.DataFrame({"N": best_N, "loss": best_loss}),
            "names": pd.DataFrame(
                [
                    {**_right_end(curve, y_domain), "kind": str(k), "text": f"{scientific(float(budgets[k]))} FLOP"}
                    for k, curve in enumerate(curves[:5])
                ]
            ),
            "steps": pd.DataFrame(steps, columns=["N", "loss", "N2", "loss2"], dtype=float),
            "marks": named_points(
                points,
                [m.name for m in marks],
                {"N": [m.N for m in marks], "loss": losses},
                width=_WIDTH,
                height=_PLOT,
                size=theme.mark_size + 2,
                segments=[line for curve in curves for line in _segments(curve, x_domain, y_domain)],
            ),
        },
        values={**axis_values("x", x_domain), **axis_values("y", y_domain, log=False)},
    )


def _held(N: float) -> float:
    """A size that an axis can show, whatever the constants."""
    return min(max(N, 1.0), 1e24)


def _segments(curve: pd.DataFrame, x_domain: Domain, y_domain: Domain) -> list[tuple[float, float, float, float]]:
    """A curve as straight pieces in pixels, coarse: what the names of the marks should keep off."""
    some = curve.iloc[::4]
    pixels = [
        to_pixels(N, loss, x_domain, y_domain, _WIDTH, _PLOT, log_y=False)
        for N, loss in zip(some.N.to_list(), some.loss.to_list(), strict=True)
    ]
    return [(*a, *b) for a, b in pairwise(pixels)]


_STROKES = {"o": 1.5, "2": 4.5}
"""Pixels of a mark's own curve and of the budget's; the others are thin."""


def _curve(law: Law, C: float, N: FloatArray, y_domain: Domain, line: str) -> pd.DataFrame:
    """One isoFLOP curve, cut a little above the plot: what is never seen need not be sent."""
    _, loss = isoflop(law, C, N)
    keep = loss < y_domain[1] + 0.5 * (y_domain[1] - y_domain[0])
    kind = line[:1]
    return pd.DataFrame(
        {"N": N[keep], "loss": loss[keep], "line": line, "kind": kind, "width": _STROKES.get(kind, 2.0)}
    )


def _right_end(curve: pd.DataFrame, y_domain: Domain) -> dict[str, float]:
    """Where a curve leaves the plot on its right-hand side, near the top or at the edge: there its name has room."""
    ceiling = y_domain[0] + 0.95 * (y_domain[1] - y_domain[0])
    inside = curve[curve.loss <= ceiling]
    last = (inside if len(inside) else curve).iloc[-1]
    return {"N": float(last.N), "loss": float(last.loss), "dy": 0.0 if len(inside) < len(curve) else -12.0}


@template
def _isoflop_template(theme: Theme) -> AltairChart:
    x, y = log_x("N", "Parameters N", "x"), linear_y("loss", LOSS, "y", "loss")
    kinds = ["o", "0", "1", "2", "3", "4"]
    shades = [theme.sequential[k] for k in (4, 4, 5, 6, 7)]
    colours = [theme.accent_2, shades[0], shades[1], theme.accent, shades[3], shades[4]]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=None)
    strong = alt.condition("datum.kind == '2'", alt.value(theme.accent), alt.value(theme.muted))
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=strong)
    family = (
        alt.Chart(alt.NamedData("curves"))
        .mark_line(clip=True)
        .encode(
            x,
            y,
            detail="line:N",
            color=colour,
            size=alt.Size("width:Q", scale=None, legend=None),
        )
    )
    ridge = (
        alt.Chart(alt.NamedData("ridge"))
        .mark_line(clip=True, strokeDash=[2, 6], strokeWidth=2.5, color=theme.muted)
        .encode(x, y, order="N:Q")
    )
    minima = alt.Chart(alt.NamedData("minima")).encode(x, y)
    steps = alt.Chart(alt.NamedData("steps"))
    flat: dict[str, Any] = {"clip": True, "color": theme.accent_2, "strokeWidth": 1.5, "strokeDash": [4, 4]}
    marks = alt.Chart(alt.NamedData("marks")).encode(x, y)
    name = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align"), "color": theme.accent_2}
    return themed(
        alt.layer(
            ridge,
            family,
            minima.mark_point(clip=True, filled=True, size=theme.point_size, color=theme.accent, opacity=1),
            *halo_text(names, theme, align="right", dx=-9, dy=datum("dy"), font=POWER_FONT),
            steps.mark_rule(**flat).encode(x, linear_y("loss2", LOSS, "y", "loss"), x2="N2:Q"),
            steps.mark_rule(clip=True, color=theme.accent_2, strokeWidth=2.5).encode(x, y, y2="loss2:Q"),
            marks.mark_point(
                clip=True, filled=True, size=1.7 * theme.point_size, color=theme.accent_2, opacity=1, shape="diamond"
            ),
            *halo_text(marks.encode(text="name:N"), theme, size=theme.mark_size + 2, **name),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


SLICE_HEIGHT = 340


def slice_chart(law: Law, variable: Literal["N", "D"], N: float, D: float, theme: Theme) -> Figure:
    """L(N) at the given D, or L(D) at the given N, with what the other without limit would give, and the floor.

    The point marks the given N and D.
    """
    domain = (1e7, 1e13) if variable == "N" else (1e8, 1e14)
    grid = decades(*domain, per_decade=16)
    without_limit = 1e36
    if variable == "N":
        here, free, fixed, at, other = law.loss(grid, D), law.loss(grid, without_limit), D, N, "tokens"
    else:
        here, free, fixed, at, other = law.loss(N, grid), law.loss(without_limit, grid), N, D, "parameters"
    loss = law.loss(N, D)
    bottom = law.floor or float(free[-1])
    top = max(loss, min(float(here[0]), float(here[-1]) + 4 * (float(here[-1]) - bottom), 2.2 * float(here[-1])))
    y_domain = nice_domain([bottom, top], margin=0.08)
    first = int(np.argmin(np.abs(here - (y_domain[0] + 0.80 * (y_domain[1] - y_domain[0])))))
    low = int(np.argmin(np.abs(free - (y_domain[0] + 0.30 * (y_domain[1] - y_domain[0])))))
    low = max(low, len(grid) // 2)
    rows = [
        (grid[first], here[first], f"with {format_quantity(fixed)} {other}", "here", 12.0, -4.0, "left"),
        (grid[low], free[low], f"unlimited {other}", "free", -12.0, 6.0, "right"),
    ]
    floor = f"no model goes below {format_loss(law.floor)}" if law.floor else ""
    return Figure(
        template=_slice_template(theme, variable),
        data={
            "curves": pd.concat(
                [pd.DataFrame({"x": grid, "loss": y, "line": line}) for y, line in ((here, "here"), (free, "free"))],
                ignore_index=True,
            ),
            "names": pd.DataFrame(rows, columns=["x", "loss", "text", "line", "dx", "dy", "align"]),
            "floor": pd.DataFrame({"x": [domain[1]], "loss": [law.floor], "text": [floor]}),
            "point": pd.DataFrame({"x": [at], "loss": [loss]}),
        },
        values={**axis_values("x", domain, most=4), **axis_values("y", y_domain, log=False)},
    )


@template
def _slice_template(theme: Theme, variable: str) -> AltairChart:
    x = log_x("x", "Parameters N" if variable == "N" else "Tokens D", "x")
    y = linear_y("loss", LOSS, "y", "loss")
    colour = alt.Color(
        "line:N", scale=alt.Scale(domain=["here", "free"], range=[theme.accent, theme.muted]), legend=None
    )
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=["here", "free"], range=[[1, 0], [3, 6]]), legend=None)
    floor = alt.Chart(alt.NamedData("floor")).encode(x, y)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=colour)
    point = alt.Chart(alt.NamedData("point")).encode(x, y)
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("floor")).mark_rule(clip=True, color=theme.accent_2, strokeWidth=2).encode(y),
            alt.Chart(alt.NamedData("curves")).mark_line(clip=True).encode(x, y, color=colour, strokeDash=dash),
            *halo_text(
                floor.encode(text="text:N"), theme, align="right", dx=-4, dy=12, color=theme.accent_2, clip=True
            ),
            *halo_text(names, theme, dx=datum("dx"), dy=datum("dy"), align=datum("align"), clip=True),
            point.mark_point(clip=True, filled=True, size=1.5 * theme.point_size, color=theme.accent, opacity=1),
        ).properties(height=SLICE_HEIGHT, width="container"),
        theme,
    )


TERMS: dict[str, str] = {"E": "irreducible", "N": "finite size", "D": "finite data"}
"""The three terms of a loss in the words of the page, in the order of the formula."""


def term_colours(theme: Theme) -> dict[str, str]:
    """The colour of each term, on the bar and beside its number."""
    return {"E": theme.muted, "N": theme.accent, "D": theme.accent_2}


def terms_chart(rows: Sequence[tuple[str, dict[str, float]]], theme: Theme) -> Figure:
    """Stacked bars of the three terms of a loss, one bar to a row (name, terms in nats per token), from zero."""
    names = [name for name, _ in rows]
    totals = [sum(terms.values()) for _, terms in rows]
    bars = [
        {"row": name, "term": term, "value": terms[term], "order": k}
        for name, terms in rows
        for k, term in enumerate(TERMS)
    ]
    return Figure(
        template=_terms_template(theme, len(rows)),
        data={
            "bars": pd.DataFrame(bars),
            "sums": pd.DataFrame({"row": names, "value": totals, "text": [format_loss(t) for t in totals]}),
        },
        values={"rows": names, "x_domain": [0, max(totals) * 1.1]},
    )


@template
def _terms_template(theme: Theme, count: int) -> AltairChart:
    domain: Any = alt.ExprRef(expr="rows")
    y = alt.Y(
        "row:N",
        sort=None,
        scale=alt.Scale(domain=domain, paddingInner=0.35, paddingOuter=0.1),
        axis=alt.Axis(title=None, domain=False, ticks=False, labelLimit=260, labelColor=theme.ink, labelFontWeight=600),
    )
    scale = alt.Scale(domain=alt.ExprRef(expr="x_domain"), nice=False)
    quiet = alt.Axis(title=None, grid=False, tickCount=5, domain=False)
    colours = term_colours(theme)
    colour = alt.Color("term:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=None)
    bars = (
        alt.Chart(alt.NamedData("bars"))
        .mark_bar(stroke=theme.background, strokeWidth=1.5)
        .encode(alt.X("value:Q", stack="zero", scale=scale, axis=quiet), y, color=colour, order="order:Q")
    )
    sums = (
        alt.Chart(alt.NamedData("sums"))
        .mark_text(align="left", dx=8, fontSize=theme.mark_size + 2, fontWeight=600, color=theme.ink)
        .encode(alt.X("value:Q", scale=scale, axis=quiet), y, text="text:N")
    )
    return themed(alt.layer(bars, sums).properties(height=46 * count + 8, width="container"), theme)
