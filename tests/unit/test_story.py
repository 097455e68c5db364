"""The story of a talk: its scenes, the numbers in their sentences, hostile files, and where a person's own lies."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaling_core.catalog import model, preset
from scaling_core.errors import InputError, ScalingError, StoreError
from scaling_core.language import LANGUAGES, speaking
from scaling_core.learn import Text
from scaling_core.optimum import judge, optimal_for_compute
from scaling_core.story import (
    LONGEST,
    MOST_SCENES,
    PARTS,
    Scene,
    change,
    forget,
    free_id,
    is_own,
    published,
    read_story,
    story,
    told,
    written,
)
from scaling_core.story.facts import FACTS
from scaling_core.story.scene import MOST_BYTES, SCHEMA, row_of, scene_of
from scaling_core.story.shelf import file_of
from scaling_core.units import format_quantity

PROMISED = ("power", "kaplan", "chinchilla", "verdict", "replication", "wall", "inference", "month", "fine-tune",
            "stages", "mistakes", "before-start", "ladder", "prediction", "emergence", "test-time")  # fmt: skip
"""The talk's argument, in its order."""
SPOKEN_DIGITS = re.compile(r"GPT-3|2020|10 倍")
"""Digits that are names or what the sentence asks for, rather than something worked out."""


def by_id(id: str) -> Scene:
    return next(scene for scene in published() if scene.id == id)


def record(**changes: Any) -> dict[str, Any]:
    """A story of one good scene, with the scene changed."""
    return {"schema": SCHEMA, "app": "1", "scenes": [row_of(by_id("chinchilla")) | changes]}


def as_file(value: object) -> bytes:
    return json.dumps(value).encode()


# ---- the project's own story


def test_the_story_follows_the_talk() -> None:
    ids = [scene.id for scene in published()]
    assert [id for id in ids if id in PROMISED] == list(PROMISED)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("scene", published(), ids=lambda scene: scene.id)
def test_a_scene_speaks_both_languages_and_types_no_number(scene: Scene) -> None:
    for language in LANGUAGES:
        for name in LONGEST:
            raw = scene.written(language)[name]
            assert raw
            assert set(re.findall(r"\{(\w+)\}", raw)) <= set(FACTS)
            said = told(scene, name, language)  # type: ignore[arg-type]  # the names of LONGEST
            assert not set("{}–") & set(said), f"{scene.id} leaves a number open: {said}"
        assert not re.search(r"\d", SPOKEN_DIGITS.sub("", scene.written(language)["sentence"]))
    assert bool(re.search("[一-鿿]", scene.sentence.zh))
    assert not re.search("[一-鿿]", scene.sentence.en)


def test_the_numbers_of_the_sentences_are_those_of_the_core() -> None:
    gpt3 = model("gpt3")
    assert f"by {10**-0.076:.2f}," in told(by_id("power"), "sentence", "en")
    assert f"{10**0.73:.1f} times the parameters" in told(by_id("kaplan"), "sentence", "en")
    verdict = judge(preset("hoffmann2022").joint, gpt3.N, gpt3.tokens)
    left = f"{100 * verdict.compute_left / verdict.C:.0f}%"
    best = f"{format_quantity(verdict.optimum.N)} parameters on {format_quantity(verdict.optimum.D)} tokens"
    assert best in told(by_id("chinchilla"), "sentence", "en")
    assert left in told(by_id("chinchilla"), "sentence", "en")
    assert left in told(by_id("chinchilla"), "sentence", "zh")
    refit, printed = (
        optimal_for_compute(preset(id).joint, 5.76e23) for id in ("besiroglu2024", "hoffmann2022-printed")
    )
    said = told(by_id("replication"), "sentence", "en")
    assert f"compute {refit.D / refit.N:.0f} tokens per parameter" in said
    assert f"ask for {printed.D / printed.N:.0f}." in said


def test_the_numbers_of_the_plan_s_sentences_are_the_planner_s() -> None:
    law = preset("besiroglu2024").joint
    C = 312e12 * 0.4 * 30 * 86_400
    best = optimal_for_compute(law, C)
    said = told(by_id("month"), "sentence", "en")
    assert said == (
        f"30 days at 40% of its peak: {format_quantity(best.N)} parameters on {format_quantity(best.D)} tokens, a loss "
        f"of {best.loss:.3f}."
    )
    worth = 1.9e4 * 3e8**0.18 * 5e7**0.38 / 3.0
    assert f"the first are worth {format_quantity(worth)}," in told(by_id("fine-tune"), "sentence", "en")
    later = float(law.loss(best.N, 10 * best.D)) - optimal_for_compute(law, 10 * C).loss
    assert f"with 9 times its compute again ends {later:.3f} nats" in told(by_id("stages"), "sentence", "en")
    N = (C * 175 / 300 / 6) ** 0.5
    oversized = judge(law, N, C / 6 / N)
    said = told(by_id("mistakes"), "sentence", "en")
    assert f"end {oversized.loss - best.loss:.3f} nats higher" in said
    assert f"{100 * oversized.compute_left / C:.0f}% of its compute" in said
    assert f"past {format_quantity(3 * best.D)} tokens" in told(by_id("before-start"), "sentence", "en")
    more = replace(by_id("month"), state={"law": "besiroglu2024", "plan.days": "60", "plan.hardware": "h100-sxm"})
    assert told(more, "sentence", "en").startswith("60 days at 40% of its peak: ")
    here = replace(by_id("month"), state={"plan.hardware": "measured"})
    assert told(here, "sentence", "en").startswith("– days at 40%")


