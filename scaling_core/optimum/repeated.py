"""Training on U unique tokens and no more: how often to repeat them, and where more compute stops helping."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum.allocation import Allocation, optimal_for_compute
from scaling_core.optimum.core import LOG_6, LOG_MAX, checked, increasing_root, log_positive, named
from scaling_core.optimum.repetition import Limited, limited, log_worth


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedOptimum:
    """The best training for a budget with U unique tokens, and what the limit costs.

    N, D, C: parameters, tokens seen, FLOP. U: unique tokens. epochs: D / U, below 1 where U is not used up.
    N_effective, D_effective: N' and D', what they are worth in new data and needed parameters. loss: nats per token.
    unlimited: the optimum of the same budget if every token were new. loss_penalty: loss - unlimited.loss, nats.
    compute_equivalent: FLOP with which unlimited data reach the same loss.
    """

    N: float
    D: float
    C: float
    U: float
    epochs: float
    N_effective: float
    D_effective: float
    loss: float
    unlimited: Allocation
    loss_penalty: float
    compute_equivalent: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DataWall:
    """The best that each budget buys with U unique tokens; arrays of the shape of C.

    C: FLOP. N, D: parameters and tokens seen. epochs: D / U. loss: nats per token. unlimited_loss: if every token
    were new.
    """

    U: float
    C: FloatArray
    N: FloatArray
    D: FloatArray
    epochs: FloatArray
    loss: FloatArray
    unlimited_loss: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochsCurve:
    """Loss against epochs at a fixed size; arrays of the shape of `epochs`.

    D: tokens seen, U epochs. loss: with U unique tokens. fresh_loss: if all D were new. limit: as epochs grow without
    end, nats per token.
    """

    N: float
    U: float
    epochs: FloatArray
    D: FloatArray
    loss: FloatArray
    fresh_loss: FloatArray
    limit: float


def data_limited(law: MuennighoffLaw, *, U: float, C: float) -> RepeatedOptimum:
    """The best N, and so D and epochs, for C FLOP when only U tokens are unique; both positive.

    Raises InputError where a number is not positive and finite, or an optimum is beyond any number or below one
    parameter or token. Source: Muennighoff et al. 2023, section 3 and appendix A.
    """
    data, unlimited = limited(law, U), optimal_for_compute(law, C)
    log_x = np.asarray(log_positive("compute", C) - LOG_6)
    if unlimited.D <= U:
        N, D, log_s = unlimited.N, unlimited.D, float(data.core.log_s_best(log_x))
        n, d = N, D
    else:
        log_N = data.best(log_x)
        log_D = log_x - log_N
        checked("compute", C, float(log_N), float(log_D))
        N, D, log_s = math.exp(log_N), math.exp(log_D), float(data.core.log_s(*data.effective(log_N, log_D)))
        n, d = (math.exp(x) for x in data.effective(log_N, log_D))
    loss = law.loss(N, D, U)
    return RepeatedOptimum(
        N=N,
        D=D,
        C=C,
        U=U,
        epochs=D / U,
        N_effective=n,
        D_effective=d,
        loss=loss,
        unlimited=unlimited,
        loss_penalty=max(0.0, loss - unlimited.loss),
        compute_equivalent=min(C, 6.0 * math.exp(min(float(data.core.log_x_for(log_s)), LOG_MAX))),
    )


def data_wall(law: MuennighoffLaw, *, U: float, C: FloatArray) -> DataWall:
    """The frontier of budgets C (any shape, FLOP) under U unique tokens, beside the one of unlimited data.

    Raises InputError as `data_limited` does for U, and where a budget is not positive and finite.
    """
    budgets = _positive("compute", C)
    data = limited(law, U)
    log_x = np.log(budgets) - LOG_6
    log_N = data.best(log_x)
    return _wall(law, data, log_N, log_x - log_N)


def wall_at_epochs(law: MuennighoffLaw, *, U: float, epochs: FloatArray) -> DataWall:
    """The points of that frontier where the U tokens are read so many times (any shape): the budgets that ask for it.

    Raises InputError as `data_limited` does for U, and on an epoch that is not positive and finite.
    """
    data, log_D = limited(law, U), np.log(_positive("epochs", epochs)) + math.log(U)
    return _wall(law, data, data.best_for_tokens(log_D), log_D)


def _wall(law: MuennighoffLaw, data: Limited, log_N: FloatArray, log_D: FloatArray) -> DataWall:
    free_N, free_D = data.core.best(log_N + log_D)
    N, D, U = np.exp(log_N), np.exp(log_D), math.exp(data.log_U)
    return DataWall(
        U=U,
        C=6.0 * N * D,
        N=N,
        D=D,
        epochs=D / U,
        loss=law.loss(N, D, U),
        unlimited_loss=law.loss(np.exp(free_N), np.exp(free_D)),
    )


def _positive(field: str, values: FloatArray) -> FloatArray:
    """The values as an array; raises InputError, naming the field, unless each is positive and finite."""
    numbers = np.asarray(values, dtype=np.float64)
    if not np.all((numbers > 0) & np.isfinite(numbers)):
        raise InputError(named(field), numbers.ravel().tolist(), t("each must be a positive finite number"))
    return numbers


def loss_limit(law: MuennighoffLaw, U: float) -> float:
    """What no compute goes below with U unique tokens: E + A (N_U (1 + R_N*))^-alpha + B (U (1 + R_D*))^-beta.

    N' and D' never exceed 1 + R* times what they count in full. Raises InputError as `data_limited`.
    """
    return law.floor + math.exp(limited(law, U).log_s_limit)


def compute_wall(law: MuennighoffLaw, U: float, *, within: float = 0.01) -> RepeatedOptimum:
    """Where more compute stops helping: the least budget whose best loss is `within` nats of `loss_limit(law, U)`.

    Beyond it all the compute in the world buys less than `within`. The best loss falls with C, by the envelope theorem
    at the rate dL/dlnC = -beta B D'^-beta (x phi'/phi), x = D / U. Raises InputError as `data_limited`, and where
    `within` is below 1e-9 or too small beside the loss to be told from nothing.
    """
    if not 1e-9 <= within < math.inf:
        raise InputError("within", within, t("it must be a number of nats from 1e-9 on"))
    data = limited(law, U)
    c = data.core
    log_target = float(np.logaddexp(data.log_s_limit, math.log(within)))
    log_x_free = float(c.log_x_for(log_target))
    if log_x_free <= data.log_x_U:
        return data_limited(law, U=U, C=6.0 * math.exp(log_x_free))

    def above(log_x: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_N = data.best(log_x)
        log_D = log_x - log_N
        log_s = c.log_s(*data.effective(log_N, log_D))
        log_phi, elasticity = log_worth(log_D - data.log_U, data.R_D)
        log_term = c.log_B - c.beta * (data.log_U + log_phi)
        return np.asarray(log_target - log_s), np.asarray(c.beta * elasticity * np.exp(log_term - log_s))

    high = data.log_x_U + 1.0
    while float(above(np.asarray(high))[0]) < 0:
        high += 1.0
        checked("within", within, 0.0, high)
    log_x = float(increasing_root(above, data.log_x_U, high))
    return data_limited(law, U=U, C=6.0 * math.exp(log_x))


def epochs_curve(law: MuennighoffLaw, *, U: float, N: float, epochs: FloatArray) -> EpochsCurve:
    """Loss against epochs over U unique tokens at the size N, and what as many new tokens would give.

    epochs: positive, any shape. Raises InputError as `data_limited`, or on an epoch that is not positive and finite.
    """
    data, log_N = limited(law, U), log_positive("params", N)
    passes = _positive("epochs", epochs)
    D = passes * U
    log_n, _ = data.effective(np.asarray(log_N), np.asarray(data.log_U))
    end = data.core.log_s(log_n, np.asarray(data.log_U + math.log1p(data.R_D)))
    return EpochsCurve(
        N=N,
        U=U,
        epochs=passes,
        D=D,
        loss=law.loss(N, D, U),
        fresh_loss=law.loss(N, D),
        limit=float(data.core.floor) + math.exp(float(end)),
    )
