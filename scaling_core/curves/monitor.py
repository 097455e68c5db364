"""While a run trains: is it where the law of the smaller ones says it should be?

The law speaks of cooled validation losses, the curve of training losses at full rate. Between them lies the drop that
finished lines showed, so that on the law  log f(t) = log L(N, t) - drop(t).  The curve is averaged over the last fifth
of the tokens seen, and over the fifth before. A run is said to be off the law only where both averages are, on the same
side, and only where the law has been: not during the warm-up, and not at fewer tokens per parameter than any run that
was fitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scaling_core.curves.curve import Drop, LearningCurve
from scaling_core.curves.drops import believe, drops
from scaling_core.curves.extrapolate import END_NOISE, check_level
from scaling_core.errors import FitError
from scaling_core.fit import FitResult, predict
from scaling_core.language import t
from scaling_core.units import format_loss, format_quantity

Verdict = Literal["early", "on", "above", "below"]
WINDOW = 0.8
"""Share of the tokens at which a window begins that ends at all of them."""
LEAST_POINTS = 6
"""In a window."""
OWN = "this line"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a run stands against a law. tokens: middle of the window. loss: its mean training loss, nats per token.

    expected: what the law and the drop make of it, between low and high at `level`. excess: loss / expected - 1. Where
    it is too early these are NaN, and tokens are those seen. sentence: the verdict with its numbers.
    """

    verdict: Verdict
    tokens: float
    loss: float
    expected: float
    low: float
    high: float
    level: float
    excess: float
    sentence: str


def where(
    law: FitResult, params: int, curve: LearningCurve, *, evidence: Sequence[Drop] = (), level: float = 0.95
) -> Standing:
    """Whether the trunk of a model with `params` parameters, counted as the law counts, is where `law` expects it.

    law: fitted to smaller runs, with its bootstrap. evidence: `drops` of the lines it was fitted to. Raises InputError
    for a level outside (0.5, 0.999).
    """
    check_level(level)
    seen = float(curve.tokens[~curve.cooling][-1]) if curve.tokens.size else 0.0
    begins = max(2.0 * curve.warmup, float((law.points.D / law.points.N).min()) * params) / WINDOW**2
    if seen < begins:
        sentence = t(
            "Too early to say whether the run is on the law: it has seen {seen} tokens, and its curve can be held "
            "against the law from {begins} on.",
            seen=format_quantity(seen),
            begins=format_quantity(begins),
        )
        return _early(seen, level, sentence)
    known = (*(one for one in evidence if one.line != OWN), *_own(curve))
    now, before = (_compare(law, params, curve, known, until=end, level=level) for end in (seen, WINDOW * seen))
    if now is None or before is None:
        sentence = t("Too early to say whether the run is on the law: its curve has too few points to be averaged.")
        return _early(seen, level, sentence)
    verdict: Verdict = now.verdict if now.verdict == before.verdict else "on"
    return replace(now, verdict=verdict, sentence=_sentence(now, verdict, law.n))


def _own(curve: LearningCurve) -> tuple[Drop, ...]:
    """What cooling did at the ends of the line itself, as far as they can be held against its trunk."""
    try:
        return drops(OWN, curve)
    except FitError:
        return ()


def _compare(
    law: FitResult, params: int, curve: LearningCurve, known: Sequence[Drop], *, until: float, level: float
) -> Standing | None:
    """The verdict on the window that ends at `until` tokens, without a sentence; None where it has too few points."""
    from scipy.special import ndtri  # here: the first page does without SciPy

    rows = ~curve.cooling & (curve.tokens > WINDOW * until) & (curve.tokens <= until)
    logs = np.log(curve.losses[rows])
    if logs.size < LEAST_POINTS:
        return None
    tokens, loss = float(np.exp(np.log(curve.tokens[rows]).mean())), math.exp(float(logs.mean()))
    foretold = predict(law, float(params), tokens, level=level)
    z = float(ndtri(0.5 + level / 2.0))
    of_law = max(math.log(float(foretold.high) / float(foretold.low)) / (2.0 * z), law.scale)
    drop = believe(known, at=tokens, line=OWN)
    expected = float(foretold.loss) * math.exp(-float(drop.mean[0]))
    sd = math.sqrt(of_law**2 + float(drop.covariance[0, 0]) + float(logs.var(ddof=1)) / logs.size + END_NOISE**2)
    low, high = expected * math.exp(-z * sd), expected * math.exp(z * sd)
    return Standing(
        verdict="above" if loss > high else "below" if loss < low else "on",
        tokens=tokens,
        loss=loss,
        expected=expected,
        low=low,
        high=high,
        level=level,
        excess=loss / expected - 1.0,
        sentence="",
    )


def _sentence(now: Standing, verdict: Verdict, runs: int) -> str:
    numbers = {
        "tokens": format_quantity(now.tokens),
        "loss": format_loss(now.loss),
        "excess": abs(now.excess),
        "expected": format_loss(now.expected),
        "runs": runs,
        "low": format_loss(now.low),
        "high": format_loss(now.high),
        "level": now.level,
        "verdict": _in_words(now, verdict),
    }
    if now.excess >= 0:
        return t(
            "Around {tokens} tokens its training loss is {loss}, {excess:.1%} above the {expected} that the law of "
            "{runs} runs expects there (between {low} and {high} at {level:.0%}): {verdict}.",
            **numbers,
        )
    return t(
        "Around {tokens} tokens its training loss is {loss}, {excess:.1%} below the {expected} that the law of "
        "{runs} runs expects there (between {low} and {high} at {level:.0%}): {verdict}.",
        **numbers,
    )


def _in_words(now: Standing, verdict: Verdict) -> str:
    """The verdict as a clause. now: the window that was seen last."""
    if verdict == "above":
        return t("it is {excess:.1%} above the law, more than its interval allows", excess=now.excess)
    if verdict == "below":
        return t("it is {excess:.1%} below the law, more than its interval allows", excess=-now.excess)
    return t("it is on the law") if now.verdict == "on" else t("it has left the law's interval only now")


def _early(seen: float, level: float, sentence: str) -> Standing:
    nothing = math.nan
    return Standing(
        verdict="early", tokens=seen, loss=nothing, expected=nothing, low=nothing, high=nothing, level=level,
        excess=nothing, sentence=sentence,
    )  # fmt: skip
