"""The seam to MPS, CUDA and CPU: everything that differs between them is behind one object."""

from __future__ import annotations

import contextlib
import platform
import re
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from scaling_core.errors import DeviceError
from scaling_core.lab.rules import MICRO_BATCH_TOKENS
from scaling_core.lab.spec import DEVICES, DeviceName, Precision
from scaling_core.lab.surroundings import cores
from scaling_core.language import t

CPU_CHUNK_TOKENS = 4096
"""Tokens of one forward pass on a core: what fits its caches."""
MICRO_CANDIDATES: dict[DeviceName, tuple[int, ...]] = {
    "mps": (4096, 8192, MICRO_BATCH_TOKENS),
    "cuda": (8192, MICRO_BATCH_TOKENS, 32_768),
    "cpu": (),
}
"""Tokens of a forward pass that a measurement chooses from. On MPS never more than `rules.MICRO_BATCH_TOKENS`, whose
bound is one of rightness; on the CPU nothing is chosen, so that the same sweep gives the same bits on every day."""
LEAST_MPS_TORCH = (2, 14)
"""Releases before compute wrong weight gradients on some Macs after a change of shape (PyTorch #177116, #193487) and
let half-precision attention see the future (#195910): silent faults, which a few small shapes may not show."""

Trouble = Literal["memory", "lost"]

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
_LOST_WORDS = ("cuda error", "device-side assert", "mps backend", "metal", "command buffer", "no cuda gpus", "cublas",
               "cudnn", "driver", "device is lost", "device was lost")  # fmt: skip


class Device:
    """A device that trains: its name, its torch device, and the few calls that are different on each.

    chunk_tokens: most tokens of one forward pass; by default a rule, in a training what a measurement found. On CUDA
    products of float32 matrices stay in float32: TF32 would drop 13 bits of each factor unasked, and who wants the
    speed is offered bfloat16 with a measurement of what it costs. The CPU gives the same bits in every run; MPS and
    CUDA may add in another order each time, so that two runs of one seed differ in their last digits.
    """

    def __init__(self, name: DeviceName, *, chunk_tokens: int | None = None) -> None:
        self.name = name
        self.torch_device = torch.device(name)
        self.cores = cores()
        widest = CPU_CHUNK_TOKENS if name == "cpu" else max(MICRO_CANDIDATES[name])
        usual = CPU_CHUNK_TOKENS if name == "cpu" else MICRO_BATCH_TOKENS
        self.chunk_tokens = max(1, min(usual if chunk_tokens is None else chunk_tokens, widest))
        if name == "cuda":
            torch.set_float32_matmul_precision("highest")

    @property
    def label(self) -> str:
        """What the machine calls the device."""
        if self.name == "cuda":
            return str(torch.cuda.get_device_name())
        machine = platform.processor() or platform.machine() or "processor"
        return f"Apple {machine} graphics" if self.name == "mps" else f"{machine}, {self.cores} cores"

    def synchronize(self) -> None:
        """Wait until everything that was asked of the device is done; errors of the past surface here."""
        if self.name == "cuda":
            torch.cuda.synchronize()
        elif self.name == "mps":
            torch.mps.synchronize()

    def memory(self) -> int:
        """Bytes in use: the peak since `empty_cache` on CUDA, what the driver holds on MPS, of the process on a CPU."""
        if self.name == "cuda":
            return int(torch.cuda.max_memory_reserved())
        if self.name == "mps":
            return int(torch.mps.driver_allocated_memory())
        return int(psutil.Process().memory_info().rss)

    def memory_now(self) -> int:
        """Bytes held at this moment, caches included."""
        return int(torch.cuda.memory_reserved()) if self.name == "cuda" else self.memory()

    def memory_limit(self) -> int:
        """Bytes that training may use: what is free or already ours, on MPS what the system recommends."""
        if self.name == "cuda":
            free, _ = torch.cuda.mem_get_info()
            return int(free) + int(torch.cuda.memory_reserved())
        if self.name == "mps":
            return int(torch.mps.recommended_max_memory())
        return int(psutil.virtual_memory().available)

    def empty_cache(self) -> None:
        """Give memory that no tensor needs back to the system, and forget the peak."""
        if self.name == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif self.name == "mps":
            torch.mps.empty_cache()

    def numerics(self, precision: Precision) -> AbstractContextManager[object]:
        """Where a forward pass is computed: float32 as it stands, or bfloat16 products by autocast, of this thread."""
        if precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, dtype=torch.bfloat16)

    def random_state(self) -> NDArray[np.uint8]:
        """State of the device's own generator, which draws what is dropped; bytes."""
        if self.name == "cuda":
            state = torch.cuda.get_rng_state()
        else:
            state = torch.mps.get_rng_state() if self.name == "mps" else torch.get_rng_state()
        return np.array(state.numpy(), dtype=np.uint8)

    def set_random_state(self, state: NDArray[np.uint8]) -> None:
        """Take back what `random_state` gave."""
        tensor = torch.from_numpy(np.array(state, dtype=np.uint8))
        if self.name == "cuda":
            torch.cuda.set_rng_state(tensor)
        elif self.name == "mps":
            torch.mps.set_rng_state(tensor)
        else:
            torch.set_rng_state(tensor)


