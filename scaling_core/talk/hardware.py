"""Claims about chips: how long, how much, how fast. Peaks are those that the talk prints."""

from __future__ import annotations

from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.talk.rules import Check, Finding, number, with_unit
from scaling_core.talk.table import Claim
from scaling_core.units import format_duration, format_flops, format_quantity

DAY = 86_400.0
YEAR = 365.25 * DAY
"""Seconds."""
_SPANS = {"years": YEAR, "days": DAY}


def month(claim: Claim) -> float:
    """FLOP of one chip that runs at its peak for so many days."""
    return claim.x("peak") * claim.x("days") * DAY


def budget(claim: Claim) -> Finding:
    """The compute of that month, and what a share of the peak that is reached leaves of it."""
    C, mfu = month(claim), claim.x("mfu")
    reason = t(
        "{peak} TFLOP/s for {hours:g} hours; no training keeps a chip at its peak, and at {share:.0%} of it {left} are "
        "left.",
        peak=format_quantity(claim.x("peak") / 1e12),
        hours=24.0 * claim.x("days"),
        share=mfu,
        left=format_flops(mfu * C),
    )
    return number(claim, C, reason)


def seconds(claim: Claim) -> float:
    """Seconds to train the claim's model at the peak of all its chips (one, where none are counted)."""
    chips = claim.x("chips") if "chips" in claim.inputs else 1.0
    return training_flops(claim.x("N"), claim.x("D")) / (chips * claim.x("peak"))


def training_time(claim: Claim) -> Finding:
    """Time at full utilisation, in the claim's unit; the reason says what a realistic share makes of it."""
    span, mfu = seconds(claim), claim.x("mfu")
    reason = t(
        "At its peak this hardware takes {time}; at a realistic {share:.0%} of the peak it is {longer}.",
        time=format_duration(span),
        share=mfu,
        longer=format_duration(span / mfu),
    )
    return number(claim, span / _SPANS[claim.unit], reason)


def rent(claim: Claim) -> Finding:
    """GPU-hours times a price; the reason says what price the printed sum would need."""
    hours, price = claim.x("chips") * seconds(claim) / 3600.0, claim.x("price")
    reason = t(
        "It takes {hours} GPU-hours at peak, so {paid} would be {each:.2g} USD for each.",
        hours=format_quantity(hours),
        paid=with_unit(format_quantity(claim.number), claim.unit) if claim.number else t("nothing"),
        each=(claim.number or 0.0) / hours,
    )
    return number(claim, hours * price, reason)


def chip_years(claim: Claim) -> Finding:
    """Years that one chip takes at its peak, and in the reason the same in months of 30 days."""
    span = claim.x("C") / claim.x("peak")
    years, months = span / YEAR, span / (30.0 * DAY)
    reason = t(
        "{C} at {peak} a second take one chip {years} years, or {months} months.",
        C=format_flops(claim.x("C")),
        peak=format_flops(claim.x("peak")),
        years=format_quantity(years),
        months=format_quantity(months),
    )
    return number(claim, years, reason)


def speed_up(claim: Claim) -> Finding:
    """The quotient of two speeds, which holds for one machine: the lab measures both on the one that it runs on."""
    fast, slow = claim.x("fast"), claim.x("slow")
    return number(
        claim,
        fast / slow,
        t(
            "The quotient of the two speeds is {times:.3g}, but they belong to one machine: the lab measures both on "
            "the one that it runs on.",
            times=fast / slow,
        ),
        measured=True,
    )


CHECKS: dict[str, Check] = {
    "budget-a100-month": budget,
    "gpt3-time-m3max": training_time,
    "gpt3-time-rtx4090": training_time,
    "gpt3-time-a100": training_time,
    "gpt3-time-h100": training_time,
    "gpt3-time-8xa100": training_time,
    "gpt3-time-1024xa100": training_time,
    "gpt3-cost-1024xa100": rent,
    "agi-h100-years": chip_years,
    "status-mps-speedup": speed_up,
}
"""The check of each claim of this room, by id."""
