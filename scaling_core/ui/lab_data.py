"""What the lab's page reads, and what it remembers between polls: nothing that cannot be read again from the store."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from scaling_core.errors import FitError
from scaling_core.fit import FitResult
from scaling_core.language import Language, current, speaking, t
from scaling_core.runs import recording, results
from scaling_core.runs.liveness import shown_state
from scaling_core.runs.progress import SweepStatus, summarize
from scaling_core.runs.replay import Tape, laid_out
from scaling_core.runs.results import Counting
from scaling_core.runs.rows import CurveRow, EventRow, PredictionRow, RunRow, SweepRow
from scaling_core.runs.store import Store
from scaling_core.viz.lab_frames import CurveBook, trunk_labels
from scaling_core.viz.late import pd

LIVE_BOOTSTRAP = 200
"""Refits behind the band while runs still arrive; `runs.results.BOOTSTRAP` afterwards, as in the downloads."""
MOST_FITS = 32
PATIENCE_SECONDS = 0.12
"""How long a script waits for an answer that is mostly there at once, before it shows that it waits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """One consistent moment of a sweep; curves as `CurveBook.frame` has them."""

    row: SweepRow
    status: SweepStatus
    predictions: tuple[PredictionRow, ...]
    events: tuple[EventRow, ...]
    curves: pd.DataFrame


def snapshot(home: Path, sweep: str) -> Snapshot | None:
    """The sweep as it is now, or None where there is none of that id. Raises StoreError."""
    with Store.open_reader(home) as store, store.snapshot():
        row = store.sweep(sweep)
        if row is None:
            return None
        labels = tuple(trunk_labels(row.plan).items())
        book, lock = _book(str(home), sweep, row.created_at, row.started_at, labels)
        with lock:
            book.add(store.curve(sweep, after=book.last if book.last >= 0 else None))
            curves = book.frame()
        state = shown_state(row, home)
        return Snapshot(
            row=row,
            status=summarize(row, store.runs(sweep), store.latest(sweep), state),
            predictions=tuple(store.predictions(sweep)),
            events=tuple(store.events(sweep)),
            curves=curves,
        )


def recorded() -> Snapshot | None:
    """The ladder that came with the project, as it was recorded; None where there is none."""
    path = recording.EXAMPLE
    return _recorded(current(), str(path), path.stat().st_mtime_ns) if path.exists() else None


def tape(home: Path, sweep: str | None) -> Tape:
    """A sweep that has ended, or with None the one that came with the project, laid out to be replayed.

    Its curves are thinned, as in a recording. Raises InputError where there is no such sweep or it is in training.
    """
    if sweep is None:
        path = recording.EXAMPLE
        return _tape(str(path), "", path.stat().st_mtime_ns if path.exists() else 0, 0.0)
    with Store.open_reader(home) as store:
        row = store.sweep(sweep)
    return _tape(str(home), sweep, 0 if row is None else row.started_at, 0.0 if row is None else row.ended_at or 0.0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _tape(place: str, sweep: str, started: float, ended: float) -> Tape:
    return laid_out(recording.record(sweep, Path(place)) if sweep else recording.read_recording(Path(place)))


def moment(tape: Tape, seconds: float) -> Snapshot:
    """A sweep as it stood so many seconds after it began, before its end."""
    then = tape.at(seconds)
    return Snapshot(
        row=then.row,
        status=summarize(then.row, then.runs, then.curve[-1] if then.curve else None, "running"),
        predictions=then.predictions,
        events=then.events,
        curves=_curves_until(tape, seconds, then.curve),
    )


def _curves_until(tape: Tape, seconds: float, seen: Sequence[CurveRow]) -> pd.DataFrame:
    """The curves so far; a viewer's book goes on where it was, and begins anew when the replay went back."""
    kept, until, book = st.session_state.get("lab.replay.book", (None, 0.0, None))
    if kept != (tape.recording.row.id, tape.length) or until > seconds or book is None:
        until, book = -1.0, CurveBook(trunk_labels(tape.recording.row.plan))
    book.add(row for row in seen if tape.position(row.at) > until)
    st.session_state["lab.replay.book"] = ((tape.recording.row.id, tape.length), seconds, book)
    frame: pd.DataFrame = book.frame()
    return frame


@st.cache_resource(max_entries=4, show_spinner=False)
def _recorded(language: Language, path: str, modified: int) -> Snapshot:
    seen = recording.read_recording(Path(path))
    book = CurveBook(trunk_labels(seen.row.plan))
    book.add(list(seen.curve))
    return Snapshot(
        row=seen.row,
        status=summarize(seen.row, list(seen.runs), seen.curve[-1] if seen.curve else None, "finished"),
        predictions=seen.predictions,
        events=seen.events,
        curves=book.frame(),
    )


def sweeps(home: Path) -> list[SweepRow]:
    """Every sweep, the latest started first. Raises StoreError."""
    with Store.open_reader(home) as store:
        return store.sweeps()


def past(home: Path, sweep: str) -> tuple[list[RunRow], list[PredictionRow]]:
    """Runs and predictions of a sweep, enough for a line of history."""
    with Store.open_reader(home) as store, store.snapshot():
        return store.runs(sweep), store.predictions(sweep)


@st.cache_resource(max_entries=12, show_spinner=False)
def _book(
    home: str, sweep: str, created_at: float, started_at: float, labels: tuple[tuple[str, str], ...]
) -> tuple[CurveBook, threading.Lock]:
    """Curves read so far, one book for all viewers; a sweep deleted and trained again, or resumed, begins a new one."""
    return CurveBook(dict(labels)), threading.Lock()


class Background:
    """Work that takes seconds, in threads of its own, so that a page only looks whether it is done.

    The work itself runs in other processes or waits for the disk. A failed piece is kept until it is forgotten.
    """

    def __init__(self, *, most: int = 64) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="lab-page")
        self._work: dict[tuple[Any, ...], Future[Any]] = {}
        self._lock = threading.Lock()
        self._most = most

    def ask(self, key: tuple[Any, ...], work: Callable[[], Any]) -> Future[Any]:
        """The work under this key, begun now unless it was begun before."""
        with self._lock:
            if key not in self._work:
                for old in [name for name, future in self._work.items() if future.done()][: -self._most]:
                    del self._work[old]
                self._work[key] = self._pool.submit(work)
            return self._work[key]

    def begun(self, key: tuple[Any, ...]) -> Future[Any] | None:
        """The work under this key where it was begun, or None."""
        with self._lock:
            return self._work.get(key)

    def forget(self, key: tuple[Any, ...]) -> None:
        """Do the work again when it is asked for next; work under way is left to end."""
        with self._lock:
            future = self._work.get(key)
            if future is not None and future.done():
                del self._work[key]


