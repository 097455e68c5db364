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

import pandas as pd
import streamlit as st

from scaling_core.errors import FitError
from scaling_core.fit import FitResult
from scaling_core.language import Language, current, speaking, t
from scaling_core.runs import recording, results
from scaling_core.runs.liveness import shown_state
from scaling_core.runs.progress import SweepStatus, summarize
from scaling_core.runs.results import Counting
from scaling_core.runs.rows import EventRow, PredictionRow, RunRow, SweepRow
from scaling_core.runs.store import Store
from scaling_core.viz.lab_frames import CurveBook, trunk_labels

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


def fit_now(runs: Sequence[RunRow], counting: Counting, *, bootstrap: int) -> FitResult | str:
    """The law in another count of parameters, or why there is none; waits for it the first time."""
    found: FitResult | str = _fitting(runs, bootstrap, counting).result()
    return found


def _fitting(runs: Sequence[RunRow], bootstrap: int, counting: Counting) -> Future[Any]:
    used = tuple((run.id, run.tokens, run.loss) for run in runs if run.loss is not None and not run.held_out)
    key = ("fit", runs[0].sweep if runs else "", used, bootstrap, counting)
    return background().ask(key, functools.partial(_fit, runs, bootstrap, counting))


def results_json(home: Path, seen: Snapshot, fit: Fitted) -> str:
    """The results for download, in English, with the law that the page shows; made once for each state of the sweep."""
    measured = sum(run.loss is not None for run in seen.status.runs)
    refits = 0 if fit.law is None or fit.law.replicates is None else len(fit.law.replicates)
    sweep, stage = seen.row.id, (seen.row.started_at, seen.status.state, measured, refits)
    return _results_json(str(home), sweep, stage, fit.law)


@st.cache_data(max_entries=16, show_spinner=False)
def _results_json(home: str, sweep: str, stage: tuple[float, str, int, int], _law: FitResult | None) -> str:
    with speaking("en"):
        found = results.results(sweep, Path(home), bootstrap=0)
        if _law is not None:
            found["fit"] = results.plain(_law.to_dict())
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
