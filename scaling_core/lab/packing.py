"""The files of a corpus: two halves as plain arrays of token ids, written whole or not at all. Knows no torch."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaling_core.lab.sources import Document
from scaling_core.lab.tokens import SEPARATOR, Vocabulary, encode

HALVES = ("train", "validation")
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Half:
    """A half that was written: its bytes of text, its tokens and the SHA-256 of its file."""

    text_bytes: int
    tokens: int
    digest: str


@contextmanager
def workplace(cache_dir: Path) -> Iterator[Path]:
    """A folder to build in, beside where the result goes; removed at the end, and a day later if this is killed."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    for folder in cache_dir.glob("building-*"):
        try:
            if time.time() - folder.stat().st_mtime > 86_400:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
    work = Path(tempfile.mkdtemp(prefix="building-", dir=cache_dir))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_bytes(documents: tuple[Document, ...], taken: frozenset[int] | None, work: Path) -> tuple[Half, Half]:
    """Write both halves as bytes, a separator after every document; `taken` are those of the validation half.

    Without `taken` the whole text is cut into blocks, of which every fourteenth, 7%, is validation.
    """
    total = sum(document.size + 1 for document in documents)
    block = min(max(total // 280, 2048), 65_536)
    hashes = (hashlib.sha256(), hashlib.sha256())
    sizes = [0, 0]
    position = 0
    with open(work / "train.bin", "wb") as train, open(work / "validation.bin", "wb") as validation:
        outputs = (train, validation)
        for index, document in enumerate(documents):
            data = document.read() + bytes([SEPARATOR])
            start = 0
            while start < len(data):
                if taken is not None:
                    half, end = int(index in taken), len(data)
                else:
                    half = int((position + start) // block % 14 == 6)
                    end = min(len(data), start + block - (position + start) % block)
                outputs[half].write(memoryview(data)[start:end])
                hashes[half].update(memoryview(data)[start:end])
                sizes[half] += end - start
                start = end
            position += len(data)
        for output in outputs:
            output.flush()
            os.fsync(output.fileno())
    first, second = (Half(text_bytes=n, tokens=n, digest=h.hexdigest()) for n, h in zip(sizes, hashes, strict=True))
    return first, second


def write_ids(pieces: Iterable[NDArray[np.uint16]], path: Path, *, text_bytes: int | None = None) -> Half:
    """Write token ids, two bytes each, little-endian; text_bytes: of the text they stand for, of themselves if None."""
    digest, tokens = hashlib.sha256(), 0
    with open(path, "wb") as out:
        for piece in pieces:
            data = piece.astype("<u2", copy=False).tobytes()
            out.write(data)
            digest.update(data)
            tokens += piece.size
        out.flush()
        os.fsync(out.fileno())
    return Half(text_bytes=2 * tokens if text_bytes is None else text_bytes, tokens=tokens, digest=digest.hexdigest())


def encode_halves(halves: tuple[Half, Half], vocabulary: Vocabulary, work: Path) -> tuple[Half, Half]:
    """Put token ids in the place of both halves' bytes, and the vocabulary beside them."""
    made = []
    for name, half in zip(HALVES, halves, strict=True):
        text = work / f"{name}.bin"
        made.append(write_ids(encode(text, vocabulary), work / f"{name}.ids", text_bytes=half.text_bytes))
        os.replace(work / f"{name}.ids", text)
    write_text(work / TOKENIZER_FILE, vocabulary.to_json())
    return made[0], made[1]


def write_text(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or as it was before."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
