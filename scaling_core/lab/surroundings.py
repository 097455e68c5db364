"""What surrounds a training: the limits set before torch is imported, battery, memory, disk, sleep. Knows no torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from scaling_core.errors import DeviceError
from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.units import format_bytes, format_duration

HIGH_MARK = "PYTORCH_MPS_HIGH_WATERMARK_RATIO"
LOW_MARK = "PYTORCH_MPS_LOW_WATERMARK_RATIO"
MOST_MARK = 2.0
"""Largest high mark that the allocator of MPS takes; 0 lifts the limit."""

BATTERY_SECONDS = 600.0
"""A training longer than this should not begin on battery."""
BATTERY_PERCENT = 20.0
"""Below this charge none should."""
TRAINING_BYTES_PER_PARAMETER = 12
"""Of a checkpoint: the weight and both moments of AdamW, in float32."""
GENERATIONS_AT_ONCE = 3
"""Two generations of a checkpoint are kept, and a third is whole before the oldest goes."""
DISK_RESERVE = 100_000_000
"""For the text, the database and the log."""


def prepare_environment(device: str) -> None:
    """Set the limits that torch reads while it loads; a value that the person set already stands.

    MPS: the allocator stops at the recommended memory instead of 1.7 times it, so that a run fails with a
    sentence before the machine swaps. It refuses a low mark above the high one, whose own default is 1.4, so both are
    set together, and where the person set one the other follows it.
    CUDA: the workspace with which cuBLAS gives the same sums in every call.
    CPU: threads that wait for each other sleep instead of spinning, which matters as soon as another program
    wants a core.
    """
    if device in ("mps", "auto"):
        _set_watermarks()
    if device in ("cuda", "auto"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _set_watermarks() -> None:
    high, low = _mark(HIGH_MARK), _mark(LOW_MARK)
    if high is None:
        high = 1.0 if low is None else min(MOST_MARK, max(1.0, low))
    bound = MOST_MARK if high == 0.0 else high
    if low is None or low > bound:
        low = min(0.9, 0.9 * bound)
    os.environ[HIGH_MARK], os.environ[LOW_MARK] = f"{high:g}", f"{low:g}"


def _mark(name: str) -> float | None:
    """The mark that the person set, or None where there is none that the allocator would take."""
    try:
        value = float(os.environ[name])
    except (KeyError, ValueError):
        return None
    return value if 0.0 <= value <= MOST_MARK else None


def cores() -> int:
    """Physical cores this process may use, or the number that SCALING_LAB_THREADS sets (1 to 1024)."""
    wanted = os.environ.get("SCALING_LAB_THREADS", "").strip()
    if wanted.isdigit() and 1 <= int(wanted) <= 1024:
        return int(wanted)
    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    try:
        return max(1, min(physical, len(os.sched_getaffinity(0))))
    except AttributeError:
        return max(1, physical)


def stay_awake(pid: int) -> subprocess.Popen[bytes] | None:
    """On macOS, keep the machine from sleeping while process `pid` lives; elsewhere, or without the tool, None.

    `caffeinate -i -w PID` ends by itself with that process. It holds off the sleep of an idle machine; a closed lid
    still puts a laptop to sleep, and the training goes on when it wakes.
    """
    tool = shutil.which("caffeinate") if sys.platform == "darwin" else None
    if tool is None:
        return None
    try:
        return subprocess.Popen(
            [tool, "-i", "-w", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """Where the current comes from. percent: charge of the battery. seconds: what is left of it, None if unknown."""

    plugged: bool
    percent: float
    seconds: float | None

    def __str__(self) -> str:
        if self.plugged:
            return t("plugged in, the battery at {percent:.0f}%", percent=self.percent)
        if self.seconds is None:
            return t("on battery at {percent:.0f}%", percent=self.percent)
        left = format_duration(self.seconds)
        return t("on battery at {percent:.0f}%, about {left} left", percent=self.percent, left=left)


def power() -> Power | None:
    """How the battery stands; None where there is none, or where the system does not say."""
    try:
        found = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError, NotImplementedError):  # some systems have no such call, or break it
        return None
    if found is None:
        return None
    left = float(found.secsleft)  # negative where it is unknown, or without end
    return Power(plugged=bool(found.power_plugged), percent=float(found.percent), seconds=left if left >= 0.0 else None)


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk that holds a folder, which need not exist yet."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


def checkpoint_needed(plan: Plan) -> int:
    """Bytes of one checkpoint of the largest size: 12 for each parameter."""
    return TRAINING_BYTES_PER_PARAMETER * max(run.params_total for run in plan.runs)


def disk_needed(plan: Plan) -> int:
    """Bytes that a whole sweep writes at its peak.

    Of every line two generations of its trunk stay, 24 bytes for each parameter, and its longest model, 4; while it is
    trained a third generation and three of a branch lie beside them, 48. With `DISK_RESERVE` for everything else.
    """
    generation = TRAINING_BYTES_PER_PARAMETER
    kept = sum((2 * generation + 4) * line.runs[0].params_total for line in plan.lines)
    passing = (1 + GENERATIONS_AT_ONCE) * checkpoint_needed(plan)
    return kept + passing + DISK_RESERVE


def before_start(
    home: Path, plan_seconds: float, memory_bytes: int, disk_bytes: int, *, checkpoint_bytes: int = 0
) -> tuple[str, ...]:
    """Sentences of warning before a training of `plan_seconds` begins, none where all is well.

    memory_bytes: what it needs of the machine's memory (0 where the device has memory of its own, as with CUDA).
    disk_bytes: what it writes at its peak under `home`. checkpoint_bytes: its largest single checkpoint.
    Raises DeviceError only where it would certainly fail: the disk cannot hold even one checkpoint.
    """
    free = free_bytes(home)
    if free < checkpoint_bytes:
        raise DeviceError(
            t(
                "Only {free} are free at {home}, and one checkpoint of the largest size takes {needed}; make room "
                "there, choose fewer sizes, or name another place with SCALING_LAB_HOME.",
                free=format_bytes(free),
                home=home,
                needed=format_bytes(checkpoint_bytes),
            )
        )
    said = _battery_warnings(plan_seconds)
    available = int(psutil.virtual_memory().available)
    if memory_bytes > available:
        said.append(
            t(
                "The training needs about {needed} of memory and {available} are available; close other programs, or "
                "it may be slow or run out.",
                needed=format_bytes(memory_bytes),
                available=format_bytes(available),
            )
        )
    if disk_bytes > free:
        said.append(
            t(
                "The training writes up to {needed} and {free} are free at {home}; it stops at a checkpoint when the "
                "disk is full and can be resumed once there is room.",
                needed=format_bytes(disk_bytes),
                free=format_bytes(free),
                home=home,
            )
        )
    return tuple(said)


def plan_cautions(plan: Plan, home: Path) -> tuple[str, ...]:
    """`before_start` of a plan."""
    return before_start(
        home,
        plan.seconds,
        0 if plan.spec.device == "cuda" else plan.memory_bytes,
        disk_needed(plan),
        checkpoint_bytes=checkpoint_needed(plan),
    )


def _battery_warnings(plan_seconds: float) -> list[str]:
    now = power()
    if now is None or now.plugged:
        return []
    if now.seconds is not None and now.seconds < plan_seconds:
        return [
            t(
                "The machine is {now}, less than the {needed} that the training takes; plug it in.",
                now=str(now),
                needed=format_duration(plan_seconds),
            )
        ]
    if now.percent < BATTERY_PERCENT or plan_seconds > BATTERY_SECONDS:
        return [
            t(
                "The machine is {now}, and the training takes about {needed}; plug it in, a machine on battery is "
                "often slower too.",
                now=str(now),
                needed=format_duration(plan_seconds),
            )
        ]
    return []
