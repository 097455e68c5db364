"""Which column of a table holds which quantity, told by its title."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scaling_core.errors import InputError
from scaling_core.fit.tables.names import (
    BITS,
    BITS_PER_BYTE,
    CHOOSABLE,
    KINDS,
    NATS,
    NATS_PER_BYTE,
    NUMERIC,
    PERPLEXITY,
    QUANTITIES,
    Kind,
)
from scaling_core.fit.told import in_a_row
from scaling_core.flops import PF_DAY
from scaling_core.language import t

LONGEST_TITLE = 200

_WORDS = {"loss": ("loss", "损失"), "N": ("params", "parameters", "参数"), "D": ("tokens", "词元", "令牌")}
_WORDS["C"] = ("flops", "flop", "compute", "计算量")
_VALIDATION = frozenset({"val", "valid", "validation", "eval", "dev"})
_TRAINING = frozenset({"train", "training"})
_NOT = frozenset(
    re.findall(
        r"[a-z0-9]+",
        """per pred predicted prediction fit fitted std stddev se stderr sd err error low high lower upper min max ratio
        rate sec second seconds s day hour aux diff delta target log log10 ln embedding embed emb gpu peak mfu batch
        step steps vocab unique initial init start z router balance remaining context sequence""",
    )
)
_PLAIN = {"N": "params", "D": "tokens", "C": "flops", "loss": "loss"}
_SCALES = {
    **dict.fromkeys(("k", "thousand", "thousands", "千"), 1e3),
    **dict.fromkeys(("万",), 1e4),
    **dict.fromkeys(("m", "mn", "million", "millions", "百万"), 1e6),
    **dict.fromkeys(("亿",), 1e8),
    **dict.fromkeys(("b", "bn", "g", "billion", "billions", "十亿"), 1e9),
    **dict.fromkeys(("t", "tn", "trillion", "trillions", "万亿"), 1e12),
}
_PF_DAYS = re.compile(r"(?:pf|petaflops?|pflops?)s?days?$")
_PREFIXED = re.compile(r"([ez])flops?$")
_BRACKETS = re.compile(r"(.*)[(\[（【]([^()\[\]（）【】]*)[)\]）】]\s*$", re.S)
_POWER = re.compile(r"(?:[x×*]\s*)?(?:1e|10\s*(?:\^|\*\*)\s*|e)\+?([0-9]{1,2})")
_COUNTED = re.compile(r"\b(?:params?|parameters?|tokens?|flops?)\b|of\b|in\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column with a meaning. index: its place, from 0. scale: what its plain numbers are multiplied by.

    guessed: whether only a word of its title gave it away.
    """

    index: int
    title: str
    kind: Kind
    scale: float = 1.0
    unit: str = ""
    guessed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """columns: of each quantity that is read. counts: title of each way to count parameters. unused: other titles."""

    columns: dict[str, Column]
    counts: dict[str, str]
    unused: tuple[str, ...]
    notes: tuple[str, ...]


def key(title: str) -> str:
    """A title as names are compared: compatibility forms folded, no case, only letters and digits."""
    return "".join(char for char in unicodedata.normalize("NFKC", title).casefold() if char.isalnum())


_BY_KEY: dict[str, Kind] = {}
for _kind in KINDS:
    for _name in _kind.names.split(","):
        _BY_KEY.setdefault(key(_name), _kind)
_PLACE = {kind: place for place, kind in enumerate(KINDS)}


def shown(title: str) -> str:
    """A title on one short line, for sentences."""
    text = " ".join("".join(char if char.isprintable() else " " for char in title).split())
    return text if len(text) <= 40 else text[:37] + "..."


@functools.lru_cache(maxsize=8192)
def recognise(title: str) -> tuple[Kind, float, str] | None:
    """The kind, scale and unit of loss that a title tells, or None: `Params (B)` is N in billions."""
    if len(title) > LONGEST_TITLE:
        return None
    title = unicodedata.normalize("NFKC", title).strip(" #*`'\"\ufeff")
    whole = _BY_KEY.get(key(title))
    if whole is not None:
        return whole, 1.0, whole.unit
    brackets = _BRACKETS.fullmatch(title)
    if brackets:
        kind = _BY_KEY.get(key(brackets[1])) or _by_last_part(brackets[1])
        if kind is not None:
            if kind.quantity == "loss":
                return kind, 1.0, _unit_of_loss(brackets[2]) or kind.unit
            return kind, (_scale(brackets[2]) if kind.quantity in NUMERIC else 1.0), ""
    words = [word for word in re.split(r"[\W_]+", title.casefold()) if word]
    compact = "".join(words)
    for pattern, factor in ((_PF_DAYS, PF_DAY), (_PREFIXED, 0.0)):
        if match := pattern.search(compact):
            rest = _BY_KEY.get(compact[: match.start()] + "flops") or _BY_KEY.get(compact[: match.start()])
            if rest is not None and rest.quantity == "C":
                return rest, factor or {"e": 1e18, "z": 1e21}[match[1]], ""
    if len(words) > 1 and words[-1] in _SCALES:
        kind = _BY_KEY.get("".join(words[:-2] if words[-2] == "in" else words[:-1]))
        if kind is not None and kind.quantity in ("N", "D", "C", "unique"):
            return kind, _SCALES[words[-1]], ""
    kind = _by_last_part(title)
    return None if kind is None else (kind, 1.0, kind.unit)


