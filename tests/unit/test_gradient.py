"""The gradient worked out by hand is autograd's, and falls back to autograd where it is not that of the model."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from scaling_core.lab.device import Device
from scaling_core.lab.gradient import LONGEST_CONTEXT, ROWS, HandPass, by_hand
from scaling_core.lab.model import GPT, Block
from scaling_core.lab.spec import Shape
from scaling_core.lab.stepper import Stepper

SHAPES = (Shape(n_layer=1, d_model=16, n_head=1), Shape(n_layer=3, d_model=48, n_head=3))


def model(shape: Shape = SHAPES[1], context: int = 24, vocab_size: int = 256) -> GPT:
    """With weights and biases large enough for every part to matter."""
    net = GPT(shape, vocab_size=vocab_size, context=context, seed=4)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return net


def windows(sequences: int, context: int, vocab_size: int = 256) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, vocab_size, (sequences, context + 1)))


def by_autograd(net: GPT, text: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """In float64; the model is changed to it."""
    double = net.double()
    loss = double.loss_sum(text)
    gradients = torch.autograd.grad(loss, list(double.parameters()))
    return loss.detach(), dict(zip(dict(double.named_parameters()), gradients, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("sequences", "context", "vocab_size"),
    [(1, 2, 256), (3, 24, 256), (2, ROWS, 97), (2, ROWS + 1, 256), (1, 3 * ROWS - 5, 512)],
)
def test_it_is_that_of_autograd(shape: Shape, sequences: int, context: int, vocab_size: int) -> None:
    net, text = model(shape, context, vocab_size), windows(sequences, context, vocab_size)
    gradients = {name: torch.full_like(p, math.nan) for name, p in net.named_parameters()}
    loss = HandPass(net, gradients).run(text, add=False)
    right_loss, right = by_autograd(net, text)
    assert float(loss) == pytest.approx(float(right_loss), rel=1e-5)
    for name, truth in right.items():
        scale = float(truth.abs().max())
        assert float((gradients[name].double() - truth).abs().max()) <= 2e-5 * scale, name


def test_parts_of_a_batch_are_added() -> None:
    net, text = model(), windows(5, 24)
    gradients = {name: torch.full_like(p, math.nan) for name, p in net.named_parameters()}
    hand = HandPass(net, gradients)
    loss = hand.run(text[:2], add=False) + hand.run(text[2:], add=True)
    right_loss, right = by_autograd(net, text)
    assert float(loss) == pytest.approx(float(right_loss), rel=1e-5)
    for name, truth in right.items():
        assert float((gradients[name].double() - truth).abs().max()) <= 2e-5 * float(truth.abs().max()), name


def test_a_target_that_is_all_but_impossible_has_a_finite_loss() -> None:
    net = model(context=4)
    with torch.no_grad():
        net.tokens.weight.mul_(200.0)  # logits hundreds apart: the probability of most targets is 0 in float32
    text = windows(2, 4)
    loss = HandPass(net, {name: torch.zeros_like(p) for name, p in net.named_parameters()}).run(text, add=False)
    assert float(loss) > 500.0
    assert float(loss) == pytest.approx(float(net.double().loss_sum(text).detach()), rel=1e-5)


class Leaking(Block):
    """A layer that sees the future."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return torch.softmax(q @ k.transpose(-2, -1), -1) @ v


class Changed(GPT):
    """Another model, with the layer above."""

    block = Leaking


class Plain(GPT):
    """The same model under another name, which autograd differentiates."""


def test_it_is_taken_only_for_the_model_it_was_worked_out_for() -> None:
    assert by_hand(model())
    assert not by_hand(Changed(SHAPES[0], vocab_size=256, context=8, seed=0))
    assert not by_hand(Plain(SHAPES[0], vocab_size=256, context=8, seed=0))
    assert not by_hand(model().double())
    assert not by_hand(model(SHAPES[0], LONGEST_CONTEXT + 1))
    swapped = model()
    swapped.blocks[1] = Leaking(48, 3)
    assert not by_hand(swapped)
    dropping = model()
    dropping.blocks.append(torch.nn.Dropout(0.1))
    assert not by_hand(dropping)


def steps(kind: type[GPT], **changes: Any) -> tuple[list[float], dict[str, np.ndarray]]:
    one = Stepper(
        SHAPES[1], vocab_size=256, context=24, seed=0, beta2=0.95, batch_sequences=10, device=Device("cpu"),
        model_class=kind, **changes,
    )  # fmt: skip
    assert one.by_hand is (kind is GPT)
    try:
        text = one.to_device(windows(10, 24).numpy().astype(np.uint8))
        losses = [float(one.step(text, 3e-3)) for _ in range(20)]
        return losses, {name: array.copy() for name, array in one.state().items()}
    finally:
        one.close()


@pytest.mark.parametrize("micro", [None, 2])
def test_training_by_hand_is_training_by_autograd(micro: int | None) -> None:
    before = torch.get_num_threads()
    losses, state = steps(GPT, micro_sequences=micro)
    right, truth = steps(Plain, micro_sequences=micro)
    torch.set_num_threads(before)
    assert losses[-1] < losses[0] - 1.0
    assert losses == pytest.approx(right, abs=1e-3)
    assert state.keys() == truth.keys()
    assert {name: array.shape for name, array in state.items()} == {n: array.shape for n, array in truth.items()}


def test_a_state_goes_from_one_way_to_the_other() -> None:
    """A checkpoint does not say how its gradients were taken: the layout of both is the same."""
    options: dict[str, Any] = {
        "vocab_size": 256, "context": 24, "beta2": 0.95, "batch_sequences": 10, "device": Device("cpu")
    }  # fmt: skip
    before = torch.get_num_threads()
    hand = Stepper(SHAPES[1], seed=0, **options)
    auto = Stepper(SHAPES[1], seed=7, model_class=Plain, **options)
    try:
        text = hand.to_device(windows(10, 24).numpy().astype(np.uint8))
        for _ in range(3):
            hand.step(text, 3e-3)
        auto.load({name: array.copy() for name, array in hand.state().items()}, 3)
        for name, array in hand.state().items():
            assert np.array_equal(array, auto.state()[name]), name
        assert float(hand.step(text, 3e-3)) == pytest.approx(float(auto.step(text, 3e-3)), rel=1e-6)
    finally:
        hand.close()
        auto.close()
        torch.set_num_threads(before)


FAULTS = """
import resource, sys
from scaling_core.lab.allocator import keep_freed_memory
kept = sys.argv[1] == "kept" and keep_freed_memory()
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    arrays = [np.ones(1_500_000) for _ in range(4)]
    del arrays
for _ in range(3):
    work()
before = faults()
for _ in range(10):
    work()
print(int(kept), faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the settings are those of glibc")
def test_freed_memory_is_kept(project: Path) -> None:
    def run(how: str) -> tuple[int, int]:
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, how], cwd=project, capture_output=True, text=True, check=True, timeout=60
        )
        kept, faults = done.stdout.split()
        return int(kept), int(faults)

    kept, faults = run("kept")
    if not kept:
        pytest.skip("this C library has no such settings")
    assert faults < 500
    assert run("left")[1] > 10 * max(faults, 50)
