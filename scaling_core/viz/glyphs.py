"""Whether a text can be set: each sign as itself, and not as the box that stands for one that no font has."""

from __future__ import annotations

import html

from scaling_core.viz.export import svg_to_png
from scaling_core.viz.theme import CHINESE_FONT

HAN = "损失律"
"""Signs that a Chinese figure cannot do without."""
NOBODYS = "\U0010fffd"
"""The last private sign, which no font has."""


def drawn(signs: str = HAN, *, family: str = CHINESE_FONT) -> bool:
    """Whether the converter of figures draws each of these signs as itself: none blank, none a box, no two alike."""
    pictures = {_picture(sign, family) for sign in signs}
    return len(pictures) == len(set(signs)) and not pictures & {_picture(sign, family) for sign in (" ", NOBODYS)}


def _picture(sign: str, family: str) -> bytes:
    """One sign on white, as PNG."""
    return svg_to_png(
        '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48"><text x="4" y="38" font-size="36" '
        f'font-family="{html.escape(family)}">{html.escape(sign)}</text></svg>',
        scale=1.0,
    )
