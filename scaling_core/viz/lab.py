"""Charts of a ladder: what is planned, how each rung learns, and the law through its cooled ends.

Blue is the ladder, darker with size; orange is what is foretold and not fitted. A chart here holds no data: it names
the tables of `lab_frames` that it reads, so it is built once for a plan, a theme and a language, and a poll sends rows
only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from scaling_core.lab.records import Plan
from scaling_core.lab.spec import BYTES_VOCAB
from scaling_core.language import Language, current, t
from scaling_core.viz import axes
from scaling_core.viz.lab_frames import Against, horizon_label, plan_frame, rung_label, size_domain
from scaling_core.viz.labels import datum, enlarged_by
from scaling_core.viz.late import alt
from scaling_core.viz.theme import Theme, mix, themed

LOSS_TICKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
COARSE_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
MOST_TICKS = 10
HIGHEST_LOSS = 4.0
"""Where the picture of learning begins: a guess among 256 bytes costs ln 256 = 5.5 and is left within seconds."""
NARROWEST = 0.4
"""Least height of the law's picture in nats, so that a single point does not fill it with noise."""
NAME_ROOM = 0.06
"""Share of the height kept free at the top, for the name of the highest line."""
FAINTEST_STEP = 4
"""The first step of the sequential scale that stands out from the background, in light and dark."""


def rung_colours(plan: Plan, theme: Theme) -> dict[str, str]:
    """A colour a rung, by label: sequential steps for those that are fitted, the second accent for those held out."""
    fitted = [rung_label(rung) for rung in plan.sizes if not rung.runs[0].held_out]
    steps = np.linspace(FAINTEST_STEP, len(theme.sequential) - 1, max(2, len(fitted)))
    chosen = {}
    for label, step in zip(fitted, steps, strict=False):
        below = min(int(step), len(theme.sequential) - 2)
        chosen[label] = mix(theme.sequential[below], theme.sequential[below + 1], float(step) - below)
    return {label: chosen.get(label, theme.accent_2) for label in map(rung_label, plan.sizes)}


def loss_title(plan: Plan) -> str:
    """What a loss axis is called: nats per byte where tokens are bytes, else per token."""
    return t("Loss, nats per byte") if plan.spec.corpus.tokens == "bytes" else t("Loss, nats per token")


def highest_loss(plan: Plan) -> float:
    """Where the picture of learning begins, in nats: `HIGHEST_LOSS` for bytes, the same share of ln V for others."""
    share = math.log(plan.spec.vocab_size) / math.log(BYTES_VOCAB)
    return HIGHEST_LOSS if share == 1.0 else round(HIGHEST_LOSS * share, 2)


def loss_ticks(domain: axes.Domain) -> list[float]:
    """Round losses within a logarithmic domain, far enough apart to be read."""
    inside = [tick for tick in LOSS_TICKS if domain[0] <= tick <= domain[1]]
    return inside if len(inside) <= MOST_TICKS else [tick for tick in inside if tick in COARSE_TICKS]


def loss_floor(losses: Iterable[float]) -> float:
    """The nearest round loss below everything seen: it moves a few times in a sweep, not with every point."""
    seen = [loss for loss in losses if np.isfinite(loss)]
    lowest = min(seen, default=2.0)
    return max((tick for tick in LOSS_TICKS if tick <= lowest * 0.985), default=LOSS_TICKS[0])


def loss_domain(measured: Iterable[float], drawn: Iterable[float] = ()) -> axes.Domain:
    """A linear domain with ends on round steps: all that is measured or predicted, and what is drawn near it.

    drawn: the law and its intervals, which a poor fit throws far off: they widen the domain by a quarter of its height
    upwards, and by no more than its own height downwards, where the larger sizes are to land.
    """
    seen = [float(loss) for loss in measured if np.isfinite(loss)]
    if not seen:
        return 1.0, HIGHEST_LOSS
    middle, half = (min(seen) + max(seen)) / 2, max(NARROWEST, max(seen) - min(seen)) / 2
    low, high = middle - 3.0 * half, middle + 1.5 * half
    near = [min(max(float(loss), low), high) for loss in drawn if np.isfinite(loss)]
    shown = [*near, middle - half, middle + half]
    return axes.nice_domain([*shown, max(shown) + NAME_ROOM * (max(shown) - min(shown))])


def plan_chart(plan: Plan, theme: Theme, *, height: int | None = None) -> dict[str, Any]:
    """Every run of a plan on the plane of N and D: filled blue is fitted, open orange foretold. Table: plan_frame."""
    return _plan_chart(current(), plan, theme, height)


