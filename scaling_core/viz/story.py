"""Pictures that only the story has: a power law on two kinds of axes, exact match under a law, test-time compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.language import t
from scaling_core.laws import PowerLaw
from scaling_core.story.numbers import ExactMatch, Thinking
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import (
    Domain,
    Kind,
    axis,
    axis_values,
    decades,
    linear_x,
    linear_y,
    log_x,
    log_y,
    nice_domain,
)
from scaling_core.viz.figure import Figure, side_by_side, template
from scaling_core.viz.labels import datum, halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.laws import loss_title
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 360
_WIDTH, _PLOT = 470.0, 290.0
"""Pixels of a plot without its axes, two of them side by side on a page 1280 wide."""
Scale = Literal["linear", "log"]
SPAN: dict[str, Domain] = {"N": (1e4, 1e9), "D": (1e6, 1e11), "C": (1e16, 1e21)}
"""What the power law is drawn over, by its variable: N and D as far as the runs behind it went, C in FLOP."""
BUDGETS: Domain = (1e18, 1e30)
LOSSES = (0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0)


# ---- a power law, on linear and on logarithmic axes


def power_chart(law: PowerLaw, floor: float, theme: Theme, scale: Scale) -> Figure:
    """Loss against the variable of the law, a dot at every power of ten; `floor` nats are added to every loss.

    scale: of both axes. The line without its floor is drawn too where there is one.
    """
    low, high = SPAN[law.variable]
    x = np.unique(np.concatenate([decades(low, high), np.linspace(low, high, 240)]))
    dots = np.array([10.0**k for k in range(round(math.log10(low)), round(math.log10(high)) + 1)])
    losses, plain = law.loss(x) + floor, law.loss(x)
    at = law.loss(dots) + floor
    linear = scale == "linear"
    y_domain = _power_domain(floor, float(at[0]), plain, linear=linear)
    curves = [pd.DataFrame({"x": x, "loss": losses, "line": "law"})]
    if floor > 0:
        curves.insert(0, pd.DataFrame({"x": x, "loss": plain, "line": "plain"}))
    x_domain = (0.0, high * 1.04) if linear else (low / 1.6, high * 1.6)
    return Figure(
        template=_power_template(theme, law.variable, scale),
        data={
            "curves": pd.concat(curves, ignore_index=True),
            "dots": pd.DataFrame({"x": dots, "loss": at}),
            "steps": _steps(dots, at, x_domain, y_domain, linear=linear),
        },
        values={
            "x_domain": list(x_domain),
            "x_ticks": [k * high / 5 for k in range(6)] if linear else dots.tolist(),
            "y_domain": list(y_domain),
            "y_ticks": [tick for tick in (range(0, 21, 2) if linear else LOSSES) if y_domain[0] <= tick <= y_domain[1]],
        },
    )


def _power_domain(floor: float, top: float, plain: FloatArray, *, linear: bool) -> Domain:
    if linear:
        return 0.0, math.ceil(top * 1.08)
    return min(floor or math.inf, float(plain[-1])) * 0.86, top * 1.14


def _steps(dots: FloatArray, at: FloatArray, x_domain: Domain, y_domain: Domain, *, linear: bool) -> pd.DataFrame:
    """What each tenfold does to the loss: on linear axes by how much it falls, on logarithmic ones by which factor.

    A step is named where the next name has room.
    """
    rows: list[tuple[float, float, str, float, str]] = []
    last = (-math.inf, -math.inf)
    for k in range(len(dots) - 2, -1, -1):
        if linear:
            x, y, text = float(dots[k + 1]), float(at[k + 1]), f"−{format_loss(float(at[k] - at[k + 1]))[:4]}"
        else:
            x, y = math.sqrt(float(dots[k] * dots[k + 1])), math.sqrt(float(at[k] * at[k + 1]))
            text = f"× {at[k + 1] / at[k]:.2f}"
        spot = _along(x, x_domain, linear) * _WIDTH, _along(y, y_domain, linear) * _PLOT
        if math.dist(spot, last) > 44:
            rows.append((x, y, text, *((-4.0, "right") if linear and not rows else (10.0, "left"))))
            last = spot
    return pd.DataFrame(rows, columns=["x", "loss", "text", "dx", "align"])


def _along(value: float, domain: Domain, linear: bool) -> float:
    """How far along an axis a value lies, 0 to 1."""
    if linear:
        return (value - domain[0]) / (domain[1] - domain[0])
    return math.log(value / domain[0]) / math.log(domain[1] / domain[0])


@template
def _power_template(theme: Theme, variable: str, scale: str) -> AltairChart:
    titles = {"N": t("Parameters N"), "D": t("Training tokens D"), "C": t("Training compute, FLOP")}
    kind: Kind = "flops" if variable == "C" else "count"
    if scale == "linear":
        flops = {"labelExpr": "datum.value == 0 ? '0' : format(datum.value / 1e20, '~r') + ' × 10²⁰'"}
        x = linear_x("x", titles[variable], "x", kind, **(flops if variable == "C" else {}))
        y = linear_y("loss", loss_title(), "y", "plain")
    else:
        x = log_x("x", titles[variable], "x", kind, labelOverlap=True)
        y = log_y("loss", loss_title(), "y", "loss")
    lines = alt.Scale(domain=["law", "plain"], range=[theme.accent, theme.muted])
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=["law", "plain"], range=[[1, 0], [4, 5]]), legend=None)
    curves = alt.Chart(alt.NamedData("curves")).mark_line(clip=True)
    dots = alt.Chart(alt.NamedData("dots")).encode(x, y)
    steps = alt.Chart(alt.NamedData("steps")).encode(x, y, text="text:N")
    return themed(
        alt.layer(
            curves.encode(x, y, color=alt.Color("line:N", scale=lines, legend=None), strokeDash=dash),
            dots.mark_point(
                filled=True, opacity=1, size=1.4 * theme.point_size, color=theme.accent_2, stroke=theme.background,
                strokeWidth=1.5,
            ),
            *halo_text(steps, theme, align=datum("align"), dx=datum("dx"), dy=-16, color=theme.accent_2),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )  # fmt: skip


# ---- exact match


def smooth_chart(found: ExactMatch, theme: Theme) -> Figure:
    """The loss that counts, against the compute of the law's optimum, with where the accuracy passes its two marks."""
    C = decades(*BUDGETS, per_decade=12)
    loss = found.loss(C)
    y_domain = nice_domain([0.0, float(loss[0])], margin=0.0)
    return Figure(
        template=_exact_template(theme, "loss", found.above),
        data={
            "curves": pd.DataFrame({"C": C, "y": loss, "line": "law", "colour": theme.accent}),
            **_marks(found, lambda at: found.loss(at)),
        },
        values={
            "x_ticks": _budget_ticks(),
            **axis_values("y", y_domain, log=False),
        },
    )


