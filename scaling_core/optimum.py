"""Compute-optimal training: where L(N, D) is least at C = 6 N D, in closed form and in logarithms throughout.

Both forms are monotone functions of a sum of two power laws, s(N, D) = A N^-alpha + B D^-beta: the Chinchilla
form is E + s, and Kaplan's joint form is s^alpha_D with A = N_c^(alpha_N/alpha_D), alpha = alpha_N/alpha_D,
B = D_c, beta = 1. So one closed form serves both (Hoffmann et al. 2022, equation 4):

    G = (alpha A / (beta B))^(1/(alpha+beta))
    N* = G (C/6)^(beta/(alpha+beta)),  D* = (C/6)^(alpha/(alpha+beta)) / G
    s* = (A G^-alpha + B G^beta) (C/6)^-(alpha beta/(alpha+beta))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.laws import KaplanJointLaw, Law
from scaling_core.units import format_flops, format_quantity

NEAR_OPTIMAL = 0.10
"""A model that left less than this share of its compute on the table counts as near-optimal."""
_LOG_MAX = 690.0

Status = Literal["under-trained", "over-trained", "near-optimal"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """A model and its training: N parameters, D tokens, C = 6 N D FLOP, its loss, and D / N."""

    N: float
    D: float
    C: float
    loss: float
    tokens_per_param: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Core:
    """ln A, alpha, ln B, beta of the sum s, and L = floor + s^power."""

    log_A: float
    alpha: float
    log_B: float
    beta: float
    power: float
    floor: float

    @property
    def log_G(self) -> float:
        return (math.log(self.alpha / self.beta) + self.log_A - self.log_B) / (self.alpha + self.beta)

    @property
    def a(self) -> float:
        """N* ~ C^a."""
        return self.beta / (self.alpha + self.beta)

    @property
    def gamma(self) -> float:
        """s* ~ C^-gamma."""
        return self.alpha * self.beta / (self.alpha + self.beta)

    @property
    def log_K(self) -> float:
        """ln of s* at C/6 = 1."""
        return float(np.logaddexp(self.log_A - self.alpha * self.log_G, self.log_B + self.beta * self.log_G))

    def log_s(self, log_N: float, log_D: float) -> float:
        return float(np.logaddexp(self.log_A - self.alpha * log_N, self.log_B - self.beta * log_D))


def _core(law: Law) -> _Core:
    if isinstance(law, KaplanJointLaw):
        alpha = law.alpha_N / law.alpha_D
        return _Core(
            log_A=alpha * math.log(law.N_c),
            alpha=alpha,
            log_B=math.log(law.D_c),
            beta=1.0,
            power=law.alpha_D,
            floor=0.0,
        )
    return _Core(log_A=math.log(law.A), alpha=law.alpha, log_B=math.log(law.B), beta=law.beta, power=1.0, floor=law.E)


def _positive(field: str, x: float) -> float:
    """ln x; raises InputError unless x is a finite positive number."""
    if not (math.isfinite(x) and x > 0):
        raise InputError(field, x, "it must be a positive finite number")
    return math.log(x)


def _allocation(law: Law, field: str, seen: float, log_N: float, log_D: float) -> Allocation:
    """The record with the given field exactly as `seen`, or InputError where it cannot be meant or written."""
    log_C = math.log(6.0) + log_N + log_D
    if max(log_N, log_D, log_C) > _LOG_MAX:
        raise InputError(field, seen, "under this law the optimum lies beyond any number that can be written")
    if min(log_N, log_D) < -1e-9:
        raise InputError(field, seen, "under this law its optimum has less than one parameter or token; give another")
    N = seen if field == "params" else math.exp(log_N)
    D = seen if field == "tokens" else math.exp(log_D)
    C = seen if field == "compute" else training_flops(N, D)
    return Allocation(N=N, D=D, C=C, loss=law.loss(N, D), tokens_per_param=D / N)


def exponents(law: Law) -> tuple[float, float]:
    """(a, b) with N* ~ C^a and D* ~ C^b: a = beta/(alpha+beta), b = alpha/(alpha+beta), a + b = 1."""
    core = _core(law)
    return core.a, 1.0 - core.a


def optimal_for_compute(law: Law, C: float) -> Allocation:
    """The N and D of least loss at C = 6 N D FLOP.

    Raises InputError where C is not positive and finite, or the optimum is below one parameter or token.
    """
    core = _core(law)
    log_x = _positive("compute", C) - math.log(6.0)
    return _allocation(law, "compute", C, core.log_G + core.a * log_x, (1.0 - core.a) * log_x - core.log_G)


def optimal_for_params(law: Law, N: float) -> Allocation:
    """The training at whose compute N is the optimal size: C/6 = (N/G)^(1/a). Raises InputError as above."""
    core = _core(law)
    log_N = _positive("params", N)
    return _allocation(law, "params", N, log_N, (log_N - core.log_G) / core.a - log_N)


def optimal_for_tokens(law: Law, D: float) -> Allocation:
    """The size for which D tokens are optimal: C/6 = (D G)^(1/b). Raises InputError as above."""
    core = _core(law)
    log_D = _positive("tokens", D)
    return _allocation(law, "tokens", D, (log_D + core.log_G) / (1.0 - core.a) - log_D, log_D)


def optimal_for_loss(law: Law, loss: float) -> Allocation:
    """The cheapest training that reaches `loss`, nats per token: s* = (loss - floor)^(1/power) solved for C.

    Raises InputError where the loss is at or below the floor (no N and D reach it), or where the compute it
    needs is beyond any number, or below one parameter or token.
    """
    core = _core(law)
    _positive("loss", loss)
    if loss <= core.floor:
        raise InputError("loss", loss, f"under this law no model goes to or below {core.floor:.6g}; give a larger loss")
    log_x = (core.log_K - math.log(loss - core.floor) / core.power) / core.gamma
    return _allocation(law, "loss", loss, core.log_G + core.a * log_x, (1.0 - core.a) * log_x - core.log_G)


def optimal(
    law: Law,
    *,
    C: float | None = None,
    N: float | None = None,
    D: float | None = None,
    loss: float | None = None,
) -> Allocation:
    """The optimum given exactly one of compute, size, tokens or target loss; raises InputError otherwise."""
    given = {"compute": C, "params": N, "tokens": D, "loss": loss}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InputError("optimal", ", ".join(names) or "nothing", "give exactly one of compute, params, tokens, loss")
    if C is not None:
        return optimal_for_compute(law, C)
    if N is not None:
        return optimal_for_params(law, N)
    if D is not None:
        return optimal_for_tokens(law, D)
    return optimal_for_loss(law, math.nan if loss is None else loss)


def frontier(law: Law, C: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(N*, D*, loss) along budgets C in FLOP, each of the shape of C. Values below one are left as they are."""
    core = _core(law)
    log_x = np.log(np.asarray(C, dtype=np.float64) / 6.0)
    N = np.exp(np.clip(core.log_G + core.a * log_x, -_LOG_MAX, _LOG_MAX))
    D = np.exp(np.clip((1.0 - core.a) * log_x - core.log_G, -_LOG_MAX, _LOG_MAX))
    return N, D, law.loss(N, D)


