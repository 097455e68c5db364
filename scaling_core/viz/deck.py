"""Slides from figures: a PowerPoint deck, and the same as Markdown for Marp with its pictures beside it.

A slide has a native title, a sentence, the picture, the numbers as a table that can be edited, and notes with what to
say and the link to the scene.
"""

from __future__ import annotations

import copy
import io
import math
import re
from collections.abc import Sequence
from typing import Any

from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Emu, Inches, Pt

from scaling_core.language import Language
from scaling_core.viz.export import HAN
from scaling_core.viz.marp import marp
from scaling_core.viz.powerpoint import (
    BOTTOM,
    EAST_ASIAN,
    FOOT_SIZE,
    LATIN,
    LEFT,
    PICTURE,
    PLAIN,
    SENTENCE_SIZE,
    TEXT_SIZE,
    TITLE,
    TITLE_SIZE,
    TOP,
    WIDE,
    empty,
    put,
)
from scaling_core.viz.slide import MOST_NUMBERS, Slide, picture, png_size, spoken_notes, units
from scaling_core.viz.theme import Theme

__all__ = ["Slide", "marp", "pptx"]

_GAP = Inches(0.14)
_NO_GRID = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
"""The table style without lines and fills."""


def pptx(slides: Sequence[Slide], theme: Theme, language: Language) -> bytes:
    """The slides as a PowerPoint file, 16 by 9, in the colours of the theme. language: that of most of the text."""
    deck = empty(theme)
    deck.core_properties.title = slides[0].title if slides else ""
    deck.core_properties.author = ""
    deck.core_properties.language = "zh-CN" if language == "zh" else "en-US"
    layouts = {layout.name: layout for layout in deck.slide_layouts}
    for number, slide in enumerate(slides, 1):
        page = deck.slides.add_slide(layouts[PLAIN if slide.figure is None else PICTURE])
        _slide(page, slide, number)
    target = io.BytesIO()
    deck.save(target)
    return target.getvalue()


def _slide(page: Any, slide: Slide, number: int) -> None:
    places = {shape.placeholder_format.idx: shape for shape in page.placeholders}
    title = page.shapes.title
    _write(title.text_frame, slide.title, size=TITLE_SIZE if units(slide.title) <= 74 else TITLE_SIZE - 7)
    numbers = slide.numbers[:MOST_NUMBERS]
    top = TOP + TITLE + _GAP // 2
    if slide.figure is None:
        tall = int(Pt(TEXT_SIZE * 1.3 * max(1, math.ceil(units(slide.sentence) / 80))))
        put(places[1], LEFT, top + _GAP, WIDE, tall)
        _write(places[1].text_frame, slide.sentence, size=TEXT_SIZE)
        if numbers:
            _table(page, numbers, LEFT, top + tall + 4 * _GAP, WIDE)
    else:
        tall = int(Pt(SENTENCE_SIZE * 1.3 * math.ceil(units(slide.sentence) / 118)))
        if slide.sentence:
            put(places[2], LEFT, top, WIDE, tall)
            _write(places[2].text_frame, slide.sentence, size=SENTENCE_SIZE)
        else:
            places[2]._element.getparent().remove(places[2]._element)
        _shown(page, places[1], slide, numbers, top + tall + _GAP)
    _foot(page, slide, number)
    _notes(page, slide)


