"""The middle of the page "Plan a training": whether to continue a trained model, in stages, and what experts buy."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from scaling_core.catalog import Preset, preset
from scaling_core.errors import InputError
from scaling_core.language import t, together
from scaling_core.laws import Law
from scaling_core.planning import Budgeted, law_of
from scaling_core.planning import experts as moe
from scaling_core.planning.experts import COUNTS, Mixture, best_mixture
from scaling_core.planning.transfer import (
    CHARACTERS_PER_TOKEN,
    LAWS,
    OSSIFIED_D,
    OSSIFIED_N,
    OWN_DATA,
    PRETRAINED,
    SIZES,
    SOURCE,
    Continued,
    Pretraining,
    Transferred,
    continued,
    transferred,
)
from scaling_core.ui import lab_html
from scaling_core.ui.charts import show
from scaling_core.ui.inputs import choice_input, number_input, quantity_input
from scaling_core.ui.page import folded, note, section
from scaling_core.ui.plan_hardware import spoken
from scaling_core.ui.plan_stages import in_stages
from scaling_core.ui.plan_words import Figures, flops
from scaling_core.ui.words import percent, ratio
from scaling_core.units import format_bytes, format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.plan_more import leaves_its_range, transfer_chart
from scaling_core.viz.theme import Theme

SLIDE = (50e6, 1e9, 40e9)
"""The talk's own example: parameters, tokens of one's own, tokens of pre-training."""


def further(source: Preset | Law, plan: Budgeted | None, theme: Theme) -> None:
    """All of them; stages and experts, which spend the plan's compute, only where there is a plan."""
    continuing(source, theme)
    st.space("medium")
    if plan is not None:
        in_stages(source, plan)
        st.space("medium")
        experts(plan)
        st.space("medium")


# ---- continue or start over


def continuing(source: Preset | Law, theme: Theme) -> None:
    """The fields, the answer, its numbers, the picture, and where all of it comes from."""
    words = st.container()
    before_at, size_at, first_at, own_at, letters_at, _ = st.columns(
        [1.75, 0.95, 1.05, 0.95, 1.5, 1.4], gap="small", vertical_alignment="top"
    )
    with before_at:
        chosen = choice_input(t("Pre-trained on"), "plan.before", _kinds())
    with size_at:
        N = quantity_input(t("Parameters"), "plan.transfer.N", "50M", field=t("parameters"), minimum=1e3, maximum=1e18)
    with first_at:
        D_pretrain = quantity_input(
            t("Tokens before"), "plan.transfer.before", "40B", field=t("tokens"), minimum=1e3, maximum=1e20
        )
    with own_at:
        D = quantity_input(t("Own tokens"), "plan.transfer.own", "100M", field=t("tokens"), minimum=1e3, maximum=1e20)
    with letters_at:
        letters = number_input(
            t("Characters per token"), "plan.transfer.letters", CHARACTERS_PER_TOKEN, minimum=0.1, maximum=100.0,
            help=t("Transfer was measured in characters. The paper's smallest set has 3 to a token."),
        )  # fmt: skip
    kind: Pretraining = "mixed" if chosen == "mixed" else "text"
    worth = transferred(N, letters * D, kind, pretrained=letters * D_pretrain)
    here = continued(source, N=N, D=D, D_pretrain=D_pretrain)
    answer = _answer(here, worth, letters)
    with words:
        section(t("Continue training or start over?"), answer)
    numbers = _numbers(source, here, worth, letters)
    st.html(lab_html.figure_groups([numbers]))
    figure = transfer_chart(source, here, kind, letters, theme)
    how = together(
        t("The talk's rule is the most that pre-training could give; the other curve is what was measured on Python."),
        t("Dashed: beyond the runs in which transfer was measured.") if leaves_its_range(figure) else "",
    )
    show(
        figure,
        "plan.transfer",
        alt=t("Loss against tokens of one's own, from scratch, with measured transfer, and by the talk's rule."),
        grows=True,
        title=answer,
        notes=together(how, SOURCE),
        numbers=[(label, value) for label, value, _ in numbers],
    )
    note(how)
    folded(t("What transfer was measured on, and what the talk's rule leaves out"), lab_html.plain(_sources()))


