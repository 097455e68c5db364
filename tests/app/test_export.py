"""Export below every chart, and the deck: what was added stays as it was, in an order of one's own."""

from __future__ import annotations

import io
import json
import math
import re
import unicodedata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from PIL import Image
from pptx import Presentation
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from scaling_core.language import Language, speaking, t
from scaling_core.story import PARAMETER, unpacked_scene
from scaling_core.ui import fonts
from scaling_core.ui.language import KEY
from scaling_core.viz.deck import Slide, pptx
from scaling_core.viz.export import GROWN, STYLING, WIDTH
from scaling_core.viz.theme import light
from tests.app.exports import KINDS, buttons, kept_files, offered, open_menus
from tests.page_helpers import knob, sent_rows, words

SVG = "{http://www.w3.org/2000/svg}"

CHARTS = {
    "calculator": ["isoflop", "terms", "surface", "slice.N", "slice.D"],
    "models": ["plane", "grid"],
    "beyond": ["lifetime", "overtraining", "wall"],
    "plan": ["plan.time", "plan.transfer"],
    "demo": ["panel.N.True", "panel.D.True", "panel.N.False", "panel.D.False", "panels", "optimal"],
    "fit": ["fit.law", "fit.residuals", "fit.joint", "fit.path"],
    "talk": ["ratios"],
}


def opened(project: Path, page: str, language: Language = "en") -> AppTest:
    app = AppTest.from_file(str(project / "pages" / f"{page}.py"), default_timeout=120)
    app.session_state[KEY] = language
    app.run()
    assert not app.exception
    return app


def slides(app: AppTest) -> list[Slide]:
    found: list[Slide] = app.session_state["deck~slides"]
    return found


def add(app: AppTest, chart: str) -> AppTest:
    app.session_state[f"export~{chart}"] = True
    return app.run().button(key=f"export~{chart}~add").click().run()


@pytest.mark.parametrize("page", CHARTS)
def test_every_chart_offers_every_kind_once_its_menu_is_open(project: Path, lab_home: Path, page: str) -> None:
    app = opened(project, page)
    assert buttons(app) == [], "nothing is built before a person asks"
    assert sorted(offered(app)) == sorted(CHARTS[page])
    open_menus(app, *CHARTS[page])
    assert not app.exception
    wanted = [(f"export~{chart}~{kind.lower()}", kind) for chart in CHARTS[page] for kind in KINDS]
    assert sorted(buttons(app)) == sorted(wanted)
    assert {f"export~{chart}~add" for chart in CHARTS[page]} <= {button.key for button in app.button}


@pytest.mark.slow
@pytest.mark.parametrize(("page", "language"), [(page, ("en", "zh")[k % 2]) for k, page in enumerate(CHARTS)])
def test_every_file_of_every_chart_is_what_the_page_shows(
    project: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch, page: str, language: Language
) -> None:
    makers = kept_files(monkeypatch)
    app = opened(project, page, language)
    charts, live = shown(app)
    open_menus(app, *CHARTS[page])
    assert set(charts) == set(CHARTS[page])
    for chart, (spec, frames) in charts.items():
        made = {kind: makers[f"export~{chart}~{kind.lower()}"]() for kind in KINDS}
        svg, csv, page_of_html = (str(made[kind]) for kind in ("SVG", "CSV", "HTML"))
        root = ElementTree.fromstring(svg)
        told = [" ".join("".join(node.itertext()).split()) for node in root.iter(f"{SVG}text")]
        for title in titles(spec):
            assert title in told or title in " ".join(told), chart
        size = tuple(float(root.attrib[side]) for side in ("width", "height"))

        image = Image.open(io.BytesIO(bytes(made["PNG"])))  # type: ignore[arg-type]  # bytes, where text is text
        assert image.size == pytest.approx([3 * side for side in size], abs=1)
        small = image.convert("RGB").resize((160, 90))
        assert small.getpixel((0, 0)) == small.getpixel((159, 89)) == (255, 255, 255), "the theme's ground"
        assert len(np.unique(np.asarray(small).reshape(-1, 3), axis=0)) > 40, "not blank"

        pdf = PdfReader(io.BytesIO(bytes(made["PDF"])))  # type: ignore[arg-type]  # bytes as well
        assert len(pdf.pages) == 1
        box = pdf.pages[0].mediabox
        assert float(box.width) / float(box.height) == pytest.approx(size[0] / size[1], rel=2e-3)
        within = squeezed(pdf.pages[0].extract_text())
        for title in titles(spec):
            assert squeezed(title) in within, (chart, title)

        table = pd.read_csv(io.StringIO(csv.removeprefix("\ufeff")), dtype=str, keep_default_na=False)
        assert len(table) > 0
        assert_same_points(table, frames)

        data = re.search(r'<script type="application/json" id="made">(.*?)</script>', page_of_html, re.DOTALL)
        assert data is not None
        held = json.loads(data[1])
        assert ("live" in held) == (chart in live)
        if chart not in live:
            assert_same_points(pd.concat([pd.DataFrame(rows).assign(series=name) for name, rows in
                                          held["spec"]["datasets"].items()]), frames)  # fmt: skip
        assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in page_of_html


