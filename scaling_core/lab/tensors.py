"""Arrays in a safetensors file: eight bytes of length, a JSON header, the data. Nothing in it is ever executed.

The format is that of https://github.com/huggingface/safetensors, so that other programs can read the weights;
written here to hash what is written as it goes and to see a full disk as the OSError that it is. Knows no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_core.errors import CheckpointError

_NAMES = {"float32": "F32", "float64": "F64", "int64": "I64", "uint8": "U8"}
_TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "|u1"}
_MOST_HEADER = 100_000_000


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None) -> str:
    """Write arrays (float32, float64, int64 or uint8) to a new file, fsynced; returns the SHA-256 of the file.

    Not atomic: the caller writes beside the place and renames. Raises OSError as the disk does.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    offset = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": _NAMES[array.dtype.name],
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        head = struct.pack("<Q", len(text)) + text
        file.write(head)
        digest.update(head)
        for array in arrays.values():
            view = array.reshape(-1).view(np.uint8).data
            file.write(view)
            digest.update(view)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Arrays by name, as views of one buffer, and the SHA-256 of the file.

    Raises CheckpointError where the file is not whole or not of this format, OSError where it cannot be read.
    """
    buffer = np.fromfile(path, dtype=np.uint8)
    digest = hashlib.sha256(buffer.data).hexdigest()
    try:
        (length,) = struct.unpack("<Q", buffer[:8].tobytes())
        if length > min(_MOST_HEADER, buffer.size - 8):
            raise ValueError("header longer than the file")
        header = json.loads(buffer[8 : 8 + length].tobytes())
        data = buffer[8 + length :]
        tensors: dict[str, NDArray[Any]] = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            start, end = (int(bound) for bound in entry["data_offsets"])
            kind = np.dtype(_TYPES[entry["dtype"]])
            shape = tuple(int(n) for n in entry["shape"])
            if not 0 <= start <= end <= data.size or end - start != kind.itemsize * math.prod(shape):
                raise ValueError(f"{name} lies outside the file")
            tensors[name] = data[start:end].view(kind).reshape(shape)
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise CheckpointError(f"The file {path.name} is torn or not a safetensors file ({error}).") from error
    return tensors, digest
