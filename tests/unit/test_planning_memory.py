"""Memory of a training: the papers' own numbers, and for this lab's model the bytes that torch really holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from scaling_core.errors import InputError
from scaling_core.flops import gpt2_parameters
from scaling_core.lab.adamw import AdamW
from scaling_core.lab.model import GPT
from scaling_core.lab.spec import Shape
from scaling_core.planning.architecture import Architecture, of_shape
from scaling_core.planning.memory import (
    activation_bytes,
    bytes_per_parameter,
    largest_micro_batch,
    layer_bytes,
    layer_values,
    state_bytes,
    training_memory,
)

MEASURED = (
    {"n_layer": 2, "d_model": 64, "vocab_size": 256, "context": 64, "sequences": 4},
    {"n_layer": 4, "d_model": 128, "vocab_size": 256, "context": 128, "sequences": 4},
    {"n_layer": 6, "d_model": 384, "vocab_size": 1024, "context": 256, "sequences": 2},
)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lab_model(n_layer: int, d_model: int, vocab_size: int, context: int) -> tuple[Architecture, GPT]:
    """The planned model, and the lab's of the same shape."""
    planned = of_shape("gpt2", n_layer, d_model, vocab_size=vocab_size, context=context)
    shape = Shape(n_layer=n_layer, d_model=d_model, n_head=planned.n_head)
    return planned, GPT(shape, vocab_size=vocab_size, context=context, seed=0)


def held(tensors: Sequence[Tensor]) -> int:
    """Bytes of the memory behind some tensors, each piece once however many views of it there are."""
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())


@pytest.mark.parametrize("case", MEASURED)
def test_states_are_to_the_byte_what_torch_holds(case: dict[str, int]) -> None:
    shape: dict[str, Any] = {key: value for key, value in case.items() if key != "sequences"}
    planned, model = lab_model(**shape)
    parameters: list[Tensor] = list(model.parameters())
    optimizer = AdamW([(parameters, 0.1)], (0.9, 0.95))
    windows = torch.zeros((case["sequences"], case["context"] + 1), dtype=torch.long)
    model.loss_sum(windows).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    gradients = [one.grad for one in parameters if one.grad is not None]
    optimizer.step(gradients, 1e-3)
    (moments,) = optimizer.groups
    measured = [float(held(one)) for one in (parameters, gradients, [*moments.first, *moments.second])]
    assert measured == list(state_bytes(planned.count.total, "float32"))
    assert sum(measured) == 16 * gpt2_parameters(**shape).total
    assert held(moments.steps) == 4 * len(parameters), "all else that the optimiser holds: one counter for each tensor"


@pytest.mark.parametrize("case", MEASURED)
def test_activations_are_what_torch_saves(case: dict[str, int]) -> None:
    """What is saved for the way back, in float32 without dropout, is what the plan says and at most 0.6% beside it.

    Beside it are, for each token, mean and deviation of every norm, the sum of each head's softmax and the target.
    """
    shape = {key: value for key, value in case.items() if key != "sequences"}
    planned, model = lab_model(**shape)
    generator = torch.Generator().manual_seed(0)
    windows = torch.randint(0, case["vocab_size"], (case["sequences"], case["context"] + 1), generator=generator)
    given = {one.untyped_storage().data_ptr() for one in (*model.parameters(), windows)}
    saved: list[Tensor] = []

    def keep(one: Tensor) -> Tensor:
        saved.append(one)
        return one

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        loss = model.loss_sum(windows)
    measured = held([one for one in saved if one.untyped_storage().data_ptr() not in given])
    assert loss.requires_grad

    plan = training_memory(planned, case["sequences"], precision="float32", recompute="selective")
    tokens = case["sequences"] * case["context"]
    norms = 2 * 4 * (2 * planned.n_layer + 1)
    beside = tokens * (norms + 4 * planned.n_layer * planned.n_head + 8)
    assert plan.activations + plan.logits + beside == pytest.approx(measured, abs=64)
    assert plan.activations + plan.logits == pytest.approx(measured, rel=0.006)