def exact_chart(found: ExactMatch, theme: Theme, scale: Scale) -> Figure:
    """The share of answers that are right against compute, for answers of one token and of the chosen length.

    scale: of the accuracy; on the logarithmic one there is no jump.
    """
    C = decades(*BUDGETS, per_decade=12)
    lengths = sorted({1.0, found.tokens})
    colours = [theme.muted, theme.accent_2][-len(lengths) :]
    bottom = 1e-6
    curves = [
        pd.DataFrame({"C": C, "y": np.maximum(found.accuracy(C, n), bottom / 10), "line": _tokens(n), "colour": colour})
        for n, colour in zip(lengths, colours, strict=True)
    ]
    y_domain: Domain = (0.0, 1.0) if scale == "linear" else (bottom, 1.0)
    return Figure(
        template=_exact_template(theme, scale, found.above),
        data={
            "curves": pd.concat(curves, ignore_index=True),
            **_marks(found, lambda at: found.accuracy(at)),
            "names": pd.DataFrame([_name(curve, y_domain, scale) for curve in curves]),
        },
        values={
            "x_ticks": _budget_ticks(),
            "y_domain": list(y_domain),
            "y_ticks": [0.0, 0.25, 0.5, 0.75, 1.0] if scale == "linear" else [10.0**k for k in range(-6, 1)],
        },
    )


