"""Is bfloat16 worth it on this machine? Speed first, then whether the future stays unseen and the loss agrees.

Products in bfloat16 keep 8 bits of each factor. On some machines they are twice as fast, on others, and for small
models, the casts cost more than they save; and releases of a backend have let half-precision attention see ahead
(PyTorch #195910). So nothing is taken on trust: a few seconds on the machine itself decide.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scaling_core.errors import DeviceError
from scaling_core.lab import selftest
from scaling_core.lab.device import Device
from scaling_core.lab.model import GPT
from scaling_core.lab.records import PrecisionChoice, PrecisionPoint
from scaling_core.lab.spec import BYTES_VOCAB, PRECISIONS, Precision, Shape
from scaling_core.lab.stepper import Stepper
from scaling_core.language import t

CONTEXT = 128
WINS = 1.1
"""Times the speed of float32 from which bfloat16 counts as faster."""
STEPS = 50
LAST = 10
LOSS_TOLERANCE = 0.01
"""Largest difference in nats of the mean loss over the last ten of fifty steps."""
ROUNDS = 5
ROUND_SECONDS = 0.05
SHAPE_SECONDS = 1.5
"""After this long no further round of a shape is begun."""
PRODUCT = 256
PRODUCT_LOSES = 0.8
"""Where a bare product of matrices is not even this many times as fast in bfloat16, no model is trained to see."""
LOSS_SHAPE = Shape(n_layer=2, d_model=48, n_head=3)
LOSS_SEQUENCES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A shape to compare, with the sequences of a step and the seconds that one takes in float32."""

    shape: Shape
    sequences: int
    step_seconds: float


def computed_in(device: Device, precision: Precision, model_class: type[GPT] = GPT) -> type[GPT]:
    """A model whose forward pass the device computes in that precision; weights, loss and gradients stay float32."""
    if precision == "float32":
        return model_class

    class Computed(model_class):  # type: ignore[valid-type, misc]  # a base that is a value is beyond mypy
        def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
            with device.numerics(precision):
                logits: Tensor = super().forward(tokens, noise)
            return logits.float()

    return Computed


def precision_choice(
    device: Device, trials: Sequence[Trial], *, model_class: type[GPT] = GPT, wins: float = WINS
) -> PrecisionChoice:
    """Compare bfloat16 with float32 on the given shapes, small to large. Never raises: an error is a reason.

    model_class: the model whose arithmetic is compared. wins: ratio from which bfloat16 counts as faster.
    """
    points: list[PrecisionPoint] = []
    try:
        product = _product_ratio(device)
        if not product >= min(PRODUCT_LOSES, wins):
            said = t("a product of matrices in bfloat16 is {ratio:.2f} times as fast as in float32", ratio=product)
            return _stay(points, said)
        points = [_point(device, trial, model_class) for trial in trials]
        least = _least(points, wins)
        if least is None:
            return _stay(points, _said(points))
        half = computed_in(device, "bfloat16", model_class)
        unseen, detail = selftest.sees_no_future(device, half)
        if not unseen:
            return _stay(points, t("in bfloat16 {detail}", detail=detail))
        exact, rounded = (_late_loss(device, precision, model_class) for precision in PRECISIONS)
    except (RuntimeError, MemoryError, DeviceError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:160]
        return _stay(points, t("bfloat16 fails with {error}", error=first))
    gap = abs(rounded - exact)
    if not gap <= LOSS_TOLERANCE:
        reason = t(
            "after {steps} steps bfloat16 is {gap:.3g} nats off, {allowed:g} is allowed",
            steps=STEPS,
            gap=gap,
            allowed=LOSS_TOLERANCE,
        )
        return _stay(points, reason, exact, rounded)
    return PrecisionChoice(
        precision="bfloat16",
        reason=t(
            "bfloat16 is {ratio:.2f} times as fast at {shape}, and after {steps} steps its loss is {gap:.2g} nats off",
            ratio=points[-1].speed_ratio,
            shape=points[-1].shape.name,
            steps=STEPS,
            gap=gap,
        ),
        points=tuple(points),
        least_params=least,
        loss_float32=exact,
        loss_bfloat16=rounded,
    )


