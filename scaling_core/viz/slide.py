"""One slide of a deck: its words, its figure, its numbers, whatever file it goes into."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from scaling_core.viz.export import HAN, sized, to_png
from scaling_core.viz.figure import Figure

NARROW, USUAL, WIDEST = 770, 890, 1160
"""Pixels of width of a picture that takes what it is given: on a slide its text is then some 12 to 14 points high."""
MOST_NUMBERS = 12
"""Numbers on one slide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slide:
    """One slide: what is said, what is shown, and what the speaker reads.

    sentence: under the title. notes: for the speaker. numbers: (label, value), set as text that can be edited.
    link: the address of the scene, or "". source: for the foot of the slide, or "".
    """

    title: str
    sentence: str = ""
    notes: str = ""
    figure: Figure | None = None
    numbers: tuple[tuple[str, str], ...] = ()
    link: str = ""
    source: str = ""


def picture(figure: Figure, aspect: float) -> bytes:
    """The figure as PNG for a place of this width over height, which it fills as far as its own height lets it."""
    height = figure.spec().get("height")
    if isinstance(height, (int, float)) and height >= 250:
        tall = min(max(float(height), USUAL / aspect), 1.4 * height)
        return to_png(sized(figure, round(min(max(NARROW, tall * aspect), WIDEST)), round(tall)), padding=8)
    return to_png(sized(figure, USUAL), padding=8)


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels, from its header."""
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def spoken_notes(slide: Slide) -> list[str]:
    """What the speaker reads, a paragraph each: the sentence, the notes, the link."""
    return [text for text in (slide.sentence, *slide.notes.split("\n"), slide.source, slide.link) if text.strip()]


def units(text: str) -> int:
    """Width of a text in Latin letters: a Chinese character takes two."""
    return sum(2 if HAN.match(sign) else 1 for sign in text)
