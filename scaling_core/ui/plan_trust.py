"""The eighth part of the page "Plan a training": all laws on one plan, and what their disagreement costs."""

from __future__ import annotations

import html
import math
from functools import lru_cache

import streamlit as st

from scaling_core.catalog import Preset, presets
from scaling_core.language import listed, t, together
from scaling_core.planning import Budgeted, Machine
from scaling_core.planning.trust import Followed, LawAnswer, Trust, trust
from scaling_core.ui import lab_html
from scaling_core.ui.page import note, said, section, tongue
from scaling_core.ui.plan_words import NONE, beyond, ends, flops, span, usd
from scaling_core.ui.words import percent, ratio, short_name
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.models import compared
from scaling_core.viz.theme import Theme, readable_on

LEAST = 0.0005
"""Nats below which a cell says that nothing is lost."""


def asked_laws() -> list[Preset]:
    """The published laws that a comparison shows, those with a warning left out."""
    return [one for one in compared(presets("joint")) if one.warning is None]


def trusted(plan: Budgeted, machine: Machine, theme: Theme) -> None:
    """Every law on the plan: what each says of it, what each would build, and what following each costs."""
    found = answers_of(plan.N, plan.D, machine)
    section(t("Which law should I trust here?"), _opening(found))
    head = [t("law"), t("loss of the plan"), t("best N"), t("best D"), "D / N", t("best loss"), t("beyond its runs")]
    st.html(lab_html.table(head, [_row(one) for one in found.answers]))
    for one in found.answers:
        if one.problem:
            note(t("{law}: {problem}", law=short_name(one.preset), problem=one.problem))
    st.html(lab_html.chart_title(t("The price of the wrong law"), _how()))
    st.html(f"<style>{_styles(theme)}</style>")
    st.html(matrix(found, theme))
    note(_worst(found))
    note(
        t(
            "Laws with a warning are left out, and of those that are much alike one is shown. A loss is comparable "
            "between laws only where they were fitted on like data and the same tokens; the matrix compares sizes, "
            "which is why it is read row by row."
        )
    )


@lru_cache(maxsize=32)
def answers_of(N: float, D: float, machine: Machine) -> Trust:
    """Every shown law on one training; kept, since two parts of the page ask for it."""
    return trust(asked_laws(), N=N, D=D, machine=machine)


def _opening(found: Trust) -> str:
    """How far the laws agree, and within whose range the plan lies."""
    best = [(one.optimum.N, short_name(one.preset)) for one in found.answers if one.optimum is not None]
    inside = [short_name(one.preset) for one in found.answers if one.chosen and one.chosen.worst <= 1.0]
    whose = (
        t("The plan lies within the runs of {laws}.", laws=listed(inside))
        if inside
        else t("The plan lies within the runs of none of them.")
    )
    if not best:
        return whose
    (low, small), (high, large) = min(best), max(best)
    return together(
        t(
            "For {C} the laws would build {low} ({small}) to {high} ({large}) parameters, a factor of {factor}.",
            C=flops(found.C),
            low=format_quantity(low),
            small=small,
            high=format_quantity(high),
            large=large,
            factor=ratio(high / low),
        ),
        whose,
    )


def _row(one: LawAnswer) -> list[str]:
    best = one.optimum
    loss = NONE if one.loss is None else format_loss(one.loss)
    if one.loss_interval is not None:
        loss = t("{value} ({span})", value=loss, span=span(one.loss_interval))
    size = NONE if best is None else format_quantity(best.N)
    if one.N_interval is not None:
        size = t("{value} ({span})", value=size, span=ends(one.N_interval))
    return [
        short_name(one.preset),
        loss,
        size,
        NONE if best is None else format_quantity(best.D),
        NONE if best is None else ratio(best.tokens_per_param),
        NONE if best is None else format_loss(best.loss),
        NONE if one.chosen is None else beyond(one.chosen),
    ]


