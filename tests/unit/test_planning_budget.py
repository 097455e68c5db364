"""A budget from every side: all sides of one training agree, and what cannot be answered is refused in a sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core.catalog import Preset, preset, presets
from scaling_core.errors import InputError
from scaling_core.hardware import DAY, device
from scaling_core.optimum import optimal_for_compute, optimum_band
from scaling_core.planning import Machine, TrainingBudget, budgeted, extrapolation, machine, refits_of

A100 = machine(device("a100-80gb"), count=8, mfu=0.4)
SERIOUS = [p.id for p in presets() if p.warning is None]
LAW = preset("besiroglu2024")


def near(x: float) -> object:
    return pytest.approx(x, rel=1e-9)


@pytest.mark.parametrize("id", SERIOUS)
def test_every_side_leads_to_one_training(id: str) -> None:
    law = preset(id)
    start = budgeted(law, TrainingBudget(days=30), A100)
    assert start.usd is not None
    sides = [
        TrainingBudget(C=start.C),
        TrainingBudget(usd=start.usd),
        TrainingBudget(loss=start.loss),
        TrainingBudget(N=start.N),
        TrainingBudget(D=start.D),
        TrainingBudget(N=start.N, D=start.D),
        TrainingBudget(C=start.C, N=start.N),
        TrainingBudget(C=start.C, D=start.D),
        TrainingBudget(C=start.C, ratio=start.tokens_per_param),
        TrainingBudget(N=start.N, ratio=start.tokens_per_param),
        TrainingBudget(D=start.D, ratio=start.tokens_per_param),
        TrainingBudget(loss=start.loss, N=start.N),
        TrainingBudget(loss=start.loss, ratio=start.tokens_per_param * (1 + 1e-9)),
    ]
    for side in sides:
        other = budgeted(law, side, A100)
        tolerance = 1e-3 if side.loss and (side.N or side.ratio) else 1e-9  # the loss is flat along the optimum
        for name in ("C", "N", "D", "loss", "seconds", "device_hours", "joules", "usd"):
            assert getattr(other, name) == pytest.approx(getattr(start, name), rel=tolerance), (side, name)
        assert other.days == pytest.approx(30, rel=tolerance)


@settings(max_examples=60)
@given(
    days=st.floats(0.01, 1e4),
    count=st.integers(1, 20_000),
    mfu=st.floats(0.01, 1.0),
    id=st.sampled_from(SERIOUS),
)
def test_time_money_and_compute_agree(days: float, count: int, mfu: float, id: str) -> None:
    rented = machine(device("h100-sxm"), count=count, mfu=mfu)
    law = preset(id).joint
    start = budgeted(law, TrainingBudget(days=days), rented)
    assert start.usd is not None
    assert start.days == near(days)
    assert rented.achieved * days * DAY == near(start.C)
    assert start.C == near(6 * start.N * start.D)
    assert start.device_hours == near(count * days * 24)
    for side in (TrainingBudget(usd=start.usd), TrainingBudget(C=start.C), TrainingBudget(N=start.N)):
        other = budgeted(law, side, rented)
        assert (other.N, other.D, other.days) == (near(start.N), near(start.D), near(days))


def test_the_answer_is_the_optimum_and_says_what_it_takes() -> None:
    plan = budgeted(LAW, TrainingBudget(days=30), A100)
    best = optimal_for_compute(LAW.joint, 312e12 * 8 * 0.4 * 30 * DAY)
    assert (plan.N, plan.D, plan.loss) == (near(best.N), near(best.D), near(best.loss))
    assert plan.device_hours == near(8 * 720)
    assert plan.usd == near(8 * 720 * 2.79)
    assert plan.kilowatt_hours == near(8 * 720 * 0.4)
    assert plan.verdict is not None
    assert plan.verdict.status == "near-optimal"
    assert plan.machine is A100


def test_a_model_off_the_optimum_is_judged() -> None:
    gpt3 = budgeted(LAW, TrainingBudget(N=175e9, D=300e9))
    assert gpt3.verdict is not None
    assert gpt3.verdict.status == "under-trained"
    assert (gpt3.seconds, gpt3.days, gpt3.device_hours, gpt3.joules, gpt3.kilowatt_hours, gpt3.usd) == (None,) * 6
    assert gpt3.extrapolation.factors == {"the parameters": near(175e9 / 16.2e9)}
    assert gpt3.extrapolation.worst == near(175e9 / 16.2e9)


def test_without_a_price_there_is_no_cost_and_without_a_power_no_energy() -> None:
    laptop = machine(device("macbook-m1"), mfu=0.3)
    plan = budgeted(LAW, TrainingBudget(days=7), laptop)
    assert plan.usd is None
    assert plan.joules is None
    assert plan.days == near(7)
    with pytest.raises(InputError, match="price: got 'nothing', but none is listed for this hardware"):
        budgeted(LAW, TrainingBudget(usd=100), laptop)
    own = machine(device("macbook-m1"), mfu=0.3, price=0.1)
    assert (own.price, own.price_date) == (0.1, "")
    assert budgeted(LAW, TrainingBudget(usd=24), own).days == near(10)
    assert A100.price_date == "2026-09-20"


def test_intervals_are_those_of_the_refits() -> None:
    plan = budgeted(LAW, TrainingBudget(C=5.76e23))
    refits = refits_of(LAW)
    assert refits is not None
    band = optimum_band("chinchilla", refits.rows, np.array([5.76e23]), estimate=refits.estimate, interval=refits.ends)
    assert plan.N_interval is not None
    assert plan.D_interval is not None
    assert plan.loss_interval is not None
    assert (plan.N_interval.low, plan.N_interval.high) == (near(float(band.N.low[0])), near(float(band.N.high[0])))
    assert plan.D_interval.low < plan.D < plan.D_interval.high
    assert plan.loss_interval.low < plan.loss < plan.loss_interval.high
    assert plan.loss_interval.level == 0.95
    for other in (preset("hoffmann2022"), LAW.joint):
        bare = budgeted(other, TrainingBudget(C=5.76e23))
        assert (bare.loss_interval, bare.N_interval, bare.D_interval) == (None, None, None)


def test_how_far_beyond_the_range() -> None:
    law = preset("hoffmann2022")
    inside = extrapolation(law, 1e9, 20e9)
    assert (inside.factors, inside.sentences, inside.worst, inside.stated) == ({}, (), 1.0, True)
    both = extrapolation(law, 7e6, 5e12)
    assert both.factors == {"the parameters": near(10), "the tokens": near(10)}
    assert both.sentences == law.range_notes(N=7e6, D=5e12)
    nowhere = extrapolation(preset("talk-slides"), 1e9, 1e9)
    assert not nowhere.stated
    assert math.isnan(nowhere.worst)
    assert not extrapolation(law.joint, 1e30, 1.0).stated


def test_a_range_of_compute_counts_too() -> None:
    whole = preset("hoffmann2022")
    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__} | {"valid_C": (1e18, 1e20)}
    found = extrapolation(Preset(**fields), 1e9, 20e9)
    assert found.factors == {"the compute": near(1.2)}
    assert len(found.sentences) == 1
    assert extrapolation(Preset(**fields), 1e9, 20e9, 1e17).factors == {"the compute": near(10)}


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (TrainingBudget(), "budget: got 'nothing', but give a time, a sum"),
        (TrainingBudget(days=1, usd=1), "budget: got 'days and money', but give one limit"),
        (TrainingBudget(ratio=20), "budget: got 'tokens per parameter', but give one limit"),
        (TrainingBudget(C=1e20, N=1e9, D=1e9), "budget: got 'compute, params and tokens'"),
        (TrainingBudget(N=1e9, D=1e9, ratio=20), "budget: got 'params, tokens and tokens per parameter'"),
        (TrainingBudget(days=math.nan), "days: got nan, but it must be a positive finite number"),
        (TrainingBudget(usd=-5), "money: got -5"),
        (TrainingBudget(N=0.0), "params: got 0.0"),
        (TrainingBudget(C=math.inf), "compute: got inf"),
        (TrainingBudget(loss=1.0), "loss: got 1.0, but that is impossible"),
        (TrainingBudget(loss=2.5, D=1e9), "tokens: got 1000000000.0, but a target loss goes with a size"),
        (TrainingBudget(loss=2.0, N=1e6), "params: got 1000000.0, but no amount of data"),
        (TrainingBudget(loss=2.5, ratio=0.01), "tokens per parameter: got 0.01, but over-training begins at"),
        (TrainingBudget(C=100, D=1e6), "budget: got '1.67e-5 parameters on 1M tokens', but a training has at least"),
        (TrainingBudget(N=1e200, D=1e200), "but a training has at least one parameter and one token, and an end"),
    ],
)
def test_what_cannot_be_answered_is_refused(budget: TrainingBudget, said: str) -> None:
    with pytest.raises(InputError, match=said):
        budgeted(LAW, budget, A100)


def test_time_and_money_need_hardware() -> None:
    for budget in (TrainingBudget(days=1), TrainingBudget(usd=1)):
        with pytest.raises(InputError, match="hardware: got 'nothing', but a time or a sum becomes compute"):
            budgeted(LAW, budget)
    with pytest.raises(InputError, match="it is a law in D alone"):
        budgeted(preset("kaplan2020-d"), TrainingBudget(C=1e20))


@pytest.mark.parametrize("change", [{"peak": 0.0}, {"mfu": 1.5}, {"count": 0}, {"price": 0.0}, {"power": -1.0}])
def test_a_machine_that_cannot_be_meant_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Machine(**({"name": "x", "peak": 1e12, "mfu": 0.5} | change))  # type: ignore[arg-type]  # wrong on purpose


def test_a_law_without_an_optimum_still_answers_for_a_given_model() -> None:
    plan = budgeted(preset("talk-slides"), TrainingBudget(N=1e9, D=20e9), A100)
    assert plan.loss > 10
    assert plan.days is not None
