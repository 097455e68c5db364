"""What a reader should know about a table that could be read: sentences about its units, its counts and its rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.fit.points import RunPoints
from scaling_core.fit.tables.columns import Column, shown
from scaling_core.fit.tables.gather import Gathered
from scaling_core.fit.tables.names import BITS, BITS_PER_BYTE, NATS_PER_BYTE, PERPLEXITY, unit_in_words
from scaling_core.language import t, tn
from scaling_core.units import format_quantity

FLOPS_APART = 0.05
"""A column of compute further than this from 6 N D is spoken of."""
SMALL = {"N": 1e3, "D": 1e5}
"""Where no run has more than this, other units were meant."""


def about_loss(column: Column) -> list[str]:
    """The unit of the loss where it is not nats per token."""
    title = shown(column.title)
    if column.unit in (BITS_PER_BYTE, NATS_PER_BYTE):
        said = t(
            "{title} is in {unit}, not in nats per token: the runs can be fitted, but the constants cannot be "
            "set beside published ones.",
            title=title,
            unit=unit_in_words(column.unit),
        )
        return [said]
    if column.unit == BITS:
        return [t("{title} is in bits per token: it was multiplied by ln 2 to give nats per token.", title=title)]
    if column.unit == PERPLEXITY:
        return [t("{title} is a perplexity: its logarithm is the loss in nats per token.", title=title)]
    return []


def about_numbers(columns: Mapping[str, Column], values: Mapping[str, FloatArray]) -> list[str]:
    """How parameters are counted, units that were not meant, and compute that is not 6 N D."""
    sentences: list[str] = []
    if "N" in columns and columns["N"].kind.name == "params_non_embedding":
        sentences.append(t("N leaves the embeddings out, as in Kaplan et al. 2020; Hoffmann et al. 2022 count them."))
    for name, limit in SMALL.items():
        if name in columns and columns[name].scale == 1.0 and (top := float(values[name].max())) < limit:
            sentences.append(_small(name, shown(columns[name].title), format_quantity(top)))
    if {"N", "D", "C"} <= set(columns):
        apart = values["C"] / (6.0 * values["N"] * values["D"]) - 1.0
        apart = apart[np.isfinite(apart)]
        far = np.abs(apart) > FLOPS_APART
        if far.any():
            worst = float(apart[np.argmax(np.abs(apart))])
            factor = format_quantity(worst + 1.0)
            size = f"{100 * worst:+.0f}%" if abs(worst) < 10 else t("a factor of {factor}", factor=factor)
            sentences.append(
                t(
                    "{title} is more than {apart:.0%} from 6 N D in {far} of {runs} runs (at most {size}): the fit "
                    "uses C = 6 N D.",
                    title=shown(columns["C"].title),
                    apart=FLOPS_APART,
                    far=int(far.sum()),
                    runs=len(apart),
                    size=size,
                )
            )
    return sentences


def _small(name: str, title: str, top: str) -> str:
    if name == "N":
        return t(
            "{title} is at most {top} parameters: where billions are meant, name the column params_b.",
            title=title,
            top=top,
        )
    return t(
        "{title} is at most {top} tokens: where billions are meant, name the column tokens_b.", title=title, top=top
    )


def about_rows(points: RunPoints, gathered: Gathered, held_out: BoolArray | None) -> list[str]:
    """Rows that repeat another, that are held out, or that were taken for comments."""
    sentences: list[str] = []
    order = np.lexsort((gathered.lines, points.loss, points.D, points.N))
    again = np.zeros(len(points), dtype=bool)
    again[order[1:]] = np.logical_and.reduce(
        [np.diff(values[order]) == 0.0 for values in (points.N, points.D, points.loss)]
    )
    if again.any():
        sentences.append(
            tn(
                "{n} row repeats N, D and loss of an earlier one (the first on line {line}): each counts as a run of "
                "its own.",
                "{n} rows repeat N, D and loss of an earlier one (the first on line {line}): each counts as a run of "
                "its own.",
                int(again.sum()),
                line=int(gathered.lines[again].min()),
            )
        )
    if held_out is not None and held_out.any():
        sentences.append(
            tn(
                "{n} of {runs} runs is marked as held out.",
                "{n} of {runs} runs are marked as held out.",
                int(held_out.sum()),
                runs=len(points),
            )
        )
    if gathered.comments:
        sentences.append(
            tn(
                "{n} row that begins with # was passed over.",
                "{n} rows that begin with # were passed over.",
                gathered.comments,
            )
        )
    return sentences
