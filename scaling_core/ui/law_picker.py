"""The law of a page: a published or saved one, or every constant by slider and number, the two bound to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.errors import InputError
from scaling_core.language import current, listed, retold, t, together
from scaling_core.laws import Law, PowerLaw, law_from_constants
from scaling_core.library import all_laws, library_problems
from scaling_core.ui.constants import CONSTANTS
from scaling_core.ui.inputs import bounded
from scaling_core.ui.live import Knob, heard, panel
from scaling_core.ui.page import escape_markdown, note, visit
from scaling_core.units import format_quantity

OWN = "own"


@dataclass(slots=True)
class Picker:
    """What a picker shows, kept for the session whether its widgets are on the page or not.

    choice: id of a published or saved law, or OWN. base: the law that one's own constants set out from. form: of the
    law. values: constants by name. wrong: the sentence beneath a field. visit: to which visit of a page the box of laws
    belongs. start: what the box began with. version: how often it was set by the page rather than by hand; it is part
    of the widget's key, so that what the browser still sends for the earlier one cannot undo the change. options: what
    may be chosen, ids and OWN.
    """

    choice: str
    base: str
    form: str
    values: dict[str, float]
    wrong: dict[str, str] = field(default_factory=dict)
    visit: int = 0
    version: int = 0
    start: str = ""
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

    def renew(self) -> None:
        """Let the box of laws begin anew from the picker's choice."""
        self.version += 1
        self.start = ""

    def accept(self, name: str, value: float) -> None:
        """A new value of a constant: from here on the law is the reader's own."""
        self.values[name] = value
        self.wrong.pop(name, None)
        if self.choice != OWN:
            self.choice = OWN
            self.renew()

    def hear(self, name: str, said: object) -> None:
        """A slider was let go, or a text typed in its field; what is no number leaves its sentence."""
        constant = CONSTANTS[self.form].get(name)
        if constant is None:
            return
        try:
            value = bounded(constant.symbol, constant.least, constant.most)(str(said))
        except InputError as error:
            self.wrong[name] = error.args[0]
            return
        self.accept(name, value)


def law_picker(
    key: str, *, default: str = "hoffmann2022", label: str | None = None, url: bool = False, folded: bool = False
) -> tuple[Preset | None, Law]:
    """Draw the picker and return the published or saved law, or None with a law of the reader's own.

    Saved laws follow the published ones, read anew on each run. label: "Law" where none is given. url: read the choice
    from the query parameter `key`, and keep it there. folded: the constants wait in an expander.
    Two pages that give the same key share the law. Every value is checked here, whatever the browser sent.
    """
    known = {p.id: p for p in all_laws("joint")}
    wished = _from_url(key, default, known) if url else default
    picker: Picker = st.session_state.setdefault(f"{key}~picker", Picker.of(known[wished]))
    _follow(picker, known, default)
    if picker.visit != visit():
        picker.visit = visit()
        picker.renew()
    for name, said in heard(f"{key}~panel"):
        picker.hear(name, said)
    names = {id: t("{name} (saved)", name=p.name) if p.saved else p.told("name") for id, p in known.items()}
    names[OWN] = t("My own constants")
    widget = f"{key}~pick~{picker.version}~{current()}"  # the browser keeps the chosen one by its name
    if widget not in st.session_state or not picker.start:
        picker.start = picker.choice
    st.selectbox(
        t("Law") if label is None else label,
        picker.options,
        index=picker.options.index(picker.start),
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
    with st.expander(t("Every constant")) if folded else st.container():
        panel(key, _knobs(picker, known[picker.base]), key=f"{key}~panel")
    if picker.choice != OWN:
        return known[picker.choice], known[picker.choice].joint
    back = escape_markdown(t("Back to {name}", name=known[picker.base].told("name")))
    st.button(back, key=f"{key}~reset", on_click=_back, args=(key,), width="stretch")
    law = law_from_constants(picker.form, picker.values)
    if isinstance(law, PowerLaw):
        raise InputError(t("law"), picker.form, t("it must be a law in N and D"))
    return None, law


def _follow(picker: Picker, known: dict[str, Preset], default: str) -> None:
    """Keep up with the laws there are: one that was deleted leaves its constants, one saved anew brings its own."""
    if picker.base not in known:
        picker.base = default
    if picker.choice != OWN and picker.choice not in known:
        note(t("This law was deleted from the saved ones; its constants are kept here as your own."), kind="warning")
        picker.choice = OWN
    elif picker.choice != OWN and known[picker.choice].law.constants != picker.values:
        picker.load(known[picker.choice])
    if picker.options != (options := (*known, OWN)):
        picker.options = options
        picker.renew()


def law_line(published: Preset | None) -> str:
    """Counting convention, range and source of the law in one line of plain text."""
    if published is None:
        return t("Your own constants: no source, and no range within which they were ever measured.")
    total = published.convention == "total"
    counts = t("N counts every parameter") if total else t("N leaves the embeddings out")
    if published.law.form == "muennighoff":
        counts = t("{counts}, every token is taken as new", counts=counts)
    spans = []
    if published.valid_N is not None:
        low, high = (format_quantity(end) for end in published.valid_N)
        spans.append(t("{low} to {high} parameters", low=low, high=high))
    if published.valid_D is not None:
        low, high = (format_quantity(end) for end in published.valid_D)
        spans.append(t("{low} to {high} tokens", low=low, high=high))
    fitted = t("fitted on {spans}", spans=listed(spans)) if spans else t("no range of validity")
    about = {"name": published.told("name"), "counts": counts, "fitted": fitted, "source": published.told("source")}
    if published.secondary:
        return t("{name}: {counts}; {fitted}. Source: {source}, read in a secondary source.", **about)
    return t("{name}: {counts}; {fitted}. Source: {source}.", **about)


def warn_of(published: Preset | None) -> None:
    """Why the law's numbers must not be trusted, where there is such a reason."""
    if published is not None and published.warning:
        note(t("{name}: {warning}", name=published.told("name"), warning=published.told("warning")), kind="warning")


def outside(published: Preset | None, **values: float) -> None:
    """Say which values lie outside the runs behind the law."""
    sentences = published.range_notes(**values) if published else ()
    if sentences:
        note(together(t("This is an extrapolation."), *sentences))


def _from_url(key: str, default: str, known: dict[str, Preset]) -> str:
    """The law that the address names, on the first visit; what it cannot name is said in a sentence, once."""
    asked = st.query_params.get(key)
    if asked is None or f"{key}~picker" in st.session_state or asked in known:
        return asked if asked in known else default
    allowed = t("it must be one of {names}", names=", ".join(known))
    note(str(InputError(t("law in the address"), asked, allowed)), kind="error")
    return default


def _knobs(picker: Picker, base: Preset) -> list[Knob]:
    """A knob for every constant of the form, in the order of the formula."""
    published = base.law.constants if base.law.form == picker.form else {}
    return [
        Knob(
            name=name,
            value=picker.values[name],
            label=constant.label,
            spoken=f"{constant.symbol} {constant.meaning()}",
            exactly=t("{symbol}, exactly", symbol=constant.symbol),
            low=constant.low,
            high=constant.high,
            step=constant.step,
            unit=constant.unit,
            published=published.get(name),
            wrong=retold(picker.wrong[name]) if name in picker.wrong else None,
            written=_written(picker.values[name]),
        )
        for name, constant in CONSTANTS[picker.form].items()
    ]


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
    picker.renew()
