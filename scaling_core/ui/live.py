"""Components that follow the hand: sliders, and the charts and words that redraw while they are dragged.

A channel joins them in the browser. Python hears of a value when it is let go, and answers with the exact picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from scaling_core.language import retold, t
from scaling_core.laws import Law
from scaling_core.ui.charts import draw, file_name
from scaling_core.ui.component import component
from scaling_core.ui.export import Follows, offer
from scaling_core.viz.figure import Figure
from scaling_core.viz.isoflop import Ghost
from scaling_core.viz.live import chart_data, ghost_data, law_data
from scaling_core.viz.theme import Theme

_COMMON = ("law", "bus")


@dataclass(frozen=True, kw_only=True, slots=True)
class Knob:
    """One slider with its field. name: what it is called on the channel. label: HTML; spoken: the same for the ear.

    low, high, step: of the slider, in `unit`s; log: on a logarithmic scale with `per_decade` steps instead of `step`.
    published: where a double click leads. wrong: the sentence beneath the field. written: the value as the field
    shows it.
    """

    name: str
    value: float
    label: str
    spoken: str
    exactly: str
    low: float
    high: float
    step: float = 0.0
    log: bool = False
    per_decade: int = 20
    unit: float = 1.0
    published: float | None = None
    wrong: str | None = None
    written: str | None = None


def heard(key: str) -> list[tuple[str, object]]:
    """What the panel of this key said since it was last asked: the name of a knob, and a number or the text typed."""
    state = st.session_state.get(key)
    said = state.get("moved") if isinstance(state, Mapping) else None
    if not isinstance(said, Mapping) or said.get("turn") == st.session_state.get(f"{key}~turn"):
        return []
    st.session_state[f"{key}~turn"] = said.get("turn")
    return [(str(said.get("name")), said.get("value"))]


def panel(channel: str, knobs: Sequence[Knob], *, key: str) -> None:
    """Sliders on a channel; what was done with them is `heard` at the next run."""
    data = {
        "channel": channel,
        "knobs": [asdict(knob) for knob in knobs],
        "heard": st.session_state.get(f"{key}~turn"),
        "hint": t("Arrow keys move it finely, with Shift coarsely; a double click brings back the published value."),
    }
    mount = component("panel", "<div class='panel'></div>\n", *_COMMON, "panel")
    mount(key=key, data=data, on_moved_change=_nothing)


def _nothing() -> None:
    """Streamlit runs the page when a component says something; there is nothing more to do."""


def live_chart(
    figure: Figure,
    law: Law,
    channel: str,
    values: Mapping[str, float],
    *,
    kind: str,
    args: Mapping[str, Any],
    key: str,
    alt: str,
    grows: bool = False,
    half: bool = False,
    title: str = "",
    notes: str = "",
    numbers: Sequence[tuple[str, str]] = (),
) -> None:
    """Draw a figure that follows the channel, and offer to export it as it is at rest.

    kind and args as in `viz.live.chart_data`; values: N, D and C now; the rest as in `charts.show`.
    """
    data = {
        **chart_data(figure, law, kind=kind, args=args),
        "channel": channel,
        "values": {**law.constants, **values},
        "alt": retold(alt),
    }
    draw(figure, data, *_COMMON, "rows", "beyond", key=key, grows=grows)
    offer(
        figure, file_name(key), key, title=title, sentence=alt, notes=notes, numbers=numbers, grows=grows, half=half,
        follows=Follows(law=law, kind=kind, args=args, values=values),
    )  # fmt: skip


def live_words(
    law: Law,
    channel: str,
    values: Mapping[str, float],
    theme: Theme,
    said: Mapping[str, Any],
    *,
    kind: str,
    key: str,
    ghosts: Sequence[Ghost] = (),
    **more: Any,
) -> None:
    """Text that follows the channel. said: what Python says, which stands there whenever nothing is dragged.

    kind: a key of WRITERS, see `words.js` and `beyond.js` for what each needs to say the same of other values.
    """
    colours = {
        "quiet": theme.muted, "rule": theme.border, "under": theme.under, "over": theme.over,
        "near": theme.categorical[2],
    }  # fmt: skip
    html = f"<div class='words' style='{'; '.join(f'--{name}: {colour}' for name, colour in colours.items())}'></div>\n"
    data = {
        "kind": kind,
        "law": law_data(law),
        "channel": channel,
        "values": {**law.constants, **values},
        "ghosts": ghost_data(ghosts),
        "said": dict(said),
        **more,
    }
    component(f"words-{theme.mode}", html, *_COMMON, "rows", "beyond", "words")(key=key, data=data)
