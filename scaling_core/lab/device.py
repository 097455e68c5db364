"""The seam to MPS, CUDA and CPU: everything that differs between them is behind one object."""

from __future__ import annotations

import platform
from typing import Literal

import psutil
import torch

from scaling_core.errors import DeviceError
from scaling_core.lab.rules import MICRO_BATCH_TOKENS
from scaling_core.lab.spec import DEVICES, DeviceName
from scaling_core.lab.surroundings import cores

CPU_CHUNK_TOKENS = 4096
"""Tokens of one forward pass on a core: what fits its caches."""

Trouble = Literal["memory", "lost"]

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
_LOST_WORDS = ("cuda error", "device-side assert", "mps backend", "metal", "command buffer", "no cuda gpus", "cublas",
               "cudnn", "driver", "device is lost", "device was lost")  # fmt: skip


class Device:
    """A device that trains: its name, its torch device, and the few calls that are different on each."""

    def __init__(self, name: DeviceName) -> None:
        self.name = name
        self.torch_device = torch.device(name)
        self.cores = cores()

    @property
    def label(self) -> str:
        """What the machine calls the device."""
        if self.name == "cuda":
            return str(torch.cuda.get_device_name())
        machine = platform.processor() or platform.machine() or "processor"
        return f"Apple {machine} graphics" if self.name == "mps" else f"{machine}, {self.cores} cores"

    @property
    def chunk_tokens(self) -> int:
        """Most tokens of one forward pass."""
        return CPU_CHUNK_TOKENS if self.name == "cpu" else MICRO_BATCH_TOKENS

    def synchronize(self) -> None:
        """Wait until everything that was asked of the device is done; errors of the past surface here."""
        if self.name == "cuda":
            torch.cuda.synchronize()
        elif self.name == "mps":
            torch.mps.synchronize()

    def memory(self) -> int:
        """Bytes in use: of the device, or of this process on the CPU."""
        if self.name == "cuda":
            return int(torch.cuda.max_memory_allocated())
        if self.name == "mps":
            return int(torch.mps.driver_allocated_memory())
        return int(psutil.Process().memory_info().rss)

    def memory_limit(self) -> int:
        """Bytes that training may use: what the system recommends, or what is free now on the CPU."""
        if self.name == "cuda":
            return int(torch.cuda.get_device_properties(0).total_memory)
        if self.name == "mps":
            return int(torch.mps.recommended_max_memory())
        return int(psutil.virtual_memory().available)

    def empty_cache(self) -> None:
        """Give memory that no tensor needs back to the system."""
        if self.name == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif self.name == "mps":
            torch.mps.empty_cache()


def available(name: DeviceName) -> bool:
    """Whether this machine and this torch have the device."""
    if name == "cuda":
        return bool(torch.cuda.is_available())
    if name == "mps":
        return bool(torch.backends.mps.is_available())
    return True


def resolve(name: str) -> Device:
    """The device of that name; `auto` takes MPS, then CUDA, then the CPU. Raises DeviceError when it is absent."""
    if name == "auto":
        return Device(next(candidate for candidate in DEVICES if available(candidate)))
    for candidate in DEVICES:
        if candidate == name:
            if not available(candidate):
                here = ", ".join(device for device in DEVICES if available(device))
                raise DeviceError(
                    f"The device {name} is not available with PyTorch {torch.__version__} on this machine; "
                    f"here there is: {here}."
                )
            return Device(candidate)
    raise DeviceError(f"There is no device {name!r}; it must be one of auto, {', '.join(DEVICES)}.")


def trouble(error: BaseException) -> Trouble | None:
    """Whether an exception means that memory ran out, that the device is gone, or neither."""
    text = str(error).lower()
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(word in text for word in _MEMORY_WORDS):
        return "memory"
    if isinstance(error, RuntimeError) and any(word in text for word in _LOST_WORDS):
        return "lost"
    return None
