"""The lab's page before Start: how long, on what, of which text, and one's own settings of the experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import streamlit as st

from scaling_core.errors import InputError
from scaling_core.lab.known_texts import ORACLE, STDLIB, list_choices
from scaling_core.lab.options import Wish, parse_corpus
from scaling_core.lab.spec import PRECISIONS, CorpusSpec, Mode
from scaling_core.language import t, tdata, together
from scaling_core.ui import lab_words
from scaling_core.ui.inputs import choice_input, radio_input
from scaling_core.ui.page import note

PATH, OTHER = "path", "other"
VOCABULARIES = ("512", "1024", "2048", "4096")


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
    modes, devices = lab_words.modes(), lab_words.devices()
    mode = cast("Mode", radio_input(t("How long"), "lab.mode", {name: words[0] for name, words in modes.items()}))
    note(modes[mode][1])
    device = choice_input(t("Device"), "lab.device", devices)
    words = _text()
    with st.expander(t("Your own settings")):
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
    others = {PATH: t("A file or folder"), OTHER: t("Another dataset of Hugging Face")}
    names = {word: tdata(one.title) for word, one in known.items()} | others
    word = choice_input(
        t("Text"),
        "lab.corpus",
        names,
        help=t(
            "The standard library's source is on every machine that runs this, so nothing is downloaded. "
            "A file or folder of your own is only ever read."
        ),
    )
    if word == PATH:
        about = t("A text file, or a folder whose text files are read.")
        return _line("lab.path", t("Path"), "/Users/me/texts", about)
    if word == OTHER:
        about = t("Or OWNER/NAME:CONFIG:FIELD, with its part and its column")
        name = _line("lab.dataset", t("Dataset"), "OWNER/NAME", about)
        return name and f"hf:{name}"
    if word != STDLIB.word:
        kept = t("Downloaded once, up to 256 MB, and kept.") if known[word].dataset else ""
        note(together(tdata(known[word].about), kept))
    return word


def _tokens() -> str:
    """Bytes, or a vocabulary trained on the text, in the words of the command line."""
    kind = radio_input(
        t("Tokens"),
        "lab.tokens",
        {"bytes": t("Bytes"), "bpe": "BPE"},
        horizontal=True,
        help=t(
            "BPE: a vocabulary trained on the text itself. It makes the smallest models mostly embedding; losses are "
            "then compared in bits per byte."
        ),
    )
    if kind != "bpe":
        return "bytes"
    size = choice_input(t("Vocabulary"), "lab.vocab", {size: size for size in VOCABULARIES}, default="1024")
    return f"bpe-{size}"


def _line(key: str, label: str, placeholder: str, help: str) -> str | None:
    text = st.text_input(label, key=key, placeholder=placeholder, max_chars=1024, autocomplete="off", help=help)
    return (text or "").strip() or None


def _own(mode: Mode, rate_sweeps: dict[str, str]) -> Wish:
    """Everything that a mode decides and a person may decide instead. What is wrong in a field the plan says."""
    tunes = (
        radio_input(
            t("What is trained"),
            "lab.own.what",
            {"ladder": t("A ladder"), "rates": t("A few sizes at several rates")},
            help=t(
                "The rate matters more than anything else in a ladder. A sweep of rates finds the best one of a few "
                "sizes; a ladder can then take its rate from there."
            ),
        )
        == "rates"
    )
    typed: dict[str, str | None] = {}
    typed["sizes"] = _field(
        "sizes", t("Sizes"), t("as many as fit"), t("How many, 3 to 8; or layers x width: 2x32, 4x64, 4x128")
    )
    typed["horizons"] = _field(
        "horizons", t("Tokens per parameter"), t("as fit"), t("At which a run is cooled: 5, 10, 20")
    )
    if tunes:
        typed["factors"] = _field("factors", t("Rates, times the rule's"), "0.25, 0.5, 1, 2, 4", t("At least three"))
    else:
        typed["seeds"] = _field(
            "seeds", t("Seeds of each size"), t("by mode"), t("How often each is trained: 3, 2, 1, 1, 1")
        )
        typed["held_out"] = _field(
            "held_out", t("Sizes foretold"), "1", t("The largest, predicted before they are measured")
        )
        typed["minutes"] = _field("minutes", t("Minutes"), t("by mode"), t("Your own time budget"))
        typed["max_steps"] = _field(
            "max_steps", t("Most steps of a run"), t("no limit"), t("Longer horizons end there")
        )
    typed["context"] = _field("context", t("Context, tokens"), "128", t("Tokens of a sequence, 8 to 8192"))
    typed["dropout"] = _field("dropout", t("Dropout"), "0", t("Share of activations dropped in training"))
    pays = t("bfloat16 pays on devices with units for it; the measurement of the machine says whether it would here.")
    chosen = choice_input(t("Precision"), "lab.own.precision", {one: one for one in PRECISIONS}, help=pays)
    typed["precision"] = None if chosen == PRECISIONS[0] else chosen
    rates = stop_early = None
    if not tunes:
        if rate_sweeps:
            rates = choice_input(t("Rate from"), "lab.own.rates", {"": t("the rule"), **rate_sweeps})
        if st.toggle(
            t("Stop a run once its end is certain"), key="lab.own.early",
            help=t("Its loss is then foretold from its curve and marked as such; the fit leaves it out."),
        ):  # fmt: skip
            stop_early = _field("stop_early", t("Certain to"), "4%", t("Half width of the 95% interval")) or "4%"
    given = {name: value for name, value in typed.items() if value is not None}
    return Wish(mode=mode, tunes=tunes, rates=rates or None, stop_early=stop_early, **given)


def _field(name: str, label: str, placeholder: str, help: str) -> str | None:
    """A typed setting, None while it is empty."""
    text = st.text_input(
        label, key=f"lab.own.{name}", placeholder=placeholder, help=help, max_chars=120, autocomplete="off"
    )
    return (text or "").strip() or None
