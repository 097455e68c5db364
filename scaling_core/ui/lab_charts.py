"""Charts of the lab on the page: a kept specification and the rows of this moment."""

from __future__ import annotations

from typing import Any

from scaling_core.ui.charts import draw
from scaling_core.ui.export import offer
from scaling_core.viz.figure import Figure
from scaling_core.viz.late import pd
from scaling_core.viz.live import still_data

HEIGHT = 273
"""Pixels on a small window, in which the whole picture stays above the fold."""


def show_spec(spec: dict[str, Any], tables: dict[str, pd.DataFrame], *, key: str, alt: str, title: str = "") -> None:
    """Draw a specification of `viz.lab` with its named tables; between polls only their rows are sent.

    alt: what it shows, in words. title: of its slide.
    """
    figure = Figure(template={**spec, "width": "container", "height": HEIGHT}, data=tables, values={})
    draw(figure, {**still_data(figure), "alt": alt}, "bus", key=key, grows=True)
    offer(figure, key, key, title=title, sentence=alt, grows=True, half=True)
