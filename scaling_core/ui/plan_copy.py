"""The third part of the page "Plan a training": the plan as a model, a recipe, a memory, and files to copy."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from scaling_core.errors import InputError
from scaling_core.language import t, tdata, tn, together
from scaling_core.planning import Budgeted, Source
from scaling_core.planning.architecture import SOURCE, Architecture, architecture_for
from scaling_core.planning.configuration import nanogpt
from scaling_core.planning.memory import SHARE, SOURCES, Precision, TrainingMemory, largest_micro_batch, training_memory
from scaling_core.planning.prepared import Prepared, precision_of, recipe_of
from scaling_core.planning.recipe import CRITICAL_SOURCE, Recipe
from scaling_core.ui import lab_html
from scaling_core.ui.download import download
from scaling_core.ui.inputs import choice_input, integer_input
from scaling_core.ui.page import folded, note, section
from scaling_core.ui.plan_hardware import Asked, spoken
from scaling_core.ui.plan_lab import lab_part
from scaling_core.ui.words import ratio
from scaling_core.units import format_bytes, format_quantity

USUAL = {"gpt2": (50_257, 1024), "llama": (32_000, 4096)}
"""Vocabulary and context at first: GPT-2's, and those of Llama 2."""
MOST_PLANNED = 100_000
"""Devices beyond which no batch is planned."""


def copied(source: Source, plan: Budgeted, wish: Asked) -> Prepared:
    """The plan as a model with an exact count, its recipe, its memory, and two files; returns what it was made into."""
    precision = precision_of(wish.device, measured=wish.measured is not None)
    ready = Prepared(
        source=source, plan=plan, memory=wish.memory, precision=precision, measured=wish.measured is not None
    )
    words = st.container()
    style_at, vocab_at, context_at, _ = st.columns([1.4, 1.2, 1.2, 3], gap="small", vertical_alignment="top")
    with style_at:
        style = choice_input(t("Style"), "plan.style", {"gpt2": tdata("GPT-2"), "llama": tdata("Llama")})
    vocab_size, context = USUAL[style]
    with vocab_at:
        vocab_size = integer_input(t("Vocabulary"), f"plan.vocab.{style}", vocab_size, minimum=2, maximum=2**22)
    with context_at:
        context = integer_input(t("Context, tokens"), f"plan.context.{style}", context, minimum=8, maximum=2**20)
    title = t("A plan to copy")
    try:
        model = architecture_for(
            plan.N, style="llama" if style == "llama" else "gpt2", vocab_size=vocab_size, context=context
        )
        recipe = _recipe(model, plan, wish)
    except InputError as error:
        with words:
            section(title, t("With this vocabulary and this hardware it cannot be written out as one model."))
        spoken(error)
        lab_part(plan)
        return replace(ready, problem=str(error))
    with words:
        section(
            title,
            together(
                model.sentence(),
                tn(
                    "It trains for {n:,} step of {batch} tokens.",
                    "It trains for {n:,} steps of {batch} tokens.",
                    recipe.steps,
                    batch=format_quantity(recipe.tokens_per_step),
                ),
            ),
        )
    shape, rest = st.columns(2, gap="large")
    with shape:
        st.html(lab_html.pairs(_shape_rows(model)))
    with rest:
        st.html(lab_html.pairs(_recipe_rows(recipe)))
    for caution in recipe.cautions:
        note(caution, kind="warning")
    _rules(recipe)
    _memory(model, recipe, wish, precision)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _nanogpt(model, recipe, wish)
    with right:
        lab_part(plan)
    return replace(ready, model=model, recipe=recipe)


def _recipe(model: Architecture, plan: Budgeted, wish: Asked) -> Recipe:
    if wish.machine.count > MOST_PLANNED:
        raise InputError(
            t("number of devices"),
            f"{wish.machine.count:,}",
            t("a batch is planned for at most {most} devices", most=f"{MOST_PLANNED:,}"),
        )
    return recipe_of(model, plan)


def _shape_rows(model: Architecture) -> list[tuple[str, str]]:
    count = model.count
    rows = [
        (t("layers"), f"{model.n_layer:,}"),
        (t("width"), f"{model.d_model:,}"),
        (t("heads"), t("{n}, each {width} wide", n=f"{model.n_head:,}", width=model.head_width)),
        (t("width of the MLP"), f"{model.hidden:,}"),
        (t("vocabulary"), f"{model.vocab_size:,}"),
        (t("context, tokens"), f"{model.context:,}"),
        (t("parameters, exactly"), f"{count.total:,}"),
        (t("of them in the layers"), f"{count.blocks:,}"),
        (t("asked for"), t("{N}, met to {off}", N=format_quantity(model.wanted), off=f"{model.deviation:+.1%}")),
    ]
    return rows


def _recipe_rows(recipe: Recipe) -> list[tuple[str, str]]:
    sequences = tn("{n:,} sequence", "{n:,} sequences", recipe.sequences)
    rows = [
        (t("batch"), t("{tokens} tokens, {sequences}", tokens=format_quantity(recipe.tokens_per_step),
                       sequences=sequences)),
        (t("peak learning rate"), _rate(recipe.rate)),
        (t("last learning rate"), t("{rate}, by cosine", rate=_rate(recipe.last_rate))),
        (t("warm-up"), tn("{n:,} step", "{n:,} steps", recipe.warmup_steps)),
        (t("steps"), f"{recipe.steps:,}"),
        (t("tokens in all"), format_quantity(recipe.tokens, 4)),
        (t("checkpoints"), t("{n} of {size}", n=recipe.checkpoints, size=format_bytes(recipe.checkpoint_bytes))),
        (t("tokens on disk"), format_bytes(recipe.dataset_bytes)),
        (t("disk in all"), format_bytes(recipe.disk_bytes)),
    ]  # fmt: skip
    if recipe.critical_batch is not None:
        rows.append((t("critical batch"), t("{tokens} tokens", tokens=format_quantity(recipe.critical_batch))))
    return rows


