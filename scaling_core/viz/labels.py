"""Names beside points and lines that do not run into each other: where each label goes, and how it is drawn."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scaling_core.viz.axes import Domain
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import Theme

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels, y downwards."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A label's place relative to its point: pixels right and down, and the side of the text that is anchored."""

    dx: float
    dy: float
    align: str


_FAR = 8
"""From this candidate on a label stands so far off that it may be taken for another point's."""


def _candidates(radius: float, size: float) -> tuple[tuple[float, float, str], ...]:
    """Places around a point, best first: beside it, then above and below, then further out. size: of the type."""
    near, far = radius + 5, radius + 20
    above, high = radius + 3 + 0.6 * size, radius + 18 + 0.6 * size
    return (
        (near, 0, "left"),
        (-near, 0, "right"),
        (0, -above, "center"),
        (0, above, "center"),
        (near, -near, "left"),
        (near, near, "left"),
        (-near, -near, "right"),
        (-near, near, "right"),
        (0, -high, "center"),
        (0, high, "center"),
        (far, -far, "left"),
        (far, far, "left"),
        (-far, -far, "right"),
        (-far, far, "right"),
    )


def text_width(text: str, size: float) -> float:
    """Pixels that a text takes at a font size, on the generous side: 0.54 em a character, 1 em a full-width one."""
    full = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return 0.54 * size * len(text) + 0.46 * size * full


def overlap(one: Box, two: Box) -> float:
    """The area in which two boxes overlap, square pixels."""
    wide = min(one[2], two[2]) - max(one[0], two[0])
    high = min(one[3], two[3]) - max(one[1], two[1])
    return max(0.0, wide) * max(0.0, high)


def _distance_to_segment(x: float, y: float, segment: tuple[float, float, float, float]) -> float:
    x0, y0, x1, y1 = segment
    length = (x1 - x0) ** 2 + (y1 - y0) ** 2
    t = 0.0 if length == 0 else max(0.0, min(1.0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length))
    return math.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0))


def _crosses(box: Box, segment: tuple[float, float, float, float]) -> bool:
    """Whether a line runs through the text, tested at five places along its middle."""
    height = (box[3] - box[1]) / 2
    middle = (box[1] + box[3]) / 2
    return any(
        _distance_to_segment(box[0] + share * (box[2] - box[0]), middle, segment) < 0.8 * height
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    )


def place(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    *,
    width: float,
    height: float,
    size: float,
    radius: float = 7.0,
    obstacles: Sequence[Box] = (),
    segments: Sequence[tuple[float, float, float, float]] = (),
) -> list[Placed]:
    """A place for each text near its point so that it covers no point, no other text, and few lines.

    points: pixels in a plot of width x height, y downwards. size: font size. obstacles: boxes already taken.
    segments: lines (x0, y0, x1, y1) that a label should avoid. Points are treated in order, so the first named get
    the best places; of several equal places the first candidate wins. A plot wider than `width` only spreads the
    points further, so that what does not collide here does not collide there.
    """
    return list(
        _placed(
            tuple(points), tuple(texts), width, height, size, radius, tuple(obstacles), tuple(segments)
        )
    )  # fmt: skip


