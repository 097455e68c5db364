"""Parameter counts of models whose counts are known, and FLOP by each convention."""

from __future__ import annotations

import pytest

from scaling_core.flops import PF_DAY, flops_per_token, gpt2_parameters, training_flops


@pytest.mark.parametrize(
    ("n_layer", "d_model", "total"),
    [(12, 768, 124_439_808), (24, 1024, 354_823_168), (36, 1280, 774_030_080), (48, 1600, 1_557_611_200)],
)
def test_gpt2_counts_are_those_of_the_released_checkpoints(n_layer: int, d_model: int, total: int) -> None:
    count = gpt2_parameters(n_layer=n_layer, d_model=d_model, vocab_size=50257, context=1024)
    assert count.total == total
    assert count.non_embedding == total - (50257 + 1024) * d_model
    assert count.with_head == count.non_embedding + 50257 * d_model


def test_untied_head_is_stored_once_more() -> None:
    tied = gpt2_parameters(n_layer=2, d_model=64, vocab_size=256, context=128)
    untied = gpt2_parameters(n_layer=2, d_model=64, vocab_size=256, context=128, tied=False)
    assert untied.total == tied.total + 256 * 64
    assert untied.with_head == tied.with_head
    assert untied.non_embedding == tied.non_embedding


def test_blocks_by_hand() -> None:
    d = 8
    attention, mlp, norms = 4 * d * d + 4 * d, 8 * d * d + 5 * d, 4 * d
    assert gpt2_parameters(n_layer=3, d_model=d, vocab_size=10, context=4).blocks == 3 * (attention + mlp + norms) + 16


def test_training_flops() -> None:
    assert training_flops(175e9, 300e9) == pytest.approx(3.15e23, rel=1e-12)
    assert pytest.approx(1e15 * 86_400) == PF_DAY


def test_flops_per_token_is_six_n_plus_attention() -> None:
    L, d, V, T = 12, 768, 50257, 1024
    weights = 12 * L * d * d + V * d
    assert flops_per_token(n_layer=L, d_model=d, vocab_size=V, context=T) == 6 * weights + 12 * L * T * d
    short = flops_per_token(n_layer=L, d_model=d, vocab_size=V, context=1)
    assert short / (6 * weights) == pytest.approx(1.0, abs=2e-4)
