"""Ladders beside one another: their laws and points in one picture, their constants, and what was set differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from scaling_core.fit import FitResult
from scaling_core.lab.spec import BYTES_VOCAB
from scaling_core.runs import results
from scaling_core.runs.rows import SweepRow
from scaling_core.ui import lab_data, lab_html, lab_words
from scaling_core.ui.charts import download_figure, show
from scaling_core.ui.fit_pieces import drawn
from scaling_core.ui.lab_counting import COLUMNS, constant_row
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.page import note
from scaling_core.units import format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.lab_compare import Compared, bits_per_nat, compare_chart
from scaling_core.viz.theme import Theme

MOST = 2
"""Other ladders beside the one that is looked at."""
NAMES = {"shapes": "sizes", "seeds": "seeds a size", "rate_factors": "factors on the rate", "rules": "version of rules"}
"""Fields of a specification whose names a reader would not know."""


def compare_view(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """A choice of up to two other finished ladders, the picture, and two tables."""
    rows = lab_data.sweeps(home)
    names = lab_words.sweep_names(rows)
    others = [row.id for row in rows if row.state == "finished" and row.id != seen.row.id and not row.plan.spec.tunes]
    if not others:
        note("There is no other finished ladder on this machine: train a second one, on another text say.")
        return
    chosen = st.multiselect(
        "Compare with", others, format_func=lambda id: names.get(id, id), key="lab.compare", max_selections=MOST,
        placeholder="Choose one or two other finished ladders", label_visibility="collapsed",
    )  # fmt: skip
    picked = [row for id in chosen for row in rows if row.id == id]
    sweeps = [seen.row, *picked]
    measured = [list(seen.status.runs), *(lab_data.past(home, row.id)[0] for row in picked)]
    with st.spinner("Fitting the law of each ladder."):
        fits = [lab_data.fit_now(runs, "with_head", bootstrap=results.BOOTSTRAP) for runs in measured]
    units = [bits_per_nat(runs) for runs in measured]
    title, sentence, in_bits = unit_of(sweeps, units)
    note(sentence)
    ladders = [
        Compared(
            name=names.get(row.id, row.id),
            runs=tuple(runs),
            fit=fit if isinstance(fit, FitResult) else None,
            unit=(unit or 1.0) if in_bits else 1.0,
        )
        for row, runs, fit, unit in zip(sweeps, measured, fits, units, strict=True)
    ]
    if any(run.loss is not None for runs in measured for run in runs):
        counts = [sum(run.loss is not None for run in runs) for runs in measured]
        marks = "|".join(f"{row.id}.{count}" for row, count in zip(sweeps, counts, strict=True))

        def make() -> Figure:
            return compare_chart(ladders, title, theme)

        figure = drawn(f"lab|compare|{marks}", theme, make)
        assert figure is not None
        show(figure, "lab.compare.chart", alt="Loss over compute of each ladder, with the law of each.", grows=True)
        download_figure(make, "compared-ladders", "lab.compare.files")
    fitted = [(ladder.name, fit) for ladder, fit in zip(ladders, fits, strict=True)]
    cells = [constant_row(name, fit) for name, fit in fitted if isinstance(fit, FitResult)]
    if cells:
        st.html(lab_html.table(("Ladder", *COLUMNS[1:]), cells))
        note("E, A and B in nats per token of each ladder's own tokens; N with head; intervals at 95%.")
    for name, fit in fitted:
        if isinstance(fit, str):
            note(f"{name}: {fit}", kind="warning")
    if picked:
        changed = differences(sweeps)
        if changed:
            st.html(lab_html.table(("Set differently", *(ladder.name for ladder in ladders)), changed))
        else:
            note("They were set alike in everything, the seed included.")


def unit_of(sweeps: Sequence[SweepRow], units: Sequence[float | None]) -> tuple[str, str, bool]:
    """Title of the loss axis, what to say of it, and whether it is in bits per byte.

    units: `bits_per_nat` of each ladder.
    """
    vocabularies = {row.plan.spec.vocab_size for row in sweeps}
    texts = {str(row.corpus.get("hash", row.id)) for row in sweeps}
    known = all(unit is not None for unit in units)
    read = (
        "Lines are the least loss that each compute buys by each law, dashed beyond its runs; marks are measured ends."
    )
    if len(vocabularies) > 1 and known:
        return (
            "Loss, bits per byte",
            f"{read} Losses are in bits per byte: the vocabularies differ, so losses per token cannot be compared.",
            True,
        )
    if len(texts) > 1 and known:
        return (
            "Loss, bits per byte",
            f"{read} The texts differ, and so do their floors: compare the slopes, and not the heights.",
            True,
        )
    per = "byte" if vocabularies == {BYTES_VOCAB} else "token"
    same = " All were measured on the same text." if len(sweeps) > 1 and len(texts) == 1 else ""
    return f"Loss, nats per {per}", f"{read}{same}", False


def differences(sweeps: Sequence[SweepRow]) -> list[tuple[str, ...]]:
    """Settings in which the ladders differ: (name, value in each)."""
    flat = [_settings(row) for row in sweeps]
    fields = list(dict.fromkeys(name for one in flat for name in one))
    rows = [(NAMES.get(name, name.replace("_", " ")), *(one.get(name, "–") for one in flat)) for name in fields]
    return [row for row in rows if len(set(row[1:])) > 1]


def _settings(row: SweepRow) -> dict[str, str]:
    """Everything that was set for a sweep, and what it was set on, as text."""
    spec = row.plan.spec
    said: dict[str, str] = {
        "text": str(row.corpus.get("name", "unknown")),
        "text's hash": str(row.corpus.get("hash", ""))[:12],
        "vocabulary": format_quantity(spec.vocab_size),
        "machine": str(row.machine.get("device_name") or row.device),
        "shapes": ", ".join(shape.name for shape in spec.shapes),
    }
    for name, value in asdict(spec).items():
        if name == "corpus":
            said |= {f"corpus {field}": _plain(item) for field, item in value.items() if field != "path"}
        elif name != "shapes":
            said[name] = _plain(value)
    return said


def _plain(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_plain, value)) or "one each"
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
