"""Near copies are found and honest different texts are kept; the estimate agrees with the exact similarity."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from scaling_core.lab.duplicates import INDEXED, SHINGLE, SKETCH, THRESHOLD, similarity, sketch, without_near_copies
from scaling_core.lab.sources import Document

GENERATOR = np.random.default_rng(5)
WORDS = [bytes(GENERATOR.integers(97, 123, GENERATOR.integers(2, 10), dtype=np.uint8)) for _ in range(3000)]


def prose(words: int) -> bytes:
    """A text in words of the list, twelve to a line, that nobody has written before."""
    chosen = [WORDS[i] for i in GENERATOR.integers(0, len(WORDS), words)]
    return b"\n".join(b" ".join(chosen[i : i + 12]) for i in range(0, words, 12))


def changed(text: bytes, share: float) -> bytes:
    """The text with that share of its lines written anew."""
    lines = text.split(b"\n")
    for i in GENERATOR.choice(len(lines), round(share * len(lines)), replace=False).tolist():
        lines[i] = prose(12)
    return b"\n".join(lines)


def exact(one: bytes, other: bytes) -> float:
    """Jaccard similarity of the sets of runs, counted one by one."""

    def runs(text: bytes) -> set[bytes]:
        bare = b"".join(text.lower().split())
        return {bare[i : i + SHINGLE] for i in range(len(bare) - SHINGLE + 1)}

    a, b = runs(one), runs(other)
    return len(a & b) / len(a | b)


def kept(folder: Path, texts: dict[str, bytes]) -> tuple[set[str], int]:
    """Names that stay of files with these contents."""
    folder.mkdir(exist_ok=True)
    documents = []
    for name, data in texts.items():
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        documents.append(Document(path=folder / name, relative=name, size=len(data), digest=digest))
    stay, left = without_near_copies(documents)
    assert [document for document in documents if document in stay] == list(stay)
    assert left == len(texts) - len(stay)
    return {document.relative for document in stay}, left


def test_the_estimate_is_the_exact_similarity_within_its_error() -> None:
    for share in (0.02, 0.05, 0.1, 0.2, 0.4, 1.0):
        text = prose(1500)
        other = changed(text, share)
        truth = exact(text, other)
        assert similarity(sketch(text), sketch(other)) == pytest.approx(truth, abs=4 * 0.5 / SKETCH**0.5)
    short = prose(14)
    assert similarity(sketch(short), sketch(short + b" more words")) == pytest.approx(
        exact(short, short + b" more words"), abs=1e-12
    )


def test_a_long_text_is_hashed_in_pieces_as_if_it_were_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    text = prose(4000)
    whole = sketch(text)
    monkeypatch.setattr("scaling_core.lab.duplicates._PIECE", 1000)
    assert np.array_equal(sketch(text), whole)
    assert whole.size == SKETCH
    assert (np.diff(whole.astype(np.int64)) > 0).all()


def test_layout_and_case_do_not_make_a_text_new() -> None:
    text = prose(600)
    assert np.array_equal(sketch(text), sketch(text.upper().replace(b"\n", b"\r\n    ")))


def test_planted_near_copies_go_and_different_texts_stay(tmp_path: Path) -> None:
    originals = {f"{i:02d}.txt": prose(int(n)) for i, n in enumerate(GENERATOR.integers(60, 2500, 40))}
    copies = {f"copy-{name}": changed(text, 0.05)[: len(text) - 5] for name, text in list(originals.items())[:12]}
    likeness = [exact(originals[name.removeprefix("copy-")], text) for name, text in copies.items()]
    assert min(likeness) > THRESHOLD + 0.1
    stay, left = kept(tmp_path / "texts", {**originals, **copies})
    assert left == 12
    for name in copies:
        assert len({name, name.removeprefix("copy-")} & stay) == 1


def test_texts_below_the_threshold_stay_even_with_a_common_head(tmp_path: Path) -> None:
    licence = prose(200)
    texts = {f"{i:03d}.txt": licence + b"\n" + prose(300) for i in range(80)}
    texts["half.txt"] = changed(texts["000.txt"], 0.3)
    assert exact(texts["000.txt"], texts["half.txt"]) < THRESHOLD - 0.1
    assert kept(tmp_path / "texts", texts)[1] == 0


def test_what_stays_does_not_depend_on_the_order(tmp_path: Path) -> None:
    text = prose(900)
    family = {f"{i}.txt": changed(text, 0.03 * i) for i in range(10)} | {"x.txt": prose(500)}
    forward, _ = kept(tmp_path / "texts", family)
    assert kept(tmp_path / "texts", dict(reversed(family.items())))[0] == forward
    assert "x.txt" in forward


def test_texts_too_short_for_a_run_are_never_near_copies(tmp_path: Path) -> None:
    assert sketch(b"short").size == 0
    assert similarity(sketch(b"short"), sketch(b"short")) == 0
    assert kept(tmp_path / "texts", {"a": b"same words", "b": b"same  words", "c": b""})[1] == 0


def test_copies_are_looked_up_by_hashes_that_they_share() -> None:
    missed = 0
    for _ in range(60):
        text = prose(500)
        other = changed(text, 0.05)
        missed += not set(sketch(text)[:INDEXED].tolist()) & set(sketch(other)[:INDEXED].tolist())
    assert missed == 0
