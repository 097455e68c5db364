"""The law of Hoffmann et al. 2022: a floor, a term in the size, a term in the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, overload

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.laws.base import MAX_CONSTANT, MAX_EXPONENT, Constants, check, falling, shaped


@dataclass(frozen=True, kw_only=True, slots=True)
class ChinchillaLaw(Constants):
    """L(N, D) = E + A / N^alpha + B / D^beta.

    E: irreducible loss, nats per token, 0 allowed. A, alpha: what a finite model adds. B, beta: what finite data
    add. Raises InputError on a constant that is not finite and positive, or an exponent above 10.
    Source: Hoffmann et al. 2022, equation 2 (section 3.3).
    """

    form: ClassVar[str] = "chinchilla"
    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        check("E", self.E, high=MAX_CONSTANT, zero=True)
        check("A", self.A, high=MAX_CONSTANT)
        check("B", self.B, high=MAX_CONSTANT)
        check("alpha", self.alpha, high=MAX_EXPONENT)
        check("beta", self.beta, high=MAX_EXPONENT)

    @property
    def floor(self) -> float:
        """E, the loss that no N and D go below."""
        return self.E

    @overload
    def loss(self, N: float, D: float) -> float: ...
    @overload
    def loss(self, N: FloatArray, D: ArrayLike) -> FloatArray: ...
    @overload
    def loss(self, N: float, D: FloatArray) -> FloatArray: ...
    def loss(self, N: ArrayLike, D: ArrayLike) -> ArrayLike:
        """L in nats per token; N (parameters) and D (tokens), both positive, broadcast; a float for two floats."""
        return shaped(self.E + falling(self.A, N, self.alpha) + falling(self.B, D, self.beta))

    def terms(self, N: ArrayLike, D: ArrayLike) -> dict[str, ArrayLike]:
        """The three summands {"E", "N", "D"}: E, A / N^alpha, B / D^beta; each of the shape of its own variable."""
        return {
            "E": self.E,
            "N": shaped(falling(self.A, N, self.alpha)),
            "D": shaped(falling(self.B, D, self.beta)),
        }

    def gradient(self, N: ArrayLike, D: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """(dL/dlnN, dL/dlnD) = (-alpha A / N^alpha, -beta B / D^beta), nats per e-fold."""
        return (
            shaped(-self.alpha * falling(self.A, N, self.alpha)),
            shaped(-self.beta * falling(self.B, D, self.beta)),
        )

    def expression(self, n: str, d: str, names: Mapping[str, str] | None = None) -> str:
        """The loss as a Vega expression of the expressions `n` and `d` (`datum.N`).

        Constants stand in it at full precision, or as the signals that `names` gives for them ({"alpha": "a"}).
        """
        c = self._text(names)
        return f"({c['E']} + {c['A']} * pow({n}, -({c['alpha']})) + {c['B']} * pow({d}, -({c['beta']})))"
