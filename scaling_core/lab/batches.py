"""Which tokens step s sees: a pure function of (seed, step), so that a branch and a resumed run see the same batch.

The text is cut into windows of `context` tokens; an epoch goes through all of them once in a pseudo-random order,
and the next epoch cuts at another offset. All rungs of a sweep see the same windows in the same order, which makes
their losses comparable token for token. Knows no torch.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from scaling_core.errors import CorpusError
from scaling_core.language import t

Tokens = NDArray[np.uint8] | NDArray[np.uint16]
"""Token ids: of bytes, or of a larger vocabulary."""

_ROUNDS = 6
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def permute(index: NDArray[np.int64], n: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """A pseudo-random permutation of 0..n-1 evaluated at `index` (any shape), without a table of n entries.

    A Feistel network of six rounds over the next even power of two, walked along its cycles until the value
    lies below n (Black & Rogaway 2002). Bijective for every (seed, epoch); the same on every machine.
    """
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << half) - 1)
    digest = hashlib.blake2b(f"windows:{seed}:{epoch}".encode(), digest_size=8 * _ROUNDS).digest()
    keys = np.frombuffer(digest, dtype="<u8")
    value = index.astype(np.uint64).ravel()
    todo = np.arange(value.size)
    while todo.size:
        left, right = value[todo] >> np.uint64(half), value[todo] & mask
        for key in keys:
            mixed = (right + key) * _MULTIPLIER
            mixed = (mixed ^ (mixed >> np.uint64(29))) * _MULTIPLIER
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        value[todo] = (left << np.uint64(half)) | right
        todo = todo[value[todo] >= n]
    return value.astype(np.int64).reshape(index.shape)


class BatchOrder:
    """The batches of one rung. text: token ids (n,). Raises CorpusError when the text has less than two windows."""

    def __init__(self, text: Tokens, *, context: int, batch_sequences: int, seed: int) -> None:
        self.context = context
        self.batch_sequences = batch_sequences
        self.seed = seed
        self.windows = text.size // context - 1
        if self.windows < 2:
            raise CorpusError(
                t(
                    "The text has {n:,} tokens to train on, too few for windows of {context}; "
                    "choose a longer text or a shorter context.",
                    n=text.size,
                    context=context,
                )
            )
        self._views = np.lib.stride_tricks.sliding_window_view(text, context + 1)

    def starts(self, first_step: int, steps: int) -> NDArray[np.int64]:
        """Where in the text the windows of `steps` steps begin, shape (steps, batch_sequences)."""
        first = first_step * self.batch_sequences
        sample = np.arange(first, first + steps * self.batch_sequences, dtype=np.int64)
        epochs = sample // self.windows
        out = np.empty_like(sample)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            offset = int(permute(np.array([0]), self.context, seed=self.seed + 1_000_003, epoch=epoch)[0])
            order = permute(sample[here] - epoch * self.windows, self.windows, seed=self.seed, epoch=epoch)
            out[here] = order * self.context + offset
        return out.reshape(steps, self.batch_sequences)

    def tokens(self, first_step: int, steps: int) -> Tokens:
        """The windows themselves, shape (steps, batch_sequences, context + 1): inputs, and targets one further."""
        return np.ascontiguousarray(self._views[self.starts(first_step, steps)])

    def unique_tokens(self, tokens: int) -> int:
        """Different tokens among the first `tokens` seen: each counts once however many epochs go over it."""
        return min(tokens, self.windows * self.context)

    def epochs(self, tokens: int) -> float:
        """How often `tokens` go through the text."""
        return tokens / (self.windows * self.context)


def validation_set(text: Tokens, *, context: int, windows: int) -> Tokens:
    """The fixed validation windows, shape (at most `windows`, context + 1), spread evenly over the text.

    Token ids of the type of the text. No randomness: the same for every rung, seed and resumption. Raises CorpusError
    when the text holds fewer than 8.
    """
    possible = (text.size - 1) // context
    if possible < 8:
        raise CorpusError(
            t(
                "The validation text has {n:,} tokens, but 8 windows of {context} are the least that a loss can "
                "be measured on; choose a longer text or a shorter context.",
                n=text.size,
                context=context,
            )
        )
    count = min(windows, possible)
    starts = np.arange(count, dtype=np.int64) * possible // count * context
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(text, context + 1)[starts])
