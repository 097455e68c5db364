"""Where the lab keeps its files: one folder, the home, with a database, and a folder for each sweep.

home/
    lab.sqlite            every sweep, run, curve, prediction and event
    calibrations.json     what this machine's devices do, measured
    locks/DEVICE.lock     held by the process that trains on the device
    corpora/HASH/         texts split and packed
    laws/ID.json          laws that a person saved
    made/HASH/            what charts are made of, kept between starts; may be removed at any time
    sweeps/ID/            plan.json, log.txt, checkpoints of one sweep
"""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

from scaling_core.errors import InputError, StoreError
from scaling_core.language import t

HOME_VARIABLE = "SCALING_LAB_HOME"
PROJECT = Path(__file__).resolve().parents[2]
"""The folder that holds the package `scaling_core`."""

_SWEEP_ID = re.compile(r"(smoke|live|quick|standard|full)-[0-9a-f]{10}")


def home() -> Path:
    """The lab's folder: what `SCALING_LAB_HOME` names, or `runs` beside the package. It may not exist yet."""
    named = os.environ.get(HOME_VARIABLE, "").strip()
    return Path(named).expanduser().resolve() if named else PROJECT / "runs"


def check_sweep_id(sweep: str) -> str:
    """The same id, checked to be one that `SweepSpec.id` can make, so that it is safe in a path.

    Raises InputError on anything else.
    """
    if not _SWEEP_ID.fullmatch(sweep):
        raise InputError("sweep", sweep, t("it must look like live-0123456789; `lab list` shows those there are"))
    return sweep


def database(home: Path) -> Path:
    """The SQLite file."""
    return home / "lab.sqlite"


def sweep_folder(home: Path, sweep: str) -> Path:
    """The folder of one sweep; raises InputError where `sweep` is no sweep id."""
    return home / "sweeps" / check_sweep_id(sweep)


def plan_file(home: Path, sweep: str) -> Path:
    """The plan that the child reads."""
    return sweep_folder(home, sweep) / "plan.json"


def log_file(home: Path, sweep: str) -> Path:
    """What the child prints, one start after the other."""
    return sweep_folder(home, sweep) / "log.txt"


def ending_file(home: Path, sweep: str) -> Path:
    """Why a process of the sweep ended before it trained: one sentence, which its supervisor reads."""
    return sweep_folder(home, sweep) / "ending.json"


def lock_file(home: Path, device: str) -> Path:
    """The file whose flock means that a process trains on `device`."""
    return home / "locks" / f"{device}.lock"


def make_folder(path: Path) -> Path:
    """Create a folder and those above it; raises StoreError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            t(
                "The folder {path} cannot be made ({reason}); free space or rights there, "
                "or name another place with {variable}.",
                path=path,
                reason=error.strerror or str(error),
                variable=HOME_VARIABLE,
            )
        ) from error
    return path


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader or a crash sees the old file or the new one, never half of one.

    Written beside, flushed, fsynced, renamed, folder fsynced. Raises StoreError where the disk does not take it.
    """
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        with open(beside, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreError(
            t(
                "{path} cannot be written ({reason}); free space or rights there.",
                path=path,
                reason=error.strerror or str(error),
            )
        ) from error
