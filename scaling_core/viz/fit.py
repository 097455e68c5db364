"""A fit as a picture: the measured runs, the law through them, and the best that each compute could have bought."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.fit import FitResult, RunPoints, predict
from scaling_core.laws import PowerLaw
from scaling_core.units import format_flops, format_loss, format_quantity
from scaling_core.viz.axes import Domain, axis_values, log_domain, log_x, log_y, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_path import Path
from scaling_core.viz.labels import datum, halo_text, named_points, to_pixels
from scaling_core.viz.laws import LOSS
from scaling_core.viz.theme import AltairChart, Theme, mix, themed

HEIGHT = 400
WIDTH, PLOT = 780.0, 330.0
"""Pixels of the plot without its axes, for which labels are laid out; a wider page only spreads them further."""
MOST_CURVES = 7
MOST_DRAWN = 2_000
"""Of more runs than this every k-th is drawn, and every one that lies far off."""
MOST_NAMED = 6
SAME_SIZE = 1e-3
"""Sizes closer than this in ln N are drawn as one."""
FAINTEST = 4
"""The first step of the sequential scale that stands out from the background, in light and dark."""
AXES = {
    "N": ("Parameters N", "count"),
    "D": ("Tokens D", "count"),
    "C": ("Training compute C = 6 N D, FLOP", "flops"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """The runs of a picture by what became of them: fitted, left out as far off, or held out by the table.

    far: which of the fitted ones lie far off, shape (n,).
    """

    fitted: RunPoints
    far: BoolArray
    left_out: RunPoints | None = None
    held_out: RunPoints | None = None

    @property
    def parts(self) -> tuple[tuple[str, RunPoints], ...]:
        """Kind and runs of each part that there is."""
        parts = (("fitted", self.fitted), ("left out", self.left_out), ("held out", self.held_out))
        return tuple((kind, points) for kind, points in parts if points is not None and len(points))


def shades(values: FloatArray, domain: Domain, theme: Theme) -> list[str]:
    """A colour of the sequential scale for each value, by its logarithm between the ends of `domain`."""
    low, high = math.log(domain[0]), math.log(domain[1])
    share = (np.log(values) - low) / max(high - low, 1e-12)
    steps = FAINTEST + np.clip(share, 0.0, 1.0) * (len(theme.sequential) - 1 - FAINTEST)
    below = np.minimum(steps.astype(int), len(theme.sequential) - 2)
    return [
        mix(theme.sequential[k], theme.sequential[k + 1], float(step - k))
        for k, step in zip(below.tolist(), steps.tolist(), strict=True)
    ]


def drawn_sizes(N: FloatArray, most: int = MOST_CURVES) -> FloatArray:
    """Sizes whose curves are drawn: all where they are few, else those nearest to `most` equal steps in ln N."""
    logs = np.unique(np.round(np.log(N) / SAME_SIZE)) * SAME_SIZE
    if len(logs) > most:
        steps = np.linspace(logs[0], logs[-1], most)
        logs = logs[np.unique(np.abs(logs[:, None] - steps).argmin(axis=0))]
    return np.asarray(np.exp(logs))


def thinned(far: BoolArray, most: int = MOST_DRAWN) -> IndexArray:
    """Positions of the runs that are drawn."""
    every = np.zeros(far.size, dtype=bool)
    every[:: max(1, -(-far.size // most))] = True
    return np.flatnonzero(every | far)


def law_chart(
    result: FitResult, shown: Shown, theme: Theme, *, path: Path | None = None, chosen: Path | None = None
) -> Figure:
    """Loss against compute (or the law's one variable): runs, fitted curves by size, and the compute-optimal frontier.

    path: the optimum along budgets. chosen: the optimum at one budget, drawn as a diamond with its interval. Both only
    for a law in N and D; a law in one variable is one curve with the band of its refits.
    """
    variables = result.form.variables
    x = "C" if len(variables) > 1 else variables[0]
    runs = _runs(result, shown, x, theme)
    top = float(runs.x.max())
    if chosen is not None:
        top = max(top, min(2.0 * float(chosen.C[0]), 1e5 * top))
    x_domain = log_domain([float(runs.x.min()) / 1.5, 1.6 * top])
    lines = _curves(result, shown.far, theme)
    frontier = _frontier(result, path, x, x_domain, float(result.points.variable(x).max()))
    y_domain = loss_domain([*runs.loss, *_lowest(frontier, x_domain)])
    return Figure(
        template=_law_template(theme, x),
        data={
            "runs": runs,
            "curves": lines,
            "names": _size_names(lines, frontier, runs, x_domain, y_domain, theme),
            "frontier": frontier,
            "far": _far_names(runs, x_domain, y_domain, theme),
            "chosen": _chosen(chosen, frontier, x_domain, y_domain, theme),
        },
        values={
            **axis_values("x", x_domain, kind="flops" if x == "C" else "count"),
            **axis_values("y", y_domain),
        },
    )


def loss_domain(losses: Sequence[float]) -> Domain:
    """A domain for a logarithmic axis of losses, its ends on round steps."""
    low, high = nice_domain(losses, margin=0.03)
    return (low, high) if low > 0 else (0.85 * min(losses), high)


def _runs(result: FitResult, shown: Shown, x: str, theme: Theme) -> pd.DataFrame:
    """One row a run: x, loss, kind, colour, name and what the law says of it; far ones keep their kind `far`."""
    ends = (float(result.points.N.min()), float(result.points.N.max()))
    frames = []
    for kind, points in shown.parts:
        far = shown.far if kind == "fitted" else np.zeros(len(points), dtype=bool)
        keep = thinned(far)
        some = points.subset(keep)
        hat = law_says(result, some)
        kinds = np.where(far[keep], "far", kind)
        colours = shades(some.N, ends, theme)
        frames.append(
            pd.DataFrame(
                {
                    "x": some.variable(x),
                    "loss": some.loss,
                    "kind": kinds,
                    "colour": [c if k == "fitted" else theme.accent_2 for c, k in zip(colours, kinds, strict=True)],
                    "name": run_names(some),
                    "N": [format_quantity(n) for n in some.N.tolist()],
                    "D": [format_quantity(d) for d in some.D.tolist()],
                    "C": [format_flops(c) for c in some.C.tolist()],
                    "hat": [format_loss(one) for one in hat.tolist()],
                    "off": np.abs(np.log(some.loss / hat)),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def run_names(points: RunPoints) -> list[str]:
    """What each run is called: its label, or its size and tokens."""
    if points.label is not None:
        return [text if len(text) <= 40 else f"{text[:37]}..." for text in points.label]
    return [f"{format_quantity(n)} on {format_quantity(d)}" for n, d in zip(points.N, points.D, strict=True)]


def law_says(result: FitResult, points: RunPoints) -> FloatArray:
    """The loss that the fitted law gives each run, shape (n,)."""
    logs = np.stack([np.log(points.variable(name)) for name in result.form.variables])
    return np.asarray(result.form.predict(np.array([list(result.constants.values())]), logs)[0])


def _curves(result: FitResult, far: BoolArray, theme: Theme) -> pd.DataFrame:
    """The law along the runs of each drawn size, a little beyond them on both sides; none for a law in one variable."""
    points, law = result.points.subset(~far), result.law
    columns = {"x": float, "loss": float, "line": object, "colour": object}
    if isinstance(law, PowerLaw):
        return pd.DataFrame(columns=list(columns)).astype(columns)
    sizes = drawn_sizes(points.N)
    nearest = np.abs(np.log(points.N)[:, None] - np.log(sizes)).argmin(axis=1)
    colours = shades(sizes, (float(points.N.min()), float(points.N.max())), theme)
    frames = []
    for k, N in enumerate(sizes.tolist()):
        D = points.D[nearest == k]
        grid = np.geomspace(float(D.min()) / 1.5, float(D.max()) * 1.5, 32)
        frames.append(
            pd.DataFrame(
                {"x": 6.0 * N * grid, "loss": law.loss(N, grid), "line": format_quantity(N), "colour": colours[k]}
            )
        )
    return pd.concat(frames, ignore_index=True)


def _frontier(result: FitResult, path: Path | None, x: str, x_domain: Domain, last: float) -> pd.DataFrame:
    """The frontier with its interval, or the one curve of a law in one variable; `beyond` the last run it is dashed."""
    grid, one = np.geomspace(*x_domain, 81), np.ones(81)
    if isinstance(result.law, PowerLaw):
        N, D = {"N": (grid, one), "D": (one, grid), "C": (one, grid / 6.0)}[x]
        seen = predict(result, N, D, noise=False)
        frame = pd.DataFrame({"x": grid, "loss": seen.loss, "low": seen.low, "high": seen.high})
    elif path is None or path.loss is None:
        frame = pd.DataFrame({name: np.empty(0) for name in ("x", "loss", "low", "high")})
    else:
        low, high = (path.loss if end is None else end for end in (path.loss_low, path.loss_high))
        frame = pd.DataFrame({"x": path.C, "loss": path.loss, "low": low, "high": high})
    frame = frame[(frame.x >= x_domain[0] / 1.5) & (frame.x <= x_domain[1] * 1.5)]
    inside = frame[frame.x <= last].assign(part="within")
    after = frame[frame.x >= (float(inside.x.max()) if len(inside) else 0.0)].assign(part="beyond")
    return pd.concat([inside, after], ignore_index=True)


def _lowest(frontier: pd.DataFrame, x_domain: Domain) -> list[float]:
    """The loss at the right-hand end of the frontier, which must not be cut off."""
    here = frontier[frontier.x <= x_domain[1]]
    return [float(here.loss.iloc[-1])] if len(here) else []


Segment = tuple[float, float, float, float]


def segments(frame: pd.DataFrame, x_domain: Domain, y_domain: Domain) -> list[Segment]:
    """Lines of a frame (x, loss, line) as straight pieces in pixels, coarse: what names should keep off."""
    pieces: list[Segment] = []
    for _, line in frame.groupby("line", sort=False):
        some = line.iloc[::4]
        pixels = [pixel(x, y, x_domain, y_domain) for x, y in zip(some.x.to_list(), some.loss.to_list(), strict=True)]
        pieces += [(*a, *b) for a, b in pairwise(pixels)]
    return pieces


def pixel(x: float, loss: float, x_domain: Domain, y_domain: Domain) -> tuple[float, float]:
    """Where a run stands in the plot."""
    return to_pixels(x, loss, x_domain, y_domain, WIDTH, PLOT)


def _boxes(runs: pd.DataFrame, x_domain: Domain, y_domain: Domain) -> list[Segment]:
    """The places that runs take, at most some hundreds."""
    some = runs.iloc[:: max(1, len(runs) // 300)]
    at = [pixel(x, y, x_domain, y_domain) for x, y in zip(some.x.to_list(), some.loss.to_list(), strict=True)]
    return [(x - 6, y - 6, x + 6, y + 6) for x, y in at]


def _size_names(
    lines: pd.DataFrame, frontier: pd.DataFrame, runs: pd.DataFrame, x_domain: Domain, y_domain: Domain, theme: Theme
) -> pd.DataFrame:
    """The size of each curve where it begins: there the data are few, and the curves lie apart."""
    ends = lines.groupby("line", sort=False).head(1)
    return named_points(
        [pixel(x, y, x_domain, y_domain) for x, y in zip(ends.x.to_list(), ends.loss.to_list(), strict=True)],
        ends.line.to_list(),
        {"x": ends.x.to_list(), "loss": ends.loss.to_list(), "colour": ends.colour.to_list()},
        width=WIDTH,
        height=PLOT,
        size=theme.mark_size,
        radius=1.0,
        obstacles=_boxes(runs, x_domain, y_domain),
        segments=[*segments(lines, x_domain, y_domain), *segments(frontier.assign(line=""), x_domain, y_domain)],
    )


def _far_names(runs: pd.DataFrame, x_domain: Domain, y_domain: Domain, theme: Theme) -> pd.DataFrame:
    """The runs that lie farthest off, by name."""
    far = runs[runs.kind.isin(("far", "left out"))].nlargest(MOST_NAMED, "off")
    return named_points(
        [pixel(x, y, x_domain, y_domain) for x, y in zip(far.x.to_list(), far.loss.to_list(), strict=True)],
        far.name.to_list(),
        {"x": far.x.to_list(), "loss": far.loss.to_list()},
        width=WIDTH,
        height=PLOT,
        size=theme.mark_size - 1,
        obstacles=_boxes(runs, x_domain, y_domain),
    )


def _chosen(
    chosen: Path | None, frontier: pd.DataFrame, x_domain: Domain, y_domain: Domain, theme: Theme
) -> pd.DataFrame:
    """The optimum that was asked for: place, interval, size and tokens; no row where it is off the plot."""
    columns = {"x": float, "loss": float, "name": object, "low": float, "high": float, "dx": float, "dy": float}
    if chosen is None or chosen.loss is None or not x_domain[0] <= float(chosen.C[0]) <= x_domain[1]:
        return pd.DataFrame(columns=[*columns, "align"]).astype({**columns, "align": object})
    x, loss = float(chosen.C[0]), float(chosen.loss[0])
    name = f"{format_quantity(float(chosen.N[0]))} on {format_quantity(float(chosen.D[0]))}"
    frame = named_points(
        [pixel(x, loss, x_domain, y_domain)], [name], {"x": [x], "loss": [loss]}, width=WIDTH, height=PLOT,
        size=theme.mark_size + 1, segments=segments(frontier.assign(line=""), x_domain, y_domain),
    )  # fmt: skip
    ends = [loss if end is None else float(end[0]) for end in (chosen.loss_low, chosen.loss_high)]
    return frame.assign(low=ends[0], high=ends[1])


@template
def _law_template(theme: Theme, x_name: str) -> AltairChart:
    title, kind = AXES[x_name]
    x = log_x("x", title, "x", "flops" if kind == "flops" else "count")
    y, low = log_y("loss", LOSS, "y", "loss"), log_y("low", LOSS, "y", "loss")
    own = alt.Color("colour:N", scale=None, legend=None)
    tips = [
        alt.Tooltip(f"{field}:N", title=name)
        for field, name in (("name", "run"), ("N", "N"), ("D", "D"), ("C", "C"), ("hat", "the law says"))
    ]
    tips.insert(4, alt.Tooltip("loss:Q", title="measured", format=".4f"))
    runs = alt.Chart(alt.NamedData("runs")).encode(x, y, tooltip=tips)
    frontier = alt.Chart(alt.NamedData("frontier")).encode(x)
    line = frontier.mark_line(clip=True, color=theme.accent_2, strokeWidth=theme.line_width + 1).encode(y)
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="name:N", color=own)
    far = alt.Chart(alt.NamedData("far")).encode(x, y, text="name:N")
    chosen = alt.Chart(alt.NamedData("chosen")).encode(x, y)
    size = theme.point_size
    return themed(
        alt.layer(
            frontier.mark_area(clip=True, color=theme.accent_2, opacity=0.18).encode(low, y2="high:Q"),
            alt.Chart(alt.NamedData("curves"))
            .mark_line(clip=True, strokeWidth=theme.thin_width + 0.7)
            .encode(x, y, detail="line:N", color=own),
            line.transform_filter("datum.part == 'within'"),
            line.transform_filter("datum.part == 'beyond'").encode(strokeDash=alt.value([6, 7])),
            runs.mark_point(
                clip=True, filled=True, size=0.75 * size, opacity=1, stroke=theme.background, strokeWidth=1
            )
            .encode(color=own)
            .transform_filter("datum.kind == 'fitted'"),
            runs.mark_point(clip=True, size=1.4 * size, strokeWidth=2.5, color=theme.accent_2, opacity=1)
            .transform_filter("datum.kind == 'far'"),
            runs.mark_point(clip=True, shape="cross", size=size, filled=True, color=theme.accent_2, opacity=1, angle=45)
            .transform_filter("datum.kind == 'left out'"),
            runs.mark_point(
                clip=True, shape="diamond", size=1.4 * size, filled=True, fill=theme.background,
                stroke=theme.accent_2, strokeWidth=2.5, opacity=1,
            ).transform_filter("datum.kind == 'held out'"),
            *halo_text(names, theme, clip=True, **place),
            *halo_text(far, theme, size=theme.mark_size - 1, color=theme.accent_2, clip=True, **place),
            chosen.mark_rule(clip=True, color=theme.accent_2, strokeWidth=2.5).encode(low, y2="high:Q"),
            chosen.mark_point(
                clip=True, filled=True, shape="diamond", size=1.9 * size, color=theme.accent_2, opacity=1,
                stroke=theme.background, strokeWidth=1.5,
            ),
            *halo_text(chosen.encode(text="name:N"), theme, size=theme.mark_size + 1, color=theme.accent_2, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )  # fmt: skip
