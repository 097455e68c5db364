"""Axes that read as the field writes: 70B and 1.4T on counts, powers of ten with superscripts on FLOP."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.viz.late import alt
from scaling_core.viz.theme import POWER_FONT

Kind = Literal["count", "flops", "loss", "plain"]
Domain = tuple[float, float]

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

_COUNT = (
    "datum.value >= 1e15 ? '10' + {power} : datum.value >= 1e12 ? format(datum.value / 1e12, '~r') + 'T' : "
    "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + 'B' : datum.value >= 1e6 ? format(datum.value / 1e6, '~r')"
    " + 'M' : datum.value >= 1e3 ? format(datum.value / 1e3, '~r') + 'K' : format(datum.value, '~r')"
)
_POWERS = "[" + ",".join(f"'{str(k).translate(_SUPERSCRIPT)}'" for k in range(41)) + "]"
_POWER = _POWERS + "[round(log(datum.value) / LN10)]"

LABELS: dict[Kind, str | None] = {
    "count": _COUNT.replace("{power}", _POWER),
    "flops": "'10' + " + _POWER,
    "loss": (
        "datum.value >= 10 || datum.value == 0 ? format(datum.value, '~r') : "
        "abs(datum.value * 10 - round(datum.value * 10)) < 1e-6 ? "
        "format(datum.value, '.1f') : abs(datum.value * 100 - round(datum.value * 100)) < 1e-6 ? "
        "format(datum.value, '.2f') : format(datum.value, '~r')"
    ),
    "plain": None,
}
"""Vega expression that writes one tick of each kind of axis; decades only for FLOP."""


def power_of_ten(value: float) -> str:
    """The nearest power of ten of a positive value, as "10²¹"."""
    return "10" + str(round(math.log10(value))).translate(_SUPERSCRIPT)


def scientific(value: float, digits: int = 3) -> str:
    """A positive value as "5.76 × 10²³"; trailing zeros and a mantissa of 1 are left out."""
    mantissa, exponent = f"{value * (1 + 1e-12):.{digits - 1}e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    short = mantissa.rstrip("0").rstrip(".")
    return power if short == "1" else f"{short} × {power}"


def log_ticks(domain: Domain, *, most: int = 9) -> list[float]:
    """Ticks inside a log domain: decades, thinned to at most `most`; 1-2-5 steps where decades are fewer than 3."""
    low, high = (math.log10(edge) for edge in domain)
    slack = 1e-9
    decades = [k for k in range(math.floor(low), math.ceil(high) + 1) if low - slack <= k <= high + slack]
    if len(decades) >= 3:
        step = math.ceil(len(decades) / most)
        return [10.0**k for k in decades if k % step == 0]
    ticks = [m * 10.0**k for k in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    inside = [t for t in ticks if low - slack <= math.log10(t) <= high + slack]
    return inside if len(inside) >= 3 else linear_ticks(domain, about=4)


def linear_ticks(domain: Domain, *, about: int = 6) -> list[float]:
    """Round steps of 1, 2 or 5 times a power of ten inside a linear domain, about `about` of them."""
    low, high = domain
    raw = (high - low) / about
    base = 10.0 ** math.floor(math.log10(raw))
    step = min((m * base for m in (1, 2, 5, 10)), key=lambda s: abs(s - raw))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def nice_domain(values: Iterable[float], *, steps: int = 5, margin: float = 0.04) -> Domain:
    """A linear domain that holds all finite values, its ends on round steps so that small changes do not move it."""
    finite = [v for v in values if math.isfinite(v)]
    low, high = min(finite), max(finite)
    span = (high - low) or abs(high) or 1.0
    low, high = low - margin * span, high + margin * span
    raw = (high - low) / steps
    base = 10.0 ** math.floor(math.log10(raw))
    step = min((m * base for m in (1, 2, 5, 10)), key=lambda s: abs(s - raw)) / 2
    return round(math.floor(low / step) * step, 12), round(math.ceil(high / step) * step, 12)


def log_domain(values: Iterable[float], *, per_decade: int = 3) -> Domain:
    """A log domain that holds all positive values, its ends on thirds of a decade (by default)."""
    logs = [math.log10(v) for v in values if v > 0 and math.isfinite(v)]
    low, high = min(logs), max(logs)
    return (
        10 ** (math.floor(low * per_decade - 1e-9) / per_decade),
        10 ** (math.ceil(high * per_decade + 1e-9) / per_decade),
    )


def decades(low: float, high: float, per_decade: int = 24) -> FloatArray:
    """Values from low to high, evenly spaced in log, ends included, about `per_decade` to a decade; shape (n,)."""
    count = max(2, round(math.log10(high / low) * per_decade) + 1)
    return np.geomspace(low, high, count)


def axis(title: str | None, kind: Kind, ticks: Any = None, **more: Any) -> alt.Axis:
    """An axis whose labels are written by kind; `ticks` are set rather than guessed, so labels never collide."""
    options: dict[str, Any] = {"title": title, "labelExpr": LABELS[kind], "values": ticks, **more}
    if kind == "flops":
        options["labelFont"] = POWER_FONT
    return alt.Axis(**{name: value for name, value in options.items() if value is not None or name == "title"})


def axis_values(name: str, domain: Domain, *, log: bool = True, kind: Kind = "count", most: int = 7) -> dict[str, Any]:
    """What fills the placeholders of the axis `name` in a template: {name_domain, name_ticks}."""
    return {f"{name}_domain": list(domain), f"{name}_ticks": _ticks(domain, log, kind, most)}


def _ticks(domain: Domain, log: bool, kind: Kind, most: int) -> list[float]:
    if not log:
        return linear_ticks(domain)
    ticks = log_ticks(domain, most=most)
    return [t for t in ticks if abs(math.log10(t) - round(math.log10(t))) < 1e-9] if kind == "flops" else ticks


def _channel(
    channel: Any,
    field: str,
    title: str | None,
    domain: Domain | str,
    kind: Kind,
    log: bool,
    most: int,
    more: dict[str, Any],
) -> Any:
    """An encoding over a fixed domain, or over the one that `axis_values` will fill in where `domain` is a name."""
    scale: dict[str, Any] = {"type": "log", "nice": False} if log else {"nice": False, "zero": False}
    ticks: Any
    if isinstance(domain, str):
        scale["domain"], ticks = alt.ExprRef(expr=f"{domain}_domain"), alt.ExprRef(expr=f"{domain}_ticks")
    else:
        scale["domain"], ticks = list(domain), _ticks(domain, log, kind, most)
    return channel(f"{field}:Q", scale=alt.Scale(**scale), axis=axis(title, kind, ticks, **more))


def log_x(
    field: str, title: str | None, domain: Domain | str, kind: Kind = "count", *, most: int = 7, **more: Any
) -> alt.X:
    """A logarithmic x encoding. domain: fixed ends, or the name of a placeholder for `axis_values`.

    What lies outside the domain is clipped by marks with clip=True. `more` goes to the axis.
    """
    encoding: alt.X = _channel(alt.X, field, title, domain, kind, True, most, more)
    return encoding


def log_y(
    field: str, title: str | None, domain: Domain | str, kind: Kind = "count", *, most: int = 7, **more: Any
) -> alt.Y:
    """A logarithmic y encoding; see `log_x`."""
    encoding: alt.Y = _channel(alt.Y, field, title, domain, kind, True, most, more)
    return encoding


def linear_x(field: str, title: str | None, domain: Domain | str, kind: Kind = "plain", **more: Any) -> alt.X:
    """A linear x encoding with round ticks; see `log_x`."""
    encoding: alt.X = _channel(alt.X, field, title, domain, kind, False, 0, more)
    return encoding


def linear_y(field: str, title: str | None, domain: Domain | str, kind: Kind = "plain", **more: Any) -> alt.Y:
    """A linear y encoding with round ticks; see `log_x`."""
    encoding: alt.Y = _channel(alt.Y, field, title, domain, kind, False, 0, more)
    return encoding
