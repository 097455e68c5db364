"""The page "Run on my Mac": which ladder is looked at, by the address, and the ladders of the past."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from scaling_core.errors import StoreError
from scaling_core.language import retold, t
from scaling_core.runs import place
from scaling_core.runs.liveness import ShownState, shown_state
from scaling_core.runs.rows import SweepRow
from scaling_core.runs.scoring import predictions_score
from scaling_core.ui import lab_data, lab_html, lab_rows, lab_words
from scaling_core.ui.lab_plan import FLASH, new_ladder
from scaling_core.ui.lab_player import close_replay, replaying
from scaling_core.ui.lab_replay import replay_view
from scaling_core.ui.lab_sweep import preview, recorded_view, sweep_view
from scaling_core.ui.page import answer, escape_markdown, section
from scaling_core.viz.theme import Theme

NEW, EXAMPLE = "new", "example"
"""In the address: the view that plans a new ladder, and the ladder that came with the project."""
_PICK = "lab.pick"
_HISTORY = 8
"""Past ladders listed with their results; the chooser has them all."""


def lab_page(theme: Theme) -> None:
    """The whole page. All it shows is read from the store, so another tab or server shows the same."""
    st.html(lab_html.styles(theme))
    home = place.home()
    try:
        rows = lab_data.sweeps(home)
    except StoreError as error:
        answer(t("Run on my Mac"), t("The record of what was trained here cannot be opened."))
        st.error(escape_markdown(str(error)))
        return
    states = {row.id: shown_state(row, home) for row in rows}
    shown = _asked(rows, states)
    example = lab_data.recorded()
    if rows or example is not None:
        _chooser(rows, shown, example=example is not None)
    if (sentence := st.session_state.pop(FLASH, None)) is not None:
        st.warning(escape_markdown(retold(sentence)))
    if replaying() and shown != NEW and states.get(shown) != "running":
        sweep = None if shown == EXAMPLE else shown
        replay_view(theme, home, sweep, example if sweep is None else lab_data.snapshot(home, sweep))
        return
    close_replay()
    if shown == EXAMPLE:
        recorded_view(theme, home)
        return
    if shown != NEW:
        sweep_view(theme, home, shown)
        return
    new_ladder(theme, home, rows)
    if rows:
        _history(home, rows, states)
        _score(home)
    elif example is not None:
        preview(theme, example)


def _asked(rows: Sequence[SweepRow], states: dict[str, ShownState]) -> str:
    """The sweep that the address names; without one, what trains now; else the view of a new ladder."""
    named = st.query_params.get("sweep")
    if named == NEW or named in states or (named == EXAMPLE and lab_data.recorded() is not None):
        return str(named)
    if named is not None:
        st.session_state[FLASH] = t("There is no ladder {name!r} here; it may have been deleted.", name=named[:60])
        del st.query_params["sweep"]
    running = next((row.id for row in rows if states[row.id] == "running"), None)
    if running is not None:
        st.query_params["sweep"] = running
        return running
    return NEW


def _chooser(rows: Sequence[SweepRow], shown: str, *, example: bool) -> None:
    """A new ladder, or any of the past.

    Within a language names never change, since the browser keeps the chosen one by its name; it is told each time.
    """
    names: dict[str, str] = {NEW: t("New ladder"), **lab_words.sweep_names(rows)}
    if example:
        names[EXAMPLE] = t("Example, recorded")
    st.session_state[_PICK] = shown
    with st.container(key="lab-chooser"):
        st.selectbox(
            t("Ladder"), list(names), format_func=lambda key: names.get(key, key), key=_PICK, on_change=_chosen,
            args=(frozenset(names),), label_visibility="collapsed",
        )  # fmt: skip


def _chosen(known: frozenset[str]) -> None:
    """Put the choice into the address; a name that no longer stands for a ladder changes nothing."""
    if st.session_state[_PICK] in known:
        st.query_params["sweep"] = st.session_state[_PICK]


def _history(home: Path, rows: Sequence[SweepRow], states: dict[str, ShownState]) -> None:
    """What was trained here before, with what became of each prediction."""
    section(t("Trained on this machine"))
    for row in rows[:_HISTORY]:
        seen = lab_data.past(home, row.id)
        name, result, button = st.columns([5, 6, 2], vertical_alignment="center")
        name.markdown(f"**{escape_markdown(lab_words.sweep_name(row))}**")
        result.markdown(escape_markdown(lab_words.outcome(states[row.id], *seen)))
        if button.button(t("Open"), key=f"lab.open.{row.id}", width="stretch"):
            st.query_params["sweep"] = row.id
            st.rerun()


def _score(home: Path) -> None:
    """How well all predictions of this machine have done, by how far they reached."""
    found = predictions_score(home)
    if not found.total.n:
        return
    section(t("How far predictions can be trusted here"), found.sentence)
    st.html(lab_html.table(lab_rows.score_columns(), lab_rows.score_rows(found)))
