"""From a number of parameters to a model that has it: layers, width, heads, with the exact count.

The rule is the published shapes of GPT-3 (Brown et al. 2020, table 2.1), and the lab's two smaller ones, with depth
interpolated between them. How deep is a matter of a few percent: at one N the ratio of width to depth may vary by a
factor of 40 with little effect, and 6 layers 4,288 wide come within 3% of the loss of 48 layers 1,600 wide (Kaplan et
al. 2020, figure 5). So a rule whose models are known to train well beats one that is fitted to the last digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from scaling_core.errors import InputError
from scaling_core.flops import ParameterCount, gpt2_parameters, llama_hidden, llama_parameters
from scaling_core.language import t, tn
from scaling_core.optimum.core import named
from scaling_core.units import format_quantity

Style = Literal["gpt2", "llama"]
Counted = Literal["total", "non_embedding"]

SHAPES: tuple[tuple[int, int], ...] = (
    (4, 128), (6, 384), (12, 768), (24, 1024), (24, 1536), (24, 2048), (32, 2560), (32, 4096), (40, 5120), (96, 12288),
)  # fmt: skip
"""(layers, width) that the depth is read from. From 12x768 on: Brown et al. 2020, table 2.1, where the width of the 13B
model is printed as 5140, which 40 heads of 128 cannot have. 4x128 and 6x384 are the talk's small models."""
SOURCE = "Brown et al. 2020, table 2.1; Kaplan et al. 2020, figure 5"

WIDE = 2048
"""From this width on heads are 128 wide and widths multiples of 128, below 64 (Brown et al. 2020, table 2.1)."""
ASPECT = 1.5
"""Times by which the depth may leave the rule so that N is met more closely."""
MOST_PARAMS = 1e15


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """One model, with its exact parameters and what was asked for.

    n_kv_head: heads of keys and values. hidden: width of the MLP. context: tokens of a sequence. wanted: the N asked
    for, counted as `counted` says.
    """

    style: Style
    n_layer: int
    d_model: int
    n_head: int
    n_kv_head: int
    hidden: int
    vocab_size: int
    context: int
    count: ParameterCount
    wanted: float
    counted: Counted

    @property
    def params(self) -> int:
        """N as it was asked for: every parameter, or those outside embeddings and head."""
        return self.count.total if self.counted == "total" else self.count.non_embedding

    @property
    def deviation(self) -> float:
        """N over the wanted N, less 1: 0.02 where the model is 2% larger."""
        return self.params / self.wanted - 1.0

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.d_model // self.n_head

    @property
    def kv_width(self) -> int:
        """Width of the keys, and of the values, of all heads together."""
        return self.head_width * self.n_kv_head

    @property
    def name(self) -> str:
        """Layers x width: 12x768."""
        return f"{self.n_layer}x{self.d_model}"

    @property
    def flops_non_embedding(self) -> float:
        """Training FLOP for a token without embedding and head, attention included: 6 N + 12 L d T.

        For GPT-2's block this is the 72 L d^2 + 12 L d T of Bi et al. 2024 (DeepSeek LLM), equation 2, with biases.
        """
        return 6.0 * self.count.non_embedding + 12.0 * self.n_layer * self.d_model * self.context

    def sentence(self) -> str:
        """The model in one sentence."""
        return t(
            "{shape} with heads of {head_width}: {params} parameters, {off:+.1%} from the {wanted} asked for.",
            shape=tn("1 layer {width:,} wide", "{n} layers {width:,} wide", self.n_layer, width=self.d_model),
            head_width=self.head_width,
            params=format_quantity(self.params, 4),
            off=self.deviation,
            wanted=format_quantity(self.wanted, 4),
        )


def rule_depth(width: float) -> float:
    """Layers that the rule gives a width: log-linear between `SHAPES`, width / 32 below them and width / 128 beyond."""
    if width <= SHAPES[0][1]:
        return width / 32.0
    for (shallow, narrow), (deep, wide) in pairwise(SHAPES):
        if width <= wide:
            share = math.log(width / narrow) / math.log(wide / narrow)
            return shallow * math.pow(deep / shallow, share)
    return width / 128.0


def head_width(width: int) -> int:
    """Width of a head in a model of that width, and what the width is a multiple of."""
    return 64 if width < WIDE else 128


