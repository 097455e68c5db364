"""Claims about how to spend compute on parameters and tokens."""

from __future__ import annotations

import math

import numpy as np

from scaling_core.catalog import preset, presets
from scaling_core.flops import training_flops
from scaling_core.laws import ChinchillaLaw, Law
from scaling_core.optimum import exponents, isoflop, optimal_for_compute, twenty_to_one
from scaling_core.talk.hardware import month
from scaling_core.talk.rules import TOLERANCE, Check, Finding, number
from scaling_core.talk.table import Claim
from scaling_core.units import format_flops, format_loss, format_quantity


def spent(claim: Claim) -> Finding:
    """6 N D of a model and its training."""
    N, D = claim.x("N"), claim.x("D")
    C = training_flops(N, D)
    reason = f"6 × {format_quantity(N)} × {format_quantity(D)} is {format_flops(C)}."
    if claim.number and not 0.5 < C / claim.number < 2.0:
        low, high = sorted((C, claim.number))
        away = f"{format_quantity(high / low)} times {'more' if C == high else 'less'} than printed"
        reason = f"6 × {format_quantity(N)} × {format_quantity(D)} is {format_flops(C)}, {away}."
    return number(claim, C, reason)


def ratio(claim: Claim) -> Finding:
    """Tokens for each parameter, D / N."""
    N, D = claim.x("N"), claim.x("D")
    return number(claim, D / N, f"{format_quantity(D)} tokens over {format_quantity(N)} parameters are {D / N:.4g}.")


def same_cost(claim: Claim) -> Finding:
    """Whether two models cost the same; the reason says under which laws which of them is better."""
    first, second = zip(claim.many("N"), claim.many("D"), strict=True)
    costs = training_flops(*first), training_flops(*second)
    laws = [p for p in presets("joint") if isinstance(p.law, ChinchillaLaw)]
    worse = [p.short_name.replace(",", "") for p in laws if p.joint.loss(*first) > p.joint.loss(*second)]
    reason = (
        f"The costs are {format_flops(costs[0])} and {format_flops(costs[1])}, but which is the better model hangs "
    )
    reason += f"on the law: under {len(worse)} of {len(laws)} ({', '.join(worse) or 'none'}) it is the second."
    return number(claim, costs[0], reason, parts=(math.isclose(*costs, rel_tol=1e-9),))


def tokens_for(claim: Claim) -> Finding:
    """ratio N tokens."""
    N, each = claim.x("N"), claim.x("ratio")
    return number(claim, each * N, f"{each:g} × {format_quantity(N)} is {format_quantity(each * N)}.")


def slide_formula(claim: Claim) -> Finding:
    """(C/6)^0.5 / ratio as the slide writes it, and the share of C that it spends with D = ratio N."""
    C, each = claim.x("C"), claim.x("ratio")
    N = math.sqrt(C / 6.0) / each
    share = training_flops(N, each * N) / C
    return number(
        claim,
        N,
        f"The formula itself gives {format_quantity(N)}, and {each:g} tokens for each of them spend {share:.0%} of C.",
    )


def best_for_month(claim: Claim) -> Finding:
    """The 20:1 allocation of a month of one chip."""
    C = month(claim)
    N, D = twenty_to_one(C)
    return number(
        claim,
        N,
        f"Solving 6 N × 20 N = C gives √(C/120), {format_quantity(N)} parameters on {format_quantity(D)} tokens.",
    )


def hoffmann_rule(claim: Claim) -> Finding:
    """What N = (C/6)^0.5 and D = (C/3)^0.5 spend, in units of C."""
    C, each = claim.x("C"), claim.x("ratio")
    N, D = math.sqrt(C / 6.0), math.sqrt(C / 3.0)
    spends = training_flops(N, D) / C
    return number(
        claim,
        spends,
        f"6 N D comes to {spends:.3g} C, with {D / N:.3g} tokens for each parameter where {each:g} are meant.",
    )


def notes_rule(claim: Claim) -> Finding:
    """What N = coefficient C^0.5 and D = ratio N spend, in units of C."""
    C, each, coefficient = claim.x("C"), claim.x("ratio"), claim.x("coefficient")
    N = coefficient * math.sqrt(C)
    spends = training_flops(N, each * N) / C
    right = twenty_to_one(C)[0] / math.sqrt(C)
    return number(
        claim,
        spends,
        f"These spend {spends:.0%} of C; at 20 tokens a parameter the coefficient is 1/√120 or {right:.4f}.",
    )


