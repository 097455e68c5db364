"""The fields of the page "Plan a training": what is given, on what hardware, at what utilization and price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from scaling_core.errors import InputError, ScalingError
from scaling_core.flops import training_flops
from scaling_core.hardware import Device, devices
from scaling_core.lab.records import Calibration
from scaling_core.language import t, tdata, together
from scaling_core.planning import Machine, TrainingBudget, machine
from scaling_core.runs import place
from scaling_core.runs.calibrations import of_this_machine
from scaling_core.ui.inputs import choice_input, integer_input, number_input, quantity_input
from scaling_core.ui.page import note
from scaling_core.units import parse_quantity

FIRST = "a100-80gb"
"""The hardware at first."""
OWN, HERE = "own", "measured"
"""Hardware that is no row of the catalogue: a speed of one's own, and what the lab measured on this machine."""
MOST_DEVICES = 1_000_000
LEAST_USD, MOST_USD = 1e-6, 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the fields say.

    given: days, usd, C, loss, N or D. device: of the catalogue, None for one's own speed and for this machine.
    measured: what the lab measured here, where that is the hardware. memory: bytes of one device, where known. mfu: of
    the slider, 0 to 1, whatever the hardware.
    """

    given: str
    budget: TrainingBudget
    machine: Machine
    device: Device | None
    measured: Calibration | None
    memory: float | None
    mfu: float


def achieved_here(measured: Calibration) -> float:
    """The achieved speed of this machine, FLOP/s: the fastest of the shapes that were measured, 6 N for each token.

    N with head, under the lab's usual vocabulary of bytes and its context of 128 tokens.
    """
    return max(
        training_flops(point.shape.parameters(vocab_size=256, context=128).with_head, point.tokens_per_second)
        for point in measured.speeds
    )


def given_names() -> dict[str, str]:
    """What may be given, by its key."""
    return {
        "days": t("Time"),
        "usd": t("Money"),
        "C": t("Compute"),
        "loss": t("Target loss"),
        "N": t("Model size"),
        "D": t("Tokens"),
    }


def hardware_names(measured: Calibration | None) -> dict[str, str]:
    """The hardware that may be chosen: every device with a published peak, and what is not in the catalogue."""
    names = {one.id: tdata(one.name) for one in devices() if one.peaks}
    names[OWN] = t("A speed of my own")
    if measured is not None:
        names[HERE] = t("This machine, as measured")
    return names


def asked() -> Asked:
    """Draw the row of fields and read it; whatever the browser sent is checked here."""
    measured = of_this_machine(place.home())
    with st.container(key="plan-fields"):
        given_at, value_at, hardware_at, count_at, mfu_at, price_at = st.columns(
            [1.3, 1.05, 2.15, 0.95, 1.5, 1.25], gap="small", vertical_alignment="top"
        )
    with given_at:
        given = choice_input(t("Given"), "plan.given", given_names())
    with value_at:
        budget = _value(given)
    names = hardware_names(measured)
    absent = _settled(names)
    with hardware_at:
        hardware = choice_input(t("Hardware"), "plan.hardware", names)
    with count_at:
        count = integer_input(t("Devices"), "plan.count", 1, minimum=1, maximum=MOST_DEVICES)
    with mfu_at:
        mfu = _mfu()
    device = next((one for one in devices() if one.id == hardware), None)
    with price_at:
        price, wrong = _price(hardware, device)
    for sentence in filter(None, (wrong, absent)):
        note(sentence, kind="error")
    if hardware == HERE and measured is not None:
        note(
            t(
                "This machine counts once and at the speed that was measured: neither the number of devices nor the "
                "utilization applies to it."
            )
        )
        what = Machine(name=measured.device_name, peak=achieved_here(measured), mfu=1.0, price=price)
        return Asked(given=given, budget=budget, machine=what, device=None, measured=measured,
                     memory=float(measured.memory_bytes), mfu=mfu)  # fmt: skip
    if device is None:
        with st.columns([2, 6])[0]:
            peak = 1e12 * number_input(t("Peak of one device, TFLOP/s"), "plan.own", 100.0, minimum=1e-6, maximum=1e9)
        what = Machine(name=t("device of my own"), peak=peak, count=count, mfu=mfu, price=price)
        return Asked(given=given, budget=budget, machine=what, device=None, measured=None, memory=None, mfu=mfu)
    what = machine(device, count=count, mfu=mfu, price=price)
    return Asked(given=given, budget=budget, machine=what, device=device, measured=None, memory=device.memory, mfu=mfu)


def _settled(names: dict[str, str]) -> str:
    """Begin with the first hardware, also where a scene wishes for some that is not here; returns what to say of it."""
    wished = st.session_state.get("plan.hardware", st.session_state.get("plan.hardware~kept"))
    if wished in names:
        return ""
    st.session_state["plan.hardware"] = FIRST
    if wished is None:
        return ""
    if wished == HERE:
        return t("The lab has not measured this machine yet; shown instead: {name}.", name=names[FIRST])
    return t("There is no hardware {id} here; shown instead: {name}.", id=str(wished)[:40], name=names[FIRST])


def _value(given: str) -> TrainingBudget:
    """The field of what is given."""
    if given == "days":
        return TrainingBudget(days=number_input(t("Days"), "plan.days", 30.0, minimum=1e-6, maximum=1e6))
    if given == "usd":
        return TrainingBudget(usd=_quantity("USD", "plan.usd", "10K", t("money"), 1e-3, 1e15))
    if given == "C":
        return TrainingBudget(C=_quantity("FLOP", "plan.C", "1e21", t("compute"), 1e12, 1e32))
    if given == "loss":
        nats = number_input(t("Nats per token"), "plan.loss", 2.4, minimum=1e-3, maximum=1e3)
        return TrainingBudget(loss=nats)
    if given == "N":
        return TrainingBudget(N=_quantity(t("Parameters"), "plan.N", "7B", t("parameters"), 1e3, 1e18))
    return TrainingBudget(D=_quantity(t("Tokens"), "plan.D", "100B", t("tokens"), 1e3, 1e20))


def _quantity(label: str, key: str, default: str, field: str, least: float, most: float) -> float:
    return quantity_input(label, key, default, field=field, minimum=least, maximum=most)


def _mfu() -> float:
    """The slider of the utilization, 0 to 1; what is no whole percentage from 1 to 100 counts as the nearest."""
    key, kept = "plan.mfu", "plan.mfu~kept"
    st.session_state[key] = _percentage(st.session_state.get(key, st.session_state.get(kept, "40")))
    st.slider(
        t("Utilization, %"),
        1,
        100,
        key=key,
        help=t("Model FLOP over what the hardware could do at its peak; see below what trainings have achieved."),
    )
    value = _percentage(st.session_state.get(key))
    st.session_state[kept] = str(value)
    return value / 100.0


def _percentage(value: Any) -> int:
    try:
        return min(100, max(1, round(float(value))))
    except (TypeError, ValueError, OverflowError):
        return 40


def _price(hardware: str, device: Device | None) -> tuple[float | None, str]:
    """The reader's own price of a device-hour in USD, None where the field is empty, and the listed one counts.

    Second, what is wrong with what was typed, "" where nothing is.
    """
    listed = None if device is None else device.price
    key = f"plan.price.{hardware}"
    kept, good = f"{key}~kept", f"{key}~good"
    if key not in st.session_state and kept in st.session_state:
        st.session_state[key] = st.session_state[kept]
    text = st.text_input(
        t("USD per hour"),
        key=key,
        placeholder=t("none listed") if listed is None else f"{listed.usd_per_hour:g}",
        help=t("Of one device. Empty: the listed price, where there is one."),
        max_chars=64,
        autocomplete="off",
    )
    st.session_state[kept] = written = (text or "").strip()
    wrong = ""
    try:
        value = _read_price(written) if written else None
        st.session_state[good] = value
    except InputError as error:
        value = st.session_state.get(good)
        shown = t("no price") if listed is None else t("the listed price")
        wrong = together(str(error), t("Still showing {shown}.", shown=shown if value is None else f"{value:g}"))
    return value, wrong


def _read_price(text: str) -> float:
    """A price in USD per device-hour; raises InputError."""
    try:
        return parse_quantity(text, field=t("price"), minimum=LEAST_USD, maximum=MOST_USD)
    except InputError:
        raise InputError(t("price"), text, t("it must be an amount in USD, such as 2.50")) from None


def spoken(error: ScalingError) -> None:
    """What cannot be planned, in a sentence."""
    note(str(error), kind="error")
