"""The law of a page: a published or saved one, or every constant by slider and number, the two bound to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.errors import InputError
from scaling_core.laws import Law, PowerLaw, law_from_constants
from scaling_core.library import all_laws, library_problems
from scaling_core.ui.constants import CONSTANTS, Constant
from scaling_core.ui.inputs import bounded
from scaling_core.ui.page import escape_markdown, note, visit
from scaling_core.units import format_quantity

OWN = "own"


@dataclass(slots=True)
class Picker:
    """What a picker shows, kept for the session whether its widgets are on the page or not.

    choice: id of a published or saved law, or OWN. base: the law that one's own constants set out from. form: of the
    law. values: constants by name. wrong: the sentence beneath a field. visit: to which visit of a page the widgets
    belong. start: what a widget began with. version: how often each widget was set by the page rather than by hand; it
    is part of the widget's key, so that what the browser still sends for the earlier one (a hand that moves on while
    the page answers) cannot undo the change. options: what may be chosen, ids and OWN.
    """

    choice: str
    base: str
    form: str
    values: dict[str, float]
    wrong: dict[str, str] = field(default_factory=dict)
    visit: int = 0
    version: dict[str, int] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, law: Preset) -> Picker:
        """A picker that shows this law."""
        return cls(choice=law.id, base=law.id, form=law.law.form, values=dict(law.law.constants))

    def load(self, law: Preset) -> None:
        """Take a published or saved law's constants."""
        self.choice = self.base = law.id
        self.form, self.values = law.law.form, dict(law.law.constants)
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
    """Draw the picker and return the published or saved law, or None with a law of the reader's own.

    Saved laws follow the published ones, read anew on each run. url: read the choice from the query parameter `key`,
    and keep it there. folded: the constants wait in an expander.
    Two pages that give the same key share the law. Every value is checked here, whatever the browser sent.
    """
    known = {p.id: p for p in all_laws("joint")}
    wished = _from_url(key, default, known) if url else default
    picker: Picker = st.session_state.setdefault(f"{key}~picker", Picker.of(known[wished]))
    _follow(picker, known, default)
    if picker.visit != visit():
        picker.visit = visit()
        picker.renew("pick", *(f"{kind}.{name}" for kind in ("slide", "text") for name in picker.values))
    names = {**{id: f"{p.name} (saved)" if p.saved else p.name for id, p in known.items()}, OWN: "My own constants"}
    widget, start = _widget(key, picker, "pick", picker.choice)
    st.selectbox(
        label,
        picker.options,
        index=picker.options.index(start),
        key=widget,
        format_func=lambda id: names.get(id, str(id)),
        on_change=_chosen,
        args=(key, widget),
    )
    if url and picker.choice != OWN:
        st.query_params[key] = picker.choice
    elif url and key in st.query_params:
        del st.query_params[key]
    for problem in library_problems():
        note(problem, kind="warning")
    with st.expander("Every constant") if folded else st.container():
        for name, constant in CONSTANTS[picker.form].items():
            _constant(key, picker, name, constant)
    if picker.choice != OWN:
        return known[picker.choice], known[picker.choice].joint
    back = escape_markdown(f"Back to {known[picker.base].name}")
    st.button(back, key=f"{key}~reset", on_click=_back, args=(key,), width="stretch")
    law = law_from_constants(picker.form, picker.values)
    if isinstance(law, PowerLaw):
        raise InputError("law", picker.form, "it must be a law in N and D")
    return None, law


def _follow(picker: Picker, known: dict[str, Preset], default: str) -> None:
    """Keep up with the laws there are: one that was deleted leaves its constants, one saved anew brings its own."""
    if picker.base not in known:
        picker.base = default
    if picker.choice != OWN and picker.choice not in known:
        note("This law was deleted from the saved ones; its constants are kept here as your own.", kind="warning")
        picker.choice = OWN
    elif picker.choice != OWN and known[picker.choice].law.constants != picker.values:
        picker.load(known[picker.choice])
    if picker.options != (options := (*known, OWN)):
        picker.options = options
        picker.renew("pick")


def law_line(published: Preset | None) -> str:
    """Counting convention, range and source of the law in one line of plain text."""
    if published is None:
        return "Your own constants: no source, and no range within which they were ever measured."
    counts = "N counts every parameter" if published.convention == "total" else "N leaves the embeddings out"
    if published.law.form == "muennighoff":
        counts += ", every token is taken as new"
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


def outside(published: Preset | None, **values: float) -> None:
    """Say which values lie outside the runs behind the law."""
    sentences = published.range_notes(**values) if published else ()
    if sentences:
        note("This is an extrapolation. " + " ".join(sentences))


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
    elif chosen in (known := {p.id: p for p in all_laws("joint")}):
        picker.load(known[chosen])


def _back(key: str) -> None:
    picker: Picker = st.session_state[f"{key}~picker"]
    known = {p.id: p for p in all_laws("joint")}
    if picker.base in known:
        picker.load(known[picker.base])
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
