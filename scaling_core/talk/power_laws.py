"""Claims about power laws: what ten times more does, and what Kaplan's and Hestness's laws are."""

from __future__ import annotations

from scaling_core.catalog import preset, reference_exponents
from scaling_core.errors import InputError
from scaling_core.flops import PF_DAY, training_flops
from scaling_core.language import listed, t
from scaling_core.laws import Law, PowerLaw
from scaling_core.talk.rules import TOLERANCE, Check, Finding, agrees, commas, number, shown
from scaling_core.talk.table import Claim
from scaling_core.units import format_flops, format_loss, format_quantity


def power_law(id: str) -> PowerLaw:
    """The published law in one variable of this id; raises InputError where it is one in N and D."""
    law = preset(id).law
    if not isinstance(law, PowerLaw):
        raise InputError(t("law"), id, t("it must be a law in one variable"))
    return law


def quotient(law: PowerLaw, factor: float) -> float:
    """L(factor x) / L(x), the same for every x where the law has no offset."""
    return law.loss(factor * law.scale) / law.loss(law.scale)


def lower_by_factor(id: str) -> Check:
    """L(f x) / L(x) = f^-alpha, for a claim that prints what the loss is multiplied by."""

    def run(claim: Claim) -> Finding:
        law, factor = power_law(id), claim.x("factor")
        times = quotient(law, factor)
        return number(claim, times, _power(factor, -law.exponent, times))

    return run


def better_by_factor(id: str) -> Check:
    """L(x) / L(f x) = f^alpha, for a claim that prints an improvement."""

    def run(claim: Claim) -> Finding:
        law, factor = power_law(id), claim.x("factor")
        times = 1.0 / quotient(law, factor)
        return number(claim, times, _power(factor, law.exponent, times))

    return run


def _power(factor: float, exponent: float, value: float) -> str:
    return t(
        "{factor:g}^{exponent:g} is {value:.4g}, with Kaplan's exponent.", factor=factor, exponent=exponent, value=value
    )


def lower_by_percent(id: str) -> Check:
    """100 (1 - f^-alpha), for a claim that prints by how much the loss falls."""

    def run(claim: Claim) -> Finding:
        law, factor = power_law(id), claim.x("factor")
        times = quotient(law, factor)
        reason = t(
            "The exponent {exponent:g} that the readme itself gives multiplies the loss by {times:.3g}.",
            exponent=law.exponent,
            times=times,
        )
        return number(claim, 100.0 * (1.0 - times), reason)

    return run


def sum_form(claim: Claim, joint: Law | None = None) -> Finding:
    """Whether Kaplan's joint law is the sum of his three laws in N, D and C: both at one model, C = 6 N D.

    joint: the law that the sum is held against, by default the published one.
    """
    N, D = claim.x("N"), claim.x("D")
    at = {"kaplan2020-n": N, "kaplan2020-d": D, "kaplan2020-c": training_flops(N, D)}
    total = sum(power_law(id).loss(x) for id, x in at.items())
    published = (joint or preset("kaplan2020-joint").joint).loss(N, D)
    return Finding(
        value=(total, published),
        shown=t("{first} against {second} nats", first=format_loss(total), second=format_loss(published)),
        reason=t(
            "At {N} parameters and {D} tokens this sum gives {total} nats and the paper's own law, "
            "[(N_c/N)^(α_N/α_D) + D_c/D]^α_D, gives {published}.",
            N=format_quantity(N),
            D=format_quantity(D),
            total=format_loss(total),
            published=format_loss(published),
        ),
        parts=(abs(total / published - 1.0) <= TOLERANCE,),
    )


def irreducible(claim: Claim) -> Finding:
    """The irreducible term of Kaplan's L(N)."""
    floor, E = power_law("kaplan2020-n").floor, preset("hoffmann2022").law.floor
    if not floor:
        reason = t("Kaplan's fits have no irreducible term; the E of Hoffmann 2022 is {E}.", E=format_loss(E))
        return Finding(value=floor, shown=t("none"), reason=reason)
    reason = t(
        "Kaplan's fits have an irreducible term of {floor}; the E of Hoffmann 2022 is {E}.",
        floor=format_loss(floor),
        E=format_loss(E),
    )
    return Finding(value=floor, shown=shown(floor, claim.unit), reason=reason)


