"""The order of batches: a permutation, the same for every rung, and a function of nothing but seed and step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core.errors import CorpusError
from scaling_core.lab.batches import BatchOrder, permute, validation_set

TEXT = np.random.default_rng(0).integers(0, 256, 10_007, dtype=np.uint8)


@settings(max_examples=60)
@given(n=st.integers(1, 3000), seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 9))
def test_permute_is_a_bijection(n: int, seed: int, epoch: int) -> None:
    assert sorted(permute(np.arange(n), n, seed=seed, epoch=epoch).tolist()) == list(range(n))


def test_permute_is_the_same_on_every_machine_and_mixes() -> None:
    assert permute(np.arange(10), 10, seed=0, epoch=0).tolist() == [2, 6, 3, 0, 9, 7, 1, 8, 5, 4]
    order = permute(np.arange(4096), 4096, seed=3, epoch=0)
    assert abs(np.corrcoef(order, np.arange(4096))[0, 1]) < 0.05
    assert not np.array_equal(order, permute(np.arange(4096), 4096, seed=3, epoch=1))


def test_an_epoch_shows_every_window_once() -> None:
    order = BatchOrder(TEXT, context=16, batch_sequences=6, seed=1)
    starts = np.concatenate([order.starts(step, 1).ravel() for step in range(order.windows)])
    for epoch in range(6):
        seen = np.sort(starts[epoch * order.windows : (epoch + 1) * order.windows])
        assert np.array_equal(seen, np.arange(order.windows) * 16 + seen[0])
        assert 0 <= seen[0] < 16
        assert seen[-1] + 17 <= TEXT.size


def test_a_step_is_the_same_alone_in_a_block_and_at_another_batch_size() -> None:
    small = BatchOrder(TEXT, context=16, batch_sequences=4, seed=1)
    large = BatchOrder(TEXT, context=16, batch_sequences=8, seed=1)
    block = small.tokens(100, 20)
    assert block.shape == (20, 4, 17)
    for i in range(20):
        assert np.array_equal(block[i], small.tokens(100 + i, 1)[0])
    assert np.array_equal(large.tokens(50, 10).reshape(20, 4, 17), block)
    start = int(small.starts(100, 1)[0, 0])
    assert np.array_equal(block[0, 0], TEXT[start : start + 17])


def test_another_seed_is_another_order() -> None:
    a, b = (BatchOrder(TEXT, context=16, batch_sequences=4, seed=seed).starts(0, 50) for seed in (0, 1))
    assert not np.array_equal(a, b)


def test_unique_tokens_stop_growing_when_the_text_is_through() -> None:
    order = BatchOrder(TEXT, context=16, batch_sequences=4, seed=1)
    assert order.unique_tokens(160) == 160
    assert order.unique_tokens(10**6) == order.windows * 16
    assert order.epochs(2 * order.windows * 16) == 2


def test_validation_windows_are_fixed_and_spread() -> None:
    windows = validation_set(TEXT, context=16, windows=50)
    assert windows.shape == (50, 17)
    assert np.array_equal(windows, validation_set(TEXT, context=16, windows=50))
    assert np.array_equal(windows[0], TEXT[:17])
    assert validation_set(TEXT, context=16, windows=10**6).shape[0] == (TEXT.size - 1) // 16


def test_texts_that_are_too_short_are_refused() -> None:
    with pytest.raises(CorpusError, match="too few for windows of 128"):
        BatchOrder(TEXT[:300], context=128, batch_sequences=1, seed=0)
    with pytest.raises(CorpusError, match="validation text has 300 tokens"):
        validation_set(TEXT[:300], context=128, windows=8)


def test_token_ids_beyond_a_byte_pass_through_whole() -> None:
    ids = np.random.default_rng(1).integers(0, 4096, 10_007, dtype=np.uint16)
    order = BatchOrder(ids, context=16, batch_sequences=4, seed=1)
    batch = order.tokens(3, 2)
    start = int(order.starts(3, 1)[0, 1])
    assert batch.dtype == np.uint16
    assert np.array_equal(batch[0, 1], ids[start : start + 17])
    assert batch.max() > 255
    assert validation_set(ids, context=16, windows=50).dtype == np.uint16
    assert order.tokens(0, 1).shape == BatchOrder(TEXT, context=16, batch_sequences=4, seed=1).tokens(0, 1).shape
    assert np.array_equal(order.starts(0, 9), BatchOrder(TEXT, context=16, batch_sequences=4, seed=1).starts(0, 9))
    assert (order.unique_tokens(10**9), order.epochs(order.windows * 16)) == (order.windows * 16, 1)