WITHOUT = {"panels"}
"""Charts that stand nowhere on the page as they are exported."""


def shown(app: AppTest) -> tuple[dict[str, tuple[dict[str, Any], dict[str, pd.DataFrame]]], set[str]]:
    """By the key of its export menu, what the browser was sent to draw above it: Vega-Lite, and data by name.

    Second, which of them the browser draws from the law itself; their points are compared in the browser.
    """
    found: dict[str, tuple[dict[str, Any], dict[str, pd.DataFrame]]] = {}
    live: set[str] = set()
    last: tuple[dict[str, Any], dict[str, pd.DataFrame]] = ({}, {})
    for node in app._tree:
        proto: Any = getattr(node, "proto", None)
        if node.type == "bidi_component" and "spec" in (data := json.loads(proto.json or "{}")):
            frames = {name: pd.DataFrame(columns) for name, columns in sent_rows(data).items()}
            last = (json.loads(data["spec"]), frames)
        elif node.type == "popover" and (key := str(proto.popover.id).partition("-export~")[2]):
            found[key] = ({}, {}) if key in WITHOUT else last
            live |= {key} if found[key][0] and not found[key][1] else set()
    return found, live


def titles(node: Any) -> list[str]:
    """The titles of the axes that a specification names, where they are texts."""
    if isinstance(node, list):
        return [title for part in node for title in titles(part)]
    if not isinstance(node, dict):
        return []
    own = [node["axis"]["title"]] if isinstance(node.get("axis"), dict) and "title" in node["axis"] else []
    return [title for title in own if isinstance(title, str) and title] + titles(list(node.values()))


