"""The trainer against real faults: kills, a full disk, torn files, divergence, a device that goes away.

Each child is a real process over a lab of its own, with a ladder that takes a few seconds.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec, Shape, SweepSpec
from scaling_core.lab.tensors import read_tensors
from scaling_core.runs import place
from scaling_core.runs.locks import DeviceLock
from scaling_core.runs.store import Store

pytestmark = pytest.mark.slow

CHILD = """
import sys
import scaling_core.lab.train as train
train.CHECKPOINT_SECONDS = 0.2
train.FLUSH_SECONDS = 0.1
{extra}
from scaling_core.lab.child import main
sys.exit(main([sys.argv[1]]))
"""
FIRST_FILES = ("argparse.py", "typing.py", "json/decoder.py", "subprocess.py", "tarfile.py")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real text: a few modules of the standard library."""
    folder = tmp_path_factory.mktemp("text")
    for name in FIRST_FILES:
        source = Path(sysconfig.get_path("stdlib"), name)
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


def make_plan(text: Path, **changes: Any) -> Plan:
    shapes = (Shape(n_layer=1, d_model=16, n_head=1), Shape(n_layer=2, d_model=24, n_head=1))
    given: dict[str, Any] = {"shapes": shapes, "horizons": (4.0, 8.0), "seed": 1, "held_out": 1}
    spec = SweepSpec(mode="smoke", device="cpu", corpus=CorpusSpec(kind="path", path=str(text)), **{**given, **changes})
    return Plan(spec=spec, lines=rules.plan_lines(spec), seconds=1.0, memory_bytes=1)


def start(home: Path, plan: Plan, extra: str = "") -> subprocess.Popen[str]:
    path = place.plan_file(home, plan.spec.id)
    if not path.exists():
        place.write_json(path, plan.to_dict())
    return subprocess.Popen(
        [sys.executable, "-c", CHILD.format(extra=extra), plan.spec.id],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=place.PROJECT,
        env={**os.environ, "SCALING_LAB_HOME": str(home)},
    )


def finish(process: subprocess.Popen[str], timeout: float = 240) -> tuple[int, str]:
    said, _ = process.communicate(timeout=timeout)
    return process.returncode, said


def train(home: Path, plan: Plan, extra: str = "") -> tuple[int, str]:
    return finish(start(home, plan, extra))


def wait_for(condition: Any, process: subprocess.Popen[str], timeout: float = 120) -> None:
    until = time.monotonic() + timeout
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.01)


def trains(home: Path, plan: Plan, process: subprocess.Popen[str]) -> bool:
    """Whether the process has registered itself."""
    with Store.open_reader(home) as store:
        row = store.sweep(plan.spec.id)
    return row is not None and row.pid == process.pid


def state(home: Path, plan: Plan) -> tuple[str, str | None]:
    with Store.open_reader(home) as store:
        row = store.sweep(plan.spec.id)
    assert row is not None
    return row.state, row.message


def outcome(home: Path, plan: Plan) -> dict[str, Any]:
    """Everything about a sweep that must not depend on how often it was interrupted, to the bit."""
    with Store.open_reader(home) as store:
        runs = store.runs(plan.spec.id)
        points = store.curve(plan.spec.id)
        foretold = store.predictions(plan.spec.id)
    weights: dict[str, bytes] = {}
    for path in sorted(place.sweep_folder(home, plan.spec.id).glob("models/*.safetensors")):
        tensors, _ = read_tensors(path)
        weights |= {f"{path.stem} {name}": array.tobytes() for name, array in tensors.items()}
    curve = {(p.track, p.step): (p.tokens, p.flops, p.train_loss, p.validation_loss, p.learning_rate) for p in points}
    return {
        "runs": [(r.id, r.state, r.tokens, r.loss, r.se, r.bits_per_byte, r.unique_tokens) for r in runs],
        "curve": curve,
        "weights": weights,
        "predictions": [(p.run_id, p.loss, p.low, p.high, p.fitted_runs) for p in foretold],
    }


def events(home: Path, plan: Plan) -> str:
    with Store.open_reader(home) as store:
        return "\n".join(event.text for event in store.events(plan.spec.id))


@pytest.fixture(scope="module")
def undisturbed(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, dict[str, Any]]:
    """A sweep that nothing interrupts, and what comes out. Its four runs are too few for a fit."""
    home = tmp_path_factory.mktemp("undisturbed")
    plan = make_plan(text)
    code, said = train(home, plan)
    assert code == 0, said
    found = outcome(home, plan)
    assert [run[1] for run in found["runs"]] == ["finished"] * 4
    assert len(found["weights"]) > 20
    assert len(found["curve"]) > 100
    assert found["predictions"] == []
    assert "trained without a prediction" in events(home, plan)
    return plan, found


