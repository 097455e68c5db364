"""What may be declared as a text: the words for it, the usual values, and the sentence for each thing that may not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from scaling_core.errors import InputError
from scaling_core.lab.corpus_spec import BYTES_VOCAB, USUAL_CAP_BYTES, CorpusSpec
from scaling_core.lab.known_texts import DATASETS, find_dataset, list_choices
from scaling_core.lab.oracle import OracleSpec


def test_the_usual_text_is_the_standard_library_in_bytes() -> None:
    spec = CorpusSpec()
    assert (spec.kind, spec.tokens, spec.vocab_size) == ("stdlib", "bytes", BYTES_VOCAB)


def test_every_choice_has_a_word_that_gives_it() -> None:
    words = [choice.word for choice in list_choices()]
    assert words[:2] == ["stdlib", "oracle"]
    assert {"wikitext-103", "openwebtext", "fineweb-edu", "tinystories"} < set(words)
    for choice in list_choices():
        spec = CorpusSpec.from_words(choice.word)
        assert spec.shown == choice.word
        assert choice.licence
        assert choice.about.endswith(".")
        if choice.dataset:
            assert (spec.kind, spec.name, spec.config, spec.field) == (
                "huggingface", choice.dataset, choice.config, choice.field,
            )  # fmt: skip
            assert spec.cap_bytes == USUAL_CAP_BYTES
            assert find_dataset(spec.name, spec.config) is choice


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("hf:owner/name", {"name": "owner/name", "config": None, "field": None}),
        ("hf:owner/name:small", {"name": "owner/name", "config": "small", "field": None}),
        ("hf:owner/name:small:body", {"name": "owner/name", "config": "small", "field": "body"}),
        ("hf:owner/name::body", {"name": "owner/name", "config": None, "field": "body"}),
        ("hf:parquet:/data/a:b.parquet", {"name": "parquet", "path": "/data/a:b.parquet"}),
    ],
)
def test_words_for_a_dataset_are_read_and_written_alike(words: str, wanted: dict[str, Any]) -> None:
    spec = CorpusSpec.from_words(words)
    assert spec.kind == "huggingface"
    assert {name: getattr(spec, name) for name in wanted} == wanted
    assert spec.shown == words


def test_other_words_are_a_path_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CorpusSpec.from_words("book.txt").path == str(tmp_path / "book.txt")
    assert CorpusSpec.from_words("./stdlib").kind == "path"


@pytest.mark.parametrize(
    "spec",
    [
        CorpusSpec(),
        CorpusSpec(tokens="bpe", vocab_size=512),
        CorpusSpec(kind="oracle", oracle=OracleSpec(vocab_size=128)),
        CorpusSpec.from_words("hf:owner/name:small:body", tokens="bpe"),
    ],
)
def test_a_spec_comes_back_from_json(spec: CorpusSpec) -> None:
    assert CorpusSpec.from_dict(json.loads(json.dumps(asdict(spec)))) == spec


def test_what_an_earlier_version_stored_is_still_read() -> None:
    assert CorpusSpec.from_dict({"kind": "path", "path": "/a"}) == CorpusSpec(kind="path", path="/a")


def test_tokens_settle_the_vocabulary() -> None:
    assert CorpusSpec(tokens="bpe").vocab_size == 1024
    oracle = CorpusSpec(kind="oracle", oracle=OracleSpec(vocab_size=96))
    assert (oracle.tokens, oracle.vocab_size) == ("oracle", 96)
    assert CorpusSpec(kind="oracle").oracle == OracleSpec()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"kind": "web"}, "corpus: got 'web', but it must be one of stdlib, path, huggingface, oracle"),
        ({"kind": "path"}, "a path is needed for a local text"),
        ({"path": "/a"}, "a path is needed for a local text"),
        ({"kind": "huggingface"}, "OWNER/NAME"),
        ({"kind": "huggingface", "name": "wikitext"}, "OWNER/NAME"),
        ({"kind": "huggingface", "name": "../etc/passwd"}, "OWNER/NAME"),
        ({"kind": "huggingface", "name": "pandas", "path": "/a"}, "only then"),
        ({"kind": "huggingface", "name": "a/b", "path": "/a"}, "only then"),
        ({"kind": "huggingface", "name": "json"}, "a path is needed"),
        ({"kind": "huggingface", "name": "a/b", "config": "../x"}, "a plain name"),
        ({"kind": "huggingface", "name": "a/b", "cap_bytes": 10}, "cap_bytes: got 10"),
        ({"name": "a/b"}, "only a dataset"),
        ({"cap_bytes": 10_000_000}, "only a dataset"),
        ({"oracle": OracleSpec()}, "only a corpus of that kind"),
        ({"tokens": "words"}, "they are bytes or bpe"),
        ({"tokens": "oracle"}, "tokens of its own"),
        ({"kind": "oracle", "tokens": "bpe"}, "tokens of its own"),
        ({"vocab_size": 512}, "vocab_size: got 512, but with these tokens it must be 256"),
        ({"tokens": "bpe", "vocab_size": 8192}, "from 512 to 4096"),
        ({"tokens": "bpe", "vocab_size": 1024.0}, "from 512 to 4096"),
    ],
)
def test_what_may_not_be_declared(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        CorpusSpec(**given)
    assert str(caught.value).endswith(".")


def test_known_datasets_name_one_column_and_no_id_twice() -> None:
    assert all(known.field for known in DATASETS)
    assert len({(known.dataset, known.config) for known in DATASETS}) == len(DATASETS)
