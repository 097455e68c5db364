"""Documents that nearly repeat another one: found by MinHash and left out, so that no half holds a copy of the other's.

Every run of 24 bytes, without white space and in lower case, is hashed; the 128 smallest hashes of a document are its
sketch, and the share of a union's smallest hashes that two sketches have in common estimates their Jaccard similarity
|A & B| / |A | B| (Broder 1997) with a standard error of at most 0.044. Deterministic; knows no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scaling_core.lab.sources import Document

THRESHOLD = 0.7
"""Similarity from which a document counts as a near copy. Lee et al. 2022 take 0.8, Penedo et al. 2024 0.75, both of
runs of five words; a ladder would rather lose a file than measure on what it has seen."""
SHINGLE = 24
"""Bytes in a run, about five words."""
SKETCH = 128
INDEXED = 8
"""Smallest hashes by which copies are looked up: two texts of similarity J have none in common with a probability of
about (1 - J)^8, 0.00007 at the threshold."""
MOST_LISTED = 32
"""Most documents listed under a hash, so that a licence at the head of every file costs no time."""
_PIECE = 1 << 20

_WHITE = b" \t\n\r\f\v"
_MULTIPLIER = 0x9E3779B97F4A7C15


def sketch(data: bytes) -> NDArray[np.uint32]:
    """The `SKETCH` smallest different hashes of the runs of a text, ascending; fewer, or none, for a short text."""
    text = np.frombuffer(data.lower().translate(None, _WHITE), dtype=np.uint8)
    smallest = np.empty(0, dtype=np.uint32)
    for start in range(0, max(0, text.size - SHINGLE + 1), _PIECE):
        hashes = _hashes(text[start : start + _PIECE + SHINGLE - 1])
        smallest = _smallest(np.concatenate((smallest, _smallest(hashes))))
    return smallest


def similarity(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """Estimate of the Jaccard similarity of two texts from their sketches; exact while neither sketch is full."""
    union = np.union1d(one, other)[:SKETCH]
    if not union.size:
        return 0.0
    return float(np.intersect1d(np.intersect1d(one, other), union).size / union.size)


def without_near_copies(documents: Sequence[Document]) -> tuple[tuple[Document, ...], int]:
    """The documents, in their order, of which no two are alike by `THRESHOLD`, and how many were left out.

    Goes from the longest to the shortest, the digest deciding between equals, and leaves out what is alike to one
    that stays, whatever the order given. Holds a sketch of 512 bytes of each. A text inside a much longer one is not
    found: it is no near copy by this measure. Raises CorpusError when a document changes while it is read.
    """
    if len(documents) < 2:
        return tuple(documents), 0
    order = sorted(range(len(documents)), key=lambda i: (-documents[i].size, documents[i].digest))
    listed: dict[int, list[int]] = {}
    kept: list[NDArray[np.uint32]] = []
    stays: list[int] = []
    for index in order:
        own = sketch(documents[index].read())
        keys = own[:INDEXED].tolist()
        alike = {number for key in keys for number in listed.get(key, ())}
        if any(similarity(own, kept[number]) >= THRESHOLD for number in sorted(alike)):
            continue
        for key in keys:
            under = listed.setdefault(key, [])
            if len(under) < MOST_LISTED:
                under.append(len(kept))
        kept.append(own)
        stays.append(index)
    return tuple(documents[index] for index in sorted(stays)), len(documents) - len(stays)


def _table() -> NDArray[np.uint64]:
    """A random 64-bit number for each byte, by splitmix64 (Steele, Lea & Flood 2014)."""
    z = np.arange(1, 257, dtype=np.uint64) * np.uint64(_MULTIPLIER)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


_BYTES = _table()


def _hashes(text: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Hash of the 24 bytes at each position: sum_j m^(23-j) r(byte_j) mod 2^64, mixed, its upper half.

    By doubling: the runs of 2, 4, 8 and 16 bytes are each made of two of half the length, 24 = 16 + 8.
    """

    def power(n: int) -> np.uint64:
        return np.uint64(pow(_MULTIPLIER, n, 1 << 64))

    run = _BYTES[text]
    eight = run
    length = 1
    while length < 16:
        run = run[:-length] * power(length) + run[length:]
        length *= 2
        if length == 8:
            eight = run
    run = run[:-8] * power(8) + eight[16:]
    run ^= run >> np.uint64(29)
    run *= np.uint64(0xBF58476D1CE4E5B9)
    return (run >> np.uint64(32)).astype(np.uint32)


def _smallest(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The `SKETCH` smallest different values, ascending."""
    wanted = 2 * SKETCH
    while wanted < hashes.size:
        found = np.unique(np.partition(hashes, wanted)[:wanted])
        if found.size >= SKETCH:
            return found[:SKETCH]
        wanted *= 4
    return np.unique(hashes)[:SKETCH]
