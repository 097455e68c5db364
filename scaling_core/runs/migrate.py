"""Bring a database of version 1 to version 2: runs learn their line, seed and digests, plans their new fields.

One transaction: a power cut leaves the old version or the new one. A copy of the old file is kept beside it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from scaling_core.errors import StoreError
from scaling_core.language import t
from scaling_core.runs.place import HOME_VARIABLE

OLD, NEW = 1, 2

_COLUMNS = (
    "track TEXT NOT NULL DEFAULT ''",
    "seed INTEGER NOT NULL DEFAULT 0",
    "rate_factor REAL NOT NULL DEFAULT 1.0",
    "flops_exact REAL NOT NULL DEFAULT 0.0",
    "line_key TEXT NOT NULL DEFAULT ''",
    "key TEXT NOT NULL DEFAULT ''",
    "censored INTEGER NOT NULL DEFAULT 0",
    "copied_from TEXT",
)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate an open database of version 1 where it still is one. Raises StoreError where a plan in it is not ours.

    What the old version never stored stays empty: its runs have no digest, so no other sweep takes them over.
    """
    there = {str(row[1]) for row in connection.execute("PRAGMA table_info(runs)")}
    both = there & {column.split()[0] for column in _COLUMNS}
    if both and connection.execute("PRAGMA user_version").fetchone()[0] == OLD:
        raise StoreError(
            t(
                "{path} is half of version {old} and half of {new} (its runs have {columns} already); it "
                "was left as it is: move it away, or name another folder with {variable}.",
                path=path,
                old=OLD,
                new=NEW,
                columns=", ".join(sorted(both)),
                variable=HOME_VARIABLE,
            )
        )
    copy = path.with_name(f"{path.stem}.version-{OLD}{path.suffix}")
    if not copy.exists():
        beside = copy.with_name(f".{copy.name}.{os.getpid()}-{threading.get_ident()}.new")
        beside.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(beside),))
        beside.replace(copy)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == OLD:
            _columns(connection)
            _plans(connection)
            connection.execute(f"PRAGMA user_version = {NEW}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _columns(connection: sqlite3.Connection) -> None:
    for column in _COLUMNS:
        connection.execute(f"ALTER TABLE runs ADD COLUMN {column}")
    connection.execute("CREATE INDEX runs_by_key ON runs (key)")
    connection.execute("CREATE INDEX runs_by_line ON runs (line_key)")
    connection.execute("UPDATE runs SET track = 'r' || rung, key = 'old ' || sweep || ' ' || id, line_key = 'old'")


def _plans(connection: sqlite3.Connection) -> None:
    for sweep, text in connection.execute("SELECT id, plan FROM sweeps").fetchall():
        try:
            plan = plan_of_version_1(json.loads(text))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise StoreError(
                t(
                    "The plan stored for {sweep} is not one of version {old} ({error}).",
                    sweep=sweep,
                    old=OLD,
                    error=str(error),
                )
            ) from error
        connection.execute("UPDATE sweeps SET plan = ? WHERE id = ?", (json.dumps(plan, sort_keys=True), sweep))
        for line in plan["lines"]:
            for run in line["runs"]:
                connection.execute(
                    "UPDATE runs SET seed = ?, rate_factor = ?, flops_exact = ? WHERE sweep = ? AND id = ?",
                    (run["seed"], run["rate_factor"], run["flops_exact"], sweep, run["id"]),
                )


def plan_of_version_1(plan: dict[str, Any]) -> dict[str, Any]:
    """The same plan with the fields of version 2; it was trained by version 1 of the rules."""
    spec = dict(plan["spec"])
    factor = spec.pop("rate_factor")
    del spec["vocab_size"]
    spec.update(
        seeds=[], rate_coefficient=5e-3, rate_exponent=-0.23, rate_factors=[factor], dropout=0.0, max_steps=None,
        least_steps=0,
        stop_early=None, rules=1,
    )  # fmt: skip
    lines = []
    for rung in plan["rungs"]:
        own = {"track": f"r{rung['rung']}", "seed": spec["seed"], "rate_factor": factor}
        lines.append({**rung, **own, "runs": [{**run, **own} for run in rung["runs"]]})
    return {**{name: value for name, value in plan.items() if name != "rungs"}, "spec": spec, "lines": lines}
