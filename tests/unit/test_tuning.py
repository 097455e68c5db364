"""Bowls of planted parabolas, and the rate law through their vertices."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from scaling_core.errors import FitError, InputError
from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec, SweepSpec
from scaling_core.runs.rows import RunRow
from scaling_core.runs.tuning import rate_bowls, rate_law
from tests.lab_helpers import rows_of

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def tuning_plan(**changes: object) -> Plan:
    shapes = rules.ladder_shapes()[:3]
    given = {"rate_factors": FACTORS, "held_out": 0, **changes}
    spec = SweepSpec(mode="live", device="cpu", corpus=CorpusSpec(), shapes=shapes, horizons=(10.0,), **given)  # type: ignore[arg-type]  # options by name
    return Plan(spec=spec, lines=rules.plan_lines(spec), seconds=1.0, memory_bytes=1)


def best(params: int) -> float:
    """The planted best rate."""
    return 0.004 * math.pow(params / 1e5, -0.3)


def measured(plan: Plan) -> list[RunRow]:
    """Losses on parabolas in the log rate around the planted best."""
    peaks = {line.track: line.learning_rate for line in plan.lines}
    return [
        replace(
            run,
            state="finished",
            loss=2.0 + 0.05 * (math.log(peaks[run.track]) - math.log(best(run.params_non_embedding))) ** 2,
        )
        for run in rows_of(plan)
    ]


def test_the_planted_rates_and_their_law_come_back() -> None:
    plan = tuning_plan()
    bowls = rate_bowls(plan, measured(plan))
    assert [bowl.rung for bowl in bowls] == [0, 1, 2]
    for bowl in bowls:
        assert bowl.best_rate == pytest.approx(best(bowl.params_non_embedding), rel=1e-9)
        assert bowl.best_loss == pytest.approx(2.0)
        assert not bowl.at_edge
        assert len(bowl.rates) == 5
    law = rate_law(bowls)
    assert law.coefficient == pytest.approx(0.004, rel=1e-9)
    assert law.exponent == pytest.approx(-0.3, rel=1e-9)
    assert law.rate(1e5) == pytest.approx(0.004)


def test_a_best_rate_at_the_edge_is_flagged_and_left_out_of_the_law() -> None:
    plan = tuning_plan()
    runs = [
        replace(run, loss=2.0 + 0.01 * FACTORS[::-1].index(run.rate_factor)) if run.rung == 2 else run
        for run in measured(plan)
    ]
    bowls = rate_bowls(plan, runs)
    assert [bowl.at_edge for bowl in bowls] == [False, False, True]
    assert "left out" in rate_law(bowls).note
    with pytest.raises(FitError, match="1 of 2 sizes"):
        rate_law(bowls[1:])


def test_a_rate_that_diverged_closes_the_bowl_from_above() -> None:
    plan = tuning_plan()
    runs = [
        replace(run, loss=None, state="failed") if run.rate_factor > 1 else replace(run, loss=2.0 - run.rate_factor / 9)
        for run in measured(plan)
    ]
    bowls = rate_bowls(plan, runs)
    assert all(not bowl.at_edge and len(bowl.failed) == 2 for bowl in bowls)
    assert all(bowl.best_rate == bowl.rates[-1] for bowl in bowls)


def test_a_tuning_sweep_foretells_nothing_and_names_its_lines() -> None:
    plan = tuning_plan()
    assert [line.track for line in plan.lines[:5]] == ["r0-x0.25", "r0-x0.5", "r0", "r0-x2", "r0-x4"]
    assert not any(run.held_out for run in plan.runs)
    with pytest.raises(InputError, match="foretells nothing"):
        tuning_plan(held_out=1)
