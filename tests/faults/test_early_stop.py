"""Runs that are stopped once their end is foretold: marked, left out of the fit, and the same after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaling_core.errors import FitError
from scaling_core.lab.records import Plan
from scaling_core.runs.results import fit_runs
from scaling_core.runs.rows import RunRow
from scaling_core.runs.store import Store
from tests.faults.trainer import Nursery, make_plan, outcome

pytestmark = pytest.mark.slow
TOLERANCE = 0.2
"""Wide, since so short curves foretell little."""


def plan_of(text: Path) -> Plan:
    return make_plan(text, horizons=(4.0, 12.0), stop_early=TOLERANCE, seeds=(2, 1))


def rows(home: Path, plan: Plan) -> list[RunRow]:
    with Store.open_reader(home) as store:
        return store.runs(plan.spec.id)


@pytest.fixture(scope="module")
def whole(_nursery: Nursery, text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with the sweep trained undisturbed, and what the training said."""
    home = tmp_path_factory.mktemp("whole")
    code, said = _nursery.train(home, plan_of(text))
    assert code == 0, said
    return home, said


def test_a_run_that_is_certain_is_stopped_and_marked(whole: tuple[Path, str], text: Path) -> None:
    (home, said), plan = whole, plan_of(text)
    runs = rows(home, plan)
    stopped = [run for run in runs if run.censored]
    assert stopped, said
    for run in stopped:
        assert not run.held_out
        assert run.tokens < run.planned_tokens
        assert run.loss is not None
        assert run.se is not None
        assert 1.96 * run.se <= 1.01 * TOLERANCE * run.loss
        assert f"{run.id} was stopped." in said
    assert all(run.state == "finished" for run in runs)
    assert not any(run.censored for run in runs if run.held_out)
    measured = [run for run in runs if run.loss is not None and not run.censored and not run.held_out]
    assert measured
    with pytest.raises(
        FitError, match=f"^{len(measured[:3])} runs? cannot carry"
    ):  # those that were stopped do not count
        fit_runs([*stopped, *measured[:3]])


def test_a_kill_changes_no_decision(nursery: Nursery, whole: tuple[Path, str], text: Path, lab_home: Path) -> None:
    plan = plan_of(text)
    wanted = 0.3 * sum(run.tokens for run in rows(whole[0], plan))
    training = nursery.start(lab_home, plan)
    training.wait_for(lambda: sum(run.tokens for run in rows(lab_home, plan)) >= wanted)
    training.kill()
    assert nursery.train(lab_home, plan)[0] == 0
    assert outcome(lab_home, plan) == outcome(whole[0], plan)
    assert [run.censored for run in rows(lab_home, plan)] == [run.censored for run in rows(whole[0], plan)]
