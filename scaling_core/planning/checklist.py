"""Before you press start: what is worth a look in a plan, each in one sentence that carries its number.

What only a person can answer is asked, with the number that the answer is about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from scaling_core.catalog import models
from scaling_core.checks import Check, Status, Told
from scaling_core.curves.score import Score
from scaling_core.errors import InputError, ScalingError
from scaling_core.hardware import utilisations
from scaling_core.language import listed, t, tdata, tn, together
from scaling_core.optimum import inference_optimal
from scaling_core.planning.compare import Configuration, compare
from scaling_core.planning.cost import apart, money, percent
from scaling_core.planning.evidence import law_of
from scaling_core.planning.memory import SHARE, largest_micro_batch, training_memory
from scaling_core.planning.prepared import Prepared
from scaling_core.planning.recipe import WARMUP_STEPS, Recipe
from scaling_core.units import format_bytes, format_flops, format_loss, format_quantity

FAR = 10.0
"""Times beyond the runs of a law from which its loss is no plan any more."""
EPOCHS = 4.0
"""Readings of one text that cost little (Muennighoff et al. 2023)."""
CROWDED = 4.0
"""Times the critical batch from which a fifth of the speed is left."""
LEAST_STEPS = 500
"""Fewer are in the steep first part of the curve, which no law describes."""
OLD_PRICE = 90
"""Days after which a listed price is to be looked up again."""
ALTERNATIVES = (0.5, 2.0)
"""Sizes beside the plan's at the same compute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a plan does not hold. today: for the age of a price. score: of the predictions that were measured on this
    machine, None where its record cannot be read. disk: free bytes where it would be trained, where known."""

    today: date
    score: Score | None = None
    disk: float | None = None


def checklist(ready: Prepared, around: Surroundings) -> tuple[Check, ...]:
    """Every check of the plan, in the order of the page."""
    asked: list[tuple[str, str, Callable[[], Told]]] = [
        ("utilization", t("Utilization"), lambda: _utilization(ready)),
        ("range", t("Range of the law"), lambda: _range(ready)),
        ("interval", t("Sureness of the loss"), lambda: _interval(ready)),
        ("tokens", t("Tokens"), lambda: _tokens(ready)),
        ("memory", t("Memory"), lambda: _memory(ready)),
        ("batch", t("Batch"), lambda: _batch(ready)),
        ("steps", t("Steps and warm-up"), lambda: _steps(ready)),
        ("disk", t("Disk"), lambda: _disk(ready, around.disk)),
        ("price", t("Price"), lambda: _price(ready, around.today)),
        ("rehearsal", t("A small ladder first"), lambda: _rehearsal(around.score)),
        ("serving", t("Serving"), lambda: _serving(ready)),
    ]
    found = [(id, what, _told(ask)) for id, what, ask in asked]
    return tuple(Check(id=id, what=what, status=status, seen=seen) for id, what, (status, seen) in found)


def grounds() -> tuple[tuple[str, str, str], ...]:
    """By check, what makes it well and where that is from: (what, rule, source)."""
    return (
        (t("Utilization"), t("within what trainings were measured to reach"),
         t("data/utilisation.csv, each row with its source")),
        (t("Range of the law"), t("N, D and C within the runs of the law; failed from {n:g} times outside", n=FAR),
         t("the law's own source, above")),
        (t("Sureness of the loss"), t("half or twice the size at the same C differ in sign in as many refits as the "
                                      "level of the intervals"), t("the law's refits")),
        (t("Tokens"), t("at most what a known model was trained on, or {n:g} readings of it", n=EPOCHS),
         t("data/models.csv; Muennighoff et al. 2023")),
        (t("Memory"), t("16 bytes for each parameter, activations and logits within {share:.0%} of a device",
                        share=SHARE), "Rajbhandari et al. 2020; Korthikanti et al. 2022"),
        (t("Batch"), t("B ≤ B_crit = 2.1e8 / L^(1/0.21)"), t("Kaplan et al. 2020, equation 5.3")),
        (t("Steps and warm-up"), t("more steps than the {n:,} of warm-up behind the rules", n=WARMUP_STEPS),
         t("Li et al. 2025; Bi et al. 2024, section 2.3")),
        (t("Disk"), t("12 bytes for each parameter of a checkpoint, 2 or 4 for each token"),
         t("weights and AdamW's two moments in float32")),
        (t("Price"), t("listed within {n} days", n=OLD_PRICE), t("data/hardware.csv")),
        (t("A small ladder first"), t("as many of this machine's predictions in their interval as promised"),
         t("the lab's own record; Wilson 1927")),
        (t("Serving"), t("2 N for each token served against 6 N D"), t("Sardana et al. 2024, equation 2")),
    )  # fmt: skip


def summary(checks: Sequence[Check]) -> str:
    """How the checks stand, in a sentence or two."""

    def names(status: Status) -> list[str]:
        return [check.what for check in checks if check.status == status]

    well, failed, look, ask = (names(status) for status in ("ok", "failed", "warning", "ask"))
    return together(
        t("{done} of {n} checks are well.", done=len(well), n=len(checks)),
        t("Stop at: {names}.", names=listed(failed)) if failed else "",
        t("Look at: {names}.", names=listed(look)) if look else "",
        t("Ask yourself: {names}.", names=listed(ask)) if ask else "",
    )


def _told(ask: Callable[[], Told]) -> Told:
    """The answer, or the sentence of why there is none."""
    try:
        return ask()
    except ScalingError as error:
        return "warning", t("Not known for this plan. {reason}", reason=str(error))


def _utilization(ready: Prepared) -> Told:
    machine = ready.plan.machine
    if machine is None:
        return "ask", t("No hardware was given: at how many FLOP/s will it train?")
    if ready.measured:
        return "ok", t("The speed was measured here: {speed}/s.", speed=format_flops(machine.achieved))
    seen = sorted(utilisations(), key=lambda one: one.mfu)
    least, most = seen[0], seen[-1]
    told = {
        "mfu": f"{100 * machine.mfu:.3g}%",
        "least": f"{100 * least.mfu:.3g}%",
        "most": f"{100 * most.mfu:.3g}%",
        "worst": tdata(least.name),
        "best": tdata(most.name),
    }
    if machine.mfu >= 1.0:
        return "ask", t("100%: is {speed}/s a speed that was measured in training, or a peak?",
                        speed=format_flops(machine.achieved))  # fmt: skip
    if machine.mfu > most.mfu:
        return "failed", t("{mfu} is more than any training here was measured to reach; {best} has {most}.", **told)
    if machine.mfu < least.mfu:
        return "warning", t("{mfu} is less than the least that was measured, {least} by {worst}.", **told)
    return "ok", t("{mfu} lies between {least} ({worst}) and {most} ({best}), as measured.", **told)


def _range(ready: Prepared) -> Told:
    found, plan = ready.plan.extrapolation, ready.plan
    if not found.stated:
        return "ask", t("This law states no range: was it fitted on models like one of {N}?", N=format_quantity(plan.N))
    if found.worst <= 1.0:
        return "ok", t("{N} parameters on {D} tokens lie within the runs behind the law.", N=format_quantity(plan.N),
                       D=format_quantity(plan.D))  # fmt: skip
    status: Status = "failed" if found.worst > FAR else "warning"
    return status, together(*found.sentences)


def _interval(ready: Prepared) -> Told:
    plan = ready.plan
    others = [Configuration(name=f"{times:g}", N=times * plan.N, D=plan.D / times) for times in ALTERNATIVES]
    found = compare(ready.source, [Configuration(name="", N=plan.N, D=plan.D), *others])
    pairs = [(abs(pair.difference), times, pair) for times in ALTERNATIVES for pair in [found.pair("", f"{times:g}")]]
    gap, times, pair = min(pairs, key=lambda one: one[0])
    told = {
        "other": t("half the size") if times < 1.0 else t("twice the size"),
        "gap": apart(gap),
        "share": percent(pair.share or 0.0),
    }
    interval = plan.loss_interval
    if pair.share is None or interval is None:
        return "ask", t("This law has no refits. The nearest alternative, {other} at the same compute, is {gap} away: "
                        "would you stake it on that?", **told)  # fmt: skip
    told |= {"low": format_loss(interval.low), "high": format_loss(interval.high)}
    if pair.clear:
        return "ok", t("{low} to {high}. The nearest alternative, {other} at the same compute, is {gap} away, and on "
                       "the same side in {share} of the refits.", **told)  # fmt: skip
    return "warning", t("{low} to {high}. The nearest alternative, {other} at the same compute, is {gap} away, and on "
                        "the same side in only {share} of the refits.", **told)  # fmt: skip


def _tokens(ready: Prepared) -> Told:
    D = ready.plan.D
    most = max(models(), key=lambda one: one.tokens or 0.0)
    told = {
        "D": format_quantity(D),
        "name": most.name,
        "most": format_quantity(most.tokens),
        "few": format_quantity(D / EPOCHS),
        "n": f"{EPOCHS:g}",
    }
    if D > EPOCHS * most.tokens:
        return "failed", t("{D}: even the {most} of {name}, read {n} times, are fewer.", **told)
    if D > most.tokens:
        return "warning", t("{D} are more than the {most} of {name}; read {n} times, {few} of your own would do.",
                            **told)  # fmt: skip
    return "ok", t("{D}; {name} was trained on {most}. Have you {few} of your own, to be read {n} times?", **told)


def _memory(ready: Prepared) -> Told:
    model, recipe, memory, devices = ready.model, ready.recipe, ready.memory, ready.devices
    if model is None or recipe is None:
        return _unwritten(ready)
    need = training_memory(model, 1, precision=ready.precision)
    if memory is None:
        return "ask", t("{needed} for one sequence: has one device that much?", needed=format_bytes(need.total))
    stage = least_stage(ready)
    told = {"memory": format_bytes(memory), "share": f"{SHARE:.0%}", "devices": f"{devices:,}"}
    if stage == 0:
        each = max(1, recipe.sequences // devices)
        fits = largest_micro_batch(model, memory, most=each, share=SHARE, precision=ready.precision)
        used = training_memory(model, fits, precision=ready.precision)
        return "ok", t("{used} of the {memory} of one device, its optimizer's state included.",
                       used=format_bytes(used.total), **told)  # fmt: skip
    if stage is None:
        least = training_memory(model, 1, precision=ready.precision, stage=3 if devices > 1 else 0, devices=devices)
        return "failed", t("{needed} on each of {devices} devices, of {share} of {memory}, and nothing more to shard.",
                           needed=format_bytes(least.total), **told)  # fmt: skip
    return "warning", t("{needed} unsharded: it fits into {memory} from ZeRO stage {stage} on, of 3, over {devices} "
                        "devices.", needed=format_bytes(need.total), stage=stage, **told)  # fmt: skip


def least_stage(ready: Prepared) -> int | None:
    """The least stage of ZeRO's sharding at which one sequence fits, 0 for none; None where no stage does."""
    if ready.model is None or ready.memory is None:
        return None
    for stage in range(4) if ready.devices > 1 else range(1):
        need = training_memory(ready.model, 1, precision=ready.precision, stage=stage, devices=ready.devices)
        if need.total <= SHARE * ready.memory:
            return stage
    return None


