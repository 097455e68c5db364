"""Loss against size at equal compute: isoFLOP curves and their minima, known models, and pinned laws behind them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError
from scaling_core.fit import interval
from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum import Allocation, frontier, isoflop, loss_band, optimal_for_compute
from scaling_core.viz.axes import Domain, axis_values, decades, linear_y, log_domain, log_x, nice_domain, scientific
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import Box, datum, halo_text, named_points, overlap, text_width, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.laws import loss_title
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, themed

HEIGHT = 350
_WIDTH, _PLOT = 790.0, 285.0
"""Pixels of the plot without its axes, for which labels are laid out; a wider page only spreads them further."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A model to show on a chart: its name, N parameters and D tokens. strong: the one the page is about."""

    name: str
    N: float
    D: float
    strong: bool = False

    @property
    def C(self) -> float:
        """Its compute in FLOP."""
        return training_flops(self.N, self.D)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ghost:
    """A pinned law, drawn behind the law of the moment: its name and itself.

    replicates: refits of resampled runs, (R, p) in the order of its constants, for a band at `level`; None for none.
    """

    name: str
    law: Law
    replicates: FloatArray | None = field(default=None, compare=False, repr=False)
    level: float = 0.95

    @property
    def estimate(self) -> FloatArray:
        """Its constants as a row of replicates."""
        return np.array(list(self.law.constants.values()))

    def interval(self, rows: FloatArray, estimate: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The method of its intervals."""
        return interval(rows, estimate, self.level)


def isoflop_chart(
    law: Law,
    C: float,
    marks: Sequence[Mark],
    theme: Theme,
    *,
    ghosts: Sequence[Ghost] = (),
    axes: tuple[Domain, Domain] | None = None,
) -> Figure:
    """Loss against N at five budgets, a decade apart with C (FLOP) in the middle; minima joined by the frontier.

    Each mark is drawn with the curve of its own budget; for strong ones the height above their minimum is drawn too.
    Of each ghost the curve at C and its minimum are shown; around that of the first one with replicates, which may be
    the law itself, the band of its refits. axes: those of N and of the loss, of an earlier picture;
    they are kept while the optimum at C lies well inside them, so that a picture does not jump.
    """
    budgets = np.array([C * 10.0**k for k in (-2, -1, 0, 1, 2)])
    best_N, _, best_loss = frontier(law, budgets)
    x_domain = log_domain([_held(best_N[0] / 12), _held(best_N[-1] * 12), *(m.N for m in marks)], per_decade=1)
    losses = [law.loss(m.N, m.D) for m in marks]
    top = float(best_loss[0] + 0.55 * (best_loss[0] - best_loss[-1]))
    y_domain = nice_domain([float(best_loss[-1]), top, *(x for x in losses if x < 2 * top)])
    if axes is not None and _inside(float(best_N[2]), float(best_loss[2]), axes):
        x_domain, y_domain = axes
    N = decades(*x_domain)
    own = [m for m in marks if abs(math.log(m.C / C)) > 1e-3]
    curves = [_curve(law, float(budget), N, y_domain, str(k)) for k, budget in enumerate(budgets)]
    curves += [_curve(law, m.C, N, y_domain, f"own {m.name}") for m in own]
    sweep_N, _, sweep_loss = frontier(law, np.geomspace(budgets[0] / 30, budgets[-1] * 30, 60))
    steps = []
    for mark, loss in zip(marks, losses, strict=True):
        if mark.strong:
            N_best, _, best = frontier(law, np.array([mark.C]))
            steps.append({"N": mark.N, "loss": loss, "N2": float(N_best[0]), "loss2": float(best[0])})
    points = [
        to_pixels(m.N, y, x_domain, y_domain, _WIDTH, _PLOT, log_y=False) for m, y in zip(marks, losses, strict=True)
    ]
    named = pd.DataFrame(
        [
            {**_right_end(curve, y_domain), "kind": str(k), "text": f"{scientific(float(budgets[k]))} FLOP"}
            for k, curve in enumerate(curves[:5])
            if len(curve)
        ],
        columns=["N", "loss", "dy", "kind", "text"],
    )
    return Figure(
        template=_isoflop_template(theme),
        data={
            "curves": pd.concat(curves, ignore_index=True),
            "ridge": pd.DataFrame({"N": sweep_N, "loss": sweep_loss}),
            "minima": pd.DataFrame({"N": best_N, "loss": best_loss}),
            "names": named,
            "steps": pd.DataFrame(steps, columns=["N", "loss", "N2", "loss2"], dtype=float),
            "marks": named_points(
                points,
                [m.name for m in marks],
                {"N": [m.N for m in marks], "loss": losses},
                width=_WIDTH,
                height=_PLOT,
                size=theme.laid_size + 2,
                segments=[line for curve in curves for line in _segments(curve, x_domain, y_domain)],
            ),
            **_ghost_frames(law, ghosts, C, N, y_domain),
            **_band_frames(ghosts, C, N, (x_domain, y_domain), _name_boxes(named, (x_domain, y_domain), theme), theme),
        },
        values={"C": C, **axis_values("x", x_domain), **axis_values("y", y_domain, log=False)},
    )


def same_to_the_eye(one: Allocation, two: Allocation) -> bool:
    """Whether two optima are within 0.05% of each other in size and within 0.0005 nats in loss."""
    return abs(math.log(one.N / two.N)) < 5e-4 and abs(one.loss - two.loss) < 5e-4


def _inside(N: float, loss: float, axes: tuple[Domain, Domain]) -> bool:
    """Whether a point keeps a tenth of the plot from every side."""
    (left, right), (low, high) = axes
    along = math.log(N / left) / math.log(right / left)
    up = (loss - low) / (high - low)
    return 0.1 <= along <= 0.9 and 0.1 <= up <= 0.9


def _ghost_frames(
    law: Law, ghosts: Sequence[Ghost], C: float, N: FloatArray, y_domain: Domain
) -> dict[str, pd.DataFrame]:
    """The curve at C of every ghost whose optimum is another than the law's, and its minimum with the ghost's name."""
    curves, points = [], []
    now = optimal_for_compute(law, C)
    for ghost in ghosts:
        best = optimal_for_compute(ghost.law, C)
        if not same_to_the_eye(now, best):
            curves.append(_curve(ghost.law, C, N, y_domain, ghost.name)[["N", "loss"]].assign(name=ghost.name))
            points.append((best.N, best.loss, ghost.name))
    columns = ["N", "loss", "name"]
    return {
        "ghosts": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns),
        "ghost_minima": pd.DataFrame(points, columns=columns),
    }


def _name_boxes(names: pd.DataFrame, axes: tuple[Domain, Domain], theme: Theme) -> list[Box]:
    """The room that names take which end at a point of their curve, in pixels."""
    boxes = []
    for N, loss, dy, text in zip(names.N, names.loss, names.dy, names.text, strict=True):
        x, y = to_pixels(N, loss, *axes, _WIDTH, _PLOT, log_y=False)
        high = 0.6 * theme.laid_size
        boxes.append((x - 9 - text_width(text, theme.laid_size), y + dy - high, x - 9, y + dy + high))
    return boxes


def _band_frames(
    ghosts: Sequence[Ghost],
    C: float,
    N: FloatArray,
    axes: tuple[Domain, Domain],
    taken: Sequence[Box],
    theme: Theme,
) -> dict[str, pd.DataFrame]:
    """Between which losses the refits of a ghost put each size at the compute C, cut as its curve is, and its name.

    taken: the room of other names, in pixels.
    """
    y_domain = axes[1]
    top = y_domain[1] + 0.5 * (y_domain[1] - y_domain[0])
    band, names = pd.DataFrame(columns=["N", "low", "high"], dtype=float), []
    fitted = next((ghost for ghost in ghosts if ghost.replicates is not None), None)
    if fitted is not None and fitted.replicates is not None:
        with contextlib.suppress(FitError):
            spread = loss_band(
                fitted.law.form, fitted.replicates, N, C / (6.0 * N), estimate=fitted.estimate, level=fitted.level,
                interval=fitted.interval,
            )  # fmt: skip
            keep = spread.low < top
            band = pd.DataFrame({"N": N[keep], "low": spread.low[keep], "high": np.minimum(spread.high[keep], top)})
    if fitted is not None and len(band):
        upper, text = band.rename(columns={"high": "loss"}), t("{level:.0f}% interval", level=100 * fitted.level)
        ends = (_right_end(upper, y_domain, share) for share in _BAND_NAME)
        places = [pd.DataFrame([{"N": end["N"], "loss": end["loss"], "dy": 0.0, "text": text}]) for end in ends]
        free = (one for one in places if not any(overlap(_name_boxes(one, axes, theme)[0], box) for box in taken))
        names = next(free, places[-1]).drop(columns="dy").to_dict("records")
    return {"band": band, "band_name": pd.DataFrame(names, columns=["N", "loss", "text"])}


_BAND_NAME = (0.8, 0.72, 0.64, 0.56, 0.48)
"""Shares of the plot's height at which the band is named: the first that no curve's name takes."""


def _held(N: float) -> float:
    """A size that an axis can show, whatever the constants."""
    return min(max(N, 1.0), 1e24)


def _segments(curve: pd.DataFrame, x_domain: Domain, y_domain: Domain) -> list[tuple[float, float, float, float]]:
    """A curve as straight pieces in pixels, coarse: what the names of the marks should keep off."""
    some = curve.iloc[::4]
    pixels = [
        to_pixels(N, loss, x_domain, y_domain, _WIDTH, _PLOT, log_y=False)
        for N, loss in zip(some.N.to_list(), some.loss.to_list(), strict=True)
    ]
    return [(*a, *b) for a, b in pairwise(pixels)]


BAND_OPACITY = 0.22
_STROKES = {"o": 1.5, "2": 4.5}
"""Pixels of a mark's own curve and of the budget's; the others are thin."""


def _curve(law: Law, C: float, N: FloatArray, y_domain: Domain, line: str) -> pd.DataFrame:
    """One isoFLOP curve, cut a little above the plot: what is never seen need not be sent."""
    _, loss = isoflop(law, C, N)
    keep = loss < y_domain[1] + 0.5 * (y_domain[1] - y_domain[0])
    kind = line[:1]
    return pd.DataFrame(
        {"N": N[keep], "loss": loss[keep], "line": line, "kind": kind, "width": _STROKES.get(kind, 2.0)}
    )


def _right_end(curve: pd.DataFrame, y_domain: Domain, share: float = 0.95) -> dict[str, float]:
    """Where a curve leaves this share of the plot on its right-hand side, or at the edge: there its name has room."""
    ceiling = y_domain[0] + share * (y_domain[1] - y_domain[0])
    inside = curve[curve.loss <= ceiling]
    last = (inside if len(inside) else curve).iloc[-1]
    return {"N": float(last.N), "loss": float(last.loss), "dy": 0.0 if len(inside) < len(curve) else -12.0}


@template
def _isoflop_template(theme: Theme) -> AltairChart:
    x, y = log_x("N", t("Parameters N"), "x"), linear_y("loss", loss_title(), "y", "loss")
    kinds = ["o", "0", "1", "2", "3", "4"]
    shades = [theme.sequential[k] for k in (4, 4, 5, 6, 7)]
    colours = [theme.accent_2, shades[0], shades[1], theme.accent, shades[3], shades[4]]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=None)
    strong = alt.condition("datum.kind == '2'", alt.value(theme.accent), alt.value(theme.muted))
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=strong)
    family = (
        alt.Chart(alt.NamedData("curves"))
        .mark_line(clip=True)
        .encode(
            x,
            y,
            detail="line:N",
            color=colour,
            size=alt.Size("width:Q", scale=None, legend=None),
        )
    )
    ridge = (
        alt.Chart(alt.NamedData("ridge"))
        .mark_line(clip=True, strokeDash=[2, 6], strokeWidth=2.5, color=theme.muted)
        .encode(x, y, order="N:Q")
    )
    minima = alt.Chart(alt.NamedData("minima")).encode(x, y)
    steps = alt.Chart(alt.NamedData("steps"))
    flat: dict[str, Any] = {"clip": True, "color": theme.accent_2, "strokeWidth": 1.5, "strokeDash": [4, 4]}
    marks = alt.Chart(alt.NamedData("marks")).encode(x, y)
    ghosts = (
        alt.Chart(alt.NamedData("ghosts"))
        .mark_line(clip=True, strokeDash=[8, 5], strokeWidth=2.5, color=theme.muted)
        .encode(x, y, detail="name:N")
    )
    ghost_minima = alt.Chart(alt.NamedData("ghost_minima")).encode(x, y)
    name = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align"), "color": theme.accent_2}
    low = linear_y("low", loss_title(), "y", "loss")
    band = alt.Chart(alt.NamedData("band")).mark_area(clip=True, color=theme.accent, opacity=BAND_OPACITY)
    band_name = alt.Chart(alt.NamedData("band_name")).encode(x, y, text="text:N")
    return themed(
        alt.layer(
            band.encode(x, low, y2="high:Q"),
            ghosts,
            ghost_minima.mark_point(clip=True, size=theme.point_size, color=theme.muted, strokeWidth=2.5, opacity=1),
            *halo_text(ghost_minima.encode(text="name:N"), theme, baseline="top", dy=9, color=theme.muted, clip=True),
            ridge,
            family,
            minima.mark_point(clip=True, filled=True, size=theme.point_size, color=theme.accent, opacity=1),
            *halo_text(names, theme, align="right", dx=-9, dy=datum("dy"), font=POWER_FONT),
            *halo_text(band_name, theme, align="right", dx=-15, color=theme.accent),
            steps.mark_rule(**flat).encode(x, linear_y("loss2", loss_title(), "y", "loss"), x2="N2:Q"),
            steps.mark_rule(clip=True, color=theme.accent_2, strokeWidth=2.5).encode(x, y, y2="loss2:Q"),
            marks.mark_point(
                clip=True, filled=True, size=1.7 * theme.point_size, color=theme.accent_2, opacity=1, shape="diamond"
            ),
            *halo_text(marks.encode(text="name:N"), theme, size=theme.mark_size + 2, **name),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
