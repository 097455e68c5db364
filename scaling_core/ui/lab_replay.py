"""A ladder that was trained already, run through again: its points land as they did, and the law is fitted with each.

That this is a recording stands above it at all times. What is shown at a moment is what `runs.replay` lets be seen.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import streamlit as st

from scaling_core.language import t, tn, together
from scaling_core.runs.replay import SPEEDS, Player, Speed, Tape, steps_until
from scaling_core.ui import lab_data, lab_html, lab_rows, lab_words
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_origin import history, machine_name
from scaling_core.ui.lab_player import changed, close_replay, player_of
from scaling_core.ui.lab_sweep import pictures, settled_law
from scaling_core.ui.page import answer, note, said, section, tongue
from scaling_core.ui.watch import watch
from scaling_core.units import format_duration
from scaling_core.viz.theme import Theme

TICK_SECONDS = 0.5
AHEAD = 8
"""Steps to come that are fitted meanwhile."""


def replay_view(theme: Theme, home: Path, sweep: str | None, whole: Snapshot | None) -> None:
    """The replay of a ladder that has ended, or with None of the one that came with the project.

    whole: what came of it, which is shown at the end; None where the ladder is gone.
    """
    if whole is None:
        st.info(t("This ladder was deleted. Choose another above, or begin a new one."))
        return
    tape = lab_data.tape(home, sweep)
    shown = sweep or "example"
    playing = player_of(shown, tape).playing
    pending = _law(tape, player_of(shown, tape), whole).pending
    st.html(_styles(theme))
    st.html(banner(whole))

    def body() -> None:
        player = player_of(shown, tape)
        fit = _law(tape, player, whole)
        _body(theme, shown, tape, player, whole, fit)
        if (player.playing, fit.pending) != (playing, pending):
            st.rerun()

    watch(body, every=TICK_SECONDS if playing or pending else None)


def banner(whole: Snapshot) -> str:
    """The line that says what this is, for as long as it is shown."""
    words = t(
        "Recording of {day} on {machine}. Nothing is being trained now.",
        day=lab_words.date(whole.row.created_at),
        machine=machine_name(whole),
    )
    return f"<p class='sl-replay' lang='{tongue()}' role='status'><b>{said(t('Replay'))}</b> {said(words)}</p>"


def _body(theme: Theme, shown: str, tape: Tape, player: Player, whole: Snapshot, fit: Fitted) -> None:
    ended = player.position >= tape.length
    seen = whole if ended else lab_data.moment(tape, player.position)
    found = lab_words.scores(seen.predictions, seen.status.runs)
    if player.position > 0.0 or player.playing:
        opening = lab_words.headline(seen.row, seen.status, found)
        answer("", opening.sentence, opening.detail)
    else:
        answer("", *_before(tape))
    _controls(shown, tape, player)
    pictures(theme, seen, fit, frame=whole)
    section(t("Every run"), t("Orange rows were never part of the fit: predicted first, then measured."))
    marked = [run.held_out for run in seen.status.runs]
    st.html(lab_html.table(lab_rows.run_columns(), lab_rows.run_rows(seen.status.runs, found), marked=marked))
    history(seen)


def _before(tape: Tape) -> tuple[str, str]:
    """What is about to be seen, and how."""
    runs = sum(run.loss is not None for run in tape.recording.runs)
    how = t("Every point appears when it was measured, and the law is fitted with what had been measured by then.")
    time = format_duration(tape.length)
    if tape.paused:
        how = together(how, t("Pauses between the trainings are left out."))
    return tn(
        "{n} run, trained in {time}: press Start.", "{n} runs, trained in {time}: press Start.", runs, time=time
    ), how


def _law(tape: Tape, player: Player, whole: Snapshot) -> Fitted:
    """The law through what had been measured then; at the end, what the ladder's own page shows."""
    settled = settled_law(whole) if whole.row.plan.spec.tunes or player.position >= tape.length else None
    if settled is not None and not settled.pending:
        return settled
    landings = tape.landings()
    steps = steps_until(landings, player.position)
    ahead = landings[len(steps) : len(steps) + AHEAD]
    law = lab_data.fitted_so_far([tape.runs_at(at) for at in steps], [tape.runs_at(at) for at in ahead])
    return law if settled is None else replace(law, pending=True)


