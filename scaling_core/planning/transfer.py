"""Continue training or start over: the talk's rule, what transfer was measured to be worth, and training in stages.

The talk counts every token of pre-training as one of the reader's own, L(N, D + D_pretrain): the most that
pre-training can give, reached where both are of one distribution. Hernandez et al. 2021 (arXiv 2102.01293) measured
what it gives where they are not: the effective data transferred, D_T = k D_F^alpha N^beta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.hardware import positive
from scaling_core.language import t
from scaling_core.optimum import Allocation, optimal_for_compute
from scaling_core.planning.evidence import Source, law_of
from scaling_core.planning.solidity import TALK, Range, Solidity, solidity

Pretraining = Literal["text", "mixed"]

SOURCE = "Hernandez et al. 2021 (arXiv 2102.01293)"
CHARACTERS_PER_TOKEN = 3.0
"""Of the paper's smallest Python set: 3e5 characters (figure 1) are 100,000 tokens (appendix G)."""
SIZES = Range(quantity="N", low=1e5, high=2e9)
"""Four orders of magnitude of size (figure 2) that end two below GPT-3 (section 6.2); no list of sizes is printed."""
OWN_DATA = Range(quantity="D_F", low=3e5, high=3e8)
"""Characters: three orders of magnitude (figure 2) from the smallest set (figure 1); the paper's low-data regime."""
PRETRAINED = Range(quantity="D_pretrain", low=24e9, high=math.inf)
"""Characters of text that the paper's models were pre-trained on (section 2): with fewer they know less."""
OSSIFIED_N, OSSIFIED_D = 1e6, 1e8
"""Parameters, and characters beyond which such a model is better from scratch (figure 5, section 3.1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferLaw:
    """D_T = k D_F^alpha N^beta, table 1: D_F and D_T in characters of Python, N without embeddings."""

    id: Pretraining
    k: float
    alpha: float
    beta: float

    def transferred(self, N: float, D_F: float) -> float:
        """Characters of Python that pre-training is worth to N parameters fine-tuned on D_F characters."""
        return float(self.k * D_F**self.alpha * N**self.beta)

    def even(self, N: float) -> float:
        """The D_F in characters at which D_T = D_F: with more than that, most of the effective data are one's own."""
        return float((self.k * N**self.beta) ** (1.0 / (1.0 - self.alpha)))


LAWS: dict[Pretraining, TransferLaw] = {
    "text": TransferLaw(id="text", k=1.9e4, alpha=0.18, beta=0.38),
    "mixed": TransferLaw(id="mixed", k=2.1e5, alpha=0.096, beta=0.38),
}
"""By what the model was pre-trained on: English text, or half text and half code that is not Python.

The paper was read in quotation only; its section 6.2 prints values that these constants give back.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transferred:
    """What pre-training is worth to a model of N parameters (without embeddings), in characters of its own data.

    D_F: own data. D_T: what pre-training adds. even: the D_F at which both are equal. ossified: the paper saw models
    of this size or smaller end worse than from scratch with so much data of their own.
    """

    law: TransferLaw
    N: float
    D_F: float
    D_T: float
    even: float
    solidity: Solidity
    ossified: bool

    @property
    def D_E(self) -> float:
        """Effective data, D_F + D_T: what a model from scratch of this size needs for the same loss, characters."""
        return self.D_F + self.D_T

    @property
    def multiplier(self) -> float:
        """D_E / D_F, by how much pre-training multiplies the data."""
        return self.D_E / self.D_F

    @property
    def share(self) -> float:
        """D_T / D_E, 0 to 1: the share of the effective data that is transferred.

        It is also the share of the compute that is saved against training from scratch to the same loss, where every
        character is read once and the compute of pre-training is not counted.
        """
        return self.D_T / self.D_E


def transferred(
    N: float, D_F: float, pretraining: Pretraining = "text", *, pretrained: float = PRETRAINED.low
) -> Transferred:
    """What pre-training is worth; raises InputError on what is no positive number or no such law.

    D_F: own data, characters. pretrained: characters of pre-training; the rule does not know them, and fewer than the
    paper's lie outside its range.
    """
    if pretraining not in get_args(Pretraining):
        raise InputError("pretraining", pretraining, t("it must be one of {names}", names=", ".join(LAWS)))
    size, data, law = positive("params", N), positive("characters", D_F), LAWS[pretraining]
    return Transferred(
        law=law,
        N=size,
        D_F=data,
        D_T=law.transferred(size, data),
        even=law.even(size),
        solidity=solidity([(SIZES, size), (OWN_DATA, data), (PRETRAINED, positive("characters", pretrained))]),
        ossified=size <= OSSIFIED_N and data > OSSIFIED_D,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Continued:
    """A model of N parameters with D tokens of its own after D_pretrain tokens, under a law, in nats per token.

    scratch: L(N, D). talk: L(N, D + D_pretrain), the talk's rule: the least loss that pre-training can lead to, as if
    all tokens were of one distribution; talk_solidity labels it.
    """

    N: float
    D: float
    D_pretrain: float
    scratch: float
    talk: float
    talk_solidity: Solidity = TALK

    @property
    def gain(self) -> float:
        """The most nats per token that pre-training can take off."""
        return self.scratch - self.talk


def continued(source: Source, *, N: float, D: float, D_pretrain: float) -> Continued:
    """The talk's rule under a law; raises InputError on what is no positive number, and on a law in one variable."""
    law = law_of(source)
    size, own, before = positive("params", N), positive("tokens", D), positive("tokens", D_pretrain)
    return Continued(
        N=size,
        D=own,
        D_pretrain=before,
        scratch=float(law.loss(size, own)),
        talk=float(law.loss(size, own + before)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """A training in two stages against one run with the compute of both, under a law that knows only N and D.

    first: the best for the first stage's compute. D, loss: of the same model after both stages; a run of the same N
    and D without a break has the same, since the law sees no order. best: the best model for the sum of the compute.
    """

    first: Allocation
    added: float
    D: float
    loss: float
    best: Allocation

    @property
    def excess_loss(self) -> float:
        """Nats per token above the best: the price of a size that was chosen for the first stage alone."""
        return max(0.0, self.loss - self.best.loss)


def staged(source: Source, *, C: float, added: float) -> Staged:
    """First the best training for C FLOP, then the same model with `added` FLOP more; raises InputError as above."""
    law = law_of(source)
    first = optimal_for_compute(law, positive("compute", C))
    whole = optimal_for_compute(law, first.C + positive("compute", added))
    D = whole.C / training_flops(first.N, 1.0)
    return Staged(first=first, added=added, D=D, loss=float(law.loss(first.N, D)), best=whole)
