"""What a chart can be taken home as: files made only when asked for, and a slide of the deck."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import streamlit as st

from scaling_core.language import Language, current, retold, speaking, t
from scaling_core.laws import Law
from scaling_core.ui.constants import CONSTANTS
from scaling_core.ui.deck import add, count
from scaling_core.ui.download import download
from scaling_core.ui.fonts import fonts_note
from scaling_core.ui.page import viewer_theme
from scaling_core.ui.presenter import presenting
from scaling_core.ui.watch import apart
from scaling_core.viz.export import EDGE, GROWN, WIDTH, sized, svg_to_pdf, svg_to_png, to_csv, to_svg
from scaling_core.viz.figure import Figure
from scaling_core.viz.live import script
from scaling_core.viz.slide import Slide
from scaling_core.viz.standalone import Live, to_html
from scaling_core.viz.theme import Theme

HALF = 680
"""Pixels of width of an exported figure that on the page stands beside another, until the browser has told."""
SMALLEST, LARGEST = 40, 4000
"""Pixels of width and of height that a chart on a page may have."""
RANGES = {"N": (1e7, 1e13, 1e3, 1e18), "D": (1e9, 1e15, 1e3, 1e20), "C": (1e18, 1e28, 1e12, 1e32)}
"""Ends of the sliders of a file that follows the hand, and the least and the most that may be typed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Follows:
    """What a chart that follows the hand is made from, see `viz.live.chart_data`."""

    law: Law
    kind: str
    args: Mapping[str, Any]
    values: Mapping[str, float]


def offer(
    figure: Figure,
    name: str,
    key: str,
    *,
    title: str,
    sentence: str = "",
    notes: str = "",
    numbers: Sequence[tuple[str, str]] = (),
    grows: bool = False,
    half: bool = False,
    follows: Follows | None = None,
    label: str = "",
) -> None:
    """A quiet button below a chart that opens the files of its figure, and puts it into the deck.

    name: of the files. title, sentence, notes, numbers: the words of its slide. grows, half: how it stands on the
    page, see `charts.show`. label: of the button, where it is for something else than the chart above it.
    """
    if presenting():
        return
    slide = Slide(
        title=str(retold(title or sentence)),
        sentence=str(retold(sentence)) if title else "",
        notes=str(retold(notes)),
        figure=figure,
        numbers=tuple((str(retold(label)), str(retold(value))) for label, value in numbers),
    )
    usual = (HALF if half else WIDTH, GROWN if grows else None)
    place = "inset" if _has_title_below(figure) else "below"
    with st.container(key=f"export-{place}-{key}"):
        apart(_menu, slide, usual, name, key, viewer_theme(), current(), follows, label or t("Export"))


def _menu(
    slide: Slide,
    usual: tuple[int, int | None],
    name: str,
    key: str,
    theme: Theme,
    language: Language,
    follows: Follows | None,
    label: str,
) -> None:
    """The button and what it opens; outside a watched part only this is drawn again when it opens.

    usual: size where none is shown.
    """
    with speaking(language):
        menu = st.popover(label, key=f"export~{key}", type="tertiary", on_change="rerun")
        if not menu.open:
            return
        with menu:
            _files(slide, shown_size(key) or usual, name, key, theme, language, follows)
            fonts_note()
            st.button(t("Add to deck"), key=f"export~{key}~add", on_click=_added, args=(key, slide), width="stretch")
            st.caption(t("The figure as it is now becomes a slide. The deck is at the top of every page."))
    if st.session_state.pop(f"export~{key}~new", False):
        st.toast(t("A slide was added to the deck, which has {n} now.", n=count()))
        st.rerun()


def shown_size(key: str) -> tuple[int, int] | None:
    """Width and height in pixels at which this chart stands on the page; None until the browser has told.

    The browser is asked where this is called, and answers with a new run.
    """
    name, state = f"export~{key}~shown", "size"
    told = st.session_state.get(name)
    size = told.get(state) if isinstance(told, Mapping) else None
    size = list(size) if isinstance(size, (list, tuple)) else []
    known = None
    if len(size) == 2 and all(isinstance(side, (int, float)) and SMALLEST <= side <= LARGEST for side in size):
        known = (round(size[0]), round(size[1]))
    with st.container(key=f"export-shown-{key}"):
        _measure()(key=name, data={"name": _UNFIT.sub("-", key), "known": size}, on_size_change=_nothing)
    return known