@lru_cache(maxsize=64)
def _plan_chart(language: Language, plan: Plan, theme: Theme, height: int | None) -> dict[str, Any]:
    frame = plan_frame(plan)
    tokens = (float(frame["tokens"].min()) / 2.0, float(frame["tokens"].max()) * 2.2)
    low, high = size_domain(plan)
    base = alt.Chart(alt.NamedData(name="plan")).encode(
        x=axes.log_x("params", t("Parameters N"), (low * 1.3, high * 1.2)),
        y=axes.log_y("tokens", t("Tokens D"), tokens),
        tooltip=[
            alt.Tooltip("label:N", title=t("parameters")),
            alt.Tooltip("horizon:Q", title=t("tokens per parameter")),
            alt.Tooltip("tokens:Q", title=t("tokens"), format=".3s"),
            alt.Tooltip("flops:Q", title="FLOP", format=".2e"),
        ],
    )
    lines = base.mark_line(color=theme.border, strokeWidth=theme.thin_width).encode(detail="horizon:N")
    fitted = base.mark_point(filled=True, size=theme.point_size * 1.3, opacity=1, color=theme.accent)
    names = base.mark_text(align="left", dx=enlarged_by(theme, 14), color=theme.muted).encode(text="name:N")
    layers = alt.layer(
        lines,
        fitted.transform_filter("!datum.held_out"),
        _diamond(base, theme).transform_filter("datum.held_out"),
        names.transform_filter("datum.last").transform_calculate(name="'D = ' + format(datum.horizon, '~g') + ' N'"),
    )
    return _spec(layers, theme, height)


def learning_chart(plan: Plan, theme: Theme, *, floor: float, height: int | None = None) -> dict[str, Any]:
    """Training loss over tokens, a colour a rung: trunks at constant rate, branches cooled to their measured ends.

    Tables: curves (`CurveBook.frame`), points (`point_frame`), ends (`end_frame`). floor: `loss_floor`.
    """
    return _learning_chart(current(), plan, theme, floor, height)


@lru_cache(maxsize=64)
def _learning_chart(language: Language, plan: Plan, theme: Theme, floor: float, height: int | None) -> dict[str, Any]:
    runs = plan.runs
    domain = (min(run.tokens for run in runs) / 12.0, max(run.tokens for run in runs) * 2.5)
    x = axes.log_x("tokens", t("Training tokens D"), domain)
    y = alt.Y(
        "loss:Q",
        scale=alt.Scale(type="log", domain=[floor, highest_loss(plan)], nice=False),
        axis=axes.axis(loss_title(plan), "loss", loss_ticks((floor, highest_loss(plan)))),
    )
    colour = _colour("label", rung_colours(plan, theme))
    tips = [
        alt.Tooltip("label:N", title=t("parameters")),
        alt.Tooltip("tokens:Q", title=t("tokens"), format=".3s"),
        alt.Tooltip("loss:Q", title=t("loss"), format=".3f"),
    ]
    curves = alt.Chart(alt.NamedData(name="curves")).encode(x=x, y=y, color=colour, detail="track:N", tooltip=tips)
    trunks = curves.mark_line(clip=True, strokeWidth=theme.line_width - 0.5)
    branches = curves.mark_line(clip=True, strokeWidth=theme.thin_width)
    ends = (
        alt.Chart(alt.NamedData(name="points"))
        .mark_point(filled=True, clip=True, size=theme.point_size, opacity=1, stroke=theme.background, strokeWidth=1.5)
        .encode(x=x, y=y, color=colour, tooltip=tips)
    )
    named = alt.Chart(alt.NamedData(name="ends")).encode(x=x, y=y, text="label:N")
    layers = alt.layer(
        trunks.transform_filter("!datum.branch"),
        branches.transform_filter("datum.branch"),
        ends,
        *_words(named, theme, colour, dx=11, dy=datum("dy")),
    )
    return _spec(layers, theme, height)


def law_chart(
    plan: Plan, theme: Theme, *, against: Against, domain: axes.Domain, height: int | None = None
) -> dict[str, Any]:
    """The fitted law with its band, the measured ends, and what was foretold: an open diamond with its interval.

    Tables: law (`law_frame` for the same `against`), names (`name_frame`), points, predictions. Filled marks are
    measured: circles were fitted, diamonds were held out. domain: `loss_domain`.
    """
    return _law_chart(current(), plan, theme, against, domain, height)