def _kinds() -> dict[str, str]:
    """What a model may have been pre-trained on, by the id of the law of its transfer to Python."""
    names = {"text": t("text, for Python"), "mixed": t("text and other code, for Python")}
    return {id: names[id] for id in get_args(Pretraining)}


def _answer(here: Continued, worth: Transferred, letters: float) -> str:
    """The answer in one sentence."""
    told = {
        "N": format_quantity(here.N),
        "D": format_quantity(here.D),
        "worth": format_quantity(worth.D_T / letters),
        "before": format_quantity(here.D_pretrain),
    }
    if worth.ossified:
        return t(
            "Start over: models of {size} parameters with more than {data} characters of their own ended worse after "
            "pre-training than from scratch.",
            size=format_quantity(OSSIFIED_N),
            data=format_quantity(OSSIFIED_D),
        )
    if worth.D_T / letters >= here.D_pretrain:
        return t(
            "Continue, but count at most the {before} tokens there were: the transfer that was measured, {worth}, is "
            "that of models pre-trained on {least} characters.",
            least=format_quantity(PRETRAINED.low),
            **told,
        )
    return together(
        t(
            "Continue: by the transfer that was measured, pre-training is worth {worth} more tokens to {N} parameters "
            "with {D} of their own, not the {before} that the talk counts.",
            **told,
        ),
        worth.solidity.sentence(),
    )


def _numbers(source: Preset | Law, here: Continued, worth: Transferred, letters: float) -> Figures:
    """The numbers of a continued training, each with how solid it is."""
    loss = float(law_of(source).loss(here.N, worth.D_E / letters))
    solid = worth.solidity.told()
    return [
        (t("loss from scratch"), format_loss(here.scratch), t("by this law")),
        (t("loss with measured transfer"), format_loss(loss),
         t("by this law, at {D} tokens", D=format_quantity(worth.D_E / letters))),
        (t("loss by the talk's rule"), format_loss(here.talk), t("{solid}, the most possible",
                                                                 solid=here.talk_solidity.told())),
        (t("worth of pre-training, tokens"), format_quantity(worth.D_T / letters), solid),
        (t("data multiplied by"), ratio(worth.multiplier), solid),
        (t("compute saved"), percent(worth.share), t("read once, pre-training free")),
        (t("own data worth as much, tokens"), format_quantity(worth.even / letters), t("where both are equal")),
    ]  # fmt: skip


def _sources() -> list[str]:
    """Where the numbers of transfer come from and where they end, a sentence or two each."""
    N, D, before = SLIDE
    slide = continued(preset("talk-slides").joint, N=N, D=D, D_pretrain=before)
    laws = {
        id: t("k = {k}, α = {alpha:g}, β = {beta:g}", k=scientific(law.k), alpha=law.alpha, beta=law.beta)
        for id, law in LAWS.items()
    }
    return [
        t(
            "The talk's rule, L(N, D + D_pretrain), is the talk's own. It counts every token of pre-training as one of "
            "your own, so it holds only where both are of one distribution, and is a bound elsewhere."
        ),
        t(
            "The slide prints 2.85 for 50M parameters on 1B tokens and 2.72 after 40B of pre-training; its own law "
            "gives {scratch} and {talk}.",
            scratch=format_loss(slide.scratch),
            talk=format_loss(slide.talk),
        ),
        together(
            t("Measured: {source}, equation 1.1 and table 1: D_T = k D_F^α N^β.", source=SOURCE),
            t("After text: {text}. After half text, half code without Python: {mixed}.", **laws),
            t("D_F and D_T are characters of Python, N is without embeddings."),
            t("The paper was read in quotation; the examples of its section 6.2 come out of these constants."),
        ),
        t(
            "It was fitted where own data are few, at most a tenth of what such a model can use: sizes of about {low} "
            "to {high} parameters, {few} to {many} characters, as far as the paper states them; it lists no sizes. "
            "Only Python was asked, so for other data no number is given here.",
            low=format_quantity(SIZES.low),
            high=format_quantity(SIZES.high),
            few=format_quantity(OWN_DATA.low),
            many=format_quantity(OWN_DATA.high),
        ),
        t(
            "Models of {N} parameters with more than {D} characters ended worse than from scratch (figure 5); larger "
            "ones were not tried there.",
            N=format_quantity(OSSIFIED_N),
            D=format_quantity(OSSIFIED_D),
        ),
        t(
            "Losses are those of the law above at that many tokens; it was fitted to text, so they compare trainings "
            "and foretell no loss on Python."
        ),
    ]


