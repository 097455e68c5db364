"""The cheapest model over its whole life: training and serving together, at one quality (Sardana et al. 2024).

Minimise 6 N D + 2 N D_inf subject to L(N, D) = loss. At fixed s(N, D) Lagrange's condition is

    (alpha / beta) u / (1 - u) = 1 + D_inf / (3 D),    u = A N^-alpha / s,  D = (B / (s (1 - u)))^(1/beta):

in w = ln(u / (1 - u)) its left side rises and its right side falls, so the root is the only one. It lies between the
compute optimum, w* = ln(beta / alpha), and w* + ln(1 + D_inf / (3 D*)), since D is at least D*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum.allocation import Allocation, target_of
from scaling_core.optimum.core import checked, increasing_root, named
from scaling_core.optimum.overtraining import log_tokens_for, tokens_for


@dataclass(frozen=True, kw_only=True, slots=True)
class InferenceOptimum:
    """The model of one loss that costs least to train and then to serve D_inference tokens.

    N, D: parameters and training tokens. training_flops: 6 N D. inference_flops: 2 N D_inference. total_flops: both.
    loss: nats per token. tokens_per_param: D / N. optimum: the training of the same loss that is cheapest by itself.
    saving: 1 - total_flops / (what that optimum costs to train and serve), from 0 towards 1.
    """

    N: float
    D: float
    D_inference: float
    training_flops: float
    inference_flops: float
    total_flops: float
    loss: float
    tokens_per_param: float
    optimum: Allocation
    optimum_total_flops: float
    saving: float


def inference_flops(N: float, tokens: float) -> float:
    """FLOP to serve tokens with a dense model, 2 N each, read or written: a forward pass without attention.

    Source: Kaplan et al. 2020, section 2.1; Sardana et al. 2024, section 2.
    """
    return 2.0 * N * tokens


def inference_optimal(
    law: Law, *, D_inference: float, loss: float | None = None, C: float | None = None
) -> InferenceOptimum:
    """Size and training of least total compute for a quality and the tokens that will be served.

    loss: the quality, nats per token; or C: the training compute in FLOP that buys it at best. D_inference: tokens
    served over the model's life, 0 or more; 0 gives the compute optimum, more a smaller model on more tokens.
    Raises InputError where the loss is impossible, a number is not finite, or the optimum beyond any number.
    Source: Sardana et al. 2024 (arXiv 2401.00448), equation 2.
    """
    if not (math.isfinite(D_inference) and D_inference >= 0):
        raise InputError(named("served tokens"), D_inference, t("it must be zero or a positive finite number"))
    target = target_of(law, loss=loss, C=C)
    core, best = target.core, target.optimum
    w_best = core.logit
    if D_inference == 0.0:
        N, D = best.N, best.D
    else:
        log_third = math.log(D_inference) - math.log(3.0)

        def condition(w: FloatArray) -> tuple[FloatArray, FloatArray]:
            lag = np.asarray(log_third - core.at(target.log_s, w)[1])
            more = np.logaddexp(0.0, lag)
            u, share = 1.0 / (1.0 + np.exp(-w)), np.exp(lag - more)
            return np.asarray(w - w_best - more), np.asarray(1.0 + share * u / core.beta)

        high = w_best + np.logaddexp(0.0, log_third - core.at(target.log_s, w_best)[1])
        log_N, log_D = core.at(target.log_s, increasing_root(condition, w_best, high))
        checked("served tokens", D_inference, float(log_N), float(log_D))
        N, D = math.exp(log_N), math.exp(log_D)
    training, serving = training_flops(N, D), inference_flops(N, D_inference)
    reference = best.C + inference_flops(best.N, D_inference)
    return InferenceOptimum(
        N=N,
        D=D,
        D_inference=D_inference,
        training_flops=training,
        inference_flops=serving,
        total_flops=training + serving,
        loss=best.loss,
        tokens_per_param=D / N,
        optimum=best,
        optimum_total_flops=reference,
        saving=max(0.0, 1.0 - (training + serving) / reference),
    )


def served_for(law: Law, N: FloatArray, *, loss: float | None = None, C: float | None = None) -> FloatArray:
    """Tokens served for which each size is the cheapest over its life, of the shape of N: the condition read backwards.

    D_inf = 3 D ((alpha / beta) u / (1 - u) - 1) with D the training that brings N to the loss. 0 from the compute
    optimum up, infinite where no amount of data suffices. Raises InputError as `target_of` does.
    """
    target = target_of(law, loss=loss, C=C)
    core = target.core
    log_N = np.minimum(np.log(np.asarray(N, dtype=np.float64)), core.at(target.log_s, core.logit)[0])
    log_u = core.log_A - core.alpha * log_N - target.log_s
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        odds = np.where(log_u < 0, np.expm1(log_u - np.log(-np.expm1(np.minimum(log_u, 0.0))) - core.logit), np.inf)
        return np.asarray(3.0 * np.exp(log_tokens_for(law, target, log_N)) * np.maximum(odds, 0.0))


def lifetime_flops(
    law: Law, N: FloatArray, *, D_inference: ArrayLike, loss: float | None = None, C: float | None = None
) -> FloatArray:
    """Training and serving compute of each size at one loss, 6 N D(N) + 2 N D_inference; FLOP, of the shape of N.

    D_inference: tokens served, a number or of the shape of N. Infinite where no amount of data brings the size to the
    loss. The loss is given, or is the one that the training
    budget C buys at best; raises InputError as `target_of` does.
    """
    sizes = np.asarray(N, dtype=np.float64)
    D = tokens_for(law, sizes, loss=loss, C=C)
    with np.errstate(over="ignore"):
        return np.asarray(6.0 * sizes * D + 2.0 * sizes * D_inference)
