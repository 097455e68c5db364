"""bfloat16 is taken only where it is faster, sees no future and ends at the same loss; the reason is kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from scaling_core.lab import precision, selftest
from scaling_core.lab.calibrate import _precision
from scaling_core.lab.device import Device
from scaling_core.lab.model import GPT, Block
from scaling_core.lab.precision import Trial, computed_in, precision_choice
from scaling_core.lab.records import PrecisionChoice, PrecisionPoint, SpeedPoint
from scaling_core.lab.spec import Shape

TINY = Shape(n_layer=1, d_model=16, n_head=1)
SMALL = Shape(n_layer=1, d_model=32, n_head=2)
CPU = Device("cpu")
TRIALS = (Trial(shape=TINY, sequences=1, step_seconds=0.01), Trial(shape=SMALL, sequences=1, step_seconds=0.01))


def size(shape: Shape) -> int:
    return shape.parameters(vocab_size=256, context=128).with_head


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps of a small model: processors without bfloat16 are slow at it."""
    monkeypatch.setattr(precision, "LOSS_SHAPE", TINY)
    monkeypatch.setattr(precision, "LOSS_SEQUENCES", 2)
    monkeypatch.setattr(precision, "STEPS", 20)


def ratios(monkeypatch: pytest.MonkeyPatch, *values: float, product: float = 2.0) -> None:
    """Speeds of a machine that is not here."""
    waiting = list(values)
    monkeypatch.setattr(precision, "_product_ratio", lambda device: product)
    monkeypatch.setattr(
        precision,
        "_point",
        lambda device, trial, model: PrecisionPoint(shape=trial.shape, speed_ratio=waiting.pop(0)),
    )


def test_the_model_computes_in_bfloat16_and_keeps_its_loss_in_float32() -> None:
    seen: list[torch.dtype] = []

    class Watched(GPT):
        def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
            logits: Tensor = super().forward(tokens, noise)
            seen.append(logits.dtype)
            return logits

    tokens = torch.arange(8)[None]
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        model = computed_in(CPU, name, Watched)(TINY, vocab_size=256, context=8, seed=0)  # type: ignore[arg-type]  # of PRECISIONS
        assert model(tokens).dtype == torch.float32
        assert seen[-1] == dtype
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_bfloat16_is_taken_where_it_is_faster_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    ratios(monkeypatch, 1.2, 1.9)
    choice = precision_choice(CPU, TRIALS)
    assert choice.precision == "bfloat16"
    assert choice.least_params == size(TINY)
    assert choice.reason.startswith("bfloat16 is 1.90 times as fast at 1x32, and after 20 steps its loss is")
    assert choice.loss_float32 is not None
    assert choice.loss_bfloat16 == pytest.approx(choice.loss_float32, abs=0.01)
    assert choice.loss_bfloat16 != choice.loss_float32
    assert PrecisionChoice.from_dict(json.loads(json.dumps(asdict(choice)))) == choice


@pytest.mark.parametrize(
    ("speeds", "least"), [((0.9, 1.5), size(SMALL)), ((1.5, 1.0), None), ((1.0, 1.09), None), ((0.2, 0.3), None)]
)
def test_it_is_taken_only_from_the_size_on_where_it_wins(
    monkeypatch: pytest.MonkeyPatch, speeds: tuple[float, float], least: int | None
) -> None:
    ratios(monkeypatch, *speeds)
    choice = precision_choice(CPU, TRIALS)
    assert choice.least_params == least
    assert choice.precision == ("float32" if least is None else "bfloat16")
    assert [point.speed_ratio for point in choice.points] == list(speeds)
    if least is None:
        assert f"{speeds[1]:.2f} times as fast at 1x32" in choice.reason
        assert choice.loss_float32 is None


def test_a_machine_without_bfloat16_is_asked_for_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    ratios(monkeypatch, product=0.1)
    choice = precision_choice(CPU, TRIALS)
    assert choice == PrecisionChoice(
        precision="float32", reason="a product of matrices in bfloat16 is 0.10 times as fast as in float32"
    )


def half(logits: Tensor) -> bool:
    return logits.dtype == torch.bfloat16


def test_a_leak_in_half_precision_alone_keeps_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyTorch #195910 was: right in float32, open to the future in half precision."""

    class Leaky(Block):
        def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(q, k, v, is_causal=not half(q))

    class Model(GPT):
        block = Leaky

    assert selftest.sees_no_future(CPU, Model)[0]
    ratios(monkeypatch, 2.0, 2.0)
    choice = precision_choice(CPU, TRIALS, model_class=Model)
    assert choice.precision == "float32"
    assert choice.least_params is None
    assert "in bfloat16 a changed token moves earlier logits" in choice.reason


def test_a_loss_that_is_off_keeps_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    class Coarse(GPT):
        def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
            logits: Tensor = super().forward(tokens, noise)
            return logits * 0.8 if half(logits) else logits

    ratios(monkeypatch, 2.0, 2.0)
    choice = precision_choice(CPU, TRIALS, model_class=Coarse)
    assert choice.precision == "float32"
    assert "nats off, 0.01 is allowed" in choice.reason
    assert choice.loss_bfloat16 is not None


def test_a_loss_that_is_no_number_keeps_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    ratios(monkeypatch, 2.0, 2.0)
    losses = {"float32": 2.0, "bfloat16": float("nan")}
    monkeypatch.setattr(precision, "_late_loss", lambda device, name, model: losses[name])
    assert precision_choice(CPU, TRIALS).precision == "float32"


def test_an_error_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(GPT):
        def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
            raise RuntimeError('"mm" not implemented for BFloat16\nmore')

    ratios(monkeypatch, 2.0, 2.0)
    choice = precision_choice(CPU, TRIALS, model_class=Broken)
    assert choice.reason == 'bfloat16 fails with "mm" not implemented for BFloat16'
    assert precision_choice(CPU, ()).reason == "no shape was measured"


def test_both_precisions_are_timed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def seconds(device: Device, stepper: Any, windows: Tensor, steps: int) -> float:
        dtype = stepper.model.computed
        asked.append(dtype)
        return 3.0 if dtype == "float32" else 2.0

    right = precision._stepper

    def labelled(device: Device, name: Any, *rest: Any) -> Any:
        made = right(device, name, *rest)
        made.model.computed = name
        return made

    monkeypatch.setattr(precision, "_seconds", seconds)
    monkeypatch.setattr(precision, "_stepper", labelled)
    point = precision._point(CPU, TRIALS[0], GPT)
    assert point.speed_ratio == 1.5
    assert asked == ["float32", "bfloat16"] * (1 + precision.ROUNDS)


def test_the_shapes_compared_are_the_middle_and_the_last_of_the_quick_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [Shape(n_layer=1, d_model=16 * k, n_head=k) for k in (1, 2, 3, 4, 5)]
    speeds = [
        SpeedPoint(shape=shape, batch_tokens=1280, tokens_per_second=1280 / step, memory_bytes=1)
        for shape, step in zip(shapes, (0.01, 0.02, 0.1, 0.2, 0.9), strict=True)
    ]
    asked: list[Trial] = []

    def choose(device: Device, trials: list[Trial]) -> PrecisionChoice:
        asked.extend(trials)
        return PrecisionChoice(precision="float32", reason="")

    monkeypatch.setattr(precision, "precision_choice", choose)
    assert _precision(CPU, speeds) is not None
    assert [trial.shape for trial in asked] == [shapes[2], shapes[3]]
    assert [trial.sequences for trial in asked] == [10, 10]
    assert _precision(CPU, speeds[-1:]) is None
