"""The law of a page: a published one, or every constant by slider and by number, the two bound to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import streamlit as st

from scaling_core.catalog import Preset, preset, presets
from scaling_core.errors import InputError
from scaling_core.laws import Law, law_from_constants
from scaling_core.ui.inputs import bounded
from scaling_core.ui.page import note
from scaling_core.units import format_quantity

OWN = "own"


@dataclass(frozen=True, kw_only=True, slots=True)
class Constant:
    """One constant on the page: its sign, what it is, the slider's range in `unit`s, and what a number may be."""

    symbol: str
    meaning: str
    low: float
    high: float
    step: float
    least: float
    most: float
    unit: float = 1.0

    @property
    def digits(self) -> int:
        """Decimals of the slider: those of its step."""
        return max(0, -math.floor(math.log10(self.step)))

    @property
    def label(self) -> str:
        """The sign in bold, and what it stands for."""
        name, _, index = self.symbol.partition("_")
        return f"$\\mathrm{{{name}}}_{{{index}}}$ {self.meaning}" if index else f"**{self.symbol}** {self.meaning}"


CONSTANTS: dict[str, dict[str, Constant]] = {
    "chinchilla": {
        "E": Constant(symbol="E", meaning="irreducible loss", low=0, high=3, step=0.01, least=0, most=100),
        "A": Constant(symbol="A", meaning="cost of finite size", low=1, high=3000, step=1, least=1e-6, most=1e9),
        "B": Constant(symbol="B", meaning="cost of finite data", low=1, high=3000, step=1, least=1e-6, most=1e9),
        "alpha": Constant(symbol="α", meaning="gain from size", low=0.02, high=0.8, step=0.001, least=0.005, most=3),
        "beta": Constant(symbol="β", meaning="gain from data", low=0.02, high=0.8, step=0.001, least=0.005, most=3),
    },
    "kaplan": {
        "N_c": Constant(
            symbol="N_c", meaning="size scale, T", low=1, high=200, step=0.1, least=1e6, most=1e24, unit=1e12
        ),
        "D_c": Constant(
            symbol="D_c", meaning="data scale, T", low=1, high=200, step=0.1, least=1e6, most=1e24, unit=1e12
        ),
        "alpha_N": Constant(
            symbol="α_N", meaning="gain from size", low=0.02, high=0.4, step=0.001, least=0.005, most=3
        ),
        "alpha_D": Constant(
            symbol="α_D", meaning="gain from data", low=0.02, high=0.4, step=0.001, least=0.005, most=3
        ),
    },
}


def law_picker(
    key: str, *, default: str = "hoffmann2022", label: str = "Law", url: bool = False, folded: bool = False
) -> tuple[Preset | None, Law]:
    """Draw the picker and return the published law, or None with a law of the reader's own.

    url: read the choice from the query parameter `key`, and keep it there. folded: the constants wait in an expander.
    State lives under `key`: `key` the choice, `key~form`, `key~base` and `key~value.X` what the sliders and fields
    show, so that a visit to another page loses nothing. Every value is checked again here, whatever the browser sent.
    """
    known = {p.id: p for p in presets("joint")}
    if url:
        default = _from_url(key, default, known)
    _begin(key, default, known)
    names = {**{id: p.name for id, p in known.items()}, OWN: "My own constants"}
    chosen = st.selectbox(
        label,
        [*known, OWN],
        index=[*known, OWN].index(default),
        key=key,
        format_func=lambda id: names.get(id, str(id)),
        on_change=_choose,
        args=(key,),
    )
    chosen = chosen if chosen in names else default
    if chosen != OWN and chosen != st.session_state[f"{key}~shown"]:
        _load(key, known[chosen])
    st.session_state[f"{key}~kept"] = st.session_state[f"{key}~shown"] = chosen
    if url and chosen in known:
        st.query_params[key] = chosen
    elif url and key in st.query_params:
        del st.query_params[key]
    form = st.session_state[f"{key}~form"]
    with st.expander("Every constant") if folded else st.container():
        for name, constant in CONSTANTS[form].items():
            _constant(key, name, constant)
    base = known[st.session_state[f"{key}~base"]]
    if chosen == OWN:
        st.button(f"Back to {base.name}", key=f"{key}~reset", on_click=_reset, args=(key,), width="stretch")
        values = {name: float(st.session_state[f"{key}~value.{name}"]) for name in CONSTANTS[form]}
        law = law_from_constants(form, values)
        assert law.form in ("chinchilla", "kaplan")
        return None, law  # type: ignore[return-value]
    return known[chosen], known[chosen].joint


