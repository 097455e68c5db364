"""A chart on a page, in the viewer's theme, with its files and its slide on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from scaling_core.language import retold
from scaling_core.ui.component import chart_component, vega_address
from scaling_core.ui.export import offer
from scaling_core.ui.presenter import presenting
from scaling_core.viz.figure import Figure
from scaling_core.viz.live import still_data

TALL = 300
"""Pixels from which on a picture that neither grows nor is `rigid` takes the height of the presenter view too."""


def draw(figure: Figure, data: Mapping[str, Any], *parts: str, key: str, grows: bool, rigid: bool = False) -> None:
    """Mount the component that draws a figure, in its own height or, where it grows, in what the window has.

    data: what the browser is sent, see `viz.live`. parts: files of `viz/live` that it needs beside its own. rigid: see
    `show`.
    """
    tall, data = int(figure.height()), {**data, "vega": vega_address()}
    if not presenting():
        chart_component(tall, *parts, grows=grows)(key=key, data=data)
        return
    with st.container(key=f"picture-{key}"):
        chart_component(tall, *parts, grows=grows or (tall >= TALL and not rigid))(key=key, data=data)


def show(
    figure: Figure,
    key: str,
    *,
    alt: str,
    grows: bool = False,
    half: bool = False,
    rigid: bool = False,
    name: str = "",
    title: str = "",
    notes: str = "",
    numbers: Sequence[tuple[str, str]] = (),
) -> None:
    """Draw a figure over the full width, and offer to export it.

    alt: what it shows in words, for readers who do not see it, and below the title of its slide. grows: it takes its
    own height on a small window, and near half of a tall one. half: it stands beside another. rigid: it keeps its
    height on a stage too, since every line of it needs its room. name: of its files, the key where there is none.
    title, notes, numbers: of its slide.
    """
    alt = retold(alt)
    draw(figure, {**still_data(figure), "alt": alt}, "bus", key=key, grows=grows, rigid=rigid)
    offer(
        figure, name or file_name(key), key, title=title, sentence=alt, notes=notes, numbers=numbers, grows=grows,
        half=half,
    )  # fmt: skip


def file_name(key: str) -> str:
    """A key of an element as the name of a file."""
    return key.replace(".", "-")
