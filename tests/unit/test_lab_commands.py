"""`lab` on the command line: what it prints, what it refuses and with which status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scaling_core import cli
from scaling_core.lab.plan import FORETELL_SECONDS
from scaling_core.runs import place, supervisor
from scaling_core.runs.calibrations import save_calibration
from scaling_core.runs.store import Store
from tests.lab_helpers import calibration, finish_runs, prediction, register, small_plan

PLAN = small_plan()
SWEEP = PLAN.spec.id


@pytest.fixture
def measured(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose devices are measured, and a text to train on; children are those without torch."""
    text = lab_home / "text.txt"
    text.write_text("to be or not to be, that is the question\n" * 5000)
    save_calibration(lab_home, "auto", calibration())
    monkeypatch.setattr(supervisor, "CHILD_MODULE", "tests.faults.dummy_child")
    return lab_home


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    try:
        status = cli.main(["lab", *words])
    except SystemExit as error:
        status = int(error.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


def ladder(home: Path, *more: str) -> list[str]:
    return ["--mode", "smoke", "--device", "cpu", "--corpus", str(home / "text.txt"), *more]


def test_plan_says_what_every_run_costs(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "plan", *ladder(measured), "--json")
    assert status == 0
    plan: dict[str, Any] = json.loads(out)
    assert set(plan) >= {"sweep", "seconds", "runs"}
    assert set(plan["runs"][0]) >= {"id", "params", "params_non_embedding", "tokens", "flops", "seconds", "held_out"}
    assert plan["seconds"] == pytest.approx(5.0 + FORETELL_SECONDS + sum(one["seconds"] for one in plan["runs"]))
    assert plan["device"] == "cpu"
    status, out, _ = run(capsys, "plan", *ladder(measured))
    assert status == 0
    assert plan["sweep"] in out
    assert out.count("held out") == 3
    assert not place.database(measured).exists(), "a plan stores nothing"


def test_plan_warns_of_a_small_text(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = run(capsys, "plan", *ladder(measured, "--minutes", "5"))
    assert "reads the text" in err
    assert "reads the text" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mode", "slow"], "mode: got 'slow', but it must be one of smoke, live, quick, standard, full."),
        (["--device", "abacus"], "device: got 'abacus', but it must be one of auto, mps, cuda, cpu."),
        (["--sizes", "2"], "sizes: got '2', but it must be a whole number from 3 to 8."),
        (["--sizes", "many"], "sizes: got 'many'"),
        (["--minutes", "nan"], "minutes: got 'nan'"),
        (["--minutes", "-5"], "minutes: got '-5'"),
        (["--minutes", "1e9"], "minutes: got 1000000000.0, but a ladder takes from 0.2 minutes to 30 days"),
        (["--seed", "-1"], "seed: got '-1'"),
        (["--seed", "1.5"], "seed: got '1.5'"),
        (["--held-out", "9"], "held-out: got '9'"),
        (["--held-out", "3"], "held_out: got 3, but of 4 sizes at least two remain to fit"),
        (["--corpus", "/no/such/text"], "There is no file or folder /no/such/text"),
    ],
)
def test_a_bad_wish_exits_with_2_and_one_sentence(
    measured: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    for command in ("plan", "start"):
        status, out, err = run(capsys, command, *ladder(measured), *words, "--json")
        assert (status, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
    assert not (measured / "sweeps").exists()


def test_start_status_stop_resume_delete(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "start", *ladder(measured), "--json")
    assert status == 0
    started = json.loads(out)
    sweep = started["sweep"]
    os.kill(started["pid"], 0)
    status, out, _ = run(capsys, "status", sweep, "--json")
    shown = json.loads(out)
    assert (status, shown["state"], shown["sweep"]) == (0, "running", sweep)
    assert set(shown["runs"][0]) >= {"id", "state", "tokens", "loss"}
    status, _, err = run(capsys, "start", *ladder(measured), "--json")
    assert status == 1
    assert f"cpu is busy: sweep {sweep} has been training since" in err
    status, _, err = run(capsys, "delete", sweep, "--yes")
    assert status == 1
    assert "stop it before" in err
    assert json.loads(run(capsys, "stop", sweep, "--json")[1])["state"] == "stopped"
    status, out, _ = run(capsys, "list")
    assert "stopped" in out
    assert json.loads(run(capsys, "resume", sweep, "--json")[1])["sweep"] == sweep
    assert "running" in run(capsys, "status", sweep)[1]
    assert "resume" in run(capsys, "stop", sweep)[1]
    status, _, err = run(capsys, "delete", sweep)
    assert status == 2
    assert "--yes" in err
    assert json.loads(run(capsys, "delete", sweep, "--yes", "--json")[1]) == {"sweep": sweep, "deleted": True}
    assert json.loads(run(capsys, "list", "--json")[1]) == {"sweeps": []}
    assert "No sweep yet" in run(capsys, "list")[1]


def test_start_and_wait_follows_to_the_end(
    measured: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUMMY_SECONDS", "1")
    status, out, err = run(capsys, "start", *ladder(measured), "--seed", "3", "--wait", "--json")
    final = json.loads(out)
    assert (status, final["state"], final["fraction"]) == (0, "finished", 1.0)
    assert err.count("loss") == 12
    assert "12 of 12 runs" in err
    status, out, err = run(capsys, "start", *ladder(measured), "--seed", "3", "--json")
    assert status == 0
    assert "finished already" in json.loads(out)["message"]


def test_ctrl_c_ends_the_waiting_and_not_the_training(measured: Path) -> None:
    code = (
        "import signal, sys\n"
        "from scaling_core import cli\n"
        "from scaling_core.runs import supervisor\n"
        "supervisor.CHILD_MODULE = 'tests.faults.dummy_child'\n"
        # A shell without job control starts what it runs in its background deaf to Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(cli.main(['lab', 'start', '--wait', *sys.argv[1:]]))\n"
    )
    environment = {**os.environ, "DUMMY_SECONDS": "30", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code, *ladder(measured)],
        cwd=place.PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stderr is not None
        lines = [waiting.stderr.readline()]
        while "of 12 runs" not in lines[-1] and lines[-1]:
            lines.append(waiting.stderr.readline())
        waiting.send_signal(signal.SIGINT)
        rest = waiting.stderr.read()
        assert waiting.wait(timeout=10) == 130
    assert "the training goes on untouched" in rest
    assert "Traceback" not in rest
    (status,) = supervisor.statuses(measured)
    assert status.state == "running"
    supervisor.stop(status.sweep, measured)


def test_results_as_json_table_and_csv(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        store.add_prediction(prediction(PLAN, PLAN.runs[-1].id))
    finish_runs(lab_home, PLAN, held_out=True)
    found = json.loads(run(capsys, "results", SWEEP, "--json")[1])
    assert set(found) >= {"points", "fit", "prediction"}
    assert set(found["prediction"]) >= {"params", "tokens", "loss", "interval", "measured", "made_at"}
    status, out, err = run(capsys, "results", SWEEP)
    assert status == 0
    assert "error +2.00%" in out
    assert "alpha" in out
    assert "Few points" in err
    assert run(capsys, "results", SWEEP, "--csv")[1].startswith("id,sweep,rung,shape")
    assert run(capsys, "results", SWEEP, "--csv", "--json")[0] == 2


@pytest.mark.parametrize("command", ["status", "stop", "resume", "delete", "results"])
@pytest.mark.parametrize("name", ["live-0123456789", "../x", ""])
def test_an_unknown_sweep_exits_with_2(
    lab_home: Path, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    status, out, err = run(capsys, command, name, *(["--yes"] if command == "delete" else []))
    assert (status, out) == (2, "")
    assert err.startswith("sweep: got ")
    assert err.count("\n") == 1


def test_a_damaged_database_is_a_sentence(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.database(lab_home).write_bytes(b"this is no database at all, " * 100)
    status, out, err = run(capsys, "list", "--json")
    assert (status, out) == (1, "")
    assert "is damaged" in err