def _tokens(n: float) -> str:
    return t("1 token") if n == 1 else t("{n} tokens", n=f"{n:g}")


def _budget_ticks() -> list[float]:
    low, high = (round(math.log10(end)) for end in BUDGETS)
    return [10.0**k for k in range(low, high + 1, 2)]


MARKED = (0.1, 0.5)
"""Accuracies at which a line is drawn through both panels."""


def _marks(found: ExactMatch, height: Any) -> dict[str, pd.DataFrame]:
    """Where the accuracy passes its marks, on the panel whose curve `height` is."""
    at = [(here, share) for share in MARKED if (here := found.compute_for(share)) and _drawn(here)]
    C = np.array([here for here, _ in at])
    return {
        "marks": pd.DataFrame(
            {
                "C": C,
                "y": height(C) if len(C) else [],
                "text": [t("{share:.0f}% right", share=100 * share) for _, share in at],
            }
        )
    }


def _drawn(C: float) -> bool:
    return BUDGETS[0] <= C <= BUDGETS[1]


def _name(curve: pd.DataFrame, y_domain: Domain, scale: Scale) -> dict[str, Any]:
    """The name of a line where it is at 60% of the height of the plot, or at its right end."""
    level = y_domain[0] + 0.62 * (y_domain[1] - y_domain[0]) if scale == "linear" else 1e-3
    below = curve[curve.y <= level]
    row = curve.iloc[-1] if below.empty or len(below) == len(curve) else below.iloc[-1]
    last = row.C == curve.C.iloc[-1]
    place = {"dx": -10.0, "dy": 18.0 if scale == "log" else -14.0} if last else {"dx": -12.0, "dy": -2.0}
    return {"C": row.C, "y": row.y, "line": row.line, "colour": row.colour, **place}


@template
def _exact_template(theme: Theme, what: str, above: bool) -> AltairChart:
    x = alt.X(
        "C:Q",
        scale=alt.Scale(type="log", domain=list(BUDGETS), nice=False),
        axis=axis(t("Training compute, FLOP"), "flops", alt.ExprRef(expr="x_ticks"), labelOverlap=False),
    )
    loss = t("Loss above the floor, nats") if above else loss_title()
    if what == "loss":
        y = linear_y("y", loss, "y", "plain")
    elif what == "linear":
        y = linear_y("y", t("Answers without a mistake"), "y", "plain", format="%")
    else:
        y = log_y("y", t("Answers without a mistake"), "y", "plain", format="~%")
    colour = alt.Color("colour:N", scale=None, legend=None)
    marks = alt.Chart(alt.NamedData("marks")).encode(x)
    here, below = marks.encode(x, y), -12 if what == "loss" else 14
    layers: list[Any] = [
        marks.mark_rule(color=theme.border, strokeWidth=2, strokeDash=[5, 4]),
        alt.Chart(alt.NamedData("curves")).mark_line(clip=True).encode(x, y, color=colour, detail="line:N"),
        here.mark_point(filled=True, opacity=1, size=1.3 * theme.point_size, color=theme.ink),
        *halo_text(here.encode(text="text:N"), theme, align="left", dx=12, dy=below, color=theme.ink, clip=True),
    ]
    if what != "loss":
        named = alt.Chart(alt.NamedData("names")).encode(x, y, text="line:N", color=colour)
        layers += halo_text(named, theme, align="right", dx=datum("dx"), dy=datum("dy"))
    return themed(alt.layer(*layers).properties(height=HEIGHT, width="container"), theme)


# ---- test-time compute


SIZES = (1e9, 1e10, 1e11)
STEPS: Domain = (1.0, 1e5)
EQUAL = 1e11
"""Parameters times steps of the points that are marked, one on each line."""
CEILING = 4.0
NAMED = 0.35
"""The accuracy at which a line has its name."""


