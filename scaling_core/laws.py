"""The forms of a scaling law: value, gradient, terms, and the same formula for the browser. NumPy only.

L is the loss in nats per token, N parameters, D training tokens, C training FLOP. Which parameters N counts is
a matter of the fit, not of the form: see `catalog.Preset.convention`.

One definition, two evaluators: `loss` in NumPy and `expression` in Vega's expression language.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, TypeAlias, overload

import numpy as np

from scaling_core.arrays import ArrayLike, FloatArray
from scaling_core.errors import InputError

Variable = Literal["N", "D", "C"]
MAX_EXPONENT = 10.0
MAX_CONSTANT = 1e300


def _check(name: str, value: object, *, high: float, zero: bool = False) -> None:
    """Raise InputError unless `value` is a finite number in (0, high], or [0, high] with `zero`."""
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not (0 < number <= high or (zero and number == 0)):
        least = "zero or a positive number" if zero else "a positive number"
        raise InputError(name, value, f"it must be {least} up to {high:g}".replace("e+", "e"))


def _shape(value: FloatArray) -> ArrayLike:
    """A float for a scalar, the array itself otherwise."""
    return float(value) if np.ndim(value) == 0 else value


def _falling(coefficient: float, x: ArrayLike, exponent: float) -> FloatArray:
    """coefficient * x^-exponent, of the shape of x; silent where the power leaves the floating-point range."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(coefficient * np.asarray(x, dtype=np.float64) ** -exponent)


