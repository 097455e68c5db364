"""The laws that a person saved from a fit: one JSON file a law under <home>/laws, and the published ones before them.

A file is whole or not there, since it is written beside its place and moved. What else lies in that folder (torn,
huge, written by hand) is passed over, and `library_problems` says why in a sentence each. Importing this and asking
what is saved make no folder.
"""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Convention, Kind, Preset, Range, presets
from scaling_core.errors import InputError, ScalingError, StoreError
from scaling_core.laws import AnyLaw, form_of, law_from_constants
from scaling_core.runs import place

if TYPE_CHECKING:
    from scaling_core.fit import FitResult
    from scaling_core.fit.repeated.result import RepeatedFit

PREFIX = "my-"
"""Every saved id begins with it and no published one does, so that the two never meet."""
SCHEMA = "scaling-lab-law-1"
MOST_REPLICATES = 500
MOST_LAWS = 300
MOST_BYTES = 1_000_000
_LONGEST = {"name": 80, "source": 500, "note": 2000, "warning": 500}
_ID_CHARACTERS = 40
_CONVENTIONS: tuple[Convention, ...] = ("total", "non-embedding")
_HIDDEN = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
_TURNED = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def folder(home: Path | None = None) -> Path:
    """Where saved laws lie: <home>/laws; it may not exist yet."""
    return (home or place.home()) / "laws"


def law_id(name: str) -> str:
    """The id of a law of this name, and its file's name: letters and digits of any script, lower case, joined by "-".

    Names that differ in case or in how their accents are encoded have one id, as they have one file on a Mac. A name
    without any letter, or one that is cut, ends in a hash of itself. Raises InputError as `save_law` does.
    """
    whole = unicodedata.normalize("NFKC", _text("name", name)).casefold()
    spaced = "".join(c if unicodedata.category(c)[0] in "LMN" else "-" for c in unicodedata.normalize("NFKC", whole))
    slug = unicodedata.normalize("NFKC", re.sub("-+", "-", spaced).strip("-"))
    if not slug or len(slug) > _ID_CHARACTERS:
        mark = sha256(whole.encode()).hexdigest()[:8]
        slug = f"{slug[:_ID_CHARACTERS].strip('-')}-{mark}".strip("-")
    return PREFIX + slug


def save_law(
    name: str,
    law: AnyLaw,
    *,
    source: str,
    convention: Convention = "total",
    valid_N: Range | None = None,
    valid_D: Range | None = None,
    valid_C: Range | None = None,
    replicates: FloatArray | None = None,
    level: float | None = None,
    note: str = "",
    warning: str | None = None,
    home: Path | None = None,
    replace: bool = False,
) -> Preset:
    """Save a law by a person's name for it, and return it as it will be read.

    source: what it was fitted on. convention: what its N counts. valid_N, valid_D, valid_C: the range of the runs.
    replicates: refits of resampled runs, shape (R, p), in the order of `law.constants`; those that are no constants
    (not finite, negative) are left out, and of more than 500 an evenly spaced 500 are kept. level: of the intervals.
    warning: why the law must not be trusted. replace: write over a law of the same name.
    Raises InputError on a name, text, range or replicates that cannot be meant, or a name already there; StoreError
    where the folder does not take it.
    """
    known = {p.id: p for p in saved_laws(home, "all")}
    id = law_id(name)
    if id in known and not replace:
        raise InputError("name", name, f"a law named {known[id].name!r} is saved already; give another, or replace it")
    if id not in known and len(known) >= MOST_LAWS:
        raise InputError("name", name, f"{MOST_LAWS} laws are saved already; delete one first")
    record = {
        "schema": SCHEMA,
        "name": _text("name", name),
        "form": form_of(law),
        "constants": law.constants,
        "source": _text("source", source),
        "convention": convention,
        "valid_N": list(valid_N) if valid_N else None,
        "valid_D": list(valid_D) if valid_D else None,
        "valid_C": list(valid_C) if valid_C else None,
        "note": note,
        "warning": warning,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "level": level,
        "replicates": None if replicates is None else _kept(replicates, len(law.constants)).tolist() or None,
    }
    made = _preset(id, record)
    place.write_json(folder(home) / f"{id}.json", record)
    return made


def saved_laws(home: Path | None = None, kind: Kind = "joint") -> tuple[Preset, ...]:
    """The saved laws, oldest first; files that cannot be read are passed over, see `library_problems`."""
    laws = [law for law in _read(folder(home)) if isinstance(law, Preset) and law.is_of(kind)]
    return tuple(sorted(laws, key=lambda p: (p.made_at or "", p.id)))


