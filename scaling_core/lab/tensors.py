"""Arrays in a safetensors file, hashed as it goes to the disk. Nothing in it is ever executed. Knows no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from scaling_core.errors import CheckpointError
from scaling_core.language import t


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None) -> str:
    """Write arrays to a new file, fsynced; returns the SHA-256 of the file.

    Built in memory and written by us, so that a full disk is the OSError that it is. Not atomic: the caller writes
    beside the place and renames. Raises OSError as the disk does.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    content = save(arrays, metadata=dict(metadata) if metadata else None)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(content).hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Arrays by name, not to be written to, and the SHA-256 of the file.

    Raises CheckpointError where the file is not whole or not of this format, OSError where it cannot be read.
    """
    content = path.read_bytes()
    try:
        return load(content), hashlib.sha256(content).hexdigest()
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            t("The file {name} is torn or not a safetensors file ({error}).", name=path.name, error=str(error))
        ) from error
