"""What takes time the first time, done in the background once the first page stands."""

from __future__ import annotations

import atexit
import importlib
import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any, Literal

from scaling_core.catalog import models
from scaling_core.language import LANGUAGES, speaking
from scaling_core.viz.export import to_svg
from scaling_core.viz.figure import Spec
from scaling_core.viz.late import alt
from scaling_core.viz.theme import dark, light

log = logging.getLogger("scaling_lab.warm")
State = Literal["cold", "warming", "warm", "failed"]
PAUSE = 3.0
"""Seconds before the converter is started, which holds up everything for half a second: the first look comes first."""
LATER = ("scipy.special", "scipy.optimize", "scipy.interpolate", "pptx")
"""Modules that the first page does without, and the first fit or the first deck would otherwise wait for."""
_once, _leaving = threading.Lock(), threading.Event()
_state: State = "cold"


def state() -> State:
    """How far it is: not begun, under way, done, or ended by an error that stands in the log."""
    return _state


def warm_up() -> None:
    """Start the figure converter and make the charts' templates in each theme and language, in a thread; once only."""
    global _state
    with _once:
        if _state != "cold":
            return
        _state = "warming"
    thread = threading.Thread(target=_everything, name="warm-up", daemon=True)
    atexit.register(_end, thread)
    thread.start()


def _end(thread: threading.Thread) -> None:
    """Let the thread come out of the converter before the interpreter goes, which would abort the process."""
    _leaving.set()
    thread.join(timeout=10.0)


def _templates() -> list[tuple[Callable[..., Spec], tuple[Any, ...]]]:
    """What is made, and its options; the modules of other pages are loaded here, so that the first need not wait."""
    from scaling_core.viz import (
        beyond,
        demo,
        fit,
        fit_detail,
        fit_path,
        isoflop,
        laws,
        plan,
        plan_more,
        surface,
        talk,
        uncertainty,
        verdicts,
        wall,
    )
    from scaling_core.viz import models as plane

    return [
        (isoflop._isoflop_template, ()),
        (uncertainty._optimum_template, ()),
        (laws._terms_template, (2,)),
        (surface._surface_template, ()),
        (laws._slice_template, ("N",)),
        (laws._slice_template, ("D",)),
        (plane._plane_template, ()),
        (verdicts._grid_template, (len(models()),)),
        *((demo._panel_template, (variable, log_loss)) for variable, log_loss, _ in demo.PANELS),
        (demo._optimal_template, ()),
        (beyond._lifetime_template, ()),
        (beyond._overtraining_template, ()),
        (wall._wall_template, ()),
        (plan._time_template, ()),
        (plan_more._transfer_template, ()),
        (talk._ratio_template, ()),
        (fit._law_template, ("C",)),
        (fit_detail._residual_template, ("N",)),
        (fit_detail._joint_template, ("α", "β")),
        (fit_path._path_template, ("N",)),
    ]


def _everything() -> None:
    """One template after the other, with pauses in which the page comes first."""
    global _state
    try:
        templates = _templates()
        for language, theme in itertools.product(LANGUAGES, (light(), dark())):
            for make, options in templates:
                with speaking(language):
                    make(theme, *options)
                if _leaving.wait(0.02):
                    return
        if _leaving.wait(PAUSE):
            return
        to_svg(alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q"))
        for name in LATER:
            importlib.import_module(name)
        _state = "warm"
    except Exception:
        _state = "failed"
        log.exception("warming up failed; charts will be made when they are first shown")
