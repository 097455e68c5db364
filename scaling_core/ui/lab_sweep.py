"""The lab's page on one ladder: how far it is, its curves, its law, the prediction; stop, resume, delete, download."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from scaling_core.errors import ScalingError
from scaling_core.fit import FitResult
from scaling_core.language import t
from scaling_core.runs import results, supervisor
from scaling_core.runs.tuning import rate_bowls
from scaling_core.ui import lab_data, lab_html, lab_rows, lab_words
from scaling_core.ui.download import download
from scaling_core.ui.lab_charts import show_spec
from scaling_core.ui.lab_closer import closer
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_extend import extend
from scaling_core.ui.lab_law import law_so_far, truth_note
from scaling_core.ui.lab_origin import history, machine_name, recorded_words
from scaling_core.ui.lab_player import replay_button
from scaling_core.ui.page import answer, escape_markdown, note, section
from scaling_core.ui.watch import watch
from scaling_core.units import format_bytes, format_duration, format_loss, format_quantity
from scaling_core.viz import lab_frames
from scaling_core.viz.lab import highest_loss, law_chart, learning_chart, loss_domain, loss_floor
from scaling_core.viz.lab_rates import bowl_chart
from scaling_core.viz.theme import Theme

POLL_SECONDS = 1.5
ROOM = 1.08
"""Above the highest loss, for the law and its names, where the axes are fixed before it is known."""
DELETING = "lab.deleting"
"""Session key of the sweep that a person is asked about."""


def sweep_view(theme: Theme, home: Path, sweep: str) -> None:
    """Everything about one sweep; looks again every moment while it trains, and only then."""
    asked = st.session_state.get(DELETING)
    first = _watch(theme, home, lambda: lab_data.snapshot(home, sweep))
    if first is None:
        st.info(t("This ladder was deleted. Choose another above, or begin a new one."))
    elif asked == sweep:
        measured = sum(run.loss is not None for run in first.status.runs)
        st.dialog(t("Delete this ladder?"), on_dismiss=_keep)(_confirm_delete)(home, sweep, measured)


def recorded_view(theme: Theme, home: Path) -> None:
    """Everything about the ladder that came with the project, which was trained elsewhere."""
    _watch(theme, home, lab_data.recorded, recorded=True)


def _watch(theme: Theme, home: Path, look: Callable[[], Snapshot | None], *, recorded: bool = False) -> Snapshot | None:
    """Show what `look` sees and look again while it changes; returns the first, or None where there is none."""
    first = look()
    if first is None:
        return None
    state, pending, asked = first.status.state, settled_law(first).pending, st.session_state.get(DELETING)
    fresh = [first]

    def body() -> None:
        seen = fresh.pop() if fresh else look()
        if seen is None:
            st.rerun()
        fit = settled_law(seen)
        _body(theme, home, seen, fit, recorded=recorded)
        # Only now, so that a button pressed in this very moment has been heard.
        settled = state != "running" and fit.pending != pending
        if settled or seen.status.state != state or st.session_state.get(DELETING) != asked:
            st.rerun()

    watch(body, every=POLL_SECONDS if state == "running" or pending else None)
    return first


def preview(theme: Theme, seen: Snapshot) -> None:
    """What a finished ladder looks like, for someone who has trained none yet."""
    section(t("What it looks like when it is done"), recorded_words(seen))
    _numbers(seen, lab_words.scores(seen.predictions, seen.status.runs))
    _charts(theme, seen, settled_law(seen).law)


def settled_law(seen: Snapshot) -> Fitted:
    """The law so far; once nothing more arrives, with as many refits as the downloads have. Rates have no law."""
    if seen.row.plan.spec.tunes:
        reason = t("A sweep of rates looks for the best rate of each size, and is not fitted.")
        return Fitted(law=None, reason=reason)
    bootstrap = lab_data.LIVE_BOOTSTRAP if seen.status.state == "running" else results.BOOTSTRAP
    return lab_data.fitted(seen.status.runs, bootstrap=bootstrap)


def _body(theme: Theme, home: Path, seen: Snapshot, fit: Fitted, *, recorded: bool) -> None:
    status, plan = seen.status, seen.row.plan
    found = lab_words.scores(seen.predictions, status.runs)
    opening = lab_words.headline(seen.row, status, found)
    answer(opening.question, opening.sentence, opening.detail)
    with st.container(key="lab-caution"):  # always there, so that what follows keeps its place when it fills
        if fit.law is not None and fit.law.warnings:
            st.html(lab_html.caution(fit.law.warnings))
    if recorded:
        words, button = st.columns([9, 2], vertical_alignment="center", gap="medium")
        with words:
            note(recorded_words(seen))
        with button, st.container(horizontal=True, horizontal_alignment="right"):
            replay_button(strong=True)
    else:
        _controls(home, seen, fit)
    pictures(theme, seen, fit)
    if not plan.spec.tunes:
        truth_note(home, seen, fit)
    closer(theme, home, seen, fit)
    section(t("Every run"), t("Orange rows were never part of the fit: predicted first, then measured."))
    marked = [run.held_out for run in status.runs]
    st.html(lab_html.table(lab_rows.run_columns(), lab_rows.run_rows(status.runs, found), marked=marked))
    history(seen)


def pictures(theme: Theme, seen: Snapshot, fit: Fitted, *, frame: Snapshot | None = None) -> None:
    """The numbers, both charts and the law; with a `frame` the axes hold all that is in it, whatever is seen yet."""
    _numbers(seen, lab_words.scores(seen.predictions, seen.status.runs))
    _charts(theme, seen, fit.law, frame)
    if not seen.row.plan.spec.tunes:
        law_so_far(fit)


def _controls(home: Path, seen: Snapshot, fit: Fitted) -> None:
    """Progress, and what can be done: stop or resume, download, delete."""
    status, sweep = seen.status, seen.row.id
    running = status.state == "running"
    bar, buttons = st.columns([6, 5], vertical_alignment="center", gap="medium")
    with bar:
        if status.state != "finished":
            st.progress(min(1.0, status.fraction), text=_progress(seen))
        else:
            time = format_duration(status.seconds)
            note(t("Trained in {time} on {machine}.", time=time, machine=machine_name(seen)))
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        if running:
            if st.button(t("Stop"), key="lab.stop", help=t("Keeps everything; Resume goes on from here.")):
                _do(lambda: supervisor.stop(sweep, home), t("Stopping: the step is ended and a checkpoint written."))
        elif status.state != "finished" and st.button(t("Resume"), type="primary", key="lab.resume"):
            _do(lambda: supervisor.resume(sweep, home), t("Starting where the last checkpoint left."))
        table, everything = partial(results.export_csv, sweep, home), partial(lab_data.results_json, home, sweep, fit)
        download("CSV", table, f"{sweep}.csv", "text/csv", key="lab.csv", help=t("Every measured run, a line each."))
        download(
            "JSON", everything, f"{sweep}.json", "application/json", key="lab.json",
            help=t("Runs, fit, predictions, text, machine and settings."),
        )  # fmt: skip
        if not running and any(run.loss is not None for run in status.runs):
            replay_button()
        if status.state == "finished" and (larger := extend(home, seen.row)) is not None:
            st.query_params["sweep"] = larger
            st.rerun()
        if not running:
            st.button(t("Delete"), key="lab.delete", on_click=_ask, args=(sweep,))


def _progress(seen: Snapshot) -> str:
    """How much of the planned training is done, and how long the rest will take."""
    share, left = 100 * seen.status.fraction, seen.status.seconds_left
    if left is None:
        return t("{share:.0f}% of the planned training", share=share)
    return t("{share:.0f}% of the planned training, about {left} left", share=share, left=format_duration(left))


def _do(action: Callable[[], object], words: str) -> None:
    """Do what a button says, then show the page anew; a refusal is one sentence."""
    try:
        with st.spinner(words):
            action()
    except ScalingError as error:
        st.error(escape_markdown(str(error)))
        return
    st.rerun()


def _numbers(seen: Snapshot, found: list[lab_words.Score]) -> None:
    """Two groups of large numbers: the machine, and the prediction for the largest run."""
    status = seen.status
    measured = sum(run.loss is not None for run in status.runs)
    machine = [(str(t("Runs measured")), f"{measured} / {len(status.runs)}", "")]
    if status.state == "running":
        machine.append((t("In training"), lab_words.current_size(seen.row.plan, status) or "–", ""))
    rate, memory = status.tokens_per_second, status.memory_bytes
    machine.append((t("Tokens / s"), "–" if rate is None else format_quantity(rate, 2), ""))
    machine.append((t("Memory"), "–" if memory is None else format_bytes(memory), ""))
    score = lab_words.main_score([one for one in found if one.measured is not None]) or lab_words.main_score(found)
    held_out = [run for run in status.runs if run.held_out]
    foretold: list[tuple[str, str, str]] = []
    if score is not None:
        row = score.prediction
        foretold = [
            (t("Predicted at {clock}", clock=lab_words.clock(row.made_at, seconds=True)), format_loss(row.loss), ""),
            (_level(row.level), f"{format_loss(row.low)} – {format_loss(row.high)}", ""),
            (t("Measured"), "–" if score.measured is None else format_loss(score.measured), ""),
            (t("Error"), score.error_text, ""),
        ]
    elif held_out:
        label = t("Predicted for {size}", size=format_quantity(held_out[-1].params))
        foretold = [(one, "–", "") for one in (label, _level(0.95), t("Measured"), t("Error"))]
    st.html(lab_html.figure_groups([machine, foretold]))


def _level(level: float) -> str:
    return t("{level:.0f}% interval", level=100 * level)


def _charts(theme: Theme, seen: Snapshot, fit: FitResult | None, frame: Snapshot | None = None) -> None:
    """Learning on the left, the law (or the bowls of a sweep of rates) on the right.

    Learning and law keep their specification from poll to poll.
    """
    plan, curves = seen.row.plan, seen.curves
    points = lab_frames.point_frame(seen.status.runs, plan)
    foretold = lab_frames.prediction_frame(seen.predictions, seen.status.runs, plan)
    whole = frame or seen
    ends = lab_frames.point_frame(whole.status.runs, plan)
    promised = lab_frames.prediction_frame(whole.predictions, whole.status.runs, plan)
    left, right = st.columns(2, gap="large")
    floor = loss_floor([*whole.curves["loss"], *ends["loss"]])
    with left:
        st.html(lab_html.chart_title(t("How they learn"), t("a colour a size, by parameters; dots are measured ends")))
        show_spec(
            learning_chart(plan, theme, floor=floor),
            {
                "curves": curves,
                "points": points,
                "ends": lab_frames.end_frame(curves, points, (floor, highest_loss(plan))),
            },
            key="learning",
            alt=t("Training loss of every size over tokens, falling; dots mark the measured cooled ends."),
            title=t("How they learn"),
        )
    with right:
        if plan.spec.tunes:
            _bowls(theme, seen)
            return
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(lab_html.chart_title(t("The law"), t("dots fitted, diamonds predicted")), width="content")
            names = {"compute": t("Compute"), "size": t("Model size")}
            st.segmented_control(
                t("Against"), list(names), default="compute", key="lab.against", required=True,
                format_func=lambda name: names.get(name, str(name)), label_visibility="collapsed",
            )  # fmt: skip
        against: lab_frames.Against = "size" if st.session_state.get("lab.against") == "size" else "compute"
        law = lab_frames.law_frame(fit, plan, against)
        drawn = [*promised["low"], *promised["high"], *(law["loss"] if frame is None else ROOM * ends["loss"])]
        domain = loss_domain([*ends["loss"], *promised["loss"]], drawn)
        show_spec(
            law_chart(plan, theme, against=against, domain=domain),
            {
                "law": law,
                "names": lab_frames.name_frame(law, against),
                "points": points,
                "predictions": foretold,
            },
            key=f"law-{against}",
            alt=t("Measured losses with the fitted law and its band; the largest size as predicted and as measured."),
            title=t("The law"),
        )


def _bowls(theme: Theme, seen: Snapshot) -> None:
    """Loss over the rate for each size, as far as it is measured."""
    how = t("a bowl a size; a diamond is its best rate, a ring a best at the edge")
    st.html(lab_html.chart_title(t("The rate"), how))
    bowls = rate_bowls(seen.row.plan, seen.status.runs)
    if not bowls:
        note(t("A bowl needs two measured rates of one size: none has them yet."))
        return
    spec = bowl_chart(seen.row.plan, bowls, theme)
    show_spec(
        {name: value for name, value in spec.spec().items() if name not in ("width", "height")},
        dict(spec.data),
        key="bowls",
        alt=t("Loss above the least of each size over the peak rate: a bowl for each size."),
        title=t("The rate"),
    )


def _ask(sweep: str) -> None:
    st.session_state[DELETING] = sweep


def _keep() -> None:
    st.session_state.pop(DELETING, None)


def _confirm_delete(home: Path, sweep: str, measured: int) -> None:
    """Asks before anything is lost; open until it is answered, whatever else the page does meanwhile."""
    gone = t("{n} measured runs, their curves, the stored predictions and the checkpoints go for good.", n=measured)
    st.write(gone)
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(t("Keep it"), key="lab.delete.no"):
            _keep()
            st.rerun()
        if st.button(t("Delete for good"), type="primary", key="lab.delete.yes"):
            _keep()
            try:
                supervisor.delete(sweep, home)
            except ScalingError as error:
                st.error(escape_markdown(str(error)))
                return
            st.query_params["sweep"] = "new"
            st.rerun()
