"""One model with its optimiser: takes a step, measures a validation loss, hands its state out and takes it back.

On the CPU a batch is split over threads that each run a part of it forward and backward on one core and meet once
a step, instead of meeting in every matrix product: tiny models are bound by those meetings. There the weights, their
moments and their gradients lie in two long vectors, with and without decay, so that clipping and AdamW are a few
operations however many layers there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter

from scaling_core.arrays import FloatArray
from scaling_core.errors import CheckpointError, DeviceError
from scaling_core.lab.adamw import AdamW
from scaling_core.lab.allocator import give_back_memory, keep_freed_memory
from scaling_core.lab.batches import Tokens
from scaling_core.lab.device import Device, trouble
from scaling_core.lab.gradient import HandPass, by_hand
from scaling_core.lab.model import GPT
from scaling_core.lab.rules import BETA1, CLIP_NORM, WEIGHT_DECAY
from scaling_core.lab.spec import Shape
from scaling_core.language import t

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
        dropout: float = 0.0,
        model_class: type[GPT] = GPT,
    ) -> None:
        self.device = device
        self.seed = seed
        self.steps = 0
        self.context = context
        self.batch_sequences = batch_sequences
        self.model = model_class(shape, vocab_size=vocab_size, context=context, seed=seed, dropout=dropout)
        self.model.to(device.torch_device)
        named = dict(self.model.named_parameters())
        self.parameters = list(named.values())
        groups = [
            {name: p for name, p in named.items() if p.dim() >= 2},
            {name: p for name, p in named.items() if p.dim() < 2},
        ]
        self.by_hand = by_hand(self.model)
        vectors = [_pack(group) for group in groups] if self.by_hand else []
        targets: list[list[Tensor]] = [[v] for v in vectors] if vectors else [list(g.values()) for g in groups]
        self.optimizer = AdamW([(targets[0], WEIGHT_DECAY), (targets[1], 0.0)], (BETA1, beta2))
        self.targets = [target for group in targets for target in group]
        self._stored: dict[str, dict[str, Tensor]] = {"w": dict(named), "m": {}, "v": {}}
        for group, of_group in zip(groups, self.optimizer.groups, strict=True):
            for prefix, kept in (("m", of_group.first), ("v", of_group.second)):
                self._stored[prefix] |= _unpack(kept[0], group) if vectors else dict(zip(group, kept, strict=True))
        workers = min(device.cores, MAX_WORKERS, max(1, batch_sequences // LEAST_SEQUENCES))
        self.workers = workers if device.name == "cpu" else 1
        widest = max(1, device.chunk_tokens // context)
        self.micro_sequences = micro_sequences or min(widest, -(-batch_sequences // self.workers))
        self._pool: ThreadPoolExecutor | None = None
        self._passes: list[tuple[HandPass, list[Tensor]]] = []
        if self.by_hand:
            for _ in range(self.workers):
                sums = [torch.zeros_like(vector) for vector in vectors]
                views = [_unpack(total, group) for total, group in zip(sums, groups, strict=True)]
                self._passes.append((HandPass(self.model, {**views[0], **views[1]}), sums))
        if device.name == "cpu":
            keep_freed_memory()
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
            give_back_memory()

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
                t(
                    "Memory ran out on {device} with a single sequence of {context} tokens; "
                    "choose a smaller mode, or close other programs, and resume.",
                    device=self.device.name,
                    context=self.context,
                )
            ) from error
        if kind == "lost":
            raise DeviceError(
                t(
                    "The device {device} stopped answering ({error}); "
                    "resume the run when it is back, from its last checkpoint.",
                    device=self.device.name,
                    error=str(error).splitlines()[0][:160],
                )
            ) from error
        raise error

    def _gradients(self, worker: int, windows: Tensor, parts: list[tuple[int, int]]) -> tuple[Tensor, list[Tensor]]:
        """Summed loss and summed gradients, one for each of `targets`, over some parts of the batch in turn."""
        total: Tensor | None = None
        sums: list[Tensor] = []
        for start, end in parts:
            if self._passes:
                hand, sums = self._passes[worker]
                loss = hand.run(windows[start:end], add=total is not None)
            else:
                loss = self.model.loss_sum(windows[start:end], self._noise(start))
                gradients = torch.autograd.grad(loss, self.targets)
                if total is None:
                    sums = list(gradients)
                else:
                    torch._foreach_add_(sums, gradients)
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total, sums

    def _noise(self, start: int) -> torch.Generator | None:
        """The generator of the dropout for the part of this step's batch that begins at sequence `start`."""
        if not self.model.dropout:
            return None
        words = f"dropout:{self.seed}:{self.steps}:{start}".encode()
        seed = int.from_bytes(hashlib.blake2b(words, digest_size=6).digest(), "big")
        return torch.Generator(self.device.torch_device).manual_seed(seed)

    def gradient(self, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Summed loss of windows (batch, context + 1) and its gradient, one tensor for each of `targets`.

        Shares of the batch are added in a fixed order, however the threads meet. The tensors hold until the next call.
        """
        parts = chunks(windows.shape[0], self.micro_sequences)
        if self._pool is None:
            return self._gradients(0, windows, parts)
        shares = [parts[i :: self.workers] for i in range(min(self.workers, len(parts)))]
        jobs = [self._pool.submit(self._gradients, i, windows, share) for i, share in enumerate(shares)]
        results = [job.result() for job in jobs]
        loss, gradients = results[0]
        for other, more in results[1:]:
            loss = loss + other
            torch._foreach_add_(gradients, more)
        return loss, gradients

    def _step(self, windows: Tensor, rate: float) -> Tensor:
        loss, gradients = self.gradient(windows)
        targets = windows.shape[0] * self.context
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))) / targets
        torch._foreach_mul_(gradients, (CLIP_NORM / (norm + 1e-6)).clamp(max=1.0) / targets)
        self.optimizer.step(gradients, rate)
        self.steps += 1
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

    def to_device(self, windows: Tokens) -> Tensor:
        """Token ids as int64 on the device, sent narrow; as int16, since MPS has no uint16 and ids stay below 2^15."""
        narrow = windows if windows.dtype == np.uint8 else windows.view(np.int16)
        return torch.from_numpy(narrow).to(self.device.torch_device).long()

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Weights and both moments, by name, as arrays of the CPU."""
        return {
            f"{prefix}.{name}": tensor.detach().cpu().numpy()
            for prefix, tensors in self._stored.items()
            for name, tensor in tensors.items()
        }

    def load(self, tensors: dict[str, FloatArray] | dict[str, NDArray[np.float32]], step: int) -> None:
        """Take back what `state` gave after `step` steps. Raises CheckpointError when it is of another model."""
        with torch.no_grad():
            for prefix, targets in self._stored.items():
                for name, target in targets.items():
                    array = tensors.get(f"{prefix}.{name}")
                    if array is None or array.shape != tuple(target.shape):
                        raise CheckpointError(
                            t("The checkpoint does not hold {tensor} of this model.", tensor=prefix + "." + name)
                        )
                    target.copy_(torch.from_numpy(np.ascontiguousarray(array)))
            self.optimizer.set_steps(step)
        self.steps = step


def _pack(parameters: dict[str, Parameter]) -> Tensor:
    """All of these in one vector, of which each becomes a part."""
    vector = torch.cat([p.detach().reshape(-1) for p in parameters.values()])
    for name, part in _unpack(vector, parameters).items():
        parameters[name].data = part
    return vector


def _unpack(vector: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts of a vector, by name, in the shapes of `like`."""
    parts = torch.split(vector, [tensor.numel() for tensor in like.values()])
    return {name: part.view_as(tensor) for (name, tensor), part in zip(like.items(), parts, strict=True)}


def _start_worker(threads: int) -> None:
    """First work of a thread of the pool: torch sets up its own count of threads lazily, so it is woken before."""
    torch.ones(100_000).sum()
    torch.set_num_threads(threads)
