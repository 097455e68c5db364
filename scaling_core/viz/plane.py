"""What the browser needs to draw the plane of N and D again while constants are dragged; `rows.js` has the twin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaling_core.catalog import Preset
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.viz.figure import Figure
from scaling_core.viz.labels import text_width
from scaling_core.viz.models import D_DOMAIN, N_DOMAIN, PLOT, WIDTH, Line, frontiers, twenty_line
from scaling_core.viz.theme import Theme


def plane_args(figure: Figure, presets: Sequence[Preset], law: Law, theme: Theme) -> dict[str, Any]:
    """What `rows.js` holds fixed of a figure of `nd_plane`.

    While the constants are those of `law` the picture is that of Python; with others no published law is drawn strong,
    and the line of the moment is named as one's own.
    """
    *others, own = frontiers(presets, None, own=law, own_name=t("my constants"))
    return {
        **{name: figure.data[name].to_dict("records") for name in ("budgets", "budget_names", "marks")},
        "rest": law.constants,
        "kept": {name: figure.data[name].to_dict("records") for name in ("lines", "line_names")},
        "others": [_line(line, theme) for line in others],
        "own": _line(own, theme),
        "twenty": {**_line(twenty_line(), theme), "kind": "twenty"},
        "x_domain": list(N_DOMAIN),
        "y_domain": list(D_DOMAIN),
        "plot": [WIDTH, PLOT],
    }


def _line(line: Line, theme: Theme) -> dict[str, Any]:
    """A line by its two ends, and half the pixels that its name takes."""
    return {
        "name": line.name,
        "N": [float(line.N[0]), float(line.N[-1])],
        "D": [float(line.D[0]), float(line.D[-1])],
        "kind": "published" if line.published else "law",
        "colour": line.colour(theme),
        "half": text_width(line.name, theme.label_size / theme.larger) / 2,
    }
