"""Rules from which every number of a rung follows: shapes, batch, rate, warm-up, schedule. Knows no torch.

The rules say how a model of N parameters is trained; how long that takes is the planner's question.
"""

from __future__ import annotations

import math
from typing import Literal

from scaling_core.errors import InputError
from scaling_core.flops import flops_per_token, training_flops
from scaling_core.lab.records import LinePlan, RunPlan
from scaling_core.lab.spec import Mode, Shape, SweepSpec
from scaling_core.language import t

BASE_WIDTH_LAYERS: tuple[tuple[int, int], ...] = (
    (2, 16), (2, 24), (2, 32), (2, 40), (2, 48), (2, 64), (3, 72), (4, 80), (4, 104), (4, 128), (5, 144), (6, 176),
    (6, 224), (6, 288), (6, 384), (8, 448), (10, 512), (10, 640), (12, 768), (16, 832), (18, 960), (24, 1024),
    (24, 1280),
)  # fmt: skip
"""(layers, width), each 1.4 to 1.9 times the parameters of the one before; depth grows slower than width."""

MICRO_BATCH_TOKENS = 16_384
"""Most tokens of one forward pass: above 32,768 older MPS releases computed wrong weight gradients."""

WARMUP_SHARE = 0.1
"""Warm-up never takes more than this share of the steps of the rung's shortest run."""

BETA1 = 0.9
WEIGHT_DECAY = 0.1
CLIP_NORM = 1.0
MOST_RATE = 1e-2
"""Peak rate that the rule never exceeds; a factor on it may."""

Track = Literal["trunk", "branch"]


