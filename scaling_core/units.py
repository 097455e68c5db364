"""Quantities as people write them: 70B, 1.4T, 5.76e23, and back, with times, bytes and losses for reading aloud."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from scaling_core.errors import InputError
from scaling_core.language import t

_POWERS = {"": 0, "K": 3, "M": 6, "B": 9, "G": 9, "T": 12, "P": 15}
_SUFFIXES = ((12, "T"), (9, "B"), (6, "M"), (3, "K"))
_FULL_WIDTH = {ord("\uff10") + d: str(d) for d in range(10)} | {0xFF0E: ".", 0xFF0C: ",", 0x2212: "-", 0xD7: "x"}
_QUANTITY = re.compile(
    r"""\s*(?P<sign>[+-]?)
        (?:(?P<power>10\s*\^\s*(?P<tens>[+-]?[0-9]{1,5}))
          |(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+\.?[0-9]*|\.[0-9]+)
           (?:[eE](?P<exponent>[+-]?[0-9]{1,5})|\s*[x*]\s*10\s*\^\s*(?P<times>[+-]?[0-9]{1,5}))?)
        \s*(?P<suffix>[KMBGTPkmbgtp]?)
        \s*(?:flops?|params?|parameters?|tokens?)?\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_LONGEST = 64

MAXIMUM = 1e40
"""The largest quantity a field takes: far beyond any budget, far below where floating point ends."""


def parse_quantity(
    text: str | float, *, field: str, minimum: float = 0.0, maximum: float = MAXIMUM, allow_zero: bool = False
) -> float:
    """The number that `text` writes: 70B, 1.4T, 70 b, 1,000, 5.76e23, 5.76 x 10^23, or a plain float.

    Suffixes K, M, B or G, T, P stand for 1e3, 1e6, 1e9, 1e12, 1e15, in either case; a unit word (FLOP, params,
    tokens) may follow. With minimum = 0 the value must exceed 0, or may be 0 with `allow_zero`; a positive minimum
    is itself allowed, as is `maximum`. Raises InputError, naming `field`, on anything else: text that is no number,
    NaN, infinity, zero, a negative number, a number out of range.
    """
    value = _number(text)
    if value is not None and minimum <= value <= maximum and (value > 0 or (value == 0 and allow_zero)):
        return abs(value)
    example = t("70B, 1.4T or 5.76e23") if maximum > 1e13 else _plain(0.5 * (minimum + maximum))
    least, most = _plain(minimum), _plain(maximum)
    if minimum > 0 or allow_zero:
        allowed = t(
            "it must be a number from {least} to {most}, such as {example}", least=least, most=most, example=example
        )
    else:
        allowed = t("it must be a positive number up to {most}, such as {example}", most=most, example=example)
    raise InputError(field, text, allowed)


def parse_count(text: str | float, *, field: str, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
    """The whole number that `text` writes, from `minimum` to `maximum`; raises InputError, naming `field`, else."""
    value = _number(text)
    if value is None or not math.isfinite(value) or value != int(value) or not minimum <= value <= maximum:
        allowed = t("it must be a whole number from {least} to {most}", least=minimum, most=maximum)
        raise InputError(field, text, allowed)
    return int(value)


def _number(text: object) -> float | None:
    """The float that `text` writes, to the last bit, or None where it writes none."""
    if isinstance(text, bool):
        return None
    if not isinstance(text, str):
        try:
            return float(text)  # type: ignore[arg-type]  # anything else is caught below
        except (TypeError, ValueError, OverflowError):
            return None
    if len(text) > _LONGEST:
        return None
    match = _QUANTITY.fullmatch(text.translate(_FULL_WIDTH))
    if match is None:
        return None
    mantissa = "1" if match["power"] else match["digits"].replace(",", "")
    exponent = int(match["tens"] or match["exponent"] or match["times"] or 0)
    return float(f"{match['sign']}{mantissa}e{exponent + _POWERS[match['suffix'].upper()]}")


def _plain(x: float) -> str:
    return format_quantity(x) if x < 1e15 else f"{x:g}".replace("e+", "e")


def _significant(x: Decimal, digits: int) -> str:
    """`x` to `digits` significant digits, trailing zeros dropped, never in exponent notation."""
    if x == 0:
        return "0"
    rounded = round(x, digits - 1 - x.adjusted())
    text = format(rounded, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_quantity(x: float, digits: int = 3) -> str:
    """`x` as the field writes it: 70B, 1.4T, 182M; from 1e15 and below 1e-3 as 5.76e23.

    digits: significant digits kept; `parse_quantity` reads the text back to that precision (17 digits: exactly).
    A number that is not finite is written as a dash.
    """
    if not math.isfinite(x):
        return "\u2013"
    exact = Decimal(x)
    if x != 0:  # rounding first, so that 999.96M becomes 1B and not 1000M
        exact = round(exact, digits - 1 - exact.adjusted())
    size = abs(exact)
    if size != 0 and (size >= Decimal("1e15") or size < Decimal("1e-3")):
        power = exact.adjusted()
        return f"{_significant(exact.scaleb(-power), digits)}e{power}"
    for power, suffix in _SUFFIXES:
        if size >= Decimal(10) ** power:
            return _significant(exact.scaleb(-power), digits) + suffix
    return _significant(exact, digits)


def format_flops(x: float) -> str:
    """Compute with three significant digits: 5.76e23 FLOP. `parse_quantity` reads it back."""
    if not math.isfinite(x) or x == 0:
        return f"{format_quantity(x)} FLOP"
    mantissa, exponent = f"{x:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)} FLOP"


def format_duration(seconds: float) -> str:
    """A span of time for reading aloud: 0.4 s, 12 s, 2 min 40 s, 3.2 h, 11.4 days, 713 years.

    In the reader's language. A year has 365.25 days. A number that is not finite is written as a dash.
    """
    if not math.isfinite(seconds):
        return "\u2013"
    sign, seconds = "-" if seconds < 0 else "", abs(seconds)
    whole = round(seconds)
    if whole < 60:
        n = sign + (f"{seconds:.1f}".rstrip("0").rstrip(".") if seconds < 9.95 else str(whole))
        return t("{n} s", n=n)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        n = f"{sign}{minutes}"
        return t("{n} min {rest} s", n=n, rest=rest) if rest else t("{n} min", n=n)
    hours, days = seconds / 3600.0, seconds / 86400.0
    if hours < 48.0:
        return t("{n} h", n=sign + _significant(Decimal(hours), 3))
    if days < 730.0:
        return t("{n} days", n=sign + _significant(Decimal(days), 3))
    years = seconds / (365.25 * 86400.0)
    return t("{n} years", n=sign + (format_quantity(years) if years >= 1e4 else _significant(Decimal(years), 3)))


def format_bytes(n: float) -> str:
    """A size in decimal units: 512 B, 1.2 GB; a number that is not finite is written as a dash."""
    if not math.isfinite(n):
        return "\u2013"
    for length, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if abs(n) >= length * 0.9995:
            return f"{n / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{n:.0f} B"


def format_loss(x: float) -> str:
    """A loss in nats per token: three decimals (1.937), four digits from 10 on (60.81); a dash where not finite."""
    if not math.isfinite(x):
        return "\u2013"
    return f"{x:.3f}" if abs(x) < 9.9995 else f"{x:.4g}".replace("e+", "e")
