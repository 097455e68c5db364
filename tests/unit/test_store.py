"""The store: what is written comes back, what must not change does not, and a missing database is an empty one."""

from __future__ import annotations

import math
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaling_core.errors import InputError, StoreError
from scaling_core.runs import place, schema
from scaling_core.runs.rows import CurveRow
from scaling_core.runs.store import Store
from tests.lab_helpers import CORPUS, finish_runs, prediction, register, small_plan

PLAN = small_plan()
SWEEP = PLAN.spec.id
FIRST, HELD_OUT = PLAN.runs[0].id, PLAN.runs[-1].id


def curve_row(step: int, track: str = "r0", loss: float | None = 3.0) -> CurveRow:
    return CurveRow(
        track=track,
        step=step,
        tokens=step * 1024,
        flops=6.0 * step,
        train_loss=loss,
        validation_loss=None,
        learning_rate=0.01,
        tokens_per_second=1e5,
        memory_bytes=10**9,
        at=100.0 + step,
    )


def test_a_reader_without_a_database_sees_nothing_and_makes_nothing(lab_home: Path) -> None:
    with Store.open_reader(lab_home) as store:
        assert store.sweeps() == []
        assert store.sweep(SWEEP) is None
        assert not any((store.runs(SWEEP), store.curve(SWEEP), store.predictions(SWEEP), store.events(SWEEP)))
        assert store.latest(SWEEP) is None
    assert list(lab_home.iterdir()) == []


def test_a_registered_sweep_comes_back_whole(lab_home: Path) -> None:
    register(lab_home, PLAN, pid=77, created=123.5)
    with Store.open_reader(lab_home) as store, store.snapshot():
        (row,) = store.sweeps()
        runs = store.runs(SWEEP)
    assert (row.id, row.state, row.pid, row.pid_created, row.mode, row.device) == (
        *(SWEEP, "running", 77, 123.5),
        *("smoke", "cpu"),
    )
    assert row.plan == PLAN
    assert row.corpus == CORPUS
    assert [run.id for run in runs] == [run.id for run in PLAN.runs]
    assert [run.held_out for run in runs] == [run.held_out for run in PLAN.runs]
    assert {run.state for run in runs} == {"waiting"}
    assert [(run.params, run.planned_tokens) for run in runs] == [(run.params, run.tokens) for run in PLAN.runs]


