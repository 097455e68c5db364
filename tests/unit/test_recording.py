"""A sweep written to one file and read again, and files that are no such thing."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scaling_core import cli
from scaling_core.errors import InputError
from scaling_core.runs.recording import POINTS, read_recording, record, thinned, write_recording
from scaling_core.runs.rows import CurveRow
from scaling_core.runs.store import Store
from tests.lab_helpers import finish_runs, prediction, register, small_plan

PLAN = small_plan()
SWEEP = PLAN.spec.id


def points(track: str, count: int) -> list[CurveRow]:
    return [
        CurveRow(
            track=track, step=step, tokens=512 * step, flops=1e6 * step, train_loss=3.0 + 1 / step,
            validation_loss=2.5 if step == count - 3 else None, learning_rate=1e-3, tokens_per_second=1e5,
            memory_bytes=10**8, at=1.7e9 + step,
        )
        for step in range(1, count + 1)
    ]  # fmt: skip


@pytest.fixture
def home(lab_home: Path) -> Path:
    register(lab_home, PLAN)
    finish_runs(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        store.add_prediction(prediction(PLAN, PLAN.runs[-1].id))
        store.add_curve(SWEEP, [*points("r0", 500), *points("r0-h2", 7)])
        store.add_event(SWEEP, "warning", "It was warm.")
    finish_runs(lab_home, PLAN, held_out=True)
    with Store.open_writer(lab_home) as store:
        store.set_state(SWEEP, "finished")
    return lab_home


def test_what_is_read_is_what_was_stored(home: Path, tmp_path: Path) -> None:
    written = record(SWEEP, home)
    write_recording(written, tmp_path / "ladder.json")
    read = read_recording(tmp_path / "ladder.json")
    assert read == replace(written, row=replace(written.row, pid=0, pid_created=0.0))
    assert len(read.runs) == len(PLAN.runs)
    assert read.row.plan == PLAN


def test_curves_are_thinned_evenly_and_keep_what_was_measured() -> None:
    every = [point for point in points("r0", 5000) if point.step % 4 == 1]
    kept = thinned(every)
    assert 0.6 * POINTS <= len(kept) <= POINTS + 3
    assert max(b.step / a.step for a, b in pairwise(kept[12:])) < 1.6
    assert kept[-1] == every[-1]
    assert [point.step for point in kept if point.validation_loss is not None] == [4997]
    late = [point for point in every if kept[-4].step < point.step <= kept[-3].step]
    assert kept[-3].train_loss == pytest.approx(sum(point.train_loss or 0 for point in late) / len(late))
    assert thinned(points("r1", 5)) == points("r1", 5)
    assert thinned([]) == []


def test_a_ladder_in_training_is_not_recorded_and_no_file_is_overwritten(
    lab_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(lab_home, PLAN)
    with pytest.raises(InputError, match="it is training"):
        record(SWEEP, lab_home)
    (tmp_path / "mine.json").write_text("mine")
    assert cli.main(["lab", "record", SWEEP, "--out", str(tmp_path / "mine.json")]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert (tmp_path / "mine.json").read_text() == "mine"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.update(format=2),
        lambda raw: raw.pop("plan"),
        lambda raw: raw["plan"]["spec"].update(seed=-1),
        lambda raw: raw["runs"][0].update(colour="red"),
        lambda raw: raw["runs"][0].update(loss="2.0"),
        lambda raw: raw["runs"][0].update(state="asleep"),
        lambda raw: raw["curve"].update(step=[1]),
        lambda raw: raw["curve"]["tokens"].__setitem__(0, None),
        lambda raw: raw.update(predictions=7),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(home: Path, tmp_path: Path, change: Any) -> None:
    path = tmp_path / "ladder.json"
    write_recording(record(SWEEP, home), path)
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(InputError):
        read_recording(path)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"[1, 2]", b'{"format": 1}', b"nan"])
def test_other_files_are_refused_too(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ladder.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_recording(path)
    with pytest.raises(InputError):
        read_recording(tmp_path / "missing.json")
