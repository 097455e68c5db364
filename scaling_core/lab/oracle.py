"""An oracle: a synthetic language whose entropy rate is known exactly, so that a fitted E has a truth to meet.

A Markov source. The logits of the next token are a Zipf law over the vocabulary plus, for each of the last `order`
tokens, a matrix whose singular values fall as a power: a model of width d holds the d strongest directions, and a short
training has not seen the weak ones, so that what the loss has above the floor falls in N and in D. Knows no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.language import t

Split = Literal["train", "validation"]

MOST_CELLS = 2**22
"""Largest table of probabilities, vocab_size ** (order + 1): 32 MiB."""
UNIT = 2**32
"""Probabilities are whole multiples of one part in this: the source is a table of integers, the same everywhere."""
BLOCK = 1024
"""Tokens that each of the parallel chains draws before it meets the next."""
CHUNK = 64
"""Steps whose random numbers are drawn at once; divides BLOCK."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OracleSpec:
    """A language and how much of it is written. Two equal specs are the same text; a longer one begins with the same.

    vocab_size: tokens V. order: how many tokens back the next one depends on. zipf: exponent of the Zipf law over
    tokens from which the logits start. strength: standard deviation of the logits that the last token adds, in nats.
    fading: the same of each token further back, as a share of the one after it. spectrum: the k-th singular value of
    those matrices is as k^-spectrum. seed: of the language and its texts. tokens, validation_tokens: lengths of the
    two. Raises InputError.

    The default is what came nearest to a law that is a sum of powers. At order 2 the loss falls off a cliff instead,
    where the head that finds the token before the last one forms: 2x32 on 128 tokens went from 0.43 nats above the
    floor at 10 tokens a parameter to 0.26 at 20 and 0.08 at 40. From 256 tokens on weak directions and rare contexts
    stay unlearned within 80 tokens a parameter, and a fit takes them for part of E.
    """

    vocab_size: int = 64
    order: int = 1
    zipf: float = 0.5
    strength: float = 2.5
    fading: float = 0.7
    spectrum: float = 1.0
    seed: int = 0
    tokens: int = 2**23
    validation_tokens: int = 2**18

    def __post_init__(self) -> None:
        for name, low, high in (
            ("vocab_size", 2, 2048), ("order", 1, 8), ("seed", 0, 2**31 - 1), ("tokens", BLOCK, 2**31),
            ("validation_tokens", BLOCK, 2**27),
        ):  # fmt: skip
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise InputError(
                    name, value, t("it must be a whole number from {least} to {most}", least=low, most=high)
                )
        for name, most in (("zipf", 3), ("strength", 4), ("fading", 1), ("spectrum", 4)):
            number = getattr(self, name)
            if type(number) not in (int, float) or not 0 <= number <= most:
                raise InputError(name, number, t("it must be a number from 0 to {most}", most=most))
            object.__setattr__(self, name, float(number))
        cells = self.vocab_size ** (self.order + 1)
        if cells > MOST_CELLS:
            raise InputError(
                "vocab_size",
                self.vocab_size,
                t(
                    "at order {order} its table would have {cells:,} entries, where {most:,} are the most",
                    order=self.order,
                    cells=cells,
                    most=MOST_CELLS,
                ),
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """table: P(next | context), shape (V,) * (order + 1), oldest token first. stationary: of contexts, (V,) * order."""

    table: FloatArray
    stationary: FloatArray


def entropy_rate(spec: OracleSpec) -> float:
    """H(next | context) = -sum_c pi(c) sum_x P(x | c) ln P(x | c) in nats per token, exact to rounding.

    pi: the stationary distribution of contexts. No model's expected loss is below it. Source: Cover & Thomas 2006,
    eq. 4.27.
    """
    return _entropies(_source_of(spec))[spec.order - 1]


def window_floor(spec: OracleSpec, *, context: int) -> float:
    """Least expected mean loss on windows of `context` targets, of which the first few see less than `order` tokens.

    (H(1) + ... + H(order - 1) + (context - order + 1) H(order)) / context, H(j) the entropy of a token given the j
    before it. Equals `entropy_rate` at order 1. Raises InputError for a context shorter than the order.
    """
    if context < spec.order:
        raise InputError("context", context, t("it must be at least the order {order} of the source", order=spec.order))
    *early, rate = _entropies(_source_of(spec))
    return (sum(early) + (context - spec.order + 1) * rate) / context


def generate(spec: OracleSpec, *, split: Split) -> NDArray[np.uint16]:
    """One of the two texts, token ids of shape (tokens,): a single stationary chain; the splits share no randomness.

    Blocks are drawn side by side from a guessed context each, and a block whose guess was wrong is drawn again from
    its true one with the same random numbers until it falls in with what it had: the result is, token for token, that
    of drawing one after the other. Raises InputError for another split.
    """
    if split not in get_args(Split):
        raise InputError("split", split, t("it must be one of {names}", names=", ".join(get_args(Split))))
    source = _source_of(spec)
    key = (spec.seed, 1 + get_args(Split).index(split))
    length = spec.tokens if split == "train" else spec.validation_tokens
    blocks = -(-length // BLOCK)
    bounds, vocab, contexts = _bounds(source.table), spec.vocab_size, source.stationary.size
    share = int(_raw((*key, BLOCK // CHUNK), 1)[0] >> np.uint64(11)) / 2**53
    first = int(np.searchsorted(np.cumsum(source.stationary)[:-1], share, side="right"))
    text = np.empty((BLOCK, blocks), dtype=np.uint16)

    def step(context: IndexArray, token: IndexArray) -> IndexArray:
        return (context % (contexts // vocab)) * vocab + token

    started = ended = np.full(blocks, first)
    for place, uniform in _uniforms(key, blocks):
        token = _draw(bounds, ended, uniform)
        text[place] = token
        ended = step(ended, token)
    while True:
        true = np.concatenate(([first], ended[:-1]))
        wrong = np.flatnonzero(true != started)
        if not wrong.size:
            return np.ascontiguousarray(text.T).ravel()[:length]
        before, now, started = started[wrong], true[wrong], true
        for place, uniform in _uniforms(key, blocks):
            token = _draw(bounds, now, uniform[wrong])
            before, now = step(before, text[place, wrong].astype(np.int64)), step(now, token)
            text[place, wrong] = token
            apart = before != now
            wrong, before, now = wrong[apart], before[apart], now[apart]
            if not wrong.size:
                break
        ended[wrong] = now


def true_losses(spec: OracleSpec, tokens: NDArray[np.integer]) -> FloatArray:
    """-ln P(token | tokens before it in its row) under the source itself, shape (..., n - 1) for tokens (..., n).

    In nats; the floor on this very text. From the `order`-th token on its mean tends to `entropy_rate`; on windows
    (n, context + 1) the mean of all tends to `window_floor`. The first token of a row is not judged. Raises InputError
    for tokens outside the vocabulary and for rows that are shorter than order + 1.
    """
    ids = np.asarray(tokens)
    if ids.dtype.kind not in "iu":
        raise InputError("tokens", ids.dtype, t("token ids are whole numbers"))
    order, vocab = spec.order, spec.vocab_size
    if ids.ndim < 1 or ids.shape[-1] <= order:
        raise InputError("tokens", ids.shape, t("a row must have at least {least} tokens", least=order + 1))
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < vocab:
        worst = int(ids.max()) if int(ids.max()) >= vocab else int(ids.min())
        raise InputError("tokens", worst, t("the language has the tokens 0 to {last}", last=vocab - 1))
    source = _source_of(spec)
    targets = ids.shape[-1] - 1
    losses = np.empty((*ids.shape[:-1], targets))
    for known in range(1, order + 1):
        where = slice(known - 1, known if known < order else targets)
        surprise = _surprise(source, known).ravel()
        index = np.zeros(losses[..., where].shape, dtype=np.int64)
        for lag in range(known, -1, -1):
            index *= vocab
            index += ids[..., where.start + 1 - lag : where.stop + 1 - lag]
        losses[..., where] = surprise[index]
    return losses


def control(spec: OracleSpec, windows: NDArray[np.integer], losses: FloatArray) -> tuple[float, float]:
    """Mean loss with less noise, and its standard error: mean(loss - true loss) + `window_floor`, nats per token.

    windows: token ids (n, context + 1). losses: a model's mean loss on each, (n,). The true loss has a known mean and
    carries nearly all of the text's own luck (a control variate), so that the error shrinks four to fifteenfold while
    the expectation stays. Raises InputError where the two do not belong together.
    """
    if windows.ndim != 2 or losses.shape != windows.shape[:1] or losses.size < 2:
        raise InputError(
            "losses",
            losses.shape,
            t("there must be one for each window of {shape}, two at least", shape=str(windows.shape)),
        )
    excess = losses - true_losses(spec, windows).mean(axis=1)
    mean = float(excess.mean()) + window_floor(spec, context=windows.shape[1] - 1)
    return mean, float(excess.std(ddof=1)) / math.sqrt(excess.size)


def _source_of(spec: OracleSpec) -> _Source:
    return _source(spec.vocab_size, spec.order, spec.zipf, spec.strength, spec.fading, spec.spectrum, spec.seed)


@lru_cache(maxsize=2)
def _source(vocab: int, order: int, zipf: float, strength: float, fading: float, spectrum: float, seed: int) -> _Source:
    """The table of a language, rounded to whole parts of `UNIT`, at least one each, and its stationary contexts."""
    ranks = np.arange(1, vocab + 1, dtype=np.float64)
    values = ranks**-spectrum
    values *= strength / math.sqrt(float(values @ values))
    logits = np.zeros((vocab,) * (order + 1)) - zipf * np.log(ranks)
    for lag in range(1, order + 1):
        raw = _raw((seed, 0, lag), 2 * vocab * vocab).reshape(2, vocab, vocab)
        left, right = math.sqrt(12.0) * ((raw >> np.uint64(11)) / 2**53 - 0.5)
        matrix = fading ** (lag - 1) * (left * values) @ right.T
        logits += np.expand_dims(matrix, tuple(axis for axis in range(order) if axis != order - lag))
    logits -= logits.max(axis=-1, keepdims=True)
    table = np.exp(logits, out=logits)
    table /= table.sum(axis=-1, keepdims=True)
    parts = np.floor(table * (UNIT - vocab)) + 1.0
    rest = UNIT - parts.sum(axis=-1, keepdims=True)
    most = parts.argmax(axis=-1)[..., None]
    np.put_along_axis(parts, most, np.take_along_axis(parts, most, axis=-1) + rest, axis=-1)
    table = parts / UNIT
    stationary = np.full((vocab,) * order, float(vocab) ** -order)
    for _ in range(10_000):
        after = (stationary[..., None] * table).sum(axis=0)
        change = float(np.abs(after - stationary).sum())
        stationary = after / after.sum()
        if change < 1e-14:
            return _Source(table=table, stationary=stationary)
    raise InputError("strength", strength, t("such a source does not forget its start within 10,000 tokens; take less"))


def _surprise(source: _Source, known: int) -> FloatArray:
    """-ln P(next | the `known` tokens before), shape (V,) * (known + 1)."""
    order = source.stationary.ndim
    if known == order:
        return -np.log(source.table)
    joint = (source.stationary[..., None] * source.table).sum(axis=tuple(range(order - known)))
    surprise: FloatArray = -np.log(joint / joint.sum(axis=-1, keepdims=True))
    return surprise


def _entropies(source: _Source) -> list[float]:
    """H(next | 1 token before), ..., H(next | order tokens before), in nats."""
    order = source.stationary.ndim
    joint = source.stationary[..., None] * source.table
    return [
        float((joint.sum(axis=tuple(range(order - known))) * _surprise(source, known)).sum())
        for known in range(1, order + 1)
    ]


def _raw(key: tuple[int, ...], count: int) -> NDArray[np.uint64]:
    """64-bit random numbers; NumPy promises the same ones in every version for the generator's raw output."""
    return np.random.PCG64(np.random.SeedSequence(key)).random_raw(count)


def _uniforms(key: tuple[int, ...], blocks: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Each step of a block with the random numbers of all blocks at it, of `UNIT` equally likely ones, (blocks,)."""
    for chunk in range(BLOCK // CHUNK):
        raw = _raw((*key, chunk), blocks * CHUNK // 2).astype("<u8", copy=False).view("<u4")
        numbers = np.ascontiguousarray(raw.reshape(blocks, CHUNK).T).astype(np.uint32, copy=False)
        yield from enumerate(numbers, start=chunk * CHUNK)


def _bounds(table: FloatArray) -> NDArray[np.uint32]:
    """Largest random number that still gives each token, shape (contexts, V up to a power of two)."""
    vocab = table.shape[-1]
    sums = np.cumsum(np.rint(table.reshape(-1, vocab) * UNIT).astype(np.int64), axis=1) - 1
    bounds = np.full((sums.shape[0], 1 << (vocab - 1).bit_length()), UNIT - 1, dtype=np.uint32)
    bounds[:, :vocab] = sums
    return bounds


def _draw(bounds: NDArray[np.uint32], context: IndexArray, uniform: NDArray[np.uint32]) -> IndexArray:
    """The first token of each context whose bound is not below the random number, by bisection; shape (n,)."""
    flat, width = bounds.ravel(), bounds.shape[1]
    start = context * width
    at = start.copy()
    half = width // 2
    while half:
        at += half * (flat[at + (half - 1)] < uniform)
        half //= 2
    token: IndexArray = at - start
    return token
