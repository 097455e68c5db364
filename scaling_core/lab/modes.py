"""What each mode of the lab asks for. Knows no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scaling_core.errors import InputError
from scaling_core.lab.spec import MODES, Mode
from scaling_core.language import t


@dataclass(frozen=True, kw_only=True, slots=True)
class ModeRule:
    """What a mode asks for: seconds in all, sizes, horizons that double, and the bounds of the first one.

    fill: share of the seconds that the plan aims at; the rest is for a machine that is busier than when measured.
    shortest, longest: bounds of the first horizon, in tokens per parameter. least: how far it may go below `shortest`
    where the smallest ladder would otherwise take too long. step: least ratio of parameters from rung to rung below
    the largest, for which it is `plan.TOP_STEP` at least. seeds: how often the smallest sizes are trained, each time
    with another seed, which tells the noise between seeds at a few hundredths of the compute. least_steps: optimiser
    steps below which a run is left out: the first few hundred fall faster than any power of the tokens. Laws through
    them foretold the largest size 2 to 10% too high, where those of 500 steps and more were within 1.4% (LAB_NOTES.md).
    """

    seconds: float
    sizes: int
    horizons: int
    shortest: float
    longest: float
    fill: float = 0.95
    least: float = 4.0
    step: float = 1.9
    seeds: tuple[int, ...] = (3, 2)
    least_steps: int = 500


MODE_RULES: dict[Mode, ModeRule] = {
    "smoke": ModeRule(
        seconds=20.0, sizes=4, horizons=3, shortest=2.0, longest=5.0, fill=0.8, least=1.0, step=1.6, seeds=(),
        least_steps=0,
    ),
    "live": ModeRule(
        seconds=180.0, sizes=5, horizons=3, shortest=10.0, longest=20.0, fill=0.92, least=2.0, step=1.45
    ),
    "quick": ModeRule(seconds=3600.0, sizes=6, horizons=4, shortest=10.0, longest=20.0),
    "standard": ModeRule(seconds=36_000.0, sizes=7, horizons=5, shortest=8.0, longest=12.0),
    "full": ModeRule(seconds=259_200.0, sizes=8, horizons=5, shortest=8.0, longest=12.0),
}  # fmt: skip
"""The smallest models on the fewest tokens are still in the steep first part of their curves, where no power law holds:
the shorter modes take their sizes closer together, so that a ladder of a given top begins with a larger model."""


def mode_rule(mode: Mode, *, sizes: int | None = None, minutes: float | None = None) -> ModeRule:
    """The rule of a mode, with one's own number of sizes or minutes. Raises InputError outside their bounds."""
    if mode not in MODES:
        raise InputError("mode", mode, t("it must be one of {names}", names=", ".join(MODES)))
    rule = MODE_RULES[mode]
    if sizes is not None:
        if not 3 <= sizes <= 8:
            raise InputError("sizes", sizes, t("a ladder has 3 to 8 sizes here"))
        rule = replace(rule, sizes=sizes)
    if minutes is not None:
        if not (math.isfinite(minutes) and 0.2 <= minutes <= 60 * 24 * 30):
            raise InputError("minutes", minutes, t("a ladder takes from 0.2 minutes to 30 days (43200 minutes)"))
        rule = replace(rule, seconds=60.0 * minutes)
    return rule
