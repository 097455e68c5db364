"""The self-test agrees with a right device and catches the faults it is there for."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scaling_core.lab import selftest
from scaling_core.lab.device import Device
from scaling_core.lab.model import GPT, Block
from scaling_core.lab.stepper import Stepper


def failed(model_class: type[GPT]) -> set[str]:
    verdict = selftest.run(Device("cpu"), model_class=model_class)
    names = {check.name for check in verdict.checks if not check.ok}
    assert verdict.ok == (not names)
    if names:
        assert "does not compute what it should" in verdict.detail
    return names


def test_the_processor_agrees_and_says_how_closely() -> None:
    verdict = selftest.run(Device("cpu"))
    assert verdict.ok
    assert [check.name for check in verdict.checks] == ["future", "logits", "gradients", "training"]
    assert json.loads(json.dumps(verdict.to_dict()))["ok"] is True


class SeesAhead(Block):
    """Attention without its mask."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)


class SeesALittleAhead(Block):
    """A mask that is off by one in a single head, and only for longer sequences: as a backend's fast path would be."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        right = super().attend(q, k, v)
        if q.shape[-2] <= 32:
            return right
        allowed = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).tril(1)
        wrong = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return torch.cat((right[:, :-1], wrong[:, -1:]), dim=1)


@pytest.mark.parametrize("block_class", [SeesAhead, SeesALittleAhead])
def test_a_planted_leak_is_caught(block_class: type[Block]) -> None:
    class Leaky(GPT):
        block = block_class

    names = failed(Leaky)
    assert "future" in names
    assert "logits" in names


class WrongAfterChange(torch.autograd.Function):
    """Passes values through; its gradient is wrong as soon as a shape differs from the one before."""

    last: tuple[int, ...] | None = None

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        changed = WrongAfterChange.last not in (None, tuple(gradient.shape))
        WrongAfterChange.last = tuple(gradient.shape)
        return gradient * (1.02 if changed else 1.0)


def test_gradients_that_are_wrong_after_a_change_of_shape_are_caught() -> None:
    class Stale(GPT):
        def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
            logits: Tensor = super().forward(tokens, noise)
            return WrongAfterChange.apply(logits) if torch.is_grad_enabled() else logits  # type: ignore[no-untyped-call]  # torch leaves apply untyped

    WrongAfterChange.last = None
    assert "gradients" in failed(Stale)


def test_a_loss_that_drifts_is_caught() -> None:
    class Drifting(GPT):
        def loss_sum(self, windows: Tensor, noise: torch.Generator | None = None) -> Tensor:
            return super().loss_sum(windows, noise) * (1 + 0.05 * float(np.float32(windows.shape[0] == 4)))

    assert "training" in failed(Drifting)


def test_an_error_on_the_device_is_a_failed_check_and_not_an_exception() -> None:
    class Broken(GPT):
        def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
            raise RuntimeError("MPS backend: command buffer exited with error")

    verdict = selftest.run(Device("cpu"), model_class=Broken)
    assert not verdict.ok
    assert "command buffer exited" in verdict.detail


def test_a_step_whose_gradient_is_not_the_models_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """What autograd gives is right; what the step makes of it is one percent off, in one weight and one batch."""

    class Off(Stepper):
        def state(self) -> dict[str, NDArray[np.float32]]:
            found = super().state()
            if self.batch_sequences == 3:
                found["m.blocks.1.up.weight"] = found["m.blocks.1.up.weight"] * np.float32(1.01)
            return found

    monkeypatch.setattr(selftest, "Stepper", Off)
    ok, detail = selftest._gradients(Device("cpu"), GPT)
    assert not ok
    assert "deviate by up to 0.01 of their size (blocks.1.up.weight in a step of 3 x 128 tokens)" in detail