@lru_cache(maxsize=64)
def _law_chart(
    language: Language, plan: Plan, theme: Theme, against: Against, domain: axes.Domain, height: int | None
) -> dict[str, Any]:
    rungs = rung_colours(plan, theme)
    kind: axes.Kind = "flops" if against == "compute" else "count"
    if against == "compute":
        flops = [run.flops for run in plan.runs]
        wide, title = (min(flops) / 2.2, max(flops) * 4.5), t("Training compute C = 6 N D, FLOP")
        field, lines = "flops", rungs
    else:
        wide, title = size_domain(plan), t("Parameters N")
        field, lines = "params", dict.fromkeys(map(horizon_label, plan.spec.horizons), theme.accent)
    x, x_of_law = axes.log_x(field, title, wide, kind), axes.log_x("x", title, wide, kind)
    loss = loss_title(plan)
    y, y_low = axes.linear_y("loss", loss, domain, "loss"), axes.linear_y("low", loss, domain, "loss")
    law = alt.Chart(alt.NamedData(name="law")).encode(x=x_of_law, detail="line:N")
    band = law.mark_area(clip=True).encode(
        y=y_low,
        y2="high:Q",
        fill=_colour("line", lines, alt.Fill),
        fillOpacity=alt.condition("datum.held_out", alt.value(0.26), alt.value(0.11)),
    )
    curve = law.mark_line(clip=True, strokeWidth=theme.thin_width + 0.7).encode(y=y, color=_colour("line", lines))
    named = alt.Chart(alt.NamedData(name="names")).encode(x=x_of_law, y=y, text="line:N")
    beside = against == "size"
    names = _words(named, theme, _colour("line", lines), rightwards=not beside, dx=6, dy=0 if beside else -9)
    tips = [
        alt.Tooltip("label:N", title=t("parameters")),
        alt.Tooltip("horizon:Q", title=t("tokens per parameter")),
        alt.Tooltip("loss:Q", title=t("loss"), format=".3f"),
    ]
    seen = alt.Chart(alt.NamedData(name="points")).encode(x=x, y=y, tooltip=tips)
    fitted = seen.mark_point(
        filled=True, size=theme.point_size * 1.2, opacity=1, stroke=theme.background, strokeWidth=1.5
    ).encode(color=_colour("label", rungs))
    held = seen.mark_point(shape="diamond", filled=True, size=theme.point_size * 1.5, opacity=1, color=theme.accent_2)
    interval = [
        alt.Tooltip("low:Q", title=t("from"), format=".3f"),
        alt.Tooltip("high:Q", title=t("to"), format=".3f"),
    ]
    foretold = alt.Chart(alt.NamedData(name="predictions")).encode(x=x, y=y, tooltip=[*tips, *interval])
    bars = foretold.mark_rule(clip=True, color=theme.accent_2, strokeWidth=theme.line_width + 1, opacity=0.55)
    layers = alt.layer(
        band,
        curve,
        fitted.transform_filter("!datum.held_out"),
        bars.encode(y=y_low, y2="high:Q"),
        _diamond(foretold, theme),
        held.transform_filter("datum.held_out"),
        *names,
    )
    return _spec(layers, theme, height)


def _diamond(chart: alt.Chart, theme: Theme) -> alt.Chart:
    """The open mark of what is foretold."""
    marked: alt.Chart = chart.mark_point(
        shape="diamond",
        size=theme.point_size * 2.2,
        opacity=1,
        filled=True,
        fill=theme.background,
        stroke=theme.accent_2,
        strokeWidth=2.5,
    )
    return marked


def _words(
    chart: alt.Chart, theme: Theme, colour: Any, *, rightwards: bool = True, dx: int = 7, dy: Any = 0
) -> tuple[alt.Chart, alt.Chart]:
    """Names beside lines, over a thin halo of the background that keeps them legible where lines pass."""
    halo, text = (
        chart.mark_text(
            align="left" if rightwards else "right",
            dx=enlarged_by(theme, dx if rightwards else -dx),
            dy=enlarged_by(theme, dy),
            fontWeight=600,
            fontSize=theme.mark_size,
            clip=True,
            stroke=stroke,
            strokeWidth=width,
        )
        for stroke, width in ((theme.background, 4), (None, 0))
    )
    return halo.encode(color=alt.value(theme.background)), text.encode(color=colour)


def _colour(field: str, colours: dict[str, str], channel: Any = None) -> Any:
    """A colour channel over fixed names, without a legend: the names stand beside the lines."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return (channel or alt.Color)(f"{field}:N", scale=scale, legend=None)


def _spec(layers: Any, theme: Theme, height: int | None) -> dict[str, Any]:
    """The Vega-Lite specification, without data. Callers copy it before they add to it: it is kept.

    height: in pixels, or None where the page gives the chart its height.
    """
    sized = layers if height is None else layers.properties(height=height)
    spec: dict[str, Any] = themed(sized, theme).to_dict(validate=False)
    return spec
