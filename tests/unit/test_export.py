"""Every exported file, opened by a program that did not write it and compared with the figure it was made from."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import vl_convert
from PIL import Image
from pypdf import PdfReader

from scaling_core.catalog import model, preset
from scaling_core.language import speaking
from scaling_core.viz.export import (
    CHINESE_SIZE,
    LATIN_SIZE,
    STYLING,
    sized,
    specification,
    svg_to_png,
    to_csv,
    to_pdf,
    to_png,
    to_svg,
)
from scaling_core.viz.figure import Figure
from scaling_core.viz.isoflop import Mark, isoflop_chart
from scaling_core.viz.laws import slice_chart
from scaling_core.viz.live import isoflop_args
from scaling_core.viz.raster import quicker
from scaling_core.viz.standalone import Live, to_html
from scaling_core.viz.surface import surface_chart
from scaling_core.viz.theme import CHINESE_FONT, FONT, POWER_FONT, Theme, dark, light

LAW = preset("hoffmann2022").joint
MARKS = [Mark(name=m.name, N=m.N, D=m.tokens) for m in (model("gpt3"), model("chinchilla"))]
SVG = "{http://www.w3.org/2000/svg}"


def isoflop(theme: Theme) -> Figure:
    return sized(isoflop_chart(LAW, 3.15e23, MARKS, theme), 1120, 450)


def surface(theme: Theme) -> Figure:
    return surface_chart(LAW, 3.15e23, MARKS, theme, valid_N=(7e7, 1.6e10), valid_D=(5e9, 5e11))


@pytest.fixture(scope="module")
def chinese() -> Iterator[Figure]:
    with speaking("zh"):
        yield slice_chart(LAW, "N", 70e9, 1.4e12, dark())


def texts(svg: str) -> list[str]:
    """The texts that an SVG shows, in its order."""
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("theme", [light(), dark()], ids=["light", "dark"])
def test_a_png_is_three_times_the_size_in_the_colours_of_the_theme(theme: Theme) -> None:
    figure = isoflop(theme)
    root = ElementTree.fromstring(to_svg(figure))
    image = Image.open(io.BytesIO(to_png(figure)))
    assert image.size == (3 * int(root.attrib["width"]), 3 * int(root.attrib["height"])) == (3 * 1120, 3 * 450)
    background = tuple(int(theme.background[i : i + 2], 16) for i in (1, 3, 5))
    assert image.convert("RGB").getpixel((5, 5)) == background
    accent = np.array([int(theme.accent[i : i + 2], 16) for i in (1, 3, 5)])
    drawn = np.asarray(image.convert("RGB")).astype(int)
    assert (abs(drawn - accent).max(axis=2) < 4).sum() > 3000, "the chosen budget's curve and the dots"


def test_a_svg_says_what_the_data_say_and_draws_every_curve() -> None:
    figure = isoflop(light())
    svg = to_svg(figure)
    shown = texts(svg)
    for name in (*figure.data["names"]["text"], *figure.data["marks"]["name"]):
        assert name in shown
    curves = [
        path
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if "mark-line" in group.attrib.get("class", "")
        for path in group.iter(f"{SVG}path")
        if path.attrib.get("d", "").count("L") > 20
    ]
    assert len(curves) == figure.data["curves"]["line"].nunique() + 1, "one for each line, and the ridge"


@pytest.mark.parametrize(("make", "theme"), [(isoflop, light()), (surface, dark())], ids=["isoflop", "surface"])
def test_fewer_clips_draw_the_same_pixels(make: Any, theme: Theme) -> None:
    svg = to_svg(make(theme))
    assert quicker(svg).count("clip-path=") < svg.count("clip-path=") / 4
    slow, fast = pixels(bytes(vl_convert.svg_to_png(svg, scale=1.0))), pixels(svg_to_png(svg, 1.0))
    assert abs(slow - fast).max() < 40, "no more than the edge of a clipped line"
    assert (abs(slow - fast).max(axis=2) > 12).mean() < 1e-4


def test_what_a_clip_cuts_off_stays_cut_off() -> None:
    box = '<defs><clipPath id="c"><rect x="10" y="10" width="20" height="20"/></clipPath></defs>'
    inside = '<path d="M12,12h4v4h-4Z" fill="#f00"/>'
    across = '<g clip-path="url(#c)"><path d="M0,20h40v5h-40Z" fill="#00f"/></g>'
    moved = f'<g transform="translate(30,30)">{across}</g>'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><rect width="80" height="80" fill="#fff"/>'
        f'<g><g clip-path="url(#c)">{inside}</g>{across}</g>{moved}{box}</svg>'
    )
    image = pixels(svg_to_png(svg, 1.0))
    assert tuple(image[14, 14]) == (255, 0, 0)
    assert tuple(image[22, 20]) == (0, 0, 255)
    assert tuple(image[22, 5]) == (255, 255, 255)
    assert tuple(image[52, 50]) == (0, 0, 255)
    assert tuple(image[52, 35]) == (255, 255, 255)
    assert quicker(svg).count("clip-path=") == 2


def test_a_pdf_is_one_page_of_its_size_with_chinese_as_text(chinese: Figure) -> None:
    reader = PdfReader(io.BytesIO(to_pdf(chinese)))
    assert len(reader.pages) == 1
    root = ElementTree.fromstring(to_svg(chinese))
    box = reader.pages[0].mediabox
    assert float(box.width) / float(box.height) == pytest.approx(
        float(root.attrib["width"]) / float(root.attrib["height"]), rel=1e-3
    )
    told = reader.pages[0].extract_text()
    for word in ("参数量 N", "损失", "1.693"):
        assert word in told
    fonts = reader.pages[0]["/Resources"]["/Font"]  # type: ignore[index]  # a page of text has fonts
    for font in fonts.values():
        within = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert any(f"/FontFile{k}" in within for k in ("", "2", "3")), "every font is embedded"


def test_chinese_is_drawn_and_not_boxed(chinese: Figure) -> None:
    """The same picture with each Han character replaced by one that no font has is another picture."""
    svg = to_svg(chinese)
    boxed = re.sub(
        r"(?<=>)[^<]*[\u4e00-\u9fff][^<]*(?=</text>)", lambda m: re.sub("[\u4e00-\u9fff]", "\U0010fffd", m[0]), svg
    )
    assert boxed != svg
    assert (abs(pixels(svg_to_png(svg, 1.0)) - pixels(svg_to_png(boxed, 1.0))).max(axis=2) > 60).sum() > 200


@pytest.mark.parametrize("make", [isoflop, surface], ids=["isoflop", "surface"])
def test_a_csv_read_back_is_the_figures_data(make: Any) -> None:
    figure = make(light())
    text = to_csv(figure)
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    found = {name: [row for row in rows if row["series"] == name] for name in {row["series"] for row in rows}}
    wanted = {name: frame for name, frame in figure.data.items() if len(frame)}
    assert set(found) == set(wanted)
    for name, frame in wanted.items():
        own = [column for column in frame.columns if column not in STYLING]
        assert len(found[name]) == len(frame)
        for row, values in zip(found[name], frame[own].to_dict("records"), strict=True):
            for column, value in values.items():
                if isinstance(value, str):
                    assert row[str(column)] == value
                elif math.isnan(value):
                    assert row[str(column)] == ""
                else:
                    assert float(row[str(column)]) == value, "to the last digit"
            assert all(row[other] == "" for other in row if other not in (*own, "series"))


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-2", "@cmd", "\t=1", "\r=1", "＝1"])
def test_no_text_of_a_csv_is_a_formula(text: str) -> None:
    frame = pd.DataFrame({"x": [-1.5], "name": [text]})
    told = to_csv(Figure(template={}, data={"runs": frame}, values={})).removeprefix("\ufeff")
    rows = list(csv.reader(io.StringIO(told, newline="")))
    assert rows == [["series", "x", "name"], ["runs", "-1.5", f"'{text}"]]


HARMLESS = re.compile(r"https?://(www\.w3\.org/|vega\.github\.io/(schema|editor)/|github\.com/vega/)")
"""Names of languages, and links that stand in messages and in a menu that the file does not have."""


def parts_of(page: str) -> tuple[dict[str, Any], str]:
    """The JSON that a page was made from, and the page without its scripts."""
    made = re.search(r'<script type="application/json" id="made">(.*?)</script>', page, re.DOTALL)
    assert made is not None
    return json.loads(made[1]), re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_an_html_file_asks_nobody_for_anything_and_holds_the_data(chinese: Figure) -> None:
    title = "损失 </script><b>&"
    page = to_html(chinese, dark(), "zh", title=title, sentence="一句话。", numbers=[("参数量", "70B")])
    strangers = [url for url in re.findall(r"https?://[^\s\"'`)<>\\]+", page) if not HARMLESS.match(url)]
    assert strangers == []
    made, rest = parts_of(page)
    assert not re.search(r"(src|href)=", rest)
    assert "connect-src" not in rest
    assert "default-src 'none'" in rest
    assert rest.count("<b>") == 0
    assert page.count("</script>") == 2
    assert "损失 &lt;/script&gt;" in rest
    assert "70B" in rest
    for name, frame in chinese.data.items():
        assert made["spec"]["datasets"][name] == json.loads(json.dumps(frame.to_dict("records")))
    assert made["spec"]["width"] == "container"


def test_an_html_file_of_a_live_figure_brings_its_law() -> None:
    figure = isoflop_chart(LAW, 3.15e23, MARKS, light())
    knob = {"name": "E", "value": 1.69, "least": 0, "most": 100, "wrong": None}
    live = Live(
        law=LAW, kind="isoflop", args=isoflop_args(figure, MARKS, []), values={"C": 3.15e23}, knobs=[knob],
        hint="hint", wrong="wrong",
    )  # fmt: skip
    made, _ = parts_of(to_html(figure, light(), "en", title="IsoFLOP", live=live))
    assert made["live"]["chart"]["values"] == {**LAW.constants, "C": 3.15e23}
    assert made["live"]["panel"]["knobs"] == [knob]


def test_text_is_as_wide_as_on_the_page_and_chinese_is_set_in_one_face(chinese: Figure) -> None:
    """The page brings a narrow font, and its names stand where that one leaves room for them."""

    def fonts(svg: str) -> set[tuple[str, str, str]]:
        found = ElementTree.fromstring(svg).iter(f"{SVG}text")
        return {(n.attrib["font-family"], n.attrib["font-size"], n.attrib.get("font-stretch", "")) for n in found}

    with speaking("en"):
        figure = isoflop(light())
    for drawn, share, families in ((figure, LATIN_SIZE, {FONT, POWER_FONT}), (chinese, CHINESE_SIZE, {CHINESE_FONT})):
        found, page = fonts(to_svg(drawn)), fonts(vl_convert.vegalite_to_svg(drawn.to_dict()))
        assert {family for family, _, _ in found} == families
        assert {size for _, size, _ in found} == {
            f"{round(float(size.removesuffix('px')) * share, 2):g}px" for _, size, _ in page
        }
        assert all((stretch == "condensed") == (family == POWER_FONT) for family, _, stretch in found)


def test_sizes_are_those_of_the_page() -> None:
    figure = isoflop_chart(LAW, 3.15e23, MARKS, light())
    assert specification(figure)["autosize"] == {"type": "fit", "contains": "padding"}
    small = sized(figure, 680, 400)
    assert (small.spec()["width"], small.spec()["height"]) == (680, 400)
    assert small.data is figure.data
    assert figure.spec()["width"] == "container", "the figure on the page is left as it is"
    root = ElementTree.fromstring(to_svg(small))
    assert (root.attrib["width"], root.attrib["height"]) == ("680", "400")
