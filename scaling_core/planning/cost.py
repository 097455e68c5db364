"""What one mistake costs a plan, as a record, and how its numbers are said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from scaling_core.catalog import Preset
from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.planning.evidence import Source, extrapolation
from scaling_core.planning.solidity import ROUNDED, Solidity
from scaling_core.units import format_bytes, format_loss, format_quantity

MistakeId = Literal["peak", "size", "small", "twenty", "law", "epochs", "batch", "memory", "counting"]
Unit = Literal["nats", "times", "bytes"]
Cost: TypeAlias = tuple[float | None, str, Solidity | None]
"""The amount of a mistake, the same in words, and how solid it is."""

LEAST = 0.0005
"""Nats below which a cost is said to be under a thousandth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One usual mistake, made with this plan.

    what: what one would do. amount: what it costs, at least 0, in `unit`: nats per token above the plan or the best
    for its compute, times the tokens, or bytes of one copy; None where it cannot be said. told: the same in words, or
    why not. formula, source: where the amount is from. solidity: how solid; None for plain arithmetic, and where the
    law states no range.
    """

    id: MistakeId
    what: str
    unit: Unit
    amount: float | None
    told: str
    formula: str
    source: str
    solidity: Solidity | None

    @property
    def figure(self) -> str:
        """The amount for reading aloud, "" where there is none."""
        if self.amount is None:
            return ""
        if self.unit == "bytes":
            return f"+{format_bytes(self.amount)}"
        if self.unit == "times":
            return t("{n} × tokens", n=format_quantity(self.amount))
        return nats(self.amount)


def nats(amount: float) -> str:
    """Nats per token more: +0.031 nats."""
    if amount >= LEAST:
        return t("+{nats} nats", nats=format_loss(amount))
    return t("< 0.001 nats") if amount > 0.0 else t("0 nats")


def apart(amount: float) -> str:
    """Nats per token between two: 0.031 nats."""
    if amount >= LEAST:
        return t("{nats} nats", nats=format_loss(amount))
    return t("under 0.001 nats") if amount > 0.0 else t("0 nats")


def reckoned(id: MistakeId, unit: Unit, what: str, formula: str, source: str, ask: Callable[[], Cost]) -> Mistake:
    """The mistake with the cost that `ask` reckons; where it raises InputError, with the sentence of the error."""
    try:
        amount, told, solidity = ask()
    except InputError as error:
        amount, told, solidity = None, t("Not known for this plan. {reason}", reason=str(error)), None
    return Mistake(
        id=id, unit=unit, what=what, amount=amount, told=told, formula=formula, source=source, solidity=solidity
    )


def solid(source: Source, N: float, D: float) -> Solidity | None:
    """How solid a loss of the law is there: within its runs or so many times outside; None where none are stated."""
    found = extrapolation(source, N, D)
    if not found.stated:
        return None
    if found.worst <= ROUNDED:
        return Solidity(kind="measured")
    names = {"the parameters": "N", "the tokens": "D", "the compute": "C"}
    worst = max(found.factors, key=lambda name: found.factors[name])
    return Solidity(kind="outside", factor=found.worst, quantity=names.get(worst, worst))


def percent(share: float) -> str:
    """A share of one: 58%, under 1%, 99.7%."""
    if share < 0.005:
        return t("under 1%")
    return f"{100 * share:.0f}%" if share < 0.99 else f"{100 * share:.3g}%"


def money(usd: float) -> str:
    """USD: 2.79, 1,240, 4.56M, under 0.01."""
    if 0.0 < usd < 0.005:
        return t("under 0.01")
    return format_quantity(usd) if usd >= 1e6 else f"{usd:,.0f}" if usd >= 100 else f"{usd:.2f}"


def short(law: Preset) -> str:
    """The law's short name without a comma, so that it can stand in a list."""
    return law.told("short_name").replace(", ", " ")
