"""BPE: every byte comes back, merges are those of the definition, and the vocabulary is the same however it is made."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core.errors import CorpusError
from scaling_core.lab import tokens
from scaling_core.lab.tokens import WORD, Vocabulary, encode, train_bpe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three modules of this project in one file, a separator after each."""
    path = tmp_path_factory.mktemp("text") / "text.bin"
    sources = sorted((ROOT / "scaling_core" / "lab").glob("*.py"))[:12]
    path.write_bytes(b"".join(source.read_bytes() + b"\0" for source in sources))
    return path


@pytest.fixture(scope="module")
def vocabulary(text: Path) -> Vocabulary:
    return train_bpe(text, vocab_size=600)


def ids_of(path: Path, vocabulary: Vocabulary) -> np.ndarray:
    return np.concatenate([*encode(path, vocabulary), np.empty(0, dtype=np.uint16)])


def by_definition(text: bytes, merges: int) -> list[bytes]:
    """The entries that BPE finds, by the definition: again and again the most frequent pair, lowest ids first."""
    words = Counter(WORD.findall(text))
    entries = [bytes([byte]) for byte in range(256)]
    split = {word: list(word) for word in words}
    for _ in range(merges):
        pairs: Counter[tuple[int, int]] = Counter()
        for word, ids in split.items():
            for pair in itertools.pairwise(ids):
                pairs[pair] += words[word]
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        entries.append(entries[left] + entries[right])
        for word, ids in split.items():
            merged: list[int] = []
            for token in ids:
                if merged and (merged[-1], token) == (left, right):
                    merged[-1] = len(entries) - 1
                else:
                    merged.append(token)
            split[word] = merged
    return entries


def test_the_entries_are_those_of_the_definition(text: Path, vocabulary: Vocabulary) -> None:
    wanted = by_definition(text.read_bytes(), 60)
    assert list(vocabulary.entries[: len(wanted)]) == wanted
    assert len(vocabulary.entries) == vocabulary.size == 600


def test_a_text_comes_back_byte_for_byte_and_is_shorter(text: Path, vocabulary: Vocabulary) -> None:
    ids = ids_of(text, vocabulary)
    assert ids.dtype == np.uint16
    assert vocabulary.decode(ids.tolist()) == text.read_bytes()
    assert ids.size < 0.6 * text.stat().st_size
    assert (ids == 0).sum() == text.read_bytes().count(b"\0")


@settings(max_examples=30)
@given(data=st.binary(max_size=400))
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(data)
    assert vocabulary.decode(ids_of(path, vocabulary).tolist()) == data
    assert b"".join(WORD.findall(data)) == data


def test_chinese_and_broken_utf8_come_back(tmp_path: Path, vocabulary: Vocabulary) -> None:
    path = tmp_path / "mixed.txt"
    path.write_bytes("标度律 Grüße ∑\n".encode() + b"\xff\xfe\xc3" + "é".encode("latin-1"))
    assert vocabulary.decode(ids_of(path, vocabulary).tolist()) == path.read_bytes()


def test_pieces_and_a_full_table_change_nothing_but_the_cuts(
    text: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ids_of(text, vocabulary)
    monkeypatch.setattr(tokens, "MOST_WORDS", 50)
    assert np.array_equal(ids_of(text, vocabulary), whole)
    monkeypatch.setattr(tokens, "PIECE", 4096)
    assert vocabulary.decode(ids_of(text, vocabulary).tolist()) == text.read_bytes()


def test_threads_and_processes_change_nothing(text: Path, vocabulary: Vocabulary) -> None:
    code = (
        "import sys; from pathlib import Path; from scaling_core.lab.tokens import train_bpe;"
        "print(train_bpe(Path(sys.argv[1]), vocab_size=600).digest)"
    )
    for parallel, threads in (("false", "1"), ("true", "1"), ("true", "4")):
        done = subprocess.run(
            [sys.executable, "-c", code, str(text)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
            env={**os.environ, "TOKENIZERS_PARALLELISM": parallel, "RAYON_NUM_THREADS": threads},
        )  # fmt: skip
        assert done.stdout.strip() == vocabulary.digest


def test_a_text_without_repetition_gives_fewer_entries(tmp_path: Path) -> None:
    path = tmp_path / "sparse.txt"
    path.write_bytes(b"a b c d e f g")
    vocabulary = train_bpe(path, vocab_size=512)
    assert len(vocabulary.entries) < 300
    assert vocabulary.size == 512


def test_one_endless_word_is_cut(tmp_path: Path) -> None:
    assert max(map(len, WORD.findall(b"a" * 10_000 + b" " * 10_000 + b"-" * 10_000))) <= 65
    path = tmp_path / "endless.txt"
    path.write_bytes(b"ab" * 500_000)
    vocabulary = train_bpe(path, vocab_size=512)
    assert vocabulary.decode(ids_of(path, vocabulary).tolist()) == path.read_bytes()


def test_the_file_of_a_vocabulary_is_read_again_or_refused(vocabulary: Vocabulary) -> None:
    text = vocabulary.to_json()
    assert Vocabulary.from_json(text) == vocabulary
    raw = json.loads(text)
    for broken in (
        text[:100], "[]", "{}", json.dumps({**raw, "layout": 9}), json.dumps({**raw, "merges": [[32, 5000]]}),
        json.dumps({**raw, "merges": [[-1, 2]]}), json.dumps({**raw, "size": 300}),
    ):  # fmt: skip
        with pytest.raises(CorpusError, match="tokenizer's file cannot be read"):
            Vocabulary.from_json(broken)


def test_without_the_package_one_sentence_says_what_to_do(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(CorpusError, match=r"install it with .* -m pip install \"tokenizers"):
        train_bpe(text, vocab_size=512)
