"""Export by hand: what a viewer downloads is what the canvas showed, and an HTML file lives without the app."""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER
from pypdf import PdfReader

from scaling_core.language import Language, speaking, t
from scaling_core.viz.theme import Theme, dark, light
from tests.browser.conftest import PAGE_PATIENCE, AppServer, Witness, at_rest

pytestmark = pytest.mark.browser

SVG = "{http://www.w3.org/2000/svg}"
VIEW = """
  let node = canvas;
  while (node && !node.live?.view) node = node.parentNode ?? node.host;
  const view = node.live.view;
"""
CANVAS = f"""async (canvas, size) => {{
  {VIEW}
  const before = [view.width(), view.height()];
  await view.width(size[0]).height(size[1]).runAsync();
  const svg = await view.toSVG();
  await view.width(before[0]).height(before[1]).runAsync();
  return svg;
}}"""
"""What the canvas draws, as SVG, laid out for a size."""
POINTS = f"""(canvas, names) => {{
  {VIEW}
  return Object.fromEntries(names.map((name) => [name, view.data(name).map((row) => ({{ ...row }}))]));
}}"""
"""The rows that the canvas draws, by the name of their series."""
CASES = [("en", light(), 1280, 720), ("zh", dark(), 1920, 1080)]


def told(svg: str) -> list[str]:
    """The texts of a picture, in its order."""
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def curves(svg: str) -> list[str]:
    """The outlines of its lines, in their order; those that are hidden or empty left out."""
    return [
        path.attrib["d"]
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if "mark-line" in group.attrib.get("class", "")
        for path in group.iter(f"{SVG}path")
        if path.attrib.get("d")
    ]


def symbols(svg: str) -> int:
    """How many points a picture draws."""
    return sum(
        len(list(group.iter(f"{SVG}path")))
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if "mark-symbol" in group.attrib.get("class", "")
    )


def body(page: Page) -> Locator:
    return page.locator("[data-testid=stPopoverBody]")


def save(page: Page, kind: str, folder: Path) -> Path:
    """Press a button of the open menu and keep its file."""
    with page.expect_download() as waiting:
        body(page).get_by_role("button", name=kind, exact=True).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


@pytest.fixture(params=CASES, ids=["english-light", "chinese-dark"])
def visit(
    request: pytest.FixtureRequest, browser: Browser, app_server: AppServer, witness: Witness
) -> Iterator[tuple[Page, Language, Theme]]:
    """The calculator with a constant of one's own, its export menu open, in a language and a theme."""
    language, theme, width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme.mode, accept_downloads=True,
        locale="zh-CN" if language == "zh" else "en-US",
    )  # fmt: skip
    context.set_default_timeout(PAGE_PATIENCE)
    page = context.new_page()
    witness.watch(page)
    try:
        page.goto(app_server.url)
        at_rest(page)
        alpha = page.locator(".knob[data-name=alpha] .exact")
        alpha.fill("0.36")
        alpha.press("Enter")
        page.locator(".st-key-law-reset").wait_for()
        at_rest(page)
        page.locator(".st-key-isoflop canvas").wait_for()
        page.locator(".st-key-export-inset-isoflop button").click()
        body(page).get_by_role("button", name="PNG", exact=True).wait_for()
        page.locator(".st-key-export-shown-isoflop").wait_for(state="attached")
        page.wait_for_timeout(500)
        at_rest(page)
        yield page, language, theme
    finally:
        context.close()


