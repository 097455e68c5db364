"""Where a text comes from: the standard library, a file or a folder. Lists, checks and reads; never writes."""

from __future__ import annotations

import hashlib
import os
import stat
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scaling_core.errors import CorpusError
from scaling_core.lab.known_texts import shown_name
from scaling_core.language import t, tn

CAP_BYTES = 4 * 1024**3
"""Most bytes taken from a source; what lies beyond is left out, and the note says so."""
CAP_FILES = 200_000

_CONTROL = bytes(i for i in range(32) if i not in (9, 10, 11, 12, 13, 27))


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """A file that was found, or a stretch of one. relative: its path below the source, with '/'. modified: ns."""

    path: Path
    relative: str
    size: int
    modified: int
    offset: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What a source offers, before anything is read. shown: how a sentence names it.

    noun: what its parts are, "file" or "document".
    """

    name: str
    shown: str
    files: tuple[SourceFile, ...]
    notes: tuple[str, ...] = ()
    noun: str = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A text that was read once and found good: its digest tells whether it is still the same."""

    path: Path
    relative: str
    size: int
    digest: str
    offset: int = 0

    def read(self) -> bytes:
        """The same bytes again; raises CorpusError when they have changed meanwhile."""
        data = _read(self.path, self.size, self.offset)
        if data is None or hashlib.sha256(data).hexdigest() != self.digest:
            raise CorpusError(
                t("The file {path} changed while it was read; start again when nothing writes to it.", path=self.path)
            )
        return data


def list_stdlib(*, name: str) -> Listing:
    """Every *.py of this Python's standard library, its tests included, without installed packages."""
    root = Path(sysconfig.get_path("stdlib"))
    files = _walk(root, suffix=".py", without=("site-packages", "dist-packages"))
    if not files:
        raise CorpusError(
            t(
                "This Python has no source files under {root} (a packed or stripped installation); "
                "choose a local text file or folder instead.",
                root=root,
            )
        )
    return Listing(name=name, shown=t("of {name}", name=shown_name(name)), files=files)


def list_single(path: Path) -> Listing:
    """One regular file; raises CorpusError for anything else (a pipe, a device, no permission)."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CorpusError(
                t("{path} is neither a file nor a folder; choose a text file, or a folder with text files.", path=path)
            )
        with open(path, "rb"):
            pass
    except OSError as error:
        raise CorpusError(
            t("The file {path} cannot be read ({reason}); check its permissions.", path=path, reason=error.strerror)
        ) from error
    taken = min(status.st_size, CAP_BYTES)
    cut = t("only the first {n:,} of {all:,} bytes are used", n=CAP_BYTES, all=status.st_size)
    notes = (cut,) if taken < status.st_size else ()
    file = SourceFile(path=path, relative=path.name, size=taken, modified=status.st_mtime_ns)
    return Listing(name=path.name, shown=str(path), files=(file,), notes=notes)


def list_folder(root: Path) -> Listing:
    """Every regular file below a folder, hidden ones and links left out, up to the caps."""
    try:
        os.listdir(root)
    except OSError as error:
        raise CorpusError(
            t("The folder {root} cannot be read ({reason}); check its permissions.", root=root, reason=error.strerror)
        ) from error
    files = _walk(root)
    if not files:
        raise CorpusError(
            t("The folder {root} holds no files; choose a text file, or a folder with text files.", root=root)
        )
    notes: tuple[str, ...] = ()
    kept: list[SourceFile] = []
    size = 0
    for file in files:
        if size + file.size > CAP_BYTES or len(kept) >= CAP_FILES:
            notes = (
                t(
                    "only {n:,} of {all:,} files are used, {size:,} bytes, in the order of their paths",
                    n=len(kept),
                    all=len(files),
                    size=size,
                ),
            )
            break
        kept.append(file)
        size += file.size
    return Listing(name=root.name or str(root), shown=str(root), files=tuple(kept), notes=notes)


def _walk(root: Path, *, suffix: str = "", without: tuple[str, ...] = ()) -> tuple[SourceFile, ...]:
    """Regular files in the order of their relative paths. Links are not followed, so no loop can hold it."""
    found: list[SourceFile] = []
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in ("__pycache__", *without)]
        for name in names:
            if name.startswith(".") or not name.endswith(suffix):
                continue
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                relative = path.relative_to(root).as_posix()
                found.append(SourceFile(path=path, relative=relative, size=status.st_size, modified=status.st_mtime_ns))
    return tuple(sorted(found, key=lambda file: file.relative))


def contents(listing: Listing) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    """Read every file once: the good ones without exact duplicates, and phrases about those left out."""
    documents: list[Document] = []
    seen: set[str] = set()
    left = {"unreadable": 0, "empty": 0, "binary": 0, "duplicate": 0}
    for file in listing.files:
        data = _read(file.path, file.size, file.offset)
        if data is None:
            left["unreadable"] += 1
        elif not data.strip():
            left["empty"] += 1
        elif is_binary(data):
            left["binary"] += 1
        else:
            digest = hashlib.sha256(data).hexdigest()
            if digest in seen:
                left["duplicate"] += 1
                continue
            seen.add(digest)
            documents.append(
                Document(path=file.path, relative=file.relative, size=len(data), digest=digest, offset=file.offset)
            )
    phrases = tuple(_left_out(kind, count, listing.noun) for kind, count in left.items() if count)
    return tuple(documents), phrases


def _left_out(kind: str, n: int, noun: str) -> str:
    """How many files or documents were left out, and why."""
    if noun == "document":
        return {
            "unreadable": tn("{n:,} unreadable document left out", "{n:,} unreadable documents left out", n),
            "empty": tn("{n:,} empty document left out", "{n:,} empty documents left out", n),
            "binary": tn("{n:,} binary document left out", "{n:,} binary documents left out", n),
            "duplicate": tn("{n:,} duplicate document left out", "{n:,} duplicate documents left out", n),
        }[kind]
    return {
        "unreadable": tn("{n:,} unreadable file left out", "{n:,} unreadable files left out", n),
        "empty": tn("{n:,} empty file left out", "{n:,} empty files left out", n),
        "binary": tn("{n:,} binary file left out", "{n:,} binary files left out", n),
        "duplicate": tn("{n:,} duplicate file left out", "{n:,} duplicate files left out", n),
    }[kind]


def in_a_row(phrases: Sequence[str]) -> str:
    """Phrases one after the other, between semicolons."""
    told = phrases[0] if phrases else ""
    for phrase in phrases[1:]:
        told = t("{some}; {another}", some=told, another=phrase)
    return told


def is_binary(data: bytes) -> bool:
    """Whether these are not the bytes of a text: a zero byte, or more than one control character in fifty.

    A UTF-16 text counts as binary, for its zero bytes; Latin-1 and UTF-8 are texts.
    """
    if 0 in data:
        return True
    control = len(data) - len(data.translate(None, _CONTROL))
    return control > len(data) / 50


def _read(path: Path, size: int, offset: int) -> bytes | None:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError:
        return None
