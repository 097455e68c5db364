"""A scene as one address: everything needed to see the same picture on another machine, and what was different there.

The parameter `scene` is JSON, compressed, in the letters of an address. What it holds was written by anyone: its size
is limited before it is unpacked and after, and every part is checked as that of a story's file is.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scaling_core import __version__
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import LANGUAGES, Language, t
from scaling_core.story.scene import Scene, row_of, scene_of

PARAMETER = "scene"
MOST_CHARACTERS = 8_000
MOST_BYTES = 64_000
"""Of what the parameter unpacks to."""
_LETTERS = re.compile(r"[A-Za-z0-9_-]+")
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,32}")
View = Literal["page", "presenter"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What a link opens. language: that of its maker, None where none is known here. story: whether the scene was
    shown within a story. notes: what was not as it is here, a sentence each."""

    scene: Scene
    language: Language | None
    view: View
    story: bool
    notes: tuple[str, ...] = ()


def packed_scene(scene: Scene, *, language: Language, view: View, story: bool) -> str:
    """The value of the parameter; raises InputError where the scene holds more than an address can."""
    record = {"app": __version__, "lang": language, "view": view, "story": story, **row_of(scene)}
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    value = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
    if len(value) > MOST_CHARACTERS:
        raise InputError(t("link"), len(value), t("an address holds at most {n:,} letters", n=MOST_CHARACTERS))
    return value


def unpacked_scene(value: str) -> Link:
    """What a parameter opens; raises ScalingError, one sentence, for one that opens nothing."""
    record = _record(value)
    try:
        scene, problems = scene_of(record)
    except ScalingError as error:
        raise _refused(error.args[0]) from error
    app, language, view = record.get("app"), record.get("lang"), record.get("view")
    notes = list(problems)
    if app != __version__:
        other = app if isinstance(app, str) and _VERSION.fullmatch(app) else t("an unknown one")
        notes.insert(0, t(
            "This link was made by version {other}, and this is {here}: what both know is shown.",
            other=other,
            here=__version__,
        ))  # fmt: skip
    return Link(
        scene=scene,
        language=next((one for one in LANGUAGES if one == language), None),
        view="presenter" if view == "presenter" else "page",
        story=record.get("story") is True,
        notes=tuple(notes),
    )


def _record(value: str) -> Mapping[str, Any]:
    if not 0 < len(value) <= MOST_CHARACTERS or not _LETTERS.fullmatch(value):
        raise _refused(t("it is cut, too long, or holds other letters than a link has"))
    try:
        unpack = zlib.decompressobj()
        content = unpack.decompress(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), MOST_BYTES + 1)
        if len(content) > MOST_BYTES or not unpack.eof:
            raise _refused(t("it is cut or too large"))
        record = json.loads(content.decode("utf-8"))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        raise _refused(t("it is cut or was changed on its way")) from None
    if not isinstance(record, Mapping):
        raise _refused(t("it holds no scene"))
    return record


def _refused(reason: str) -> ScalingError:
    if reason.endswith((".", "。")):
        return ScalingError(t("This link opens no scene. {reason}", reason=reason))
    return ScalingError(t("This link opens no scene: {reason}.", reason=reason))
