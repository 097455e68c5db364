"""The synthetic demo as pictures: four panels of L(N) and L(D), and isoFLOP curves with the 20 to 1 line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from scaling_core.demo import DemoResult, IsoFlop, Slice
from scaling_core.language import t
from scaling_core.viz.axes import Domain, axis_values, linear_y, log_domain, log_x, log_y, nice_domain, power_of_ten
from scaling_core.viz.export import HEIGHT, WIDTH, sized, svg_to_png, to_svg
from scaling_core.viz.figure import Figure, side_by_side, template
from scaling_core.viz.labels import datum, enlarged_by, halo_text, named_points, spread, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, themed

PANEL_HEIGHT = 330
_PANEL_WIDTH, _PANEL_PLOT = 245.0, 262.0
"""Pixels of a panel's plot, without axes and names, on a page 1280 wide."""
OPTIMAL_HEIGHT = 470
_OPTIMAL_WIDTH, _OPTIMAL_PLOT = 780.0, 400.0
_SHOWN = ("gpt3", "gopher", "chinchilla")
_STROKES = {"planted": 7.0, "fitted": 2.5}
"""Pixels: the planted law is broad, so that the fitted one can be seen upon it."""
_LINE_KINDS = ("planted", "fitted", "kaplan", "hestness")


def panel(result: DemoResult, variable: str, theme: Theme, *, log_loss: bool) -> Figure:
    """One panel: the simulated runs against N or D, the planted and fitted laws with the band, published curves.

    variable: "N" or "D", the other being held at its largest value. log_loss: the loss on a logarithmic axis.
    Known models are marked on the planted curve at their N or D.
    """
    cut = result.single_N if variable == "N" else result.single_D
    x_domain = (float(cut.grid[0]), float(cut.grid[-1]))
    curves = [("planted", cut.planted), ("fitted", cut.fitted)]
    curves += [("kaplan" if r.id.startswith("kaplan") else "hestness", r.loss) for r in cut.references]
    y_domain = nice_domain([*cut.loss, *(float(v) for _, loss in curves for v in (loss[0], loss[-1]))], margin=0.03)
    if log_loss and y_domain[0] <= 0:
        y_domain = (0.8 * min(float(loss.min()) for _, loss in curves), y_domain[1])
    return Figure(
        template=_panel_template(theme, variable, log_loss),
        data={
            "band": pd.DataFrame({"x": cut.grid[::2], "loss": cut.low[::2], "high": cut.high[::2]}),
            "curves": pd.concat(
                [
                    pd.DataFrame(
                        {"x": cut.grid[::2], "loss": loss[::2], "line": name, "width": _STROKES.get(name, 2.5)}
                    )
                    for name, loss in curves
                ],
                ignore_index=True,
            ),
            "names": _line_names(curves, cut, y_domain, log_loss),
            "runs": pd.DataFrame({"x": cut.x, "loss": cut.loss}),
            "models": _models_on(result, cut, x_domain, y_domain, theme, log_loss),
        },
        values={**axis_values("x", x_domain, most=6), **axis_values("y", y_domain, log=False)},
    )


def _line_names(curves: Sequence[tuple[str, np.ndarray]], cut: Slice, y_domain: Domain, log_loss: bool) -> pd.DataFrame:
    """The lines' names in the right margin, level with their ends and apart from each other."""
    words = {
        "planted": t("planted"),
        "fitted": t("the fit"),
        "kaplan": "Kaplan",
        "hestness": t("Hestness slope"),
    }
    x_domain = (float(cut.grid[0]), float(cut.grid[-1]))
    levels = [
        to_pixels(x_domain[1], float(loss[-1]), x_domain, y_domain, _PANEL_WIDTH, _PANEL_PLOT, log_y=log_loss)[1]
        for _, loss in curves
    ]
    moved = spread(levels, gap=18, low=8, high=_PANEL_PLOT - 8)
    return pd.DataFrame(
        {
            "x": x_domain[1],
            "loss": [float(loss[-1]) for _, loss in curves],
            "text": [words[name] for name, _ in curves],
            "line": [name for name, _ in curves],
            "dy": [there - here for here, there in zip(levels, moved, strict=True)],
        }
    )