def _by_last_part(title: str) -> Kind | None:
    """What the end of a logger's path tells: `metrics/eval/loss`, `run-7 - val_loss`, `config.n_params`."""
    parts = [part for part in re.split(r"/|\.|:|\s[-–]\s", title) if part.strip()]
    for start in range(1, min(len(parts), 8)):
        kind = _BY_KEY.get(key("".join(parts[start:])))
        if kind is not None and kind.quantity in NUMERIC:
            return kind if _NOT.isdisjoint(re.split(r"[\W_]+", "/".join(parts[:start]).casefold())) else None
    return None


def _guess(title: str) -> Kind | None:
    """The quantity of which a title has a word, and no word that makes it another thing."""
    words = re.split(r"[\W_]+", unicodedata.normalize("NFKC", title[:LONGEST_TITLE]).casefold())
    if _NOT.isdisjoint(words):
        for quantity, telling in _WORDS.items():
            if any(word in words or (not word.isascii() and word in title) for word in telling):
                return _guessed_kind(quantity, words)
    return None


def _guessed_kind(quantity: str, words: list[str]) -> Kind:
    name = _PLAIN[quantity]
    if quantity == "loss":
        for kind, telling in (("validation loss", _VALIDATION), ("test loss", {"test"}), ("training loss", _TRAINING)):
            if not telling.isdisjoint(words):
                name = kind
    return _plain(quantity, name)


def _plain(quantity: str, name: str = "") -> Kind:
    """The kind of that name, by default the one of which nothing more is known."""
    name = name or _PLAIN.get(quantity, "")
    return next(kind for kind in KINDS if kind.quantity == quantity and name in (kind.name, ""))


def _scale(unit: str) -> float:
    """What a unit in brackets multiplies by: B, billions, M tokens, 1e18 FLOP, ZFLOP, PF-days; 1 where it is none."""
    text = unit.casefold().strip()
    compact = re.sub(r"[\W_]+", "", text)
    if _PF_DAYS.fullmatch(compact):
        return PF_DAY
    if match := _PREFIXED.fullmatch(compact):
        return {"e": 1e18, "z": 1e21}[match[1]]
    text = _COUNTED.sub("", text).strip()
    if match := _POWER.fullmatch(text):
        return float(f"1e{match[1]}")
    return _SCALES.get(text, 1.0)


def _unit_of_loss(unit: str) -> str | None:
    """The unit that stands in brackets behind a loss, or None."""
    text = key(unit)
    if "bpb" in text or ("bit" in text and "byte" in text):
        return BITS_PER_BYTE
    if "nat" in text:
        return NATS_PER_BYTE if "byte" in text else NATS
    if text in ("ppl", "perplexity"):
        return PERPLEXITY
    return BITS if "bit" in text else None


def meaning(header: Sequence[str]) -> tuple[bool, int]:
    """Whether a row names enough for a table of runs, and how many quantities it names."""
    found = {known[0].quantity for title in header if title and (known := recognise(title))}
    found |= {kind.quantity for title in header if title and (kind := _guess(title))}
    return "loss" in found and sum(name in found for name in "NDC") >= 2, len(found)


def choose(
    header: Sequence[str], *, numeric: Callable[[int], bool], count: str | None, mapping: Mapping[str, str]
) -> Chosen:
    """One column for each quantity. numeric: whether the column at a place holds numbers.

    count: how parameters are counted. mapping: quantity to the title to take.

    An empty title in `mapping` leaves the quantity out. Raises InputError where a needed quantity is missing, or two
    columns could equally be it.
    """
    found: dict[str, list[Column]] = {}
    for index, title in enumerate(header):
        known = recognise(title) if title else None
        if known is not None:
            kind, scale, unit = known
            found.setdefault(kind.quantity, []).append(
                Column(index=index, title=title, kind=kind, scale=scale, unit=unit)
            )
    taken = {column.index for columns in found.values() for column in columns}
    for index, title in enumerate(header):
        kind_of = _guess(title) if title and index not in taken else None
        if kind_of is not None and (kind_of.quantity not in found or found[kind_of.quantity][0].guessed):
            found.setdefault(kind_of.quantity, []).append(
                Column(index=index, title=title, kind=kind_of, unit=kind_of.unit, guessed=True)
            )
    notes = _without_texts(found, numeric)
    ordered = sorted(found.get("N", []), key=lambda column: (_PLACE[column.kind], column.index))
    counts: dict[str, str] = {}
    for column in ordered:
        counts.setdefault(column.kind.name, column.title)
    if count is not None:
        _count(found, counts, count)
    _map(found, header, mapping)
    if {"N", "D"} <= set(found) and len(_best(found.get("C", []))) > 1:
        del found["C"]  # nothing hangs on it, so it need not be chosen
    columns = {q: _one(q, found[q], notes) for q in QUANTITIES if found.get(q)}
    _complete(header, columns)
    if len(counts) > 1 and count is None and "N" in columns:
        notes.append(
            t(
                "Parameters are counted in {count} ways ({ways}): {used} is used.",
                count=len(counts),
                ways=", ".join(counts),
                used=columns["N"].kind.name,
            )
        )
    used = {column.title for column in columns.values()} | set(counts.values())
    unused = tuple(title for title in header if title and title not in used)
    return Chosen(columns=columns, counts=counts, unused=unused, notes=tuple(notes))


