"""The page "Plan a training": hardware, time or money in; the best model, what it takes and what it rests on out."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from scaling_core.catalog import KnownModel, Preset, models
from scaling_core.errors import InputError, ScalingError
from scaling_core.flops import training_flops
from scaling_core.hardware import device_hours, devices, utilisations
from scaling_core.language import t, together
from scaling_core.laws import Law
from scaling_core.planning import Budgeted, Machine, TrainingBudget, budgeted, machine, refits_of
from scaling_core.ui import lab_html
from scaling_core.ui.charts import show
from scaling_core.ui.inputs import choice_input
from scaling_core.ui.law_picker import law_line, warn_of
from scaling_core.ui.page import answer, folded, note, section
from scaling_core.ui.plan_checks import before_start, usual_mistakes
from scaling_core.ui.plan_compare import comparison
from scaling_core.ui.plan_copy import copied
from scaling_core.ui.plan_hardware import Asked, asked, spoken
from scaling_core.ui.plan_more import further
from scaling_core.ui.plan_trust import trusted
from scaling_core.ui.plan_words import (
    achieved_columns,
    achieved_rows,
    at_speed,
    energy,
    figures_of,
    flops,
    headline,
    hours,
    machine_name,
    reckoning,
    share,
    small_print,
    speed,
    usd,
)
from scaling_core.units import format_duration, format_quantity
from scaling_core.viz.plan import leaves_its_range, time_chart
from scaling_core.viz.theme import Theme

INSTEAD = TrainingBudget(days=30.0)
"""What is shown where the law has no answer to what was given."""
TALK = (("macbook-m3-max", 1), ("rtx4090", 1), ("a100-80gb", 1), ("h100-sxm", 1), ("a100-80gb", 8), ("a100-80gb", 1024))
"""The hardware of the talk's table: device and how many."""
TALK_MAC = 14e12
"""The peak that the talk takes for a MacBook, FLOP/s; the catalogue's has more digits."""
THE_PLAN, FIRST_MODEL = "plan", "gpt3"


STYLES = """<style>
.sl-table th { word-break: keep-all; }
.st-key-plan-fields .sl-error { width: 20rem; max-width: none; position: relative; z-index: 1; }
.plan-sources-rules :is(td, th):nth-last-child(2) { white-space: normal; text-align: left; min-width: 13rem; }
[class*="plan-sources"] :is(td, th):last-child { white-space: normal; text-align: left; min-width: 14rem; }
</style>"""
"""What only this page needs: a mistake in a narrow field is said beyond its column, and long sources are wrapped."""


def plan_page(published: Preset | None, law: Law, theme: Theme) -> None:
    """The whole page below the law."""
    st.html(lab_html.styles(theme) + STYLES)
    source = published or law
    opening = st.container()
    wish = asked()
    plan = _planned(source, wish)
    if plan is not None:
        with opening:
            answer(
                t("What can I train?"),
                headline(_given(plan), plan, wish.machine, measured=wish.measured is not None),
                reckoning(plan, wish.machine, wish.device, wish.measured),
                law_line(published),
            )
            warn_of(published)
        _numbers(published, source, plan, wish, theme)
    else:
        with opening:
            answer(t("What can I train?"), t("This law has no answer: it has no best model for that."))
            warn_of(published)
    st.space("medium")
    takes(plan, wish)
    st.space("medium")
    ready = None
    if plan is not None:
        ready = copied(source, plan, wish)
        st.space("medium")
    further(source, plan, theme)
    comparison(source, plan, wish.machine)
    st.space("medium")
    if plan is not None:
        trusted(plan, wish.machine, theme)
    if ready is not None:
        st.space("medium")
        usual_mistakes(ready, theme)
        st.space("medium")
        before_start(ready)


def _given(plan: Budgeted) -> str:
    """Which limit or decision a plan answers."""
    return next(name for name in ("days", "usd", "C", "loss", "N", "D") if getattr(plan.budget, name) is not None)


def _planned(source: Preset | Law, wish: Asked) -> Budgeted | None:
    """The plan for what was given, else that for thirty days with a sentence; None where the law has neither."""
    try:
        return budgeted(source, wish.budget, wish.machine)
    except InputError as error:
        try:
            found = budgeted(source, INSTEAD, wish.machine)
        except InputError:
            spoken(error)
            return None
        note(together(error.args[0], t("Shown instead: thirty days on this hardware.")), kind="error")
        return found


