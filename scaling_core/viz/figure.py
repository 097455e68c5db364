"""A chart in two halves: a template that Altair makes once, and the data and domains of one picture.

Altair's objects check and copy themselves at every step, which costs tenths of a second for a chart of many layers.
So a chart function here has two parts. The template is an Altair chart over named data sets; where a number belongs
to one picture only (the ends of an axis, its ticks) it holds a placeholder, `alt.ExprRef(expr=name)`. It is made once
for each theme and kept. A `Figure` binds it to data frames and to values for the placeholders, in well under a
millisecond, and the page sends nothing but these to the browser.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import pandas as pd

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

    def with_data(self) -> Spec:
        """`spec` with the data frames themselves under "datasets", as Streamlit takes it."""
        return {**self.spec(), "datasets": dict(self.data)}

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

    The result is its Vega-Lite, made on the first call for these arguments and kept from then on.
    """
    made: dict[tuple[Any, ...], Spec] = {}

    @wraps(build)
    def cached(theme: Theme, *options: Any) -> Spec:
        key = (theme, *options)
        if key not in made:
            with _LOCK:
                if key not in made:
                    made[key] = build(theme, *options).to_dict(validate=False)
        return made[key]

    return cached


def side_by_side(rows: Sequence[Sequence[tuple[Figure, str]]], *, width: int, height: int) -> Figure:
    """Figures in rows as one picture, each (figure, title) with a plot of width x height pixels.

    The configuration is the first one's. Data sets keep apart by a number before their names.
    """
    data: dict[str, pd.DataFrame] = {}
    config: Spec = {}
    schema = ""
    lines = []
    for line in rows:
        cells = []
        for figure, title in line:
            mark = f"f{len(data)}_"
            spec = _rename(figure.spec(), {name: mark + name for name in figure.data})
            data |= {mark + name: frame for name, frame in figure.data.items()}
            config, schema = spec.pop("config", config), spec.pop("$schema", schema)
            cells.append({**spec, "width": width, "height": height, "title": title})
        lines.append({"hconcat": cells})
    return Figure(template={"$schema": schema, "config": config, "vconcat": lines}, data=data, values={})


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
