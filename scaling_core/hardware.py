"""Devices and what a training takes of them: time, energy and money. Read from `data/`; every row has its source.

Two speeds must not be confused. The peak is what the vendor prints, the most a device could do; the achieved speed is
what a training gets out of it, peak times utilization. Every function here takes a peak and a utilization apart, and
none takes an achieved speed.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, get_args

from scaling_core.allocations import DATA as DATA
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import t, tdata

Precision = Literal["fp32", "tf32", "bf16", "fp16", "fp8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DeviceKind = Literal["gpu", "mac", "tpu"]
KINDS: tuple[DeviceKind, ...] = get_args(DeviceKind)
TRAINING_ORDER: tuple[Precision, ...] = ("bf16", "fp16", "tf32", "fp32")
"""In which precision a model is trained by default: the first of these whose peak is stated."""

HOUR = 3_600.0
DAY = 86_400.0
YEAR = 365.25 * DAY
"""Seconds."""
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """A listed price of one device, USD per hour, the day it was read in ISO 8601, and where it was listed."""

    usd_per_hour: float
    date: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One accelerator as its vendor, or a named third party, describes it; None where nothing could be cited.

    peaks: the peak speed by precision, FLOP/s of one device, dense, without sparsity. memory: bytes, as printed (80 GB
    is 80e9), on a Mac the largest configuration. bandwidth: of that memory, bytes/s. power: W, the most that one
    device takes. price: a listed one. third_party: the peak is not the vendor's. secondary: the document was read in
    quotation only. source, url: the document and the table. note: what else to know.
    """

    id: str
    name: str
    kind: DeviceKind
    peaks: Mapping[Precision, float] = field(hash=False)
    memory: float | None
    bandwidth: float | None
    power: float | None
    price: Price | None
    third_party: bool
    secondary: bool
    source: str
    url: str
    note: str

    @property
    def training_precision(self) -> Precision | None:
        """The precision that a training uses by default, see TRAINING_ORDER; None where no peak is stated."""
        return next((p for p in TRAINING_ORDER if p in self.peaks), None)

    def peak(self, precision: Precision | None = None) -> float:
        """The peak speed, FLOP/s of one device, dense; in the training precision where none is named.

        Raises InputError that lists the precisions there are, or says that no peak is published.
        """
        chosen = precision or self.training_precision
        if chosen is not None and chosen in self.peaks:
            return self.peaks[chosen]
        if not self.peaks:
            raise InputError(
                t("device"), self.id, t("its peak is not published; choose another device or give a speed of your own")
            )
        stated = ", ".join(self.peaks)
        raise InputError(t("precision"), precision, t("for this device it must be one of {names}", names=stated))

    def told_note(self) -> str:
        """The note in the reader's language."""
        return tdata(self.note)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, one key a column."""
        price = self.price
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "peak_flops_per_second": dict(self.peaks),
            "memory_bytes": self.memory,
            "bandwidth_bytes_per_second": self.bandwidth,
            "power_watts": self.power,
            "price": None if price is None else {name: getattr(price, name) for name in price.__slots__},
            "third_party": self.third_party,
            "secondary": self.secondary,
            "source": self.source,
            "url": self.url,
            "note": self.note,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Utilisation:
    """What a training got out of its hardware, as published: the achieved model FLOP/s over the peak.

    name: of the training. device: id of a row of the devices, or None. hardware: in words. count: devices, None where
    it is not stated. mfu: model FLOP utilization, 0 to 1. precision: whose peak it is a share of.
    """

    id: str
    name: str
    device: str | None
    hardware: str
    count: int | None
    mfu: float
    precision: Precision
    source: str
    url: str


@cache
def devices() -> tuple[Device, ...]:
    """Every device, in the order of `data/hardware.csv`; raises ScalingError where the file cannot be read."""
    return tuple(_device(row) for row in _table("hardware.csv"))


@cache
def utilisations() -> tuple[Utilisation, ...]:
    """Every published utilization, in the order of `data/utilisation.csv`; raises as `devices` does."""
    return tuple(_utilisation(row) for row in _table("utilisation.csv"))


def device(id: str) -> Device:
    """The device of this id; raises InputError that lists the known ones."""
    for row in devices():
        if row.id == id:
            return row
    known = ", ".join(row.id for row in devices())
    raise InputError(t("device"), id, t("it must be one of {names}", names=known))


def _table(file: str) -> list[dict[str, str]]:
    try:
        with (DATA / file).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: str, error: Exception) -> ScalingError:
    return ScalingError(
        t("{file} cannot be read ({reason}); restore it from the project.", file=f"data/{file}", reason=str(error))
    )


def _device(row: dict[str, str]) -> Device:
    try:
        price = None
        if row["price_usd_per_hour"]:
            day = date.fromisoformat(row["price_date"]).isoformat()
            price = Price(usd_per_hour=_number(row["price_usd_per_hour"]), date=day, source=row["price_source"])
        return Device(
            kind=next(kind for kind in KINDS if kind == row["kind"]),
            peaks=MappingProxyType({p: _number(row[p]) for p in PRECISIONS if row[p]}),
            memory=_number(row["memory_bytes"]) if row["memory_bytes"] else None,
            bandwidth=_number(row["bandwidth"]) if row["bandwidth"] else None,
            power=_number(row["power_w"]) if row["power_w"] else None,
            price=price,
            third_party=row["third_party"] == "yes",
            secondary=row["secondary"] == "yes",
            **{name: row[name] for name in ("id", "name", "source", "url", "note")},
        )
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise _unreadable("hardware.csv", error) from error


def _utilisation(row: dict[str, str]) -> Utilisation:
    try:
        return Utilisation(
            device=row["device"] or None,
            count=int(row["count"]) if row["count"] else None,
            mfu=_share(row["mfu"]),
            precision=next(p for p in PRECISIONS if p == row["precision"]),
            **{name: row[name] for name in ("id", "name", "hardware", "source", "url")},
        )
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise _unreadable("utilisation.csv", error) from error


def _number(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{text} is no positive number")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if value > 1:
        raise ValueError(f"{text} is more than the whole")
    return value


def positive(field: str, value: float) -> float:
    """The value; raises InputError, naming the field, unless it is a finite positive number."""
    if isinstance(value, bool) or not (math.isfinite(value) and value > 0):
        raise InputError(field, value, t("it must be a positive finite number"))
    return float(value)


def checked_mfu(mfu: float) -> float:
    """The utilization; raises InputError unless it lies above 0 and is at most 1."""
    if isinstance(mfu, bool) or not 0.0 < mfu <= 1.0:
        raise InputError(t("utilization"), mfu, t("it must lie above 0 and be at most 1, such as 0.4"))
    return float(mfu)


def checked_count(count: int) -> int:
    """The number of devices; raises InputError unless it is a whole number of at least 1."""
    if isinstance(count, bool) or not math.isfinite(count) or count != int(count) or count < 1:
        raise InputError(t("number of devices"), count, t("it must be a whole number of at least 1"))
    return int(count)


def achieved_flops(*, peak: float, count: int = 1, mfu: float) -> float:
    """The achieved speed of `count` devices together, peak x count x mfu, FLOP/s.

    peak: FLOP/s of one device. mfu: model FLOP utilization, above 0 and at most 1. Raises InputError on a peak that is
    not positive and finite, on a count below 1 and on a utilization outside that range.
    Source: Chowdhery et al. 2022, section 4.1 (the definition of model FLOP utilization).
    """
    return positive(t("peak speed"), peak) * checked_count(count) * checked_mfu(mfu)


def training_seconds(C: float, *, peak: float, count: int = 1, mfu: float) -> float:
    """Wall time of C FLOP, C / (peak x count x mfu), seconds. Arguments and errors as in `achieved_flops`."""
    return positive(t("compute"), C) / achieved_flops(peak=peak, count=count, mfu=mfu)


def flops_in(seconds: float, *, peak: float, count: int = 1, mfu: float) -> float:
    """FLOP done in a wall time, seconds x peak x count x mfu: the inverse of `training_seconds`."""
    return positive(t("time"), seconds) * achieved_flops(peak=peak, count=count, mfu=mfu)


def utilisation_of(C: float, seconds: float, *, peak: float, count: int = 1) -> float:
    """The utilization of a training that took so long, C / (seconds x peak x count).

    Raises InputError as the others do, and where it is more than 1: then the time, the peak or the count is wrong.
    """
    share = training_seconds(C, peak=peak, count=count, mfu=1.0) / positive(t("time"), seconds)
    if share > 1.0 + 1e-9:  # what lies between is rounding
        raise InputError(t("time"), seconds, t("even at its peak this hardware would take longer"))
    return min(share, 1.0)


def device_hours(seconds: float, *, count: int = 1) -> float:
    """Hours of one device, count x seconds / 3600: what a rent is counted in."""
    return positive(t("time"), seconds) * checked_count(count) / HOUR


def seconds_for(usd: float, *, price: float, count: int = 1) -> float:
    """Wall time that a sum rents, 3600 x usd / (price x count), seconds; price in USD per device-hour."""
    return HOUR * positive(t("money"), usd) / (positive(t("price"), price) * checked_count(count))


def energy(seconds: float, *, power: float, count: int = 1) -> float:
    """Energy of the devices, power x count x seconds, joules; power in W of one device, and nothing for cooling."""
    return positive(t("power"), power) * checked_count(count) * positive(t("time"), seconds)


def kilowatt_hours(joules: float) -> float:
    """The same energy in kWh, joules / 3.6e6."""
    return joules / JOULES_PER_KWH


def cost(hours: float, *, price: float) -> float:
    """Rent of so many device-hours, hours x price, USD; price in USD per device-hour."""
    return positive(t("device-hours"), hours) * positive(t("price"), price)
