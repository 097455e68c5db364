"""The lab's page before Start: how long, on what, of which text, and one's own settings of the experiment."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from scaling_core.errors import InputError
from scaling_core.lab.known_texts import ORACLE, STDLIB, list_choices
from scaling_core.lab.options import Wish, parse_corpus
from scaling_core.lab.spec import PRECISIONS, CorpusSpec, Mode
from scaling_core.ui import lab_words
from scaling_core.ui.page import note

PATH, OTHER = "path", "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What the controls say; `corpus` is None while a path is missing, or where `wrong` says what is wrong with it."""

    device: str
    corpus: CorpusSpec | None
    wish: Wish
    wrong: str | None = None

    @property
    def mode(self) -> Mode:
        """The mode that was chosen."""
        return self.wish.mode


def choices(rate_sweeps: dict[str, str]) -> Choice:
    """Mode, device, text, and the settings. rate_sweeps: finished sweeps of rates, id to name."""
    modes = list(lab_words.MODES)
    mode = st.radio("How long", modes, format_func=lambda name: lab_words.MODES[name][0], key="lab.mode")
    note(lab_words.MODES[mode][1])
    device = st.selectbox(
        "Device", list(lab_words.DEVICES), format_func=lambda name: lab_words.DEVICES[name], key="lab.device"
    )
    words = _text()
    with st.expander("Your own settings"):
        tokens = None if words == ORACLE.word else _tokens()
        wish = _own(mode, rate_sweeps)
    corpus, wrong = None, None
    try:
        corpus = None if words is None else parse_corpus(words, tokens)
    except InputError as error:
        wrong = str(error)
    return Choice(device=device, corpus=corpus, wish=wish, wrong=wrong)


def _text() -> str | None:
    """The text in the words of the command line, None while it is not named."""
    known = {one.word: one for one in list_choices()}
    others = {PATH: "A file or folder", OTHER: "Another dataset of Hugging Face"}
    word = st.selectbox(
        "Text",
        [*known, *others],
        format_func=lambda word: known[word].title if word in known else others.get(word, word),
        key="lab.corpus",
        help="The standard library's source is on every machine that runs this, so nothing is downloaded. "
        "A file or folder of your own is only ever read.",
    )
    if word == PATH:
        return _line("lab.path", "Path", "/Users/me/texts", "A text file, or a folder whose text files are read.")
    if word == OTHER:
        name = _line("lab.dataset", "Dataset", "OWNER/NAME", "Or OWNER/NAME:CONFIG:FIELD, with its part and its column")
        return name and f"hf:{name}"
    if word != STDLIB.word:
        note(known[word].about + (" Downloaded once, up to 256 MB, and kept." if known[word].dataset else ""))
    return str(word)


def _tokens() -> str:
    """Bytes, or a vocabulary trained on the text, in the words of the command line."""
    kind = st.radio(
        "Tokens", ["bytes", "bpe"], format_func={"bytes": "Bytes", "bpe": "BPE"}.get, horizontal=True, key="lab.tokens",
        help="BPE: a vocabulary trained on the text itself. It makes the smallest models mostly embedding; losses are "
        "then compared in bits per byte.",
    )  # fmt: skip
    if kind != "bpe":
        return "bytes"
    return f"bpe-{st.selectbox('Vocabulary', ['512', '1024', '2048', '4096'], index=1, key='lab.vocab')}"


def _line(key: str, label: str, placeholder: str, help: str) -> str | None:
    text = st.text_input(label, key=key, placeholder=placeholder, max_chars=1024, autocomplete="off", help=help)
    return (text or "").strip() or None


def _own(mode: Mode, rate_sweeps: dict[str, str]) -> Wish:
    """Everything that a mode decides and a person may decide instead. What is wrong in a field the plan says."""
    tunes = (
        st.radio(
            "What is trained",
            ["ladder", "rates"],
            format_func={"ladder": "A ladder", "rates": "A few sizes at several rates"}.get,
            key="lab.own.what",
            help="The rate matters more than anything else in a ladder. A sweep of rates finds the best one of a few "
            "sizes; a ladder can then take its rate from there.",
        )
        == "rates"
    )
    typed: dict[str, str | None] = {}
    typed["sizes"] = _field(
        "sizes", "Sizes", "as many as fit", "How many, 3 to 8; or layers x width: 2x32, 4x64, 4x128"
    )
    typed["horizons"] = _field("horizons", "Tokens per parameter", "as fit", "At which a run is cooled: 5, 10, 20")
    if tunes:
        typed["factors"] = _field("factors", "Rates, times the rule's", "0.25, 0.5, 1, 2, 4", "At least three")
    else:
        typed["seeds"] = _field("seeds", "Seeds of each size", "by mode", "How often each is trained: 3, 2, 1, 1, 1")
        typed["held_out"] = _field("held_out", "Sizes foretold", "1", "The largest, predicted before they are measured")
        typed["minutes"] = _field("minutes", "Minutes", "by mode", "Your own time budget")
        typed["max_steps"] = _field("max_steps", "Most steps of a run", "no limit", "Longer horizons end there")
    typed["context"] = _field("context", "Context, tokens", "128", "Tokens of a sequence, 8 to 8192")
    typed["dropout"] = _field("dropout", "Dropout", "0", "Share of activations dropped in training")
    chosen = st.selectbox(
        "Precision", PRECISIONS, key="lab.own.precision",
        help="bfloat16 pays on devices with units for it; the measurement of the machine says whether it would here.",
    )  # fmt: skip
    typed["precision"] = None if chosen == PRECISIONS[0] else chosen
    rates = stop_early = None
    if not tunes:
        if rate_sweeps:
            rates = st.selectbox(
                "Rate from", ["", *rate_sweeps], format_func=lambda id: rate_sweeps.get(id, "the rule"),
                key="lab.own.rates",
            )  # fmt: skip
        if st.toggle(
            "Stop a run once its end is certain", key="lab.own.early",
            help="Its loss is then foretold from its curve and marked as such; the fit leaves it out.",
        ):  # fmt: skip
            stop_early = _field("stop_early", "Certain to", "4%", "Half width of the 95% interval") or "4%"
    given = {name: value for name, value in typed.items() if value is not None}
    return Wish(mode=mode, tunes=tunes, rates=rates or None, stop_early=stop_early, **given)


def _field(name: str, label: str, placeholder: str, help: str) -> str | None:
    """A typed setting, None while it is empty."""
    text = st.text_input(
        label, key=f"lab.own.{name}", placeholder=placeholder, help=help, max_chars=120, autocomplete="off"
    )
    return (text or "").strip() or None
