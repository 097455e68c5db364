"""The page "Fit your runs" from the answer down to the tables, where a law of the loss is fitted (approach 3)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import cast

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.fit import FitResult
from scaling_core.language import listed, t
from scaling_core.laws import PowerLaw, form_of
from scaling_core.ui.charts import show
from scaling_core.ui.fit_pieces import best_spent, compute_input, drawn, files, nothing_fitted, reading_notes, segments
from scaling_core.ui.fit_save import runs_csv, save_block
from scaling_core.ui.fit_source import Source
from scaling_core.ui.fit_tables import built_table, compared, constants_table, validation_table
from scaling_core.ui.fit_words import (
    about_counts,
    before_numbers,
    caution,
    fitted_detail,
    fitted_line,
    fitted_sentence,
    interval_figures,
    opening,
    optimum_figures,
    validation_sentence,
)
from scaling_core.ui.fit_work import (
    Options,
    Outcome,
    budgets,
    choose,
    optimum_of,
    other_counts,
    parametric,
    path_of,
    validated,
)
from scaling_core.ui.lab_words import constant
from scaling_core.ui.page import note, section
from scaling_core.ui.words import short_name
from scaling_core.units import format_flops
from scaling_core.viz.figure import Figure
from scaling_core.viz.fit import law_chart
from scaling_core.viz.fit_detail import Against, joint_chart, joint_pairs, residual_chart, sign
from scaling_core.viz.fit_path import Path
from scaling_core.viz.fit_runs import Fit, Shown
from scaling_core.viz.theme import Theme

MANY = 1_000
"""From so many runs on a fit may take seconds, and the page says that it waits."""


def law_view(source: Source, options: Options, theme: Theme) -> None:
    """The law through the runs: answer, diagnosis, pictures, constants, validation, files."""
    runs = choose(source, options)
    with st.spinner(t("Fitting the runs.")) if len(runs.taken) > MANY else nullcontext():
        outcome = parametric(runs, options)
    result, shown = outcome.result, outcome.shown
    if result is None or shown is None:
        nothing_fitted(runs.taken, outcome.problem, theme)
        reading_notes(source, runs)
        return
    opening(fitted_sentence(source, result), fitted_detail(source, result), fitted_line(source, result, options))
    law = None if isinstance(result.law, PowerLaw) else result.law
    words = st.container()
    C, optimum, path = 0.0, None, None
    if law is not None:
        C, optimum = _optimum(source, outcome, result)
        path = path_of(outcome.key, *budgets(result.points, C), result)
    with words:
        caution(before_numbers(result, optimum))
    _main(outcome, result, shown, path, optimum, theme, fitted_sentence(source, result))
    laws: Sequence[Preset] = ()
    _left_over(outcome, result, shown, theme)
    if law is not None:
        band = t(
            "The band is the interval of your fit; it widens with every step away from the runs, which are shaded."
        )
        laws = best_spent([] if path is None else [path], result.points, C, theme, sentence=band)
    ridge = t("Some of them lie on a ridge: one can change if another does. The picture above shows it.")
    section(t("The constants"), ridge)
    constants_table(result, laws)
    if (moved := about_counts(result, other_counts(source, options))) is not None:
        note(moved)
    if law is not None:
        section(t("What each law would have built with {compute}", compute=format_flops(C)))
        built_table(law, None, laws, C)
    _judged(outcome, result)
    reading_notes(source, runs, shown.left_out)
    section(t("Keep it"), t("A saved law is offered on every page; the files are made when they are asked for."))
    save_block(source, result)
    files(source, result, "runs.csv", lambda: runs_csv(result, shown))


def _optimum(source: Source, outcome: Outcome, result: Fit) -> tuple[float, Path | None]:
    """A budget in, the best model out, with its interval."""
    left, right = st.columns([1, 3.4], gap="medium", vertical_alignment="center")
    with left:
        C = compute_input(source, result.points)
    optimum = optimum_of(outcome.key, C, result)
    with right:
        if optimum is None:
            note(t("Under these constants no model can be said to be the best for this compute."), kind="warning")
        else:
            interval_figures(optimum_figures(optimum))
    return C, optimum


def _main(
    outcome: Outcome, result: Fit, shown: Shown, path: Path | None, optimum: Path | None, theme: Theme, title: str
) -> None:
    """The main chart, and how to read it. title: of its slide."""
    at = "" if optimum is None else repr(float(optimum.C[0]))

    def make() -> Figure:
        return law_chart(result, shown, theme, path=path, chosen=optimum)

    figure = drawn(f"law|{outcome.key}|{at}", theme, make)
    if isinstance(result.law, PowerLaw):
        how = t("Dots are runs. The line is the law with the band of its refits, dashed beyond the largest run.")
    else:
        how = t(
            "Dots are runs, darker with size; a thin line is the law at one size. The thick line is the least "
            "loss that each compute can buy, dashed beyond the largest run; the diamond is the best model for C."
        )
    if figure is not None:
        alt = t("Measured losses against compute, the fitted law at several sizes, and the least loss of each compute.")
        constants = [(sign(name), constant(value)) for name, value in result.constants.items()]
        show(figure, "fit.law", alt=alt, grows=True, name="fit", title=title, notes=how, numbers=constants)
    note(how)


def _left_over(outcome: Outcome, result: Fit, shown: Shown, theme: Theme) -> None:
    """Residuals, and beside them how far the constants could have been elsewhere."""
    left, right = st.columns(2, gap="medium")
    with left:
        pattern = t("The usual scatter is shaded. A pattern is something the law misses.")
        section(t("What the law leaves over"), pattern)
        names = {"N": t("against N"), "D": t("against D"), "C": t("against C")}
        against = cast("Against", segments(t("Residuals"), "fit.against", names))
        figure = drawn(
            f"residuals|{outcome.key}|{against}", theme, lambda: residual_chart(result, shown, against, theme)
        )
        if figure is not None:
            above = t("By how many percent each run lies above the law.")
            show(
                figure, "fit.residuals", alt=above, half=True, title=t("What the law leaves over"), notes=pattern
            )  # fmt: skip
    with right:
        _joint(outcome, result, theme)


def _joint(outcome: Outcome, result: Fit, theme: Theme) -> None:
    """Two constants together: each refit a point, and the region that holds most of them."""
    held = t("Each point is a refit; the outline holds {level:.0f}% of them.", level=100 * result.level)
    section(t("Where else it could be"), held)
    pairs = {f"{x}.{y}": (x, y) for x, y in joint_pairs(result)}
    if not pairs:
        note(t("There is nothing to show: the constants are held, or there are no refits."))
        return
    names = {key: listed([sign(x), sign(y)]) for key, (x, y) in pairs.items()}
    x, y = pairs[segments(t("Constants"), f"fit.pair.{form_of(result.law)}", names)]
    same = [law for law in compared() if form_of(law.law) == form_of(result.law)]
    published = [(short_name(law), law.law.constants[x], law.law.constants[y]) for law in same]
    key = f"joint|{outcome.key}|{x}|{y}|{published}"
    figure = drawn(key, theme, lambda: joint_chart(result, (x, y), published, theme))
    if figure is None:
        note(t("The refits agree in these constants, or do not determine them: there is nothing to draw."))
    else:
        alt = t("{x} and {y} of the refits, with the region that holds most of them.", x=sign(x), y=sign(y))
        show(figure, "fit.joint", alt=alt, half=True, title=t("Where else it could be"), notes=held)


def _judged(outcome: Outcome, result: Fit) -> None:
    """The validation, worked out when it is opened."""
    section(t("Is it right where it was not fitted?"))
    if not isinstance(result, FitResult):
        note(t("A fit of repeated data is not judged in this way."))
        return
    block = st.expander(t("Refit parts of the runs, predict the rest"), key="fit.judge", on_change="rerun")
    with block:
        if not block.open:
            return
        with st.spinner(t("Refitting parts of the runs.")):
            found = validated(outcome.key, result)
        if isinstance(found, str):
            note(found, kind="error")
            return
        note(validation_sentence(found), kind="warning")
        validation_table(found)
