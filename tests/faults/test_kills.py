"""Kill -9 at fifty instants of one sweep, each followed by a resumption: no bit of what comes out is different.

Every kill is a SIGKILL to a real process. Thirty come from outside, each up to 80 ms after the training has reached a
step drawn at random from all the steps of the sweep, so that they fall wherever the clock says: in a step, a write, a
transaction, an evaluation. The other twenty fall at seams that a clock seldom meets, two renames 50 microseconds
apart for instance: there the process kills itself, between one system call and the next. The trainings are forks of a
process that has loaded torch, as fifty interpreters would take three minutes; the sweep they are compared with, and
the last life, are interpreters of their own.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab.records import Plan
from tests.faults.trainer import Nursery, outcome, state, train_alone

pytestmark = pytest.mark.slow

SEAMS = (
    # name, what is wrapped, whether the kill comes before or after it, and whether it may come before any training
    ("the text", "child.open_corpus", "before", True),
    ("before it registers", "Store.register_sweep", "before", True),
    ("inside the registration", "Store._named", "after", True),
    ("a backward pass", "Stepper._gradients", "before", False),
    ("between gradients and step", "AdamW.step", "before", False),
    ("after a step of the optimiser", "AdamW.step", "after", False),
    ("half of the tensors", "checkpoint.write_tensors", "half", False),
    ("before the first rename", "os.replace", "before", False),
    ("between the renames", "os.replace", "after", False),
    ("before the folder is synced", "checkpoint.sync_folder", "before", False),
    ("before old generations go", "checkpoint.sync_folder", "after", False),
    ("inside a transaction on the curve", "Store.add_curve", "inside", False),
    ("inside a truncation", "Store.truncate_curve", "inside", False),
    ("where a branch begins", "LineTraining._enter", "before", False),
    ("behind where a branch begins", "LineTraining._enter", "after", False),
    ("the evaluation", "Stepper.window_losses", "after", False),
    ("before a loss is stored", "Store.finish_run", "before", False),
    ("inside the storing of a loss", "Store.finish_run", "inside", False),
    ("after a loss is stored", "Store.finish_run", "after", False),
    ("half of the checkpoints are removed", "checkpoint.shutil.rmtree", "before", False),
)

FAULT = """
import os, signal, threading
import torch
from pathlib import Path
import scaling_core.lab.checkpoint as checkpoint
from scaling_core.lab import child
from scaling_core.lab.adamw import AdamW
from scaling_core.lab.records import Plan
from scaling_core.lab.stepper import Stepper
from scaling_core.lab.train import LineTraining
from scaling_core.runs.store import Store
{names} = {values}

def order(plan):
    place = {{}}
    for line in plan.lines:
        start = 0
        for run in line.runs:
            for step in range(start, run.decay_from):
                place[line.track, step] = len(place)
            for step in range(run.decay_from, run.steps):
                place[run.id, step] = len(place)
            start = run.decay_from
    return place

armed = early
plain_batch = LineTraining._batch
def batch(self):
    global armed
    if not armed and order(self.bench.plan)[self._track, self.step] >= position:
        armed = True
        Path(ready).touch()
    return plain_batch(self)
LineTraining._batch = batch

def die():
    if armed:
        os.kill(os.getpid(), signal.SIGKILL)

def plant(target, when):
    *path, name = target.split(".")
    owner = globals()[path[0]]
    for part in path[1:]:
        owner = getattr(owner, part)
    plain = getattr(owner, name)
    def wrapped(*given, **named):
        if when == "before":
            die()
        if when == "half" and armed:
            tensors = given[1]
            plain(given[0], tensors)
            os.truncate(given[0], os.stat(given[0]).st_size // 2)
            die()
        if when == "inside":
            execute = Store._named
            def last(store, *statement):
                execute(store, *statement)
                die()
            Store._named = last
            try:
                return plain(*given, **named)
            finally:
                Store._named = execute
        found = plain(*given, **named)
        if when == "after":
            die()
        return found
    setattr(owner, name, wrapped)

if target:
    plant(target, when)
"""


def fault(**values: Any) -> str:
    return FAULT.format(names=", ".join(values), values=tuple(values.values()))


def steps_of(plan: Plan) -> int:
    return sum(line.trunk_steps + sum(run.steps - run.decay_from for run in line.runs) for line in plan.lines)


def test_fifty_kills_change_no_bit(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path, tmp_path: Path
) -> None:
    plan, expected = undisturbed
    dice = random.Random(20)
    positions = sorted(dice.randrange(int(0.95 * steps_of(plan))) for _ in range(50))
    seams: list[Any] = [*SEAMS, *[None] * 10]
    dice.shuffle(seams)
    seams += [None] * 20  # the last fifth has too few ends of runs for a seam that is only there
    killed: Counter[str] = Counter()
    for life, (position, seam) in enumerate(zip(positions, seams, strict=True)):
        ready = tmp_path / f"ready {life}"
        name, target, when, early = seam or ("the clock", "", "", False)
        training = nursery.start(
            lab_home, plan, fault(position=position, ready=str(ready), target=target, when=when, early=early)
        )
        if seam is None:
            training.wait_for(ready.exists)
            time.sleep(dice.uniform(0.0, 0.08))
            training.send_signal(signal.SIGKILL)
        code, said = training.finish()
        assert code == -signal.SIGKILL, said
        killed[name] += 1
    assert killed["the clock"] == 30
    assert set(killed) == {"the clock", *(name for name, *_ in SEAMS)}
    assert state(lab_home, plan)[0] == "running"
    code, said = train_alone(lab_home, plan)
    assert code == 0, said
    assert state(lab_home, plan) == ("finished", None)
    assert outcome(lab_home, plan) == expected
