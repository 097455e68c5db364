"""The constants of the law forms as a person meets them: their signs, their meaning, and the reach of their sliders."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from dataclasses import dataclass

from scaling_core.language import t


@dataclass(frozen=True, kw_only=True, slots=True)
class Constant:
    """One constant on the page: its sign, what it is, the slider's range in `unit`s, and what a number may be.

    meaning: a function, so that it speaks the language of whoever looks.
    """

    symbol: str
    meaning: Callable[[], str]
    low: float
    high: float
    step: float
    least: float
    most: float
    unit: float = 1.0

    @property
    def digits(self) -> int:
        """Decimals of the slider: those of its step."""
        return max(0, -math.floor(math.log10(self.step)))

    @property
    def label(self) -> str:
        """The sign in bold, and what it stands for, as HTML; R_N* is written as the paper does, with its star above."""
        name, _, index = self.symbol.partition("_")
        star = "<sup>*</sup>" if index.endswith("*") else ""
        below = f"<sub>{index.rstrip('*')}</sub>" if index else ""
        return f"<b>{name}{below}{star}</b> {html.escape(self.meaning())}"


_CHINCHILLA = {
    "E": Constant(symbol="E", meaning=lambda: t("irreducible loss"), low=0, high=3, step=0.01, least=0, most=100),
    "A": Constant(symbol="A", meaning=lambda: t("cost of finite size"), low=1, high=3000, step=1, least=1e-6, most=1e9),
    "B": Constant(symbol="B", meaning=lambda: t("cost of finite data"), low=1, high=3000, step=1, least=1e-6, most=1e9),
    "alpha": Constant(
        symbol="α", meaning=lambda: t("gain from size"), low=0.02, high=0.8, step=0.001, least=0.005, most=3
    ),
    "beta": Constant(
        symbol="β", meaning=lambda: t("gain from data"), low=0.02, high=0.8, step=0.001, least=0.005, most=3
    ),
}
_REPEATS = {"low": 0.1, "high": 50, "step": 0.1, "least": 0.01, "most": 1000}

CONSTANTS: dict[str, dict[str, Constant]] = {
    "chinchilla": _CHINCHILLA,
    "kaplan": {
        "N_c": Constant(
            symbol="N_c", meaning=lambda: t("size scale, T"), low=1, high=200, step=0.1, least=1e6, most=1e24, unit=1e12
        ),
        "D_c": Constant(
            symbol="D_c", meaning=lambda: t("data scale, T"), low=1, high=200, step=0.1, least=1e6, most=1e24, unit=1e12
        ),
        "alpha_N": Constant(
            symbol="α_N", meaning=lambda: t("gain from size"), low=0.02, high=0.4, step=0.001, least=0.005, most=3
        ),
        "alpha_D": Constant(
            symbol="α_D", meaning=lambda: t("gain from data"), low=0.02, high=0.4, step=0.001, least=0.005, most=3
        ),
    },
    "gadre": {
        "E": _CHINCHILLA["E"],
        "a": Constant(
            symbol="a", meaning=lambda: t("cost of finite size"), low=1, high=3000, step=1, least=1e-6, most=1e9
        ),
        "b": Constant(
            symbol="b", meaning=lambda: t("cost of finite data"), low=1, high=3000, step=1, least=1e-6, most=1e9
        ),
        "eta": Constant(
            symbol="η", meaning=lambda: t("gain from both"), low=0.02, high=0.8, step=0.001, least=0.005, most=3
        ),
    },
    "muennighoff": {
        **_CHINCHILLA,
        "R_N_star": Constant(symbol="R_N*", meaning=lambda: t("excess parameters"), **_REPEATS),
        "R_D_star": Constant(symbol="R_D*", meaning=lambda: t("repeated tokens"), **_REPEATS),
    },
}
"""By form and by the name of the constant, in the order of the formula."""