def _models_on(
    result: DemoResult, cut: Slice, x_domain: Domain, y_domain: Domain, theme: Theme, log_loss: bool
) -> pd.DataFrame:
    """Known models on the planted curve, few enough that their names have room."""
    shown: list[tuple[float, float, str]] = []
    for m in result.models:
        x = m.N if cut.variable == "N" else m.D
        apart = all(abs(math.log10(x / other)) > 1.2 for other, _, _ in shown)
        if x_domain[0] <= x <= x_domain[1] and apart:
            shown.append((x, float(np.interp(math.log(x), np.log(cut.grid), cut.planted)), m.name))

    def pixels(x: float, loss: float) -> tuple[float, float]:
        return to_pixels(x, loss, x_domain, y_domain, _PANEL_WIDTH, _PANEL_PLOT, log_y=log_loss)

    size = theme.label_size - 1
    runs = [pixels(float(x), float(loss)) for x, loss in zip(cut.x, cut.loss, strict=True)]
    lines = [cut.planted, *(r.loss for r in cut.references)]
    return named_points(
        [pixels(x, loss) for x, loss, _ in shown],
        [name for _, _, name in shown],
        {"x": [x for x, _, _ in shown], "loss": [loss for _, loss, _ in shown]},
        width=_PANEL_WIDTH,
        height=_PANEL_PLOT,
        size=size,
        obstacles=[(x - 7, y - 7, x + 7, y + 7) for x, y in runs],
        segments=[
            (*pixels(float(cut.grid[a]), float(loss[a])), *pixels(float(cut.grid[b]), float(loss[b])))
            for loss in lines
            for a, b in pairwise(range(0, len(cut.grid), 8))
        ],
    )


@template
def _panel_template(theme: Theme, variable: str, log_loss: bool) -> AltairChart:
    x = log_x("x", t("Parameters N") if variable == "N" else t("Tokens D"), "x")
    y = (log_y if log_loss else linear_y)("loss", t("Loss, nats per token"), "y", "loss")
    kinds = list(_LINE_KINDS)
    colours = [theme.accent, theme.accent_2, theme.categorical[2], theme.categorical[3]]
    colour = alt.Color("line:N", scale=alt.Scale(domain=kinds, range=colours), legend=None)
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=kinds, range=[[1, 0], [8, 5], [2, 5], [2, 5]]), legend=None)
    models = alt.Chart(alt.NamedData("models")).encode(x, y)
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("band"))
            .mark_area(clip=True, color=theme.accent_2, opacity=0.18)
            .encode(x, y, y2="high:Q"),
            alt.Chart(alt.NamedData("curves"))
            .mark_line(clip=True)
            .encode(x, y, color=colour, strokeDash=dash, size=alt.Size("width:Q", scale=None, legend=None)),
            alt.Chart(alt.NamedData("names"))
            .mark_text(
                align="left", dx=8, dy=enlarged_by(theme, datum("dy")), fontSize=theme.label_size, fontWeight=600
            )
            .encode(x, y, text="text:N", color=colour),
            alt.Chart(alt.NamedData("runs"))
            .mark_point(clip=True, size=70, color=theme.ink, fill=theme.background, strokeWidth=2, opacity=1)
            .encode(x, y),
            models.mark_point(filled=True, shape="diamond", size=110, color=theme.ink, opacity=1, clip=True),
            *halo_text(models.encode(text="name:N"), theme, size=theme.label_size - 1, color=theme.ink, **place),
        ).properties(height=PANEL_HEIGHT, width="container"),
        theme,
    )


PANELS: tuple[tuple[str, bool, Callable[[], str]], ...] = (
    ("N", True, lambda: t("Loss against parameters, both logarithmic")),
    ("D", True, lambda: t("Loss against tokens, both logarithmic")),
    ("N", False, lambda: t("Loss against parameters, logarithmic in N alone")),
    ("D", False, lambda: t("Loss against tokens, logarithmic in D alone")),
)
"""The four panels in reading order: variable, whether the loss is logarithmic, and what tells the title."""


