"""Numbers about hardware that everybody can check by hand, among them those that the talk recomputes."""

from __future__ import annotations

import pytest

from scaling_core.catalog import preset
from scaling_core.flops import training_flops
from scaling_core.hardware import DAY, YEAR, cost, device, device_hours, flops_in, training_seconds, utilisations
from scaling_core.optimum import twenty_to_one
from scaling_core.planning import TrainingBudget, budgeted, machine
from scaling_core.talk import claims

GPT3 = training_flops(175e9, 300e9)


def recomputed(id: str) -> float:
    """What the talk's own check computes."""
    value = next(claim for claim in claims() if claim.id == id).recomputed
    assert isinstance(value, float)
    return value


def test_gpt3_on_one_laptop_takes_seven_centuries() -> None:
    assert GPT3 == pytest.approx(3.15e23)
    years = training_seconds(GPT3, peak=14e12, mfu=1.0) / YEAR
    assert round(years) == 713
    assert years == pytest.approx(recomputed("gpt3-time-m3max"), rel=1e-12)
    published = training_seconds(3.14e23, peak=14e12, mfu=1.0) / YEAR
    assert published == pytest.approx(710.7, abs=0.05)


def test_gpt3_on_a_thousand_a100() -> None:
    seconds = training_seconds(GPT3, peak=device("a100-80gb").peak(), count=1024, mfu=1.0)
    assert round(seconds / DAY, 1) == 11.4
    assert seconds / DAY == pytest.approx(recomputed("gpt3-time-1024xa100"), rel=1e-12)
    hours = device_hours(seconds, count=1024)
    assert hours == pytest.approx(280e3, rel=0.005)
    assert cost(hours, price=2.0) == pytest.approx(recomputed("gpt3-cost-1024xa100"), rel=1e-12)


def test_one_a100_for_a_month() -> None:
    C = flops_in(30 * DAY, peak=device("a100-40gb").peak(), mfu=1.0)
    assert pytest.approx(8.087e20, rel=1e-4) == C
    assert pytest.approx(recomputed("budget-a100-month"), rel=1e-12) == C
    N, D = twenty_to_one(C)
    assert f"{N:.2g} {D:.2g}" == "2.6e+09 5.2e+10"
    month = machine(device("a100-40gb"), mfu=1.0)
    plan = budgeted(preset("hoffmann2022"), TrainingBudget(days=30, ratio=20), month)
    assert plan.N == pytest.approx(N, rel=1e-12)
    assert plan.D == pytest.approx(D, rel=1e-12)
    assert plan.C == pytest.approx(C, rel=1e-12)


def test_what_gpt3_really_took_on_its_v100s() -> None:
    """PaLM's table: 21.3% of the 125 TFLOP/s of a V100, so 3.15e23 FLOP are about 3.3 million V100-hours."""
    share = next(one.mfu for one in utilisations() if one.id == "gpt3")
    hours = device_hours(training_seconds(GPT3, peak=125e12, mfu=share))
    assert hours == pytest.approx(3.29e6, rel=0.01)


def test_llama3_405b_by_its_own_report() -> None:
    """3.8e25 FLOP (Grattafiori et al. 2024, section 3.2.1) on 16,384 H100 at the 41% of its table 4 take 66 days."""
    seconds = training_seconds(3.8e25, peak=device("h100-sxm").peak(), count=16_384, mfu=0.41)
    assert seconds / DAY == pytest.approx(66.2, abs=0.2)
