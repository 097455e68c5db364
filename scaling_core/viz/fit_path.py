"""Where compute is best spent under a fitted law: N*, D* or D/N against C with bands, beside the published laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import ScalingError
from scaling_core.fit import AllocationFit, interval
from scaling_core.language import retold, t
from scaling_core.laws import Law, PowerLaw, form_of
from scaling_core.optimum import Band, frontier, optimum_band
from scaling_core.units import format_quantity
from scaling_core.viz.axes import Domain, axis_values, log_domain, log_x, log_y
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit_runs import Fit, Plane
from scaling_core.viz.labels import datum, halo_text, spread, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

HEIGHT = 345
_WIDTH, _PLOT = 690.0, 280.0
Quantity = Literal["N", "D", "ratio"]
POINTS = 61


def quantities() -> dict[Quantity, tuple[str, str]]:
    """What may be drawn: its name in the choice, and on the axis."""
    return {
        "N": (t("Best size"), t("Best parameters N*")),
        "D": (t("Best tokens"), t("Best tokens D*")),
        "ratio": (t("Ratio D/N"), t("Best tokens per parameter D*/N*")),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A way to spend compute: C in FLOP, N parameters, D tokens, each (m,), with N's and D's interval, or None.

    loss, loss_low, loss_high: what the law predicts there, None for an allocation without a law.
    """

    name: str
    C: FloatArray
    N: FloatArray
    D: FloatArray
    N_low: FloatArray | None = None
    N_high: FloatArray | None = None
    ratio_low: FloatArray | None = None
    ratio_high: FloatArray | None = None
    loss: FloatArray | None = None
    loss_low: FloatArray | None = None
    loss_high: FloatArray | None = None

    def of(self, quantity: Quantity) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The quantity and the ends of its interval (the quantity itself where there is none), each (m,)."""
        if quantity == "N":
            low, high = (self.N if end is None else end for end in (self.N_low, self.N_high))
            return self.N, low, high
        if quantity == "D":  # D = C / (6 N) falls as N grows
            with np.errstate(over="ignore"):
                low, high = (self.D if end is None else self.C / (6.0 * end) for end in (self.N_high, self.N_low))
            return self.D, low, high
        ratio = self.D / self.N
        low, high = (ratio if end is None else end for end in (self.ratio_low, self.ratio_high))
        return ratio, low, high


def fitted_path(result: Fit, C: FloatArray) -> Path | None:
    """The optimum of a fitted law along budgets, with its intervals; None for a law without an optimum."""
    law, name = result.law, t("your runs")
    if isinstance(law, PowerLaw):
        return None
    try:
        N, D, loss = frontier(law, C)
        band = None if result.replicates is None else _band(result, C)
    except ScalingError:
        return None
    if not _drawable(N, D, loss):
        return None
    if band is None:
        return Path(name=name, C=C, N=N, D=D, loss=loss)
    return Path(
        name=name,
        C=C,
        N=N,
        D=D,
        N_low=band.N.low,
        N_high=band.N.high,
        ratio_low=band.tokens_per_param.low,
        ratio_high=band.tokens_per_param.high,
        loss=loss,
        loss_low=band.loss.low,
        loss_high=band.loss.high,
    )


def _band(result: Fit, C: FloatArray) -> Band:
    """The band of the replicates, by the fit's own method."""
    assert result.replicates is not None
    return optimum_band(
        form_of(result.law),
        result.replicates,
        C,
        estimate=np.array(list(result.constants.values())),
        level=result.level,
        interval=lambda rows, point: interval(rows, point, result.level, result.interval_method),
    )


def allocation_path(fit: AllocationFit, C: FloatArray, name: str) -> Path:
    """The power law N* = k C^a of an allocation along budgets, with its interval."""
    seen = fit.optimum(C)
    return Path(
        name=name,
        C=C,
        N=seen.N,
        D=seen.D,
        N_low=seen.N_low,
        N_high=seen.N_high,
        ratio_low=seen.D_low / seen.N_high,
        ratio_high=seen.D_high / seen.N_low,
    )


def optima_path(fit: AllocationFit) -> Path:
    """The optima that an allocation goes through, one by one."""
    rows = fit.used
    C, N = np.array([row.C for row in rows]), np.array([row.N or math.nan for row in rows])
    low = np.array([row.interval[0] if row.interval else row.N or math.nan for row in rows])
    high = np.array([row.interval[1] if row.interval else row.N or math.nan for row in rows])
    ends = [C / (6.0 * end * end) for end in (high, low)]
    return Path(name="optima", C=C, N=N, D=C / (6.0 * N), N_low=low, N_high=high, ratio_low=ends[0], ratio_high=ends[1])


def law_path(law: Law, C: FloatArray, name: str) -> Path | None:
    """The optimum of a published law along budgets, None where it cannot be written there."""
    try:
        N, D, loss = frontier(law, C)
    except ScalingError:
        return None
    return Path(name=name, C=C, N=N, D=D, loss=loss) if _drawable(N, D, loss) else None


def _drawable(*values: FloatArray) -> bool:
    """Whether every value can stand on a logarithmic axis."""
    return all(bool(((one > 1e-250) & (one < 1e250)).all()) for one in values)


