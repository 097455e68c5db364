"""Well-known models on the plane of N and D, with the frontier of every law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Preset
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum import frontier
from scaling_core.viz.axes import Domain, log_x, log_y, power_of_ten
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.isoflop import Mark
from scaling_core.viz.labels import Box, datum, enlarged_by, halo_text, named_points, spread, text_width, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, themed

N_DOMAIN: Domain = (2e9, 4e12)
D_DOMAIN: Domain = (3e10, 4e13)
HEIGHT = 560
WIDTH, PLOT = 630.0, 400.0
"""Pixels of the plot without its axes and names on a page 1280 wide."""
_BUDGETS = (1e22, 1e23, 1e24, 1e25, 1e26)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A way of spending compute: its name, sizes and tokens along budgets of 1e20 to 1e28 FLOP, shape (n,) each.

    hue: index into the theme's categorical colours. strong: the law that the page is about. published: a paper's own
    allocation rather than a law's optimum.
    """

    name: str
    N: FloatArray
    D: FloatArray
    hue: int | None = None
    strong: bool = False
    published: bool = False

    def colour(self, theme: Theme) -> str:
        """Its place among the categorical colours, or ink for what is no law of the catalogue."""
        return theme.ink if self.hue is None else theme.categorical[self.hue]


ALIKE = ("besiroglu2024-exact", "gadre2024-redpajama", "gadre2024-refinedweb")
"""Published laws that a comparison leaves out, since it shows one much like them."""


def why_alike() -> dict[str, str]:
    """Each of the laws in ALIKE, and the reason why a comparison leaves it out."""
    reasons = (
        t("Besiroglu's exact optimum, since it lies within the standard errors of the published one"),
        t("Gadre's law for RedPajama, since like the one for C4 it rests on five runs of 412M at most"),
        t("Gadre's law for RefinedWeb, for the same reason"),
    )
    return dict(zip(ALIKE, reasons, strict=True))


def compared(presets: Sequence[Preset]) -> list[Preset]:
    """The laws that a comparison shows: all but those in ALIKE."""
    return [preset for preset in presets if preset.id not in ALIKE]


_HUES = {
    "hoffmann2022": 0,
    "hoffmann2022-printed": 5,
    "besiroglu2024": 2,
    "kaplan2020-joint": 3,
    "muennighoff2023": 1,
    "study-notes": 4,
}
_SWEEP = np.geomspace(1e18, 1e30, 400)


def frontiers(presets: Sequence[Preset], chosen: str | None, own: Law, own_name: str | None = None) -> list[Line]:
    """The compute-optimal line of each of the laws, and where a paper printed an allocation of its own, that too.

    chosen: the id of the law that the page is about; where it is none of `presets`, `own` is, with a line of its own
    that is named `own_name`, or "my constants".
    """
    lines = []
    for preset in presets:
        N, D, _ = frontier(preset.joint, _SWEEP)
        hue, name = _HUES.get(preset.id, 6), preset.told("short_name").replace(", ", " ")
        lines.append(Line(name=name, N=N, D=D, hue=hue, strong=preset.id == chosen))
        if preset.allocation is not None:
            pairs = [preset.allocation.at(float(C)) for C in _SWEEP]
            N, D = np.array([n for n, _ in pairs]), np.array([d for _, d in pairs])
            lines.append(Line(name=t("{name} as published", name=name), N=N, D=D, hue=hue, published=True))
    if chosen not in [preset.id for preset in presets]:
        N, D, _ = frontier(own, _SWEEP)
        name = own_name or t("my constants")
        if name in [line.name for line in lines]:
            name = t("{name} (mine)", name=name)
        lines.append(Line(name=name, N=N, D=D, strong=True))
    return lines


