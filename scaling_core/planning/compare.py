"""Configurations beside each other: what each is worth and takes, and which differences a law can tell apart."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.optimum import Verdict, judge
from scaling_core.planning.budget import Machine
from scaling_core.planning.evidence import Extrapolation, Interval, Source, extrapolation, law_of, refits_of
from scaling_core.units import parse_quantity

MOST = 12
"""Configurations that are compared at once."""
LONGEST_TEXT = 20_000
LONGEST_NAME = 60
"""Characters."""
_HEADER = {"n", "d", "params", "parameters", "size", "model_size", "tokens", "data"}
_COMMAS = re.compile("[,;，；]")
_TABS = re.compile(r"\t+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """A named model of N parameters trained on D tokens."""

    name: str
    N: float
    D: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A configuration under a law.

    C: FLOP. loss: nats per token, with loss_interval from refits, or None. verdict: beside the optimum of the same
    compute, None where the law has none; excess_loss and wasted_share, of C, are its distance from it. seconds, usd:
    None without a machine, usd without its price. extrapolation: beyond the law's range.
    """

    configuration: Configuration
    C: float
    tokens_per_param: float
    loss: float
    loss_interval: Interval | None
    verdict: Verdict | None
    seconds: float | None
    usd: float | None
    extrapolation: Extrapolation

    @property
    def excess_loss(self) -> float | None:
        """Nats per token above the optimum of the same compute; None where the law has none."""
        return None if self.verdict is None else self.verdict.loss_gap

    @property
    def wasted_share(self) -> float | None:
        """The share of its compute that the optimum of the same loss would not need, 0 to 1; None as above."""
        return None if self.verdict is None else self.verdict.compute_left / self.C


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two configurations, and whether the law can tell which has the lower loss.

    first, second: names. difference: loss of the first less that of the second, nats per token. share: of the refits,
    those in which the difference has the same sign; clear: whether that is at least the level of the law's intervals.
    Both None without refits; two equal losses are never clear.
    """

    first: str
    second: str
    difference: float
    share: float | None
    clear: bool | None

    @property
    def better(self) -> str | None:
        """The name of the one with the lower loss; None where they are equal."""
        return None if self.difference == 0.0 else self.first if self.difference < 0 else self.second


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Rows in the order given, and every pair of them."""

    rows: tuple[Compared, ...]
    pairs: tuple[Pair, ...]

    def ranked(self) -> tuple[Compared, ...]:
        """The rows by loss, the lowest first; equal ones in the order given."""
        return tuple(sorted(self.rows, key=lambda row: row.loss))

    def pair(self, first: str, second: str) -> Pair:
        """The pair of two names, in this order; raises InputError where there is none."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.first, pair.second) == (second, first):
                return Pair(first=first, second=second, difference=-pair.difference, share=pair.share, clear=pair.clear)
        known = ", ".join(row.configuration.name for row in self.rows)
        raise InputError(t("configuration"), f"{first}, {second}", t("give two different ones of {names}", names=known))


def parse_configurations(text: str) -> tuple[Configuration, ...]:
    """The configurations that lines of "name, N, D" write, with tabs or commas, numbers as 70B, 1.4T or 5.76e9.

    Empty lines are skipped, and so is a first line of headings. With tabs a number may have commas (1,000,000).
    Raises InputError, one sentence that names the line, on anything else: no or more than twelve configurations, a
    line without exactly three fields, a missing, overlong or repeated name, a number that is none or is below 1.
    """
    if len(text) > LONGEST_TEXT:
        most = t("it must be at most {n} characters long", n=LONGEST_TEXT)
        raise InputError(t("configurations"), t("{n} characters", n=len(text)), most)
    lines = [(k, line) for k, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if lines and _is_header(_fields(lines[0][1])):
        lines = lines[1:]
    if not 0 < len(lines) <= MOST:
        allowed = t("there must be 1 to {most} lines of name, N and D", most=MOST)
        raise InputError(t("configurations"), t("{n} lines", n=len(lines)), allowed)
    found = tuple(_configuration(k, line) for k, line in lines)
    return _distinct(found)


def _configuration(k: int, line: str) -> Configuration:
    fields = _fields(line)
    here = t("line {k}", k=k)
    if len(fields) != 3:
        raise InputError(here, line.strip(), t("it must have three fields, as in Chinchilla, 70B, 1.4T"))
    name, N, D = fields
    if not name or len(name) > LONGEST_NAME or any(unicodedata.category(sign).startswith("C") for sign in name):
        allowed = t("the name must have 1 to {most} printable characters", most=LONGEST_NAME)
        raise InputError(here, ascii(name)[1:-1] if name else t("nothing"), allowed)
    size, tokens = (
        parse_quantity(value, field=t("line {k}, {field}", k=k, field=field), minimum=1.0)
        for value, field in ((N, "N"), (D, "D"))
    )
    return Configuration(name=name, N=size, D=tokens)


def _fields(line: str) -> list[str]:
    return [field.strip() for field in (_TABS if "\t" in line.strip() else _COMMAS).split(line.strip())]


def _is_header(fields: list[str]) -> bool:
    return len(fields) == 3 and all(field.lower() in _HEADER for field in fields[1:])


def _distinct(found: tuple[Configuration, ...]) -> tuple[Configuration, ...]:
    seen: set[str] = set()
    for one in found:
        if one.name in seen:
            raise InputError(t("name"), one.name, t("each configuration must have a name of its own"))
        seen.add(one.name)
    return found


def compare(source: Source, configurations: Sequence[Configuration], machine: Machine | None = None) -> Comparison:
    """Every configuration under a law, and every pair of them.

    Raises InputError on none or more than twelve, on a repeated name, on a size or tokens that are not at least 1 and
    finite, and on a law in one variable.
    """
    law = law_of(source)
    if not 0 < len(configurations) <= MOST:
        allowed = t("there must be 1 to {most} of them", most=MOST)
        raise InputError(t("configurations"), len(configurations), allowed)
    for one in _distinct(tuple(configurations)):
        for field, value in (("N", one.N), ("D", one.D)):
            parse_quantity(value, field=t("{name}, {field}", name=one.name, field=field), minimum=1.0)
    N, D = (np.array([getattr(one, name) for one in configurations]) for name in ("N", "D"))
    refits = refits_of(source)
    intervals = refits.of_losses(N, D) if refits else None
    rows = tuple(
        _compared(source, one, float(law.loss(one.N, one.D)), intervals[k] if intervals else None, machine)
        for k, one in enumerate(configurations)
    )
    logs = refits.log_losses(N, D) if refits else None
    level = refits.level if refits else 1.0
    pairs = tuple(_pair(rows, i, j, logs, level) for i, j in combinations(range(len(rows)), 2))
    return Comparison(rows=rows, pairs=pairs)


def _compared(
    source: Source, one: Configuration, loss: float, interval: Interval | None, machine: Machine | None
) -> Compared:
    C = training_flops(one.N, one.D)
    verdict = None
    with contextlib.suppress(InputError):
        verdict = judge(law_of(source), one.N, one.D)
    return Compared(
        configuration=one,
        C=C,
        tokens_per_param=one.D / one.N,
        loss=loss,
        loss_interval=interval,
        verdict=verdict,
        seconds=None if machine is None else machine.seconds(C),
        usd=None if machine is None else machine.usd(C),
        extrapolation=extrapolation(source, one.N, one.D),
    )


def _pair(rows: Sequence[Compared], i: int, j: int, logs: FloatArray | None, level: float) -> Pair:
    """Two rows; logs: ln of the losses under each refit, (R, m), or None."""
    difference = rows[i].loss - rows[j].loss
    share = None
    if logs is not None:
        share = float(np.mean(np.sign(logs[:, i] - logs[:, j]) == np.sign(difference)))
    return Pair(
        first=rows[i].configuration.name,
        second=rows[j].configuration.name,
        difference=difference,
        share=share,
        clear=None if share is None else difference != 0.0 and share >= level,
    )
