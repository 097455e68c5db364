"""The page "Story": every scene with the button that opens it, changes to the story, and its files."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from scaling_core.errors import InputError, ScalingError, StoreError
from scaling_core.language import Language, current, retold, speaking, t, tn
from scaling_core.story import LONGEST, Scene, Story, change, forget, free_id, is_own, read_story, story, told, written
from scaling_core.ui.deck import powerpoint
from scaling_core.ui.download import download
from scaling_core.ui.learn import page_names
from scaling_core.ui.page import answer, escape_markdown, note, said, section
from scaling_core.ui.scene_menu import base_address
from scaling_core.ui.scenes import BEGIN, OPEN, wish
from scaling_core.ui.story_pictures import BESIDE, DRAWN
from scaling_core.viz.marp import marp
from scaling_core.viz.story_slides import slides
from scaling_core.viz.theme import Theme, theme_of

_ASKED = "story.asked"
_SAID = "story.said"
_FILE = "story.file"
_BARE = "[data-testid=stSidebar], [data-testid=stExpandSidebarButton] { display: none; }"
NARROW = 769
"""Pixels of width below which the navigation is in the sidebar, which then stays."""
Edit = Callable[[Story], Story]


def story_page(theme: Theme) -> None:
    """The picture that the address names, else the scenes."""
    picture = st.query_params.get("picture", "")
    if picture != BESIDE:
        st.html(f"<style>@media (min-width: {NARROW}px) {{ {_BARE} }}</style>")
    if picture in DRAWN:
        DRAWN[picture](theme)
        return
    st.html(_styles(theme))
    scenes, problem = story()
    answer(
        t("A talk, scene by scene"),
        tn("One scene, a page and a state.", "{n} scenes, each a page in a state of its own.", len(scenes)),
        t(
            "Next and previous by arrow keys, Page Up and Down or the space bar; Home or R begins a scene again; P is "
            "the presenter view. Any page can be added to the story from “Scene” at the top."
        ),
    )
    for sentence in (problem, st.session_state.pop(_SAID, "")):
        if sentence:
            note(retold(sentence), kind="warning")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(t("Start the story"), type="primary", key="story.start", on_click=wish, args=(BEGIN,))
        st.button(t("Presenter view"), key="story.present", on_click=wish, args=("present",), help=t("P, on any page."))
        editing = st.toggle(t("Change the story"), key="story.edit")
    for n, scene in enumerate(scenes):
        _row(n, scene, scenes, editing=editing)
    if editing:
        back, disabled = t("Back to the project's story"), not is_own()
        st.button(back, key="story.back", disabled=disabled, on_click=_ask, args=("forget", ""))
    _files(scenes, theme)
    _import()
    _dialogs(scenes)


def _row(n: int, scene: Scene, scenes: Story, *, editing: bool) -> None:
    """A scene: number, title, sentence, its page, and what can be done with it."""
    words, place, buttons = st.columns([6.4, 1.8, 3.4 if editing else 1.2], gap="small", vertical_alignment="center")
    words.html(
        f"<div class='sl-row'><span class='sl-number'>{n + 1}</span><div><h3>{said(told(scene, 'title'))}</h3>"
        f"<p>{said(told(scene, 'sentence'))}</p></div></div>"
    )
    place.html(f"<p class='sl-where'>{html.escape(page_names().get(scene.page, scene.page))}</p>")
    with buttons, st.container(horizontal=True, gap="xsmall", horizontal_alignment="right"):
        if editing:
            last = len(scenes) - 1
            up, down = t("One place up"), t("One place down")
            key = f"story.{scene.id}"
            st.button("↑", key=f"{key}.up", help=up, on_click=_move, args=(scene.id, -1), disabled=n == 0)
            st.button("↓", key=f"{key}.down", help=down, on_click=_move, args=(scene.id, 1), disabled=n == last)
            st.button(t("Rename"), key=f"{key}.name", on_click=_ask, args=("name", scene.id))
            st.button(t("Delete"), key=f"{key}.drop", on_click=_ask, args=("drop", scene.id), disabled=last == 0)
        st.button(t("Open"), key=f"story.{scene.id}.open", on_click=wish, args=(f"{OPEN}{scene.id}",))


# ---- changes


def _ask(what: str, id: str) -> None:
    st.session_state[_ASKED] = (what, id)


def _answered(then: Callable[[], None] | None = None) -> None:
    st.session_state.pop(_ASKED, None)
    if then is not None:
        then()


def _do(edit: Edit, words: str = "") -> None:
    """Change the story; what there is to say, or why it could not be, stands on the page afterwards."""
    try:
        st.session_state[_SAID] = change(edit) or words
    except (InputError, StoreError) as error:
        st.session_state[_SAID] = error.args[0]


def _move(id: str, by: int) -> None:
    def moved(scenes: Story) -> Story:
        order = list(scenes)
        at = next((k for k, one in enumerate(order) if one.id == id), None)
        if at is not None and 0 <= at + by < len(order):
            order.insert(at + by, order.pop(at))
        return tuple(order)

    _do(moved)


def _dialogs(scenes: Story) -> None:
    """What a person is asked, until it is answered."""
    what, id = st.session_state.get(_ASKED, ("", ""))
    scene = next((one for one in scenes if one.id == id), None)
    if what == "forget":
        st.dialog(t("Back to the project's story?"), on_dismiss=_answered)(_forget)()
    elif what == "drop" and scene is not None:
        st.dialog(t("Delete this scene?"), on_dismiss=_answered)(_drop)(scene)
    elif what == "name" and scene is not None:
        st.dialog(t("The words of the scene"), on_dismiss=_answered)(_rename)(scene)


def _forget() -> None:
    st.write(t("Your own story is deleted: its scenes, their order and their words. Export it first to keep it."))
    _yes_or_no(t("Keep it"), t("Delete my story"), _forgotten)


def _forgotten() -> None:
    try:
        forget()
    except StoreError as error:
        st.session_state[_SAID] = error.args[0]


def _drop(scene: Scene) -> None:
    st.write(escape_markdown(told(scene, "title")))
    _yes_or_no(
        t("Keep it"),
        t("Delete for good"),
        lambda: _do(lambda all: tuple(one for one in all if one.id != scene.id)),
    )


def _yes_or_no(no: str, yes: str, then: Callable[[], None]) -> None:
    """Two buttons that close the dialog; `then` is what the second of them does."""
    if _ASKED not in st.session_state:
        st.rerun()
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button(no, key="story.no", on_click=_answered)
        st.button(yes, type="primary", key="story.yes", on_click=_answered, args=(then,))


def _rename(scene: Scene) -> None:
    """Title, sentence and what to point at, in the language that is spoken."""
    if _ASKED not in st.session_state:
        st.rerun()
    names = {"title": t("Title"), "sentence": t("Sentence"), "point": t("What to point at")}
    texts = scene.written(current())
    typed = {
        name: (st.text_input if name == "title" else st.text_area)(
            label, value=texts[name], key=f"story.words.{scene.id}.{name}", max_chars=LONGEST[name]
        )
        or ""
        for name, label in names.items()
    }
    words = t("In this language; what is the same in both changes in both. {{ratio}} and its like become numbers.")
    note(words)
    try:
        renamed = scene.retitled({name: " ".join(text.split()) for name, text in typed.items()})
    except InputError as error:
        note(error.args[0], kind="error")
        return
    st.button(
        t("Save"),
        type="primary",
        key="story.save",
        on_click=_answered,
        args=(lambda: _do(lambda all: tuple(renamed if one.id == scene.id else one for one in all)),),
    )


# ---- files


def _files(scenes: Story, theme: Theme) -> None:
    """The story as JSON, and as slides."""
    section(t("Take it along"), t("The file holds every scene; the slides hold the pictures, the notes and the links."))
    language, base = current(), base_address("story")
    with st.container(horizontal=True, gap="small"):
        download(t("Export the story"), lambda: written(scenes), "story.json", "application/json", key="story.json")
        for name, kind, mime, about in (
            ("PowerPoint", "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", None),
            ("Markdown", "zip", "application/zip", t("For Marp: slides.md and its pictures.")),
        ):
            make = partial(_deck, scenes, language, base, theme.mode, kind)
            download(name, make, f"story.{kind}", mime, key=f"story.{kind}", help=about)


def _deck(scenes: Story, language: Language, base: str, mode: str, kind: str) -> bytes:
    """The slides of the story in the language and the theme that the page had when its buttons were drawn."""
    theme = theme_of(mode)
    with speaking(language):
        made = slides(scenes, theme, base=base)
        return powerpoint(made, theme, language) if kind == "pptx" else marp(made, theme)


def _import() -> None:
    """A story from a file: read at once, and taken over when a person says how."""
    file = st.file_uploader(t("Import a story"), type="json", key=_FILE, max_upload_size=1)
    if file is None:
        return
    try:
        scenes, problems = read_story(file.getvalue())
    except ScalingError as error:
        note(error.args[0], kind="error")
        return
    note(tn("One scene in this file.", "{n} scenes in this file.", len(scenes)))
    for problem in problems[:5]:
        note(problem, kind="warning")
    with st.container(horizontal=True, gap="small"):
        st.button(t("Replace the story"), key="story.replace", on_click=_do, args=(lambda _: scenes, t("Replaced.")))
        st.button(t("Add to the story"), key="story.append", on_click=_do, args=(_appended(scenes), t("Added.")))


def _appended(more: Story) -> Edit:
    def edit(scenes: Story) -> Story:
        taken = [one.id for one in scenes]
        for scene in more:
            id = scene.id if scene.id not in taken else free_id(scene.id, taken)
            taken.append(id)
            scenes = (*scenes, replace(scene, id=id))
        return scenes

    return edit


def _styles(theme: Theme) -> str:
    return f"""<style>
[data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .sl-row) {{ border-top: 1px solid {theme.border};
  padding-top: .5rem; }}
.sl-row {{ display: flex; gap: .9rem; align-items: baseline; }}
.sl-row h3 {{ margin: 0; padding: 0; font-size: 1.12rem; font-weight: 650; line-height: 1.3; color: {theme.ink}; }}
.sl-row p {{ margin: .1rem 0 0; color: {theme.muted}; font-size: .98rem; line-height: 1.4; }}
.sl-number {{ font-size: 1.35rem; font-weight: 700; color: {theme.accent}; min-width: 1.9rem; line-height: 1;
  font-variant-numeric: tabular-nums; }}
.sl-where {{ margin: 0; color: {theme.muted}; font-size: .95rem; }}
[class*="st-key-story-"] button {{ white-space: nowrap; }}
</style>"""