def test_kills_at_random_instants_change_no_bit(undisturbed: tuple[Plan, dict[str, Any]], lab_home: Path) -> None:
    plan, expected = undisturbed
    dice = random.Random(20)
    kills = 0
    for attempt in range(12):
        process = start(lab_home, plan)
        if attempt == 0:
            time.sleep(dice.uniform(0.0, 2.0))
        else:
            with contextlib.suppress(AssertionError):
                wait_for(lambda process=process: trains(lab_home, plan, process), process)
            time.sleep(dice.uniform(0.0, 1.2))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        if attempt and kills >= 5:
            break
    assert kills >= 3
    if state(lab_home, plan)[0] != "finished":
        code, said = train(lab_home, plan)
        assert code == 0, said
    assert state(lab_home, plan) == ("finished", None)
    assert outcome(lab_home, plan) == expected


def test_a_stop_is_graceful_and_resumes_to_the_same_bits(
    undisturbed: tuple[Plan, dict[str, Any]], lab_home: Path
) -> None:
    plan, expected = undisturbed
    process = start(lab_home, plan)
    wait_for(lambda: trains(lab_home, plan, process), process)
    process.terminate()
    code, said = finish(process, timeout=20)
    assert code == 0, said
    assert state(lab_home, plan)[0] == "stopped"
    assert train(lab_home, plan)[0] == 0
    assert outcome(lab_home, plan) == expected


