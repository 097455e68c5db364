"""What this machine's devices do: measured once in a process of its own, then remembered."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from scaling_core.errors import DeviceError, InputError
from scaling_core.lab.records import Calibration
from scaling_core.lab.spec import DEVICES
from scaling_core.language import t, unpacked
from scaling_core.runs import place

MEASURE_SECONDS = 300.0
"""After this long a measurement has failed."""


def check_device(device: str) -> str:
    """The same name, one of auto, mps, cuda, cpu. Raises InputError on anything else."""
    if device not in ("auto", *DEVICES):
        raise InputError("device", device, t("it must be one of {names}", names=", ".join(("auto", *DEVICES))))
    return device


def calibration(home: Path, device: str) -> Calibration | None:
    """The remembered measurement for `device` (or for auto) on this machine with this torch, or None."""
    entry = _read(home).get(_key(device))
    try:
        return None if entry is None else Calibration.from_dict(entry)
    except (InputError, TypeError, KeyError, AttributeError):
        return None


def of_this_machine(home: Path) -> Calibration | None:
    """What was measured of this machine's device, None where nothing was or it must not train."""
    for name in ("auto", *DEVICES):
        found = calibration(home, name)
        if found is not None and found.refusal is None and found.speeds:
            return found
    return None


def save_calibration(home: Path, device: str, measured: Calibration) -> None:
    """Remember a measurement under the name that was asked for and under every other that means the same device."""
    known = _read(home)
    for name in {device, measured.device, *_same(known, measured.device)}:
        known[_key(name)] = measured.to_dict()
    place.write_json(home / "calibrations.json", known)


def forget(home: Path, device: str) -> None:
    """Drop what is remembered of a device, under every name of it, so that it is measured anew."""
    known = _read(home)
    entry = known.get(_key(device))
    meant = str(entry.get("device")) if isinstance(entry, dict) else device
    for name in {device, meant, *_same(known, meant)}:
        known.pop(_key(name), None)
    place.write_json(home / "calibrations.json", known)


def _same(known: dict[str, Any], device: str) -> list[str]:
    """The names under which this device is remembered."""
    entries = ((name, known.get(_key(name))) for name in ("auto", *DEVICES))
    return [name for name, entry in entries if isinstance(entry, dict) and entry.get("device") == device]


def measure(device: str, home: Path, *, again: bool = False) -> Calibration:
    """What `device` does on this machine: remembered, or measured now by a child process (about 10 s).

    again: measure even where a measurement is remembered. Raises InputError for an unknown name, DeviceError, one
    sentence, where the device is absent or the measurement fails.
    """
    check_device(device)
    if not again and (known := calibration(home, device)) is not None:
        return known
    try:
        done = subprocess.run(
            [sys.executable, "-m", "scaling_core.lab.calibrate", "--device", device, "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MEASURE_SECONDS,
            env=child_environment(home),
            cwd=place.PROJECT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            t(
                "The device {device} could not be measured within {seconds:.0f} s; close what keeps the machine "
                "busy and try again.",
                device=device,
                seconds=MEASURE_SECONDS,
            )
        ) from error
    except OSError as error:
        raise DeviceError(
            t(
                "No process could be started to measure the device {device} ({reason}).",
                device=device,
                reason=error.strerror,
            )
        ) from error
    if done.returncode:
        line = last_line(done.stderr)
        said = unpacked(line) if line else t("the measuring process ended with code {code}", code=done.returncode)
        if line and (said != line or line.endswith(".")):
            raise DeviceError(said)
        raise DeviceError(t("The device {device} could not be measured: {reason}.", device=device, reason=said))
    try:
        measured = Calibration.from_dict(json.loads(last_line(done.stdout)))
    except (ValueError, InputError, TypeError, KeyError, AttributeError) as error:
        raise DeviceError(
            t(
                "The measurement of {device} gave no result that this version can read ({error}).",
                device=device,
                error=str(error),
            )
        ) from error
    save_calibration(home, device, measured)
    return measured


def child_environment(home: Path) -> dict[str, str]:
    """The environment of a child process: the package importable from anywhere, and this home."""
    paths = [str(place.PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        place.HOME_VARIABLE: str(home),
    }


def last_line(text: str) -> str:
    """The last line that is not blank, or an empty text."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


@cache
def _torch() -> str:
    """The version of torch, or "none"; looking it up takes milliseconds."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "none"


def _key(device: str) -> str:
    machine = f"{platform.system()}-{platform.machine()} {platform.node()}"
    return f"{device} torch-{_torch()} {machine} {os.cpu_count()} cores"


def _read(home: Path) -> dict[str, Any]:
    try:
        known = json.loads((home / "calibrations.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
