"""The verdict of every law on every well-known model, as a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaling_core.language import t
from scaling_core.optimum import Verdict
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, diverging, readable_on, themed


def verdict_grid(rows: Sequence[tuple[str, Sequence[Verdict]]], columns: Sequence[str], theme: Theme) -> Figure:
    """The verdict of every law (columns) on every model (rows): the share of its compute left on the table.

    Orange: too large for its data; blue: too small for its compute; stronger the more was left. The text says so too,
    without its "too" where there are many columns.
    """
    cells = []
    for name, verdicts in rows:
        for column, verdict in zip(columns, verdicts, strict=True):
            share = verdict.compute_left / verdict.C
            near = verdict.status == "near-optimal"
            side = -1.0 if verdict.optimum.N < verdict.N else 1.0
            fill = diverging(0.0 if near else side * (0.2 + 0.8 * share), theme)
            left = ">99%" if share > 0.995 else f"{100 * share:.0f}%"
            cells.append(
                {
                    "row": name,
                    "column": column,
                    "fill": fill,
                    "ink": readable_on(fill, theme),
                    "text": t("near") if near else _verdict(large=side < 0, left=left, short=len(columns) > 6),
                }
            )
    return Figure(
        template=_grid_template(theme, len(rows)),
        data={"cells": pd.DataFrame(cells)},
        values={"rows": [name for name, _ in rows], "columns": list(columns)},
    )


def _verdict(*, large: bool, left: str, short: bool) -> str:
    """On which side of the optimum a model is, and the share of its compute that it left."""
    if short:
        return t("large {left}", left=left) if large else t("small {left}", left=left)
    return t("too large {left}", left=left) if large else t("too small {left}", left=left)


_HEADER_LINE = 18
"""Pixels of a line of a column's name, which has two: the upper one is empty for a name of one word."""


@template
def _grid_template(theme: Theme, count: int) -> AltairChart:
    label: dict[str, Any] = {
        "labelColor": theme.ink,
        "labelFontWeight": 600,
        "labelLimit": 220,
        "domain": False,
        "ticks": False,
    }
    base = alt.Chart(alt.NamedData("cells")).encode(
        alt.X(
            "column:N",
            sort=None,
            scale=alt.Scale(domain=alt.ExprRef(expr="columns"), paddingInner=0.04, paddingOuter=0),
            axis=alt.Axis(
                title=None,
                orient="top",
                labelAngle=0,
                labelExpr="split((indexof(datum.label, ' ') < 0 ? ' ' : '') + datum.label, ' ')",
                labelPadding=_HEADER_LINE + 4,
                labelLineHeight=_HEADER_LINE,
                grid=False,
                **label,
            ),
        ),
        alt.Y(
            "row:N",
            sort=None,
            scale=alt.Scale(domain=alt.ExprRef(expr="rows"), paddingInner=0.08, paddingOuter=0),
            axis=alt.Axis(title=None, grid=False, **label),
        ),
    )
    chart: AltairChart = (
        alt.layer(
            base.mark_rect(cornerRadius=3).encode(color=alt.Color("fill:N", scale=None, legend=None)),
            base.mark_text(fontSize=theme.mark_size, fontWeight=500).encode(
                text="text:N", color=alt.Color("ink:N", scale=None, legend=None)
            ),
        )
        .resolve_scale(color="independent")
        .properties(height=34 * count, width="container")
    )
    return themed(chart, theme)
