"""The sentences and the numbers of the page "Plan a training": every assumption beside what follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scaling_core.hardware import Device, Utilisation, kilowatt_hours
from scaling_core.lab.records import Calibration
from scaling_core.language import t, tdata, tn, together
from scaling_core.planning import Budgeted, Extrapolation, Interval, Machine
from scaling_core.ui.words import ratio
from scaling_core.units import format_duration, format_loss, format_quantity
from scaling_core.viz.axes import scientific

NONE = "–"
"""What stands where a number is not known."""
Figures = list[tuple[str, str, str]]
"""Large numbers with their label before and their small print after."""


def significant(x: float, digits: int = 3) -> str:
    """A number to so many digits in full, thousands with a comma: 2.79, 2,009, 86.4."""
    if x >= 10 ** (digits - 1):
        return f"{x:,.0f}" if x < 1e7 else format_quantity(x)
    return f"{x:.{digits}g}" if x >= 1e-3 or x == 0 else format_quantity(x)


def usd(x: float | None) -> str:
    """A sum in USD without its sign: 2.79, 2,009, 4.56M; a dash where it is not known."""
    if x is None or not math.isfinite(x):
        return NONE
    if x >= 1e6:
        return format_quantity(x)
    return f"{x:,.0f}" if x >= 100 else f"{x:.2f}" if x >= 0.01 or x == 0 else t("under 0.01")


def speed(flops_per_second: float) -> str:
    """A speed: 312 TFLOP/s, 320 PFLOP/s."""
    for power, prefix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M")):
        if flops_per_second >= 0.9995 * 10**power:
            scaled = flops_per_second / 10**power
            return f"{scaled:,.0f} {prefix}FLOP/s" if scaled >= 1e4 else f"{scaled:.3g} {prefix}FLOP/s"
    return f"{flops_per_second:.3g} FLOP/s"


def energy(joules: float | None) -> str:
    """An energy: 288 kWh, 1.29 GWh; a dash where it is not known."""
    if joules is None:
        return NONE
    hours = kilowatt_hours(joules)
    for power, unit in ((1e9, "TWh"), (1e6, "GWh"), (1e3, "MWh")):
        if hours >= 0.9995 * power:
            return f"{significant(hours / power)} {unit}"
    return f"{significant(hours)} kWh"


def hours(x: float | None) -> str:
    """Device-hours: 720, 2.8M; a dash where they are not known."""
    if x is None:
        return NONE
    return format_quantity(x) if x >= 1e6 else significant(x)


def share(mfu: float) -> str:
    """A utilization: 40%, 21.3%."""
    return f"{100 * mfu:.3g}%"


def span(interval: Interval) -> str:
    """The two ends of an interval of a loss."""
    return t("{low} to {high}", low=format_loss(interval.low), high=format_loss(interval.high))


def flops(C: float) -> str:
    """Compute that no line end divides: 3.15 × 10²³ FLOP."""
    return f"{scientific(C)} FLOP".replace(" ", "\u00a0")


def machine_name(machine: Machine, *, measured: bool, first: bool = False) -> str:
    """What trains, in words; first: at the head of a sentence."""
    if measured:
        return t("This machine ({name})", name=machine.name) if first else t("this machine ({name})", name=machine.name)
    if machine.count == 1:
        return t("One {device}", device=machine.name) if first else t("one {device}", device=machine.name)
    return t("{n} × {device}", n=f"{machine.count:,}", device=machine.name)


def at_speed(machine: Machine, *, measured: bool) -> str:
    """How much of its peak it gets, in words: 40%, or that its speed was measured."""
    return t("its measured speed") if measured else t("{share}", share=share(machine.mfu))


def headline(given: str, plan: Budgeted, machine: Machine, *, measured: bool) -> str:
    """The answer in one sentence, for what was given: days, usd, C, loss, N or D."""
    told = {
        "first": machine_name(machine, measured=measured, first=True),
        "machine": machine_name(machine, measured=measured),
        "speed": at_speed(machine, measured=measured),
        "time": format_duration(plan.seconds or math.nan),
        "N": format_quantity(plan.N),
        "D": format_quantity(plan.D),
        "loss": format_loss(plan.loss),
        "C": flops(plan.C),
    }
    if given == "days":
        return t("{first} for {time} at {speed}: {N} parameters on {D} tokens, a loss of {loss}.", **told)
    if given == "usd":
        return t(
            "{usd} USD pay for {time} on {machine} at {speed}: {N} parameters on {D} tokens, a loss of {loss}.",
            usd=usd(plan.usd),
            **told,
        )
    if given == "C":
        return t("{C} take {time} on {machine} at {speed}: {N} parameters on {D} tokens, a loss of {loss}.", **told)
    if given == "loss":
        return t("A loss of {loss} takes {N} parameters on {D} tokens: {time} on {machine} at {speed}.", **told)
    if given == "N":
        return t("{N} parameters call for {D} tokens: {time} on {machine} at {speed}, a loss of {loss}.", **told)
    return t("{D} tokens call for {N} parameters: {time} on {machine} at {speed}, a loss of {loss}.", **told)


def reckoning(plan: Budgeted, machine: Machine, device: Device | None, measured: Calibration | None) -> str:
    """How the answer came about, every assumption in it."""
    told = {"peak": speed(machine.peak), "share": share(machine.mfu), "achieved": speed(machine.achieved)}
    if measured is not None:
        how = t("The lab measured {achieved} here in training: an achieved speed, not a peak.", **told)
    elif device is None:
        how = tn(
            "Its peak, as you gave it, is {peak}; {share} of it is achieved, {achieved}.",
            "Each has a peak, as you gave it, of {peak}; {share} of it is achieved, {achieved} together.",
            machine.count,
            **told,
        )
    else:
        how = tn(
            "Its peak is {peak} in {precision}; {share} of it is achieved, {achieved}.",
            "Each has a peak of {peak} in {precision}; {share} of it is achieved, {achieved} together.",
            machine.count,
            precision=(device.training_precision or "").upper(),
            **told,
        )
    return together(
        how,
        t(
            "In {time} that is {C} = 6 N D, divided between N and D where the law puts the least loss.",
            time=format_duration(plan.seconds or math.nan),
            C=flops(plan.C),
        ),
    )


def figures_of(plan: Budgeted, machine: Machine) -> Figures:
    """The numbers of a plan: what is trained, what it is worth, what it takes."""
    interval, price = plan.loss_interval, machine.price
    if interval is None:
        sure = t("no interval is known")
    else:
        sure = t("{level:.0f}%: {span}", level=100 * interval.level, span=span(interval))
    if price is None:
        rent = t("no price is listed")
    elif machine.price_date:
        rent = t("{price} an hour, {date}", price=usd(price), date=machine.price_date)
    else:
        rent = t("{price} an hour, yours", price=usd(price))
    spent = "" if plan.device_hours is None else t("{n} device-hours", n=hours(plan.device_hours))
    return [
        (t("compute, FLOP"), scientific(plan.C), ""),
        (t("parameters"), format_quantity(plan.N), ends(plan.N_interval)),
        (t("tokens"), format_quantity(plan.D), ends(plan.D_interval)),
        ("D / N", ratio(plan.tokens_per_param), ""),
        (t("loss, nats per token"), format_loss(plan.loss), sure),
        (t("wall time"), format_duration(plan.seconds or 0.0), spent),
        (t("energy"), energy(plan.joules), "" if plan.joules else t("no power is stated")),
        (t("cost, USD"), usd(plan.usd), rent),
    ]


def ends(interval: Interval | None) -> str:
    """An interval of sizes or tokens, "" where there is none."""
    if interval is None:
        return ""
    return t("{low} to {high}", low=format_quantity(interval.low), high=format_quantity(interval.high))


def small_print(machine: Machine, device: Device | None, measured: Calibration | None) -> list[str]:
    """Where peak, price and power come from, and what is not counted, a sentence each."""
    if measured is not None:
        told = [
            t(
                "Speed: the fastest of the shapes that the lab measured on {device}, 6 N D for each second. Larger "
                "models than those were not measured.",
                device=measured.device_name,
            )
        ]
    elif device is None:
        told = [t("Peak: your own; where it is a speed that was achieved, set the utilization to 100%.")]
    else:
        told = [
            together(
                t("Peak: {peak}, dense, in {precision}. Source: {source}.", peak=speed(machine.peak),
                  precision=(device.training_precision or "").upper(), source=tdata(device.source)),
                device.told_note(),
            )
        ]  # fmt: skip
    price = device.price if device is not None else None
    if price is not None and machine.price_date:
        told.append(
            t(
                "Price: {price} USD per device-hour, listed on {date}. Source: {source}.",
                price=f"{price.usd_per_hour:g}",
                date=price.date,
                source=tdata(price.source),
            )
        )
    elif machine.price is not None:
        told.append(t("Price: your own, {price} USD per device-hour.", price=f"{machine.price:g}"))
    else:
        told.append(t("Price: none is listed for this hardware; give one for the cost."))
    if machine.power is not None:
        told.append(
            t(
                "Energy: at {power:g} W, the most that one device takes; nothing for what stands around it.",
                power=machine.power,
            )
        )
    return told


def achieved_columns() -> list[str]:
    """The heads of the table of published utilizations."""
    return [t("trained model"), t("hardware"), t("devices"), t("utilization"), t("precision"), t("source")]


def achieved_rows(found: Sequence[Utilisation]) -> list[list[str]]:
    """What trainings got out of their hardware, as published."""
    return [
        [
            tdata(one.name),
            tdata(one.hardware),
            f"{one.count:,}" if one.count else NONE,
            share(one.mfu),
            one.precision.upper(),
            tdata(one.source),
        ]
        for one in found
    ]


def beyond(found: Extrapolation) -> str:
    """By how many times a training lies beyond a law's runs, in a word for a table."""
    if not found.stated:
        return t("no range")
    return t("within") if found.worst <= 1.0 else t("{factor} ×", factor=ratio(found.worst))
