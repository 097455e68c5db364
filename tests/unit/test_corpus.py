"""Texts: what is taken, what is refused with which sentence, how it is split, and that a source is only read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scaling_core.errors import CorpusError
from scaling_core.lab import sources
from scaling_core.lab.corpus import Corpus, choose_validation, load_cached, load_corpus
from scaling_core.lab.sources import Document, is_binary
from scaling_core.lab.spec import CorpusSpec


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
    root = Path(__file__).resolve().parents[2]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(3)]
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