def library_problems(home: Path | None = None) -> tuple[str, ...]:
    """A sentence for each thing among the saved laws that cannot be read, in the order of its name."""
    return tuple(found for found in _read(folder(home)) if isinstance(found, str))


def all_laws(kind: Kind = "joint", home: Path | None = None) -> tuple[Preset, ...]:
    """The published laws, then the saved ones."""
    return presets(kind) + saved_laws(home, kind)


def find_law(id: str, home: Path | None = None) -> Preset:
    """The published or saved law of this id; raises InputError that lists the known ones."""
    known = {p.id: p for p in all_laws("all", home)}
    if id not in known:
        raise InputError("law", id, f"it must be one of {', '.join(known)}")
    return known[id]


def save_fit(
    result: FitResult | RepeatedFit,
    name: str,
    *,
    source: str,
    convention: Convention = "total",
    warning: str | None = None,
    home: Path | None = None,
    replace: bool = False,
) -> Preset:
    """Save the law of a fit with the range of its runs, its replicates and what was to be said of it.

    source, convention, warning, home, replace and errors as in `save_law`.
    """
    points, same_order = result.points, list(result.law.constants) == list(result.constants)
    return save_law(
        name,
        result.law,
        source=source,
        convention=convention,
        valid_N=(float(points.N.min()), float(points.N.max())),
        valid_D=(float(points.D.min()), float(points.D.max())),
        valid_C=(float(points.C.min()), float(points.C.max())),
        replicates=result.replicates if same_order else None,
        level=result.level if same_order and result.replicates is not None else None,
        note=" ".join(result.warnings)[: _LONGEST["note"]],
        warning=warning,
        home=home,
        replace=replace,
    )


def delete_law(id: str, home: Path | None = None) -> None:
    """Delete a saved law. Raises InputError where none of this id is saved, StoreError where it cannot be deleted."""
    known = [p.id for p in saved_laws(home, "all")]
    if id not in known:
        raise InputError("law", id, f"it must be one of the saved laws ({', '.join(known) or 'there are none'})")
    try:
        (folder(home) / f"{id}.json").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"The law {id} cannot be deleted ({error.strerror}); check the rights of its file.") from error


def _read(where: Path) -> Iterator[Preset | str]:
    """Each saved law, or the sentence that says why a file is none, by name; strangers in one sentence at the end."""
    try:
        names = sorted(name for name in os.listdir(where) if not name.startswith("."))
    except FileNotFoundError:
        return
    except OSError as error:
        yield f"The saved laws cannot be read: {where} is no folder that can be opened ({error.strerror})."
        return
    there = set(names)
    ours = [name for name in names if _is_ours(where, name, there)]
    for name in ours[:MOST_LAWS]:
        try:
            facts = os.stat(where / name)
            if stat.S_ISREG(facts.st_mode):
                yield _parsed(where / name, facts.st_mtime_ns, facts.st_size, facts.st_ino)
            else:
                yield _refused(name, "it is no file")
        except OSError as error:
            yield _refused(name, error.strerror or "the disk does not give it")
    if len(ours) > MOST_LAWS:
        yield f"Only the first {MOST_LAWS} of {len(ours)} saved laws are read; delete some."
    if strangers := sorted(there - set(ours)):
        some = ", ".join(_shown(name) for name in strangers[:3])
        yield f"Not read, since no saved law has such a name: {some}{' and others' if len(strangers) > 3 else ''}."


def _is_ours(where: Path, name: str, there: set[str]) -> bool:
    """Whether a saved law can have this file name: its id, as `law_id` makes them, and .json."""
    id = unicodedata.normalize("NFKC", name.removesuffix(".json"))
    letters = all(c == "-" or unicodedata.category(c)[0] in "LMN" for c in id)
    if not (name.endswith(".json") and id.startswith(PREFIX) and letters and len(id) < 2 * _ID_CHARACTERS):
        return False
    plain = f"{id}.json"  # a Mac's disk may give a name's letters decomposed, and takes them composed
    return name == plain or (plain not in there and (where / plain).exists())


def _refused(name: str, reason: str) -> str:
    return f"{_shown(name)} among the saved laws cannot be read: {reason.rstrip('.')}."


@lru_cache(maxsize=2 * MOST_LAWS)
def _parsed(path: Path, _modified: int, size: int, _inode: int) -> Preset | str:
    """The law in a file, or why it holds none; time, size and inode tell a file from what stood there before."""
    if size > MOST_BYTES:
        return _refused(path.name, f"it is larger than {MOST_BYTES:,} bytes")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES)
    try:
        record = json.loads(content.decode("utf-8"))
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            return _refused(path.name, f"it does not say {SCHEMA}")
        return _preset(unicodedata.normalize("NFKC", path.stem), record)
    except json.JSONDecodeError as error:
        return _refused(path.name, f"it is no whole JSON (line {error.lineno}, column {error.colno})")
    except UnicodeDecodeError:
        return _refused(path.name, "it is no text")
    except KeyError as error:
        return _refused(path.name, f"it lacks {error}")
    except ScalingError as error:
        return _refused(path.name, str(error))
    except (ValueError, RecursionError):  # a time that is none, a number of thousands of digits, endless brackets
        return _refused(path.name, "it holds what no saved law holds")


