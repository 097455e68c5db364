"""A saved law as the JSON record in its file: its texts and numbers checked, what cannot be meant refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Convention, Preset, Range
from scaling_core.errors import InputError
from scaling_core.language import LANGUAGES, Language, Message, retold, speaking, t
from scaling_core.laws import law_from_constants

MOST_REPLICATES = 500
LONGEST = {"name": 80, "source": 500, "note": 2000, "warning": 500}
"""Characters that each text may have."""
_CONVENTIONS: tuple[Convention, ...] = ("total", "non-embedding")
_HIDDEN = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
_TURNED = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def as_preset(id: str, record: dict[str, Any]) -> Preset:
    """The law of a record, every entry checked. Raises KeyError, InputError or ValueError on what cannot be meant."""
    constants = record["constants"]
    if not isinstance(constants, dict) or not all(isinstance(name, str) for name in constants):
        raise InputError("constants", type(constants).__name__, t("they must be a table of names and numbers"))
    law = law_from_constants(str(record["form"]), {name: _number(name, value) for name, value in constants.items()})
    if record["convention"] not in _CONVENTIONS:
        allowed = t("it must be one of {names}", names=", ".join(_CONVENTIONS))
        raise InputError("convention", record["convention"], allowed)
    name, warning, level = visible("name", record["name"]), record["warning"], record["level"]
    if level is not None and not 0 < _number("level", level) < 1:
        raise InputError("level", level, t("it must be a share between 0 and 1"))
    ranges = {key: _range(key, record[key]) for key in ("valid_N", "valid_D", "valid_C")}
    return Preset(
        id=id,
        name=name,
        short_name=name if len(name) <= 24 else f"{name[:23].rstrip()}\u2026",
        law=law,
        source=visible("source", record["source"]),
        url=None,
        convention=record["convention"],
        **ranges,
        precision=t("as fitted, all digits"),
        secondary=False,
        note=visible("note", record["note"], empty=True),
        warning=None if warning is None else visible("warning", warning),
        allocation=None,
        range_note=t("That of the runs it was fitted on.")
        if any(ranges.values())
        else t("No range: none was saved with it."),
        made_at=datetime.fromisoformat(str(record["made_at"])).isoformat(timespec="seconds"),
        level=level,
        replicates=_replicates(record["replicates"], len(law.constants)),
        replicates_note="",
        other=_other(record.get("other")),
    )


def _other(value: object) -> dict[Language, dict[str, str]]:
    """The texts of a record in other languages than English, by language and field; raises InputError else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("other", type(value).__name__, t("it must be a table of languages and their texts"))
    told: dict[Language, dict[str, str]] = {}
    for language in LANGUAGES:
        texts = value.get(language, {})
        if not isinstance(texts, dict) or not set(texts) <= {"source", "note", "warning"}:
            raise InputError("other", type(texts).__name__, t("it must be a table of languages and their texts"))
        told[language] = {name: visible(name, text, empty=True) for name, text in texts.items()}
    return told


def visible(field: str, value: object, *, empty: bool = False) -> str:
    """The text without spaces at its ends; raises InputError where it is none, too long, or not all to be seen."""
    most = LONGEST[field]
    text = value.strip() if isinstance(value, str) else ""
    lines = "\n" if field == "note" else ""
    hidden = any(c not in lines and (unicodedata.category(c) in _HIDDEN or c in _TURNED) for c in text)
    if not isinstance(value, str) or len(text) > most or hidden or not (text or empty):
        raise InputError(field, value, t("it must be a text of up to {n} visible characters", n=most))
    return text


def _number(field: str, value: object) -> float:
    """A JSON number as a float; raises InputError for anything else, and for what no float holds."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(float(value)):
            return float(value)
    except OverflowError:
        pass
    raise InputError(field, value, t("it must be a number"))


def _range(field: str, value: object) -> Range | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise InputError(field, value, t("it must be a smallest and a largest value"))
    low, high = (_number(field, end) for end in value)
    if not 0 < low <= high:
        raise InputError(field, value, t("it must be a smallest and a largest value, both positive"))
    return low, high


def kept(replicates: FloatArray, width: int) -> FloatArray:
    """At most MOST_REPLICATES rows of usable constants, evenly spaced among those given; shape (R, width)."""
    rows = np.asarray(replicates, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != width:
        shape = t("an array of shape {shape}", shape=str(rows.shape))
        raise InputError("replicates", shape, t("it must have {n} columns", n=width))
    rows = rows[np.all(np.isfinite(rows) & (rows >= 0), axis=1)]
    if len(rows) > MOST_REPLICATES:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_REPLICATES).round().astype(np.intp)]
    return rows


def _replicates(value: object, width: int) -> FloatArray | None:
    """The rows as a read-only array, shape (R, width), or None; raises InputError where they are no constants."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MOST_REPLICATES or not all(isinstance(row, list) for row in value):
        allowed = t("it must be up to {n} rows of constants", n=MOST_REPLICATES)
        raise InputError("replicates", type(value).__name__, allowed)
    flat = [_number("replicates", x) for row in value for x in row]
    if any(len(row) != width for row in value) or any(x < 0 for x in flat):
        raise InputError("replicates", len(value), t("each row must be {n} constants, none below zero", n=width))
    rows = np.array(flat, dtype=np.float64).reshape(len(value), width)
    rows.flags.writeable = False
    return rows


def elsewhere(texts: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
    """Those of the texts that are Messages in every language but English, by language and name; empty without any."""
    told = {name: text for name, text in texts.items() if isinstance(text, Message)}
    others = [language for language in LANGUAGES if language != "en"] if told else []
    return {language: {name: said_in(language, text) for name, text in told.items()} for language in others}


def said_in(language: Language, text: str) -> str:
    """The text in that language, where it is a Message; any other as it is."""
    with speaking(language):
        return str(retold(text))
