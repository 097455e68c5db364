"""Reads a dataset through the `datasets` package, in a process of its own, and writes its text into two plain files.

    python -m scaling_core.lab.hub_child REQUEST.json

A process of its own, because the package loads much, keeps threads and may wait for a network: the one that asked can
end it. It runs no code of a dataset (versions from 4 on cannot), and reads no format but those of `FORMATS`.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scaling_core.language import packed, t

FORMATS = ("parquet", "json", "text", "csv", "arrow")
INSTALL = "datasets>=4,<6"
_NO_NETWORK = ("Connection", "Connect", "Timeout", "Offline", "HTTPError", "HTTPStatusError", "LocalEntryNotFound")


class Refusal(Exception):
    """Why a dataset cannot be read, in the words that end up in a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is wanted. files: local files of the format `name`, () for the dataset `name` of the Hub. parent: who asked.

    The other fields are those of CorpusSpec and KnownText.
    """

    name: str
    config: str | None
    field: str | None
    files: tuple[str, ...]
    starts: str | None
    cap_bytes: int
    parent: int


def open_rows(request: Request, load: Callable[..., Any]) -> Iterable[Mapping[str, Any]]:
    """The rows of the train split, streamed by `load` (datasets.load_dataset); raises Refusal for another format."""
    options: dict[str, Any] = {"split": "train", "streaming": True}
    if request.files:
        if request.name == "text":
            options["sample_by"] = "document"
        rows = load(request.name, data_files=list(request.files), **options)
    else:
        try:
            rows = load(request.name, request.config, **options)
        except RuntimeError as error:
            if "scripts are no longer supported" not in str(error):
                raise
            rows = load(request.name, request.config, revision="refs/convert/parquet", **options)
    kind = rows.info.builder_name
    if kind not in FORMATS:
        raise Refusal(
            t("its files are of the kind {kind}, and only {formats} are read", kind=kind, formats=", ".join(FORMATS))
        )
    found: Iterable[Mapping[str, Any]] = rows
    return found


def texts(rows: Iterable[Mapping[str, Any]], *, field: str | None, starts: str | None) -> Iterator[str]:
    """The documents: the text column of each row, or of all rows from one that matches `starts` to the next.

    Rows without a text are left out. Raises Refusal where no column, or more than one, could be the text.
    """
    pattern = re.compile(starts) if starts else None
    column = field
    lines: list[str] = []
    for row in rows:
        if column is None or column not in row:
            column = _column(row, field)
        value = row[column]
        if not isinstance(value, str):
            continue
        if pattern is None:
            yield value
            continue
        if pattern.fullmatch(value) and any(lines):
            yield "".join(lines)
            lines = []
        lines.append(value)
    if lines:
        yield "".join(lines)


def write(documents: Iterable[str], folder: Path, *, cap_bytes: int) -> dict[str, Any]:
    """Write texts.bin and sizes.npy (bytes of each document, int64) until the cap; returns what was written.

    The document that would go beyond the cap ends the reading; the very first one is cut there.
    """
    sizes: list[int] = []
    total, cut = 0, False
    with open(folder / "texts.bin", "wb") as out:
        for document in documents:
            data = document.encode("utf-8", "replace")
            if total + len(data) > cap_bytes:
                cut = True
                if sizes:
                    break
                data = data[:cap_bytes]
            out.write(data)
            sizes.append(len(data))
            total += len(data)
            if cut:
                break
            if len(sizes) % 64 == 0:
                out.flush()
        out.flush()
        os.fsync(out.fileno())
    np.save(folder / "sizes.npy", np.array(sizes, dtype=np.int64), allow_pickle=False)
    return {"documents": len(sizes), "bytes": total, "cut": cut}


def explain(error: BaseException) -> dict[str, Any]:
    """What failed, for the process that asked: `network` tells whether the dataset could not be reached,
    `full` whether the disk is."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    first = str(error).strip().splitlines() or [""]
    reason = f"{type(error).__name__}: {first[0][:200]}".rstrip(": .")
    if isinstance(error, Refusal):
        return {"refused": error.args[0], "network": False, "full": False}
    network = any(word in type(one).__name__ for one in chain for word in _NO_NETWORK)
    return {
        "refused": reason,
        "network": network and "DatasetNotFound" not in type(error).__name__,
        "full": isinstance(error, OSError) and error.errno == errno.ENOSPC,
    }


def main() -> None:
    """Answer the request whose file is the first argument, with answer.json in the working folder."""
    request = Request(**{**(raw := json.loads(Path(sys.argv[1]).read_text())), "files": tuple(raw["files"])})
    folder = Path(sys.argv[1]).parent
    threading.Thread(target=_end_with, args=(request.parent,), daemon=True).start()
    try:
        package = importlib.import_module("datasets")
        if int(package.__version__.split(".")[0]) < 4:
            raise Refusal(
                t(
                    "datasets {version} is installed, and {package} is needed",
                    version=package.__version__,
                    package=INSTALL,
                )
            )
        rows = open_rows(request, package.load_dataset)
        documents = texts(rows, field=request.field, starts=request.starts)
        answer = write(documents, folder, cap_bytes=request.cap_bytes)
    except Exception as error:  # noqa: BLE001  # whatever the package raises becomes a sentence of the one that asked
        why = explain(error)
        answer = {**why, "refused": packed(why["refused"])}
    beside = folder / "answer.part"
    beside.write_text(json.dumps(answer))
    os.replace(beside, folder / "answer.json")
    sys.stderr.flush()
    os._exit(0)  # the package's reading threads can keep a process from ending


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _column(row: Mapping[str, Any], field: str | None) -> str:
    strings = [name for name, value in row.items() if isinstance(value, str)]
    if field is not None:
        raise Refusal(
            t("it has no column {field}; its columns with text are {names}", field=field, names=", ".join(strings))
            if strings
            else t("it has no column {field}; its columns with text are none", field=field)
        )
    if "text" in row:
        return "text"
    if len(strings) != 1:
        raise Refusal(
            t("name the column that holds the text; those that could are {names}", names=", ".join(strings))
            if strings
            else t("name the column that holds the text; those that could are none")
        )
    return strings[0]


if __name__ == "__main__":
    main()