@st.cache_resource(show_spinner=False)
def background() -> Background:
    """One for the server, shared by all viewers."""
    return Background()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """The law through the runs measured so far; without one, `reason` says why. pending: a newer one is on its way."""

    law: FitResult | None
    reason: str
    pending: bool = False


def fitted(runs: Sequence[RunRow], *, bootstrap: int) -> Fitted:
    """The law through the measured runs that are not held out, fitted once for each set of them, for all viewers.

    The work is done in the background, first with few refits: meanwhile the last law of the same sweep stands in.
    """
    sweep = runs[0].sweep if runs else ""
    latest = _latest_fits()
    for refits in sorted({min(LIVE_BOOTSTRAP, bootstrap), bootstrap}):
        work = _fitting(runs, refits, "with_head")
        patience(work)
        if not work.done():
            return Fitted(law=latest.get(sweep), reason=t("The law is being fitted."), pending=True)
        found: FitResult | str = work.result()
        if isinstance(found, str):
            return Fitted(law=None, reason=found)
        latest[sweep] = found
    while len(latest) > MOST_FITS:
        latest.pop(next(iter(latest)), None)
    return Fitted(law=latest[sweep], reason="")


def fitted_so_far(steps: Sequence[Sequence[RunRow]], ahead: Sequence[Sequence[RunRow]]) -> Fitted:
    """The law through the first of `steps`, the runs of a replay as they stood at one measurement after another,
    the latest first: at once without its band, and with it soon after; until then that of an earlier step, and never of
    a later one.

    ahead: the runs of steps to come, which are fitted meanwhile. Of the bands, which take ten times as long, one is
    worked on at a time, so that none is waited for behind those of steps that have passed.
    """
    if not steps:
        return Fitted(law=None, reason=t("No run is finished yet: the fit begins with six of them."))
    for runs in (steps[0], *ahead):
        _fitting(runs, 0, "with_head")
    bands = [background().begun(_fit_key(runs, LIVE_BOOTSTRAP, "with_head")) for runs in (*ahead, *steps)]
    if all(band is None or band.done() for band in bands):
        _fitting(steps[0], LIVE_BOOTSTRAP, "with_head")
    patience(_fitting(steps[0], 0, "with_head"))
    for place, runs in enumerate(steps):
        for refits in (LIVE_BOOTSTRAP, 0):
            work = background().begun(_fit_key(runs, refits, "with_head"))
            if work is not None and work.done():
                found: FitResult | str = work.result()
                if isinstance(found, str):
                    return Fitted(law=None, reason=found, pending=place > 0)
                return Fitted(law=found, reason="", pending=place > 0 or refits == 0)
    return Fitted(law=None, reason=t("The law is being fitted."), pending=True)


def fit_now(runs: Sequence[RunRow], counting: Counting, *, bootstrap: int) -> FitResult | str:
    """The law in another count of parameters, or why there is none; waits for it the first time."""
    found: FitResult | str = _fitting(runs, bootstrap, counting).result()
    return found


def _fitting(runs: Sequence[RunRow], bootstrap: int, counting: Counting) -> Future[Any]:
    return background().ask(_fit_key(runs, bootstrap, counting), functools.partial(_fit, runs, bootstrap, counting))


def _fit_key(runs: Sequence[RunRow], bootstrap: int, counting: Counting) -> tuple[Any, ...]:
    used = tuple((run.id, run.tokens, run.loss) for run in runs if run.loss is not None and not run.held_out)
    return ("fit", runs[0].sweep if runs else "", used, bootstrap, counting)


def results_json(home: Path, sweep: str, fit: Fitted) -> str:
    """The results as a file, in English, with the law that the page shows."""
    with speaking("en"):
        found = results.results(sweep, home, bootstrap=0)
        if fit.law is not None:
            found["fit"] = results.plain(fit.law.to_dict())
        return json.dumps(found, indent=1, sort_keys=True)


def _fit(runs: Sequence[RunRow], bootstrap: int, counting: Counting) -> FitResult | str:
    try:
        return results.fit_runs(runs, counting=counting, bootstrap=bootstrap)
    except FitError as error:
        return str(error)


@st.cache_resource(show_spinner=False)
def _latest_fits() -> dict[str, FitResult]:
    """The last law of each sweep that this server has fitted."""
    return {}


def patience(work: Future[Any]) -> None:
    """Wait a moment for work that mostly ends at once."""
    with contextlib.suppress(TimeoutError):
        work.exception(timeout=PATIENCE_SECONDS)
