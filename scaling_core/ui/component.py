"""Components of this project's own in the browser: each is made of files in `viz/live`; Vega comes once for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.runtime import get_instance

from scaling_core.viz.live import script, style, vega_bundle


@st.cache_resource(show_spinner=False)
def component(name: str, html: str, *parts: str) -> Callable[..., Any]:
    """A component made of these files, registered once a process; the last one's style sheet is its own."""
    made: Callable[..., Any] = st.components.v2.component(
        f"scaling-lab-{name}", html=html, css=style(parts[-1]), js=script(*parts)
    )
    return made


def chart_component(tall: int, *parts: str, grows: bool) -> Callable[..., Any]:
    """The component that draws a chart, `tall` pixels high. grows: near half of a tall window, see `chart.css`."""
    html = f"<div class='chart{' grows' if grows else ''}' role='img' style='--tall: {tall}px'></div>\n"
    return component(f"chart-{tall}-{grows}-{len(parts)}", html, *parts, "chart")


def vega_address() -> str:
    """Where the browser gets what draws the charts, from this server; it fetches it once, and keeps it.

    Every page asks at each run, with charts or without, since the server forgets what a later run no longer names, and
    a chart of the page before may be asking for it just then.
    """
    name = get_instance().media_file_mgr.add(vega_bundle(), "text/javascript", "scaling-lab-vega")
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}{name}" if base else name
