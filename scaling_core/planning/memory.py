"""What training a model takes of a device's memory: weights, gradients, optimiser, activations and logits.

Weights, gradients and optimiser: Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054), section 3. Activations: Korthikanti
et al. 2022 (arXiv 2205.05198), equations 1, 6 and section 4.3, whose count is repeated here tensor by tensor, so that
it also holds in float32, without dropout and for a Llama's block. What a framework adds is not counted: buffers of
communication, casts, fragmentation, the context of the device itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.planning.architecture import Architecture

Precision = Literal["float32", "mixed"]
"""mixed: weights, gradients and activations in 2 bytes, master weights and moments in float32 (ZeRO, section 3.1)."""
Recompute = Literal["none", "selective", "full"]
"""What of the activations is computed again on the way back instead of being kept. selective: attention's matrix, which
fused attention (FlashAttention) does of itself; full: everything but the input of each layer."""

SHARE = 0.9
"""Of a device's memory that may be filled."""
SOURCES = "Rajbhandari et al. 2020, section 3; Korthikanti et al. 2022, equations 1 and 6, section 4.3"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingMemory:
    """Bytes on each of `devices` devices at the worst moment, when the way back begins.

    weights, gradients, optimizer: as sharded. activations: kept for the way back, of one micro-batch. logits: of the
    final layer, in float32. working: the largest that lives beside them: the gradient of the logits or, with full
    recomputation, the activations of one layer.
    """

    devices: int
    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    working: float

    @property
    def states(self) -> float:
        """Weights, gradients and optimiser: what does not depend on the batch."""
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> float:
        """Everything."""
        return self.states + self.activations + self.logits + self.working


def bytes_per_parameter(precision: Precision) -> tuple[int, int, int]:
    """Bytes of weight, gradient and optimiser for each parameter under AdamW: (4, 4, 8) or, mixed, (2, 2, 12).

    16 either way: the two moments take 8, and in mixed precision a master copy of the weights 4 more.
    """
    return (4, 4, 8) if precision == "float32" else (2, 2, 12)


def state_bytes(params: int, precision: Precision, *, stage: int = 0, devices: int = 1) -> tuple[float, float, float]:
    """Bytes on each device of weights, gradients and optimiser, as ZeRO's stage shards them over `devices`.

    stage: 0 nothing is sharded, 1 the optimiser, 2 the gradients too, 3 the weights too. Raises InputError.
    """
    if precision not in get_args(Precision):
        raise InputError(
            t("precision"), precision, t("it must be one of {names}", names=", ".join(get_args(Precision)))
        )
    if type(stage) is not int or not 0 <= stage <= 3:
        raise InputError(
            t("stage of sharding"), stage, t("it must be a whole number from {least} to {most}", least=0, most=3)
        )
    _whole(t("number of devices"), devices)
    weight, gradient, optimizer = (size * float(params) for size in bytes_per_parameter(precision))
    return (
        weight / (devices if stage >= 3 else 1),
        gradient / (devices if stage >= 2 else 1),
        optimizer / (devices if stage >= 1 else 1),
    )


def layer_values(architecture: Architecture) -> float:
    """Activations that one layer keeps for one token, in numbers, without attention's matrix and without dropout.

    GPT-2's block keeps 16 d: the input of each norm (2 d) and its output, which is the input of a matrix (2 d);
    queries, keys and values (3 d); the output of attention (d); what enters GELU (4 d) and what leaves it (4 d). In 2
    bytes these are 32 of Korthikanti's 34 bytes; the other 2 are the masks of two dropouts. A Llama's block keeps 6 d
    and twice the width of its keys in place of the first 8 d, and of its MLP the gate, its SiLU, up and their product.
    """
    d = architecture.d_model
    if architecture.style == "gpt2":
        return 8.0 * d + 2.0 * architecture.hidden
    return 6.0 * d + 2.0 * architecture.kv_width + 4.0 * architecture.hidden


