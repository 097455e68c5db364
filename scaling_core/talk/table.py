"""The claims as the documents print them, read from `data/talk_claims.csv`: what is said, never what is true of it."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from scaling_core.catalog import DATA
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import t
from scaling_core.units import parse_quantity

SOURCES: dict[str, str] = {
    "talk": "the slides of the talk",
    "readme": "the readme",
    "summary": "the summary of experiments",
    "notes": "the study notes",
    "status": "the status report",
}
"""The documents that make the claims."""
_PRINTED = re.compile(r"[0-9]*(?:\.(?P<decimals>[0-9]*))?(?P<rest>.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One claim. label: its name in two to five words. claim: what is said, in words of our own.

    printed: the number as the document writes it, a word where it says one ("same"), or "" for a claim about a formula.
    unit: of the number; C stands for the budget itself. about: whether it is printed as an approximation. inputs: the
    numbers that the claim rests on, each as printed beside it.
    """

    id: str
    source: str
    topic: str
    label: str
    claim: str
    printed: str
    unit: str
    about: bool
    inputs: Mapping[str, tuple[float, ...]]

    @property
    def number(self) -> float | None:
        """The printed number, or None where a word or nothing is printed; "C" alone is 1 in the unit C."""
        try:
            return parse_quantity(self.digits, field=f"printed of {self.id}", allow_zero=True)
        except InputError:
            return None

    @property
    def digits(self) -> str:
        """What is printed without its C, which alone stands for 1 C."""
        return (self.printed.removesuffix("C").strip() or "1") if self.unit == "C" else self.printed

    @property
    def last_digit(self) -> float:
        """What one step in the last digit printed is worth: 0.01 for 1.93, 1e9 for 140B, 1e21 for 3.15e23."""
        match = _PRINTED.fullmatch(self.digits)
        decimals, rest = ("", "") if match is None else (match["decimals"] or "", match["rest"])
        step: float = 10.0 ** -len(decimals)
        return step * parse_quantity(f"1{rest}", field=f"printed of {self.id}")

    def x(self, name: str) -> float:
        """The one number of that name; raises ScalingError where the table gives none or several."""
        values = self.many(name)
        if len(values) != 1:
            raise ScalingError(
                t(
                    "{file} gives {n} numbers {name} for {id}, not one.",
                    file="data/talk_claims.csv",
                    n=len(values),
                    name=name,
                    id=self.id,
                )
            )
        return values[0]

    def many(self, name: str) -> tuple[float, ...]:
        """The numbers of that name, in order; raises ScalingError where the table gives none."""
        try:
            return self.inputs[name]
        except KeyError:
            raise ScalingError(
                t("{file} gives no number {name} for {id}.", file="data/talk_claims.csv", name=name, id=self.id)
            ) from None


@cache
def table() -> tuple[Claim, ...]:
    """Every claim in the order of the file; raises ScalingError where the file cannot be read."""
    try:
        with (DATA / "talk_claims.csv").open(encoding="utf-8", newline="") as file:
            return tuple(_claim(row) for row in csv.DictReader(file))
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise ScalingError(
            t(
                "{file} cannot be read ({reason}); restore it from the project.",
                file="data/talk_claims.csv",
                reason=str(error),
            )
        ) from error


def _claim(row: dict[str, str]) -> Claim:
    words = {name: row[name] for name in ("id", "source", "topic", "label", "claim", "printed", "unit")}
    if words["source"] not in SOURCES:
        raise InputError("source", words["source"], t("it must be one of {names}", names=", ".join(SOURCES)))
    return Claim(**words, about=bool(row["about"]), inputs=_inputs(row["id"], row["inputs"]))


def _inputs(id: str, text: str) -> dict[str, tuple[float, ...]]:
    """`N=175B 6B; D=300B` as numbers by name."""
    pairs = [part.split("=") for part in text.split(";") if part.strip()]
    return {
        name.strip(): tuple(
            parse_quantity(word, field=f"{name.strip()} of {id}", allow_zero=True) for word in values.split()
        )
        for name, values in pairs
    }
