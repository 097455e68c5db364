"""Growing a ladder from its page: further sizes, horizons or seeds, of which only what is new is trained."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from scaling_core.errors import ScalingError, SweepError
from scaling_core.lab.options import Wish, extended_plan
from scaling_core.language import t
from scaling_core.runs import calibrations, supervisor
from scaling_core.runs.rows import SweepRow
from scaling_core.ui.page import escape_markdown, note
from scaling_core.units import format_duration


def labels() -> dict[str, tuple[str, str, str]]:
    """Label, placeholder and help of each field."""
    return {
        "sizes": (t("Further sizes"), "4x128", t("Layers x width, several with commas")),
        "horizons": (t("Further tokens per parameter"), "80", t("At which runs are cooled")),
        "seeds": (t("Seeds of each size"), "3, 3, 2, 1, 1", t("One number for each size, the added ones included")),
        "held_out": (t("Sizes foretold"), t("as before"), t("The largest, predicted before they are measured")),
    }


def extend(home: Path, row: SweepRow) -> str | None:
    """The popover with its fields and button; returns the id of the larger ladder once it trains."""
    with st.popover(t("Extend"), help=t("Add sizes, horizons or seeds; what is measured already is taken over.")):
        wish = Wish(
            sizes=_field("sizes"), horizons=_field("horizons"), seeds=_field("seeds"), held_out=_field("held_out")
        )
        measured = calibrations.calibration(home, row.device)
        if wish == Wish() or measured is None:
            first = t("Measure this device first, on the page of a new ladder.")
            note(t("Name what to add.") if measured else first)
            return None
        try:
            plan = extended_plan(row, wish, measured)
        except ScalingError as error:
            st.error(escape_markdown(str(error)))
            return None
        new = len(plan.runs) - len({run.id for run in plan.runs} & {run.id for run in row.plan.runs})
        note(
            t(
                "{n} further runs; all {runs} together would take {time}.",
                n=new,
                runs=len(plan.runs),
                time=format_duration(plan.seconds),
            )
        )
        if not st.button(t("Train what is new"), key="lab.extend.start", type="primary", width="stretch"):
            return None
        try:
            with st.spinner(t("Starting: its own process loads torch and checks the device.")):
                return supervisor.start(plan, home, seed_given=True).sweep
        except SweepError as error:
            st.error(escape_markdown(str(error)))
            return None


def _field(name: str) -> str | None:
    label, hint, help = labels()[name]
    text = st.text_input(label, key=f"lab.extend.{name}", placeholder=hint, help=help, max_chars=120)
    return (text or "").strip() or None