def _numbers(published: Preset | None, source: Preset | Law, plan: Budgeted, wish: Asked, theme: Theme) -> None:
    """The numbers of the plan, the picture of what more time buys, and what all of it rests on."""
    numbers = figures_of(plan, wish.machine)
    st.html(lab_html.figure_groups([numbers]))
    if plan.extrapolation.sentences:
        note(together(t("This is an extrapolation."), *plan.extrapolation.sentences))
    refits = refits_of(source)
    band = "" if refits is None else t("The band holds {level:.0f}% of the law's refits.", level=100 * refits.level)
    figure = time_chart(source, wish.machine, plan, theme)
    how = together(
        t(
            "Each point of the curve is the best model for the compute done by then; dots name its size, the diamond "
            "is the plan."
        ),
        t("Where the curve is dashed it lies beyond the runs behind the law.") if leaves_its_range(figure) else "",
        band,
    )
    show(
        figure,
        "plan.time",
        alt=t("Loss of the best model against wall time on this hardware, with best sizes along the curve."),
        grows=True,
        title=headline(_given(plan), plan, wish.machine, measured=wish.measured is not None),
        notes=together(how, reckoning(plan, wish.machine, wish.device, wish.measured), law_line(published)),
        numbers=[(label, value) for label, value, _ in numbers],
    )
    note(how)
    inside = lab_html.plain(small_print(wish.machine, wish.device, wish.measured))
    try:
        inside += lab_html.table(achieved_columns(), achieved_rows(utilisations()), small=True)
    except ScalingError as error:
        spoken(error)
    label = t("Where these numbers come from, and what utilizations were achieved")
    folded(label, inside, "plan-sources-achieved")


def takes(plan: Budgeted | None, wish: Asked) -> None:
    """The talk's table: what a known model, or the plan, takes on the talk's hardware and on the reader's."""
    known = {model.id: model for model in models()}
    names = {FIRST_MODEL: known[FIRST_MODEL].name} | {id: model.name for id, model in known.items()}
    if plan is not None:
        names[THE_PLAN] = t("the plan above")
    words = st.container()
    with st.columns([2, 5])[0]:
        chosen = choice_input(t("Model"), "plan.model", names)
    if chosen == THE_PLAN and plan is not None:
        name, N, D = t("the plan above"), plan.N, plan.D
    else:
        model: KnownModel = known.get(chosen, known[FIRST_MODEL])
        name, N, D = model.name, model.N, model.tokens
    C = training_flops(N, D)
    rows: list[tuple[Machine, bool, str]] = []
    listed = {one.id: one for one in devices()}
    for id, count in TALK:
        what = machine(listed[id], count=count, mfu=wish.mfu)
        rows.append((what, False, (listed[id].training_precision or "").upper()))
    plain = {(what.name, what.count, what.price) for what, _, _ in rows}
    if (wish.machine.name, wish.machine.count, wish.machine.price) not in plain:
        precision = "" if wish.device is None else (wish.device.training_precision or "").upper()
        rows.append((wish.machine, wish.measured is not None, precision))
    with words:
        section(
            t("What would {name} take?", name=name),
            t(
                "{N} parameters on {D} tokens are 6 N D = {C}. At {share} utilization one {device} takes {one}, "
                "{count:,} of them {many}.",
                N=format_quantity(N),
                D=format_quantity(D),
                C=flops(C),
                share=share(wish.mfu),
                device=listed["a100-80gb"].name,
                one=format_duration(rows[2][0].seconds(C)),
                count=TALK[-1][1],
                many=format_duration(rows[5][0].seconds(C)),
            ),
        )
    st.html(
        lab_html.table(
            [t("hardware"), t("peak"), t("achieved"), t("wall time"), t("device-hours"), t("energy"), t("cost, USD")],
            [_row(what, C, measured=measured, precision=precision) for what, measured, precision in rows],
            marked=[len(rows) > len(TALK) and k == len(TALK) for k in range(len(rows))],
        )
    )
    caution = t("One utilization for all hardware is a comparison, no forecast, and memory is not asked here.")
    if chosen != FIRST_MODEL:
        note(caution)
        return
    mac = replace(rows[0][0], peak=TALK_MAC)
    said = t(
        "The talk takes 14 TFLOP/s for the MacBook and every peak in full: at 100% its numbers come out. With 14 "
        "TFLOP/s the MacBook takes {time} at {share}.",
        time=format_duration(mac.seconds(C)),
        share=share(wish.mfu),
    )
    note(together(said, caution))


def _row(what: Machine, C: float, *, measured: bool, precision: str) -> list[str]:
    seconds = what.seconds(C)
    return [
        machine_name(what, measured=measured, first=True),
        at_speed(what, measured=True) if measured else f"{speed(what.peak * what.count)} {precision}".strip(),
        speed(what.achieved),
        format_duration(seconds),
        hours(device_hours(seconds, count=what.count)),
        energy(what.joules(C)),
        usd(what.usd(C)),
    ]
