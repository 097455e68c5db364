"""A table of runs as it comes from a spreadsheet, a logger, a paper or this lab, read into points of a fit.

    table = read_table(Path("runs.csv"))
    fit_law(table.fitted)

What is not a table of runs ends in an InputError of one sentence; a bad row is named with its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scaling_core.arrays import BoolArray, IndexArray
from scaling_core.fit.points import RunPoints
from scaling_core.fit.tables.columns import Column, choose
from scaling_core.fit.tables.gather import Gathered, decimal_comma, gather, holds_numbers, with_scales
from scaling_core.fit.tables.names import BITS, BITS_PER_BYTE, NATS, NATS_PER_BYTE, PERPLEXITY, RUN
from scaling_core.fit.tables.remarks import about_loss, about_numbers, about_rows
from scaling_core.fit.tables.sheet import open_sheet
from scaling_core.language import t


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTable:
    """A table of runs as it was understood.

    points: every run that was read. held_out: which of them the table keeps out of the fit, shape (n,), or None.
    lines: where each stands in the file, (n,). columns: the title taken for each quantity. counts: the title of each
    way in which the table counts parameters; count: the one that N is, None where N was computed. unused: titles that
    were not read. loss_unit: nats per token, unless the table says otherwise. skipped: line and reason of the first
    rows left out; skipped_count: how many there are. notes: sentences about what was understood.
    """

    points: RunPoints
    held_out: BoolArray | None
    lines: IndexArray
    columns: dict[str, str]
    counts: dict[str, str]
    count: str | None
    unused: tuple[str, ...]
    loss_unit: str
    skipped: tuple[tuple[int, str], ...]
    skipped_count: int
    notes: tuple[str, ...]

    @property
    def fitted(self) -> RunPoints:
        """The runs that are not held out."""
        return self.points if self.held_out is None else self.points.subset(~self.held_out)


def read_csv(source: Path | bytes | str) -> RunPoints:
    """The runs of a table, held out or not, as `read_table` reads it; raises InputError naming the column or line."""
    return read_table(source).points


def read_table(
    source: Path | bytes | str,
    *,
    count: str | None = None,
    skip_bad: bool = False,
    mapping: Mapping[str, str] | None = None,
) -> RunTable:
    """Runs from a file (a Path), its bytes, or text that was pasted.

    A header must name the loss and two of N, D, C (the third follows from C = 6 N D), under any of the names in
    `names`; cells may be separated by commas, semicolons, tabs, bars or spaces, and numbers written 70B, 1,4 or
    5.76e23 FLOP. count: how parameters are counted, one of `RunTable.counts`, where the table offers several.
    skip_bad: leave bad rows out instead of stopping at the first. mapping: quantity to the title to take for it,
    before anything is recognised; an empty title leaves it out. Raises InputError naming the column or the line.
    """
    sheet = open_sheet(source)
    chosen = choose(sheet.header, numeric=holds_numbers(sheet), count=count, mapping=mapping or {})
    comma = decimal_comma(sheet, chosen.columns)
    columns, scale_notes = with_scales(sheet, chosen.columns, comma=comma)
    gathered = gather(sheet, columns, comma=comma, skip_bad=skip_bad)
    points, empty_notes = _points(gathered, columns)
    held_out = gathered.values["held_out"] == 1.0 if "held_out" in gathered.values else None
    notes = (
        *sheet.notes,
        *chosen.notes,
        *((t("Commas were read as decimal points."),) if comma else ()),
        *scale_notes,
        *about_loss(columns["loss"]),
        *about_numbers(columns, gathered.values),
        *empty_notes,
        *about_rows(points, gathered, held_out),
    )
    unit = columns["loss"].unit
    return RunTable(
        points=points,
        held_out=held_out,
        lines=gathered.lines,
        columns={name: column.title for name, column in columns.items()},
        counts=chosen.counts,
        count=columns["N"].kind.name if "N" in columns else None,
        unused=chosen.unused,
        loss_unit=NATS if unit in (BITS, PERPLEXITY) else unit,
        skipped=tuple(gathered.skipped),
        skipped_count=gathered.bad,
        notes=notes,
    )


def _points(gathered: Gathered, columns: Mapping[str, Column]) -> tuple[RunPoints, tuple[str, ...]]:
    """The runs, without an optional column that has empty cells, and what is said of that."""
    values, texts, notes = gathered.values, dict(gathered.texts), list[str]()
    optional = {}
    for name in ("se", "unique"):
        gaps = int(np.isnan(values[name]).sum()) if name in values else 0
        if name in values and not gaps:
            optional[name] = values[name]
        elif 0 < gaps < len(gathered.lines):
            notes.append(_gaps(name, gaps, len(gathered.lines)))
    if "group" in texts and columns["group"].kind.name == RUN and len(set(texts["group"])) == len(texts["group"]):
        labels = texts.pop("group")
        texts.setdefault("label", labels)
    if columns["loss"].unit in (BITS_PER_BYTE, NATS_PER_BYTE):  # these can be compared across tokenizers
        texts.pop("tokenizer", None)
    points = RunPoints.of(
        N=values["N"],
        D=values["D"],
        loss=values["loss"],
        se=optional.get("se"),
        unique=optional.get("unique"),
        group=texts.get("group"),
        tokenizer=texts.get("tokenizer"),
        label=texts.get("label"),
    )
    return points, tuple(notes)


def _gaps(name: str, gaps: int, runs: int) -> str:
    if name == "se":
        return t("The standard errors are not used: they are missing in {gaps} of {runs} runs.", gaps=gaps, runs=runs)
    return t("The unique tokens are not used: they are missing in {gaps} of {runs} runs.", gaps=gaps, runs=runs)
