"""What training curves cannot say about an envelope, in sentences."""

from __future__ import annotations

from scaling_core.language import t, tn


def not_bracketed(low: str, high: str, *, smallest: bool) -> str:
    """That from one compute to another a size at the edge is always best: the smallest, or the largest."""
    if smallest:
        return t(
            "From {low} to {high} the smallest size that reaches a compute is always best, so no optimum is bracketed: "
            "train smaller sizes.",
            low=low,
            high=high,
        )
    return t(
        "From {low} to {high} the largest size that reaches a compute is always best, so no optimum is bracketed: "
        "train larger sizes.",
        low=low,
        high=high,
    )


def few_whole(low: str, high: str, *, sizes: int, whole: int) -> str:
    """That of the sizes that are best somewhere too few have a stretch that is seen whole."""
    return t(
        "From {low} to {high} {sizes} sizes are best somewhere, but only {whole} of them over a stretch that is seen "
        "whole, and a power law needs two: train more sizes, or each over a wider range of tokens.",
        low=low,
        high=high,
        sizes=sizes,
        whole=whole,
    )


def reads_high() -> str:
    """What is true of every envelope of runs whose learning rate falls."""
    return t(
        "Points before the end of a decaying learning rate are not final losses, so this envelope reads high; prefer "
        "isoflop or parametric where each run was trained to its end."
    )


def cut_off(left: int, computes: int) -> str:
    """How many of the computes were left out."""
    return t(
        "{left} of {computes} computes were left out: the stretch of the best size there is cut off.",
        left=left,
        computes=computes,
    )


def one_step(sizes: int) -> str:
    """That hardly more than one size is bracketed."""
    return t("Only {sizes} sizes have a whole stretch of the envelope: the exponent rests on one step.", sizes=sizes)


def too_short(runs: int) -> str:
    """How many runs were left out."""
    return tn(
        "{n} run was left out: fewer than two points after the warm-up.",
        "{n} runs were left out: fewer than two points after the warm-up.",
        runs,
    )


def narrow(decades: float) -> str:
    """That the envelope spans few decades of compute."""
    return t("Narrow range: the envelope spans {decades:.1f} decades of compute; extrapolate by less.", decades=decades)
