"""How solid a number is: within what was measured, so many times outside of it, or said without a measurement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from scaling_core.language import t
from scaling_core.units import format_quantity

Kind = Literal["measured", "outside", "talk"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Where a rule was fitted, in one quantity: N, D or C, or the loss."""

    quantity: str
    low: float
    high: float

    def outside(self, value: float) -> float:
        """The factor by which `value` lies outside: 1 within."""
        return max(self.low / value, value / self.high, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Solidity:
    """kind: "measured" within the range of the runs, "outside" of it, "talk" for a rule of the talk's own.

    factor: by how many times the worst quantity lies outside, 1 within; quantity: which one, "" within.
    """

    kind: Kind
    factor: float = 1.0
    quantity: str = ""

    def times(self) -> str:
        """The factor in two digits, three where two would be 1: 1.04, 2.1, 29, 3.6K."""
        digits = 3 if self.factor < 1.1 else 2
        return f"{self.factor:.{digits}g}" if self.factor < 99.5 else format_quantity(self.factor, 2)

    def told(self) -> str:
        """The label in words."""
        if self.kind == "talk":
            return t("the talk's own")
        if self.kind == "measured":
            return t("measured, in range")
        return t("measured, {factor} times outside", factor=self.times())

    def sentence(self) -> str:
        """That it lies outside of what was measured, "" where it does not."""
        if self.kind != "outside":
            return ""
        return t("That lies {factor} times outside what was measured.", factor=self.times())


ROUNDED = 1.01
"""A factor up to which a value counts as within: the ends of the ranges are printed to two digits."""


TALK = Solidity(kind="talk")
"""Of a rule that the talk states and nobody measured."""


def solidity(ranges: Iterable[tuple[Range, float]]) -> Solidity:
    """The label of a measured rule where each range has the value that was asked of it."""
    factor, quantity = max((span.outside(value), span.quantity) for span, value in ranges)
    if factor <= ROUNDED:
        return Solidity(kind="measured")
    return Solidity(kind="outside", factor=factor, quantity=quantity)
