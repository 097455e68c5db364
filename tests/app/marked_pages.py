"""Runs pages in a language in which every translated text is marked, and prints as JSON what a page says unmarked.

A process of its own: a marked text must not stay in any cache that other tests read.
"""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # it has no stubs here
from streamlit.testing.v1 import AppTest

import scaling_core.ui.language  # noqa: F401  # a viewer's language is followed from here on
from scaling_core import language

PAGES = Path(__file__).resolve().parents[2] / "pages"
SHOWN = ("label", "body", "help", "placeholder", "options", "caption", "text", "alt", "spoken", "exactly", "hint")
"""Fields of an element in which a reader's text stands."""


class Marked(dict[str, str]):
    """A catalogue that knows every text, and puts marks around it."""

    def get(self, key: str, default: Any = None) -> Any:
        """The text between marks."""
        return f"⟦{key}⟧"


def texts(node: Any, names: tuple[str, ...], name: str = "") -> Iterator[str]:
    """The strings under fields of these names; "" among the names takes all."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in ("datasets", "config", "data", "spec"):
                yield from texts(value, names, key)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value, names, name)
    elif isinstance(node, str) and ("" in names or name in names):
        yield node


def told(element: Any) -> Iterator[str]:
    """What an element says to a reader, a chart's titles and a component's words among it."""
    if element.type == "bidi_component":
        data = json.loads(element.proto.json or "{}")
        yield from texts(data, SHOWN)
        yield from (text for part in ("words", "said") for text in texts(data.get(part), ("",)))
        yield from texts(json.loads(data.get("spec", "{}")), ("title", "text"))
        return
    shown = MessageToDict(element.proto)
    yield from texts(shown, SHOWN)
    if "spec" in shown:
        yield from texts(json.loads(shown["spec"]), ("title", "text"))


def unmarked(text: str) -> str:
    """What is left of a text without style sheets, tags, and marked parts, one inside another included."""
    text = html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)))
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", " ", text)) != text:
        text = shorter
    return " ".join(text.replace("\\", "").split())


def page(name: str) -> list[str]:
    """What the page says unmarked; what failed on it, where it failed."""
    app = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=120)
    app.session_state["language"] = "zh"
    app.run()
    assert not app.exception, app.exception
    elements = [e for block in (app.main, app.sidebar) for e in block if hasattr(e, "proto") and e.proto is not None]
    return sorted({unmarked(text) for element in elements for text in told(element)} - {""})


if __name__ == "__main__":
    vars(language)["translations"] = lambda code: Marked()
    print(json.dumps({name: page(name) for name in sys.argv[1:]}))
