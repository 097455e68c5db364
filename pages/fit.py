"""Fit your runs: a table of runs in, the law they follow out, with what it cannot say and what published laws would."""

from __future__ import annotations

import streamlit as st

from scaling_core.language import t, together
from scaling_core.ui.fit_allocation import allocation_view
from scaling_core.ui.fit_controls import controls
from scaling_core.ui.fit_save import saved_block
from scaling_core.ui.fit_source import pick_source
from scaling_core.ui.fit_view import law_view
from scaling_core.ui.fit_words import styles
from scaling_core.ui.page import note, page, section

with page("fit") as theme:
    st.html(styles())
    with st.sidebar:
        source, problem = pick_source()
        options = controls(source)
    if problem is not None:
        shown = t("the simulated example") if source.simulated else source.name
        note(together(problem, t("Shown below: {shown}.", shown=shown)), kind="error")
    if options.approach == "parametric":
        law_view(source, options, theme)
    else:
        allocation_view(source, options, theme)
    section(t("Saved laws"))
    saved_block()