def thinking_chart(found: Thinking, theme: Theme) -> Figure:
    """The talk's formula: accuracy against steps of thought for three sizes, dashed where it passes 100%.

    The marked points have the same N T.
    """
    T = decades(*STEPS, per_decade=12)
    bottom = 10 ** math.floor(math.log10(max(found.start, 1e-6)) - 1e-9)
    y_domain: Domain = (bottom, CEILING)
    names = [format_quantity(N) for N in SIZES]
    curves, labels = [], []
    for N, name in zip(SIZES, names, strict=True):
        full = found.full_at(N)
        for kind, keep in (("holds", full), ("beyond", math.inf)):
            at = np.sort(np.append(T[(T <= keep) if kind == "holds" else (T >= full)], np.clip(full, *STEPS)))
            curves.append(pd.DataFrame({"T": at, "y": found.accuracy(N, at), "line": name, "kind": kind}))
        spot = np.clip(full * NAMED ** (1 / found.b), *STEPS)
        place = {"dx": -8.0, "align": "right"} if STEPS[0] < spot < STEPS[1] else {"dx": 14.0, "align": "left"}
        labels.append({"T": float(spot), "y": float(found.accuracy(N, np.array([spot]))[0]), "line": name, **place})
    words = t("100%: beyond it the formula says nothing")
    equal = [(EQUAL / N, float(found.accuracy(N, np.array([EQUAL / N]))[0])) for N in SIZES]
    return Figure(
        template=_thinking_template(theme, *names),
        data={
            "curves": pd.concat(curves, ignore_index=True),
            "names": pd.DataFrame(labels),
            "full": pd.DataFrame({"T": [STEPS[0]], "y": [1.0], "text": [words]}),
            "equal": pd.DataFrame(equal, columns=["T", "y"]),
        },
        values={
            "y_domain": list(y_domain),
            "y_ticks": [10.0**k for k in range(round(math.log10(bottom)), 1)],
        },
    )


@template
def _thinking_template(theme: Theme, *names: str) -> AltairChart:
    x = log_x("T", t("Steps of thought T"), STEPS, "count")
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(type="log", domain=alt.ExprRef(expr="y_domain"), nice=False),
        axis=axis(t("Accuracy"), "plain", alt.ExprRef(expr="y_ticks"), format="~%"),
    )
    shades = [theme.sequential[k] for k in (4, 6, 8)]
    colour = alt.Color("line:N", scale=alt.Scale(domain=list(names), range=shades), legend=None)
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=["holds", "beyond"], range=[[1, 0], [3, 6]]), legend=None)
    full, equal = alt.Chart(alt.NamedData("full")).encode(y), alt.Chart(alt.NamedData("equal")).encode(x, y)
    named = alt.Chart(alt.NamedData("names")).encode(x, y, text="line:N", color=colour)
    return themed(
        alt.layer(
            full.mark_rule(color=theme.accent_2, strokeWidth=2),
            equal.mark_line(color=theme.muted, strokeWidth=2, strokeDash=[2, 5]),
            alt.Chart(alt.NamedData("curves")).mark_line(clip=True).encode(
                x, y, detail="line:N", color=colour, strokeDash=dash
            ),
            equal.mark_point(filled=True, opacity=1, size=1.6 * theme.point_size, color=theme.ink,
                             stroke=theme.background, strokeWidth=1.5),
            *halo_text(full.encode(x, text="text:N"), theme, align="left", dx=10, dy=-14, color=theme.accent_2),
            *halo_text(named, theme, align=datum("align"), dx=datum("dx"), dy=-12, size=theme.mark_size + 2),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )  # fmt: skip


def pair(figures: Sequence[Figure], names: Sequence[str], theme: Theme) -> Figure:
    """Two panels as one picture, for a slide or a file."""
    head = {"text": "", "fontSize": theme.title_size, "offset": 24}
    return side_by_side([list(zip(figures, names, strict=True))], title=head, width=470, height=400, gap=90)
