"""What every optimum rests on: a law as a monotone function of a sum of two power laws, in logarithms throughout.

All forms in N and D are L = floor + s^power with s(N, D) = A N^-alpha + B D^-beta: the Chinchilla form and those that
reduce to it with power = 1, Kaplan's joint form with A = N_c^(alpha_N/alpha_D), alpha = alpha_N/alpha_D, B = D_c,
beta = 1, floor = 0 and power = alpha_D. So one closed form serves all of them (Hoffmann et al. 2022, equation 4):

    G = (alpha A / (beta B))^(1/(alpha+beta))
    N* = G (C/6)^(beta/(alpha+beta)),  D* = (C/6)^(alpha/(alpha+beta)) / G
    s* = (A G^-alpha + B G^beta) (C/6)^-(alpha beta/(alpha+beta))

Along a line of constant s the model's share u = A N^-alpha / s of the sum runs from 0 to 1, beta/(alpha+beta) being
the optimum's. Its logit w = ln(u / (1 - u)) is the one coordinate in which every other optimum here is sought.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.laws import Law, MuennighoffLaw

LOG_6 = math.log(6.0)
LOG_MAX = 690.0
"""Natural logarithm of the largest number that is written; exp(710) is no float any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """ln A, alpha, ln B, beta, power and floor of L = floor + s^power, each of shape () for a law or (R,) for many."""

    log_A: FloatArray
    alpha: FloatArray
    log_B: FloatArray
    beta: FloatArray
    power: FloatArray
    floor: FloatArray

    @property
    def log_G(self) -> FloatArray:
        """ln G of the closed form."""
        return np.asarray((np.log(self.alpha / self.beta) + self.log_A - self.log_B) / (self.alpha + self.beta))

    @property
    def a(self) -> FloatArray:
        """N* ~ C^a, and u* = a: the share of the model's term in s at the optimum."""
        return np.asarray(self.beta / (self.alpha + self.beta))

    @property
    def b(self) -> FloatArray:
        """D* ~ C^b, b = 1 - a."""
        return np.asarray(self.alpha / (self.alpha + self.beta))

    @property
    def gamma(self) -> FloatArray:
        """s* ~ C^-gamma."""
        return np.asarray(self.alpha * self.beta / (self.alpha + self.beta))

    @property
    def logit(self) -> FloatArray:
        """w of the compute optimum, ln(beta / alpha)."""
        return np.asarray(np.log(self.beta / self.alpha))

    @property
    def log_K(self) -> FloatArray:
        """ln of s* at C/6 = 1."""
        return np.logaddexp(self.log_A - self.alpha * self.log_G, self.log_B + self.beta * self.log_G)

    def best(self, log_x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(ln N*, ln D*) at log_x = ln(C/6)."""
        return np.asarray(self.log_G + self.a * log_x), np.asarray(self.b * log_x - self.log_G)

    def log_s_best(self, log_x: ArrayLike) -> FloatArray:
        """ln s* at log_x = ln(C/6)."""
        return np.asarray(self.log_K - self.gamma * log_x)

    def log_x_for(self, log_s: ArrayLike) -> FloatArray:
        """ln(C/6) of the budget whose optimum has this ln s."""
        return np.asarray((self.log_K - log_s) / self.gamma)

    def log_s(self, log_N: ArrayLike, log_D: ArrayLike) -> FloatArray:
        """ln s of a model, all of its parameters and tokens counting in full."""
        return np.logaddexp(self.log_A - self.alpha * log_N, self.log_B - self.beta * log_D)

    def at(self, log_s: ArrayLike, w: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(ln N, ln D) where s is given and the logit of the model's share is w."""
        return (
            np.asarray((self.log_A - log_s + np.logaddexp(0.0, -np.asarray(w))) / self.alpha),
            np.asarray((self.log_B - log_s + np.logaddexp(0.0, w)) / self.beta),
        )


def core_from(form: str, constants: FloatArray) -> Core:
    """The core of laws of one form; constants (..., p) in the order of the law's `constants`, fields (...).

    Raises InputError on a form without an optimum in N and D. A constant that is zero gives infinite logarithms,
    silently: what they mean is for the caller to say.
    """
    c = np.moveaxis(np.asarray(constants, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if form == "kaplan":
            N_c, D_c, alpha_N, alpha_D = c
            alpha, one = alpha_N / alpha_D, np.ones_like(alpha_D)
            return Core(
                log_A=alpha * np.log(N_c), alpha=alpha, log_B=np.log(D_c), beta=one, power=alpha_D, floor=0.0 * one
            )
        if form == "gadre":
            E, A, b, eta = c
            return _summed(E, np.log(A), np.log(b) - 0.5 * eta * LOG_6, eta, eta)
        if form in ("chinchilla", "muennighoff"):
            E, A, B, alpha, beta = c[:5]
            return _summed(E, np.log(A), np.log(B), alpha, beta)
    raise InputError("form", form, t("it must be chinchilla, kaplan, gadre or muennighoff, a law in N and D"))


def _summed(E: FloatArray, log_A: FloatArray, log_B: FloatArray, alpha: FloatArray, beta: FloatArray) -> Core:
    return Core(log_A=log_A, alpha=alpha, log_B=log_B, beta=beta, power=np.ones_like(E), floor=E)


def core_of(law: Law) -> Core:
    """The core of one law, its fields of shape (). Repeated data and excess parameters are no part of it."""
    return core_from(law.form, np.array(list(law.constants.values())))


def counted(law: Law, log_N: float, log_D: float) -> tuple[float, float]:
    """(ln N', ln D') of a model whose data are all new: as they are, but for parameters in excess of the best size.

    Only the Muennighoff form counts these for less (Muennighoff et al. 2023, section 3.1).
    """
    if not isinstance(law, MuennighoffLaw):
        return log_N, log_D
    n, d = law.effective(math.exp(log_N), math.exp(log_D))
    return math.log(float(n)), math.log(float(d))


def named(field: str) -> str:
    """A field of an optimum as a reader knows it; one that has no name of its own as it is."""
    names = {
        "compute": t("compute"),
        "params": t("params"),
        "tokens": t("tokens"),
        "loss": t("loss"),
        "tokens per parameter": t("tokens per parameter"),
        "served tokens": t("served tokens"),
        "unique tokens": t("unique tokens"),
        "epochs": t("epochs"),
        "times": t("times"),
    }
    return names.get(field, field)


def log_positive(field: str, x: float) -> float:
    """ln x; raises InputError unless x is a finite positive number."""
    if not (math.isfinite(x) and x > 0):
        raise InputError(named(field), x, t("it must be a positive finite number"))
    return math.log(x)


def checked(field: str, seen: object, log_N: float, log_D: float) -> None:
    """Raise InputError, naming the field, where a model and its training cannot be meant or written."""
    if not max(log_N, log_D, LOG_6 + log_N + log_D) <= LOG_MAX:
        raise InputError(named(field), seen, t("under this law the optimum lies beyond any number that can be written"))
    if min(log_N, log_D) < -1e-9:
        raise InputError(
            named(field), seen, t("under this law its optimum has less than one parameter or token; give another")
        )


def increasing_root(
    f: Callable[[FloatArray], tuple[FloatArray, FloatArray]], low: ArrayLike, high: ArrayLike
) -> FloatArray:
    """Where increasing functions cross zero inside brackets, to the last bits; all shapes alike.

    f: of x to (value, slope), elementwise; a slope that is not positive and finite asks for a halving. low, high: the
    brackets, f(low) <= 0 <= f(high). Newton's step is taken where it stays inside the bracket and at least halves the
    step before, the middle elsewhere, so that each element ends within a bracket's 110 halvings at most.
    """
    lo, hi = (np.array(edge, dtype=np.float64) for edge in np.broadcast_arrays(low, high))
    x, step = hi.copy(), hi - lo
    for _ in range(220):
        value, slope = f(x)
        hi = np.where(value >= 0, x, hi)
        lo = np.where(value <= 0, x, lo)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = x - value / slope
            good = (slope > 0) & (newton >= lo) & (newton <= hi) & (np.abs(newton - x) <= 0.5 * np.abs(step))
        following = np.where(good, newton, 0.5 * (lo + hi))
        step, x = following - x, following
        if np.all((np.abs(step) <= 2e-16 * np.maximum(1.0, np.abs(x))) | (hi <= lo)):
            break
    return x