_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
"""What a key has and the class that Streamlit makes of it has not."""


@st.cache_resource(show_spinner=False)
def _measure() -> Callable[..., Any]:
    made: Callable[..., Any] = st.components.v2.component("scaling-lab-shown", html="<i></i>\n", js=script("shown"))
    return made


def _nothing() -> None:
    """The menu is drawn again when the browser has told; there is nothing more to do."""


def _files(
    slide: Slide,
    size: tuple[int, int | None],
    name: str,
    key: str,
    theme: Theme,
    language: Language,
    follows: Follows | None,
) -> None:
    """A button for each kind of file. What it needs is made when it is pressed. size: of the pictures, in pixels."""
    assert slide.figure is not None
    drawn, figure = slide.figure, sized(slide.figure, *size)

    @cache
    def picture() -> str:
        return to_svg(figure, padding=EDGE)

    def page() -> str:
        with speaking(language):
            live = None if follows is None else _live(follows)
            return to_html(drawn, theme, language, title=slide.title, sentence=slide.sentence, numbers=slide.numbers,
                           live=live)  # fmt: skip

    files: tuple[tuple[str, str, str, Callable[[], bytes | str]], ...] = (
        ("png", "image/png", t("Picture, three times the size"), lambda: svg_to_png(picture())),
        ("svg", "image/svg+xml", t("Picture of lines and text"), picture),
        ("pdf", "application/pdf", t("A page of its size"), lambda: svg_to_pdf(picture())),
        ("html", "text/html", t("A file that stays interactive, without a network"), page),
        ("csv", "text/csv", t("Every point that is drawn"), lambda: to_csv(drawn)),
    )
    with st.container(horizontal=True, gap="small", key=f"export-files-{key}"):
        for ending, mime, about, make in files:
            download(ending.upper(), make, f"{name}.{ending}", mime, key=f"export~{key}~{ending}", help=about)


def _added(key: str, slide: Slide) -> None:
    add(slide)
    st.session_state[f"export~{key}~new"] = True


def _live(follows: Follows) -> Live:
    """The sliders of the file: the constants of the law, then what of N, D and C the figure hangs on."""
    names = {"N": t("Parameters N"), "D": t("Tokens D"), "C": t("Compute C, FLOP")}
    common: dict[str, Any] = {"wrong": None, "written": None}
    knobs: list[dict[str, Any]] = [
        {
            "name": name,
            "value": follows.law.constants[name],
            "label": one.label,
            "spoken": f"{one.symbol} {one.meaning()}",
            "exactly": t("{symbol}, exactly", symbol=one.symbol),
            "low": one.low,
            "high": one.high,
            "step": one.step,
            "unit": one.unit,
            "published": follows.law.constants[name],
            "least": one.least,
            "most": one.most,
            "log": False,
            **common,
        }
        for name, one in CONSTANTS[follows.law.form].items()
    ]
    for name, value in follows.values.items():
        low, high, least, most = RANGES[name]
        knobs.append(
            {
                "name": name,
                "value": value,
                "label": names[name],
                "spoken": names[name],
                "exactly": t("{symbol}, exactly", symbol=name),
                "low": low,
                "high": high,
                "step": 0,
                "unit": 1,
                "published": value,
                "least": least,
                "most": most,
                "log": True,
                "per_decade": 40,
                **common,
            }
        )
    return Live(
        law=follows.law,
        kind=follows.kind,
        args=follows.args,
        values=follows.values,
        knobs=knobs,
        hint=t("Arrow keys move it finely, with Shift coarsely; a double click brings back the value at export."),
        wrong=t("No number in reach: such as 70B, 1.4T or 5.76e23."),
    )


def _has_title_below(figure: Figure) -> bool:
    """Whether the x axis has a title, in whose line the button then has room."""
    layers = [figure.template]
    while layers:
        layer = layers.pop()
        x = layer.get("encoding", {}).get("x") or {}
        axis = x.get("axis") or {}
        if axis.get("title") and axis.get("orient", "bottom") == "bottom":
            return True
        layers += layer.get("layer", [])
    return False
