"""A ladder that grows trains only what is new, and ends in the bits that it would have ended in alone."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from tests.faults.trainer import Nursery, events, outcome, trunk

pytestmark = pytest.mark.slow

STEPS = """
from scaling_core.lab.train import LineTraining
plain = LineTraining._batch
def batch(self):
    print("trained", self._track, self.step)
    return plain(self)
LineTraining._batch = batch
"""


def changed(plan: Plan, **fields: Any) -> Plan:
    spec = replace(plan.spec, **fields)
    return Plan(spec=spec, lines=rules.plan_lines(spec), seconds=1.0, memory_bytes=1)


def trained(said: str) -> dict[str, list[int]]:
    """Steps that were trained, by track."""
    found: dict[str, list[int]] = {}
    for track, step in re.findall(r"^trained (\S+) (\d+)$", said, re.M):
        found.setdefault(track, []).append(int(step))
    return found


@pytest.fixture(scope="module")
def small(undisturbed: tuple[Plan, dict[str, Any]]) -> Plan:
    """The undisturbed sweep without its longest horizon."""
    return changed(undisturbed[0], horizons=(1.0, 2.0))


@pytest.fixture(scope="module")
def large(undisturbed: tuple[Plan, dict[str, Any]]) -> Plan:
    """The undisturbed sweep with a second seed of the smallest size."""
    return changed(undisturbed[0], seeds=(2, 1, 1))


@pytest.fixture(scope="module")
def alone(_nursery: Nursery, large: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What comes out of the larger sweep in a home of its own."""
    home = tmp_path_factory.mktemp("alone")
    code, said = _nursery.train(home, large)
    assert code == 0, said
    return outcome(home, large)


@pytest.fixture(scope="module")
def grown(_nursery: Nursery, small: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the smaller sweep is finished."""
    home = tmp_path_factory.mktemp("grown")
    code, said = _nursery.train(home, small)
    assert code == 0, said
    return home


def test_a_longer_horizon_and_a_second_seed_train_only_what_is_new(
    nursery: Nursery, grown: Path, small: Plan, large: Plan, alone: dict[str, Any], lab_home: Path
) -> None:
    shutil.copytree(grown, lab_home, dirs_exist_ok=True)
    code, said = nursery.train(lab_home, large, STEPS)
    assert code == 0, said
    steps = trained(said)
    assert set(steps) == {"r0", "r0-h4", "r1", "r1-h4", "r2", "r2-h4", "r0-s1", "r0-s1-h1", "r0-s1-h2", "r0-s1-h4"}
    for before, line in zip(small.lines, (line for line in large.lines if line.track != "r0-s1"), strict=True):
        assert steps[line.track] == list(range(before.trunk_steps, line.trunk_steps))
    found = outcome(lab_home, large)
    assert found["runs"] == alone["runs"]
    assert found["weights"] == alone["weights"]
    new = {key: point for key, point in alone["curve"].items() if key[0] not in ("r0", "r1", "r2")}
    assert {key: point for key, point in found["curve"].items() if key in new} == new
    assert [one for one in alone["predictions"] if one[0] == "r2-h4"] == found["predictions"]


@pytest.mark.parametrize("generations", [1, 2])
def test_a_torn_trunk_of_the_other_sweep_is_said_and_changes_no_bit(
    nursery: Nursery, grown: Path, small: Plan, large: Plan, alone: dict[str, Any], lab_home: Path, generations: int
) -> None:
    shutil.copytree(grown, lab_home, dirs_exist_ok=True)
    kept = sorted(trunk(lab_home, small).glob("[0-9]*.safetensors"))
    assert len(kept) == 2
    for path in kept[-generations:]:
        path.write_bytes(path.read_bytes()[:-5])
    code, said = nursery.train(lab_home, large, STEPS)
    assert code == 0, said
    assert f"The checkpoint of r1 at step {int(kept[-1].stem)} is damaged" in events(lab_home, large)
    begin = int(kept[0].stem) if generations == 1 else 0
    assert trained(said)["r1"][0] == begin
    assert ("begins again" in events(lab_home, large)) == (generations == 2)
    found = outcome(lab_home, large)
    assert found["runs"] == alone["runs"]
    assert found["weights"] == alone["weights"]