def of_shape(
    style: Style,
    n_layer: int,
    d_model: int,
    *,
    vocab_size: int,
    context: int,
    kv_heads: int | None = None,
    wanted: float | None = None,
    counted: Counted = "total",
) -> Architecture:
    """The model of that depth and width. wanted: N asked for, by default its own. Raises InputError on a bad field."""
    if style not in get_args(Style):
        raise InputError(t("style"), style, t("it must be one of {names}", names=", ".join(get_args(Style))))
    for name, value, most in (
        (t("layers"), n_layer, 4096),
        (t("vocabulary"), vocab_size, 2**22),
        (t("context, tokens"), context, 2**24),
    ):
        if type(value) is not int or not 1 <= value <= most:
            raise InputError(name, value, t("it must be a whole number from {least} to {most}", least=1, most=most))
    if type(d_model) is not int or d_model < 1 or d_model % head_width(d_model):
        raise InputError(t("width"), d_model, t("it must be a multiple of {head}", head=head_width(max(1, d_model))))
    n_head = d_model // head_width(d_model)
    if kv_heads is not None and (style != "llama" or kv_heads < 1 or n_head % kv_heads):
        raise InputError(
            t("heads of keys"), kv_heads, t("a Llama style model has as many as divide its {heads} heads", heads=n_head)
        )
    if style == "gpt2":
        hidden = 4 * d_model
        count = gpt2_parameters(n_layer=n_layer, d_model=d_model, vocab_size=vocab_size, context=context)
    else:
        hidden = llama_hidden(d_model)
        count = llama_parameters(
            n_layer=n_layer, d_model=d_model, n_head=n_head, n_kv_head=kv_heads, vocab_size=vocab_size
        )
    own = count.total if counted == "total" else count.non_embedding
    return Architecture(
        style=style,
        n_layer=n_layer,
        d_model=d_model,
        n_head=n_head,
        n_kv_head=kv_heads or n_head,
        hidden=hidden,
        vocab_size=vocab_size,
        context=context,
        count=count,
        wanted=float(own) if wanted is None else wanted,
        counted=counted,
    )


def architecture_for(
    params: float,
    *,
    style: Style = "gpt2",
    vocab_size: int = 50257,
    context: int = 1024,
    kv_heads: int | None = None,
    counted: Counted = "total",
) -> Architecture:
    """The model of the rule whose N is nearest to `params`.

    First the width: the multiple of 64, from 2,048 on of 128, at which the rule's depth, taken as a real number, comes
    nearest to N. Then the layers: the whole number that comes nearest, within a factor of 1.5 of the rule's depth. The
    widths below and above are tried as well, and the one is taken that misses N least, where a factor in depth counts a
    tenth of one in N. The published shapes come out exactly for their own N.
    counted: which parameters `params` means. Raises InputError on a bad field and where no model is that small.
    """
    if counted not in get_args(Counted):
        raise InputError(
            t("what counts as parameters"), counted, t("it must be one of {names}", names=", ".join(get_args(Counted)))
        )
    if not (math.isfinite(params) and 0 < params <= MOST_PARAMS):
        raise InputError(named("params"), params, t("it must be a positive number up to {most}", most="1e15"))

    def model(layers: int, width: int, kv: int | None = kv_heads) -> Architecture:
        return of_shape(
            style, layers, width, vocab_size=vocab_size, context=context, kv_heads=kv, wanted=params, counted=counted
        )

    def pieces(width: int) -> tuple[int, int]:
        """Parameters of a layer and of all that is no layer, at that width."""
        one, two = model(1, width, None).params, model(2, width, None).params
        return two - one, 2 * one - two

    least = model(1, 64, None).params
    if params < 0.5 * least:
        raise InputError(
            named("params"),
            params,
            t(
                "the smallest model here, 1 layer 64 wide with {vocab:,} tokens, has {least} parameters",
                vocab=vocab_size,
                least=format_quantity(least),
            ),
        )

    def by_rule(width: int) -> float:
        layer, rest = pieces(width)
        return layer * rule_depth(width) + rest

    low, high = 1, 2  # the rule's N grows with the width: find the grid point below it by halving
    while by_rule(_grid(high)) < params:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if by_rule(_grid(middle)) < params else (low, middle)
    centre = min((low, high), key=lambda k: abs(math.log(by_rule(_grid(k)) / params)))
    found: list[Architecture] = []
    for k in (centre, centre - 1, centre + 1):
        if k < 1:
            continue
        width = _grid(k)
        layer, rest = pieces(width)
        layers, depth = max(1, round((params - rest) / layer)), rule_depth(width)
        layers = min(max(layers, math.ceil(depth / ASPECT), 1), max(1, math.floor(depth * ASPECT)))
        if kv_heads is None or (width // head_width(width)) % kv_heads == 0:
            found.append(model(layers, width))
    if not found:
        raise InputError(
            t("heads of keys"), kv_heads, t("it divides the heads of no model of this size; 8 or fewer divide most")
        )
    return min(
        found,
        key=lambda one: abs(math.log(one.params / params)) + 0.1 * abs(math.log(one.n_layer / rule_depth(one.d_model))),
    )


def _grid(k: int) -> int:
    """Width number k from 1 on: multiples of 64 up to 2,048, of 128 beyond."""
    return 64 * k if k <= WIDE // 64 else WIDE + 128 * (k - WIDE // 64)