def _how() -> str:
    return t("Train what the column says; where the row's law is right, this many nats are lost.")


def matrix(found: Trust, theme: Theme) -> str:
    """What following each law costs under each, in nats, as an HTML table whose cells are shaded by it."""
    laws = [one.preset for one in found.answers]
    most = max((cell.excess_loss for cell in _known(found)), default=0.0)
    head = "".join(f"<th scope='col'>{said(short_name(law))}</th>" for law in laws)
    body = []
    for law, row in zip(laws, found.matrix, strict=True):
        cells = "".join(_cell(cell, most, theme) for cell in row)
        body.append(f"<tr><th scope='row'>{said(short_name(law))}</th>{cells}</tr>")
    return (
        f"<div class='sl-scroll' lang='{tongue()}'><table class='sl-table sl-matrix'>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _known(found: Trust) -> list[Followed]:
    """The cells of two different laws that are numbers."""
    cells = [cell for row in found.matrix for cell in row if cell is not None and cell.under != cell.following]
    return [cell for cell in cells if math.isfinite(cell.excess_loss)]


def _cell(cell: Followed | None, most: float, theme: Theme) -> str:
    if cell is None or not math.isfinite(cell.excess_loss):
        return f"<td>{NONE}</td>"
    if cell.under == cell.following:
        return "<td class='sl-same'>0</td>"
    nats = cell.excess_loss
    fill = shade(nats, most, theme)
    shown = f"+{nats:.3f}" if nats >= LEAST else t("under 0.001")
    title = t("{N} on {D}, {share} of the compute wasted", N=format_quantity(cell.N), D=format_quantity(cell.D),
              share=percent(cell.wasted_share))  # fmt: skip
    return (
        f"<td style='background:{fill};color:{readable_on(fill, theme)}' title='{said(title)}'>"
        f"{html.escape(str(shown))}</td>"
    )


def shade(nats: float, most: float, theme: Theme) -> str:
    """The fill of a cell: of the theme's ten steps, by the root of its share of the largest."""
    if most <= 0.0:
        return theme.sequential[0]
    return theme.sequential[min(9, int(9.999 * math.sqrt(max(0.0, nats) / most)))]


def _styles(theme: Theme) -> str:
    return (
        "table.sl-matrix { width: auto; } table.sl-matrix th { text-align: center; } "
        "table.sl-matrix tbody th { text-align: left; white-space: nowrap; padding-right: 1rem; "
        f"vertical-align: middle; border-bottom: 1px solid {theme.border}; }} "
        "table.sl-matrix td, table.sl-matrix td:first-child { text-align: center; padding: .42rem .8rem; "
        f"font-weight: 600; }} table.sl-matrix td.sl-same {{ color: {theme.muted}; font-weight: 400; }}"
    )


def _worst(found: Trust) -> str:
    """The pair of laws whose disagreement costs most, in words, in compute and in money."""
    cells = _known(found)
    if not cells:
        return t("No two of these laws have an optimum for this compute, so nothing can be compared.")
    worst = max(cells, key=lambda cell: cell.excess_loss)
    names = {one.preset.id: short_name(one.preset) for one in found.answers}
    told = t(
        "The dearest mistake: train the {N} on {D} of {following} where {under} is right, and {share} of the compute "
        "is wasted, {nats} nats.",
        N=format_quantity(worst.N),
        D=format_quantity(worst.D),
        following=names[worst.following],
        under=names[worst.under],
        share=percent(worst.wasted_share),
        nats=f"{worst.excess_loss:.3f}",
    )
    if worst.extra_compute is None:
        return together(told, t("No amount of compute makes that good."))
    extra = flops(worst.extra_compute)
    if worst.extra_usd is None:
        return together(told, t("Making that good on the same path takes {extra} more.", extra=extra))
    return together(
        told,
        t(
            "Making that good on the same path takes {extra} more, {usd} USD on this hardware.",
            extra=extra,
            usd=usd(worst.extra_usd),
        ),
    )
