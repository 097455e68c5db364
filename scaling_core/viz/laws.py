"""A law as pictures: isoFLOP curves with their minima, L(N) and L(D), and the terms of a loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import axis_values, decades, linear_y, log_x, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import datum, enlarged_by, halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 350
_WIDTH, _PLOT = 790.0, 285.0
"""Pixels of the plot without its axes, for which labels are laid out; a wider page only spreads them further."""


def loss_title() -> str:
    """The title of an axis of losses."""
    return t("Loss, nats per token")


SLICE_HEIGHT = 340


def slice_chart(law: Law, variable: Literal["N", "D"], N: float, D: float, theme: Theme) -> Figure:
    """L(N) at the given D, or L(D) at the given N, with what the other without limit would give, and the floor.

    The point marks the given N and D.
    """
    domain = (1e7, 1e13) if variable == "N" else (1e8, 1e14)
    grid = decades(*domain, per_decade=16)
    without_limit = 1e36
    if variable == "N":
        here, free, at = law.loss(grid, D), law.loss(grid, without_limit), N
        names = t("with {n} tokens", n=format_quantity(D)), t("unlimited tokens")
    else:
        here, free, at = law.loss(N, grid), law.loss(without_limit, grid), D
        names = t("with {n} parameters", n=format_quantity(N)), t("unlimited parameters")
    loss = law.loss(N, D)
    bottom = law.floor or float(free[-1])
    top = max(loss, min(float(here[0]), float(here[-1]) + 4 * (float(here[-1]) - bottom), 2.2 * float(here[-1])))
    y_domain = nice_domain([bottom, top], margin=0.08)
    first = int(np.argmin(np.abs(here - (y_domain[0] + 0.80 * (y_domain[1] - y_domain[0])))))
    low = int(np.argmin(np.abs(free - (y_domain[0] + 0.30 * (y_domain[1] - y_domain[0])))))
    low = max(low, len(grid) // 2)
    rows = [
        (grid[first], here[first], names[0], "here", 12.0, -4.0, "left"),
        (grid[low], free[low], names[1], "free", -12.0, 6.0, "right"),
    ]
    floor = t("no model goes below {loss}", loss=format_loss(law.floor)) if law.floor else ""
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
    x = log_x("x", t("Parameters N") if variable == "N" else t("Tokens D"), "x")
    y = linear_y("loss", loss_title(), "y", "loss")
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


TERMS = ("E", "N", "D")
"""The three terms of a loss, in the order of the formula."""


def term_names() -> dict[str, str]:
    """The terms in the words of the page."""
    return {"E": t("irreducible"), "N": t("finite size"), "D": t("finite data")}


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
        values={"rows": names, "x_domain": [0, max(totals) * 1.18]},
    )


@template
def _terms_template(theme: Theme, count: int) -> AltairChart:
    domain: Any = alt.ExprRef(expr="rows")
    y = alt.Y(
        "row:N",
        sort=None,
        scale=alt.Scale(domain=domain, paddingInner=0.35, paddingOuter=0.1),
        axis=alt.Axis(
            title=None,
            domain=False,
            ticks=False,
            labelLimit=260 * theme.larger,
            labelColor=theme.ink,
            labelFontWeight=600,
        ),
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
        .mark_text(
            align="left", dx=enlarged_by(theme, 8), fontSize=theme.mark_size + 2, fontWeight=600, color=theme.ink
        )
        .encode(alt.X("value:Q", scale=scale, axis=quiet), y, text="text:N")
    )
    return themed(
        alt.layer(bars, sums).properties(height=round(46 * theme.larger) * count + 8, width="container"), theme
    )
