"""A training whose database another program holds, for less and for longer than it waits."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab.records import Plan
from scaling_core.runs import place, supervisor
from tests.faults.trainer import Nursery, outcome, state, trains

pytestmark = pytest.mark.slow

IMPATIENT = "import scaling_core.runs.schema as schema\nschema.BUSY_SECONDS = 1.5\n"


@contextlib.contextmanager
def held(home: Path) -> Iterator[None]:
    """The database's lock for writers, taken by this process."""
    with contextlib.closing(sqlite3.connect(place.database(home), isolation_level=None, timeout=10)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_short_lock_is_waited_for(undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path) -> None:
    plan, expected = undisturbed
    training = nursery.start(lab_home, plan)
    training.wait_for(lambda: trains(lab_home, plan, training))
    with held(lab_home):
        time.sleep(1.0)
        assert training.poll() is None
        assert supervisor.status(plan.spec.id, lab_home).state == "running"
    code, said = training.finish()
    assert code == 0, said
    assert outcome(lab_home, plan) == expected


def test_a_long_lock_ends_it_in_a_sentence_and_it_resumes_to_the_same_bits(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    plan, expected = undisturbed
    training = nursery.start(lab_home, plan, IMPATIENT)
    training.wait_for(lambda: trains(lab_home, plan, training))
    with held(lab_home):
        code, said = training.finish()
        assert supervisor.status(plan.spec.id, lab_home).state == "interrupted"
    assert code == 1
    assert "has been locked by another program" in said
    assert "Traceback" not in said
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    assert state(lab_home, plan) == ("finished", None)
    assert outcome(lab_home, plan) == expected