def all_panels(result: DemoResult, theme: Theme) -> list[Figure]:
    """The four panels in reading order."""
    return [panel(result, variable, theme, log_loss=log) for variable, log, _ in PANELS]


def four_panels(panels: Sequence[Figure]) -> Figure:
    """All four panels as one picture, two by two, for a file."""
    figures = [(figure, title()) for figure, (_, _, title) in zip(panels, PANELS, strict=True)]
    title = {
        "text": t("What simulated runs say of the law they were drawn from"),
        "subtitle": t("Simulated data: no model was trained. Circles: runs. Published curves are for other data."),
        "offset": 52,
    }
    return side_by_side([figures[:2], figures[2:]], title=title, width=460, height=320, gap=150)


def chinchilla_optimal(result: DemoResult, theme: Theme, *, titled: bool = True) -> Figure:
    """Planted isoFLOP curves with their minima as planted and as fitted, the 20 to 1 line, and three known models.

    titled: with the title that a file needs and a page with a heading does not.
    """
    curves = result.isoflop
    models = [m for m in result.models if m.id in _SHOWN]
    x_domain = log_domain([curves[0].optimum.N / 8, curves[-1].optimum.N * 8, *(m.N for m in models)], per_decade=1)
    best = [curve.optimum.loss for curve in curves]
    top = best[0] + 0.35 * (best[0] - best[-1])
    y_domain = nice_domain([best[-1], *(m.loss for m in models if m.loss < top), top])
    frames = [pd.DataFrame({"N": c.N, "loss": c.planted, "line": str(k)}) for k, c in enumerate(curves)]
    ceiling = y_domain[0] + 0.96 * (y_domain[1] - y_domain[0])
    names = []
    for frame, curve in zip(frames, curves, strict=True):
        inside = frame[(frame.loss <= ceiling) & (frame.N <= x_domain[1])]
        last = (inside if len(inside) else frame).iloc[-1]
        ends_inside = len(inside) == len(frame) and last.N < x_domain[1] / 2
        side = {"align": "left", "dx": 9.0, "dy": 0.0} if ends_inside else {"align": "right", "dx": -9.0, "dy": -2.0}
        if not ends_inside and len(inside) == len(frame):
            side["dy"] = -15.0
        names.append({"N": last.N, "loss": last.loss, "text": f"{power_of_ten(curve.C)} FLOP", **side})
    ridge = pd.concat(
        [
            pd.DataFrame({"N": [c.optimum.N for c in curves], "loss": best, "line": "optimum"}),
            pd.DataFrame(
                {"N": [c.twenty.N for c in curves], "loss": [c.twenty.loss for c in curves], "line": "twenty"}
            ),
        ],
        ignore_index=True,
    )
    points = [to_pixels(m.N, m.loss, x_domain, y_domain, _OPTIMAL_WIDTH, _OPTIMAL_PLOT, log_y=False) for m in models]
    highest = curves[-1]
    title = {
        "text": t("Where the same compute is best spent"),
        "subtitle": t("Curves: the planted law. Rings: the optima of the law fitted to simulated runs."),
    }
    return Figure(
        template={**_optimal_template(theme), "title": title} if titled else _optimal_template(theme),
        data={
            "curves": pd.concat(frames, ignore_index=True),
            "names": pd.DataFrame(names),
            "ridge": ridge,
            "ridge_names": _ridge_names(curves),
            "fitted": pd.DataFrame(
                {"N": [c.fitted_optimum.N for c in curves], "loss": [c.fitted_optimum.loss for c in curves]}
            ),
            "models": named_points(
                points,
                [m.name for m in models],
                {"N": [m.N for m in models], "loss": [m.loss for m in models]},
                width=_OPTIMAL_WIDTH,
                height=_OPTIMAL_PLOT,
                size=theme.laid_size + 1,
                segments=_pieces(highest.N, highest.planted, x_domain, y_domain),
            ),
        },
        values={**axis_values("x", x_domain), **axis_values("y", y_domain, log=False)},
    )


