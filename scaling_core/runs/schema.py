"""The database's mark and version, and how a connection is opened or refused.

A file without our mark, of another version or damaged is refused with a sentence and never written to.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from scaling_core.errors import StoreError
from scaling_core.language import t
from scaling_core.runs import migrate
from scaling_core.runs.place import HOME_VARIABLE, make_folder
from scaling_core.runs.tables import TABLES, refusals

APPLICATION_ID = 0x534C4142
"""`PRAGMA application_id` of our files: the letters SLAB."""
VERSION = 2
"""`PRAGMA user_version`: grows with every change of the tables."""
BUSY_SECONDS = 10.0
"""How long a statement waits for another's lock."""


class Outdated(Exception):
    """The database is of the version before and has to be migrated first."""


def open_reader(path: Path) -> sqlite3.Connection | None:
    """A connection that cannot write, or None where there is no database yet; works beside an active writer.

    Raises StoreError where the file is not ours, of another version or damaged.
    """
    try:
        if not path.exists() or path.stat().st_size == 0:
            return None
    except OSError as error:
        raise StoreError(
            t(
                "The database {path} cannot be read ({reason}); check the rights there.",
                path=path,
                reason=error.strerror or str(error),
            )
        ) from error
    connection = _connect(path, "ro")
    try:
        try:
            ready = _check(connection, path)
        except sqlite3.OperationalError as error:
            # A read-only connection cannot rebuild the index of a log that a killed writer left behind; one that
            # may write, but is told not to, can.
            if "readonly" not in str(error) and "unable to open" not in str(error):
                raise
            connection.close()
            connection = _connect(path, "rw")
            connection.execute("PRAGMA query_only = ON")
            ready = _check(connection, path)
    except Outdated:
        connection.close()
        _bring_up(path)
        return open_reader(path)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path) from error
    except BaseException:
        connection.close()
        raise
    if not ready:
        connection.close()
        return None
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection that writes; makes the file and its tables where there are none.

    Raises StoreError where the file is not ours, of another version, damaged or cannot be made.
    """
    make_folder(path.parent)
    connection = _connect(path, "rwc")
    try:
        if not _check(connection, path):
            _use_log(connection)
            _create(connection, path)
        _use_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA foreign_keys = ON")
    except Outdated:
        connection.close()
        _bring_up(path)
        return open_writer(path)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _bring_up(path: Path) -> None:
    """Migrate a file of the version before."""
    connection = _connect(path, "rw")
    try:
        connection.execute("PRAGMA synchronous = FULL")
        migrate.migrate(connection, path)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    finally:
        connection.close()


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """One sentence for what SQLite said."""
    said = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        return StoreError(t("The database refused a row: {said}.", said=refusals().get(said, said)))
    if "locked" in said or "busy" in said:
        return StoreError(
            t(
                "The database {path} has been locked by another program for more than {seconds:.0f} s; "
                "close the program that holds it and try again.",
                path=path,
                seconds=BUSY_SECONDS,
            )
        )
    if "full" in said:
        return StoreError(
            t("The disk that holds {path} is full; free some space and try again, nothing stored was lost.", path=path)
        )
    if "not a database" in said or "malformed" in said or "corrupt" in said:
        return StoreError(
            t(
                "The database {path} is damaged ({said}); it was left as it is: move it away to begin a new one, "
                "or name another folder with {variable}.",
                path=path,
                said=said,
                variable=HOME_VARIABLE,
            )
        )
    return StoreError(
        t("The database {path} cannot be used ({said}); check the rights and the disk there.", path=path, said=said)
    )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise explain(error, path) from error


def _use_log(connection: sqlite3.Connection) -> None:
    """Write-ahead log. Only the first to open a new file changes it, and SQLite does not wait for that lock."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _check(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether our tables are there; False for an empty database. Raises StoreError where they are not ours.

    All is read from one state of the file: another process may be making it at this moment.
    """
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        if alone and connection.in_transaction:
            connection.execute("ROLLBACK")
    if mark == 0 and version == 0 and tables == 0:
        return False
    if mark != APPLICATION_ID:
        raise StoreError(
            t(
                "{path} is a database of another program; it was left as it is: "
                "name another folder with {variable}, or move it away.",
                path=path,
                variable=HOME_VARIABLE,
            )
        )
    if version == migrate.OLD:
        raise Outdated
    if version != VERSION:
        known = {"path": path, "version": version, "reads": VERSION, "variable": HOME_VARIABLE}
        raise StoreError(
            t(
                "{path} was written by a newer version of Scaling Lab (its tables are version {version}, this one "
                "reads {reads}); it was left as it is: use that version, or name another folder with {variable}.",
                **known,
            )
            if version > VERSION
            else t(
                "{path} was written by another version of Scaling Lab (its tables are version {version}, this one "
                "reads {reads}); it was left as it is: use that version, or name another folder with {variable}.",
                **known,
            )
        )
    return True


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """All tables, the mark and the version in one transaction; two that come at once make them once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _check(connection, path):
            for statement in _statements(TABLES):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """The script cut at complete statements (a trigger holds semicolons of its own)."""
    found: list[str] = []
    text = ""
    for line in script.splitlines():
        text += line + "\n"
        if text.strip() and sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found
