"""The reading half of the store: what was trained, as records, each call one consistent moment."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scaling_core.errors import InputError, StoreError
from scaling_core.lab.records import Plan
from scaling_core.language import t, unpacked
from scaling_core.runs import schema
from scaling_core.runs.rows import CurveRow, EventRow, PredictionRow, RunRow, SweepRow, read_corpus, read_message


class Reading:
    """An open database, or the promise of one: without a connection every list is empty."""

    def __init__(self, connection: sqlite3.Connection | None, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """Reads inside the block see one and the same moment."""
        with self._lock:
            if self._connection is None or self._connection.in_transaction:
                yield self
                return
            self._execute("BEGIN")
            try:
                yield self
            finally:
                self._execute("ROLLBACK")

    def sweeps(self) -> list[SweepRow]:
        """Every sweep, the latest started first."""
        return [
            self._sweep(row)
            for row in self._rows("SELECT * FROM sweeps WHERE state <> 'deleting' ORDER BY started_at DESC, id")
        ]

    def sweep(self, sweep: str) -> SweepRow | None:
        """One sweep, or None where there is none of that id."""
        rows = self._rows("SELECT * FROM sweeps WHERE id = ? AND state <> 'deleting'", (sweep,))
        return self._sweep(rows[0]) if rows else None

    def runs(self, sweep: str) -> list[RunRow]:
        """The runs of a sweep in the order of its plan."""
        rows = self._rows("SELECT * FROM runs WHERE sweep = ? ORDER BY place", (sweep,))
        return [_run(row) for row in rows]

    def twins(self, sweep: str) -> dict[str, RunRow]:
        """For runs of a sweep that have no loss: the same training finished elsewhere, by the id of the run here.

        A loss that was only foretold is no twin of a measured one.
        """
        rows = self._rows(
            "SELECT mine.id AS wanted, other.* FROM runs AS mine JOIN runs AS other ON other.key = mine.key "
            "WHERE mine.sweep = ? AND mine.loss IS NULL AND other.sweep <> mine.sweep AND other.loss IS NOT NULL "
            "AND NOT other.censored ORDER BY other.finished_at DESC",
            (sweep,),
        )
        return {str(row.pop("wanted")): _run(row) for row in rows}

    def twin_lines(self, sweep: str, line_key: str) -> list[tuple[str, str]]:
        """Where else a trunk of this digest was trained: (sweep, track), the longest first."""
        rows = self._rows(
            "SELECT sweep, track, max(tokens) AS reached FROM runs WHERE line_key = ? AND sweep <> ? AND tokens > 0 "
            "GROUP BY sweep, track ORDER BY reached DESC",
            (line_key, sweep),
        )
        return [(str(row["sweep"]), str(row["track"])) for row in rows]

    def curve(self, sweep: str, after: int | None = None) -> list[CurveRow]:
        """Learning curves of a sweep, in the order stored; only rows with `seq` beyond `after` where it is given.

        A resume may take back points past its checkpoint and store them again: of two rows with the same track and
        step, the later one counts.
        """
        rows = self._rows(
            "SELECT seq, track, step, tokens, flops, train_loss, validation_loss, learning_rate, tokens_per_second, "
            "memory_bytes, at FROM curve WHERE sweep = ? AND seq > ? ORDER BY seq",
            (sweep, -1 if after is None else after),
        )
        return [CurveRow(**row) for row in rows]

    def latest(self, sweep: str) -> CurveRow | None:
        """The point of a learning curve stored last, or None."""
        rows = self._rows(
            "SELECT seq, track, step, tokens, flops, train_loss, validation_loss, learning_rate, tokens_per_second, "
            "memory_bytes, at FROM curve WHERE seq = (SELECT max(seq) FROM curve WHERE sweep = ?)",
            (sweep,),
        )
        return CurveRow(**rows[0]) if rows else None

    def predictions(self, sweep: str) -> list[PredictionRow]:
        """What was foretold for the sweep's held-out runs, smallest compute first."""
        rows = self._rows("SELECT * FROM predictions WHERE sweep = ? ORDER BY 1.0 * params * tokens, run_id", (sweep,))
        return [
            PredictionRow(
                **{
                    **row,
                    "constants": self._parse(row["constants"], sweep),
                    "fitted_runs": tuple(self._parse(row["fitted_runs"], sweep)),
                }
            )
            for row in rows
        ]

    def events(self, sweep: str) -> list[EventRow]:
        """What happened to a sweep, oldest first."""
        return [
            EventRow(**{**row, "text": unpacked(row["text"])})
            for row in self._rows("SELECT sweep, at, level, text FROM events WHERE sweep = ? ORDER BY seq", (sweep,))
        ]

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        if self._connection is None:
            raise StoreError(t("The database {path} is not open for writing.", path=self._path))
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise schema.explain(error, self._path) from error

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._lock:
            if self._connection is None:
                return []
            try:
                cursor = self._connection.execute(query, values)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            except sqlite3.Error as error:
                raise schema.explain(error, self._path) from error

    def _sweep(self, row: dict[str, Any]) -> SweepRow:
        sweep = str(row["id"])
        try:
            plan = Plan.from_dict(self._parse(row["plan"], sweep))
        except (InputError, TypeError, KeyError) as error:
            raise StoreError(
                t(
                    "The plan stored for {sweep} cannot be read by this version ({error}).",
                    sweep=sweep,
                    error=str(error),
                )
            ) from error
        read = {
            "plan": plan,
            "message": read_message(row["message"]),
            "corpus": read_corpus(self._parse(row["corpus"], sweep)),
            "machine": self._parse(row["machine"], sweep),
        }
        return SweepRow(**{**row, **read})

    def _parse(self, text: str, sweep: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise StoreError(
                t(
                    "What the database {path} holds of {sweep} cannot be read ({error}).",
                    path=self._path,
                    sweep=sweep,
                    error=str(error),
                )
            ) from error


def _run(row: dict[str, Any]) -> RunRow:
    known = {name: value for name, value in row.items() if name != "place"}
    told = {"held_out": bool(row["held_out"]), "censored": bool(row["censored"])}
    return RunRow(**{**known, **told, "message": read_message(row["message"])})
