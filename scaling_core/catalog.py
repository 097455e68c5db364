"""Published laws and well-known models, read from `data/`; every row carries its source."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np

from scaling_core.allocations import DATA as DATA
from scaling_core.allocations import group
from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import Language, current, retold, t, tdata
from scaling_core.laws import AnyLaw, Law, PowerLaw, Variable, form_of, law_from_constants
from scaling_core.units import format_quantity

Convention = Literal["total", "non-embedding"]
Kind = Literal["joint", "univariate", "all"]
TextField = Literal["name", "short_name", "source", "range_note", "precision", "note", "warning", "replicates_note"]
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedAllocation:
    """The optimal allocation as a paper prints it: N = N_coefficient (C / unit_flops)^N_exponent, D likewise.

    C in FLOP, unit_flops the paper's unit of compute in FLOP. It need not satisfy C = 6 N D.
    """

    N_coefficient: float
    N_exponent: float
    D_coefficient: float
    D_exponent: float
    unit_flops: float

    def at(self, C: float) -> tuple[float, float]:
        """(N, D) at the compute C, FLOP."""
        c = C / self.unit_flops
        return self.N_coefficient * c**self.N_exponent, self.D_coefficient * c**self.D_exponent


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A law as it was published, or as a person saved it.

    convention: what its N counts. valid_N, valid_D, valid_C: the range of the runs behind the fit, None where
    it is not stated; range_note: where the range is from, or why there is none. precision: how many digits are
    known. secondary: read in a secondary source only. warning: why the numbers must not be trusted, or None.
    allocation: the paper's own, where it differs.

    Either may have replicates: refits of resampled runs, shape (R, p), in the order of `law.constants`, for intervals
    of the given level; replicates_note: whose they are, where they did not come with the law.
    A law that a person saved has made_at, the time in ISO 8601 (None for a published one), and other: what it was saved
    with in other languages than English, texts by field. `told` is how its texts are shown.
    """

    id: str
    name: str
    short_name: str
    law: AnyLaw
    source: str
    url: str | None
    convention: Convention
    valid_N: Range | None
    valid_D: Range | None
    valid_C: Range | None
    precision: str
    secondary: bool
    note: str
    warning: str | None
    allocation: PublishedAllocation | None
    range_note: str = ""
    made_at: str | None = None
    level: float | None = None
    replicates: FloatArray | None = field(default=None, compare=False, repr=False)
    replicates_note: str = ""
    other: Mapping[Language, Mapping[str, str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def saved(self) -> bool:
        """Whether a person saved it, and no paper published it."""
        return self.made_at is not None

    def told(self, text: TextField) -> str:
        """The text of that field in the reader's language, "" where there is none; a person's own name as it is."""
        english = getattr(self, text) or ""
        return self.other.get(current(), {}).get(text, retold(english)) if self.saved else tdata(english)

    def is_of(self, kind: Kind) -> bool:
        """Whether it is a law in N and D ("joint"), in one variable ("univariate"), or any ("all")."""
        return kind == "all" or isinstance(self.law, PowerLaw) == (kind == "univariate")

    @property
    def joint(self) -> Law:
        """The law in N and D; raises InputError where the preset is a law in one variable."""
        if isinstance(self.law, PowerLaw):
            known = ", ".join(p.id for p in presets("joint"))
            allowed = t(
                "it is a law in {variable} alone; choose one of {known}", variable=self.law.variable, known=known
            )
            raise InputError(t("law"), self.id, allowed)
        return self.law

    def range_notes(self, *, N: float | None = None, D: float | None = None, C: float | None = None) -> tuple[str, ...]:
        """A sentence for each value outside the range of the fit, with the factor of the extrapolation."""
        checks = (
            (t("{n} parameters", n=format_quantity(N)) if N else "", N, self.valid_N),
            (t("{n} tokens", n=format_quantity(D)) if D else "", D, self.valid_D),
            (f"{format_quantity(C)} FLOP" if C else "", C, self.valid_C),
        )
        return tuple(_outside(said, x, span) for said, x, span in checks if x and span and not span[0] <= x <= span[1])

    def range_factors(self, *, N: float, D: float) -> dict[str, float]:
        """By how many times N ("the parameters") and D ("the tokens") lie beyond the runs behind the fit, if so."""
        factors = {}
        for what, x, span in (("the parameters", N, self.valid_N), ("the tokens", D, self.valid_D)):
            if span is not None and not span[0] <= x <= span[1]:
                factors[what] = x / span[1] if x > span[1] else span[0] / x
        return factors

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, as `laws --json` prints them."""
        law = self.law
        return {
            "id": self.id,
            "name": self.name,
            "form": form_of(law),
            "constants": law.constants,
            "source": self.source,
            "url": self.url,
            "convention": self.convention,
            "valid_range": {
                name: list(span)
                for name, span in (("N", self.valid_N), ("D", self.valid_D), ("C", self.valid_C))
                if span is not None
            },
            "range_note": self.range_note,
            "precision": self.precision,
            "secondary": self.secondary,
            "note": self.note,
            "warning": self.warning,
            "published_allocation": None
            if self.allocation is None
            else {name: getattr(self.allocation, name) for name in self.allocation.__slots__},
            "saved": self.saved,
            "made_at": self.made_at,
            "level": self.level,
            "replicates": 0 if self.replicates is None else len(self.replicates),
        }


def _outside(said: str, x: float, span: Range) -> str:
    factor = x / span[1] if x > span[1] else span[0] / x
    times = f"{factor:.3g}" if factor < 100 else format_quantity(factor)
    low, high = (format_quantity(end) for end in span)
    told = {"value": said, "times": times, "low": low, "high": high}
    if x > span[1]:
        return t("{value} lie {times} times above the runs behind this law ({low} to {high}).", **told)
    return t("{value} lie {times} times below the runs behind this law ({low} to {high}).", **told)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceExponent:
    """A power law of which the exponent is published and the amplitude is not: L falls as variable^-exponent."""

    id: str
    name: str
    variable: Variable
    exponent: float
    domain: str
    source: str
    url: str
    secondary: bool

    def anchored(self, x: float, loss: float, *, offset: float = 0.0) -> PowerLaw:
        """The law with this exponent that passes through (x, loss); its amplitude is ours, not the paper's."""
        if not loss > offset:
            raise InputError("loss", loss, t("it must lie above the offset {offset:g}", offset=offset))
        log_scale = math.log(x) + math.log(loss - offset) / self.exponent
        return PowerLaw(variable=self.variable, scale=math.exp(log_scale), exponent=self.exponent, offset=offset)


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownModel:
    """A model people know: N parameters, D training tokens (None where they are not published), as printed."""

    id: str
    name: str
    N: float
    D: float | None
    year: int
    organisation: str
    source: str
    url: str
    note: str

    @property
    def tokens(self) -> float:
        """D; raises InputError where it is not published."""
        if self.D is None:
            allowed = t("its training tokens are not published; choose another model")
            raise InputError(t("model"), self.id, allowed)
        return self.D


def _unreadable(file: str, error: Exception) -> str:
    return t("{file} cannot be read ({reason}); restore it from the project.", file=file, reason=str(error))


@cache
def _laws_file() -> dict[str, Any]:
    try:
        raw: dict[str, Any] = json.loads((DATA / "laws.json").read_text(encoding="utf-8"))
        return {
            "presets": tuple(_preset(row) for row in raw["presets"]),
            "references": tuple(ReferenceExponent(**row) for row in raw["reference_exponents"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScalingError(_unreadable("data/laws.json", error)) from error


def _preset(row: dict[str, Any]) -> Preset:
    """One row of laws.json; constants under `log_constants` are stored as their natural logarithms."""
    row = dict(row)
    constants = row.pop("constants") | {k: math.exp(v) for k, v in row.pop("log_constants", {}).items()}
    law = law_from_constants(row.pop("form"), constants)
    for name in ("valid_N", "valid_D", "valid_C"):
        row[name] = tuple(row[name]) if row[name] else None
    allocation, file = row.pop("allocation"), row.pop("replicates", None)
    replicates = _refits(file, tuple(law.constants)) if file else None
    return Preset(law=law, allocation=_published(allocation) if allocation else None, replicates=replicates, **row)


def _refits(file: str, names: tuple[str, ...]) -> FloatArray:
    """The refits in a table of `data/`, shape (R, p), a column a constant in the order of `names`."""
    with (DATA / file).open(encoding="utf-8", newline="") as lines:
        head, *rows = csv.reader(lines)
    if tuple(head) != names:
        raise ValueError(f"{file} has the columns {head}")
    refits = np.array(rows, dtype=np.float64)
    refits.flags.writeable = False
    return refits


def _published(name: str) -> PublishedAllocation:
    """The size and the tokens of a group of `data/allocations.csv`."""
    rows = group(name)
    N, D = rows["N"], rows["D"]
    if N.coefficient is None or D.coefficient is None or N.unit_flops != D.unit_flops:
        raise ValueError(f"the allocation {name} has no coefficients in one unit")
    return PublishedAllocation(
        N_coefficient=N.coefficient,
        N_exponent=N.exponent,
        D_coefficient=D.coefficient,
        D_exponent=D.exponent,
        unit_flops=N.unit_flops,
    )


@cache
def presets(kind: Kind = "joint") -> tuple[Preset, ...]:
    """The published laws in the order of `data/laws.json`: those in N and D, those in one variable, or all."""
    rows: tuple[Preset, ...] = _laws_file()["presets"]
    return tuple(p for p in rows if p.is_of(kind))


def preset(id: str) -> Preset:
    """The published law of this id; raises InputError that lists the known ones."""
    for row in presets("all"):
        if row.id == id:
            return row
    raise InputError(t("law"), id, t("it must be one of {names}", names=", ".join(p.id for p in presets("all"))))


def reference_exponents() -> tuple[ReferenceExponent, ...]:
    """Exponents that were published without an amplitude."""
    rows: tuple[ReferenceExponent, ...] = _laws_file()["references"]
    return rows


def reference_exponent(id: str) -> ReferenceExponent:
    """The exponent of this id; raises InputError that lists the known ones."""
    for row in reference_exponents():
        if row.id == id:
            return row
    names = ", ".join(row.id for row in reference_exponents())
    raise InputError("exponent", id, t("it must be one of {names}", names=names))


@cache
def _models_file() -> tuple[KnownModel, ...]:
    try:
        with (DATA / "models.csv").open(encoding="utf-8", newline="") as file:
            return tuple(
                KnownModel(
                    id=row["id"],
                    name=row["name"],
                    N=float(row["N"]),
                    D=float(row["D"]) if row["D"] else None,
                    year=int(row["year"]),
                    organisation=row["organisation"],
                    source=row["source"],
                    url=row["url"],
                    note=row["note"],
                )
                for row in csv.DictReader(file)
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScalingError(_unreadable("data/models.csv", error)) from error


def models(*, unknown_tokens: bool = False) -> tuple[KnownModel, ...]:
    """The models whose D is published, in the order of `data/models.csv`; with `unknown_tokens` the others too."""
    return tuple(m for m in _models_file() if unknown_tokens or m.D is not None)


def model(id: str) -> KnownModel:
    """The model of this id; raises InputError that lists the known ones."""
    for row in _models_file():
        if row.id == id:
            return row
    raise InputError(t("model"), id, t("it must be one of {names}", names=", ".join(m.id for m in _models_file())))
