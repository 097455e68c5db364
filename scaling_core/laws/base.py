"""What every law has in common: the check of a constant, its constants by symbol, floats in and floats out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Literal

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.errors import InputError
from scaling_core.language import t

Variable = Literal["N", "D", "C"]
MAX_EXPONENT = 10.0
MAX_CONSTANT = 1e300


def check(name: str, value: object, *, high: float, zero: bool = False) -> None:
    """Raise InputError unless `value` is a finite number in (0, high], or [0, high] with `zero`."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not numeric or not (0 < value <= high or (zero and value == 0)):  # type: ignore[operator]  # numeric, as just seen
        most = f"{high:g}".replace("e+", "e")
        if zero:
            raise InputError(name, value, t("it must be zero or a positive number up to {most}", most=most))
        raise InputError(name, value, t("it must be a positive number up to {most}", most=most))


def shaped(value: FloatArray) -> ArrayLike:
    """A float for a scalar, the array itself otherwise."""
    return float(value) if np.ndim(value) == 0 else value


def falling(coefficient: float, x: ArrayLike, exponent: float) -> FloatArray:
    """coefficient * x^-exponent, of the shape of x; silent where the power leaves the floating-point range."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(coefficient * np.asarray(x, dtype=np.float64) ** -exponent)


class Constants:
    """Base of the laws: their constants as a dictionary and as text for the browser."""

    __slots__ = ()

    @property
    def constants(self) -> dict[str, float]:
        """The numeric constants by their symbols, in the order of the formula."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]  # every law is a dataclass
        return {name: float(value) for name, value in values if not isinstance(value, str)}

    def _text(self, names: Mapping[str, str] | None) -> dict[str, str]:
        """Each constant as Vega text: its repr, or the signal that `names` gives for it."""
        return {name: (names or {}).get(name, repr(value)) for name, value in self.constants.items()}