def _shown(page: Any, place: Any, slide: Slide, numbers: Sequence[tuple[str, str]], top: int) -> None:
    """The picture as large as it fits, with the numbers below a wide one and beside another."""
    assert slide.figure is not None
    high = BOTTOM - top - _band(numbers)
    png = picture(slide.figure, WIDE / high)
    width, height = png_size(png)
    beside = bool(numbers) and width / height < 2 and len(numbers) <= 7
    column = Inches(2.6) if beside else Emu(0)
    high = BOTTOM - top if beside else high
    wide = WIDE - column
    scale = min(wide / width, high / height)
    own = (round(width * scale), round(height * scale))
    shown = place.insert_picture(io.BytesIO(png))
    put(shown, LEFT + (wide - own[0]) // 2, top + (high - own[1]) // 2, *own)
    shown.crop_left = shown.crop_right = shown.crop_top = shown.crop_bottom = 0.0
    shown._element.find(f".//{qn('p:cNvPr')}").set("descr", slide.sentence or slide.title)
    if beside:
        _column(page, numbers, LEFT + WIDE - column + Inches(0.2), top, column - Inches(0.2), high)
    elif numbers:
        _table(page, numbers, LEFT, top + high + _GAP // 2, WIDE)


def _band(numbers: Sequence[tuple[str, str]]) -> int:
    """Height of the rows of numbers below a picture."""
    return Inches(0.85) * math.ceil(len(numbers) / 6)


def _table(page: Any, numbers: Sequence[tuple[str, str]], left: int, top: int, width: int) -> None:
    """Numbers side by side, each under its label, at most six in a row."""
    for first in range(0, len(numbers), 6):
        row = numbers[first : first + 6]
        grid = _grid(page, 2, min(6, len(numbers)), left, top + first // 6 * Inches(0.85), width, Inches(0.75))
        for k, (label, value) in enumerate(row):
            _cell(grid.cell(0, k), label, quiet=True)
            _cell(grid.cell(1, k), value)


def _column(page: Any, numbers: Sequence[tuple[str, str]], left: int, top: int, width: int, height: int) -> None:
    """Numbers one above the other, each under its label, halfway up the place."""
    tall = Inches(0.72) * len(numbers)
    grid = _grid(page, 2 * len(numbers), 1, left, top + max(0, (height - tall) // 2), width, tall)
    for k, (label, value) in enumerate(numbers):
        _cell(grid.cell(2 * k, 0), label, quiet=True)
        _cell(grid.cell(2 * k + 1, 0), value)


def _grid(page: Any, rows: int, columns: int, left: int, top: int, width: int, height: int) -> Any:
    frame = page.shapes.add_table(rows, columns, Emu(left), Emu(top), Emu(width), Emu(height))
    table = frame.table
    table.first_row = table.horz_banding = False
    frame._element.find(f".//{qn('a:tableStyleId')}").text = _NO_GRID
    return table


def _cell(cell: Any, text: str, *, quiet: bool = False) -> None:
    cell.margin_left = cell.margin_right = Inches(0.04)
    cell.margin_top = cell.margin_bottom = 0
    cell.vertical_anchor = MSO_ANCHOR.BOTTOM if quiet else MSO_ANCHOR.TOP
    _write(cell.text_frame, text, size=13 if quiet else 22, bold=not quiet)
    colour = MSO_THEME_COLOR.TEXT_2 if quiet else MSO_THEME_COLOR.TEXT_1
    for run in cell.text_frame.paragraphs[0].runs:
        run.font.color.theme_color = colour


def _write(frame: Any, text: str, *, size: float, bold: bool | None = None) -> None:
    """Put a text into a frame, Latin and Chinese each in its face."""
    frame.text = str(text)
    frame.word_wrap = True
    for paragraph in frame.paragraphs:
        paragraph.alignment = PP_ALIGN.LEFT
        for run in paragraph.runs:
            run.font.size = Pt(size)
            if bold is not None:
                run.font.bold = bold
            _faces(run)


def _faces(run: Any) -> None:
    """The language of a run and its fonts, the East Asian one by name."""
    properties = run._r.get_or_add_rPr()
    properties.set("lang", "zh-CN" if HAN.search(run.text) else "en-US")
    properties.set("altLang", "en-US")
    for tag, face in (("a:latin", LATIN), ("a:ea", EAST_ASIAN)):
        for old in properties.findall(qn(tag)):
            properties.remove(old)
        properties._add_latin() if tag == "a:latin" else properties.append(properties.makeelement(qn(tag)))
        properties.find(qn(tag)).set("typeface", face)


def _foot(page: Any, slide: Slide, number: int) -> None:
    """The source at the foot, where there is one, and the number of the slide, both native."""
    for shape in page.slide_layout.placeholders:
        kind = shape._element.find(f".//{qn('p:ph')}").get("type")
        if kind == "sldNum" or (kind == "ftr" and slide.source):
            own = copy.deepcopy(shape._element)
            page.shapes._spTree.append(own)
            if kind == "ftr":
                _write(page.shapes[-1].text_frame, slide.source, size=FOOT_SIZE)
            else:
                own.find(f".//{qn('a:fld')}/{qn('a:t')}").text = str(number)


def _notes(page: Any, slide: Slide) -> None:
    """The speaker's notes, whose link can be followed."""
    frame = page.notes_slide.notes_text_frame
    told = spoken_notes(slide)
    frame.text = "\n".join(told)
    for paragraph in frame.paragraphs:
        for run in paragraph.runs:
            _faces(run)
            if slide.link and run.text == slide.link and re.match(r"https?://[^\s]+$", slide.link):
                run.hyperlink.address = slide.link
