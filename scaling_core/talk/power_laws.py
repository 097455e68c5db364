"""Claims about power laws: what ten times more does, and what Kaplan's and Hestness's laws are."""

from __future__ import annotations

from scaling_core.catalog import preset, reference_exponents
from scaling_core.errors import InputError
from scaling_core.flops import PF_DAY, training_flops
from scaling_core.laws import Law, PowerLaw
from scaling_core.talk.rules import TOLERANCE, Check, Finding, agrees, number, shown
from scaling_core.talk.table import Claim
from scaling_core.units import format_flops, format_loss, format_quantity


def power_law(id: str) -> PowerLaw:
    """The published law in one variable of this id; raises InputError where it is one in N and D."""
    law = preset(id).law
    if not isinstance(law, PowerLaw):
        raise InputError("law", id, "it must be a law in one variable")
    return law


def quotient(law: PowerLaw, factor: float) -> float:
    """L(factor x) / L(x), the same for every x where the law has no offset."""
    return law.loss(factor * law.scale) / law.loss(law.scale)


def lower_by_factor(id: str) -> Check:
    """L(f x) / L(x) = f^-alpha, for a claim that prints what the loss is multiplied by."""

    def run(claim: Claim) -> Finding:
        law, factor = power_law(id), claim.x("factor")
        times = quotient(law, factor)
        return number(claim, times, f"{factor:g}^-{law.exponent:g} is {times:.4g}, with Kaplan's exponent.")

    return run


def better_by_factor(id: str) -> Check:
    """L(x) / L(f x) = f^alpha, for a claim that prints an improvement."""

    def run(claim: Claim) -> Finding:
        law, factor = power_law(id), claim.x("factor")
        times = 1.0 / quotient(law, factor)
        return number(claim, times, f"{factor:g}^{law.exponent:g} is {times:.4g}, with Kaplan's exponent.")

    return run


def lower_by_percent(id: str) -> Check:
    """100 (1 - f^-alpha), for a claim that prints by how much the loss falls."""

    def run(claim: Claim) -> Finding:
        law, factor = power_law(id), claim.x("factor")
        times = quotient(law, factor)
        reason = f"The exponent {law.exponent:g} that the readme itself gives multiplies the loss by {times:.3g}."
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
        shown=f"{format_loss(total)} against {format_loss(published)} nats",
        reason=(
            f"At {format_quantity(N)} parameters and {format_quantity(D)} tokens this sum gives {format_loss(total)} "
            f"nats and the paper's own law, [(N_c/N)^(α_N/α_D) + D_c/D]^α_D, gives {format_loss(published)}."
        ),
        parts=(abs(total / published - 1.0) <= TOLERANCE,),
    )


def irreducible(claim: Claim) -> Finding:
    """The irreducible term of Kaplan's L(N)."""
    floor, E = power_law("kaplan2020-n").floor, preset("hoffmann2022").law.floor
    term = f"an irreducible term of {format_loss(floor)}" if floor else "no irreducible term"
    reason = f"Kaplan's fits have {term}; the E of Hoffmann 2022 is {format_loss(E)}."
    return Finding(value=floor, shown=shown(floor, claim.unit) if floor else "none", reason=reason)


def compute_scale(claim: Claim) -> Finding:
    """C_c of Kaplan's L(C), in FLOP."""
    scale = power_law("kaplan2020-c").scale
    reason = f"Kaplan's C_c is {scale / PF_DAY / 1e8:.3g}e8 PF-days, which is {format_flops(scale)}."
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
    in_range = claim.number is not None and (agrees(claim, least) or agrees(claim, most) or least < claim.number < most)
    return Finding(
        value=(least, most),
        shown=f"{least:g} to {most:g}",
        reason=(
            f"Hestness 2018 reports exponents from {least:g} to {most:g} depending on the task, and under a power law "
            f"each {factor:g}-fold of data gains less than the one before ({kept:.0%} of it for word models)."
        ),
        parts=(in_range, abs(kept - 1.0) <= TOLERANCE),
    )


def down_the_column(claim: Claim) -> Finding:
    """Kaplan's L(N) at the first size of a column, and in words at all of them."""
    law, sizes = power_law("kaplan2020-n"), claim.many("N")
    losses = [law.loss(N) for N in sizes]
    rest = ", ".join(f"{loss:.2f}" for loss in losses[1:])
    reason = f"Kaplan's law gives {losses[0]:.2f} there and {rest} down the column of {len(sizes)} sizes."
    return number(claim, losses[0], reason)


def constants(claim: Claim) -> Finding:
    """How many constants the Chinchilla form has."""
    names = [{"alpha": "α", "beta": "β"}.get(name, name) for name in preset("study-notes").law.constants]
    return number(claim, len(names), f"They are {', '.join(names[:-1])} and {names[-1]}.")


def one_term(claim: Claim) -> Finding:
    """offset + amplitude x^-exponent with the constants that the claim prints."""
    law = PowerLaw.from_amplitude(
        variable="N", offset=claim.x("offset"), amplitude=claim.x("amplitude"), exponent=claim.x("exponent")
    )
    x, floor = claim.x("x"), claim.x("offset")
    loss = law.loss(x)
    term = f"{claim.x('amplitude'):g} / {format_quantity(x)}^{claim.x('exponent'):g}"
    return number(claim, loss, f"{term} alone is {format_loss(loss - floor)}, on top of {floor:g}.")


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