def heads_for(width: int) -> int:
    """Number of heads: 16 wide in models narrower than 64, 32 up to 256, 64 beyond, as far as they divide the width.

    width in units. Returns the number whose head dimension is nearest to the aim and lies between 16 and 64.
    """
    aim = 16 if width < 64 else 32 if width <= 256 else 64
    fitting = [n for n in range(1, width + 1) if width % n == 0 and 16 <= width // n <= 64]
    if not fitting:
        raise InputError("d_model", width, t("it must have a divisor between 16 and 64, the width of a head"))
    return min(fitting, key=lambda n: (abs(math.log(width / n / aim)), -n))


def ladder_shapes() -> tuple[Shape, ...]:
    """Shapes on offer, ascending from 11 thousand to 470 million parameters (with head, 256 bytes).

    Among them GPT-2 small's and medium's blocks: 4x128, 6x384, 12x768 and 24x1024.
    """
    return tuple(Shape(n_layer=layers, d_model=d, n_head=heads_for(d)) for layers, d in BASE_WIDTH_LAYERS)


def batch_sequences(params: int, context: int) -> int:
    """Sequences in one optimiser step: about 0.6 N^0.65 tokens, between 512 and 131,072, in even or rounder numbers.

    params: N with head. context: tokens of a sequence. Small models gain more from many small steps than they lose
    in speed: 2x32 at ten tokens a parameter ends at 2.18 nats with 512 tokens a step and at 2.29 with 1,024; 2x64 at
    1.68 with 1,024. From 10 million parameters the rule stays within a factor of two of 0.58 D^0.571 tokens at
    D = 20 N (Step Law, Li et al. 2025).
    """
    if params < 1:
        raise InputError("params", params, t("a model has at least one parameter"))
    if context < 1:
        raise InputError("context", context, t("a sequence has at least one token"))
    sequences = min(max(0.6 * math.pow(params, 0.65), 512.0), 131_072.0) / context
    quantum = 1 if sequences < 4 else 2 if sequences < 32 else 4 if sequences < 64 else 16
    return max(1, quantum * round(sequences / quantum))


def learning_rate(params_non_embedding: int, *, coefficient: float = 5e-3, exponent: float = -0.23) -> float:
    """Peak rate of AdamW: coefficient (N / 100000)^exponent, at most 0.01, N parameters outside embeddings and head.

    The numbers that stand here by default, which a sweep of rates on one's own machine replaces, were measured on the
    standard library's source at ten tokens a parameter with one seed, under the batches above; the
    best rate is the vertex of a parabola in its logarithm (nats at each rate):

        N =  25,472 (2x32,   512 tokens a step)  0.0080   0.005: 2.218   0.0087: 2.189  0.013: 2.238
        N = 100,096 (2x64, 1,024 tokens a step)  0.0048   0.0045: 1.675  0.007: 1.686   0.011: 1.730

    Beyond, nothing was measured here: the exponent is drawn to 0.0011 at 12x768, about what GPT-2 small is trained
    best with, and so lies below the -0.38 between the two sizes. The smaller of them loses 0.002 nats by that.
    """
    if params_non_embedding < 1:
        raise InputError("params_non_embedding", params_non_embedding, t("a model has at least one parameter"))
    return min(MOST_RATE, coefficient * math.pow(params_non_embedding / 1e5, exponent))


def beta2(batch_tokens: int) -> float:
    """AdamW's second beta: its average spans about 20,000 tokens, but never fewer than 20 steps nor more than 100.

    beta2 = 1 - batch_tokens / 20480, kept between 0.95 and 0.99. Measured with 2x32 at ten tokens a parameter:
    with 1,024 tokens a step it ends at 2.351 nats with 0.95, at 2.375 with 0.99; with 512 at 2.278 with 0.97, at
    2.285 with 0.95.
    """
    if batch_tokens < 1:
        raise InputError("batch_tokens", batch_tokens, t("a batch has at least one token"))
    return min(0.99, max(0.95, 1.0 - batch_tokens / 20_480))


def warmup_steps(params: int, batch_tokens: int, shortest_steps: int) -> int:
    """Steps of linear warm-up: about N tokens, at most a tenth of the shortest run of the rung, at least one.

    params: N with head. shortest_steps: steps of the shortest horizon. A warm-up of fixed length is longer than
    the small models' whole optimum and bends the law (Porian et al. 2024, section 3.3).
    """
    by_tokens = math.ceil(params / batch_tokens)
    return max(1, min(by_tokens, math.floor(WARMUP_SHARE * shortest_steps)))


def schedule(step: int, *, peak: float, warmup: int, decay_from: int | None = None, steps: int | None = None) -> float:
    """Learning rate of optimiser step `step`, counted from 0: a pure function, so that a resumed run sees the same.

    Trunk (no `decay_from`): peak * min(1, (step + 1) / warmup). Branch: from `decay_from` to `steps` the peak is
    multiplied by 1 - sqrt((step - decay_from + 1) / (steps - decay_from + 1)), which is positive in every step.
    Source: Hagele et al. 2024 (arXiv 2405.18392), section 4, the 1-sqrt cooldown.
    """
    rate = peak * min(1.0, (step + 1) / warmup)
    if decay_from is None or steps is None or step < decay_from:
        return rate
    share = (step - decay_from + 1) / (steps - decay_from + 1)
    return rate * (1.0 - math.sqrt(min(1.0, share)))


def curve_every(steps: int) -> int:
    """Steps that one row of the loss curve averages over: about 200 rows a run."""
    return max(1, steps // 200)


def validation_windows(mode: Mode) -> int:
    """Windows of the fixed validation set: the same for every rung of a sweep, more where time allows."""
    return {"smoke": 256, "live": 768, "quick": 2048, "standard": 4096, "full": 4096}[mode]


def memory_estimate(shape: Shape, *, vocab_size: int, context: int, batch_sequences: int) -> int:
    """Bytes that training needs at its peak, in float32: weights, gradients and two moments, and activations.

    16 bytes a parameter; a token keeps about 22 d values a layer, with fused attention, and 4 V for the head. Micro-
    batches bound the tokens. An estimate within a factor of two: 6x176 with 10,240 tokens took 0.9 GB, this says 1.0.
    """
    count = shape.parameters(vocab_size=vocab_size, context=context).total
    tokens = min(batch_sequences * context, max(context, MICRO_BATCH_TOKENS))
    kept = tokens * (22 * shape.d_model * shape.n_layer + 4 * vocab_size) * 4
    return 16 * count + kept


def plan_lines(spec: SweepSpec) -> tuple[LinePlan, ...]:
    """Every line of a sweep in the order in which they are trained: by size, then by seed, then by rate."""
    return tuple(
        plan_line(spec, rung, index=index, factor=factor)
        for rung in range(len(spec.shapes))
        for index in range(spec.seed_count(rung))
        for factor in spec.rate_factors
    )


def plan_line(spec: SweepSpec, rung: int, *, index: int = 0, factor: float = 1.0) -> LinePlan:
    """Work out how one size is trained: batch, rate, warm-up, trunk, and a branch for every horizon.

    index: which of the rung's seeds. factor: on the rate. A run at horizon h sees about h N tokens (N with head),
    rounded up to whole steps; its branch leaves the trunk when `1 - decay_fraction` of its steps are done. `seconds`
    stays 0 for the planner to fill in.
    """
    shape = spec.shapes[rung]
    count = spec.parameters(shape)
    sequences = batch_sequences(count.with_head, spec.context)
    batch_tokens = sequences * spec.context
    exact = flops_per_token(
        n_layer=shape.n_layer, d_model=shape.d_model, vocab_size=spec.vocab_size, context=spec.context
    )
    memory = memory_estimate(shape, vocab_size=spec.vocab_size, context=spec.context, batch_sequences=sequences)
    track = track_name(rung, index, factor if spec.tunes else 1.0)
    runs: list[RunPlan] = []
    for horizon, steps in run_lengths(spec, count.with_head, batch_tokens):
        decay = min(steps - 1, max(1, round(spec.decay_fraction * steps)))
        tokens = steps * batch_tokens
        runs.append(
            RunPlan(
                id=f"{track}-h{horizon:g}",
                track=track,
                rung=rung,
                shape=shape,
                horizon=horizon,
                seed=spec.line_seed(index),
                rate_factor=factor,
                params=count.with_head,
                params_non_embedding=count.non_embedding,
                params_total=count.total,
                tokens=tokens,
                steps=steps,
                decay_from=steps - decay,
                flops=training_flops(count.with_head, tokens),
                flops_exact=exact * tokens,
                seconds=0.0,
                memory_bytes=memory,
                held_out=rung >= len(spec.shapes) - spec.held_out,
            )
        )
    rate = learning_rate(count.non_embedding, coefficient=spec.rate_coefficient, exponent=spec.rate_exponent)
    return LinePlan(
        rung=rung,
        track=track,
        shape=shape,
        seed=spec.line_seed(index),
        rate_factor=factor,
        batch_sequences=sequences,
        learning_rate=rate * factor,
        beta2=beta2(batch_tokens),
        warmup_steps=warmup_steps(count.with_head, batch_tokens, runs[0].steps),
        trunk_steps=runs[-1].decay_from,
        runs=tuple(runs),
    )


def track_name(rung: int, index: int = 0, factor: float = 1.0) -> str:
    """The name of a line: 'r3', 'r3-s1' for its second seed, 'r3-x0.5' at half the rate."""
    return f"r{rung}" + (f"-s{index}" if index else "") + (f"-x{factor:g}" if factor != 1.0 else "")


def run_lengths(spec: SweepSpec, params: int, batch_tokens: int) -> list[tuple[float, int]]:
    """Horizon and optimiser steps of each run of a size: not fewer than `least_steps`, and cut at `max_steps`.

    The longest horizon stays whatever its steps; horizons beyond `max_steps` become one that ends there.
    """
    lengths = [(h, max(2, math.ceil(h * params / batch_tokens))) for h in spec.horizons]
    lengths = [one for one in lengths[:-1] if one[1] >= spec.least_steps] + lengths[-1:]
    if spec.max_steps is None or lengths[-1][1] <= spec.max_steps:
        return lengths
    within = [(h, steps) for h, steps in lengths if steps < spec.max_steps]
    return [*within, (round(spec.max_steps * batch_tokens / params, 2), spec.max_steps)]
