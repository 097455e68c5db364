"""What a person ticked off of the study paths: one small JSON file in the lab's home, <home>/learn.json.

The file is written whole or not at all. One tick changes one entry of what is there at that moment, under a lock, so
that two windows or two servers lose nothing of each other's; ids that this version does not know stay. A file that
cannot be read is never written over: it is kept under another name beside the new one.
"""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from scaling_core.errors import StoreError
from scaling_core.language import t
from scaling_core.runs import place
from scaling_core.runs.own_file import alone, keep_aside

SCHEMA = "scaling-lab-learn-1"
MOST_BYTES = 200_000
MOST_TICKS = 2000
_LONGEST_ID = 80


class UnreadableTicks(StoreError):
    """The file is there, and holds no ticks."""


def file_of(home: Path | None = None) -> Path:
    """Where the ticks are; it may not exist yet."""
    return (home or place.home()) / "learn.json"


def done(home: Path | None = None) -> frozenset[str]:
    """The ids that are ticked off. Raises StoreError where they cannot be read."""
    return frozenset(_read(file_of(home)))


def mark(changes: dict[str, bool], home: Path | None = None) -> str:
    """Tick these ids off (True) or on again (False), and return what else there is to say, or "".

    Raises StoreError where the disk does not take it; nothing has changed then.
    """
    path, said = file_of(home), ""
    place.make_folder(path.parent)
    with alone(path):
        try:
            ticks = _read(path)
        except UnreadableTicks:
            kept = keep_aside(path)
            said, ticks = t("The ticks that could not be read were kept in {name}; new ones begin here.", name=kept), {}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for id, ticked in changes.items():
            if ticked:
                ticks.setdefault(id, now)
            else:
                ticks.pop(id, None)
        place.write_json(path, {"schema": SCHEMA, "done": ticks})
    return said


def _read(path: Path) -> dict[str, str]:
    """When each id was ticked off, ISO 8601."""
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise _refused(t("it is no file"))
        if facts.st_size > MOST_BYTES:
            raise _refused(t("it is larger than {most:,} bytes", most=MOST_BYTES))
        content = path.read_bytes()[: MOST_BYTES + 1]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(
            t("{path} cannot be read ({reason}); check its rights.", path=path, reason=error.strerror or error)
        ) from error
    try:
        record = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _refused(t("it is no whole JSON")) from None
    ticks = record.get("done") if isinstance(record, dict) and record.get("schema") == SCHEMA else None
    if not isinstance(ticks, dict):
        raise _refused(t("it does not say {schema}", schema=SCHEMA))
    if len(ticks) > MOST_TICKS or not all(isinstance(at, str) and len(id) <= _LONGEST_ID for id, at in ticks.items()):
        raise _refused(t("it holds what no such file holds"))
    return dict(ticks)


def _refused(reason: str) -> UnreadableTicks:
    return UnreadableTicks(
        t(
            "What was ticked off earlier cannot be read from learn.json: {reason}. The next tick begins a new file and "
            "keeps this one beside it.",
            reason=reason,
        )
    )
