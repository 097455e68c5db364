"""A chart on a page, in the viewer's theme, and its files on demand."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from scaling_core.viz.export import AnyChart, to_png, to_svg
from scaling_core.viz.figure import Figure
from scaling_core.viz.theme import light


def plot_area(key: str, height: int) -> DeltaGenerator:
    """Room for a chart drawn with height="stretch": `height` pixels, and near half of a tall window (see `ui.page`)."""
    return st.container(key=f"plot-area-{key}", height=height, border=False)


def show(chart: AnyChart, key: str, *, alt: str | None = None, grows: bool = False) -> None:
    """Draw a themed chart over the full width; `alt` says in words what it shows, for readers who do not see it.

    grows: a figure takes its own height on a small window, and near half of a tall one.
    """
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

    chart: called with no arguments when a button is pressed; the file is named after `name`.
    """
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Figure as PNG",
            data=lambda: to_png(chart()),
            file_name=f"{name}.png",
            mime="image/png",
            key=f"{key}.png",
            on_click="ignore",
            type="tertiary",
        )
        st.download_button(
            "Figure as SVG",
            data=lambda: to_svg(chart()),
            file_name=f"{name}.svg",
            mime="image/svg+xml",
            key=f"{key}.svg",
            on_click="ignore",
            type="tertiary",
        )


PAPER = light
"""The theme for files that go to print whatever the room looks like."""
