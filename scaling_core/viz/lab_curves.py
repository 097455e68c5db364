"""Every learning curve of a ladder against step, tokens or compute, the frontier over it, and their collapse.

Blue is the ladder, darker with size, orange what was held out, and green the frontier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import ScalingError
from scaling_core.fit import AllocationFit, FitResult, RunPoints, fit_envelope
from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.runs.rows import RunRow
from scaling_core.viz.axes import Domain, Kind, axis_values, log_x, log_y
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_path import fitted_path
from scaling_core.viz.fit_runs import Plane
from scaling_core.viz.lab import highest_loss, loss_floor, loss_ticks, loss_title, rung_colours
from scaling_core.viz.labels import datum, halo_text, spread
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

Along = Literal["step", "tokens", "compute"]
_KIND: dict[Along, Kind] = {"step": "count", "tokens": "count", "compute": "flops"}
_FIELD: dict[Along, str] = {"step": "step", "tokens": "tokens", "compute": "flops"}
HEIGHT = 345
WIDTH, PLOT = 1050.0, 280.0
"""Pixels of the plot without its axes, for which names are laid out."""
EARLIEST = 0.02
"""Share of its training at which the picture of the collapse begins."""
COMPARED = (0.1, 0.2, 0.4, 0.7)
"""Shares of training at which the collapsed curves are compared."""


def along_names() -> dict[Along, tuple[str, str, str]]:
    """What curves may run along: its name in the choice, its title on the axis, its name within a sentence."""
    return {
        "step": (t("Step"), t("Optimiser step"), t("step")),
        "tokens": (t("Tokens"), t("Training tokens D"), t("tokens")),
        "compute": (t("Compute"), t("Training compute C = 6 N D, FLOP"), t("compute")),
    }


def curves_chart(
    plan: Plan,
    curves: pd.DataFrame,
    runs: Sequence[RunRow],
    theme: Theme,
    *,
    along: Along,
    fit: FitResult | None = None,
    envelope: AllocationFit | None = None,
    chosen: str | None = None,
) -> Figure:
    """Loss of every track along steps, tokens or compute, with the measured cooled ends.

    curves: `CurveBook.frame`. fit, envelope: along compute, the least loss that each compute buys, by the law with its
    band and by the cooled ends themselves (`cooled_envelope`). chosen: id of a run whose curve is brought forward.
    """
    colours, field = rung_colours(plan, theme), _FIELD[along]
    ends = _ends(plan, runs, colours)
    trunk = next((run.track for run in plan.runs if run.id == chosen), None)
    lines = pd.DataFrame(
        {
            "x": curves[field],
            "y": curves["loss"],
            "track": curves["track"],
            "line": curves["label"],
            "colour": [colours[label] for label in curves["label"]],
            "branch": curves["branch"].astype(bool),
            "opacity": 1.0 if chosen is None else np.where(curves["track"].isin((chosen, trunk)), 1.0, 0.22),
        }
    )
    points = pd.DataFrame({**ends, "x": ends[field], "y": ends["loss"]})
    if chosen is not None:
        points["opacity"] = np.where(points["run"] == chosen, 1.0, 0.22)
    x_domain, y_domain = _domains(plan, lines, points, along)
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    frontier, lowest = _frontier(fit, x_domain, along), _lowest(envelope, along)
    marked = ["x", "y", "line", "colour", "opacity"]
    last = pd.concat([lines[marked], points[marked]], ignore_index=True)
    last = last.loc[last.groupby("line", sort=False)["x"].idxmax()]
    if chosen is not None:
        last["opacity"] = np.where(last["line"].isin(lines["line"][lines["track"] == trunk]), 1.0, 0.4)
    return Figure(
        template=_curves_template(theme, along, loss_title(plan)),
        data={
            "lines": lines,
            "points": points,
            "frontier": frontier,
            "lowest": lowest,
            "names": plane.named(last.assign(name=last["line"]), size=theme.laid_size, runs=points[["x", "y"]]),
        },
        values={
            **axis_values("x", x_domain, kind=_KIND[along], most=9),
            **axis_values("y", y_domain, kind="loss"),
            "y_ticks": loss_ticks(y_domain),
        },
    )


@template
def _curves_template(theme: Theme, along: Along, loss: str) -> AltairChart:
    _, title, short = along_names()[along]
    x = log_x("x", title, "x", _KIND[along])
    y, low = log_y("y", loss, "y", "loss"), log_y("low", loss, "y", "loss")
    own = alt.Color("colour:N", scale=None, legend=None)
    opacity = alt.Opacity("opacity:Q", scale=None, legend=None)
    tips = [
        alt.Tooltip("line:N", title=t("parameters")),
        alt.Tooltip("track:N", title=t("track")),
        alt.Tooltip("x:Q", title=short, format=".3s"),
        alt.Tooltip("y:Q", title=t("loss"), format=".3f"),
    ]
    lines = alt.Chart(alt.NamedData("lines")).encode(x, y, own, opacity, detail="track:N", tooltip=tips)
    points = alt.Chart(alt.NamedData("points")).encode(x, y, own, opacity, tooltip=tips)
    size = theme.point_size
    ends = points.mark_point(filled=True, clip=True, size=0.8 * size, stroke=theme.background, strokeWidth=1.2)
    held = points.mark_point(
        filled=True, clip=True, shape="diamond", size=1.3 * size, stroke=theme.background, strokeWidth=1.2
    )
    frontier = alt.Chart(alt.NamedData("frontier")).encode(x)
    lowest = alt.Chart(alt.NamedData("lowest")).encode(x, y)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, own, opacity, text="name:N")
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            frontier.mark_area(clip=True, color=theme.categorical[2], opacity=0.18).encode(low, y2="high:Q"),
            lines.mark_line(clip=True, strokeWidth=theme.line_width - 0.7).transform_filter("!datum.branch"),
            lines.mark_line(clip=True, strokeWidth=theme.thin_width).transform_filter("datum.branch"),
            frontier.mark_line(clip=True, color=theme.categorical[2], strokeWidth=theme.line_width + 0.5).encode(y),
            lowest.mark_line(clip=True, color=theme.ink, strokeWidth=2, strokeDash=[2, 5]),
            ends.transform_filter("!datum.held_out"),
            held.transform_filter("datum.held_out"),
            *halo_text(names, theme, clip=True, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )


def _ends(plan: Plan, runs: Sequence[RunRow], colours: dict[str, str]) -> pd.DataFrame:
    """Measured cooled ends: run, line, track, colour, step, tokens, flops, loss, held_out, opacity."""
    steps = {run.id: float(run.steps) for run in plan.runs}
    names = dict(zip((size.rung for size in plan.sizes), colours, strict=True))
    columns: dict[str, type] = {
        **dict.fromkeys(("run", "line", "track", "colour"), object),
        **dict.fromkeys(("step", "tokens", "flops", "loss", "opacity"), float),
        "held_out": bool,
    }
    rows = [
        {
            "run": run.id,
            "line": names[run.rung],
            "track": run.id,
            "colour": colours[names[run.rung]],
            "step": steps.get(run.id, 1.0),
            "tokens": run.tokens,
            "flops": 6.0 * run.params * run.tokens,
            "loss": run.loss,
            "opacity": 1.0,
            "held_out": run.held_out,
        }
        for run in runs
        if run.loss is not None
    ]
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _domains(plan: Plan, lines: pd.DataFrame, points: pd.DataFrame, along: Along) -> tuple[Domain, Domain]:
    """From a little after the first steps, which say nothing, to a little beyond the last, where names stand."""
    planned = {
        "step": [float(run.steps) for run in plan.runs],
        "tokens": [float(run.tokens) for run in plan.runs],
        "compute": [float(run.flops) for run in plan.runs],
    }[along]
    high = highest_loss(plan)
    begun = [float(x) for x in lines["x"][(lines["y"] <= high) & (lines["x"] > 0)]]
    low = min([min(planned), *([min(begun) / 1.15] if begun else [min(planned) / 15.0])])
    return (low, max(planned) * 1.9), (loss_floor([*lines["y"], *points["y"]]), high)


def _frontier(fit: FitResult | None, x_domain: Domain, along: Along) -> pd.DataFrame:
    """The law's least loss along compute: x, y, low, high."""
    path = None
    if fit is not None and along == "compute":
        path = fitted_path(fit, np.geomspace(float(fit.points.C.min()) / 2.0, x_domain[1], 61))
    if path is None or path.loss is None:
        return pd.DataFrame({name: np.empty(0) for name in ("x", "y", "low", "high")})
    low, high = (path.loss if end is None else end for end in (path.loss_low, path.loss_high))
    return pd.DataFrame({"x": path.C, "y": path.loss, "low": low, "high": high})


