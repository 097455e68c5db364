"""How far each printed number lies from the computed one: a ratio on a logarithmic axis, a line to a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scaling_core.language import t, tdata
from scaling_core.talk import CheckedClaim
from scaling_core.viz.axes import axis_values, log_domain, log_x, power_of_ten
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import datum, halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import FONT, POWER_FONT, AltairChart, Theme, light, themed

STEP = 21
"""Pixels from line to line."""
AROUND = 7.5
"""Sizes of the type that stand above and below the lines: the two heads, the axis and its title."""
FAR = 1e4
"""A ratio beyond this, or below its inverse, is drawn near the edge as a triangle that points on."""
_RATIO = "datum.value < 0.999 ? '1/' + format(1 / datum.value, ',~r') : format(datum.value, ',~r')"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """What a claim prints over what is computed, under the claim's short name as the reader's language has it."""

    label: str
    ratio: float
    right: bool

    @property
    def off(self) -> bool:
        """Whether it lies beyond the axis."""
        return not 1.0 / FAR < self.ratio < FAR

    @property
    def text(self) -> str:
        """How many times too small or too large, in words."""
        times = max(self.ratio, 1.0 / self.ratio)
        digits = 2 if 2.0 <= times < 100.0 else 3
        written = power_of_ten(times) if self.off else f"{times:.{digits}g}"
        if self.ratio < 1.0:
            return t("{times} times too small", times=written)
        return t("{times} times too large", times=written)


def ratios(claims: Sequence[CheckedClaim]) -> list[Ratio]:
    """The claims that print a positive number and have one computed, the most too small first; no measurements."""
    found = [
        Ratio(label=tdata(c.label), ratio=c.number / c.recomputed, right=c.verdict == "right")
        for c in claims
        if c.verdict != "measure" and isinstance(c.recomputed, float) and c.number and c.recomputed > 0
    ]
    return sorted(found, key=lambda one: one.ratio)


def ratio_chart(claims: Sequence[CheckedClaim], theme: Theme) -> Figure:
    """Every wrong number as a line from 1 to its ratio, the right ones together on one line at 1.

    Wrong ones are sorted; those too small stand above the right ones, those too large beneath.
    """
    every = ratios(claims)
    wrong = [one for one in every if not one.right]
    right = [one for one in every if one.right]
    together = t("all {n} that are right", n=len(right))
    inside = [one.ratio for one in every if not one.off]
    low, high = log_domain([*inside, 1.0], per_decade=2)
    domain = low / 10.0, high * 10.0  # a decade at each end for the words
    rows = [
        {
            "row": one.label,
            "x": min(max(one.ratio, low), high),
            "text": one.text,
            "name_dx": 9.0 if one.ratio < 1.0 else -9.0,
            "name_align": "left" if one.ratio < 1.0 else "right",
            "dx": -12.0 if one.ratio < 1.0 else 12.0,
            "align": "right" if one.ratio < 1.0 else "left",
            "shape": ("triangle-left" if one.ratio < 1.0 else "triangle-right") if one.off else "circle",
            "font": POWER_FONT if one.off else FONT,
        }
        for one in wrong
    ]
    small = sum(one.ratio < 1.0 for one in wrong)
    order = [one.label for one in wrong[:small]] + [together] + [one.label for one in wrong[small:]]
    heads = [(domain[0], t("printed too small"), "left"), (domain[1], t("printed too large"), "right")]
    tall = round(STEP * len(order) * theme.mark_size / light().mark_size + AROUND * theme.label_size)
    return Figure(
        template={**_ratio_template(theme), "height": tall},
        data={
            "wrong": pd.DataFrame(rows),
            "right": pd.DataFrame({"row": together, "x": [one.ratio for one in right]}),
            "names": pd.DataFrame({"row": [together], "x": [1.0]}),
            "heads": pd.DataFrame(heads, columns=["x", "text", "align"]),
        },
        values={"rows": order, **axis_values("x", domain, most=9)},
    )


@template
def _ratio_template(theme: Theme) -> AltairChart:
    x = log_x("x", t("Printed over computed"), "x", labelExpr=_RATIO)
    y = alt.Y("row:N", sort=None, scale=alt.Scale(domain=alt.ExprRef(expr="rows"), padding=0.5), axis=None)
    one: dict[str, Any] = {"datum": 1.0, "type": "quantitative"}
    wrong, right = theme.accent_2, theme.categorical[2]
    rows = alt.Chart(alt.NamedData("wrong")).encode(x, y)
    at_one = rows.encode(x=alt.X(**one))
    points = alt.Chart(alt.NamedData("right")).encode(x, y)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="row:N")
    heads = alt.Chart(alt.NamedData("heads")).encode(x, y=alt.value(0), text="text:N")
    shape = alt.Shape("shape:N", scale=None, legend=None)
    dash = alt.condition("datum.shape == 'circle'", alt.value([1, 0]), alt.value([2, 5]))
    place = {"dx": datum("dx"), "align": datum("align")}
    chart: AltairChart = alt.layer(
        alt.Chart(alt.NamedData("names")).mark_rule(color=theme.muted, strokeWidth=theme.thin_width).encode(x),
        rows.mark_rule(color=wrong, strokeWidth=2.5, opacity=0.55).encode(x2=alt.X2(**one), strokeDash=dash),
        rows.mark_point(filled=True, size=theme.point_size, color=wrong, opacity=1).encode(shape=shape),
        points.mark_point(filled=True, size=theme.point_size, color=right, opacity=0.75),
        *halo_text(rows.encode(text="text:N"), theme, color=wrong, font=datum("font"), **place),
        *halo_text(at_one.encode(text="row:N"), theme, fontWeight=500, dx=datum("name_dx"), align=datum("name_align")),
        *halo_text(names, theme, color=right, dx=-18, align="right"),
        heads.mark_text(
            fontSize=theme.label_size, fontWeight=600, color=theme.muted, baseline="bottom", dy=-6, align=datum("align")
        ),
    ).properties(
        width="container",
        padding={"left": 5, "top": 26, "right": 5, "bottom": 5},
    )
    return themed(chart, theme)
