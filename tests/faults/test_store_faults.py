"""The database under real faults: damage, strangers, other versions, locks, kills and a full disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaling_core.errors import StoreError
from scaling_core.runs import place, schema
from scaling_core.runs.rows import CurveRow
from scaling_core.runs.store import Store
from tests.lab_helpers import finish_runs, prediction, register, small_plan

PLAN = small_plan()
SWEEP = PLAN.spec.id


def curve(count: int, start: int = 0) -> list[CurveRow]:
    return [
        CurveRow(
            track="r0",
            step=start + step,
            tokens=1024 * step,
            flops=1e9,
            train_loss=3.0,
            validation_loss=None,
            learning_rate=0.01,
            tokens_per_second=1e5,
            memory_bytes=10**9,
            at=1e9,
        )
        for step in range(count)
    ]


def refused_and_untouched(home: Path, *words: str) -> None:
    """Readers and writers both refuse with one sentence that holds the words, and the file keeps every byte."""
    before = place.database(home).read_bytes()
    for opening in (Store.open_reader, Store.open_writer):
        with pytest.raises(StoreError) as caught, opening(home) as store:
            store.sweeps()
        for word in (*words, str(place.database(home))):
            assert word in str(caught.value)
        assert "\n" not in str(caught.value)
    assert place.database(home).read_bytes() == before
    assert sorted(path.name for path in home.iterdir()) == ["lab.sqlite"]


def closed_database(home: Path) -> Path:
    """A database with a finished sweep, without a log beside it."""
    register(home, PLAN)
    finish_runs(home, PLAN)
    connection = sqlite3.connect(place.database(home))
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    return place.database(home)


def test_a_file_that_is_no_database_is_left_alone(lab_home: Path) -> None:
    place.database(lab_home).write_bytes(os.urandom(20_000))
    refused_and_untouched(lab_home, "is damaged", "left as it is", "move it away")


def test_a_damaged_database_is_left_alone(lab_home: Path) -> None:
    path = closed_database(lab_home)
    data = bytearray(path.read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    path.write_bytes(data)
    refused_and_untouched(lab_home, "is damaged", "left as it is")


def test_a_truncated_database_is_left_alone(lab_home: Path) -> None:
    path = closed_database(lab_home)
    os.truncate(path, 5000)
    refused_and_untouched(lab_home, "is damaged", "left as it is")


@pytest.mark.parametrize(("version", "word"), [(schema.VERSION + 1, "a newer version"), (0, "another version")])
def test_a_database_of_another_version_is_left_alone(lab_home: Path, version: int, word: str) -> None:
    path = closed_database(lab_home)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    refused_and_untouched(lab_home, word, f"version {version}", "SCALING_LAB_HOME")


def test_a_database_of_another_program_is_left_alone(lab_home: Path) -> None:
    connection = sqlite3.connect(place.database(lab_home))
    connection.execute("CREATE TABLE sweeps (id TEXT)")
    connection.execute("INSERT INTO sweeps VALUES ('mine')")
    connection.commit()
    connection.close()
    refused_and_untouched(lab_home, "another program", "SCALING_LAB_HOME")


def test_a_database_between_two_versions_is_left_alone(lab_home: Path) -> None:
    """Ours is migrated in one transaction; this one was begun by hand, or by another program."""
    connection = sqlite3.connect(place.database(lab_home))
    connection.executescript((place.PROJECT / "tests/unit/files/tables_version_1.sql").read_text(encoding="utf-8"))
    for column in ("track TEXT NOT NULL DEFAULT ''", "seed INTEGER NOT NULL DEFAULT 0"):
        connection.execute(f"ALTER TABLE runs ADD COLUMN {column}")
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    refused_and_untouched(lab_home, "half of version 1 and half of 2", "seed, track already", "left as it is")


def test_a_folder_in_its_place_is_said(lab_home: Path) -> None:
    place.database(lab_home).mkdir()
    for opening in (Store.open_reader, Store.open_writer):
        with pytest.raises(StoreError, match=r"cannot be used|cannot be read"):
            opening(lab_home)


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Store.open_writer(tmp_path / "file" / "home")


def test_a_creation_cut_short_is_begun_again(lab_home: Path) -> None:
    place.database(lab_home).touch()
    with Store.open_reader(lab_home) as store:
        assert store.sweeps() == []
    connection = sqlite3.connect(place.database(lab_home))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("DROP TABLE t")
    connection.close()
    with Store.open_reader(lab_home) as store:
        assert store.sweeps() == []
    register(lab_home, PLAN)
    with Store.open_reader(lab_home) as store:
        assert len(store.sweeps()) == 1


def test_two_that_make_it_at_once_make_it_once(lab_home: Path) -> None:
    code = (
        "import sys\n"
        "from scaling_core.runs.store import Store\n"
        "from tests.lab_helpers import register, small_plan\n"
        "from scaling_core.runs import place\n"
        "sys.stdin.read(1)\n"
        "register(place.home(), small_plan(seed=int(sys.argv[1])))\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(seed)], cwd=place.PROJECT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for seed in range(4)
    ]
    time.sleep(1.0)
    for one in both:
        assert one.stdin is not None
        one.stdin.write(b"x")
        one.stdin.flush()
    for one in both:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said.decode()
    with Store.open_reader(lab_home) as store:
        assert {row.id for row in store.sweeps()} == {small_plan(seed=seed).spec.id for seed in range(4)}


def test_a_locked_database_delays_writers_with_a_sentence_and_readers_not_at_all(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(lab_home, PLAN)
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.3)
    holding = sqlite3.connect(place.database(lab_home), isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    try:
        with Store.open_reader(lab_home) as store:
            assert len(store.sweeps()) == 1
        with Store.open_writer(lab_home) as store:
            begun = time.monotonic()
            with pytest.raises(StoreError, match="has been locked by another program"):
                store.heartbeat(SWEEP)
            assert 0.2 < time.monotonic() - begun < 5
            holding.execute("ROLLBACK")
            store.heartbeat(SWEEP)
    finally:
        holding.close()


def test_a_reader_reads_the_log_that_a_killed_writer_left(lab_home: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from scaling_core.runs import place\n"
        "from scaling_core.runs.store import Store\n"
        "from tests.lab_helpers import register, small_plan\n"
        "register(place.home(), small_plan())\n"
        "store = Store.open_writer()\n"
        "store.add_event(small_plan().spec.id, 'info', 'committed')\n"
        "store._connection.execute('BEGIN IMMEDIATE')\n"
        "store._connection.execute(\"UPDATE events SET text = 'half done'\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place.PROJECT, check=False)
    assert done.returncode == -9
    assert (lab_home / "lab.sqlite-wal").stat().st_size > 0
    (lab_home / "lab.sqlite-shm").unlink()  # as after a power loss or a copy: the log's index is gone
    with Store.open_reader(lab_home) as store:
        assert [event.text for event in store.events(SWEEP)] == ["committed"]
    with Store.open_writer(lab_home) as store:
        store.add_event(SWEEP, "info", "and on")
        assert [event.text for event in store.events(SWEEP)] == ["committed", "and on"]


def test_a_torn_end_of_the_log_costs_the_last_write_only(lab_home: Path) -> None:
    code = (
        "import os, signal\n"
        "from scaling_core.runs import place\n"
        "from scaling_core.runs.store import Store\n"
        "from tests.lab_helpers import register, small_plan\n"
        "register(place.home(), small_plan())\n"
        "store = Store.open_writer()\n"
        "store.add_event(small_plan().spec.id, 'info', 'first')\n"
        "store.add_event(small_plan().spec.id, 'info', 'second')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=place.PROJECT, check=False)
    log = lab_home / "lab.sqlite-wal"
    os.truncate(log, log.stat().st_size - 100)
    (lab_home / "lab.sqlite-shm").unlink()
    with Store.open_reader(lab_home) as store:
        assert [event.text for event in store.events(SWEEP)] == ["first"]
        assert len(store.runs(SWEEP)) == len(PLAN.runs)


def test_a_write_that_fails_half_way_leaves_nothing(lab_home: Path) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        rows = [*curve(3), CurveRow(**{**_as_dict(curve(1)[0]), "step": None})]  # type: ignore[arg-type]  # on purpose
        with pytest.raises(StoreError, match="refused a row"):
            store.add_curve(SWEEP, rows)
        assert store.curve(SWEEP) == []
        store.add_curve(SWEEP, curve(3))
        assert len(store.curve(SWEEP)) == 3


def _as_dict(row: CurveRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in CurveRow.__dataclass_fields__}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; needs the rights to mount one."""
    folder = tmp_path / "tiny disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if sys.platform != "linux" or os.geteuid() != 0 or mount is None:
        pytest.skip("a full disk is a small tmpfs here, which only root on Linux can mount")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a full disk is a small tmpfs here, and mounting one failed: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(store: Store, start: int, most: int) -> int:
    """Store curve rows until the disk refuses them; returns how many the store took before it did."""
    written = start
    while written < most:
        try:
            store.add_curve(SWEEP, curve(500, start=written))
        except StoreError as error:
            if "is full; free some space" not in str(error):
                raise
            return written
        written += 500
    pytest.fail("the tiny disk took everything")


def test_a_full_disk_loses_nothing_that_was_stored(tiny_disk: Path) -> None:
    register(tiny_disk, PLAN)
    with Store.open_writer(tiny_disk) as store:
        store.add_prediction(prediction(PLAN, PLAN.runs[-1].id))
        written = fill(store, 0, 100_000)
        assert fill(store, written, 100_000) >= written
    with Store.open_reader(tiny_disk) as store:
        assert len(store.curve(SWEEP)) >= written > 0
        assert len(store.predictions(SWEEP)) == 1
        assert len(store.runs(SWEEP)) == len(PLAN.runs)


def test_a_full_disk_leaves_the_old_file_and_no_half_of_a_new_one(tiny_disk: Path) -> None:
    path = place.plan_file(tiny_disk, SWEEP)
    place.write_json(path, {"text": "x" * 300_000})
    before = path.read_bytes()
    with pytest.raises(StoreError, match="cannot be written"):
        place.write_json(path, {"text": "y" * 900_000})
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]
