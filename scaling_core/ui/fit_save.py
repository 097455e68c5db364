"""Keeping what the page "Fit your runs" found: a law saved by name, saved laws deleted, and files to take away."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any

import numpy as np
import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.errors import InputError, ScalingError
from scaling_core.fit import AllocationFit
from scaling_core.language import retold, speaking, t
from scaling_core.library import delete_law, law_id, library_problems, save_fit, saved_laws
from scaling_core.runs.results import cell, plain
from scaling_core.ui.fit_source import Source
from scaling_core.ui.fit_words import law_text
from scaling_core.ui.page import escape_markdown, note, said, tongue
from scaling_core.ui.talk import formula
from scaling_core.viz.fit_runs import Fit, Shown, law_says, run_names

_SAID, _DELETING, _NAME = "fit.said", "fit.deleting", "fit.name"


def save_block(source: Source, result: Fit) -> None:
    """A name and a button; what came of it stays in a sentence. A name that is taken is replaced only when asked."""
    left, right = st.columns([1.6, 3.4], gap="medium", vertical_alignment="bottom")
    with left:
        name = st.text_input(
            t("Name of the law"), key=_NAME, max_chars=80, placeholder=t("such as: my runs, January"),
            autocomplete="off", persist_state="session",
        )  # fmt: skip
    name = (name or "").strip()
    with right, st.container(horizontal=True, gap="small"):
        if st.button(t("Save this law"), key="fit.save", type="primary"):
            _save(source, result, name, replace=False)
        if name and _taken(name) is not None and st.button(t("Replace the saved one"), key="fit.replace"):
            _save(source, result, name, replace=True)
    kind, came = st.session_state.get(_SAID, ("quiet", ""))
    if came:
        note(came, kind=kind)


def _save(source: Source, result: Fit, name: str, *, replace: bool) -> None:
    """Save and remember the sentence about it."""
    warning = t("Fitted to simulated runs: no model was trained for it.") if source.simulated else None
    if source.table.loss_unit != "nats per token":
        warning = t("Its losses are in {unit}, not in nats per token.", unit=_unit(source.table.loss_unit))
    if source.of_lab:
        warning = t("Its tokens are those of its own text: its losses cannot be set beside those of other laws.")
    origin = source.name if source.kind != "ladder" else t("the ladder {name}", name=source.name)
    try:
        if not name:
            raise InputError(t("name"), name, t("write one into the field"))
        law = save_fit(
            result,
            name,
            source=t("{origin}, {n} runs", origin=origin, n=result.n),
            convention=source.convention,
            warning=warning,
            replace=replace,
        )
    except ScalingError as error:
        st.session_state[_SAID] = ("error", str(error))
    else:
        sentence = t("Saved as {name!r}: every page offers it now among its laws.", name=law.name)
        st.session_state[_SAID] = ("quiet", sentence)
    st.rerun()


def _unit(unit: str) -> str:
    """The unit of a loss in a sentence."""
    return {"bits per byte": t("bits per byte"), "nats per byte": t("nats per byte")}.get(unit, unit)


def _taken(name: str) -> Preset | None:
    """The saved law that has this name, or None."""
    try:
        id = law_id(name)
    except InputError:
        return None
    return next((law for law in saved_laws(kind="all") if law.id == id), None)


def saved_block() -> None:
    """Every saved law with its formula, its origin and a way to delete it, which asks first."""
    laws = saved_laws(kind="all")
    for problem in library_problems():
        note(problem, kind="warning")
    if not laws:
        note(t("No law is saved yet."))
        return
    asked = st.session_state.get(_DELETING)
    for law in laws:
        about, button = st.columns([8, 3], vertical_alignment="center")
        about.markdown(f"**{escape_markdown(law.name)}**")
        with about:
            about_law = t("{law}. {origin}", law=formula(law_text(law.law)), origin=said(_origin(law)))
            st.html(f"<p class='sl-note' lang='{tongue()}'>{about_law}</p>")
        with button, st.container(horizontal=True, gap="small", horizontal_alignment="right"):
            if asked == law.id:
                st.button(
                    t("Delete for good"), key=f"fit.delete.{law.id}", type="primary", on_click=_delete, args=(law.id,)
                )
                st.button(t("Keep"), key=f"fit.keep.{law.id}", on_click=_ask, args=(None,))
            else:
                st.button(t("Delete"), key=f"fit.ask.{law.id}", on_click=_ask, args=(law.id,))


def _origin(law: Preset) -> str:
    """Where a saved law comes from, and when it was saved."""
    source = law.told("source")
    source = f"{source[:1].upper()}{source[1:]}"
    if not law.made_at:
        return t("{source}.", source=source)
    when = datetime.fromisoformat(law.made_at).astimezone()
    return t("{source}, {when:%d %b %Y, %H:%M}.", source=source, when=when)


def _ask(id: str | None) -> None:
    st.session_state[_DELETING] = id


def _delete(id: str) -> None:
    """Delete a law that the reader was asked about."""
    _ask(None)
    try:
        delete_law(id)
    except ScalingError as error:
        st.session_state[_SAID] = ("error", str(error))
    else:
        st.session_state[_SAID] = ("quiet", t("The law was deleted."))


def fit_json(result: Fit | AllocationFit, source: Source) -> str:
    """The fit as JSON, in English, with where its runs came from; numbers that JSON has no word for are null."""
    found = {"source": source.name, "simulated": source.simulated, "loss_unit": source.table.loss_unit}
    with speaking("en"):
        whole = _retold(plain(found | result.to_dict()))
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _retold(value: Any) -> Any:
    """The same with every text in the language that is spoken."""
    if isinstance(value, dict):
        return {key: _retold(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_retold(item) for item in value]
    return retold(value) if isinstance(value, str) else value


def runs_csv(result: Fit, shown: Shown) -> str:
    """Every run with what the law says of it: N, D, C, loss, fitted, residual = ln fitted - ln loss, and its part.

    In English, whatever the page's language. A text that a spreadsheet would take for a formula is preceded by an
    apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("run", "group", "N", "D", "C", "loss", "se", "fitted", "residual", "part"))
    for kind, points, far in shown.parts:
        hat = law_says(result, points)
        with speaking("en"):
            names = run_names(points) if points.label is None else [retold(name) for name in points.label]
        groups = points.group or ("",) * len(points)
        errors = [None] * len(points) if points.se is None else points.se.tolist()
        columns = (points.N, points.D, points.C, points.loss)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        residuals = np.log(hat / points.loss).tolist()
        for k, numbers in enumerate(rows):
            part = "fitted, far off" if far[k] else kind
            values = (names[k], groups[k], *numbers, errors[k], float(hat[k]), residuals[k], part)
            writer.writerow([cell(value) for value in values])
    return text.getvalue()


def optima_csv(fit: AllocationFit) -> str:
    """The optima of an allocation: compute, size, tokens, loss, the interval of the size, and why one is left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("C", "runs", "N", "D", "loss", "N_low", "N_high", "left_out"))
    for row in fit.optima:
        low, high = row.interval or (None, None)
        with speaking("en"):
            refused = None if row.refused is None else retold(row.refused)
        values = (row.C, row.n, row.N, row.D, row.loss, low, high, refused)
        writer.writerow([cell(value) for value in values])
    return text.getvalue()
