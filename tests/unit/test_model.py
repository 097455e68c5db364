"""The model counts what the formulas count, sees no future, and steps the same however a batch is worked through."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from scaling_core.errors import CheckpointError, DeviceError
from scaling_core.flops import gpt2_parameters
from scaling_core.lab import device as seam
from scaling_core.lab import rules
from scaling_core.lab.device import Device, trouble
from scaling_core.lab.model import GPT
from scaling_core.lab.spec import Shape
from scaling_core.lab.stepper import Stepper, chunks

SHAPE = Shape(n_layer=2, d_model=32, n_head=2)
CONTEXT = 24
WINDOWS = np.random.default_rng(0).integers(0, 256, (12, CONTEXT + 1), dtype=np.uint8)


def model(shape: Shape = SHAPE, seed: int = 0) -> GPT:
    return GPT(shape, vocab_size=256, context=CONTEXT, seed=seed)


def stepper(device: Device | None = None, **changes: Any) -> Stepper:
    given: dict[str, Any] = {
        "vocab_size": 256,
        "context": CONTEXT,
        "seed": 0,
        "beta2": 0.95,
        "batch_sequences": 12,
        "device": device or Device("cpu"),
    }
    return Stepper(SHAPE, **{**given, **changes})


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [*rules.ladder_shapes()[:12], Shape(n_layer=1, d_model=48, n_head=3)])
def test_it_has_as_many_parameters_as_the_formula(shape: Shape) -> None:
    net = GPT(shape, vocab_size=256, context=128, seed=0)
    count = gpt2_parameters(n_layer=shape.n_layer, d_model=shape.d_model, vocab_size=256, context=128)
    assert sum(p.numel() for p in net.parameters()) == count.total
    assert net.tokens.weight.numel() == count.token_embedding
    assert net.positions.numel() == count.position_embedding


@torch.no_grad()
def test_it_starts_from_a_blind_guess_and_from_its_seed() -> None:
    windows = torch.from_numpy(WINDOWS).long()
    loss = float(model().losses(windows).mean())
    assert math.log(256) - 0.05 < loss < math.log(256) + 0.6
    assert all(torch.equal(a, b) for a, b in zip(model().parameters(), model().parameters(), strict=True))
    assert not torch.equal(model().tokens.weight, model(seed=1).tokens.weight)


@torch.no_grad()
def test_losses_sum_to_the_loss_that_is_trained() -> None:
    windows = torch.from_numpy(WINDOWS).long()
    net = model()
    assert net.losses(windows).shape == (12, CONTEXT)
    assert float(net.losses(windows).sum()) == pytest.approx(float(net.loss_sum(windows)), rel=1e-5)
    logits = net(windows[:, :-1])
    by_hand = -torch.log_softmax(logits, -1).gather(-1, windows[:, 1:, None]).squeeze(-1)
    assert torch.allclose(by_hand, net.losses(windows), atol=1e-5)


@torch.no_grad()
def test_the_future_is_not_seen_and_the_past_is() -> None:
    net = model()
    tokens = torch.from_numpy(WINDOWS[:, :-1]).long()
    changed = tokens.clone()
    changed[:, 10] = (changed[:, 10] + 1) % 256
    moved = (net(tokens) - net(changed)).abs().amax(dim=(0, 2))
    assert float(moved[:10].max()) == 0
    assert float(moved[10:].min()) > 0


def test_chunks_cover_a_batch_evenly() -> None:
    assert chunks(12, 12) == [(0, 12)]
    assert chunks(12, 5) == [(0, 4), (4, 8), (8, 12)]
    assert chunks(7, 2) == [(0, 1), (1, 3), (3, 5), (5, 7)]


def trained(steps: int = 5, **changes: Any) -> tuple[list[float], dict[str, np.ndarray]]:
    one = stepper(**changes)
    try:
        windows = one.to_device(WINDOWS)
        losses = [float(one.step(windows, 1e-2)) for _ in range(steps)]
        return losses, {name: array.copy() for name, array in one.state().items()}
    finally:
        one.close()


def test_training_lowers_the_loss_and_the_same_training_is_the_same_to_the_bit() -> None:
    losses, state = trained(steps=40)
    assert losses[-1] < losses[0] - 1.0
    again, same = trained(steps=40)
    assert again == losses
    assert all(np.array_equal(state[name], same[name]) for name in state)


@pytest.mark.parametrize("micro", [1, 3, 5])
def test_micro_batches_change_nothing_but_rounding(micro: int) -> None:
    whole, state = trained(micro_sequences=12)
    parts, other = trained(micro_sequences=micro)
    assert parts == pytest.approx(whole, rel=1e-5)
    assert np.allclose(state["w.tokens.weight"], other["w.tokens.weight"], atol=2e-3)
    assert np.allclose(state["m.tokens.weight"], other["m.tokens.weight"], atol=1e-6)


def test_threads_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for cores in (1, 3):
        monkeypatch.setattr(seam, "cores", lambda cores=cores: cores)
        one = stepper(Device("cpu"))
        assert one.workers == cores
        one.close()
        results.append(trained(device=Device("cpu"))[0])
    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_the_step_is_adamw_with_a_clipped_gradient_and_decay_on_matrices_only() -> None:
    one = stepper()
    reference = model()
    windows = torch.from_numpy(WINDOWS).long()
    matrices = [p for p in reference.parameters() if p.dim() >= 2]
    vectors = [p for p in reference.parameters() if p.dim() < 2]
    adam = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], betas=(0.9, 0.95)
    )
    try:
        for _ in range(4):
            loss = one.step(windows, 3e-3)
            for group in adam.param_groups:
                group["lr"] = 3e-3
            expected = reference.losses(windows).mean()
            adam.zero_grad()
            torch.autograd.backward(expected)
            torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
            adam.step()
            assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
        state = one.state()
    finally:
        one.close()
    width = SHAPE.d_model
    for name, parameter in reference.named_parameters():
        ours, theirs = state[f"w.{name}"], parameter.detach().numpy()
        if name.endswith("qkv.bias"):  # a bias of the keys moves no attention: its gradient is rounding alone
            ours, theirs = np.delete(ours, np.s_[width : 2 * width]), np.delete(theirs, np.s_[width : 2 * width])
        assert np.allclose(ours, theirs, atol=1e-4), name


def test_validation_losses_are_those_of_the_model() -> None:
    one = stepper(micro_sequences=5)
    try:
        found = one.window_losses(one.to_device(WINDOWS))
        expected = one.model.losses(torch.from_numpy(WINDOWS).long()).mean(dim=1)
        assert torch.allclose(found, expected, atol=1e-5)
        assert not found.requires_grad
    finally:
        one.close()


def test_a_state_taken_back_goes_on_to_the_bit() -> None:
    one, other = stepper(), stepper(seed=5)
    try:
        windows = one.to_device(WINDOWS)
        for _ in range(3):
            one.step(windows, 1e-2)
        other.load({name: array.copy() for name, array in one.state().items()}, 3)
        for _ in range(3):
            assert float(one.step(windows, 1e-2)) == float(other.step(windows, 1e-2))
        with pytest.raises(CheckpointError, match=r"does not hold w\.positions"):
            other.load({}, 3)
    finally:
        one.close()
        other.close()


class Cramped(GPT):
    """A model on a device with room for two sequences."""

    def loss_sum(self, windows: Tensor, noise: torch.Generator | None = None) -> Tensor:
        if windows.shape[0] > 2:
            raise torch.OutOfMemoryError("MPS backend out of memory (MPS allocated: 9.00 GB)")
        return super().loss_sum(windows, noise)


def test_out_of_memory_halves_the_micro_batch_and_keeps_the_batch() -> None:
    one = stepper(model_class=Cramped, micro_sequences=12)
    try:
        loss = float(one.step(one.to_device(WINDOWS), 1e-2))
        assert one.micro_sequences == 2
    finally:
        one.close()
    assert loss == pytest.approx(trained(steps=1)[0][0], rel=1e-5)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("CUDA error: device-side assert triggered", "stopped answering"),
        ("MPS backend out of memory", "with a single sequence"),
    ],
)
def test_a_device_that_fails_is_a_sentence(message: str, sentence: str) -> None:
    class Failing(GPT):
        def loss_sum(self, windows: Tensor, noise: torch.Generator | None = None) -> Tensor:
            raise RuntimeError(message)

    one = stepper(model_class=Failing)
    try:
        with pytest.raises(DeviceError, match=sentence):
            one.step(one.to_device(WINDOWS), 1e-2)
    finally:
        one.close()


def test_a_bug_of_ours_is_not_taken_for_a_device() -> None:
    class Wrong(GPT):
        def loss_sum(self, windows: Tensor, noise: torch.Generator | None = None) -> Tensor:
            return super().loss_sum(windows[:, :, None])

    one = stepper(model_class=Wrong)
    try:
        with pytest.raises((RuntimeError, ValueError, IndexError)) as caught:
            one.step(one.to_device(WINDOWS), 1e-2)
        assert trouble(caught.value) is None
    finally:
        one.close()


def test_devices_are_resolved_or_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seam.resolve("cpu").name == "cpu"
    with pytest.raises(DeviceError, match="There is no device 'tpu'"):
        seam.resolve("tpu")
    monkeypatch.setattr(seam, "available", lambda name: name == "cpu")
    assert seam.resolve("auto").name == "cpu"
    with pytest.raises(DeviceError, match=r"The device mps is not available .* here there is: cpu\."):
        seam.resolve("mps")
    monkeypatch.setattr(seam, "available", lambda name: True)
    assert seam.resolve("auto").name == "mps"


def test_the_seam_calls_each_backend_as_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def answer(name: str, value: int | None) -> None:
        def call() -> int | None:
            called.append(name)
            return value

        monkeypatch.setattr(torch.mps, name, call)

    answer("driver_allocated_memory", 7)
    answer("recommended_max_memory", 9)
    answer("synchronize", None)
    answer("empty_cache", None)
    mps = Device("mps")
    assert (mps.memory(), mps.memory_limit()) == (7, 9)
    mps.synchronize()
    mps.empty_cache()
    assert called == ["driver_allocated_memory", "recommended_max_memory", "synchronize", "empty_cache"]
    assert mps.chunk_tokens == 16_384
