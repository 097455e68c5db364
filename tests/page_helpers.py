"""Reading a page that AppTest ran."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from itertools import count
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox


def blocks(app: AppTest) -> list[str]:
    """The HTML that the page writes itself, block by block, without its style sheet."""
    bodies = (str(block.proto.body) for block in app.get("html"))
    return [body for body in bodies if "<style>" not in body]


def words(app: AppTest) -> str:
    """The same as one text without tags, entities resolved, spaces single, and what live words say at rest."""
    told = " ".join(text for data in components(app) for text in _texts(data.get("said")))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", " ".join(blocks(app))) + " " + told))


def components(app: AppTest) -> list[dict[str, Any]]:
    """What Python sent to each component of its own, in the order of the page."""
    return [json.loads(element.proto.json or "{}") for element in app.get("bidi_component")]


def still_charts(app: AppTest) -> list[dict[str, Any]]:
    """The charts that follow nothing: what the browser was sent for each, its Vega-Lite as text and its rows."""
    return [data for data in components(app) if "rows" in data]


def live_kinds(app: AppTest) -> list[str]:
    """The kinds of the charts that follow the hand."""
    return [data["kind"] for data in components(app) if "spec" in data and "kind" in data]


def sent_rows(chart: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """The columns of every data set that the browser was sent for a chart; none for one that it computes itself."""
    rows: dict[str, dict[str, list[Any]]] = json.loads(chart.get("rows", "{}"))
    return rows


def _texts(said: object) -> list[str]:
    if isinstance(said, dict):
        return [text for part in said.values() for text in _texts(part)]
    if isinstance(said, list):
        return [text for part in said for text in _texts(part)]
    return [said] if isinstance(said, str) else []


def field_errors(app: AppTest) -> list[str]:
    """The sentences beneath fields and knobs that hold what they may not."""
    beneath = [html.unescape(re.sub(r"<[^>]+>", "", block)) for block in blocks(app) if "sl-error" in block]
    return beneath + [shown["wrong"] for data in components(app) for shown in data.get("knobs", ()) if shown["wrong"]]


def _of(widgets: object, start: str) -> object:
    return next(widget for widget in widgets if str(widget.key).startswith(start))  # type: ignore[attr-defined]  # every widget of AppTest has a key


def law_choice(app: AppTest, key: str = "law") -> Selectbox[str]:
    """The box in which a page's law is chosen."""
    found = _of(app.selectbox, f"{key}~pick~")
    assert isinstance(found, Selectbox)
    return found


@dataclass(frozen=True, kw_only=True)
class PanelKnob:
    """A knob of a panel, as the browser shows it, and what a hand would do with it."""

    app: AppTest
    panel: str
    shown: dict[str, Any]

    @property
    def text(self) -> str:
        """What stands in its field."""
        return str(self.shown["written"])

    @property
    def value(self) -> float:
        """Where its slider was put by Python."""
        return float(self.shown["value"])

    @property
    def wrong(self) -> str:
        """The sentence beneath the field."""
        return str(self.shown["wrong"] or "")

    def set(self, value: object) -> AppTest:
        """Let the slider go at a number, or finish a text in the field, and run the page."""
        said = {"name": self.shown["name"], "value": value, "turn": next(_TURNS)}
        self.app.session_state[self.panel] = {"moved": said}
        return self.app.run()


_TURNS = count(1)


def knob(app: AppTest, name: str, channel: str = "law") -> PanelKnob:
    """The knob of this name on a channel."""
    for element in app.get("bidi_component"):
        data = json.loads(element.proto.json or "{}")
        for shown in data.get("knobs", ()) if data.get("channel") == channel else ():
            if shown["name"] == name:
                return PanelKnob(app=app, panel=str(element.proto.id).split("-", 2)[2], shown=shown)
    raise AssertionError(f"no knob {name} on {channel}")


def knob_names(app: AppTest, panel: str = "law~panel") -> list[str]:
    """The names of the knobs of a panel."""
    ids = [str(element.proto.id).split("-", 2)[2] for element in app.get("bidi_component")]
    return [k["name"] for id, data in zip(ids, components(app), strict=True) if id == panel for k in data["knobs"]]
