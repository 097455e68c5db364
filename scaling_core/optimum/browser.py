"""A law as the browser reads it: its loss and its core as JavaScript, so that a curve can follow the hand."""

from __future__ import annotations

from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.laws import Law

_SUMMED = {"log_A": "log(c.A)", "alpha": "c.alpha", "log_B": "log(c.B)", "beta": "c.beta", "power": "1", "floor": "c.E"}
_CORES: dict[str, dict[str, str]] = {
    "chinchilla": _SUMMED,
    "muennighoff": _SUMMED,
    "gadre": {
        "log_A": "log(c.a)",
        "alpha": "c.eta",
        "log_B": "log(c.b) - 0.5 * c.eta * log(6)",
        "beta": "c.eta",
        "power": "1",
        "floor": "c.E",
    },
    "kaplan": {
        "log_A": "c.alpha_N / c.alpha_D * log(c.N_c)",
        "alpha": "c.alpha_N / c.alpha_D",
        "log_B": "log(c.D_c)",
        "beta": "1",
        "power": "c.alpha_D",
        "floor": "0",
    },
}
"""The fields of `optimum.core.Core` for each form, of the constants `c`: the twin of `core_from`."""


def browser_law(law: Law) -> dict[str, object]:
    """{"loss": expression of N, D and the constants c.NAME, "core": expressions of the constants by field of the core}.

    The loss is the law's own expression; its functions are those of JavaScript's Math. Raises InputError on a form that
    has no optimum in N and D.
    """
    if law.form not in _CORES:
        raise InputError("form", law.form, t("it must be a law in N and D"))
    names = {name: f"c.{name}" for name in law.constants}
    return {"loss": law.expression("N", "D", names), "core": _CORES[law.form]}
