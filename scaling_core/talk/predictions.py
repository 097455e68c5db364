"""Claims about losses that a law predicts, and about fits and early stops that promise to predict them."""

from __future__ import annotations

import numpy as np

from scaling_core.catalog import preset
from scaling_core.errors import FitError, InputError
from scaling_core.fit import FORMS, RunPoints, fit_law
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum import optimal_for_loss
from scaling_core.talk.rules import Check, Finding, number, shown
from scaling_core.talk.table import Claim
from scaling_core.units import format_loss, format_quantity


def slide_law() -> Law:
    """The law on the slide, with its constants exactly as printed."""
    return preset("talk-slides").joint


def slide_loss(claim: Claim) -> Finding:
    """The loss of a model under the law on the slide, and the two terms that make it."""
    law, N, D = slide_law(), claim.x("N"), claim.x("D")
    terms = {name: float(value) for name, value in law.terms(N, D).items()}
    if "term_N" in claim.inputs:
        reason = t(
            "The terms are {N:.1f} for the size and {D:.1f} for the data on top of {E:g}, where the slide adds "
            "{slide_N:g} and {slide_D:g}.",
            slide_N=claim.x("term_N"),
            slide_D=claim.x("term_D"),
            **terms,
        )
    else:
        reason = t("The terms are {N:.1f} for the size and {D:.1f} for the data on top of {E:g}.", **terms)
    return number(claim, law.loss(N, D), reason)


def gain(claim: Claim) -> Finding:
    """The fall of a loss in per cent of where it began."""
    before, after = claim.x("before"), claim.x("after")
    share = 100.0 * (before - after) / before
    reason = t(
        "{before:g} to {after:g} is {gain:.2f} nats, {share:.3g}% of {before:g}.",
        before=before,
        after=after,
        gain=before - after,
        share=share,
    )
    return number(claim, share, reason)


def reachable(claim: Claim, law: Law | None = None) -> Finding:
    """Whether any model reaches the printed loss; law: by default the one on the slide."""
    used = law or slide_law()
    N, D, target = claim.x("N"), claim.x("D"), claim.number or 0.0
    there = {"N": format_quantity(N), "D": format_quantity(D), "loss": format_loss(used.loss(N, D))}
    try:
        best = optimal_for_loss(used, target)
    except InputError:
        return Finding(
            value=None,
            shown=t("impossible"),
            reason=t(
                "Under this law no model goes to or below {floor}, whatever its size and data, and {N} parameters on "
                "{D} tokens give {loss}.",
                floor=format_loss(used.floor),
                **there,
            ),
            parts=(False,),
        )
    reason = t(
        "Under this law {N} parameters on {D} tokens give {loss}, and {target} needs {best_N} parameters on {best_D} "
        "tokens.",
        target=format_loss(target),
        best_N=format_quantity(best.N),
        best_D=format_quantity(best.D),
        **there,
    )
    return Finding(value=best.loss, shown=shown(best.loss, claim.unit), reason=reason, parts=(True,))


def refusal(points: RunPoints) -> str | None:
    """The sentence with which the fit refuses these runs, or None where it takes them."""
    try:
        fit_law(points)
    except FitError as error:
        return str(error)
    return None


def fitted(claim: Claim) -> Finding:
    """Whether the fit takes the claim's runs: their number less that of the constants, and how D / N varies."""
    points = RunPoints.of(N=claim.many("N"), D=claim.many("D"), loss=claim.many("loss"))
    free = len(points) - FORMS["chinchilla"].size
    ratios = points.D / points.N
    steady = float(np.ptp(np.log(ratios))) < 1e-6
    refused = refusal(points)
    told = {"runs": len(points), "constants": FORMS["chinchilla"].size, "ratio": float(ratios[0])}
    if refused and steady:
        reason = t(
            "The fit refuses {runs} runs for {constants} constants, and at the same D/N of {ratio:g} no number of runs "
            "could tell α from β.",
            **told,
        )
    elif refused:
        reason = t("The fit refuses {runs} runs for {constants} constants.", **told)
    elif steady:
        reason = t(
            "The fit takes {runs} runs for {constants} constants, and at the same D/N of {ratio:g} no number of runs "
            "could tell α from β.",
            **told,
        )
    else:
        reason = t("The fit takes {runs} runs for {constants} constants.", **told)
    return number(claim, free, reason, parts=(refused is None,))


def early_stop(claim: Claim) -> Finding:
    """An accuracy that nobody may assume: it has to be measured on finished runs."""
    return Finding(
        value=None,
        shown=t("not computable"),
        reason=t("It takes runs that were trained to their end: the lab measures it, and until then it is a promise."),
        measured=True,
    )


CHECKS: dict[str, Check] = {
    "slide-gpt4-loss": slide_loss,
    "slide-120m-loss": slide_loss,
    "slide-finetune-a": slide_loss,
    "slide-finetune-b": slide_loss,
    "finetune-gain": gain,
    "agi-loss": reachable,
    "notes-four-points": fitted,
    "status-early-stop": early_stop,
}
"""The check of each claim of this room, by id."""
