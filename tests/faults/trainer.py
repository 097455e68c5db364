"""What the fault tests of the trainer share: small ladders, processes that train them, and what came out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec, Shape, SweepSpec
from scaling_core.lab.tensors import read_tensors
from scaling_core.runs import place
from scaling_core.runs.store import Store

PRELUDE = """
import scaling_core.lab.foresee as foresee
import scaling_core.lab.rules as rules
import scaling_core.lab.selftest as selftest
import scaling_core.lab.train as train
train.CHECKPOINT_SECONDS = 0.2
train.FLUSH_SECONDS = 0.1
foresee.BOOTSTRAP = 40
rules.validation_windows = lambda mode: 64
rules.curve_every = lambda steps: 3
"""
"""Checkpoints often enough for a ladder of a few seconds, points that are cut by them, and short measurements."""
TRUSTED = "selftest.run = lambda device: selftest.SelfTest(ok=True, detail='tested before', checks=())\n"
"""The processor was tested by the undisturbed training; a test of its faults need not wait for that again."""
SHAPES = (Shape(n_layer=1, d_model=16, n_head=1), Shape(n_layer=2, d_model=24, n_head=1))


def make_plan(text: Path, **changes: Any) -> Plan:
    """Two sizes at two horizons over a text of one's own, the larger held out; changes: fields of the spec."""
    given: dict[str, Any] = {"shapes": SHAPES, "horizons": (4.0, 8.0), "seed": 1, "held_out": 1}
    spec = SweepSpec(mode="smoke", device="cpu", corpus=CorpusSpec(kind="path", path=str(text)), **{**given, **changes})
    return Plan(spec=spec, lines=rules.plan_lines(spec), seconds=1.0, memory_bytes=1)


class Training:
    """A process that trains, as its tests see it. said: what it has printed."""

    def __init__(self, nursery: Nursery, pid: int, log: Path, begin: int) -> None:
        self._nursery, self.pid, self._log, self._begin = nursery, pid, log, begin

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._log.read_bytes()[self._begin :].decode() if self._log.exists() else ""

    def poll(self) -> int | None:
        """How it ended (a signal as its negative), or None while it lives."""
        code: int | None = self._nursery.ask(pid=self.pid)
        return code

    def send_signal(self, number: int) -> None:
        """Only to a process that has not been waited for, so never to a stranger."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> int:
        """SIGKILL, and how it ended."""
        self.send_signal(signal.SIGKILL)
        return self.finish()[0]

    def wait_for(self, condition: Callable[[], bool], timeout: float = 120) -> None:
        """Until the condition holds; fails where the process ends before."""
        until = time.monotonic() + timeout
        while not condition():
            assert self.poll() is None, self.said
            assert time.monotonic() < until, "it took too long"
            time.sleep(0.005)

    def finish(self, timeout: float = 240) -> tuple[int, str]:
        """Wait for its end: the exit code and what it printed."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < until, self.said
            time.sleep(0.005)
        return code, self.said


class Nursery:
    """The process that forks trainings: see tests/faults/nursery.py."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != place.HOME_VARIABLE}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.faults.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=place.PROJECT, env=environment,
        )  # fmt: skip
        self._living: list[Training] = []

    def ask(self, **question: Any) -> Any:
        """One question, one answer."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def start(self, home: Path, plan: Plan, fault: str = "", *, tested: bool = True) -> Training:
        """Train a plan, begun or not; fault: Python that is run first. tested: False runs the device's self-test."""
        if not place.plan_file(home, plan.spec.id).exists():
            place.write_json(place.plan_file(home, plan.spec.id), plan.to_dict())
        log = place.log_file(home, plan.spec.id)
        begin = log.stat().st_size if log.exists() else 0
        prelude = PRELUDE + (TRUSTED if tested else "") + fault
        pid = self.ask(home=str(home), sweep=plan.spec.id, prelude=prelude, log=str(log))
        training = Training(self, pid, log, begin)
        self._living.append(training)
        return training

    def train(self, home: Path, plan: Plan, fault: str = "", *, tested: bool = True) -> tuple[int, str]:
        """Train a plan to its end: the exit code and what was printed."""
        return self.start(home, plan, fault, tested=tested).finish()

    def clear(self) -> None:
        """End whatever a test left behind, stopped ones too."""
        for training in self._living:
            if training.poll() is None:
                training.kill()
        self._living.clear()

    def close(self) -> None:
        """End."""
        self._process.communicate(timeout=30)


def train_alone(home: Path, plan: Plan) -> tuple[int, str]:
    """Train a plan in an interpreter of its own, as the supervisor does, self-test and all."""
    place.write_json(place.plan_file(home, plan.spec.id), plan.to_dict())
    code = PRELUDE + "import sys\nfrom scaling_core.lab.child import main\nsys.exit(main([sys.argv[1]]))"
    done = subprocess.run(
        [sys.executable, "-c", code, plan.spec.id], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=place.PROJECT, env={**os.environ, place.HOME_VARIABLE: str(home)}, timeout=240, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def trunk(home: Path, plan: Plan, track: str = "r1") -> Path:
    """The folder of a trunk's checkpoints."""
    return place.sweep_folder(home, plan.spec.id) / "checkpoints" / track / track


def killed_with_two_generations(nursery: Nursery, home: Path, plan: Plan) -> None:
    """Train until the trunk of the second size has two generations and no branch of it, then kill."""
    hold = "\nfrom scaling_core.lab.train import LineTraining\nimport time\nplain = LineTraining._enter\n"
    hold += "def enter(self, track, run, about=None):\n"
    hold += "    if track == 'r1-h4':\n        time.sleep(600)\n    plain(self, track, run, about)\n"
    hold += "LineTraining._enter = enter\n"
    training = nursery.start(home, plan, hold)
    folder, last = trunk(home, plan), f"{84:012d}.json"
    training.wait_for(lambda: (folder / last).exists() and len(list(folder.glob("[0-9]*"))) == 4)
    assert training.kill() == -signal.SIGKILL


def trains(home: Path, plan: Plan, training: Training) -> bool:
    """Whether the process has registered itself."""
    with Store.open_reader(home) as store:
        row = store.sweep(plan.spec.id)
    return row is not None and row.pid == training.pid


def state(home: Path, plan: Plan) -> tuple[str, str | None]:
    """How a sweep stands in the store, with its sentence."""
    with Store.open_reader(home) as store:
        row = store.sweep(plan.spec.id)
    assert row is not None
    return row.state, row.message


def events(home: Path, plan: Plan) -> str:
    """What was said about a sweep, a sentence a line."""
    with Store.open_reader(home) as store:
        return "\n".join(event.text for event in store.events(plan.spec.id))


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
        "predictions": [(p.run_id, p.loss, p.low, p.high, p.constants, p.fitted_runs) for p in foretold],
    }
