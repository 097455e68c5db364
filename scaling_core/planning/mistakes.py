"""What the usual mistakes would cost a plan: each computed for it, by the law and the formulas that planned it.

Here are the mistakes of size and data, whose price is a loss; `mistakes_running` has those of speed, batch, memory and
counting. A cost is never negative, and a mistake that cannot be reckoned for a plan says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scaling_core.catalog import KnownModel, Preset, model, preset
from scaling_core.language import t, tdata, together
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum import Verdict, judge, twenty_to_one
from scaling_core.planning.budget import Budgeted
from scaling_core.planning.cost import LEAST, Cost, Mistake, apart, money, percent, reckoned, short, solid
from scaling_core.planning.evidence import Source, law_of
from scaling_core.planning.mistakes_running import running
from scaling_core.planning.prepared import Prepared
from scaling_core.planning.trust import LawAnswer
from scaling_core.units import format_loss, format_quantity

LARGE, SMALL = "gpt3", "llama3-8b"
"""The models of the catalogue whose tokens per parameter stand for both extremes."""
PASSES, FEW_PASSES = 16.0, 4.0
"""Times that too few unique tokens are read; and how often they may be, by Muennighoff et al. 2023."""
APPLIES = 10.0
"""Times beyond its runs up to which the law of repeated data is asked."""


def mistakes(ready: Prepared, answers: Sequence[LawAnswer] = ()) -> tuple[Mistake, ...]:
    """Every mistake, made with this plan. answers: of other laws on it, as `trust` gives them."""
    law, plan = law_of(ready.source), ready.plan
    large, small = model(LARGE), model(SMALL)
    ratio = t("N = √(C / 6r), D = r N, r = D / N; cost L(N, D) − L of the best for C")
    sized = [
        reckoned("size", "nats", t("Put all into size, as {name} did", name=large.name), ratio, tdata(large.source),
                 lambda: _as(ready, law, large)),
        reckoned("small", "nats", t("Build it as small as {name}", name=small.name), ratio, tdata(small.source),
                 lambda: _as(ready, law, small)),
        reckoned("twenty", "nats", t("20 tokens per parameter by rote"), ratio, t("Hoffmann et al. 2022, table 3"),
                 lambda: _twenty(ready, law)),
    ]  # fmt: skip
    data = [
        reckoned("law", "nats", t("Trust one law alone"),
                 t("L′(N, D) − L′ of the best for C, under the other law L′, N as each law counts it"),
                 t("the laws of the catalogue, each with its source"), lambda: _one_law(ready.source, plan, answers)),
        reckoned("epochs", "nats", t("Read the same text {n:g} times", n=PASSES), t("L(N, D, U = D / 16) − L(N, D)"),
                 t("Muennighoff et al. 2023, section 3"), lambda: _epochs(ready.source, plan)),
    ]  # fmt: skip
    first, *rest = running(ready, law)
    return (first, *sized, *data, *rest)


def at_ratio(law: Law, C: float, ratio: float) -> Verdict:
    """The model of so many tokens per parameter that C FLOP train, beside the best; raises InputError as `judge`."""
    N = math.sqrt(C / (6.0 * ratio))
    return judge(law, N, C / (6.0 * N))


def wasted(plan: Budgeted, verdict: Verdict) -> str:
    """What the best model for that loss would not have needed, in compute and in money."""
    share = verdict.compute_left / verdict.C
    if verdict.loss_gap < LEAST:
        return t("as good as the best for that compute")
    usd = None if plan.machine is None else plan.machine.usd(verdict.compute_left)
    if usd is None:
        return t("{share} of the compute is wasted", share=percent(share))
    return t("{share} of the compute is wasted, {usd} USD", share=percent(share), usd=money(usd))


def _as(ready: Prepared, law: Law, like: KnownModel) -> Cost:
    """The plan's compute at the tokens per parameter of a known model."""
    ratio = like.tokens / like.N
    found = at_ratio(law, ready.plan.C, ratio)
    told = t(
        "{ratio} tokens per parameter make {N} on {D}, a loss of {loss}: {wasted}.",
        ratio=format_quantity(ratio),
        wasted=wasted(ready.plan, found),
        **_model(found),
    )
    more = (
        t("Training alone never asks for that; serving many tokens may.")
        if like.id == SMALL and found.status == "over-trained"
        else ""
    )
    return found.loss_gap, together(told, more), solid(ready.source, found.N, found.D)


