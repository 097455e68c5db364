"""Charts, and words that follow the hand: what the browser needs to draw them, and again without asking Python.

Python makes every picture as `scaling_core.viz.laws` does, for export and for a reader who touches nothing. Beside it
the browser gets the law as an expression and the same template, and makes the same rows of data for constants that are
still being dragged: `rows.js` is the twin of the chart functions, `law.js` of laws, optimum and units. Tests hold the
twins together. What was fixed for a picture (its axes, the places of its names) stays fixed until Python draws again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert

from scaling_core.language import raw
from scaling_core.laws import Law
from scaling_core.optimum.browser import browser_law
from scaling_core.viz.figure import Figure, axes_of
from scaling_core.viz.isoflop import Ghost, Mark
from scaling_core.viz.kept import kept
from scaling_core.viz.late import pd

_HERE = Path(__file__).resolve().parent
VEGA = "export default vegaEmbed;"


@cache
def script(*parts: str) -> str:
    """The named files of this folder as one JavaScript module."""
    return "\n".join((_HERE / f"{part}.js").read_text("utf-8") for part in parts)


@cache
def style(name: str) -> str:
    """A style sheet of this folder."""
    return (_HERE / f"{name}.css").read_text("utf-8")


@cache
def vega_bundle() -> bytes:
    """Vega and Vega-Lite as one JavaScript module that needs no network, some 0.9 MB; made once, in about a second."""
    return kept(f"vega {VEGA}", lambda: str(vl_convert.javascript_bundle(snippet=VEGA))).encode()


def law_data(law: Law) -> dict[str, object]:
    """What a component needs to evaluate the law: its expressions, without its constants."""
    return browser_law(law)


def ghost_data(ghosts: Sequence[Ghost]) -> list[dict[str, object]]:
    """The pinned laws with their constants, for the components."""
    return [{"name": g.name, "law": browser_law(g.law), "constants": g.law.constants} for g in ghosts]


def chart_data(figure: Figure, law: Law, *, kind: str, args: Mapping[str, Any]) -> dict[str, object]:
    """What the chart component draws: the figure's template with its axes, as text, and what `rows.js` is given.

    kind: "isoflop", "slice" or "terms", which names the function of `rows.js`. args: what it holds fixed.
    """
    return {"spec": _spec_text(figure), "law": law_data(law), "kind": kind, "args": dict(args)}


def still_data(figure: Figure) -> dict[str, str]:
    """The same of a chart that follows nothing: beside its template its rows, as JSON by data set and column.

    What is no finite number becomes null. Raises TypeError for a value that JSON has no form for.
    """
    rows = {name: {str(column): _plain(frame[column]) for column in frame} for name, frame in figure.data.items()}
    return {"spec": _spec_text(figure), "rows": json.dumps(rows, ensure_ascii=False, allow_nan=False)}


def _plain(column: pd.Series[Any]) -> list[object]:
    return [None if isinstance(one, float) and not math.isfinite(one) else one for one in column.tolist()]


def _spec_text(figure: Figure) -> str:
    """Its Vega-Lite over named data, as wide and as high as where it stands."""
    return json.dumps({**figure.spec(), "width": "container", "height": "container"}, ensure_ascii=False)


def isoflop_args(figure: Figure, marks: Sequence[Mark], ghosts: Sequence[Ghost]) -> dict[str, Any]:
    """What `rows.js` holds fixed of an isoFLOP figure: axes, places of the marks' names, ghosts and the band."""
    places = figure.data["marks"].to_dict("records")
    held = [
        {"D": mark.D, "strong": mark.strong, **{k: place[k] for k in ("N", "name", "dx", "dy", "align")}}
        for mark, place in zip(marks, places, strict=True)
    ]
    band = {name: figure.data[name].to_dict("records") for name in ("band", "band_name")}
    return {**axes_of(figure), "marks": held, "ghosts": ghost_data(ghosts), "C": figure.values["C"], **band}


def slice_args(figure: Figure, variable: str) -> dict[str, Any]:
    """The same of a slice along N or D, with its words."""
    if variable == "N":
        words = {"with": raw("with {n} tokens"), "unlimited": raw("unlimited tokens")}
    else:
        words = {"with": raw("with {n} parameters"), "unlimited": raw("unlimited parameters")}
    words["floor"] = raw("no model goes below {loss}")
    return {**axes_of(figure), "variable": variable, "words": words}


def terms_args(figure: Figure) -> dict[str, Any]:
    """The same of the bars of the terms: the names of the two rows."""
    return {"rows": list(figure.values["rows"])}
