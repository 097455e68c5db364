"""Quantities with a slider each, such as N, D and C: dragged on a channel, typed exactly, kept in the address."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from scaling_core.errors import InputError
from scaling_core.language import t, together
from scaling_core.ui.inputs import GOOD, GOOD_TEXT
from scaling_core.ui.live import Knob, heard, panel
from scaling_core.units import format_quantity, parse_quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One quantity: its name on the channel, in the session and in the address, and how it is called.

    label: "" for a slider that needs none beside it. default: the text it begins with. minimum, maximum: what may be
    typed. low, high: the ends of the slider, on a logarithmic scale. field: its name in sentences.
    """

    name: str
    label: str
    field: str
    default: str
    minimum: float
    maximum: float
    low: float
    high: float

    def read(self, text: object) -> float:
        """The number that a text writes; raises InputError."""
        return parse_quantity(str(text)[:64], field=self.field, minimum=self.minimum, maximum=self.maximum)


def quantity_knobs(channel: str, quantities: Sequence[Quantity], *, key: str) -> dict[str, float]:
    """Draw the sliders and return the values by name; a mistake is a sentence beneath, and the last good value stays.

    The text of each is in the session under its name, at first that of the address or the default.
    """
    said = dict(heard(key))
    wrong: dict[str, str] = {}
    values: dict[str, float] = {}
    for one in quantities:
        if one.name not in st.session_state:
            st.session_state[one.name] = st.query_params.get(one.name, one.default)
        if one.name in said:
            typed = said[one.name]
            is_number = isinstance(typed, (int, float)) and not isinstance(typed, bool)
            text = format_quantity(float(typed), digits=6) if is_number else str(typed)  # type: ignore[arg-type]
        else:
            text = str(st.session_state[one.name])
        try:
            values[one.name] = one.read(text)
            st.session_state[one.name] = st.session_state[f"{one.name}{GOOD_TEXT}"] = text
            st.session_state[f"{one.name}{GOOD}"] = values[one.name]
        except InputError as error:
            good = _last_good(one)
            values[one.name], st.session_state[one.name] = one.read(good), good
            wrong[one.name] = together(error.args[0], t("Still showing {shown}.", shown=good))
        _in_address(one)
    panel(channel, [_knob(one, values[one.name], wrong.get(one.name)) for one in quantities], key=key)
    return values


def _last_good(one: Quantity) -> str:
    """The last text that was a number in reach, here or in the field of another page that shares its name."""
    text = str(st.session_state.get(f"{one.name}{GOOD_TEXT}", one.default))
    with contextlib.suppress(InputError):
        one.read(text)
        return text
    return one.default


def _in_address(one: Quantity) -> None:
    """Keep the address in step: it names what differs from where the page begins."""
    text = str(st.session_state[one.name])
    if text != one.default and st.query_params.get(one.name) != text:
        st.query_params[one.name] = text
    elif text == one.default and one.name in st.query_params:
        del st.query_params[one.name]


def _knob(one: Quantity, value: float, wrong: str | None) -> Knob:
    return Knob(
        name=one.name,
        value=value,
        label=html.escape(one.label),
        spoken=one.label or one.field,
        exactly=t("{symbol}, exactly", symbol=one.label or one.field),
        low=one.low,
        high=one.high,
        log=True,
        per_decade=40,
        published=one.read(one.default),
        wrong=wrong,
        written=str(st.session_state[one.name]),
    )
