"""Growing a ladder from its page: further sizes, horizons or seeds, of which only what is new is trained."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from scaling_core.errors import ScalingError, SweepError
from scaling_core.lab.options import Wish, extended_plan
from scaling_core.runs import calibrations, supervisor
from scaling_core.runs.rows import SweepRow
from scaling_core.ui.page import escape_markdown, note
from scaling_core.units import format_duration

LABELS = {
    "sizes": ("Further sizes", "4x128", "Layers x width, several with commas"),
    "horizons": ("Further tokens per parameter", "80", "At which runs are cooled"),
    "seeds": ("Seeds of each size", "3, 3, 2, 1, 1", "One number for each size, the added ones included"),
    "held_out": ("Sizes foretold", "as before", "The largest, predicted before they are measured"),
}


def extend(home: Path, row: SweepRow) -> str | None:
    """The popover with its fields and button; returns the id of the larger ladder once it trains."""
    with st.popover("Extend", help="Add sizes, horizons or seeds; what is measured already is taken over."):
        wish = Wish(
            sizes=_field("sizes"), horizons=_field("horizons"), seeds=_field("seeds"), held_out=_field("held_out")
        )
        measured = calibrations.calibration(home, row.device)
        if wish == Wish() or measured is None:
            note("Name what to add." if measured else "Measure this device first, on the page of a new ladder.")
            return None
        try:
            plan = extended_plan(row, wish, measured)
        except ScalingError as error:
            st.error(escape_markdown(str(error)))
            return None
        new = len(plan.runs) - len({run.id for run in plan.runs} & {run.id for run in row.plan.runs})
        note(f"{new} further runs; all {len(plan.runs)} together would take {format_duration(plan.seconds)}.")
        if not st.button("Train what is new", key="lab.extend.start", type="primary", width="stretch"):
            return None
        try:
            with st.spinner("Starting: its own process loads torch and checks the device."):
                return supervisor.start(plan, home, seed_given=True).sweep
        except SweepError as error:
            st.error(escape_markdown(str(error)))
            return None


def _field(name: str) -> str | None:
    label, hint, help = LABELS[name]
    text = st.text_input(label, key=f"lab.extend.{name}", placeholder=hint, help=help, max_chars=120)
    return (text or "").strip() or None
