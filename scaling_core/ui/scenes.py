"""The state of a page as a scene holds it: captured from the session, and brought back before its widgets are made.

`story.PARTS` says what a page's state is. Here is where each kind of choice lies in the session.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from scaling_core.catalog import Preset
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import t
from scaling_core.laws import Law, PowerLaw, law_from_constants
from scaling_core.library import all_laws
from scaling_core.runs import place
from scaling_core.runs.liveness import shown_state
from scaling_core.story import LATEST, OWN, PARTS, Part, Scene, Story, changed
from scaling_core.ui import lab_data
from scaling_core.ui.constants import CONSTANTS
from scaling_core.ui.fit_source import Source
from scaling_core.ui.language import PARAMETER as LANGUAGE
from scaling_core.ui.law_picker import Picker
from scaling_core.ui.pins import Pin

FIRST = "calculator"
"""The page that has no part of the address."""
PLAYING = "~scene"
"""Session key of what is being shown."""
_LAST_PIN = "~scene.pin"
_TURN = "~scene.turn"
_WISH = "~scene.wish"
EXAMPLE, NEW = "example", "new"
BEGIN, OPEN = "begin", "open "
"""Wishes: the story from its beginning, and the scene whose id follows."""


_FIELDS = {one.name for parts in PARTS.values() for one in parts if one.address and one.kind not in ("law", "address")}
"""What a field of some page binds to the address, and nothing else may then set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Playing:
    """The scene that a viewer is shown. turn: counts the scenes shown. story: whether a story is on, with its bar.

    notes: what differed from the scene as it was saved, a sentence each.
    """

    scene: Scene
    turn: int
    story: bool
    notes: tuple[str, ...] = ()


def playing() -> Playing | None:
    """What this viewer is shown, None where no scene was opened."""
    found: Playing | None = st.session_state.get(PLAYING)
    return found


def open_scene(scene: Scene, *, story: bool = True, notes: tuple[str, ...] = ()) -> None:
    """Go to the scene's page and bring back its state; the script ends here, and runs again on that page."""
    found, address = restore(scene)
    st.session_state[_TURN] = turn = int(st.session_state.get(_TURN, 0)) + 1
    st.session_state[PLAYING] = Playing(scene=scene, turn=turn, story=story, notes=(*notes, *found))
    if LANGUAGE in st.query_params:
        address[LANGUAGE] = st.query_params[LANGUAGE]
    page = f"pages/{scene.page}.py"
    try:
        st.switch_page(page, query_params=address)
    except StreamlitAPIException:  # a field of the present page holds one of them; the session has its value already
        st.switch_page(page, query_params={name: value for name, value in address.items() if name not in _FIELDS})


def close_story() -> None:
    """No scene is shown any more; the page stays as it is."""
    st.session_state.pop(PLAYING, None)


def place_of(scene: Scene, scenes: Story) -> int | None:
    """Where the scene stands in the story; None for one that came by a link and is not in it."""
    return next((k for k, one in enumerate(scenes) if one.id == scene.id), None)


def wish(what: str) -> None:
    """In the callback of a button or a key: what the next run is also to do before it draws the page."""
    st.session_state[_WISH] = (*st.session_state.get(_WISH, ()), what)


def wished() -> tuple[str, ...]:
    """What was wished for, in its order, once."""
    asked: tuple[str, ...] = st.session_state.pop(_WISH, ())
    return asked


def note_more(notes: tuple[str, ...]) -> None:
    """Add to what is said of the present scene."""
    here = playing()
    if here is not None:
        st.session_state[PLAYING] = replace(here, notes=tuple(dict.fromkeys((*here.notes, *notes))))


# ---- capture


def capture(page: str) -> dict[str, Any]:
    """The choices of the page as this viewer has them, those that are as it begins left out."""
    return changed(page, {one.name: value for one in PARTS[page] if (value := _seen(one)) is not None})


def _seen(one: Part) -> Any:
    """A choice as it is now, None where the page has not been there yet or shows something that is none."""
    if one.kind == "law":
        picker: Picker | None = st.session_state.get(f"{one.name}~picker")
        return picker and {
            "choice": picker.choice,
            "base": picker.base,
            "form": picker.form,
            "values": dict(picker.values),
        }
    if one.kind == "pins":
        pins: list[Pin] = st.session_state.get("law~pins", [])
        return [{"name": p.name, "form": p.law.form, "values": p.law.constants} for p in pins]
    if one.kind == "axes":
        return _read(one, st.session_state.get("law~axes"))
    if one.kind == "address":
        return _read(one, st.query_params.get(one.name))
    if one.kind == "lines":
        text = st.session_state.get(one.name, st.session_state.get(f"{one.name}~kept"))
        if not isinstance(text, str) or text == st.session_state.get(f"{one.name}~begun"):
            return None
        return _read(one, [line for line in text.splitlines() if line.strip()])
    for key in (one.name, f"{one.name}~kept", f"{one.name}~good.text"):
        value = _read(one, st.session_state.get(key))
        if value is not None:
            return value
    return None


def _read(one: Part, value: object) -> Any:
    try:
        return None if value is None else one.read(value)
    except ScalingError:
        return None


def data_of(page: str) -> dict[str, str]:
    """Name and hash of the data that the page shows, {} where they are part of the project or there are none."""
    if page == "fit":
        source = st.session_state.get("fit.good")
        chosen = st.session_state.get("fit.source~kept", EXAMPLE)
        if isinstance(source, Source) and chosen not in (EXAMPLE, "recorded"):
            return {"name": _visible(source.name), "hash": sha256(source.key.encode()).hexdigest()[:16]}
    if page == "lab" and (sweep := st.query_params.get("sweep", NEW)) != NEW:
        seen = lab_data.recorded() if sweep == EXAMPLE else lab_data.snapshot(place.home(), sweep)
        if seen is not None:
            corpus = seen.row.corpus
            return {"name": _visible(str(corpus.get("name", sweep))), "hash": str(corpus.get("hash", ""))[:16]}
    return {}


