"""A training budget from every side: hardware and time, money, compute, a target loss, a size or a number of tokens.

Each side leads to the same answer: compute, size, tokens and loss, and, where the hardware is known, the wall time,
the device-hours, the energy and the money. Intervals are those of the law's own refits, where it has any.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.hardware import (
    DAY,
    Device,
    Precision,
    achieved_flops,
    checked_count,
    checked_mfu,
    cost,
    device_hours,
    energy,
    flops_in,
    kilowatt_hours,
    positive,
    seconds_for,
    training_seconds,
)
from scaling_core.language import listed, t
from scaling_core.laws import Law
from scaling_core.optimum import (
    Verdict,
    judge,
    optimal_for_compute,
    optimal_for_loss,
    optimal_for_params,
    optimal_for_tokens,
    overtrained_to,
    tokens_for,
)
from scaling_core.optimum.core import named
from scaling_core.planning.evidence import Extrapolation, Interval, Source, extrapolation, law_of, refits_of
from scaling_core.units import format_quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What trains: `count` devices of one kind. Raises InputError on a number that cannot be meant.

    peak: the peak speed of one device, FLOP/s; never the achieved one. mfu: model FLOP utilization, above 0 and at
    most 1. power: W of one device, or None. price: USD per device-hour, or None; price_date: the day it was listed,
    "" for a price of the reader's own.
    """

    name: str
    peak: float
    count: int = 1
    mfu: float
    power: float | None = None
    price: float | None = None
    price_date: str = ""

    def __post_init__(self) -> None:
        positive(t("peak speed"), self.peak)
        checked_count(self.count)
        checked_mfu(self.mfu)
        for name, value in ((t("power"), self.power), (t("price"), self.price)):
            if value is not None:
                positive(name, value)

    @property
    def achieved(self) -> float:
        """The achieved speed of all devices together, peak x count x mfu, FLOP/s."""
        return achieved_flops(peak=self.peak, count=self.count, mfu=self.mfu)

    def seconds(self, C: float) -> float:
        """Wall time of C FLOP, seconds."""
        return training_seconds(C, peak=self.peak, count=self.count, mfu=self.mfu)

    def flops(self, seconds: float) -> float:
        """FLOP done in that wall time."""
        return flops_in(seconds, peak=self.peak, count=self.count, mfu=self.mfu)

    def usd(self, C: float) -> float | None:
        """Rent for C FLOP, USD; None without a price."""
        hours = device_hours(self.seconds(C), count=self.count)
        return None if self.price is None else cost(hours, price=self.price)

    def joules(self, C: float) -> float | None:
        """Energy of the devices for C FLOP, joules; None without a power."""
        return None if self.power is None else energy(self.seconds(C), power=self.power, count=self.count)


def machine(
    device: Device, *, count: int = 1, mfu: float, precision: Precision | None = None, price: float | None = None
) -> Machine:
    """So many of a device of the catalogue, at the peak of a precision (that of training where none is named).

    price: the reader's own, USD per device-hour; the listed one where it is None. Raises InputError as `Device.peak`
    and `Machine` do.
    """
    listed_price = device.price
    if price is None and listed_price is not None:
        price, day = listed_price.usd_per_hour, listed_price.date
    else:
        day = ""
    peak = device.peak(precision)
    return Machine(name=device.name, peak=peak, count=count, mfu=mfu, power=device.power, price=price, price_date=day)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingBudget:
    """What is given: at most one limit, and what is already decided.

    Limits: days of wall time, usd, C in FLOP, or a target loss in nats per token. Decided: N parameters, D tokens, or
    ratio, D / N. A limit alone asks for the best model, with one of the others for the model that keeps to it (a loss
    goes with N or with ratio); without a limit, N or D alone asks for the training that it is optimal for, and two of
    the three are the training itself.
    """

    days: float | None = None
    usd: float | None = None
    C: float | None = None
    loss: float | None = None
    N: float | None = None
    D: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Budgeted:
    """The answer: a training, what it is worth, and what it takes.

    C: FLOP, 6 N D. N, D: parameters, tokens. loss: nats per token under the law. verdict: beside the optimum of the
    same compute; None where the law has none. seconds to usd: None where the hardware (for usd its price, for joules
    its power) is not known. loss_interval: of this very training. N_interval, D_interval: of the optimum of C. All
    three None without refits. extrapolation: beyond the law's range.
    """

    budget: TrainingBudget
    machine: Machine | None
    C: float
    N: float
    D: float
    loss: float
    tokens_per_param: float
    verdict: Verdict | None
    seconds: float | None
    device_hours: float | None
    joules: float | None
    usd: float | None
    loss_interval: Interval | None
    N_interval: Interval | None
    D_interval: Interval | None
    extrapolation: Extrapolation

    @property
    def days(self) -> float | None:
        """Wall time in days of 24 hours."""
        return None if self.seconds is None else self.seconds / DAY

    @property
    def kilowatt_hours(self) -> float | None:
        """The energy in kWh."""
        return None if self.joules is None else kilowatt_hours(self.joules)


