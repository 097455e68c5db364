"""A fit as a picture: the measured runs, the law through them, and the best that each compute could have bought."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scaling_core.fit import FitResult, RunPoints, predict
from scaling_core.language import t
from scaling_core.laws import PowerLaw
from scaling_core.units import format_quantity
from scaling_core.viz.axes import Domain, axis_values, log_domain, log_x, log_y, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_path import Path
from scaling_core.viz.fit_runs import (
    MOST_NAMED,
    Fit,
    Plane,
    Shown,
    axis_title,
    drawn_sizes,
    runs_frame,
    shades,
    size_name,
)
from scaling_core.viz.labels import datum, halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 345
WIDTH, PLOT = 780.0, 275.0
"""Pixels of the plot without its axes, for which labels are laid out; a wider page only spreads them further."""
MOST_CURVES = 7


def law_chart(
    result: Fit, shown: Shown, theme: Theme, *, path: Path | None = None, chosen: Path | None = None
) -> Figure:
    """Loss against compute (or the law's one variable): runs, fitted curves by size, and the compute-optimal frontier.

    path: the optimum along budgets. chosen: the optimum at one budget, drawn as a diamond with its interval. Both only
    for a law in N and D; a law in one variable is one curve with the band of its refits.
    """
    x = result.law.variable if isinstance(result.law, PowerLaw) else "C"
    frame = runs_frame(result, shown, theme)
    runs = frame.assign(x=frame[x], y=frame["loss"])
    top = float(runs.x.max())
    if chosen is not None:
        top = max(top, min(2.0 * float(chosen.C[0]), 1e5 * top))
    x_domain = log_domain([float(runs.x.min()) / 1.5, 1.6 * top])
    lines = _curves(result.points.subset(~shown.far), result, theme)
    frontier = _frontier(result, path, x, x_domain, float(result.points.variable(x).max()))
    here = frontier[frontier.x <= x_domain[1]]
    y_domain = loss_domain([*runs.y, *here.y.tail(1)])
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    far = runs[runs.kind.isin(("far", "left out"))]
    far = far.reindex(far.off.abs().sort_values(ascending=False).index).head(MOST_NAMED)
    outliers = plane.named(far[["x", "y", "name"]], size=theme.laid_size - 1, runs=runs)
    starts = lines.groupby("line", sort=False).head(1)
    return Figure(
        template=_law_template(theme, x),
        data={
            "runs": runs,
            "curves": lines,
            "names": plane.named(
                starts.assign(name=starts["line"]),
                size=theme.laid_size,
                radius=1.0,
                runs=runs,
                segments=plane.pieces(lines, frontier.drop(columns="part")),
                others=outliers,
            ),
            "frontier": frontier,
            "far": outliers,
            "chosen": _chosen(chosen, plane, frontier, theme),
        },
        values={
            **axis_values("x", x_domain, kind="flops" if x == "C" else "count"),
            **axis_values("y", y_domain),
        },
    )


def runs_chart(points: RunPoints, theme: Theme) -> Figure:
    """Runs through which no law could be fitted: loss against compute, nothing more."""
    ends = (float(points.N.min()), float(points.N.max()))
    some = points.subset(np.arange(0, len(points), -(-len(points) // 2000)))
    runs = pd.DataFrame({"x": some.C, "y": some.loss, "kind": "fitted", "colour": shades(some.N, ends, theme)})
    x_domain, y_domain = log_domain(runs.x.to_list()), loss_domain(runs.y.to_list())
    nothing = pd.DataFrame({name: np.empty(0) for name in ("x", "y", "low", "high")})
    return Figure(
        template=_law_template(theme, "C"),
        data={"runs": runs, **dict.fromkeys(("curves", "names", "frontier", "far", "chosen"), nothing)},
        values={**axis_values("x", x_domain, kind="flops"), **axis_values("y", y_domain)},
    )


def loss_domain(losses: Sequence[float]) -> Domain:
    """A domain for a logarithmic axis of losses, its ends on round steps."""
    low, high = nice_domain(losses, margin=0.03)
    return (low, high) if low > 0 else (0.85 * min(losses), high)


def _curves(points: RunPoints, result: Fit, theme: Theme) -> pd.DataFrame:
    """The law along the runs of each drawn size, a little beyond them on both sides; none for a law in one variable."""
    columns = {"x": float, "y": float, "line": object, "colour": object}
    if isinstance(result.law, PowerLaw) or not len(points):
        return pd.DataFrame(columns=list(columns)).astype(columns)
    sizes = drawn_sizes(points.N, MOST_CURVES)
    nearest = np.abs(np.log(points.N)[:, None] - np.log(sizes)).argmin(axis=1)
    colours = shades(sizes, (float(result.points.N.min()), float(result.points.N.max())), theme)
    frames = []
    for k, N in enumerate(sizes.tolist()):
        D = points.D[nearest == k]
        grid = np.geomspace(float(D.min()) / 1.5, float(D.max()) * 1.5, 32)
        loss = result.law.loss(N, grid)
        frames.append(pd.DataFrame({"x": 6.0 * N * grid, "y": loss, "line": format_quantity(N), "colour": colours[k]}))
    return pd.concat(frames, ignore_index=True)


def _frontier(result: Fit, path: Path | None, x: str, x_domain: Domain, last: float) -> pd.DataFrame:
    """The frontier with its interval, or the one curve of a law in one variable; `beyond` the last run it is dashed."""
    grid, one = np.geomspace(*x_domain, 81), np.ones(81)
    if isinstance(result, FitResult) and isinstance(result.law, PowerLaw):
        N, D = {"N": (grid, one), "D": (one, grid), "C": (one, grid / 6.0)}[x]
        seen = predict(result, N, D, noise=False)
        frame = pd.DataFrame({"x": grid, "y": seen.loss, "low": seen.low, "high": seen.high})
    elif path is None or path.loss is None:
        frame = pd.DataFrame({name: np.empty(0) for name in ("x", "y", "low", "high")})
    else:
        low, high = (path.loss if end is None else end for end in (path.loss_low, path.loss_high))
        frame = pd.DataFrame({"x": path.C, "y": path.loss, "low": low, "high": high})
    frame = frame[(frame.x >= x_domain[0] / 1.5) & (frame.x <= x_domain[1] * 1.5)]
    inside = frame[frame.x <= last].assign(part="within")
    after = frame[frame.x >= (float(inside.x.max()) if len(inside) else 0.0)].assign(part="beyond")
    return pd.concat([inside, after], ignore_index=True)


def _chosen(chosen: Path | None, plane: Plane, frontier: pd.DataFrame, theme: Theme) -> pd.DataFrame:
    """The optimum that was asked for: place, interval, size and tokens; no row where it is off the plot."""
    columns = {"x": float, "y": float, "low": float, "high": float, "name": object}
    rows = pd.DataFrame(columns=list(columns)).astype(columns)
    if chosen is not None and chosen.loss is not None and plane.x[0] <= float(chosen.C[0]) <= plane.x[1]:
        low, high = (chosen.loss if end is None else end for end in (chosen.loss_low, chosen.loss_high))
        name = size_name(float(chosen.N[0]), float(chosen.D[0]))
        rows = pd.DataFrame({"x": chosen.C, "y": chosen.loss, "low": low, "high": high, "name": [name]})
    return plane.named(rows, size=theme.laid_size + 1, segments=plane.pieces(frontier.drop(columns="part")))


@template
def _law_template(theme: Theme, x_name: str) -> AltairChart:
    x = log_x("x", axis_title(x_name), "x", "flops" if x_name == "C" else "count")
    y, low = (log_y(field, axis_title("loss"), "y", "loss") for field in ("y", "low"))
    own = alt.Color("colour:N", scale=None, legend=None)
    told = [("name", t("run")), ("tip_N", "N"), ("tip_D", "D"), ("tip_C", "C")]
    tips = [
        *(alt.Tooltip(f"{field}:N", title=title) for field, title in told),
        alt.Tooltip("loss:Q", title=t("measured"), format=".5~g"),
        alt.Tooltip("tip_hat:N", title=t("the law says")),
    ]
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
            *run_marks(runs, own, theme),
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


def run_marks(runs: alt.Chart, own: alt.Color, theme: Theme) -> tuple[alt.Chart, ...]:
    """Runs by their kind: dots in the colour of their size, rings for those far off, crosses for those left out, open
    diamonds for those held out."""
    size = theme.point_size
    marks: dict[str, alt.Chart] = {
        "fitted": runs.mark_point(
            clip=True, filled=True, size=0.75 * size, opacity=1, stroke=theme.background, strokeWidth=1
        ).encode(color=own),
        "far": runs.mark_point(clip=True, size=1.4 * size, strokeWidth=2.5, color=theme.accent_2, opacity=1),
        "left out": runs.mark_point(
            clip=True, shape="cross", size=size, filled=True, color=theme.accent_2, opacity=1, angle=45
        ),
        "held out": runs.mark_point(
            clip=True, shape="diamond", size=1.4 * size, filled=True, fill=theme.background, stroke=theme.accent_2,
            strokeWidth=2.5, opacity=1,
        ),
    }  # fmt: skip
    return tuple(chart.transform_filter(f"datum.kind == '{kind}'") for kind, chart in marks.items())
