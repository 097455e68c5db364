"""Slides as Markdown for Marp, which makes HTML, PDF or PowerPoint of it, with the pictures beside it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence

from scaling_core.viz.slide import MOST_NUMBERS, Slide, picture, png_size, spoken_notes
from scaling_core.viz.theme import Theme

WIDE, LESS, MORE = 1168, 420, 510
"""Pixels of a slide of 1280 by 720 for a picture: the width, the height above numbers, and without them."""
ASPECT = 2.5
"""Width over height of that place."""


def marp(slides: Sequence[Slide], theme: Theme) -> bytes:
    """The slides as a zip of `slides.md` and its pictures."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        pages = []
        for number, slide in enumerate(slides, 1):
            image = ""
            if slide.figure is not None:
                path, png = f"pictures/{number:02d}.png", picture(slide.figure, ASPECT)
                archive.writestr(path, png, zipfile.ZIP_STORED)
                image = f"![w:{_width(png, slide)}]({path})"
            pages.append(_page(slide, image))
        archive.writestr("slides.md", _front(theme) + "\n---\n\n".join(pages))
    return target.getvalue()


def _front(theme: Theme) -> str:
    """Marp's settings and the colours of the theme."""
    return f"""---
marp: true
size: 16:9
paginate: true
style: |
  section {{ background: {theme.background}; color: {theme.ink}; padding: 36px 56px; justify-content: start; }}
  section {{ font-family: "Helvetica Neue", Arial, "PingFang SC", "Noto Sans CJK SC", sans-serif; font-size: 24px; }}
  h1 {{ color: {theme.ink}; font-size: 38px; margin: 0 0 8px; }}
  p {{ margin: 0 0 8px; }}
  a {{ color: {theme.accent}; }}
  img {{ display: block; margin: 0 auto; background: transparent; }}
  table {{ font-size: 22px; margin: 4px 0 0; width: 100%; }}
  table, tr, th, td {{ background: transparent !important; border: 0; color: {theme.ink}; text-align: left; }}
  th {{ color: {theme.muted}; font-weight: 400; font-size: 17px; padding-bottom: 0; }}
  td {{ font-weight: 700; padding-top: 0; }}
  footer, section::after {{ color: {theme.muted}; font-size: 14px; }}
---

"""


def _width(png: bytes, slide: Slide) -> int:
    """Pixels of width at which the picture leaves room for the words."""
    width, height = png_size(png)
    return min(WIDE, round((LESS if slide.numbers else MORE) * width / height))


def _page(slide: Slide, image: str) -> str:
    parts = [f"# {escaped(slide.title)}"]
    if slide.source:
        parts.append(f"<!-- _footer: {_quoted(escaped(slide.source))} -->")
    if slide.sentence:
        parts.append(escaped(slide.sentence))
    numbers = slide.numbers[:MOST_NUMBERS]
    if image:
        parts.append(image)
    for first in range(0, len(numbers), 6):
        row = numbers[first : first + 6]
        lines = ([label for label, _ in row], ["---"] * len(row), [value for _, value in row])
        told = [[cell if cell == "---" else escaped(cell) for cell in line] for line in lines]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in told))
    if told_notes := [_commented(line) for line in spoken_notes(slide)]:
        parts.append("<!--\n" + "\n\n".join(told_notes) + "\n-->")
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """The text as it is, on one line, where Markdown would read its signs."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$&:@])", r"\\\1", line)


def _quoted(text: str) -> str:
    """A text as YAML takes it, whatever its signs."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _commented(text: str) -> str:
    """A line that neither ends the comment it stands in nor is taken for one of Marp's settings."""
    safe = text.replace("-->", "-- >").replace("--!>", "-- !>")
    return re.sub(r"^(\s*[$_\w-]+)\s*:(?!//)", "\\1\u2060:", safe)
