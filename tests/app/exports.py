"""The export menus of a page that AppTest ran: which charts have one, and the files that their buttons would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

KINDS = ("PNG", "SVG", "PDF", "HTML", "CSV")
MENU = "export~"


def offered(app: AppTest) -> list[str]:
    """The charts below which an export menu stands, in the order of the page, the sidebar aside."""
    ids = (str(menu.proto.popover.id).partition(f"-{MENU}") for menu in app.get("popover"))
    return [chart for _, found, chart in ids if found]


def open_menus(app: AppTest, *charts: str) -> AppTest:
    """Open the menus of these charts, as a click would."""
    for chart in charts:
        app.session_state[f"{MENU}{chart}"] = True
    return app.run()


def buttons(app: AppTest) -> list[tuple[str, str]]:
    """Key and label of each download that stands in an open export menu."""
    ids = ((str(one.proto.id).partition(f"-{MENU}"), str(one.proto.label)) for one in app.get("download_button"))
    return [(f"{MENU}{key}", label) for (_, found, key), label in ids if found]


def kept_files(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], str | bytes]]:
    """By the key of its button, what makes each file of the pages run from here on."""
    makers: dict[str, Callable[[], str | bytes]] = {}
    drawn = st.download_button

    def kept(label: str, data: Any, *rest: Any, **options: Any) -> bool:
        makers[str(options.get("key"))] = data
        return drawn(label, data, *rest, **options)

    monkeypatch.setattr(st, "download_button", kept)
    return makers
