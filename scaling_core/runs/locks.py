"""One training a device: a flock that its holder keeps for life, and that the system lets go when it dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scaling_core.errors import StoreError
from scaling_core.language import t
from scaling_core.runs.place import lock_file, make_folder


class DeviceLock:
    """The lock of one device, held from `take` until `release` or the end of the process."""

    def __init__(self, home: Path, device: str) -> None:
        self._path = lock_file(home, device)
        self._handle: int | None = None

    def take(self, sweep: str) -> bool:
        """Try to hold the device for `sweep`; False at once where another process holds it.

        Raises StoreError where the lock's file cannot be made.
        """
        make_folder(self._path.parent)
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(
                t(
                    "{path} cannot be opened ({reason}); check the rights there.",
                    path=self._path,
                    reason=error.strerror,
                )
            ) from error
        try:
            if not _lock(handle):
                os.close(handle)
                return False
        except OSError as error:
            os.close(handle)
            raise StoreError(
                t(
                    "{path} cannot be locked ({reason}); put the lab's folder on a local disk.",
                    path=self._path,
                    reason=error.strerror,
                )
            ) from error
        self._handle = handle
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps({"sweep": sweep, "pid": os.getpid()}).encode(), 0)
        except OSError:
            # A full disk: the lock itself holds; only the note who holds it is missing.
            pass
        return True

    def release(self) -> None:
        """Let the device go; a second call does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def _lock(handle: int) -> bool:
    """Whether the lock is ours now. `holder` takes it for an instant to look, so one refusal says nothing."""
    for _ in range(10):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def holder(home: Path, device: str) -> dict[str, Any] | None:
    """Who trains on the device now: {"sweep", "pid"}, empty where it did not say; None where nobody does."""
    path = lock_file(home, device)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            try:
                said = json.loads(os.pread(handle, 4096, 0))
            except ValueError:
                return {}
            return said if isinstance(said, dict) else {}
        return None
    finally:
        os.close(handle)
