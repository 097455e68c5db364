"""Datasets: the real loading path on local files, the cap, the columns, and a sentence for whatever goes wrong."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from scaling_core.errors import CorpusError
from scaling_core.lab import hub, hub_child
from scaling_core.lab.corpus import load_corpus
from scaling_core.lab.corpus_spec import CorpusSpec
from scaling_core.lab.known_texts import find_dataset

ROOT = Path(__file__).resolve().parents[2]
needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="the optional package datasets is not installed"
)
RNG = np.random.default_rng(2)
ALPHABET = np.frombuffer(b"etaoinshrdlucmfw ypvbgkqjxz \n", dtype=np.uint8)
TEXTS = [bytes(RNG.choice(ALPHABET, 1200)).decode().strip() or "x" for _ in range(150)]


def write_json(folder: Path) -> Path:
    path = folder / "stories.jsonl"
    rows = [{"id": f"row {i}", "text": text} for i, text in enumerate(TEXTS)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def write_parquet(folder: Path) -> Path:
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    path = folder / "stories.parquet"
    parquet.write_table(arrow.table({"content": TEXTS, "score": list(range(len(TEXTS)))}), path)
    return path


def write_texts(folder: Path) -> Path:
    place = folder / "stories"
    place.mkdir()
    for i, text in enumerate(TEXTS):
        (place / f"{i:03d}.txt").write_text(text)
    return place


def documents(*halves: np.ndarray) -> list[str]:
    return [piece.decode() for half in halves for piece in bytes(half).split(b"\0")[:-1]]


@needs_datasets
@pytest.mark.parametrize(("name", "make"), [("json", write_json), ("parquet", write_parquet), ("text", write_texts)])
def test_local_files_go_the_way_of_a_dataset(name: str, make: Any, tmp_path: Path) -> None:
    path = make(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("*"))}
    spec = CorpusSpec(kind="huggingface", name=name, path=str(path))
    corpus = load_corpus(spec, tmp_path / "cache")
    assert sorted(documents(corpus.train, corpus.validation)) == sorted(TEXTS)
    assert corpus.n_files == len(TEXTS)
    assert corpus.name == path.name
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert not list((tmp_path / "cache").glob("building-*"))
    (folder,) = (tmp_path / "cache").glob("dataset-*")
    assert sorted(p.name for p in folder.iterdir()) == ["answer.json", "sizes.npy", "texts.bin"]


@needs_datasets
def test_a_dataset_is_read_once_and_then_lies_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = CorpusSpec(kind="huggingface", name="json", path=str(write_json(tmp_path)), cap_bytes=1_000_000)
    cache = tmp_path / "cache"
    first = load_corpus(spec, cache)
    monkeypatch.setattr(hub, "_run", lambda *_: pytest.fail("it was read again"))
    assert load_corpus(spec, cache).hash == first.hash
    for source in cache.glob("source-*.json"):
        source.unlink()
    again = load_corpus(spec, cache)
    assert again.hash == first.hash
    (folder,) = cache.glob("dataset-*")
    with open(folder / "texts.bin", "r+b") as file:
        file.truncate(1000)
    for source in cache.glob("source-*.json"):
        source.unlink()
    monkeypatch.undo()
    assert load_corpus(spec, cache).hash == first.hash


@needs_datasets
def test_what_is_wrong_with_a_dataset_is_said(tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    path.write_text("\n".join(json.dumps({"question": t, "answer": t[::-1]}) for t in TEXTS))
    spec = CorpusSpec(kind="huggingface", name="json", path=str(path))
    cases = {
        spec: "name the column that holds the text; those that could are question, answer",
        replace(spec, field="body"): "it has no column body; its columns with text are question, answer",
        replace(spec, name="parquet"): "could not be read",
        replace(spec, path=str(tmp_path / "absent")): "There is no file",
    }
    for given, sentence in cases.items():
        with pytest.raises(CorpusError, match=sentence) as caught:
            load_corpus(given, tmp_path / "cache")
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())
    named = load_corpus(replace(spec, field="answer"), tmp_path / "cache")
    assert sorted(documents(named.train, named.validation)) == sorted(t[::-1] for t in TEXTS)


@needs_datasets
def test_without_a_network_the_sentence_names_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CorpusError, match=r"tinystories could not be reached .* a local file or folder"):
        load_corpus(CorpusSpec.from_words("tinystories"), tmp_path)


def test_without_the_package_the_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]  # its own name
    with pytest.raises(CorpusError, match=r"pip install \"datasets>=4,<6\""):
        load_corpus(CorpusSpec.from_words("tinystories"), tmp_path)
    tools = (ROOT / "requirements-test.txt").read_text().splitlines()
    assert hub_child.INSTALL in tools


def test_the_cap_ends_the_reading_between_two_documents(tmp_path: Path) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            drawn.append(1)
            yield "ä" * 100

    assert hub_child.write(endless(), tmp_path, cap_bytes=1099) == {"documents": 5, "bytes": 1000, "cut": True}
    assert len(drawn) == 6
    assert (tmp_path / "texts.bin").read_text() == "ä" * 500
    assert np.load(tmp_path / "sizes.npy").tolist() == [200] * 5
    assert hub_child.write(["x" * 50], tmp_path, cap_bytes=20) == {"documents": 1, "bytes": 20, "cut": True}
    assert hub_child.write(["x" * 20], tmp_path, cap_bytes=20) == {"documents": 1, "bytes": 20, "cut": False}


def test_rows_without_a_text_are_left_out_and_lines_are_joined_to_articles() -> None:
    rows: list[dict[str, str | None]] = [{"text": "a"}, {"text": None}, {"text": "b"}]
    assert list(hub_child.texts(rows, field=None, starts=None)) == ["a", "b"]
    known = find_dataset("Salesforce/wikitext", "wikitext-103-raw-v1")
    assert known is not None
    lines = ["", " = Alpha = \n", " one \n", " = = Part = = \n", "", " two \n", " = Beta = \n", " x = 1 \n"]
    found = list(hub_child.texts([{"text": line} for line in lines], field="text", starts=known.starts))
    assert found == [" = Alpha = \n one \n = = Part = = \n two \n", " = Beta = \n x = 1 \n"]


def request(**changes: Any) -> hub_child.Request:
    given = {"name": "a/b", "config": None, "field": None, "files": (), "starts": None, "cap_bytes": 10**6, "parent": 0}
    return hub_child.Request(**{**given, **changes})


def test_formats_that_could_run_code_are_not_read_and_scripts_never() -> None:
    calls: list[dict[str, Any]] = []

    class Rows(list[dict[str, str]]):
        info = SimpleNamespace(builder_name="webdataset")

    def load(*names: str | None, **options: Any) -> Rows:
        calls.append({"names": names, **options})
        if names == ("old/script", None) and "revision" not in options:
            raise RuntimeError("Dataset scripts are no longer supported, but found script.py")
        return Rows()

    with pytest.raises(hub_child.Refusal, match="webdataset"):
        hub_child.open_rows(request(), load)
    Rows.info = SimpleNamespace(builder_name="parquet")
    hub_child.open_rows(request(name="old/script"), load)
    assert [call.get("revision") for call in calls] == [None, None, "refs/convert/parquet"]
    assert all(call["streaming"] is True and "trust_remote_code" not in call for call in calls)


def test_what_failed_is_told_apart() -> None:
    class DatasetNotFoundError(OSError):
        pass

    outer = RuntimeError("reading\nfailed")
    outer.__cause__ = ConnectionError("down")
    missing = DatasetNotFoundError("no such dataset")
    missing.__cause__ = ConnectionError("404")
    assert hub_child.explain(outer) == {"refused": "RuntimeError: reading", "network": True, "full": False}
    assert hub_child.explain(missing)["network"] is False
    assert hub_child.explain(OSError(errno.ENOSPC, "full"))["full"] is True
    assert hub_child.explain(hub_child.Refusal("why"))["refused"] == "why"


def test_a_reader_that_stalls_or_dies_is_ended_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: object())  # type: ignore[attr-defined]  # its own name
    package = tmp_path / "fake" / "datasets"
    package.mkdir(parents=True)
    monkeypatch.setattr(hub, "_PROJECT", f"{package.parent}{os.pathsep}{ROOT}")
    monkeypatch.setattr(hub, "STALL_SECONDS", 2.0)
    (package / "__init__.py").write_text("import time; time.sleep(600)")
    started = time.monotonic()
    with pytest.raises(CorpusError, match="no text came for 2 seconds"):
        load_corpus(CorpusSpec.from_words("tinystories"), tmp_path / "cache")
    assert time.monotonic() - started < 30
    (package / "__init__.py").write_text("import os, sys; sys.stderr.write('out of memory'); os._exit(9)")
    with pytest.raises(CorpusError, match="its reader ended unexpectedly: out of memory"):
        load_corpus(CorpusSpec.from_words("tinystories"), tmp_path / "cache")
    (package / "__init__.py").write_text("__version__ = '3.6.0'")
    with pytest.raises(CorpusError, match=r"datasets 3\.6\.0 is installed, and datasets>=4,<6 is needed"):
        load_corpus(CorpusSpec.from_words("tinystories"), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_reader_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    package = tmp_path / "fake" / "datasets"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import time; time.sleep(600)")
    code = (
        "import sys; from pathlib import Path; from scaling_core.lab import hub;"
        "from scaling_core.lab.corpus import load_corpus; from scaling_core.lab.corpus_spec import CorpusSpec;"
        f"hub._PROJECT = {f'{package.parent}{os.pathsep}{ROOT}'!r}; hub.importlib.util.find_spec = lambda name: 1;"
        "load_corpus(CorpusSpec.from_words('tinystories'), Path(sys.argv[1]))"
    )
    asker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache")], cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        readers: list[psutil.Process] = []
        while not readers and time.monotonic() < deadline:
            time.sleep(0.1)
            readers = [c for c in psutil.Process(asker.pid).children() if "scaling_core.lab.hub_child" in c.cmdline()]
        (reader,) = readers
        time.sleep(1.0)
        assert reader.is_running()
    finally:
        asker.kill()
        asker.wait()
    assert not psutil.wait_procs([reader], timeout=20)[1]
