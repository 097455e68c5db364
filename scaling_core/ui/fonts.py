"""Whether this machine can set what an exported picture says, and the sentence where it cannot."""

from __future__ import annotations

from functools import cache

from scaling_core.language import current, t
from scaling_core.ui.page import note
from scaling_core.viz.glyphs import drawn


def fonts_note() -> None:
    """Say that pictures will have boxes for Chinese, to a reader of Chinese on a machine without a Chinese font."""
    if current() == "zh" and not _han():
        note(
            t("Exported figures show boxes for Chinese: install a Chinese font and start the app again."),
            kind="warning",
        )


@cache
def _han() -> bool:
    """Asked once: the converter of pictures reads the fonts of the machine when it starts."""
    return drawn()