@pytest.mark.slow
def test_the_files_of_the_calculators_chart(
    visit: tuple[Page, Language, Theme], browser: Browser, witness: Witness, tmp_path: Path
) -> None:
    page, language, theme = visit
    canvas = page.locator(".st-key-isoflop canvas")
    place = canvas.bounding_box()
    assert place is not None
    size = [round(place["width"]), round(place["height"])]

    svg = save(page, "SVG", tmp_path)
    assert svg.name == "isoflop.svg"
    exported = svg.read_text("utf-8")
    root = ElementTree.fromstring(exported)
    assert [float(root.attrib[side]) for side in ("width", "height")] == size, "as large as it stands on the page"
    seen: Any = canvas.evaluate(CANVAS, size)
    assert told(exported) == told(seen)
    assert "GPT-3" in told(exported)
    with speaking(language):
        axes = [t("Parameters N"), t("Loss, nats per token")]
    assert set(axes) <= set(told(exported))
    assert len(curves(exported)) == len(curves(seen)) >= 6
    assert [path.count("L") for path in curves(exported)] == [path.count("L") for path in curves(seen)]
    assert symbols(exported) == symbols(seen) > 0

    image = Image.open(io.BytesIO(save(page, "PNG", tmp_path).read_bytes())).convert("RGB")
    assert list(image.size) == [3 * side for side in size]
    ground = tuple(int(theme.background[i : i + 2], 16) for i in (1, 3, 5))
    assert image.getpixel((3, 3)) == ground
    assert len(image.resize((400, 200)).getcolors(100_000) or ()) > 200, "not blank"

    pdf = PdfReader(save(page, "PDF", tmp_path))
    assert len(pdf.pages) == 1
    box = pdf.pages[0].mediabox
    assert float(box.width) / float(box.height) == pytest.approx(size[0] / size[1], rel=2e-3)
    within = re.sub(r"\s", "", pdf.pages[0].extract_text())
    for text in (*axes, "GPT-3", "Chinchilla"):
        assert re.sub(r"\s", "", text) in within

    rows = list(csv.DictReader(io.StringIO(save(page, "CSV", tmp_path).read_text("utf-8-sig"))))
    series = list(dict.fromkeys(row["series"] for row in rows))
    assert {"curves", "minima", "marks"} <= set(series)
    drawn: dict[str, list[dict[str, Any]]] = canvas.evaluate(POINTS, series)
    compared = 0
    for name, points in drawn.items():
        own = [row for row in rows if row["series"] == name]
        assert len(own) == len(points) > 0, name
        for row, point in zip(own, points, strict=True):
            for column, value in point.items():
                if isinstance(value, (int, float)) and row.get(column):
                    assert float(row[column]) == pytest.approx(value, rel=1e-12), (name, column)
                    compared += 1
    assert compared > 500

    file = save(page, "HTML", tmp_path)
    witness.check()
    lives_alone(browser, file, size, seen)


