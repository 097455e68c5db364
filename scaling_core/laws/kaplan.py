"""The joint law of Kaplan et al. 2020, which has no floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, overload

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.laws.base import MAX_CONSTANT, MAX_EXPONENT, Constants, check, shaped


@dataclass(frozen=True, kw_only=True, slots=True)
class KaplanJointLaw(Constants):
    """L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D.

    N_c in parameters, D_c in tokens; no irreducible term. Raises InputError as `ChinchillaLaw` does.
    Source: Kaplan et al. 2020, equation 1.5.
    """

    form: ClassVar[str] = "kaplan"
    N_c: float
    D_c: float
    alpha_N: float
    alpha_D: float

    def __post_init__(self) -> None:
        check("N_c", self.N_c, high=MAX_CONSTANT)
        check("D_c", self.D_c, high=MAX_CONSTANT)
        check("alpha_N", self.alpha_N, high=MAX_EXPONENT)
        check("alpha_D", self.alpha_D, high=MAX_EXPONENT)

    @property
    def floor(self) -> float:
        """0: the form has no irreducible term."""
        return 0.0

    def _inner(self, N: ArrayLike, D: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The two summands inside the bracket."""
        with np.errstate(over="ignore", under="ignore"):
            n = (self.N_c / np.asarray(N, dtype=np.float64)) ** (self.alpha_N / self.alpha_D)
            d = self.D_c / np.asarray(D, dtype=np.float64)
        return np.asarray(n), np.asarray(d)

    @overload
    def loss(self, N: float, D: float) -> float: ...
    @overload
    def loss(self, N: FloatArray, D: ArrayLike) -> FloatArray: ...
    @overload
    def loss(self, N: float, D: FloatArray) -> FloatArray: ...
    def loss(self, N: ArrayLike, D: ArrayLike) -> ArrayLike:
        """L in nats per token; N (parameters) and D (tokens), both positive, broadcast; a float for two floats."""
        n, d = self._inner(N, D)
        return shaped((n + d) ** self.alpha_D)

    def terms(self, N: ArrayLike, D: ArrayLike) -> dict[str, ArrayLike]:
        """{"E", "N", "D"} that add up to the loss: E = 0, and the loss divided as the bracket is.

        The form is no sum of terms, so L is shared out in proportion to the two summands n and d inside the
        bracket: L n / (n + d) and L d / (n + d).
        """
        n, d = self._inner(N, D)
        per_unit = (n + d) ** (self.alpha_D - 1.0)
        return {"E": 0.0, "N": shaped(per_unit * n), "D": shaped(per_unit * d)}

    def gradient(self, N: ArrayLike, D: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """(dL/dlnN, dL/dlnD) = (-alpha_N L n / (n + d), -alpha_D L d / (n + d)), n and d as in `terms`."""
        n, d = self._inner(N, D)
        per_unit = (n + d) ** (self.alpha_D - 1.0)
        return shaped(-self.alpha_N * per_unit * n), shaped(-self.alpha_D * per_unit * d)

    def expression(self, n: str, d: str, names: Mapping[str, str] | None = None) -> str:
        """The loss as a Vega expression of the expressions `n` and `d`; `names` as in `ChinchillaLaw.expression`."""
        c = self._text(names)
        inner = f"pow({c['N_c']} / ({n}), {c['alpha_N']} / {c['alpha_D']}) + {c['D_c']} / ({d})"
        return f"pow({inner}, {c['alpha_D']})"
