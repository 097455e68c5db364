"""What the C library does with freed memory: a training keeps it at hand, a server of many threads keeps it together.

In training a step frees what the next one asks for, and the system would fetch and clear it anew: handing pages back
and forth took 5 to 10% of the time of tiny models. A server begins a thread for every session, and an arena for
every thread holds on to what others could use: over two thousand interactions it grew by a fifth. All this with glibc,
the C library of most Linux systems; elsewhere nothing is done. Knows no torch.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Names of mallopt's settings, from glibc's malloc.h."""
LARGEST = 32 * 1024 * 1024
"""Bytes up to which a block is kept; glibc allows no more."""


def _libc() -> ctypes.CDLL | None:
    """The C library, where it has the calls of glibc."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        if all(hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim")):
            return library
    except OSError:
        pass
    return None


def keep_freed_memory() -> bool:
    """From now on this process keeps what it frees, in one arena for all threads; whether that could be set."""
    library = _libc()
    if library is None:
        return False
    settings = ((_MMAP_THRESHOLD, LARGEST), (_TRIM_THRESHOLD, 2**31 - 1), (_ARENA_MAX, 1))
    return all(library.mallopt(name, value) == 1 for name, value in settings)


def share_arenas() -> bool:
    """From now on the threads of this process share two arenas; whether that could be set."""
    library = _libc()
    return library is not None and library.mallopt(_ARENA_MAX, 2) == 1


def give_back_memory() -> None:
    """Hand back to the system what is free now."""
    library = _libc()
    if library is not None:
        library.malloc_trim(0)
