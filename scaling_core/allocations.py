"""Published allocations and exponents that are no loss law: how size, tokens, batch or steps grow with compute.

Read from `data/allocations.csv`, a row for each published quantity. Rows that belong together share a group: the size
and the tokens of one paper, say. Where two published values disagree both are there, and a note says so.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from scaling_core.errors import InputError, ScalingError
from scaling_core.language import t

DATA = Path(__file__).resolve().parent.parent / "data"
Quantity = Literal["N", "D", "M", "B", "S"]
"""Parameters, tokens, FLOP per token, tokens in a batch, steps of the optimiser."""
QUANTITIES: tuple[Quantity, ...] = ("N", "D", "M", "B", "S")


@dataclass(frozen=True, kw_only=True, slots=True)
class AllocationRow:
    """One published power law of compute: quantity = coefficient (C / unit_flops)^exponent.

    quantity: one of QUANTITIES, in `unit`. coefficient: None where only the exponent was published. unit_flops: the
    paper's unit of compute in FLOP. low, high: the published interval of the exponent, of the kind that `interval`
    names, or None. valid_C: the budgets measured, FLOP, or None where they are not stated. stated: what the source
    itself says for one budget, (C in FLOP, value), or None. counts: what a size leaves out. secondary: read in a
    secondary source only. note: what else to know, and which published value disagrees.
    """

    id: str
    group: str
    name: str
    quantity: Quantity
    unit: str
    coefficient: float | None
    exponent: float
    unit_flops: float
    low: float | None
    high: float | None
    interval: str
    valid_C: tuple[float, float] | None
    stated: tuple[float, float] | None
    counts: str
    source: str
    secondary: bool
    url: str
    note: str

    def at(self, C: float) -> float:
        """The quantity at a budget C in FLOP, by the printed digits; raises InputError without a coefficient."""
        if self.coefficient is None:
            raise InputError("allocation", self.id, t("only its exponent was published; choose one with a coefficient"))
        return float(self.coefficient * (C / self.unit_flops) ** self.exponent)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, as `laws --kind allocation --json` prints them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in ((name, getattr(self, name)) for name in self.__slots__)
        }


@cache
def allocations() -> tuple[AllocationRow, ...]:
    """Every published allocation, in the order of the file."""
    try:
        with (DATA / "allocations.csv").open(encoding="utf-8", newline="") as file:
            return tuple(_row(row) for row in csv.DictReader(file))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScalingError(
            t(
                "{file} cannot be read ({reason}); restore it from the project.",
                file="data/allocations.csv",
                reason=str(error),
            )
        ) from error


def _row(row: dict[str, str]) -> AllocationRow:
    def pair(first: str, second: str) -> tuple[float, float] | None:
        return (float(row[first]), float(row[second])) if row[first] else None

    quantity = next(q for q in QUANTITIES if q == row["quantity"])
    return AllocationRow(
        quantity=quantity,
        coefficient=float(row["coefficient"]) if row["coefficient"] else None,
        exponent=float(row["exponent"]),
        unit_flops=float(row["unit_flops"]),
        low=float(row["low"]) if row["low"] else None,
        high=float(row["high"]) if row["high"] else None,
        valid_C=pair("C_low", "C_high"),
        stated=pair("stated_C", "stated"),
        secondary=row["secondary"] == "yes",
        **{name: row[name] for name in ("id", "group", "name", "unit", "interval", "counts", "source", "url", "note")},
    )


def allocation(id: str) -> AllocationRow:
    """The row of this id; raises InputError that lists the known ones."""
    for row in allocations():
        if row.id == id:
            return row
    known = ", ".join(row.id for row in allocations())
    raise InputError("allocation", id, t("it must be one of {names}", names=known))


def group(name: str) -> dict[Quantity, AllocationRow]:
    """The rows of a group by their quantity; raises InputError that lists the groups where there is none."""
    rows = {row.quantity: row for row in allocations() if row.group == name}
    if not rows:
        known = ", ".join(dict.fromkeys(row.group for row in allocations()))
        raise InputError("allocation", name, t("it must be one of {names}", names=known))
    return rows
