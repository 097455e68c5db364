"""What the views of the page "Fit your runs" share: figures, the budget, optima beside published laws, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.fit import AllocationFit, RunPoints, RunTable
from scaling_core.language import Language, current, t
from scaling_core.ui.charts import show
from scaling_core.ui.download import download
from scaling_core.ui.fit_save import fit_json
from scaling_core.ui.fit_source import Source
from scaling_core.ui.fit_tables import compare_with
from scaling_core.ui.fit_words import about_rows, question
from scaling_core.ui.fit_work import Chosen
from scaling_core.ui.inputs import quantity_input
from scaling_core.ui.page import answer, note, section
from scaling_core.ui.words import short_name
from scaling_core.viz.figure import Figure
from scaling_core.viz.fit import runs_chart
from scaling_core.viz.fit_path import Path, Quantity, law_path, path_chart, quantities
from scaling_core.viz.fit_runs import Fit
from scaling_core.viz.theme import Theme


@st.cache_resource(max_entries=96, show_spinner=False)
def _made(language: Language, key: str, theme: Theme, _make: Callable[[], Figure | None]) -> Figure | None:
    return _make()


def drawn(key: str, theme: Theme, make: Callable[[], Figure | None]) -> Figure | None:
    """A figure, made once for its language, key and theme: placing names among many runs takes tenths of a second."""
    figure: Figure | None = _made(current(), key, theme, make)
    return figure


def segments(label: str, key: str, names: Mapping[str, str]) -> str:
    """One of a few choices side by side; it survives a visit elsewhere, and is checked here."""
    first = next(iter(names))
    chosen = st.segmented_control(
        label, list(names), default=first, key=key, required=True, persist_state="session",
        format_func=lambda name: names.get(name, str(name)), label_visibility="collapsed",
    )  # fmt: skip
    return chosen if chosen in names else first


def compute_input(source: Source, points: RunPoints) -> float:
    """The budget that is asked about; it begins ten times beyond the largest run of the table."""
    start = f"{10.0 * float(points.C.max()):.1e}".replace("e+", "e")
    key = f"fit.C.{source.key[:12]}"
    return quantity_input(t("Best for compute C, FLOP"), key, start, field=t("compute"), minimum=1.0, maximum=1e32)


def nothing_fitted(points: RunPoints, problem: str, theme: Theme) -> None:
    """No law: the sentence that says why, and the runs as they are."""
    answer(question(), t("None that these runs can carry."), problem)
    if len(points):
        show(
            runs_chart(points, theme),
            "fit.law",
            alt=t("Loss against compute of the runs, through which no law was fitted."),
            name="fit",
            title=t("Fit your runs"),
            grows=True,
        )


def best_spent(
    own: Sequence[Path], points: RunPoints, C: float, theme: Theme, *, sentence: str, optima: Path | None = None
) -> list[Preset]:
    """The optimum against compute beside the laws that the reader wants to see. Returns these."""
    section(t("Where compute is best spent"), sentence)
    left, right = st.columns([1, 1.6], gap="medium", vertical_alignment="bottom")
    with left:
        names = {str(name): words[0] for name, words in quantities().items()}
        quantity = cast("Quantity", segments(t("Quantity"), "fit.quantity", names))
    with right:
        laws = compare_with()
    if not own:
        note(t("Under these constants there is no optimum to draw."))
        return laws
    others = [law_path(law.joint, own[0].C, name) for law, name in zip(laws, _names(laws), strict=True)]
    ends = (float(points.C.min()), float(points.C.max()))
    show(
        path_chart(own, [one for one in others if one is not None], quantity, theme, measured=ends, C=C, optima=optima),
        "fit.path",
        alt=t("The best size against compute under your fit, with its band, and under published laws."),
        title=t("Where compute is best spent"),
        notes=sentence,
        grows=True,
    )
    return laws


def _names(laws: Sequence[Preset]) -> list[str]:
    """Short names, no two alike: a saved law may have the name of a published one."""
    names: list[str] = []
    for law in laws:
        name = short_name(law)
        names.append(f"{name} ({law.id})" if name in (*names, t("your runs")) else name)
    return names


def reading_notes(source: Source, runs: Chosen, left_out: RunPoints | None = None) -> None:
    """How the table was read."""
    said, columns = about_rows(source, runs, left_out), read_as(source.table)
    if said or columns:
        section(t("How the runs were read"), columns)
        for sentence in said:
            note(sentence)


def read_as(table: RunTable) -> str:
    """How the columns of a table were understood, in a sentence."""
    if not table.columns:
        return ""
    taken = _enumerated([t("{title} as {name}", title=title, name=_word(q)) for q, title in table.columns.items()])
    if not table.unused:
        return t("Read {columns}.", columns=taken)
    return t("Read {columns}; not read: {unused}.", columns=taken, unused=_enumerated(table.unused[:8]))


def _word(quantity: str) -> str:
    """A quantity of a table as a sentence calls it."""
    words = {
        "loss": t("loss"),
        "se": t("se"),
        "unique": t("unique"),
        "held_out": t("held_out"),
        "group": t("group"),
        "tokenizer": t("tokenizer"),
        "label": t("label"),
    }
    return words.get(quantity, quantity)


def _enumerated(names: Sequence[str]) -> str:
    """Names one after the other: a, b, c."""
    told = names[0]
    for name in names[1:]:
        told = t("{some}, {another}", some=told, another=name)
    return told


def files(source: Source, result: Fit | AllocationFit, name: str, table: Callable[[], str]) -> None:
    """The fit as JSON and a table as CSV, made when they are asked for."""
    with st.container(horizontal=True, gap="small"):
        download("fit.json", lambda: fit_json(result, source), "fit.json", "application/json", key="fit.json")
        download(name, table, name, "text/csv", key=f"fit.{name}")
