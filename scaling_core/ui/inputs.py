"""Fields that check themselves: what a person types is parsed in Python, and a mistake is one sentence beneath it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from scaling_core.errors import InputError
from scaling_core.language import t, together
from scaling_core.ui.page import note
from scaling_core.units import parse_quantity

GOOD, GOOD_TEXT = "~good", "~good.text"
"""Ends of the keys in the session under which the last good value of a field is kept, and the text that wrote it."""


def checked_text(
    label: str,
    key: str,
    default: str,
    parse: Callable[[str], float],
    *,
    help: str | None = None,
    url: bool = False,
    hide_label: bool = False,
) -> float:
    """A text field read by `parse`; a text it refuses leaves its sentence beneath the field and the last good value.

    key: of the widget, and with `url` also the name of the query parameter. The text survives a visit to another
    page. `parse` raises InputError; `default` must be a text that it reads.
    """
    kept, good = f"{key}~kept", f"{key}{GOOD}"
    if key not in st.session_state and kept in st.session_state:
        st.session_state[key] = st.session_state[kept]
    text = st.text_input(
        label,
        value=default,
        key=key,
        help=help,
        max_chars=64,
        bind="query-params" if url else None,
        autocomplete="off",
        label_visibility="collapsed" if hide_label else "visible",
    )
    st.session_state[kept] = text or ""
    try:
        value = parse(text or "")
    except InputError as error:
        value = st.session_state.get(good) or parse(default)
        shown = _shown(st.session_state.get(f"{key}{GOOD_TEXT}", default))
        note(together(str(error), t("Still showing {shown}.", shown=shown)), kind="error")
    else:
        st.session_state[good] = value
        st.session_state[f"{key}{GOOD_TEXT}"] = text
    return float(value)


def choice_input(label: str, key: str, options: Mapping[str, str], *, hide_label: bool = False) -> str:
    """A box in which one of `options` (id to name) is chosen, the first at first; it survives a visit elsewhere.

    What is not among them, whatever the browser sent, counts as the first.
    """
    kept, ids = f"{key}~kept", list(options)
    if key not in st.session_state and st.session_state.get(kept) in ids:
        st.session_state[key] = st.session_state[kept]
    chosen = st.selectbox(
        label,
        ids,
        key=key,
        format_func=lambda id: options.get(id, str(id)),
        label_visibility="collapsed" if hide_label else "visible",
    )
    st.session_state[kept] = chosen if chosen in ids else ids[0]
    return str(st.session_state[kept])


def quantity_input(
    label: str,
    key: str,
    default: str,
    *,
    field: str | None = None,
    minimum: float = 0.0,
    maximum: float = 1e40,
    help: str | None = None,
    url: bool = False,
    hide_label: bool = False,
) -> float:
    """A field for 70B, 1.4T or 5.76e23; `field` names it in sentences (by default its label)."""

    def parse(text: str) -> float:
        return parse_quantity(text, field=field or label, minimum=minimum, maximum=maximum)

    return checked_text(label, key, default, parse, help=help, url=url, hide_label=hide_label)


def integer_input(label: str, key: str, default: int, *, minimum: int, maximum: int, help: str | None = None) -> int:
    """A field for a whole number between two bounds, both allowed."""

    def parse(text: str) -> float:
        allowed = t("it must be a whole number from {least} to {most}", least=minimum, most=maximum)
        try:
            value = int(text.strip().replace(",", ""))
        except ValueError:
            raise InputError(label, text, allowed) from None
        if not minimum <= value <= maximum:
            raise InputError(label, text, allowed)
        return value

    return int(checked_text(label, key, str(default), parse, help=help))


def number_input(
    label: str, key: str, default: float, *, minimum: float, maximum: float, help: str | None = None
) -> float:
    """A field for a number between two bounds, both allowed, zero included where the bounds include it."""
    return checked_text(label, key, f"{default:g}", bounded(label, minimum, maximum), help=help)


def bounded(field: str, minimum: float, maximum: float) -> Callable[[str], float]:
    """A parser for a plain number in [minimum, maximum]; quantities such as 64T are read too. Raises InputError."""

    def parse(text: str) -> float:
        least, most = (f"{end:g}".replace("e+", "e") for end in (minimum, maximum))
        allowed = t("it must be a number from {least} to {most}", least=least, most=most)
        try:
            value = float(text) if minimum <= 0 and _is_zero(text) else parse_quantity(text, field=field)
        except InputError:
            raise InputError(field, text, allowed) from None
        if not minimum <= value <= maximum:
            raise InputError(field, text, allowed)
        return value

    return parse


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0.0
    except ValueError:
        return False


def _shown(text: object) -> str:
    return str(text).strip() or t("the default")
