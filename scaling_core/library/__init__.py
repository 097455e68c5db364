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
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Convention, Kind, Preset, Range, presets
from scaling_core.errors import InputError, ScalingError, StoreError
from scaling_core.language import LANGUAGES, t, together
from scaling_core.laws import AnyLaw, form_of
from scaling_core.library.record import LONGEST, as_preset, elsewhere, kept, said_in, visible
from scaling_core.library.record import MOST_REPLICATES as MOST_REPLICATES
from scaling_core.runs import place

if TYPE_CHECKING:
    from scaling_core.fit import FitResult
    from scaling_core.fit.repeated.result import RepeatedFit

PREFIX = "my-"
"""Every saved id begins with it and no published one does, so that the two never meet."""
SCHEMA = "scaling-lab-law-1"
MOST_LAWS = 300
MOST_BYTES = 1_000_000
_ID_CHARACTERS = 40


def folder(home: Path | None = None) -> Path:
    """Where saved laws lie: <home>/laws; it may not exist yet."""
    return (home or place.home()) / "laws"


def law_id(name: str) -> str:
    """The id of a law of this name, and its file's name: letters and digits of any script, lower case, joined by "-".

    Names that differ in case or in how their accents are encoded have one id, as they have one file on a Mac. A name
    without any letter, or one that is cut, ends in a hash of itself. Raises InputError as `save_law` does.
    """
    whole = unicodedata.normalize("NFKC", visible("name", name)).casefold()
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
    warning: why the law must not be trusted. source, note and warning are kept in every language they can be told in.
    replace: write over a law of the same name.
    Raises InputError on a name, text, range or replicates that cannot be meant, or a name already there; StoreError
    where the folder does not take it.
    """
    known = {p.id: p for p in saved_laws(home, "all")}
    id = law_id(name)
    if id in known and not replace:
        allowed = t("a law named {name!r} is saved already; give another, or replace it", name=known[id].name)
        raise InputError(t("name"), name, allowed)
    if id not in known and len(known) >= MOST_LAWS:
        raise InputError(t("name"), name, t("{n} laws are saved already; delete one first", n=MOST_LAWS))
    record = {
        "schema": SCHEMA,
        "name": visible("name", name),
        "form": form_of(law),
        "constants": law.constants,
        "source": visible("source", said_in("en", source)),
        "convention": convention,
        "valid_N": list(valid_N) if valid_N else None,
        "valid_D": list(valid_D) if valid_D else None,
        "valid_C": list(valid_C) if valid_C else None,
        "note": said_in("en", note),
        "warning": warning and said_in("en", warning),
        "other": elsewhere({"source": source, "note": note, "warning": warning}),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "level": level,
        "replicates": None if replicates is None else kept(replicates, len(law.constants)).tolist() or None,
    }
    made = as_preset(id, record)
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
        raise InputError(t("law"), id, t("it must be one of {names}", names=", ".join(known)))
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
        note=_within(result.warnings, LONGEST["note"]),
        warning=warning,
        home=home,
        replace=replace,
    )


def _within(sentences: Sequence[str], most: int) -> str:
    """As many of the sentences as fit into `most` characters in every language."""
    count = len(sentences)
    while count and any(len(said_in(language, together(*sentences[:count]))) > most for language in LANGUAGES):
        count -= 1
    return together(*sentences[:count])


def delete_law(id: str, home: Path | None = None) -> None:
    """Delete a saved law. Raises InputError where none of this id is saved, StoreError where it cannot be deleted."""
    known = [p.id for p in saved_laws(home, "all")]
    if id not in known:
        names = ", ".join(known) or t("there are none")
        raise InputError(t("law"), id, t("it must be one of the saved laws ({names})", names=names))
    try:
        (folder(home) / f"{id}.json").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            t("The law {id} cannot be deleted ({reason}); check the rights of its file.", id=id, reason=error.strerror)
        ) from error


def _read(where: Path) -> Iterator[Preset | str]:
    """Each saved law, or the sentence that says why a file is none, by name; strangers in one sentence at the end."""
    try:
        names = sorted(name for name in os.listdir(where) if not name.startswith("."))
    except FileNotFoundError:
        return
    except OSError as error:
        yield t(
            "The saved laws cannot be read: {folder} is no folder that can be opened ({reason}).",
            folder=str(where),
            reason=error.strerror,
        )
        return
    there = set(names)
    ours = [name for name in names if _is_ours(where, name, there)]
    for name in ours[:MOST_LAWS]:
        try:
            facts = os.stat(where / name)
            if stat.S_ISREG(facts.st_mode):
                yield _parsed(where / name, facts.st_mtime_ns, facts.st_size, facts.st_ino)
            else:
                yield _refused(name, t("it is no file"))
        except OSError as error:
            yield _refused(name, error.strerror or t("the disk does not give it"))
    if len(ours) > MOST_LAWS:
        yield t("Only the first {most} of {n} saved laws are read; delete some.", most=MOST_LAWS, n=len(ours))
    if strangers := sorted(there - set(ours)):
        some = ", ".join(_shown(name) for name in strangers[:3])
        if len(strangers) > 3:
            yield t("Not read, since no saved law has such a name: {names} and others.", names=some)
        else:
            yield t("Not read, since no saved law has such a name: {names}.", names=some)


def _is_ours(where: Path, name: str, there: set[str]) -> bool:
    """Whether a saved law can have this file name: its id, as `law_id` makes them, and .json."""
    id = unicodedata.normalize("NFKC", name.removesuffix(".json"))
    letters = all(c == "-" or unicodedata.category(c)[0] in "LMN" for c in id)
    if not (name.endswith(".json") and id.startswith(PREFIX) and letters and len(id) < 2 * _ID_CHARACTERS):
        return False
    plain = f"{id}.json"  # a Mac's disk may give a name's letters decomposed, and takes them composed
    return name == plain or (plain not in there and (where / plain).exists())


def _refused(name: str, reason: str) -> str:
    if reason.endswith("."):
        return t("{name} among the saved laws cannot be read: {sentence}", name=_shown(name), sentence=reason)
    return t("{name} among the saved laws cannot be read: {reason}.", name=_shown(name), reason=reason)


@lru_cache(maxsize=2 * MOST_LAWS)
def _parsed(path: Path, _modified: int, size: int, _inode: int) -> Preset | str:
    """The law in a file, or why it holds none; time, size and inode tell a file from what stood there before."""
    if size > MOST_BYTES:
        return _refused(path.name, t("it is larger than {n:,} bytes", n=MOST_BYTES))
    with path.open("rb") as file:
        content = file.read(MOST_BYTES)
    try:
        record = json.loads(content.decode("utf-8"))
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            return _refused(path.name, t("it does not say {schema}", schema=SCHEMA))
        return as_preset(unicodedata.normalize("NFKC", path.stem), record)
    except json.JSONDecodeError as error:
        reason = t("it is no whole JSON (line {line}, column {column})", line=error.lineno, column=error.colno)
        return _refused(path.name, reason)
    except UnicodeDecodeError:
        return _refused(path.name, t("it is no text"))
    except KeyError as error:
        return _refused(path.name, t("it lacks {entry}", entry=str(error)))
    except ScalingError as error:
        return _refused(path.name, str(error))
    except (ValueError, RecursionError):  # a time that is none, a number of thousands of digits, endless brackets
        return _refused(path.name, t("it holds what no saved law holds"))


def _shown(name: str) -> str:
    """A file's name as a sentence can hold it."""
    safe = "".join(c if c.isprintable() else "?" for c in name)
    return safe if len(safe) <= 60 else f"{safe[:57]}..."
