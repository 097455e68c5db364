"""Batch, rate and warm-up: the papers' own models come out of the papers' rules, and what lies outside says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core.errors import InputError
from scaling_core.planning import recipe as rules
from scaling_core.planning.architecture import architecture_for, of_shape
from scaling_core.planning.recipe import (
    DEEPSEEK,
    STEP_LAW,
    critical_batch,
    deepseek,
    make_recipe,
    round_batch,
    step_law,
    suggestions,
)
from scaling_core.planning.solidity import Range


@pytest.mark.parametrize(
    ("layers", "width", "sequences", "rate"),
    [(30, 4096, 2304, 4.2e-4), (95, 8192, 4608, 3.2e-4)],
)
def test_deepseeks_own_models_lie_near_its_rule(layers: int, width: int, sequences: int, rate: float) -> None:
    """Bi et al. 2024, table 2: 7B and 67B, 2T tokens of 4,096 a sequence; figure 3 shows both beside the lines.

    They were trained with rounder numbers: the rate differs by up to 2.5%, the batch by up to 9.5%.
    """
    compute = 2e12 * (72 * layers * width**2 + 12 * layers * width * 4096)
    batch, peak = deepseek(compute)
    assert peak == pytest.approx(rate, rel=0.03)
    assert batch == pytest.approx(sequences * 4096, rel=0.10)


def test_deepseeks_rule_at_1e17_and_1e20() -> None:
    assert deepseek(1e17)[0] == pytest.approx(0.107e6, rel=0.02)
    assert deepseek(1e17)[1] == pytest.approx(2.34e-3, rel=0.005)
    assert deepseek(1e20)[0] == pytest.approx(1.02e6, rel=0.01)
    assert deepseek(1e20)[1] == pytest.approx(9.86e-4, rel=0.005)


def test_step_law_by_hand() -> None:
    """The formulas at N = 1e9, D = 1e11, in logarithms: 1.79 * 10^(-6.417 + 3.377), 0.58 * 10^6.281."""
    batch, rate = step_law(1e9, 1e11)
    assert rate == pytest.approx(1.79 * 10 ** (-0.713 * 9 + 0.307 * 11), rel=1e-12)
    assert batch == pytest.approx(0.58 * 10 ** (0.571 * 11), rel=1e-12)
    assert rate == pytest.approx(1.63e-3, rel=0.01)
    assert batch == pytest.approx(1.108e6, rel=0.01)


def test_the_critical_batch_is_kaplans() -> None:
    assert critical_batch(1.0) == 2.1e8
    assert critical_batch(3.0) == pytest.approx(2.1e8 * 3 ** (-1 / 0.21), rel=1e-12)
    assert critical_batch(2.0) / critical_batch(4.0) == pytest.approx(2 ** (1 / 0.21), rel=1e-12)
    for loss in (0.0, float("nan"), 50.0):
        with pytest.raises(InputError):
            critical_batch(loss)


def test_a_range_says_by_what_factor() -> None:
    one = Range(quantity="N", low=10.0, high=100.0)
    assert (one.outside(5.0), one.outside(50.0), one.outside(400.0)) == (2.0, 1.0, 4.0)


def test_the_rule_is_the_one_nearest_to_its_range() -> None:
    tiny = architecture_for(7.4e6)
    found = suggestions(tiny, 1.4e8)
    assert [one.rule.id for one in found] == ["deepseek", "step-law"]
    outside = {one.rule.id: one.outside for one in found}
    assert outside["step-law"] == pytest.approx(STEP_LAW.ranges[0].low / tiny.count.non_embedding)
    assert outside["deepseek"] == pytest.approx(DEEPSEEK.ranges[0].low / (1.4e8 * tiny.flops_non_embedding))
    assert make_recipe(tiny, 1.4e8).rule is DEEPSEEK
    assert make_recipe(tiny, 1.4e8, rule="step-law").rate == found[1].rate > 0.03
    assert make_recipe(architecture_for(1e9), 2e10).rule is STEP_LAW


def test_the_caution_names_factor_and_rule() -> None:
    said = make_recipe(architecture_for(7.4e6), 1.4e8).cautions
    assert len(said) == 1
    assert "a factor of 65 outside the runs on which DeepSeek LLM was fitted" in said[0]
    assert make_recipe(architecture_for(1e9), 2e10).cautions == ()


def test_gpt2_small_worked_out() -> None:
    plan = make_recipe(architecture_for(124_439_808), 2.5e9, devices=8, checkpoints=4)
    assert (plan.sequences, plan.tokens_per_step, plan.steps) == (256, 262_144, 9537)
    assert plan.warmup_steps == -(-123_653_376 // 262_144) == 472
    assert plan.checkpoint_bytes == 12 * 124_439_808
    assert plan.dataset_bytes == 5_000_000_000
    assert plan.disk_bytes == 4 * 12 * 124_439_808 + 5_000_000_000
    assert plan.last_rate == pytest.approx(plan.rate / 10)


@pytest.mark.parametrize(("vocab", "size"), [(256, 2), (65_536, 2), (65_537, 4), (128_256, 4)])
def test_a_token_takes_two_bytes_until_it_does_not_fit(vocab: int, size: int) -> None:
    plan = make_recipe(of_shape("gpt2", 4, 128, vocab_size=vocab, context=1024), 1e9)
    assert plan.dataset_bytes == size * 10**9


@pytest.mark.parametrize("tokens", [1e9, 1e11])
def test_warm_up_is_never_longer_than_2000_steps_or_a_tenth(tokens: float) -> None:
    plan = make_recipe(architecture_for(7e9), tokens)
    assert 1 <= plan.warmup_steps <= min(2000, max(1, plan.steps // 10))
    assert (plan.warmup_steps == 2000) == (tokens == 1e11)


@given(
    wanted=st.floats(1.0, 1e8),
    context=st.sampled_from([64, 1000, 1024, 8192]),
    devices=st.integers(1, 300),
)
def test_a_batch_is_whole_sequences_close_to_the_rule(wanted: float, context: int, devices: int) -> None:
    sequences = round_batch(wanted, context, devices)
    each = sequences // devices
    assert sequences == each * devices
    assert each >= 1
    per_device = wanted / context / devices
    if per_device >= 8:
        assert abs(each / per_device - 1) <= 1 / 16 + 1e-9
    elif per_device >= 1:
        assert abs(each - per_device) <= 0.5 + 1e-9
    while each % 2 == 0:
        each //= 2
    assert each < 16


@given(
    exponent=st.floats(6.5, 11.5),
    ratio=st.floats(1.0, 300.0),
    devices=st.sampled_from([1, 3, 8, 64]),
)
def test_the_steps_reproduce_the_tokens(exponent: float, ratio: float, devices: int) -> None:
    architecture = architecture_for(10**exponent)
    tokens = ratio * architecture.params
    plan = make_recipe(architecture, tokens, devices=devices)
    assert abs(plan.tokens - tokens) <= max(0.5, 1.0 - tokens / plan.tokens_per_step) * plan.tokens_per_step
    assert plan.checkpoints <= plan.steps


def test_cautions_of_a_batch_too_large_and_steps_too_few() -> None:
    architecture = architecture_for(7.4e6)
    many = make_recipe(architecture, 1.4e8, devices=256)
    assert any("One sequence for each device is already 9.7 times" in one for one in many.cautions)
    few = make_recipe(architecture, 1e6)
    assert any("steps only" in one for one in few.cautions)
    late = make_recipe(architecture_for(7e9), 1.4e11, loss=3.0)
    assert late.critical_batch is not None
    assert any("above the critical one of 1.12M at a loss of 3.00" in one for one in late.cautions)
    outside = make_recipe(architecture_for(1e9), 2e10, loss=2.0)
    assert [one for one in outside.cautions if "from 3 to 10 nats; 2.00 lies outside" in one]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("rule", {"rule": "folklore"}),
        ("tokens", {"tokens": 5.0}),
        ("tokens", {"tokens": float("inf")}),
        ("number of devices", {"devices": 0}),
        ("checkpoints", {"checkpoints": 0}),
        ("loss", {"loss": -1.0}),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(field: str, changes: dict[str, object]) -> None:
    wish: dict[str, object] = {"tokens": 1e9, **changes}
    with pytest.raises(InputError) as refused:
        make_recipe(architecture_for(1e8), **wish)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field


def test_every_rule_cites_a_paper_and_a_range() -> None:
    for rule in rules.RULES.values():
        assert "arXiv" in rule.source
        assert rule.ranges
        assert all(0 < one.low < one.high for one in rule.ranges)
