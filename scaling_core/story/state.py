"""What makes up the picture of a page: one table that names every choice of every page, and reads it from a file.

A scene stores the choices that differ from where a page begins; what it does not name is at its beginning. Widgets are
not known here: `ui.scenes` captures a page by this table, and brings it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scaling_core.errors import InputError, ScalingError
from scaling_core.fit.intervals import INTERVALS
from scaling_core.hardware import devices
from scaling_core.language import t
from scaling_core.laws import FORMS, Law, PowerLaw, law_from_constants
from scaling_core.library import find_law
from scaling_core.story.checked import finite, is_id, plain_text, short_id, shown
from scaling_core.story.plan_choices import PLAN_CHOICES, PLAN_NUMBERS
from scaling_core.units import parse_quantity

Kind = Literal["law", "pins", "axes", "number", "choice", "toggle", "names", "line", "lines", "address"]
State = Mapping[str, Any]
OWN = "own"
"""The choice of a law that is the reader's."""
MOST_PINS = 4
MOST_AXIS = 1e30
LATEST = "latest"
"""A ladder of the lab: the one that trains, else the last that was finished here, else the recorded one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One choice of a page.

    name: in a scene, and the key of its widget. kind: "law" and "pins" of a law picker, "axes" of its picture,
    "number" a typed quantity, "choice" one of `options` (any id where none are given), "toggle" on or off, "names"
    some of several, "line" a typed text, "lines" up to twelve, "address" what lives in the address alone.
    default: where the page begins. low, high: of a number. address: whether the page reads it there too.
    """

    name: str
    kind: Kind
    default: Any = ""
    options: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1e40
    address: bool = False

    def read(self, value: object) -> Any:
        """The value as the page may take it; raises InputError for any other."""
        if self.kind == "law":
            return read_law(value)
        if self.kind == "pins":
            return read_pins(value)
        if self.kind == "axes":
            return read_axes(value)
        if self.kind == "toggle":
            if isinstance(value, bool):
                return value
            raise InputError(self.name, shown(value), t("it must be on or off"))
        if self.kind in ("names", "lines"):
            some = value if isinstance(value, (list, tuple)) and len(value) <= 12 else [None]
            ids = self.kind == "names"
            return [short_id(self.name, one) if ids else plain_text(self.name, one, 120) for one in some]
        text = plain_text(self.name, value, 120, empty=True)
        if self.kind == "number":
            parse_quantity(text, field=self.name, minimum=self.low, maximum=self.high, allow_zero=self.low == 0)
        elif self.kind in ("choice", "address") and not self._among(text):
            names = ", ".join(self.options) or t("a short id")
            raise InputError(self.name, text, t("it must be one of {names}", names=names))
        return text

    def _among(self, text: str) -> bool:
        return text in self.options if self.options else is_id(text)


def _number(name: str, default: str, low: float = 0.0, high: float = 1e40, *, address: bool = False) -> Part:
    return Part(name=name, kind="number", default=default, low=low, high=high, address=address)


def _choice(name: str, *options: str, address: bool = False) -> Part:
    return Part(name=name, kind="choice", default=options[0], options=options, address=address)


def _line(name: str) -> Part:
    return Part(name=name, kind="line")


_LAW = Part(name="law", kind="law", default="hoffmann2022", address=True)
_COMPUTE = _number("C", "3.15e23", 1e12, 1e32, address=True)
_FIT_FORMS = ("chinchilla", "kaplan", "gadre", "power-N", "power-D", "power-C",
              "power-N-offset", "power-D-offset", "power-C-offset")  # fmt: skip
_OWN_SETTINGS = ("sizes", "horizons", "factors", "seeds", "held_out", "minutes", "max_steps", "context", "dropout",
                 "stop_early")  # fmt: skip
COMPARED = ("hoffmann2022", "besiroglu2024", "kaplan2020-joint")
"""Laws beside a fit, where nobody chose others."""
PICTURES = ("power", "emergence", "test-time")
"""The pictures of the page of the story itself; without one it shows the list of scenes."""

