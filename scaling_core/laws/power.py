"""Laws in one variable: the parameters, the tokens, or the compute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, overload

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.laws.base import MAX_CONSTANT, MAX_EXPONENT, Constants, Variable, check, shaped


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerLaw(Constants):
    """L(x) = offset + (scale / x)^exponent, x being the parameters, the tokens or the compute.

    scale has the unit of x (FLOP for C); offset in nats per token, 0 allowed. The form a + b x^-c is the same
    with offset = a, exponent = c, scale = b^(1/c): see `from_amplitude`.
    Sources: Kaplan et al. 2020, equations 1.1 to 1.3 (offset 0); Hestness et al. 2018 (arXiv 1712.00409), section 2;
    Henighan et al. 2020, equation 1.1 (with an offset).
    """

    form: ClassVar[str] = "power"
    variable: Variable
    scale: float
    exponent: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.variable not in ("N", "D", "C"):
            raise InputError("variable", self.variable, t("it must be 'N', 'D' or 'C'"))
        check("scale", self.scale, high=MAX_CONSTANT)
        check("exponent", self.exponent, high=MAX_EXPONENT)
        check("offset", self.offset, high=MAX_CONSTANT, zero=True)

    @classmethod
    def from_amplitude(cls, *, variable: Variable, offset: float, amplitude: float, exponent: float) -> PowerLaw:
        """The law offset + amplitude * x^-exponent in this form: scale = amplitude^(1/exponent).

        Raises InputError where a constant is not positive or the scale leaves the floating-point range.
        """
        check("amplitude", amplitude, high=MAX_CONSTANT)
        check("exponent", exponent, high=MAX_EXPONENT)
        log_scale = math.log(amplitude) / exponent
        if not abs(log_scale) < 690.0:
            allowed = t("it is too small for the amplitude {amplitude:g}", amplitude=amplitude)
            raise InputError("exponent", exponent, allowed)
        return cls(variable=variable, scale=math.exp(log_scale), exponent=exponent, offset=offset)

    @property
    def floor(self) -> float:
        """offset, the loss that no x goes below."""
        return self.offset

    @overload
    def loss(self, x: float) -> float: ...
    @overload
    def loss(self, x: FloatArray) -> FloatArray: ...
    def loss(self, x: ArrayLike) -> ArrayLike:
        """L in nats per token, of the shape of x (positive)."""
        return shaped(self.offset + self._term(x))

    def gradient(self, x: ArrayLike) -> ArrayLike:
        """dL/dlnx = -exponent (scale / x)^exponent, nats per e-fold."""
        return shaped(-self.exponent * self._term(x))

    def expression(self, x: str, names: Mapping[str, str] | None = None) -> str:
        """The loss as a Vega expression of the expression `x`; `names` as in `ChinchillaLaw.expression`."""
        c = self._text(names)
        return f"({c['offset']} + pow({c['scale']} / ({x}), {c['exponent']}))"

    def _term(self, x: ArrayLike) -> FloatArray:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray((self.scale / np.asarray(x, dtype=np.float64)) ** self.exponent)