def _rate(rate: float) -> str:
    """A learning rate: 0.00108, 9.17e-5."""
    return f"{rate:.3g}".replace("e-0", "e-")


def _rules(recipe: Recipe) -> None:
    """Which rule said what, and how far outside its runs the plan lies."""
    rows = [
        [
            tdata(one.rule.name),
            format_quantity(one.batch_tokens),
            _rate(one.rate),
            t("within") if one.outside <= 1.0 else t("{factor} ×", factor=ratio(one.outside)),
            tdata(one.rule.formula),
            tdata(one.rule.source),
        ]
        for one in recipe.suggestions
    ]
    head = [t("rule"), t("batch, tokens"), t("rate"), t("outside by"), t("formula"), t("source")]
    table = lab_html.table(head, rows, marked=[one.rule is recipe.rule for one in recipe.suggestions], small=True)
    below = lab_html.plain(
        [
            t("Batch and rate are those of {rule}, to whose runs the plan is nearest.", rule=recipe.rule.name),
            t("Layers and width: {source}.", source=SOURCE),
            t("Critical batch: {source}.", source=CRITICAL_SOURCE),
            t("Memory: {source}.", source=SOURCES),
        ]
    )
    label = t("The rules behind shape, batch and rate, and how far outside their runs this plan lies")
    folded(label, table + below, "plan-sources-rules")


def _memory(model: Architecture, recipe: Recipe, wish: Asked, precision: Precision) -> None:
    """The memory of one device by stage of sharding, against what it has."""
    count = wish.machine.count
    each = max(1, recipe.sequences // count)
    rows: list[list[str]] = []
    fits: list[int] = []
    stages = _stages()
    for stage in range(4) if count > 1 else range(1):
        try:
            micro = (
                1
                if wish.memory is None
                else max(
                    1,
                    largest_micro_batch(
                        model, wish.memory, most=each, share=SHARE, precision=precision, stage=stage, devices=count
                    ),
                )
            )
            need = training_memory(model, micro, precision=precision, stage=stage, devices=count)
        except InputError as error:
            spoken(error)
            return
        inside = wish.memory is not None and need.total <= SHARE * wish.memory
        if inside:
            fits.append(stage)
        rows.append(
            [
                stages[stage],
                *_bytes(need),
                f"{micro:,}",
                "–" if wish.memory is None else t("fits") if inside else t("does not fit"),
            ]
        )
    head = [t("sharded"), t("weights"), t("gradients"), t("optimizer"), t("activations, logits"),
            t("in all"), t("sequences at once"), t("verdict")]  # fmt: skip
    st.html(lab_html.table(head, rows))
    note(_memory_words(wish, precision, fits))


def _stages() -> list[str]:
    return [
        t("not at all"),
        t("ZeRO 1: optimizer"),
        t("ZeRO 2: and gradients"),
        t("ZeRO 3: and weights"),
    ]


def _bytes(need: TrainingMemory) -> list[str]:
    parts = (need.weights, need.gradients, need.optimizer, need.activations + need.logits + need.working, need.total)
    return [format_bytes(part) for part in parts]


def _memory_words(wish: Asked, precision: Precision, fits: list[int]) -> str:
    """What the table of memory says, in a sentence or two."""
    if wish.memory is None:
        told = t("The memory of this hardware is not known here; one sequence at a time is counted.")
    elif not fits:
        told = t(
            "No way of sharding fits into the {memory} of one device, of which {share:.0%} are filled: take more "
            "devices or larger ones.",
            memory=format_bytes(wish.memory),
            share=SHARE,
        )
    elif fits[0] == 0:
        told = t(
            "It fits into the {memory} of one device, of which {share:.0%} may be filled, with nothing sharded.",
            memory=format_bytes(wish.memory),
            share=SHARE,
        )
    else:
        told = t(
            "Of the {memory} of one device {share:.0%} may be filled; {stage} is the least that must be sharded.",
            memory=format_bytes(wish.memory),
            share=SHARE,
            stage=_stages()[fits[0]],
        )
    how = (
        t("Weights, gradients and activations in 2 bytes, master weights and moments in 4.")
        if precision == "mixed"
        else t("Everything in 4 bytes.")
    )
    return together(told, how, t("What a framework adds is not counted."))


def _nanogpt(model: Architecture, recipe: Recipe, wish: Asked) -> None:
    """The configuration for nanoGPT, or why there is none."""
    st.html(lab_html.chart_title(tdata("nanoGPT"), t("its configuration, as a file")))
    if wish.device is not None and wish.device.kind == "tpu":
        note(t("nanoGPT does not train on TPUs."))
        return
    device = "mps" if wish.device is not None and wish.device.kind == "mac" else "cuda"
    if wish.measured is not None:
        device = wish.measured.device
    try:
        made = nanogpt(
            model,
            recipe,
            device="mps" if device == "mps" else "cpu" if device == "cpu" else "cuda",
            memory_bytes=wish.memory,
        )
    except InputError as error:
        spoken(error)
        return
    if made.reason:
        note(made.reason)
        return
    st.code(made.text, language="python", height=330, wrap_lines=True)
    st.code(made.command, language="bash", wrap_lines=True)
    download(t("Download the configuration"), lambda: made.text, "plan.py", "text/x-python", key="plan.nanogpt")