def _batch(ready: Prepared) -> Told:
    recipe = ready.recipe
    if recipe is None:
        return _unwritten(ready)
    own, critical = recipe.tokens_per_step, recipe.critical_batch
    if critical is None:
        return "ask", t("{own} tokens a step: at this loss no critical batch is known.", own=format_quantity(own))
    told = {"own": format_quantity(own), "critical": format_quantity(critical),
            "times": format_quantity(own / critical, 2)}  # fmt: skip
    if own <= critical:
        return "ok", t("{own} tokens a step, {times} of the critical {critical}.", **told)
    status: Status = "failed" if own > CROWDED * critical else "warning"
    return status, t("{own} tokens a step, {times} times the critical {critical}: take fewer devices.", **told)


def _steps(ready: Prepared) -> Told:
    recipe = ready.recipe
    if recipe is None:
        return _unwritten(ready)
    steps = tn("{n:,} step", "{n:,} steps", recipe.steps)
    if recipe.steps < LEAST_STEPS:
        return "failed", t("{steps}: fewer than {least} are in the steep first part, which no law describes.",
                           steps=steps, least=LEAST_STEPS)  # fmt: skip
    if recipe.steps <= WARMUP_STEPS:
        return "warning", t("{steps}, no more than the {least:,} of warm-up behind the rules; {own:,} are planned.",
                            steps=steps, least=WARMUP_STEPS, own=recipe.warmup_steps)  # fmt: skip
    return "ok", t("{steps}, of them {own:,} of warm-up.", steps=steps, own=recipe.warmup_steps)


