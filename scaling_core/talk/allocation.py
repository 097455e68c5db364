"""Claims about how to spend compute on parameters and tokens."""

from __future__ import annotations

import math

import numpy as np

from scaling_core.catalog import preset, presets
from scaling_core.flops import training_flops
from scaling_core.language import listed, t
from scaling_core.laws import ChinchillaLaw, Law
from scaling_core.optimum import exponents, isoflop, optimal_for_compute, twenty_to_one
from scaling_core.talk.hardware import month
from scaling_core.talk.rules import TOLERANCE, Check, Finding, commas, number
from scaling_core.talk.table import Claim
from scaling_core.units import format_flops, format_loss, format_quantity


def spent(claim: Claim) -> Finding:
    """6 N D of a model and its training."""
    N, D = claim.x("N"), claim.x("D")
    C = training_flops(N, D)
    told = {"N": format_quantity(N), "D": format_quantity(D), "C": format_flops(C)}
    off = C / claim.number if claim.number else 1.0
    if off >= 2.0:
        reason = t("6 × {N} × {D} is {C}, {times} times more than printed.", times=format_quantity(off), **told)
    elif off <= 0.5:
        reason = t("6 × {N} × {D} is {C}, {times} times less than printed.", times=format_quantity(1.0 / off), **told)
    else:
        reason = t("6 × {N} × {D} is {C}.", **told)
    return number(claim, C, reason)


def ratio(claim: Claim) -> Finding:
    """Tokens for each parameter, D / N."""
    N, D = claim.x("N"), claim.x("D")
    reason = t(
        "{D} tokens over {N} parameters are {ratio:.4g}.", D=format_quantity(D), N=format_quantity(N), ratio=D / N
    )
    return number(claim, D / N, reason)


def same_cost(claim: Claim) -> Finding:
    """Whether two models cost the same; the reason says under which laws which of them is better."""
    first, second = zip(claim.many("N"), claim.many("D"), strict=True)
    costs = training_flops(*first), training_flops(*second)
    laws = [p for p in presets("joint") if isinstance(p.law, ChinchillaLaw)]
    worse = [
        p.told("short_name").replace(",", "").replace("，", " ")
        for p in laws
        if p.joint.loss(*first) > p.joint.loss(*second)
    ]
    reason = t(
        "The costs are {first} and {second}, but which is the better model hangs on the law: under {n} of {laws} "
        "({names}) it is the second.",
        first=format_flops(costs[0]),
        second=format_flops(costs[1]),
        n=len(worse),
        laws=len(laws),
        names=commas(worse) or t("none"),
    )
    return number(claim, costs[0], reason, parts=(math.isclose(*costs, rel_tol=1e-9),))


def tokens_for(claim: Claim) -> Finding:
    """ratio N tokens."""
    N, each = claim.x("N"), claim.x("ratio")
    reason = t("{ratio:g} × {N} is {D}.", ratio=each, N=format_quantity(N), D=format_quantity(each * N))
    return number(claim, each * N, reason)


def slide_formula(claim: Claim) -> Finding:
    """(C/6)^0.5 / ratio as the slide writes it, and the share of C that it spends with D = ratio N."""
    C, each = claim.x("C"), claim.x("ratio")
    N = math.sqrt(C / 6.0) / each
    share = training_flops(N, each * N) / C
    reason = t(
        "The formula itself gives {N}, and {ratio:g} tokens for each of them spend {share:.0%} of C.",
        N=format_quantity(N),
        ratio=each,
        share=share,
    )
    return number(claim, N, reason)


def best_for_month(claim: Claim) -> Finding:
    """The 20:1 allocation of a month of one chip."""
    C = month(claim)
    N, D = twenty_to_one(C)
    reason = t(
        "Solving 6 N × 20 N = C gives √(C/120), {N} parameters on {D} tokens.",
        N=format_quantity(N),
        D=format_quantity(D),
    )
    return number(claim, N, reason)


def hoffmann_rule(claim: Claim) -> Finding:
    """What N = (C/6)^0.5 and D = (C/3)^0.5 spend, in units of C."""
    C, each = claim.x("C"), claim.x("ratio")
    N, D = math.sqrt(C / 6.0), math.sqrt(C / 3.0)
    spends = training_flops(N, D) / C
    reason = t(
        "6 N D comes to {spent:.3g} C, with {ratio:.3g} tokens for each parameter where {meant:g} are meant.",
        spent=spends,
        ratio=D / N,
        meant=each,
    )
    return number(claim, spends, reason)


