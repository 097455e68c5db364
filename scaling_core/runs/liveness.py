"""Whether the process that a row names is still there: by its number and the moment it was created.

A number alone says nothing: the system gives it to strangers again. A process is ours where it holds the lock of the
device and the lock names the sweep; where the lock does not say whose it is (it was written on a full disk) or its file
was removed, the creation time must agree. That alone would not do: a machine that always starts at the same hour gives
the same numbers at the same times, and a corrected clock moves the times that Linux reports.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from scaling_core.runs import place
from scaling_core.runs.locks import holder
from scaling_core.runs.rows import ShownState, SweepRow

__all__ = ["ShownState", "find", "identity", "is_living", "owner", "shown_state"]

CREATED_TOLERANCE = 0.05
"""Seconds by which two readings of a creation time may differ (the kernel counts in ticks of 10 ms)."""


def identity(pid: int | None = None) -> tuple[int, float]:
    """(pid, creation time in Unix seconds) of a process, by default this one. Raises psutil.NoSuchProcess."""
    process = psutil.Process(pid)
    return process.pid, process.create_time()


def find(pid: int, created: float) -> psutil.Process | None:
    """The living process with that number and creation time; None where it is gone, a stranger's or a zombie."""
    process = _living(pid)
    try:
        if process is not None and abs(process.create_time() - created) <= CREATED_TOLERANCE:
            return process
    except psutil.Error:
        pass
    return None


def owner(row: SweepRow, home: Path | None = None) -> psutil.Process | None:
    """The living process that trains the sweep, or None. Only what this returns may be signalled."""
    home = home or place.home()
    process = _living(row.pid)
    if process is None:
        return None
    held = holder(home, row.device)
    if held == {"sweep": row.id, "pid": row.pid}:
        return process
    unsaid = held == {} or not place.lock_file(home, row.device).exists()
    return find(row.pid, row.pid_created) if unsaid else None


def shown_state(row: SweepRow, home: Path | None = None) -> ShownState:
    """The state to show: 'interrupted' where the store says running and the process is gone."""
    if row.state == "running" and owner(row, home) is None:
        return "interrupted"
    return row.state


def is_living(pid: int) -> bool:
    """Whether any process of that number runs, ours or not."""
    return _living(pid) is not None


def _living(pid: int) -> psutil.Process | None:
    """The process of that number; None where it is gone, a zombie, or of another user."""
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None