def _twenty(ready: Prepared, law: Law) -> Cost:
    found = judge(law, *twenty_to_one(ready.plan.C))
    told = {"own": format_quantity(found.optimum.tokens_per_param), **_model(found)}
    if found.loss_gap < LEAST:
        said = t("The law asks for {own} here; {N} on {D} is as good, so the rule costs next to nothing.", **told)
    else:
        said = t(
            "The law asks for {own} here; the rule builds {N} on {D}, a loss of {loss}: {wasted}.",
            wasted=wasted(ready.plan, found),
            **told,
        )
    return found.loss_gap, said, solid(ready.source, found.N, found.D)


def _model(found: Verdict) -> dict[str, str]:
    return {"N": format_quantity(found.N), "D": format_quantity(found.D), "loss": format_loss(found.loss)}


def _one_law(source: Source, plan: Budgeted, answers: Sequence[LawAnswer]) -> Cost:
    """How far apart the laws put the best size, and what the plan loses where the worst of the others holds."""
    own = source.id if isinstance(source, Preset) else ""
    known = [one for one in answers if one.optimum is not None and one.loss is not None]
    others = [one for one in known if one.preset.id != own]
    if not others:
        return None, t("Not known: no other law has an optimum for this compute."), None
    found = [(judge(one.preset.joint, plan.N, plan.D), one) for one in others]
    verdict, worst = max(found, key=lambda pair: pair[0].loss_gap)
    sizes = [(one.optimum.N, short(one.preset)) for one in known if one.optimum is not None]
    (low, small), (high, large) = min(sizes), max(sizes)
    told = t(
        "The laws put the best size between {low} ({small}) and {high} ({large}). If {law} holds, the plan is {nats} "
        "above its best and {share} of the compute is wasted.",
        low=format_quantity(low),
        small=small,
        high=format_quantity(high),
        large=large,
        law=short(worst.preset),
        nats=apart(verdict.loss_gap),
        share=percent(verdict.compute_left / verdict.C),
    )
    return verdict.loss_gap, told, solid(worst.preset, plan.N, plan.D)


def _epochs(source: Source, plan: Budgeted) -> Cost:
    """The plan's tokens from a sixteenth of them, by the law of repeated data."""
    own = isinstance(source, Preset) and isinstance(source.joint, MuennighoffLaw)
    asked: Source = source if own or isinstance(source, MuennighoffLaw) else preset("muennighoff2023")
    name = short(asked) if isinstance(asked, Preset) else t("this law")
    here = solid(asked, plan.N, plan.D)
    if here is not None and here.factor > APPLIES:
        told = t(
            "Not said: the plan lies {factor} times outside the runs behind {law}, the law of repeated data.",
            factor=here.times(),
            law=name,
        )
        return None, told, None
    cost, worth = repeated_cost(source, plan.N, plan.D, PASSES)
    few, _ = repeated_cost(source, plan.N, plan.D, FEW_PASSES)
    told = t(
        "{U} unique tokens read {n:g} times are worth {worth} new ones by {law}. Read {few:g} times, {more} of them "
        "would cost {nats}.",
        U=format_quantity(plan.D / PASSES),
        n=PASSES,
        worth=format_quantity(worth),
        law=name,
        few=FEW_PASSES,
        more=format_quantity(plan.D / FEW_PASSES),
        nats=apart(few),
    )
    return cost, told, here


def repeated_cost(source: Source, N: float, D: float, passes: float) -> tuple[float, float]:
    """Nats that D tokens cost more where they are `passes` readings of fewer, and D', the new tokens they are worth.

    By the source itself where it is a law of repeated data, else by that of Muennighoff et al. 2023.
    """
    law = law_of(source)
    repeated = law if isinstance(law, MuennighoffLaw) else preset("muennighoff2023").joint
    assert isinstance(repeated, MuennighoffLaw)
    cost = max(0.0, float(repeated.loss(N, D, D / passes)) - float(repeated.loss(N, D)))
    return cost, float(repeated.effective(N, D, D / passes)[1])
