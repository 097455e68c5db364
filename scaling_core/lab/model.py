"""A GPT-2 style transformer: learned positions, norms before, GELU, 4x MLP, biases, head tied to the embedding."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scaling_core.lab.spec import Shape

INIT_GAIN = 0.02 * math.sqrt(768)
"""Standard deviation of a weight times the root of the width: GPT-2's 0.02 at its width of 768 (Radford et al. 2019).

Carried to other widths as gain / sqrt(d). Left at 0.02 a model of width 32 starts nearly silent: at ten tokens a
parameter it ended at 2.46 nats instead of 2.32, measured on the standard library's source.
"""


POSITION_GAIN = 2.0
"""Root mean square of the positions at the start over that of the token embeddings."""


def sinusoids(context: int, width: int) -> Tensor:
    """Where the learned positions start: sines and cosines of geometric wavelengths, shape (context, width), rms 1.

    Vaswani et al. 2017, section 3.5. From there a head finds "the token before" at once, where from random positions
    it takes a small model much of its training: 2x32 ends at 2.253 nats instead of 2.323, 2x48 at 1.970 instead of
    2.028, both at ten tokens a parameter.
    """
    half = (width + 1) // 2
    wavelengths = torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(10_000.0) / half))
    angles = torch.arange(context, dtype=torch.float64)[:, None] * wavelengths
    return math.sqrt(2.0) * torch.cat((torch.sin(angles), torch.cos(angles)), dim=1)[:, :width].float()


class Drop:
    """Dropout whose masks come from a generator of one's own: the same on every thread, and after every resumption.

    Each activation is zero with probability `share` and divided by 1 - share otherwise. Source: Srivastava et al. 2014.
    """

    def __init__(self, share: float, generator: torch.Generator) -> None:
        self.share = share
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        """x with its mask, of the same shape."""
        kept = torch.rand(x.shape, generator=self.generator, device=x.device) >= self.share
        return x * kept / (1.0 - self.share)


class Block(nn.Module):
    """One layer: x + attention(norm(x)), then x + mlp(norm(x)). Input and output (batch, tokens, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Causal attention; q, k, v and the result (batch, heads, tokens, head width)."""
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def forward(self, x: Tensor, drop: Drop | None = None) -> Tensor:
        """(batch, tokens, width) to the same. drop: applied to what is added to the residual stream."""
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = self.attend(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        added: Tensor = self.out(mixed)
        x = x + (added if drop is None else drop(added))
        hidden: Tensor = self.down(F.gelu(self.up(self.norm_mlp(x))))
        return x + (hidden if drop is None else drop(hidden))


class GPT(nn.Module):
    """The model of one rung; its parameters are as many as `flops.gpt2_parameters(tied=True).total` says.

    seed: weights are drawn from a generator of their own on the CPU, so that they are the same on every device.
    Matrices have a standard deviation of 0.55 / sqrt(d), those that write into the residual stream 1 / sqrt(2 L) of
    it; positions start as sinusoids. dropout: share of the embeddings and of what each layer adds that is dropped where
    a generator is given; attention weights are never.
    """

    block: type[Block] = Block

    def __init__(self, shape: Shape, *, vocab_size: int, context: int, seed: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.dropout = dropout
        self.tokens = nn.Embedding(vocab_size, shape.d_model)
        self.positions = nn.Parameter(torch.empty(context, shape.d_model))
        self.blocks = nn.ModuleList(self.block(shape.d_model, shape.n_head) for _ in range(shape.n_layer))
        self.norm = nn.LayerNorm(shape.d_model)
        gain = INIT_GAIN / math.sqrt(shape.d_model)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.positions.copy_(POSITION_GAIN * gain * sinusoids(context, shape.d_model))
            for name, parameter in self.named_parameters():
                if name == "positions":
                    continue
                if parameter.dim() >= 2:
                    residual = name.endswith(("out.weight", "down.weight"))
                    std = gain / math.sqrt(2 * shape.n_layer) if residual else gain
                    parameter.normal_(0.0, std, generator=generator)
                elif name.endswith("bias"):
                    parameter.zero_()

    def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Logits (batch, tokens, vocabulary) for token ids (batch, tokens). noise: of the dropout; none without it."""
        drop = None if noise is None or not self.dropout else Drop(self.dropout, noise)
        x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        x = x if drop is None else drop(x)
        for block in self.blocks:
            x = block(x, drop)
        return F.linear(self.norm(x), self.tokens.weight)

    def losses(self, windows: Tensor) -> Tensor:
        """Cross-entropy in nats of every target, shape (batch, context), for windows (batch, context + 1)."""
        logits = self(windows[:, :-1])
        flat = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten(), reduction="none")
        return flat.view(windows.shape[0], -1)

    def loss_sum(self, windows: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """The same summed over all targets, a scalar; with dropout where `noise` is given."""
        logits = self(windows[:, :-1], noise)
        return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten(), reduction="sum")