def test_a_run_goes_from_waiting_to_finished(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        store.start_run(SWEEP, FIRST)
        store.progress(SWEEP, FIRST, 4096)
        assert [(run.state, run.tokens) for run in store.runs(SWEEP)][:2] == [("running", 4096), ("waiting", 0)]
        done: dict[str, Any] = {"se": 0.01, "bits_per_byte": 3.0, "seconds": 1.5, "tokens": 8192, "unique_tokens": 8000}
        store.finish_run(SWEEP, FIRST, loss=2.0, **done)
        store.finish_run(SWEEP, FIRST, loss=2.0, **done)
        store.start_run(SWEEP, FIRST)
        run = store.runs(SWEEP)[0]
        assert (run.state, run.loss, run.se, run.tokens, run.unique_tokens) == ("finished", 2.0, 0.01, 8192, 8000)
        with pytest.raises(StoreError, match="loss cannot be changed"):
            store.finish_run(SWEEP, FIRST, loss=1.9, **done)
        with pytest.raises(StoreError, match="has a loss already"):
            store.fail_run(SWEEP, FIRST, "diverged")
        assert store.runs(SWEEP)[0] == run


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_a_failure_and_no_result(lab_home: Path, loss: float) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        with pytest.raises(StoreError, match="diverged"):
            store.finish_run(SWEEP, FIRST, loss=loss, se=0.1, bits_per_byte=1.0, seconds=1.0, tokens=1, unique_tokens=1)
        store.fail_run(SWEEP, FIRST, "The loss was not finite at step 12.")
        run = store.runs(SWEEP)[0]
    assert (run.state, run.loss, run.message) == ("failed", None, "The loss was not finite at step 12.")


def test_curves_are_replaced_taken_back_and_read_from_where_one_was(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        store.add_curve(SWEEP, [curve_row(step) for step in range(5)] + [curve_row(0, "r0-h2")])
        seen = store.curve(SWEEP)
        assert [row.step for row in seen] == [0, 1, 2, 3, 4, 0]
        store.truncate_curve(SWEEP, "r0", 2)
        store.add_curve(SWEEP, [curve_row(2, loss=math.nan), curve_row(3, loss=2.5)])
        new = store.curve(SWEEP, after=seen[-1].seq)
        assert [(row.step, row.train_loss) for row in new] == [(2, None), (3, 2.5)]
        assert [(row.track, row.step) for row in store.curve(SWEEP)] == [
            *(("r0", 0), ("r0", 1), ("r0-h2", 0), ("r0", 2), ("r0", 3)),
        ]
        latest = store.latest(SWEEP)
    assert latest == new[-1]
    assert replace(seen[0], seq=0) == curve_row(0)


def test_a_prediction_is_registered_once_and_before_the_measurement(lab_home: Path) -> None:
    register(lab_home, PLAN)
    first = prediction(PLAN, HELD_OUT)
    with Store.open_writer(lab_home) as store:
        assert store.add_prediction(first)
        assert not store.add_prediction(replace(first, loss=1.0))
        assert store.predictions(SWEEP) == [first]
        other = PLAN.runs[-2].id
        store.finish_run(SWEEP, other, loss=2.0, se=0.1, bits_per_byte=1.0, seconds=1.0, tokens=1, unique_tokens=1)
        with pytest.raises(StoreError, match="before the measurement"):
            store.add_prediction(prediction(PLAN, other))
        assert store.predictions(SWEEP) == [first]


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE predictions SET loss = 1",
        "UPDATE predictions SET made_at = 0",
        "DELETE FROM predictions",
        "INSERT OR REPLACE INTO predictions SELECT * FROM predictions",
        "UPDATE runs SET loss = 1.5 WHERE loss IS NOT NULL",
        "UPDATE runs SET loss = NULL, state = 'waiting' WHERE loss IS NOT NULL",
    ],
)
def test_not_even_by_hand_is_the_record_changed(lab_home: Path, forgery: str) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        store.add_prediction(prediction(PLAN, HELD_OUT))
    finish_runs(lab_home, PLAN, held_out=True)
    connection = sqlite3.connect(place.database(lab_home))
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(forgery)
    connection.close()