def test_a_sentence_follows_the_state() -> None:
    scene = by_id("chinchilla")
    other = replace(scene, state={**scene.state, "law": "study-notes"})
    assert told(other, "sentence", "en") != told(scene, "sentence", "en")
    own = {"choice": "own", "base": "hoffmann2022", "form": "chinchilla",
           "values": preset("hoffmann2022").joint.constants | {"alpha": 0.5}}  # fmt: skip
    assert told(replace(scene, state={"law": own}), "sentence") != told(scene, "sentence")
    nowhere = replace(scene, state={"law": "a-law-of-nobody"})
    assert told(nowhere, "sentence", "en").startswith("The same compute under another law: – parameters on –")


def test_unknown_fields_stay_as_they_are() -> None:
    scene = replace(by_id("power"), sentence=Text(en="{nothing} {0} {a.b} {factor!r} {", zh="x"))
    assert told(scene, "sentence", "en") == "{nothing} {0} {a.b} {factor!r} {"


def test_the_story_is_written_as_it_is_read() -> None:
    text = written(published())
    assert read_story(text.encode()) == (published(), ())
    assert "涌现" in text, "people read the file: Han characters are not escaped"
    with speaking("zh"):
        assert read_story(text.encode()) == (published(), ())


def test_retitled_changes_the_present_language_or_both() -> None:
    scene = by_id("wall")
    texts = scene.written("en") | {"title": "A wall"}
    renamed = scene.retitled(texts)
    assert (renamed.title.en, renamed.title.zh) == ("A wall", scene.title.zh)
    same = replace(scene, title=Text(en="One", zh="One")).retitled(texts)
    assert (same.title.en, same.title.zh) == ("A wall", "A wall")
    with pytest.raises(InputError, match="visible"):
        scene.retitled(texts | {"title": "a\u202eb"})


def test_ids_are_free_and_plain() -> None:
    assert free_id("Kaplan's world!", []) == "kaplan-s-world"
    assert free_id("涌现", ["scene"]) == "scene-2"
    assert free_id("a", ["a", "a-2", "a-3"]) == "a-4"


# ---- hostile files

