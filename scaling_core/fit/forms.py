"""The laws that can be fitted, all of one shape: L = (E + sum_k c_k x_k^-alpha_k)^p.

Its logarithm is p times a log-sum-exp of terms that are linear in the parameters, so one solver with exact first and
second derivatives serves every form. Most have p = 1; Kaplan's joint law has no E, p = alpha_D and a D term of
exponent 1; Gadre's has one exponent for both terms.

The solver speaks of a law's *nature*, shape (R, q): log E if there is an offset, then log c_k, alpha_k for each
variable, then log p if p is free. A form turns that into the constants its paper prints, and back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.fit.told import choice, within
from scaling_core.language import listed, t
from scaling_core.laws import AnyLaw, law_from_constants

Variable = Literal["N", "D", "C"]
FittedLaw = AnyLaw
LOG_LARGEST = 690.0
"""Logarithms of constants are kept within this, so that every constant can be written as a float."""
EXPONENT_BOUNDS = (1e-3, 5.0)
POWER_BOUNDS = (1e-2, 10.0)
"""Between these the solver looks for exponents, and for p."""
HALF_LOG_6 = 0.5 * math.log(6.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """One equation on a law's nature: entry `pivot` = constant + sum of coefficient * entry, over `others`."""

    pivot: int
    constant: float
    others: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A law to fit. variables: one power term each. offset: whether an irreducible loss is fitted. power: whether p is.

    names: the constants as the paper prints them, in the order of `constants_of`. own: the equations that make it
    this form, on its nature.
    """

    name: str
    names: tuple[str, ...]
    variables: tuple[Variable, ...]
    offset: bool
    power: bool = False
    own: tuple[Constraint, ...] = ()

    @property
    def entries(self) -> int:
        """Length q of the nature."""
        return int(self.offset) + 2 * len(self.variables) + int(self.power)

    @property
    def size(self) -> int:
        """Number of free constants."""
        return self.entries - len(self.own)

    def constants_of(self, nature: FloatArray) -> FloatArray:
        """Constants in the order of `names`: shape (R, q) -> (R, len(names)); logarithms are clipped to LOG_LARGEST."""
        first, last = int(self.offset), self.entries - int(self.power)
        offset = _exp(nature[:, :first])
        log_c, alpha = nature[:, first:last:2], nature[:, first + 1 : last : 2]
        if self.name == "kaplan":
            p = _exp(nature[:, -1:])
            N_c = _exp(log_c[:, :1] / alpha[:, :1])
            return np.concatenate([N_c, _exp(log_c[:, 1:]), alpha[:, :1] * p, p], axis=1)
        if self.name == "gadre":
            b = _exp(log_c[:, 1:] + HALF_LOG_6 * alpha[:, :1])
            return np.concatenate([offset, _exp(log_c[:, :1]), b, alpha[:, :1]], axis=1)
        return np.concatenate([offset, _exp(log_c), alpha], axis=1)

    def nature_of(self, constants: FloatArray) -> FloatArray:
        """The inverse of `constants_of`: (R, len(names)) -> (R, q); an offset of zero becomes exp(-LOG_LARGEST)."""
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(constants), -LOG_LARGEST)
        if self.name == "kaplan":
            alpha = constants[:, 2] / constants[:, 3]
            return np.stack([logs[:, 0] * alpha, alpha, logs[:, 1], np.ones_like(alpha), logs[:, 3]], axis=1)
        if self.name == "gadre":
            eta = constants[:, 3]
            return np.stack([logs[:, 0], logs[:, 1], eta, logs[:, 2] - HALF_LOG_6 * eta, eta], axis=1)
        first, terms = int(self.offset), len(self.variables)
        nature = np.empty((len(constants), self.entries))
        nature[:, :first] = logs[:, :first]
        nature[:, first::2] = logs[:, first : first + terms]
        nature[:, first + 1 :: 2] = constants[:, first + terms :]
        return nature

    def fixing(self, fixed: Mapping[str, float]) -> tuple[Constraint, ...]:
        """The equations that hold these constants at these values.

        Raises InputError for a name that this form does not have, that cannot be held alone, or a value out of range.
        """
        return tuple(self._fixing(name, value) for name, value in fixed.items())

    def _fixing(self, name: str, value: float) -> Constraint:
        if name not in self.names:
            allowed = t("the {form} form has {names}", form=self.name, names=", ".join(self.names))
            raise InputError("fixed", name, allowed)
        zero = self.offset and name == self.names[0]
        if not (math.isfinite(value) and (value > 0 or (zero and value == 0)) and value <= 1e300):
            allowed = t("it must be a positive number or zero") if zero else t("it must be a positive number")
            raise InputError(t("fixed {name}", name=name), value, allowed)
        exponent = name in ("alpha", "beta", "exponent", "eta", "alpha_N", "alpha_D")
        low, high = POWER_BOUNDS if self.power else EXPONENT_BOUNDS
        if exponent and not low <= value <= high:
            raise InputError(t("fixed {name}", name=name), value, within(f"{low:g}", f"{high:g}"))
        log = math.log(value) if value > 0 else -LOG_LARGEST
        first = int(self.offset)
        if zero:
            return Constraint(pivot=0, constant=log)
        if self.name == "kaplan":
            at = {
                "N_c": Constraint(pivot=0, constant=0.0, others=((1, log),)),
                "D_c": Constraint(pivot=2, constant=log),
                "alpha_D": Constraint(pivot=4, constant=log),
            }
            if name not in at:
                raise InputError("fixed", name, t("in the kaplan form N_c, D_c or alpha_D can be held"))
            return at[name]
        if self.name == "gadre":
            return {
                "a": Constraint(pivot=1, constant=log),
                "b": Constraint(pivot=3, constant=log, others=((2, -HALF_LOG_6),)),
                "eta": Constraint(pivot=2, constant=value),
            }[name]
        place, terms = self.names.index(name) - first, len(self.variables)
        if place < terms:
            return Constraint(pivot=first + 2 * place, constant=log)
        return Constraint(pivot=first + 2 * (place - terms) + 1, constant=value)

    def law(self, constants: FloatArray) -> FittedLaw:
        """The law with these constants, shape (len(names),); raises FitError where they are beyond any law."""
        named = {name: float(value) for name, value in zip(self.names, constants, strict=True)}
        try:
            return law_from_constants(self.name, named)
        except InputError as error:
            which = listed(self.variables)
            raise FitError(
                t("These runs hardly change with {which}: no law of this form can be drawn.", which=which)
            ) from error

    def predict(self, constants: FloatArray, logs: FloatArray) -> FloatArray:
        """Loss for many sets of constants: (R, len(names)) and log x of shape (K, m) -> (R, m)."""
        nature = self.nature_of(constants)
        first = int(self.offset)
        total = np.zeros((len(constants), logs.shape[1]))
        if first:
            total += np.exp(nature[:, :1])
        for k in range(len(self.variables)):
            i = first + 2 * k
            total += np.exp(np.clip(nature[:, i, None] - nature[:, i + 1, None] * logs[k], -LOG_LARGEST, LOG_LARGEST))
        return total ** np.exp(nature[:, -1:]) if self.power else total


def _exp(x: FloatArray) -> FloatArray:
    return np.exp(np.clip(x, -LOG_LARGEST, LOG_LARGEST))


ONE_EXPONENT = Constraint(pivot=4, constant=0.0, others=((2, 1.0),))
"""beta = alpha, on the nature of the Chinchilla form."""

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form(name="chinchilla", names=("E", "A", "B", "alpha", "beta"), variables=("N", "D"), offset=True),
        Form(
            name="kaplan",
            names=("N_c", "D_c", "alpha_N", "alpha_D"),
            variables=("N", "D"),
            offset=False,
            power=True,
            own=(Constraint(pivot=3, constant=1.0),),
        ),
        Form(name="gadre", names=("E", "a", "b", "eta"), variables=("N", "D"), offset=True, own=(ONE_EXPONENT,)),
        *(
            Form(name=f"power-{x}", names=("coefficient", "exponent"), variables=(x,), offset=False)
            for x in ("N", "D", "C")
        ),
        *(
            Form(name=f"power-{x}-offset", names=("offset", "coefficient", "exponent"), variables=(x,), offset=True)
            for x in ("N", "D", "C")
        ),
    )
}


def form(name: str) -> Form:
    """The form of that name; raises InputError naming the ones there are."""
    try:
        return FORMS[name]
    except KeyError:
        raise InputError("form", name, choice(list(FORMS))) from None
