"""Charts of the lab on the page: a kept specification and the rows of this moment."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

HEIGHT = 340
"""Pixels on a small window; the page's styles make it more on a large one."""


def show_spec(spec: dict[str, Any], tables: dict[str, pd.DataFrame], *, key: str, alt: str) -> None:
    """Draw a specification of `viz.lab` with its named tables; between polls only their rows are sent.

    The chart is as high as the window allows (see `lab_html.styles`). alt: what it shows, in words.
    """
    with st.container(key=f"lab-plot-{key}", height=HEIGHT, border=False):
        st.vega_lite_chart(
            spec={**spec, "datasets": tables}, theme=None, width="stretch", height="stretch", key=key, alt=alt
        )
