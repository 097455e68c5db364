"""A link to what the page shows, and saving it as a scene of the story."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from scaling_core.errors import InputError, StoreError
from scaling_core.language import LANGUAGES, current, retold, t
from scaling_core.learn import Text
from scaling_core.story import (
    LONGEST,
    NEEDS,
    PARAMETER,
    PARTS,
    Scene,
    Story,
    View,
    change,
    free_id,
    packed_scene,
    told,
)
from scaling_core.story.checked import plain_text
from scaling_core.story.state import spelled
from scaling_core.ui.deck import link_by
from scaling_core.ui.page import escape_markdown, note
from scaling_core.ui.presenter import presenting
from scaling_core.ui.scenes import BEGIN, FIRST, Playing, capture, data_of, playing, wish

_SAID = "~scene.said"


def scene_menu(place: DeltaGenerator, page: str) -> None:
    """A link to what the page shows, and saving it as a scene."""
    with place:
        box = st.popover(t("Scene"), type="tertiary", key="scene.menu", on_change="rerun")
    if not box.open:
        return
    with box:
        if (sentence := st.session_state.pop(_SAID, "")) != "":
            note(retold(sentence), kind="warning")
        here = playing()
        st.markdown(f"**{t('Link to this picture')}**")
        note(t("It holds the page, every constant and choice, the language and the view."))
        try:
            st.code(_link(page, here), language=None, wrap_lines=True, height=120)
        except InputError as error:
            note(error.args[0], kind="error")
        st.markdown(f"**{t('Save as a scene')}**")
        title = st.text_input(t("Title"), key="scene.title", max_chars=LONGEST["title"], autocomplete="off")
        sentence = st.text_input(t("Sentence"), key="scene.sentence", max_chars=LONGEST["sentence"], autocomplete="off")
        st.button(
            t("Add to the story"), key="scene.save", on_click=_save, args=(page, title or "", sentence or ""),
            width="stretch", disabled=not (title or "").strip(),
        )  # fmt: skip
        if here is not None and here.story and here.scene.page == page:
            label = escape_markdown(t("Keep this state in “{title}”", title=told(here.scene, "title")))
            st.button(label, key="scene.keep", on_click=_keep, args=(page, here.scene.id), width="stretch")
        with st.container(horizontal=True, gap="small"):
            st.button(
                t("Presenter view"), key="scene.view", on_click=wish, args=("present",), help=t("P, on any page.")
            )
            st.button(t("Start the story"), key="scene.start", on_click=wish, args=(BEGIN,))


def now(page: str, here: Playing | None) -> Scene:
    """What the page shows as a scene: the one that was opened with the state of now, or one without a title."""
    state, data = spelled(page, capture(page)), data_of(page)
    if here is not None and here.scene.page == page:
        return replace(here.scene, state=state, data=data)
    empty = Text(en="", zh="")
    title = Text(en="Scene", zh="场景")
    return Scene(id="link", title=title, sentence=empty, point=empty, page=page, state=state, data=data, needs=NEEDS)


def _link(page: str, here: Playing | None) -> str:
    view: View = "presenter" if presenting() else "page"
    value = packed_scene(now(page, here), language=current(), view=view, story=here is not None and here.story)
    return f"{base_address(page)}/{'' if page == FIRST else page}?{PARAMETER}={value}"


def _linked(page: str) -> str:
    """The link of a slide of the deck."""
    if page not in PARTS:
        raise InputError(t("page"), page, t("it has no scenes"))
    return _link(page, playing())


link_by(_linked)


def base_address(page: str) -> str:
    """The address of the app, seen from a page of it, without a slash at its end."""
    return (st.context.url or "").split("?")[0].rstrip("/").removesuffix(f"/{page}")


def _save(page: str, title: str, sentence: str) -> None:
    """In the callback of the button: the state of the page becomes a scene, after the one that is shown."""
    here = playing()
    try:
        heading = plain_text("title", title, LONGEST["title"])
        words = plain_text("sentence", sentence, LONGEST["sentence"], empty=True)
        state, data = spelled(page, capture(page)), data_of(page)

        def add(scenes: Story) -> Story:
            id = free_id(title, [one.id for one in scenes])
            scene = Scene(
                id=id, title=_same(heading), sentence=_same(words), point=_same(""), page=page, state=state,
                needs=("fields",), data=data,
            )  # fmt: skip
            after = next((k + 1 for k, one in enumerate(scenes) if here and one.id == here.scene.id), len(scenes))
            return (*scenes[:after], scene, *scenes[after:])

        problem = change(add)
        st.session_state["scene.title"] = st.session_state["scene.sentence"] = ""
        st.session_state[_SAID] = problem or t("Saved: {title}.", title=heading)
    except (InputError, StoreError) as error:
        st.session_state[_SAID] = error.args[0]


def _same(text: str) -> Text:
    """A text that a person wrote once, for every language."""
    return Text(**dict.fromkeys(LANGUAGES, text))


def _keep(page: str, id: str) -> None:
    """In the callback of the button: the scene takes the state of the page."""
    state, data = spelled(page, capture(page)), data_of(page)
    try:
        problem = change(
            lambda scenes: tuple(replace(one, state=state, data=data) if one.id == id else one for one in scenes)
        )
        st.session_state[_SAID] = problem or t("Saved.")
    except (InputError, StoreError) as error:
        st.session_state[_SAID] = error.args[0]