def isoflop(law: Law, C: float, N: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(D, loss) of the sizes N (any shape) when each spends the budget C: D = C / (6 N)."""
    sizes = np.asarray(N, dtype=np.float64)
    D = C / (6.0 * sizes)
    return D, law.loss(sizes, D)


def numeric_optimal(law: Law, C: float) -> Allocation:
    """The optimum found by bounded scalar minimisation of `law.loss` over ln N, N from 1 to C/6: a check.

    It knows nothing of the closed form. The loss is flat at its minimum, so N comes out to about six digits.
    """
    from scipy.optimize import minimize_scalar

    span = _positive("compute", C) - math.log(6.0)
    if span <= 0:
        raise InputError("compute", C, "it must exceed 6 FLOP, one parameter and one token")

    def loss(log_N: float) -> float:
        return law.loss(math.exp(log_N), math.exp(span - log_N))

    found = minimize_scalar(loss, bounds=(0.0, span), method="bounded", options={"xatol": 1e-10, "maxiter": 500})
    return _allocation(law, "compute", C, float(found.x), span - float(found.x))


def twenty_to_one(C: float) -> tuple[float, float]:
    """(N, D) with D = 20 N at C = 6 N D: N = sqrt(C / 120). The rule read from Hoffmann et al. 2022, table 3."""
    N = math.exp(0.5 * (_positive("compute", C) - math.log(120.0)))
    return N, 20.0 * N


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
    """Compare a model with the optimum of its own compute. Raises InputError as `optimal_for_compute` does."""
    core = _core(law)
    log_N, log_D = _positive("params", N), _positive("tokens", D)
    C = training_flops(N, D)
    optimum = optimal_for_compute(law, C)
    loss = law.loss(N, D)
    log_x = (core.log_K - core.log_s(log_N, log_D)) / core.gamma
    needed = min(C, 6.0 * math.exp(min(log_x, _LOG_MAX)))
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
    best = f"{format_quantity(optimum.N)} parameters on {format_quantity(optimum.D)} tokens"
    percent = f"{100.0 * share:.0f}%" if share >= 0.005 else "less than 1%"
    if status == "near-optimal":
        return f"Near the optimum: {percent} of its compute could have been saved, and the best is {best}."
    opening = "Too few tokens for its size" if status == "under-trained" else "Smaller than optimal for its compute"
    return (
        f"{opening}: the same compute buys {gap:.2g} nats more with {best}; "
        f"the same loss needs only {format_flops(needed)}, {percent} less."
    )
