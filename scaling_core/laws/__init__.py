"""The forms of a scaling law: value, gradient, terms, and the same formula for the browser. NumPy only.

L is the loss in nats per token, N parameters, D training tokens, C training FLOP. Which parameters N counts is
a matter of the fit, not of the form: see `catalog.Preset.convention`.

One definition, two evaluators: `loss` in NumPy and `expression` in Vega's expression language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeAlias

from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.laws.base import MAX_CONSTANT, MAX_EXPONENT, Variable
from scaling_core.laws.chinchilla import ChinchillaLaw
from scaling_core.laws.gadre import GadreLaw
from scaling_core.laws.kaplan import KaplanJointLaw
from scaling_core.laws.muennighoff import MuennighoffLaw
from scaling_core.laws.power import PowerLaw

__all__ = [
    "FORMS",
    "MAX_CONSTANT",
    "MAX_EXPONENT",
    "AnyLaw",
    "ChinchillaLaw",
    "GadreLaw",
    "KaplanJointLaw",
    "Law",
    "MuennighoffLaw",
    "PowerLaw",
    "Variable",
    "as_chinchilla",
    "form_of",
    "law_from_constants",
]

Law: TypeAlias = ChinchillaLaw | KaplanJointLaw | GadreLaw | MuennighoffLaw
"""A law in N and D, which has a compute-optimal allocation."""
AnyLaw: TypeAlias = ChinchillaLaw | KaplanJointLaw | GadreLaw | MuennighoffLaw | PowerLaw

_JOINT: dict[str, type[ChinchillaLaw | KaplanJointLaw | GadreLaw | MuennighoffLaw]] = {
    kind.form: kind for kind in (ChinchillaLaw, KaplanJointLaw, GadreLaw, MuennighoffLaw)
}
_POWER: dict[str, Variable] = {"power-N": "N", "power-D": "D", "power-C": "C"}
FORMS = (*_JOINT, *_POWER)
"""What `law_from_constants` builds; the power laws may also be named with `-offset`."""


def form_of(law: AnyLaw) -> str:
    """The name of the law's form in FORMS: for a power law with its variable, as in power-N."""
    return f"power-{law.variable}" if isinstance(law, PowerLaw) else law.form


def as_chinchilla(law: AnyLaw) -> ChinchillaLaw | None:
    """The law in the Chinchilla form: itself, Gadre's rewritten, Muennighoff's base; None where there is none.

    Muennighoff's base has the same optimum as long as every token is new, but not the same loss everywhere.
    """
    if isinstance(law, ChinchillaLaw):
        return law
    if isinstance(law, GadreLaw):
        return law.chinchilla
    if isinstance(law, MuennighoffLaw):
        return law.base
    return None


def law_from_constants(form: str, constants: Mapping[str, float]) -> AnyLaw:
    """The law of `form` with these constants by symbol, as `constants` gives them.

    A power law may also be given by its coefficient: L = offset + coefficient x^-exponent.
    Raises InputError on an unknown form, a missing or unknown constant, or one out of range.
    """
    if form in _JOINT:
        kind = _JOINT[form]
        _complete(form, constants, tuple(f.name for f in fields(kind)))
        return kind(**constants)
    variable = _POWER.get(form.removesuffix("-offset"))
    if variable is None:
        raise InputError("form", form, t("it must be one of {names}", names=", ".join(FORMS)))
    given = {"offset": 0.0, **constants}
    if set(given) == {"coefficient", "exponent", "offset"}:
        return PowerLaw.from_amplitude(
            variable=variable,
            offset=given["offset"],
            amplitude=given["coefficient"],
            exponent=given["exponent"],
        )
    _complete(form, given, ("scale", "exponent", "offset"))
    return PowerLaw(variable=variable, **given)


def _complete(form: str, given: Mapping[str, float], wanted: tuple[str, ...]) -> None:
    """Raise InputError unless exactly the wanted constants are given."""
    if set(given) != set(wanted):
        allowed = t("the {form} form takes {names}", form=form, names=", ".join(wanted))
        raise InputError("constants", ", ".join(given) or "none", allowed)
