"""The study paths, the projects and the reading list; the places they open; and what was ticked off of them."""

from __future__ import annotations

import json
import math
import os
import re
import threading
from pathlib import Path

import pytest

from scaling_core import learn, ticks
from scaling_core.catalog import preset, presets
from scaling_core.errors import ScalingError, StoreError
from scaling_core.hardware import devices
from scaling_core.lab.known_texts import list_choices
from scaling_core.lab.spec import MODES
from scaling_core.language import speaking
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum import compute_wall, data_limited, inference_optimal, judge, optimal_for_compute
from scaling_core.talk import VERDICTS
from scaling_core.units import format_quantity, parse_quantity

CJK = re.compile(r"[\u4e00-\u9fff]")


def texts() -> list[learn.Text]:
    """Every text in two languages that the files hold."""
    found = [text for path in learn.paths() for text in (path.name, path.goal, path.outcome)]
    found += [text for project in learn.projects() for text in (project.name, project.goal)]
    for step in learn.steps():
        found += [step.text, *([step.when] if step.when else [])]
    found += [text for stage in learn.stages() for text in (stage.name, stage.when)]
    return found + [paper.contributes for paper in learn.papers()]


def step_text(id: str, language: str) -> str:
    text = next(step.text for step in learn.steps() if step.id == id)
    return text.zh if language == "zh" else text.en


def test_three_paths_ten_projects_and_the_papers_that_the_documents_announce() -> None:
    assert [path.id for path in learn.paths()] == ["week", "quarter", "half"]
    assert [project.number for project in learn.projects()] == list(range(1, 11))
    levels = [project.level for project in learn.projects()]
    assert levels == ["beginner"] * 3 + ["intermediate"] * 3 + ["advanced"] * 4
    assert [project.number for project in learn.projects() if not project.named] == [9]
    assert (len(learn.stages()), len(learn.papers())) == (7, 23)
    assert sum(paper.named for paper in learn.papers()) == 7
    assert all(path.steps for path in learn.paths())
    assert all(project.steps for project in learn.projects())


def test_every_id_is_there_once() -> None:
    ids = [step.id for step in learn.steps()]
    ids += [paper.tick for paper in learn.papers()]
    assert len(ids) == len(set(ids))
    assert len({paper.arxiv for paper in learn.papers()}) == 23


def test_every_text_is_there_in_both_languages() -> None:
    for text in texts():
        assert not CJK.search(text.en), text.en
        assert CJK.search(text.zh), text.zh
        assert not re.search(r"[,;?!:](?:\s|$)", text.zh), f"half-width punctuation: {text.zh}"
    with speaking("zh"):
        assert learn.paths()[0].name.told == "一周"
    assert learn.paths()[0].name.told == "One week"


def test_every_target_is_a_page_of_the_app_and_every_value_is_one_it_takes(project: Path) -> None:
    app = (project / "streamlit_app.py").read_text(encoding="utf-8")
    texts_of_lab = {one.word for one in list_choices()} | {"path"}
    known: dict[str, set[str]] = {
        "lab.mode": set(MODES),
        "lab.corpus": texts_of_lab,
        "lab.own.what": {"ladder", "rates"},
        "fit.source": {"example", "recorded", "upload"},
        "fit.approach": {"parametric", "isoflop", "envelope"},
        "given": {"C"},
        "plan.given": {"days", "usd", "C", "loss", "N", "D"},
        "plan.hardware": {one.id for one in devices() if one.peaks},
        "verdict": set(VERDICTS),
        "sweep": {"new", "example"},
    }
    found = list(learn.targets())
    assert len(found) > 50
    for target in found:
        assert (project / "pages" / f"{target.page}.py").is_file()
        assert f"pages/{target.page}.py" in app
        for name, value in (*target.address.items(), *target.state.items()):
            if name in learn.LAWS:
                assert value in {p.id for p in presets("joint")}
            elif name in known:
                assert value in known[name], (name, value)
            else:
                assert parse_quantity(value, field=name) > 0
    assert {target.page for target in found} == set(learn.ADDRESS)


def test_the_pages_still_have_what_the_targets_set(project: Path) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (project / "scaling_core" / "ui").glob("*.py"))
    code += "".join(path.read_text(encoding="utf-8") for path in (project / "pages").glob("*.py"))
    code = code.replace((project / "scaling_core" / "ui" / "learn.py").read_text(encoding="utf-8"), "")
    for name in {name for names in (*learn.ADDRESS.values(), *learn.STATE.values()) for name in names}:
        assert f'"{name}"' in code or f'"lab.own.{name}"' in code, name