def test_a_torn_checkpoint_gives_way_to_the_one_before(
    undisturbed: tuple[Plan, dict[str, Any]], lab_home: Path
) -> None:
    plan, expected = undisturbed
    process = start(lab_home, plan)
    folder = place.sweep_folder(lab_home, plan.spec.id) / "checkpoints" / "r1" / "r1"
    wait_for(lambda: len(list(folder.glob("[0-9]*.json"))) == 2, process)
    process.kill()
    process.communicate()
    newest = max(folder.glob("[0-9]*.safetensors"))
    os.truncate(newest, newest.stat().st_size // 3)
    for path in folder.parent.glob("r1-*"):
        for part in path.iterdir():
            os.truncate(part, 10)
    assert train(lab_home, plan)[0] == 0
    assert "is damaged" in events(lab_home, plan)
    assert outcome(lab_home, plan) == expected


def test_the_prediction_precedes_the_held_out_rung(text: Path, lab_home: Path) -> None:
    shapes = tuple(Shape(n_layer=1, d_model=d, n_head=1) for d in (16, 24, 32))
    plan = make_plan(text, shapes=shapes, horizons=(2.0, 4.0, 8.0))
    code, said = train(lab_home, plan)
    assert code == 0, said
    with Store.open_reader(lab_home) as store:
        foretold = store.predictions(plan.spec.id)
        runs = {run.id: run for run in store.runs(plan.spec.id)}
    assert [p.run_id for p in foretold] == ["r2-h2", "r2-h4", "r2-h8"]
    for prediction in foretold:
        assert prediction.fitted_runs == tuple(f"r{r}-h{h}" for r in (0, 1) for h in (2, 4, 8))
        assert prediction.low < prediction.loss < prediction.high
        held, last = runs[prediction.run_id], runs["r1-h8"]
        assert last.finished_at is not None
        assert held.started_at is not None
        assert last.finished_at <= prediction.made_at <= held.started_at


def test_a_rung_that_diverges_is_left_out_and_the_sweep_goes_on(text: Path, lab_home: Path) -> None:
    plan = make_plan(text)
    poison = """
import scaling_core.lab.model as model
plain = model.GPT.loss_sum
def loss_sum(self, windows):
    return plain(self, windows) * (float("nan") if self.tokens.weight.shape[1] == 16 else 1.0)
model.GPT.loss_sum = loss_sum
import scaling_core.lab.selftest as selftest
selftest.run = lambda device: selftest.SelfTest(ok=True, detail="", checks=())
"""
    code, said = train(lab_home, plan, poison)
    assert code == 0, said
    with Store.open_reader(lab_home) as store:
        runs = store.runs(plan.spec.id)
    assert [run.state for run in runs] == ["failed", "failed", "finished", "finished"]
    assert runs[0].message is not None
    assert "stopped being a number" in runs[0].message
    assert state(lab_home, plan) == ("finished", "Without r0-h4, r0-h8, which failed.")


def test_a_rate_that_is_far_too_high_is_noticed(text: Path, lab_home: Path) -> None:
    plan = make_plan(text, rate_factors=(100.0,))
    code, said = train(lab_home, plan)
    assert code == 0, said
    with Store.open_reader(lab_home) as store:
        messages = [run.message for run in store.runs(plan.spec.id)]
    assert any(message and "the learning rate" in message for message in messages)


VANISH = """
import scaling_core.lab.stepper as stepper
plain = stepper.Stepper._step
def vanish(self, windows, rate):
    vanish.count += 1
    if vanish.count == 150:
        raise RuntimeError({message!r})
    return plain(self, windows, rate)
vanish.count = 0
stepper.Stepper._step = vanish
"""


def test_a_device_that_vanishes_fails_in_a_sentence_and_resumes(
    undisturbed: tuple[Plan, dict[str, Any]], lab_home: Path
) -> None:
    plan, expected = undisturbed
    code, said = train(lab_home, plan, VANISH.format(message="CUDA error: unspecified launch failure\nmore"))
    assert code == 1
    assert "Traceback" not in said
    kind, message = state(lab_home, plan)
    assert kind == "failed"
    assert message is not None
    assert message.startswith("The device cpu stopped answering (CUDA error: unspecified launch failure)")
    assert train(lab_home, plan)[0] == 0
    assert outcome(lab_home, plan) == expected


def test_memory_that_runs_out_halves_the_micro_batch(text: Path, lab_home: Path) -> None:
    plan = make_plan(text)
    code, said = train(lab_home, plan, VANISH.format(message="DefaultCPUAllocator: can't allocate memory"))
    assert code == 0, said
    assert "is now worked through 1 at a time, with the same result" in events(lab_home, plan)


def test_a_bug_is_stored_as_a_sentence_and_its_trace_goes_to_the_log(text: Path, lab_home: Path) -> None:
    plan = make_plan(text)
    code, said = train(lab_home, plan, VANISH.format(message="size mismatch"))
    assert code == 1
    assert "Traceback" in said
    message = state(lab_home, plan)[1]
    assert message is not None
    assert "an error that it does not know (RuntimeError: size mismatch)" in message


def test_a_busy_device_ends_with_three(text: Path, lab_home: Path) -> None:
    plan = make_plan(text)
    with DeviceLock(lab_home, "cpu") as lock:
        assert lock.take("live-0123456789")
        code, said = train(lab_home, plan)
    assert code == 3
    assert "cpu is busy" in said


def test_plans_that_are_missing_foreign_or_broken_are_refused(text: Path, lab_home: Path) -> None:
    plan, other = make_plan(text), make_plan(text, seed=9)
    path = place.plan_file(lab_home, plan.spec.id)
    contents: tuple[Any, ...] = (None, other.to_dict(), {"spec": 1}, [])
    for content in contents:
        if content is not None:
            place.write_json(path, content)
        process = subprocess.run(
            [sys.executable, "-m", "scaling_core.lab.child", plan.spec.id],
            capture_output=True, text=True, cwd=place.PROJECT, timeout=60, check=False,
        )  # fmt: skip
        assert process.returncode == 1
        assert process.stdout.strip().endswith("start the sweep again.")
        assert process.stderr == ""


def test_a_text_that_changed_is_resumed_from_its_copy_or_refused(text: Path, lab_home: Path, tmp_path: Path) -> None:
    import shutil

    moving = tmp_path / "moving"
    shutil.copytree(text, moving)
    plan = make_plan(moving)
    process = start(lab_home, plan)
    wait_for(lambda: trains(lab_home, plan, process), process)
    process.terminate()
    assert finish(process)[0] == 0
    (moving / "argparse.py").write_text("# rewritten\n" * 5000)
    shutil.rmtree(lab_home / "corpora")
    code, said = train(lab_home, plan)
    assert code == 1
    assert "has changed since the sweep began" in said
    assert state(lab_home, plan)[0] == "stopped"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; only root can mount one."""
    place_ = tmp_path / "small disk"
    place_.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place_)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root on Linux")
    try:
        yield place_
    finally:
        subprocess.run(["umount", "-l", str(place_)], check=False)


def test_a_full_disk_fails_in_a_sentence_and_loses_nothing(
    undisturbed: tuple[Plan, dict[str, Any]], small_disk: Path
) -> None:
    plan, expected = undisturbed
    process = start(small_disk, plan)
    folder = place.sweep_folder(small_disk, plan.spec.id) / "checkpoints"
    wait_for(lambda: any(folder.rglob("[0-9]*.json")), process)
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    code, said = finish(process)
    assert code == 1, said
    assert "Traceback" not in said
    kind, message = state(small_disk, plan)
    assert kind == "failed"
    assert message is not None
    assert "make room" in message or "free space" in message or "full" in message
    filler.unlink()
    code, said = train(small_disk, plan)
    assert code == 0, said
    assert outcome(small_disk, plan) == expected