HOSTILE: dict[str, bytes] = {
    "no text": b"\xff\xfe\x00",
    "no JSON": b"{",
    "endless brackets": b"[" * 200_000,
    "endless tables": b'{"a":' * 100_000,
    "a number of many digits": b'{"schema": ' + b"9" * 50_000 + b"}",
    "too large": as_file(record()) + b" " * MOST_BYTES,
    "a list": b"[]",
    "another schema": as_file(record() | {"schema": "scaling-lab-story-2"}),
    "no scenes": as_file({"schema": SCHEMA, "scenes": []}),
    "scenes of another kind": as_file({"schema": SCHEMA, "scenes": {"0": {}}}),
    "too many scenes": as_file({"schema": SCHEMA, "scenes": [record()["scenes"][0]] * (MOST_SCENES + 1)}),
    "the same id twice": as_file({"schema": SCHEMA, "scenes": [record()["scenes"][0]] * 2}),
    "a scene that is none": as_file({"schema": SCHEMA, "scenes": [7]}),
    "an unknown page": as_file(record(page="admin")),
    "a page out of the folder": as_file(record(page="../streamlit_app")),
    "a page that is a list": as_file(record(page=["calculator"])),
    "an id with a path": as_file(record(id="../x")),
    "no title": as_file(record(title=None)),
    "an empty title": as_file(record(title={"en": " ", "zh": "好"})),
    "one language": as_file(record(title={"en": "A"})),
    "a hidden sign": as_file(record(title={"en": "a\u0000b", "zh": "b"})),
    "a turned text": as_file(record(sentence={"en": "a\u202eb", "zh": "b"})),
    "a sentence without end": as_file(record(sentence={"en": "a" * 301, "zh": "b"})),
    "a state that is a list": as_file(record(state=[1])),
    "a state without end": as_file(record(state={f"k{n}": 1 for n in range(101)})),
    "unknown needs": as_file(record(needs=["everything"])),
    "needs that cannot be hashed": as_file(record(needs=[{}])),
    "a focus far away": as_file(record(focus=10)),
    "a focus that is true": as_file(record(focus=True)),
    "data that are a text": as_file(record(data="x")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError) as refused:
        read_story(HOSTILE[name])
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 600


STATES: dict[str, Any] = {
    "NaN": {"law": {"choice": "own", "base": "x", "form": "chinchilla", "values": {"A": float("nan")}}},
    "infinity": {"C": "inf"},
    "a law that is none": {"law": {"form": "chinchilla"}},
    "a constant too many": {"law": {"choice": "own", "base": "x", "form": "chinchilla",
                                    "values": {**preset("hoffmann2022").joint.constants, "Z": 1}}},
    "a power law where one in N and D belongs": {"law": {"choice": "own", "base": "x", "form": "power-N", "values": {
        "N_c": 1.0, "alpha": 1.0}}},
    "a huge number": {"law": {"choice": "own", "base": "x", "form": "chinchilla",
                              "values": preset("hoffmann2022").joint.constants | {"A": 10**400}}},
    "a number that is true": {"law": {"choice": "own", "base": "x", "form": "chinchilla",
                                      "values": preset("hoffmann2022").joint.constants | {"A": True}}},
    "a page of markup": {"law": "<script>"},
    "an axis": {"axes": [[1, 2]]},
    "axes that fall": {"axes": [[2, 1], [1, 2]]},
    "axes without end": {"axes": [[1e-300, 1e300], [1, 2]]},
    "axes of nothing": {"axes": [[0, 0], [None, "1"]]},
    "too many pins": {"pins": ["hoffmann2022"] * 5},
    "a choice that is none": {"given": "everything"},
    "below the least": {"N": "1"},
    "nested": {"C": {"C": {"C": 1}}},
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_a_bad_choice_is_said_and_the_rest_of_the_scene_kept(name: str) -> None:
    rows = record(state=STATES[name] | {"D": "2T"})
    (scene,), problems = read_story(json.dumps(rows).encode())
    assert scene.state == {"D": "2T"}
    assert len(problems) == 1
    assert problems[0].startswith("Scene 1: ")


def test_unknown_names_of_a_scene_are_passed_over() -> None:
    scene, problems = scene_of(record(colour="red", state={"from": "the future"})["scenes"][0])
    assert (scene.state, problems) == ({}, ())


# ---- where a person's own story lies


def first(scenes: tuple[Scene, ...]) -> tuple[Scene, ...]:
    return scenes[:1]


def test_a_change_begins_with_the_projects_story(lab_home: Path) -> None:
    assert story() == (published(), "")
    assert not is_own()
    assert change(lambda scenes: scenes[::-1]) == ""
    assert is_own()
    assert story() == (published()[::-1], "")
    forget()
    forget()
    assert story() == (published(), "")


def test_a_change_that_leaves_nothing_or_too_much_changes_nothing(lab_home: Path) -> None:
    change(first)
    with pytest.raises(InputError, match="1 to"):
        change(lambda _: ())
    with pytest.raises(InputError, match="1 to"):
        change(lambda scenes: scenes * (MOST_SCENES + 1))
    assert len(story()[0]) == 1


def test_a_disk_that_refuses_leaves_the_old_story(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(first)
    before = file_of().read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        with pytest.raises(StoreError, match="No space left"):
            change(lambda scenes: (*scenes, *published()[1:2]))
    assert file_of().read_bytes() == before
    assert sorted(path.name for path in lab_home.iterdir()) == [".story.lock", "story.json"]


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b" " * (MOST_BYTES + 1)])
def test_a_broken_file_is_said_shown_around_and_kept(lab_home: Path, content: bytes) -> None:
    file_of().write_bytes(content)
    scenes, problem = story()
    assert scenes == published()
    assert problem.startswith("Your own story cannot be read")
    said = change(first)
    name = re.search(r"story-unreadable-[\w-]+\.json", said)
    assert name is not None
    assert (lab_home / name[0]).read_bytes() == content
    assert len(story()[0]) == 1
    file_of().write_bytes(content)
    change(first)
    assert len(list(lab_home.glob("story-unreadable-*.json"))) == 2


def test_a_folder_in_the_place_of_the_story_is_no_story(lab_home: Path) -> None:
    file_of().mkdir()
    assert story()[0] == published()
    assert "kept in" in change(first)
    assert is_own()


def test_a_story_changed_by_hand_is_seen_at_once(lab_home: Path) -> None:
    change(first)
    file_of().write_text(written(published()[2:4]), "utf-8")
    assert story() == (published()[2:4], "")


ADDS = """
import sys, time
from dataclasses import replace
from scaling_core.story import change, free_id
def add(all):
    time.sleep(0.05)
    return (*all, replace(all[0], id=free_id(sys.argv[1], [one.id for one in all])))
for n in range(8):
    change(add)
"""


def test_two_servers_lose_nothing_of_each_other(lab_home: Path, project: Path) -> None:
    change(first)
    both = [subprocess.Popen([sys.executable, "-c", ADDS, name], cwd=project) for name in ("left", "right")]
    assert [one.wait(timeout=60) for one in both] == [0, 0]
    ids = [scene.id for scene in story()[0]]
    assert len(ids) == 17
    assert sum(id.startswith("left") for id in ids) == sum(id.startswith("right") for id in ids) == 8


def test_every_page_of_the_story_is_a_page(project: Path) -> None:
    assert {scene.page for scene in published()} <= set(PARTS)
    assert all((project / "pages" / f"{page}.py").exists() for page in PARTS)
    with pytest.raises(ScalingError):
        scene_of(row_of(by_id("power")) | {"page": "preflight"})
