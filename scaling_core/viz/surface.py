"""The loss over the plane of N and D: filled contours, the frontier, one budget, and where the law was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Range
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum import frontier
from scaling_core.viz.axes import Domain, decades, log_x, log_y, scientific
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.isoflop import Mark
from scaling_core.viz.labels import Box, datum, halo_text, named_points, text_width, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, mix, themed

N_DOMAIN: Domain = (3e7, 3e12)
D_DOMAIN: Domain = (1e9, 1e14)
HEIGHT = 520
_WIDTH, _PLOT = 730.0, 450.0
"""Pixels of the plot without its axes on a page 1280 wide."""
BANDS = 9


def levels(low: float, high: float, floor: float, count: int = BANDS) -> list[float]:
    """About `count` round loss levels between low and high, evenly spaced in the logarithm of loss - floor.

    Rounded to the fewest digits that keep neighbours apart; ascending; strictly between low and high.
    """
    excess = np.geomspace(max(low - floor, 1e-3 * (high - low)), high - floor, count + 2)[1:-1]
    raw = [floor + float(e) for e in excess]
    for digits in range(1, 8):
        inside = [value for value in sorted({float(f"{value:.{digits}g}") for value in raw}) if low < value < high]
        if len(inside) >= count - 2:
            return inside
    return raw


_BEYOND = 1e3
"""Contours are followed this factor beyond the plot, so that they leave it without a kink."""


def contour(law: Law, level: float, N: FloatArray) -> FloatArray:
    """The D at which each N reaches `level`, held within a factor of 1000 of the plot; shape of N.

    The loss falls as D grows, so there is one such D.
    """
    D = decades(D_DOMAIN[0] / _BEYOND, D_DOMAIN[1] * _BEYOND, per_decade=30)
    table = law.loss(N[:, None], D[None, :])
    log_D = np.log(D)
    return np.array([math.exp(np.interp(-level, -row, log_D)) for row in table])


def surface_chart(
    law: Law,
    C: float,
    marks: Sequence[Mark],
    theme: Theme,
    *,
    valid_N: Range | None = None,
    valid_D: Range | None = None,
) -> Figure:
    """L(N, D) as filled contours, stronger where the loss is lower, each contour's loss written at the right edge.

    Over it: the budget C (FLOP) as a line, the frontier of least loss, the marks, and a frame round the runs that
    the law was fitted on.
    """
    N = decades(*N_DOMAIN, per_decade=24)
    steps = levels(law.loss(N_DOMAIN[1], D_DOMAIN[1]), law.loss(N_DOMAIN[0], D_DOMAIN[0]), law.floor)[::-1]
    shades = [mix(theme.background, theme.accent, 0.07 + 0.43 * k / max(1, len(steps))) for k in range(len(steps) + 1)]
    bands = [pd.DataFrame({"N": N, "D": D_DOMAIN[0], "D2": D_DOMAIN[1] * _BEYOND, "band": 0, "colour": shades[0]})]
    edges: list[tuple[float, str]] = []
    for k, level in enumerate(steps, start=1):
        D = contour(law, level, N)
        bands.append(pd.DataFrame({"N": N, "D": D, "D2": D_DOMAIN[1] * _BEYOND, "band": k, "colour": shades[k]}))
        if D_DOMAIN[0] * 1.02 < D[-1] < D_DOMAIN[1] / 1.02:
            edges.append((float(D[-1]), f"{level:.1f}" if round(level, 1) == level else f"{level:g}"))
    edges = [*_thinned(edges), (D_DOMAIN[1], t("loss"))]
    path_N, path_D, _ = frontier(law, np.geomspace(1e14, 1e30, 160))
    ends = np.array(N_DOMAIN)
    best_N, best_D, _ = frontier(law, np.array([C]))
    names = _line_names(path_N, path_D, C)
    shown = [m for m in marks if N_DOMAIN[0] <= m.N <= N_DOMAIN[1] and D_DOMAIN[0] <= m.D <= D_DOMAIN[1]]
    return Figure(
        template=_surface_template(theme),
        data={
            "bands": pd.concat(bands, ignore_index=True),
            "edges": pd.DataFrame({"N": N_DOMAIN[1], "D": [D for D, _ in edges], "text": [text for _, text in edges]}),
            "measured": _measured(valid_N, valid_D),
            "lines": pd.concat(
                [
                    pd.DataFrame({"N": path_N, "D": path_D, "line": "frontier", "width": 3.5}),
                    pd.DataFrame({"N": ends, "D": C / (6 * ends), "line": "budget", "width": 2.0}),
                ],
                ignore_index=True,
            ),
            "best": pd.DataFrame({"N": best_N, "D": best_D}),
            "names": names,
            "marks": named_points(
                [to_pixels(m.N, m.D, N_DOMAIN, D_DOMAIN, _WIDTH, _PLOT) for m in shown],
                [m.name for m in shown],
                {"N": [m.N for m in shown], "D": [m.D for m in shown]},
                width=_WIDTH,
                height=_PLOT,
                size=theme.laid_size + 1,
                obstacles=_boxes(names, theme.laid_size),
            ),
        },
        values={},
    )


def _line_names(path_N: FloatArray, path_D: FloatArray, C: float) -> pd.DataFrame:
    """The names of the frontier, near its upper end, and of the budget, near its lower right, where they are seen."""
    rows = []
    inside = (
        (path_N > N_DOMAIN[0] * 20)
        & (path_N < N_DOMAIN[1] / 1.5)
        & (path_D > D_DOMAIN[0])
        & (path_D < D_DOMAIN[1] / 1.7)
    )
    if inside.any():
        last = int(np.flatnonzero(inside)[-1])
        rows.append((float(path_N[last]), float(path_D[last]), t("compute-optimal"), "frontier"))
    N = min(N_DOMAIN[1] / 1.6, C / (6 * D_DOMAIN[0] * 2))
    if N > N_DOMAIN[0] * 20 and C / (6 * N) < D_DOMAIN[1]:
        rows.append((N, C / (6 * N), f"{scientific(C)} FLOP", "budget"))
    return pd.DataFrame(rows, columns=["N", "D", "text", "line"])


_AWAY = 12
"""Pixels by which a line's name stands to its left."""


