"""The deck: slides that were chosen from any page, in an order of one's own, to be taken as PowerPoint or Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st

from scaling_core.errors import ScalingError
from scaling_core.language import Language, current, t, tn
from scaling_core.ui.download import download
from scaling_core.ui.fonts import fonts_note
from scaling_core.ui.page import escape_markdown, viewer_theme
from scaling_core.ui.presenter import presenting
from scaling_core.ui.watch import apart
from scaling_core.viz.marp import marp
from scaling_core.viz.slide import Slide
from scaling_core.viz.theme import Theme

KEY = "deck~slides"
OPEN = "deck~open"
MOST = 60
"""Slides that a deck may have."""


_scene_link: Callable[[str], str] | None = None


def link_by(maker: Callable[[str], str]) -> None:
    """Take the links of slides from `maker`, which is given the name of the page; it may raise ScalingError."""
    global _scene_link
    _scene_link = maker


def count() -> int:
    """How many slides the deck of this viewer has."""
    return len(_slides())


def add(slide: Slide) -> None:
    """Put a slide at the end, as it is now, with a link to what the page shows."""
    if count() < MOST:
        _slides().append(replace(slide, link=address()))


def address() -> str:
    """The link to what the page shows now: as a scene, or as it stands in the browser where that cannot be."""
    if _scene_link is not None:
        try:
            return _scene_link(str(st.session_state.get("~page", "")))
        except ScalingError:
            pass
    url, parameters = st.context.url or "", st.query_params.to_dict()
    return f"{url}?{urlencode(parameters)}" if url and parameters else url


def deck_tray() -> None:
    """The deck at the top of every page, once it has a slide; its place is there before, so that no page jumps."""
    with st.container(key="deck-tray"):
        if count() and not presenting():
            apart(_tray)


def _tray() -> None:
    """The button with the number of slides, and what it opens."""
    slides = _slides()
    if not slides:
        st.rerun()
    menu = st.popover(t("Deck: {n}", n=len(slides)), key=OPEN, type="tertiary", on_change="rerun")
    if not menu.open:
        return
    with menu:
        _list(slides)
        _downloads(slides)
        fonts_note()
        st.button(t("Empty the deck"), key="deck~empty", on_click=slides.clear, type="tertiary")


def _list(slides: list[Slide]) -> None:
    """Every slide with its place in the order: up, down, out."""
    st.caption(tn("{n} slide", "{n} slides", len(slides)))
    for k, slide in enumerate(slides):
        name, up, down, out = st.columns([7, 1, 1, 1], gap="small", vertical_alignment="center")
        name.markdown(f"{k + 1}. {escape_markdown(slide.title)}")
        up.button(
            "↑", key=f"deck~up~{k}", on_click=_swap, args=(slides, k, k - 1), disabled=k == 0, type="tertiary",
            help=t("Earlier"),
        )  # fmt: skip
        down.button(
            "↓", key=f"deck~down~{k}", on_click=_swap, args=(slides, k, k + 1), disabled=k == len(slides) - 1,
            type="tertiary", help=t("Later"),
        )  # fmt: skip
        out.button("✕", key=f"deck~out~{k}", on_click=_out, args=(slides, k), type="tertiary", help=t("Take it out"))


def powerpoint(slides: Sequence[Slide], theme: Theme, language: Language) -> bytes:
    """As `viz.deck.pptx`, whose library no page waits for."""
    from scaling_core.viz.deck import pptx

    return pptx(slides, theme, language)


def _downloads(slides: list[Slide]) -> None:
    """The deck as files, made when they are asked for, of the slides of this moment."""
    theme, language, kept = viewer_theme(), current(), tuple(slides)
    with st.container(horizontal=True, gap="small"):
        download(
            "PowerPoint", lambda: powerpoint(kept, theme, language), "scaling-lab.pptx",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation", key="deck~pptx",
            help=t("Slides of 16 by 9 with notes; titles, numbers and notes can be edited."),
        )  # fmt: skip
        download(
            "Markdown", lambda: marp(kept, theme), "scaling-lab-slides.zip", "application/zip", key="deck~marp",
            help=t("Slides for Marp, with the pictures beside them."),
        )  # fmt: skip


def _slides() -> list[Slide]:
    slides: list[Slide] = st.session_state.setdefault(KEY, [])
    return slides


def _swap(slides: list[Slide], one: int, other: int) -> None:
    if 0 <= one < len(slides) and 0 <= other < len(slides):
        slides[one], slides[other] = slides[other], slides[one]


def _out(slides: list[Slide], k: int) -> None:
    if 0 <= k < len(slides):
        del slides[k]
