"""A scene of a talk: what is said, which page shows it in which state, and what to point at. A story is some of them.

A story is a readable JSON file: {"schema": ..., "app": version, "scenes": [...]}, every text in all languages.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from scaling_core import __version__
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import LANGUAGES, current, t
from scaling_core.learn import Text
from scaling_core.story.checked import plain_text
from scaling_core.story.state import read_state

SCHEMA = "scaling-lab-story-1"
MOST_SCENES = 60
MOST_BYTES = 1_000_000
LONGEST = {"title": 80, "sentence": 300, "point": 600}
"""Characters that each text of a scene may have."""
MOST_FOCUS = 9
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

Need = Literal["sliders", "fields"]
NEEDS: tuple[Need, ...] = get_args(Need)
TextName = Literal["title", "sentence", "point"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One scene.

    point: what to point at, for the speaker. page: its part of the address. state: as `state.PARTS` names it. needs:
    the controls that stay in the presenter view, "sliders" beside the page and "fields" on it. focus: which of the
    page's parts to begin at, 0 for its top. data: name and hash of the data it was made of, where the page has any.
    """

    id: str
    title: Text
    sentence: Text
    point: Text
    page: str
    state: Mapping[str, Any]
    needs: tuple[Need, ...] = ()
    focus: int = 0
    data: Mapping[str, str] = field(default_factory=dict)

    def written(self, language: str) -> dict[str, str]:
        """Its texts in a language as they stand in the file, fields open."""
        return {name: getattr(getattr(self, name), language) for name in LONGEST}

    def retitled(self, texts: Mapping[str, str]) -> Scene:
        """The scene with other texts in the present language, and in the others too where they were the same.

        Raises InputError for a text that cannot stand there.
        """
        made: dict[str, Any] = {}
        for name, most in LONGEST.items():
            old: Text = getattr(self, name)
            new = plain_text(name, texts[name], most, empty=name != "title")
            if new != getattr(old, current()):
                same = old.en == old.zh
                made[name] = Text(**{one: new if same or one == current() else getattr(old, one) for one in LANGUAGES})
        return replace(self, **made)


def scene_of(row: object) -> tuple[Scene, tuple[str, ...]]:
    """A scene from a row of a story, and a sentence for each choice of it that the page does not take.

    Raises InputError where the row is no scene.
    """
    if not isinstance(row, Mapping):
        raise InputError("scene", type(row).__name__, t("it must be a table with a title, a page and a state"))
    state, problems = read_state(str(row.get("page")), row.get("state", {}))
    needs, focus = row.get("needs", []), row.get("focus", 0)
    if not isinstance(needs, (list, tuple)) or not all(need in NEEDS for need in needs):
        raise InputError("needs", str(needs)[:60], t("it must be some of {names}", names=", ".join(NEEDS)))
    if isinstance(focus, bool) or not isinstance(focus, int) or not 0 <= focus <= MOST_FOCUS:
        raise InputError("focus", str(focus)[:60], t("it must be a whole number from {least} to {most}", least=0,
                                                     most=MOST_FOCUS))  # fmt: skip
    scene = Scene(
        id=_id(row.get("id")),
        title=_text("title", row.get("title")),
        sentence=_text("sentence", row.get("sentence")),
        point=_text("point", row.get("point")),
        page=str(row["page"]),
        state=state,
        needs=tuple(need for need in NEEDS if need in needs),
        focus=focus,
        data=_data(row.get("data", {})),
    )
    return scene, problems


def row_of(scene: Scene) -> dict[str, Any]:
    """The scene as `scene_of` reads it, in plain JSON types."""
    texts = {name: {one: getattr(getattr(scene, name), one) for one in LANGUAGES} for name in LONGEST}
    row: dict[str, Any] = {"id": scene.id, **texts, "page": scene.page, "state": dict(scene.state)}
    if scene.needs:
        row["needs"] = list(scene.needs)
    if scene.focus:
        row["focus"] = scene.focus
    if scene.data:
        row["data"] = dict(scene.data)
    return row


def story_of(record: object) -> tuple[tuple[Scene, ...], tuple[str, ...]]:
    """The scenes of a story, and what there is to say of it; raises InputError where it is none."""
    if not isinstance(record, Mapping) or record.get("schema") != SCHEMA:
        raise InputError(t("story"), type(record).__name__, t("it must say {schema}", schema=SCHEMA))
    rows = record.get("scenes")
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_SCENES:
        seen = len(rows) if isinstance(rows, list) else type(rows).__name__
        raise InputError("scenes", seen, t("it must be a list of 1 to {n} scenes", n=MOST_SCENES))
    scenes: list[Scene] = []
    problems: list[str] = []
    for n, row in enumerate(rows, 1):
        try:
            scene, found = scene_of(row)
        except ScalingError as error:
            raise InputError(t("scene {n}", n=n), error.args[0], t("it must be a scene that can be shown")) from error
        if scene.id in [one.id for one in scenes]:
            raise InputError("id", scene.id, t("each scene must have an id of its own"))
        scenes.append(scene)
        problems += [t("Scene {n}: {problem}", n=n, problem=problem) for problem in found]
    return tuple(scenes), tuple(problems)


def read_story(content: bytes) -> tuple[tuple[Scene, ...], tuple[str, ...]]:
    """The scenes of a story's file, as `story_of`; raises InputError, one sentence, for anything that is none."""
    if len(content) > MOST_BYTES:
        raise InputError(t("story"), len(content), t("it must be smaller than {n:,} bytes", n=MOST_BYTES))
    try:
        record = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError(t("story"), t("a file"), t("it must be a text")) from None
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, endless brackets
        raise InputError(t("story"), t("a file"), t("it must be whole JSON")) from None
    return story_of(record)


def record_of(scenes: Sequence[Scene]) -> dict[str, Any]:
    """A story as its file holds it."""
    return {"schema": SCHEMA, "app": __version__, "scenes": [row_of(scene) for scene in scenes]}


def written(scenes: Sequence[Scene]) -> str:
    """A story as a file that people can read and change."""
    return json.dumps(record_of(scenes), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def free_id(title: str, taken: Sequence[str]) -> str:
    """An id for a scene of this title that none of `taken` is."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().casefold()
    slug = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "scene"
    return next(id for id in (slug, *(f"{slug}-{n}" for n in range(2, MOST_SCENES + 2))) if id not in taken)


def _text(name: str, value: object) -> Text:
    """A text in every language; only a title must say something."""
    if not isinstance(value, Mapping) or not set(LANGUAGES) <= set(value):
        raise InputError(
            name, type(value).__name__, t("it must be there in {languages}", languages=", ".join(LANGUAGES))
        )
    return Text(**{one: plain_text(name, value[one], LONGEST[name], empty=name != "title") for one in LANGUAGES})


def _id(value: object) -> str:
    if not isinstance(value, str) or len(value) > 60 or not _NAME.fullmatch(value):
        raise InputError("id", str(value)[:60], t("it must be lower-case letters and digits, joined by -"))
    return value


def _data(value: object) -> dict[str, str]:
    """Name and hash of data; what else stands there is passed over."""
    if not isinstance(value, Mapping):
        raise InputError("data", type(value).__name__, t("it must be a table of names and values"))
    return {name: plain_text(name, value[name], 120) for name in ("name", "hash") if name in value}
