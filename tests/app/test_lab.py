"""The page "Run on my Mac" in each of its states, over a real store: what it says, offers and refuses."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from scaling_core.errors import DeviceError, SweepError
from scaling_core.lab.corpus import Corpus, load_corpus
from scaling_core.lab.records import Calibration, Plan
from scaling_core.lab.spec import CorpusSpec
from scaling_core.runs import calibrations, place, recording, supervisor
from scaling_core.runs.rows import CurveRow
from scaling_core.runs.store import Store
from scaling_core.runs.supervisor import Started
from scaling_core.ui import lab_plan
from scaling_core.viz.lab_frames import rung_label
from tests.app.exports import kept_files
from tests.lab_helpers import LAW, calibration, finish_runs, prediction, register, small_plan
from tests.page_helpers import still_charts

PAGE = Path(__file__).resolve().parents[2] / "pages" / "lab.py"


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """What the server keeps between scripts belongs to one test."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def _small_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard library is not read anew for every test; a path of one's own still is."""

    def quick(spec: CorpusSpec, cache: Path) -> Corpus:
        if spec.kind == "path":
            return load_corpus(spec, cache)
        text = np.zeros(10, dtype=np.uint8)
        counts: dict[str, Any] = {"n_files": 3, "train_bytes": 20_000_000, "validation_bytes": 1_000_000}
        counts |= {"train_tokens": 20_000_000, "validation_tokens": 1_000_000, "vocab_size": 256}
        counts |= {"bytes_per_token": 1.0, "entropy": None, "tokens": "bytes"}
        return Corpus(train=text, validation=text, hash="ab" * 32, name="made up text", note="", **counts)

    monkeypatch.setattr(lab_plan, "load_corpus", quick)


@pytest.fixture
def measured_home(lab_home: Path) -> Path:
    """A lab on a machine whose speed is known already."""
    for device in ("auto", "cpu"):
        calibrations.save_calibration(lab_home, device, calibration())
    return lab_home


def opened(sweep: str | None = None, *, settle: bool = True) -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=30)
    if sweep is not None:
        app.query_params["sweep"] = sweep
    app.run()
    return settled(app) if settle else app


def settled(app: AppTest) -> AppTest:
    """The page once work in the background is done, as its own polling would show it."""
    for _ in range(100):
        said = text(app).lower()
        if not any(sign in said for sign in ("measuring what this machine", "reading the text", "being fitted")):
            break
        time.sleep(0.1)
        app.run()
    assert not app.exception
    return app


def text(app: AppTest) -> str:
    """All that the page says."""
    parts = [element.value for element in app.markdown]
    parts += [element.proto.body for element in app.get("html")]
    for kind in (app.warning, app.error, app.info):
        parts += [element.value.replace("\\", "") for element in kind]
    return "\n".join(str(part) for part in parts)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def specs(app: AppTest) -> list[str]:
    return [chart["spec"] for chart in still_charts(app)]


def curves(home: Path, plan: Plan, count: int = 30) -> None:
    """A trunk of the smallest size."""
    rows = [
        CurveRow(
            track="r0",
            step=step,
            tokens=1024 * (step + 1),
            flops=1e6,
            train_loss=4.0 - step / 40,
            validation_loss=None,
            learning_rate=1e-3,
            tokens_per_second=123_000.0,
            memory_bytes=4 * 10**8,
            at=time.time(),
        )
        for step in range(count)
    ]
    with Store.open_writer(home) as store:
        store.add_curve(plan.spec.id, rows)


def finished(home: Path, *, seed: int = 0) -> Plan:
    """A whole sweep with a prediction 2% above what was measured."""
    plan = small_plan(seed)
    register(home, plan)
    finish_runs(home, plan)
    with Store.open_writer(home) as store:
        for run in plan.runs:
            if run.held_out:
                store.add_prediction(prediction(plan, run.id))
    finish_runs(home, plan, held_out=True)
    curves(home, plan)
    with Store.open_writer(home) as store:
        store.set_state(plan.spec.id, "finished")
    return plan


