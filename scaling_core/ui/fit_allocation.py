"""The page "Fit your runs" where only the optimum is sought: isoFLOP profiles and the envelope (approaches 2 and 1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from scaling_core.errors import ScalingError
from scaling_core.fit import AllocationFit
from scaling_core.fit.allocation.curves import Method
from scaling_core.language import t
from scaling_core.ui.charts import show
from scaling_core.ui.fit_controls import method_names
from scaling_core.ui.fit_pieces import best_spent, compute_input, drawn, files, nothing_fitted, reading_notes
from scaling_core.ui.fit_save import optima_csv
from scaling_core.ui.fit_source import Source, training_curves
from scaling_core.ui.fit_tables import allocation_table, built_table, optima_table
from scaling_core.ui.fit_words import (
    allocation_detail,
    allocation_line,
    allocation_sentence,
    caution,
    interval_figures,
    opening,
    optimum_figures,
)
from scaling_core.ui.fit_work import Options, allocation, budgets, choose
from scaling_core.ui.page import note, section
from scaling_core.units import format_flops
from scaling_core.viz.figure import Figure
from scaling_core.viz.fit_budgets import budgets_chart, envelope_chart
from scaling_core.viz.fit_path import allocation_path, optima_path
from scaling_core.viz.theme import Theme


def allocation_view(source: Source, options: Options, theme: Theme) -> None:
    """How N* and D* grow with compute: answer, doubts, pictures, every budget, files."""
    runs, envelope = choose(source, options), options.approach == "envelope"
    fit: AllocationFit | str
    try:
        if envelope:
            curves = training_curves(source)
            runs = replace(runs, taken=curves, key=f"{source.key}|curves{len(curves)}")
        fit = allocation(runs, options)
    except ScalingError as error:
        fit = str(error)
    if isinstance(fit, str):
        nothing_fitted(runs.taken, fit, theme)
        reading_notes(source, runs)
        return
    second: Method = "parabola" if options.method == "profile" else "profile"
    other = None if envelope else allocation(runs, replace(options, method=second))
    beside = other if isinstance(other, AllocationFit) and other.method != fit.method else None
    opening(allocation_sentence(fit, source), allocation_detail(source, fit), allocation_line(source, fit))
    caution(fit.warnings)
    left, right = st.columns([1, 3.4], gap="medium", vertical_alignment="center")
    with left:
        C = compute_input(source, runs.taken)
    with right:
        best = optimum_figures(allocation_path(fit, np.array([C]), ""))
        interval_figures(best)

    def make() -> Figure:
        return envelope_chart(runs.taken, fit, theme) if envelope else budgets_chart(runs.taken, fit, beside, theme)

    figure = drawn(f"{runs.key}|{options}", theme, make)
    if figure is not None:
        show(
            figure, "fit.law", alt=t("The runs, and the best size at each compute that they show."), grows=True,
            name="fit", title=allocation_sentence(fit, source),
            numbers=[(label, value) for label, value, _ in best],
        )  # fmt: skip
    if envelope:
        note(
            t(
                "Each line is a training run, darker with size. Dots are the least loss at each compute; where the "
                "line is only dotted, the stretch of the best size is cut off."
            )
        )
    else:
        note(
            t(
                "Each colour is a budget: its runs, the curve through them, and the size of least loss with its "
                "interval. Dashed, with an open diamond: the same budget by the other method. Rings: budgets that "
                "were left out."
            )
        )
    grid = np.geomspace(*budgets(runs.taken, C), 61)
    own = [allocation_path(fit, grid, t("your runs"))]
    if beside is not None:
        own.append(allocation_path(beside, grid, t("by parabola") if beside.method == "parabola" else t("by profile")))
    points = None if envelope else optima_path(fit)
    sentence = t("Points are the optima; the line through them carries the band. Your runs are shaded.")
    laws = best_spent(own, runs.taken, C, theme, sentence=sentence, optima=points)
    if other is not None:
        names = method_names()
        section(t("Method beside method"), t("The parabola is biased where α differs from β; the profile is not."))
        allocation_table([(names[fit.method], fit), (names[second], other)])
    section(t("What each law would have built with {compute}", compute=format_flops(C)))
    built_table(None, fit, laws, C)
    section(t("Along the envelope") if envelope else t("Every budget"))
    optima_table(fit)
    reading_notes(source, runs)
    no_law = t("An allocation says nothing of the loss, so it is no law that could be saved: take it as files.")
    section(t("Keep it"), no_law)
    files(source, fit, "optima.csv", lambda: optima_csv(fit))
