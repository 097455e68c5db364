"""The replay of a ladder on the page "Run on my Mac": what is said and shown at each moment, and how it is steered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import scaling_core.ui.language  # noqa: F401  # a viewer's language is followed from here on
from scaling_core.runs import results
from scaling_core.runs.recording import EXAMPLE, read_recording
from scaling_core.runs.store import Store
from scaling_core.ui import lab_data, lab_player
from tests.lab_helpers import finish_runs, register, small_plan
from tests.page_helpers import sent_rows, still_charts, words

PAGE = Path(__file__).resolve().parents[2] / "pages" / "lab.py"


@pytest.fixture(autouse=True)
def _nothing_kept(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty lab, nothing that the server keeps between scripts, and laws without bands, which take seconds each."""
    st.cache_resource.clear()
    monkeypatch.setattr(lab_data, "LIVE_BOOTSTRAP", 0)
    monkeypatch.setattr(results, "BOOTSTRAP", 0)
    yield
    st.cache_resource.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock by which a replay plays, moved by hand."""
    made = SimpleNamespace(now=100.0)
    monkeypatch.setattr(lab_player, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def opened(sweep: str = "example", speed: str = "end", language: str = "en") -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=60)
    app.session_state["language"] = language
    app.query_params["sweep"] = sweep
    app.query_params["replay"] = speed
    return app.run()


def measured(app: AppTest) -> int:
    """The points in the picture of the law."""
    return len(frame(app, "points"))


def frame(app: AppTest, name: str) -> list[object]:
    table = sent_rows(still_charts(app)[-1])[name]
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def test_it_begins_with_nothing_measured_and_says_what_it_is(clock: SimpleNamespace) -> None:
    app = opened()
    assert not app.exception
    said = words(app)
    assert "Recording of 25 November 2026 on x86_64, 2 cores. Nothing is being trained now." in said
    assert "19 runs, trained in 2 min 51 s: press Start." in said
    assert "0 / 19" in said
    assert measured(app) == 0
    assert not {"Stop", "Resume", "Delete", "Pause"} & {button.label for button in app.button}


def test_the_points_land_as_the_clock_goes_on(clock: SimpleNamespace) -> None:
    app = opened(speed="10")
    app.button(key="lab.replay.start").click().run()
    assert "Pause" in {button.label for button in app.button}
    seen = []
    for _ in range(4):
        clock.now += 4.0
        app.run()
        seen.append((measured(app), len(frame(app, "predictions"))))
        assert "Nothing is being trained now" in words(app)
    assert seen == [(8, 0), (14, 0), (17, 3), (18, 3)]
    app.button(key="lab.replay.pause").click().run()
    clock.now += 100.0
    app.run()
    assert measured(app) == 18
    app.button(key="lab.replay.start").click().run()
    clock.now += 4.0
    app.run()
    assert measured(app) == 19
    assert "off by 1.19%" in words(app)
    assert "Start" in {button.label for button in app.button}, "at its end it rests"


def test_the_next_point_can_be_waited_for(clock: SimpleNamespace) -> None:
    app = opened()
    app.slider(key="lab.replay.position").set_value(0.55).run()
    assert measured(app) == 15
    app.button(key="lab.replay.next").click().run()
    assert (measured(app), frame(app, "predictions")) == (16, [])
    app.button(key="lab.replay.next").click().run()
    assert "Predicted: 1.739. Now the largest size is trained to see." in words(app)
    assert (measured(app), len(frame(app, "predictions"))) == (16, 1)
    app.button(key="lab.replay.restart").click().run()
    assert measured(app) == 0
    assert "Pause" in {button.label for button in app.button}


def test_the_law_is_that_of_what_was_measured(clock: SimpleNamespace) -> None:
    app = opened()
    app.slider(key="lab.replay.position").set_value(0.05).run()
    assert frame(app, "law") == []
    assert "6" in words(app)
    app.slider(key="lab.replay.position").set_value(0.4).run()
    for _ in range(100):
        if frame(app, "law") and "through 12 measured runs" in words(app):
            break
        time.sleep(0.1)
        app.run()
    assert "through 12 measured runs" in words(app)
    assert measured(app) == 12


def test_speed_and_position_stay_and_the_result_is_a_button_away(clock: SimpleNamespace) -> None:
    app = opened()
    app.segmented_control(key="lab.replay.speed").set_value("300").run()
    assert app.query_params["replay"] in ("300", ["300"])
    app.slider(key="lab.replay.position").set_value(0.5).run()
    assert "1:25 of 2:51" in words(app)
    app.button(key="lab.replay.close").click().run()
    assert "replay" not in app.query_params
    assert "off by 1.19%" in words(app)
    app.button(key="lab.replay.open").click().run()
    assert "press Start" in words(app), "from the beginning again"


def test_a_chinese_banner_says_it_too(clock: SimpleNamespace) -> None:
    said = words(opened(language="zh"))
    assert "Nothing is being trained now" not in said
    assert "现在并没有训练" in said


def test_an_own_ladder_is_replayed_and_one_in_training_is_not(clock: SimpleNamespace, lab_home: Path) -> None:
    plan = small_plan()
    register(lab_home, plan)
    finish_runs(lab_home, plan)
    app = opened(plan.spec.id)
    assert "Recording of" not in words(app)
    assert "replay" not in app.query_params
    with Store.open_writer(lab_home) as store:
        store.set_state(plan.spec.id, "stopped")
    app = opened(plan.spec.id)
    assert "Recording of" in words(app)
    app.button(key="lab.replay.close").click().run()
    app.button(key="lab.replay.open").click().run()
    assert not app.exception
    assert "Recording of" in words(app)


@pytest.mark.parametrize("speed", ["", "7", "<b>", "end" * 1000])
def test_a_speed_that_there_is_not_is_the_usual_one(clock: SimpleNamespace, speed: str) -> None:
    app = opened(speed=speed)
    assert not app.exception
    assert app.segmented_control(key="lab.replay.speed").value == "end"


def test_a_damaged_recording_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    raw = json.loads(EXAMPLE.read_text())
    raw["runs"][0]["loss"] = "low"
    bad = tmp_path / "ladder.json"
    bad.write_text(json.dumps(raw))
    monkeypatch.setattr("scaling_core.runs.recording.EXAMPLE", bad)
    app = opened()
    assert not app.exception
    assert "not a recorded ladder" in app.error[0].value
    assert len(read_recording(EXAMPLE).runs) == 19
