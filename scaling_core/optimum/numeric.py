"""The optimum by search, knowing nothing of the closed form: what the closed form is checked against."""

from __future__ import annotations

import math

from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum.allocation import Allocation
from scaling_core.optimum.core import LOG_6, checked, log_positive, named


def numeric_optimal(law: Law, C: float) -> Allocation:
    """The optimum found by bounded scalar minimisation of `law.loss` over ln N, N from 1 to C/6: a check.

    The loss is flat at its minimum, so N comes out to about six digits. Raises InputError where C is not positive
    and finite, or at most 6 FLOP.
    """
    from scipy.optimize import minimize_scalar

    span = log_positive("compute", C) - LOG_6
    if span <= 0:
        raise InputError(named("compute"), C, t("it must exceed 6 FLOP, one parameter and one token"))

    def loss(log_N: float) -> float:
        return law.loss(math.exp(log_N), math.exp(span - log_N))

    found = minimize_scalar(loss, bounds=(0.0, span), method="bounded", options={"xatol": 1e-10, "maxiter": 500})
    log_N = float(found.x)
    checked("compute", C, log_N, span - log_N)
    N, D = math.exp(log_N), math.exp(span - log_N)
    return Allocation(N=N, D=D, C=training_flops(N, D), loss=law.loss(N, D), tokens_per_param=D / N)
