"""The device examined while a page looks on: `lab.checkup` in a process of its own, its answers as they come.

What was found is kept in <home>/examination.json, for this machine with this torch: a talk need not wait for it again.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from scaling_core.doctor import CHILD_SECONDS, DEVICE_CHECKS
from scaling_core.errors import StoreError
from scaling_core.lab.spec import DEVICES
from scaling_core.language import packed, t, unpacked
from scaling_core.runs import place
from scaling_core.runs.calibrations import child_environment, last_line

COMMAND = (sys.executable, "-m", "scaling_core.lab.checkup")
MOST_BYTES = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What `lab.checkup` answered to one question. told: its sentence, packed so that any language can tell it."""

    name: str
    ok: bool
    told: str
    seconds: float

    @property
    def detail(self) -> str:
        """The sentence in the present language."""
        return unpacked(self.told)


def read_answer(raw: object) -> Answer | None:
    """The answer in an object of JSON, or None for anything else."""
    try:
        name, told, seconds = raw["name"], raw["detail"], float(raw["seconds"])  # type: ignore[index]  # refused below
        if name in DEVICE_CHECKS and isinstance(told, str) and math.isfinite(seconds):
            return Answer(name=name, ok=raw["ok"] is True, told=told[:2000], seconds=seconds)  # type: ignore[index]
    except (ValueError, TypeError, KeyError, IndexError):
        pass
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """What is known of a device. checks: the answers so far. made_at: Unix seconds of the beginning.

    running: more are to come. unkept: why the disk did not take what was found, or "".
    """

    checks: tuple[Answer, ...]
    made_at: float
    running: bool = False
    unkept: str = ""

    @property
    def well(self) -> bool:
        """Whether everything was asked and is well."""
        return not self.running and [one.name for one in self.checks if one.ok] == list(DEVICE_CHECKS)

    @property
    def wrong(self) -> Answer | None:
        """The first answer that is not well, or None."""
        return next((one for one in self.checks if not one.ok), None)


def kept(home: Path) -> Examination | None:
    """The last examination of this machine with this torch, or None where none can be read."""
    try:
        with _file(home).open(encoding="utf-8") as file:
            raw = json.loads(file.read(MOST_BYTES))
        if raw["machine"] != machine():
            return None
        checks = tuple(one for line in raw["checks"] if (one := read_answer(line)) is not None)
        made_at = float(raw["made_at"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    names = [one.name for one in checks]
    return Examination(checks=checks, made_at=made_at) if names == list(DEVICE_CHECKS) and made_at < 1e11 else None


def machine() -> str:
    """What an examination is good for: torch, system and host. Another of these is asked anew."""
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = "none"
    return f"torch-{torch} {platform.system()}-{platform.machine()} {platform.node()} {os.cpu_count()} cores"


class Examiner:
    """One examination at a time for a whole server; any number of pages may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[Path, Examination] = {}

    def now(self, home: Path) -> Examination | None:
        """The examination that runs or was the last here; else the one that is kept; else None."""
        with self._lock:
            return self._seen.get(home) or kept(home)

    def begin(self, home: Path, device: str = "auto") -> None:
        """Ask everything anew, unless something is being asked already. device: auto or one of the devices."""
        asked = device if device in DEVICES else "auto"
        with self._lock:
            if any(one.running for one in self._seen.values()):
                return
            self._seen[home] = Examination(checks=(), made_at=time.time(), running=True)
        threading.Thread(target=self._ask, args=(home, asked), name="examination", daemon=True).start()

    def _ask(self, home: Path, device: str) -> None:
        try:
            why = self._listen(home, device)
        except OSError as error:
            why = error.strerror or str(error)
        owed = packed(t("not answered: {why}.", why=why))
        with self._lock:
            seen = self._seen[home]
        found = {one.name: one for one in seen.checks}
        checks = tuple(found.get(name) or Answer(name=name, ok=False, told=owed, seconds=0.0) for name in DEVICE_CHECKS)
        ended = replace(seen, checks=checks, running=False)
        try:
            _keep(home, ended)
        except StoreError as error:
            ended = replace(ended, unkept=str(error))
        with self._lock:
            self._seen[home] = ended

    def _heard(self, home: Path, answer: Answer) -> None:
        with self._lock:
            seen = self._seen[home]
            if answer.name not in {one.name for one in seen.checks}:
                self._seen[home] = replace(seen, checks=(*seen.checks, answer))

    def _listen(self, home: Path, device: str) -> str:
        """Take in answers until the process ends; returns why any is missing."""
        with subprocess.Popen(
            [*COMMAND, "--device", device],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=place.PROJECT,
            env=child_environment(home),
        ) as process:
            late = threading.Event()

            def end() -> None:
                late.set()
                process.kill()

            overdue = threading.Timer(CHILD_SECONDS, end)
            overdue.start()
            last = ""
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if (answer := _parsed(line)) is not None:
                        self._heard(home, answer)
                    else:
                        last = last_line(line) or last
                code = process.wait()
            finally:
                overdue.cancel()
        if late.is_set():
            return t("no answer within {seconds:.0f} s; the machine may be busy", seconds=CHILD_SECONDS)
        return unpacked(last)[:200].rstrip(".") if last else t("its process ended with code {code}", code=code)


def _parsed(line: str) -> Answer | None:
    """The answer that the process printed on a line; None for whatever else was printed there."""
    try:
        return read_answer(json.loads(line))
    except ValueError:
        return None


def _keep(home: Path, found: Examination) -> None:
    checks = [{"name": one.name, "ok": one.ok, "detail": one.told, "seconds": one.seconds} for one in found.checks]
    place.write_json(_file(home), {"machine": machine(), "made_at": found.made_at, "checks": checks})


def _file(home: Path) -> Path:
    return home / "examination.json"