class _Constants:
    """What every law has in common: its constants as a dictionary and as text for the browser."""

    __slots__ = ()

    @property
    def constants(self) -> dict[str, float]:
        """The numeric constants by their symbols, in the order of the formula."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]  # every law is a dataclass
        return {name: float(value) for name, value in values if not isinstance(value, str)}

    def _text(self, names: Mapping[str, str] | None) -> dict[str, str]:
        """Each constant as Vega text: its repr, or the signal that `names` gives for it."""
        return {name: (names or {}).get(name, repr(value)) for name, value in self.constants.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChinchillaLaw(_Constants):
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
        _check("E", self.E, high=MAX_CONSTANT, zero=True)
        _check("A", self.A, high=MAX_CONSTANT)
        _check("B", self.B, high=MAX_CONSTANT)
        _check("alpha", self.alpha, high=MAX_EXPONENT)
        _check("beta", self.beta, high=MAX_EXPONENT)

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
        return _shape(self.E + _falling(self.A, N, self.alpha) + _falling(self.B, D, self.beta))

    def terms(self, N: ArrayLike, D: ArrayLike) -> dict[str, ArrayLike]:
        """The three summands {"E", "N", "D"}: E, A / N^alpha, B / D^beta; each of the shape of its own variable."""
        return {
            "E": self.E,
            "N": _shape(_falling(self.A, N, self.alpha)),
            "D": _shape(_falling(self.B, D, self.beta)),
        }

    def gradient(self, N: ArrayLike, D: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """(dL/dlnN, dL/dlnD) = (-alpha A / N^alpha, -beta B / D^beta), nats per e-fold."""
        return (
            _shape(-self.alpha * _falling(self.A, N, self.alpha)),
            _shape(-self.beta * _falling(self.B, D, self.beta)),
        )

    def expression(self, n: str, d: str, names: Mapping[str, str] | None = None) -> str:
        """The loss as a Vega expression of the expressions `n` and `d` (`datum.N`).

        Constants stand in it at full precision, or as the signals that `names` gives for them ({"alpha": "a"}).
        """
        c = self._text(names)
        return f"({c['E']} + {c['A']} * pow({n}, -({c['alpha']})) + {c['B']} * pow({d}, -({c['beta']})))"


@dataclass(frozen=True, kw_only=True, slots=True)
class KaplanJointLaw(_Constants):
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
        _check("N_c", self.N_c, high=MAX_CONSTANT)
        _check("D_c", self.D_c, high=MAX_CONSTANT)
        _check("alpha_N", self.alpha_N, high=MAX_EXPONENT)
        _check("alpha_D", self.alpha_D, high=MAX_EXPONENT)

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
        return _shape((n + d) ** self.alpha_D)

    def terms(self, N: ArrayLike, D: ArrayLike) -> dict[str, ArrayLike]:
        """{"E", "N", "D"} that add up to the loss: E = 0, and the loss divided as the bracket is.

        The form is no sum of terms, so L is shared out in proportion to the two summands n and d inside the
        bracket: L n / (n + d) and L d / (n + d).
        """
        n, d = self._inner(N, D)
        per_unit = (n + d) ** (self.alpha_D - 1.0)
        return {"E": 0.0, "N": _shape(per_unit * n), "D": _shape(per_unit * d)}

    def gradient(self, N: ArrayLike, D: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """(dL/dlnN, dL/dlnD) = (-alpha_N L n / (n + d), -alpha_D L d / (n + d)), n and d as in `terms`."""
        n, d = self._inner(N, D)
        per_unit = (n + d) ** (self.alpha_D - 1.0)
        return _shape(-self.alpha_N * per_unit * n), _shape(-self.alpha_D * per_unit * d)

    def expression(self, n: str, d: str, names: Mapping[str, str] | None = None) -> str:
        """The loss as a Vega expression of the expressions `n` and `d`; `names` as in `ChinchillaLaw.expression`."""
        c = self._text(names)
        inner = f"pow({c['N_c']} / ({n}), {c['alpha_N']} / {c['alpha_D']}) + {c['D_c']} / ({d})"
        return f"pow({inner}, {c['alpha_D']})"


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerLaw(_Constants):
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
            raise InputError("variable", self.variable, "it must be 'N', 'D' or 'C'")
        _check("scale", self.scale, high=MAX_CONSTANT)
        _check("exponent", self.exponent, high=MAX_EXPONENT)
        _check("offset", self.offset, high=MAX_CONSTANT, zero=True)

    @classmethod
    def from_amplitude(cls, *, variable: Variable, offset: float, amplitude: float, exponent: float) -> PowerLaw:
        """The law offset + amplitude * x^-exponent in this form: scale = amplitude^(1/exponent).

        Raises InputError where a constant is not positive or the scale leaves the floating-point range.
        """
        _check("amplitude", amplitude, high=MAX_CONSTANT)
        _check("exponent", exponent, high=MAX_EXPONENT)
        log_scale = math.log(amplitude) / exponent
        if not abs(log_scale) < 690.0:
            raise InputError("exponent", exponent, f"it is too small for the amplitude {amplitude:g}")
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
        return _shape(self.offset + self._term(x))

    def gradient(self, x: ArrayLike) -> ArrayLike:
        """dL/dlnx = -exponent (scale / x)^exponent, nats per e-fold."""
        return _shape(-self.exponent * self._term(x))

    def expression(self, x: str, names: Mapping[str, str] | None = None) -> str:
        """The loss as a Vega expression of the expression `x`; `names` as in `ChinchillaLaw.expression`."""
        c = self._text(names)
        return f"({c['offset']} + pow({c['scale']} / ({x}), {c['exponent']}))"

    def _term(self, x: ArrayLike) -> FloatArray:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray((self.scale / np.asarray(x, dtype=np.float64)) ** self.exponent)


Law: TypeAlias = ChinchillaLaw | KaplanJointLaw
"""A law in N and D, which has a compute-optimal allocation."""
AnyLaw: TypeAlias = ChinchillaLaw | KaplanJointLaw | PowerLaw
FORMS = ("chinchilla", "kaplan", "power-N", "power-D", "power-C")
"""What `law_from_constants` builds; the power laws may also be named with `-offset`."""


def law_from_constants(form: str, constants: Mapping[str, float]) -> AnyLaw:
    """The law of `form` with these constants by symbol, as `constants` gives them.

    A power law may also be given by its coefficient: L = offset + coefficient x^-exponent.
    Raises InputError on an unknown form, a missing or unknown constant, or one out of range.
    """
    kinds: dict[str, tuple[str, ...]] = {
        "chinchilla": ("E", "A", "B", "alpha", "beta"),
        "kaplan": ("N_c", "D_c", "alpha_N", "alpha_D"),
    }
    base = form.removesuffix("-offset")
    if base not in FORMS or (base in kinds and base != form):
        raise InputError("form", form, f"it must be one of {', '.join(FORMS)}")
    wanted = kinds.get(form, ("scale", "exponent", "offset"))
    given = {"offset": 0.0, **constants} if form not in kinds else dict(constants)
    variable: Variable = "N" if base == "power-N" else "D" if base == "power-D" else "C"
    if form not in kinds and set(given) == {"coefficient", "exponent", "offset"}:
        return PowerLaw.from_amplitude(
            variable=variable,
            offset=given["offset"],
            amplitude=given["coefficient"],
            exponent=given["exponent"],
        )
    if set(given) != set(wanted):
        raise InputError("constants", ", ".join(given) or "none", f"the {form} form takes {', '.join(wanted)}")
    if form == "chinchilla":
        return ChinchillaLaw(**given)
    if form == "kaplan":
        return KaplanJointLaw(**given)
    return PowerLaw(variable=variable, **given)
