"""Mixture of experts under the joint law of Ludziejewski et al. 2025 (arXiv 2502.05172): active and total parameters.

Every token passes through one expert of E in each layer, so that compute follows the active parameters and memory the
total ones. For a fixed E the law has the form of Chinchilla's, and its optima are found as those of any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.hardware import positive
from scaling_core.language import t
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import Allocation, optimal_for_compute, optimal_for_loss
from scaling_core.optimum.core import increasing_root
from scaling_core.planning.solidity import Range, Solidity, solidity

SOURCE = "Ludziejewski et al. 2025 (arXiv 2502.05172)"
A, ALPHA, DELTA, GAMMA = 35.91, -0.1889, -0.2285, 0.0098
B, BETA, OMEGA, ZETA = 35.98, -0.1775, 0.5529, -0.0259
E_START, E_MAX, FLOOR = 2.0732, 290.4521, 1.3637
"""Table 3: L = A Ê^δ N^(α + γ ln Ê) + B Ê^ω D^(β + ζ ln Ê) + c, in nats per token of FineWeb-Edu, N active."""
VOCABULARY = 50_257
MOST = 32
"""Experts of the widest models behind the law."""
COUNTS = (1, 2, 4, 8, 16, 32)
"""Experts of the models behind the law."""
ACTIVE = Range(quantity="N", low=79e6, high=2.7e9)
TOTAL = Range(quantity="N", low=79e6, high=5.0e9)
TOKENS = Range(quantity="D", low=5e8, high=8e10)
"""Appendix E: active and total parameters, with embeddings and head, and tokens of the runs behind the law."""
ROUNDING = 1e-9
"""A share of compute below which nothing is saved."""
WEIGHT_BYTES = 2
"""Of one parameter in bfloat16, for serving."""


def transformed(experts: int) -> float:
    """Ê of equation 4: E_START for one expert, and E_MAX for ever more. Raises InputError outside 1 to 32."""
    if type(experts) is not int or not 1 <= experts <= MOST:
        raise InputError("experts", experts, t("it must be a whole number from {least} to {most}", least=1, most=MOST))
    start = 1.0 / (1.0 / E_START - 1.0 / E_MAX)
    return 1.0 / (1.0 / (experts - 1 + start) + 1.0 / E_MAX)


def law_for(experts: int) -> ChinchillaLaw:
    """The law for so many experts as one in active parameters and tokens; one expert is a dense model."""
    e = transformed(experts)
    return ChinchillaLaw(
        E=FLOOR,
        A=A * e**DELTA,
        alpha=-(ALPHA + GAMMA * math.log(e)),
        B=B * e**OMEGA,
        beta=-(BETA + ZETA * math.log(e)),
    )


def width_of(active: float) -> float:
    """The width of the paper's shapes with so many active parameters: 2 d V + 13 L d^2 with L = d / 64 layers."""
    wanted = positive("params", active)

    def over(d: FloatArray) -> tuple[FloatArray, FloatArray]:
        return 2.0 * d * VOCABULARY + 13.0 * d**3 / 64.0 - wanted, 2.0 * VOCABULARY + 39.0 * d**2 / 64.0

    return float(increasing_root(over, 0.0, 1.0 + wanted / (2.0 * VOCABULARY)))


def total_of(active: float, experts: int) -> float:
    """Total parameters, equations 9 and 10: E - 1 further experts of 9 d^2 in each layer beside the active ones."""
    transformed(experts)
    return active + 9.0 * (experts - 1) * width_of(active) ** 3 / 64.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """A model of `experts` experts: active and total parameters, tokens, loss, and where the law stands with it.

    C: FLOP by active parameters. dense: the dense model of the same loss on the same tokens, None where none has it.
    saved: the share of the compute of the cheapest dense training of the same loss that it does not need; negative
    where it needs more, as off its optimum it may.
    """

    experts: int
    active: float
    total: float
    D: float
    C: float
    loss: float
    dense: float | None
    saved: float
    solidity: Solidity

    @property
    def bytes(self) -> float:
        """Memory of the weights in bfloat16: every expert has to be held, whether or not a token uses it."""
        return WEIGHT_BYTES * self.total

    @property
    def inference_flops(self) -> float:
        """FLOP to serve one token, 2 for each active parameter."""
        return 2.0 * self.active


def mixture(experts: int, *, active: float, D: float) -> Mixture:
    """A model of so many active parameters on D tokens. Raises InputError on a bad field."""
    law, size, tokens = law_for(experts), positive("params", active), positive("tokens", D)
    loss, C, total = float(law.loss(size, tokens)), training_flops(size, tokens), total_of(size, experts)
    saved = 1.0 - C / optimal_for_loss(law_for(1), loss).C
    return Mixture(
        experts=experts,
        active=size,
        total=total,
        D=tokens,
        C=C,
        loss=loss,
        dense=dense_equivalent(loss, tokens),
        saved=saved if abs(saved) > ROUNDING else 0.0,
        solidity=solidity([(ACTIVE, size), (TOTAL, total), (TOKENS, tokens)]),
    )


def dense_equivalent(loss: float, D: float) -> float | None:
    """Parameters of the dense model with this loss on D tokens, by the law for one expert; None where none has it."""
    dense = law_for(1)
    left = loss - dense.E - dense.B * D**-dense.beta
    return (dense.A / left) ** (1.0 / dense.alpha) if left > 0.0 else None


def best_mixture(experts: int, C: float) -> Mixture:
    """The best active size and tokens of so many experts for C FLOP. Raises InputError as `optimal_for_compute`."""
    best: Allocation = optimal_for_compute(law_for(experts), positive("compute", C))
    return mixture(experts, active=best.N, D=best.D)
