"""From a wanted N to a model: published shapes come out exactly, everything between them close, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core.errors import InputError
from scaling_core.flops import gpt2_parameters, llama_hidden, llama_parameters
from scaling_core.planning.architecture import (
    ASPECT,
    SHAPES,
    Counted,
    Style,
    architecture_for,
    of_shape,
    rule_depth,
)


@pytest.mark.parametrize(
    ("shape", "total"),
    [
        ({"n_layer": 32, "d_model": 4096, "n_head": 32, "vocab_size": 32_000}, 6_738_415_616),  # Llama 2 7B
        ({"n_layer": 40, "d_model": 5120, "n_head": 40, "vocab_size": 32_000}, 13_015_864_320),  # Llama 2 13B
        (
            {"n_layer": 80, "d_model": 8192, "n_head": 64, "n_kv_head": 8, "hidden": 28_672, "vocab_size": 32_000},
            68_976_648_192,  # Llama 2 70B
        ),
        (
            {"n_layer": 32, "d_model": 4096, "n_head": 32, "n_kv_head": 8, "hidden": 14_336, "vocab_size": 128_256},
            8_030_261_248,  # Llama 3 8B
        ),
    ],
)
def test_llama_counts_are_those_of_the_released_checkpoints(shape: dict[str, Any], total: int) -> None:
    count = llama_parameters(**shape)
    assert count.total == total
    assert count.position_embedding == 0
    assert count.with_head == total - shape["vocab_size"] * shape["d_model"]


def test_llama_by_hand() -> None:
    d, hidden, layers, vocab = 256, 768, 3, 100
    assert llama_hidden(d) == hidden
    block = 4 * d * d + 3 * d * hidden + 2 * d
    assert llama_parameters(n_layer=layers, d_model=d, n_head=4, vocab_size=vocab).blocks == layers * block + d
    shared = llama_parameters(n_layer=layers, d_model=d, n_head=4, n_kv_head=1, vocab_size=vocab)
    assert shared.blocks == layers * (block - 2 * d * d * 3 // 4) + d
    assert llama_parameters(n_layer=1, d_model=d, n_head=4, vocab_size=vocab, tied=True).head == 0


@pytest.mark.parametrize(("d", "hidden"), [(4096, 11_008), (5120, 13_824), (64, 256)])
def test_the_mlp_of_a_llama_is_as_wide_as_published(d: int, hidden: int) -> None:
    assert llama_hidden(d) == hidden


def talk_shapes() -> list[tuple[int, int]]:
    table = Path(__file__).resolve().parents[2] / "data" / "talk_claims.csv"
    with table.open(encoding="utf-8", newline="") as lines:
        rows = [row["inputs"] for row in csv.DictReader(lines) if row["topic"] == "architecture"]
    fields = [dict(word.strip().split("=") for word in row.split(";")) for row in rows]
    return [(int(one["layers"]), int(one["width"])) for one in fields]


def test_the_talks_shapes_come_out_for_their_own_n() -> None:
    shapes = talk_shapes()
    assert shapes == [(4, 128), (6, 384), (12, 768), (24, 1024)]
    for layers, width in shapes:
        count = gpt2_parameters(n_layer=layers, d_model=width, vocab_size=50257, context=1024)
        for counted, params in (("total", count.total), ("non_embedding", count.non_embedding)):
            found = architecture_for(params, counted=counted)  # type: ignore[arg-type]  # two of two names
            assert (found.n_layer, found.d_model, found.params, found.deviation) == (layers, width, params, 0.0)
    assert architecture_for(124_439_808).count.total == 124_439_808
    assert architecture_for(124_439_808).n_head == 12


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("counted", get_args(Counted))
@pytest.mark.parametrize(("layers", "width"), SHAPES)
def test_every_published_shape_is_a_fixed_point(style: Style, counted: Counted, layers: int, width: int) -> None:
    own = of_shape(style, layers, width, vocab_size=32_000, context=2048, counted=counted)
    found = architecture_for(own.params, style=style, vocab_size=32_000, context=2048, counted=counted)
    assert (found.name, found.params) == (own.name, own.params)


def test_llama_2_7b_comes_out_for_its_own_n() -> None:
    found = architecture_for(6_738_415_616, style="llama", vocab_size=32_000, context=4096)
    assert (found.n_layer, found.d_model, found.n_head, found.hidden) == (32, 4096, 32, 11_008)
    assert found.params == 6_738_415_616


@given(
    exponent=st.floats(6.0, 14.5),
    style=st.sampled_from(get_args(Style)),
    vocab=st.sampled_from([256, 32_000, 50_257, 128_256]),
)
def test_any_n_is_met_closely_and_near_the_rule(exponent: float, style: Style, vocab: int) -> None:
    wanted = 10.0**exponent
    found = architecture_for(wanted, style=style, vocab_size=vocab, counted="non_embedding")
    assert abs(found.deviation) < (0.12 if wanted > 4e6 else 0.3)
    assert found.params == found.count.non_embedding
    assert found.d_model % 64 == 0
    assert found.head_width in (64, 128)
    assert found.head_width * found.n_head == found.d_model
    depth = rule_depth(found.d_model)
    assert depth / ASPECT - 1 <= found.n_layer <= depth * ASPECT + 1
    assert found.deviation == pytest.approx(found.params / wanted - 1, rel=1e-12)


def test_more_parameters_never_give_a_smaller_model() -> None:
    sizes = [architecture_for(10 ** (7 + k / 40)).params for k in range(280)]
    assert sizes == sorted(sizes)


def test_heads_of_keys_are_shared_where_they_divide() -> None:
    grouped = architecture_for(8e9, style="llama", vocab_size=128_256, kv_heads=8)
    assert grouped.n_head % 8 == 0
    assert grouped.kv_width == 8 * grouped.head_width
    plain = of_shape("llama", grouped.n_layer, grouped.d_model, vocab_size=128_256, context=1024)
    saved = 2 * grouped.n_layer * grouped.d_model * (grouped.d_model - grouped.kv_width)
    assert plain.count.total - grouped.count.total == saved


def test_flop_without_embeddings_are_deepseeks() -> None:
    """Bi et al. 2024, table 3: 7B has 30 layers 4,096 wide at 4,096 tokens, 72 L d^2 + 12 L d T."""
    found = of_shape("gpt2", 30, 4096, vocab_size=102_400, context=4096)
    assert found.flops_non_embedding == pytest.approx(72 * 30 * 4096**2 + 12 * 30 * 4096 * 4096, rel=2.5e-4)


def test_the_sentence_says_shape_and_distance() -> None:
    assert str(architecture_for(1.25e8).sentence()).startswith("12 layers 768 wide with heads of 64")
    assert "from the 125M asked for" in architecture_for(1.25e8).sentence()
    assert of_shape("gpt2", 1, 64, vocab_size=256, context=64).sentence().startswith("1 layer 64 wide")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("params", {"params": 1e5}),
        ("params", {"params": 0.0}),
        ("params", {"params": float("nan")}),
        ("params", {"params": 1e16}),
        ("style", {"style": "bert"}),
        ("what counts as parameters", {"counted": "some"}),
        ("vocabulary", {"vocab_size": 0}),
        ("context, tokens", {"context": -1}),
        ("heads of keys", {"kv_heads": 2}),
        ("heads of keys", {"style": "llama", "kv_heads": 1000}),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(field: str, changes: dict[str, object]) -> None:
    wish: dict[str, object] = {"params": 1e8, **changes}
    with pytest.raises(InputError) as refused:
        architecture_for(**wish)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field