def _disk(ready: Prepared, free: float | None) -> Told:
    recipe: Recipe | None = ready.recipe
    if recipe is None:
        return _unwritten(ready)
    told = {
        "n": recipe.checkpoints,
        "each": format_bytes(recipe.checkpoint_bytes),
        "text": format_bytes(recipe.dataset_bytes),
        "all": format_bytes(recipe.disk_bytes),
    }
    if free is None:
        return "ask", t("{n} checkpoints of {each} and {text} of tokens: are {all} free where it trains?", **told)
    told["free"] = format_bytes(free)
    if recipe.disk_bytes > free:
        return "failed", t("{n} checkpoints of {each} and {text} of tokens are {all}; {free} are free.", **told)
    return "ok", t("{n} checkpoints of {each} and {text} of tokens are {all} of {free} free.", **told)


def _price(ready: Prepared, today: date) -> Told:
    machine, usd = ready.plan.machine, ready.plan.usd
    if machine is None or usd is None or machine.price is None:
        return "ask", t("No price is listed: what will {hours} device-hours cost you?",
                        hours=format_quantity(ready.plan.device_hours or 0.0)) if machine is not None else t(
                            "No hardware was given: what will it cost?")  # fmt: skip
    told = {"usd": money(usd), "price": money(machine.price)}
    if not machine.price_date:
        return "ok", t("{usd} USD, at your own {price} for each device-hour.", **told)
    days = (today - date.fromisoformat(machine.price_date)).days
    told["date"] = machine.price_date
    if days > OLD_PRICE:
        return "warning", t("{usd} USD at {price}, but that was listed on {date}, {days} days ago.", days=days, **told)
    return "ok", t("{usd} USD, at {price} for each device-hour as listed on {date}.", **told)


