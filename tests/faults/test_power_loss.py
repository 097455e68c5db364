"""What a power failure leaves: writes that never reached the disk, cut short or full of zeros, newest first."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab.records import Plan
from scaling_core.runs import place, supervisor
from scaling_core.runs.store import Store
from tests.faults.trainer import Nursery, events, killed_with_two_generations, outcome, trunk

pytestmark = pytest.mark.slow

Damage = Callable[[Path, int], None]


def cut(path: Path, keep: int) -> None:
    """The file ends after `keep` bytes."""
    os.truncate(path, keep)


def zero(path: Path, keep: int) -> None:
    """The file has its length, and nothing but zeros after `keep` bytes."""
    size = path.stat().st_size
    os.truncate(path, keep)
    os.truncate(path, size)


def noise(path: Path, keep: int) -> None:
    """The blocks behind `keep` bytes are those of a file that was deleted."""
    data = path.read_bytes()
    path.write_bytes(data[:keep] + random.Random(keep).randbytes(len(data) - keep))


@pytest.mark.parametrize(("suffix", "damage"), [(".safetensors", cut), (".json", zero), (".safetensors", noise)])
def test_a_torn_generation_gives_way_to_the_one_before(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path, suffix: str, damage: Damage
) -> None:
    plan, expected = undisturbed
    killed_with_two_generations(nursery, lab_home, plan)
    older, newest = sorted(trunk(lab_home, plan).glob(f"[0-9]*{suffix}"))
    damage(newest, random.Random(suffix).randrange(newest.stat().st_size - 1))
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    told = events(lab_home, plan)
    assert f"The checkpoint of r1 at step {int(newest.stem)} is damaged" in told
    assert f"the one of step {int(older.stem)} is used instead" in told
    assert outcome(lab_home, plan) == expected


def test_where_both_generations_are_torn_the_track_begins_again(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    killed_with_two_generations(nursery, lab_home, plan)
    dice = random.Random(3)
    for path in trunk(lab_home, plan).iterdir():
        dice.choice((cut, zero, noise))(path, dice.randrange(path.stat().st_size - 1))
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    assert "the track begins again" in events(lab_home, plan)
    assert outcome(lab_home, plan) == expected


SYNCED = """
import os
from pathlib import Path
from contextlib import contextmanager
from scaling_core.lab.checkpoint import Checkpoints
from scaling_core.runs import place
from scaling_core.runs.store import Store
log = Path(str(place.database(place.home())) + "-wal")
kept = place.home() / "synced"
plain = Store._write
@contextmanager
def write(self, *, durable=False):
    with plain(self, durable=durable) as do:
        yield do
    if durable:
        kept.write_text(str(log.stat().st_size))
Store._write = write
save = Checkpoints.save
def count(self, step, tensors, about):
    save(self, step, tensors, about)
    count.saves += self.track == "r1"
    if count.saves == 2:
        os.kill(os.getpid(), 9)
count.saves = 0
Checkpoints.save = count
"""


@pytest.mark.parametrize("damage", [cut, noise])
def test_a_database_that_loses_what_was_not_synced_still_has_every_point_up_to_the_checkpoint(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path, damage: Damage
) -> None:
    plan, expected = undisturbed
    code, said = nursery.train(lab_home, plan, SYNCED)
    assert code == -signal.SIGKILL, said
    log = Path(f"{place.database(lab_home)}-wal")
    synced = int((lab_home / "synced").read_text())
    assert 0 < synced <= log.stat().st_size
    damage(log, synced)
    Path(f"{place.database(lab_home)}-shm").unlink()
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    assert outcome(lab_home, plan) == expected


def test_a_plan_that_was_torn_is_written_again_from_the_store(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, _ = undisturbed
    training = nursery.start(lab_home, plan)
    path = trunk(lab_home, plan).parent.parent / "r0"
    training.wait_for(path.exists)
    assert training.kill() == -signal.SIGKILL
    zero(place.plan_file(lab_home, plan.spec.id), 100)
    code, said = nursery.train(lab_home, plan)
    assert code == 1
    assert "cannot be read" in said
    monkeypatch.setattr(supervisor, "CHILD_MODULE", "tests.faults.dummy_child")
    started = supervisor.resume(plan.spec.id, lab_home)
    supervisor.stop(started.sweep, lab_home)
    with Store.open_reader(lab_home) as store:
        row = store.sweep(plan.spec.id)
    assert row is not None
    assert row.plan == plan
