"""Parts of a page that are drawn again without the rest of it: when they are used, or by themselves.

Streamlit finds a part by its function and its place, so that a part of the page that was just left can be taken for
one of the page that is open; and what an earlier run has not yet sent is thrown away when a part runs again, but not
what a part within that part has drawn. In both cases the browser finds no place for what comes next, and the page goes
white. Hence two rules, which `apart` and `watch` keep: no two pages share a part, and no part stands within another.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from scaling_core.ui.page import escape_markdown, failure

_within: ContextVar[bool] = ContextVar("within a watched part", default=False)


def apart(body: Callable[..., None], *given: Any, every: float | None = None) -> None:
    """Draw `body` with what is given as a part of its own, and again every so many seconds where that is said.

    Within a watched part it is drawn as it is, and again with that.
    """
    if _within.get():
        body(*given)
        return

    def part() -> None:
        body(*given)

    run = get_script_run_ctx(suppress_warning=True)
    part.__qualname__ = f"{body.__module__}.{body.__qualname__} on {run.page_script_hash if run else 'no page'}"
    st.fragment(part, run_every=every)()


def watch(body: Callable[[], None], *, every: float | None) -> None:
    """Draw `body` here, and again every so many seconds; with None only when something inside it is used.

    What fails inside becomes a sentence, because a part that is drawn by itself runs outside the page's guard.
    """
    with st.container():  # its place is in the browser before the clock is, which is told before the part
        apart(_guarded, body, every=every)


def _guarded(body: Callable[[], None]) -> None:
    token = _within.set(True)
    try:
        body()
    except Exception as error:  # said on the page, and in the log unless it is a sentence  # noqa: BLE001
        st.error(escape_markdown(failure(error)))
    finally:
        _within.reset(token)