def _controls(shown: str, tape: Tape, player: Player) -> None:
    """Start, pause, restart, the next point, the speed, and where on the tape this is."""
    speeds: dict[Speed, str] = {
        "1": t("Real time"),
        "10": "10×",
        "60": "60×",
        "300": "300×",
        "end": t("In 30 s"),
    }

    def do(change: str) -> None:
        turns = tape.turns()
        changed(
            shown,
            {
                "start": lambda player, now: player.played(now),
                "pause": lambda player, now: player.paused(now),
                "restart": lambda player, now: player.moved(0.0).played(now),
                "next": lambda player, now: player.next(turns, now),
            }[change],
        )

    def speed() -> None:
        chosen = st.session_state.get("lab.replay.speed")
        if chosen in SPEEDS:
            changed(shown, lambda player, now: player.at_speed(cast("Speed", chosen), now))

    def position() -> None:
        share = float(st.session_state["lab.replay.position"])
        changed(shown, lambda player, now: player.moved(share * player.length))

    with (
        st.container(key="lab-replay-controls"),
        st.container(horizontal=True, gap="small", vertical_alignment="center"),
    ):
        if player.playing:
            st.button(t("Pause"), key="lab.replay.pause", type="primary", on_click=do, args=("pause",))
        else:
            st.button(t("Start"), key="lab.replay.start", type="primary", on_click=do, args=("start",))
        st.button(t("Restart"), key="lab.replay.restart", on_click=do, args=("restart",))
        st.button(
            t("Next point"), key="lab.replay.next", on_click=do, args=("next",),
            help=t("To the next measured loss or prediction, and stop there."),
        )  # fmt: skip
        st.session_state["lab.replay.speed"] = player.speed
        st.segmented_control(
            t("Speed"), list(speeds), key="lab.replay.speed", required=True, on_change=speed,
            format_func=lambda name: speeds.get(name, str(name)), label_visibility="collapsed",
        )  # fmt: skip
        share = player.position / tape.length if tape.length > 0 else 1.0
        with st.container(key="lab-replay-bar"):
            if player.playing:
                st.progress(min(1.0, share))
            else:
                st.session_state["lab.replay.position"] = min(1.0, share)
                st.slider(
                    t("Position"), 0.0, 1.0, step=0.001, key="lab.replay.position", format="percent",
                    on_change=position, label_visibility="collapsed",
                )  # fmt: skip
        note(_where(tape, player))
        if st.button(t("Show the result"), key="lab.replay.close", type="tertiary"):
            close_replay()
            st.rerun()


def _where(tape: Tape, player: Player) -> str:
    """How far the tape is, and what the clock showed then."""
    moment = tape.moment(player.position)
    return t(
        "{now} of {all}, recorded at {clock}",
        now=_minutes(player.position),
        all=_minutes(tape.length),
        clock=lab_words.clock(moment, seconds=True, now=moment),
    )


def _minutes(seconds: float) -> str:
    """A span as a player writes it: 1:41, or 2:05:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _styles(theme: Theme) -> str:
    """The banner keeps to the top of the window, the bar keeps its height, and nothing pales while it is drawn anew."""
    return f"""<style>
[data-testid="stElementContainer"]:has(.sl-replay) {{ position: sticky; top: 3.75rem; z-index: 3; width: fit-content; }}
.sl-replay {{ margin: 0; padding: .35rem .9rem; border-radius: .5rem; font-size: 1.1rem; font-weight: 600;
  color: {theme.background}; background: {theme.accent_2}; width: fit-content; }}
.sl-replay b {{ margin-right: .5rem; text-transform: uppercase; letter-spacing: .06em; }}
[data-stale="true"] {{ opacity: 1 !important; transition: none !important; }}
.sl-answer {{ min-height: 4.5rem; }}
.sl-question:empty {{ display: none; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-lab-replay-bar) {{ flex: 1 1 8rem; min-width: 8rem; width: auto; }}
.st-key-lab-replay-bar {{ min-height: 2.6rem; justify-content: center; }}
.st-key-lab-replay-controls .sl-note {{ white-space: nowrap; font-variant-numeric: tabular-nums; }}
.st-key-lab-replay-controls button {{ white-space: nowrap; }}
</style>"""