@lru_cache(maxsize=128)
def _placed(
    points: tuple[tuple[float, float], ...],
    texts: tuple[str, ...],
    width: float,
    height: float,
    size: float,
    radius: float,
    obstacles: tuple[Box, ...],
    segments: tuple[tuple[float, float, float, float], ...],
) -> tuple[Placed, ...]:
    """The same, kept: a page that is left and come back to asks for the same places again."""
    dots: list[Box] = [(x - radius, y - radius, x + radius, y + radius) for x, y in points]
    taken: list[Box] = list(obstacles)
    result = []
    for index, ((x, y), text) in enumerate(zip(points, texts, strict=True)):
        best: tuple[float, Placed, Box] | None = None
        wide, high = text_width(text, size), 1.15 * size
        reach = wide + 4 * radius + 30
        near = [
            line
            for line in segments
            if min(line[0], line[2]) - reach < x < max(line[0], line[2]) + reach
            and min(line[1], line[3]) - 60 < y < max(line[1], line[3]) + 60
        ]
        tall = radius + 18 + 1.2 * size + high
        around = (x - reach, y - tall, x + reach, y + tall)
        others = [other for other in taken if overlap(around, other)]
        others += [dot for other, dot in enumerate(dots) if other != index and overlap(around, dot)]
        for rank, (dx, dy, align) in enumerate(_candidates(radius, size)):
            left = x + dx - {"left": 0.0, "right": wide, "center": wide / 2}[align]
            box = (left, y + dy - high / 2, left + wide, y + dy + high / 2)
            cost = 0.3 * rank + (20.0 if rank >= _FAR else 0.0)
            cost += 4.0 * sum(overlap(box, other) for other in others)
            cost += 3.0 * sum(_crosses(box, line) for line in near)
            outside = max(0.0, -box[0]) + max(0.0, box[2] - width) + max(0.0, -box[1]) + max(0.0, box[3] - height)
            cost += 40.0 * outside
            if best is None or cost < best[0]:
                best = (cost, Placed(dx=dx, dy=dy, align=align), box)
        assert best is not None
        taken.append(best[2])
        result.append(best[1])
    return tuple(result)


def spread(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """One-dimensional positions moved as little as needed to be `gap` apart and within [low, high], order kept."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    moved = [min(max(positions[i], low), high) for i in order]
    for k in range(1, len(moved)):
        moved[k] = max(moved[k], moved[k - 1] + gap)
    if moved and moved[-1] > high:
        moved[-1] = high
        for k in range(len(moved) - 2, -1, -1):
            moved[k] = min(moved[k], moved[k + 1] - gap)
    result = [0.0] * len(positions)
    for k, i in enumerate(order):
        result[i] = moved[k]
    return result


def to_pixels(
    x: float, y: float, x_domain: Domain, y_domain: Domain, width: float, height: float, *, log_y: bool = True
) -> tuple[float, float]:
    """Where a point lies in a plot of width x height pixels, x logarithmic, y logarithmic or linear, y downwards."""
    along = math.log(x / x_domain[0]) / math.log(x_domain[1] / x_domain[0])
    if log_y:
        up = math.log(y / y_domain[0]) / math.log(y_domain[1] / y_domain[0])
    else:
        up = (y - y_domain[0]) / (y_domain[1] - y_domain[0])
    return width * along, height * (1.0 - up)


def named_points(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    *,
    width: float,
    height: float,
    size: float,
    **more: Any,
) -> pd.DataFrame:
    """A frame of `columns` with each point's name and its place: name, dx, dy, align. `more` goes to `place`."""
    places = place(points, names, width=width, height=height, size=size, **more)
    return pd.DataFrame(
        {
            **columns,
            "name": list(names),
            "dx": [p.dx for p in places],
            "dy": [p.dy for p in places],
            "align": [p.align for p in places],
        }
    )


def halo_text(chart: alt.Chart, theme: Theme, *, size: float | None = None, **mark: Any) -> tuple[alt.Chart, alt.Chart]:
    """Text twice: its outline in the background's colour, then itself, so that it reads above lines and fills."""
    options: dict[str, Any] = {"fontSize": size or theme.mark_size, "fontWeight": 600, **mark}
    options |= {way: enlarged_by(theme, options[way]) for way in ("dx", "dy") if way in options}
    halo = {**options, "stroke": theme.background, "strokeWidth": 4, "strokeJoin": "round", "color": theme.background}
    return chart.mark_text(**halo).encode(color=alt.value(theme.background)), chart.mark_text(**options)


def enlarged_by(theme: Theme, offset: Any) -> Any:
    """An offset in laid-out pixels, a number or `datum(...)`, as large as type and marks are in this theme."""
    if theme.larger == 1.0:
        return offset
    if isinstance(offset, int | float):
        return theme.larger * offset
    return alt.ExprRef(expr=f"{theme.larger:g} * {offset.expr}")


def datum(field: str) -> Any:
    """A mark property read from the data: `dx=datum("dx")`."""
    return alt.ExprRef(expr=f"datum.{field}")
