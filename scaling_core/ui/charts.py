"""A chart on a page, in the viewer's theme, with its files and its slide on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from scaling_core.language import retold
from scaling_core.ui.export import offer
from scaling_core.ui.presenter import presenting
from scaling_core.viz.figure import Figure

TALL = 300
"""Pixels from which on a picture without `grows` takes the height of the presenter view too."""


def plot_area(key: str, height: int) -> DeltaGenerator:
    """Room for a chart drawn with height="stretch": `height` pixels, and near half of a tall window (see `ui.page`)."""
    return st.container(key=f"plot-area-{key}", height=height, border=False)


def show(
    figure: Figure,
    key: str,
    *,
    alt: str,
    grows: bool = False,
    half: bool = False,
    name: str = "",
    title: str = "",
    notes: str = "",
    numbers: Sequence[tuple[str, str]] = (),
) -> None:
    """Draw a figure over the full width, and offer to export it.

    alt: what it shows in words, for readers who do not see it, and below the title of its slide. grows: it takes its
    own height on a small window, and near half of a tall one. half: it stands beside another. name: of its files, the
    key where there is none. title, notes, numbers: of its slide.
    """
    alt = retold(alt)
    spec = figure.with_data()
    if grows or (presenting() and _is_tall(spec)):
        with plot_area(key, int(spec.pop("height"))):
            st.vega_lite_chart(spec, theme=None, width="stretch", height="stretch", key=key, alt=alt)
    else:
        st.vega_lite_chart(spec, theme=None, width="stretch", key=key, alt=alt)
    offer(
        figure, name or file_name(key), key, title=title, sentence=alt, notes=notes, numbers=numbers, grows=grows,
        half=half,
    )  # fmt: skip


def _is_tall(spec: Mapping[str, Any]) -> bool:
    """Whether a picture fills so much of a window that it must keep to the room of the presenter view."""
    height = spec.get("height")
    return isinstance(height, (int, float)) and height >= TALL


def file_name(key: str) -> str:
    """A key of an element as the name of a file."""
    return key.replace(".", "-")
