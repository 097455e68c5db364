"""The sentences and numbers of the page "Beyond the optimum" that follow the hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scaling_core.language import opened, t
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum import InferenceOptimum, Overtrained
from scaling_core.ui.beyond import LITTLE, overtrained_words, served_words
from scaling_core.ui.live import live_words
from scaling_core.viz.theme import Theme

Numbers = Sequence[tuple[str, str]]
"""Labels and values, as Python says them."""


def live_served(law: Law, C: float, found: InferenceOptimum, line: str, theme: Theme) -> None:
    """The opening of the page: the model that is cheapest to train and to serve."""
    question, sentence, detail = served_words(found)
    words = {
        "question": question,
        "hardly": [opened(text) for text in served_words(replace(found, saving=0.0))[1:]],
        "smaller": [opened(text) for text in served_words(replace(found, saving=1.0))[1:]],
        "under_one": t("under 1%"),
        "line": line,
    }
    said = {"question": question, "headline": sentence, "detail": detail, "line": line}
    live_words(
        law, "law", {}, theme, said, kind="served", key="law~served", words=words, C=C, served=found.D_inference,
        little=LITTLE,
    )  # fmt: skip


def live_served_numbers(law: Law, C: float, served: float, numbers: Numbers, theme: Theme) -> None:
    """Compute saved, total and tokens per parameter, in this order."""
    words = {"labels": [label for label, _ in numbers], "under_one": t("under 1%")}
    _numbers(law, numbers, theme, kind="served_numbers", words=words, C=C, served=served)


def live_trained(law: Law, C: float, found: Overtrained, times: float, theme: Theme) -> None:
    """How small the model becomes for a multiple of the training compute."""
    question, sentence, detail = overtrained_words(found, times)
    words = {
        "question": question,
        "headline": opened(sentence).replace("{times:.3g}", f"{times:.3g}"),
        "detail": opened(detail),
    }
    said = {"question": question, "headline": sentence, "detail": detail, "line": ""}
    live_words(law, "law", {}, theme, said, kind="trained", key="law~trained", words=words, C=C, times=times)


def live_trained_numbers(law: Law, C: float, times: float, numbers: Numbers, theme: Theme) -> None:
    """Share of the optimal size, tokens per parameter, training compute and the best demand, in this order."""
    words = {"labels": [label for label, _ in numbers]}
    excess = isinstance(law, MuennighoffLaw)
    _numbers(law, numbers, theme, kind="trained_numbers", words=words, C=C, times=times, excess=excess)


def _numbers(law: Law, numbers: Numbers, theme: Theme, *, kind: str, **more: Any) -> None:
    said = {"numbers": [list(pair) for pair in numbers], "ghosts": []}
    live_words(law, "law", {}, theme, said, kind=kind, key=f"law~{kind}", **more)
