"""The hardware of `plan`: what its options name, where its numbers come from, and the catalogue."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from scaling_core.commands.shared import maybe
from scaling_core.errors import InputError
from scaling_core.hardware import Device, devices, utilisations
from scaling_core.hardware import device as device_of
from scaling_core.output import print_json, table
from scaling_core.units import format_bytes, format_flops, parse_count, parse_quantity

if TYPE_CHECKING:
    from scaling_core.planning import Machine

MOST_DEVICES = 1_000_000


def machine_of(args: argparse.Namespace) -> tuple[Device | None, Machine | None]:
    """The hardware that the options name: its row of the catalogue, and how many at what speed and price."""
    from scaling_core.planning import Machine, machine

    if args.device is None and args.peak is None:
        for option in ("precision", "count", "mfu", "price"):
            if getattr(args, option) is not None:
                raise InputError(option, getattr(args, option), "it needs hardware: give --device or --peak")
        return None, None
    count = 1 if args.count is None else parse_count(args.count, field="count", minimum=1, maximum=MOST_DEVICES)
    mfu = 0.4 if args.mfu is None else _share(args.mfu)
    price = maybe(args.price, "price", minimum=0.0)
    if args.device is None:
        if args.precision is not None:
            raise InputError("precision", args.precision, "it belongs to --device; --peak is the speed itself")
        peak = parse_quantity(args.peak, field="peak", minimum=1.0)
        return None, Machine(name="device of your own", peak=peak, count=count, mfu=mfu, price=price)
    device = device_of(args.device)
    return device, machine(device, count=count, mfu=mfu, precision=args.precision, price=price)


def _share(text: str) -> float:
    """A utilization, 0.4 or 40%."""
    word = text.strip()
    try:
        value = parse_quantity(word.removesuffix("%"), field="mfu") / (100.0 if word.endswith("%") else 1.0)
    except InputError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise InputError("mfu", text, "it must lie above 0 and be at most 1, such as 0.4 or 40%")
    return value


def told(args: argparse.Namespace, machine: Machine | None, device: Device | None) -> dict[str, Any] | None:
    """The hardware as JSON has it."""
    if machine is None:
        return None
    listed = None if device is None or not machine.price_date else device.price
    return {
        "device": None if device is None else device.id,
        "name": machine.name,
        "count": machine.count,
        "peak_flops_per_second": machine.peak,
        "precision": None if device is None else args.precision or device.training_precision,
        "mfu": machine.mfu,
        "achieved_flops_per_second": machine.achieved,
        "power_watts": machine.power,
        "price_usd_per_hour": machine.price,
        "price_date": machine.price_date or None,
        "price_source": None if listed is None else listed.source,
        "source": None if device is None else device.source,
    }


def sources(args: argparse.Namespace, machine: Machine | None, device: Device | None) -> list[str]:
    """Where the numbers of the hardware come from, a sentence each."""
    if machine is None:
        return ["No hardware was given, so neither time nor cost is known."]
    peak, share = f"{format_flops(machine.peak)}/s", f"{100 * machine.mfu:.3g}%"
    achieved = f"{share} of it is achieved, {format_flops(machine.achieved)}/s in all"
    if device is None:
        said = [f"Hardware: {machine.count:,} of your own, with a peak of {peak} each; {achieved}."]
    else:
        precision = (args.precision or device.training_precision or "").upper()
        said = [
            f"Hardware: {machine.count:,} x {machine.name}, with a peak of {peak} each in {precision}; {achieved}.",
            f"Peak: {device.source}.",
        ]
    if device is not None and device.price is not None and machine.price_date:
        price = device.price
        said.append(f"Price: {price.usd_per_hour:g} USD per device-hour, listed on {price.date} ({price.source}).")
    elif machine.price is not None:
        said.append(f"Price: your own, {machine.price:g} USD per device-hour.")
    if machine.power is not None:
        said.append(f"Energy: at {machine.power:g} W, the most that one device takes, and nothing around it.")
    return said


def catalogue(args: argparse.Namespace) -> int:
    """Print every device and every published utilization."""
    if args.json:
        names = ("id", "name", "device", "hardware", "count", "mfu", "precision", "source", "url")
        achieved = [{name: getattr(one, name) for name in names} for one in utilisations()]
        print_json({"devices": [one.to_dict() for one in devices()], "utilizations": achieved})
        return 0
    rows = [("id", "peak", "memory", "power", "USD per hour", "source")]
    rows += [
        (
            one.id,
            ", ".join(f"{p} {format_flops(peak)}/s" for p, peak in one.peaks.items()) or "not published",
            "" if one.memory is None else format_bytes(one.memory),
            "" if one.power is None else f"{one.power:g} W",
            "" if one.price is None else f"{one.price.usd_per_hour:g} ({one.price.date})",
            one.source + (" [secondary source]" if one.secondary else ""),
        )
        for one in devices()
    ]
    print(table(rows))
    print()
    achieved_rows = [("training", "hardware", "utilization", "precision", "source")]
    achieved_rows += [
        (one.name, one.hardware, f"{100 * one.mfu:.3g}%", one.precision, one.source) for one in utilisations()
    ]
    print(table(achieved_rows))
    return 0
