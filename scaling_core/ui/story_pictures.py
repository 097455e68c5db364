"""Pictures that no other page has: a power law on two kinds of axes, exact match, and test-time compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from scaling_core.catalog import preset
from scaling_core.language import t, tn, together
from scaling_core.laws import PowerLaw
from scaling_core.story.numbers import ExactMatch, Thinking
from scaling_core.ui.charts import show
from scaling_core.ui.fit_pieces import segments
from scaling_core.ui.inputs import choice_input, number_input
from scaling_core.ui.law_picker import law_line, law_picker, warn_of
from scaling_core.ui.page import answer, figures, note
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.story import MARKED, SPAN, Scale, exact_chart, power_chart, smooth_chart, thinking_chart
from scaling_core.viz.theme import Theme


def power(theme: Theme) -> None:
    """A power law on linear and on logarithmic axes, and what a floor does to it."""
    words = st.container()
    left, right, _ = st.columns([1.3, 1.3, 3.4], gap="medium", vertical_alignment="bottom")
    with left:
        id = choice_input(t("Law"), "power.law", power_names())
    with right:
        floor = number_input(t("Floor, nats (yours)"), "power.floor", 0.0, minimum=0.0, maximum=10.0)
    published = preset(id)
    law = published.law
    assert isinstance(law, PowerLaw)
    with words:
        answer(*power_words(law, floor), law_line(published))
        warn_of(published)
    titles = {"linear": t("Linear axes"), "log": t("Logarithmic axes")}
    for column, (scale, title) in zip(st.columns(2, gap="medium"), titles.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            figure = power_chart(law, floor, theme, cast("Scale", scale))
            show(figure, f"power.{scale}", alt=title, grows=True, half=True, title=power_words(law, floor)[1])
    note(
        t(
            "Each dot stands for ten times the one before. The dashed line is the law without the floor, where there "
            "is one: Kaplan et al. fitted none."
        )
    )


def power_names() -> dict[str, str]:
    """The laws in one variable, as the box names them."""
    return {
        "kaplan2020-n": t("Kaplan 2020, L(N)"),
        "kaplan2020-d": t("Kaplan 2020, L(D)"),
        "kaplan2020-c": t("Kaplan 2020, L(C)"),
    }


def power_words(law: PowerLaw, floor: float) -> tuple[str, str, str]:
    """Question, answer and the reason; the factors are worked out from the law that is drawn."""
    question = t("What does ten times as much buy?")
    low, high = SPAN[law.variable]
    first = (law.loss(10 * low) + floor) / (law.loss(low) + floor)
    last = (law.loss(high) + floor) / (law.loss(high / 10) + floor)
    steps = t(
        "From {before} to {after} nats over the first step, from {less} to {least} over the last.",
        before=format_loss(law.loss(low) + floor),
        after=format_loss(law.loss(10 * low) + floor),
        less=format_loss(law.loss(high / 10) + floor),
        least=format_loss(law.loss(high) + floor),
    )
    if floor > 0:
        told = t(
            "With a floor of {floor:g} nats the line bends: the first tenfold multiplies the loss by {first:.2f}, the "
            "last by {last:.2f}.",
            floor=floor,
            first=first,
            last=last,
        )
    elif law.variable == "N":
        told = t("Ten times the parameters multiply the loss by {factor:.2f}, every time.", factor=first)
    elif law.variable == "D":
        told = t("Ten times the tokens multiply the loss by {factor:.2f}, every time.", factor=first)
    else:
        told = t("Ten times the compute multiplies the loss by {factor:.2f}, every time.", factor=first)
    return question, told, steps


def emergence(theme: Theme) -> None:
    """The same law as loss and as the share of answers without a mistake."""
    with st.sidebar:
        published, law = law_picker("law", url=True)
    words = st.container()
    left, right, numbers = st.columns([1.1, 1.9, 3], gap="medium", vertical_alignment="bottom")
    with left:
        tokens = number_input(t("Tokens of an answer"), "emergence.tokens", 10.0, minimum=1.0, maximum=1000.0)
    with right:
        share = choice_input(t("The loss of an answer's token"), "emergence.share", share_names())
    found = ExactMatch(law=law, tokens=tokens, above=share == "above")
    with words:
        answer(*emergence_words(found), law_line(published))
        warn_of(published)
    with numbers:
        figures(emergence_numbers(found))
    smooth, sharp = st.columns(2, gap="medium")
    how = about_exact()
    with sharp:
        with _heading("sharp", t("Accuracy by exact match")):
            scales = {"linear": t("linear"), "log": t("logarithmic")}
            scale = cast("Scale", segments(t("Scale of accuracy"), "emergence.scale", scales))
        figure, alt = exact_chart(found, theme, scale), t("Accuracy against compute.")
        show(figure, f"exact.{scale}", alt=alt, grows=True, half=True, title=t("Accuracy by exact match"), notes=how)
    with smooth:
        _heading("smooth", t("Loss"))
        alt = t("Loss against compute, falling smoothly.")
        show(smooth_chart(found, theme), "smooth", alt=alt, grows=True, half=True, title=t("Loss"), notes=how)
    note(how)


def _heading(name: str, title: str) -> DeltaGenerator:
    """The title of one of two pictures side by side, in a row of the same height on both sides; for more in it."""
    row = st.container(
        key=f"heading-{name}", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    )
    row.markdown(f"**{title}**", width="content")
    return row


def about_exact() -> str:
    """What is computed, and what it takes for granted."""
    return t(
        "An answer is right when each of its k tokens is: p^k with p = exp(−loss), the loss that of the best model "
        "of each budget. That every token has this loss, and that a determined answer has none of the floor, are "
        "assumptions; the jump is in the metric, not in the law (Schaeffer et al. 2023 argue so)."
    )


def share_names() -> dict[str, str]:
    """Which loss counts, as the box names it."""
    return {
        "above": t("above the floor: one right answer"),
        "whole": t("all of it: free text"),
    }


def emergence_words(found: ExactMatch) -> tuple[str, str, str]:
    """Where the accuracy rises, and how little the loss did meanwhile."""
    question = t("Does the ability jump, or only the metric?")
    low, high = (found.compute_for(share) for share in MARKED)
    k = f"{found.tokens:g}"
    if low is None or high is None:
        return (
            question,
            tn(
                "No jump in sight: under this law answers of one token stay mostly wrong at every budget shown.",
                "No jump in sight: under this law answers of {n} tokens stay mostly wrong at every budget shown.",
                found.tokens,
                n=k,
            ),
            t("At most {most} of them can ever be right.", most=_share(found.most)) if found.most < 0.5 else "",
        )
    drop = -math.log(MARKED[0]) / found.tokens + math.log(MARKED[1]) / found.tokens
    return (
        question,
        tn(
            "Answers of one token go from {few} to {many} right while the loss falls by {drop} nats.",
            "Answers of {n} tokens go from {few} to {many} right while the loss falls by {drop} nats.",
            found.tokens,
            n=k,
            few=_share(MARKED[0]),
            many=_share(MARKED[1]),
            drop=f"{drop:.3f}",
        ),
        t(
            "That takes the compute from {low} to {high} FLOP, and on the way nothing happens to the loss that did not "
            "happen before.",
            low=scientific(low),
            high=scientific(high),
        ),
    )


def emergence_numbers(found: ExactMatch) -> list[tuple[str, str]]:
    """Budgets at which so many answers are right."""
    budgets = [(share, found.compute_for(share)) for share in MARKED]
    return [
        (t("{share} right at, FLOP", share=_share(share)), "–" if C is None else scientific(C, 2))
        for share, C in budgets
    ]


def test_time(theme: Theme) -> None:
    """The talk's own formula of test-time compute, marked as such, and where it ends."""
    words = st.container()
    left, right, numbers = st.columns([1.2, 1.6, 3.2], gap="medium", vertical_alignment="bottom")
    with left:
        b = number_input(t("b (the talk: 0.3 to 0.5)"), "thinking.b", 0.4, minimum=0.01, maximum=2.0)
    with right:
        start = number_input(
            t("Accuracy of 1B in one step, % (yours)"), "thinking.start", 2.0, minimum=1e-4, maximum=100.0
        )
    found = Thinking(start=start / 100, b=b)
    with words:
        answer(*thinking_words(found, b), source_of_thinking())
    with numbers:
        figures(
            [
                ("a", f"{found.a:.2e}".replace("e-0", "e-")),
                (t("ten times the steps"), f"× {10**b:.2f}"),
                (t("100% for 1B at, steps"), format_quantity(found.full_at(1e9))),
            ]
        )
    how = t(
        "The joined points have the same N T. Above 100% the lines are dashed: there the formula says what cannot "
        "be. It is drawn because the talk states it, not because it was measured."
    )
    alt = t("Accuracy against steps of thought for three sizes, straight lines that cross 100%.")
    title = t("The talk's own formula: accuracy = a (N T)^b, here with b = {b:g}", b=b)
    show(thinking_chart(found, theme), "thinking", alt=alt, grows=True, title=title, notes=how)
    note(how)


def thinking_words(found: Thinking, b: float) -> tuple[str, str, str]:
    """What the formula claims, and where it cannot hold."""
    full = format_quantity(found.full_at(1e9) * 1e9)
    return (
        t("The talk's own formula: accuracy = a (N T)^b, here with b = {b:g}", b=b),
        t("By the talk's formula one for one: 1B with 100 steps is as good as 100B with one."),
        together(
            t("Only the product of size and steps counts."),
            t("At N T = {full} it passes 100%, so it cannot hold to the end.", full=full),
            t("The talk gives b from 0.3 to 0.5 and no a: the accuracy of 1B in one step is yours."),
        ),
    )


def source_of_thinking() -> str:
    """Where the formula comes from, in one line."""
    return t(
        "Source: the talk itself. It names Snell et al. 2024 beside the formula; no published form of it was found."
    )


def _share(x: float) -> str:
    if x >= 0.01:
        return f"{100 * x:.0f}%"
    return f"{100 * x:.1g}%".replace("e-0", "e-")


DRAWN: Mapping[str, Callable[[Theme], None]] = {"power": power, "emergence": emergence, "test-time": test_time}
"""By the name of the picture in the address."""
BESIDE = "emergence"
"""The one that has controls beside the page."""