def _boxes(names: pd.DataFrame, size: float) -> list[Box]:
    """The room that the names of the lines take."""
    boxes = []
    for N, D, text in zip(names["N"].to_list(), names["D"].to_list(), names["text"].to_list(), strict=True):
        x, y = to_pixels(N, D, N_DOMAIN, D_DOMAIN, _WIDTH, _PLOT)
        boxes.append((x - _AWAY - text_width(text, size), y - 0.6 * size, x - _AWAY, y + 0.6 * size))
    return boxes


def _thinned(edges: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Edge labels at least 22 pixels apart, and as far below the top, where the word stands."""
    per_pixel = math.log(D_DOMAIN[1] / D_DOMAIN[0]) / _PLOT
    kept: list[tuple[float, str]] = []
    for D, text in sorted(edges):
        clear = not kept or math.log(D / kept[-1][0]) > 22 * per_pixel
        if clear and math.log(D_DOMAIN[1] / D) > 22 * per_pixel:
            kept.append((D, text))
    return kept


def _measured(valid_N: Range | None, valid_D: Range | None) -> pd.DataFrame:
    """The frame round the runs behind the law, as far as it lies within the plot; no row where it is not known."""
    rows = []
    if valid_N and valid_D:
        N = [min(max(v, N_DOMAIN[0]), N_DOMAIN[1]) for v in valid_N]
        D = [min(max(v, D_DOMAIN[0]), D_DOMAIN[1]) for v in valid_D]
        if N[1] > N[0] and D[1] > D[0]:
            rows.append({"N": N[0], "N2": N[1], "D": D[0], "D2": D[1]})
    return pd.DataFrame(rows, columns=["N", "N2", "D", "D2"], dtype=float)


@template
def _surface_template(theme: Theme) -> AltairChart:
    x = log_x("N", t("Parameters N"), N_DOMAIN, grid=False)
    y = log_y("D", t("Tokens D"), D_DOMAIN, grid=False)
    fill = (
        alt.Chart(alt.NamedData("bands"))
        .mark_area(clip=True, opacity=1, line={"color": theme.background, "strokeWidth": 1.2})
        .encode(x, y, y2="D2:Q", color=alt.Color("colour:N", scale=None, legend=None), detail="band:O")
    )
    edges = (
        alt.Chart(alt.NamedData("edges"))
        .mark_text(align="left", dx=8, color=theme.ink, fontSize=theme.label_size, fontWeight=600)
        .encode(x, y, text="text:N")
    )
    frame = alt.Chart(alt.NamedData("measured"))
    kinds = ["frontier", "budget"]
    colour = alt.Color("line:N", scale=alt.Scale(domain=kinds, range=[theme.accent_2, theme.ink]), legend=None)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=colour)
    lines = (
        alt.Chart(alt.NamedData("lines"))
        .mark_line(clip=True)
        .encode(
            x,
            y,
            order="N:Q",
            color=colour,
            size=alt.Size("width:Q", scale=None, legend=None),
            strokeDash=alt.StrokeDash("line:N", scale=alt.Scale(domain=kinds, range=[[9, 6], [1, 0]]), legend=None),
        )
    )
    marks = alt.Chart(alt.NamedData("marks")).encode(x, y)
    name = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align"), "color": theme.ink}
    return themed(
        alt.layer(
            fill,
            edges,
            frame.mark_rect(filled=False, stroke=theme.ink, strokeWidth=1.6, strokeDash=[5, 4], clip=True).encode(
                x, y, x2="N2:Q", y2="D2:Q"
            ),
            frame.mark_text(
                align="left",
                baseline="top",
                dx=8,
                dy=8,
                color=theme.ink,
                fontSize=theme.label_size,
                text=t("measured here"),
            ).encode(x, log_y("D2", t("Tokens D"), D_DOMAIN, grid=False)),
            lines,
            *halo_text(names, theme, align="right", dx=-_AWAY, font=POWER_FONT),
            alt.Chart(alt.NamedData("best"))
            .mark_point(clip=True, filled=True, size=2 * theme.point_size, color=theme.accent_2, opacity=1)
            .encode(x, y),
            marks.mark_point(filled=True, shape="diamond", size=1.7 * theme.point_size, color=theme.ink, opacity=1),
            *halo_text(marks.encode(text="name:N"), theme, size=theme.mark_size + 1, **name),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