def _preset(id: str, record: dict[str, Any]) -> Preset:
    """The law of a record, every entry checked. Raises KeyError, InputError or ValueError on what cannot be meant."""
    constants = record["constants"]
    if not isinstance(constants, dict) or not all(isinstance(name, str) for name in constants):
        raise InputError("constants", type(constants).__name__, "they must be a table of names and numbers")
    law = law_from_constants(str(record["form"]), {name: _number(name, value) for name, value in constants.items()})
    if record["convention"] not in _CONVENTIONS:
        raise InputError("convention", record["convention"], f"it must be one of {', '.join(_CONVENTIONS)}")
    name, warning, level = _text("name", record["name"]), record["warning"], record["level"]
    if level is not None and not 0 < _number("level", level) < 1:
        raise InputError("level", level, "it must be a share between 0 and 1")
    ranges = {key: _range(key, record[key]) for key in ("valid_N", "valid_D", "valid_C")}
    return Preset(
        id=id,
        name=name,
        short_name=name if len(name) <= 24 else f"{name[:23].rstrip()}\u2026",
        law=law,
        source=_text("source", record["source"]),
        url=None,
        convention=record["convention"],
        **ranges,
        precision="as fitted, all digits",
        secondary=False,
        note=_text("note", record["note"], empty=True),
        warning=None if warning is None else _text("warning", warning),
        allocation=None,
        range_note="That of the runs it was fitted on."
        if any(ranges.values())
        else "No range: none was saved with it.",
        made_at=datetime.fromisoformat(str(record["made_at"])).isoformat(timespec="seconds"),
        level=level,
        replicates=_replicates(record["replicates"], len(law.constants)),
    )


def _text(field: str, value: object, *, empty: bool = False) -> str:
    """The text without spaces at its ends; raises InputError where it is none, too long, or not all to be seen."""
    most = _LONGEST[field]
    text = value.strip() if isinstance(value, str) else ""
    lines = "\n" if field == "note" else ""
    hidden = any(c not in lines and (unicodedata.category(c) in _HIDDEN or c in _TURNED) for c in text)
    if not isinstance(value, str) or len(text) > most or hidden or not (text or empty):
        raise InputError(field, value, f"it must be a text of up to {most} visible characters")
    return text


def _number(field: str, value: object) -> float:
    """A JSON number as a float; raises InputError for anything else, and for what no float holds."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(float(value)):
            return float(value)
    except OverflowError:
        pass
    raise InputError(field, value, "it must be a number")


def _range(field: str, value: object) -> Range | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise InputError(field, value, "it must be a smallest and a largest value")
    low, high = (_number(field, end) for end in value)
    if not 0 < low <= high:
        raise InputError(field, value, "it must be a smallest and a largest value, both positive")
    return low, high


def _kept(replicates: FloatArray, width: int) -> FloatArray:
    """At most MOST_REPLICATES rows of usable constants, evenly spaced among those given; shape (R, width)."""
    rows = np.asarray(replicates, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != width:
        raise InputError("replicates", f"an array of shape {rows.shape}", f"it must have {width} columns")
    rows = rows[np.all(np.isfinite(rows) & (rows >= 0), axis=1)]
    if len(rows) > MOST_REPLICATES:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_REPLICATES).round().astype(np.intp)]
    return rows


def _replicates(value: object, width: int) -> FloatArray | None:
    """The rows as a read-only array, shape (R, width), or None; raises InputError where they are no constants."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MOST_REPLICATES or not all(isinstance(row, list) for row in value):
        raise InputError("replicates", type(value).__name__, f"it must be up to {MOST_REPLICATES} rows of constants")
    flat = [_number("replicates", x) for row in value for x in row]
    if any(len(row) != width for row in value) or any(x < 0 for x in flat):
        raise InputError("replicates", len(value), f"each row must be {width} constants, none below zero")
    rows = np.array(flat, dtype=np.float64).reshape(len(value), width)
    rows.flags.writeable = False
    return rows


def _shown(name: str) -> str:
    """A file's name as a sentence can hold it."""
    safe = "".join(c if c.isprintable() else "?" for c in name)
    return safe if len(safe) <= 60 else f"{safe[:57]}..."
