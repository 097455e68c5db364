"""One model with its optimiser: takes a step, measures a validation loss, hands its state out and takes it back.

On the CPU a batch is split over threads that each run a part of it forward and backward on one core and meet once
a step, instead of meeting in every matrix product: tiny models are bound by those meetings.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling_core.arrays import FloatArray
from scaling_core.errors import CheckpointError, DeviceError
from scaling_core.lab.device import Device, trouble
from scaling_core.lab.model import GPT
from scaling_core.lab.rules import BETA1, CLIP_NORM, WEIGHT_DECAY
from scaling_core.lab.spec import Shape

MAX_WORKERS = 8
LEAST_SEQUENCES = 2
"""A thread is given at least this many sequences."""
LARGE_PARAMETERS = 1_000_000
"""From here on single operations are worth sharing between cores: the optimiser's, and those of spare cores."""


def chunks(sequences: int, largest: int) -> list[tuple[int, int]]:
    """Cut a batch into nearly equal parts of at most `largest` sequences, as (start, end)."""
    parts = -(-sequences // max(1, largest))
    bounds = [sequences * i // parts for i in range(parts + 1)]
    return list(pairwise(bounds))


class Stepper:
    """A model of `shape` in training. micro_sequences: sequences of one forward pass, halved when memory runs out."""

    def __init__(
        self,
        shape: Shape,
        *,
        vocab_size: int,
        context: int,
        seed: int,
        beta2: float,
        batch_sequences: int,
        device: Device,
        micro_sequences: int | None = None,
        model_class: type[GPT] = GPT,
    ) -> None:
        self.device = device
        self.context = context
        self.batch_sequences = batch_sequences
        self.model = model_class(shape, vocab_size=vocab_size, context=context, seed=seed).to(device.torch_device)
        self.names = [name for name, _ in self.model.named_parameters()]
        self.parameters = list(self.model.parameters())
        matrices = [p for p in self.parameters if p.dim() >= 2]
        vectors = [p for p in self.parameters if p.dim() < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}],
            lr=0.0,
            betas=(BETA1, beta2),
            fused=True,
        )
        for p in self.parameters:
            self.optimizer.state[p] = {
                "step": torch.zeros((), dtype=torch.float32, device=device.torch_device),
                "exp_avg": torch.zeros_like(p, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(p, memory_format=torch.preserve_format),
            }
        workers = min(device.cores, MAX_WORKERS, max(1, batch_sequences // LEAST_SEQUENCES))
        self.workers = workers if device.name == "cpu" else 1
        widest = max(1, device.chunk_tokens // context)
        self.micro_sequences = micro_sequences or min(widest, -(-batch_sequences // self.workers))
        self._pool: ThreadPoolExecutor | None = None
        if device.name == "cpu":
            torch.set_flush_denormal(True)
            large = sum(p.numel() for p in self.parameters) > LARGE_PARAMETERS
            inner = max(1, device.cores // self.workers) if large else 1
            self._pool = ThreadPoolExecutor(self.workers, initializer=_start_worker, initargs=(inner,))
            torch.set_num_threads(device.cores if large else 1)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            torch.set_flush_denormal(False)

    def step(self, windows: Tensor, rate: float) -> Tensor:
        """One optimiser step on windows (batch, context + 1) at that rate; returns the mean loss, still on the device.

        Out of memory halves the micro-batch and repeats the step; the batch stays. Raises DeviceError when not
        even one sequence fits, or when the device is gone.
        """
        while True:
            try:
                return self._step(windows, rate)
            except (RuntimeError, MemoryError) as error:
                self.recover(error)

    def recover(self, error: BaseException) -> None:
        """Halve the micro-batch where memory ran out; raises DeviceError or `error` where that does not help."""
        kind = trouble(error)
        if kind == "memory" and self.micro_sequences > 1:
            self.micro_sequences = (self.micro_sequences + 1) // 2
            error.__traceback__ = None
            self.device.empty_cache()
            return
        if kind == "memory":
            raise DeviceError(
                f"Memory ran out on {self.device.name} with a single sequence of {self.context} tokens; "
                "choose a smaller mode, or close other programs, and resume."
            ) from error
        if kind == "lost":
            raise DeviceError(
                f"The device {self.device.name} stopped answering ({str(error).splitlines()[0][:160]}); "
                "resume the run when it is back, from its last checkpoint."
            ) from error
        raise error

    def _gradients(self, windows: Tensor, parts: list[tuple[int, int]]) -> tuple[Tensor, list[Tensor]]:
        """Summed loss and summed gradients over some parts of the batch, one after the other."""
        total: Tensor | None = None
        sums: list[Tensor] = []
        for start, end in parts:
            loss = self.model.loss_sum(windows[start:end])
            gradients = torch.autograd.grad(loss, self.parameters)
            if total is None:
                total, sums = loss.detach(), list(gradients)
            else:
                total = total + loss.detach()
                torch._foreach_add_(sums, gradients)
        assert total is not None
        return total, sums

    def _step(self, windows: Tensor, rate: float) -> Tensor:
        parts = chunks(windows.shape[0], self.micro_sequences)
        if self._pool is None:
            loss, gradients = self._gradients(windows, parts)
        else:
            shares = [parts[i :: self.workers] for i in range(min(self.workers, len(parts)))]
            jobs = [self._pool.submit(self._gradients, windows, share) for share in shares]
            results = [job.result() for job in jobs]
            loss, gradients = results[0]
            for other, more in results[1:]:
                loss = loss + other
                torch._foreach_add_(gradients, more)
        targets = windows.shape[0] * self.context
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))) / targets
        torch._foreach_mul_(gradients, (CLIP_NORM / (norm + 1e-6)).clamp(max=1.0) / targets)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        return loss / targets

    def window_losses(self, windows: Tensor) -> Tensor:
        """Mean loss of each window in nats per token, shape (windows,), without gradients; up to a batch at once."""
        while True:
            try:
                parts = chunks(windows.shape[0], self.micro_sequences)
                if self._pool is None:
                    return torch.cat([self._measure(windows[start:end]) for start, end in parts])
                jobs = [self._pool.submit(self._measure, windows[start:end]) for start, end in parts]
                return torch.cat([job.result() for job in jobs])
            except (RuntimeError, MemoryError) as error:
                self.recover(error)

    def _measure(self, windows: Tensor) -> Tensor:
        with torch.no_grad():
            means: Tensor = self.model.losses(windows).mean(dim=1)
            return means

    def to_device(self, windows: NDArray[np.uint8]) -> Tensor:
        """Token ids as int64 on the device, sent as bytes."""
        return torch.from_numpy(windows).to(self.device.torch_device).long()

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Weights and both moments, by name, as arrays of the CPU."""
        tensors: dict[str, NDArray[np.float32]] = {}
        for name, parameter in zip(self.names, self.parameters, strict=True):
            state = self.optimizer.state[parameter]
            for prefix, tensor in (("w", parameter), ("m", state["exp_avg"]), ("v", state["exp_avg_sq"])):
                tensors[f"{prefix}.{name}"] = tensor.detach().cpu().numpy()
        return tensors

    def load(self, tensors: dict[str, FloatArray] | dict[str, NDArray[np.float32]], step: int) -> None:
        """Take back what `state` gave after `step` steps. Raises CheckpointError when it is of another model."""
        with torch.no_grad():
            for name, parameter in zip(self.names, self.parameters, strict=True):
                state = self.optimizer.state[parameter]
                for prefix, target in (("w", parameter), ("m", state["exp_avg"]), ("v", state["exp_avg_sq"])):
                    array = tensors.get(f"{prefix}.{name}")
                    if array is None or array.shape != tuple(target.shape):
                        raise CheckpointError(f"The checkpoint does not hold {prefix}.{name} of this model.")
                    target.copy_(torch.from_numpy(np.ascontiguousarray(array)))
                state["step"].fill_(float(step))


def _start_worker(threads: int) -> None:
    """First work of a thread of the pool: torch sets up its own count of threads lazily, so it is woken before."""
    torch.ones(100_000).sum()
    torch.set_num_threads(threads)
