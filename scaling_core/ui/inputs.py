"""Fields that check themselves: what a person types is parsed in Python, and a mistake is one sentence beneath it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from scaling_core.errors import InputError
from scaling_core.language import current, t, together
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


def choice_input(
    label: str,
    key: str,
    options: Mapping[str, str],
    *,
    default: str | None = None,
    help: str | None = None,
    hide_label: bool = False,
) -> str:
    """A box in which one of `options` (id to name) is chosen, at first `default` or the first; kept for another visit.

    What is not among them, whatever the browser sent, is the last that was, or what is chosen at first.
    """
    ids = list(options)
    _settle(key, ids, at_first := default or ids[0])
    chosen = st.selectbox(
        label,
        ids,
        index=ids.index(at_first),
        key=key,
        format_func=lambda id: options.get(id, str(id)),
        help=help,
        label_visibility="collapsed" if hide_label else "visible",
    )
    st.session_state[f"{key}~kept"] = chosen
    return str(chosen)


def radio_input(
    label: str, key: str, options: Mapping[str, str], *, help: str | None = None, horizontal: bool = False
) -> str:
    """One of `options` (id to name), all in sight, the first at first; otherwise as `choice_input`."""
    ids = list(options)
    _settle(key, ids, ids[0])
    chosen = st.radio(
        label, ids, key=key, format_func=lambda id: options.get(id, str(id)), help=help, horizontal=horizontal
    )
    st.session_state[f"{key}~kept"] = chosen
    return str(chosen)


def _settle(key: str, ids: list[str], at_first: str) -> None:
    """Before it is drawn, give a choice of this key a value that is among `ids`, save where it has none at all.

    The browser keeps and sends the name of what is chosen: once the language is another, it must be told the new name.
    """
    last, spoken = st.session_state.get(f"{key}~kept"), f"{key}~spoken"
    value = st.session_state.get(key)
    if value not in ids:
        value = last if last in ids else at_first if key in st.session_state else None
    if value is not None and (value != st.session_state.get(key) or st.session_state.get(spoken) != current()):
        st.session_state[key] = value
    st.session_state[spoken] = current()


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
