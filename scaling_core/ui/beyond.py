"""The sentences of the page "Beyond the optimum": each part's question, its answer in numbers, and the reason."""

from __future__ import annotations

from scaling_core.catalog import Preset
from scaling_core.optimum import InferenceOptimum, Overtrained, RepeatedOptimum
from scaling_core.ui.words import percent, ratio
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.beyond import share_text
from scaling_core.viz.wall import epochs_text

Words = tuple[str, str, str]
"""Question, answer, and the sentences after it."""
LITTLE = 0.005
"""A saving below this share is no reason for another model."""


def source_line(law: Preset | None) -> str:
    """Where the law of repeated data comes from, in one line of plain text."""
    return f"{law.name}. Source: {law.source}." if law else "Your own constants: no source."


def served_words(found: InferenceOptimum) -> Words:
    """The model that is cheapest to train and to serve, against the one that is cheapest to train."""
    question = "How small should a model be that will be served?"
    best = found.optimum
    alone = f"{format_quantity(best.N)} on {format_quantity(best.D)}"
    if found.saving < LITTLE:
        return (
            question,
            f"Hardly smaller: {alone} is the best to train, and as good to serve.",
            f"{format_quantity(found.D_inference)} tokens are too few to matter: a smaller model could save "
            f"{percent(found.saving)} of the compute.",
        )
    more = found.training_flops / best.C - 1.0
    less = 1.0 - found.N / best.N
    return (
        question,
        f"{format_quantity(found.N)} parameters on {format_quantity(found.D)} tokens, where training alone asks for "
        f"{alone}.",
        f"Both reach {format_loss(found.loss)} nats per token. To serve {format_quantity(found.D_inference)} tokens "
        f"the smaller one takes {percent(more)} more training and {percent(less)} less serving, "
        f"{percent(found.saving)} less compute in all.",
    )


def overtrained_words(found: Overtrained, times: float) -> Words:
    """How small a model reaches the same loss for a multiple of the training compute."""
    question = "How small can it be, if it may train longer?"
    best = found.optimum
    if times <= 1.0:
        answer = f"No smaller than {format_quantity(best.N)}: with no more compute than the least, it is the optimum."
    else:
        answer = (
            f"{times:.3g} times the training makes it {share_text(found.fraction)} of the size: "
            f"{format_quantity(found.N)} on {format_quantity(found.D)}."
        )
    return (
        question,
        answer,
        f"The loss stays {format_loss(best.loss)} nats per token, with {ratio(found.tokens_per_param)} tokens per "
        f"parameter in place of {ratio(best.tokens_per_param)}. Below {share_text(found.least_fraction)} of the "
        f"optimal size, {format_quantity(found.least_fraction * best.N)}, no amount of data suffices.",
    )


def repeated_words(best: RepeatedOptimum, stop: RepeatedOptimum, within: float) -> Words:
    """How often few tokens are read at the best, and where more compute stops helping.

    stop: the best training `within` nats of the limit.
    """
    question = f"How far do {format_quantity(best.U)} unique tokens go?"
    budget, end = _flops(best.C), _flops(stop.C)
    if best.epochs <= 1.0:
        return (
            question,
            f"Far enough: for {budget} the best training reads {format_quantity(best.D)} of them, each once.",
            f"More compute stops helping at {end}, where they are read {epochs_text(stop.epochs)} times.",
        )
    if best.C < stop.C:
        answer = (
            f"For {budget} they are read {epochs_text(best.epochs)} times; from {end} on, more compute stops helping."
        )
    else:
        answer = f"No further: all compute beyond {end} buys less than {within:g} nats."
    return (
        question,
        answer,
        f"The best for {budget} is {format_quantity(best.N)} parameters; its {format_quantity(best.D)} tokens are "
        f"worth {format_quantity(best.D_effective)} new ones. Unlimited data reach the same "
        f"{format_loss(best.loss)} nats per token with {_flops(best.compute_equivalent)}.",
    )


def _flops(C: float) -> str:
    """Compute that no line end divides: 3.15 × 10²³ FLOP."""
    return f"{scientific(C)} FLOP".replace(" ", "\u00a0")
