"""Training in stages on the page "Plan a training": the plan's model trained on, against one run with it all."""

from __future__ import annotations

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.errors import InputError
from scaling_core.language import t, together
from scaling_core.laws import Law
from scaling_core.planning import Budgeted
from scaling_core.planning.transfer import Staged, staged
from scaling_core.ui import lab_html
from scaling_core.ui.inputs import number_input
from scaling_core.ui.page import section
from scaling_core.ui.plan_hardware import spoken
from scaling_core.ui.plan_words import Figures
from scaling_core.units import format_loss, format_quantity


def in_stages(source: Preset | Law, plan: Budgeted) -> None:
    """The field of the later compute, what two stages come to, and the numbers of both ways."""
    words = st.container()
    with st.columns([1.5, 6])[0]:
        times = number_input(
            t("Later compute, ×"), "plan.stages.times", 1.0, minimum=1e-3, maximum=1e3,
            help=t("For a second stage after the plan above, in units of the plan's compute."),
        )  # fmt: skip
    title = t("Train in stages?")
    try:
        found = staged(source, C=plan.C, added=times * plan.C)
    except InputError as error:
        with words:
            section(title)
        spoken(error)
        return
    with words:
        section(title, stages_told(found, times))
    st.html(lab_html.figure_groups(_numbers(found)))


def _numbers(found: Staged) -> list[Figures]:
    """Both ways side by side, and the price of the stages."""
    return [
        [
            (t("first stage"), format_loss(found.first.loss),
             t("{N} on {D}", N=format_quantity(found.first.N), D=format_quantity(found.first.D))),
            (t("after both stages"), format_loss(found.loss),
             t("{N} on {D}", N=format_quantity(found.first.N), D=format_quantity(found.D))),
            (t("one run with all of it"), format_loss(found.best.loss),
             t("{N} on {D}", N=format_quantity(found.best.N), D=format_quantity(found.best.D))),
        ],
        [(t("price of the stages, nats"), f"{found.excess_loss:.4f}", "")],
    ]  # fmt: skip


def stages_told(found: Staged, times: float) -> str:
    """What two stages come to against one run."""
    return together(
        t(
            "In stages: the plan's {N} parameters, trained on to {D} tokens with {times} times its compute again, "
            "reach {loss}; one run with all of it is best with {best_N} on {best_D}, {best_loss}.",
            N=format_quantity(found.first.N),
            D=format_quantity(found.D),
            times=f"{times:g}",
            loss=format_loss(found.loss),
            best_N=format_quantity(found.best.N),
            best_D=format_quantity(found.best.D),
            best_loss=format_loss(found.best.loss),
        ),
        t(
            "Stages cost {excess} nats, since the size was chosen for the first; with the same size and tokens they "
            "cost nothing under this law, which knows no restart of the learning rate.",
            excess=f"{found.excess_loss:.4f}",
        ),
    )