def layer_bytes(
    architecture: Architecture, sequences: int, *, precision: Precision, fused: bool = True, dropout: bool = False
) -> float:
    """Bytes that one layer keeps for the way back of `sequences` sequences.

    fused: attention keeps no matrix. Otherwise the softmax of every head is kept, and with dropout its mask of one byte
    and what it lets through: the 5 a s^2 b of Korthikanti et al. 2022, equation 1, whose sum in 2 bytes with dropout is
    s b h (34 + 5 a s / h).
    """
    size, tokens = _size(precision), float(sequences) * architecture.context
    kept = size * layer_values(architecture) + (2.0 * architecture.d_model if dropout else 0.0)
    if not fused:
        matrix = size + (1 + size if dropout else 0)
        kept += matrix * architecture.n_head * architecture.context
    return tokens * kept


def activation_bytes(
    architecture: Architecture,
    sequences: int,
    *,
    precision: Precision = "mixed",
    recompute: Recompute = "selective",
    dropout: bool = False,
) -> float:
    """Bytes that all layers and the final norm keep for the way back of `sequences` sequences. Raises InputError.

    With dropout in 2 bytes, L layers keep s b h L (34 + 5 a s / h), 34 s b h L or 2 s b h L for a recomputation of
    none, selective or full; the final norm and the head's input add 4 s b h.
    """
    if recompute not in get_args(Recompute):
        raise InputError(
            t("recomputation"), recompute, t("it must be one of {names}", names=", ".join(get_args(Recompute)))
        )
    if precision not in get_args(Precision):
        raise InputError(
            t("precision"), precision, t("it must be one of {names}", names=", ".join(get_args(Precision)))
        )
    _whole(t("sequences"), sequences)
    values = float(sequences) * architecture.context * architecture.d_model * _size(precision)
    if recompute == "full":
        return (architecture.n_layer + 2.0) * values
    fused = recompute == "selective"
    layer = layer_bytes(architecture, sequences, precision=precision, fused=fused, dropout=dropout)
    return architecture.n_layer * layer + 2.0 * values


def training_memory(
    architecture: Architecture,
    sequences: int,
    *,
    precision: Precision = "mixed",
    recompute: Recompute = "selective",
    dropout: bool = False,
    stage: int = 0,
    devices: int = 1,
) -> TrainingMemory:
    """Bytes on each device for a micro-batch of `sequences` sequences. Raises InputError on a bad field."""
    weights, gradients, optimizer = state_bytes(architecture.count.total, precision, stage=stage, devices=devices)
    activations = activation_bytes(architecture, sequences, precision=precision, recompute=recompute, dropout=dropout)
    logits = 4.0 * sequences * architecture.context * architecture.vocab_size
    layer = layer_bytes(architecture, sequences, precision=precision, dropout=dropout) if recompute == "full" else 0.0
    return TrainingMemory(
        devices=devices,
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=activations,
        logits=logits,
        working=max(logits, layer),
    )


def largest_micro_batch(
    architecture: Architecture,
    memory_bytes: float,
    *,
    most: int,
    share: float = 0.9,
    precision: Precision = "mixed",
    recompute: Recompute = "selective",
    stage: int = 0,
    devices: int = 1,
) -> int:
    """The largest divisor of `most` sequences of which a micro-batch fits; 0 where not even one sequence does.

    memory_bytes: of one device, of which `share` may be filled. most: sequences of a device in one optimiser step.
    Raises InputError on a bad field.
    """
    _whole(t("sequences"), most)
    for sequences in range(most, 0, -1):
        if most % sequences == 0:
            need = training_memory(
                architecture, sequences, precision=precision, recompute=recompute, stage=stage, devices=devices
            )
            if need.total <= share * memory_bytes:
                return sequences
    return 0


def _size(precision: Precision) -> int:
    return 4 if precision == "float32" else 2


def _whole(field: str, value: int) -> None:
    if type(value) is not int or not 1 <= value <= 10**7:
        raise InputError(field, value, t("it must be a whole number from {least} to {most}", least=1, most=10**7))