def nd_plane(marks: Sequence[Mark], lines: Sequence[Line], theme: Theme) -> Figure:
    """Models on the log-log plane of N and D, with budgets as falling lines, D = 20 N, and the laws' frontiers.

    Every line is named at the edge where it leaves the plot; models are named beside their points.
    """
    every = [*lines, twenty_line()]
    kinds = ["published" if line.published else "law" for line in lines] + ["twenty"]
    drawn = [
        pd.DataFrame(
            {
                "N": line.N[[0, -1]],
                "D": line.D[[0, -1]],
                "line": line.name,
                "kind": kind,
                "colour": line.colour(theme),
                "width": 5.0 if line.strong else 2.2,
            }
        )
        for line, kind in zip(every, kinds, strict=True)
    ]
    names = _edge_names(every, theme)
    budgets = pd.concat(
        [pd.DataFrame({"N": list(N_DOMAIN), "D": [C / (6 * n) for n in N_DOMAIN], "line": str(C)}) for C in _BUDGETS],
        ignore_index=True,
    )
    written = pd.DataFrame([_budget_name(C) for C in _BUDGETS], columns=["N", "D", "text"])
    points = [to_pixels(m.N, m.D, N_DOMAIN, D_DOMAIN, WIDTH, PLOT) for m in marks]
    order = sorted(range(len(marks)), key=lambda i: not marks[i].strong)
    return Figure(
        template=_plane_template(theme),
        data={
            "budgets": budgets,
            "budget_names": written,
            "lines": pd.concat(drawn, ignore_index=True),
            "line_names": names,
            "marks": named_points(
                [points[i] for i in order],
                [marks[i].name for i in order],
                {
                    "N": [marks[i].N for i in order],
                    "D": [marks[i].D for i in order],
                    "kind": ["strong" if marks[i].strong else "plain" for i in order],
                },
                width=WIDTH,
                height=PLOT,
                size=theme.laid_size,
                segments=[piece for line in every for piece in _pieces(line)],
                obstacles=[_name_box(row, theme) for row in written.itertuples(index=False)],
            ).iloc[::-1],
        },
        values={},
    )


def twenty_line() -> Line:
    """Twenty tokens to a parameter."""
    N = np.geomspace(*N_DOMAIN, 2)
    return Line(name=t("20 tokens per parameter"), N=N, D=20 * N)


def _inside(N: FloatArray, D: FloatArray) -> FloatArray:
    inside = (N >= N_DOMAIN[0]) & (N <= N_DOMAIN[1]) & (D >= D_DOMAIN[0]) & (D <= D_DOMAIN[1])
    return np.flatnonzero(inside).astype(float)


def _exit(N: FloatArray, D: FloatArray) -> tuple[float, float] | None:
    """Where a rising line leaves the plot, or None where it never enters; straight in the logarithms, so exact."""
    slope = math.log(D[-1] / D[0]) / math.log(N[-1] / N[0])
    at_right = float(D[0]) * (N_DOMAIN[1] / float(N[0])) ** slope
    if at_right <= D_DOMAIN[1]:
        return (N_DOMAIN[1], at_right) if at_right >= D_DOMAIN[0] else None
    at_top = float(N[0]) * (D_DOMAIN[1] / float(D[0])) ** (1 / slope)
    return (at_top, D_DOMAIN[1]) if at_top >= N_DOMAIN[0] else None


def _edge_names(lines: Sequence[Line], theme: Theme) -> pd.DataFrame:
    """Names in the margin, level with where their lines leave at the right, or above where they leave at the top."""
    rows = []
    ends = [(line, end) for line in lines if (end := _exit(line.N, line.D)) is not None]
    right = [(line, end) for line, end in ends if end[0] == N_DOMAIN[1]]
    top = sorted(((line, end) for line, end in ends if end[0] < N_DOMAIN[1]), key=lambda pair: pair[1][0])
    levels = [to_pixels(*end, N_DOMAIN, D_DOMAIN, WIDTH, PLOT)[1] for _, end in right]
    for (line, end), level, moved in zip(right, levels, spread(levels, gap=20, low=8, high=PLOT - 8), strict=True):
        rows.append((*end, line.name, line.colour(theme), 8.0, moved - level, "left"))
    edges: list[float] = []
    for line, end in top:
        x = to_pixels(*end, N_DOMAIN, D_DOMAIN, WIDTH, PLOT)[0]
        half = text_width(line.name, theme.label_size / theme.larger) / 2
        tier = next((k for k, edge in enumerate(edges) if edge < x - half), len(edges))
        edges[tier : tier + 1] = [x + half + 6]
        rows.append((*end, line.name, line.colour(theme), 0.0, -12.0 - 20 * tier, "center"))
    return pd.DataFrame(rows, columns=["N", "D", "text", "colour", "dx", "dy", "align"])