def _visible(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:120].strip() or "data"


# ---- restore


def restore(scene: Scene) -> tuple[list[str], dict[str, str]]:
    """Bring the scene's state into the session, what it does not name as its page begins.

    Returns what could not be brought back, a sentence each, and what the address of the page is to say.
    """
    notes: list[str] = []
    address: dict[str, str] = {}
    for one in PARTS[scene.page]:
        value = scene.state.get(one.name, one.default)
        if one.kind == "law":
            value = _restore_law(one, value, notes)
        elif one.kind == "pins":
            _restore_pins(value, notes)
        elif one.kind == "axes":
            st.session_state["law~axes"] = tuple(tuple(pair) for pair in value) or None
        elif one.kind == "address":
            value = _ladder() if value == LATEST else value
        elif one.kind in ("toggle", "names"):
            st.session_state[one.name] = value if one.kind == "toggle" else list(value)
        elif one.kind == "lines":
            _restore_lines(one.name, value)
        elif one.kind == "choice" and value == "" and not one.options:
            st.session_state.pop(one.name, None)
        else:
            st.session_state[one.name] = st.session_state[f"{one.name}~kept"] = value
            for old in ("good", "good.text"):
                st.session_state.pop(f"{one.name}~{old}", None)
        if one.address and value and value != (one.default if one.kind != "address" else ""):
            address[one.name] = str(value)
    return notes, address


def _restore_lines(key: str, lines: Sequence[str]) -> None:
    """The text of an area; without one it begins as the page has it."""
    for name in (key, f"{key}~kept", f"{key}~begun"):
        st.session_state.pop(name, None)
    if lines:
        st.session_state[key] = st.session_state[f"{key}~kept"] = "\n".join(lines)


def _restore_law(one: Part, value: str | Mapping[str, Any], notes: list[str]) -> str:
    """The law of a picker; returns its id for the address, "" for constants of one's own."""
    known = {p.id: p for p in all_laws("joint")}
    picker = _picker(value, known, str(one.default), notes)
    old: Picker | None = st.session_state.get(f"{one.name}~picker")
    if old is not None:
        picker.version, picker.visit = old.version, old.visit
        picker.renew()
    st.session_state[f"{one.name}~picker"] = picker
    return picker.choice if picker.choice != OWN else ""


def _picker(value: str | Mapping[str, Any], known: Mapping[str, Preset], default: str, notes: list[str]) -> Picker:
    if isinstance(value, str):
        if value in known:
            return Picker.of(known[value])
        shown = known[default].told("name")
        notes.append(t("There is no law {id} here; shown instead: {name}.", id=value, name=shown))
        return Picker.of(known[default])
    choice, form, values = str(value["choice"]), str(value["form"]), dict(value["values"])
    if choice in known and _same(known[choice].joint, form, values):
        return Picker.of(known[choice])
    try:
        _within(form, values)
    except InputError as error:
        notes.append(error.args[0])
        return Picker.of(known[default])
    if choice != OWN:
        words = t("The law {id} is not known here with these constants; they are shown as your own.", id=choice)
        notes.append(words)
    base = known.get(str(value["base"]), known.get(choice, known[default]))
    return Picker(choice=OWN, base=base.id, form=form, values=values)


def _same(law: Law, form: str, values: Mapping[str, float]) -> bool:
    return law.form == form and all(math.isclose(law.constants[k], v, rel_tol=1e-12) for k, v in values.items())


def _within(form: str, values: Mapping[str, float]) -> None:
    """Raise InputError for a constant that no slider and no field of the page would take."""
    for name, constant in CONSTANTS[form].items():
        if not constant.least <= values[name] <= constant.most:
            least, most = f"{constant.least:g}", f"{constant.most:g}"
            allowed = t("it must be a number from {least} to {most}", least=least, most=most)
            raise InputError(constant.symbol, values[name], allowed)


def _restore_pins(value: list[str | dict[str, Any]], notes: list[str]) -> None:
    """The pinned laws, each with a number that no field on the page has had, lest it bring back its old name."""
    known = {p.id: p for p in all_laws("joint")}
    last = max([int(st.session_state.get(_LAST_PIN, 0)), *(p.id for p in st.session_state.get("law~pins", []))])
    pins: list[Pin] = []
    for one in value:
        if isinstance(one, str) and one not in known:
            notes.append(t("There is no law {id} here to be pinned.", id=one))
            continue
        name = known[one].told("short_name") if isinstance(one, str) else str(one["name"])
        law = known[one].joint if isinstance(one, str) else law_from_constants(one["form"], one["values"])
        if not isinstance(law, PowerLaw):
            last += 1
            pins.append(Pin(id=last, name=name, law=law))
    st.session_state[_LAST_PIN] = last
    st.session_state["law~pins"] = pins


def _ladder() -> str:
    """The ladder that trains now, else the last that was finished here, else the one that came with the project."""
    home = place.home()
    try:
        rows = [row for row in lab_data.sweeps(home) if not row.plan.spec.tunes]
    except ScalingError:
        rows = []
    states = {row.id: shown_state(row, home) for row in rows}
    for wanted in ("running", "finished"):
        for row in rows:
            if states[row.id] == wanted:
                return row.id
    return EXAMPLE if lab_data.recorded() is not None else NEW