def path_chart(
    own: Sequence[Path],
    others: Sequence[Path],
    quantity: Quantity,
    theme: Theme,
    *,
    measured: tuple[float, float],
    C: float,
    optima: Path | None = None,
) -> Figure:
    """A quantity against compute: one's own paths with their bands, others thin and named, the budget C marked.

    measured: the least and the largest compute of the runs, shaded. optima: those that were measured
    one by one, drawn as points.
    """
    x_domain = (float(own[0].C[0]), float(own[0].C[-1]))
    lines = [_frame(path, quantity, "own" if k == 0 else "second", theme) for k, path in enumerate(own)]
    hues = [theme.categorical[k] for k in (3, 2, 4, 5, 6)]
    lines += [_frame(path, quantity, "other", theme, hues[k % len(hues)]) for k, path in enumerate(others)]
    whole = pd.concat(lines, ignore_index=True)
    points = _points(optima, quantity)
    y_domain = _domain(whole, points)
    inside = (max(measured[0], x_domain[0]), min(measured[1], x_domain[1]))
    first, at = own[0], float(np.clip(C, *x_domain))
    value = float(np.exp(np.interp(math.log(at), np.log(first.C), np.log(first.of(quantity)[0]))))
    plane = Plane(x=x_domain, y=y_domain, width=_WIDTH, height=_PLOT)
    return Figure(
        template=_path_template(theme, quantity),
        data={
            "lines": whole,
            "names": _names(whole, x_domain, y_domain),
            "range": pd.DataFrame({"x": [inside[0]], "x2": [inside[1]], "y": [y_domain[0]], "text": [t("your runs")]}),
            "points": points,
            "chosen": plane.named(
                pd.DataFrame({"x": [at], "y": [value], "name": [format_quantity(value)]}),
                size=theme.laid_size + 1,
                segments=plane.pieces(whole[["x", "y", "line"]]),
            ),
        },
        values={**axis_values("x", x_domain, kind="flops"), **axis_values("y", y_domain)},
    )


def _frame(path: Path, quantity: Quantity, kind: str, theme: Theme, hue: str = "") -> pd.DataFrame:
    value, low, high = path.of(quantity)
    colour = {"own": theme.accent, "second": theme.accent_2}.get(kind, hue)
    width = {"own": 4.5, "second": 3.0}.get(kind, 2.0)
    return pd.DataFrame(
        {"x": path.C, "y": value, "low": low, "high": high, "line": retold(path.name), "kind": kind, "colour": colour}
    ).assign(width=width)


def _points(optima: Path | None, quantity: Quantity) -> pd.DataFrame:
    """Measured optima in the quantity drawn, with their intervals."""
    if optima is None:
        return pd.DataFrame({name: np.empty(0) for name in ("x", "y", "low", "high")})
    value, low, high = optima.of(quantity)
    return pd.DataFrame({"x": optima.C, "y": value, "low": low, "high": high})


def _domain(lines: pd.DataFrame, points: pd.DataFrame) -> Domain:
    """All lines and the own band, as long as that is no more than three decades beyond the lines."""
    low, high = float(lines.y.min()), float(lines.y.max())
    own = lines[lines.kind == "own"]
    band = [max(float(own.low.min()), low / 1e3), min(float(own.high.max()), high * 1e3)]
    return log_domain([low, high, *band, *points.y.to_list()])


def _names(lines: pd.DataFrame, x_domain: Domain, y_domain: Domain) -> pd.DataFrame:
    """The lines' names in the right margin, level with their ends and apart from each other."""
    ends = lines.groupby("line", sort=False).tail(1)
    levels = [to_pixels(x_domain[1], y, x_domain, y_domain, 1.0, _PLOT)[1] for y in ends.y.to_list()]
    moved = spread(levels, gap=19, low=8, high=_PLOT - 8)
    return ends.assign(x=x_domain[1], dy=[there - here for here, there in zip(levels, moved, strict=True)])


@template
def _path_template(theme: Theme, quantity: Quantity) -> AltairChart:
    x = log_x("x", t("Compute C, FLOP"), "x", "flops")
    y = log_y("y", quantities()[quantity][1], "y", "count")
    low = log_y("low", quantities()[quantity][1], "y", "count")
    colour = alt.Color("colour:N", scale=None, legend=None)
    lines = alt.Chart(alt.NamedData("lines")).encode(x, detail="line:N")
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="line:N", color=colour)
    points = alt.Chart(alt.NamedData("points")).encode(x)
    chosen = alt.Chart(alt.NamedData("chosen")).encode(x, y)
    shaded = alt.Chart(alt.NamedData("range"))
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align")}
    return themed(
        alt.layer(
            shaded.mark_rect(color=theme.surface, opacity=0.9, clip=True).encode(x, x2="x2:Q"),
            *halo_text(
                shaded.encode(x, y, text="text:N"), theme, align="left", dx=8, dy=-12, color=theme.muted, clip=True
            ),
            lines.mark_area(clip=True, opacity=0.2)
            .encode(low, y2="high:Q", fill=alt.Fill("colour:N", scale=None, legend=None))
            .transform_filter("datum.kind != 'other'"),
            lines.mark_line(clip=True)
            .encode(y, color=colour, strokeWidth=alt.StrokeWidth("width:Q", scale=None, legend=None))
            .transform_filter("datum.kind == 'other'"),
            lines.mark_line(clip=True)
            .encode(y, color=colour, strokeWidth=alt.StrokeWidth("width:Q", scale=None, legend=None))
            .transform_filter("datum.kind != 'other'"),
            points.mark_rule(clip=True, color=theme.accent, strokeWidth=2).encode(low, y2="high:Q"),
            points.mark_point(
                clip=True, filled=True, size=theme.point_size, color=theme.accent, opacity=1,
                stroke=theme.background, strokeWidth=1.5,
            ).encode(y),
            chosen.mark_point(
                clip=True, filled=True, shape="diamond", size=1.8 * theme.point_size, color=theme.accent, opacity=1,
                stroke=theme.background, strokeWidth=1.5,
            ),
            *halo_text(chosen.encode(text="name:N"), theme, size=theme.mark_size + 1, color=theme.accent, **place),
            *halo_text(names, theme, align="left", dx=8, dy=datum("dy")),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )  # fmt: skip
