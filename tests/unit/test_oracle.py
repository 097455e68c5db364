"""The synthetic language: its entropy rate against other ways to compute it, and its text against its own law."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.lab import oracle
from scaling_core.lab.oracle import OracleSpec, control, entropy_rate, generate, true_losses, window_floor

SMALL = OracleSpec(vocab_size=5, order=2, strength=2.0, seed=3, tokens=2**18, validation_tokens=2**16)
LANGUAGES = (
    SMALL,
    OracleSpec(tokens=2**21),
    OracleSpec(vocab_size=32, order=2, strength=3.0, fading=1.0, spectrum=0.0, seed=1, tokens=2**19),
    OracleSpec(vocab_size=7, order=3, zipf=0.0, seed=2, tokens=2**19),
)


def dense(spec: OracleSpec) -> tuple[FloatArray, FloatArray]:
    """Transition matrix between contexts, (V^k, V^k), and the table by context, (V^k, V), from the losses alone."""
    vocab, order = spec.vocab_size, spec.order
    contexts = np.array(list(np.ndindex((vocab,) * order)))
    table = np.empty((len(contexts), vocab))
    for token in range(vocab):
        rows = np.concatenate((contexts, np.full((len(contexts), 1), token)), axis=1)
        table[:, token] = np.exp(-true_losses(spec, rows)[:, -1])
    chain = np.zeros((len(contexts), len(contexts)))
    for here, context in enumerate(contexts):
        for token in range(vocab):
            there = int(np.ravel_multi_index((*context[1:], token), (vocab,) * order))
            chain[here, there] += table[here, token]
    return chain, table


def by_eigenvector(spec: OracleSpec) -> tuple[FloatArray, FloatArray]:
    """Stationary distribution of contexts as the left eigenvector of the dense chain for 1, and the table."""
    chain, table = dense(spec)
    values, vectors = np.linalg.eig(chain.T)
    vector = np.real(vectors[:, int(np.argmin(np.abs(values - 1.0)))])
    return vector / vector.sum(), table


@pytest.mark.parametrize("spec", [SMALL, LANGUAGES[3], OracleSpec(vocab_size=40, strength=3.0, spectrum=0.5)])
def test_entropy_rate_is_that_of_the_dense_chain(spec: OracleSpec) -> None:
    stationary, table = by_eigenvector(spec)
    assert np.allclose(table.sum(axis=1), 1.0, atol=1e-12)
    assert entropy_rate(spec) == pytest.approx(-float(stationary @ (table * np.log(table)).sum(axis=1)), abs=1e-10)


def test_equal_specs_are_equal_however_a_number_is_written() -> None:
    assert repr(OracleSpec(zipf=1, strength=2)) == repr(OracleSpec(zipf=1.0, strength=2.0))


def test_entropy_rate_of_independent_tokens_is_that_of_the_zipf_law() -> None:
    spec = OracleSpec(vocab_size=100, strength=0.0, zipf=1.2)
    law = np.arange(1, 101) ** -1.2
    law /= law.sum()
    assert entropy_rate(spec) == pytest.approx(-float(law @ np.log(law)), abs=1e-7)
    assert entropy_rate(OracleSpec(vocab_size=64, strength=0.0, zipf=0.0)) == pytest.approx(math.log(64), abs=1e-12)


@pytest.mark.parametrize("spec", LANGUAGES)
def test_mean_of_the_true_losses_tends_to_the_entropy_rate(spec: OracleSpec) -> None:
    losses = true_losses(spec, generate(spec, split="train"))[spec.order - 1 :]
    means = losses[: losses.size // 256 * 256].reshape(-1, 256).mean(axis=1)
    error = means.std(ddof=1) / math.sqrt(means.size)
    assert abs(means.mean() - entropy_rate(spec)) < 4 * error
    assert error < 0.01


def test_the_text_follows_the_table() -> None:
    """Counts of every context and token against their expectation, within 5.5 standard deviations of a count."""
    stationary, table = by_eigenvector(SMALL)
    text = generate(SMALL, split="train").astype(np.int64)
    counts = np.bincount((text[:-2] * 5 + text[1:-1]) * 5 + text[2:], minlength=125).reshape(25, 5)
    expected = counts.sum(axis=1, keepdims=True) * table
    assert np.abs(counts - expected).max(initial=0.0, where=expected < 5) < 30
    assert np.all(np.abs(counts - expected) < 5.5 * np.sqrt(expected) + 5)
    assert np.abs(counts.sum(axis=1) / counts.sum() - stationary).max() < 0.005


@pytest.mark.parametrize("spec", [SMALL, OracleSpec(vocab_size=37, strength=4.0, tokens=12_388)])
def test_blocks_meet_as_if_drawn_one_after_the_other(spec: OracleSpec) -> None:
    """The same numbers, drawn by a plain loop over the tokens."""
    text = generate(spec, split="train")
    count = min(text.size, 12 * oracle.BLOCK)
    blocks = -(-text.size // oracle.BLOCK)
    uniform = np.array([numbers for _, numbers in oracle._uniforms((spec.seed, 1), blocks)], dtype=np.uint64)
    ids = np.array(list(np.ndindex((spec.vocab_size,) * (spec.order + 1))))
    chances = np.exp(-true_losses(spec, ids)[:, -1]).reshape(*(spec.vocab_size,) * (spec.order + 1))
    upper = np.cumsum(np.rint(chances * 2.0**32).astype(np.int64), axis=-1)
    known = [int(token) for token in text[: spec.order]]
    for position in range(spec.order, count):
        block, t = divmod(position, oracle.BLOCK)
        row = upper[tuple(known[-spec.order :])]
        known.append(int(np.searchsorted(row, int(uniform[t, block]), side="right")))
    assert np.array_equal(text[:count], known)


def test_texts_are_deterministic_across_processes_and_begin_alike() -> None:
    code = (
        "import hashlib; from scaling_core.lab.oracle import *; s = OracleSpec(tokens=50_000);"
        "print(*(hashlib.sha256(generate(s, split=h).tobytes()).hexdigest() for h in ('train', 'validation')))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    short, long = OracleSpec(tokens=50_000), OracleSpec(tokens=90_000)
    halves = generate(short, split="train"), generate(short, split="validation")
    assert answer == [hashlib.sha256(half.tobytes()).hexdigest() for half in halves]
    assert np.array_equal(generate(long, split="train")[:50_000], halves[0])
    assert not np.array_equal(generate(OracleSpec(tokens=50_000, seed=1), split="train"), halves[0])


def test_splits_are_independent() -> None:
    """Equal tokens at equal places are as frequent as chance has it, and no row of 64 tokens stands in both."""
    spec = OracleSpec(tokens=2**18, validation_tokens=2**18)
    train, validation = generate(spec, split="train"), generate(spec, split="validation")
    shares = [np.bincount(text, minlength=spec.vocab_size) / text.size for text in (train, validation)]
    chance = float(shares[0] @ shares[1])
    blocks = (train == validation).reshape(-1, 512).mean(axis=1)
    assert abs(blocks.mean() - chance) < 4 * blocks.std(ddof=1) / math.sqrt(blocks.size)
    windows = np.lib.stride_tricks.sliding_window_view
    seen = {row.tobytes() for row in windows(train, 24)}
    assert not any(row.tobytes() in seen for row in windows(validation, 24)[::24])


def test_dtype_range_and_length() -> None:
    spec = OracleSpec(tokens=2_000_001)
    text = generate(spec, split="train")
    assert text.dtype == np.uint16
    assert text.shape == (2_000_001,)
    assert text.flags.c_contiguous
    assert len(np.unique(text)) == spec.vocab_size
    assert generate(spec, split="validation").shape == (spec.validation_tokens,)


def test_floor_of_windows_counts_the_tokens_that_see_less() -> None:
    """Entropies given fewer tokens from the dense chain's stationary distribution, and the mean over real windows."""
    stationary, table = by_eigenvector(SMALL)
    pairs = (stationary[:, None] * table).reshape(5, 5, 5).sum(axis=0)
    first = -float((pairs * np.log(pairs / pairs.sum(axis=1, keepdims=True))).sum())
    assert window_floor(SMALL, context=8) == pytest.approx((first + 7 * entropy_rate(SMALL)) / 8, abs=1e-9)
    assert first > entropy_rate(SMALL) + 0.05
    windows = generate(SMALL, split="train")[: 2**18 // 9 * 9].reshape(-1, 9)
    means = true_losses(SMALL, windows).mean(axis=1)
    assert abs(means.mean() - window_floor(SMALL, context=8)) < 4 * means.std(ddof=1) / math.sqrt(means.size)
    plain = OracleSpec()
    assert window_floor(plain, context=32) == pytest.approx(entropy_rate(plain), abs=1e-14)


def test_rows_are_judged_from_what_they_show() -> None:
    text = generate(SMALL, split="validation")
    assert true_losses(SMALL, text[None, :]).shape == (1, text.size - 1)
    assert np.array_equal(true_losses(SMALL, text)[10:20], true_losses(SMALL, text[9:21])[1:])
    assert np.array_equal(true_losses(SMALL, text[:8].reshape(2, 4))[1], true_losses(SMALL, text[4:8]))


def test_control_keeps_the_mean_and_shrinks_the_error() -> None:
    """A model that is the source with a little less certainty: its expected loss is known, and met more closely."""
    spec = OracleSpec(validation_tokens=2**18)
    _, table = by_eigenvector(spec)
    stationary = by_eigenvector(spec)[0]
    flat = 0.95 * table + 0.05 / spec.vocab_size
    expected = -float(stationary @ (table * np.log(flat)).sum(axis=1))
    text = generate(spec, split="validation")
    windows = np.lib.stride_tricks.sliding_window_view(text, 129)[::128][:1024]
    losses = -np.log(flat)[windows[:, :-1], windows[:, 1:]].mean(axis=1)
    mean, error = control(spec, windows, losses)
    plain = losses.std(ddof=1) / math.sqrt(losses.size)
    assert abs(mean - expected) < 4 * error
    assert error < plain / 5


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": 1}, {"vocab_size": 5000}, {"vocab_size": 64.0}, {"vocab_size": True}, {"vocab_size": "64"},
        {"order": 0}, {"vocab_size": 512, "order": 2}, {"seed": -1}, {"seed": 2**31}, {"tokens": 10},
        {"tokens": 2**40}, {"validation_tokens": 0}, {"zipf": math.nan}, {"zipf": -1.0}, {"strength": math.inf},
        {"strength": "2"}, {"fading": 1.5}, {"spectrum": 10**400}, {"spectrum": None},
    ],
)  # fmt: skip
def test_a_spec_that_cannot_be_is_refused_in_a_sentence(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        OracleSpec(**change)
    message = str(caught.value)
    assert message.startswith(next(iter(change)))
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("split", lambda: generate(SMALL, split="test")),  # type: ignore[arg-type]  # what a config file may hold
        ("context", lambda: window_floor(SMALL, context=1)),
        ("tokens", lambda: true_losses(SMALL, np.array([0, 1, 5]))),
        ("tokens", lambda: true_losses(SMALL, np.array([0, -1, 4]))),
        ("tokens", lambda: true_losses(SMALL, np.array([0, 1]))),
        ("tokens", lambda: true_losses(SMALL, np.zeros(9))),  # type: ignore[arg-type]  # no ids
        ("losses", lambda: control(SMALL, np.zeros((3, 9), dtype=np.uint16), np.zeros(4))),
    ],
)
def test_what_does_not_belong_to_the_language_is_refused(field: str, call: Callable[[], object]) -> None:
    with pytest.raises(InputError, match=rf"^{field}: got .*\.$"):
        call()