def notes_rule(claim: Claim) -> Finding:
    """What N = coefficient C^0.5 and D = ratio N spend, in units of C."""
    C, each, coefficient = claim.x("C"), claim.x("ratio"), claim.x("coefficient")
    N = coefficient * math.sqrt(C)
    spends = training_flops(N, each * N) / C
    right = twenty_to_one(C)[0] / math.sqrt(C)
    reason = t(
        "These spend {spent:.0%} of C; at 20 tokens a parameter the coefficient is 1/√120 or {right:.4f}.",
        spent=spends,
        right=right,
    )
    return number(claim, spends, reason)


def growth(claim: Claim) -> Finding:
    """Whether N* and D* grow as C^(1/(alpha+beta)): the exponents of the optimum, and of the formula."""
    alpha, beta = claim.x("alpha"), claim.x("beta")
    a, b = exponents(ChinchillaLaw(E=0.0, A=1.0, B=1.0, alpha=alpha, beta=beta))
    said = 1.0 / (alpha + beta)
    return Finding(
        value=(a, b),
        shown=listed([f"{a:.3f}", f"{b:.3f}"]),
        reason=t(
            "N grows as C^(β/(α+β)) and D as C^(α/(α+β)), which sum to {sum:g}, where twice 1/(α+β) is {twice:.3g} at "
            "α = {alpha:g} and β = {beta:g}.",
            sum=a + b,
            twice=2.0 * said,
            alpha=alpha,
            beta=beta,
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
    reason = t(
        "The formula gives {N} and the optimum of the same law is {best}.",
        N=format_quantity(N),
        best=format_quantity(best),
    )
    return number(claim, N, reason, parts=(abs(N / best - 1.0) <= TOLERANCE,))


def twenty_at(claim: Claim) -> Finding:
    """The 20:1 allocation of a budget, or of the compute that a model took."""
    C = claim.x("C") if "C" in claim.inputs else training_flops(claim.x("N"), claim.x("D"))
    N, D = twenty_to_one(C)
    reason = t("{C} buy {N} parameters on {D} tokens.", C=format_flops(C), N=format_quantity(N), D=format_quantity(D))
    return number(claim, N, reason)


def tokens_left(claim: Claim) -> Finding:
    """C / (6 N)."""
    C, N = claim.x("C"), claim.x("N")
    D, _ = isoflop(preset("study-notes").joint, C, np.array([N]))
    left = float(D[0])
    reason = t("{C} over 6 × {N} is {D}.", C=format_flops(C), N=format_quantity(N), D=format_quantity(left))
    return number(claim, left, reason)


def twenty_against_gpt3(claim: Claim, law: Law | None = None) -> Finding:
    """Whether the 20:1 allocation beats GPT-3 at its own compute; law: by default that of the notes."""
    used = law or preset("study-notes").joint
    N, D = claim.x("N"), claim.x("D")
    C = training_flops(N, D)
    even, gpt3, best = used.loss(*twenty_to_one(C)), used.loss(N, D), optimal_for_compute(used, C)
    hoffmann = preset("hoffmann2022").joint
    told = {
        "C": format_flops(C),
        "N": format_quantity(best.N),
        "D": format_quantity(best.D),
        "theirs": _against(hoffmann.loss(*twenty_to_one(C)), hoffmann.loss(N, D)),
    }
    if even < gpt3:
        reason = t(
            "At {C} the 20:1 allocation beats GPT-3, since here the optimum is {N} parameters on {D} tokens; "
            "Hoffmann's constants say {theirs}.",
            **told,
        )
    else:
        reason = t(
            "At {C} GPT-3 beats the 20:1 allocation, since here the optimum is {N} parameters on {D} tokens; "
            "Hoffmann's constants say {theirs}.",
            **told,
        )
    return Finding(value=(even, gpt3), shown=_against(even, gpt3), reason=reason, parts=(even < gpt3,))


def _against(one: float, other: float) -> str:
    """Two losses side by side."""
    return t("{first} against {second}", first=format_loss(one), second=format_loss(other))


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
