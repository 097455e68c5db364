"""Scaling Lab: page configuration, navigation, run. `streamlit run streamlit_app.py` starts it."""

from __future__ import annotations

import gc
from base64 import b64encode
from pathlib import Path

import streamlit as st

from scaling_core.language import t
from scaling_core.ui.deck import deck_tray
from scaling_core.ui.language import choose_language
from scaling_core.ui.scene_bar import stage
from scaling_core.viz.warm import warm_up

HERE = Path(__file__).resolve().parent
ICON = b64encode((HERE / "data" / "favicon.png").read_bytes()).decode()
"""The icon travels with the page: as a file of its own, a page that was just left takes it along, and it is missed."""


@st.cache_resource(show_spinner=False)
def _settle() -> None:
    """Once a process: keep what the imports made out of every later collection, and warm up what is slow at first."""
    gc.collect()
    gc.freeze()
    warm_up()


st.set_page_config(
    page_title=t("Scaling Lab"),
    page_icon=f"data:image/png;base64,{ICON}",
    layout="wide",
    initial_sidebar_state=340,
    menu_items={"About": t("Scaling Lab: published scaling laws, and one of your own, on this machine.")},
)
choose_language()
deck_tray()
current = st.navigation(
    [
        st.Page("pages/calculator.py", title=t("Calculator"), default=True),
        st.Page("pages/models.py", title=t("GPT-3 vs Chinchilla"), url_path="models"),
        st.Page("pages/beyond.py", title=t("Beyond the optimum"), url_path="beyond"),
        st.Page("pages/plan.py", title=t("Plan a training"), url_path="plan"),
        st.Page("pages/fit.py", title=t("Fit your runs"), url_path="fit"),
        st.Page("pages/demo.py", title=t("Synthetic demo"), url_path="demo"),
        st.Page("pages/lab.py", title=t("Run on my Mac"), url_path="lab"),
        st.Page("pages/talk.py", title=t("Talk check"), url_path="talk"),
        st.Page("pages/learn.py", title=t("Learn"), url_path="learn"),
        st.Page("pages/story.py", title=t("Story"), url_path="story"),
        st.Page("pages/preflight.py", title=t("Pre-flight"), url_path="preflight"),
    ],
    position="top",
)
with stage(current):
    current.run()
_settle()
