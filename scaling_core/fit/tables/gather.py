"""Rows of a sheet into columns of numbers, a chunk at a time, with the sentence for each row that cannot be read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.fit.tables import cells
from scaling_core.fit.tables.columns import Column, shown
from scaling_core.fit.tables.names import BITS, NUMERIC, PERPLEXITY
from scaling_core.fit.tables.sheet import Row, Sheet
from scaling_core.language import listed, t, tn

MAX_ROWS = 1_000_000
MAX_BAD = 100_000
"""A file with more bad rows than this is not a table of runs."""
LISTED = 50
"""Rows left out that are told one by one."""
FURTHER = 3
CHUNK = 16_384
SAMPLE = 200
"""Rows from which the decimal comma and the scale of a column are told."""
TEXTS = ("group", "tokenizer", "label")
IN_FULL = {"N": 1e14, "D": 1e16, "unique": 1e16, "C": 1e32}
"""Where most values of a column would exceed this, its title's billions were not meant."""

Columns = Mapping[str, Column]


@dataclass(kw_only=True, slots=True)
class Gathered:
    """Columns as far as they are read. values: by quantity, each (n,), NaN where an optional cell is empty.

    texts: labels by quantity. lines: where each row stands in the file, (n,). skipped: line and reason of the first
    LISTED bad rows; bad: how many there are; clause: the first reason without its full stop. comments: rows that begin
    with # and are as long as a run.
    """

    values: dict[str, FloatArray] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    lines: IndexArray = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    skipped: list[tuple[int, str]] = field(default_factory=list)
    bad: int = 0
    clause: str = ""
    comments: int = 0


def gather(sheet: Sheet, columns: Columns, *, comma: bool, skip_bad: bool) -> Gathered:
    """Every run of the sheet. comma: whether a comma is the decimal point.

    Raises InputError for the first bad row, with the lines of the next ones, unless skip_bad; for more than MAX_ROWS
    rows or MAX_BAD bad ones; and where no run is left.
    """
    whole = Gathered(texts={name: [] for name in TEXTS if name in columns})
    parts: dict[str, list[FloatArray]] = {}
    lines: list[IndexArray] = []
    seen: dict[str, dict[str, float]] = {name: {} for name in columns}
    rows = runs(sheet, columns, whole)
    while chunk := list(itertools.islice(rows, CHUNK)):
        values, bad = _read(chunk, columns, comma, seen)
        bad |= [len(row) > len(sheet.header) and any(map(str.strip, row[len(sheet.header) :])) for _, row in chunk]
        if bad.any():
            _leave_out(np.flatnonzero(bad), chunk, len(sheet.header), columns, values, whole, skip_bad)
        keep = ~bad
        for name, read in values.items():
            parts.setdefault(name, []).append(read[keep])
        for name, labels in whole.texts.items():
            index = columns[name].index
            labels.extend(cells.label(row[index]) for (_, row), kept in zip(chunk, keep.tolist(), strict=True) if kept)
        lines.append(np.array([line for line, _ in chunk], dtype=np.intp)[keep])
    whole.values = {name: np.concatenate(part) for name, part in parts.items()}
    whole.lines = np.concatenate(lines) if lines else whole.lines
    if not whole.lines.size:
        allowed = t("it must hold a header and at least one run")
        if not whole.bad:
            raise InputError(t("file"), t("no rows"), allowed)
        bad_rows = tn("{n} bad row", "{n} bad rows", whole.bad)
        raise InputError(t("file"), bad_rows, t("{allowed}; {reason}", allowed=allowed, reason=whole.clause))
    return whole


