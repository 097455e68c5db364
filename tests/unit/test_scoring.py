"""The score of registered predictions, over the sweeps of a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaling_core import cli
from scaling_core.runs.scoring import predictions_score
from scaling_core.runs.store import Store
from tests.lab_helpers import finish_runs, prediction, register, small_plan


def swept(home: Path, seed: int) -> None:
    plan = small_plan(seed)
    register(home, plan)
    finish_runs(home, plan)
    with Store.open_writer(home) as store:
        for run in plan.runs:
            if run.held_out:
                store.add_prediction(prediction(plan, run.id))
    finish_runs(home, plan, held_out=True)


def test_every_measured_prediction_counts_under_its_factor(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predictions_score(lab_home).total.n == 0
    for seed in (0, 1):
        swept(lab_home, seed)
    found = predictions_score(lab_home)
    plan = small_plan()
    largest = max(run.flops for run in plan.runs if not run.held_out)
    factors = [run.flops / largest for run in plan.runs if run.held_out]
    assert found.total.n == 2 * len(factors)
    assert found.total.median_error == pytest.approx(0.02)
    assert found.total.within == found.total.n
    for row in found.rows:
        assert row.n == 2 * sum(row.low <= factor < row.high for factor in factors)
    assert cli.main(["lab", "score"]) == 0
    assert "2.00%" in capsys.readouterr().out


def test_what_is_not_measured_yet_does_not_count(lab_home: Path) -> None:
    plan = small_plan()
    register(lab_home, plan)
    finish_runs(lab_home, plan)
    with Store.open_writer(lab_home) as store:
        store.add_prediction(prediction(plan, plan.runs[-1].id))
    assert predictions_score(lab_home).total.n == 0
