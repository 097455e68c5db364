"""Decks read back: PowerPoint by the library's reader and as bare XML, Markdown from its zip."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER

from scaling_core.catalog import preset
from scaling_core.language import speaking
from scaling_core.viz.deck import Slide, marp, pptx
from scaling_core.viz.laws import slice_chart, terms_chart
from scaling_core.viz.theme import Theme, dark, light

LAW = preset("hoffmann2022").joint
LINK = "http://127.0.0.1:8501/models?scene=eJx_-1"
NUMBERS = (("最优参数量", "30.6B"), ("token 数", "1.71T"), ("loss, nats per token", "1.940"))
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"


def slides(theme: Theme) -> list[Slide]:
    with speaking("zh"):
        curve = slice_chart(LAW, "N", 70e9, 1.4e12, theme)
    bars = terms_chart([("here", {"E": 1.7, "N": 0.1, "D": 0.2}), ("best", {"E": 1.7, "N": 0.1, "D": 0.1})], theme)
    return [
        Slide(
            title="GPT-3 是否训练不足？", sentence="同一计算量可以换来更低的损失。", notes="先指最低点，\n再指 GPT-3。",
            figure=curve, numbers=NUMBERS, link=LINK, source="Hoffmann et al. 2022",
        ),
        Slide(title="Terms", figure=bars, numbers=tuple((f"n{k}", str(k)) for k in range(8))),
        Slide(title="No picture", sentence="Only words & <signs>.", numbers=NUMBERS, link="javascript:alert(1)"),
    ]  # fmt: skip


@pytest.fixture(scope="module", params=[light(), dark()], ids=["light", "dark"])
def deck(request: pytest.FixtureRequest) -> tuple[Theme, bytes]:
    return request.param, pptx(slides(request.param), request.param, "zh")


def opened(made: bytes) -> Any:
    return Presentation(io.BytesIO(made))


def tables(slide: Any) -> list[list[list[str]]]:
    """The tables of a slide as texts, row by row."""
    found = (shape.table for shape in slide.shapes if shape.has_table)
    return [[[cell.text for cell in row.cells] for row in table.rows] for table in found]


def pictures(slide: Any) -> list[Any]:
    return [
        shape
        for shape in slide.placeholders
        if shape.placeholder_format.type == PP_PLACEHOLDER.PICTURE and hasattr(shape, "image")
    ]


def test_titles_sentences_notes_and_links_are_native(deck: tuple[Theme, bytes]) -> None:
    made = opened(deck[1])
    assert made.slide_width / made.slide_height == pytest.approx(16 / 9, rel=1e-6)
    wanted = slides(deck[0])
    assert [slide.shapes.title.text for slide in made.slides] == [slide.title for slide in wanted]
    for slide, own in zip(made.slides, wanted, strict=True):
        notes = slide.notes_slide.notes_text_frame.text
        for part in (own.sentence, *own.notes.split("\n"), own.link):
            assert part in notes
        if own.sentence:
            assert own.sentence in [shape.text_frame.text for shape in slide.placeholders if shape.has_text_frame]
    runs = [
        run for p in made.slides[0].notes_slide.notes_text_frame.paragraphs for run in p.runs if run.hyperlink.address
    ]
    assert [(run.text, run.hyperlink.address) for run in runs] == [(LINK, LINK)]
    last = made.slides[2].notes_slide.notes_text_frame
    assert not any(run.hyperlink.address for p in last.paragraphs for run in p.runs), "no address of the web, no link"


def test_numbers_are_text_that_can_be_edited(deck: tuple[Theme, bytes]) -> None:
    made = opened(deck[1])
    labels, values = (list(side) for side in zip(*NUMBERS, strict=True))
    assert tables(made.slides[0]) == [[labels, values]]
    assert tables(made.slides[1]) == [
        [[f"n{k}" for k in range(6)], [str(k) for k in range(6)]],
        [["n6", "n7", "", "", "", ""], ["6", "7", "", "", "", ""]],
    ]
    assert tables(made.slides[2]) == [[labels, values]]


def test_the_picture_is_whole_and_nothing_overlaps_or_leaves_the_slide(deck: tuple[Theme, bytes]) -> None:
    theme, data = deck
    made = opened(data)
    for slide, own in zip(made.slides, slides(theme), strict=True):
        found = pictures(slide)
        assert len(found) == (own.figure is not None)
        for shape in found:
            image = Image.open(io.BytesIO(shape.image.blob))
            assert image.size[0] / image.size[1] == pytest.approx(shape.width / shape.height, rel=5e-3)
            assert (shape.crop_left, shape.crop_right, shape.crop_top, shape.crop_bottom) == (0, 0, 0, 0)
            assert shape.width > 0.55 * made.slide_width, "a picture can be seen from the last row"
            assert image.size[0] / (shape.width / 914400) > 200, "pixels an inch"
            assert shape._element.find(f".//{P}cNvPr").get("descr")
        boxes = [
            (shape.left, shape.top, shape.left + shape.width, shape.top + shape.height)
            for shape in slide.shapes
            if shape.has_table or shape in found or shape.shape_id == slide.shapes.title.shape_id
        ]
        for k, (left, top, right, bottom) in enumerate(boxes):
            assert 0 <= left < right <= made.slide_width
            assert 0 <= top < bottom <= made.slide_height
            for other in boxes[:k]:
                apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                assert apart, (slide.shapes.title.text, boxes)


def test_the_foot_holds_the_source_and_the_number(deck: tuple[Theme, bytes]) -> None:
    for number, slide in enumerate(opened(deck[1]).slides, 1):
        kinds = {shape.placeholder_format.type: shape.text_frame.text for shape in slide.placeholders
                 if shape.has_text_frame}  # fmt: skip
        assert kinds.get(PP_PLACEHOLDER.FOOTER) == ("Hoffmann et al. 2022" if number == 1 else None)
        assert kinds[PP_PLACEHOLDER.SLIDE_NUMBER] == str(number)


def test_every_part_is_xml_in_the_colours_of_the_theme_and_chinese_has_its_face(deck: tuple[Theme, bytes]) -> None:
    theme, data = deck
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        parts = {name: archive.read(name) for name in archive.namelist()}
    trees = {name: ElementTree.fromstring(blob) for name, blob in parts.items() if name.endswith((".xml", ".rels"))}
    master = trees["ppt/slideMasters/slideMaster1.xml"].find(f"{P}clrMap")
    palette = trees["ppt/theme/theme1.xml"].find(f".//{A}clrScheme")
    assert master is not None
    assert palette is not None
    for name, colour in (("bg1", theme.background), ("tx1", theme.ink), ("tx2", theme.muted)):
        entry = palette.find(f"{A}{master.attrib[name]}")
        assert entry is not None
        assert [child.attrib["val"] for child in entry] == [colour.lstrip("#")]
    for name, tree in trees.items():
        if re.match(r"ppt/(slides|notesSlides)/\w+\.xml", name):
            chinese = [run for run in tree.iter(f"{A}r") if re.search("[\u4e00-\u9fff]", "".join(run.itertext()))]
            for run in chinese:
                properties = run.find(f"{A}rPr")
                assert properties is not None
                face = properties.find(f"{A}ea")
                assert face is not None
                assert face.attrib["typeface"] == "PingFang SC"
                assert properties.attrib["lang"] == "zh-CN"
    assert any("slides/slide1" in name for name in trees)


def test_an_empty_deck_is_a_file_all_the_same() -> None:
    assert len(opened(pptx([], light(), "en")).slides) == 0


def read(made: bytes) -> tuple[str, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    return files.pop("slides.md").decode("utf-8"), files


def test_markdown_for_marp_names_the_pictures_beside_it() -> None:
    wanted = slides(dark())
    text, files = read(marp(wanted, dark()))
    front, *pages = re.split(r"(?m)^---\n\n", text)
    assert front.startswith("---\nmarp: true\nsize: 16:9\n")
    assert dark().background in front
    assert len(pages) == len(wanted)
    named = re.findall(r"!\[w:(\d+)\]\(([^)]+)\)", text)
    assert [path for _, path in named] == sorted(files) == ["pictures/01.png", "pictures/02.png"]
    for width, path in named:
        image = Image.open(io.BytesIO(files[path]))
        assert int(width) <= 1168
        assert int(width) * image.size[1] / image.size[0] <= 520
    assert pages[0].startswith("# GPT\\-3 是否训练不足？\n")
    assert (
        "| 最优参数量 | token 数 | loss, nats per token |\n| --- | --- | --- |\n| 30\\.6B | 1\\.71T | 1\\.940 |"
        in pages[0]
    )
    comments = re.findall(r"<!--\n(.*?)\n-->", pages[0], re.DOTALL)
    assert comments == [
        "同一计算量可以换来更低的损失。\n\n先指最低点，\n\n再指 GPT-3。\n\nHoffmann et al. 2022\n\n" + LINK
    ]
    assert "Only words \\& \\<signs\\>\\." in pages[2]


@pytest.mark.parametrize("bad", ["--> # gone", "--!> <script>", "theme: gaia", "size: 4:3", "_class: lead"])
def test_no_text_becomes_markup_or_a_setting_of_marp(bad: str) -> None:
    text, _ = read(marp([Slide(title=bad, sentence=bad, notes=bad, numbers=((bad, "a|b\n---\n# c"),))], light()))
    page = text.split("---\n\n", 1)[1]
    comment = page[page.rindex("<!--") :]
    assert comment.count("-->") == 1
    assert comment.endswith("-->\n")
    assert "--!>" not in comment
    assert not re.search(r"(?m)^\s*[$_\w]+\s*:", comment.removeprefix("<!--"))
    visible = page[: page.rindex("<!--")]
    assert "<" not in visible.replace("\\<", "")
    assert len(re.findall(r"(?m)^#", visible)) == 1
    assert not re.search(r"(?m)^---$", visible)
    assert len(re.findall(r"(?<!\\)\|", visible)) == 2 * 3, "a column a number"
