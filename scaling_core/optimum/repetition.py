"""What repeated tokens and excess parameters are worth, and where that puts the optimum of a budget.

Muennighoff et al. 2023 (arXiv 2305.16264), section 3: of D tokens seen, U of them unique, and of N parameters where
N_U is the best size for U tokens, L = E + A N'^-alpha + B D'^-beta counts only

    D' = U phi(D / U; R_D*),  N' = N_U phi(N / N_U; R_N*),  phi(x; R) = 1 + R (1 - exp(-(x - 1) / R)),  x >= 1.

The best N for a budget. Where the unlimited optimum needs no more than U tokens it is the optimum here too. Elsewhere
some data are repeated at the optimum, and along C = 6 N D with D >= U the loss is stationary where

    p(N) = ln(alpha A) - (alpha+1) ln N' + ln N - (N/N_U - 1) / R_N*  equals the same expression q(D) in B, beta, D.

The elasticity x phi'/phi of phi falls with x, and so do p in N and q in D; hence q - p rises in N and crosses zero
once, between N_U (where p >= q, the terms being equal at U tokens) and C / (6 U) (where all of U is read once).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum.core import LOG_MAX, Core, checked, core_of, increasing_root, log_positive


@dataclass(frozen=True, kw_only=True, slots=True)
class Limited:
    """A law with its unique tokens: ln U, ln N_U, and ln(C/6) of the budget whose optimum reads U once."""

    core: Core
    R_N: float
    R_D: float
    log_U: float
    log_N_U: float
    log_x_U: float

    @property
    def log_s_limit(self) -> float:
        """ln s that no compute goes below: N' and D' are at most 1 + R* times what counts in full."""
        n, d = self.log_N_U + math.log1p(self.R_N), self.log_U + math.log1p(self.R_D)
        return float(self.core.log_s(n, d))

    def effective(self, log_N: ArrayLike, log_D: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(ln N', ln D'), for D >= U."""
        n, _ = log_worth(np.asarray(log_N) - self.log_N_U, self.R_N)
        d, _ = log_worth(np.asarray(log_D) - self.log_U, self.R_D)
        return self.log_N_U + n, self.log_U + d

    def p(self, log_N: FloatArray) -> tuple[FloatArray, FloatArray]:
        """p of the module's text and its derivative in ln N, for N >= N_U."""
        return _pull(self.core.log_A, self.core.alpha, log_N, self.log_N_U, self.R_N)

    def q(self, log_D: FloatArray) -> tuple[FloatArray, FloatArray]:
        """q of the module's text and its derivative in ln D, for D >= U."""
        return _pull(self.core.log_B, self.core.beta, log_D, self.log_U, self.R_D)

    def best(self, log_x: FloatArray) -> FloatArray:
        """ln N of the optimum at ln(C/6), any shape."""
        free_N, free_D = self.core.best(log_x)
        low, high = np.full_like(log_x, self.log_N_U), np.maximum(log_x - self.log_U, self.log_N_U)

        def difference(log_N: FloatArray) -> tuple[FloatArray, FloatArray]:
            (p, dp), (q, dq) = self.p(log_N), self.q(log_x - log_N)
            return np.asarray(q - p), np.asarray(-dq - dp)

        return np.where(free_D <= self.log_U, free_N, increasing_root(difference, low, high))

    def best_for_tokens(self, log_D: FloatArray) -> FloatArray:
        """ln N of the size for which D tokens seen are the best training, any shape: p(N) = q(D), one root."""
        free_N = np.asarray((log_D + self.core.log_G) / self.core.b - log_D)
        wanted, _ = self.q(np.maximum(log_D, self.log_U))
        low = np.full_like(log_D, self.log_N_U)
        high = low + 1.0
        while np.any(self.p(high)[0] > wanted) and float(np.max(high)) < 2.0 * LOG_MAX:
            high = np.where(self.p(high)[0] > wanted, high + 1.0, high)

        def difference(log_N: FloatArray) -> tuple[FloatArray, FloatArray]:
            p, dp = self.p(log_N)
            return np.asarray(wanted - p), np.asarray(-dp)

        return np.where(log_D <= self.log_U, free_N, increasing_root(difference, low, high))


