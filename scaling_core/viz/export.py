"""The picture as a file, made on this machine without a network and without a browser."""

from __future__ import annotations

from typing import Any, TypeAlias

import altair as alt
import vl_convert

from scaling_core.viz.figure import Figure
from scaling_core.viz.theme import AltairChart

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
    return bytes(vl_convert.vegalite_to_png(specification(chart), vl_version=_VEGA_LITE, scale=scale))


def to_svg(chart: AnyChart) -> str:
    """The chart as SVG with its text as text."""
    return str(vl_convert.vegalite_to_svg(specification(chart), vl_version=_VEGA_LITE))


def svg_to_png(svg: str, scale: float = 3.0) -> bytes:
    """The picture of `to_svg` as PNG: what `to_png` gives, without laying the chart out a second time."""
    return bytes(vl_convert.svg_to_png(svg, scale=scale))