def _rehearsal(score: Score | None) -> Told:
    total = None if score is None else score.total
    if total is None or total.median_error is None or total.promised is None:
        return "ask", t("No prediction of a ladder was measured on this machine yet: train a small one first?")
    told = {"within": total.within, "promised": f"{total.promised:.0%}", "error": f"{total.median_error:.2%}"}
    if total.coverage_high < total.promised:
        return "warning", tn(
            "{within} of {n} prediction of this machine held, fewer than the {promised} promised; half miss by "
            "{error} or more.",
            "{within} of {n} predictions of this machine held, fewer than the {promised} promised; half miss by "
            "{error} or more.",
            total.n,
            **told,
        )
    return "ok", tn(
        "{within} of {n} prediction of this machine held its measurement; half miss by less than {error}.",
        "{within} of {n} predictions of this machine held their measurement; half miss by less than {error}.",
        total.n,
        **told,
    )


def _serving(ready: Prepared) -> Told:
    plan = ready.plan
    served = 3.0 * plan.D
    told = {"served": format_quantity(served)}
    try:
        best = inference_optimal(law_of(ready.source), D_inference=served, C=plan.C)
    except InputError:
        return "ask", t("How many tokens will it answer? From {served} on, serving costs more than training.", **told)
    return "ask", t(
        "How many tokens will it answer? From {served} on, serving costs more than training; for so many, {N} on {D} "
        "is best.",
        N=format_quantity(best.N),
        D=format_quantity(best.D),
        **told,
    )


def _unwritten(ready: Prepared) -> Told:
    return "failed", t("The plan cannot be written out as one model. {reason}", reason=ready.problem)
