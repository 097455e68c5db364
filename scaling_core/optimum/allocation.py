"""Compute-optimal training in closed form: where L(N, D) is least at C = 6 N D, and the inverse questions.

The formulas stand in `core`; a law of the Muennighoff form is meant here with new data throughout, where its optimum
is that of its base, since excess parameters begin exactly where N exceeds the best size for D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum.core import LOG_6, LOG_MAX, Core, checked, core_of, log_positive, named


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """A model and its training: N parameters, D tokens, C = 6 N D FLOP, its loss, and D / N."""

    N: float
    D: float
    C: float
    loss: float
    tokens_per_param: float


def _allocation(law: Law, field: str, seen: float, log_N: float, log_D: float) -> Allocation:
    """The record with the given field exactly as `seen`, or InputError where it cannot be meant or written."""
    checked(field, seen, log_N, log_D)
    N = seen if field == "params" else math.exp(log_N)
    D = seen if field == "tokens" else math.exp(log_D)
    C = seen if field == "compute" else training_flops(N, D)
    return Allocation(N=N, D=D, C=C, loss=law.loss(N, D), tokens_per_param=D / N)


def exponents(law: Law) -> tuple[float, float]:
    """(a, b) with N* ~ C^a and D* ~ C^b: a = beta/(alpha+beta), b = alpha/(alpha+beta), a + b = 1."""
    core = core_of(law)
    return float(core.a), float(core.b)


def optimal_for_compute(law: Law, C: float) -> Allocation:
    """The N and D of least loss at C = 6 N D FLOP.

    Raises InputError where C is not positive and finite, or the optimum is below one parameter or token.
    """
    log_N, log_D = core_of(law).best(log_positive("compute", C) - LOG_6)
    return _allocation(law, "compute", C, float(log_N), float(log_D))


def optimal_for_params(law: Law, N: float) -> Allocation:
    """The training at whose compute N is the optimal size: C/6 = (N/G)^(1/a). Raises InputError as above."""
    core, log_N = core_of(law), log_positive("params", N)
    return _allocation(law, "params", N, log_N, float((log_N - core.log_G) / core.a) - log_N)


def optimal_for_tokens(law: Law, D: float) -> Allocation:
    """The size for which D tokens are optimal: C/6 = (D G)^(1/b). Raises InputError as above."""
    core, log_D = core_of(law), log_positive("tokens", D)
    return _allocation(law, "tokens", D, float((log_D + core.log_G) / core.b) - log_D, log_D)


def log_s_of_loss(core: Core, loss: float) -> float:
    """ln s of a target loss, s = (loss - floor)^(1/power).

    Raises InputError that says *impossible* where the loss is at or below the floor, which no N and D reach.
    """
    log_positive("loss", loss)
    floor = float(core.floor)
    if loss <= floor:
        raise InputError(
            named("loss"),
            loss,
            t(
                "that is impossible: under this law no model goes to or below {floor:.6g}, whatever its size and its "
                "data; give a larger loss",
                floor=floor,
            ),
        )
    return math.log(loss - floor) / float(core.power)


def optimal_for_loss(law: Law, loss: float) -> Allocation:
    """The cheapest training that reaches `loss`, nats per token: s* = (loss - floor)^(1/power) solved for C.

    Raises InputError where the loss is impossible (at or below the floor), or where the compute it needs is beyond
    any number, or below one parameter or token.
    """
    core = core_of(law)
    log_N, log_D = core.best(core.log_x_for(log_s_of_loss(core, loss)))
    return _allocation(law, "loss", loss, float(log_N), float(log_D))


def optimal(
    law: Law,
    *,
    C: float | None = None,
    N: float | None = None,
    D: float | None = None,
    loss: float | None = None,
) -> Allocation:
    """The optimum given exactly one of compute, size, tokens or target loss; raises InputError otherwise."""
    one_of(compute=C, params=N, tokens=D, loss=loss)
    if C is not None:
        return optimal_for_compute(law, C)
    if N is not None:
        return optimal_for_params(law, N)
    if D is not None:
        return optimal_for_tokens(law, D)
    return optimal_for_loss(law, math.nan if loss is None else loss)


def one_of(**given: float | None) -> None:
    """Raise InputError unless exactly one of the named quantities is given."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InputError(
            "target", ", ".join(names) or "nothing", t("give exactly one of {names}", names=", ".join(given))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A quality to be reached: its core and ln s, and the cheapest way to it. field, seen: how it was asked for."""

    core: Core
    log_s: float
    optimum: Allocation
    field: str
    seen: float


def target_of(law: Law, *, loss: float | None = None, C: float | None = None) -> Target:
    """The quality named by its loss, or by the training compute that buys it at best; exactly one of them.

    From a budget ln s is found without the loss, so that no digit is lost near the floor. Raises InputError as
    `optimal_for_loss` and `optimal_for_compute` do.
    """
    one_of(loss=loss, compute=C)
    core = core_of(law)
    if C is not None:
        optimum = optimal_for_compute(law, C)
        return Target(
            core=core, log_s=float(core.log_s_best(math.log(C) - LOG_6)), optimum=optimum, field="compute", seen=C
        )
    wanted = math.nan if loss is None else loss
    return Target(
        core=core, log_s=log_s_of_loss(core, wanted), optimum=optimal_for_loss(law, wanted), field="loss", seen=wanted
    )


def frontier(law: Law, C: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(N*, D*, loss) along budgets C in FLOP, each of the shape of C. Values below one are left as they are."""
    log_N, log_D = core_of(law).best(np.log(np.asarray(C, dtype=np.float64)) - LOG_6)
    N, D = np.exp(np.clip(log_N, -LOG_MAX, LOG_MAX)), np.exp(np.clip(log_D, -LOG_MAX, LOG_MAX))
    return N, D, law.loss(N, D)


def isoflop(law: Law, C: float, N: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(D, loss) of the sizes N (any shape) when each spends the budget C: D = C / (6 N)."""
    sizes = np.asarray(N, dtype=np.float64)
    D = C / (6.0 * sizes)
    return D, law.loss(sizes, D)


def twenty_to_one(C: float) -> tuple[float, float]:
    """(N, D) with D = 20 N at C = 6 N D: N = sqrt(C / 120). The rule read from Hoffmann et al. 2022, table 3."""
    N = math.exp(0.5 * (log_positive("compute", C) - math.log(120.0)))
    return N, 20.0 * N
