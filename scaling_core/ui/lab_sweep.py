"""The lab's page on one ladder: how far it is, its curves, its law, the prediction; stop, resume, delete, download."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from scaling_core.errors import ScalingError
from scaling_core.fit import FitResult
from scaling_core.runs import results, supervisor
from scaling_core.runs.truth import truth_of
from scaling_core.runs.tuning import rate_bowls
from scaling_core.ui import lab_data, lab_html, lab_words
from scaling_core.ui.lab_charts import show_spec
from scaling_core.ui.lab_closer import closer
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_extend import extend
from scaling_core.ui.page import answer, escape_markdown, note, section
from scaling_core.units import format_bytes, format_duration, format_loss, format_quantity
from scaling_core.viz import lab_frames
from scaling_core.viz.lab import law_chart, learning_chart, loss_domain, loss_floor
from scaling_core.viz.lab_rates import bowl_chart
from scaling_core.viz.theme import Theme

POLL_SECONDS = 1.5
DELETING = "lab.deleting"
"""Session key of the sweep that a person is asked about."""


def sweep_view(theme: Theme, home: Path, sweep: str) -> None:
    """Everything about one sweep; looks again every moment while it trains, and only then."""
    asked = st.session_state.get(DELETING)
    first = _watch(theme, home, lambda: lab_data.snapshot(home, sweep))
    if first is None:
        st.info("This ladder was deleted. Choose another above, or begin a new one.")
    elif asked == sweep:
        _confirm_delete(home, sweep, sum(run.loss is not None for run in first.status.runs))


def recorded_view(theme: Theme, home: Path) -> None:
    """Everything about the ladder that came with the project, which was trained elsewhere."""
    _watch(theme, home, lab_data.recorded, recorded=True)


def _watch(theme: Theme, home: Path, look: Callable[[], Snapshot | None], *, recorded: bool = False) -> Snapshot | None:
    """Show what `look` sees and look again while it changes; returns the first, or None where there is none."""
    first = look()
    if first is None:
        return None
    state, pending, asked = first.status.state, _fit(first).pending, st.session_state.get(DELETING)
    fresh = [first]

    @st.fragment(run_every=POLL_SECONDS if state == "running" or pending else None)
    def body() -> None:
        try:
            seen = fresh.pop() if fresh else look()
            if seen is None:
                st.rerun()
            fit = _fit(seen)
            _body(theme, home, seen, fit, recorded=recorded)
            # Only now, so that a button pressed in this very moment has been heard.
            settled = state != "running" and fit.pending != pending
            if settled or seen.status.state != state or st.session_state.get(DELETING) != asked:
                st.rerun()
        except Exception as error:  # a fragment runs outside the page's guard  # noqa: BLE001
            st.error(escape_markdown(lab_words.sentence(error)))

    body()
    return first


def preview(theme: Theme, seen: Snapshot) -> None:
    """What a finished ladder looks like, for someone who has trained none yet."""
    section("What it looks like when it is done", recorded_words(seen))
    found = lab_words.scores(seen.predictions, seen.status.runs)
    _numbers(seen, found)
    _charts(theme, seen, _fit(seen).law)


def recorded_words(seen: Snapshot) -> str:
    """Where and when a recorded ladder was trained, in a sentence."""
    row = seen.row
    day = time.strftime("%d %B %Y", time.gmtime(row.created_at)).lstrip("0")
    return (
        f"A recording: trained on {day} in {format_duration(seen.status.seconds)} on {_machine(seen)}, torch "
        f"{row.machine.get('torch', 'unknown')}, Scaling Lab {row.machine.get('version', 'unknown')}, text "
        f"{row.corpus.get('name', 'unknown')} ({str(row.corpus.get('hash', ''))[:12]}). Nothing of it was trained here."
    )


def _fit(seen: Snapshot) -> Fitted:
    """The law so far; once nothing more arrives, with as many refits as the downloads have. Rates have no law."""
    if seen.row.plan.spec.tunes:
        return Fitted(law=None, reason="A sweep of rates looks for the best rate of each size, and is not fitted.")
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
        note(recorded_words(seen))
    else:
        _controls(home, seen, fit)
    _numbers(seen, found)
    _charts(theme, seen, fit.law)
    if not plan.spec.tunes:
        _law(fit)
        _truth(home, seen, fit)
    closer(theme, home, seen, fit)
    section("Every run", "Orange rows were never part of the fit: predicted first, then measured.")
    marked = [run.held_out for run in status.runs]
    st.html(lab_html.table(lab_words.RUN_COLUMNS, lab_words.run_rows(plan, status.runs, found), marked=marked))
    _history(seen)


def _controls(home: Path, seen: Snapshot, fit: Fitted) -> None:
    """Progress, and what can be done: stop or resume, download, delete."""
    status, sweep = seen.status, seen.row.id
    running = status.state == "running"
    bar, buttons = st.columns([6, 5], vertical_alignment="center", gap="medium")
    with bar:
        if status.state != "finished":
            left = "" if status.seconds_left is None else f", about {format_duration(status.seconds_left)} left"
            st.progress(min(1.0, status.fraction), text=f"{100 * status.fraction:.0f}% of the planned training{left}")
        else:
            note(f"Trained in {format_duration(status.seconds)} on {_machine(seen)}.")
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        if running:
            if st.button("Stop", key="lab.stop", help="Keeps everything; Resume goes on from here."):
                _do(lambda: supervisor.stop(sweep, home), "Stopping: the step is ended and a checkpoint written.")
        elif status.state != "finished" and st.button("Resume", type="primary", key="lab.resume"):
            _do(lambda: supervisor.resume(sweep, home), "Starting where the last checkpoint left.")
        st.download_button(
            "CSV",
            data=results.export_csv(sweep, home),
            file_name=f"{sweep}.csv",
            mime="text/csv",
            key="lab.csv",
            on_click="ignore",
            help="Every measured run, a line each.",
        )
        st.download_button(
            "JSON",
            data=lab_data.results_json(home, seen, fit),
            file_name=f"{sweep}.json",
            mime="application/json",
            key="lab.json",
            on_click="ignore",
            help="Runs, fit, predictions, text, machine and settings.",
        )
        if status.state == "finished" and (larger := extend(home, seen.row)) is not None:
            st.query_params["sweep"] = larger
            st.rerun()
        if not running:
            st.button("Delete", key="lab.delete", on_click=_ask, args=(sweep,))


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
    machine = [("Runs measured", f"{measured} / {len(status.runs)}", "")]
    if status.state == "running":
        machine.append(("In training", lab_words.current_size(seen.row.plan, status) or "–", ""))
    rate, memory = status.tokens_per_second, status.memory_bytes
    machine.append(("Tokens / s", "–" if rate is None else format_quantity(rate, 2), ""))
    machine.append(("Memory", "–" if memory is None else format_bytes(memory), ""))
    score = lab_words.main_score([one for one in found if one.measured is not None]) or lab_words.main_score(found)
    held_out = [run for run in status.runs if run.held_out]
    foretold: list[tuple[str, str, str]] = []
    if score is not None:
        row = score.prediction
        foretold = [
            (f"Predicted at {lab_words.clock(row.made_at, seconds=True)}", format_loss(row.loss), ""),
            (f"{100 * row.level:.0f}% interval", f"{format_loss(row.low)} – {format_loss(row.high)}", ""),
            ("Measured", "–" if score.measured is None else format_loss(score.measured), ""),
            ("Error", score.error_text, ""),
        ]
    elif held_out:
        label = f"Predicted for {format_quantity(held_out[-1].params)}"
        foretold = [(label, "–", ""), ("95% interval", "–", ""), ("Measured", "–", ""), ("Error", "–", "")]
    st.html(lab_html.figure_groups([machine, foretold]))


def _charts(theme: Theme, seen: Snapshot, fit: FitResult | None) -> None:
    """Learning on the left, the law (or the bowls of a sweep of rates) on the right.

    Learning and law keep their specification from poll to poll.
    """
    plan, curves = seen.row.plan, seen.curves
    points = lab_frames.point_frame(seen.status.runs, plan)
    foretold = lab_frames.prediction_frame(seen.predictions, seen.status.runs, plan)
    left, right = st.columns(2, gap="large")
    with left:
        st.html(lab_html.chart_title("How they learn", "a colour a size, by parameters; dots are measured ends"))
        show_spec(
            learning_chart(plan, theme, floor=loss_floor([*curves["loss"], *points["loss"]])),
            {"curves": curves, "points": points, "ends": lab_frames.end_frame(curves, points)},
            key="learning",
            alt="Training loss of every size over tokens, falling; dots mark the measured cooled ends.",
        )
    with right:
        if plan.spec.tunes:
            _bowls(theme, seen)
            return
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(lab_html.chart_title("The law", "dots fitted, diamonds predicted"), width="content")
            st.segmented_control(
                "Against", ["Compute", "Model size"], default="Compute", key="lab.against", required=True,
                label_visibility="collapsed",
            )  # fmt: skip
        against: lab_frames.Against = "size" if st.session_state.get("lab.against") == "Model size" else "compute"
        law = lab_frames.law_frame(fit, plan, against)
        drawn = [*foretold["low"], *foretold["high"], *law["loss"]]
        domain = loss_domain([*points["loss"], *foretold["loss"]], drawn)
        show_spec(
            law_chart(plan, theme, against=against, domain=domain),
            {
                "law": law,
                "names": lab_frames.name_frame(law, against),
                "points": points,
                "predictions": foretold,
            },
            key=f"law-{against}",
            alt="Measured losses with the fitted law and its band; the largest size as predicted and as measured.",
        )


def _bowls(theme: Theme, seen: Snapshot) -> None:
    """Loss over the rate for each size, as far as it is measured."""
    st.html(lab_html.chart_title("The rate", "a bowl a size; a diamond is its best rate, a ring a best at the edge"))
    bowls = rate_bowls(seen.row.plan, seen.status.runs)
    if not bowls:
        note("A bowl needs two measured rates of one size: none has them yet.")
        return
    spec = bowl_chart(seen.row.plan, bowls, theme)
    show_spec(
        {name: value for name, value in spec.spec().items() if name not in ("width", "height")},
        dict(spec.data),
        key="bowls",
        alt="Loss above the least of each size over the peak rate: a bowl for each size.",
    )


def _law(found: Fitted) -> None:
    """The fitted constants, after the sentences that say how far to trust them."""
    fit = found.law
    if fit is None:
        section("The law so far", found.reason)
        return
    section(
        "The law so far", f"L(N, D) = E + A / Nᵅ + B / Dᵝ, through {fit.n} measured runs; nothing held out is in it."
    )
    if fit.warnings:
        st.html(lab_html.warnings(fit.warnings))
    signs = {"alpha": "α", "beta": "β"}
    constants = [
        (signs.get(name, name), lab_words.constant(value), _interval(fit.intervals.get(name)))
        for name, value in fit.constants.items()
    ]
    if "a" in fit.exponents:
        value = lab_words.constant(fit.exponents["a"])
        constants.append(("a, best N ∝ Cᵃ", value, _interval(fit.exponent_intervals.get("a"))))
    st.html(lab_html.figure_groups([constants]))
    if fit.replicates is not None:
        note(f"Beneath each: its {100 * fit.level:.0f}% interval, from {len(fit.replicates)} refits.")


def _truth(home: Path, seen: Snapshot, fit: Fitted) -> None:
    """On the oracle, what the floor should have been."""
    truth = None if fit.law is None else truth_of(seen.row, fit.law, home)
    if truth is not None:
        note(truth.sentence, kind="quiet" if truth.within else "warning")


def _interval(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f"{lab_words.constant(pair[0])} to {lab_words.constant(pair[1])}"


def _history(seen: Snapshot) -> None:
    """What happened to this sweep, in its own words, and where it came from."""
    with st.expander("What happened, and how this was trained"):
        for event in seen.events:
            kind = "quiet" if event.level == "info" else "warning"
            note(f"{lab_words.clock(event.at, seconds=True)}  {event.text}", kind=kind)
        note(_provenance(seen))


def _provenance(seen: Snapshot) -> str:
    """Text, hash, machine, seed and id of a sweep, in one line."""
    row = seen.row
    text = f"Text: {row.corpus.get('name', 'unknown')}, SHA-256 {str(row.corpus.get('hash', ''))[:12]}"
    return f"{text}. Machine: {_machine(seen)}. Seed {row.plan.spec.seed}, id {row.id}."


def _machine(seen: Snapshot) -> str:
    row = seen.row
    return str(row.machine.get("device_name") or row.machine.get("name") or row.device)


def _ask(sweep: str) -> None:
    st.session_state[DELETING] = sweep


def _keep() -> None:
    st.session_state.pop(DELETING, None)


@st.dialog("Delete this ladder?", on_dismiss=_keep)
def _confirm_delete(home: Path, sweep: str, measured: int) -> None:
    """Asks before anything is lost; open until it is answered, whatever else the page does meanwhile."""
    st.write(f"{measured} measured runs, their curves, the stored predictions and the checkpoints go for good.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it", key="lab.delete.no"):
            _keep()
            st.rerun()
        if st.button("Delete for good", type="primary", key="lab.delete.yes"):
            _keep()
            try:
                supervisor.delete(sweep, home)
            except ScalingError as error:
                st.error(escape_markdown(str(error)))
                return
            st.query_params["sweep"] = "new"
            st.rerun()
