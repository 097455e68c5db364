"""From a claim and what is computed for it to a verdict, by one rule for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from scaling_core.language import t
from scaling_core.talk.table import Claim
from scaling_core.units import format_flops, format_loss, format_quantity

Verdict = Literal["right", "wrong", "partly", "measure"]
VERDICTS: dict[Verdict, str] = {
    "wrong": "wrong",
    "partly": "partly right",
    "right": "right",
    "measure": "to be measured",
}
"""Every verdict and its words in English, in the order in which a reader asks for them."""


def verdict_words() -> dict[Verdict, str]:
    """Every verdict and its words in the reader's language, in the order of `VERDICTS`."""
    return {"wrong": t("wrong"), "partly": t("partly right"), "right": t("right"), "measure": t("to be measured")}


TOLERANCE = 0.05
"""A printed number may be off by one step of its last digit, and by no more than this share of itself; one that is
printed as "about" by this share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What the project's functions give for a claim.

    value: the number or numbers, None where there is none. shown: the same for reading. reason: one sentence that is
    true whatever was printed. compared: values of which the printed number must meet one; by default `value`. parts:
    for a claim that is more than a number, whether each part of it holds. measured: only a measurement can tell.
    """

    value: float | tuple[float, ...] | None
    shown: str
    reason: str
    compared: tuple[float, ...] = ()
    parts: tuple[bool, ...] = ()
    measured: bool = False


Check: TypeAlias = Callable[[Claim], Finding]
"""A pure function that computes what a claim is about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedClaim(Claim):
    """A claim with what was computed (`recomputed`, and `shown` for reading), the verdict, and why in a sentence."""

    recomputed: float | tuple[float, ...] | None
    shown: str
    verdict: Verdict
    reason: str

    @property
    def said(self) -> str:
        """What is printed, for reading, with its unit; a dash where the claim is about a formula."""
        if not self.printed:
            return "–"
        if self.number is None:
            text = {"same": t("same"), "20:1 better": t("20:1 better")}.get(self.printed, self.printed)
        else:
            text = with_unit(self.printed.removesuffix("C").strip(), self.unit)
        return t("about {number}", number=text) if self.about else text

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: {id, source, topic, claim, printed, unit, recomputed, verdict, reason}.

        printed: a number, a text where a word or C is printed, or None. recomputed: a number, a list, or None.
        """
        plain = self.unit != "C" and self.number is not None
        return {
            "id": self.id,
            "source": self.source,
            "topic": self.topic,
            "claim": self.claim,
            "printed": self.number if plain else self.printed or None,
            "unit": self.unit,
            "recomputed": list(self.recomputed) if isinstance(self.recomputed, tuple) else self.recomputed,
            "verdict": self.verdict,
            "reason": self.reason,
        }


def agrees(claim: Claim, value: float) -> bool:
    """Whether the printed number is `value`, to one step of its last digit and at most `TOLERANCE` of itself.

    A number that is printed as an approximation may be off by `TOLERANCE` of itself.
    """
    number = claim.number
    if number is None:
        return False
    allowed = TOLERANCE * abs(number)
    return abs(value - number) <= (allowed if claim.about else min(allowed, claim.last_digit))


def verdict_of(claim: Claim, finding: Finding) -> Verdict:
    """right where every part holds, wrong where none does, partly in between; measure where none can be computed."""
    if finding.measured:
        return "measure"
    values = finding.compared or ((finding.value,) if isinstance(finding.value, float) else ())
    parts = finding.parts or (any(agrees(claim, value) for value in values),)
    return "right" if all(parts) else "partly" if any(parts) else "wrong"


def check(claim: Claim, how: Check) -> CheckedClaim:
    """The claim with its verdict, computed now."""
    finding = how(claim)
    said = {field.name: getattr(claim, field.name) for field in fields(Claim)}
    return CheckedClaim(
        **said,
        recomputed=finding.value,
        shown=finding.shown,
        verdict=verdict_of(claim, finding),
        reason=finding.reason,
    )


def with_unit(number: str, unit: str) -> str:
    """A number with its unit as people write it: 13%, 0.84×, 1.41 C, 1.93 nats, 140B tokens."""
    if unit == "C":
        return f"{number} C".strip()
    told = {
        "%": f"{number}%",
        "x": f"{number}×",
        "": number,
        "nats per token": f"{number} nats",
        "tokens": t("{n} tokens", n=number),
        "parameters": t("{n} parameters", n=number),
        "tokens per parameter": t("{n} tokens per parameter", n=number),
        "years": t("{n} years", n=number),
        "days": t("{n} days", n=number),
        "H100-years": t("{n} H100-years", n=number),
        "USD": t("{n} USD", n=number),
        "constants": t("{n} constants", n=number),
        "degrees of freedom": t("{n} degrees of freedom", n=number),
    }
    return told.get(unit, f"{number} {unit}")


def shown(value: float, unit: str) -> str:
    """A computed number for reading, with its unit, to three digits (a loss as `format_loss` writes it)."""
    if unit == "FLOP":
        return format_flops(value)
    return with_unit(format_loss(value) if unit == "nats per token" else format_quantity(value), unit)


def commas(names: Sequence[str]) -> str:
    """Names or numbers one after the other: a, b, c."""
    told = "".join(names[:1])
    for name in names[1:]:
        told = t("{some}, {another}", some=told, another=name)
    return told


def number(claim: Claim, value: float, reason: str, **more: Any) -> Finding:
    """The finding of a single number in the claim's unit. `more`: further fields of `Finding`."""
    return Finding(value=float(value), shown=shown(value, claim.unit), reason=reason, **more)
