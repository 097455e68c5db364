"""How far a law's constants could have been elsewhere, and with them the best model: the refits of resampled runs.

Both charts stay with the law that was fitted; the constants of the moment are a point in the one and a line in the
other, which follow the hand.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scaling_core.language import raw, t
from scaling_core.laws import Law
from scaling_core.optimum import Band, best_sizes, optimal_for_compute, optimum_band
from scaling_core.units import format_quantity
from scaling_core.viz.axes import Domain, axis_values, linear_y, log_domain, log_x
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_detail import HEIGHT, cloud_chart
from scaling_core.viz.isoflop import BAND_OPACITY, Ghost
from scaling_core.viz.labels import datum, halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

PAIRS = {"kaplan": ("alpha_N", "alpha_D"), "gadre": ("eta", "E")}
"""The two constants that a cloud shows of each form; alpha and beta of the others."""
BINS = 28
_BAR, _RULE, _OWN, _HERE, _TOP = 1.0, 1.12, 1.34, 1.56, 1.66
"""Heights of the chart of the best sizes: the highest bar, the interval, the two lines and the plot."""


def pair_of(form: str) -> tuple[str, str]:
    """The two constants of a form that are seen together."""
    return PAIRS.get(form, ("alpha", "beta"))


def best_band(fitted: Ghost, C: float) -> Band:
    """The intervals of the best model for C FLOP over the refits of a law, which it must have."""
    assert fitted.replicates is not None
    return optimum_band(
        fitted.law.form, fitted.replicates, np.array([C]), estimate=fitted.estimate, level=fitted.level,
        interval=fitted.interval,
    )  # fmt: skip


def constants_chart(fitted: Ghost, law: Law, own: str, theme: Theme) -> Figure | None:
    """The refits of a law on the plane of two constants, the region that holds its level of them, and `law`.

    own: the name of `law`, which is shown where its constants are other ones. None where the refits do not differ.
    """
    assert fitted.replicates is not None
    pair, names = pair_of(fitted.law.form), list(fitted.law.constants)
    x, y = (fitted.replicates[:, names.index(name)] for name in pair)
    here, now = ((one.constants[pair[0]], one.constants[pair[1]]) for one in (fitted.law, law))
    farther = [] if now == here else [(own, *now)]
    figure = cloud_chart(x, y, fitted.level, pair, (fitted.name, *here), (), theme, farther=farther)
    if figure is not None and farther:
        points, place = figure.data["points"], _place(now, figure.values["x_domain"], figure.values["y_domain"])
        for column, value in place.items():
            points[column] = [points[column].iloc[0], value]
    return figure


def _place(point: tuple[float, float], x_domain: Domain, y_domain: Domain) -> dict[str, object]:
    """Where the name of the moving point stands: above it, below it near the top, and inside the plot."""
    along, up = ((value - low) / (high - low) for value, (low, high) in zip(point, (x_domain, y_domain), strict=True))
    align = "left" if along < 0.2 else "right" if along > 0.8 else "center"
    return {"dx": 0.0, "dy": -17.0 if up < 0.9 else 17.0, "align": align}


def optimum_chart(fitted: Ghost, law: Law, C: float, own: str, theme: Theme) -> Figure:
    """The best sizes for C FLOP of every refit, sizes below and tokens above, with their interval and two lines.

    The lines are the best sizes of the fitted law and of `law`, where they differ to the eye. own: the name of `law`.
    """
    assert fitted.replicates is not None
    band = best_band(fitted, C)
    low, high = float(band.N.low[0]), float(band.N.high[0])
    sizes = best_sizes(fitted.law.form, fitted.replicates, C)
    here, now = optimal_for_compute(fitted.law, C).N, optimal_for_compute(law, C).N
    differs = not same_size(here, now)
    span = [float(np.quantile(sizes, 0.004)), float(np.quantile(sizes, 0.996)), low, high, here]
    margin = 1.25 * (max(span) / min(span)) ** 0.1
    drawn = [min(span) / margin, max(span) * margin, *([now] if differs else [])]
    domain = log_domain(drawn, per_decade=10)
    counts, edges = np.histogram(np.log(sizes), bins=BINS, range=(math.log(min(span)), math.log(max(span))))
    ends = np.exp(edges)
    lines = [_line(fitted.name, here, domain, "here")] + ([_line(own, now, domain, "own")] if differs else [])
    tokens = (C / (6.0 * domain[1]), C / (6.0 * domain[0]))
    return Figure(
        template=_optimum_template(theme),
        data={
            "bars": pd.DataFrame({"N": ends[:-1], "N2": ends[1:], "share": _BAR * counts / counts.max()}),
            "interval": pd.DataFrame({"N": [low], "N2": [high], "y": [_RULE]}),
            "ends": pd.DataFrame(
                {
                    "N": [low, high],
                    "text": [format_quantity(low), format_quantity(high)],
                    "y": [_RULE, _RULE],
                    "dx": [-6.0, 6.0],
                    "align": ["right", "left"],
                }
            ),
            "lines": pd.DataFrame(lines),
            "tokens": pd.DataFrame({"D": [tokens[0]], "y": [0.0]}),
        },
        values={
            **axis_values("x", domain, most=5),
            **axis_values("d", tokens, most=5),
            "d_domain": [tokens[1], tokens[0]],
        },
    )


def cloud_args(figure: Figure, fitted: Ghost, own: str) -> dict[str, Any]:
    """What `rows.js` holds fixed of a figure of `constants_chart`."""
    held = {name: figure.data[name].to_dict("records") for name in ("cloud", "region")}
    domains = {name: figure.values[name] for name in ("x_domain", "y_domain")}
    base = figure.data["points"].to_dict("records")[0]
    return {**held, **domains, "pair": list(pair_of(fitted.law.form)), "base": base, "own": own}


def optimum_args(figure: Figure, C: float, own: str) -> dict[str, Any]:
    """The same of a figure of `optimum_chart`."""
    held = {name: figure.data[name].to_dict("records") for name in ("bars", "interval", "ends", "tokens")}
    base = figure.data["lines"].to_dict("records")[0]
    words = {"line": raw("{name}: {value}"), "own": own}
    return {**held, "x_domain": figure.values["x_domain"], "C": C, "base": base, "y": _OWN, "words": words}


def same_size(one: float, two: float) -> bool:
    """Whether two sizes are one line to the eye."""
    return abs(math.log(one / two)) < 5e-4


def _line(name: str, N: float, domain: Domain, kind: str) -> dict[str, object]:
    """A line at a size with its name beside its head, on the side where there is room."""
    left = math.log(N / domain[0]) < 0.5 * math.log(domain[1] / domain[0])
    return {
        "N": N,
        "at": min(max(N, domain[0]), domain[1]),
        "y": _HERE if kind == "here" else _OWN,
        "text": t("{name}: {value}", name=name, value=format_quantity(N)),
        "kind": kind,
        "dx": 7.0 if left else -7.0,
        "align": "left" if left else "right",
    }


@template
def _optimum_template(theme: Theme) -> AltairChart:
    x = log_x("N", t("Best parameters N"), "x")
    share = linear_y("share", None, (0.0, _TOP)).axis(None)
    y = linear_y("y", None, (0.0, _TOP)).axis(None)
    colour = alt.condition("datum.kind == 'here'", alt.value(theme.accent), alt.value(theme.accent_2))
    interval = alt.Chart(alt.NamedData("interval")).encode(x, y, x2="N2:Q")
    ends = alt.Chart(alt.NamedData("ends")).encode(x, y)
    lines = alt.Chart(alt.NamedData("lines")).encode(x, y, color=colour)
    at = log_x("at", t("Best parameters N"), "x")
    named = alt.Chart(alt.NamedData("lines")).encode(at, y, text="text:N", color=colour)
    place = {"dx": datum("dx"), "align": datum("align")}
    sizes = alt.layer(
        alt.Chart(alt.NamedData("bars"))
        .mark_bar(clip=True, color=theme.accent, opacity=2 * BAND_OPACITY, binSpacing=1)
        .encode(x, share, x2="N2:Q", y2=alt.datum(0.0)),
        lines.mark_rule(clip=True, strokeWidth=3).encode(y2=alt.datum(0.0)),
        interval.mark_rule(clip=True, color=theme.ink, strokeWidth=4),
        ends.mark_tick(clip=True, color=theme.ink, orient="vertical", thickness=4, size=16),
        *halo_text(ends.encode(text="text:N"), theme, color=theme.ink, clip=True, **place),
        *halo_text(named, theme, clip=True, **place),
    )
    above = log_x("D", t("on tokens D"), "d", orient="top", grid=False)
    tokens = alt.Chart(alt.NamedData("tokens")).mark_point(opacity=0).encode(above, y)
    chart: AltairChart = alt.layer(sizes, tokens).resolve_scale(x="independent")
    return themed(chart.properties(height=HEIGHT, width="container"), theme)