def budgeted(source: Source, budget: TrainingBudget, machine: Machine | None = None) -> Budgeted:
    """The training that a budget leads to under a law, and what it takes on a machine.

    Raises InputError on a budget that gives too little or too much, on a number that is not positive and finite, on
    days or money without a machine (and a price), on a loss that is impossible, and where the law has no such optimum.
    """
    law = law_of(source)
    N, D = _decided(law, budget, machine)
    C = training_flops(N, D)
    if min(N, D) < 1.0 or not math.isfinite(C):
        seen = t("{N} parameters on {D} tokens", N=format_quantity(N), D=format_quantity(D))
        raise InputError(t("budget"), seen, t("a training has at least one parameter and one token, and an end"))
    verdict = None
    with contextlib.suppress(InputError):
        verdict = judge(law, N, D)
    seconds = None if machine is None else machine.seconds(C)
    refits = refits_of(source)
    losses = refits.of_losses(np.array([N]), np.array([D])) if refits else None
    best = refits.of_optimum(C) if refits else None
    return Budgeted(
        budget=budget,
        machine=machine,
        C=C,
        N=N,
        D=D,
        loss=float(law.loss(N, D)),
        tokens_per_param=D / N,
        verdict=verdict,
        seconds=seconds,
        device_hours=None if machine is None or seconds is None else device_hours(seconds, count=machine.count),
        joules=None if machine is None else machine.joules(C),
        usd=None if machine is None else machine.usd(C),
        loss_interval=losses[0] if losses else None,
        N_interval=best[0] if best else None,
        D_interval=best[1] if best else None,
        extrapolation=extrapolation(source, N, D, C),
    )


def _decided(law: Law, budget: TrainingBudget, machine: Machine | None) -> tuple[float, float]:
    """(N, D) of a budget; every number positive and finite."""
    limits = {"days": budget.days, "usd": budget.usd, "compute": budget.C, "loss": budget.loss}
    shapes = {"params": budget.N, "tokens": budget.D, "tokens per parameter": budget.ratio}
    limit = {name: positive(_said(name), x) for name, x in limits.items() if x is not None}
    shape = {name: positive(_said(name), x) for name, x in shapes.items() if x is not None}
    if len(limit) > 1 or len(limit) + len(shape) > 2 or (not limit and list(shape) == ["tokens per parameter"]):
        given = listed([_said(name) for name in (*limit, *shape)])
        allowed = t("give one limit (time, money, compute or loss) with at most one of size, tokens and their ratio, "
                    "or two of these three")  # fmt: skip
        raise InputError(t("budget"), given, allowed)
    if not limit and not shape:
        raise InputError(t("budget"), t("nothing"), t("give a time, a sum, a compute, a loss, a size or tokens"))
    if "loss" in limit:
        return _for_loss(law, limit["loss"], shape)
    if limit:
        return _for_compute(law, _compute(limit, machine), shape)
    if len(shape) == 1:
        best = optimal_for_params(law, shape["params"]) if "params" in shape else None
        best = best or optimal_for_tokens(law, shape["tokens"])
        return best.N, best.D
    ratio = shape.get("tokens per parameter", math.nan)
    N = shape["params"] if "params" in shape else shape["tokens"] / ratio
    return N, shape["tokens"] if "tokens" in shape else N * ratio


def _compute(limit: Mapping[str, float], machine: Machine | None) -> float:
    """FLOP that a limit buys."""
    if "compute" in limit:
        return limit["compute"]
    if machine is None:
        raise InputError(
            t("hardware"), t("nothing"), t("a time or a sum becomes compute on hardware only: choose some")
        )
    if "days" in limit:
        return machine.flops(limit["days"] * DAY)
    if machine.price is None:
        raise InputError(t("price"), t("nothing"), t("none is listed for this hardware: give one per device-hour"))
    return machine.flops(seconds_for(limit["usd"], price=machine.price, count=machine.count))


def _for_compute(law: Law, C: float, shape: Mapping[str, float]) -> tuple[float, float]:
    if not shape:
        best = optimal_for_compute(law, C)
        return best.N, best.D
    if "tokens per parameter" in shape:
        N = math.sqrt(C / (6.0 * shape["tokens per parameter"]))
        return N, C / (6.0 * N)
    if "params" in shape:
        return shape["params"], C / (6.0 * shape["params"])
    return C / (6.0 * shape["tokens"]), shape["tokens"]


def _for_loss(law: Law, loss: float, shape: Mapping[str, float]) -> tuple[float, float]:
    if not shape:
        best = optimal_for_loss(law, loss)
        return best.N, best.D
    if "tokens per parameter" in shape:
        found = overtrained_to(law, tokens_per_param=shape["tokens per parameter"], loss=loss)
        return found.N, found.D
    if "tokens" in shape:
        allowed = t("a target loss goes with a size or with tokens per parameter; leave the tokens out")
        raise InputError(named("tokens"), shape["tokens"], allowed)
    N = shape["params"]
    D = float(tokens_for(law, np.array([N]), loss=loss)[0])
    if not math.isfinite(D):
        raise InputError(named("params"), N, t("no amount of data takes a model of this size to that loss"))
    return N, D


def _said(name: str) -> str:
    """A field of a budget as a reader knows it."""
    return {"days": t("days"), "usd": t("money")}.get(name) or named(name)
