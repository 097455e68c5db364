"""Calculator: what a law says of a model, of a budget, and of GPT-3 against Chinchilla."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from scaling_core.catalog import Preset, model
from scaling_core.errors import InputError
from scaling_core.laws import Law
from scaling_core.optimum import (
    Allocation,
    Verdict,
    judge,
    optimal_for_compute,
    optimal_for_loss,
    optimal_for_params,
    optimal_for_tokens,
)
from scaling_core.ui.charts import show
from scaling_core.ui.inputs import choice_input, quantity_input
from scaling_core.ui.law_picker import law_line, law_picker, outside, warn_of
from scaling_core.ui.page import answer, figures, note, page, section
from scaling_core.ui.words import comparison, headline, optimum_interval, ratio, verdict_table
from scaling_core.units import format_flops, format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.laws import TERMS, Mark, isoflop_chart, slice_chart, term_colours, terms_chart
from scaling_core.viz.surface import surface_chart
from scaling_core.viz.theme import Theme

GPT3, CHINCHILLA = model("gpt3"), model("chinchilla")
MARKS = [
    Mark(name=GPT3.name, N=GPT3.N, D=GPT3.tokens, strong=True),
    Mark(name=CHINCHILLA.name, N=CHINCHILLA.N, D=CHINCHILLA.tokens),
]


def opening(law: Law, published: Preset | None, theme: Theme) -> float:
    """The talk's question answered by the law: in a sentence, in numbers, in a picture. Returns the budget in FLOP."""
    gpt3, chinchilla = judge(law, GPT3.N, GPT3.tokens), judge(law, CHINCHILLA.N, CHINCHILLA.tokens)
    question, sentence = headline(gpt3)
    answer(question, sentence, comparison(gpt3, chinchilla), law_line(published))
    warn_of(published)
    C = budget(law, published, theme)
    section("GPT-3 and Chinchilla side by side")
    verdict_table([(GPT3.name, gpt3), (CHINCHILLA.name, chinchilla)], published)
    return C


GIVEN: dict[str, tuple[str, str, Callable[[Law, float], Allocation]]] = {
    "C": ("Given C, in FLOP", "3.15e23", optimal_for_compute),
    "N": ("Given parameters", "70B", optimal_for_params),
    "D": ("Given tokens", "1.4T", optimal_for_tokens),
    "loss": ("Given a loss, in nats", "2.0", optimal_for_loss),
}
"""What the optimum may be asked for: its name in the box, what the field begins with, and the answer."""
LEAST, MOST = 1e12, 1e32
"""Budgets that the page draws, FLOP."""


def wanted(law: Law) -> tuple[str, Allocation]:
    """What the reader gives (a budget, a size, tokens, or the loss to be reached), and the optimum for it.

    Where the law has none, such as a loss below its floor, the sentence says so and the budget of GPT-3 stands in.
    """
    given = choice_input("Given", "given", {id: name for id, (name, _, _) in GIVEN.items()}, hide_label=True)
    name, start, solve = GIVEN[given]
    if given == "C":
        value = quantity_input(
            name, "C", start, field="compute", minimum=LEAST, maximum=MOST, url=True, hide_label=True
        )
    else:
        least = 1e-3 if given == "loss" else 1e3
        field = {"N": "parameters", "D": "tokens", "loss": "target loss"}[given]
        value = quantity_input(name, f"given.{given}", start, field=field, minimum=least, maximum=1e24, hide_label=True)
    try:
        best = solve(law, value)
        if not LEAST <= best.C <= MOST:
            raise InputError(
                name, format_quantity(value), f"its optimum takes {format_flops(best.C)}, beyond this page"
            )
    except InputError as error:
        note(f"{error} Shown instead: the compute of GPT-3.", kind="error")
        given, best = "C", optimal_for_compute(law, 3.15e23)
    return given, best


