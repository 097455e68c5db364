"""Is this device right? Its model is held against another computation of the same, in float64 on the CPU.

A backend that lets attention see the future gives an excellent scaling curve, and one that computes wrong gradients
after a change of shape gives a plausible one: both have been released (see PyTorch #195910, #177116). On the CPU the
comparison is as real as elsewhere: the reference forms its attention by hand, score by score.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scaling_core.errors import DeviceError
from scaling_core.lab.device import Device
from scaling_core.lab.model import GPT, Block
from scaling_core.lab.rules import BETA1, CLIP_NORM
from scaling_core.lab.spec import Shape
from scaling_core.lab.stepper import Stepper
from scaling_core.language import t

VOCAB = 256
CONTEXT = 32
SMALL = Shape(n_layer=2, d_model=32, n_head=2)
WIDE = Shape(n_layer=2, d_model=64, n_head=4)
STEPS = 50
TOLERANCE = 2e-4
"""Largest relative deviation of logits and gradients that float32 is allowed against float64."""
LOSS_TOLERANCE = 5e-3
"""Largest deviation in nats of a loss after fifty steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One comparison: what it found, in words."""

    name: str
    ok: bool
    detail: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfTest:
    """The verdict on a device. detail: one sentence, the first failure where there is one."""

    ok: bool
    detail: str
    checks: tuple[Check, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


class ExplicitBlock(Block):
    """The reference's layer: scores, mask, softmax and weighted sum written out."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """softmax(q k^T / sqrt(width) + mask) v, with minus infinity above the diagonal."""
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        future = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
        return torch.softmax(scores.masked_fill(future, -math.inf), dim=-1) @ v


class ExplicitGPT(GPT):
    """The reference model."""

    block = ExplicitBlock


def run(device: Device, *, model_class: type[GPT] = GPT) -> SelfTest:
    """Compare training on a device with the reference: causality, logits, gradients after new shapes, fifty steps.

    model_class: the model whose arithmetic is tested. Never raises: an error on the device is a failed check.
    """
    checks = []
    for name, check in (
        ("future", sees_no_future),
        ("logits", _logits),
        ("gradients", _gradients),
        ("training", _training),
    ):
        began = time.perf_counter()
        ok, detail = _guarded(check, device, model_class)
        checks.append(Check(name=name, ok=ok, detail=detail, seconds=time.perf_counter() - began))
    failed = [check for check in checks if not check.ok]
    detail = (
        t("The device {device} does not compute what it should: {detail}.", device=device.name, detail=failed[0].detail)
        if failed
        else t("The device {device} agrees with the reference in {n} checks.", device=device.name, n=len(checks))
    )
    return SelfTest(ok=not failed, detail=detail, checks=tuple(checks))


def _guarded(
    check: Callable[[Device, type[GPT]], tuple[bool, str]], device: Device, model_class: type[GPT]
) -> tuple[bool, str]:
    try:
        return check(device, model_class)
    except (RuntimeError, MemoryError, DeviceError) as error:
        return False, t("it failed with {error}", error=(str(error).splitlines() or [type(error).__name__])[0][:160])


def _windows(sequences: int, length: int, seed: int) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, VOCAB, (sequences, length), dtype=np.int64))


def _pair(shape: Shape, device: Device, model_class: type[GPT]) -> tuple[GPT, GPT]:
    """The model on the device, with weights large enough to make attention matter, and the same as the reference."""
    ours = model_class(shape, vocab_size=VOCAB, context=4 * CONTEXT, seed=1)
    with torch.no_grad():
        for parameter in ours.parameters():
            if parameter.dim() >= 2:
                parameter.mul_(5.0)
    reference = ExplicitGPT(shape, vocab_size=VOCAB, context=4 * CONTEXT, seed=1)
    reference.load_state_dict(ours.state_dict())
    return ours.to(device.torch_device), reference.double()


def _deviation(ours: Tensor, reference: Tensor) -> float:
    """Largest absolute difference over the largest absolute value of the reference."""
    difference = (ours.detach().cpu().double() - reference.detach()).abs().max()
    return float(difference / reference.detach().abs().max().clamp_min(1e-30))


