"""What a reader should know about a table that could be read: sentences about its units, its counts and its rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray
from scaling_core.fit.points import RunPoints
from scaling_core.fit.tables.columns import Column, shown
from scaling_core.fit.tables.gather import Gathered
from scaling_core.fit.tables.names import BITS, BITS_PER_BYTE, NATS_PER_BYTE, PERPLEXITY
from scaling_core.units import format_quantity

FLOPS_APART = 0.05
"""A column of compute further than this from 6 N D is spoken of."""
SMALL = {"N": (1e3, "parameters", "params_b"), "D": (1e5, "tokens", "tokens_b")}
"""Where no run has more than this, other units were meant."""


def about_loss(column: Column) -> list[str]:
    """The unit of the loss where it is not nats per token."""
    title, sentences = shown(column.title), []
    if column.unit in (BITS_PER_BYTE, NATS_PER_BYTE):
        sentences.append(
            f"{title} is in {column.unit}, not in nats per token: the runs can be fitted, but the constants cannot be "
            "set beside published ones."
        )
    elif column.unit == BITS:
        sentences.append(f"{title} is in bits per token: it was multiplied by ln 2 to give nats per token.")
    elif column.unit == PERPLEXITY:
        sentences.append(f"{title} is a perplexity: its logarithm is the loss in nats per token.")
    return sentences


def about_numbers(columns: Mapping[str, Column], values: Mapping[str, FloatArray]) -> list[str]:
    """How parameters are counted, units that were not meant, and compute that is not 6 N D."""
    sentences = []
    if "N" in columns and columns["N"].kind.name == "params_non_embedding":
        sentences.append("N leaves the embeddings out, as in Kaplan et al. 2020; Hoffmann et al. 2022 count them.")
    for name, (limit, what, better) in SMALL.items():
        if name in columns and columns[name].scale == 1.0 and (top := float(values[name].max())) < limit:
            sentences.append(
                f"{shown(columns[name].title)} is at most {format_quantity(top)} {what}: where billions are meant, "
                f"name the column {better}."
            )
    if {"N", "D", "C"} <= set(columns):
        apart = values["C"] / (6.0 * values["N"] * values["D"]) - 1.0
        apart = apart[np.isfinite(apart)]
        far = np.abs(apart) > FLOPS_APART
        if far.any():
            worst = float(apart[np.argmax(np.abs(apart))])
            size = f"{100 * worst:+.0f}%" if abs(worst) < 10 else f"a factor of {format_quantity(worst + 1.0)}"
            sentences.append(
                f"{shown(columns['C'].title)} is more than {FLOPS_APART:.0%} from 6 N D in {int(far.sum())} of "
                f"{len(apart)} runs (at most {size}): the fit uses C = 6 N D."
            )
    return sentences


def about_rows(points: RunPoints, gathered: Gathered, held_out: BoolArray | None) -> list[str]:
    """Rows that repeat another, that are held out, or that were taken for comments."""
    sentences = []
    order = np.lexsort((gathered.lines, points.loss, points.D, points.N))
    again = np.zeros(len(points), dtype=bool)
    again[order[1:]] = np.logical_and.reduce(
        [np.diff(values[order]) == 0.0 for values in (points.N, points.D, points.loss)]
    )
    if again.any():
        count, first = int(again.sum()), int(gathered.lines[again].min())
        sentences.append(
            f"{count} {'row repeats' if count == 1 else 'rows repeat'} N, D and loss of an earlier one (the first on "
            f"line {first}): each counts as a run of its own."
        )
    if held_out is not None and held_out.any():
        count = int(held_out.sum())
        sentences.append(f"{count} of {len(points)} runs {'is' if count == 1 else 'are'} marked as held out.")
    if gathered.comments:
        count = gathered.comments
        which = "1 row that begins with # was" if count == 1 else f"{count} rows that begin with # were"
        sentences.append(f"{which} passed over.")
    return sentences
