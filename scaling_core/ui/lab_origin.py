"""The lab's page on where a ladder comes from: its machine, its text, and what happened to it."""

from __future__ import annotations

import streamlit as st

from scaling_core.language import retold, t
from scaling_core.ui.lab_data import Snapshot
from scaling_core.ui.lab_words import clock, date
from scaling_core.ui.page import note
from scaling_core.units import format_duration


def machine_name(seen: Snapshot) -> str:
    """The device on which a ladder was trained, as it calls itself."""
    row = seen.row
    return str(row.machine.get("device_name") or row.machine.get("name") or row.device)


def recorded_words(seen: Snapshot) -> str:
    """Where and when a recorded ladder was trained, in a sentence."""
    row, unknown = seen.row, t("unknown")
    return t(
        "A recording: trained on {day} in {time} on {machine}, torch {torch}, Scaling Lab {version}, text {text} "
        "({hash}). Nothing of it was trained here.",
        day=date(row.created_at),
        time=format_duration(seen.status.seconds),
        machine=machine_name(seen),
        torch=row.machine.get("torch") or unknown,
        version=row.machine.get("version") or unknown,
        text=_text(seen),
        hash=_hash(seen),
    )


def history(seen: Snapshot) -> None:
    """What happened to this sweep, in its own words, and where it came from."""
    with st.expander(t("What happened, and how this was trained")):
        for event in seen.events:
            kind = "quiet" if event.level == "info" else "warning"
            note(f"{clock(event.at, seconds=True)}  {retold(event.text)}", kind=kind)
        note(_provenance(seen))


def _provenance(seen: Snapshot) -> str:
    """Text, hash, machine, seed and id of a sweep, in one line."""
    return t(
        "Text: {text}, SHA-256 {hash}. Machine: {machine}. Seed {seed}, id {id}.",
        text=_text(seen),
        hash=_hash(seen),
        machine=machine_name(seen),
        seed=seen.row.plan.spec.seed,
        id=seen.row.id,
    )


def _text(seen: Snapshot) -> str:
    return str(seen.row.corpus.get("name") or t("unknown"))


def _hash(seen: Snapshot) -> str:
    """The beginning of the text's digest, enough to tell texts apart."""
    return str(seen.row.corpus.get("hash", ""))[:12]
