"""What a law says of a model that was trained: how far from the best use of its compute, in numbers and words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum.allocation import Allocation, optimal_for_compute
from scaling_core.optimum.core import LOG_MAX, core_of, counted, log_positive
from scaling_core.units import format_flops, format_quantity

NEAR_OPTIMAL = 0.10
"""A model that left less than this share of its compute on the table counts as near-optimal."""

Status = Literal["under-trained", "over-trained", "near-optimal"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a law says of a model trained with N parameters on D tokens.

    C: its compute. loss: as the law predicts it. optimum: the best allocation of the same compute.
    loss_gap: loss - optimum.loss, nats per token. compute_needed: at which the optimum reaches this loss.
    compute_left: C - compute_needed, FLOP. status: under-trained (larger than optimal), over-trained (smaller),
    or near-optimal (less than a tenth of its compute left on the table). sentence: the same in words.
    """

    N: float
    D: float
    C: float
    loss: float
    optimum: Allocation
    loss_gap: float
    compute_needed: float
    compute_left: float
    status: Status
    sentence: str


def judge(law: Law, N: float, D: float) -> Verdict:
    """Compare a model with the optimum of its own compute, all its data being new.

    The compute needed is that of the optimum of equal s, from ln s and not from the loss, so that it keeps its digits
    near the floor; under the Muennighoff form parameters in excess of the best size for D count as the form counts
    them. Raises InputError as `optimal_for_compute` does.
    """
    core = core_of(law)
    log_N, log_D = log_positive("params", N), log_positive("tokens", D)
    C = training_flops(N, D)
    optimum = optimal_for_compute(law, C)
    loss = law.loss(N, D)
    log_x = float(core.log_x_for(core.log_s(*counted(law, log_N, log_D))))
    needed = min(C, 6.0 * math.exp(min(log_x, LOG_MAX)))
    left = C - needed
    gap = max(0.0, loss - optimum.loss)
    status: Status = "near-optimal" if left < NEAR_OPTIMAL * C else "under-trained" if optimum.N < N else "over-trained"
    return Verdict(
        N=N,
        D=D,
        C=C,
        loss=loss,
        optimum=optimum,
        loss_gap=gap,
        compute_needed=needed,
        compute_left=left,
        status=status,
        sentence=_sentence(status, gap, left / C, needed, optimum),
    )


def _sentence(status: Status, gap: float, share: float, needed: float, optimum: Allocation) -> str:
    N, D = format_quantity(optimum.N), format_quantity(optimum.D)
    percent = f"{100.0 * share:.0f}%" if share >= 0.005 else t("less than 1%")
    if status == "near-optimal":
        return t(
            "Near the optimum: {percent} of its compute could have been saved, and the best is {N} parameters on {D} "
            "tokens.",
            percent=percent,
            N=N,
            D=D,
        )
    told = {"gap": f"{gap:.2g}", "N": N, "D": D, "needed": format_flops(needed), "percent": percent}
    if status == "under-trained":
        return t(
            "Too few tokens for its size: the same compute buys {gap} nats more with {N} parameters on {D} tokens; "
            "the same loss needs only {needed}, {percent} less.",
            **told,
        )
    return t(
        "Smaller than optimal for its compute: the same compute buys {gap} nats more with {N} parameters on {D} "
        "tokens; the same loss needs only {needed}, {percent} less.",
        **told,
    )
