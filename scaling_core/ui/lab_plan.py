"""The lab's page before Start: what will happen, the choices, and the plan for this machine."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from scaling_core.errors import DeviceError, InputError, ScalingError, SweepError
from scaling_core.lab.corpus import Corpus, load_corpus
from scaling_core.lab.options import Wish, plan_of
from scaling_core.lab.records import Calibration, Plan
from scaling_core.lab.spec import CorpusSpec
from scaling_core.lab.surroundings import plan_cautions
from scaling_core.language import t, together
from scaling_core.runs import calibrations, supervisor
from scaling_core.runs.liveness import shown_state
from scaling_core.runs.rows import SweepRow
from scaling_core.ui import lab_data, lab_html, lab_rows, lab_words
from scaling_core.ui.lab_charts import show_spec
from scaling_core.ui.lab_wish import Choice, choices
from scaling_core.ui.page import answer, escape_markdown, failure, figures, note, section
from scaling_core.ui.watch import watch
from scaling_core.units import format_bytes, format_duration, format_flops
from scaling_core.viz.lab import plan_chart
from scaling_core.viz.lab_frames import plan_frame
from scaling_core.viz.theme import Theme

POLL_SECONDS = 0.7
FLASH = "lab.flash"
"""Session key of a sentence that outlives one rerun."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A plan, with what it was made from."""

    plan: Plan
    calibration: Calibration
    corpus: Corpus


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Work under way: what it is, in words, and the work to wait for."""

    sentence: str
    work: Future[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Why there is no plan, in a sentence, and what to forget so that it is tried again (or None)."""

    sentence: str
    key: tuple[Any, ...] | None = None


def new_ladder(theme: Theme, home: Path, rows: list[SweepRow]) -> None:
    """The whole view: choices and Start on the left, the plan on the right, the explanation and the past below."""
    answer(
        t("Run on my Mac"),
        t("Train a ladder of small GPT-style models here, and predict the largest before it is trained."),
        t("Real text, real training, on this machine and offline. It goes on when this page is closed."),
    )
    left, right = st.columns([4, 8], gap="large")
    with left:
        choice = choices(_rate_sweeps(home, rows))
        found = consider(home, choice)
        _start(home, rows, found)
    with right:
        _panel(theme, home, found)
    section(t("What will happen"))
    st.html(lab_html.explanation())
    if isinstance(found, Ready):
        _sizes(found.plan, found.corpus)


def consider(home: Path, choice: Choice) -> Ready | Waiting | Refused:
    """The plan for a choice, as far as it can be known now; begins what is missing, one thing after the other.

    The text is read only when the machine is measured, since reading would slow what is being measured.
    """
    if choice.corpus is None:
        return Refused(sentence=choice.wrong or t("Name a file or a folder to read, or a dataset."))
    corpus, at_work = choice.corpus, lab_data.background()
    measure_key = ("measure", str(home), choice.device)
    calibration = calibrations.calibration(home, choice.device)
    if calibration is None:
        measuring = at_work.ask(measure_key, lambda: supervisor.measure(choice.device, home))
        if not measuring.done():
            return Waiting(sentence=t("Measuring what this machine can do, about ten seconds …"), work=measuring)
        if (failed := measuring.exception()) is not None:
            if isinstance(failed, SweepError):
                at_work.forget(measure_key)
            return Refused(sentence=failure(failed), key=measure_key)
        calibration = measuring.result()
        at_work.forget(measure_key)
    corpus_key = ("corpus", str(home), corpus)
    reading = at_work.ask(corpus_key, lambda: load_corpus(corpus, home / "corpora"))
    lab_data.patience(reading)
    if not reading.done():
        return Waiting(sentence=t("Reading the text …"), work=reading)
    if (failed := reading.exception()) is not None:
        return Refused(sentence=failure(failed), key=corpus_key)
    text: Corpus = reading.result()
    try:
        plan = _plan(choice.wish, calibration, corpus, home, text.train.size)
    except ScalingError as error:
        return Refused(sentence=str(error), key=None if isinstance(error, InputError) else measure_key)
    return Ready(plan=plan, calibration=calibration, corpus=text)


@lru_cache(maxsize=32)
def _plan(wish: Wish, calibration: Calibration, corpus: CorpusSpec, home: Path, unique_tokens: int) -> Plan:
    return plan_of(wish, calibration, corpus, home=home, unique_tokens=unique_tokens)


def _rate_sweeps(home: Path, rows: list[SweepRow]) -> dict[str, str]:
    """Finished sweeps of rates, id to name."""
    return {
        row.id: lab_words.sweep_name(row)
        for row in rows
        if row.plan.spec.tunes and shown_state(row, home) == "finished"
    }