def _ridge_names(curves: Sequence[IsoFlop]) -> pd.DataFrame:
    """The names of the two ridges, each on its outer side, between the minima of the first two budgets."""
    first, second = curves[0], curves[1]
    rows = []
    planted_left = first.optimum.N <= first.twenty.N
    for a, b, text, line in (
        (first.optimum, second.optimum, t("planted optimum"), "optimum"),
        (first.twenty, second.twenty, t("20 tokens per parameter"), "twenty"),
    ):
        left = planted_left == (line == "optimum")
        place = {"align": "right", "dx": -12.0, "dy": 0.0} if left else {"align": "left", "dx": 14.0, "dy": 0.0}
        rows.append({"N": math.sqrt(a.N * b.N), "loss": (a.loss + b.loss) / 2, "text": text, "line": line, **place})
    return pd.DataFrame(rows)


def _pieces(
    N: np.ndarray, loss: np.ndarray, x_domain: Domain, y_domain: Domain
) -> list[tuple[float, float, float, float]]:
    pixels = [
        to_pixels(float(n), float(y), x_domain, y_domain, _OPTIMAL_WIDTH, _OPTIMAL_PLOT, log_y=False)
        for n, y in zip(N[::4], loss[::4], strict=True)
    ]
    return [(*a, *b) for a, b in pairwise(pixels)]


@template
def _optimal_template(theme: Theme) -> AltairChart:
    x, y = log_x("N", t("Parameters N"), "x"), linear_y("loss", t("Loss, nats per token"), "y", "loss")
    shades = [theme.sequential[k] for k in (4, 4, 5, 6, 7)]
    family = alt.Color("line:N", scale=alt.Scale(domain=list("01234"), range=shades), legend=None)
    kinds = ["optimum", "twenty"]
    pair = alt.Color("line:N", scale=alt.Scale(domain=kinds, range=[theme.accent, theme.ink]), legend=None)
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=kinds, range=[[1, 0], [2, 6]]), legend=None)
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    models = alt.Chart(alt.NamedData("models")).encode(x, y)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N")
    ridge_names = alt.Chart(alt.NamedData("ridge_names")).encode(x, y, text="text:N", color=pair)
    chart: AltairChart = (
        alt.layer(
            alt.Chart(alt.NamedData("curves"))
            .mark_line(clip=True, strokeWidth=2.5)
            .encode(x, y, detail="line:N", color=family),
            alt.Chart(alt.NamedData("ridge"))
            .mark_line(clip=True)
            .encode(x, y, order="N:Q", color=pair, strokeDash=dash),
            alt.Chart(alt.NamedData("fitted"))
            .mark_point(clip=True, size=140, color=theme.accent_2, fill=theme.background, strokeWidth=3, opacity=1)
            .encode(x, y),
            *halo_text(names, theme, color=theme.muted, font=POWER_FONT, **place),
            *halo_text(ridge_names, theme, **place),
            models.mark_point(
                clip=True, filled=True, size=1.7 * theme.point_size, shape="diamond", color=theme.accent_2, opacity=1
            ),
            *halo_text(
                models.encode(text="name:N"),
                theme,
                size=theme.mark_size + 1,
                color=theme.accent_2,
                **place,
            ),
        )
        .resolve_scale(color="independent", strokeDash="independent")
        .properties(height=OPTIMAL_HEIGHT, width="container")
    )
    return themed(chart, theme)


def figure_files(result: DemoResult, theme: Theme) -> dict[str, bytes]:
    """Both figures as PNG (two pixels to a point) and SVG, as large as a slide, by file name."""
    files: dict[str, bytes] = {}
    figures = {
        "scaling_laws_with_theory": four_panels(all_panels(result, theme)),
        "chinchilla_optimal_scaling": chinchilla_optimal(result, theme),
    }
    for name, figure in figures.items():
        svg = to_svg(sized(figure, WIDTH, HEIGHT))
        files[f"{name}.png"] = svg_to_png(svg, scale=2.0)
        files[f"{name}.svg"] = svg.encode()
    return files
