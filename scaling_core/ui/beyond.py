"""The sentences of the page "Beyond the optimum": each part's question, its answer in numbers, and the reason."""

from __future__ import annotations

from scaling_core.catalog import Preset
from scaling_core.language import t
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
    if law is None:
        return t("Your own constants: no source.")
    return t("{name}. Source: {source}.", name=law.told("name"), source=law.told("source"))


def served_words(found: InferenceOptimum) -> Words:
    """The model that is cheapest to train and to serve, against the one that is cheapest to train."""
    question = t("How small should a model be that will be served?")
    best = found.optimum
    alone = {"best_N": format_quantity(best.N), "best_D": format_quantity(best.D)}
    served, saved = format_quantity(found.D_inference), percent(found.saving)
    if found.saving < LITTLE:
        return (
            question,
            t("Hardly smaller: {best_N} on {best_D} is the best to train, and as good to serve.", **alone),
            t(
                "{served} tokens are too few to matter: a smaller model could save {saved} of the compute.",
                served=served,
                saved=saved,
            ),
        )
    return (
        question,
        t(
            "{N} parameters on {D} tokens, where training alone asks for {best_N} on {best_D}.",
            N=format_quantity(found.N),
            D=format_quantity(found.D),
            **alone,
        ),
        t(
            "Both reach {loss} nats per token. To serve {served} tokens the smaller one takes {more} more training and "
            "{less} less serving, {saved} less compute in all.",
            loss=format_loss(found.loss),
            served=served,
            more=percent(found.training_flops / best.C - 1.0),
            less=percent(1.0 - found.N / best.N),
            saved=saved,
        ),
    )


def overtrained_words(found: Overtrained, times: float) -> Words:
    """How small a model reaches the same loss for a multiple of the training compute."""
    best = found.optimum
    if times <= 1.0:
        answer = t(
            "No smaller than {N}: with no more compute than the least, it is the optimum.", N=format_quantity(best.N)
        )
    else:
        answer = t(
            "{times:.3g} times the training makes it {share} of the size: {N} on {D}.",
            times=times,
            share=share_text(found.fraction),
            N=format_quantity(found.N),
            D=format_quantity(found.D),
        )
    return (
        t("How small can it be, if it may train longer?"),
        answer,
        t(
            "The loss stays {loss} nats per token, with {ratio} tokens per parameter in place of {best_ratio}. Below "
            "{share} of the optimal size, {least}, no amount of data suffices.",
            loss=format_loss(best.loss),
            ratio=ratio(found.tokens_per_param),
            best_ratio=ratio(best.tokens_per_param),
            share=share_text(found.least_fraction),
            least=format_quantity(found.least_fraction * best.N),
        ),
    )


def repeated_words(best: RepeatedOptimum, stop: RepeatedOptimum, within: float) -> Words:
    """How often few tokens are read at the best, and where more compute stops helping.

    stop: the best training `within` nats of the limit.
    """
    question = t("How far do {U} unique tokens go?", U=format_quantity(best.U))
    budget, end = _flops(best.C), _flops(stop.C)
    if best.epochs <= 1.0:
        return (
            question,
            t(
                "Far enough: for {budget} the best training reads {D} of them, each once.",
                budget=budget,
                D=format_quantity(best.D),
            ),
            t(
                "More compute stops helping at {end}, where they are read {epochs} times.",
                end=end,
                epochs=epochs_text(stop.epochs),
            ),
        )
    if best.C < stop.C:
        answer = t(
            "For {budget} they are read {epochs} times; from {end} on, more compute stops helping.",
            budget=budget,
            epochs=epochs_text(best.epochs),
            end=end,
        )
    else:
        answer = t("No further: all compute beyond {end} buys less than {within:g} nats.", end=end, within=within)
    return (
        question,
        answer,
        t(
            "The best for {budget} is {N} parameters; its {D} tokens are worth {worth} new ones. Unlimited data reach "
            "the same {loss} nats per token with {equivalent}.",
            budget=budget,
            N=format_quantity(best.N),
            D=format_quantity(best.D),
            worth=format_quantity(best.D_effective),
            loss=format_loss(best.loss),
            equivalent=_flops(best.compute_equivalent),
        ),
    )


def _flops(C: float) -> str:
    """Compute that no line end divides: 3.15 × 10²³ FLOP."""
    return f"{scientific(C)} FLOP".replace(" ", "\u00a0")