def _lowest(envelope: AllocationFit | None, along: Along) -> pd.DataFrame:
    """The envelope of the cooled ends along compute: x, y."""
    rows = [] if envelope is None or along != "compute" else [row for row in envelope.optima if row.loss is not None]
    return pd.DataFrame({"x": [row.C for row in rows], "y": [row.loss for row in rows]}, dtype=float)


def cooled_envelope(runs: Sequence[RunRow]) -> AllocationFit | str:
    """The lower envelope of the cooled ends, each size joined through its horizons; or why there is none.

    Seeds are averaged. Every point ends a decay of its own: unlike an envelope of trunks it does not read high.
    """
    measured = [(run, run.loss) for run in runs if run.loss is not None and not run.censored]
    try:
        return fit_envelope(
            RunPoints.of(
                N=[float(run.params) for run, _ in measured],
                D=[float(run.tokens) for run, _ in measured],
                loss=[loss for _, loss in measured],
                group=[str(run.rung) for run, _ in measured],
            ),
            warmup=0.0,
            bootstrap=200,
        )
    except ScalingError as error:
        return str(error)


def collapse_frame(curves: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Trunks measured from the law's floor E, each in units of its own end: track, label, share, left.

    share = D / D_end, left = (L - E) / (L_end - E), L_end the mean over the last stretch of the curve. Trunks that end
    below the floor are left out.
    """
    columns = {"track": object, "label": object, "share": float, "left": float}
    parts = []
    for _, part in curves[~curves["branch"].astype(bool)].groupby("track", sort=False):
        reach = float(part["loss"].iloc[-1]) - floor
        if reach > 0 and len(part) > 2:
            share = part["tokens"] / float(part["tokens"].iloc[-1])
            left = (part["loss"] - floor) / reach
            parts.append(part[["track", "label"]].assign(share=share, left=left))
    if not parts:
        return pd.DataFrame(columns=list(columns)).astype(columns)
    frame = pd.concat(parts, ignore_index=True)
    return frame[(frame["share"] >= EARLIEST) & (frame["left"] > 0)].reset_index(drop=True)


def collapse_spread(frame: pd.DataFrame) -> float | None:
    """By how much the collapsed curves differ: the largest relative standard deviation at any of `COMPARED`.

    None where fewer than two curves reach from the first of these shares to the end.
    """
    curves = [part for _, part in frame.groupby("track", sort=False) if float(part["share"].min()) <= COMPARED[0]]
    if len(curves) < 2:
        return None
    at = np.log(COMPARED)
    levels: FloatArray = np.array([np.interp(at, np.log(part["share"]), np.log(part["left"])) for part in curves])
    return float(np.exp(levels.std(axis=0, ddof=1).max()) - 1.0)


def collapse_chart(plan: Plan, frame: pd.DataFrame, theme: Theme) -> Figure:
    """The collapsed trunks, a colour a size, and one dark line: their mean. frame: `collapse_frame`."""
    colours = rung_colours(plan, theme)
    lines = frame.assign(colour=[colours[label] for label in frame["label"]])
    parts = [part for _, part in frame.groupby("track", sort=False)]
    grid = np.geomspace(max([EARLIEST, *(float(part["share"].min()) for part in parts)]), 1.0, 41)
    levels = [np.interp(np.log(grid), np.log(part["share"]), np.log(part["left"])) for part in parts]
    mean = pd.DataFrame(
        {"share": grid, "left": np.exp(np.mean(levels, axis=0))} if parts else {"share": [], "left": []}
    )
    top = max(1.5, float(frame["left"].max()) if len(frame) else 1.5)
    x_domain, y_domain = (EARLIEST * 0.75, 1.1), (0.93, min(top * 1.1, 12.0))
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    starts = lines.groupby("label", sort=False).head(1)
    starts = starts[starts["left"] < y_domain[1]]
    places = [y for _, y in plane.at(starts.rename(columns={"share": "x", "left": "y"}))]
    apart = spread(places, gap=theme.laid_size + 1.0, low=8.0, high=PLOT - 8.0)
    names = starts.assign(dy=[new - old for new, old in zip(apart, places, strict=True)])
    ticks = [tick for tick in (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0) if tick <= y_domain[1]]
    return Figure(
        template=_collapse_template(theme),
        data={"lines": lines, "mean": mean, "names": names},
        values={
            "x_domain": list(x_domain),
            "x_ticks": [0.02, 0.05, 0.1, 0.2, 0.5, 1.0],
            "y_domain": list(y_domain),
            "y_ticks": ticks,
        },
    )


@template
def _collapse_template(theme: Theme) -> AltairChart:
    x = log_x("share", t("Share of its own training, D / D at its end"), "x", "plain", format="~%")
    y = log_y("left", t("(L − E) / (L at its end − E)"), "y", "plain")
    own = alt.Color("colour:N", scale=None, legend=None)
    tips = [
        alt.Tooltip("label:N", title=t("parameters")),
        alt.Tooltip("share:Q", title=t("share of training"), format=".1%"),
        alt.Tooltip("left:Q", title=t("loss above the floor, of its end"), format=".2f"),
    ]
    lines = alt.Chart(alt.NamedData("lines")).encode(x, y, own, detail="track:N", tooltip=tips)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, own, text="label:N")
    mean = alt.Chart(alt.NamedData("mean")).encode(x, y)
    return themed(
        alt.layer(
            lines.mark_line(clip=True, strokeWidth=theme.line_width - 0.5),
            mean.mark_line(clip=True, color=theme.ink, strokeWidth=1.5, strokeDash=[2, 5]),
            *halo_text(names, theme, clip=True, dx=-7, dy=datum("dy"), align="right"),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
