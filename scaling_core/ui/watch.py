"""A part of a page that is drawn again by itself while something changes, without the rest of the page."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import streamlit as st

from scaling_core.ui.lab_words import sentence
from scaling_core.ui.page import escape_markdown

_within: ContextVar[bool] = ContextVar("within a watched part", default=False)


def watch(body: Callable[[], None], *, every: float | None) -> None:
    """Draw `body` here, and again every so many seconds; with None only when something inside it is used.

    What fails inside becomes a sentence, because a part that is drawn by itself runs outside the page's guard.

    Streamlit throws away what an earlier run of a part has not yet sent when the part runs again, but keeps what a
    part within that part has drawn; the browser then finds no place for it and the page goes white. So no part may
    stand within a watched one (`watched` tells), and the container stands around it before its clock is set.
    """
    with st.container():
        st.fragment(run_every=every)(_guarded)(body)


def watched() -> bool:
    """Whether this is drawn within a watched part, where nothing may be a part of its own."""
    return _within.get()


def _guarded(body: Callable[[], None]) -> None:
    token = _within.set(True)
    try:
        body()
    except Exception as error:  # said on the page, and in the log unless it is a sentence  # noqa: BLE001
        st.error(escape_markdown(sentence(error)))
    finally:
        _within.reset(token)
