"""The law of a page: a published one, or every constant by slider and by number, the two bound to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from scaling_core.catalog import Preset, preset, presets
from scaling_core.errors import InputError
from scaling_core.laws import ChinchillaLaw, KaplanJointLaw, Law, law_from_constants
from scaling_core.ui.constants import CONSTANTS, Constant
from scaling_core.ui.inputs import bounded
from scaling_core.ui.page import note, visit
from scaling_core.units import format_quantity

OWN = "own"


@dataclass(slots=True)
class Picker:
    """What a picker shows, kept for the session whether its widgets are on the page or not.

    choice: id of a published law, or OWN. base: the published law that one's own constants set out from; it gives the
    form. values: constants by name. wrong: the sentence beneath a field. visit: to which visit of a page the widgets
    belong. start: what a widget began with. version: how often each widget was set by the page rather than by hand; it
    is part of the widget's key, so that what the browser still sends for the earlier one (a hand that moves on while
    the page answers) cannot undo the change.
    """

    choice: str
    base: str
    values: dict[str, float]
    wrong: dict[str, str] = field(default_factory=dict)
    visit: int = 0
    version: dict[str, int] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """The form of the law."""
        return preset(self.base).law.form

    def load(self, id: str) -> None:
        """Take a published law's constants."""
        self.choice = self.base = id
        self.values = dict(preset(id).law.constants)
        self.wrong.clear()
        for name in self.values:
            self.renew(f"slide.{name}", f"text.{name}")

    def renew(self, *parts: str) -> None:
        """Let these widgets begin anew from the picker's values."""
        for part in parts:
            self.version[part] = self.version.get(part, 0) + 1
            self.start.pop(part, None)

    def accept(self, name: str, value: float) -> None:
        """A new value of a constant: from here on the law is the reader's own."""
        self.values[name] = value
        self.wrong.pop(name, None)
        if self.choice != OWN:
            self.choice = OWN
            self.renew("pick")


def law_picker(
    key: str, *, default: str = "hoffmann2022", label: str = "Law", url: bool = False, folded: bool = False
) -> tuple[Preset | None, Law]:
    """Draw the picker and return the published law, or None with a law of the reader's own.

    url: read the choice from the query parameter `key`, and keep it there. folded: the constants wait in an expander.
    Two pages that give the same key share the law. Every value is checked here, whatever the browser sent.
    """
    known = {p.id: p for p in presets("joint")}
    if url:
        default = _from_url(key, default, known)
    if f"{key}~picker" not in st.session_state:
        values = dict(known[default].law.constants)
        st.session_state[f"{key}~picker"] = Picker(choice=default, base=default, values=values)
    picker: Picker = st.session_state[f"{key}~picker"]
    if picker.visit != visit():
        picker.visit = visit()
        picker.renew("pick", *(f"{kind}.{name}" for kind in ("slide", "text") for name in picker.values))
    names = {**{id: p.name for id, p in known.items()}, OWN: "My own constants"}
    options = list(names)
    widget, start = _widget(key, picker, "pick", picker.choice)
    st.selectbox(
        label,
        options,
        index=options.index(start),
        key=widget,
        format_func=lambda id: names.get(id, str(id)),
        on_change=_chosen,
        args=(key, widget),
    )
    if url and picker.choice != OWN:
        st.query_params[key] = picker.choice
    elif url and key in st.query_params:
        del st.query_params[key]
    with st.expander("Every constant") if folded else st.container():
        for name, constant in CONSTANTS[picker.form].items():
            _constant(key, picker, name, constant)
    if picker.choice != OWN:
        return known[picker.choice], known[picker.choice].joint
    st.button(f"Back to {known[picker.base].name}", key=f"{key}~reset", on_click=_back, args=(key,), width="stretch")
    law = law_from_constants(picker.form, picker.values)
    if not isinstance(law, (ChinchillaLaw, KaplanJointLaw)):
        raise InputError("law", picker.form, "it must be a law in N and D")
    return None, law


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
    if asked is None or f"{key}~picker" in st.session_state or asked in known:
        return asked if asked in known else default
    note(str(InputError("law in the address", asked, f"it must be one of {', '.join(known)}")), kind="error")
    return default


def _widget(key: str, picker: Picker, part: str, now: Any) -> tuple[str, Any]:
    """The key of a widget and the value that it begins with.

    That value must not change while the widget lives; one that left the page begins again with the value `now`.
    """
    widget = f"{key}~{part}~{picker.version.get(part, 0)}"
    if widget not in st.session_state or part not in picker.start:
        picker.start[part] = now
    return widget, picker.start[part]


def _constant(key: str, picker: Picker, name: str, constant: Constant) -> None:
    """Slider and field of one constant, and beneath them what was wrong with the last thing typed."""
    value = picker.values[name]
    slide, text = st.columns([1.7, 1], vertical_alignment="bottom", gap="small")
    widget, at = _widget(key, picker, f"slide.{name}", min(max(value / constant.unit, constant.low), constant.high))
    slide.slider(
        constant.label,
        min_value=float(constant.low),
        max_value=float(constant.high),
        value=float(at),
        step=float(constant.step),
        format=f"%.{constant.digits}f",
        key=widget,
        on_change=_slid,
        args=(key, name, widget),
    )
    widget, written = _widget(key, picker, f"text.{name}", _written(value))
    text.text_input(
        f"{constant.symbol}, exactly",
        value=written,
        key=widget,
        on_change=_typed,
        args=(key, name, widget),
        label_visibility="collapsed",
        max_chars=32,
        autocomplete="off",
    )
    if name in picker.wrong:
        note(picker.wrong[name], kind="error")


def _written(value: float) -> str:
    """A constant as people write it: 0.33917084, 406.40102, 64T; eight digits where it has them."""
    return f"{value:.8g}".replace("e-0", "e-") if value < 1e6 else format_quantity(value, digits=8)


def _chosen(key: str, widget: str) -> None:
    """The picker was used: a published law fills the sliders; one's own keeps what they show."""
    picker: Picker = st.session_state[f"{key}~picker"]
    chosen = st.session_state[widget]
    if chosen == OWN:
        picker.choice = OWN
    elif chosen in {p.id for p in presets("joint")}:
        picker.load(chosen)


def _back(key: str) -> None:
    picker: Picker = st.session_state[f"{key}~picker"]
    picker.load(picker.base)
    picker.renew("pick")


def _slid(key: str, name: str, widget: str) -> None:
    """The slider moved: the field follows."""
    picker: Picker = st.session_state[f"{key}~picker"]
    constant = CONSTANTS[picker.form][name]
    value = float(st.session_state[widget]) * constant.unit
    picker.renew(f"text.{name}")
    picker.accept(name, min(max(value, constant.least), constant.most))


def _typed(key: str, name: str, widget: str) -> None:
    """A number was typed: the slider follows as far as it reaches; what is no number leaves its sentence."""
    picker: Picker = st.session_state[f"{key}~picker"]
    constant = CONSTANTS[picker.form][name]
    try:
        value = bounded(constant.symbol, constant.least, constant.most)(str(st.session_state[widget]))
    except InputError as error:
        picker.wrong[name] = str(error)
        return
    picker.renew(f"slide.{name}")
    picker.accept(name, value)
