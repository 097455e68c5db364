"""The usual mistakes of running a training: of its speed, its batch, its memory, and of what counts as a parameter."""

from __future__ import annotations

import math

from scaling_core.catalog import Preset
from scaling_core.language import t, together
from scaling_core.laws import Law
from scaling_core.optimum import Verdict, judge, optimal_for_compute
from scaling_core.planning.cost import Cost, Mistake, money, percent, reckoned, solid
from scaling_core.planning.memory import SHARE, bytes_per_parameter, state_bytes
from scaling_core.planning.prepared import Prepared
from scaling_core.planning.recipe import CRITICAL_RANGE, critical_batch
from scaling_core.planning.solidity import solidity
from scaling_core.units import format_bytes, format_duration, format_loss, format_quantity

BATCH_TIMES = 4.0
"""Times the critical batch that an eager plan takes."""


def running(ready: Prepared, law: Law) -> list[Mistake]:
    """The four of them, that of the peak first."""
    return [
        reckoned("peak", "nats", t("Reckon with the peak speed"),
                 t("N of the best for C / u, D = C / 6N, u the utilization; cost L(N, D) − L of the best for C"),
                 t("Chowdhery et al. 2022, section 4.1"), lambda: _peak(ready, law)),
        reckoned("batch", "times", t("Take {n:g} × the critical batch", n=BATCH_TIMES),
                 t("(1 + B / B_crit) against the plan's own batch, B_crit = 2.1e8 / L^(1/0.21)"),
                 t("Kaplan et al. 2020, equations 5.3 and 5.5"), lambda: _batch(ready)),
        reckoned("memory", "bytes", t("Count only the weights as memory"),
                 t("bytes of gradient and optimizer for each parameter × N"),
                 t("Rajbhandari et al. 2020, section 3"), lambda: _memory(ready)),
        reckoned("counting", "nats", t("Count N the other way"),
                 t("|L(N without embeddings, D) − L(N, D)|"),
                 t("Kaplan et al. 2020, section 2.1; Pearce & Song 2024"), lambda: _counting(ready, law)),
    ]  # fmt: skip


def by_peak(law: Law, C: float, mfu: float) -> Verdict:
    """The model that the peak seems to pay for, stopped when C FLOP are done; raises InputError as `judge` does.

    mfu: achieved share of the peak, above 0 and at most 1. At 1 it is the best model itself.
    """
    N = optimal_for_compute(law, C / mfu).N
    return judge(law, N, C / (6.0 * N))


def _peak(ready: Prepared, law: Law) -> Cost:
    plan, machine, seconds = ready.plan, ready.plan.machine, ready.plan.seconds
    if machine is None or seconds is None:
        return None, t("Not known without hardware."), None
    if machine.mfu >= 1.0:
        told = (
            t("Does not arise: the speed was measured in training here, and no peak is asked.")
            if ready.measured
            else t(
                "The utilization is 100%, right for a speed that was achieved. Of a peak, the plan itself does this."
            )
        )
        return 0.0 if ready.measured else None, told, None
    found, wanted = by_peak(law, plan.C, machine.mfu), optimal_for_compute(law, plan.C / machine.mfu)
    told = t(
        "{time} would seem to buy {N} on {D}, which takes {over} longer. Stopped in time after {done} tokens it ends "
        "at {loss}, not at {best}.",
        time=format_duration(seconds),
        N=format_quantity(wanted.N),
        D=format_quantity(wanted.D),
        over=format_duration(seconds * (1.0 / machine.mfu - 1.0)),
        done=format_quantity(found.D),
        loss=format_loss(found.loss),
        best=format_loss(found.optimum.loss),
    )
    return found.loss_gap, told, solid(ready.source, found.N, found.D)


def tokens_factor(batch: float, critical: float) -> float:
    """Times the fewest tokens that a loss takes at a batch: 1 + B / B_crit (Kaplan et al. 2020, equation 5.5)."""
    return 1.0 + batch / critical


def _batch(ready: Prepared) -> Cost:
    plan, recipe = ready.plan, ready.recipe
    if recipe is None:
        return None, _unwritten(ready), None
    critical = critical_batch(plan.loss)
    own = recipe.tokens_per_step
    batch = BATCH_TIMES * max(critical, own)
    times = tokens_factor(batch, critical) / tokens_factor(own, critical)
    told = t(
        "At {batch} tokens a step instead of {own} the same loss takes {times} times the tokens.",
        batch=format_quantity(batch),
        own=format_quantity(own),
        times=format_quantity(times),
    )
    more = "" if plan.seconds is None else format_duration(plan.seconds * (times - 1.0))
    if plan.usd is not None:
        usd = money(plan.usd * (times - 1.0))
        told = together(told, t("That is {more} and {usd} USD more on these devices.", more=more, usd=usd))
    elif more:
        told = together(told, t("That is {more} more on these devices.", more=more))
    return times, told, solidity([(CRITICAL_RANGE, plan.loss)])


def _memory(ready: Prepared) -> Cost:
    model = ready.model
    if model is None:
        return None, _unwritten(ready), None
    weights, gradients, optimizer = state_bytes(model.count.total, ready.precision)
    states = weights + gradients + optimizer
    told = t(
        "Weights are {weights}; with gradients and AdamW's moments it is {states}, {each} bytes for each parameter, "
        "before any activation.",
        weights=format_bytes(weights),
        states=format_bytes(states),
        each=sum(bytes_per_parameter(ready.precision)),
    )
    return states - weights, together(told, _spread(weights, states, ready.memory)), None


def _spread(weights: float, states: float, memory: float | None) -> str:
    """Over how many devices both have to be spread."""
    if memory is None:
        return ""
    few, many = (max(1, math.ceil(size / (SHARE * memory))) for size in (weights, states))
    if many == 1:
        return t("One device of {memory} holds both.", memory=format_bytes(memory))
    return t("That is {many:,} devices of {memory}, not {few:,}.", many=many, memory=format_bytes(memory), few=few)


def _counting(ready: Prepared, law: Law) -> Cost:
    model = ready.model
    if model is None:
        return None, _unwritten(ready), None
    count, D = model.count, ready.plan.D
    without, whole = float(law.loss(count.non_embedding, D)), float(law.loss(count.total, D))
    kaplan = isinstance(ready.source, Preset) and ready.source.convention == "non-embedding"
    told = t(
        "Embeddings and head are {share} of its {total} parameters. This law counts {how}; by the other count it "
        "foretells {wrong} instead of {right}.",
        share=percent(1.0 - count.non_embedding / count.total),
        total=format_quantity(count.total),
        how=t("without them") if kaplan else t("all of them"),
        wrong=format_loss(whole if kaplan else without),
        right=format_loss(without if kaplan else whole),
    )
    return abs(without - whole), told, solid(ready.source, float(count.total), D)


def _unwritten(ready: Prepared) -> str:
    return t("Not known: the plan cannot be written out as one model. {reason}", reason=ready.problem)
