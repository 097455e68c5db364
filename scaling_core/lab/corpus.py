"""The text that a ladder is trained on: found, checked, split into train and validation, and kept as two token files.

A source is only ever read. What was built from it lies under the cache folder by the hash of its content, so that a
sweep can be resumed even when its source has changed since. Knows no torch.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scaling_core.errors import CorpusError
from scaling_core.lab import hub
from scaling_core.lab.corpus_spec import CorpusSpec
from scaling_core.lab.duplicates import without_near_copies
from scaling_core.lab.known_texts import shown_name
from scaling_core.lab.oracle import OracleSpec, entropy_rate, generate
from scaling_core.lab.packing import (
    HALVES,
    TOKENIZER_FILE,
    Half,
    encode_halves,
    workplace,
    write_bytes,
    write_ids,
    write_text,
)
from scaling_core.lab.sources import Document, Listing, contents, in_a_row, list_folder, list_single, list_stdlib
from scaling_core.lab.tokens import Vocabulary, train_bpe
from scaling_core.language import packed, t, tn, unpacked

MINIMUM_BYTES = 100_000
VALIDATION_SHARE = 0.07
"""Aim for the share of bytes set aside; what comes out lies between 5% and 10%."""
FORMAT = 2
"""Version of the layout of the cache, of what is left out and of the split; part of the hash."""
_Built = tuple[str, str, str]
"""Hash, name and note of a corpus that was built."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A text ready for training. train, validation: token ids (n,), uint8 for bytes and else uint16, read-only maps.

    hash: SHA-256 over both halves and the vocabulary. n_files: documents after copies and near copies are dropped.
    train_bytes, validation_bytes: bytes of text, separators included. bytes_per_token: of the validation half; a loss
    of x nats per token is x / (ln 2 bytes_per_token) bits per byte. An oracle has no text: its bytes are those of its
    file, two for each token. entropy: exact entropy rate in nats per token, of an oracle only. tokens: how a person
    names them, as `bytes`, `BPE 1024` or `oracle`. note: what was skipped or cut, in a sentence, or "".
    """

    train: NDArray[np.uint8] | NDArray[np.uint16]
    validation: NDArray[np.uint8] | NDArray[np.uint16]
    hash: str
    name: str
    n_files: int
    train_bytes: int
    validation_bytes: int
    train_tokens: int
    validation_tokens: int
    vocab_size: int
    bytes_per_token: float
    entropy: float | None
    tokens: str
    note: str

    def bits_per_byte(self, loss: float) -> float:
        """A loss in nats per token as bits per byte of text: loss / (ln 2 * bytes per token)."""
        return loss / (math.log(2.0) * self.bytes_per_token)

    def to_dict(self) -> dict[str, Any]:
        """What is stored with a sweep: everything but the text."""
        names = ("name", "hash", "n_files", "train_bytes", "validation_bytes", "train_tokens", "validation_tokens")
        more = ("vocab_size", "bytes_per_token", "entropy", "tokens", "note")
        return {name: getattr(self, name) for name in (*names, *more)}


def load_corpus(spec: CorpusSpec, cache_dir: Path) -> Corpus:
    """Read the source that `spec` names, or the cache where the source has not changed (path, size, time of files).

    Raises CorpusError, in one sentence, for a source that is missing, unreadable, empty, binary or smaller than
    `MINIMUM_BYTES`, for a dataset that cannot be reached or needs a package, and for a cache that cannot be written.
    """
    needed = 4 * MINIMUM_BYTES
    try:
        if spec.oracle is not None:
            oracle = spec.oracle
            needed = 2 * (oracle.tokens + oracle.validation_tokens)
            return _load(spec, json.dumps(asdict(oracle)), cache_dir, lambda: _build_oracle(oracle, cache_dir))
        if spec.kind == "huggingface":
            needed = 2 * spec.cap_bytes
            source = hub.source_key(spec)
            return _load(spec, source, cache_dir, lambda: _build(hub.list_dataset(spec, cache_dir), spec, cache_dir))
        listing = _listing(spec)
        needed = 2 * sum(file.size for file in listing.files)
        return _load(spec, _fingerprint(listing), cache_dir, lambda: _build(listing, spec, cache_dir))
    except OSError as error:
        raise CorpusError(
            t(
                "The copy of the text for training could not be written to {folder} ({reason}); "
                "make room there, {needed:,} bytes.",
                folder=cache_dir,
                reason=t("the disk is full") if error.errno == errno.ENOSPC else error.strerror or str(error),
                needed=max(needed, 4 * MINIMUM_BYTES),
            )
        ) from error


def load_cached(digest: str, cache_dir: Path) -> Corpus | None:
    """The corpus of that hash where the cache holds it whole, else None. Its source is not looked at."""
    folder = cache_dir / digest
    try:
        about = json.loads((folder / "corpus.json").read_text())
        kind = np.uint8 if about["tokens"] == "bytes" else np.dtype("<u2")
        halves = [np.memmap(folder / f"{half}.bin", dtype=kind, mode="r") for half in HALVES]
        about |= {"name": shown_name(about["name"]), "note": unpacked(about["note"])}
        corpus = Corpus(train=halves[0], validation=halves[1], **about)
        if about["tokens"].startswith("BPE"):
            load_vocabulary(digest, cache_dir)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, CorpusError):
        return None
    whole = corpus.hash == digest and corpus.train.size == corpus.train_tokens
    return corpus if whole and corpus.validation.size == corpus.validation_tokens else None


def load_vocabulary(digest: str, cache_dir: Path) -> Vocabulary:
    """The BPE vocabulary of a cached corpus; raises OSError where there is none and CorpusError where it is torn."""
    return Vocabulary.from_json((cache_dir / digest / TOKENIZER_FILE).read_text())


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


def _listing(spec: CorpusSpec) -> Listing:
    if spec.kind == "stdlib":
        return list_stdlib(name=f"Python {platform.python_version()} standard library")
    path = Path(str(spec.path)).expanduser()
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError as error:
        raise CorpusError(t("There is no file or folder {path}; check the path of the text.", path=path)) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise CorpusError(
            t(
                "The path {path} cannot be followed ({error}); check the path of the text.",
                path=repr(str(path)[:200]),
                error=str(error),
            )
        ) from error
    return list_folder(real) if real.is_dir() else list_single(real)


def _fingerprint(listing: Listing) -> str:
    lines = [listing.name]
    lines += [f"{file.relative}\0{file.size}\0{file.modified}" for file in listing.files]
    return "\n".join(lines)


def _load(spec: CorpusSpec, source: str, cache_dir: Path, build: Callable[[], _Built]) -> Corpus:
    """The corpus that was built of this source before, or what `build` makes: its hash, name and note.

    Name and note are the source's: two sources of the same content share their files, and each keeps its own.
    """

    def opened(built: _Built) -> Corpus | None:
        found = load_cached(built[0], cache_dir)
        return None if found is None else replace(found, name=shown_name(built[1]), note=unpacked(built[2]))

    asked = f"{FORMAT} {spec.kind} {spec.tokens} {spec.vocab_size}\n{source}"
    key = hashlib.sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    known = cache_dir / f"source-{key}.json"
    try:
        digest, name, note = json.loads(known.read_text())
        cached = opened((digest, name, note))
        if cached is not None:
            return cached
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    made = build()
    write_text(known, json.dumps(made))
    built = opened(made)
    if built is None:
        raise CorpusError(
            t("The copy of the text under {folder} vanished while it was opened; start again.", folder=cache_dir)
        )
    return built


def _build(listing: Listing, spec: CorpusSpec, cache_dir: Path) -> _Built:
    """Read, drop copies, split, cut into tokens and put in place."""
    found, skipped = contents(listing)
    documents, near = without_near_copies(found)
    notes = [*listing.notes, *skipped]
    if near:
        notes.append(_near_copies(near, listing.noun))
    _check_size(documents, listing, tuple(notes))
    with workplace(cache_dir) as work:
        taken = choose_validation(documents)
        if taken is None:
            notes.append(
                t("split into blocks, for want of enough documents to split by document")
                if listing.noun == "document"
                else t("split into blocks, for want of enough files to split by file")
            )
        halves = write_bytes(documents, taken, work)
        extra, tokens = "", "bytes"
        if spec.tokens == "bpe":
            vocabulary = train_bpe(work / "train.bin", vocab_size=spec.vocab_size)
            halves = encode_halves(halves, vocabulary, work)
            extra, tokens = vocabulary.digest, f"BPE {spec.vocab_size}"
            entries = len(vocabulary.entries)
            if entries < spec.vocab_size:
                notes.append(t("only {n:,} of {all:,} tokens were found worth having", n=entries, all=spec.vocab_size))
        about = {"name": listing.name, "n_files": len(documents), "vocab_size": spec.vocab_size, "entropy": None}
        about |= {"tokens": tokens, "note": packed(in_a_row(notes))}
        return _settle(work, halves, cache_dir, extra=extra, about=about)


def _near_copies(n: int, noun: str) -> str:
    if noun == "document":
        return tn(
            "{n:,} document left out as near copies of others", "{n:,} documents left out as near copies of others", n
        )
    return tn("{n:,} file left out as near copies of others", "{n:,} files left out as near copies of others", n)


def _build_oracle(oracle: OracleSpec, cache_dir: Path) -> _Built:
    with workplace(cache_dir) as work:
        splits: tuple[Literal["train", "validation"], ...] = ("train", "validation")
        first, second = (write_ids([generate(oracle, split=half)], work / f"{half}.bin") for half in splits)
        about = {
            "name": f"oracle of {oracle.vocab_size} tokens, order {oracle.order}, seed {oracle.seed}", "n_files": 1,
            "vocab_size": oracle.vocab_size, "entropy": entropy_rate(oracle), "tokens": "oracle", "note": "",
        }  # fmt: skip
        return _settle(work, (first, second), cache_dir, extra="oracle", about=about)


def _settle(work: Path, halves: tuple[Half, Half], cache_dir: Path, *, extra: str, about: dict[str, Any]) -> _Built:
    """Describe what was built in `work` and move it in by one rename; safe for two processes at once."""
    train, validation = halves
    seal = f"{FORMAT}:{extra}:{train.tokens}:{train.digest}:{validation.tokens}:{validation.digest}"
    digest = hashlib.sha256(seal.encode()).hexdigest()
    counts = {
        "hash": digest, "train_bytes": train.text_bytes, "validation_bytes": validation.text_bytes,
        "train_tokens": train.tokens, "validation_tokens": validation.tokens,
        "bytes_per_token": validation.text_bytes / validation.tokens,
    }  # fmt: skip
    write_text(work / "corpus.json", json.dumps({**counts, **about}, indent=1))
    target = cache_dir / digest
    if load_cached(digest, cache_dir) is None:
        if target.exists():
            shutil.rmtree(target, ignore_errors=True)
        try:
            os.rename(work, target)
        except OSError:
            if load_cached(digest, cache_dir) is None:
                raise
    return digest, about["name"], about["note"]


def _check_size(documents: tuple[Document, ...], listing: Listing, notes: tuple[str, ...]) -> None:
    size = sum(document.size for document in documents)
    named = {"text": listing.shown, "least": MINIMUM_BYTES, "notes": in_a_row(notes)}
    if not documents or size == 0:
        raise CorpusError(
            t(
                "The text {text} holds nothing to train on ({notes}); choose a text file, or a folder with text files, "
                "of at least {least:,} bytes.",
                **named,
            )
            if notes
            else t(
                "The text {text} holds nothing to train on; choose a text file, or a folder with text files, of at "
                "least {least:,} bytes.",
                **named,
            )
        )
    if size < MINIMUM_BYTES:
        raise CorpusError(
            t(
                "The text {text} has {size:,} bytes ({notes}), but a ladder needs at least {least:,}; choose a longer "
                "text.",
                size=size,
                **named,
            )
            if notes
            else t(
                "The text {text} has {size:,} bytes, but a ladder needs at least {least:,}; choose a longer text.",
                size=size,
                **named,
            )
        )