def runs(sheet: Sheet, columns: Columns, whole: Gathered) -> Iterator[Row]:
    """Rows below the header that are runs: comments, rules and repeated headers are passed over; short ones padded.

    A row that begins with # is a comment where it is short, where a space follows, or where a number should stand.
    """
    width = len(sheet.header)
    first = min(columns[name].index for name in _needed(columns))
    for count, (line, row) in enumerate(sheet.rows(), start=1):
        if count > MAX_ROWS:
            raise InputError(t("file"), t("over {most} rows", most=MAX_ROWS), t("a table of runs may have no more"))
        if len(row) < width or not row[first] or row[first][0] in "-:=+" or row[0][:1] == "#":
            if row[0].lstrip().startswith("#") and (len(row) < width or first == 0 or row[0].lstrip().startswith("# ")):
                whole.comments += len(row) >= width
                continue
            if not "".join(row).strip(" \t-:=+"):
                continue
            row = row + [""] * (width - len(row))
        elif row[first].strip() == sheet.header[first] and tuple(cell.strip() for cell in row[:width]) == sheet.header:
            continue
        yield line, row


def holds_numbers(sheet: Sheet) -> Callable[[int], bool]:
    """A function that tells whether the column at a place holds a number in one of the first rows, if there are any."""
    sample = [row for _, row in itertools.islice(sheet.rows(), SAMPLE)]

    def holds(place: int) -> bool:
        column = [row[place] for row in sample if place < len(row)]
        return not column or any(cells.number(cell, comma=comma) for cell in column for comma in (False, True))

    return holds


def decimal_comma(sheet: Sheet, columns: Columns) -> bool:
    """Whether a comma is the decimal point. The losses tell, since none has thousands; else cells between semicolons.

    A loss of 3,14 in a table parted by commas stands in quotes.
    """
    sample = _sample(sheet, columns)
    losses = "".join(row[columns["loss"].index] for row in sample)
    if "," in losses or "." in losses:
        return "." not in losses
    written = [row[column.index] for row in sample for name, column in columns.items() if name in NUMERIC]
    return sheet.separator == ";" and any(cell.count(",") == 1 for cell in written)