def _budget_name(C: float) -> tuple[float, float, str]:
    """The place of a budget's name: near its lower right end inside the plot."""
    N = min(N_DOMAIN[1] / 1.25, C / (6 * D_DOMAIN[0] * 1.25))
    return N, C / (6 * N), power_of_ten(C)


def _name_box(row: tuple[float, float, str], theme: Theme) -> Box:
    x, y = to_pixels(row[0], row[1], N_DOMAIN, D_DOMAIN, WIDTH, PLOT)
    wide = text_width(row[2], theme.laid_size) / 2
    return x - wide, y - 10, x + wide, y + 10


def _pieces(line: Line) -> list[tuple[float, float, float, float]]:
    inside = [int(k) for k in _inside(line.N, line.D)]
    if len(inside) < 2:
        return []
    a, b = inside[0], inside[-1]
    first = to_pixels(float(line.N[a]), float(line.D[a]), N_DOMAIN, D_DOMAIN, WIDTH, PLOT)
    last = to_pixels(float(line.N[b]), float(line.D[b]), N_DOMAIN, D_DOMAIN, WIDTH, PLOT)
    return [(*first, *last)]


@template
def _plane_template(theme: Theme) -> AltairChart:
    x, y = log_x("N", t("Parameters N"), N_DOMAIN), log_y("D", t("Tokens D"), D_DOMAIN)
    kinds = ["law", "published", "twenty"]
    colour = alt.Color("colour:N", scale=None, legend=None)
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=kinds, range=[[1, 0], [9, 5], [2, 6]]), legend=None)
    budgets = (
        alt.Chart(alt.NamedData("budgets"))
        .mark_line(clip=True, color=theme.border, strokeWidth=2)
        .encode(x, y, detail="line:N")
    )
    budget_names = alt.Chart(alt.NamedData("budget_names")).encode(x, y, text="text:N")
    lines = (
        alt.Chart(alt.NamedData("lines"))
        .mark_line(clip=True)
        .encode(x, y, detail="line:N", color=colour, strokeDash=dash, size=alt.Size("width:Q", scale=None, legend=None))
    )
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    moved = {**place, **{way: enlarged_by(theme, datum(way)) for way in ("dx", "dy")}}
    names = (
        alt.Chart(alt.NamedData("line_names"))
        .mark_text(fontSize=theme.label_size, fontWeight=600, **moved)
        .encode(x, y, text="text:N", color=colour)
    )
    marks = alt.Chart(alt.NamedData("marks")).encode(x, y)
    fill = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=["strong", "plain"], range=[theme.accent_2, theme.ink]),
        legend=None,
    )
    chart: AltairChart = (
        alt.layer(
            budgets,
            *halo_text(budget_names, theme, color=theme.muted, font=POWER_FONT),
            lines,
            names,
            marks.mark_point(
                filled=True, size=theme.point_size, opacity=1, stroke=theme.background, strokeWidth=1.5
            ).encode(color=fill),
            *halo_text(marks.encode(text="name:N", color=fill), theme, **place),
        )
        .resolve_scale(color="independent")
        .properties(
            height=HEIGHT, width="container", padding={"left": 5, "top": 44 * theme.larger, "right": 5, "bottom": 5}
        )
    )
    return themed(chart, theme)
