"""Datasets of Hugging Face: streamed once by a process of its own up to a cap, kept, and listed like a folder of files.

What was fetched lies under the cache folder by the hash of what was asked for, so that it is there without a network.
Needs the optional package `datasets`, which only the child process loads. Knows no torch.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scaling_core.errors import CorpusError
from scaling_core.lab.corpus_spec import CorpusSpec
from scaling_core.lab.hub_child import INSTALL, Request
from scaling_core.lab.known_texts import find_dataset
from scaling_core.lab.packing import workplace
from scaling_core.lab.sources import CAP_FILES, Listing, SourceFile
from scaling_core.language import t, unpacked

STALL_SECONDS = 120.0
"""Longest time without a byte of text before the reading is given up."""
MOST_DOCUMENTS = 5 * CAP_FILES
_LAYOUT = 1
_PROJECT = Path(__file__).resolve().parents[2]


def source_key(spec: CorpusSpec) -> str:
    """What makes two readings of a dataset the same: what is asked for, and of local files their size and time.

    Raises CorpusError for local files that are not there.
    """
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in _local_files(spec)]
    known = find_dataset(spec.name, spec.config)
    asked = [_LAYOUT, spec.name, spec.config, spec.field, spec.cap_bytes, known.starts if known else None, files]
    return hashlib.sha256(json.dumps(asked).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def list_dataset(spec: CorpusSpec, cache_dir: Path) -> Listing:
    """The documents of a dataset, fetched first where the cache does not hold them.

    Raises CorpusError, in one sentence: the package is missing, there is no network, no such dataset, no text column.
    Raises OSError where the cache cannot be written.
    """
    folder = cache_dir / f"dataset-{source_key(spec)}"
    sizes = _sizes(folder)
    if sizes is None:
        _fetch(spec, folder)
        sizes = _sizes(folder)
    if sizes is None:
        raise CorpusError(
            t(
                "What was read of {text} vanished from {folder} while it was opened; start again.",
                text=spec.shown,
                folder=folder,
            )
        )
    known = find_dataset(spec.name, spec.config)
    about = json.loads((folder / "answer.json").read_text())
    notes = []
    if about["cut"]:
        notes.append(
            t(
                "only the first {n:,} bytes of the dataset, by its cap of {cap:,}",
                n=about["bytes"],
                cap=spec.cap_bytes,
            )
        )
    if len(sizes) > MOST_DOCUMENTS:
        notes.append(t("only the first {n:,} of {all:,} documents", n=MOST_DOCUMENTS, all=len(sizes)))
        sizes = sizes[:MOST_DOCUMENTS]
    path = folder / "texts.bin"
    offset, files = 0, []
    for number, size in enumerate(sizes):
        files.append(SourceFile(path=path, relative=str(number), size=size, modified=0, offset=offset))
        offset += size
    name = known.name if known else spec.shown.removeprefix("hf:")
    if spec.path:
        name = Path(spec.path).name
    return Listing(name=name, shown=t("of {name}", name=name), files=tuple(files), notes=tuple(notes), noun="document")


def _sizes(folder: Path) -> list[int] | None:
    """Bytes of each document where the folder is whole, else None."""
    try:
        about = json.loads((folder / "answer.json").read_text())
        sizes = np.load(folder / "sizes.npy", allow_pickle=False)
        whole = sizes.dtype == np.int64 and sizes.shape == (about["documents"],) and (sizes >= 0).all()
        if whole and int(sizes.sum()) == about["bytes"] == (folder / "texts.bin").stat().st_size:
            return [int(size) for size in sizes]
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        pass
    return None


def _local_files(spec: CorpusSpec) -> tuple[Path, ...]:
    if not spec.path:
        return ()
    path = Path(spec.path)
    try:
        found = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".") if path.is_dir() else [path]
        if found and all(one.is_file() for one in found):
            return tuple(found)
    except OSError as error:
        raise CorpusError(
            t("{path} cannot be read ({reason}); check its permissions.", path=path, reason=error.strerror)
        ) from error
    raise CorpusError(
        t("There is no file {path}, nor a folder of that name with files; check the path of the text.", path=path)
    )


def _fetch(spec: CorpusSpec, folder: Path) -> None:
    if importlib.util.find_spec("datasets") is None:
        raise CorpusError(
            t(
                "Reading {text} needs the package datasets, which is not installed; install it with "
                '{python} -m pip install "{package}", or choose a local text file or folder.',
                text=spec.shown,
                python=sys.executable,
                package=INSTALL,
            )
        )
    with workplace(folder.parent) as work:
        known = find_dataset(spec.name, spec.config)
        request = Request(
            name=str(spec.name), config=spec.config, field=spec.field,
            files=tuple(str(path) for path in _local_files(spec)), starts=known.starts if known else None,
            cap_bytes=spec.cap_bytes, parent=os.getpid(),
        )  # fmt: skip
        (work / "request.json").write_text(json.dumps(asdict(request)))
        answer = _run(work, spec)
        if "refused" in answer:
            if answer["full"]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            why = unpacked(answer["refused"])
            raise _no_network(spec, why) if answer["network"] else _unreadable(spec, why)
        for name in ("home", "request.json", "log"):
            spare = work / name
            shutil.rmtree(spare, ignore_errors=True) if spare.is_dir() else spare.unlink(missing_ok=True)
        if _sizes(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
            try:
                os.rename(work, folder)
            except OSError:
                if _sizes(folder) is None:
                    raise


def _run(work: Path, spec: CorpusSpec) -> dict[str, Any]:
    """Start the child, wait as long as its text grows, and return its answer."""
    empty = work / "home" / "empty"
    empty.mkdir(parents=True)
    own = {
        "PYTHONPATH": str(_PROJECT), "HF_DATASETS_CACHE": str(work / "home"), "HF_HUB_CACHE": str(empty),
        "HF_MODULES_CACHE": str(work / "home" / "modules"), "HF_DATASETS_TRUST_REMOTE_CODE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "USE_TORCH": "0", "USE_TF": "0",
        "USE_JAX": "0",
    }  # fmt: skip
    with open(work / "log", "wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "scaling_core.lab.hub_child", str(work / "request.json")],
            cwd=empty, env={**os.environ, **own}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        grown, last = -1, time.monotonic()
        while child.poll() is None and not (work / "answer.json").exists():
            time.sleep(0.05)
            size = (work / "texts.bin").stat().st_size if (work / "texts.bin").exists() else 0
            if size != grown:
                grown, last = size, time.monotonic()
            elif time.monotonic() - last > STALL_SECONDS:
                raise _no_network(spec, t("no text came for {seconds:.0f} seconds", seconds=STALL_SECONDS))
    finally:
        child.kill()
        child.wait()
    try:
        answer: dict[str, Any] = json.loads((work / "answer.json").read_text())
    except (OSError, ValueError) as error:
        words = (work / "log").read_text(errors="replace").strip().splitlines()
        said = words[-1][:200] if words else t("it said nothing")
        raise _unreadable(spec, t("its reader ended unexpectedly: {said}", said=said)) from error
    return answer


def _no_network(spec: CorpusSpec, reason: str) -> CorpusError:
    return CorpusError(
        t(
            "The dataset {text} could not be reached ({reason}); without a network, choose a text that was fetched "
            "before, a local file or folder, or the standard library.",
            text=spec.shown,
            reason=reason,
        )
    )


def _unreadable(spec: CorpusSpec, reason: str) -> CorpusError:
    return CorpusError(
        t(
            "The dataset {text} could not be read ({reason}); check its name, configuration and column, or choose "
            "a local text file or folder.",
            text=spec.shown,
            reason=reason,
        )
    )