def _start(home: Path, rows: list[SweepRow], found: Ready | Waiting | Refused) -> None:
    """The Start button, and what became of pressing it."""
    pressed = st.button(
        t("Start training"), type="primary", key="lab.start", width="stretch", disabled=not isinstance(found, Ready)
    )
    running = next((row for row in rows if shown_state(row, home) == "running"), None)
    if running is not None:
        note(t("{ladder} is training; one at a time runs on a device.", ladder=lab_words.sweep_name(running)))
    if not pressed or not isinstance(found, Ready):
        return
    try:
        plan_cautions(found.plan, home)
        with st.spinner(t("Starting: its own process loads torch and checks the device.")):
            started = supervisor.start(found.plan, home)
    except SweepError as error:
        if running is None:
            running = running_now(home)
        if running is None:
            st.error(escape_markdown(str(error)))
            return
        st.session_state[FLASH] = str(error)
        go_to(running.id)
    except (InputError, DeviceError) as error:
        st.error(escape_markdown(str(error)))
        return
    else:
        go_to(started.sweep)


def running_now(home: Path) -> SweepRow | None:
    """The sweep that trains now, or None."""
    rows = lab_data.sweeps(home)
    return next((row for row in rows if shown_state(row, home) == "running"), None)


def go_to(sweep: str) -> None:
    """Show that sweep from now on: it goes into the address, and the page runs again."""
    st.query_params["sweep"] = sweep
    st.rerun()


def _panel(theme: Theme, home: Path, found: Ready | Waiting | Refused) -> None:
    """The plan in figures and in a picture, or why it is not there yet."""
    if isinstance(found, Refused):
        section(t("The plan for this machine"))
        st.warning(escape_markdown(found.sentence))
        if found.key is not None and st.button(t("Try again"), key="lab.again"):
            lab_data.background().forget(found.key)
            st.rerun()
        return
    if isinstance(found, Waiting):
        _wait(found)
        return
    plan, spec = found.plan, found.plan.spec
    section(
        t("The plan for this machine"),
        t(
            "{device}, measured {clock}. Text: {text}, {train} to learn from, {validation} set aside to measure on.",
            device=found.calibration.device_name,
            clock=lab_words.clock(found.calibration.made_at),
            text=found.corpus.name,
            train=format_bytes(found.corpus.train_bytes),
            validation=format_bytes(found.corpus.validation_bytes),
        ),
    )
    decades = max(run.flops for run in plan.runs) / min(run.flops for run in plan.runs)
    figures(
        [
            (t("Time"), format_duration(plan.seconds)),
            (t("Sizes × lengths"), f"{len(spec.shapes)} × {len(spec.horizons)}"),
            ("FLOP", format_flops(sum(run.flops for run in plan.runs)).removesuffix(" FLOP")),
            (t("Compute range"), f"{decades:,.0f}×"),
            (t("Memory"), format_bytes(plan.memory_bytes)),
        ]
    )
    if warnings := (*plan.warnings, *_cautions(plan, home)):
        st.html(lab_html.warnings(warnings))
    show_spec(
        plan_chart(plan, theme),
        {"plan": plan_frame(plan)},
        key="plan",
        alt=t("Planned runs by parameters and tokens; the largest size is predicted before it is trained."),
        title=t("The plan"),
    )
    note(t("Each mark is a run: filled blue enters the fit, open orange is predicted first and then measured."))
    if running_now(home) is None and st.button(
        t("Measure this machine again"),
        type="tertiary",
        key="lab.measure",
        help=t("After something else kept it busy."),
    ):
        calibrations.forget(home, found.calibration.device)
        st.rerun()


def _cautions(plan: Plan, home: Path) -> tuple[str, ...]:
    """What speaks against beginning now: battery, memory, disk."""
    try:
        return plan_cautions(plan, home)
    except DeviceError as error:
        return (str(error),)


def _wait(found: Waiting) -> None:
    """Says what is waited for, and looks every moment whether it is there; other viewers notice nothing."""
    section(t("The plan for this machine"), found.sentence)
    began = time.monotonic()

    def look() -> None:
        if found.work.done():
            st.rerun()
        share = min(0.95, (time.monotonic() - began) / 12.0)
        st.progress(share, text=t("Nothing is trained before you press Start."))

    watch(look, every=POLL_SECONDS)


def _sizes(plan: Plan, corpus: Corpus) -> None:
    """A row for every size."""
    counted = t("N counts the parameters that multiply an activation, blocks and output matrix, as in C = 6 N D.")
    if corpus.tokens == "bytes":
        unit = t("A token is a byte.")
    else:
        kind = t("oracle") if corpus.tokens == "oracle" else corpus.tokens
        unit = t("Tokens: {kind}, {n:,} of them.", kind=kind, n=corpus.vocab_size)
    section(t("Every size, and what it costs here"), together(counted, unit))
    marked = [rung.runs[0].held_out for rung in plan.sizes]
    st.html(lab_html.table(lab_rows.plan_columns(), lab_rows.plan_rows(plan), marked=marked))