def sees_no_future(device: Device, model_class: type[GPT]) -> tuple[bool, str]:
    """A changed token changes nothing before it, and something from it on."""
    model, _ = _pair(WIDE, device, model_class)
    worst, least = 0.0, math.inf
    for length in (CONTEXT, 3 * CONTEXT, CONTEXT + 5):
        tokens = _windows(3, length, seed=length).to(device.torch_device)
        with torch.no_grad():
            before = model(tokens).cpu()
            for at in (1, length // 2, length - 1):
                changed = tokens.clone()
                changed[:, at] = (changed[:, at] + 7) % VOCAB
                after = model(changed).cpu()
                worst = max(worst, float((after - before)[:, :at].abs().max()))
                least = min(least, float((after - before)[:, at:].abs().max()))
    scale = float(before.abs().max())
    ok = worst <= 1e-5 * scale and least > 1e-3 * scale
    return ok, t(
        "a changed token moves earlier logits by up to {worst:.2g} and later ones by at least {least:.2g} "
        "(logits reach {scale:.2g})",
        worst=worst,
        least=least,
        scale=scale,
    )


def _logits(device: Device, model_class: type[GPT]) -> tuple[bool, str]:
    """Logits against explicit attention in float64."""
    worst = 0.0
    for shape in (SMALL, WIDE):
        ours, reference = _pair(shape, device, model_class)
        tokens = _windows(4, 2 * CONTEXT, seed=3)
        with torch.no_grad():
            worst = max(worst, _deviation(ours(tokens.to(device.torch_device)), reference(tokens)))
    return worst <= TOLERANCE, t(
        "logits deviate by {worst:.2g} of their size, {allowed:g} is allowed", worst=worst, allowed=TOLERANCE
    )


def _gradients(device: Device, model_class: type[GPT]) -> tuple[bool, str]:
    """Gradients of every weight, in shapes that change and come back, the widest as wide as a training's.

    Once by autograd in sequences of changing length, and once as a step of training computes them, clipped.
    """
    ours, reference = _pair(WIDE, device, model_class)
    widest = max(1, device.chunk_tokens // (4 * CONTEXT))
    worst: float = 0.0
    where: str = ""
    for sequences, length in ((8, 65), (3, 129), (widest, 4 * CONTEXT + 1), (16, 33), (8, 65), (1, 9)):
        windows = _windows(sequences, length, seed=sequences)
        found = torch.autograd.grad(ours.loss_sum(windows.to(device.torch_device)), list(ours.parameters()))
        right = torch.autograd.grad(reference.loss_sum(windows), list(reference.parameters()))
        for (name, _), gradient, truth in zip(ours.named_parameters(), found, right, strict=True):
            deviation = _deviation(gradient, truth)
            if not deviation <= worst:
                worst = deviation
                where = t("{name} at {sequences} x {length} tokens", name=name, sequences=sequences, length=length - 1)
    for sequences in (4, 12, 3, 4):
        deviation, name = _step_deviation(device, model_class, ours, reference, sequences)
        if not deviation <= worst:
            worst = deviation
            where = t(
                "{name} in a step of {sequences} x {length} tokens", name=name, sequences=sequences, length=4 * CONTEXT
            )
    return worst <= 5 * TOLERANCE, t(
        "gradients deviate by up to {worst:.2g} of their size ({where}), {allowed:g} is allowed",
        worst=worst,
        where=where,
        allowed=5 * TOLERANCE,
    )


def _step_deviation(
    device: Device, model_class: type[GPT], ours: GPT, reference: GPT, sequences: int
) -> tuple[float, str]:
    """The clipped mean gradient of one step at rate zero, which AdamW's first moment holds a tenth of."""
    windows = _windows(sequences, 4 * CONTEXT + 1, seed=sequences)
    stepper = Stepper(
        WIDE, vocab_size=VOCAB, context=4 * CONTEXT, seed=1, beta2=0.95, batch_sequences=sequences, device=device,
        model_class=model_class,
    )  # fmt: skip
    try:
        stepper.model.load_state_dict(ours.state_dict())
        stepper.step(stepper.to_device(windows.numpy().astype(np.uint8)), 0.0)
        moments = stepper.state()
    finally:
        stepper.close()
    right = torch.autograd.grad(reference.loss_sum(windows), list(reference.parameters()))
    targets = sequences * 4 * CONTEXT
    norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in right]))) / targets
    scale = (1.0 - BETA1) * min(1.0, CLIP_NORM / (norm + 1e-6)) / targets
    names = [name for name, _ in reference.named_parameters()]
    deviations = [
        _deviation(torch.from_numpy(moments[f"m.{name}"]), scale * truth)
        for name, truth in zip(names, right, strict=True)
    ]
    index = max(range(len(names)), key=lambda i: deviations[i] if deviations[i] == deviations[i] else math.inf)
    return deviations[index], names[index]


def _training(device: Device, model_class: type[GPT]) -> tuple[bool, str]:
    """Fifty steps with AdamW, from the same weights over the same batches."""
    losses = []
    for place, kind in ((device, model_class), (_plain_cpu(), ExplicitGPT)):
        stepper = Stepper(
            SMALL, vocab_size=VOCAB, context=CONTEXT, seed=2, beta2=0.95, batch_sequences=8, device=place,
            model_class=kind,
        )  # fmt: skip
        try:
            text = np.random.default_rng(5).integers(0, 16, (4, 8, CONTEXT + 1), dtype=np.uint8)
            text[:, :, 1::2] = (text[:, :, 0:-1:2] * 3 + 1) % 16
            kept = [stepper.step(stepper.to_device(text[i % 4]), 3e-3) for i in range(STEPS)]
            losses.append(torch.stack(kept).cpu().double())
        finally:
            stepper.close()
    worst = float((losses[0] - losses[1]).abs().max())
    fell = float(losses[1][0] - losses[1][-1])
    ok = worst <= LOSS_TOLERANCE and fell > 1.0
    return ok, t(
        "over {steps} steps losses deviate by up to {worst:.2g} nats, {allowed:g} is allowed "
        "(the reference fell by {fell:.2f})",
        steps=STEPS,
        worst=worst,
        allowed=LOSS_TOLERANCE,
        fell=fell,
    )


def _plain_cpu() -> Device:
    return Device("cpu")
