"""This lab's own ladder for a plan: the command that trains it, and the form of the lab's page filled with it."""

from __future__ import annotations

import sys
from functools import lru_cache

import streamlit as st

from scaling_core.errors import InputError
from scaling_core.lab.records import Calibration
from scaling_core.lab.spec import DeviceName
from scaling_core.language import t, together
from scaling_core.planning import Budgeted
from scaling_core.planning.ladder import Ladder, lab_ladder
from scaling_core.planning.recipe import MOST_TOKENS
from scaling_core.runs import place
from scaling_core.runs.calibrations import of_this_machine
from scaling_core.ui import lab_html
from scaling_core.ui.language import PARAMETER as LANGUAGE
from scaling_core.ui.page import note
from scaling_core.ui.plan_hardware import spoken
from scaling_core.units import format_duration, format_quantity


def lab_part(plan: Budgeted) -> None:
    """This lab's own ladder for the plan, and the button that opens it there, or why there is none."""
    st.html(lab_html.chart_title(t("This lab"), t("its ladder, the plan held out")))
    measured = of_this_machine(place.home())
    try:
        ladder = _ladder(min(plan.N, MOST_TOKENS), min(plan.D, MOST_TOKENS), measured, _usual_device())
    except InputError as error:
        spoken(error)
        return
    if ladder.spec is None:
        note(ladder.reason)
        if plan.N > 1e7:
            note(t("Give a model size of a million parameters above, and the lab can train it here."))
        return
    st.code(ladder.command, language="bash", wrap_lines=True)
    told = t(
        "The largest, {name} with {N} parameters, is foretold from {n} smaller ones before it is trained.",
        name=ladder.spec.shapes[-1].name,
        N=format_quantity(ladder.params),
        n=len(ladder.spec.shapes) - 1,
    )
    time = (
        t("This machine was not measured yet; the lab does that first.")
        if ladder.plan is None
        else t("About {time} on this machine.", time=format_duration(ladder.plan.seconds))
    )
    note(together(told, time))
    for one in ladder.notes:
        note(one)
    if st.button(t("Open in the lab"), type="primary", key="plan.open"):
        open_in_lab(ladder, measured is not None)


@lru_cache(maxsize=32)
def _ladder(N: float, D: float, measured: Calibration | None, device: DeviceName) -> Ladder:
    return lab_ladder(N, D, device=device, calibration=measured)


def _usual_device() -> DeviceName:
    """What a command names where nothing was measured."""
    return "mps" if sys.platform == "darwin" else "cpu"


def open_in_lab(ladder: Ladder, measured: bool) -> None:
    """Fill the lab's form with the ladder and go there; the script ends here, and runs again on that page."""
    spec = ladder.spec
    if spec is None:
        return
    state = st.session_state
    for name in ("sizes", "horizons", "factors", "seeds", "held_out", "minutes", "max_steps", "context", "dropout"):
        state[f"lab.own.{name}"] = ""
    state["lab.mode"] = spec.mode
    state["lab.device"] = spec.device if measured else "auto"
    state["lab.corpus"], state["lab.tokens"], state["lab.own.what"] = "stdlib", "bytes", "ladder"
    state["lab.own.early"] = False
    state["lab.own.sizes"] = ", ".join(shape.name for shape in spec.shapes)
    state["lab.own.horizons"] = ", ".join(f"{horizon:g}" for horizon in spec.horizons)
    state["lab.own.seeds"] = ", ".join(str(spec.seed_count(rung)) for rung in range(len(spec.shapes)))
    state["lab.own.held_out"] = str(spec.held_out)
    state["lab.own.context"] = str(spec.context)
    address = {"sweep": "new"}
    if LANGUAGE in st.query_params:
        address[LANGUAGE] = st.query_params[LANGUAGE]
    st.switch_page("pages/lab.py", query_params=address)
