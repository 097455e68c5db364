"""The choices of the page "Plan a training" below its first part, as `state` makes parts of them."""

from __future__ import annotations

PLAN_CHOICES: tuple[tuple[str, ...], ...] = (
    ("plan.style", "gpt2", "llama"),
    ("plan.before", "text", "mixed"),
    ("plan.experts", "8", "2", "4", "16", "32"),
)
"""Name and options, the first at first."""
PLAN_NUMBERS: tuple[tuple[str, str, float, float], ...] = (
    ("plan.vocab.gpt2", "50257", 2, 2**22),
    ("plan.vocab.llama", "32000", 2, 2**22),
    ("plan.context.gpt2", "1024", 8, 2**20),
    ("plan.context.llama", "4096", 8, 2**20),
    ("plan.transfer.N", "50M", 1e3, 1e18),
    ("plan.transfer.before", "40B", 1e3, 1e20),
    ("plan.transfer.own", "100M", 1e3, 1e20),
    ("plan.transfer.letters", "3", 0.1, 100.0),
    ("plan.stages.times", "1", 1e-3, 1e3),
)
"""Name, text at first, least, most."""