PARTS: Mapping[str, tuple[Part, ...]] = {
    "calculator": (
        _LAW,
        Part(name="pins", kind="pins", default=()),
        Part(name="axes", kind="axes", default=()),
        _COMPUTE,
        _number("N", "175B", 1e3, 1e18, address=True),
        _number("D", "300B", 1e3, 1e20, address=True),
        _choice("given", "C", "N", "D", "loss"),
        _number("given.N", "70B", 1e3, 1e24),
        _number("given.D", "1.4T", 1e3, 1e24),
        _number("given.loss", "2.0", 1e-3, 1e24),
    ),
    "models": (_LAW,),
    "beyond": (
        _LAW,
        _COMPUTE,
        _number("served", "10T", 1.0, 1e24, address=True),
        _number("times", "2", 1.0, 1000.0),
        _number("unique", "100B", 1e6, 1e20, address=True),
    ),
    "plan": (
        _LAW,
        _choice("plan.given", "days", "usd", "C", "loss", "N", "D"),
        _number("plan.days", "30", 1e-6, 1e6),
        _number("plan.usd", "10K", 1e-3, 1e15),
        _number("plan.C", "1e21", 1e12, 1e32),
        _number("plan.loss", "2.4", 1e-3, 1e3),
        _number("plan.N", "7B", 1e3, 1e18),
        _number("plan.D", "100B", 1e3, 1e20),
        Part(name="plan.hardware", kind="choice", default="a100-80gb"),
        _number("plan.own", "100", 1e-6, 1e9),
        _number("plan.count", "1", 1, 1e6),
        _number("plan.mfu", "40", 1, 100),
        *(_line(f"plan.price.{id}") for id in (*(one.id for one in devices() if one.peaks), "own", "measured")),
        Part(name="plan.model", kind="choice", default="gpt3"),
        *(_choice(*one) for one in PLAN_CHOICES),
        *(_number(*one) for one in PLAN_NUMBERS),
        Part(name="plan.configurations", kind="lines", default=()),
    ),
    "fit": (
        Part(name="fit.source", kind="choice", default="example"),
        _choice("fit.approach", "parametric", "isoflop", "envelope"),
        _choice("fit.method", "profile", "parabola", "interpolate"),
        Part(name="fit.form", kind="choice", default="chinchilla"),
        _choice("fit.objective", "huber-log", "lad", "ls-log", "ls"),
        _number("fit.delta", "0.001", 1e-6, 10.0),
        Part(name="fit.shared.chinchilla", kind="toggle", default=False),
        Part(name="fit.weights", kind="toggle", default=False),
        Part(name="fit.far", kind="toggle", default=False),
        Part(name="fit.held_out", kind="toggle", default=False),
        *(Part(name=f"fit.hold.{form}", kind="names", default=()) for form in _FIT_FORMS),
        *(Part(name=f"fit.{limit}", kind="line", default="all") for limit in ("N_low", "N_high", "loss_high")),
        Part(name="fit.resampling.parametric", kind="choice", default="auto"),
        *(Part(name=f"fit.interval.{name}", kind="choice", default=name) for name in INTERVALS),
        Part(name="fit.compare", kind="names", default=COMPARED),
        _choice("fit.refits", "400", "1000", "4000"),
    ),
    "demo": (
        Part(name="planted", kind="law", default="hoffmann2022"),
        _number("demo.N_low", "10M", 1e3, 1e13),
        _number("demo.N_high", "10B", 1e3, 1e13),
        _number("demo.D_low", "200M", 1e3, 1e14),
        _number("demo.D_high", "200B", 1e3, 1e14),
        _number("demo.sizes", "7", 2, 40),
        _number("demo.horizons", "8", 2, 40),
        _number("demo.noise", "0.005", 0, 0.5),
        _number("demo.seed", "0", 0, 2**31 - 1),
    ),
    "lab": (
        Part(name="sweep", kind="address", default="new", address=True),
        Part(name="replay", kind="address", address=True),
        Part(name="lab.mode", kind="choice", default="live"),
        Part(name="lab.corpus", kind="choice", default="stdlib"),
        _choice("lab.against", "compute", "size"),
        Part(name="lab.closer", kind="choice", default=""),
        _choice("lab.own.what", "ladder", "rates"),
        *(_line(f"lab.own.{name}") for name in _OWN_SETTINGS),
        _choice("lab.tokens", "bytes", "bpe"),
        Part(name="lab.vocab", kind="choice", default="1024", options=("512", "1024", "2048", "4096")),
        _choice("lab.own.precision", "float32", "bfloat16"),
        Part(name="lab.own.early", kind="toggle", default=False),
    ),
    "talk": (
        Part(name="verdict", kind="choice", default="all", address=True),
        Part(name="source", kind="choice", default="all", address=True),
    ),
    "learn": (),
    "story": (
        Part(name="picture", kind="address", options=("", *PICTURES), address=True),
        _LAW,
        _choice("power.law", "kaplan2020-n", "kaplan2020-d", "kaplan2020-c"),
        _number("power.floor", "0", 0, 10.0),
        _number("emergence.tokens", "10", 1, 1000),
        _choice("emergence.share", "above", "whole"),
        _choice("emergence.scale", "linear", "log"),
        _number("thinking.b", "0.4", 0.01, 2.0),
        _number("thinking.start", "2", 1e-4, 100.0),
    ),
}
"""By page, the part of its address; in the order in which they are brought back."""


def part(page: str, name: str) -> Part:
    """The choice of this name on a page; raises KeyError where there is none."""
    return next(one for one in PARTS[page] if one.name == name) if page in PARTS else _missing(page)


def _missing(page: str) -> Part:
    raise KeyError(page)