def compute_scale(claim: Claim) -> Finding:
    """C_c of Kaplan's L(C), in FLOP."""
    scale = power_law("kaplan2020-c").scale
    reason = t("Kaplan's C_c is {days:.3g}e8 PF-days, which is {C}.", days=scale / PF_DAY / 1e8, C=format_flops(scale))
    return number(claim, scale, reason)


def linear_reading(claim: Claim) -> Finding:
    """Two parts: that the exponent is one that Hestness et al. report, and that each tenfold of data gains the same.

    The second compares the gain of one step with that of the next, on the published exponent of word language models:
    L(f x) - L(f^2 x) is f^-alpha times L(x) - L(f x).
    """
    published = [row.exponent for row in reference_exponents() if row.id.startswith("hestness")]
    least, most = min(claim.x("least"), *published), max(claim.x("most"), *published)
    slope, factor = min(published), claim.x("factor")
    law = PowerLaw(variable="D", scale=1.0, exponent=slope)
    losses = [law.loss(factor**k) for k in range(3)]
    kept = (losses[1] - losses[2]) / (losses[0] - losses[1])
    low, high = f"{least:g}", f"{most:g}"
    in_range = claim.number is not None and (agrees(claim, least) or agrees(claim, most) or least < claim.number < most)
    return Finding(
        value=(least, most),
        shown=t("{low} to {high}", low=low, high=high),
        reason=t(
            "Hestness 2018 reports exponents from {low} to {high} depending on the task, and under a power law "
            "each {factor:g}-fold of data gains less than the one before ({kept:.0%} of it for word models).",
            low=low,
            high=high,
            factor=factor,
            kept=kept,
        ),
        parts=(in_range, abs(kept - 1.0) <= TOLERANCE),
    )


def down_the_column(claim: Claim) -> Finding:
    """Kaplan's L(N) at the first size of a column, and in words at all of them."""
    law, sizes = power_law("kaplan2020-n"), claim.many("N")
    losses = [law.loss(N) for N in sizes]
    reason = t(
        "Kaplan's law gives {first:.2f} there and {rest} down the column of {n} sizes.",
        first=losses[0],
        rest=commas([f"{loss:.2f}" for loss in losses[1:]]),
        n=len(sizes),
    )
    return number(claim, losses[0], reason)


def constants(claim: Claim) -> Finding:
    """How many constants the Chinchilla form has."""
    names = [{"alpha": "α", "beta": "β"}.get(name, name) for name in preset("study-notes").law.constants]
    return number(claim, len(names), t("They are {names}.", names=listed(names)))


def one_term(claim: Claim) -> Finding:
    """offset + amplitude x^-exponent with the constants that the claim prints."""
    law = PowerLaw.from_amplitude(
        variable="N", offset=claim.x("offset"), amplitude=claim.x("amplitude"), exponent=claim.x("exponent")
    )
    x, floor = claim.x("x"), claim.x("offset")
    loss = law.loss(x)
    term = f"{claim.x('amplitude'):g} / {format_quantity(x)}^{claim.x('exponent'):g}"
    reason = t("{term} alone is {value}, on top of {floor:g}.", term=term, value=format_loss(loss - floor), floor=floor)
    return number(claim, loss, reason)


CHECKS: dict[str, Check] = {
    "10x-params": lower_by_factor("kaplan2020-n"),
    "100x-params": lower_by_factor("kaplan2020-n"),
    "1000x-params": lower_by_factor("kaplan2020-n"),
    "10x-compute": better_by_factor("kaplan2020-c"),
    "100x-compute": better_by_factor("kaplan2020-c"),
    "1000x-compute": better_by_factor("kaplan2020-c"),
    "readme-10x-params": lower_by_percent("kaplan2020-n"),
    "readme-10x-data": lower_by_percent("kaplan2020-d"),
    "readme-10x-compute": lower_by_percent("kaplan2020-c"),
    "kaplan-sum-form": sum_form,
    "kaplan-linf": irreducible,
    "kaplan-cc": compute_scale,
    "hestness-reading": linear_reading,
    "summary-kaplan-5m": down_the_column,
    "summary-fit-n": one_term,
    "summary-fit-d": one_term,
    "notes-six-parameters": constants,
}
"""The check of each claim of this room, by id."""
