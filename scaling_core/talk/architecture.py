"""Claims about the sizes of models, and of a brain."""

from __future__ import annotations

from scaling_core.flops import flops_per_token, gpt2_parameters
from scaling_core.language import t
from scaling_core.talk.rules import Check, Finding, number
from scaling_core.talk.table import Claim
from scaling_core.units import format_quantity

FLOP_PER_WEIGHT = 6.0
"""Two in the forward pass and four in the backward pass, for each weight and token."""


def size(claim: Claim) -> Finding:
    """12 L d^2 without embeddings, and (V + T) d more with them; biases and norms, 1% at most, are left out.

    The claim's input `embeddings` says which of the two is shown; the printed number is right if it meets either.
    """
    L, d, V, T = (int(claim.x(name)) for name in ("layers", "width", "vocabulary", "context"))
    weights = flops_per_token(n_layer=L, d_model=d, vocab_size=0, context=0) / FLOP_PER_WEIGHT
    count = gpt2_parameters(n_layer=L, d_model=d, vocab_size=V, context=T)
    total = weights + count.token_embedding + count.position_embedding
    return number(
        claim,
        total if claim.x("embeddings") else weights,
        t(
            "12 L d² is {weights} without embeddings, and with {V:,} tokens and {T:,} positions it is {total}.",
            weights=format_quantity(weights),
            V=V,
            T=T,
            total=format_quantity(total),
        ),
        compared=(weights, total),
    )


def brain(claim: Claim) -> Finding:
    """Parameters as a share of synapses, in per cent."""
    N, synapses = claim.x("N"), claim.x("synapses")
    share = 100.0 * N / synapses
    reason = t("{N} of {all} is {share:.3g}%.", N=format_quantity(N), all=format_quantity(synapses), share=share)
    return number(claim, share, reason)


CHECKS: dict[str, Check] = {
    "small-params-4x128": size,
    "small-params-6x384": size,
    "small-params-12x768": size,
    "small-params-24x1024": size,
    "brain-params": brain,
}
"""The check of each claim of this room, by id."""
