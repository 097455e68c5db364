"""The numbers behind pictures that no other page has: accuracy by exact match, and the talk's test-time formula."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import ScalingError
from scaling_core.laws import Law
from scaling_core.optimum import frontier, optimal_for_loss

UNIT_N, STEPS = 1e9, 1.0
"""Parameters and steps of thought at which the scale of the test-time formula is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactMatch:
    """An answer of `tokens` tokens is right when each of them is: exp(-loss)^tokens, at the loss of the law's optimum.

    above: whether only the loss above the law's floor counts, as for an answer that the question determines; else the
    whole loss does, as for free text. The same loss is taken for every token of the answer.
    """

    law: Law
    tokens: float
    above: bool = True

    def loss(self, C: FloatArray) -> FloatArray:
        """Nats per token that count, at budgets C in FLOP; shape of C."""
        return np.asarray(frontier(self.law, C)[2] - self._free)

    def accuracy(self, C: FloatArray, tokens: float | None = None) -> FloatArray:
        """The share of answers that are right, for `tokens` tokens or those of the record; shape of C."""
        return np.asarray(np.exp(-(self.tokens if tokens is None else tokens) * self.loss(C)))

    def compute_for(self, accuracy: float) -> float | None:
        """The budget in FLOP that reaches this accuracy, or None where none up to 1e40 does."""
        try:
            C = optimal_for_loss(self.law, self._free - math.log(accuracy) / self.tokens).C
        except ScalingError:
            return None
        return C if math.isfinite(C) and C <= 1e40 else None

    @property
    def most(self) -> float:
        """The accuracy that no budget passes."""
        return math.exp(-self.tokens * (self.law.floor - self._free))

    @property
    def _free(self) -> float:
        """Loss that is not counted."""
        return self.law.floor if self.above else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Thinking:
    """The talk's own formula of test-time compute: accuracy = a (N T)^b, N parameters, T steps of thought.

    start: the accuracy of 1B parameters in one step, which sets a. b: the exponent.
    """

    start: float
    b: float

    @property
    def a(self) -> float:
        """The scale of the formula."""
        return self.start / math.pow(UNIT_N * STEPS, self.b)

    def accuracy(self, N: float, T: FloatArray) -> FloatArray:
        """What the formula says, above 1 too; shape of T."""
        return np.asarray(self.start * (N * T / (UNIT_N * STEPS)) ** self.b)

    def full_at(self, N: float) -> float:
        """Steps of thought at which a model of N parameters would reach 100%, infinite where no float holds them."""
        try:
            return UNIT_N * STEPS / N * math.pow(1.0 / self.start, 1.0 / self.b)
        except OverflowError:
            return math.inf