class TestBeforeAnything:
    def test_it_explains_itself_and_shows_the_plan_of_this_machine(self, measured_home: Path) -> None:
        app = opened()
        said = text(app)
        for wanted in ("What will happen", "Train a ladder", "Predict, then measure", "The plan for this machine"):
            assert wanted in said
        assert "made up text, 20 MB to learn from" in said
        assert said.count("<tr>") + said.count("<tr class") >= 6
        assert "predicted first" in said
        assert not app.button(key="lab.start").disabled
        assert not app.selectbox(key="lab.device").disabled
        assert len(specs(app)) == 3, "the plan, and the two pictures of the example"
        assert "What it looks like when it is done" in said
        assert "Nothing of it was trained here" in said

    @pytest.mark.parametrize("mode", ["live", "quick", "standard", "full", "smoke"])
    def test_every_mode_has_a_plan(self, measured_home: Path, mode: str) -> None:
        app = opened()
        app.radio(key="lab.mode").set_value(mode).run()
        assert not app.exception
        assert not app.button(key="lab.start").disabled

    def test_it_measures_without_holding_the_script(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        free, asked = threading.Event(), []

        def slow(device: str, home: Path) -> Calibration:
            asked.append(device)
            assert free.wait(30)
            calibrations.save_calibration(home, device, calibration())
            return calibration()

        monkeypatch.setattr(supervisor, "measure", slow)
        app = opened(settle=False)
        assert "Measuring what this machine can do" in text(app)
        assert app.button(key="lab.start").disabled
        app.run()
        assert asked == ["auto"], "a second look must not measure a second time"
        free.set()
        for _ in range(100):
            app.run()
            if not app.button(key="lab.start").disabled:
                break
            time.sleep(0.05)
        assert not app.button(key="lab.start").disabled
        assert not app.exception

    def test_a_device_that_fails_is_a_sentence_and_can_be_tried_again(
        self, lab_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcomes: list[Any] = [DeviceError("This machine has no CUDA device; choose another one."), calibration()]

        def measure(device: str, home: Path) -> Calibration:
            found = outcomes.pop(0)
            if isinstance(found, Exception):
                raise found
            calibrations.save_calibration(home, device, found)
            return calibration()

        monkeypatch.setattr(supervisor, "measure", measure)
        app = opened()
        app.run()
        assert "This machine has no CUDA device; choose another one." in text(app)
        assert app.button(key="lab.start").disabled
        app.button(key="lab.again").click().run()
        settled(app.run())
        assert not app.button(key="lab.start").disabled

    def test_a_path_must_be_named_and_readable(self, measured_home: Path, tmp_path: Path) -> None:
        app = opened()
        app.selectbox(key="lab.corpus").set_value("path").run()
        assert "Name a file or a folder to read" in text(app)
        app.text_input(key="lab.path").set_value(str(tmp_path / "nowhere")).run()
        settled(app)
        assert app.button(key="lab.start").disabled
        assert "nowhere" in app.warning[0].value.replace("\\", "")
        tiny = tmp_path / "tiny.txt"
        tiny.write_text("too short")
        app.text_input(key="lab.path").set_value(str(tiny)).run()
        settled(app)
        assert app.button(key="lab.start").disabled
        assert tiny.read_text() == "too short"

    def test_a_local_text_becomes_part_of_the_plan(self, measured_home: Path, tmp_path: Path) -> None:
        folder = tmp_path / "a text"
        folder.mkdir()
        for index in range(40):
            (folder / f"{index}.txt").write_text(f"{index} lies upon the table.\n" * 400)
        app = opened()
        app.selectbox(key="lab.corpus").set_value("path").run()
        app.text_input(key="lab.path").set_value(str(folder)).run()
        settled(app)
        assert not app.button(key="lab.start").disabled


class TestStart:
    def test_it_shows_what_it_started(self, measured_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Plan] = []

        def start(plan: Plan, home: Path) -> Started:
            asked.append(plan)
            return Started(sweep=register(home, plan), pid=1)

        monkeypatch.setattr(supervisor, "start", start)
        app = opened()
        app.radio(key="lab.mode").set_value("smoke").run()
        app.button(key="lab.start").click().run()
        assert not app.exception
        assert [plan.spec.mode for plan in asked] == ["smoke"]
        assert app.query_params["sweep"] in ([asked[0].spec.id], asked[0].spec.id)
        assert "Stop" in labels(app)
        assert "Preparing the text and the device." in text(app)

    def test_a_second_start_says_who_trains_and_shows_it(
        self, measured_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = small_plan()
        register(measured_home, plan)

        def busy(plan: Plan, home: Path) -> Started:
            raise SweepError("cpu is busy: sweep smoke-0123456789 has been training since 10:00:00.")

        monkeypatch.setattr(supervisor, "start", busy)
        app = opened("new")
        app.button(key="lab.start").click().run()
        assert "cpu is busy: sweep smoke-0123456789" in text(app)
        assert "Stop" in labels(app)
        app.run()
        assert "cpu is busy" not in text(app)

    def test_a_failed_start_is_a_sentence(self, measured_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(plan: Plan, home: Path) -> Started:
            raise SweepError("No process could be started (out of memory).")

        monkeypatch.setattr(supervisor, "start", refuse)
        app = opened()
        app.button(key="lab.start").click().run()
        assert "No process could be started (out of memory)." in text(app)
        assert "Start training" in labels(app)


class TestWhileItRuns:
    def test_it_is_found_without_an_address(self, measured_home: Path) -> None:
        plan = small_plan()
        register(measured_home, plan)
        curves(measured_home, plan)
        with Store.open_writer(measured_home) as store:
            store.start_run(plan.spec.id, plan.runs[0].id)
        app = opened()
        assert "Stop" in labels(app)
        assert "Resume" not in labels(app)
        assert "Delete" not in labels(app)
        said = text(app)
        assert f"Training {rung_label(plan.sizes[0])} parameters: 0 of 12 runs measured." in said
        assert "120K" in said, "tokens per second"
        assert "400 MB" in said
        assert len(specs(app)) == 2

    def test_a_point_that_arrives_leaves_the_charts_specification(self, measured_home: Path) -> None:
        plan = small_plan()
        register(measured_home, plan)
        finish_runs(measured_home, plan)
        app = opened(plan.spec.id)
        before = specs(app)
        curves(measured_home, plan, count=12)
        app.run()
        assert len(before) == 2
        assert specs(app) == before

    def test_the_law_appears_with_enough_points_and_its_cautions_before_the_numbers(self, measured_home: Path) -> None:
        plan = small_plan()
        register(measured_home, plan)
        assert "through" not in text(opened(plan.spec.id)).split("The law so far")[1]
        finish_runs(measured_home, plan)
        said = text(opened(plan.spec.id))
        assert "through 9 measured runs" in said
        law = said.split("The law so far")[1]
        assert law.index("Few points") < law.index("sl-value")

    def test_stop_is_handed_to_the_supervisor(self, measured_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plan, asked = small_plan(), []
        register(measured_home, plan)

        def stop(sweep: str, home: Path) -> None:
            asked.append(sweep)
            with Store.open_writer(home) as store:
                store.set_state(sweep, "stopped")

        monkeypatch.setattr(supervisor, "stop", stop)
        app = opened(plan.spec.id)
        app.button(key="lab.stop").click().run()
        assert asked == [plan.spec.id]
        app.run()
        assert "Stopped after 0 of 12 runs." in text(app)
        assert "Resume" in labels(app)


class TestAfterwards:
    def test_the_prediction_stands_beside_its_measurement(self, measured_home: Path) -> None:
        plan = finished(measured_home)
        app = opened(plan.spec.id)
        loss = float(LAW.loss(plan.runs[-1].params, plan.runs[-1].tokens))
        said = text(app)
        assert f"Predicted {1.02 * loss:.3f}, measured {loss:.3f}: off by 2.00%, inside the interval." in said
        assert "+2.00%" in said
        assert "12 / 12" in said
        assert "Resume" not in labels(app)
        assert "Stop" not in labels(app)
        assert [button.proto.label for button in app.get("download_button")][:2] == ["CSV", "JSON"]

    def test_its_files_hold_every_run_and_the_law(self, measured_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plan, makers = finished(measured_home), kept_files(monkeypatch)
        opened(plan.spec.id)
        found = json.loads(makers["lab.json"]())
        assert [point["id"] for point in found["points"]] == [run.id for run in plan.runs]
        assert found["fit"]["constants"]["E"] == pytest.approx(LAW.E, rel=0.1)
        assert len(str(makers["lab.csv"]()).splitlines()) == 1 + len(plan.runs)

    def test_deleting_asks_first(self, measured_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plan, gone = finished(measured_home), []
        monkeypatch.setattr(supervisor, "delete", lambda sweep, home: gone.append(sweep))
        app = opened(plan.spec.id)
        app.button(key="lab.delete").click().run()
        assert gone == []
        assert "12 measured runs" in text(app)
        app.button(key="lab.delete.no").click().run()
        assert "Delete for good" not in labels(app)
        assert gone == []
        app.button(key="lab.delete").click().run()
        app.button(key="lab.delete.yes").click().run()
        assert gone == [plan.spec.id]
        assert not app.exception

    def test_the_past_is_listed_and_opens(self, measured_home: Path) -> None:
        first, second = finished(measured_home), finished(measured_home, seed=1)
        app = opened("new")
        assert "Trained on this machine" in text(app)
        names = app.selectbox(key="lab.pick").options
        assert len(names) == 4
        assert (names[0], names[-1]) == ("New ladder", "Example, recorded")
        app.button(key=f"lab.open.{first.spec.id}").click().run()
        assert app.query_params["sweep"] in ([first.spec.id], first.spec.id)
        app.selectbox(key="lab.pick").set_value(second.spec.id).run()
        assert app.query_params["sweep"] in ([second.spec.id], second.spec.id)
        assert "Seed 1" in text(settled(app))

    def test_a_killed_process_leaves_an_interrupted_ladder_to_resume(
        self, measured_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan, asked = small_plan(), []
        register(measured_home, plan, pid=2**22 + 5, created=1.0)

        def resume(sweep: str, home: Path) -> Started:
            asked.append(sweep)
            return Started(sweep=sweep, pid=1)

        monkeypatch.setattr(supervisor, "resume", resume)
        app = opened(plan.spec.id)
        assert "Interrupted after 0 of 12 runs" in text(app)
        app.button(key="lab.resume").click().run()
        assert asked == [plan.spec.id]

    def test_a_failure_is_told_in_its_own_sentence(self, measured_home: Path) -> None:
        plan = small_plan()
        register(measured_home, plan)
        with Store.open_writer(measured_home) as store:
            store.set_state(plan.spec.id, "failed", "The disk is full: free 40 MB <b>and</b> press Resume.")
        app = opened(plan.spec.id)
        said = text(app)
        assert "Failed after 0 of 12 runs." in said
        assert "The disk is full: free 40 MB &lt;b&gt;and&lt;/b&gt; press Resume." in said
        assert {"Resume", "Delete"} <= set(labels(app))


class TestBadInput:
    @pytest.mark.parametrize(
        "sweep",
        ["live-0000000000", "nonsense", "../../etc/passwd", "<script>alert(1)</script>", "1; DROP TABLE sweeps"],
    )
    def test_an_unknown_ladder_is_a_sentence(self, measured_home: Path, sweep: str) -> None:
        app = opened(sweep)
        assert "There is no ladder" in text(app)
        assert sweep[:20] in app.warning[0].value.replace("\\", "")
        assert not app.button(key="lab.start").disabled

    def test_a_database_of_another_version_is_a_sentence_and_stays_untouched(self, measured_home: Path) -> None:
        finished(measured_home)
        path = place.database(measured_home)
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
        before = path.read_bytes()
        app = opened()
        assert "cannot be opened" in text(app)
        assert len(app.error) == 1
        assert "99" in app.error[0].value
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_is_a_sentence(self, measured_home: Path) -> None:
        place.database(measured_home).write_text(json.dumps({"not": "ours"}) * 200)
        app = opened()
        assert len(app.error) == 1
        assert not app.exception

    def test_what_breaks_while_polling_is_a_sentence(
        self, measured_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = small_plan()
        register(measured_home, plan)

        def broken(*arguments: object, **options: object) -> Callable[..., Any]:
            raise RuntimeError("a bug")

        monkeypatch.setattr("scaling_core.ui.lab_sweep._numbers", broken)
        app = opened(plan.spec.id)
        assert not app.exception
        assert "written to the log" in app.error[0].value
        assert "a bug" not in text(app)


class TestTheExample:
    def test_it_is_shown_whole_and_can_be_neither_stopped_nor_deleted(self, measured_home: Path) -> None:
        app = opened("example")
        said = text(app)
        assert "A recording: trained on" in said
        assert "3768eda504b6" in said, "the hash of its text"
        assert not {"Stop", "Resume", "Delete", "Start training"} & set(labels(app))
        assert len(specs(app)) >= 2
        assert "predicted" in said.lower()

    def test_without_the_file_the_page_does_without(
        self, measured_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(recording, "EXAMPLE", tmp_path / "gone.json")
        app = opened()
        assert len(specs(app)) == 1
        assert "What it looks like when it is done" not in text(app)
        app = opened("example")
        assert "There is no ladder 'example' here" in text(app)
