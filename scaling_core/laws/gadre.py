"""The law of Gadre et al. 2024 for over-trained models: one exponent for the size and for the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, overload

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.laws.base import MAX_CONSTANT, MAX_EXPONENT, Constants, check, falling, shaped
from scaling_core.laws.chinchilla import ChinchillaLaw


@dataclass(frozen=True, kw_only=True, slots=True)
class GadreLaw(Constants):
    """L(N, D) = E + a N^-eta + b 6^(-eta/2) (M N)^-eta with M = D / N, the tokens per parameter.

    It is the Chinchilla form with A = a, B = b 6^(-eta/2) and alpha = beta = eta. In compute and multiplier,
    C = 6 N D, it reads E + (a' M^e + b M^-e) C^-e with e = eta/2 and a' = a 6^e: for a fixed M a power law in C.
    Raises InputError as `ChinchillaLaw` does. Source: Gadre et al. 2024 (arXiv 2403.08540), equation 4.
    """

    form: ClassVar[str] = "gadre"
    E: float
    a: float
    b: float
    eta: float

    def __post_init__(self) -> None:
        check("E", self.E, high=MAX_CONSTANT, zero=True)
        check("a", self.a, high=MAX_CONSTANT)
        check("b", self.b, high=MAX_CONSTANT)
        check("eta", self.eta, high=MAX_EXPONENT)
        check("b", self._B, high=MAX_CONSTANT)

    @property
    def _B(self) -> float:
        return float(self.b * 6.0 ** (-0.5 * self.eta))

    @property
    def chinchilla(self) -> ChinchillaLaw:
        """The same law in the Chinchilla form."""
        return ChinchillaLaw(E=self.E, A=self.a, B=self._B, alpha=self.eta, beta=self.eta)

    @property
    def printed(self) -> dict[str, float]:
        """The constants of the paper's own form, in C and M: {"E", "a", "b", "eta"} with a' = a 6^e and e = eta/2."""
        return {"E": self.E, "a": self.a * 6.0 ** (0.5 * self.eta), "b": self.b, "eta": 0.5 * self.eta}

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
        return shaped(self.E + falling(self.a, N, self.eta) + falling(self._B, D, self.eta))

    def terms(self, N: ArrayLike, D: ArrayLike) -> dict[str, ArrayLike]:
        """The three summands {"E", "N", "D"}; each of the shape of its own variable."""
        return self.chinchilla.terms(N, D)

    def gradient(self, N: ArrayLike, D: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """(dL/dlnN, dL/dlnD), nats per e-fold."""
        return self.chinchilla.gradient(N, D)

    def expression(self, n: str, d: str, names: Mapping[str, str] | None = None) -> str:
        """The loss as a Vega expression of the expressions `n` and `d`; `names` as in `ChinchillaLaw.expression`."""
        c = self._text(names)
        size, data = f"{c['a']} * pow({n}, -({c['eta']}))", f"{c['b']} * pow(sqrt(6) * ({d}), -({c['eta']}))"
        return f"({c['E']} + {size} + {data})"
