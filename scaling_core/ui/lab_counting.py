"""What N counts: the exponent of a ladder in three counts of parameters, and why they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import streamlit as st

from scaling_core.allocations import allocation
from scaling_core.fit import FitResult
from scaling_core.lab.records import Plan
from scaling_core.runs import results
from scaling_core.runs.results import Counting
from scaling_core.ui import lab_data, lab_html, lab_words
from scaling_core.ui.charts import download_figure, show
from scaling_core.ui.fit_pieces import drawn, segments
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_words_closer import between, number
from scaling_core.ui.page import note
from scaling_core.units import format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.lab_counting import best_size_chart, exponent_chart
from scaling_core.viz.lab_counts import (
    COUNTING_NAMES,
    Exponent,
    embedding_shares,
    fitted_exponent,
    read_without_embeddings,
)
from scaling_core.viz.theme import Theme

COLUMNS = ("N counts", "E", "A", "α", "B", "β", "a, best N ∝ Cᵃ")
READ = "With head, read as Kaplan"
"""Name of the exponent that the law in N with head gives once N and C leave embeddings and head out."""
KAPLAN, HOFFMANN = "kaplan2020-n-of-c", "hoffmann2022-1-n"
"""The published exponents beside which one's own are drawn, by their id in `data/allocations.csv`."""


def counting_view(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """The choice of a count, the exponent in it, the same for all counts side by side, and the explanation."""
    runs, plan = seen.status.runs, seen.row.plan
    if found.law is None:
        note(found.reason)
        return
    bootstrap = lab_data.LIVE_BOOTSTRAP if seen.status.state == "running" else results.BOOTSTRAP
    with st.spinner("Fitting the law in each count."):
        tried = {counting: lab_data.fit_now(runs, counting, bootstrap=bootstrap) for counting in COUNTING_NAMES}
    fits = {counting: fit for counting, fit in tried.items() if isinstance(fit, FitResult)}
    names: dict[str, str] = {counting: COUNTING_NAMES[counting][0] for counting in fits}
    chosen = cast("Counting", segments("N counts", "lab.counting", names))
    own = [fitted_exponent(fit, COUNTING_NAMES[counting][0]) for counting, fit in fits.items()]
    key = f"lab|{seen.row.id}|{'|'.join(f'{fit.n}.{fit.value:.9g}' for fit in fits.values())}"
    read = _read(key, fits.get("with_head"), seen) if "with_head" in fits else None
    rows = [*own, *([] if read is None else [read])]
    said = explanation(plan, own, read)
    note(said[0])
    left, right = st.columns(2, gap="large")
    published = [("Hoffmann", allocation(HOFFMANN).exponent), ("Kaplan", allocation(KAPLAN).exponent)]

    def exponents() -> Figure:
        return exponent_chart(rows, published, COUNTING_NAMES[chosen][0], theme)

    def sizes() -> Figure:
        return best_size_chart(fits, chosen, theme)

    for column, make, name, alt in (
        (left, exponents, "exponents", "The exponent of the best size in each count, with its interval."),
        (right, sizes, "best-size", "The best size over compute in each count; the chosen one with its band."),
    ):
        with column:
            figure = drawn(f"{key}|{chosen}|{name}", theme, make)
            assert figure is not None
            show(figure, f"lab.{name}", alt=alt, grows=True)
            download_figure(make, name, f"lab.{name}.files")
    st.html(lab_html.plain(said[1:]))
    marked = [counting == chosen for counting in fits]
    st.html(lab_html.table(COLUMNS, [constant_row(names[one], fit) for one, fit in fits.items()], marked=marked))
    for counting, fit in tried.items():
        if isinstance(fit, str):
            note(f"{COUNTING_NAMES[counting][0]}: {fit}", kind="warning")


@st.cache_resource(max_entries=32, show_spinner=False)
def _reading(key: str, _fit: FitResult, _seen: Snapshot) -> Exponent | None:
    return read_without_embeddings(_fit, _seen.row.plan, _seen.status.runs, READ)


def _read(key: str, fit: FitResult | None, seen: Snapshot) -> Exponent | None:
    return None if fit is None else _reading(key, fit, seen)


def constant_row(name: str, fit: FitResult) -> tuple[str, ...]:
    """A row of constants, each with its interval, with the columns of `COLUMNS`."""
    cells = [name]
    for constant in ("E", "A", "alpha", "B", "beta"):
        value, pair = fit.constants[constant], fit.intervals.get(constant)
        cells.append(lab_words.constant(value) + ("" if pair is None else f" ({_interval(pair)})"))
    pair = fit.exponent_intervals.get("a")
    cells.append(number(fit.exponents["a"]) + between(*(pair or (None, None))))
    return tuple(cells)


def _interval(pair: tuple[float, float]) -> str:
    return f"{lab_words.constant(pair[0])} to {lab_words.constant(pair[1])}"


def explanation(plan: Plan, own: Sequence[Exponent], read: Exponent | None) -> list[str]:
    """What the counts give here and why they differ: sentences with this ladder's own numbers.

    own: exponents in the order of `COUNTING_NAMES`, those of them that there are. read: see `READ`.
    """
    by_name = {one.name: one for one in own}
    head = by_name.get(COUNTING_NAMES["with_head"][0])
    bare = by_name.get(COUNTING_NAMES["non_embedding"][0])
    said = []
    if head is not None and bare is not None:
        more = round(bare.value, 2) - round(head.value, 2)
        way = "a steeper line" if more > 0 else "a flatter line" if more < 0 else "the same slope"
        said.append(
            f"Counted with the head, as C = 6 N D wants it, the best size grows as C to the {_told(head)}; the same "
            f"runs counted as Kaplan does, N and C without embeddings and head, give {_told(bare)}, "
            f"{way}.{_undecided(head, bare)}"
        )
    if read is not None and head is not None:
        said.append(
            "No refit is needed for that: the law in N with head, read in Kaplan's count over the computes trained "
            f"here, has the local exponent {_told(read)}."
        )
    shares = embedding_shares(plan)
    (small, first), (large, last) = shares[0], shares[-1]
    said.append(
        f"Why: embeddings and head are {100 * first:.0f}% of the smallest model here ({format_quantity(small)} in all) "
        f"and {100 * last:.0f}% of the largest ({format_quantity(large)}). Leaving them out shrinks the small models "
        "most, so the same best models lie on a steeper line, which flattens towards Chinchilla's as models grow "
        "(Pearce & Song 2024, arXiv 2406.12907). Kaplan's 0.73 also owed to a warm-up too long for small models and to "
        "rates and batches not tuned for each size (Porian et al. 2024, arXiv 2406.19146); here all three follow N."
    )
    return said


def _told(one: Exponent) -> str:
    return number(one.value) + between(one.low, one.high)


def _undecided(head: Exponent, bare: Exponent) -> str:
    """A caution where the intervals are too wide to tell the two apart."""
    if head.low is None or head.high is None or bare.low is None or bare.high is None:
        return ""
    if head.high < bare.low or bare.high < head.low:
        return ""
    return " The intervals overlap: a longer ladder would tell them apart."
