"""A small file of a person's own in the lab's home, which two windows or two servers may change at once."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaling_core.errors import StoreError
from scaling_core.language import t


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else changes this file meanwhile, in this process or another.

    Raises StoreError where the lock beside it cannot be opened.
    """
    lock = path.with_name(f".{path.stem}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unlocked(lock, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            raise _unlocked(lock, error) from error
        yield
    finally:
        os.close(handle)


def _unlocked(lock: Path, error: OSError) -> StoreError:
    reason = error.strerror or str(error)
    return StoreError(t("{path} cannot be opened ({reason}); check the rights there.", path=lock, reason=reason))


def keep_aside(path: Path) -> str:
    """Give a file that cannot be read another name, one that is free, and return it; raises StoreError."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (path.with_name(f"{path.stem}-unreadable-{stamp}{f'-{k}' if k else ''}{path.suffix}") for k in range(1000))
    free = next(name for name in names if not os.path.lexists(name))
    try:
        os.rename(path, free)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            t("{path} cannot be kept aside ({reason}); check the rights there.", path=path, reason=reason)
        ) from error
    return free.name
