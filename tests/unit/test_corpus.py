"""Texts: what is taken, what is refused with which sentence, how it is split, and that a source is only read."""

from __future__ import annotations

import errno
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaling_core.errors import CorpusError
from scaling_core.lab import sources
from scaling_core.lab.corpus import Corpus, choose_validation, load_cached, load_corpus, load_vocabulary
from scaling_core.lab.oracle import OracleSpec, entropy_rate, generate
from scaling_core.lab.sources import Document, is_binary
from scaling_core.lab.spec import CorpusSpec
from scaling_core.lab.tokens import train_bpe

ROOT = Path(__file__).resolve().parents[2]


def text(number: int, size: int) -> bytes:
    """A text that no other number has, of about `size` bytes."""
    line = b"document %d says the same in every line, but in its own words: %d\n" % (number, number**3)
    return (line * (size // len(line) + 1))[:size]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "texts"
    (place / "deep" / "er").mkdir(parents=True)
    for number in range(60):
        (place / ("deep/er" if number % 3 else "") / f"{number:02d}.txt").write_bytes(text(number, 4000 + 37 * number))
    return place


def load(path: Path, cache: Path) -> Corpus:
    return load_corpus(CorpusSpec(kind="path", path=str(path)), cache)


def documents_in(half: np.ndarray) -> list[bytes]:
    pieces = bytes(half).split(b"\0")
    assert pieces.pop() == b""
    return pieces


def test_a_folder_is_split_by_file_and_nothing_is_lost(folder: Path, tmp_path: Path) -> None:
    corpus = load(folder, tmp_path / "cache")
    train, validation = documents_in(corpus.train), documents_in(corpus.validation)
    assert sorted(train + validation) == sorted(path.read_bytes() for path in folder.rglob("*.txt"))
    assert corpus.n_files == 60
    assert 0.045 < corpus.validation_bytes / (corpus.train_bytes + corpus.validation_bytes) < 0.1
    assert (corpus.train.size, corpus.validation.size) == (corpus.train_bytes, corpus.validation_bytes)
    assert not corpus.train.flags.writeable
    assert corpus.to_dict()["hash"] == corpus.hash


def test_the_split_does_not_depend_on_the_order_and_hardly_on_a_new_file() -> None:
    files = tuple(Document(path=Path("x"), relative=f"{i}.txt", size=1000 + i, digest=f"{i:064d}") for i in range(200))
    chosen = choose_validation(files)
    assert chosen
    names = {files[i].relative for i in chosen}
    backwards = files[::-1]
    again = choose_validation(backwards)
    assert again
    assert {backwards[i].relative for i in again} == names
    more = choose_validation((*files, Document(path=Path("x"), relative="new.txt", size=900, digest="a" * 64)))
    assert more
    assert len(more ^ chosen) <= 2


def test_the_cache_is_used_until_the_source_changes(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = load(folder, cache)
    built = (cache / first.hash / "train.bin").stat().st_mtime_ns
    assert load(folder, cache).hash == first.hash
    assert (cache / first.hash / "train.bin").stat().st_mtime_ns == built
    (folder / "00.txt").write_bytes(text(999, 5000))
    second = load(folder, cache)
    assert second.hash != first.hash
    kept = load_cached(first.hash, cache)
    assert kept is not None
    assert np.array_equal(kept.train, first.train)


def test_a_torn_cache_is_built_again(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = load(folder, cache)
    whole = bytes(first.train)
    del first
    (digest,) = (path.name for path in cache.iterdir() if path.is_dir())
    with open(cache / digest / "train.bin", "r+b") as file:
        file.truncate(1000)
    assert load_cached(digest, cache) is None
    assert bytes(load(folder, cache).train) == whole


def test_duplicates_binaries_empty_and_hidden_files_are_left_out(folder: Path, tmp_path: Path) -> None:
    (folder / "copy.txt").write_bytes((folder / "00.txt").read_bytes())
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    (folder / "empty.txt").write_bytes(b"")
    (folder / ".hidden").write_bytes(text(500, 4000))
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "link.txt").symlink_to(folder / "00.txt")
    os.mkfifo(folder / "pipe.txt")
    corpus = load(folder, tmp_path / "cache")
    assert corpus.n_files == 60
    for phrase in ("1 empty file left out", "1 binary file left out", "1 duplicate file left out"):
        assert phrase in corpus.note


def test_a_single_file_is_cut_into_blocks(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    whole = b"".join(text(i, 50) for i in range(8000))
    path.write_bytes(whole)
    corpus = load(path, tmp_path / "cache")
    assert corpus.train_bytes + corpus.validation_bytes == len(whole) + 1
    assert 0.05 < corpus.validation_bytes / len(whole) < 0.1
    assert "split into blocks" in corpus.note
    validation = bytes(corpus.validation)
    assert whole.count(validation[:2000]) == 1
    assert validation[:2000] not in bytes(corpus.train)


def test_the_source_is_only_read(folder: Path, tmp_path: Path) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()}

    before = state()
    load(folder, tmp_path / "cache")
    assert state() == before


def test_what_cannot_be_trained_on_is_refused_in_a_sentence(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    empty, tiny, binary, wide = (tmp_path / name for name in ("empty.txt", "tiny.txt", "binary.txt", "utf16.txt"))
    empty.write_bytes(b"  \n")
    tiny.write_bytes(text(1, 5000))
    binary.write_bytes(np.random.default_rng(0).integers(1, 256, 200_000, dtype=np.uint8).tobytes())
    wide.write_bytes(("words " * 50_000).encode("utf-16"))
    bare = tmp_path / "bare"
    bare.mkdir()
    cases = {
        tmp_path / "absent.txt": "There is no file or folder",
        empty: "holds nothing to train on",
        tiny: r"has 5,000 bytes, but a ladder needs at least 100,000",
        binary: "1 binary file left out",
        wide: "1 binary file left out",
        bare: "holds no files",
        Path("/dev/zero"): "neither a file nor a folder",
    }
    for path, sentence in cases.items():
        with pytest.raises(CorpusError, match=sentence) as caught:
            load(path, cache)
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_bytes(text(1, 200_000))
    path.chmod(0)
    with pytest.raises(CorpusError, match="cannot be read"):
        load(path, tmp_path / "cache")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(CorpusError, match=r"cannot be followed|no file or folder"):
        load(loop, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(CorpusError, match="could not be written"):
        load(folder, tmp_path / "cache")


def test_beyond_the_cap_the_note_says_what_is_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CAP_BYTES", 150_000)
    corpus = load(folder, tmp_path / "cache")
    assert corpus.n_files < 60
    assert f"only {corpus.n_files} of 60 files are used" in corpus.note


def test_two_processes_build_the_same_at_once(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from scaling_core.lab.corpus import load_corpus;"
        "from scaling_core.lab.spec import CorpusSpec;"
        "print(load_corpus(CorpusSpec(kind='path', path=sys.argv[1]), Path(sys.argv[2])).hash)"
    )
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    found = {process.communicate(timeout=60)[0].strip() for process in both}
    assert all(process.returncode == 0 for process in both)
    assert len(found) == 1
    assert load_cached(found.pop(), tmp_path / "cache") is not None
    assert not list((tmp_path / "cache").glob("building-*"))


def test_what_is_binary() -> None:
    assert is_binary(b"abc\0def")
    assert is_binary(bytes(range(1, 32)) * 10)
    assert not is_binary("Grüße, 你好, μ\n\tindented\r\n".encode())
    assert not is_binary("Grüße".encode("latin-1") * 10)


def test_the_standard_library_is_a_text(tmp_path: Path) -> None:
    corpus = load_corpus(CorpusSpec(), tmp_path / "cache")
    assert corpus.train_bytes > 5_000_000
    assert corpus.n_files > 300
    assert "standard library" in corpus.name
    assert b"def " in bytes(corpus.validation[:200_000])
    assert not (corpus.train[:-1] == 0).all()


def prose(number: int, words: int = 900) -> bytes:
    """A text in random words that no other number has."""
    rng = np.random.default_rng(number)
    letters = rng.integers(97, 123, 6 * words, dtype=np.uint8).reshape(words, 6)
    return b"\n".join(b" ".join(map(bytes, letters[i : i + 12])) for i in range(0, words, 12))


@pytest.fixture
def essays(tmp_path: Path) -> Path:
    """Sixty honest texts, and ten that repeat one of them but for a line."""
    place = tmp_path / "essays"
    place.mkdir()
    for number in range(60):
        (place / f"{number:02d}.txt").write_bytes(prose(number))
        if number < 10:
            (place / f"copy of {number}.txt").write_bytes(prose(number).replace(b"\n", b"\nedited ", 3))
    return place


def test_no_near_copy_of_a_validation_text_is_trained_on(essays: Path, tmp_path: Path) -> None:
    corpus = load(essays, tmp_path / "cache")
    assert corpus.n_files == 60
    assert "10 files left out as near copies of others" in corpus.note
    train = bytes(corpus.train)
    for text in documents_in(corpus.validation):
        inner = text.split(b"\n")[10:60]
        assert inner
        assert not any(line in train for line in inner)


def test_a_bpe_corpus_is_the_same_text_with_its_vocabulary_beside_it(essays: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain = load(essays, cache)
    spec = CorpusSpec(kind="path", path=str(essays), tokens="bpe", vocab_size=600)
    corpus = load_corpus(spec, cache)
    vocabulary = load_vocabulary(corpus.hash, cache)
    assert vocabulary.decode(corpus.train.tolist()) == bytes(plain.train)
    assert vocabulary.decode(corpus.validation.tolist()) == bytes(plain.validation)
    assert (corpus.train.dtype.name, corpus.vocab_size, corpus.tokens) == ("uint16", 600, "BPE 600")
    assert (corpus.train_bytes, corpus.validation_bytes) == (plain.train_bytes, plain.validation_bytes)
    assert (corpus.train_tokens, corpus.validation_tokens) == (corpus.train.size, corpus.validation.size)
    assert corpus.bytes_per_token == plain.validation_bytes / corpus.validation.size > 1.2
    assert corpus.hash not in (plain.hash, load_corpus(replace(spec, vocab_size=700), cache).hash)
    assert load_corpus(spec, cache).hash == corpus.hash
    whole = bytes(corpus.train)
    (cache / corpus.hash / "tokenizer.json").write_text("{")
    assert load_cached(corpus.hash, cache) is None
    assert bytes(load_corpus(spec, cache).train) == whole


def test_the_vocabulary_has_seen_the_train_half_alone(tmp_path: Path) -> None:
    place = tmp_path / "texts"
    place.mkdir()
    for number in range(60):
        (place / f"{number:02d}.txt").write_bytes(b"word%02dx " % number * 40 + prose(number, 300))
    spec = CorpusSpec(kind="path", path=str(place), tokens="bpe", vocab_size=4096)
    corpus = load_corpus(spec, tmp_path / "cache")
    vocabulary = load_vocabulary(corpus.hash, tmp_path / "cache")
    again = tmp_path / "train.bin"
    again.write_bytes(vocabulary.decode(corpus.train.tolist()))
    assert train_bpe(again, vocab_size=4096) == vocabulary
    assert train_bpe(next(iter(place.iterdir())), vocab_size=4096) != vocabulary


def test_bits_per_byte_by_hand(tmp_path: Path) -> None:
    """Every token a fair choice among 600: log2(600) bits a token, over the bytes of a token."""
    path = tmp_path / "book.txt"
    path.write_bytes(b"".join(prose(i, 100) for i in range(200)))
    corpus = load_corpus(CorpusSpec(kind="path", path=str(path), tokens="bpe", vocab_size=600), tmp_path / "cache")
    bits = math.log2(600) * corpus.validation_tokens / corpus.validation_bytes
    assert math.log(600) / (math.log(2) * corpus.bytes_per_token) == pytest.approx(bits, rel=1e-12)


def test_an_oracle_is_a_corpus_of_tokens_with_a_known_floor(tmp_path: Path) -> None:
    oracle = OracleSpec(vocab_size=32, tokens=50_000, validation_tokens=8192)
    spec = CorpusSpec(kind="oracle", oracle=oracle)
    corpus = load_corpus(spec, tmp_path / "cache")
    assert np.array_equal(corpus.train, generate(oracle, split="train"))
    assert np.array_equal(corpus.validation, generate(oracle, split="validation"))
    assert (corpus.entropy, corpus.vocab_size, corpus.tokens) == (entropy_rate(oracle), 32, "oracle")
    assert (corpus.bytes_per_token, corpus.train_bytes) == (2, 100_000)
    other = load_corpus(replace(spec, oracle=replace(oracle, seed=1)), tmp_path / "cache")
    assert other.hash != corpus.hash
    cached = load_cached(corpus.hash, tmp_path / "cache")
    assert cached is not None
    assert cached.to_dict() == corpus.to_dict() | {"name": cached.name}


def test_two_sources_of_one_content_keep_their_names(tmp_path: Path) -> None:
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_bytes(prose(3, 20_000))
    cache = tmp_path / "cache"
    found = [load(tmp_path / name, cache) for name in ("one.txt", "two.txt", "one.txt")]
    assert [corpus.name for corpus in found] == ["one.txt", "two.txt", "one.txt"]
    assert len({corpus.hash for corpus in found}) == 1


def test_a_folder_of_hostile_files_costs_nothing_but_them(essays: Path, tmp_path: Path) -> None:
    (essays / "tokenizer.json").write_text('{"merges": "[[' * 2000)
    (essays / "weights.pkl").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR.")
    (essays / "endless line.txt").write_bytes(b"z" * 300_000)
    (essays / "zeros.bin").write_bytes(bytes(300_000))
    (essays / "not utf-8.txt").write_bytes(b"\xff\xfe\x80 caf\xe9 " * 300)
    os.makedirs(os.fsencode(essays) + b"/n\xffme")
    Path(os.fsdecode(os.fsencode(essays) + b"/n\xffme/\xfe.txt")).write_bytes(prose(99))
    os.mkfifo(essays / "pipe")
    deep = essays.joinpath(*["d"] * 100)
    deep.mkdir(parents=True)
    (deep / "down.txt").write_bytes(prose(98))
    spec = CorpusSpec(kind="path", path=str(essays), tokens="bpe", vocab_size=512)
    corpus = load_corpus(spec, tmp_path / "cache")
    assert corpus.n_files == 60 + 6
    vocabulary = load_vocabulary(corpus.hash, tmp_path / "cache")
    both = vocabulary.decode(corpus.train.tolist()) + vocabulary.decode(corpus.validation.tolist())
    assert all(text in both for text in (prose(98), prose(99), b"\xff\xfe\x80 caf\xe9 ", b"cos\nsystem"))
    assert not (tmp_path / "run").exists()


def test_a_build_that_is_killed_leaves_nothing_that_is_taken_for_whole(essays: Path, tmp_path: Path) -> None:
    """Killed before each write to disk in turn; the next build gives what an undisturbed one gives."""
    spec = CorpusSpec(kind="path", path=str(essays), tokens="bpe", vocab_size=512)
    wanted = load_corpus(spec, tmp_path / "undisturbed").hash
    code = (
        "import os, signal, sys; from pathlib import Path; from scaling_core.lab.corpus import load_corpus;"
        "from scaling_core.lab.spec import CorpusSpec;"
        "left = [int(sys.argv[3])]; real = {name: getattr(os, name) for name in ('fsync', 'replace', 'rename')}\n"
        "def faulty(name):\n"
        "    def call(*given):\n"
        "        left[0] -= 1\n"
        "        if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return real[name](*given)\n"
        "    return call\n"
        "for name in real: setattr(os, name, faulty(name))\n"
        "load_corpus(CorpusSpec(kind='path', path=sys.argv[1], tokens='bpe', vocab_size=512), Path(sys.argv[2]))"
    )
    cache = tmp_path / "cache"
    killed = 0
    for step in (1, 5, 9, 10, 11):
        done = subprocess.run(
            [sys.executable, "-c", code, str(essays), str(cache), str(step)], cwd=ROOT, timeout=60, check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        killed += 1
        for folder in cache.iterdir():
            if folder.is_dir() and not folder.name.startswith("building-"):
                assert load_cached(folder.name, cache) is not None
    assert killed == 5
    assert load_corpus(spec, cache).hash == wanted


def test_a_full_disk_is_said_and_leaves_nothing(essays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CorpusError, match=r"\(the disk is full\); make room there, [0-9,]+ bytes"):
        load(essays, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
