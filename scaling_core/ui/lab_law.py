"""The lab's page on the law through a ladder: its constants with their intervals, and the floor that is known."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from scaling_core.language import t
from scaling_core.runs.truth import truth_of
from scaling_core.ui import lab_html, lab_words
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.page import note, section


def law_so_far(found: Fitted) -> None:
    """The fitted constants, after the sentences that say how far to trust them."""
    fit = found.law
    if fit is None:
        section(t("The law so far"), found.reason)
        return
    section(
        t("The law so far"),
        t("L(N, D) = E + A / Nᵅ + B / Dᵝ, through {n} measured runs; nothing held out is in it.", n=fit.n),
    )
    if fit.warnings:
        st.html(lab_html.warnings(fit.warnings))
    signs = {"alpha": "α", "beta": "β"}
    constants = [
        (signs.get(name, name), lab_words.constant(value), _interval(fit.intervals.get(name)))
        for name, value in fit.constants.items()
    ]
    if "a" in fit.exponents:
        value = lab_words.constant(fit.exponents["a"])
        constants.append((t("a, best N ∝ Cᵃ"), value, _interval(fit.exponent_intervals.get("a"))))
    st.html(lab_html.figure_groups([constants]))
    if fit.replicates is not None:
        level, n = 100 * fit.level, len(fit.replicates)
        note(t("Beneath each: its {level:.0f}% interval, from {n} refits.", level=level, n=n))


def truth_note(home: Path, seen: Snapshot, fit: Fitted) -> None:
    """On the oracle, what the floor should have been."""
    truth = None if fit.law is None else truth_of(seen.row, fit.law, home)
    if truth is not None:
        note(truth.sentence, kind="quiet" if truth.within else "warning")


def _interval(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else lab_words.span(*map(lab_words.constant, pair))
