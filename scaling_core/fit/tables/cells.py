"""One cell of a table: the number that it writes, and the sentence for what it may not hold."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.errors import InputError
from scaling_core.flops import PF_DAY
from scaling_core.language import t
from scaling_core.units import parse_quantity

LIMITS: dict[str, tuple[float, float]] = {
    "N": (1.0, 1e24),
    "D": (1.0, 1e24),
    "C": (1.0, 1e40),
    "loss": (1e-6, 1e6),
    "se": (1e-12, 1e6),
    "unique": (1.0, 1e24),
}
"""What each quantity may be: N in parameters, D and unique in tokens, C in FLOP, loss and se in nats."""

MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "none", "null", "nil", "-", "--", "–", "—", "?", "."})
TRUE = frozenset({"1", "1.0", "true", "t", "yes", "y", "x", "是", "真", "✓"})
FALSE = frozenset({"0", "0.0", "false", "f", "no", "n", "否", "假", *MISSING})
LONGEST = 64

_INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF, 0xAD], None)
_GROUPED = re.compile(r"(?<=\d)[\s'’_](?=\d{3}(?!\d))")
_DOTTED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?![\d.])")
_BODY = re.compile(r"(?P<number>.*[0-9.,])\s*(?P<unit>[^0-9.,\s][^0-9.,]*)", re.S)
_LETTERS = {"K": "e3", "k": "e3", "M": "e6", "m": "e6", "B": "e9", "b": "e9", "G": "e9", "T": "e12", "t": "e12"}
_RAISED = re.compile("10([⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+)")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_PLAIN = re.compile(r"[+-]?[0-9.,]+(?:[eE][+-]?[0-9]+)?")
_COUNTED = re.compile(r"\s*\b(?:params?|parameters?|tokens?|flops?)$")
_FACTORS = {
    **dict.fromkeys(("nats", "nat", "nats/token", "nats per token", "nat/token"), 1.0),
    **dict.fromkeys(("pf-days", "pf-day", "pfdays", "pflop-days", "pflops-days", "petaflop/s-days"), PF_DAY),
    **dict.fromkeys(("eflop", "eflops"), 1e18),
    **dict.fromkeys(("zflop", "zflops"), 1e21),
    **dict.fromkeys(("thousand", "千"), 1e3),
    **dict.fromkeys(("万",), 1e4),
    **dict.fromkeys(("million", "mn", "百万"), 1e6),
    **dict.fromkeys(("亿",), 1e8),
    **dict.fromkeys(("billion", "bn", "十亿"), 1e9),
    **dict.fromkeys(("trillion", "tn", "万亿"), 1e12),
}


def bare(text: str) -> str:
    """A cell without what cannot be seen, the emphasis of Markdown and the apostrophe by which a text is guarded."""
    return text.translate(_INVISIBLE).strip().strip("*`").removeprefix("'").strip()


def number(text: str, *, comma: bool) -> tuple[float, bool] | None:
    """The number that a cell writes and whether the cell itself names a magnitude (70B), or None where it is none.

    comma: whether a comma is the decimal point of the table and a dot between three digits parts thousands.
    """
    if len(text) > 4 * LONGEST:
        return None
    text = bare(text)
    if not text or len(text) > LONGEST:
        return None
    factor = 1.0
    if match := _BODY.fullmatch(text):
        unit = match["unit"].casefold().strip()
        unit = unit if unit in _FACTORS else _COUNTED.sub("", unit)
        if unit in _FACTORS:
            text, factor = match["number"], _FACTORS[unit]
    text = _RAISED.sub(lambda match: "10^" + match[1].translate(_LOWERED), _GROUPED.sub("", text))
    if comma:
        if text.count(",") == 1:
            text = text.replace(".", "").replace(",", ".")
        elif _DOTTED.match(text):
            text = text.replace(".", "")
    try:
        value = float(text)
    except ValueError:
        try:
            value = parse_quantity(text, field="", allow_zero=True)
        except InputError:
            return None
    return value * factor, factor != 1.0 or _PLAIN.fullmatch(text) is None


def _simple(cell: str, *, comma: bool) -> tuple[float, bool] | None:
    """What `number` gives, for the commonest ways to write one and in a tenth of the time; None for any other."""
    if comma and cell.count(",") <= 1 and "." not in cell:
        cell = cell.replace(",", ".")
    elif comma:
        return None
    power = _LETTERS.get(cell[-1:])
    try:
        return (float(cell), False) if power is None else (float(cell[:-1] + power), True)
    except ValueError:
        return None


def numbers(cells: Sequence[str], *, scale: float, comma: bool, seen: dict[str, float]) -> FloatArray:
    """Numbers of a column, shape (n,), NaN where a cell writes none. seen: cells already read, kept between calls.

    scale: multiplies what is written in plain digits; a cell that names its magnitude keeps it.
    """
    if not comma:
        try:
            plain = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            pass
        else:
            return _scaled(plain, scale)
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        value = seen.get(cell)
        if value is None:
            read = _simple(cell, comma=comma) or number(cell, comma=comma)
            value = math.nan if read is None else read[0] if read[1] else read[0] * scale
            if len(seen) < 100_000:
                seen[cell] = value
        values[i] = value
    return values


def _scaled(values: FloatArray, scale: float) -> FloatArray:
    if scale == 1.0:
        return values
    with np.errstate(over="ignore"):
        return values * scale


def truths(cells: Sequence[str]) -> FloatArray:
    """1 for yes, 0 for no or nothing, NaN for a cell that says neither; shape (n,)."""
    words = [bare(cell[:LONGEST]).casefold() for cell in cells]
    return np.array([1.0 if word in TRUE else 0.0 if word in FALSE else math.nan for word in words])


def missing(cells: Sequence[str]) -> BoolArray:
    """Which cells hold nothing, or one of the words for nothing; shape (n,)."""
    return np.array([bare(cell[:LONGEST]).casefold() in MISSING for cell in cells], dtype=bool)


def power(x: float) -> str:
    """A limit or a factor: 1, 1e-6, 8.64e19."""
    return f"{x:.4g}".replace("e+", "e").replace("e0", "e").replace("e-0", "e-")


def label(text: str) -> str:
    """A text as a label: one line of at most 200 characters, all of which can be printed."""
    if text.isprintable() and len(text) <= 200:
        return text.strip()
    return " ".join("".join(char if char.isprintable() else " " for char in text[:2000]).split())[:200]


def refusal(field: str, text: str, quantity: str) -> InputError:
    """Why a cell cannot be that quantity."""
    if quantity == "held_out":
        return InputError(field, text, t("it must be yes or no, true or false, 1 or 0"))
    allowed = _range(quantity)
    start = bare(text[: 4 * LONGEST])
    if start.startswith(("=", "@")):
        allowed = t("{allowed}, not a formula", allowed=allowed)
    elif start.endswith(("%", "％")):
        allowed = t("{allowed}, not a percentage", allowed=allowed)
    elif "\n" in text or "\r" in text:
        allowed = t("{allowed}, and a quoted cell must be closed", allowed=allowed)
    return InputError(field, text, allowed)


def _range(quantity: str) -> str:
    """Which numbers the quantity may be."""
    low, high = map(power, LIMITS[quantity])
    if quantity == "N":
        return t("it must be a number of parameters from {low} to {high}", low=low, high=high)
    if quantity in ("D", "unique"):
        return t("it must be a number of tokens from {low} to {high}", low=low, high=high)
    if quantity == "C":
        return t("it must be a number of FLOP from {low} to {high}", low=low, high=high)
    return t("it must be a number from {low} to {high}", low=low, high=high)
