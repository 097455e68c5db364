"""Parameters in groups and FLOP by convention, so that the reader chooses Kaplan's or Hoffmann's count.

A number of parameters means nothing before one says which ones: Kaplan et al. leave the embeddings out,
Hoffmann et al. count them, and in the small models of a laptop that is most of the model.
"""

from __future__ import annotations

from dataclasses import dataclass

PF_DAY = 8.64e19
"""FLOP in one petaflop/s-day (1e15 FLOP/s for 86,400 s), Kaplan et al. 2020, section 1.3."""


def training_flops(N: float, D: float) -> float:
    """Training compute of a dense model, C = 6 N D.

    N in parameters, D in tokens, C in FLOP: 2 N D for the forward pass and 4 N D for the backward pass;
    attention over the context is left out. Source: Kaplan et al. 2020, section 2.1; Hoffmann et al. 2022, app. F.
    """
    return 6.0 * N * D


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterCount:
    """Parameters of a decoder-only model, in groups.

    blocks: attention and MLP of every layer with their biases and norms, and the final norm.
    token_embedding: V d. position_embedding: T d where positions are learned, 0 where they are rotary.
    head: V d where the output matrix is its own, 0 where it is tied.
    """

    blocks: int
    token_embedding: int
    position_embedding: int
    head: int

    @property
    def total(self) -> int:
        """Every parameter that is stored."""
        return self.blocks + self.token_embedding + self.position_embedding + self.head

    @property
    def non_embedding(self) -> int:
        """Kaplan's N: without token embedding, positions and head (Kaplan et al. 2020, section 2.1)."""
        return self.blocks

    @property
    def with_head(self) -> int:
        """Parameters that multiply an activation: the blocks and the output matrix, tied or not.

        The count by which C = 6 N D is closest to the matrix products really done.
        """
        return self.blocks + (self.head if self.head else self.token_embedding)


def gpt2_parameters(*, n_layer: int, d_model: int, vocab_size: int, context: int, tied: bool = True) -> ParameterCount:
    """Parameters of a GPT-2 style model with learned positions, biases and a 4x MLP.

    A block holds 12 d^2 weights (4 d^2 attention, 8 d^2 MLP), 9 d biases and two norms of 2 d; the model
    ends with one more norm of 2 d. GPT-2 small (12, 768, 50257, 1024) has 124,439,808.
    Source: Radford et al. 2019, table 2, and the released checkpoints' shapes.
    """
    d = d_model
    return ParameterCount(
        blocks=n_layer * (12 * d * d + 13 * d) + 2 * d,
        token_embedding=vocab_size * d,
        position_embedding=context * d,
        head=0 if tied else vocab_size * d,
    )


def llama_hidden(d_model: int) -> int:
    """Width of a Llama's MLP: 8/3 d, rounded up to a multiple of 256, so that its three matrices hold 8 d^2.

    Source: Touvron et al. 2023, section 2.2, and the released code.
    """
    return 256 * -(-8 * d_model // (3 * 256))


def llama_parameters(
    *,
    n_layer: int,
    d_model: int,
    n_head: int,
    vocab_size: int,
    n_kv_head: int | None = None,
    hidden: int | None = None,
    tied: bool = False,
) -> ParameterCount:
    """Parameters of a Llama style model: rotary positions, RMS norms, SwiGLU, no biases.

    n_kv_head: heads of keys and values where they are fewer than those of queries (Ainslie et al. 2023); must divide
    them. hidden: width of the MLP, `llama_hidden` by default. A block holds 2 d^2 (queries, output), 2 d^2 n_kv_head /
    n_head (keys, values), 3 d hidden and two norms of d; the model ends with one more norm. Llama 2 7B has
    6,738,415,616, Llama 3 8B 8,030,261,248. Source: Touvron et al. 2023, tables 1 and 2, and the released checkpoints.
    """
    d = d_model
    kv = d // n_head * (n_kv_head or n_head)
    return ParameterCount(
        blocks=n_layer * (2 * d * d + 2 * d * kv + 3 * d * (hidden or llama_hidden(d)) + 2 * d) + d,
        token_embedding=vocab_size * d,
        position_embedding=0,
        head=0 if tied else vocab_size * d,
    )


def flops_per_token(*, n_layer: int, d_model: int, vocab_size: int, context: int) -> float:
    """FLOP to train on one token, forward and backward, matrix products and attention included.

    3 * (2 * (12 L d^2 + V d) + 2 * 2 L T d): a matrix of m weights costs 2 m forward and twice that backward;
    scores and weighted values over a context of T cost 2 T d each (a causal kernel may skip half; the
    convention counts all). Shapes: L layers, width d, vocabulary V, context T.
    Source: Kaplan et al. 2020, table 1; Hoffmann et al. 2022, app. F (same terms, without the softmax).
    """
    forward = 2.0 * (12 * n_layer * d_model**2 + vocab_size * d_model)
    attention = 4.0 * n_layer * context * d_model
    return 3.0 * (forward + attention)