def growth(claim: Claim) -> Finding:
    """Whether N* and D* grow as C^(1/(alpha+beta)): the exponents of the optimum, and of the formula."""
    alpha, beta = claim.x("alpha"), claim.x("beta")
    a, b = exponents(ChinchillaLaw(E=0.0, A=1.0, B=1.0, alpha=alpha, beta=beta))
    said = 1.0 / (alpha + beta)
    return Finding(
        value=(a, b),
        shown=f"{a:.3f} and {b:.3f}",
        reason=(
            f"N grows as C^(β/(α+β)) and D as C^(α/(α+β)), which sum to {a + b:g}, where twice 1/(α+β) is "
            f"{2.0 * said:.3g} at α = {alpha:g} and β = {beta:g}."
        ),
        parts=(abs(said / a - 1.0) <= TOLERANCE and abs(said / b - 1.0) <= TOLERANCE,),
    )


def notes_formula(claim: Claim, law: ChinchillaLaw | None = None) -> Finding:
    """(C/6)^(1/(alpha+beta)) (A alpha / (B beta))^(beta/(alpha+beta)) against the optimum of the same law.

    law: by default that of the notes.
    """
    published = preset("study-notes").law
    used = law or published
    assert isinstance(used, ChinchillaLaw)
    C, total = claim.x("C"), used.alpha + used.beta
    N = (C / 6.0) ** (1.0 / total) * (used.A * used.alpha / (used.B * used.beta)) ** (used.beta / total)
    best = optimal_for_compute(used, C).N
    reason = f"The formula gives {format_quantity(N)} and the optimum of the same law is {format_quantity(best)}."
    return number(claim, N, reason, parts=(abs(N / best - 1.0) <= TOLERANCE,))


def twenty_at(claim: Claim) -> Finding:
    """The 20:1 allocation of a budget, or of the compute that a model took."""
    C = claim.x("C") if "C" in claim.inputs else training_flops(claim.x("N"), claim.x("D"))
    N, D = twenty_to_one(C)
    reason = f"{format_flops(C)} buy {format_quantity(N)} parameters on {format_quantity(D)} tokens."
    return number(claim, N, reason)


def tokens_left(claim: Claim) -> Finding:
    """C / (6 N)."""
    C, N = claim.x("C"), claim.x("N")
    D, _ = isoflop(preset("study-notes").joint, C, np.array([N]))
    left = float(D[0])
    return number(claim, left, f"{format_flops(C)} over 6 × {format_quantity(N)} is {format_quantity(left)}.")


def twenty_against_gpt3(claim: Claim, law: Law | None = None) -> Finding:
    """Whether the 20:1 allocation beats GPT-3 at its own compute; law: by default that of the notes."""
    used = law or preset("study-notes").joint
    N, D = claim.x("N"), claim.x("D")
    C = training_flops(N, D)
    even, gpt3, best = used.loss(*twenty_to_one(C)), used.loss(N, D), optimal_for_compute(used, C)
    winner = "the 20:1 allocation beats GPT-3" if even < gpt3 else "GPT-3 beats the 20:1 allocation"
    hoffmann = preset("hoffmann2022").joint
    theirs = f"{format_loss(hoffmann.loss(*twenty_to_one(C)))} against {format_loss(hoffmann.loss(N, D))}"
    return Finding(
        value=(even, gpt3),
        shown=f"{format_loss(even)} against {format_loss(gpt3)}",
        reason=(
            f"At {format_flops(C)} {winner}, since here the optimum is {format_quantity(best.N)} parameters on "
            f"{format_quantity(best.D)} tokens; Hoffmann's constants say {theirs}."
        ),
        parts=(even < gpt3,),
    )


CHECKS: dict[str, Check] = {
    "gpt3-flops": spent,
    "gpt3-ratio": ratio,
    "chinchilla-ratio": ratio,
    "same-compute": same_cost,
    "tokens-7b": tokens_for,
    "tokens-70b": tokens_for,
    "slide-nopt-formula": slide_formula,
    "budget-a100-nopt": best_for_month,
    "hoffmann-rule": hoffmann_rule,
    "agi-flops": spent,
    "summary-iso-config": spent,
    "notes-nopt-exponent": growth,
    "notes-nopt-formula": notes_formula,
    "notes-004": notes_rule,
    "notes-gpt3-opt": twenty_at,
    "notes-gpt3-gain": twenty_against_gpt3,
    "notes-isoflop-1": tokens_left,
    "notes-isoflop-2": twenty_at,
}
"""The check of each claim of this room, by id."""
