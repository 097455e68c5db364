"""A scene as one address: whole over every scene and language, and one sentence for whatever else it may hold."""

from __future__ import annotations

import base64
import json
import random
import zlib
from dataclasses import replace
from typing import Any

import pytest

from scaling_core import __version__
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import LANGUAGES, Language, speaking
from scaling_core.learn import Text
from scaling_core.story import Scene, law_of, packed_scene, published, unpacked_scene
from scaling_core.story.link import MOST_BYTES, MOST_CHARACTERS, View
from scaling_core.story.scene import row_of
from scaling_core.story.state import spelled


def by_id(id: str) -> Scene:
    return next(scene for scene in published() if scene.id == id)


def value_of(record: object) -> str:
    return packed_bytes(json.dumps(record, ensure_ascii=False).encode())


def packed_bytes(content: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def made(**changes: Any) -> dict[str, Any]:
    return {"app": __version__, "lang": "zh", "view": "page", "story": True, **row_of(by_id("chinchilla")), **changes}


def opens_to(value: str) -> Scene | str:
    """The scene that a link opens, or the sentence that says why it opens none."""
    try:
        return unpacked_scene(value).scene
    except ScalingError as error:
        said = str(error)
        assert said.startswith("This link opens no scene")
        assert "\n" not in said
        assert len(said) < 700
        return said


@pytest.mark.parametrize("scene", published(), ids=lambda scene: scene.id)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_holds_the_whole_scene(scene: Scene, language: Language) -> None:
    whole = replace(scene, state=spelled(scene.page, scene.state), data={"name": "标准库", "hash": "3768eda504b6"})
    views: tuple[View, ...] = ("page", "presenter")
    for view in views:
        for within in (True, False):
            with speaking(language):
                value = packed_scene(whole, language=language, view=view, story=within)
                link = unpacked_scene(value)
            assert len(value) < 2_000, "a link that a chat takes"
            assert link.scene == whole
            assert (link.language, link.view, link.story, link.notes) == (language, view, within, ())


def test_a_link_carries_the_constants_and_not_only_the_name_of_a_law() -> None:
    for scene in published():
        state = spelled(scene.page, scene.state)
        for name in ("law", "planted"):
            if name in state:
                assert law_of(state[name]) == law_of(scene.state.get(name, state[name]["choice"]))
                assert isinstance(
                    state[name]["values"]["alpha" if "alpha" in state[name]["values"] else "alpha_N"], float
                )
        for pin, before in zip(state.get("pins", ()), scene.state.get("pins", ()), strict=True):
            assert law_of(pin) == law_of(before)


def test_another_version_opens_with_a_note() -> None:
    for app, named in (("0.1.0", "0.1.0"), (None, "an unknown one"), ("<b>", "an unknown one"), (7, "an unknown one")):
        link = unpacked_scene(value_of(made(app=app, novelty={"of": "tomorrow"})))
        assert link.scene == by_id("chinchilla")
        assert len(link.notes) == 1
        assert f"version {named}, and this is {__version__}" in link.notes[0]


def test_what_this_version_does_not_take_is_a_note_each() -> None:
    link = unpacked_scene(value_of(made(state={"C": "many", "N": "70B", "unheard": 1, "given": "E"})))
    assert link.scene.state == {"N": "70B"}
    assert len(link.notes) == 2


def test_an_unknown_language_or_view_is_that_of_the_viewer() -> None:
    link = unpacked_scene(value_of(made(lang="fr", view="theatre", story="yes")))
    assert (link.language, link.view, link.story) == (None, "page", False)


def test_every_cut_of_a_link_is_one_sentence() -> None:
    value = packed_scene(by_id("verdict"), language="en", view="page", story=True)
    assert isinstance(opens_to(value), Scene)
    for end in range(len(value)):
        assert isinstance(opens_to(value[:end]), str)


def test_every_flipped_letter_is_one_sentence_or_the_same_scene() -> None:
    scene = by_id("verdict")
    value = packed_scene(scene, language="en", view="page", story=True)
    draw = random.Random(5)
    for at in range(len(value)):
        other = draw.choice([letter for letter in "ABCxyz019-_" if letter != value[at]])
        found = opens_to(value[:at] + other + value[at + 1 :])
        assert isinstance(found, str) or found == scene


HOSTILE: dict[str, str] = {
    "nothing": "",
    "signs": "a b",
    "a sign at its end": "abc\n",
    "markup": "<script>alert(1)</script>",
    "Han characters": "场景",
    "too many letters": "A" * (MOST_CHARACTERS + 1),
    "not compressed": base64.urlsafe_b64encode(b'{"app": 1}').decode().rstrip("="),
    "a bomb": packed_bytes(b" " * 2_000_000),
    "just too large": packed_bytes(b"[" + b" " * MOST_BYTES + b"]"),
    "no text": packed_bytes(b"\xff\xfe"),
    "no JSON": packed_bytes(b"{"),
    "endless brackets": packed_bytes(b"[" * 60_000),
    "a number of many digits": packed_bytes(b'{"app":' + b"9" * 20_000 + b"}"),
    "a list": value_of([]),
    "a text": value_of("scene"),
    "a page that is none": value_of(made(page="admin")),
    "a page out of the folder": value_of(made(page="../../etc/passwd")),
    "an id that is none": value_of(made(id="<script>")),
    "a title without end": value_of(made(title={"en": "a" * 5000, "zh": "b"})),
    "a title that is none": value_of(made(title=None)),
    "a state that is none": value_of(made(state=[])),
    "a focus that is none": value_of(made(focus="top")),
    "needs that are none": value_of(made(needs={"a": 1})),
    "needs that cannot be hashed": value_of(made(needs=[[], {}])),
    "data that are none": value_of(made(data=[1])),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_link_is_one_sentence(name: str) -> None:
    assert isinstance(opens_to(HOSTILE[name]), str)
    with speaking("zh"), pytest.raises(ScalingError):
        unpacked_scene(HOSTILE[name])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "true", '"1"', "null", "[]", "9" * 400])
def test_a_constant_that_is_no_number_is_never_taken(number: str) -> None:
    row = made(state={"law": {"choice": "own", "base": "hoffmann2022", "form": "chinchilla", "values": {
        "E": 1.7, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}}})  # fmt: skip
    text = json.dumps(row).replace("406.4", number)
    link = unpacked_scene(packed_bytes(text.encode()))
    assert link.scene.state == {}
    assert len(link.notes) == 1


def test_a_scene_that_no_address_holds_is_refused_when_it_is_made() -> None:
    draw = random.Random(1)
    noise = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(5000))
    scene = replace(by_id("power"), point=Text(en=noise, zh=noise))
    with pytest.raises(InputError, match="holds at most"):
        packed_scene(scene, language="en", view="page", story=False)
