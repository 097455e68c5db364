"""The last parts of the page "Plan a training": what the usual mistakes would cost it, and what to look at first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from scaling_core.curves.score import Score
from scaling_core.errors import InputError, ScalingError
from scaling_core.lab.surroundings import free_bytes
from scaling_core.language import t, together
from scaling_core.planning.checklist import Surroundings, checklist, grounds, summary
from scaling_core.planning.cost import Mistake
from scaling_core.planning.mistakes import mistakes
from scaling_core.planning.prepared import Prepared
from scaling_core.planning.trust import LawAnswer
from scaling_core.runs import place
from scaling_core.runs.scoring import predictions_score
from scaling_core.ui import lab_html
from scaling_core.ui.check_list import check_list, check_styles
from scaling_core.ui.page import folded, note, said, section, tongue
from scaling_core.ui.plan_trust import answers_of
from scaling_core.ui.plan_words import NONE
from scaling_core.viz.theme import Theme


def usual_mistakes(ready: Prepared, theme: Theme) -> None:
    """Every mistake with its price for the plan above, and where the prices come from."""
    found = mistakes(ready, _answers(ready))
    section(t("What would the usual mistakes cost?"), dearest(found))
    st.html(f"<style>{_styles(theme)}{check_styles(theme)}</style>")
    half = len(found) // 2
    for column, some in zip(st.columns(2, gap="large"), (found[:half], found[half:]), strict=True):
        column.html(_list(some))
    note(
        t(
            "Each is made alone, with the compute, hardware and law of the plan above. Nats are above the best for "
            "that compute, repeated text above new text, and parameters against the right count."
        )
    )
    rows = [
        [one.what, one.figure or NONE, one.solidity.told() if one.solidity else NONE, one.formula, one.source]
        for one in found
    ]
    head = [t("mistake"), t("cost"), t("how solid"), t("formula"), t("source")]
    label = t("Where each of these costs comes from, and how solid it is")
    folded(label, lab_html.table(head, rows, small=True), "plan-sources-mistakes")


def before_start(ready: Prepared) -> None:
    """Every check of the plan, and what makes it well."""
    checks = checklist(ready, surroundings(ready))
    section(t("Before you press start"), summary(checks))
    half = (len(checks) + 1) // 2
    for column, some in zip(st.columns(2, gap="large"), (checks[:half], checks[half:]), strict=True):
        column.html(check_list(some))
    table = lab_html.table([t("check"), t("well where"), t("source")], grounds(), small=True)
    folded(t("What makes each of these checks well, and where that is from"), table, "plan-sources-checks")


def surroundings(ready: Prepared) -> Surroundings:
    """Today, what came of this machine's predictions, and its free disk where it is the hardware."""
    home = place.home()
    score: Score | None = None
    disk: float | None = None
    try:
        score = predictions_score(home)
        disk = float(free_bytes(home)) if ready.measured else None
    except (ScalingError, OSError):
        pass
    return Surroundings(today=datetime.now(tz=UTC).date(), score=score, disk=disk)


def dearest(found: Sequence[Mistake]) -> str:
    """The mistake that costs most loss, in a sentence, and how many cannot be said."""
    losses = [(one.amount, one) for one in found if one.unit == "nats" and one.amount is not None]
    unknown = sum(one.amount is None for one in found)
    if not losses:
        return t("For this plan and law no loss can be reckoned.")
    most = max(losses, key=lambda pair: pair[0])[1]
    return together(
        t("The dearest in loss for this plan: {what}, {figure}.", what=most.what, figure=most.figure),
        t("Not known for this plan: {n} of {all}.", n=unknown, all=len(found)) if unknown else "",
    )


def _answers(ready: Prepared) -> tuple[LawAnswer, ...]:
    """Every shown law on the plan; none without hardware, and where the laws have no answer."""
    plan = ready.plan
    if plan.machine is None:
        return ()
    try:
        return answers_of(plan.N, plan.D, plan.machine).answers
    except InputError:
        return ()


def _list(found: Sequence[Mistake]) -> str:
    """Mistakes one below the other: what one would do, its price, and the same in words."""
    rows = "".join(
        f"<li class='{'' if one.amount is not None else 'sl-unknown'}'><div><b>{said(one.what)}</b>"
        f"<span>{said(one.figure or NONE)}</span></div><p>{said(one.told)}</p></li>"
        for one in found
    )
    return f"<ul class='sl-costs' lang='{tongue()}'>{rows}</ul>"


def _styles(theme: Theme) -> str:
    """Type that is read from the last row, the price at the end of its line; tables whose long columns wrap."""
    return f"""
ul.sl-costs {{ list-style: none; margin: 0; padding: 0; }}
ul.sl-costs li {{ margin: 0; padding: .42rem 0; border-bottom: 1px solid {theme.border}; }}
.sl-costs div {{ display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; }}
.sl-costs b {{ font-size: 1.15rem; line-height: 1.25; font-weight: 650; color: {theme.ink}; }}
.sl-costs span {{ flex: none; font-size: 1.3rem; line-height: 1.2; font-weight: 700; color: {theme.accent_2};
  font-variant-numeric: tabular-nums; white-space: nowrap; }}
.sl-costs p {{ margin: .1rem 0 0; font-size: 1rem; line-height: 1.35; color: {theme.muted}; text-wrap: pretty; }}
.sl-costs .sl-unknown span {{ color: {theme.muted}; }}
:is(.plan-sources-mistakes, .plan-sources-checks) table.sl-table :is(td, th) {{ white-space: normal;
  text-align: left; vertical-align: top; min-width: 0; }}
:is(.plan-sources-mistakes, .plan-sources-checks) table.sl-table td:first-child {{ min-width: 8rem; }}
.plan-sources-mistakes table.sl-table td:nth-child(2) {{ white-space: nowrap; }}
"""