def budget(law: Law, published: Preset | None, theme: Theme) -> float:
    """One number in, the best model out, and the isoFLOP curves around it. Returns the budget in FLOP."""
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="center")
    with left:
        given, best = wanted(law)
    shown = {
        "C": ("compute, FLOP", scientific(best.C)),
        "N": ("best parameters", format_quantity(best.N)),
        "D": ("on tokens", format_quantity(best.D)),
        "loss": ("loss, nats per token", format_loss(best.loss)),
        "ratio": ("tokens per parameter", ratio(best.tokens_per_param)),
    }
    with right:
        figures([pair for name, pair in shown.items() if name != given])
        spread(law, published, best.C)
    show(
        isoflop_chart(law, best.C, MARKS, theme),
        "isoflop",
        alt="Loss against parameters at five compute budgets, with the best model of each and GPT-3 and Chinchilla.",
        grows=True,
    )
    note(
        "Along each curve the compute is the same, so a larger model sees fewer tokens. Each dot is the best model of "
        "its budget; the dotted line joins them."
    )
    outside(published, N=best.N, D=best.D, C=best.C)
    return best.C


def spread(law: Law, published: Preset | None, C: float) -> None:
    """How far the optimum at C could lie elsewhere, where the law was saved with the replicates of its fit."""
    if published is not None and published.replicates is not None:
        note(optimum_interval(law, published.replicates, C))


def prediction(law: Law, published: Preset | None, theme: Theme) -> tuple[float, float]:
    """N and D in, the loss and its terms out. Returns them."""
    section(
        "Predict a model",
        "The loss is what no model can avoid, plus what is lost because the model is finite, plus what is lost because "
        "the data are.",
    )
    left, right = st.columns([1, 3.2], gap="large", vertical_alignment="center")
    with left:
        N = quantity_input("Parameters N", "N", "175B", field="parameters", minimum=1e3, maximum=1e18, url=True)
        D = quantity_input("Tokens D", "D", "300B", field="tokens", minimum=1e3, maximum=1e20, url=True)
    verdict = judge(law, N, D)
    with right:
        terms(law, verdict, theme)
    note(verdict.sentence)
    outside(published, N=N, D=D)
    return N, D


def terms(law: Law, verdict: Verdict, theme: Theme) -> None:
    """The three terms as numbers in the colours of the bars, and the bars of this model and of its optimum."""
    N, D, best = verdict.N, verdict.D, verdict.optimum
    here = {name: float(value) for name, value in law.terms(N, D).items()}
    there = {name: float(value) for name, value in law.terms(best.N, best.D).items()}
    colours = term_colours(theme)
    figures(
        [("loss, nats per token", format_loss(verdict.loss))]
        + [(TERMS[name], format_loss(here[name])) for name in TERMS],
        ["", *(colours[name] for name in TERMS)],
    )
    rows = [("this model", here), (f"best: {format_quantity(best.N)} on {format_quantity(best.D)}", there)]
    show(terms_chart(rows, theme), "terms", alt="The terms of the loss of this model and of the best for its compute.")


def pictures(law: Law, published: Preset | None, C: float, N: float, D: float, theme: Theme) -> None:
    """The surface over N and D, and its two slices."""
    section(
        "The whole surface",
        "Every point is a model and its training. Steps along the dashed line are the cheapest way down; everything "
        "outside the frame is extrapolation.",
    )
    show(
        surface_chart(
            law,
            C,
            MARKS,
            theme,
            valid_N=published.valid_N if published else None,
            valid_D=published.valid_D if published else None,
        ),
        "surface",
        alt="Filled contours of the loss over parameters and tokens, with the compute-optimal frontier.",
    )
    section("One axis at a time", "More of one thing alone runs into a wall: the other one, and then the floor.")
    left, right = st.columns(2, gap="medium")
    with left:
        show(slice_chart(law, "N", N, D, theme), "slice.N", alt="Loss against parameters at the chosen tokens.")
    with right:
        show(slice_chart(law, "D", N, D, theme), "slice.D", alt="Loss against tokens at the chosen parameters.")


with page("calculator") as theme:
    with st.sidebar:
        published, law = law_picker("law", url=True)
    C = opening(law, published, theme)
    N, D = prediction(law, published, theme)
    pictures(law, published, C, N, D, theme)