def law_line(published: Preset | None) -> str:
    """Counting convention, range and source of the law in one line of plain text."""
    if published is None:
        return "Your own constants: no source, and no range within which they were ever measured."
    counts = "N counts every parameter" if published.convention == "total" else "N leaves the embeddings out"
    spans = [
        f"{format_quantity(span[0])} to {format_quantity(span[1])} {what}"
        for span, what in ((published.valid_N, "parameters"), (published.valid_D, "tokens"))
        if span is not None
    ]
    fitted = "fitted on " + " and ".join(spans) if spans else "no range of validity"
    second = ", read in a secondary source" if published.secondary else ""
    return f"{published.name}: {counts}; {fitted}. Source: {published.source}{second}."


def warn_of(published: Preset | None) -> None:
    """Why the law's numbers must not be trusted, where there is such a reason."""
    if published is not None and published.warning:
        note(f"{published.name}: {published.warning}", kind="warning")


def _from_url(key: str, default: str, known: dict[str, Preset]) -> str:
    """The law that the address names, on the first visit; what it cannot name is said in a sentence, once."""
    asked = st.query_params.get(key)
    if asked is None or f"{key}~form" in st.session_state or asked in known:
        return asked if asked in known else default
    note(str(InputError("law in the address", asked, f"it must be one of {', '.join(known)}")), kind="error")
    return default


def _begin(key: str, default: str, known: dict[str, Preset]) -> None:
    """First visit: the default's constants. Later visits: what was there, since hidden widgets forget."""
    state = st.session_state
    if f"{key}~form" not in state:
        _load(key, known[default])
        state[f"{key}~shown"] = default
    elif key not in state:
        state[key] = state[f"{key}~kept"]
    for name, constant in CONSTANTS[state[f"{key}~form"]].items():
        if f"{key}~slide.{name}" not in state or f"{key}~text.{name}" not in state:
            _show(key, name, constant, float(state[f"{key}~value.{name}"]))


def _load(key: str, published: Preset) -> None:
    """Put a published law's constants into sliders and fields."""
    state = st.session_state
    state[f"{key}~form"] = published.law.form
    state[f"{key}~base"] = published.id
    for name, value in published.law.constants.items():
        state[f"{key}~value.{name}"] = value
        _show(key, name, CONSTANTS[published.law.form][name], value)


def _show(key: str, name: str, constant: Constant, value: float) -> None:
    state = st.session_state
    state[f"{key}~slide.{name}"] = min(max(value / constant.unit, constant.low), constant.high)
    state[f"{key}~text.{name}"] = _written(value)
    state.pop(f"{key}~error.{name}", None)


def _written(value: float) -> str:
    """A constant as people write it: 0.33917084, 406.401, 6.4e13; seven digits or more where it has them."""
    return f"{value:.8g}".replace("e+", "e") if value < 1e6 else format_quantity(value, digits=6)


def _constant(key: str, name: str, constant: Constant) -> None:
    """Slider and field of one constant, and beneath them what was wrong with the last thing typed."""
    slide, text = st.columns([1.7, 1], vertical_alignment="bottom", gap="small")
    slide.slider(
        constant.label,
        min_value=float(constant.low),
        max_value=float(constant.high),
        step=float(constant.step),
        format=f"%.{constant.digits}f",
        key=f"{key}~slide.{name}",
        on_change=_slid,
        args=(key, name),
    )
    text.text_input(
        f"{constant.symbol}, exactly",
        key=f"{key}~text.{name}",
        on_change=_typed,
        args=(key, name),
        label_visibility="collapsed",
        max_chars=32,
        autocomplete="off",
    )
    wrong = st.session_state.get(f"{key}~error.{name}")
    if wrong:
        note(wrong, kind="error")


def _choose(key: str) -> None:
    """The picker changed: a published law fills the sliders; one's own keeps what they show."""
    chosen = st.session_state[key]
    if chosen != OWN:
        _load(key, preset(chosen))
        st.session_state[f"{key}~shown"] = chosen


def _reset(key: str) -> None:
    base = st.session_state[f"{key}~base"]
    st.session_state[key] = base
    _choose(key)


def _slid(key: str, name: str) -> None:
    constant = CONSTANTS[st.session_state[f"{key}~form"]][name]
    value = float(st.session_state[f"{key}~slide.{name}"]) * constant.unit
    _accept(key, name, constant, min(max(value, constant.least), constant.most))


def _typed(key: str, name: str) -> None:
    constant = CONSTANTS[st.session_state[f"{key}~form"]][name]
    try:
        value = bounded(constant.symbol, constant.least, constant.most)(str(st.session_state[f"{key}~text.{name}"]))
    except InputError as error:
        st.session_state[f"{key}~error.{name}"] = str(error)
        return
    _accept(key, name, constant, value)


def _accept(key: str, name: str, constant: Constant, value: float) -> None:
    """A new value of a constant: from here on the law is the reader's own."""
    st.session_state[f"{key}~value.{name}"] = value
    _show(key, name, constant, value)
    st.session_state[key] = OWN
    st.session_state[f"{key}~shown"] = OWN
