"""The law of Muennighoff et al. 2023, in which a token that is seen again is worth less than a new one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, overload

import numpy as np

from scaling_core.arrays import ArrayLike, BoolArray, FloatArray
from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.laws.base import MAX_CONSTANT, Constants, check, falling, shaped
from scaling_core.laws.chinchilla import ChinchillaLaw


@dataclass(frozen=True, kw_only=True, slots=True)
class MuennighoffLaw(Constants):
    """L(N, D, U) = E + A / N'^alpha + B / D'^beta, N' and D' being what N parameters and D tokens are worth.

    Of D tokens U_D = min(U, D) are unique and each is seen D / U_D times, R_D = D / U_D - 1 of them repetitions:

        D' = U_D + U_D R_D* (1 - exp(-R_D / R_D*)),    at most U_D (1 + R_D*)

    Likewise for parameters: U_N = min(N, the size that is optimal for U_D tokens under E, A, B, alpha and beta),
    R_N = N / U_N - 1 and N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*)). So a model larger than its unique data call
    for is worth less than its size even where no token is repeated; up to that size, on new tokens, the law is the
    Chinchilla law `base`. R_D_star and R_N_star (R_D*, R_N*): repetitions after which a further one is worth 1/e of
    a new token or parameter. Raises InputError as `ChinchillaLaw` does, or where the optimal size for some tokens
    leaves the floating-point range. Source: Muennighoff et al. 2023 (arXiv 2305.16264), section 3.1.
    """

    form: ClassVar[str] = "muennighoff"
    E: float
    A: float
    B: float
    alpha: float
    beta: float
    R_N_star: float
    R_D_star: float

    def __post_init__(self) -> None:
        ChinchillaLaw(E=self.E, A=self.A, B=self.B, alpha=self.alpha, beta=self.beta)
        check("R_N_star", self.R_N_star, high=MAX_CONSTANT)
        check("R_D_star", self.R_D_star, high=MAX_CONSTANT)
        if abs(self._log_size) > 300.0:
            allowed = t("it is too small beside the A of {A:g} and the B of {B:g}", A=self.A, B=self.B)
            raise InputError("alpha", self.alpha, allowed)

    @property
    def base(self) -> ChinchillaLaw:
        """The Chinchilla law that holds where nothing is repeated and no parameter is in excess."""
        return ChinchillaLaw(E=self.E, A=self.A, B=self.B, alpha=self.alpha, beta=self.beta)

    @property
    def floor(self) -> float:
        """E, the loss that no N and D go below."""
        return self.E

    @property
    def _log_size(self) -> float:
        """ln of the size that is optimal for one token."""
        return (math.log(self.alpha / self.beta) + math.log(self.A) - math.log(self.B)) / self.alpha

    @overload
    def optimal_params_for(self, U_D: float) -> float: ...
    @overload
    def optimal_params_for(self, U_D: FloatArray) -> FloatArray: ...
    def optimal_params_for(self, U_D: ArrayLike) -> ArrayLike:
        """The size for which U_D tokens are compute-optimal under `base`, of the shape of U_D.

        Where alpha A N^-alpha = beta B U_D^-beta: N = (alpha A / (beta B))^(1/alpha) U_D^(beta/alpha).
        """
        return shaped(self._size_for(U_D))

    def _size_for(self, tokens: ArrayLike) -> FloatArray:
        with np.errstate(over="ignore", under="ignore"):
            log_size = self._log_size + self.beta / self.alpha * np.log(np.asarray(tokens, dtype=np.float64))
            return np.asarray(np.exp(log_size))

    def _parts(self, N: ArrayLike, D: ArrayLike, U: ArrayLike | None) -> _Parts:
        n, d = np.asarray(N, dtype=np.float64), np.asarray(D, dtype=np.float64)
        unique = d if U is None else np.minimum(np.asarray(U, dtype=np.float64), d)
        size = np.minimum(n, self._size_for(unique))
        repeats_N, repeats_D = np.maximum(n / size - 1.0, 0.0), np.maximum(d / unique - 1.0, 0.0)
        return _Parts(
            excess=np.asarray(n > size),
            new=np.asarray(d <= unique),
            repeats_N=np.asarray(repeats_N),
            repeats_D=np.asarray(repeats_D),
            N=np.asarray(size * (1.0 + _worth(repeats_N, self.R_N_star))),
            D=np.asarray(unique * (1.0 + _worth(repeats_D, self.R_D_star))),
        )

    def effective(self, N: ArrayLike, D: ArrayLike, U: ArrayLike | None = None) -> tuple[ArrayLike, ArrayLike]:
        """(N', D'): what N parameters and D tokens are worth when U tokens are unique; all broadcast.

        U None: every token is new.
        """
        parts = self._parts(N, D, U)
        return shaped(parts.N), shaped(parts.D)

    @overload
    def loss(self, N: float, D: float, U: float | None = None) -> float: ...
    @overload
    def loss(self, N: FloatArray, D: ArrayLike, U: ArrayLike | None = None) -> FloatArray: ...
    @overload
    def loss(self, N: float, D: FloatArray, U: ArrayLike | None = None) -> FloatArray: ...
    @overload
    def loss(self, N: float, D: float, U: FloatArray) -> FloatArray: ...
    def loss(self, N: ArrayLike, D: ArrayLike, U: ArrayLike | None = None) -> ArrayLike:
        """L in nats per token; N (parameters), D (tokens seen) and U (unique ones), all positive, broadcast.

        U None: every token is new. U above D says the same. A float for floats.
        """
        parts = self._parts(N, D, U)
        return shaped(self.E + falling(self.A, parts.N, self.alpha) + falling(self.B, parts.D, self.beta))

    def terms(self, N: ArrayLike, D: ArrayLike, U: ArrayLike | None = None) -> dict[str, ArrayLike]:
        """The three summands {"E", "N", "D"}: E, A / N'^alpha, B / D'^beta, of the broadcast shapes."""
        parts = self._parts(N, D, U)
        return {
            "E": self.E,
            "N": shaped(falling(self.A, parts.N, self.alpha)),
            "D": shaped(falling(self.B, parts.D, self.beta)),
        }

    def gradient(self, N: ArrayLike, D: ArrayLike, U: ArrayLike | None = None) -> tuple[ArrayLike, ArrayLike]:
        """(dL/dlnN, dL/dlnD) at fixed U, nats per e-fold; with U None the unique tokens grow with D.

        L is smooth in N. In D it has one kink, at D = U for a model larger than U calls for: there the second
        derivative given is the one from below, where the token is still new.
        """
        parts = self._parts(N, D, U)
        by_size, by_data = falling(self.A, parts.N, self.alpha), falling(self.B, parts.D, self.beta)
        n, d = np.asarray(N, dtype=np.float64), np.asarray(D, dtype=np.float64)
        left_N, left_D = _left(parts.repeats_N, self.R_N_star), _left(parts.repeats_D, self.R_D_star)
        slope_N = np.where(parts.excess, n * left_N / parts.N, 1.0)
        slope_D = np.where(parts.new, 1.0, d * left_D / parts.D)
        # dlnN'/dlnD: a larger U_D calls for a larger U_N, which leaves fewer parameters in excess
        share = 1.0 - (1.0 + parts.repeats_N) * left_N / (1.0 + _worth(parts.repeats_N, self.R_N_star))
        through_N = np.where(parts.excess & parts.new, self.beta * share, 0.0)
        return (
            shaped(np.asarray(-self.alpha * by_size * slope_N)),
            shaped(np.asarray(-self.beta * by_data * slope_D - by_size * through_N)),
        )

    def expression(self, n: str, d: str, names: Mapping[str, str] | None = None, u: str | None = None) -> str:
        """The loss as a Vega expression of `n`, `d` and, where tokens are repeated, `u`.

        `names` as in `ChinchillaLaw.expression`. Equal to `loss` to 1e-12 for R_N* and R_D* up to a thousand.
        """
        c = self._text(names)
        unique = f"({d})" if u is None else f"min({u}, {d})"
        one = f"pow({c['alpha']} * {c['A']} / ({c['beta']} * {c['B']}), 1 / {c['alpha']})"
        size = f"min({n}, {one} * pow({unique}, {c['beta']} / {c['alpha']}))"

        def worth(of: str, whole: str, star: str) -> str:
            return f"({of} * (1 + {star} * (1 - exp((1 - ({whole}) / {of}) / {star}))))"

        N, D = worth(size, n, c["R_N_star"]), unique if u is None else worth(unique, d, c["R_D_star"])
        return f"({c['E']} + {c['A']} * pow({N}, -({c['alpha']})) + {c['B']} * pow({D}, -({c['beta']})))"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """N', D', the repetitions R_N and R_D, and where parameters are in excess and tokens are new."""

    excess: BoolArray
    new: BoolArray
    repeats_N: FloatArray
    repeats_D: FloatArray
    N: FloatArray
    D: FloatArray


def _worth(repeats: FloatArray, star: float) -> FloatArray:
    """R* (1 - exp(-R / R*)): what R repetitions are worth, in units of the first pass; at most R*."""
    with np.errstate(over="ignore"):
        return np.asarray(-star * np.expm1(-repeats / star))


def _left(repeats: FloatArray, star: float) -> FloatArray:
    """exp(-R / R*): what the next repetition is worth, in units of the first pass."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp(-repeats / star))
