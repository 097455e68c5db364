"""Ladders beside one another: their laws and points in one picture, their constants, and what was set differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from scaling_core.fit import FitResult
from scaling_core.lab.spec import BYTES_VOCAB
from scaling_core.language import t, together
from scaling_core.runs import results
from scaling_core.runs.rows import SweepRow
from scaling_core.ui import lab_data, lab_html, lab_words
from scaling_core.ui.charts import show
from scaling_core.ui.fit_pieces import drawn
from scaling_core.ui.lab_counting import constant_columns, constant_row
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.page import note
from scaling_core.units import format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.lab_compare import Compared, bits_per_nat, compare_chart
from scaling_core.viz.theme import Theme

MOST = 2
"""Other ladders beside the one that is looked at."""


def compare_view(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """A choice of up to two other finished ladders, the picture, and two tables."""
    rows = lab_data.sweeps(home)
    names = lab_words.sweep_names(rows)
    others = [row.id for row in rows if row.state == "finished" and row.id != seen.row.id and not row.plan.spec.tunes]
    if not others:
        note(t("There is no other finished ladder on this machine: train a second one, on another text say."))
        return
    chosen = st.multiselect(
        t("Compare with"), others, format_func=lambda id: names.get(id, id), key="lab.compare", max_selections=MOST,
        placeholder=t("Choose one or two other finished ladders"), label_visibility="collapsed",
    )  # fmt: skip
    picked = [row for id in chosen for row in rows if row.id == id]
    sweeps = [seen.row, *picked]
    measured = [list(seen.status.runs), *(lab_data.past(home, row.id)[0] for row in picked)]
    with st.spinner(t("Fitting the law of each ladder.")):
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
        alt = t("Loss over compute of each ladder, with the law of each.")
        show(
            figure, "lab.compare.chart", alt=alt, grows=True, name="compared-ladders", title=t("Compare ladders"),
            notes=sentence,
        )  # fmt: skip
    fitted = [(ladder.name, fit) for ladder, fit in zip(ladders, fits, strict=True)]
    cells = [constant_row(name, fit) for name, fit in fitted if isinstance(fit, FitResult)]
    if cells:
        st.html(lab_html.table(constant_columns(t("Ladder")), cells))
        note(t("E, A and B in nats per token of each ladder's own tokens; N with head; intervals at 95%."))
    for name, fit in fitted:
        if isinstance(fit, str):
            note(t("{name}: {reason}", name=name, reason=fit), kind="warning")
    if picked:
        changed = differences(sweeps)
        if changed:
            st.html(lab_html.table((t("Set differently"), *(ladder.name for ladder in ladders)), changed))
        else:
            note(t("They were set alike in everything, the seed included."))


def unit_of(sweeps: Sequence[SweepRow], units: Sequence[float | None]) -> tuple[str, str, bool]:
    """Title of the loss axis, what to say of it, and whether it is in bits per byte.

    units: `bits_per_nat` of each ladder.
    """
    vocabularies = {row.plan.spec.vocab_size for row in sweeps}
    texts = {str(row.corpus.get("hash", row.id)) for row in sweeps}
    known = all(unit is not None for unit in units)
    read = t(
        "Lines are the least loss that each compute buys by each law, dashed beyond its runs; marks are measured ends."
    )
    if len(vocabularies) > 1 and known:
        why = t("Losses are in bits per byte: the vocabularies differ, so losses per token cannot be compared.")
        return t("Loss, bits per byte"), together(read, why), True
    if len(texts) > 1 and known:
        why = t("The texts differ, and so do their floors: compare the slopes, and not the heights.")
        return t("Loss, bits per byte"), together(read, why), True
    title = t("Loss, nats per byte") if vocabularies == {BYTES_VOCAB} else t("Loss, nats per token")
    same = t("All were measured on the same text.") if len(sweeps) > 1 and len(texts) == 1 else ""
    return title, together(read, same), False


def differences(sweeps: Sequence[SweepRow]) -> list[tuple[str, ...]]:
    """Settings in which the ladders differ: (name, value in each)."""
    flat = [_settings(row) for row in sweeps]
    names = setting_names()
    fields = list(dict.fromkeys(field for one in flat for field in one))
    rows = [(names.get(field, field.replace("_", " ")), *(one.get(field, "–") for one in flat)) for field in fields]
    return [row for row in rows if len(set(row[1:])) > 1]


def setting_names() -> dict[str, str]:
    """What is set for a sweep, in words: fields of its specification, and what it was set on."""
    return {
        "text": t("text"),
        "hash": t("text's hash"),
        "vocabulary": t("vocabulary"),
        "machine": t("machine"),
        "shapes": t("sizes"),
        "mode": t("mode"),
        "device": t("device"),
        "corpus.kind": t("corpus kind"),
        "corpus.name": t("corpus name"),
        "corpus.config": t("corpus config"),
        "corpus.field": t("corpus field"),
        "corpus.cap_bytes": t("corpus cap bytes"),
        "corpus.oracle": t("corpus oracle"),
        "corpus.tokens": t("corpus tokens"),
        "corpus.vocab_size": t("corpus vocab size"),
        "horizons": t("horizons"),
        "seed": t("seed"),
        "held_out": t("held out"),
        "context": t("context"),
        "seeds": t("seeds a size"),
        "rate_coefficient": t("rate coefficient"),
        "rate_exponent": t("rate exponent"),
        "rate_factors": t("factors on the rate"),
        "decay_fraction": t("decay fraction"),
        "dropout": t("dropout"),
        "max_steps": t("max steps"),
        "least_steps": t("least steps"),
        "stop_early": t("stop early"),
        "precision": t("precision"),
        "rules": t("version of rules"),
    }


def _settings(row: SweepRow) -> dict[str, str]:
    """Everything that was set for a sweep, and what it was set on, as text."""
    spec = row.plan.spec
    said: dict[str, str] = {
        "text": str(row.corpus.get("name", t("unknown"))),
        "hash": str(row.corpus.get("hash", ""))[:12],
        "vocabulary": format_quantity(spec.vocab_size),
        "machine": str(row.machine.get("device_name") or row.device),
        "shapes": ", ".join(shape.name for shape in spec.shapes),
    }
    for name, value in asdict(spec).items():
        if name == "corpus":
            said |= {f"corpus.{field}": _plain(item) for field, item in value.items() if field != "path"}
        elif name != "shapes":
            said[name] = _plain(value)
    return said


def _plain(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_plain, value)) or t("one each")
    return f"{value:g}" if isinstance(value, float) else t("none") if value is None else str(value)
