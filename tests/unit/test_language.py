"""Two languages: how a sentence is told, stored and told again, and that the catalogue holds all there is to tell."""

from __future__ import annotations

import ast
import copy
import pickle
import re
import string

import pytest

from scaling_core import language
from scaling_core.language import (
    Message,
    catalogue,
    extract,
    listed,
    packed,
    raw,
    retold,
    speaking,
    t,
    tdata,
    tn,
    together,
    unpacked,
)

CATALOGUE = {
    "Loss of {name}": "{name} 的损失",
    "{n} run": "{n} 次训练",
    "It is so.": "就是这样。",
    "Why {name}?": "为什么是 {nom}？",
    "{first} {then}": "{first}{then}",
    "{some}, {another}": "{some}、{another}",
    "{some} and {last}": "{some} 和 {last}",
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of a few sentences."""
    monkeypatch.setattr(language, "translations", lambda code: CATALOGUE)


@pytest.mark.usefixtures("small")
def test_a_sentence_is_told_in_the_language_of_the_block() -> None:
    assert t("Loss of {name}", name="GPT-3") == "Loss of GPT-3"
    with speaking("zh"):
        assert t("Loss of {name}", name="GPT-3") == "GPT-3 的损失"
        assert t("No translation of {x:.2f}", x=1) == "No translation of 1.00"
        assert raw("Loss of {name}") == "{name} 的损失"
        assert tdata("It is so.") == "就是这样。"
        assert tdata("{not a field") == "{not a field"
    assert t("Loss of {name}", name="GPT-3") == "Loss of GPT-3"


@pytest.mark.usefixtures("small")
def test_numbers_have_their_form() -> None:
    assert [tn("{n} run", "{n} runs", n) for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert tn("{n} run", "{n} runs", 1500, n="1,500") == "1,500 runs"
    with speaking("zh"):
        assert tn("{n} run", "{n} runs", 2) == "2 次训练"


@pytest.mark.usefixtures("small")
def test_a_translation_that_asks_for_another_field_gives_way_to_the_english() -> None:
    with speaking("zh"):
        assert t("Why {name}?", name="E") == "Why E?"


@pytest.mark.usefixtures("small")
def test_sentences_and_lists_are_set_as_the_language_sets_them() -> None:
    assert together("It is so.", "", "It is so.") == "It is so. It is so."
    assert [listed(["a", "b", "c"][:k]) for k in range(4)] == ["", "a", "a and b", "a, b and c"]
    with speaking("zh"):
        assert together(t("It is so."), t("It is so.")) == "就是这样。就是这样。"
        assert listed(["a", "b", "c"]) == "a、b 和 c"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("way", ["retold", "packed", "pickle", "deepcopy"])
def test_a_kept_sentence_is_told_again_in_another_language(way: str) -> None:
    kept = together(t("Loss of {name}", name=t("It is so.")), tn("{n} run", "{n} runs", 3))
    assert isinstance(kept, Message)
    with speaking("zh"):
        again = {
            "retold": lambda: retold(kept),
            "packed": lambda: unpacked(packed(kept)),
            "pickle": lambda: retold(pickle.loads(pickle.dumps(kept))),  # noqa: S301  # made here, a line above
            "deepcopy": lambda: retold(copy.deepcopy(kept)),
        }[way]()
        assert again == "就是这样。 的损失3 次训练"
    assert unpacked(packed(kept)) == kept
    assert isinstance(unpacked(packed(kept)), Message)


HOSTILE = ("{x.__class__}", "{x:99999999}", "{x!r}", "{x[0]}")
PLAIN = ["", "plain", "{", '{"t": 3}', '{"t": "x {y}", "n": "", "of": {}}', "[1]", '"quoted"', "{}", "3"]


@pytest.mark.parametrize("text", [*PLAIN, *(f'{{"t": "{bad}", "n": "", "of": {{"x": "a"}}}}' for bad in HOSTILE)])
def test_what_nobody_packed_comes_back_as_it_is(text: str) -> None:
    assert unpacked(text) in (text, text.strip('"'))


def test_the_language_of_a_viewer_is_asked_where_no_block_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_follow", lambda: "zh")
    assert language.current() == "zh"
    with speaking("en"):
        assert language.current() == "en"


# ---- the catalogue


def fields(template: str) -> set[str]:
    """The names of the fields of a template."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_the_catalogue_translates_everything_and_nothing_else() -> None:
    wanted = extract.updated("zh")
    assert extract.missing(wanted) == [], "run `python -m scaling_core.language` and translate what it lists"
    here = {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue.read("zh") if m.id}
    there = {m.id if isinstance(m.id, str) else m.id[0] for m in wanted if m.id}
    assert here == there, "run `python -m scaling_core.language`: the catalogue is not that of the code"


def test_a_translation_has_the_fields_of_its_sentence() -> None:
    wrong = []
    for message in catalogue.read("zh"):
        if message.id and "python-brace-format" in message.flags:
            texts = [message.id] if isinstance(message.id, str) else list(message.id)
            told = message.string if isinstance(message.string, str) else (message.string or ("",))[0]
            if fields(told) not in [fields(text) for text in texts]:
                wrong.append(texts[0])
    assert wrong == []


def test_chinese_is_set_in_chinese_signs() -> None:
    """A sentence ends with a full-width stop, and no half-width comma or stop follows a Chinese character."""
    wrong = [
        told
        for one, told in catalogue.translations("zh").items()
        if re.search(r"[\u4e00-\u9fff][,;:?!]|[\u4e00-\u9fff]\.(?!\w)", told)
        or (one.endswith(".") and told.endswith("."))
    ]
    assert wrong == []


def test_every_sentence_is_a_literal() -> None:
    """`t`, `tn` and `raw` are called with literals alone: what is put together elsewhere is in no catalogue."""
    wrong = []
    for path in extract.code_files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("t", "tn", "raw"):
                given = node.args[: 2 if node.func.id == "tn" else 1]
                if not given or not all(isinstance(arg, ast.Constant) and isinstance(arg.value, str) for arg in given):
                    wrong.append(f"{path.name}:{node.lineno}")
    assert wrong == []
