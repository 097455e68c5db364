"""The laws that can be fitted, as sums of powers: L = E + sum_k exp(a_k - alpha_k log x_k).

Every form here has the same shape in its logarithm, a log-sum-exp of terms that are linear in the parameters,
so one solver with exact first and second derivatives serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.laws import ChinchillaLaw, PowerLaw

Variable = Literal["N", "D", "C"]
FittedLaw = ChinchillaLaw | PowerLaw


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A law to fit. variables: one power term each. offset: whether an irreducible loss is fitted.

    The solver's parameters are theta = (log E if offset, then a_k, alpha_k for each variable).
    """

    name: str
    variables: tuple[Variable, ...]
    offset: bool

    @property
    def size(self) -> int:
        """Number of free constants."""
        return int(self.offset) + 2 * len(self.variables)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the constants as the law prints them, in the order of `constants_of`."""
        if self.name == "chinchilla":
            return ("E", "A", "B", "alpha", "beta")
        return ("offset", "coefficient", "exponent") if self.offset else ("coefficient", "exponent")

    def constants_of(self, theta: FloatArray, centre: FloatArray) -> FloatArray:
        """Constants of the law from solver parameters, shape (R, size) -> (R, size).

        Term k is exp(a_k - alpha_k (log x_k - centre_k)), so its coefficient is exp(a_k + alpha_k centre_k).
        """
        first = int(self.offset)
        offset = np.exp(theta[:, :first])
        coefficient = np.exp(theta[:, first::2] + theta[:, first + 1 :: 2] * centre)
        return np.concatenate([offset, coefficient, theta[:, first + 1 :: 2]], axis=1)

    def law(self, constants: FloatArray) -> FittedLaw:
        """The law with these constants, shape (size,). L = offset + coefficient x^-exponent for one variable."""
        values = [float(value) for value in constants]
        if self.name == "chinchilla":
            E, A, B, alpha, beta = values
            return ChinchillaLaw(E=E, A=A, B=B, alpha=alpha, beta=beta)
        offset = values[0] if self.offset else 0.0
        coefficient, exponent = values[-2:]
        try:
            return PowerLaw.from_amplitude(
                variable=self.variables[0], offset=offset, amplitude=coefficient, exponent=exponent
            )
        except InputError as error:
            raise FitError(f"These runs hardly change with {self.variables[0]}: no power law can be drawn.") from error

    def predict(self, constants: FloatArray, logs: FloatArray) -> FloatArray:
        """Loss for many sets of constants: (R, size) and log x of shape (K, m) -> (R, m)."""
        first, terms = int(self.offset), len(self.variables)
        loss: FloatArray = constants[:, :first].sum(axis=1)[:, None] + np.zeros((1, logs.shape[1]))
        for k in range(terms):
            coefficient, exponent = constants[:, first + k], constants[:, first + terms + k]
            loss = loss + np.exp(np.log(coefficient)[:, None] - exponent[:, None] * logs[k][None, :])
        return loss


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form(name="chinchilla", variables=("N", "D"), offset=True),
        Form(name="power-N", variables=("N",), offset=False),
        Form(name="power-D", variables=("D",), offset=False),
        Form(name="power-C", variables=("C",), offset=False),
        Form(name="power-N-offset", variables=("N",), offset=True),
        Form(name="power-D-offset", variables=("D",), offset=True),
        Form(name="power-C-offset", variables=("C",), offset=True),
    )
}


def form(name: str) -> Form:
    """The form of that name; raises InputError naming the ones there are."""
    try:
        return FORMS[name]
    except KeyError:
        raise InputError("form", name, f"it must be one of {', '.join(FORMS)}") from None
