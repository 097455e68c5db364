"""Dropout: expectation kept, masks of one's own, the same on any number of threads and after a resumption."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scaling_core.lab.device import Device
from scaling_core.lab.model import Drop
from scaling_core.lab.spec import Shape
from scaling_core.lab.stepper import Stepper

SHAPE = Shape(n_layer=2, d_model=32, n_head=2)


def stepper(dropout: float, *, seed: int = 0) -> Stepper:
    return Stepper(
        SHAPE, vocab_size=256, context=16, seed=seed, beta2=0.95, batch_sequences=4, device=Device("cpu"),
        dropout=dropout,
    )  # fmt: skip


def windows(step: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(step).integers(0, 256, (4, 17), dtype=np.int64))


def weights(of: Stepper) -> bytes:
    return b"".join(array.tobytes() for name, array in sorted(of.state().items()))


def test_what_is_kept_keeps_the_mean() -> None:
    dropped = Drop(0.3, torch.Generator().manual_seed(0))(torch.ones(400, 500))
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert np.unique(dropped.numpy()) == pytest.approx([0.0, 1 / 0.7])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)


def test_training_drops_and_measuring_does_not() -> None:
    plain, dropping = stepper(0.0), stepper(0.5)
    try:
        assert plain.by_hand
        assert not dropping.by_hand
        assert torch.equal(plain.window_losses(windows(0)), dropping.window_losses(windows(0)))
        assert float(plain.step(windows(0), 1e-3)) != float(dropping.step(windows(0), 1e-3))
    finally:
        plain.close()
        dropping.close()


def test_a_resumed_training_drops_the_same() -> None:
    whole, first, second = (stepper(0.2) for _ in range(3))
    try:
        for step in range(6):
            whole.step(windows(step), 1e-3)
        for step in range(3):
            first.step(windows(step), 1e-3)
        second.load(first.state(), 3)
        for step in range(3, 6):
            second.step(windows(step), 1e-3)
        assert weights(second) == weights(whole)
    finally:
        for one in (whole, first, second):
            one.close()


def test_masks_differ_from_step_to_step_and_from_seed_to_seed() -> None:
    def loss(seed: int, steps: int) -> float:
        one = stepper(0.5, seed=seed)
        try:
            one.load(stepper_state, steps)
            return float(one.step(windows(0), 0.0))
        finally:
            one.close()

    base = stepper(0.5)
    stepper_state = base.state()
    base.close()
    assert len({loss(0, 0), loss(0, 1), loss(1, 0)}) == 3
    assert loss(0, 1) == loss(0, 1)
