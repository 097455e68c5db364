"""An SVG made quicker to turn into pixels, with the same pixels.

The rasteriser draws every clipped group on a sheet of the picture's whole size, which takes tenths of a second at
three times the size; and Vega clips each line and each band by itself, all to the same rectangle. Here groups that lie
inside the rectangle lose their clip, and neighbours that share one are clipped together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias
from xml.etree.ElementTree import Element, fromstring, register_namespace, tostring

SVG = "{http://www.w3.org/2000/svg}"
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""
FREE = "free"
"""What draws something without a clip, or with clips of its own."""

_COMMAND = re.compile(r"([MmLlHhVvCcAaZz])([^MmLlHhVvCcAaZz]*)")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_URL = re.compile(r"url\(#([^)]+)\)")
_TRANSLATE = re.compile(r"translate\(([^,)]+),([^)]+)\)")

register_namespace("", "http://www.w3.org/2000/svg")
register_namespace("xlink", "http://www.w3.org/1999/xlink")


def quicker(svg: str) -> str:
    """The same picture with as few clips as its order of drawing allows."""
    root = fromstring(svg)
    boxes: dict[str, Box] = {}
    first: dict[Box, str] = {}
    names: dict[str, str] = {}
    for clip in root.iter(f"{SVG}clipPath"):
        rect = clip.find(f"{SVG}rect")
        if rect is not None and len(clip) == 1:
            left, top, width, height = (float(rect.get(side, "0")) for side in ("x", "y", "width", "height"))
            box, name = (left, top, left + width, top + height), clip.get("id", "")
            names[name] = first.setdefault(box, name)
            boxes[name] = box
    for group in root.iter(f"{SVG}g"):
        found = _URL.match(group.get("clip-path", ""))
        if found and found[1] in names:
            if all(_within(child, boxes[found[1]]) for child in group):
                del group.attrib["clip-path"]
            else:
                group.set("clip-path", f"url(#{names[found[1]]})")
    _gather(root)
    return tostring(root, encoding="unicode")


def _gather(node: Element) -> str | None:
    """Take the one clip that all within a node share off it, and return it for the node's parent to set.

    FREE where there is none, None where nothing is drawn. Below the node, neighbours are gathered under their clip.
    """
    if node.tag != f"{SVG}g" and len(node) == 0:
        return None if _draws_nothing(node) else FREE
    if node.tag == f"{SVG}defs":
        return None
    own = node.attrib.pop("clip-path", None)
    states = [own if own else _gather(child) for child in node]
    clips = {state for state in states if state is not None}
    bare = node.get("transform", "translate(0,0)") == "translate(0,0)" and node.tag == f"{SVG}g"
    if bare and len(clips) == 1 and FREE not in clips:
        return clips.pop()
    if own:  # the node moves what it clips, and its clip with it
        node.set("clip-path", own)
        return FREE
    children = list(node)
    for child in children:
        node.remove(child)
    node.extend(_runs(children, states))
    return FREE if clips else None


def _runs(children: list[Element], states: list[str | None]) -> Iterator[Element]:
    """The children in their order, those that follow one another under one clip in a group with that clip."""
    group: Element | None = None
    for child, state in zip(children, states, strict=True):
        if state is not None and (state == FREE or group is None or group.get("clip-path") != state):
            if group is not None:
                yield group
            group = None if state == FREE else Element(f"{SVG}g", {"clip-path": state})
        if group is None:
            yield child
        else:
            group.append(child)
    if group is not None:
        yield group


def _draws_nothing(leaf: Element) -> bool:
    if leaf.get("display") == "none":
        return True
    return leaf.tag == f"{SVG}path" and leaf.get("fill") is None and leaf.get("stroke") is None


def _within(leaf: Element, box: Box) -> bool:
    """Whether all that a leaf draws is surely inside the box."""
    if _draws_nothing(leaf):
        return True
    moved = _TRANSLATE.fullmatch(leaf.get("transform", "translate(0,0)"))
    if moved is None:
        return False
    if leaf.tag == f"{SVG}path":
        extent = _extent(leaf.get("d", ""))
    elif leaf.tag == f"{SVG}line":
        x, y = float(leaf.get("x2", "0")), float(leaf.get("y2", "0"))
        extent = (min(0.0, x), min(0.0, y), max(0.0, x), max(0.0, y))
    else:
        return False
    if extent is None:
        return False
    dx, dy = float(moved[1]), float(moved[2])
    around = float(leaf.get("stroke-width", "1")) if leaf.get("stroke") is not None else 0.0
    return (
        extent[0] + dx - around >= box[0]
        and extent[1] + dy - around >= box[1]
        and extent[2] + dx + around <= box[2]
        and extent[3] + dy + around <= box[3]
    )


def _extent(path: str) -> Box | None:
    """A box that holds a path of lines, cubic curves and arcs; None for one that cannot be read."""
    xs, ys, x, y = [0.0], [0.0], 0.0, 0.0
    started = False
    for command, rest in _COMMAND.findall(path):
        numbers = [float(number) for number in _NUMBER.findall(rest)]
        kind = command.upper()
        step = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "A": 7, "Z": 1}[kind]
        if kind != "Z" and (not numbers or len(numbers) % step):
            return None
        for i in range(0, len(numbers), step):
            here = numbers[i : i + step]
            base = (x, y) if command.islower() else (0.0, 0.0)
            if kind == "H":
                x = base[0] + here[0]
            elif kind == "V":
                y = base[1] + here[0]
            else:
                if kind == "C":
                    xs += [base[0] + here[0], base[0] + here[2]]
                    ys += [base[1] + here[1], base[1] + here[3]]
                end = base[0] + here[-2], base[1] + here[-1]
                if kind == "A":
                    reach = 2 * max(here[0], here[1])
                    xs += [x - reach, x + reach]
                    ys += [y - reach, y + reach]
                x, y = end
            if not started:
                xs, ys, started = [], [], True
            xs.append(x)
            ys.append(y)
    return (min(xs), min(ys), max(xs), max(ys)) if started else None