# ---- experts


def experts(plan: Budgeted) -> None:
    """What the plan's compute buys with more experts: the answer, its numbers, and a table of all counts."""
    words = st.container()
    with st.columns([1.5, 6])[0]:
        chosen = choice_input(t("Experts"), "plan.experts", {str(n): str(n) for n in (8, 2, 4, 16, 32)})
    title = t("What do experts buy?")
    try:
        every = [best_mixture(n, plan.C) for n in COUNTS]
    except InputError as error:
        with words:
            section(title)
        spoken(error)
        return
    dense, one = every[0], next(row for row in every if str(row.experts) == chosen)
    with words:
        section(title, experts_told(one, dense))
    st.html(lab_html.figure_groups([_mixture_numbers(one, dense)]))
    head = [t("experts"), t("active parameters"), t("total parameters"), t("tokens"), t("loss"), t("compute saved"),
            t("weights, BF16"), t("FLOP a token served"), t("how solid")]  # fmt: skip
    st.html(lab_html.table(head, [_mixture_row(row) for row in every], marked=[row is one for row in every]))
    note(
        together(
            t("Each row is the best training for the plan's compute; one expert is a dense model."),
            t(
                "Saved is against the cheapest dense training of the same loss. Compute follows the active parameters, "
                "memory the total ones."
            ),
        )
    )
    folded(t("Where the law of experts comes from"), lab_html.plain(_law_of_experts()))


def experts_told(one: Mixture, dense: Mixture) -> str:
    """The answer in one sentence."""
    return together(
        t(
            "With {n} experts, {C} reach {loss} instead of {dense}: a dense model needs {times} times the compute for "
            "that, and the weights take {memory} times the memory.",
            n=one.experts,
            C=flops(one.C),
            loss=format_loss(one.loss),
            dense=format_loss(dense.loss),
            times=ratio(1.0 / (1.0 - one.saved)),
            memory=ratio(one.total / dense.total),
        ),
        one.solidity.sentence(),
    )


def _mixture_numbers(one: Mixture, dense: Mixture) -> Figures:
    equal = "" if one.dense is None else t("like {N} dense", N=format_quantity(one.dense))
    return [
        (t("active parameters"), format_quantity(one.active), t("dense: {x}", x=format_quantity(dense.active))),
        (t("total parameters"), format_quantity(one.total), equal),
        (t("tokens"), format_quantity(one.D), t("dense: {x}", x=format_quantity(dense.D))),
        (t("loss"), format_loss(one.loss), t("dense: {x}", x=format_loss(dense.loss))),
        (t("weights, BF16"), format_bytes(one.bytes), t("dense: {x}", x=format_bytes(dense.bytes))),
        (t("compute saved"), percent(one.saved), one.solidity.told()),
    ]


def _mixture_row(row: Mixture) -> list[str]:
    return [
        str(row.experts),
        format_quantity(row.active),
        format_quantity(row.total),
        format_quantity(row.D),
        format_loss(row.loss),
        percent(row.saved) if row.saved else "0%",
        format_bytes(row.bytes),
        scientific(row.inference_flops),
        row.solidity.told(),
    ]


def _law_of_experts() -> list[str]:
    return [
        t("Law: {source}, equation 6 and table 3.", source=moe.SOURCE),
        t("Its losses are of FineWeb-Edu: compare them here, not with those of the law above."),
        t(
            "Each token passes through one expert in each layer, a SwiGLU of 3 d. Measured: 1 to {most} experts, {low} "
            "to {high} active and up to {total} total parameters, with embeddings and head, {few} to {many} tokens.",
            most=moe.MOST,
            low=format_quantity(moe.ACTIVE.low),
            high=format_quantity(moe.ACTIVE.high),
            total=format_quantity(moe.TOTAL.high),
            few=format_quantity(moe.TOKENS.low),
            many=format_quantity(moe.TOKENS.high),
        ),
        t(
            "Total parameters follow from the active ones by the paper's shapes, L = d / 64 layers of width d and a "
            "vocabulary of {V}. Training takes about 8 times the memory of the weights; routing is not counted.",
            V=f"{moe.VOCABULARY:,}",
        ),
    ]  # fmt: skip
