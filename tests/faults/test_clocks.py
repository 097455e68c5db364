"""A machine that sleeps and a clock that jumps: nothing is declared dead, counted backwards or divided by nothing."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from scaling_core.errors import SweepError
from scaling_core.lab import journal
from scaling_core.lab.records import Plan
from scaling_core.runs import supervisor
from scaling_core.runs.results import results
from scaling_core.runs.store import Store
from tests.faults.trainer import Nursery, outcome, state, trains

pytestmark = pytest.mark.slow

JUMPS = """
import random, time
dice, plain = random.Random(5), time.time
def jumping():
    jumping.off += dice.choice((0, 0, 0, -3600, 3600, -86400, 86400)) * (dice.random() < 0.2)
    return plain() + jumping.off
jumping.off = 0
time.time = jumping
"""
"""The wall clock moved by an hour or a day, forwards or backwards, at every seventh look or so."""


def test_a_training_that_slept_is_alive_and_ends_in_the_same_bits(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    training = nursery.start(lab_home, plan)
    training.wait_for(lambda: trains(lab_home, plan, training))
    training.send_signal(signal.SIGSTOP)
    with Store.open_reader(lab_home) as store:
        asleep = store.sweep(plan.spec.id)
    time.sleep(journal.HEARTBEAT_SECONDS + 1.0)
    with Store.open_reader(lab_home) as store:
        row = store.sweep(plan.spec.id)
    assert row == asleep, "it was not asleep"
    assert supervisor.status(plan.spec.id, lab_home).state == "running"
    for action in (supervisor.resume, supervisor.delete):
        with pytest.raises(SweepError, match="is training"):
            action(plan.spec.id, lab_home)
    with pytest.raises(SweepError, match="cpu is busy"):
        supervisor.start(plan.with_seed(7), lab_home, seed_given=True)
    training.send_signal(signal.SIGCONT)
    code, said = training.finish()
    assert code == 0, said
    assert outcome(lab_home, plan) == expected


def test_a_training_asleep_is_stopped_and_resumed(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    training = nursery.start(lab_home, plan)
    training.wait_for(lambda: trains(lab_home, plan, training))
    training.send_signal(signal.SIGSTOP)
    assert supervisor.stop(plan.spec.id, lab_home, grace=0.3).state == "interrupted"
    assert training.finish()[0] == -signal.SIGKILL
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    assert outcome(lab_home, plan) == expected


def test_a_clock_that_jumps_by_hours_changes_no_bit_and_no_duration(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    begun = time.monotonic()
    training = nursery.start(lab_home, plan, JUMPS)
    training.wait_for(lambda: trains(lab_home, plan, training))
    seen = 0
    while training.poll() is None:
        status = supervisor.status(plan.spec.id, lab_home)
        if training.poll() is not None:
            break
        assert status.state in ("running", "finished")
        assert 0.0 <= status.fraction <= 1.0
        assert status.seconds_left is None or status.seconds_left >= 0.0
        seen += 1
        time.sleep(0.1)
    took = time.monotonic() - begun
    code, said = training.finish()
    assert code == 0, said
    assert seen > 2
    assert state(lab_home, plan) == ("finished", None)
    assert outcome(lab_home, plan) == expected
    with Store.open_reader(lab_home) as store:
        runs = store.runs(plan.spec.id)
        points = store.curve(plan.spec.id)
    times = [point.at for point in points]
    assert times != sorted(times), "the clock did not jump"
    assert all(run.seconds is not None and 0.0 < run.seconds < took for run in runs)
    assert sum(run.seconds or 0.0 for run in runs) < took
    assert all(0.0 < point.tokens_per_second < 1e9 for point in points)
    assert results(plan.spec.id, lab_home, bootstrap=0)["prediction"]["measured"] is not None


def test_a_resumption_after_the_clock_went_back_goes_on(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    training = nursery.start(lab_home, plan)
    training.wait_for(lambda: trains(lab_home, plan, training))
    assert training.kill() == -signal.SIGKILL
    past = f"import time\nplain = time.time\ntime.time = lambda: plain() - {86_400 * 400}\n"
    code, said = nursery.train(lab_home, plan, past)
    assert code == 0, said
    assert state(lab_home, plan) == ("finished", None)
    assert outcome(lab_home, plan) == expected
    status = supervisor.status(plan.spec.id, lab_home)
    assert status.state == "finished"
    assert status.ended_at is not None
    assert status.seconds > 0.0
