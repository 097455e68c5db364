"""Words in the reader's language: every sentence of the project passes through `t`, which knows its translation.

The English sentence stands in the code and is the key of the catalogues, `data/language/LANGUAGE.po`. What varies is a
named field: t("{n} runs of {name}", n=3, name=name). `python -m scaling_core.language` brings the catalogues up to
date with the code. Streamlit is not known here: the pages say whose language is wanted, see `follow`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, get_args

from scaling_core.language.catalogue import translations

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}

_PLAIN_FIELDS = re.compile(r"(?:[^{}]|\{\{|\}\}|\{\w+(?::[^{}]{0,4})?\})*")
"""A template whose fields are names with a short format: all that `unpacked` takes from a file."""
_here: ContextVar[Language | None] = ContextVar("language", default=None)
_follow: Callable[[], Language | None] = lambda: None  # noqa: E731  # replaced once, by the pages


class Message(str):
    """A sentence in one language that remembers what it was made from, and so can be told in another.

    template: the English text with its fields. plural: the same for a number other than one, or "". fields: what
    stands in them, texts among them Messages themselves.
    """

    template: str
    plural: str
    fields: dict[str, Any]


def t(template: str, /, **fields: Any) -> str:
    """The sentence in the present language, its {fields} filled in as `str.format` does; braces are doubled.

    It is a `Message`. template: a literal, since the catalogue is made by reading the code. A text that has no
    translation stays English.
    """
    return _told(template, "", fields)


def tn(one: str, many: str, n: float, /, **fields: Any) -> str:
    """As `t`, in the number that `n` asks for; `n` is a field too, unless `fields` gives another form of it."""
    return _told(one, many, {"n": n} | fields)


def raw(template: str, /) -> str:
    """The template itself in the present language, its fields left open: for the browser to fill in."""
    return template if current() == "en" else translations(current()).get(template, template)


def opened(text: str) -> str:
    """The template of a Message in the present language, its fields left open; any other text as it is."""
    if not isinstance(text, Message) or current() == "en":
        return text.template if isinstance(text, Message) else text
    return translations(current()).get(text.template, text.template)


def together(*texts: str) -> str:
    """Sentences one after the other, as the language sets them; empty ones are left out."""
    said = [text for text in texts if text]
    told = said[0] if said else ""
    for text in said[1:]:
        told = t("{first} {then}", first=told, then=text)
    return told


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    if not names:
        return ""
    told = names[0]
    for name in names[1:-1]:
        told = t("{some}, {another}", some=told, another=name)
    return t("{some} and {last}", some=told, last=names[-1]) if len(names) > 1 else told


def tdata(text: str) -> str:
    """A text of the tables in `data/` in the present language; it has no fields, and braces mean nothing in it."""
    return text if current() == "en" else translations(current()).get(text, text)


def retold(text: str) -> str:
    """The text in the present language, where it is a Message; any other text as it is."""
    return _told(text.template, text.plural, text.fields) if isinstance(text, Message) else text


def packed(text: str) -> str:
    """The text as one line of JSON from which `unpacked` makes it again in any language: for what is stored."""
    return json.dumps(_parts(text), ensure_ascii=False)


def unpacked(stored: str) -> str:
    """The stored text in the present language; a text that nobody packed comes back as it is."""
    if not stored.startswith(("{", '"')):
        return stored
    try:
        whole = _whole(json.loads(stored))
        return whole if isinstance(whole, str) else stored
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return stored


def current() -> Language:
    """The language that is spoken here: that of `speaking`, else what `follow` finds, else English."""
    return _here.get() or _follow() or "en"


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak this language inside the block, in this thread."""
    token = _here.set(language)
    try:
        yield
    finally:
        _here.reset(token)


def follow(viewer: Callable[[], Language | None]) -> None:
    """Ask `viewer` for the language wherever no block says it; None where there is no viewer."""
    global _follow
    _follow = viewer


def _told(template: str, plural: str, fields: dict[str, Any]) -> Message:
    """The Message of a template; a translation that does not fit its fields gives way to the English."""
    language = current()
    fields = {name: retold(value) if isinstance(value, str) else value for name, value in fields.items()}
    english = plural if plural and abs(fields["n"] if isinstance(fields["n"], (int, float)) else 2) != 1 else template
    written = english if language == "en" else translations(language).get(template) or english
    try:
        message = Message(written.format(**fields))
    except (KeyError, IndexError, ValueError):
        message = Message(english.format(**fields))
    message.template, message.plural, message.fields = template, plural, fields
    return message


def _parts(value: Any) -> Any:
    if isinstance(value, Message):
        return {"t": value.template, "n": value.plural, "of": {k: _parts(v) for k, v in value.fields.items()}}
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        if not (_PLAIN_FIELDS.fullmatch(value["t"]) and _PLAIN_FIELDS.fullmatch(value["n"])):
            raise ValueError("a stored template reaches into its fields or pads them beyond reason")
        return _told(value["t"], value["n"], {k: _whole(v) for k, v in value["of"].items()})
    return value