def lives_alone(browser: Browser, file: Path, size: list[int], seen: str) -> None:
    """Open the file without a network: it draws the same, and follows a key and a field, and asks nobody."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    try:
        alone = context.new_page()
        asked: list[str] = []
        failed: list[str] = []
        alone.on("request", lambda request: asked.append(request.url))
        alone.on("pageerror", lambda error: failed.append(str(error)))
        alone.on("console", lambda message: failed.append(message.text) if message.type == "error" else None)
        alone.goto(file.as_uri())
        drawn = alone.locator("#picture canvas")
        drawn.wait_for()
        before: Any = drawn.evaluate(CANVAS, size)
        assert told(before) == told(seen)
        assert [path.count("L") for path in curves(before)] == [path.count("L") for path in curves(seen)]
        numbers = alone.locator("dl")
        assert numbers.is_visible()

        alpha = alone.locator(".knob[data-name=alpha]")
        assert alpha.locator(".exact").input_value() == "0.36"
        alpha.locator(".slide").press("ArrowRight")
        alone.wait_for_function("() => document.querySelector('.knob[data-name=alpha] .exact').value !== '0.36'")
        alone.wait_for_timeout(200)
        moved: Any = drawn.evaluate(CANVAS, size)
        assert curves(moved) != curves(before), "the curve follows the key"
        assert not numbers.is_visible(), "numbers of another picture are not shown"
        alpha.locator(".slide").dblclick()
        alone.wait_for_function("() => document.querySelector('.knob[data-name=alpha] .exact').value === '0.36'")
        alone.wait_for_timeout(200)
        assert curves(drawn.evaluate(CANVAS, size)) == curves(before)
        assert numbers.is_visible()

        field = alone.locator(".knob[data-name=C] .exact")
        field.fill("1e22")
        field.press("Enter")
        alone.wait_for_function("() => document.querySelector('.knob[data-name=C] .exact').value === '1e22'")
        alone.wait_for_timeout(200)
        after: Any = drawn.evaluate(CANVAS, size)
        assert "10²² FLOP" in told(after)
        assert curves(after) != curves(before)
        field.fill("many")
        field.press("Enter")
        assert alone.locator(".knob[data-name=C] .wrong").inner_text() != ""
        others = [url for url in asked if not url.startswith("data:")]
        assert others == [file.as_uri()], "the file asks for nothing but itself"
        assert failed == []
    finally:
        context.close()


@pytest.mark.slow
def test_a_deck_of_chosen_figures(visit: tuple[Page, Language, Theme], witness: Witness, tmp_path: Path) -> None:
    page, language, theme = visit
    with speaking(language):
        add, title = t("Add to deck"), t("Compute-optimal models")
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    before = page.evaluate(scrolled)
    for number in (1, 2):
        body(page).get_by_role("button", name=add, exact=True).click()
        page.locator(".st-key-deck-tray").get_by_role("button").filter(has_text=str(number)).wait_for()
        at_rest(page)
    assert page.evaluate(scrolled) == before, "the page stays where it was"
    page.keyboard.press("Escape")
    page.locator(".st-key-deck-tray").get_by_role("button").first.click()
    body(page).get_by_role("button", name="PowerPoint", exact=True).wait_for()

    boxes = [
        one.bounding_box()
        for one in (page.locator(".st-key-deck-tray"), page.locator(".st-key-language-switch"),
                    page.locator(".rc-overflow-item:not([aria-hidden=true])").last)
    ]  # fmt: skip
    spans = sorted((box["x"], box["x"] + box["width"]) for box in boxes if box is not None)
    assert len(spans) == 3
    assert all(right <= left for (_, right), (left, _) in itertools.pairwise(spans)), "nothing overlaps"

    deck: Any = Presentation(str(save(page, "PowerPoint", tmp_path)))
    assert deck.slide_width / deck.slide_height == pytest.approx(16 / 9, rel=1e-6)
    assert [slide.shapes.title.text for slide in deck.slides] == [title, title]
    for slide in deck.slides:
        notes = slide.notes_slide.notes_text_frame.text
        links = re.findall(r"http://127\.0\.0\.1:\d+/\S+", notes)
        assert len(links) == 1, "the link to the scene"
        assert "scene=" in links[0]
        sentences = [shape.text_frame.text for shape in slide.placeholders if shape.has_text_frame]
        assert any(text and text != title and text in notes for text in sentences)
        cells = [
            cell.text for shape in slide.shapes if shape.has_table for row in shape.table.rows for cell in row.cells
        ]
        shown = page.locator(".st-key-law-budget .value").all_inner_texts()
        assert set(shown[:3]) <= set(cells), "the numbers of the page, as text"
        pictures = [
            shape for shape in slide.placeholders
            if shape.placeholder_format.type == PP_PLACEHOLDER.PICTURE or shape.shape_type == MSO_SHAPE_TYPE.PICTURE
        ]  # fmt: skip
        assert len(pictures) == 1
        image = Image.open(io.BytesIO(pictures[0].image.blob)).convert("RGB")
        assert image.getpixel((2, 2)) == tuple(int(theme.background[i : i + 2], 16) for i in (1, 3, 5))

    with zipfile.ZipFile(save(page, "Markdown", tmp_path)) as archive:
        names = set(archive.namelist())
        text = archive.read("slides.md").decode("utf-8")
        named = re.findall(r"!\[w:\d+\]\(([^)]+)\)", text)
        for name in named:
            Image.open(io.BytesIO(archive.read(name))).verify()
    assert names == {"slides.md", *named}
    assert len(named) == 2
    assert [line.replace("\\", "") for line in re.findall(r"(?m)^# (.*)$", text)] == [title, title]
    witness.check()
    page.goto(links[0])
    at_rest(page)
    assert page.locator(".knob[data-name=alpha] .exact").input_value() == "0.36", "the link brings the picture back"
