"""Scaling Lab: page configuration, navigation, run. `streamlit run streamlit_app.py` starts it."""

from __future__ import annotations

import gc
from pathlib import Path

import streamlit as st

from scaling_core.language import t
from scaling_core.ui.language import choose_language
from scaling_core.viz.warm import warm_up

HERE = Path(__file__).resolve().parent
FAVICON = HERE / "data" / "favicon.png"


@st.cache_resource(show_spinner=False)
def _settle() -> None:
    """Once a process: keep what the imports made out of every later collection, and warm up what is slow at first."""
    gc.collect()
    gc.freeze()
    warm_up()


st.set_page_config(
    page_title=t("Scaling Lab"),
    page_icon=str(FAVICON) if FAVICON.exists() else None,
    layout="wide",
    initial_sidebar_state=340,
    menu_items={"About": t("Scaling Lab: published scaling laws, and one of your own, on this machine.")},
)
choose_language()
current = st.navigation(
    [
        st.Page("pages/calculator.py", title=t("Calculator"), default=True),
        st.Page("pages/models.py", title=t("GPT-3 vs Chinchilla"), url_path="models"),
        st.Page("pages/beyond.py", title=t("Beyond the optimum"), url_path="beyond"),
        st.Page("pages/fit.py", title=t("Fit your runs"), url_path="fit"),
        st.Page("pages/demo.py", title=t("Synthetic demo"), url_path="demo"),
        st.Page("pages/lab.py", title=t("Run on my Mac"), url_path="lab"),
        st.Page("pages/talk.py", title=t("Talk check"), url_path="talk"),
        st.Page("pages/learn.py", title=t("Learn"), url_path="learn"),
    ],
    position="top",
)
current.run()
_settle()