def test_papers_are_at_arxiv_and_no_younger_than_their_number() -> None:
    for paper in learn.papers():
        assert paper.url == f"https://arxiv.org/abs/{paper.arxiv}"
        assert paper.year - (2000 + int(paper.arxiv[:2])) in (0, 1), paper.id


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_numbers_in_the_texts_are_those_of_the_core(language: str) -> None:
    hoffmann, besiroglu = preset("hoffmann2022").joint, preset("besiroglu2024").joint
    kaplan, repeated = preset("kaplan2020-joint").joint, preset("muennighoff2023").joint
    few, many = (inference_optimal(hoffmann, C=3.15e23, D_inference=tokens).N for tokens in (1e13, 1.6e14))
    for text, numbers in {
        "p8-serve": [format_quantity(few), format_quantity(many)],
        "p8-coverage": [f"{1 - 0.99**100:.0%}"],
        "p10-size": [f"{optimal_for_compute(law, 3.2e20).N / 1e9:.1f}B" for law in (hoffmann, besiroglu, kaplan)]
        + [f"{math.sqrt(312e12 * 720 * 3600 / 120) / 1e9:.1f}B"],
        "p10-budget": [f"{312e12 * 720 * 3600 * 0.4:.1e}".replace("e+", "e"), "8.09e20"],
        "p10-serve": [f"{inference_optimal(hoffmann, C=3.2e20, D_inference=1e12).N / 1e9:.2f}B"],
    }.items():
        for number in numbers:
            assert number in step_text(text, language), (text, number)
    assert isinstance(repeated, MuennighoffLaw)
    assert 3.5 < data_limited(repeated, U=10e9, C=3.2e20).epochs < 4
    assert compute_wall(repeated, 100e9, within=0.01).C < 1e24
    verdicts = {id: judge(preset(id).joint, 175e9, 300e9).status for id in ("kaplan2020-joint", "study-notes")}
    assert verdicts == {"kaplan2020-joint": "near-optimal", "study-notes": "over-trained"}
    assert judge(hoffmann, 175e9, 300e9).status == "under-trained"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": {"en": "A path"}}, "zh"),
        ({"steps": [{"id": "a", "when": {"en": "Day 1", "zh": "第 1 天"}, "text": {"en": "Do", "zh": " "}}]}, "zh"),
        ({"steps": [{"id": "a"}]}, "when"),
        ({"id": "No id"}, "lower-case"),
    ],
)
def test_a_file_that_lacks_something_says_so_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], said: str
) -> None:
    whole = json.loads((learn.FOLDER / "paths.json").read_text(encoding="utf-8"))[0]
    (tmp_path / "paths.json").write_text(json.dumps([whole | change]), encoding="utf-8")
    monkeypatch.setattr(learn, "FOLDER", tmp_path)
    with pytest.raises(ScalingError, match=r"data/learn/paths\.json cannot be read") as caught:
        learn.paths.__wrapped__()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "target",
    [
        {"page": "nowhere"},
        {"page": "calculator", "address": {"law": "nobody1999"}},
        {"page": "calculator", "address": {"law": "kaplan2020-n"}},
        {"page": "models", "address": {"C": "1e22"}},
        {"page": "lab", "state": {"lab.mode": 3}},
        {"page": "calculator", "state": {"lab.mode": "live"}},
    ],
)
def test_a_target_that_no_page_takes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: dict[str, object]
) -> None:
    rows = json.loads((learn.FOLDER / "projects.json").read_text(encoding="utf-8"))
    rows[0]["steps"][0]["target"] = target
    (tmp_path / "projects.json").write_text(json.dumps(rows), encoding="utf-8")
    monkeypatch.setattr(learn, "FOLDER", tmp_path)
    with pytest.raises(ScalingError, match=r"data/learn/projects\.json cannot be read"):
        learn.projects.__wrapped__()


def test_ticks_are_kept_and_taken_back_one_by_one(tmp_path: Path) -> None:
    assert ticks.done(tmp_path) == frozenset()
    assert not list(tmp_path.iterdir())
    assert ticks.mark({"a": True, "b": True}, tmp_path) == ""
    assert ticks.mark({"b": False, "c": True}, tmp_path) == ""
    assert ticks.done(tmp_path) == {"a", "c"}
    first = json.loads(ticks.file_of(tmp_path).read_text(encoding="utf-8"))["done"]["a"]
    ticks.mark({"a": True, "from-a-later-version": True}, tmp_path)
    ticks.mark({"c": False}, tmp_path)
    assert ticks.done(tmp_path) == {"a", "from-a-later-version"}
    assert json.loads(ticks.file_of(tmp_path).read_text(encoding="utf-8"))["done"]["a"] == first


def test_many_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    def work(name: int) -> None:
        for k in range(5):
            ticks.mark({f"{name}-{k}": True}, tmp_path)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ticks.done(tmp_path)) == 30


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"schema": "scaling-lab-learn-1", "done": {"a": "2026',
        b"\xff\xfe\x00",
        b"[]",
        b'{"schema": "something-else", "done": {}}',
        b'{"schema": "scaling-lab-learn-1", "done": []}',
        b'{"schema": "scaling-lab-learn-1", "done": {"a": 3}}',
        b'{"schema": "scaling-lab-learn-1", "done": {"' + b"a" * 500 + b'": "now"}}',
        b"[" * 150_000,
        b" " * 300_000,
    ],
)
def test_a_torn_or_hostile_file_is_one_sentence_and_is_kept(tmp_path: Path, content: bytes) -> None:
    ticks.file_of(tmp_path).write_bytes(content)
    with pytest.raises(StoreError, match=r"^What was ticked off earlier cannot be read from learn\.json: .+\.$"):
        ticks.done(tmp_path)
    for _ in range(2):
        ticks.file_of(tmp_path).write_bytes(content)
        said = ticks.mark({"a": True}, tmp_path)
        assert "were kept in learn-unreadable-" in said
        assert ticks.done(tmp_path) == {"a"}
    kept = list(tmp_path.glob("learn-unreadable-*.json"))
    assert [path.read_bytes() for path in kept] == [content] * 2


def test_what_is_no_file_is_refused_and_kept_too(tmp_path: Path) -> None:
    ticks.file_of(tmp_path).mkdir()
    with pytest.raises(StoreError, match="it is no file"):
        ticks.done(tmp_path)
    ticks.mark({"a": True}, tmp_path)
    assert ticks.done(tmp_path) == {"a"}
    os.mkfifo(tmp_path / "pipe")
    os.replace(tmp_path / "pipe", ticks.file_of(tmp_path))
    with pytest.raises(StoreError, match="it is no file"):
        ticks.done(tmp_path)


def test_a_disk_that_refuses_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks.mark({"a": True}, tmp_path)
    before = ticks.file_of(tmp_path).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        ticks.mark({"b": True}, tmp_path)
    assert ticks.file_of(tmp_path).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [".learn.lock", "learn.json"]
