"""An empty presentation in the colours of a theme, 16 by 9, with the two layouts that decks are made of."""

from __future__ import annotations

import re
from typing import Any, Final

from pptx import Presentation
from pptx.opc.constants import RELATIONSHIP_TYPE as RT
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Emu, Inches

from scaling_core.viz.theme import Theme

WIDTH, HEIGHT = Inches(13 + 1 / 3), Inches(7.5)
LEFT, WIDE = Inches(0.6), Emu(WIDTH - 2 * Inches(0.6))
TOP, TITLE = Inches(0.4), Inches(0.8)
BOTTOM, FOOT = Inches(6.85), Inches(0.4)
PICTURE, PLAIN = "Picture with Caption", "Title and Content"
"""The layouts in use: with a picture, and without."""
LATIN, EAST_ASIAN = "Arial", "PingFang SC"
"""Fonts of the deck: a program that lacks one takes another of the same script."""
TITLE_SIZE, TEXT_SIZE, SENTENCE_SIZE, FOOT_SIZE = 28, 24, 17, 11

_FOUR_BY_THREE: Final = 9_144_000


def empty(theme: Theme) -> Any:
    """A presentation without slides. Its colours and fonts are those of the theme, so that what is added fits in."""
    deck: Any = Presentation()
    master = deck.slide_master
    for part in (master, *deck.slide_layouts):
        for shape in part.placeholders:
            _widen(shape)
    deck.slide_width, deck.slide_height = WIDTH, HEIGHT
    _colours(master, theme)
    _titles(master)
    for layout in deck.slide_layouts:
        for shape in layout.placeholders:
            _place(shape, layout.name)
    return deck


def put(shape: Any, left: int, top: int, width: int, height: int) -> None:
    """Place a shape."""
    shape.left, shape.top, shape.width, shape.height = Emu(left), Emu(top), Emu(width), Emu(height)


def _widen(shape: Any) -> None:
    """Stretch a place of the 4 by 3 presentation, where it has one of its own, to 16 by 9."""
    if shape._element.find(f".//{qn('a:xfrm')}") is not None:
        shape.left = Emu(shape.left * WIDTH // _FOUR_BY_THREE)
        shape.width = Emu(shape.width * WIDTH // _FOUR_BY_THREE)


def _place(shape: Any, layout: str) -> None:
    """Titles stand at the top left, the foot at the bottom, the rest of the two layouts in use between them."""
    kind = shape._element.find(f".//{qn('p:ph')}").get("type", "obj")
    if kind == "ftr":
        put(shape, LEFT, BOTTOM, WIDE - Inches(1.5), FOOT)
        _first_level(shape, algn="l", size=FOOT_SIZE, colour="tx2")
        _anchor(shape, "ctr")
    elif kind == "sldNum":
        put(shape, LEFT + WIDE - Inches(1.2), BOTTOM, Inches(1.2), FOOT)
        _first_level(shape, algn="r", size=FOOT_SIZE, colour="tx2")
        _anchor(shape, "ctr")
    if layout not in (PICTURE, PLAIN):
        return
    if kind == "title":
        put(shape, LEFT, TOP, WIDE, TITLE)
        _first_level(shape, algn="l", size=TITLE_SIZE, bold=True)
        _anchor(shape, "b")
    elif kind == "body":
        put(shape, LEFT, TOP + TITLE, WIDE, Inches(0.6))
        _first_level(shape, algn="l", size=SENTENCE_SIZE, colour="tx2")
        _anchor(shape, "t")
    elif kind in ("pic", "obj"):
        top = TOP + TITLE + Inches(0.7)
        put(shape, LEFT, top, WIDE, BOTTOM - top)
        _first_level(shape, algn="l", size=TEXT_SIZE)
        _anchor(shape, "t")


def _anchor(shape: Any, where: str) -> None:
    body = shape._element.find(f".//{qn('a:bodyPr')}")
    body.set("anchor", where)
    body.set("lIns", "0")
    body.set("rIns", "0")


def _first_level(shape: Any, *, algn: str, size: int, bold: bool = False, colour: str = "") -> None:
    """Set how the first level of a placeholder's text looks; the slide's own text inherits it."""
    styles = shape._element.find(f".//{qn('a:lstStyle')}")
    for old in styles.findall(qn("a:lvl1pPr")):
        styles.remove(old)
    fill = f'<a:solidFill><a:schemeClr val="{colour}"/></a:solidFill>' if colour else ""
    level = f'<a:lvl1pPr {nsdecls("a")} marL="0" indent="0" algn="{algn}"><a:buNone/>'
    level += f'<a:defRPr sz="{100 * size}" b="{int(bold)}">{fill}</a:defRPr></a:lvl1pPr>'
    styles.insert(0, parse_xml(level))


def _titles(master: Any) -> None:
    """Titles of every layout are left-aligned and bold."""
    level = master._element.find(f".//{qn('p:titleStyle')}/{qn('a:lvl1pPr')}")
    level.set("algn", "l")
    level.find(qn("a:defRPr")).set("b", "1")


def _colours(master: Any, theme: Theme) -> None:
    """The theme's palette and fonts as the presentation's; in a dark one text and background change places."""
    dark = theme.mode == "dark"
    ground, ink = ("dk", "lt") if dark else ("lt", "dk")
    mapping = master._element.find(qn("p:clrMap"))
    for name, value in (("bg1", ground + "1"), ("bg2", ground + "2"), ("tx1", ink + "1"), ("tx2", ink + "2")):
        mapping.set(name, value)
    palette = {
        ground + "1": theme.background,
        ground + "2": theme.surface,
        ink + "1": theme.ink,
        ink + "2": theme.muted,
        **{f"accent{k}": colour for k, colour in enumerate(theme.categorical[:6], 1)},
        "hlink": theme.accent,
        "folHlink": theme.accent,
    }
    part = master.part.part_related_by(RT.THEME)
    xml = part.blob.decode("utf-8")
    for name, colour in palette.items():
        inside = f'<a:srgbClr val="{colour.lstrip("#")}"/>'
        xml = re.sub(rf"(<a:{name}>).*?(</a:{name}>)", rf"\g<1>{inside}\g<2>", xml, count=1)
    xml = xml.replace('<a:latin typeface="Calibri"/>', f'<a:latin typeface="{LATIN}"/>')
    xml = xml.replace('<a:ea typeface=""/>', f'<a:ea typeface="{EAST_ASIAN}"/>')
    part._blob = xml.encode("utf-8")
