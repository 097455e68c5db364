"""The reader's language: by link, by the browser's locale, or by hand at the top of every page."""

from __future__ import annotations

from typing import cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from scaling_core.language import LANGUAGES, NAMES, Language, follow

KEY = "language"
PARAMETER = "lang"


def viewer_language() -> Language | None:
    """The language of the viewer whose script runs in this thread; None in a thread of no viewer."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or KEY not in context.session_state:
        return None
    return cast("Language | None", context.session_state[KEY])


def choose_language() -> None:
    """Settle the language at a viewer's first visit, keep the address in step, and draw the switch above the page.

    A link that names a language counts most, then the browser's locale; English is spoken to all others.
    """
    asked = st.query_params.get(PARAMETER)
    if KEY not in st.session_state:
        locale = "zh" if (st.context.locale or "").lower().startswith("zh") else "en"
        st.session_state[KEY] = asked if asked in LANGUAGES else locale
    other = next(language for language in LANGUAGES if language != st.session_state[KEY])
    with st.container(key="language-switch"):
        st.button(NAMES[other], key=f"{KEY}~{other}", on_click=_choose, args=(other,), type="tertiary")
    if asked != st.session_state[KEY] and (asked is not None or st.session_state[KEY] != "en"):
        st.query_params[PARAMETER] = st.session_state[KEY]


def _choose(language: Language) -> None:
    st.session_state[KEY] = language


follow(viewer_language)
