"""A chart in two halves: a template that Altair makes once, and the data and domains of one picture.

Altair's objects check and copy themselves at every step, which costs tenths of a second for a chart of many layers.
So a chart function here has two parts. The template is an Altair chart over named data sets; where a number belongs
to one picture only (the ends of an axis, its ticks) it holds a placeholder, `alt.ExprRef(expr=name)`. It is made once
for each theme and language, and kept. A `Figure` binds it to data frames and to values for the placeholders, in well
under a millisecond, and the page sends nothing but these to the browser.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from scaling_core.language import current
from scaling_core.viz.kept import kept
from scaling_core.viz.late import pd
from scaling_core.viz.theme import AltairChart, Theme

Spec = dict[str, Any]
_LOCK = threading.RLock()


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A picture: a Vega-Lite template, its data frames by name, and the values of its placeholders."""

    template: Spec
    data: Mapping[str, pd.DataFrame]
    values: Mapping[str, Any]

    def spec(self) -> Spec:
        """The Vega-Lite with every placeholder filled and its data still by name; the template is left as it is."""
        filled: Spec = _fill(self.template, self.values)
        return filled

    def height(self) -> float:
        """How high it is by itself, in pixels."""
        return float(_fill(self.template["height"], self.values))

    def to_dict(self, *, validate: bool = False) -> Spec:
        """A complete Vega-Lite specification of plain JSON types. validate: check it against Vega-Lite's schema."""
        rows = {name: frame.to_dict("records") for name, frame in self.data.items()}
        whole = {**self.spec(), "datasets": rows}
        if validate:
            import altair as alt

            alt.LayerChart.from_dict(whole) if "layer" in whole else alt.Chart.from_dict(whole)
        return whole


def _fill(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, dict):
        if len(node) == 1 and node.get("expr") in values:
            return values[node["expr"]]
        return {name: _fill(value, values) for name, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, values) for value in node]
    return node


def template(build: Callable[..., AltairChart]) -> Callable[..., Spec]:
    """Decorate a function of a theme (and hashable options) that returns a themed Altair chart over named data.

    The result is its Vega-Lite, made on the first call for these arguments in a language and kept from then on, over
    the next starts too: it must depend on nothing else.
    """
    made: dict[tuple[Any, ...], Spec] = {}
    name = f"{build.__module__}.{build.__qualname__}"

    @wraps(build)
    def cached(theme: Theme, *options: Any) -> Spec:
        key = (current(), theme, *options)
        if key not in made:
            with _LOCK:
                if key not in made:
                    told = kept(f"{name} {key}", lambda: json.dumps(build(theme, *options).to_dict(validate=False)))
                    made[key] = json.loads(told)
        return made[key]

    return cached


def axes_of(figure: Figure) -> dict[str, Any]:
    """The ends of both axes, {x_domain, y_domain}."""
    return {name: figure.values[name] for name in ("x_domain", "y_domain")}


def side_by_side(
    rows: Sequence[Sequence[tuple[Figure, str]]], *, title: Spec, width: int, height: int, gap: int
) -> Figure:
    """Layered figures in rows as one picture, each (figure, title) with a plot of width x height pixels, `gap` apart.

    title: Vega-Lite title of the whole. The plots stand in line whatever their axes need. The configuration is the
    last one's. Data sets keep apart by a number before their names.
    """
    data: dict[str, pd.DataFrame] = {}
    cells = []
    shared: Spec = {}
    for figure, name in itertools.chain.from_iterable(rows):
        mark = f"f{len(data)}_"
        spec = _rename(figure.spec(), {key: mark + key for key in figure.data})
        data |= {mark + key: frame for key, frame in figure.data.items()}
        shared = {key: spec.pop(key) for key in ("$schema", "config") if key in spec} or shared
        heading = {
            "data": {"values": [{}]},
            "mark": {"type": "text", "align": "left", "fontSize": 18, "fontWeight": 600, "text": name},
            "encoding": {"x": {"value": 0}, "y": {"value": -22}},
        }
        cells.append({**spec, "layer": [*spec["layer"], heading], "width": width, "height": height})
    whole = {
        **shared,
        "title": title,
        "concat": cells,
        "columns": max(len(row) for row in rows),
        "bounds": "flush",
        "spacing": {"row": gap - 30, "column": gap},
    }
    return Figure(template=whole, data=data, values={})


def _rename(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: {"name": names[value["name"]]}
            if key == "data" and isinstance(value, dict) and value.get("name") in names
            else _rename(value, names)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_rename(value, names) for value in node]
    return node