def _said(points: list[PrecisionPoint]) -> str:
    """How fast bfloat16 was at each shape."""
    if not points:
        return t("no shape was measured")
    first, *rest = points
    told: str = t("bfloat16 is {ratio:.2f} times as fast at {shape}", ratio=first.speed_ratio, shape=first.shape.name)
    for point in rest:
        told = t(
            "{before}, {ratio:.2f} times as fast at {shape}",
            before=told,
            ratio=point.speed_ratio,
            shape=point.shape.name,
        )
    return told


def _stay(
    points: list[PrecisionPoint], reason: str, exact: float | None = None, rounded: float | None = None
) -> PrecisionChoice:
    """The verdict for float32."""
    return PrecisionChoice(
        precision="float32", reason=reason, points=tuple(points), loss_float32=exact, loss_bfloat16=rounded
    )


def _least(points: list[PrecisionPoint], wins: float) -> int | None:
    """Parameters of the smallest shape from which on every measured one was faster in bfloat16."""
    least: int | None = None
    for point in reversed(points):
        if not point.speed_ratio >= wins:
            break
        least = point.shape.parameters(vocab_size=BYTES_VOCAB, context=CONTEXT).with_head
    return least


def _stepper(
    device: Device, precision: Precision, model_class: type[GPT], shape: Shape, sequences: int, context: int
) -> Stepper:
    return Stepper(
        shape, vocab_size=BYTES_VOCAB, context=context, seed=0, beta2=0.95, batch_sequences=sequences, device=device,
        model_class=computed_in(device, precision, model_class),
    )  # fmt: skip


def _product_ratio(device: Device) -> float:
    """How many times as fast a bare product of two matrices is in bfloat16, by the best of four rounds in turns."""
    matrix = torch.full((PRODUCT, PRODUCT), 1e-3, device=device.torch_device)
    pair = (matrix, matrix.to(torch.bfloat16))
    best = [float("inf"), float("inf")]
    for _ in range(4):
        for index, one in enumerate(pair):
            device.synchronize()
            began = time.perf_counter()
            for _ in range(4):
                torch.mm(one, one)
            device.synchronize()
            best[index] = min(best[index], time.perf_counter() - began)
    return best[0] / best[1]


def _point(device: Device, trial: Trial, model_class: type[GPT]) -> PrecisionPoint:
    """Both precisions in turns, after a step of each that is not counted."""
    text = np.random.default_rng(0).integers(0, BYTES_VOCAB, (trial.sequences, CONTEXT + 1), dtype=np.uint8)
    pair: list[Stepper] = []
    try:
        for precision in PRECISIONS:
            pair.append(_stepper(device, precision, model_class, trial.shape, trial.sequences, CONTEXT))
        windows = pair[0].to_device(text)
        steps = max(1, round(ROUND_SECONDS / max(trial.step_seconds, 1e-4)))
        began = time.perf_counter()
        for one in pair:
            _seconds(device, one, windows, 1)
        ratios: list[float] = []
        while len(ratios) < 1 or (len(ratios) < ROUNDS and time.perf_counter() - began < SHAPE_SECONDS):
            float32, bfloat16 = (_seconds(device, one, windows, steps) for one in pair)
            ratios.append(float32 / bfloat16)
    finally:
        for one in pair:
            one.close()
        device.empty_cache()
    return PrecisionPoint(shape=trial.shape, speed_ratio=statistics.median(ratios))


def _seconds(device: Device, stepper: Stepper, windows: Tensor, steps: int) -> float:
    device.synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        stepper.step(windows, 1e-3)
    device.synchronize()
    return time.perf_counter() - began


def _late_loss(device: Device, precision: Precision, model_class: type[GPT]) -> float:
    """Mean loss in nats over the last of fifty steps on fresh text, half of whose bytes follow from the one before."""
    stepper = _stepper(device, precision, model_class, LOSS_SHAPE, LOSS_SEQUENCES, CONTEXT)
    try:
        text = np.random.default_rng(5).integers(0, 16, (STEPS, LOSS_SEQUENCES, CONTEXT + 1), dtype=np.uint8)
        text[:, :, 1::2] = (text[:, :, 0:-1:2] * 3 + 1) % 16
        losses = [stepper.step(stepper.to_device(batch), 3e-3) for batch in text]
        return float(torch.stack(losses[-LAST:]).mean())
    finally:
        stepper.close()
