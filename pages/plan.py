"""Plan a training: what hardware, time or money buys, with every assumption beside what follows from it."""

from __future__ import annotations

import streamlit as st

from scaling_core.ui.law_picker import law_picker
from scaling_core.ui.page import page
from scaling_core.ui.plan import plan_page

with page("plan") as theme:
    with st.sidebar:
        published, law = law_picker("law", url=True)
    plan_page(published, law, theme)
