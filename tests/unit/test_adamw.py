"""Our AdamW beside torch's own, to the bit, and beside its formula."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scaling_core.lab.adamw import EPSILON, AdamW

BETAS = (0.9, 0.97)
DECAY = 0.1
RATES = (1e-3, 3e-3, 0.0, 5e-4, 1e-3)
SHAPES = ((7, 5), (12,), (3, 4), (9,))
"""The first two decay, the others do not; the third lies transposed in memory."""


def start() -> list[Tensor]:
    """The same four targets at every call."""
    drawn = torch.Generator().manual_seed(3)
    made = [torch.randn(shape, generator=drawn) for shape in SHAPES]
    made[2] = torch.randn(SHAPES[2][::-1], generator=drawn).t()
    return made


def gradients(step: int) -> list[Tensor]:
    """Gradients of a step, laid in memory as their targets."""
    drawn = torch.Generator().manual_seed(100 + step)
    made = []
    for target in start():
        gradient = torch.empty_like(target, memory_format=torch.preserve_format)
        made.append(gradient.copy_(torch.randn(target.shape, generator=drawn)))
    return made


def ours() -> tuple[list[Tensor], AdamW]:
    """The targets after every step, and the optimiser."""
    targets = start()
    optimizer = AdamW([(targets[:2], DECAY), (targets[2:], 0.0)], BETAS)
    for step, rate in enumerate(RATES):
        optimizer.step(gradients(step), rate)
    return targets, optimizer


def test_it_is_torchs_own_to_the_bit() -> None:
    targets = start()
    groups = [{"params": targets[:2], "weight_decay": DECAY}, {"params": targets[2:], "weight_decay": 0.0}]
    theirs = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, fused=True)
    for step, rate in enumerate(RATES):
        for group in theirs.param_groups:
            group["lr"] = rate
        for target, gradient in zip(targets, gradients(step), strict=True):
            target.grad = gradient
        theirs.step()
    for mine, other in zip(ours()[0], targets, strict=True):
        assert torch.equal(mine, other)


def test_it_is_the_formula_of_loshchilov_and_hutter() -> None:
    for k, target in enumerate(ours()[0]):
        x = start()[k].double().numpy().copy()
        m, v = np.zeros_like(x), np.zeros_like(x)
        for step, rate in enumerate(RATES):
            g = gradients(step)[k].double().numpy()
            m = BETAS[0] * m + (1 - BETAS[0]) * g
            v = BETAS[1] * v + (1 - BETAS[1]) * g**2
            m_hat, v_hat = m / (1 - BETAS[0] ** (step + 1)), v / (1 - BETAS[1] ** (step + 1))
            x = x * (1 - rate * (DECAY if k < 2 else 0.0)) - rate * m_hat / (np.sqrt(v_hat) + EPSILON)
        np.testing.assert_allclose(target.numpy(), x, rtol=2e-6, atol=1e-7)


def test_steps_can_be_set_for_a_checkpoint() -> None:
    targets, optimizer = ours()
    again = [target.clone(memory_format=torch.preserve_format) for target in targets]
    other = AdamW([(again[:2], DECAY), (again[2:], 0.0)], BETAS)
    for mine, theirs in zip(other.groups, optimizer.groups, strict=True):
        for to, source in zip((*mine.first, *mine.second), (*theirs.first, *theirs.second), strict=True):
            to.copy_(source)
    other.set_steps(len(RATES))
    for optimiser in (optimizer, other):
        optimiser.step(gradients(9), 1e-3)
    assert all(torch.equal(a, b) for a, b in zip(targets, again, strict=True))
    other.set_steps(0)
    other.step(gradients(10), 1e-3)
    optimizer.step(gradients(10), 1e-3)
    assert not torch.equal(targets[0], again[0])
