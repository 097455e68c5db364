"""The tables of the page "Fit your runs": constants beside published ones, what each law would build, validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.errors import ScalingError
from scaling_core.fit import AllocationFit
from scaling_core.fit.validation import Step, Validation
from scaling_core.language import t
from scaling_core.laws import Law, PowerLaw, form_of
from scaling_core.library import all_laws
from scaling_core.optimum import exponents, optimal_for_compute
from scaling_core.ui.fit_words import number, span
from scaling_core.ui.page import said, tongue
from scaling_core.ui.words import ratio, short_name
from scaling_core.units import format_flops, format_loss, format_quantity
from scaling_core.viz.fit_detail import sign
from scaling_core.viz.fit_runs import Fit

COMPARED = ("hoffmann2022", "besiroglu2024", "kaplan2020-joint")
"""Laws that a fit is compared with at first."""
MOST_COMPARED = 5


def compare_with() -> list[Preset]:
    """The published and saved laws that the reader wants beside the fit, at most MOST_COMPARED of them."""
    known = {law.id: law for law in all_laws("joint")}
    chosen = st.multiselect(
        t("Compared with"),
        list(known),
        default=[id for id in COMPARED if id in known],
        format_func=lambda id: short_name(known[id]) if id in known else str(id),
        key="fit.compare",
        max_selections=MOST_COMPARED,
        placeholder=t("Choose options"),
        persist_state="session",
    )
    return [known[id] for id in chosen if id in known][:MOST_COMPARED]


def compared() -> list[Preset]:
    """The laws that `compare_with` gave when it was drawn last: what stands above it on the page shows these."""
    chosen = st.session_state.get("fit.compare", COMPARED)
    return [law for law in all_laws("joint") if law.id in chosen]


def constants_table(result: Fit, laws: Sequence[Preset]) -> None:
    """Each constant with its interval, beside the same constant of the laws of this form."""
    same = [law for law in laws if form_of(law.law) == form_of(result.law) and not isinstance(law.law, PowerLaw)]
    head = ["", t("fitted"), _interval(result.level), *(short_name(law) for law in same)]
    rows = []
    for name, value in result.constants.items():
        held = name in result.fixed
        pair = result.intervals.get(name)
        between = t("held") if held else "" if pair is None else span(_written(pair[0]), _written(pair[1]))
        rows.append([sign(name), _written(value), between, *(_written(law.law.constants[name]) for law in same)])
    for name, meaning in (("a", t("a, of N* ~ Cᵃ")), ("b", t("b, of D* ~ Cᵇ"))):
        if name in result.exponents:
            pair = result.exponent_intervals.get(name)
            between = "" if pair is None else span(f"{pair[0]:.3f}", f"{pair[1]:.3f}")
            rows.append([meaning, f"{result.exponents[name]:.3f}", between, *(_exponent(law, name) for law in same)])
    _table(head, rows, narrow=True)


def _interval(level: float) -> str:
    """The heading of a column of intervals."""
    return t("{level:.0f}% interval", level=100 * level)


def _written(value: float) -> str:
    """A constant to four digits."""
    return number(value) if value == 0 or value >= 1000 or value < 1e-3 else f"{value:.4g}"


def _exponent(law: Preset, name: str) -> str:
    a, b = exponents(law.joint)
    return f"{a if name == 'a' else b:.3f}"


def built_table(own: Law | None, fit: AllocationFit | None, laws: Sequence[Preset], C: float) -> None:
    """What each law would have built with C FLOP, and the loss that the fitted law gives that choice."""
    rows = []
    if own is not None:
        rows.append(_built(t("your runs"), own, own, C))
    if fit is not None:
        best = fit.optimum(C)
        N, D = float(best.N), float(best.D)
        rows.append([t("your runs"), format_quantity(N), format_quantity(D), ratio(D / N), "", ""])
    rows += [_built(short_name(law), law.joint, own, C) for law in laws]
    head = ["", t("parameters"), t("tokens"), t("tokens per parameter"), t("loss by its own law")]
    if own is not None:
        head += [t("loss by your law")]
    _table(head, [row[: len(head)] for row in rows], narrow=True)


def _built(name: str, law: Law, own: Law | None, C: float) -> list[str]:
    """One row: the optimum of a law at C, and what the fitted law makes of it."""
    try:
        best = optimal_for_compute(law, C)
    except ScalingError:
        return [name, "", "", "", t("none that can be built"), ""]
    judged = "" if own is None else format_loss(own.loss(best.N, best.D))
    return [
        name,
        format_quantity(best.N),
        format_quantity(best.D),
        ratio(best.tokens_per_param),
        format_loss(best.loss),
        judged,
    ]


def allocation_table(fits: Sequence[tuple[str, AllocationFit | str]]) -> None:
    """The exponents of approaches or methods side by side, with their intervals; a sentence where there is none."""
    rows = []
    for name, fit in fits:
        if isinstance(fit, str):
            rows.append([name, "", "", "", fit])
            continue
        a, pair = fit.exponents["a"], fit.exponent_intervals.get("a")
        between = "" if pair is None else span(f"{pair[0]:.3f}", f"{pair[1]:.3f}")
        used = t("{some} of {all}", some=len(fit.used), all=len(fit.optima))
        rows.append([name, f"{a:.3f}", between, f"{fit.exponents['b']:.3f}", used])
    level = next((fit.level for _, fit in fits if not isinstance(fit, str)), 0.95)
    head = ["", t("a, of N* ~ Cᵃ"), _interval(level), t("b, of D* ~ Cᵇ"), t("optima used")]
    _table(head, rows, narrow=True)


def optima_table(fit: AllocationFit) -> None:
    """Every budget with its optimum, or with the sentence why it has none; of many every k-th."""
    some = fit.optima[:: -(-len(fit.optima) // 24)]
    rows = []
    for row in some:
        size = "" if row.N is None else format_quantity(row.N)
        if row.interval is not None:
            between = span(format_quantity(row.interval[0]), format_quantity(row.interval[1]))
            size = t("{value} ({span})", value=size, span=between)
        tokens, loss = (
            "" if v is None else write(v) for v, write in ((row.D, format_quantity), (row.loss, format_loss))
        )
        rows.append([format_flops(row.C), str(row.n), size, tokens, loss, row.refused or ""])
    head = [t("budget"), t("runs"), t("best parameters"), t("tokens"), t("loss"), t("left out, because")]
    _table(head, rows, last_is_text=True)


def validation_table(found: Validation) -> None:
    """Errors where the law was not fitted, in percent of the loss, and what the talk promised there."""
    rows = []
    if (out := found.left_out) is not None:
        rows.append(
            [t("each run, by all others"), str(len(out.error)), _percent(out.median), _percent(out.worst), "", ""]
        )
    if (top := found.largest) is not None:
        rows.append(_step(t("the runs of most compute, by the others"), top))
    by_factor = {step.factor: step for step in found.steps}
    for factor in sorted([*by_factor, *found.missing]):
        name = t("runs {factor:g}x beyond the largest fitted", factor=factor)
        rows.append(_step(name, by_factor[factor]) if factor in by_factor else [name, t("none"), "", "", "", ""])
    head = [t("predicted without being fitted"), t("runs"), t("median error"), t("worst"), t("in the interval")]
    _table([*head, t("promised")], rows)


def _step(name: str, step: Step) -> list[str]:
    promised = ""
    if step.promised is not None:
        share = step.promised
        promised = t("{share:.0%}, kept", share=share) if step.kept else t("{share:.0%}, not kept", share=share)
    covered = "" if step.covered is None else f"{step.covered:.0%}"
    return [name, str(step.runs), _percent(step.median), _percent(step.worst), covered, promised]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, narrow: bool = False, last_is_text: bool = False
) -> None:
    """A table in the page's style; the last column may be text that wraps."""
    heads = [f"<th>{said(name)}</th>" for name in head]
    if last_is_text:
        heads[-1] = f"<th class='sl-word'>{said(head[-1])}</th>"
    body = []
    for row in rows:
        cells = [f"<td>{said(cell)}</td>" for cell in row]
        if last_is_text:
            cells[-1] = f"<td style='text-align:left;white-space:normal'>{said(row[-1])}</td>"
        body.append(f"<tr>{''.join(cells)}</tr>")
    style = "sl-table sl-narrow" if narrow else "sl-table"
    st.html(
        f"<div class='sl-scroll' lang='{tongue()}'><table class='{style}'><thead><tr>{''.join(heads)}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
