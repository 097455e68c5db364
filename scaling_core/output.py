"""What a command leaves behind: JSON, tables and sentences on the terminal, and files that are whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling_core.errors import InputError
from scaling_core.language import t


def print_json(value: object) -> None:
    """One JSON value on stdout; raises ValueError for a number that JSON does not have."""
    print(json.dumps(value, allow_nan=False))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as lines of aligned columns, two spaces apart."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def say(*sentences: str) -> None:
    """Messages to the person, on stderr, a line each."""
    for sentence in sentences:
        print(sentence, file=sys.stderr, flush=True)


def writable_folder(text: str, *, field: str = "out") -> Path:
    """The folder of that path, made if it is missing; raises InputError where it cannot be one we may write in."""
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        allowed = t("it must be a folder, or a place where one can be made ({reason})", reason=str(reason))
        raise InputError(field, text, allowed) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(field, text, t("it must be a folder that can be written to"))
    return folder


def write_files(folder: Path, contents: Mapping[str, bytes], *, field: str = "out") -> list[Path]:
    """Write each content under its name, beside its place first and then moved there; returns the paths in order.

    Raises InputError where one cannot be written (a full disk, a folder of that name).
    """
    written = []
    for name, content in contents.items():
        path, beside = folder / name, folder / f".{name}.{os.getpid()}.part"
        try:
            beside.write_bytes(content)
            beside.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            allowed = t("{name} could not be written there ({reason})", name=name, reason=error.strerror)
            raise InputError(field, str(folder), allowed) from error
        written.append(path)
    return written