def test_taking_a_sweep_up_again_keeps_what_it_did(lab_home: Path) -> None:
    register(lab_home, PLAN, pid=77, created=1.0)
    finish_runs(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        store.start_run(SWEEP, HELD_OUT)
        store.add_curve(SWEEP, [curve_row(1)])
        store.set_state(SWEEP, "stopped", "Stopped at step 3.")
        row = store.sweep(SWEEP)
        assert row is not None
        assert (row.state, row.message) == ("stopped", "Stopped at step 3.")
        assert row.ended_at is not None
        assert store.runs(SWEEP)[-1].state == "waiting"
    register(lab_home, PLAN, pid=78, created=2.0)
    with Store.open_reader(lab_home) as store:
        again = store.sweep(SWEEP)
        assert again is not None
        assert (again.state, again.message, again.pid, again.ended_at) == ("running", None, 78, None)
        assert again.created_at == row.created_at
        assert again.started_at > row.started_at
        assert sum(run.state == "finished" for run in store.runs(SWEEP)) == 9
        assert len(store.curve(SWEEP)) == 1


def test_a_finished_sweep_is_not_trained_again(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        store.set_state(SWEEP, "finished")
    with pytest.raises(StoreError, match="is finished"):
        register(lab_home, PLAN)


def test_words_that_are_no_state_or_level_are_refused(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        with pytest.raises(InputError, match="state"):
            store.set_state(SWEEP, "sleeping")  # type: ignore[arg-type]  # the bad word is the test
        with pytest.raises(InputError, match="level"):
            store.add_event(SWEEP, "loud", "x")  # type: ignore[arg-type]  # the bad word is the test
        store.add_event(SWEEP, "warning", "The text repeats.")
        store.add_event(SWEEP, "info", "Done.")
        assert [(event.level, event.text) for event in store.events(SWEEP)] == [
            *(("warning", "The text repeats."), ("info", "Done.")),
        ]


def test_an_unknown_sweep_or_run_is_said_and_nothing_is_written(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        with pytest.raises(StoreError, match="knows no smoke-0123456789"):
            store.heartbeat("smoke-0123456789")
        with pytest.raises(StoreError, match="knows no"):
            store.progress(SWEEP, "r9-h9", 5)
        with pytest.raises(StoreError, match="knows no"):
            store.start_run(SWEEP, "r9-h9")


def test_deleting_removes_all_and_only_that_sweep(lab_home: Path) -> None:
    other = small_plan(seed=1)
    for plan in (PLAN, other):
        register(lab_home, plan)
        with Store.open_writer(lab_home) as store:
            store.add_prediction(prediction(plan, HELD_OUT))
            store.add_curve(plan.spec.id, [curve_row(1)])
            store.add_event(plan.spec.id, "info", "x")
    with Store.open_writer(lab_home) as store:
        row = store.sweep(SWEEP)
        assert row is not None
        with pytest.raises(StoreError, match="started again meanwhile"):
            store.delete_sweep(replace(row, started_at=row.started_at - 1))
        assert len(store.sweeps()) == 2
        store.delete_sweep(row)
        assert [one.id for one in store.sweeps()] == [other.spec.id]
        assert not any((store.runs(SWEEP), store.curve(SWEEP), store.predictions(SWEEP), store.events(SWEEP)))
        assert len(store.predictions(other.spec.id)) == len(store.curve(other.spec.id)) == 1


def test_a_reader_cannot_write(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_reader(lab_home) as store, pytest.raises(StoreError):
        store.heartbeat(SWEEP)


def test_a_reader_sees_a_writer_at_work_and_does_not_wait_for_it(lab_home: Path) -> None:
    register(lab_home, PLAN)
    writing = sqlite3.connect(place.database(lab_home), isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    writing.execute("UPDATE sweeps SET message = 'half done'")
    with Store.open_reader(lab_home) as store:
        before = store.sweep(SWEEP)
        writing.execute("COMMIT")
        after = store.sweep(SWEEP)
    writing.close()
    assert before is not None
    assert after is not None
    assert (before.message, after.message) == (None, "half done")


def test_one_store_serves_many_threads(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:

        def work(track: int) -> None:
            for step in range(20):
                store.add_curve(SWEEP, [curve_row(step, f"r{track}")])
                store.heartbeat(SWEEP)

        threads = [threading.Thread(target=work, args=(track,)) for track in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.curve(SWEEP)) == 80


def test_the_file_says_whose_it_is_and_which_version(lab_home: Path) -> None:
    register(lab_home, PLAN)
    connection = sqlite3.connect(place.database(lab_home))
    assert connection.execute("PRAGMA application_id").fetchone()[0] == schema.APPLICATION_ID
    assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "live-", "live-0123456789/..", "LIVE-0123456789", "x" * 500])
def test_only_a_sweep_id_becomes_a_path(lab_home: Path, name: str) -> None:
    with pytest.raises(InputError, match="sweep"):
        place.sweep_folder(lab_home, name)


def test_json_is_written_whole_or_not_at_all(lab_home: Path) -> None:
    path = lab_home / "deep" / "file.json"
    place.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        place.write_json(path, {"a": math.nan})
    assert path.read_text() == '{\n "a": 1\n}'
    assert [one.name for one in path.parent.iterdir()] == ["file.json"]
