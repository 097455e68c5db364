"""A file to take along, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st


def download(
    label: str, make: Callable[[], bytes | str], name: str, mime: str, *, key: str, help: str | None = None
) -> None:
    """A button for the file `name`, whose content `make` returns when the button is used.

    A file that is made with the page is gone with it: a browser that still looks for it reports an error.
    """
    st.download_button(label, make, name, mime, key=key, on_click="ignore", help=help)