def absence(name: DeviceName) -> str | None:
    """Why this machine and this torch cannot train on the device; None where they can."""
    if name == "cuda":
        if torch.cuda.is_available():
            return None
        return t("no CUDA graphics answers") if torch.version.cuda else t("this PyTorch is built without CUDA")
    if name == "mps":
        if not torch.backends.mps.is_available():
            built = torch.backends.mps.is_built()
            return t("it needs Apple silicon and a newer macOS") if built else t("this PyTorch is built without MPS")
        if torch_version() < LEAST_MPS_TORCH:
            wanted = ".".join(map(str, LEAST_MPS_TORCH))
            return t(
                "before {wanted} its gradients are wrong on some Macs, and no loss shows it: install {wanted}",
                wanted=wanted,
            )
    return None


def torch_version() -> tuple[int, ...]:
    """Major and minor number of the torch in use."""
    return tuple(int(part) for part in re.findall(r"\d+", str(torch.__version__))[:2])


def available(name: DeviceName) -> bool:
    """Whether this machine and this torch can train on the device."""
    return absence(name) is None


def resolve(name: str, *, chunk_tokens: int | None = None) -> Device:
    """The device of that name; `auto` takes MPS, then CUDA, then the CPU. Raises DeviceError when it is absent.

    chunk_tokens: most tokens of one forward pass, where a measurement has found them.
    """
    if name == "auto":
        return Device(next(candidate for candidate in DEVICES if available(candidate)), chunk_tokens=chunk_tokens)
    for candidate in DEVICES:
        if candidate == name:
            if not available(candidate):
                here = ", ".join(device for device in DEVICES if available(device))
                why = absence(candidate)
                known = {"device": name, "version": str(torch.__version__), "here": here}
                raise DeviceError(
                    t(
                        "The device {device} is not available with PyTorch {version} on this machine ({why}); here "
                        "there is: {here}.",
                        why=why,
                        **known,
                    )
                    if why
                    else t(
                        "The device {device} is not available with PyTorch {version} on this machine; here there is: "
                        "{here}.",
                        **known,
                    )
                )
            return Device(candidate, chunk_tokens=chunk_tokens)
    raise DeviceError(
        t("There is no device {name}; it must be one of {names}.", name=repr(name), names=", ".join(("auto", *DEVICES)))
    )


def trouble(error: BaseException) -> Trouble | None:
    """Whether an exception means that memory ran out, that the device is gone, or neither."""
    text = str(error).lower()
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(word in text for word in _MEMORY_WORDS):
        return "memory"
    if isinstance(error, RuntimeError) and any(word in text for word in _LOST_WORDS):
        return "lost"
    return None


def explain(error: BaseException, device: str) -> DeviceError | None:
    """The sentence for an error that a device raised late, when its results were fetched; None for any other."""
    kind = trouble(error)
    if kind is None:
        return None
    first = (str(error).splitlines() or [type(error).__name__])[0][:160]
    return DeviceError(
        t(
            "The device {device} ran out of memory ({error}); resume the run, it goes on from its last checkpoint.",
            device=device,
            error=first,
        )
        if kind == "memory"
        else t(
            "The device {device} stopped answering ({error}); resume the run, it goes on from its last checkpoint.",
            device=device,
            error=first,
        )
    )