def limited(law: MuennighoffLaw, U: float) -> Limited:
    """The law with U unique tokens; raises InputError where U is not positive and finite, or N_U beyond any number."""
    if not isinstance(law, MuennighoffLaw):
        raise InputError(t("law"), law.form, t("it must be a law of repeated data, of the muennighoff form"))
    core, log_U = core_of(law), log_positive("unique tokens", U)
    log_x = float((log_U + core.log_G) / core.b)
    checked("unique tokens", U, log_x - log_U, log_U)
    return Limited(core=core, R_N=law.R_N_star, R_D=law.R_D_star, log_U=log_U, log_N_U=log_x - log_U, log_x_U=log_x)


def log_worth(log_x: FloatArray, R: float) -> tuple[FloatArray, FloatArray]:
    """(ln phi, its elasticity x phi'/phi) at x = exp(log_x), of its shape; x below 1 counts in full."""
    extra = _extra(log_x, R)
    phi = 1.0 - R * np.expm1(-extra)
    plain = log_x <= 0
    elasticity = np.where(plain, 1.0, (1.0 + R * extra) * np.exp(-extra) / phi)
    return np.where(plain, log_x, np.log(phi)), elasticity


def _extra(log_x: FloatArray, R: float) -> FloatArray:
    """(x - 1) / R, 0 for x below 1; held where its exponential has long vanished."""
    with np.errstate(over="ignore"):
        return np.minimum(np.expm1(np.clip(log_x, 0.0, LOG_MAX)) / R, 1e300)


def _pull(
    log_c: FloatArray, power: FloatArray, log_n: FloatArray, log_unit: float, R: float
) -> tuple[FloatArray, FloatArray]:
    """p (or q) of the module's text and its derivative in the logarithm of its variable, at or above the unit."""
    log_x = log_n - log_unit
    log_phi, elasticity = log_worth(log_x, R)
    extra = _extra(log_x, R)
    value = np.log(power) + log_c - (power + 1.0) * (log_unit + log_phi) + log_n - extra
    return value, 1.0 - (power + 1.0) * elasticity - (1.0 / R + extra)


def token_worth(law: MuennighoffLaw, epochs: ArrayLike) -> FloatArray:
    """What a token of this epoch adds to D', as a share of a new one: exp(-(epochs - 1) / R_D*), 1 up to one epoch.

    epochs: any shape, and so the result. Source: Muennighoff et al. 2023, equation 5 by its derivative in D.
    """
    return np.exp(-np.maximum(np.asarray(epochs, dtype=np.float64) - 1.0, 0.0) / law.R_D_star)


def worthless_epochs(law: MuennighoffLaw, share: float = 0.01) -> float:
    """The epochs after which one more buys less than `share` of what the first repetition (1 to 2 epochs) bought.

    In nats at a fixed size, g(e) = B U^-beta (phi(e)^-beta - phi(e + 1)^-beta) against g(1). The ratio does not depend
    on U, nor on N: it is a number of the law. g falls, and faster than the worth of a token, so the root lies between
    1 and 1 + R_D* ln(1 / share). Raises InputError unless 0 < share < 1.
    """
    if not 0.0 < share < 1.0:
        raise InputError("share", share, t("it must lie between 0 and 1"))
    R, beta = law.R_D_star, law.beta

    def log_gain(e: FloatArray) -> FloatArray:
        y = (e - 1.0) / R
        phi = 1.0 - R * np.expm1(-y)
        growth = np.log1p(-R * np.exp(-y) * math.expm1(-1.0 / R) / phi)
        return np.asarray(-beta * np.log(phi) + np.log(-np.expm1(-beta * growth)))

    wanted = log_gain(np.asarray(1.0)) + math.log(share)
    high = 1.0 - R * math.log(share)
    return float(increasing_root(lambda e: (wanted - log_gain(e), np.full_like(e, np.nan)), 1.0, high))
