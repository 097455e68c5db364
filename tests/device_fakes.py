"""Backends that are not here, behind the seam: torch as `lab.device` sees it, with MPS or CUDA that record their calls.

Tensors stay on the CPU; everything that `lab.device` asks of a backend goes to a namespace that writes it down, and a
call that a real backend does not have is an AttributeError.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from scaling_core.lab import device as seam

RECOMMENDED = 12_000_000_000
FREE, TOTAL = 70_000_000_000, 80_000_000_000


class Recorder:
    """Functions of one backend, each known by name with its answer; `calls` has their names in order."""

    def __init__(self, calls: list[str], prefix: str, **answers: Any) -> None:
        self._calls = calls
        self._prefix = prefix
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        if name not in self._answers:
            raise AttributeError(f"torch.{self._prefix} is not asked for {name} here")

        def call(*arguments: Any) -> Any:
            self._calls.append(f"{self._prefix}.{name}")
            answer = self._answers[name]
            return answer(*arguments) if callable(answer) else answer

        return call


class FakeTorch:
    """torch, but for its backends, its version and where `device(...)` lies."""

    def __init__(self, *, mps: bool = False, cuda: bool = False, built: bool = True, version: str = "2.14.0") -> None:
        self.calls: list[str] = []
        self.precisions: list[str] = []
        self.states: list[torch.Tensor] = []
        self.held = 1_000_000_000
        self.__version__ = version
        self.version = SimpleNamespace(cuda="12.9" if built else None)
        rng = {
            "get_rng_state": lambda: torch.arange(16, dtype=torch.uint8),
            "set_rng_state": self.states.append,
        }
        self.mps = Recorder(
            self.calls, "mps", synchronize=None, empty_cache=None, recommended_max_memory=RECOMMENDED,
            driver_allocated_memory=lambda: self.held, **rng,
        )  # fmt: skip
        self.cuda = Recorder(
            self.calls, "cuda", synchronize=None, empty_cache=None, reset_peak_memory_stats=None,
            memory_reserved=lambda: self.held, max_memory_reserved=lambda: 2 * self.held,
            mem_get_info=lambda: (FREE, TOTAL), get_device_name=lambda: "Made Up 100", is_available=cuda, **rng,
        )  # fmt: skip
        self.backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps, is_built=lambda: built))

    def device(self, name: str) -> torch.device:
        """Every device lies on the CPU."""
        assert name in ("mps", "cuda", "cpu")
        return torch.device("cpu")

    def set_float32_matmul_precision(self, precision: str) -> None:
        """What is asked for is kept, and does not touch the real torch."""
        self.precisions.append(precision)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def fake(monkeypatch: pytest.MonkeyPatch, **options: Any) -> FakeTorch:
    """Put a FakeTorch behind the seam for the rest of the test."""
    made = FakeTorch(**options)
    monkeypatch.setattr(seam, "torch", made)
    return made
