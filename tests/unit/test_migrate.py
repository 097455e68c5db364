"""A database of version 1, made by the tables of version 1, is read by this version; nothing in it is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from scaling_core.errors import StoreError, SweepError
from scaling_core.lab.child import read_plan
from scaling_core.lab.records import Plan
from scaling_core.runs import migrate, place, schema
from scaling_core.runs.store import Store
from tests.lab_helpers import finish_runs, register, rows_of, small_plan

TABLES_1 = (Path(__file__).parent / "files" / "tables_version_1.sql").read_text(encoding="utf-8")
SWEEP = "smoke-00112233aa"


def plan_1(plan: Plan) -> dict[str, Any]:
    """The plan as version 1 wrote it."""
    raw = plan.to_dict()
    spec = {name: raw["spec"][name] for name in ("mode", "device", "corpus", "shapes", "horizons", "seed", "held_out")}
    spec |= {"context": 128, "vocab_size": 256, "decay_fraction": 0.2, "rate_factor": 1.0, "precision": "float32"}
    spec["corpus"] = {"kind": "stdlib", "path": None}
    new_line, new_run = ("track", "seed", "rate_factor"), ("track", "seed", "rate_factor")
    rungs = []
    for line in raw["lines"]:
        runs = [{name: value for name, value in run.items() if name not in new_run} for run in line["runs"]]
        rungs.append({**{name: value for name, value in line.items() if name not in new_line}, "runs": runs})
    return {"spec": spec, "rungs": rungs, "seconds": 9.0, "memory_bytes": 1, "warnings": []}


@pytest.fixture
def old(lab_home: Path) -> Path:
    """A home with a finished sweep in a database of version 1."""
    plan = small_plan(seed=3)
    path = place.database(lab_home)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(TABLES_1)
    connection.execute(
        "INSERT INTO sweeps VALUES (?, 'smoke', 'cpu', 'finished', NULL, 1, 1.0, 5.0, 5.0, 6.0, 7.0, ?, ?, '{}')",
        (SWEEP, json.dumps(plan_1(plan)), json.dumps({"name": "old text", "hash": "ab"})),
    )
    for place_, run in enumerate(rows_of(plan)):
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'finished', ?, ?, 0.01, 2.0, 9, 1.0, 1.0, 2.0, "
            "NULL)",
            (SWEEP, run.id, place_, run.rung, run.horizon, run.held_out, run.params, run.params_non_embedding,
             run.params_total, run.planned_tokens, run.flops, run.planned_tokens, 2.0 + place_ / 100),
        )  # fmt: skip
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    return lab_home


def test_a_reader_brings_it_up_and_finds_everything(old: Path) -> None:
    with Store.open_reader(old) as store:
        row = store.sweep(SWEEP)
        runs = store.runs(SWEEP)
    assert row is not None
    assert row.plan.spec.rules == 1
    assert row.plan.spec.seed == 3
    assert [run.loss for run in runs] == [2.0 + i / 100 for i in range(len(runs))]
    for run, planned in zip(runs, row.plan.runs, strict=True):
        assert (run.track, run.seed, run.rate_factor) == (f"r{run.rung}", 3, 1.0)
        assert run.flops_exact == planned.flops_exact > run.flops
        assert not run.censored
        assert run.copied_from is None
    kept = sqlite3.connect(old / "lab.version-1.sqlite")
    assert kept.execute("PRAGMA user_version").fetchone()[0] == 1
    assert kept.execute("SELECT count(*) FROM runs").fetchone()[0] == len(runs)


def test_its_tables_become_those_of_a_new_file(old: Path, tmp_path: Path) -> None:
    def columns(home: Path) -> set[tuple[str, str]]:
        with Store.open_writer(home):
            connection = sqlite3.connect(place.database(home))
        found = set()
        for table in ("sweeps", "runs", "curve", "predictions", "events"):
            found |= {(table, str(row[1])) for row in connection.execute(f"PRAGMA table_info({table})")}
        others = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index') AND name NOT LIKE 'sqlite_%'"
        return found | {(str(kind), str(name)) for kind, name in connection.execute(others)}

    assert columns(old) == columns(tmp_path / "new")


def test_new_sweeps_train_beside_it_and_nothing_old_is_taken_over(old: Path) -> None:
    plan = small_plan(seed=3)
    register(old, plan)
    with Store.open_reader(old) as store:
        assert store.twins(plan.spec.id) == {}
    finish_runs(old, plan, held_out=True)
    with Store.open_reader(old) as store:
        assert len(store.sweeps()) == 2


def test_a_plan_that_is_not_ours_leaves_the_file_as_it_was(old: Path) -> None:
    connection = sqlite3.connect(place.database(old))
    connection.execute("UPDATE sweeps SET plan = '{}'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="not one of version 1"):
        Store.open_reader(old)
    connection = sqlite3.connect(place.database(old))
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    assert "track" not in {row[1] for row in connection.execute("PRAGMA table_info(runs)")}


def test_a_kill_in_the_middle_leaves_the_old_version_whole(old: Path) -> None:
    code = (
        "import os, signal, sqlite3, sys\n"
        "from pathlib import Path\n"
        "from scaling_core.runs import migrate\n"
        "def die(connection):\n"
        "    connection.execute('CREATE INDEX half ON runs (rung)')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "migrate._plans = die\n"
        "path = Path(sys.argv[1])\n"
        "migrate.migrate(sqlite3.connect(path, isolation_level=None), path)\n"
    )
    path = place.database(old)
    ended = subprocess.run([sys.executable, "-c", code, str(path)], cwd=place.PROJECT, check=False)
    assert ended.returncode == -signal.SIGKILL
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == migrate.OLD
    assert "track" not in {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
    connection.close()
    with Store.open_reader(old) as store:
        assert len(store.runs(SWEEP)) == 12


def test_many_that_come_at_once_migrate_it_once(old: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from scaling_core.runs.store import Store\n"
        "time.sleep(max(0.0, float(sys.argv[2]) - time.time()))\n"
        "with Store.open_reader(Path(sys.argv[1])) as store:\n"
        f"    assert len(store.runs('{SWEEP}')) == 12\n"
    )
    at = str(time.time() + 1.5)
    many = [subprocess.Popen([sys.executable, "-c", code, str(old), at], cwd=place.PROJECT) for _ in range(4)]
    assert [one.wait(timeout=60) for one in many] == [0] * 4
    assert sorted(path.name for path in old.iterdir() if path.suffix == ".sqlite") == [
        "lab.sqlite", "lab.version-1.sqlite",
    ]  # fmt: skip


def test_a_ladder_of_old_rules_is_not_resumed(lab_home: Path) -> None:
    plan = small_plan()
    raw = json.loads(json.dumps(plan.to_dict()))
    raw["spec"]["rules"] = 1
    place.write_json(place.plan_file(lab_home, plan.spec.id), raw)
    with pytest.raises(SweepError, match="version 1 of the training rules"):
        read_plan(lab_home, plan.spec.id)


def test_the_old_plan_is_read_field_by_field() -> None:
    plan = small_plan()
    assert Plan.from_dict(migrate.plan_of_version_1(plan_1(plan))).runs == plan.runs
    assert asdict(plan)["spec"]["rules"] == 2
    assert os.path.basename(str(place.database(Path("x")))) == "lab.sqlite"