@pytest.mark.parametrize(
    ("stage", "gigabytes"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)]
)  # Rajbhandari et al. 2020, figure 1: 7.5B parameters on 64 devices
def test_zero_shards_as_its_figure_says(stage: int, gigabytes: float) -> None:
    whole = sum(state_bytes(7_500_000_000, "mixed", stage=stage, devices=64))
    assert whole / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_sixteen_bytes_either_way() -> None:
    assert sum(bytes_per_parameter("float32")) == sum(bytes_per_parameter("mixed")) == 16
    assert sum(state_bytes(1_500_000_000, "mixed")) == 24e9  # ZeRO, section 3.1: GPT-2 needs 24 GB


def gpt3() -> Architecture:
    return of_shape("gpt2", 96, 12_288, vocab_size=51_200, context=2048)


def test_activations_are_korthikantis_in_two_bytes_with_dropout() -> None:
    """Equations 1, 2 and 6 of arXiv 2205.05198: s b h (34 + 5 a s / h) a layer, 34 s b h, 2 s b h."""
    one, b = gpt3(), 1
    s, h, a, layers = one.context, one.d_model, one.n_head, one.n_layer
    given: dict[str, Any] = {"precision": "mixed", "dropout": True}
    final = 4 * s * b * h  # section 4.3: the input of the final norm and of the output matrix
    assert layer_bytes(one, b, fused=False, **given) == s * b * h * (34 + 5 * a * s / h)
    assert layer_bytes(one, b, **given) == 34 * s * b * h
    assert activation_bytes(one, b, recompute="none", **given) - final == layers * s * b * h * (34 + 5 * a * s / h)
    assert activation_bytes(one, b, recompute="selective", **given) - final == 34 * s * b * h * layers
    assert activation_bytes(one, b, recompute="full", **given) - final == 2 * s * b * h * layers
    assert 5 * a * s / h == pytest.approx(80)  # section 5: GPT-3's
    assert training_memory(one, b, **given).logits == 4 * s * b * one.vocab_size


def test_a_llama_keeps_its_gate_too() -> None:
    gpt = of_shape("gpt2", 32, 4096, vocab_size=32_000, context=4096)
    llama = of_shape("llama", 32, 4096, vocab_size=32_000, context=4096)
    shared = of_shape("llama", 32, 4096, vocab_size=32_000, context=4096, kv_heads=8)
    assert layer_values(gpt) == 16 * 4096
    assert layer_values(llama) == 8 * 4096 + 4 * 11_008
    assert layer_values(llama) - layer_values(shared) == 2 * (4096 - 1024)


def test_the_whole_is_its_parts_and_grows_with_the_batch() -> None:
    one = of_shape("gpt2", 12, 768, vocab_size=50_257, context=1024)
    small, large = (training_memory(one, n, stage=1, devices=4) for n in (2, 4))
    assert small.total == small.states + small.activations + small.logits + small.working
    assert small.states == large.states == 124_439_808 * (4 + 12 / 4)
    assert large.total - large.states == 2 * (small.total - small.states)
    full = training_memory(one, 2, recompute="full")
    assert full.activations < small.activations / 10


def test_the_largest_micro_batch_just_fits() -> None:
    one = of_shape("gpt2", 12, 768, vocab_size=50_257, context=1024)
    found = largest_micro_batch(one, 16e9, most=96)
    assert found == 16
    assert training_memory(one, found).total <= 0.9 * 16e9 < training_memory(one, 24).total
    assert largest_micro_batch(one, 1e9, most=96) == 0
    assert largest_micro_batch(one, 1e15, most=96) == 96


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("precision", {"precision": "int8"}),
        ("recomputation", {"recompute": "some"}),
        ("stage of sharding", {"stage": 4}),
        ("number of devices", {"devices": 0}),
        ("sequences", {"sequences": 0}),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(field: str, changes: dict[str, Any]) -> None:
    wish = {"sequences": 1, **changes}
    with pytest.raises(InputError) as refused:
        training_memory(gpt3(), **wish)
    assert refused.value.field == field
