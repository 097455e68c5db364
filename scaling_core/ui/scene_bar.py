"""What stands around every page: the scene that the address opens, its bar while a story is on, and the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from scaling_core.errors import ScalingError
from scaling_core.language import current, t
from scaling_core.library import all_laws
from scaling_core.story import PARAMETER, PARTS, Scene, Story, story, told, unpacked_scene
from scaling_core.ui.language import KEY as LANGUAGE
from scaling_core.ui.law_picker import Picker
from scaling_core.ui.page import note, said, tongue, viewer_theme
from scaling_core.ui.presenter import measured, noting, present, presenting, show_notes, stage_size, styles
from scaling_core.ui.scene_menu import scene_menu
from scaling_core.ui.scenes import (
    BEGIN,
    FIRST,
    OPEN,
    Playing,
    capture,
    close_story,
    data_of,
    note_more,
    open_scene,
    place_of,
    playing,
    wish,
    wished,
)
from scaling_core.viz.live import script

_FRESH = "~scene.checked"
_PROBLEM = "~scene.problem"
_TOLD = "~scene.told"
_HEARD = "~scene.heard"


@contextmanager
def stage(page: Page) -> Iterator[None]:
    """Around the run of a page: open the scene that the address or a key asks for, and draw what stands above it."""
    name = page.url_path or FIRST
    try:
        _arrive()
        _obey()
    except ScalingError as error:
        st.session_state[_PROBLEM] = error.args[0]
    here, theme = playing(), viewer_theme()
    at_home = here is not None and here.scene.page == name
    needs = here.scene.needs if here is not None and at_home else None
    st.html(styles(theme, name, needs, warned=_warned()))
    _keys(here, name)
    menu = st.container(key="scene-menu")
    words = _bar(here, story()[0]) if here is not None and here.story else None
    remarks = st.container(key="scene-remarks") if here is not None and here.notes else None
    if (problem := st.session_state.get(_PROBLEM)) is not None:
        note(problem, kind="error")
    yield
    if here is not None and at_home:
        _compare_data(here, name)
        if words is not None:
            _tell_anew(here, words)
        if remarks is not None:
            with remarks:
                for sentence in (playing() or here).notes:
                    note(sentence, kind="warning")
    if not presenting() and name in PARTS:
        scene_menu(menu, name)


# ---- what the address, a button or a key asks for


def _arrive() -> None:
    """Open the scene that the address holds; one that cannot be opened is said, and the page stays."""
    value = st.query_params.get(PARAMETER)
    if value is None:
        return
    try:
        link = unpacked_scene(value)
    except ScalingError as error:
        del st.query_params[PARAMETER]
        st.session_state[_PROBLEM] = error.args[0]
        return
    st.session_state.pop(_PROBLEM, None)
    if link.language is not None:
        st.session_state[LANGUAGE] = link.language
        st.query_params["lang"] = link.language
    present(link.view == "presenter")
    open_scene(link.scene, story=link.story, notes=link.notes)


def _heard() -> None:
    """Keys were pressed: those that were not heard before, by their numbers; a press may be told more than once."""
    told_keys = _from_browser("said")
    for press in told_keys if isinstance(told_keys, list) else ():
        match press:
            case [int(number), str(meaning)] if number > st.session_state.get(_HEARD, 0):
                st.session_state[_HEARD] = number
                wish(meaning)


def _measured() -> None:
    """The window is of another size than was thought."""
    measured(_from_browser("stage"))


def _from_browser(name: str) -> object:
    state = st.session_state.get("scene~keys")
    return state.get(name) if isinstance(state, Mapping) else None


def _obey() -> None:
    """Do what was wished for, in its order: another scene, this one from its beginning, or another view."""
    goal: Scene | None = None
    for asked in wished():
        if asked in ("present", "plain"):
            present(asked == "present" and not presenting())
        elif asked == "notes":
            show_notes(not noting())
        elif asked.startswith((BEGIN, OPEN)):
            scenes, _ = story()
            goal = next((scene for scene in scenes if asked == f"{OPEN}{scene.id}"), scenes[0])
        elif (here := playing()) is not None and here.story:
            if asked == "leave":
                present(False)
                close_story()
                return
            goal = _step(asked, goal or here.scene) or goal
    if goal is not None:
        open_scene(goal)


def _step(asked: str, scene: Scene) -> Scene | None:
    """The scene that a key asks for while `scene` is on; None beyond the first and the last, and for other words."""
    if asked == "reset":
        return scene
    scenes, _ = story()
    place = place_of(scene, scenes)
    if asked == "next":
        return next(iter(scenes[0 if place is None else place + 1 :]), None)
    if asked == "previous" and place != 0:
        return scenes[(len(scenes) if place is None else place) - 1]
    return None


# ---- what is drawn


def _warned() -> bool:
    """Whether the law that the constants of the page set out from comes with a warning."""
    picker: Picker | None = st.session_state.get("law~picker")
    return picker is not None and any(law.id == picker.base and law.warning for law in all_laws("joint"))


@st.cache_resource(show_spinner=False)
def _component() -> Callable[..., Any]:
    made: Callable[..., Any] = st.components.v2.component("scaling-lab-keys", html="<i></i>\n", js=script("keys"))
    return made


def _keys(here: Playing | None, page: str) -> None:
    """Listen to the keys of a talk, and bring the part of the page into view where the scene begins."""
    data = {
        "playing": here is not None and here.story,
        "presenting": presenting(),
        "turn": here.turn if here is not None else 0,
        "focus": here.scene.focus if here is not None and here.scene.page == page else 0,
        "page": page,
        "stage": stage_size(),
        "language": current(),
        "heard": st.session_state.get(_HEARD, 0),
    }
    with st.container(key="scene-keys"):
        _component()(key="scene~keys", data=data, on_said_change=_heard, on_stage_change=_measured)


def _bar(here: Playing, scenes: Story) -> DeltaGenerator:
    """Number, title and sentence of the scene, what to point at, and a button for every key.

    Returns the place of the sentence.
    """
    place = place_of(here.scene, scenes)
    count = f"{place + 1} / {len(scenes)}" if place is not None else ""
    with st.container(key="scene-bar", gap="xsmall"):
        with st.container(key="scene-line", horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            head = (
                f"<span class='sl-count'>{count}</span><span class='sl-title'>{said(told(here.scene, 'title'))}</span>"
            )
            st.html(f"<div class='sl-scene' lang='{tongue()}'>{head}</div>", width="stretch")
            with st.container(key="scene-buttons", horizontal=True, width="content", gap="xsmall", wrap=False):
                _buttons(first=place == 0, last=place is not None and place == len(scenes) - 1)
        words = st.empty()
    of, sentences = st.session_state.get(_TOLD, ("", ""))
    words.html(sentences if of == _which(here) else _sentences(here.scene))
    return words


def _tell_anew(here: Playing, words: DeltaGenerator) -> None:
    """Say the sentence with the numbers of what the page shows now, which a person may have changed."""
    state = capture(here.scene.page)
    if not state.get("pins") and "pins" in here.scene.state:
        state["pins"] = here.scene.state["pins"]
    sentences = _sentences(replace(here.scene, state=state))
    st.session_state[_TOLD] = (_which(here), sentences)
    words.html(sentences)


def _which(here: Playing) -> str:
    """What the sentence belongs to: as long as this is the same, only its numbers change."""
    return f"{here.turn} {current()} {noting()}"


def _sentences(scene: Scene) -> str:
    point = told(scene, "point")
    more = t("Point at: {what}", what=point) if noting() and point else ""
    return (
        f"<div class='sl-scene-said' lang='{tongue()}'><p>{said(told(scene, 'sentence'))}</p>"
        f"<p class='sl-point'>{said(more)}</p></div>"
    )


def _buttons(*, first: bool, last: bool) -> None:
    """A button for every key."""
    _button("previous", t("Previous"), t("The scene before; left arrow or Page Up."), disabled=first)
    _button("next", t("Next"), t("The next scene; right arrow, Page Down or space bar."), disabled=last)
    _button("reset", t("Reset"), t("This scene from its beginning; Home or R."))
    _button("notes", t("Speaker notes"), t("What to point at, for the speaker; N."))
    view = t("Page view") if presenting() else t("Presenter view")
    _button("present", view, t("P enters and leaves it, Escape leaves it."))
    _button("leave", t("Leave"), t("End the story; the page stays as it is."))


def _button(what: str, label: str, help: str, *, disabled: bool = False) -> None:
    st.button(label, key=f"scene.{what}", help=help, on_click=wish, args=(what,), disabled=disabled, type="tertiary")


def _compare_data(here: Playing, page: str) -> None:
    """Say where the data on the page are not those of the scene; looked at once for each opening of a scene."""
    wanted = here.scene.data.get("hash")
    if wanted is None or st.session_state.get(_FRESH) == here.turn:
        return
    st.session_state[_FRESH] = here.turn
    if data_of(page).get("hash") != wanted:
        name = here.scene.data.get("name", wanted)
        note_more(
            (t("This scene was made with other data, {name} ({hash}), which are not shown here.", name=name,
               hash=wanted),)
        )  # fmt: skip
        st.rerun()
