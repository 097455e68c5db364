"""Any state that a page can be in goes through a link and a file unchanged; any other never gets past the reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from scaling_core.catalog import presets
from scaling_core.errors import ScalingError
from scaling_core.language import LANGUAGES
from scaling_core.learn import Text
from scaling_core.story import (
    LONGEST,
    NEEDS,
    PARTS,
    Part,
    Scene,
    changed,
    packed_scene,
    read_story,
    unpacked_scene,
    written,
)
from scaling_core.story.state import law_of, read_state, spelled
from scaling_core.units import parse_quantity

LAWS = [preset.id for preset in presets("joint")]
PINNED = some.lists(some.sampled_from(LAWS), max_size=4)
SIGNS = some.characters(codec="utf-8", categories=("L", "N", "P", "S"))


def typed(part: Part) -> some.SearchStrategy[str]:
    """What a person may have typed into a field of a quantity."""
    low, high = max(part.low, 1e-6), min(part.high, 1e39)
    numbers = some.floats(low * 1.0001, high * 0.9999, allow_nan=False).map(lambda x: f"{x:.6g}")
    return numbers.filter(lambda text: part.low <= parse_quantity(text, field="x") <= part.high)


def values(part: Part) -> some.SearchStrategy[Any]:
    """Values that a part takes."""
    if part.kind == "law":
        return some.sampled_from(LAWS) | some.sampled_from(LAWS).map(lambda id: spelled("models", {"law": id})["law"])
    if part.kind == "pins":
        return PINNED | PINNED.map(lambda ids: spelled("calculator", {"pins": ids})["pins"])
    if part.kind == "axes":
        ends = some.tuples(some.floats(1e-3, 1e14), some.floats(1.01, 1e12)).map(
            lambda pair: [pair[0], pair[0] * pair[1]]
        )
        return some.just([]) | some.lists(ends, min_size=2, max_size=2)
    if part.kind == "toggle":
        return some.booleans()
    if part.kind == "names":
        return some.lists(some.sampled_from(["E", "A", "B", "alpha", "beta"]), unique=True)
    if part.kind == "number":
        return typed(part)
    if part.options:
        return some.sampled_from(part.options)
    if part.kind == "line":
        return some.text(SIGNS, min_size=1, max_size=40)
    return some.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)


@some.composite
def scenes(draw: some.DrawFn) -> Scene:
    page = draw(some.sampled_from(sorted(PARTS)))
    chosen = draw(some.sets(some.sampled_from(PARTS[page]))) if PARTS[page] else set()
    text = some.text(SIGNS, min_size=1, max_size=60)
    words = {name: Text(**{one: draw(text) for one in LANGUAGES}) for name in LONGEST}
    return Scene(
        id=draw(some.from_regex(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20})?", fullmatch=True)),
        title=words["title"],
        sentence=words["sentence"],
        point=words["point"],
        page=page,
        state=changed(page, {part.name: draw(values(part)) for part in sorted(chosen, key=lambda part: part.name)}),
        needs=tuple(need for need in NEEDS if draw(some.booleans())),
        focus=draw(some.integers(0, 9)),
    )


@given(scenes(), some.sampled_from(LANGUAGES), some.booleans())
def test_a_scene_goes_through_a_link_and_a_file(scene: Scene, language: Any, within: bool) -> None:
    link = unpacked_scene(packed_scene(scene, language=language, view="presenter", story=within))
    assert (link.scene, link.language, link.view, link.story, link.notes) == (scene, language, "presenter", within, ())
    assert read_story(written([scene]).encode()) == ((scene,), ())
    whole = spelled(scene.page, scene.state)
    for name in ("law", "planted"):
        if name in whole:
            assert law_of(whole[name]) == law_of(scene.state.get(name, whole[name]["choice"]))


anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(some.data())
def test_whatever_stands_there_is_taken_as_it_should_be_or_not_at_all(data: some.DataObject) -> None:
    page = data.draw(some.sampled_from(sorted(PARTS)))
    names = [part.name for part in PARTS[page]] or ["x"]
    state = data.draw(some.dictionaries(some.sampled_from(names), anything, max_size=6))
    kept, problems = read_state(page, state)
    assert len(kept) + len(problems) == len([name for name in state if name in [part.name for part in PARTS[page]]])
    assert read_state(page, json.loads(json.dumps(kept, allow_nan=False))) == (kept, ())


def refusal(read: Callable[[Any], object], content: object) -> str:
    """What is said where the content opens nothing, "" where it does."""
    try:
        read(content)
    except ScalingError as error:
        return str(error.args[0])
    return ""


@given(some.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode()))
def test_no_file_is_more_than_a_sentence(content: bytes) -> None:
    said = refusal(read_story, content)
    assert said
    assert "\n" not in said


@given(some.text(max_size=200) | some.text("ABCabc019-_", max_size=200))
def test_no_link_is_more_than_a_sentence(value: str) -> None:
    assert refusal(unpacked_scene, value).startswith("This link opens no scene")
