"""What N counts: the exponent of a ladder in three counts of parameters, and why they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import streamlit as st

from scaling_core.allocations import allocation
from scaling_core.fit import FitResult
from scaling_core.lab.records import Plan
from scaling_core.language import t, together
from scaling_core.runs import results
from scaling_core.runs.results import Counting
from scaling_core.ui import lab_data, lab_html, lab_words
from scaling_core.ui.charts import show
from scaling_core.ui.fit_pieces import drawn, segments
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_words_closer import estimate, span
from scaling_core.ui.page import note
from scaling_core.units import format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.lab_counting import best_size_chart, exponent_chart
from scaling_core.viz.lab_counts import (
    Exponent,
    counting_names,
    embedding_shares,
    fitted_exponent,
    read_without_embeddings,
)
from scaling_core.viz.theme import Theme

KAPLAN, HOFFMANN = "kaplan2020-n-of-c", "hoffmann2022-1-n"
"""The published exponents beside which one's own are drawn, by their id in `data/allocations.csv`."""


def counting_view(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """The choice of a count, the exponent in it, the same for all counts side by side, and the explanation."""
    runs, plan = seen.status.runs, seen.row.plan
    if found.law is None:
        note(found.reason)
        return
    bootstrap = lab_data.LIVE_BOOTSTRAP if seen.status.state == "running" else results.BOOTSTRAP
    counts = counting_names()
    with st.spinner(t("Fitting the law in each count.")):
        tried = {counting: lab_data.fit_now(runs, counting, bootstrap=bootstrap) for counting in counts}
    fits = {counting: fit for counting, fit in tried.items() if isinstance(fit, FitResult)}
    names: dict[str, str] = {counting: counts[counting][0] for counting in fits}
    chosen = cast("Counting", segments(t("N counts"), "lab.counting", names))
    own = {counting: fitted_exponent(fit, counts[counting][0]) for counting, fit in fits.items()}
    key = f"lab|{seen.row.id}|{'|'.join(f'{fit.n}.{fit.value:.9g}' for fit in fits.values())}"
    read = _read(key, fits.get("with_head"), seen) if "with_head" in fits else None
    rows = [*own.values(), *([] if read is None else [read])]
    said = explanation(plan, own, read)
    note(said[0])
    left, right = st.columns(2, gap="large")
    published = [("Hoffmann", allocation(HOFFMANN).exponent), ("Kaplan", allocation(KAPLAN).exponent)]

    def exponents() -> Figure:
        return exponent_chart(rows, published, counts[chosen][0], theme)

    def sizes() -> Figure:
        return best_size_chart(fits, chosen, theme)

    for column, make, name, alt in (
        (left, exponents, "exponents", t("The exponent of the best size in each count, with its interval.")),
        (right, sizes, "best-size", t("The best size over compute in each count; the chosen one with its band.")),
    ):
        with column:
            figure = drawn(f"{key}|{chosen}|{name}", theme, make)
            assert figure is not None
            show(
                figure, f"lab.{name}", alt=alt, grows=True, half=True, name=name, title=t("What N counts"),
                notes=said[0],
            )  # fmt: skip
    st.html(lab_html.plain(said[1:]))
    marked = [counting == chosen for counting in fits]
    st.html(
        lab_html.table(
            constant_columns(t("N counts")), [constant_row(names[one], fit) for one, fit in fits.items()], marked=marked
        )
    )
    for counting, fit in tried.items():
        if isinstance(fit, str):
            note(t("{name}: {reason}", name=counts[counting][0], reason=fit), kind="warning")


@st.cache_resource(max_entries=32, show_spinner=False)
def _reading(key: str, _fit: FitResult, _seen: Snapshot) -> Exponent | None:
    return read_without_embeddings(_fit, _seen.row.plan, _seen.status.runs, "read")


def _read(key: str, fit: FitResult | None, seen: Snapshot) -> Exponent | None:
    """The exponent that the law in N with head gives once N and C leave embeddings and head out."""
    found: Exponent | None = None if fit is None else _reading(key, fit, seen)
    return None if found is None else replace(found, name=t("With head, read as Kaplan"))


def constant_columns(first: str) -> tuple[str, ...]:
    """The headings above `constant_row`, after that of the names."""
    return first, "E", "A", "α", "B", "β", t("a, best N ∝ Cᵃ")


def constant_row(name: str, fit: FitResult) -> tuple[str, ...]:
    """A row of constants, each with its interval, with the columns of `constant_columns`."""
    cells = [name]
    for constant in ("E", "A", "alpha", "B", "beta"):
        value, pair = fit.constants[constant], fit.intervals.get(constant)
        written = lab_words.constant(value)
        ends = None if pair is None else (lab_words.constant(pair[0]), lab_words.constant(pair[1]))
        cells.append(written if ends is None else span(written, *ends))
    cells.append(estimate(fit.exponents["a"], *fit.exponent_intervals.get("a", (None, None))))
    return tuple(cells)


def explanation(plan: Plan, own: Mapping[Counting, Exponent], read: Exponent | None) -> list[str]:
    """What the counts give here and why they differ: sentences with this ladder's own numbers.

    own: the exponent in each count in which there is one. read: of the law in N with head, see `_read`.
    """
    head, bare = own.get("with_head"), own.get("non_embedding")
    said = []
    if head is not None and bare is not None:
        said.append(together(_steeper(head, bare), _undecided(head, bare)))
    if read is not None and head is not None:
        said.append(
            t(
                "No refit is needed for that: the law in N with head, read in Kaplan's count over the computes trained "
                "here, has the local exponent {read}.",
                read=_told(read),
            )
        )
    shares = embedding_shares(plan)
    (small, first), (large, last) = shares[0], shares[-1]
    said.append(
        t(
            "Why: embeddings and head are {first:.0f}% of the smallest model here ({small} in all) and {last:.0f}% of "
            "the largest ({large}). Leaving them out shrinks the small models most, so the same best models lie on a "
            "steeper line, which flattens towards Chinchilla's as models grow (Pearce & Song 2024, arXiv 2406.12907). "
            "Kaplan's 0.73 also owed to a warm-up too long for small models and to rates and batches not tuned for "
            "each size (Porian et al. 2024, arXiv 2406.19146); here all three follow N.",
            first=100 * first,
            small=format_quantity(small),
            last=100 * last,
            large=format_quantity(large),
        )
    )
    return said


def _steeper(head: Exponent, bare: Exponent) -> str:
    """The exponents in both counts, and how the lines compare."""
    more = round(bare.value, 2) - round(head.value, 2)
    fields = {"head": _told(head), "bare": _told(bare)}
    if more > 0:
        return t(
            "Counted with the head, as C = 6 N D wants it, the best size grows as C to the {head}; the same runs "
            "counted as Kaplan does, N and C without embeddings and head, give {bare}, a steeper line.",
            **fields,
        )
    if more < 0:
        return t(
            "Counted with the head, as C = 6 N D wants it, the best size grows as C to the {head}; the same runs "
            "counted as Kaplan does, N and C without embeddings and head, give {bare}, a flatter line.",
            **fields,
        )
    return t(
        "Counted with the head, as C = 6 N D wants it, the best size grows as C to the {head}; the same runs "
        "counted as Kaplan does, N and C without embeddings and head, give {bare}, the same slope.",
        **fields,
    )


def _told(one: Exponent) -> str:
    return estimate(one.value, one.low, one.high)


def _undecided(head: Exponent, bare: Exponent) -> str:
    """A caution where the intervals are too wide to tell the two apart."""
    if head.low is None or head.high is None or bare.low is None or bare.high is None:
        return ""
    if head.high < bare.low or bare.high < head.low:
        return ""
    return t("The intervals overlap: a longer ladder would tell them apart.")