def _without_texts(found: dict[str, list[Column]], numeric: Callable[[int], bool]) -> list[str]:
    """Drop columns without a number where the quantity has another, or can be spared; and what is said of those."""
    notes: list[str] = []
    numbers = {q: [column for column in found[q] if numeric(column.index)] for q in NUMERIC if q in found}
    for quantity, kept in numbers.items():
        others = sum(bool(numbers.get(q)) for q in "NDC" if q != quantity)
        if kept:
            found[quantity] = kept
        elif quantity in ("se", "unique") or (quantity in "NDC" and others == 2):
            title = shown(found.pop(quantity)[0].title)
            notes.append(t("{title} is not used: it holds no numbers.", title=title))
    return notes


def _count(found: dict[str, list[Column]], counts: Mapping[str, str], count: str) -> None:
    """Keep of the columns for N those of one way to count, named as in `names` or by its title."""
    kept = [column for column in found.get("N", []) if count in (column.kind.name, column.title)]
    if not kept:
        ways = ", ".join(counts) or t("no column of parameters")
        raise InputError("count", count, t("the table offers {ways}", ways=ways))
    found["N"] = kept


def _map(found: dict[str, list[Column]], header: Sequence[str], mapping: Mapping[str, str]) -> None:
    """Put the columns that `mapping` names in place of what was recognised."""
    for quantity, title in mapping.items():
        if quantity not in QUANTITIES:
            raise InputError("mapping", quantity, t("a column can be {names}", names=", ".join(QUANTITIES)))
        if not title:
            found.pop(quantity, None)
            continue
        if title not in header:
            where = t("mapping of {quantity}", quantity=quantity)
            raise InputError(where, title, t("it must be a title of the header"))
        known = [column for column in found.get(quantity, []) if column.title == title]
        index, kind, brackets = header.index(title), _plain(quantity), _BRACKETS.fullmatch(title)
        scale = _scale(brackets[2]) if brackets and quantity in NUMERIC and quantity != "loss" else 1.0
        plain = Column(index=index, title=title, kind=kind, scale=scale, unit=kind.unit)
        for columns in found.values():
            columns[:] = [column for column in columns if column.index != index]
        found[quantity] = known[:1] or [plain]


def _best(columns: list[Column]) -> list[Column]:
    """The columns of the kind that comes first in `KINDS`, from left to right."""
    first = min((_PLACE[column.kind] for column in columns), default=0)
    return [column for column in columns if _PLACE[column.kind] == first]


def _one(quantity: str, columns: list[Column], notes: list[str]) -> Column:
    """The column of the kind that comes first; raises InputError where two are of that kind."""
    best = _best(columns)
    first, rest = best[0], [column for column in columns if column is not best[0]]
    what = t("the loss") if quantity == "loss" else quantity
    if len(best) > 1 and quantity in CHOOSABLE:
        allowed = t(
            "{one} and {other} could both be {quantity}: keep one of them, or say which to take",
            one=repr(shown(first.title)),
            other=repr(shown(best[1].title)),
            quantity=what,
        )
        raise InputError(t("header"), quantity, allowed)
    if quantity == "loss" and rest:
        notes.append(_passed_over(first, rest))
    if first.guessed:
        notes.append(t("{title} was taken for {quantity}.", title=shown(first.title), quantity=what))
    return first


def _passed_over(first: Column, rest: Sequence[Column]) -> str:
    """Why the loss is read from the first of these columns and not from the others."""
    title = shown(first.title)
    others = in_a_row([*(shown(column.title) for column in rest[:3]), *(["..."] if len(rest) > 3 else [])])
    if all(column.unit != first.unit for column in rest):
        return t(
            "The loss is read from {title}, not from {others}: nats per token go before other units.",
            title=title,
            others=others,
        )
    return t(
        "The loss is read from {title}, not from {others}: validation goes before training, and final before running.",
        title=title,
        others=others,
    )


def _complete(header: Sequence[str], columns: Mapping[str, Column]) -> None:
    titles = ", ".join(shown(title) for title in header[:12])
    if "loss" not in columns:
        allowed = t("one column must be the loss (loss, val_loss, eval/loss or the like)")
        raise InputError(t("header"), titles, allowed)
    if sum(name in columns for name in "NDC") < 2:
        raise InputError(t("header"), titles, t("it must hold two of N (params), D (tokens) and C (flops)"))
