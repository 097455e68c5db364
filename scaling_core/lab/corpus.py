"""The text that a ladder is trained on: found, checked, split into train and validation, and kept as two byte files.

Tokens are bytes. A source is only ever read. What was built from it lies under the cache folder by the hash of
its content, so that a sweep can be resumed even when its source has changed since. Knows no torch.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_core.errors import CorpusError
from scaling_core.lab.sources import Document, Listing, contents, list_folder, list_single, list_stdlib
from scaling_core.lab.spec import CorpusSpec

SEPARATOR = 0
"""Byte after every document; a text that contains it is not text."""
MINIMUM_BYTES = 100_000
VALIDATION_SHARE = 0.07
"""Aim for the share of bytes set aside; what comes out lies between 5% and 10%."""
FORMAT = 1
"""Version of the layout of the cache and of the split; part of the hash."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A text ready for training. train, validation: bytes (n,), read-only maps of files.

    hash: SHA-256 over both halves. n_files: documents after exact duplicates are dropped. note: what was
    skipped or cut, in a sentence, or "".
    """

    train: NDArray[np.uint8]
    validation: NDArray[np.uint8]
    hash: str
    name: str
    n_files: int
    train_bytes: int
    validation_bytes: int
    note: str

    def to_dict(self) -> dict[str, Any]:
        """What is stored with a sweep: everything but the text."""
        return {
            "name": self.name,
            "hash": self.hash,
            "n_files": self.n_files,
            "train_bytes": self.train_bytes,
            "validation_bytes": self.validation_bytes,
            "note": self.note,
        }


def load_corpus(spec: CorpusSpec, cache_dir: Path) -> Corpus:
    """Read the source that `spec` names, or the cache where the source has not changed (path, size, time of files).

    Raises CorpusError, in one sentence, for a source that is missing, unreadable, empty, binary or smaller than
    `MINIMUM_BYTES`, and for a cache folder that cannot be written.
    """
    listing = _listing(spec)
    key = _fingerprint(listing)
    known = cache_dir / f"source-{key}.json"
    try:
        cached = load_cached(json.loads(known.read_text())["hash"], cache_dir)
        if cached is not None:
            return cached
    except (OSError, ValueError, KeyError, TypeError):
        pass
    documents, skipped = contents(listing)
    size = sum(document.size for document in documents)
    if not documents or size == 0:
        raise CorpusError(
            f"The text {listing.shown} holds nothing to train on{_because(skipped)}; choose a text file, or a folder "
            f"with text files, of at least {MINIMUM_BYTES:,} bytes."
        )
    if size < MINIMUM_BYTES:
        raise CorpusError(
            f"The text {listing.shown} has {size:,} bytes{_because(skipped)}, but a ladder needs at least "
            f"{MINIMUM_BYTES:,}; choose a longer text."
        )
    note = "; ".join((*listing.notes, *skipped))
    try:
        digest = _build(documents, listing.name, note, cache_dir)
        _write_text(known, json.dumps({"hash": digest}))
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise CorpusError(
            f"The text was read, but its copy for training could not be written to {cache_dir} ({reason}); "
            f"make room there, {2 * size:,} bytes."
        ) from error
    built = load_cached(digest, cache_dir)
    if built is None:
        raise CorpusError(f"The copy of the text under {cache_dir} vanished while it was opened; start again.")
    return built


def load_cached(digest: str, cache_dir: Path) -> Corpus | None:
    """The corpus of that hash where the cache holds it whole, else None. Its source is not looked at."""
    folder = cache_dir / digest
    try:
        about = json.loads((folder / "corpus.json").read_text())
        halves = [np.memmap(folder / f"{half}.bin", dtype=np.uint8, mode="r") for half in ("train", "validation")]
        corpus = Corpus(train=halves[0], validation=halves[1], **about)
    except (OSError, ValueError, TypeError):
        return None
    whole = corpus.hash == digest and corpus.train.size == corpus.train_bytes
    return corpus if whole and corpus.validation.size == corpus.validation_bytes else None


def _listing(spec: CorpusSpec) -> Listing:
    if spec.kind == "stdlib":
        return list_stdlib(name=f"Python {platform.python_version()} standard library")
    path = Path(str(spec.path)).expanduser()
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError as error:
        raise CorpusError(f"There is no file or folder {path}; check the path of the text.") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise CorpusError(
            f"The path {str(path)[:200]!r} cannot be followed ({error}); check the path of the text."
        ) from error
    return list_folder(real) if real.is_dir() else list_single(real)


def _fingerprint(listing: Listing) -> str:
    lines = [f"{FORMAT} {listing.name}"]
    lines += [f"{file.relative}\0{file.size}\0{file.modified}" for file in listing.files]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _because(skipped: tuple[str, ...]) -> str:
    return f" ({'; '.join(skipped)})" if skipped else ""


def choose_validation(documents: tuple[Document, ...]) -> frozenset[int] | None:
    """Indices of the documents set aside, chosen by a hash of path and content so that the order does not matter.

    Documents are taken in the order of their hash as long as they fit under 1.3 times `VALIDATION_SHARE` of all
    bytes, until the share is reached. None where less than 0.7 of it comes together: too few or too large files,
    which are then cut into blocks instead.
    """
    total = sum(document.size for document in documents)
    order = sorted(
        range(len(documents)),
        key=lambda i: hashlib.sha256(
            f"{documents[i].relative}\0{documents[i].digest}".encode("utf-8", "surrogateescape")
        ).digest(),
    )
    taken: set[int] = set()
    size = 0
    for index in order:
        if size >= VALIDATION_SHARE * total:
            break
        if size + documents[index].size <= 1.3 * VALIDATION_SHARE * total:
            taken.add(index)
            size += documents[index].size
    if size < 0.7 * VALIDATION_SHARE * total or len(taken) == len(documents):
        return None
    return frozenset(taken)


def _build(documents: tuple[Document, ...], name: str, note: str, cache_dir: Path) -> str:
    """Write both halves beside their place and move them in by one rename; safe for two processes at once."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    _sweep_leftovers(cache_dir)
    work = Path(tempfile.mkdtemp(prefix="building-", dir=cache_dir))
    try:
        taken = choose_validation(documents)
        if taken is None:
            note = "; ".join(filter(None, (note, "split into blocks, for want of enough files to split by file")))
        sizes, digests = _write_halves(documents, taken, work)
        seal = f"{FORMAT}:{sizes[0]}:{digests[0]}:{sizes[1]}:{digests[1]}"
        digest = hashlib.sha256(seal.encode()).hexdigest()
        about = {
            "hash": digest, "name": name, "n_files": len(documents), "train_bytes": sizes[0],
            "validation_bytes": sizes[1], "note": note,
        }  # fmt: skip
        _write_text(work / "corpus.json", json.dumps(about, indent=1))
        target = cache_dir / digest
        if load_cached(digest, cache_dir) is None:
            if target.exists():
                shutil.rmtree(target, ignore_errors=True)
            try:
                os.rename(work, target)
            except OSError:
                if load_cached(digest, cache_dir) is None:
                    raise
        return digest
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_halves(
    documents: tuple[Document, ...], taken: frozenset[int] | None, work: Path
) -> tuple[tuple[int, int], tuple[str, str]]:
    """Write train.bin and validation.bin; returns their sizes in bytes and SHA-256."""
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
                else:  # every fourteenth block, 7%, from the seventh on
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
    return (sizes[0], sizes[1]), (hashes[0].hexdigest(), hashes[1].hexdigest())


def _write_text(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def _sweep_leftovers(cache_dir: Path) -> None:
    """Remove what a killed build left behind more than a day ago."""
    for folder in cache_dir.glob("building-*"):
        try:
            if time.time() - folder.stat().st_mtime > 86_400:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
