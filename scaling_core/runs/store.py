"""The store: one SQLite file in which a training child writes and everyone else reads.

A child is the only writer of its sweep. The page and the command line open readers, which see the last committed
state while a child writes (write-ahead log). Each method is one short transaction.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from scaling_core.errors import InputError, StoreError
from scaling_core.lab.identity import line_key, run_key
from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.runs import place, schema
from scaling_core.runs.reading import Reading
from scaling_core.runs.rows import (
    LEVELS,
    SWEEP_STATES,
    CurveRow,
    EventRow,
    Level,
    PredictionRow,
    RunRow,
    SweepRow,
    SweepState,
    kept_corpus,
    kept_message,
    state_word,
)

__all__ = ["CurveRow", "EventRow", "PredictionRow", "RunRow", "Store", "SweepRow", "home"]

home = place.home


class Store(Reading):
    """An open database. Use it in a `with` block; one Store may be shared by threads.

    Every method raises StoreError, one sentence, where the database does not do what was asked.
    """

    @classmethod
    def open_reader(cls, home: Path | None = None) -> Self:
        """Read only. Where nothing was ever trained there is no database, and every list is empty."""
        path = place.database(home or place.home())
        return cls(schema.open_reader(path), path)

    @classmethod
    def open_writer(cls, home: Path | None = None) -> Self:
        """Read and write; the home and the database are made where they are missing."""
        path = place.database(home or place.home())
        return cls(schema.open_writer(path), path)

    # What follows is for the child of the sweep.

    def register_sweep(
        self,
        plan: Plan,
        corpus: dict[str, Any],
        machine: dict[str, Any],
        pid: int,
        pid_created: float,
    ) -> None:
        """Say that process `pid` (created at `pid_created`, Unix seconds) trains this plan from now on.

        A sweep that is known is taken up again: its runs, curves and predictions stay, its process and its state
        change. The caller holds the device's lock. Raises StoreError where the sweep is finished already.
        """
        sweep, now, text = plan.spec.id, time.time(), _json(kept_corpus(corpus))
        with self._write(durable=True) as do:
            known = do("SELECT state FROM sweeps WHERE id = ?", (sweep,)).fetchone()
            if known is not None and known["state"] in ("finished", "deleting"):
                state = state_word(known["state"])
                raise StoreError(
                    t("The sweep {sweep} is {state} and cannot be trained again.", sweep=sweep, state=state)
                )
            if known is not None:
                do(
                    "UPDATE sweeps SET state = 'running', message = NULL, pid = ?, pid_created = ?, started_at = ?, "
                    "heartbeat_at = ?, ended_at = NULL, plan = ?, corpus = ?, machine = ? WHERE id = ?",
                    (pid, pid_created, now, now, _json(plan.to_dict()), text, _json(machine), sweep),
                )
                do("UPDATE runs SET state = 'waiting' WHERE sweep = ? AND state = 'running'", (sweep,))
                return
            do(
                "INSERT INTO sweeps (id, mode, device, state, pid, pid_created, created_at, started_at, heartbeat_at, "
                "plan, corpus, machine) VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(sweep, plan.spec.mode, plan.spec.device, pid, pid_created, now, now, now),
                    *(_json(plan.to_dict()), text, _json(machine)),
                ),
            )
            runs = ((line, run) for line in plan.lines for run in line.runs)
            for order, (line, run) in enumerate(runs):
                do(
                    "INSERT INTO runs (sweep, id, place, track, rung, horizon, seed, rate_factor, held_out, params, "
                    "params_non_embedding, params_total, planned_tokens, flops, flops_exact, line_key, key) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(sweep, run.id, order, run.track, run.rung, run.horizon, run.seed, run.rate_factor),
                        *(run.held_out, run.params, run.params_non_embedding, run.params_total, run.tokens),
                        *(run.flops, run.flops_exact, line_key(plan.spec, line, str(corpus["hash"]))),
                        run_key(plan.spec, line, run, str(corpus["hash"])),
                    ),
                )

    def set_state(self, sweep: str, state: SweepState, message: str | None = None) -> None:
        """How the sweep stands, with a sentence for the reader. Raises InputError for a state that there is not."""
        if state not in SWEEP_STATES:
            raise InputError("state", state, t("it must be one of {names}", names=", ".join(SWEEP_STATES)))
        now = time.time()
        with self._write(durable=True) as do:
            changed = do(
                "UPDATE sweeps SET state = ?, message = ?, heartbeat_at = ?, ended_at = ? WHERE id = ?",
                (state, kept_message(message), now, None if state == "running" else now, sweep),
            )
            self._known(changed.rowcount, sweep)
            if state != "running":
                do("UPDATE runs SET state = 'waiting' WHERE sweep = ? AND state = 'running'", (sweep,))

    def heartbeat(self, sweep: str, *, durable: bool = False) -> None:
        """Say that the sweep's process is alive. durable: this and all that was stored before is on the disk then."""
        with self._write(durable=durable) as do:
            changed = do("UPDATE sweeps SET heartbeat_at = ? WHERE id = ?", (time.time(), sweep))
            self._known(changed.rowcount, sweep)

    def start_run(self, sweep: str, run_id: str) -> None:
        """Say that training now works towards this run. A finished run stays finished."""
        with self._write() as do:
            changed = do(
                "UPDATE runs SET state = 'running', message = NULL, started_at = coalesce(started_at, ?) "
                "WHERE sweep = ? AND id = ? AND loss IS NULL",
                (time.time(), sweep, run_id),
            )
            if not changed.rowcount:
                self._known_run(do, sweep, run_id)

    def progress(self, sweep: str, run_id: str, tokens: int) -> None:
        """Tokens from zero that the run has reached, trunk included; a sign of life too."""
        with self._write() as do:
            changed = do("UPDATE runs SET tokens = ? WHERE sweep = ? AND id = ?", (tokens, sweep, run_id))
            self._known(changed.rowcount, f"{sweep} {run_id}")
            do("UPDATE sweeps SET heartbeat_at = ? WHERE id = ?", (time.time(), sweep))

    def finish_run(
        self,
        sweep: str,
        run_id: str,
        *,
        loss: float,
        se: float,
        bits_per_byte: float,
        seconds: float,
        tokens: int,
        unique_tokens: int,
        censored: bool = False,
    ) -> None:
        """Store a cooled endpoint; it cannot be changed afterwards, the same loss may be stored again.

        censored: the loss was foretold from a curve that was stopped early.

        Raises StoreError for a loss that is not finite (that is `fail_run`) or differs from the one already there.
        """
        for name, value in (("loss", loss), ("se", se), ("bits_per_byte", bits_per_byte)):
            if not math.isfinite(value):
                raise StoreError(
                    t(
                        "The run {run} cannot finish with {name} {value}: it diverged and has failed.",
                        run=run_id,
                        name=name,
                        value=value,
                    )
                )
        with self._write(durable=True) as do:
            changed = do(
                "UPDATE runs SET state = 'finished', message = NULL, loss = ?, se = ?, bits_per_byte = ?, seconds = ?, "
                "tokens = ?, unique_tokens = ?, censored = ?, finished_at = coalesce(finished_at, ?) "
                "WHERE sweep = ? AND id = ?",
                (loss, se, bits_per_byte, seconds, tokens, unique_tokens, censored, time.time(), sweep, run_id),
            )
            self._known(changed.rowcount, f"{sweep} {run_id}")

    def adopt_run(self, sweep: str, run_id: str, twin: RunRow) -> None:
        """Take over the loss and the curve of the same run finished in another sweep, instead of training it again."""
        with self._write(durable=True) as do:
            changed = do(
                "UPDATE runs SET state = 'finished', message = NULL, loss = ?, se = ?, bits_per_byte = ?, "
                "seconds = 0, tokens = ?, unique_tokens = ?, copied_from = ?, started_at = ?, finished_at = ? "
                "WHERE sweep = ? AND id = ? AND loss IS NULL AND key = ?",
                (
                    *(twin.loss, twin.se, twin.bits_per_byte, twin.tokens, twin.unique_tokens),
                    *(twin.copied_from or twin.sweep, twin.started_at, twin.finished_at, sweep, run_id, twin.key),
                ),
            )
            if changed.rowcount:
                self._copy_curve(do, twin.sweep, twin.id, sweep, run_id)

    def adopt_trunk(self, sweep: str, track: str, source: str, source_track: str) -> None:
        """Take over the learning curve of a trunk that another sweep trained."""
        with self._write() as do:
            self._copy_curve(do, source, source_track, sweep, track)

    @staticmethod
    def _copy_curve(do: Any, source: str, source_track: str, sweep: str, track: str) -> None:
        do(
            "INSERT OR IGNORE INTO curve (sweep, track, step, tokens, flops, train_loss, validation_loss, "
            "learning_rate, tokens_per_second, memory_bytes, at) SELECT ?, ?, step, tokens, flops, train_loss, "
            "validation_loss, learning_rate, tokens_per_second, memory_bytes, at FROM curve "
            "WHERE sweep = ? AND track = ? ORDER BY seq",
            (sweep, track, source, source_track),
        )

    def fail_run(self, sweep: str, run_id: str, message: str) -> None:
        """A run that has no loss and never will (it diverged, say), with the reason; the sweep may go on."""
        with self._write(durable=True) as do:
            changed = do(
                "UPDATE runs SET state = 'failed', message = ?, finished_at = ? "
                "WHERE sweep = ? AND id = ? AND loss IS NULL",
                (kept_message(message), time.time(), sweep, run_id),
            )
            if not changed.rowcount:
                self._known_run(do, sweep, run_id)
                raise StoreError(
                    t("The run {run} of {sweep} has a loss already and cannot fail.", run=run_id, sweep=sweep)
                )

    def add_curve(self, sweep: str, rows: Sequence[CurveRow]) -> None:
        """Points of learning curves, in one transaction; a point stored before at that track and step is replaced."""
        with self._write() as do:
            for row in rows:
                do(
                    "INSERT OR REPLACE INTO curve (sweep, track, step, tokens, flops, train_loss, validation_loss, "
                    "learning_rate, tokens_per_second, memory_bytes, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(sweep, row.track, row.step, row.tokens, row.flops, _finite(row.train_loss)),
                        *(_finite(row.validation_loss), row.learning_rate, row.tokens_per_second),
                        *(row.memory_bytes, row.at),
                    ),
                )

    def truncate_curve(self, sweep: str, track: str, after_step: int) -> None:
        """Take back the points of a track beyond the step at which a checkpoint resumes."""
        with self._write() as do:
            do("DELETE FROM curve WHERE sweep = ? AND track = ? AND step > ?", (sweep, track, after_step))

    def add_prediction(self, prediction: PredictionRow) -> bool:
        """Register what is foretold for a run. True where it is new; False where one stands already, which stays.

        Raises StoreError where the run it foretells has a loss: a prediction must come before the measurement.
        """
        with self._write(durable=True) as do:
            there = do(
                "SELECT 1 FROM predictions WHERE sweep = ? AND run_id = ?", (prediction.sweep, prediction.run_id)
            )
            if there.fetchone() is not None:
                return False
            do(
                "INSERT INTO predictions (sweep, run_id, params, tokens, loss, low, high, level, form, constants, "
                "fitted_runs, made_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(prediction.sweep, prediction.run_id, prediction.params, prediction.tokens, prediction.loss),
                    *(prediction.low, prediction.high, prediction.level, prediction.form),
                    *(_json(prediction.constants), _json(list(prediction.fitted_runs)), prediction.made_at),
                ),
            )
            return True

    def add_event(self, sweep: str, level: Level, text: str) -> None:
        """Something worth a sentence. Raises InputError for a level other than info, warning and error."""
        if level not in LEVELS:
            raise InputError("level", level, t("it must be one of {names}", names=", ".join(LEVELS)))
        with self._write() as do:
            values = (sweep, time.time(), level, kept_message(text))
            do("INSERT INTO events (sweep, at, level, text) VALUES (?, ?, ?, ?)", values)

    # This is for the supervisor, when no process owns the sweep.

    def delete_sweep(self, row: SweepRow) -> None:
        """Remove a sweep with everything about it, predictions included.

        row: the sweep as the caller saw it when no process owned it. Raises StoreError, and removes nothing, where a
        process has taken it up since.
        """
        with self._write(durable=True) as do:
            marked = do(
                "UPDATE sweeps SET state = 'deleting' WHERE id = ? AND started_at = ? AND pid = ?",
                (row.id, row.started_at, row.pid),
            )
            if not marked.rowcount:
                raise StoreError(
                    t("The sweep {sweep} was started again meanwhile, so nothing of it was deleted.", sweep=row.id)
                )
            do("DELETE FROM predictions WHERE sweep = ?", (row.id,))
            do("DELETE FROM curve WHERE sweep = ?", (row.id,))
            do("DELETE FROM events WHERE sweep = ?", (row.id,))
            do("DELETE FROM runs WHERE sweep = ?", (row.id,))
            do("DELETE FROM sweeps WHERE id = ?", (row.id,))

    @contextmanager
    def _write(self, *, durable: bool = False) -> Iterator[Any]:
        """One transaction, all or nothing; yields a function that executes a statement.

        durable: on disk when the block ends, even if the power fails right after (synchronous FULL).
        """
        with self._lock:
            self._execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._execute("BEGIN IMMEDIATE")
            try:
                yield self._named
                self._execute("COMMIT")
            except BaseException:
                if self._connection is not None and self._connection.in_transaction:
                    self._connection.rollback()
                raise

    def _named(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        cursor = self._execute(statement, values)
        cursor.row_factory = sqlite3.Row
        return cursor

    def _known(self, changed: int, what: str) -> None:
        if not changed:
            path = self._path
            raise StoreError(
                t("The database {path} knows no {what}; it may have been deleted meanwhile.", path=path, what=what)
            )

    def _known_run(self, do: Any, sweep: str, run_id: str) -> None:
        found = do("SELECT 1 FROM runs WHERE sweep = ? AND id = ?", (sweep, run_id)).fetchone()
        self._known(int(found is not None), f"{sweep} {run_id}")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
