"""The rules of a rung: shapes on offer, batch, rate, warm-up and schedule."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core.errors import InputError
from scaling_core.flops import flops_per_token
from scaling_core.lab import rules
from scaling_core.lab.spec import CorpusSpec, SweepSpec


def sizes() -> list[int]:
    return [shape.parameters(vocab_size=256, context=128).with_head for shape in rules.ladder_shapes()]


def spec(**changes: object) -> SweepSpec:
    given: dict[str, object] = {
        "mode": "live",
        "device": "cpu",
        "corpus": CorpusSpec(),
        "shapes": rules.ladder_shapes()[2:7],
        "horizons": (5.0, 10.0, 20.0),
    }
    return SweepSpec(**{**given, **changes})  # type: ignore[arg-type]  # chosen by the test


def test_the_ladder_climbs_in_even_steps_and_holds_the_talks_shapes() -> None:
    found = sizes()
    assert len(found) >= 20
    assert found[0] < 12_000
    assert 450e6 < found[-1] < 550e6
    assert all(1.35 < larger / smaller < 2.0 for smaller, larger in pairwise(found))
    assert {"4x128", "6x384", "12x768", "24x1024"} <= {shape.name for shape in rules.ladder_shapes()}


def test_heads_are_sixteen_to_sixty_four_wide() -> None:
    for shape in rules.ladder_shapes():
        assert 16 <= shape.d_model // shape.n_head <= 64
    assert rules.heads_for(768) == 12
    assert rules.heads_for(128) == 4
    with pytest.raises(InputError, match=r"d_model: got 13, but .* between 16 and 64"):
        rules.heads_for(13)


def test_batches_and_rates_follow_the_size() -> None:
    batches = [rules.batch_sequences(n, 128) for n in sizes()]
    assert batches == sorted(batches)
    assert batches[0] == 4
    assert batches[-1] == 1024
    assert 8 * rules.batch_sequences(10**8, 1024) == pytest.approx(rules.batch_sequences(10**8, 128), rel=0.08)
    rates = [rules.learning_rate(n) for n in sizes()]
    assert rates == sorted(rates, reverse=True)
    assert 5e-4 < rates[-1] < 1e-3
    assert rules.learning_rate(1) == 1e-2
    assert [rules.beta2(tokens) for tokens in (1, 512, 1024, 10**6)] == [0.99, 0.975, 0.95, 0.95]


@pytest.mark.parametrize("rule", [rules.learning_rate, rules.beta2, lambda n: rules.batch_sequences(n, 128)])
def test_rules_refuse_no_parameters(rule: object) -> None:
    with pytest.raises(InputError, match="got 0"):
        rule(0)  # type: ignore[operator]  # parametrised over callables


@given(params=st.integers(1_000, 10**9), batch=st.integers(128, 200_000), steps=st.integers(2, 10**6))
def test_warmup_is_about_n_tokens_and_a_small_part_of_the_shortest_run(params: int, batch: int, steps: int) -> None:
    warmup = rules.warmup_steps(params, batch, steps)
    assert 1 <= warmup <= max(1, 0.1 * steps)
    assert (warmup - 1) * batch < params


@given(
    steps=st.integers(2, 5000),
    share=st.floats(0.05, 0.95),
    warmup=st.integers(1, 500),
    peak=st.floats(1e-5, 1e-1),
)
def test_a_branch_is_its_trunk_until_it_leaves_and_then_falls(
    steps: int, share: float, warmup: int, peak: float
) -> None:
    decay_from = min(steps - 1, round(share * steps))
    warmup = max(1, min(warmup, decay_from))
    trunk = [rules.schedule(s, peak=peak, warmup=warmup) for s in range(steps)]
    branch = [rules.schedule(s, peak=peak, warmup=warmup, decay_from=decay_from, steps=steps) for s in range(steps)]
    assert branch[:decay_from] == trunk[:decay_from]
    assert trunk[warmup - 1] == pytest.approx(peak)
    cooled = branch[decay_from:]
    assert all(0 < rate < peak * (1 + 1e-12) for rate in cooled)
    assert all(later < earlier for earlier, later in pairwise(cooled))


def test_the_decay_has_the_shape_of_one_minus_a_root() -> None:
    half_way = rules.schedule(149, peak=1.0, warmup=1, decay_from=100, steps=199)
    assert half_way == pytest.approx(1 - math.sqrt(0.5))


def test_a_rung_is_worked_out_from_the_spec_alone() -> None:
    ladder = spec()
    for number, shape in enumerate(ladder.shapes):
        rung = rules.plan_line(ladder, number)
        n = ladder.parameters(shape).with_head
        batch_tokens = rung.batch_sequences * ladder.context
        assert rung == rules.plan_line(ladder, number)
        assert rung.trunk_steps == rung.runs[-1].decay_from
        assert rung.warmup_steps < rung.runs[0].decay_from
        for run, horizon in zip(rung.runs, ladder.horizons, strict=True):
            assert run.id == f"r{number}-h{horizon:g}"
            assert 0 <= run.tokens - horizon * n < batch_tokens
            assert run.tokens == run.steps * batch_tokens
            assert run.decay_from == pytest.approx(0.8 * run.steps, abs=1)
            assert run.flops == 6 * n * run.tokens
            per_token = flops_per_token(n_layer=shape.n_layer, d_model=shape.d_model, vocab_size=256, context=128)
            assert run.flops_exact == per_token * run.tokens
            assert run.held_out == (number == len(ladder.shapes) - 1)
            assert run.memory_bytes > 16 * n


def test_the_rate_factor_multiplies_the_rule() -> None:
    plain, raised = (rules.plan_line(spec(), 0, factor=f).learning_rate for f in (1.0, 3.0))
    assert raised == pytest.approx(3 * plain)


def test_memory_grows_with_the_batch_until_micro_batches_bound_it() -> None:
    shape = rules.ladder_shapes()[9]
    small, large, larger = (
        rules.memory_estimate(shape, vocab_size=256, context=128, batch_sequences=n) for n in (8, 128, 1024)
    )
    assert small < large == larger
