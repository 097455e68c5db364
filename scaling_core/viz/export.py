"""The picture as a file, made on this machine without a network and without a browser."""

from __future__ import annotations

import html
import re
from typing import Any, TypeAlias

import altair as alt
import vl_convert

from scaling_core.viz.figure import Figure
from scaling_core.viz.theme import CHINESE_FONT, AltairChart

AnyChart: TypeAlias = Figure | AltairChart

WIDTH, HEIGHT = 1120, 630
"""Pixels of an exported chart that has no size of its own: 16 by 9, as a slide."""

_VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def specification(chart: AnyChart) -> dict[str, Any]:
    """The chart's Vega-Lite as plain JSON types, with a width and height where the page would have given them."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    if "layer" in spec or "mark" in spec:
        if spec.get("width") in (None, "container"):
            spec["width"] = WIDTH
        if spec.get("height") in (None, "container"):
            spec["height"] = HEIGHT
    spec["padding"] = 24
    return spec


def to_png(chart: AnyChart, scale: float = 3.0) -> bytes:
    """The chart as PNG, `scale` pixels to a point; three are sharp on a projector and in print."""
    return svg_to_png(to_svg(chart), scale)


def to_svg(chart: AnyChart) -> str:
    """The chart as SVG with its text as text."""
    return _chinese_first(vl_convert.vegalite_to_svg(specification(chart), vl_version=_VEGA_LITE))


_TEXT = re.compile(r"<text\b[^>]*>.*?</text>", re.DOTALL)
_FAMILY = re.compile(r'\bfont-family="[^"]*"')
_HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def _chinese_first(svg: str) -> str:
    """The picture with a Chinese font where a text has Han characters.

    A browser looks for each character in all the fonts that are named; the converter knows the first font only and
    takes whatever has the missing characters, which may be a serif.
    """
    family = f'font-family="{html.escape(CHINESE_FONT)}"'
    return _TEXT.sub(lambda text: _FAMILY.sub(family, text[0], count=1) if _HAN.search(text[0]) else text[0], svg)


def svg_to_png(svg: str, scale: float = 3.0) -> bytes:
    """The picture of `to_svg` as PNG: what `to_png` gives, without laying the chart out a second time."""
    return bytes(vl_convert.svg_to_png(svg, scale=scale))
