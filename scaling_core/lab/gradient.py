"""Loss and gradient of the model worked out by hand, for the CPU: the same numbers as autograd's, in less time.

Tiny models spend half their time outside matrix products. Here attention is a few batched products over blocks of
rows that never compute most of what lies in the future, nothing is copied that the next product can read in place, the
softmax of the loss is taken once, and every gradient is written where the optimiser reads it. One pass belongs to one
thread, and uses one core.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scaling_core.lab.model import GPT, Block

LONGEST_CONTEXT = 256
"""Beyond, attention's scores, which are kept here, no longer fit a cache: autograd's fused attention is faster."""
ROWS = 64
"""Rows of a block of scores: with 128 tokens a quarter of the products is left out, with 256 three eighths."""
EPSILON = 1e-5

_aten = torch.ops.aten


def by_hand(model: GPT) -> bool:
    """Whether the pass below is that of this model: the plain GPT, without dropout, in float32 on the CPU, and not too
    long a context."""
    weight = model.tokens.weight
    return (
        type(model) is GPT
        and not getattr(model, "dropout", 0.0)
        and not any(isinstance(module, nn.Dropout) for module in model.modules())
        and all(type(block) is Block for block in model.blocks)
        and weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and model.positions.shape[0] <= LONGEST_CONTEXT
    )


class HandPass:
    """Forward and backward over parts of a batch, into `gradients`: tensors by parameter name, shaped like them."""

    def __init__(self, model: GPT, gradients: Mapping[str, Tensor]) -> None:
        self._weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
        self._gradients = gradients
        self._layers = len(model.blocks)
        first = model.blocks[0]
        assert isinstance(first, Block)
        self._heads = first.heads
        context, self._width = model.positions.shape
        self._scale = 1.0 / math.sqrt(self._width // self._heads)
        self._future = torch.full((context, context), -math.inf).triu(1)
        self._ones = torch.ones(1)
        self._add = 0

    @torch.no_grad()
    def run(self, windows: Tensor, *, add: bool) -> Tensor:
        """Summed loss of windows (n, context + 1); its gradient replaces what `gradients` holds, or is added to it."""
        self._add = int(add)
        sequences, tokens = windows.shape[0], windows.shape[1] - 1
        rows = sequences * tokens
        if self._ones.numel() < rows:
            self._ones = torch.ones(rows)
        index, targets = windows[:, :-1].reshape(rows), windows[:, 1:].reshape(rows, 1)
        embedding = self._weights["tokens.weight"]
        x = F.embedding(index, embedding)
        x.view(sequences, tokens, -1).add_(self._weights["positions"][:tokens])
        kept = []
        for layer in range(self._layers):
            x, attention = self._attention(x, f"blocks.{layer}.", sequences)
            x, mlp = self._mlp(x, f"blocks.{layer}.")
            kept.append((attention, mlp))
        final, norm = self._norm(x, "norm")
        logits = final @ embedding.t()
        loss, error = self._loss(logits, targets)
        self._gradients["tokens.weight"].addmm_(error.t(), final, beta=self._add)
        dx = self._norm_back(error @ embedding, "norm", norm)
        for layer in reversed(range(self._layers)):
            attention, mlp = kept.pop()
            self._mlp_back(dx, f"blocks.{layer}.", mlp)
            self._attention_back(dx, f"blocks.{layer}.", attention, sequences)
        self._gradients["tokens.weight"].add_(_aten.embedding_dense_backward(dx, index, embedding.shape[0], -1, False))
        self._store("positions", dx.view(sequences, tokens, -1).sum(0))
        return loss

    def _loss(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy, log sum exp(z) - z_t, and its derivative softmax(z) - 1_t; (rows, vocabulary)."""
        picked = logits.gather(1, targets).sum()
        probability = torch.softmax(logits, 1)
        # The largest probability is exp(0) / sum exp(z - max): its logarithm is exact where a target's underflows.
        loss = (logits.amax(1) - probability.amax(1).log_()).sum() - picked
        probability.scatter_add_(1, targets, self._ones[: targets.shape[0], None].neg())
        return loss, probability

    # The parts of a layer, each with what its way back needs

    def _store(self, name: str, gradient: Tensor) -> None:
        if self._add:
            self._gradients[name].add_(gradient)
        else:
            self._gradients[name].copy_(gradient)

    def _norm(self, x: Tensor, name: str) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        out, mean, rstd = torch.native_layer_norm(x, (self._width,), weight, bias, EPSILON)
        return out, (x, mean, rstd)

    def _norm_back(self, dy: Tensor, name: str, kept: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        x, mean, rstd = kept
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        dx, d_weight, d_bias = _aten.native_layer_norm_backward(
            dy, x, (self._width,), mean, rstd, weight, bias, (True, True, True)
        )
        self._store(f"{name}.weight", d_weight)
        self._store(f"{name}.bias", d_bias)
        found: Tensor = dx
        return found

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return torch.addmm(self._weights[f"{name}.bias"], x, self._weights[f"{name}.weight"].t())

    def _residual(self, x: Tensor, y: Tensor, name: str) -> Tensor:
        """x + linear(y), in a tensor of its own."""
        return (x + self._weights[f"{name}.bias"]).addmm_(y, self._weights[f"{name}.weight"].t())

    def _linear_back(self, dy: Tensor, x: Tensor, name: str) -> Tensor:
        self._gradients[f"{name}.weight"].addmm_(dy.t(), x, beta=self._add)
        self._gradients[f"{name}.bias"].addmv_(dy.t(), self._ones[: dy.shape[0]], beta=self._add)
        return dy @ self._weights[f"{name}.weight"]

    def _mlp(self, x: Tensor, block: str) -> tuple[Tensor, tuple[Tensor, ...]]:
        normed, norm = self._norm(x, f"{block}norm_mlp")
        hidden = self._linear(normed, f"{block}up")
        active = F.gelu(hidden)
        return self._residual(x, active, f"{block}down"), (*norm, normed, hidden, active)

    def _mlp_back(self, dx: Tensor, block: str, kept: tuple[Tensor, ...]) -> None:
        """Adds to dx what comes back through the branch."""
        x, mean, rstd, normed, hidden, active = kept
        back = self._linear_back(dx, active, f"{block}down")
        _aten.gelu_backward(back, hidden, grad_input=back)
        back = self._linear_back(back, normed, f"{block}up")
        dx.add_(self._norm_back(back, f"{block}norm_mlp", (x, mean, rstd)))

    def _split(self, tokens: int) -> list[tuple[int, int]]:
        return [(start, min(start + ROWS, tokens)) for start in range(0, tokens, ROWS)]

    def _attention(self, x: Tensor, block: str, sequences: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        tokens, heads = x.shape[0] // sequences, self._heads
        normed, norm = self._norm(x, f"{block}norm_attention")
        qkv = self._linear(normed, f"{block}qkv").view(sequences, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.reshape(3, sequences * heads, tokens, -1).unbind(0)
        mixed = torch.empty_like(x)
        places = mixed.view(sequences, tokens, heads, -1).transpose(1, 2)
        shares = []
        for start, end in self._split(tokens):
            scores = torch.baddbmm(
                self._future[start:end, :end], q[:, start:end], k[:, :end].transpose(1, 2), alpha=self._scale
            )
            share = torch.softmax(scores, -1)
            part = torch.bmm(share, v[:, :end])
            places[:, :, start:end].copy_(part.view(sequences, heads, end - start, -1))
            shares.append(share)
        return self._residual(x, mixed, f"{block}out"), (*norm, normed, q, k, v, mixed, *shares)

    def _attention_back(self, dx: Tensor, block: str, kept: tuple[Tensor, ...], sequences: int) -> None:
        """Adds to dx what comes back through the branch."""
        x, mean, rstd, normed, q, k, v, mixed, *shares = kept
        rows, width = x.shape
        tokens, heads = rows // sequences, self._heads
        back = self._linear_back(dx, mixed, f"{block}out").view(sequences, tokens, heads, -1).transpose(1, 2)
        back = back.reshape(sequences * heads, tokens, -1)
        d_qkv = torch.empty(rows, 3 * width)
        d_q, d_k, d_v = d_qkv.view(sequences, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        keys: Tensor | None = None
        values: Tensor | None = None
        for (start, end), share in zip(reversed(self._split(tokens)), reversed(shares), strict=True):
            d_part = back[:, start:end]
            d_share = torch.bmm(d_part, v[:, :end].transpose(1, 2))
            d_scores = torch._softmax_backward_data(d_share, share, -1, torch.float32).mul_(self._scale)
            part = torch.bmm(d_scores, k[:, :end])
            d_q[:, :, start:end].copy_(part.view(sequences, heads, end - start, -1))
            from_keys, from_values = (
                torch.bmm(d_scores.transpose(1, 2), q[:, start:end]),
                torch.bmm(share.transpose(1, 2), d_part),
            )
            if keys is None or values is None:
                keys, values = from_keys, from_values
            else:
                keys[:, :end].add_(from_keys)
                values[:, :end].add_(from_values)
        assert keys is not None
        assert values is not None
        d_k.copy_(keys.view(sequences, heads, tokens, -1))
        d_v.copy_(values.view(sequences, heads, tokens, -1))
        back = self._linear_back(d_qkv, normed, f"{block}qkv")
        dx.add_(self._norm_back(back, f"{block}norm_attention", (x, mean, rstd)))