def with_scales(sheet: Sheet, columns: Columns, *, comma: bool) -> tuple[dict[str, Column], tuple[str, ...]]:
    """The columns, with the scale that a title names only where plain numbers need it; and what is said of that."""
    sample, kept, notes = _sample(sheet, columns), dict(columns), list[str]()
    for name, column in columns.items():
        if column.scale == 1.0:
            continue
        read = [cells.number(row[column.index], comma=comma) for row in sample]
        plain = [value[0] for value in read if value is not None and not value[1] and math.isfinite(value[0])]
        if plain and sorted(plain)[len(plain) // 2] * column.scale > IN_FULL[name]:
            kept[name] = Column(index=column.index, title=column.title, kind=column.kind, unit=column.unit)
            notes.append(
                t("{title} is written in full, so the unit of its title was not applied.", title=shown(column.title))
            )
        elif plain:
            notes.append(
                t(
                    "Plain numbers of {title} were multiplied by {scale}.",
                    title=shown(column.title),
                    scale=cells.power(column.scale),
                )
            )
    return kept, tuple(notes)


def _sample(sheet: Sheet, columns: Columns) -> list[list[str]]:
    return [row for _, row in itertools.islice(runs(sheet, columns, Gathered()), SAMPLE)]


def _read(
    chunk: list[Row], columns: Columns, comma: bool, seen: dict[str, dict[str, float]]
) -> tuple[dict[str, FloatArray], BoolArray]:
    """Values of each quantity that is a number, (n,), and which rows are bad, (n,)."""
    values: dict[str, FloatArray] = {}
    bad = np.zeros(len(chunk), dtype=bool)
    needed = _needed(columns)
    for name, column in columns.items():
        if name in TEXTS:
            continue
        texts = [row[column.index] for _, row in chunk]
        if name == "held_out":
            values[name] = cells.truths(texts)
            bad |= np.isnan(values[name])
            continue
        read = cells.numbers(texts, scale=column.scale, comma=comma, seen=seen[name])
        if name == "loss":
            read = _in_nats(read, column.unit)
        low, high = cells.LIMITS[name]
        good = (read >= low) & (read <= high)
        if name not in needed and not good.all():  # an empty cell is no fault there, nor anything in a third quantity
            empty = ~good if name == "C" else cells.missing(texts) | ((read == 0.0) & (name == "se"))
            read[empty] = np.nan
            good |= empty
        values[name] = read
        bad |= ~good
    third = {"N", "D"} - set(values)
    for name in third:
        with np.errstate(all="ignore"):
            read = values["C"] / (6.0 * values["D" if name == "N" else "N"])
        low, high = cells.LIMITS[name]
        bad |= ~((read >= low) & (read <= high))
        values[name] = read
    return values, bad


def _needed(columns: Columns) -> set[str]:
    """The quantities without which a row is no run."""
    return {"loss", "N", "D"} if {"N", "D"} <= set(columns) else {"loss", *(set("NDC") & set(columns))}


def _in_nats(read: FloatArray, unit: str) -> FloatArray:
    """Losses in nats where the unit is bits per token (L ln 2) or a perplexity (ln of it); others as they are."""
    if unit == BITS:
        return read * math.log(2.0)
    if unit == PERPLEXITY:
        with np.errstate(all="ignore"):
            return np.asarray(np.log(read))
    return read


def _leave_out(
    places: IndexArray,
    chunk: list[Row],
    width: int,
    columns: Columns,
    values: Mapping[str, FloatArray],
    whole: Gathered,
    skip_bad: bool,
) -> None:
    """List the rows at these places of a chunk with their reasons, or raise the first of them."""
    for place in places[: LISTED - len(whole.skipped)].tolist():
        line, row = chunk[place]
        error = _reason(line, row, width, columns, {name: float(read[place]) for name, read in values.items()})
        if not skip_bad:
            more = [str(chunk[other][0]) for other in places[1 : 1 + FURTHER].tolist()]
            if not more:
                raise error
            allowed = tn(
                "{allowed}; line {lines} cannot be read either",
                "{allowed}; lines {lines} cannot be read either",
                len(more),
                allowed=error.allowed,
                lines=listed(more),
            )
            raise InputError(error.field, error.value, allowed)
        whole.clause = whole.clause or _clause(error)
        whole.skipped.append((line, str(error)))
    whole.bad += len(places)
    if whole.bad > MAX_BAD:
        seen = t("over {most} bad rows", most=MAX_BAD)
        raise InputError(t("file"), seen, t("it is no table of runs; {reason}", reason=whole.clause))


def _clause(error: InputError) -> str:
    """What is wrong, as a part of a longer sentence."""
    value = repr(error.value) if isinstance(error.value, str) else str(error.value)
    value = value if len(value) <= 80 else value[:77] + "..."
    return t("{field}: got {shown}, but {allowed}", field=error.field, shown=value, allowed=error.allowed)


def _reason(line: int, row: list[str], width: int, columns: Columns, values: Mapping[str, float]) -> InputError:
    """Why a row is no run."""
    if len(row) > width and any(map(str.strip, row[width:])):
        allowed = t("the header has {width}: quote a number that holds the separator", width=width)
        return InputError(t("line {line}", line=line), t("{count} cells", count=len(row)), allowed)
    needed = _needed(columns)
    for name, column in columns.items():
        if name in TEXTS or (name == "C" and name not in needed):
            continue
        value, cell = values[name], row[column.index]
        low, high = cells.LIMITS.get(name, (0.0, 1.0))
        if not low <= value <= high and (name in needed or name == "held_out" or not _empty(value, cell)):
            where = t("line {line}, column {title}", line=line, title=shown(column.title))
            return cells.refusal(where, cell, name)
    name, other = ("N", "D") if "N" not in columns else ("D", "N")
    least, most = map(cells.power, cells.LIMITS[name])
    allowed = t("{name} must lie between {least} and {most}", name=name, least=least, most=most)
    return InputError(t("line {line}", line=line), f"{name} = C / (6 {other}) = {values[name]:.3g}", allowed)


def _empty(value: float, cell: str) -> bool:
    """Whether an optional cell was taken as empty."""
    return math.isnan(value) and (bool(cells.missing([cell])[0]) or cells.number(cell, comma=False) is not None)
