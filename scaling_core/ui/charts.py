"""A chart on a page, in the viewer's theme, and its files on demand."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from scaling_core.language import current, retold, speaking, t
from scaling_core.viz.export import AnyChart, to_png, to_svg
from scaling_core.viz.figure import Figure


def plot_area(key: str, height: int) -> DeltaGenerator:
    """Room for a chart drawn with height="stretch": `height` pixels, and near half of a tall window (see `ui.page`)."""
    return st.container(key=f"plot-area-{key}", height=height, border=False)


def show(chart: AnyChart, key: str, *, alt: str | None = None, grows: bool = False) -> None:
    """Draw a themed chart over the full width; `alt` says in words what it shows, for readers who do not see it.

    grows: a figure takes its own height on a small window, and near half of a tall one.
    """
    alt = None if alt is None else retold(alt)
    if isinstance(chart, Figure) and grows:
        spec = chart.with_data()
        with plot_area(key, int(spec.pop("height"))):
            st.vega_lite_chart(spec, theme=None, width="stretch", height="stretch", key=key, alt=alt)
    elif isinstance(chart, Figure):
        st.vega_lite_chart(chart.with_data(), theme=None, width="stretch", key=key, alt=alt)
    else:
        st.altair_chart(chart, theme=None, width="stretch", key=key, alt=alt)


def download_figure(chart: Callable[..., AnyChart], name: str, key: str) -> None:
    """Two buttons that make the picture only when pressed: PNG at three times the size, and SVG.

    chart: called with no arguments when a button is pressed; the file is named after `name`. It speaks the language
    that the page spoke when the buttons were drawn.
    """
    language = current()

    def png() -> bytes:
        with speaking(language):
            return to_png(chart())

    def svg() -> str:
        with speaking(language):
            return to_svg(chart())

    files: tuple[tuple[str, str, Callable[[], bytes | str]], ...] = (
        ("png", "image/png", png),
        ("svg", "image/svg+xml", svg),
    )
    with st.container(horizontal=True, gap="small"):
        for ending, mime, make in files:
            st.download_button(
                t("Figure as {kind}", kind=ending.upper()),
                data=make,
                file_name=f"{name}.{ending}",
                mime=mime,
                key=f"{key}.{ending}",
                on_click="ignore",
                type="tertiary",
            )
