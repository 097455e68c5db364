"""The seventh part of the page "Plan a training": configurations side by side, and which differences are real."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import streamlit as st

from scaling_core.catalog import Preset, model, models
from scaling_core.errors import InputError
from scaling_core.language import t, together
from scaling_core.laws import Law
from scaling_core.planning import Budgeted, Machine
from scaling_core.planning.compare import MOST, Compared, Comparison, compare, parse_configurations
from scaling_core.ui import lab_html
from scaling_core.ui.page import note, section
from scaling_core.ui.plan_words import NONE, beyond, span, usd
from scaling_core.ui.words import percent, ratio
from scaling_core.units import format_duration, format_loss, format_quantity
from scaling_core.viz.axes import scientific

KEY, ADD = "plan.configurations", "plan.add"
PRESETS = ("gpt3", "chinchilla", "llama3-8b")
"""What the field begins with, before the plan."""
NOTHING = 1e-6
"""A share of compute below which nothing is wasted."""
DIGITS = 6
"""Of the plan as it stands in the field, so that its cost there is its cost above."""


def comparison(source: Preset | Law, plan: Budgeted | None, machine: Machine) -> None:
    """The field of configurations, the table, and which neighbours in rank the law can tell apart."""
    words = st.container()
    text = _field(plan)
    try:
        found = compare(source, parse_configurations(text), machine)
    except InputError as error:
        with words:
            section(t("Compare configurations"))
        note(str(error), kind="error")
        return
    ranked = found.ranked()
    best = ranked[0]
    with words:
        section(
            t("Compare configurations"),
            t(
                "Under this law {name} has the lowest loss, {loss}, of {n} models.",
                name=best.configuration.name,
                loss=format_loss(best.loss),
                n=len(ranked),
            ),
        )
    head = [t("model"), "N", "D", "D / N", t("compute, FLOP"), t("loss"), t("above the optimum"), t("compute wasted"),
            t("wall time"), t("cost, USD"), t("beyond the runs")]  # fmt: skip
    st.html(lab_html.table(head, [_row(row) for row in ranked], small=True))
    st.html(lab_html.plain(differences(found, ranked)))


def beginning(plan: Budgeted | None) -> str:
    """What the field begins with: three known models and the plan."""
    known = [model(id) for id in PRESETS]
    some = [(one.name, one.N, one.tokens) for one in known]
    if plan is not None:
        some.append((t("this plan"), plan.N, plan.D))
    return "\n".join(_line(*one) for one in some)


def _field(plan: Budgeted | None) -> str:
    """The text of the field; as long as nobody has changed it, its last line follows the plan."""
    begun, kept = f"{KEY}~begun", f"{KEY}~kept"
    start = beginning(plan)
    if KEY not in st.session_state and kept in st.session_state:
        st.session_state[KEY] = st.session_state[kept]
    if KEY not in st.session_state or st.session_state[KEY] == st.session_state.get(begun):
        st.session_state[KEY] = start
        st.session_state[begun] = start
    lines, known = st.columns([3, 1], gap="medium")
    with lines:
        text = st.text_area(
            t("One model a line: name, N, D"),
            key=KEY,
            height=140,
            max_chars=20_000,
            help=t("At most {n}; with commas or tabs, numbers as 70B, 1.4T or 5.76e9.", n=MOST),
        )
    named = {one.id: one.name for one in models()}
    with known:
        st.selectbox(
            t("Add a known model"), list(named), index=None, key=ADD, on_change=_added,
            format_func=lambda id: named.get(id, str(id)), placeholder=t("Choose one"),
        )  # fmt: skip
    st.session_state[kept] = text or ""
    return text or ""


def _added() -> None:
    """Write the chosen model below the others, unless its name stands there; the box is empty again."""
    chosen = next((one for one in models() if one.id == st.session_state[ADD]), None)
    st.session_state[ADD] = None
    text = str(st.session_state.get(KEY, "")).rstrip()
    if chosen is not None and not any(line.split(",")[0].strip() == chosen.name for line in text.splitlines()):
        st.session_state[KEY] = f"{text}\n{_line(chosen.name, chosen.N, chosen.tokens)}".lstrip()


def _line(name: str, N: float, D: float) -> str:
    return f"{name}, {format_quantity(N, DIGITS)}, {format_quantity(D, DIGITS)}"


def _row(row: Compared) -> list[str]:
    one = row.configuration
    loss = format_loss(row.loss)
    if row.loss_interval is not None:
        loss = t("{value} ({span})", value=loss, span=span(row.loss_interval))
    return [
        one.name,
        format_quantity(one.N),
        format_quantity(one.D),
        ratio(row.tokens_per_param),
        scientific(row.C),
        loss,
        NONE if row.excess_loss is None else f"{row.excess_loss:.3f}",
        NONE if row.wasted_share is None else "0%" if row.wasted_share < NOTHING else percent(row.wasted_share),
        NONE if row.seconds is None else format_duration(row.seconds),
        usd(row.usd),
        beyond(row.extrapolation),
    ]


def differences(found: Comparison, ranked: Sequence[Compared]) -> list[str]:
    """A sentence for each two neighbours in rank, or one where the law has no refits."""
    if len(ranked) < 2:
        return [t("One model alone has nothing to be compared with.")]
    pairs = [found.pair(first.configuration.name, second.configuration.name) for first, second in pairwise(ranked)]
    if all(pair.share is None for pair in pairs):
        return [
            together(
                t("Rows are in the order of their loss; wall time and cost are those of the hardware above."),
                t("This law has no refits, so whether a difference is larger than its uncertainty is not known."),
            )
        ]
    said = [t("Rows are in the order of their loss; wall time and cost are those of the hardware above.")]
    for pair in pairs:
        told = {
            "first": pair.first,
            "second": pair.second,
            "difference": f"{abs(pair.difference):.3f}",
            "share": percent(pair.share or 0.0),
        }
        said.append(
            t(
                "{first} is better than {second} by {difference} nats, and so it is in {share} of the refits: the law "
                "tells them apart.",
                **told,
            )
            if pair.clear
            else t(
                "{first} is better than {second} by {difference} nats, but only in {share} of the refits: the law does "
                "not tell them apart.",
                **told,
            )
        )
    return said
