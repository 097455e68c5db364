"""Laws pinned behind the law of the moment: the published one that was set out from, and those that a reader keeps."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.library import all_laws
from scaling_core.ui.law_picker import Picker
from scaling_core.ui.page import escape_markdown
from scaling_core.viz.isoflop import Ghost

MOST = 4
"""More curves than these nobody tells apart."""


@dataclass(slots=True)
class Pin:
    """A pinned law: a number of its own, the name that its owner gives it, and the law."""

    id: int
    name: str
    law: Law


def ghosts_of(key: str, published: Preset | None) -> list[Ghost]:
    """What stands behind the law of the picker `key`: the published law that it set out from, and the pins."""
    base = base_of(key, published)
    ghosts = [as_ghost(base)] if base is not None else []
    return ghosts + [Ghost(name=pin.name, law=pin.law) for pin in _pins(key)]


def base_of(key: str, published: Preset | None) -> Preset | None:
    """The published or saved law that the constants of the picker `key` set out from."""
    picker: Picker | None = st.session_state.get(f"{key}~picker")
    return next((law for law in all_laws("joint") if picker is not None and law.id == picker.base), published)


def as_ghost(base: Preset) -> Ghost:
    """A law with its refits, where it has any, to stand behind the law of the moment."""
    level = 0.95 if base.level is None else base.level
    return Ghost(name=base.told("short_name"), law=base.joint, replicates=base.replicates, level=level)


def pin_controls(key: str, law: Law, published: Preset | None) -> None:
    """A button that pins the law of the moment, and beneath it each pin with its name and a button that drops it."""
    pins = _pins(key)
    st.button(
        t("Pin this curve"),
        key=f"{key}~pin",
        on_click=_pin,
        args=(key, law, published.told("short_name") if published else ""),
        disabled=len(pins) >= MOST,
        width="stretch",
        help=t("It stays behind while the constants change."),
    )
    for pin in pins:
        name, drop = st.columns([4, 1], vertical_alignment="bottom", gap="small")
        widget = f"{key}~pin.{pin.id}"
        typed = name.text_input(
            t("Name of the pinned curve"), value=pin.name, key=widget, max_chars=24, label_visibility="collapsed"
        )
        pin.name = (typed or "").strip() or pin.name
        drop.button("×", key=f"{widget}.drop", on_click=_drop, args=(key, pin.id), help=_dropping(pin.name))


def _dropping(name: str) -> str:
    return escape_markdown(t("Drop {name}", name=name))


def _pins(key: str) -> list[Pin]:
    pins: list[Pin] = st.session_state.setdefault(f"{key}~pins", [])
    return pins


def _pin(key: str, law: Law, name: str) -> None:
    pins = _pins(key)
    if len(pins) < MOST:
        number = 1 + max((pin.id for pin in pins), default=0)
        pins.append(Pin(id=number, name=name or t("pinned {n}", n=number), law=law))


def _drop(key: str, number: int) -> None:
    st.session_state[f"{key}~pins"] = [pin for pin in _pins(key) if pin.id != number]
