"""What takes long to make and is always the same, kept in the lab's home between starts.

A chart's template takes Altair up to 0.3 s, and the bundle of Vega a second. Neither depends on anything but this
project's files and two packages: their stamp names the folder, so that what another version made is never read. A file
that is torn, missing or cannot be written costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from scaling_core.runs.place import PROJECT, home

STAMPS = 3
"""Folders of other versions that stay: two checkouts may share a home."""
_SOURCES = ((PROJECT / "scaling_core", (".py", ".js", ".css")), (PROJECT / "data", (".po", ".csv", ".json")))
_MAKERS = ("altair", "vl-convert-python")


def kept(key: str, make: Callable[[], str]) -> str:
    """The text that `make` gives, from the file of an earlier call with this key where there is one.

    key: all that the text depends on, apart from the files of the project.
    """
    path = _folder() / hashlib.sha256(key.encode()).hexdigest()[:24]
    found = _read(path)
    if found is None:
        found = make()
        with suppress(OSError):
            _write(path, found)
    return found


def _folder() -> Path:
    """Where this version's texts lie."""
    return home() / "made" / _stamp()


@cache
def _stamp() -> str:
    """A name for the state of the project's files and of the packages that charts are made with."""
    seen = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in _MAKERS).encode())
    for path, about in _stated():
        seen.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode())
    return seen.hexdigest()[:16]


def _stated() -> Iterator[tuple[str, os.stat_result]]:
    for root, endings in _SOURCES:
        for folder, folders, files in os.walk(root):
            folders.sort()
            for name in sorted(files):
                if name.endswith(endings):
                    path = os.path.join(folder, name)
                    yield os.path.relpath(path, PROJECT), os.stat(path)


def _read(path: Path) -> str | None:
    """The text of a file whose first line is the SHA-256 of the rest; None where it is not."""
    try:
        digest, _, text = path.read_bytes().decode().partition("\n")
    except (OSError, ValueError):
        return None
    return text if digest == _digest(text) else None


def _write(path: Path, text: str) -> None:
    """Write it beside and rename it; raises OSError where the disk does not take it."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True)
        _forget(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        beside.write_bytes(f"{_digest(text)}\n{text}".encode())
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _forget(own: Path) -> None:
    """Remove the folders of other versions but the latest few."""
    others = [folder for folder in own.parent.iterdir() if folder != own]
    for folder in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)[STAMPS:]:
        shutil.rmtree(folder, ignore_errors=True)
