"""Tokens: bytes, or a byte-level BPE vocabulary that is trained here, on the train half alone. Knows no torch.

A text is cut into words by `WORD`; BPE (Sennrich, Haddow & Birch 2016) merges bytes inside of words only. The first
256 tokens are the bytes, so that every text can be written, and the merges that follow come from the `tokenizers`
package, which is the same for any number of threads. Each byte is handed to it as the character of the same number.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_core.errors import CorpusError
from scaling_core.language import t

SEPARATOR = 0
"""Byte after every document; a text that contains it is not text. As a token it has the same number."""
WORD = re.compile(
    rb"\x00| ?[A-Za-z\x80-\xff]{1,64}| ?[0-9]{1,64}| ?[^ \t\n\r\f\v0-9A-Za-z\x80-\xff\x00]{1,64}"
    rb"|[ \t\n\r\f\v]{1,64}(?![^ \t\n\r\f\v])|[ \t\n\r\f\v]{1,64}"
)
"""What a token never reaches beyond: letters, digits or signs with the space before them, or white space but its last,
after the pattern of GPT-2; at most 65 bytes, so that no file can make the training slow."""
TRAINED_ON_BYTES = 32 * 1024**2
"""Most text that merges are counted on, whole pieces spread evenly over the train half."""
PIECE = 1 << 20
"""Bytes that are cut into words at once. A word across two pieces is two words: nothing is lost."""
MOST_WORDS = 1_000_000
INSTALL = "tokenizers>=0.21,<1"
_LAYOUT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """A BPE vocabulary. merges: pairs of token ids in the order of learning. size: entries a model has a row for."""

    merges: tuple[tuple[int, int], ...]
    size: int

    @property
    def entries(self) -> tuple[bytes, ...]:
        """The bytes of each token, by its id: the 256 bytes, then each merge that makes something new."""
        found = [bytes([byte]) for byte in range(256)]
        known = set(found)
        for left, right in self.merges:
            made = found[left] + found[right]
            if made not in known:
                known.add(made)
                found.append(made)
        return tuple(found)

    def decode(self, ids: Iterable[int]) -> bytes:
        """The text of these tokens."""
        entries = self.entries
        return b"".join(entries[token] for token in ids)

    def to_json(self) -> str:
        """Canonical JSON, which `from_json` reads: the tokenizer's file."""
        return json.dumps({"layout": _LAYOUT, "size": self.size, "merges": self.merges}, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of `to_json`: part of the hash of a corpus."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """The vocabulary again; raises CorpusError where the text is none."""
        try:
            raw = json.loads(text)
            merges = tuple((int(left), int(right)) for left, right in raw["merges"])
            if raw["layout"] != _LAYOUT:
                raise ValueError(f"layout {raw['layout']}")
            vocabulary = cls(merges=merges, size=int(raw["size"]))
            if min((min(pair) for pair in merges), default=0) < 0 or not len(vocabulary.entries) <= vocabulary.size:
                raise ValueError("token ids out of range")
            return vocabulary
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise CorpusError(
                t("The tokenizer's file cannot be read ({error}); the text must be built again.", error=str(error))
            ) from error


def train_bpe(path: Path, *, vocab_size: int) -> Vocabulary:
    """Learn merges on the text at `path` until there are `vocab_size` tokens, or nothing is left to merge.

    Deterministic: the pair that is most frequent, and of equals the one with the lowest ids. Raises CorpusError where
    the package is missing.
    """
    package = _package()
    counts: Counter[bytes] = Counter()
    size = path.stat().st_size
    pieces = range(0, size, PIECE)
    every = max(1, -(-size // TRAINED_ON_BYTES))
    with open(path, "rb") as file:
        for start in pieces[::every]:
            file.seek(start)
            counts.update(WORD.findall(file.read(PIECE)))
    tokenizer = package.Tokenizer(package.models.BPE())
    trainer = package.trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=[chr(byte) for byte in range(256)], special_tokens=[],
        show_progress=False, min_frequency=2,
    )  # fmt: skip
    tokenizer.train_from_iterator((word.decode("latin-1") for word in counts.elements()), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    ids: dict[str, int] = model["vocab"]
    vocabulary = Vocabulary(merges=tuple((ids[left], ids[right]) for left, right in model["merges"]), size=vocab_size)
    if [entry.decode("latin-1") for entry in vocabulary.entries] != sorted(ids, key=ids.__getitem__):
        raise CorpusError(
            t("This version of tokenizers numbers its entries in another way; install {package}.", package=INSTALL)
        )
    return vocabulary


def encode(path: Path, vocabulary: Vocabulary) -> Iterator[NDArray[np.uint16]]:
    """The text at `path` as token ids, piece by piece. Raises CorpusError where the package is missing."""
    package = _package()
    entries = [entry.decode("latin-1") for entry in vocabulary.entries]
    pairs = [(entries[left], entries[right]) for left, right in vocabulary.merges]
    table = {entry: number for number, entry in enumerate(entries)}
    tokenizer = package.Tokenizer(package.models.BPE(vocab=table, merges=pairs))
    known: dict[bytes, bytes] = {}
    with open(path, "rb") as file:
        while data := file.read(PIECE):
            words = WORD.findall(data)
            new = [word for word in dict.fromkeys(words) if word not in known]
            if len(known) + len(new) > MOST_WORDS:
                known.clear()
                new = list(dict.fromkeys(words))
            found = tokenizer.encode_batch_fast([word.decode("latin-1") for word in new], add_special_tokens=False)
            for word, encoding in zip(new, found, strict=True):
                known[word] = np.array(encoding.ids, dtype=np.uint16).tobytes()
            yield np.frombuffer(b"".join(map(known.__getitem__, words)), dtype=np.uint16)


def _package() -> Any:
    """The package `tokenizers`, told to work in one thread: it would warn at every process started after."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        return importlib.import_module("tokenizers")
    except ImportError as error:
        raise CorpusError(
            t(
                "Tokens of BPE need the package tokenizers, which cannot be loaded here ({error}); install it with "
                '{python} -m pip install "{package}", or train on bytes.',
                error=str(error),
                python=sys.executable,
                package=INSTALL,
            )
        ) from error