def read_state(page: str, value: object) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The choices that the page takes, and a sentence for each that it does not; unknown names are passed over.

    Raises InputError where it is no table at all, or the page is none.
    """
    if page not in PARTS:
        raise InputError("page", shown(page), t("it must be one of {known}", known=", ".join(PARTS)))
    if not isinstance(value, Mapping) or len(value) > 100:
        raise InputError("state", shown(value), t("it must be a table of names and values"))
    kept: dict[str, Any] = {}
    problems: list[str] = []
    for one in PARTS[page]:
        if one.name in value:
            try:
                kept[one.name] = one.read(value[one.name])
            except ScalingError as error:
                problems.append(error.args[0])
    return kept, tuple(problems)


# ---- laws


def read_law(value: object) -> str | dict[str, Any]:
    """A law of a scene: the id of one, or {choice, base, form, values} with its constants.

    With constants it can be shown where a law of that id is not known, or is another one.
    """
    if isinstance(value, str):
        return short_id("law", value)
    if not isinstance(value, Mapping):
        raise InputError("law", shown(value), t("it must be the id of a law, or a table with its constants"))
    form, values = short_id("form", value.get("form")), _constants(value.get("values"))
    _law(form, values)
    return {"choice": short_id("law", value.get("choice")), "base": short_id("law", value.get("base")), "form": form,
            "values": values}  # fmt: skip


def read_pins(value: object) -> list[str | dict[str, Any]]:
    """Pinned laws: ids, or {name, form, values}; raises InputError for anything else, and for more than four."""
    if not isinstance(value, (list, tuple)) or len(value) > MOST_PINS:
        raise InputError("pins", shown(value), t("it must be a list of at most {n} laws", n=MOST_PINS))
    pins: list[str | dict[str, Any]] = []
    for one in value:
        if isinstance(one, Mapping):
            form, values = short_id("form", one.get("form")), _constants(one.get("values"))
            _law(form, values)
            pins.append({"name": plain_text("name", one.get("name"), 24), "form": form, "values": values})
        else:
            pins.append(short_id("law", one))
    return pins


def read_axes(value: object) -> list[list[float]]:
    """Both axes of a picture that keeps them while constants change, [low, high] each, or none at all."""
    pairs: Sequence[Any] = value if isinstance(value, (list, tuple)) else [None]
    if len(pairs) in (0, 2) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        read = [[finite("axes", end) for end in pair] for pair in pairs]
        if all(0 < low < high <= MOST_AXIS and high / low < MOST_AXIS for low, high in read):
            return read
    raise InputError("axes", shown(value), t("they must be two ranges of positive numbers"))


def law_of(value: str | Mapping[str, Any]) -> Law:
    """The law that a state names, by its constants where they are there; raises InputError where it is not known."""
    return find_law(value).joint if isinstance(value, str) else _law(value["form"], value["values"])


def spelled(page: str, state: State) -> dict[str, Any]:
    """The state with the constants of every law that it names, and of the one that the page begins with.

    A law that is not known is left as it is.
    """
    told = dict(state)
    for one in PARTS[page]:
        if one.kind == "law":
            told[one.name] = _spelled(chosen(state, page, one.name))
    if "pins" in told:
        told["pins"] = [_spelled_pin(pin) for pin in told["pins"]]
    return told


def _spelled(value: str | dict[str, Any]) -> str | dict[str, Any]:
    try:
        if isinstance(value, str):
            law = find_law(value).joint
            return {"choice": value, "base": value, "form": law.form, "values": law.constants}
    except ScalingError:
        pass
    return value


def _spelled_pin(value: str | dict[str, Any]) -> str | dict[str, Any]:
    try:
        if isinstance(value, str):
            law = find_law(value)
            return {"name": law.told("short_name")[:24], "form": law.joint.form, "values": law.joint.constants}
    except ScalingError:
        pass
    return value


def _law(form: str, values: Mapping[str, float]) -> Law:
    law = law_from_constants(form, values)
    if isinstance(law, PowerLaw):
        raise InputError("form", form, t("it must be one of {names}", names=", ".join(FORMS)))
    return law


def _constants(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or not 0 < len(value) <= 12:
        raise InputError("constants", shown(value), t("they must be a table of names and numbers"))
    return {short_id("constant", name): finite(str(name), number) for name, number in value.items()}


def changed(page: str, state: State) -> dict[str, Any]:
    """The state without what is as the page begins."""
    begun = {one.name: list(one.default) if isinstance(one.default, tuple) else one.default for one in PARTS[page]}
    return {name: value for name, value in state.items() if name in begun and value != begun[name]}


def number_of(state: State, page: str, name: str) -> float:
    """The number of a typed quantity, that of the page's beginning where the state does not name it."""
    one = part(page, name)
    return parse_quantity(str(state.get(name, one.default)), field=name, allow_zero=True)


def chosen(state: State, page: str, name: str) -> Any:
    """A choice of the state, or where the page begins."""
    return state.get(name, part(page, name).default)


def laws_of(state: State, names: Sequence[str] = ("law", "planted")) -> list[str]:
    """Ids of the laws that a state names."""
    found = [state[name] for name in names if name in state] + list(state.get("pins", ()))
    return [one if isinstance(one, str) else str(one.get("choice", OWN)) for one in found]
