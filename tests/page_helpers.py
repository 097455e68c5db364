"""Reading a page that AppTest ran."""

from __future__ import annotations

import html
import re

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox, Slider, TextInput


def blocks(app: AppTest) -> list[str]:
    """The HTML that the page writes itself, block by block, without its style sheet."""
    bodies = (str(block.proto.body) for block in app.get("html"))
    return [body for body in bodies if "<style>" not in body]


def words(app: AppTest) -> str:
    """The same as one text without tags, entities resolved, spaces single."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", " ".join(blocks(app)))))


def field_errors(app: AppTest) -> list[str]:
    """The sentences beneath fields that hold what they may not."""
    return [html.unescape(re.sub(r"<[^>]+>", "", block)) for block in blocks(app) if "sl-error" in block]


def _of(widgets: object, start: str) -> object:
    return next(widget for widget in widgets if str(widget.key).startswith(start))  # type: ignore[attr-defined]  # every widget of AppTest has a key


def law_choice(app: AppTest, key: str = "law") -> Selectbox[str]:
    """The box in which a page's law is chosen."""
    found = _of(app.selectbox, f"{key}~pick~")
    assert isinstance(found, Selectbox)
    return found


def law_slider(app: AppTest, name: str, key: str = "law") -> Slider[float]:
    """The slider of a constant."""
    found = _of(app.slider, f"{key}~slide.{name}~")
    assert isinstance(found, Slider)
    return found


def law_field(app: AppTest, name: str, key: str = "law") -> TextInput:
    """The field of a constant."""
    found = _of(app.text_input, f"{key}~text.{name}~")
    assert isinstance(found, TextInput)
    return found
