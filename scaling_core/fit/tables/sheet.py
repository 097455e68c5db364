"""A file or a pasted text as rows of cells: its encoding, its separator, where its header stands."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scaling_core.errors import InputError
from scaling_core.fit.tables.columns import meaning
from scaling_core.language import t

MAX_BYTES = 64 * 1024 * 1024
MAX_LINES = 2_000_000
MAX_LINE = 1024 * 1024
MAX_COLUMNS = 4096
SEPARATORS = (",", ";", "\t", "|", "，", "；", " ")
"""A space stands for any run of spaces."""
HEAD = 30
"""The header is looked for among this many lines that hold something."""
SPAN = 20
"""A record of more lines than this has a quoted cell that nobody closed."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_HIGH = re.compile(rb"[\x80-\xff]+")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
Row = tuple[int, list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A table found in a text. header: titles, stripped. line: where the header begins, from 1.

    separator: of the cells. notes: sentences about how the text was read.
    """

    text: str
    header: tuple[str, ...]
    line: int
    separator: str
    notes: tuple[str, ...]

    def rows(self) -> Iterator[Row]:
        """Line number and cells of each record below the header, blank ones left out."""
        return itertools.islice(records(lines(self.text, self.line), self.separator, self.line), 1, None)


def open_sheet(source: Path | bytes | str) -> Sheet:
    """Decode a source and find its header and separator; raises InputError where it holds no table of runs."""
    text, notes = decode(source)
    if not text.strip():
        raise InputError(t("file"), t("no rows"), t("it must hold a header and at least one run"))
    head, problem = _head(text)
    found: Sheet | None = None
    best: tuple[int, ...] = ()
    for order, separator in enumerate(SEPARATORS):
        rows, ended = _first(head, separator)
        problem = problem or ended
        widths = [len(cells) for _, cells in rows]
        for place, (line, cells) in enumerate(rows):
            if not 2 <= len(cells) <= MAX_COLUMNS:
                continue
            header = tuple(cell.strip() for cell in cells)
            trust = 1 if separator == " " else 2 if header[0].startswith("#") else 3
            if separator == " " and header[0] == "#":
                header = header[1:]
            whole, known = meaning(header)
            even = 1 + (widths[place + 1 : place + 2] == [len(header)])
            rank = (trust * whole, even, known, -order, -place)
            if known and rank > best:
                best, found = rank, Sheet(text=text, header=header, line=line, separator=separator, notes=notes)
            if best[:2] == (3, 2):
                break
        if best[:2] == (3, 2):  # a whole header with a row of its width below it: no other separator does better
            break
    if found is None:
        first = text.lstrip()[:200].splitlines()[0]
        allowed = t("a row must name the columns: one column must be the loss, and two of N, D and C")
        raise problem or InputError(t("header"), first, allowed)
    return found


def _first(head: list[str], separator: str) -> tuple[list[Row], InputError | None]:
    """The first rows of a table with this separator, and what ended them before their time."""
    rows: list[Row] = []
    try:
        for row in itertools.islice(records(iter(head), separator, 1), HEAD):
            rows.append(row)
    except InputError as error:
        return rows, error
    widest = max((len(cells) for _, cells in rows), default=0)
    if widest > MAX_COLUMNS:
        allowed = t("there may be at most {most}", most=MAX_COLUMNS)
        return rows, InputError(t("header"), t("{count} columns", count=widest), allowed)
    return rows, None


def _head(text: str) -> tuple[list[str], InputError | None]:
    """The lines among which a header is looked for, about two million characters at most, and what ended them."""
    head: list[str] = []
    total = 0
    try:
        for line in itertools.islice(lines(text, 1), 10_000):
            head.append(line)
            total += len(line)
            if total > 2 * MAX_LINE:
                break
    except InputError as error:
        return head, error
    return head, None


def lines(text: str, first: int) -> Iterator[str]:
    """Lines from number `first` on, with their ends: LF, CR LF or CR. Raises InputError for a long one, or too many."""
    for count, match in enumerate(_LINE.finditer(text), start=1):
        line = match[0]
        if not line:
            return
        if len(line) > MAX_LINE:
            seen = t("{count} characters", count=len(line))
            raise InputError(t("line {line}", line=count), seen, t("a line may have at most {most}", most=MAX_LINE))
        if count > MAX_LINES:
            seen = t("over {most} lines", most=MAX_LINES)
            raise InputError(t("file"), seen, t("a table of runs may have no more"))
        if count >= first:
            yield line


def records(source: Iterator[str], separator: str, first: int) -> Iterator[Row]:
    """Number of the line where it begins, and cells, of each record that is not blank; `first` is the first line's."""
    if separator == " ":
        for count, line in enumerate(source, start=first):
            if cells := line.split():
                yield count, cells
        return
    reader = csv.reader(source, delimiter=separator, skipinitialspace=True)
    begin = first
    try:
        for row in reader:
            end = first + reader.line_num
            if end - begin > SPAN:
                seen = t("a record of {count} lines", count=end - begin)
                raise InputError(t("line {line}", line=begin), seen, t("a quoted cell must be closed"))
            if row:
                yield begin, row
            begin = end
    except csv.Error as error:
        allowed = t("every cell must be short and every quote closed")
        raise InputError(t("line {line}", line=begin), str(error), allowed) from error


def decode(source: Path | bytes | str) -> tuple[str, tuple[str, ...]]:
    """The text of a source, and a sentence where its encoding was guessed; raises InputError for anything but text."""
    content = _read(source) if isinstance(source, Path) else source
    if len(content) > MAX_BYTES:
        raise InputError(t("file"), t("over {most} bytes", most=MAX_BYTES), t("a table of runs may hold 64 MiB"))
    notes: tuple[str, ...] = ()
    if isinstance(content, str):
        text = content
    else:
        text, notes = _decoded(content)
    if "\x00" in text:
        raise _binary()
    return text.removeprefix("\ufeff").removesuffix("\x1a"), notes


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(t("file"), str(path), t("it could not be read ({reason})", reason=str(reason))) from error


def _binary() -> InputError:
    return InputError(t("file"), t("binary data"), t("it must be a text: a CSV table in UTF-8"))


def _archive(data: bytes) -> str | None:
    """What a file is that begins so, where it is one of those that people take for a table."""
    kinds = (
        (b"PK\x03\x04", t("binary data, an Excel workbook or a ZIP archive")),
        (b"\xd0\xcf\x11\xe0", t("binary data, an old Excel workbook")),
        (b"PAR1", t("binary data, a Parquet file")),
        (b"\x1f\x8b", t("binary data, a gzip archive")),
        (b"%PDF", t("binary data, a PDF")),
        (b"\x89PNG", t("binary data, a picture")),
    )
    return next((what for magic, what in kinds if data.startswith(magic)), None)


def _decoded(data: bytes) -> tuple[str, tuple[str, ...]]:
    if (what := _archive(data)) is not None:
        raise InputError(t("file"), what, t("it must be a text: save the table as CSV"))
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), ()
            except UnicodeDecodeError as error:
                seen = t("binary data, not {encoding}", encoding=encoding.upper())
                raise InputError(t("file"), seen, t("it must be a text: a CSV table in UTF-8")) from error
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        pass
    if b"\x00" in data:
        raise _binary()
    runs = [len(match[0]) for match in itertools.islice(_HIGH.finditer(data), 10_000)]
    if all(length % 2 == 0 for length in runs):  # Chinese text stands in pairs of such bytes, accents stand alone
        try:
            return data.decode("gb18030"), (_guessed("GB18030"),)
        except UnicodeDecodeError:
            pass
    return data.decode("latin-1"), (_guessed("Latin-1"),)


def _guessed(encoding: str) -> str:
    return t("The file is not in UTF-8: it was read as {encoding}.", encoding=encoding)