def squeezed(text: str) -> str:
    """A text without spaces, each sign in its plain form."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


def assert_same_points(table: pd.DataFrame, frames: dict[str, pd.DataFrame]) -> None:
    """Every row that the browser was sent is in the table, in its order, to the last digit."""
    for name, frame in frames.items():
        if len(frame):
            rows = table[table["series"] == name]
            assert len(rows) == len(frame), name
            for column in frame.columns.difference(list(STYLING)):
                for cell, value in zip(rows[column], frame[column], strict=True):
                    assert same(cell, value), (name, column, cell, value)


def same(cell: Any, value: Any) -> bool:
    """Whether a cell that was read back, as text or as a number, is this value."""
    if value is None or value != value:
        return cell is None or cell in ("", "None") or cell != cell
    if isinstance(value, str):
        return str(cell).removeprefix("'") == value
    if isinstance(value, (bool, np.bool_)):
        return str(cell) == str(value)
    return float(cell) == float(value)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ([855, 350], (855, 350)),
        (None, (WIDTH, GROWN)),
        ([math.nan, 350], (WIDTH, GROWN)),
        ([1e9, math.inf], (WIDTH, GROWN)),
        (["855", "350"], (WIDTH, GROWN)),
        ([855], (WIDTH, GROWN)),
        ("855,350", (WIDTH, GROWN)),
        ([12, 9], (WIDTH, GROWN)),
    ],
)
def test_pictures_are_as_large_as_the_browser_says_where_that_can_be(
    project: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch, told: object, wanted: tuple[int, int]
) -> None:
    makers = kept_files(monkeypatch)
    app = opened(project, "calculator")
    app.session_state["export~isoflop~shown"] = {"size": told}
    open_menus(app, "isoflop")
    assert not app.exception
    root = ElementTree.fromstring(str(makers["export~isoflop~svg"]()))
    assert tuple(float(root.attrib[side]) for side in ("width", "height")) == wanted


@pytest.mark.parametrize(("language", "han", "says"), [("zh", False, True), ("zh", True, False), ("en", False, False)])
def test_a_machine_without_a_chinese_font_says_so_where_pictures_are_made(
    project: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch, language: Language, han: bool, says: bool
) -> None:
    fonts._han.cache_clear()
    monkeypatch.setattr(fonts, "drawn", lambda: han)
    app = opened(project, "talk", language)
    with speaking(language):
        sentence = t("Exported figures show boxes for Chinese: install a Chinese font and start the app again.")
    assert sentence not in words(app)
    assert (sentence in words(open_menus(app, "ratios"))) == says
    fonts._han.cache_clear()


def test_a_slide_keeps_the_figure_and_the_numbers_as_they_were(project: Path, lab_home: Path) -> None:
    app = add(opened(project, "calculator"), "isoflop")
    assert [toast.value for toast in app.toast] == ["A slide was added to the deck, which has 1 now."]
    first = slides(app)[0]
    assert first.figure is not None
    before = first.figure.data["minima"].copy()
    assert dict(first.numbers)["best parameters"] == "30.6B"
    knob(app, "alpha").set(0.4)
    add(app, "isoflop")
    kept, later = slides(app)
    assert kept is first
    assert kept.figure is not None
    assert later.figure is not None
    assert kept.figure.data["minima"].equals(before)
    assert not later.figure.data["minima"].equals(before)
    assert dict(kept.numbers)["best parameters"] != dict(later.numbers)["best parameters"]


def test_the_deck_is_ordered_thinned_and_emptied(project: Path, lab_home: Path) -> None:
    app = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=120).run()
    assert not app.exception
    for chart in ("isoflop", "surface", "slice.N"):
        add(app, chart)
    titles = [slide.title for slide in slides(app)]
    assert titles == ["Compute-optimal models", "The whole surface", "One axis at a time"]
    app.session_state["deck~open"] = True
    app.run()
    assert [b.proto.label for b in app.get("download_button") if "deck~" in b.proto.id] == ["PowerPoint", "Markdown"]
    app.button(key="deck~down~0").click().run()
    assert [slide.title for slide in slides(app)] == [titles[1], titles[0], titles[2]]
    app.button(key="deck~up~2").click().run()
    assert [slide.title for slide in slides(app)] == [titles[1], titles[2], titles[0]]
    app.button(key="deck~out~1").click().run()
    assert [slide.title for slide in slides(app)] == [titles[1], titles[0]]
    app.switch_page("pages/models.py").run()
    assert len(slides(app)) == 2, "the deck goes along from page to page"
    app.session_state["deck~open"] = True
    app.run().button(key="deck~empty").click().run()
    assert slides(app) == []
    assert not app.exception


def test_a_slide_speaks_the_language_of_its_moment(project: Path, lab_home: Path) -> None:
    app = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=120)
    app.session_state["language"] = "zh"
    add(app.run(), "surface")
    slide = slides(app)[0]
    with speaking("zh"):
        assert slide.title == t("The whole surface") != "The whole surface"
        steps = t(
            "Every point is a model and its training. Steps along the dashed line are the cheapest way down; "
            "everything outside the frame is extrapolation."
        )
    made: Any = Presentation(io.BytesIO(pptx(slides(app), light(), "zh")))
    assert made.slides[0].shapes.title.text == slide.title
    assert steps in made.slides[0].notes_slide.notes_text_frame.text


def test_a_slide_links_to_the_scene_of_its_moment(
    project: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(st.context), "url", "http://127.0.0.1:8501/")
    app = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=120).run()
    knob(app, "alpha").set(0.36)
    add(app, "surface")
    link = slides(app)[0].link
    assert link.startswith(f"http://127.0.0.1:8501/?{PARAMETER}=")
    scene = unpacked_scene(link.split("=", 1)[1]).scene
    assert scene.page == "calculator"
    assert "0.36" in repr(scene.state)
