"""Calculator: what a law says of a model, of a budget, and of GPT-3 against Chinchilla."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from scaling_core.catalog import Preset, model
from scaling_core.errors import InputError
from scaling_core.language import t, together
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
from scaling_core.ui.knobs import Quantity, quantity_knobs
from scaling_core.ui.law_picker import law_line, law_picker, outside, warn_of
from scaling_core.ui.live import live_chart
from scaling_core.ui.live_words import live_answer, live_budget, live_model, live_verdicts
from scaling_core.ui.page import note, page, section
from scaling_core.ui.pins import base_of, ghosts_of, pin_controls
from scaling_core.ui.uncertainty import how_sure
from scaling_core.units import format_flops, format_loss, format_quantity
from scaling_core.viz.axes import Domain, scientific
from scaling_core.viz.isoflop import Mark, isoflop_chart
from scaling_core.viz.laws import slice_chart, terms_chart
from scaling_core.viz.live import isoflop_args, slice_args, terms_args
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
    live_answer(law, gpt3, chinchilla, law_line(published), theme)
    warn_of(published)
    C = budget(law, published, theme)
    section(t("GPT-3 and Chinchilla side by side"))
    live_verdicts(law, [(GPT3.name, gpt3), (CHINCHILLA.name, chinchilla)], published, theme, key="law~verdicts")
    return C


GIVEN: dict[str, tuple[str, Callable[[Law, float], Allocation]]] = {
    "C": ("3.15e23", optimal_for_compute),
    "N": ("70B", optimal_for_params),
    "D": ("1.4T", optimal_for_tokens),
    "loss": ("2.0", optimal_for_loss),
}
"""What the optimum may be asked for: what the field begins with, and the answer."""
LEAST, MOST = 1e12, 1e32
"""Budgets that the page draws, FLOP."""


def given_names() -> dict[str, str]:
    """What the optimum may be asked for, as the box names it."""
    return {
        "C": t("Given C, in FLOP"),
        "N": t("Given parameters"),
        "D": t("Given tokens"),
        "loss": t("Given a loss, in nats"),
    }


def wanted(law: Law) -> tuple[str, Allocation]:
    """What the reader gives (a budget, a size, tokens, or the loss to be reached), and the optimum for it.

    Where the law has none, such as a loss below its floor, the sentence says so and the budget of GPT-3 stands in.
    """
    given = choice_input(t("Given"), "given", given_names(), hide_label=True)
    name, (start, solve) = given_names()[given], GIVEN[given]
    if given == "C":
        compute = Quantity(
            name="C", label="", field=t("compute"), default=start, minimum=LEAST, maximum=MOST, low=1e18, high=1e28
        )
        value = quantity_knobs("law", [compute], key="law~compute")["C"]
    else:
        least = 1e-3 if given == "loss" else 1e3
        field = {"N": t("parameters"), "D": t("tokens"), "loss": t("target loss")}[given]
        value = quantity_input(name, f"given.{given}", start, field=field, minimum=least, maximum=1e24, hide_label=True)
    try:
        best = solve(law, value)
        if not LEAST <= best.C <= MOST:
            allowed = t("its optimum takes {flops}, beyond this page", flops=format_flops(best.C))
            raise InputError(name, format_quantity(value), allowed)
    except InputError as error:
        note(together(error.args[0], t("Shown instead: the compute of GPT-3.")), kind="error")
        given, best = "C", optimal_for_compute(law, 3.15e23)
    return given, best


def budget(law: Law, published: Preset | None, theme: Theme) -> float:
    """One number in, the best model out, and the isoFLOP curves around it. Returns the budget in FLOP."""
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="center")
    with left:
        given, best = wanted(law)
    ghosts = ghosts_of("law", published)
    with right:
        live_budget(law, best, given, ghosts, theme)
    axes: tuple[Domain, Domain] | None = st.session_state.get("law~axes")
    figure = isoflop_chart(law, best.C, MARKS, theme, ghosts=ghosts, axes=axes)
    how = t(
        "Along each curve the compute is the same, so a larger model sees fewer tokens. Each dot is the best model "
        "of its budget; the dotted line joins them."
    )
    st.session_state["law~axes"] = tuple(figure.values["x_domain"]), tuple(figure.values["y_domain"])
    live_chart(
        figure,
        law,
        "law",
        {"C": best.C},
        kind="isoflop",
        args=isoflop_args(figure, MARKS, ghosts),
        key="isoflop",
        alt=t("Loss against parameters at five compute budgets, with the best model of each and GPT-3 and Chinchilla."),
        grows=True,
        title=t("Compute-optimal models"),
        notes=how,
        numbers=[
            (t("compute, FLOP"), scientific(best.C)),
            (t("best parameters"), format_quantity(best.N)),
            (t("on tokens"), format_quantity(best.D)),
            (t("loss, nats per token"), format_loss(best.loss)),
        ],
    )
    note(how)
    outside(published, N=best.N, D=best.D, C=best.C)
    how_sure(law, base_of("law", published), best.C, theme)
    return best.C


def prediction(law: Law, published: Preset | None, theme: Theme) -> tuple[float, float]:
    """N and D in, the loss and its terms out. Returns them."""
    section(
        t("Predict a model"),
        t(
            "The loss is what no model can avoid, plus what is lost because the model is finite, plus what is lost "
            "because the data are."
        ),
    )
    left, right = st.columns([1, 3.2], gap="large", vertical_alignment="center")
    with left:
        values = quantity_knobs(
            "law",
            [
                Quantity(
                    name="N", label=t("Parameters N"), field=t("parameters"), default="175B", minimum=1e3, maximum=1e18,
                    low=1e7, high=1e13,
                ),
                Quantity(
                    name="D", label=t("Tokens D"), field=t("tokens"), default="300B", minimum=1e3, maximum=1e20,
                    low=1e9, high=1e15,
                ),
            ],
            key="law~model",
        )  # fmt: skip
    N, D = values["N"], values["D"]
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
    live_model(law, N, D, theme)
    figure = terms_chart([(t("this model"), here), (t("the best for its compute"), there)], theme)
    live_chart(
        figure,
        law,
        "law",
        {"N": N, "D": D},
        kind="terms",
        args=terms_args(figure),
        key="terms",
        alt=t("The terms of the loss of this model and of the best for its compute."),
        title=t("Predict a model"),
        notes=verdict.sentence,
        numbers=[
            (t("Parameters N"), format_quantity(N)),
            (t("Tokens D"), format_quantity(D)),
            (t("loss, nats per token"), format_loss(verdict.loss)),
        ],
    )


def pictures(law: Law, published: Preset | None, C: float, N: float, D: float, theme: Theme) -> None:
    """The surface over N and D, and its two slices."""
    steps = t(
        "Every point is a model and its training. Steps along the dashed line are the cheapest way down; "
        "everything outside the frame is extrapolation."
    )
    section(t("The whole surface"), steps)
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
        alt=t("Filled contours of the loss over parameters and tokens, with the compute-optimal frontier."),
        title=t("The whole surface"),
        notes=steps,
    )
    wall = t("More of one thing alone runs into a wall: the other one, and then the floor.")
    section(t("One axis at a time"), wall)
    along = {
        "N": t("Loss against parameters at the chosen tokens."),
        "D": t("Loss against tokens at the chosen parameters."),
    }
    for column, (variable, alt) in zip(st.columns(2, gap="medium"), along.items(), strict=True):
        with column:
            figure = slice_chart(law, "N" if variable == "N" else "D", N, D, theme)
            args = slice_args(figure, variable)
            live_chart(
                figure, law, "law", {"N": N, "D": D}, kind="slice", args=args, key=f"slice.{variable}", alt=alt,
                half=True, title=t("One axis at a time"), notes=wall,
            )  # fmt: skip


with page("calculator") as theme:
    with st.sidebar:
        published, law = law_picker("law", url=True)
        pin_controls("law", law, published)
    C = opening(law, published, theme)
    N, D = prediction(law, published, theme)
    pictures(law, published, C, N, D, theme)
