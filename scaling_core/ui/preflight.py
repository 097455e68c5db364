"""The page "Pre-flight": one verdict in large, every check in a sentence, and the examination of the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from scaling_core.catalog import preset
from scaling_core.checks import Check
from scaling_core.doctor import DEVICE_CHECKS
from scaling_core.examination import Examination, Examiner
from scaling_core.language import t, together
from scaling_core.preflight import (
    device_check,
    figure_checks,
    machine_checks,
    question,
    training_now,
    verdict,
)
from scaling_core.preflight_browser import browser_checks, read_browser
from scaling_core.runs import place
from scaling_core.runs.calibrations import calibration
from scaling_core.ui.check_list import check_list, check_styles
from scaling_core.ui.page import answer, note, section, visit
from scaling_core.ui.watch import watch
from scaling_core.viz.export import to_svg
from scaling_core.viz.glyphs import HAN, NOBODYS, drawn
from scaling_core.viz.laws import slice_chart
from scaling_core.viz.live import script
from scaling_core.viz.theme import Theme, light
from scaling_core.viz.warm import warm_up

LOOK = "preflight~browser"
_TURN, _FOUND = "preflight.turn", "preflight.found"
POLL_SECONDS = 1.0
FIRST = ("page-font", "figure-font", "offline", "figures", "window", "frames")
"""What the audience sees; the rest is about what trains and what lies on the disk."""


def preflight_page(theme: Theme) -> None:
    """The whole page. What is slow is asked once a visit and whenever a person asks again."""
    st.html(_styles(theme))
    warm_up()
    checks = _checks()
    watching = _unsettled(checks)

    def body() -> None:
        now = _checks()
        _body(now)
        if _unsettled(now) != watching:
            st.rerun()

    watch(body, every=POLL_SECONDS if watching else None)


def _unsettled(checks: Sequence[Check]) -> bool:
    """Whether something is on its way that the page must look for; the browser comes by itself."""
    return any(check.status == "waiting" for check in checks if check.id in ("figure-font", "figures", "device"))


def _body(checks: Sequence[Check]) -> None:
    status, opening, detail = verdict(checks)
    seen = _examiner().now(place.home())
    words, buttons = st.columns([7, 4], vertical_alignment="bottom")
    with words, st.container(key=f"preflight-{status}"):
        answer(t("Pre-flight"), opening, detail)
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        if st.button(t("Check again"), key="preflight.again", type="primary"):
            _again()
            st.rerun()
        busy = seen is not None and seen.running
        if st.button(
            t("Examine the device"), key="preflight.examine", disabled=busy,
            help=t("Six questions to the device that trains, the self-test among them, in a process of their own."),
        ):  # fmt: skip
            _examiner().begin(place.home())
            st.rerun()
    left, right = st.columns(2, gap="large")
    left.html(check_list([check for check in checks if check.id in FIRST]))
    right.html(check_list([check for check in checks if check.id not in FIRST]))
    _component()(key=LOOK, data={"turn": _turn(), "signs": HAN, "nobodys": NOBODYS}, on_seen_change=_nothing)
    if seen is not None:
        _examination(seen)


def _checks() -> list[Check]:
    """Every check in the order of the page."""
    home = place.home()
    told = st.session_state.get(LOOK)
    raw = told.get("seen") if isinstance(told, Mapping) else None
    current = isinstance(raw, Mapping) and raw.get("turn") == _turn()
    found = {check.id: check for check in browser_checks(read_browser(raw) if current else None)}
    found |= {
        check.id: check for check in (*_once("figures", _figures), *_once("machine", lambda: machine_checks(home)))
    }
    device = device_check(
        _examiner().now(home), calibration(home, "auto"), _once("training", lambda: [training_now(home)])[0]
    )
    ordered = [found.pop(id) for id in FIRST]
    return [*ordered, device, *found.values()]


def _figures() -> list[Check]:
    return figure_checks(drawn, lambda: to_svg(slice_chart(preset("hoffmann2022").joint, "N", 70e9, 1.4e12, light())))


def _once(name: str, ask: Callable[[], list[Any]]) -> list[Any]:
    """What was found in this turn; asked now where it was not, or where it was still on its way."""
    kept = st.session_state.setdefault(_FOUND, {})
    turn, found = kept.get(name, (None, []))
    waits = any(isinstance(check, Check) and check.status == "waiting" for check in found)
    if turn != _turn() or waits:
        found = ask()
        kept[name] = (_turn(), found)
    return list(found)


def _turn() -> str:
    """Changes with every visit and whenever a person asks again."""
    return f"{visit()}.{st.session_state.get(_TURN, 0)}"


def _again() -> None:
    st.session_state[_TURN] = int(time.time() * 1e3)


@st.cache_resource(show_spinner=False)
def _examiner() -> Examiner:
    """One for the server, shared by all viewers."""
    return Examiner()


@st.cache_resource(show_spinner=False)
def _component() -> Callable[..., Any]:
    made: Callable[..., Any] = st.components.v2.component(
        "scaling-lab-preflight", html="<i></i>\n", js=script("preflight")
    )
    return made


def _nothing() -> None:
    """Streamlit runs the page when the browser has told; there is nothing more to do."""


def _examination(seen: Examination) -> None:
    """The six questions to the device with their answers so far."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(seen.made_at))
    section(t("The device examined"), t("Begun on {when}.", when=when))
    known = {check.name: check for check in seen.checks}
    rows = []
    for name in DEVICE_CHECKS:
        check = known.get(name)
        if check is None:
            rows.append(Check(id=name, what=question(name), status="waiting", seen=t("Not asked yet.")))
        else:
            told = t("{answer} ({seconds:.1f} s)", answer=check.detail, seconds=check.seconds)
            rows.append(Check(id=name, what=question(name), status="ok" if check.ok else "failed", seen=told))
    if seen.running:
        st.progress(len(seen.checks) / len(DEVICE_CHECKS))
    st.html(check_list(rows))
    if seen.unkept:
        note(together(t("What was found could not be kept."), seen.unkept), kind="warning")


def _styles(theme: Theme) -> str:
    """The list's own, and the verdict in large in its colour."""
    green, orange = theme.categorical[2], theme.accent_2
    return f"""<style>{check_styles(theme)}
[class*="st-key-preflight-"] h1.sl-sentence {{ font-size: clamp(2.2rem, 3.6vw, 3.6rem); }}
.st-key-preflight-ok h1.sl-sentence {{ color: {green}; }}
.st-key-preflight-failed h1.sl-sentence, .st-key-preflight-warning h1.sl-sentence {{ color: {orange}; }}
</style>"""
