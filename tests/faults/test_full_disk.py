"""A disk that fills up, a small file system of its own each time: a sentence, nothing lost, and the same bits later."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from scaling_core.errors import StoreError
from scaling_core.lab.records import Plan
from scaling_core.runs import place, supervisor
from scaling_core.runs.store import Store
from tests.faults.trainer import Nursery, outcome, state

pytestmark = pytest.mark.slow

FILL = """
from pathlib import Path
from scaling_core.runs import place
def fill():
    with open(place.home() / "filler", "ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
"""
AT = """
from scaling_core.lab import checkpoint
from scaling_core.runs.store import Store
plain = {target}
def full(*given, **named):
    full.count += 1
    if full.count == {count}:
        fill()
    return plain(*given, **named)
full.count = 0
{target} = full
"""
"""The disk fills up at the moment of a certain call."""


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return filler


@pytest.mark.parametrize(
    ("target", "count", "said"),
    [
        ("checkpoint.write_tensors", 4, "make room there and resume"),
        ("checkpoint.keep_weights", 2, "make room there and resume"),
        ("Store.finish_run", 5, "free some space"),
        ("Store.add_curve", 9, "free some space"),
    ],
)
def test_a_disk_that_fills_up_fails_in_a_sentence_and_loses_nothing(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, small_disk: Path, target: str, count: int, said: str
) -> None:
    plan, expected = undisturbed
    fault = FILL + AT.format(target=target, count=count)
    if "keep_weights" in target:
        fault += "import scaling_core.lab.train as train\ntrain.keep_weights = full\n"
    code, log = nursery.train(small_disk, plan, fault)
    assert code == 1, log
    assert "Traceback" not in log
    kind, message = state(small_disk, plan)
    assert kind == "failed"
    assert message is not None
    assert said in message
    (small_disk / "filler").unlink()
    code, log = nursery.train(small_disk, plan)
    assert code == 0, log
    assert outcome(small_disk, plan) == expected


def test_a_disk_that_is_full_at_the_start_takes_no_half_of_a_plan(
    undisturbed: tuple[Plan, dict[str, Any]], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, _ = undisturbed
    monkeypatch.setattr(supervisor, "CHILD_MODULE", "tests.faults.dummy_child")
    place.make_folder(place.sweep_folder(small_disk, plan.spec.id))
    filler = fill(small_disk)
    with pytest.raises(StoreError, match="free space"):
        supervisor.start(plan, small_disk, seed_given=True)
    assert list(place.sweep_folder(small_disk, plan.spec.id).iterdir()) == []
    with Store.open_reader(small_disk) as store:
        assert store.sweeps() == []
    filler.unlink()
    started = supervisor.start(plan, small_disk, seed_given=True)
    assert supervisor.stop(started.sweep, small_disk).state == "stopped"
