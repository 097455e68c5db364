"""What a ladder on the oracle should have found: the entropy rate of its language, against the fitted floor E."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from scaling_core.errors import ScalingError
from scaling_core.fit import FitResult
from scaling_core.lab import rules
from scaling_core.lab.batches import validation_set
from scaling_core.lab.corpus import load_cached
from scaling_core.lab.oracle import entropy_rate, true_losses
from scaling_core.language import t, together
from scaling_core.runs.rows import SweepRow
from scaling_core.units import format_loss


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """The known floor and the fitted one, nats per token.

    entropy: exact, of the language. text_floor: the mean loss of the language itself on the validation windows, and
    text_se its standard error. All runs are measured on these windows and share their luck, text_floor - entropy,
    which is known here and taken out: E, low and high are the fitted floor and the ends of its interval at `level`,
    less that luck (a control variate, see `lab.oracle.control`).
    """

    entropy: float
    text_floor: float
    text_se: float
    E: float
    low: float
    high: float
    level: float

    @property
    def within(self) -> bool:
        """Whether the interval holds the entropy rate."""
        return self.low <= self.entropy <= self.high

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        found = {"entropy": self.entropy, "E": format_loss(self.E), "low": self.low, "high": self.high}
        said = (
            t(
                "The true floor is the entropy rate of this language, {entropy:.4f} nats per token, known exactly; "
                "the fit says E = {E}, between {low:.4f} and {high:.4f} at {level:.0%}, and so holds it.",
                level=self.level,
                **found,
            )
            if self.within
            else t(
                "The true floor is the entropy rate of this language, {entropy:.4f} nats per token, known exactly; "
                "the fit says E = {E}, between {low:.4f} and {high:.4f} at {level:.0%}, and so misses it.",
                level=self.level,
                **found,
            )
        )
        return together(
            said,
            t(
                "The luck of the validation text is taken out: on it the language itself scores {floor:.4f}.",
                floor=self.text_floor,
            ),
            t("Of no natural text can this floor be known."),
        )


def truth_of(row: SweepRow, fit: FitResult, home: Path) -> Truth | None:
    """The truth beside the fit of a sweep on the oracle; None for any other text, or where its copy is gone."""
    spec = row.plan.spec
    corpus = load_cached(str(row.corpus.get("hash")), home / "corpora")
    if spec.corpus.oracle is None or corpus is None or "E" not in fit.intervals:
        return None
    try:
        windows = validation_set(corpus.validation, context=spec.context, windows=rules.validation_windows(spec.mode))
    except ScalingError:
        return None
    floors = true_losses(spec.corpus.oracle, windows).mean(axis=1)
    text_se = float(floors.std(ddof=1) / math.sqrt(floors.size))
    entropy, text_floor = entropy_rate(spec.corpus.oracle), float(floors.mean())
    luck = text_floor - entropy
    low, high = fit.intervals["E"]
    return Truth(
        entropy=entropy,
        text_floor=text_floor,
        text_se=text_se,
        E=fit.constants["E"] - luck,
        low=low - luck,
        high=high - luck,
        level=fit.level,
    )
