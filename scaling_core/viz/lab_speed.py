"""How fast and in how much memory each size trained, along the time that the whole ladder took."""

from __future__ import annotations

from typing import Literal

import numpy as np

from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.viz.axes import axis_values, linear_x, linear_y, log_y, nice_domain
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_runs import Plane
from scaling_core.viz.lab import rung_colours
from scaling_core.viz.labels import halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

Measure = Literal["tokens_per_second", "memory_bytes", "flops_per_second"]
Unit = Literal["hours", "minutes", "seconds"]
_UNIT: dict[Measure, float] = {"tokens_per_second": 1.0, "flops_per_second": 1e9, "memory_bytes": 1e9}
HEIGHT = 300
WIDTH, PLOT = 430.0, 240.0
"""Pixels of one of two plots beside each other, without its axes, for which names are laid out."""


def measure_names() -> dict[Measure, tuple[str, str]]:
    """What is drawn along the time: its title, which begins a sentence too, and its name under the pointer."""
    return {
        "tokens_per_second": (t("Tokens per second"), t("tokens per second")),
        "flops_per_second": (t("6 N × tokens per second, GFLOP/s"), "GFLOP/s"),
        "memory_bytes": (t("Memory, GB"), t("memory, GB")),
    }


def speed_frame(plan: Plan, curves: pd.DataFrame) -> pd.DataFrame:
    """Curves along the time spent in training: seconds (from zero, lines and branches one after the other), track,
    label, tokens, tokens_per_second, memory_bytes, flops_per_second = 6 N tokens per second.

    curves: `CurveBook.frame`. Time is tokens by measured speed, so a pause, a sleep of the machine or a run taken over
    from another sweep leaves no gap; evaluation and checkpoints are not in it.
    """
    params = {line.track: float(line.runs[0].params) for line in plan.lines}
    known = {str(track): part for track, part in curves[curves["tokens_per_second"] > 0].groupby("track", sort=False)}
    parts, clock = [], 0.0
    for line in plan.lines:
        for track in (line.track, *(run.id for run in line.runs)):
            if track not in known:
                continue
            part = known[track]
            steps = np.diff(part["tokens"].to_numpy(), prepend=0.0 if track == line.track else part["tokens"].iloc[0])
            seconds = clock + np.cumsum(steps / part["tokens_per_second"].to_numpy())
            clock = float(seconds[-1])
            parts.append(
                part[["track", "label", "tokens", "tokens_per_second", "memory_bytes"]].assign(
                    seconds=seconds, flops_per_second=6.0 * params[line.track] * part["tokens_per_second"]
                )
            )
    if not parts:
        numbers = ("seconds", "tokens", "tokens_per_second", "memory_bytes", "flops_per_second")
        return pd.DataFrame({"track": [], "label": [], **{name: np.empty(0) for name in numbers}})
    return pd.concat(parts, ignore_index=True)


def speed_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a size: label, tokens_per_second and flops_per_second (medians), memory_bytes (highest), seconds, tokens.

    frame: `speed_frame`; seconds and tokens are those trained for the size, whatever was shared by its horizons.
    """
    spans = frame.groupby(["label", "track"], sort=False).agg(
        first=("seconds", "min"), last=("seconds", "max"), low=("tokens", "min"), high=("tokens", "max")
    )
    spans = spans.assign(seconds=spans["last"] - spans["first"], tokens=spans["high"] - spans["low"])
    sums = spans.groupby("label", sort=False)[["seconds", "tokens"]].sum()
    typical = frame.groupby("label", sort=False).agg(
        tokens_per_second=("tokens_per_second", "median"),
        flops_per_second=("flops_per_second", "median"),
        memory_bytes=("memory_bytes", "max"),
    )
    return typical.join(sums).reset_index()


def speed_chart(plan: Plan, frame: pd.DataFrame, measure: Measure, theme: Theme) -> Figure:
    """One measure along the time of training, a colour a size. frame: `speed_frame`, not empty."""
    colours = rung_colours(plan, theme)
    unit, name = time_unit(float(frame["seconds"].max()))
    lines = pd.DataFrame(
        {
            "x": frame["seconds"] / unit,
            "y": frame[measure] / _UNIT[measure],
            "track": frame["track"],
            "line": frame["label"],
            "colour": [colours[label] for label in frame["label"]],
        }
    )
    log = measure == "tokens_per_second"
    x_domain = nice_domain([0.0, float(lines["x"].max())], margin=0.0)
    if log:
        y_domain = float(lines["y"].min()) / 1.6, float(lines["y"].max()) * 1.6
    else:
        y_domain = nice_domain([0.0, *lines["y"]], margin=0.12)
        y_domain = (0.0, y_domain[1])
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT, log_y=log)
    middles = lines.groupby("line", sort=False).agg(
        x=("x", "median"), y=("y", "max" if measure == "memory_bytes" else "median"), colour=("colour", "first")
    )
    middles = _spread_out(middles.reset_index(), plane)
    return Figure(
        template=_speed_template(theme, measure, name),
        data={"lines": lines, "names": middles},
        values={**axis_values("x", x_domain, log=False), **axis_values("y", y_domain, log=log, most=6)},
    )


def _spread_out(middles: pd.DataFrame, plane: Plane) -> pd.DataFrame:
    """Names above their lines, without those that would run into the one before; the last is always kept."""
    span = (plane.x[1] - plane.x[0]) / plane.width
    room, edge = 52.0 * span, plane.x[0] + 24.0 * span
    middles = middles.assign(x=middles["x"].clip(lower=edge))
    kept: list[int] = []
    for k in reversed(range(len(middles))):
        if not kept or middles["x"].iloc[kept[-1]] - middles["x"].iloc[k] >= room:
            kept.append(k)
    return middles.iloc[sorted(kept)].reset_index(drop=True)


def time_unit(seconds: float) -> tuple[float, Unit]:
    """A unit in which a span of seconds is a small number: its length in seconds, and which it is."""
    lengths: tuple[tuple[float, Unit], ...] = ((3600.0, "hours"), (60.0, "minutes"))
    for length, name in lengths:
        if seconds >= 2 * length:
            return length, name
    return 1.0, "seconds"


def _time_title(unit: Unit) -> str:
    titles: dict[Unit, str] = {
        "hours": t("Time in training, hours"),
        "minutes": t("Time in training, minutes"),
        "seconds": t("Time in training, seconds"),
    }
    return titles[unit]


@template
def _speed_template(theme: Theme, measure: Measure, unit: Unit) -> AltairChart:
    x = linear_x("x", _time_title(unit), "x")
    title, short = measure_names()[measure]
    y = log_y("y", title, "y", "count") if measure == "tokens_per_second" else linear_y("y", title, "y", "plain")
    own = alt.Color("colour:N", scale=None, legend=None)
    tips = [
        alt.Tooltip("line:N", title=t("parameters")),
        alt.Tooltip("track:N", title=t("track")),
        alt.Tooltip("y:Q", title=short, format=".3s"),
    ]
    lines = alt.Chart(alt.NamedData("lines")).encode(x, y, own, detail="track:N", tooltip=tips)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, own, text="line:N")
    return themed(
        alt.layer(
            lines.mark_line(clip=True, strokeWidth=theme.line_width),
            *halo_text(names, theme, dy=-16, align="center"),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
