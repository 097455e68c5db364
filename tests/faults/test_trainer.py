"""The trainer against real faults: stops, torn checkpoints, divergence, a device that goes away, foreign plans.

Each training is a real process over a lab of its own, with a ladder that takes a few seconds.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab.records import Plan
from scaling_core.runs import place
from scaling_core.runs.locks import DeviceLock
from scaling_core.runs.store import Store
from tests.faults.trainer import Nursery, events, make_plan, outcome, state, trains

pytestmark = pytest.mark.slow


def test_a_stop_is_graceful_and_resumes_to_the_same_bits(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    process = nursery.start(lab_home, plan)
    process.wait_for(lambda: trains(lab_home, plan, process))
    process.send_signal(signal.SIGTERM)
    code, said = process.finish(timeout=20)
    assert code == 0, said
    assert state(lab_home, plan)[0] == "stopped"
    assert nursery.train(lab_home, plan)[0] == 0
    assert outcome(lab_home, plan) == expected


STOP = """
import os, signal
from scaling_core.lab.stepper import Stepper
from scaling_core.lab.train import LineTraining
plain_evaluate, plain_losses = LineTraining.evaluate, Stepper.window_losses
def evaluate(self):
    evaluate.run = self._run.id
    return plain_evaluate(self)
def window_losses(self, windows):
    if evaluate.run == "r1-h2":
        os.kill(os.getpid(), signal.SIGTERM)
    return plain_losses(self, windows)
LineTraining.evaluate, Stepper.window_losses = evaluate, window_losses
"""


def test_a_stop_in_the_middle_of_a_measurement_loses_no_point(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    code, said = nursery.train(lab_home, plan, STOP)
    assert code == 0, said
    assert state(lab_home, plan)[0] == "stopped"
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    assert outcome(lab_home, plan) == expected


def test_the_prediction_precedes_the_held_out_rung(whole_lab: tuple[Path, Plan]) -> None:
    home, plan = whole_lab
    with Store.open_reader(home) as store:
        foretold = store.predictions(plan.spec.id)
        runs = {run.id: run for run in store.runs(plan.spec.id)}
    assert [p.run_id for p in foretold] == ["r2-h1", "r2-h2", "r2-h4"]
    for prediction in foretold:
        assert prediction.fitted_runs == tuple(f"r{r}-h{h}" for r in (0, 1) for h in (1, 2, 4))
        assert prediction.low < prediction.loss < prediction.high
        held, last = runs[prediction.run_id], runs["r1-h4"]
        assert last.finished_at is not None
        assert held.started_at is not None
        assert last.finished_at <= prediction.made_at <= held.started_at


BAD_WEIGHT = """
import torch
from scaling_core.lab.train import LineTraining
plain = LineTraining._batch
def batch(self):
    if (self._track, self.step) == {at!r}:
        with torch.no_grad():
            self.stepper.parameters[0].view(-1)[0] = float("nan")
    return plain(self)
LineTraining._batch = batch
"""
"""A single weight that stops being a number before a step, as a bit that flips in memory leaves it."""


@pytest.mark.parametrize(
    ("at", "lost"),
    [(("r1", 30), ["r1-h2", "r1-h4"]), (("r1-h2", 45), ["r1-h2"]), (("r2-h4", 163), ["r2-h4"])],
    ids=["trunk", "branch", "last step"],
)
def test_one_bad_weight_ends_what_depends_on_it_and_the_sweep_goes_on(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path, at: tuple[str, int], lost: list[str]
) -> None:
    plan, expected = undisturbed
    code, said = nursery.train(lab_home, plan, BAD_WEIGHT.format(at=at))
    assert code == 0, said
    with Store.open_reader(lab_home) as store:
        messages = {run.id: run.message for run in store.runs(plan.spec.id) if run.state == "failed"}
    assert list(messages) == lost
    for message in messages.values():
        assert message is not None
        assert "number" in message
    assert state(lab_home, plan) == ("finished", f"Without {', '.join(lost)}, which failed.")
    assert f"Left out: {', '.join(lost)}." in events(lab_home, plan)
    found = outcome(lab_home, plan)
    assert [run for run in found["runs"] if run[0] not in lost] == [r for r in expected["runs"] if r[0] not in lost]
    kept = {name for name in expected["weights"] if name.split()[0] not in lost}
    assert {name: found["weights"][name] for name in kept} == {name: expected["weights"][name] for name in kept}
    assert set(found["weights"]) == kept, "the weights of a diverged model were kept"


def test_a_rate_that_is_far_too_high_is_noticed(text: Path, nursery: Nursery, lab_home: Path) -> None:
    plan = make_plan(text, rate_factors=(100.0,))
    code, said = nursery.train(lab_home, plan)
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
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    code, said = nursery.train(lab_home, plan, VANISH.format(message="CUDA error: unspecified launch failure\nmore"))
    assert code == 1
    assert "Traceback" not in said
    kind, message = state(lab_home, plan)
    assert kind == "failed"
    assert message is not None
    assert message.startswith("The device cpu stopped answering (CUDA error: unspecified launch failure)")
    assert nursery.train(lab_home, plan)[0] == 0
    assert outcome(lab_home, plan) == expected


def test_memory_that_runs_out_halves_the_micro_batch(text: Path, nursery: Nursery, lab_home: Path) -> None:
    plan = make_plan(text)
    code, said = nursery.train(lab_home, plan, VANISH.format(message="DefaultCPUAllocator: can't allocate memory"))
    assert code == 0, said
    assert "is now worked through 1 at a time, with the same result" in events(lab_home, plan)


def test_a_bug_is_stored_as_a_sentence_and_its_trace_goes_to_the_log(
    text: Path, nursery: Nursery, lab_home: Path
) -> None:
    plan = make_plan(text)
    code, said = nursery.train(lab_home, plan, VANISH.format(message="size mismatch"))
    assert code == 1
    assert "Traceback" in said
    message = state(lab_home, plan)[1]
    assert message is not None
    assert "an error that it does not know (RuntimeError: size mismatch)" in message


def test_a_busy_device_ends_with_three(text: Path, nursery: Nursery, lab_home: Path) -> None:
    plan = make_plan(text)
    with DeviceLock(lab_home, "cpu") as lock:
        assert lock.take("live-0123456789")
        code, said = nursery.train(lab_home, plan)
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


def test_a_text_that_changed_is_resumed_from_its_copy_or_refused(
    text: Path, nursery: Nursery, lab_home: Path, tmp_path: Path
) -> None:
    moving = tmp_path / "moving"
    shutil.copytree(text, moving)
    plan = make_plan(moving)
    process = nursery.start(lab_home, plan)
    process.wait_for(lambda: trains(lab_home, plan, process))
    process.send_signal(signal.SIGTERM)
    assert process.finish()[0] == 0
    (moving / "argparse.py").write_text("# rewritten\n" * 5000)
    shutil.rmtree(lab_home / "corpora")
    code, said = nursery.train(lab_home, plan)
    assert code == 1
    assert "has changed since the sweep began" in said
    assert state(lab_home, plan)[0] == "stopped"
