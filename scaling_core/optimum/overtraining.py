"""Smaller models for more compute: every way to one loss, and what the cheapest of them costs to leave.

With N* and D* the compute optimum of a loss and u* = beta/(alpha+beta) the share of the model's term in its s, a model
of N = f N* has the share u = u* f^-alpha, so in closed form

    D / D* = ((1 - u*) / (1 - u))^(1/beta),   C / C* = f D / D*,   f > f_min = u*^(1/alpha):

at f_min the model's own term is all that the loss allows, and no amount of data suffices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum.allocation import Allocation, Target, optimal_for_compute, target_of
from scaling_core.optimum.core import LOG_MAX, Core, checked, core_of, counted, increasing_root, log_positive, named


@dataclass(frozen=True, kw_only=True, slots=True)
class OvertrainingCurve:
    """Trainings of one loss by the size of the model, arrays of the shape of `fractions`.

    fractions: N / N*. N, D, C: parameters, tokens and FLOP; D and C are infinite at or below `least_fraction`.
    compute_ratio: C / C*. tokens_per_param: D / N, the over-training multiplier M of Gadre et al. 2024.
    loss: nats per token. optimum: the cheapest of them. least_fraction: f_min.
    """

    fractions: FloatArray
    N: FloatArray
    D: FloatArray
    C: FloatArray
    compute_ratio: FloatArray
    tokens_per_param: FloatArray
    loss: float
    optimum: Allocation
    least_fraction: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Overtrained:
    """A model and its training beside the cheapest one of the same loss.

    N, D, C: parameters, tokens, FLOP. fraction: N / N*. compute_ratio: C / C*. tokens_per_param: D / N.
    least_fraction: below which no amount of data suffices. optimum: the cheapest training of the same loss.
    """

    N: float
    D: float
    C: float
    fraction: float
    compute_ratio: float
    tokens_per_param: float
    least_fraction: float
    optimum: Allocation


def log_tokens_for(law: Law, target: Target, log_N: ArrayLike) -> FloatArray:
    """ln D with which a model of ln N reaches the target, all data new; infinite where no data suffice.

    log_N: any shape, and so the result. u = A N^-alpha / s, D = (B / (s (1 - u)))^(1/beta). Under the Muennighoff form
    a model larger than optimal has excess parameters, which need more data than that: there the root is sought.
    """
    core, sizes = target.core, np.asarray(log_N, dtype=np.float64)
    log_u = core.log_A - core.alpha * sizes - target.log_s
    with np.errstate(divide="ignore", invalid="ignore"):
        log_rest = np.where(log_u < 0, np.log(-np.expm1(np.minimum(log_u, 0.0))), -np.inf)
    log_D = np.asarray((core.log_B - target.log_s - log_rest) / core.beta)
    best_N, best_D = core.at(target.log_s, core.logit)
    if not isinstance(law, MuennighoffLaw) or not np.any(sizes > best_N):
        return log_D

    def short(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        n, d = law.effective(np.exp(sizes), np.exp(x))
        return np.asarray(target.log_s - core.log_s(np.log(n), np.log(d))), np.full_like(x, np.nan)

    sought = increasing_root(short, np.minimum(log_D, best_D), np.full_like(log_D, best_D))
    return np.where(sizes > best_N, sought, log_D)


def tokens_for(law: Law, N: FloatArray, *, loss: float | None = None, C: float | None = None) -> FloatArray:
    """Tokens with which each size reaches a loss, or the loss that the budget C buys at best; shape of N.

    Infinite where no amount of data suffices. Raises InputError as `target_of` does.
    """
    log_D = log_tokens_for(law, target_of(law, loss=loss, C=C), np.log(np.asarray(N, dtype=np.float64)))
    return np.where(log_D <= LOG_MAX, np.exp(np.minimum(log_D, LOG_MAX)), np.inf)


def _least_fraction(core: Core) -> float:
    """f_min = (beta / (alpha + beta))^(1/alpha): N / N* at which E + A N^-alpha alone is the loss."""
    return math.exp(math.log(float(core.a)) / float(core.alpha))


def overtraining_curve(
    law: Law, *, fractions: FloatArray, loss: float | None = None, C: float | None = None
) -> OvertrainingCurve:
    """What each size, as a fraction of the optimal one, must be fed to reach a loss, and what that costs.

    fractions: N / N*, positive, any shape; above 1 the model is larger than optimal, which costs compute too.
    loss: nats per token; or C: the training compute in FLOP that buys the loss at best. Raises InputError on a
    fraction that is not positive and finite, and as `target_of` does.
    Sources: Hoffmann et al. 2022, equation 2; Sardana et al. 2024, section 2; Gadre et al. 2024, section 2.
    """
    f = np.asarray(fractions, dtype=np.float64)
    if not np.all((f > 0) & np.isfinite(f)):
        raise InputError("fractions", f.ravel().tolist(), t("each must be a positive finite number"))
    target = target_of(law, loss=loss, C=C)
    best_N, best_D = target.core.at(target.log_s, target.core.logit)
    log_N = np.log(f) + best_N
    log_D = log_tokens_for(law, target, log_N)
    N = np.exp(log_N)
    with np.errstate(over="ignore"):
        D, ratio = np.exp(log_D), np.exp(np.log(f) + log_D - best_D)
        return OvertrainingCurve(
            fractions=f,
            N=N,
            D=D,
            C=6.0 * N * D,
            compute_ratio=ratio,
            tokens_per_param=D / N,
            loss=target.optimum.loss,
            optimum=target.optimum,
            least_fraction=_least_fraction(target.core),
        )


def smaller_model(law: Law, *, C: float | None = None, loss: float | None = None, times: float) -> Overtrained:
    """The smallest model of the same loss if its training may cost `times` the compute of the optimum.

    C: the budget, FLOP, whose best loss is to be kept; or the loss itself. times: at least 1, where the model is the
    optimum. The compute grows without limit towards f_min; its logarithm is convex in the logit w of the model's
    share and rises from the optimum on, so the root is unique and bracketed. Raises InputError on times below 1 or a
    training beyond any number.
    """
    if not (math.isfinite(times) and times >= 1.0):
        raise InputError(named("times"), times, t("it must be a finite number of at least 1"))
    target = target_of(law, loss=loss, C=C)
    core = target.core
    start, log_times = core.logit, math.log(times)
    here = sum(core.at(target.log_s, start))

    def spent(w: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_N, log_D = core.at(target.log_s, w)
        u = 1.0 / (1.0 + np.exp(-w))
        return np.asarray(log_N + log_D - here - log_times), np.asarray(u / core.beta - (1.0 - u) / core.alpha)

    high = np.logaddexp(0.0, start) + core.beta * (log_times + np.logaddexp(0.0, -start) / core.alpha)
    w = start if times == 1.0 else increasing_root(spent, start, np.maximum(high, start))
    return _overtrained(target, w, "times", times)


def overtrained_to(
    law: Law, *, tokens_per_param: float, loss: float | None = None, C: float | None = None
) -> Overtrained:
    """The model trained on M = D / N tokens per parameter that reaches a loss, or the loss that C buys at best.

    M: from the optimum's own ratio up, the over-training multiplier of Gadre et al. 2024. ln D - ln N rises with the
    model's share, so the model is unique. Raises InputError on a ratio below the optimum's.
    """
    log_M = log_positive("tokens per parameter", tokens_per_param)
    target = target_of(law, loss=loss, C=C)
    core, best = target.core, target.optimum.tokens_per_param
    start_N, start_D = core.at(target.log_s, core.logit)
    if log_M < float(start_D - start_N) - 1e-12:
        raise InputError(
            named("tokens per parameter"),
            tokens_per_param,
            t("over-training begins at {best:.4g}, the optimum of this loss", best=best),
        )

    def ratio(w: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_N, log_D = core.at(target.log_s, w)
        u = 1.0 / (1.0 + np.exp(-w))
        return np.asarray(log_D - log_N - log_M), np.asarray(u / core.beta + (1.0 - u) / core.alpha)

    low = core.logit
    high = np.logaddexp(0.0, low) + core.beta * max(0.0, log_M - float(start_D - start_N))
    return _overtrained(target, increasing_root(ratio, low, high), "tokens per parameter", tokens_per_param)


def standing(law: Law, N: float, D: float) -> Overtrained:
    """Where a trained model stands on the trade-off curve of its own loss, all its data being new.

    The fraction N / N* and the ratio C / C* lie on a curve that is the same for every loss. Raises InputError where N
    or D is not positive and finite, and as `optimal_for_compute` does for the cheapest training of the same loss.
    """
    core, log_N, log_D = core_of(law), log_positive("params", N), log_positive("tokens", D)
    log_s = float(core.log_s(*counted(law, log_N, log_D)))
    best_N, best_D = (float(x) for x in core.at(log_s, core.logit))
    checked("params", N, best_N, best_D)
    return Overtrained(
        N=N,
        D=D,
        C=training_flops(N, D),
        fraction=math.exp(log_N - best_N),
        compute_ratio=math.exp(log_N + log_D - best_N - best_D),
        tokens_per_param=D / N,
        least_fraction=_least_fraction(core),
        optimum=optimal_for_compute(law, 6.0 * math.exp(best_N + best_D)),
    )


def _overtrained(target: Target, w: FloatArray, field: str, seen: float) -> Overtrained:
    log_N, log_D = (float(x) for x in target.core.at(target.log_s, w))
    best_N, best_D = (float(x) for x in target.core.at(target.log_s, target.core.logit))
    checked(field, seen, log_N, log_D)
    N, D = math.exp(log_N), math.exp(log_D)
    return Overtrained(
        N=N,
        D=D,
        C=training_flops(N, D),
        fraction=math.exp(log_N - best_N),
        compute_ratio=math.exp(log_N + log_D - best_N - best_D),
        tokens_per_param=D / N,
        least_fraction=_least_fraction(target.core),
        optimum=target.optimum,
    )
