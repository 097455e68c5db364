"""What has to be set before torch is imported, and what keeps the machine awake. Knows no torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import psutil


def prepare_environment(device: str) -> None:
    """Set the limits that torch reads while it loads; a value that the person set already stands.

    MPS: the allocator stops at the recommended memory instead of 1.7 times it, so that a run fails with a
    sentence before the machine swaps; both marks are set together, as the allocator requires.
    CPU: threads that wait for each other sleep instead of spinning, which matters as soon as another program
    wants a core.
    """
    if device in ("mps", "auto"):
        os.environ.setdefault("PYTORCH_MPS_HIGH_WATERMARK_RATIO", "1.0")
        os.environ.setdefault("PYTORCH_MPS_LOW_WATERMARK_RATIO", "0.9")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


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
    """On macOS, keep the machine from sleeping while process `pid` lives; elsewhere, or without the tool, None."""
    tool = shutil.which("caffeinate") if sys.platform == "darwin" else None
    if tool is None:
        return None
    return subprocess.Popen(
        [tool, "-i", "-w", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
