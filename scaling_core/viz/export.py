"""The picture as a file, made on this machine without a network and without a browser."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

import vl_convert

from scaling_core.viz.figure import Figure
from scaling_core.viz.late import alt, pd
from scaling_core.viz.raster import quicker
from scaling_core.viz.theme import CHINESE_FONT, FONT, POWER_FONT, AltairChart

AnyChart: TypeAlias = "Figure | AltairChart"

WIDTH, HEIGHT = 1120, 630
"""Pixels of an exported chart that has no size of its own: 16 by 9, as a slide."""
GROWN = 450
"""Pixels of height of an exported figure that on the page grows with the window."""
PADDING = 24
EDGE = 10
"""Pixels around a picture that is as large as its chart on the page, where there are as many."""


@cache
def _vega_lite() -> str:
    """The version of Vega-Lite that Altair writes, as the converter names it."""
    return ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def sized(figure: Figure, width: int, height: int | None = None) -> Figure:
    """The figure with a width where it takes what it is given, and with a height where it has one number for it.

    As on the page, the axes are inside of these. Figures of several plots keep their sizes.
    """
    spec = figure.spec()
    if spec.get("width") != "container":
        return figure
    fixed: dict[str, Any] = {"width": width}
    if height is not None and _is_number(spec.get("height")):
        fixed["height"] = height
    return Figure(
        template={**figure.template, **fixed, **_fit({**spec, **fixed})}, data=figure.data, values=figure.values
    )


def specification(chart: AnyChart, padding: int = PADDING) -> dict[str, Any]:
    """The chart's Vega-Lite as plain JSON types, with a width and height where the page would have given them."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    if "layer" in spec or "mark" in spec:
        if spec.get("width") in (None, "container"):
            spec["width"] = WIDTH
            spec |= _fit(spec)
        if spec.get("height") in (None, "container"):
            spec["height"] = HEIGHT
    spec["padding"] = padding
    rows = spec.pop("datasets", {})
    chinese = HAN.search(json.dumps([spec, rows], ensure_ascii=False, default=str)) is not None
    told: dict[str, Any] = _as_wide(spec, *((CHINESE_FONT, CHINESE_SIZE) if chinese else (FONT, LATIN_SIZE)))
    return {**told, "datasets": rows}


def _fit(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes that hold axes and margins; a height by the row cannot."""
    tall = spec.get("height")
    fits = _is_number(tall) or tall in (None, "container")
    return {"autosize": {"type": "fit" if fits else "fit-x", "contains": "padding"}}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def to_png(chart: AnyChart, scale: float = 3.0, *, padding: int = PADDING) -> bytes:
    """The chart as PNG, `scale` pixels to a point; three are sharp on a projector and in print."""
    return svg_to_png(to_svg(chart, padding=padding), scale)


def to_svg(chart: AnyChart, *, padding: int = PADDING) -> str:
    """The chart as SVG with its text as text."""
    return _faces(vl_convert.vegalite_to_svg(specification(chart, padding), vl_version=_vega_lite()))


def to_pdf(chart: AnyChart, *, padding: int = PADDING) -> bytes:
    """The chart as a PDF of one page of its size, its text as text with the glyphs embedded."""
    return svg_to_pdf(to_svg(chart, padding=padding))


_TEXT = re.compile(r"<text\b[^>]*>.*?</text>", re.DOTALL)
_FAMILY = re.compile(r'\bfont-family="[^"]*"')
HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""A Chinese character or full-width mark."""


_CHINESE, _POWER = (f'font-family="{html.escape(font)}"' for font in (CHINESE_FONT, POWER_FONT))


def _faces(svg: str) -> str:
    """The picture with a Chinese font where a text has Han characters, and a narrow one where it has superscripts.

    A browser looks for each character in all the fonts that are named; the converter knows the first font only and
    takes whatever has the missing characters, which may be a serif. What it takes for powers is wider than the page's.
    """
    return _TEXT.sub(_faced, svg).replace(_POWER, f'{_POWER} font-stretch="condensed"')


def _faced(text: re.Match[str]) -> str:
    return _FAMILY.sub(_CHINESE, text[0], count=1) if HAN.search(text[0]) else text[0]


LATIN_SIZE, CHINESE_SIZE = 0.88, 0.94
"""Size at which the usual sans-serif faces are as wide as the page's own font at 1, and about as tall."""


def _as_wide(node: Any, font: str, size: float) -> Any:
    """The specification with a font in place of the page's, and with text of this share of its size.

    The page brings its own font, which few machines have. Others are wider at the same size, so that the plot would
    become smaller than on the page, and names that stand side by side would run into one another.
    """
    if isinstance(node, dict):
        return {
            key: round(size * value, 2)
            if key.endswith(("fontSize", "FontSize")) and _is_number(value)
            else _as_wide(value, font, size)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_as_wide(value, font, size) for value in node]
    return font if node == FONT else node


def svg_to_png(svg: str, scale: float = 3.0) -> bytes:
    """The picture of `to_svg` as PNG: what `to_png` gives, without laying the chart out a second time."""
    return bytes(vl_convert.svg_to_png(quicker(svg), scale=scale))


def svg_to_pdf(svg: str) -> bytes:
    """The picture of `to_svg` as PDF: what `to_pdf` gives, without laying the chart out a second time."""
    return bytes(vl_convert.svg_to_pdf(svg))


STYLING = frozenset(
    ("dx", "dy", "align", "name_dx", "name_align", "width", "colour", "fill", "ink", "font", "shape", "order")
)
"""Columns of a figure's data that say how something is drawn, not where."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def to_csv(figure: Figure) -> str:
    """What the figure draws as one table: a row a point, after the name of its series; numbers to their last digit.

    Texts that a spreadsheet would take for a formula begin with an apostrophe. A byte order mark at the front tells
    spreadsheets that Chinese is UTF-8.
    """
    frames = {name: frame for name, frame in figure.data.items() if len(frame)}
    columns = list(dict.fromkeys(c for frame in frames.values() for c in frame.columns if c not in STYLING))
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(["series", *columns])
    for name, frame in frames.items():
        writer.writerows([name, *row] for row in _rows(frame, columns))
    return "\ufeff" + target.getvalue()


def _rows(frame: pd.DataFrame, columns: list[str]) -> Iterator[list[str]]:
    """Each row of the frame as the cells of these columns; empty where it has none of that name."""
    own = [frame[column].tolist() if column in frame else [None] * len(frame) for column in columns]
    for values in zip(*own, strict=True):
        yield [_cell(value) for value in values]


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value.item() if hasattr(value, "item") else value)
