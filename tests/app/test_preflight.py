"""The page "Pre-flight": green when all is well, and otherwise what is left, in both languages."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from scaling_core import examination, preflight
from scaling_core.doctor import DEVICE_CHECKS
from scaling_core.runs import calibrations
from scaling_core.viz import warm
from tests.lab_helpers import calibration
from tests.page_helpers import components, words

PAGE = Path(__file__).resolve().parents[2] / "pages" / "preflight.py"
WELL: dict[str, Any] = {
    "han": True, "host": "127.0.0.1", "strangers": [], "online": True, "width": 1280, "height": 720, "ratio": 2,
    "frame_ms": 16.7, "redraw_ms": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _warm_and_new(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty lab whose figures are warm already, with room and power, and nothing kept from another test."""
    st.cache_resource.clear()
    monkeypatch.setattr(warm, "_state", "warm")
    monkeypatch.setattr(preflight, "free_bytes", lambda home: 10**11)
    monkeypatch.setattr(preflight, "power", lambda: None)
    monkeypatch.setattr(preflight, "SLOWEST_FIGURE", 60.0)
    monkeypatch.setattr(preflight, "MEMORY_BYTES", 0)
    yield
    st.cache_resource.clear()


def opened(language: str = "en") -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=60)
    app.session_state["language"] = language
    return app.run()


def told(app: AppTest, **changes: object) -> AppTest:
    """The page once the browser has answered what it was asked in this turn."""
    turn = next(data["turn"] for data in components(app) if "signs" in data)
    app.session_state["preflight~browser"] = {"seen": {**WELL, "turn": turn, **changes}}
    return app.run()


def test_it_is_green_when_all_is_well(lab_home: Path) -> None:
    calibrations.save_calibration(lab_home, "auto", calibration())
    app = opened()
    assert not app.exception
    assert "One moment: Chinese on the page, No network needed, Window and zoom and Speed of the browser." in words(app)
    app = told(app)
    said = words(app)
    assert "Ready." in said
    assert "passed the self-test" in said
    assert "19 runs of 2026-11-25, ready to be replayed." in said
    assert "1280 × 720" in said


def test_what_is_left_stands_in_large() -> None:
    said = words(told(opened(), strangers=["fonts.example.org"]))
    assert "Not ready: No network needed." in said
    assert "fonts.example.org" in said
    said = words(told(opened()))
    assert "One thing is left: Training device." in said


def test_checking_again_asks_the_browser_and_the_machine_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = told(opened(), width=900)
    assert "too narrow" in words(app)
    monkeypatch.setattr(preflight, "free_bytes", lambda home: 10)
    app.run()
    assert "Only 10 B are free" not in words(app), "asked once a turn"
    app.button(key="preflight.again").click().run()
    assert "too narrow" not in words(app)
    assert "The browser has not answered yet." in words(app)
    assert "Not ready: Disk." in words(told(app))


@pytest.mark.parametrize("answer", [None, "x", {}, {"seen": 7}, {"seen": {"turn": "old"}}, {"seen": {**WELL}}])
def test_another_answer_than_a_browsers_is_no_answer(answer: object) -> None:
    app = opened()
    app.session_state["preflight~browser"] = answer
    app.run()
    assert not app.exception
    assert "The browser has not answered yet." in words(app)


def test_the_device_is_examined_while_the_page_looks_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    lines = [
        json.dumps({"name": name, "ok": name != "freed", "detail": f"<{name}>", "seconds": 1}) for name in DEVICE_CHECKS
    ]
    code = (
        "import os, time\n"
        f"print({lines[0]!r}, flush=True)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.02)\n"
        f"print({chr(10).join(lines[1:])!r}, flush=True)\n"
    )
    monkeypatch.setattr(examination, "COMMAND", (sys.executable, "-c", code))
    app = told(opened())
    app.button(key="preflight.examine").click().run()
    until = time.monotonic() + 30
    while "1 of 6 questions answered" not in words(app):
        assert time.monotonic() < until
        time.sleep(0.05)
        app.run()
    assert app.button(key="preflight.examine").disabled
    assert "One moment: Training device." in words(app)
    go.touch()
    while "Being examined" in words(app):
        assert time.monotonic() < until
        time.sleep(0.05)
        app.run()
    said = words(app)
    assert "Not ready: Training device." in said
    assert "Memory comes back: <freed>" in said, "escaped, and shown as it is"
    assert "Replay the recorded ladder" in said
    assert not app.button(key="preflight.examine").disabled


def test_the_page_speaks_chinese_and_keeps_its_answers() -> None:
    app = told(opened("zh"))
    assert not app.exception
    app.session_state["language"] = "en"
    app.run()
    assert "One thing is left: Training device." in words(app)


def test_a_check_that_breaks_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("no such sensor")

    monkeypatch.setattr(preflight, "power", broken)
    app = told(opened())
    assert not app.exception
    assert "Not ready: Power." in words(app)
    assert "no such sensor" in words(app)
