"""Planning a training: what a budget buys, how far the laws agree on it, and how it compares with others.

`budget` answers from every side, `evidence` says what a law's numbers rest on, `trust` puts the published laws beside
each other, `compare` ranks configurations, `transfer` says what continuing a trained model is worth, `experts` what a
mixture of experts buys, both with how solid that is (`solidity`), `mistakes` what the usual mistakes would cost a plan,
and `checklist` what to look at before it is started.
"""

from __future__ import annotations

from scaling_core.planning.budget import Budgeted, Machine, TrainingBudget, budgeted, machine
from scaling_core.planning.evidence import Extrapolation, Interval, Refits, Source, extrapolation, law_of, refits_of

__all__ = [
    "Budgeted",
    "Extrapolation",
    "Interval",
    "Machine",
    "Refits",
    "Source",
    "TrainingBudget",
    "budgeted",
    "extrapolation",
    "law_of",
    "machine",
    "refits_of",
]
