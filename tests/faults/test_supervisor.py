"""Processes that are killed, deaf, doubled or replaced by strangers: what the supervisor makes of them.

The children are real processes with real locks and a real store; only what they train is made up.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from scaling_core.errors import DeviceError, InputError, SweepError
from scaling_core.lab.plan import make_plan
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec
from scaling_core.runs import calibrations, liveness, place, supervisor
from scaling_core.runs.locks import DeviceLock, holder
from scaling_core.runs.results import results
from scaling_core.runs.rows import SweepRow
from scaling_core.runs.store import Store
from tests.lab_helpers import calibration, finish_runs, register, small_plan


@pytest.fixture(autouse=True)
def dummy(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real_child" not in request.fixturenames:
        monkeypatch.setattr(supervisor, "CHILD_MODULE", "tests.faults.dummy_child")


@pytest.fixture
def real_child() -> str:
    """Asks for the child that trains."""
    return supervisor.CHILD_MODULE


def until(question: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the answer became yes in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if question():
            return True
        time.sleep(0.02)
    return question()


def row_of(sweep: str, home: Path) -> SweepRow:
    with Store.open_reader(home) as store:
        row = store.sweep(sweep)
    assert row is not None
    return row


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_sweep_starts_detached_and_runs_to_its_end(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUMMY_SECONDS", "1")
    plan = small_plan()
    started = supervisor.start(plan, lab_home)
    assert started.sweep == plan.spec.id
    assert os.getsid(started.pid) == started.pid != os.getsid(0)
    assert Plan.from_dict(json.loads(place.plan_file(lab_home, started.sweep).read_text())) == plan
    assert supervisor.status(started.sweep, lab_home).state == "running"
    assert until(lambda: supervisor.status(started.sweep, lab_home).state == "finished")
    status = supervisor.status(started.sweep, lab_home)
    assert status.fraction == 1.0
    assert status.seconds_left is None
    assert all(run.loss is not None for run in status.runs)
    assert until(lambda: not psutil.pid_exists(started.pid)), "the child of this process was not reaped"
    again = supervisor.start(plan, lab_home, seed_given=True)
    assert again.message is not None
    assert "finished already" in again.message
    with pytest.raises(SweepError, match="nothing to resume"):
        supervisor.resume(started.sweep, lab_home)


def test_a_child_imports_the_package_from_any_folder(
    lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = tmp_path / "scaling_core"
    strange.mkdir()
    (strange / "__init__.py").write_text("raise RuntimeError('the wrong package')")
    monkeypatch.chdir(tmp_path)
    started = supervisor.start(small_plan(), lab_home)
    assert row_of(started.sweep, lab_home).machine["cwd"] == str(place.PROJECT)
    supervisor.stop(started.sweep, lab_home)


def test_stop_asks_and_resume_goes_on(lab_home: Path) -> None:
    started = supervisor.start(small_plan(), lab_home)
    with pytest.raises(SweepError, match="stop it before"):
        supervisor.delete(started.sweep, lab_home)
    with pytest.raises(SweepError, match="training already"):
        supervisor.resume(started.sweep, lab_home)
    status = supervisor.stop(started.sweep, lab_home)
    assert (status.state, status.message) == ("stopped", "Stopped when asked to.")
    assert gone(started.pid)
    with pytest.raises(SweepError, match="is not running, it is stopped"):
        supervisor.stop(started.sweep, lab_home)
    with pytest.raises(SweepError, match="exists and is stopped; resume it"):
        supervisor.start(small_plan(), lab_home, seed_given=True)
    place.plan_file(lab_home, started.sweep).unlink()
    again = supervisor.resume(started.sweep, lab_home)
    assert (again.sweep, again.pid != started.pid) == (started.sweep, True)
    assert supervisor.status(started.sweep, lab_home).state == "running"
    supervisor.stop(started.sweep, lab_home)
    supervisor.delete(started.sweep, lab_home)
    assert not place.sweep_folder(lab_home, started.sweep).exists()
    assert list((lab_home / "trash").iterdir()) == []
    with pytest.raises(InputError, match="none of that name"):
        supervisor.status(started.sweep, lab_home)


def test_kill_9_leaves_an_interrupted_sweep_that_can_be_resumed(lab_home: Path) -> None:
    started = supervisor.start(small_plan(), lab_home)
    os.kill(started.pid, signal.SIGKILL)
    assert until(lambda: supervisor.status(started.sweep, lab_home).state == "interrupted")
    assert row_of(started.sweep, lab_home).state == "running"
    assert until(lambda: holder(lab_home, "cpu") is None)
    with pytest.raises(SweepError, match="interrupted; resume it"):
        supervisor.start(small_plan(), lab_home, seed_given=True)
    supervisor.resume(started.sweep, lab_home)
    assert supervisor.status(started.sweep, lab_home).state == "running"
    supervisor.stop(started.sweep, lab_home)


def test_a_zombie_is_not_alive(lab_home: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    created = psutil.Process(child.pid).create_time()
    assert until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    sweep = register(lab_home, small_plan(), pid=child.pid, created=created)
    try:
        assert liveness.find(child.pid, created) is None
        assert supervisor.status(sweep, lab_home).state == "interrupted"
    finally:
        child.wait()


def test_a_deaf_child_is_killed_with_its_own_children(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUMMY", "deaf")
    started = supervisor.start(small_plan(), lab_home)

    def grandchild() -> list[str]:
        with Store.open_reader(lab_home) as store:
            return [event.text for event in store.events(started.sweep)]

    assert until(lambda: bool(grandchild()))
    other = int(grandchild()[0])
    begun = time.monotonic()
    status = supervisor.stop(started.sweep, lab_home, grace=0.5)
    assert 0.5 <= time.monotonic() - begun < 6
    assert status.state == "interrupted"
    assert gone(started.pid)
    assert until(lambda: gone(other))


@pytest.mark.parametrize("off", [-3600.0, 0.04, 0.0], ids=["another hour", "the same tick", "the same moment"])
def test_a_stranger_with_the_same_pid_is_left_alone(lab_home: Path, off: float) -> None:
    """Even one that was created when the trainer was, as after a restart of a machine whose clock starts anew."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        created = psutil.Process(stranger.pid).create_time()
        with DeviceLock(lab_home, "cpu") as lock:
            assert lock.take(small_plan().spec.id)
        sweep = register(lab_home, small_plan(), pid=stranger.pid, created=created + off)
        assert supervisor.status(sweep, lab_home).state == "interrupted"
        with pytest.raises(SweepError, match="not running"):
            supervisor.stop(sweep, lab_home, grace=0.1)
        supervisor.resume(sweep, lab_home)
        assert supervisor.stop(sweep, lab_home).state == "stopped"
        with Store.open_writer(lab_home) as store:
            store.register_sweep(small_plan(), {"hash": "d0"}, {}, stranger.pid, created + off)
        supervisor.delete(sweep, lab_home)
        time.sleep(0.2)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_lock_that_could_not_say_whose_it_is_leaves_the_creation_time(lab_home: Path) -> None:
    pid, created = liveness.identity()
    sweep = register(lab_home, small_plan(), pid=pid, created=created)
    with DeviceLock(lab_home, "cpu") as lock:
        assert lock.take(sweep)
        os.truncate(place.lock_file(lab_home, "cpu"), 0)
        assert supervisor.status(sweep, lab_home).state == "running"
    assert supervisor.status(sweep, lab_home).state == "interrupted"


def test_a_clock_that_jumped_does_not_hide_the_process_that_holds_the_lock(lab_home: Path) -> None:
    pid, created = liveness.identity()
    plan = small_plan()
    sweep = register(lab_home, plan, pid=pid, created=created - 3600.0)
    assert supervisor.status(sweep, lab_home).state == "interrupted"
    with DeviceLock(lab_home, "cpu") as lock:
        assert lock.take(sweep)
        assert supervisor.status(sweep, lab_home).state == "running"
        with Store.open_reader(lab_home) as store:
            (row,) = store.sweeps()
        assert liveness.owner(replace(row, id="smoke-0000000000"), lab_home) is None
    assert supervisor.status(sweep, lab_home).state == "interrupted"


@pytest.mark.parametrize("same_seed", [True, False])
def test_of_two_starts_at_once_one_trains_and_the_other_is_told(lab_home: Path, same_seed: bool) -> None:
    plans = [small_plan(), small_plan(seed=0 if same_seed else 1)]
    barrier = threading.Barrier(2)
    answers: list[supervisor.Started | str] = []

    def press(plan: Plan) -> None:
        barrier.wait()
        try:
            answers.append(supervisor.start(plan, lab_home))
        except SweepError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=press, args=(plan,)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [answer for answer in answers if isinstance(answer, str)]
    (started,) = [answer for answer in answers if isinstance(answer, supervisor.Started)]
    assert len(told) == 1
    assert re.search(rf"cpu is busy: sweep {started.sweep} (has been training since|is about to train)", told[0])
    with Store.open_reader(lab_home) as store:
        assert [row.id for row in store.sweeps()] == [started.sweep]
    supervisor.stop(started.sweep, lab_home)


SERVER = """
import json, sys, time
from scaling_core.errors import SweepError
from scaling_core.runs import supervisor
from scaling_core.runs.results import results
from tests.lab_helpers import small_plan
supervisor.CHILD_MODULE = "tests.faults.dummy_child"
plan = small_plan(seed=int(sys.argv[1]))
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
try:
    said = supervisor.start(plan, seed_given=True).sweep
except SweepError as error:
    said = str(error)
seen = []
while not seen or seen[-1] != "finished":
    for status in supervisor.statuses():
        results(status.sweep, bootstrap=0)
        seen.append(status.state)
    time.sleep(0.02)
print(json.dumps([said, len(seen), sorted(set(seen))]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)], ids=["the same sweep", "two sweeps"])
def test_of_two_servers_on_one_store_one_trains_and_both_read(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, seeds: tuple[int, int]
) -> None:
    monkeypatch.setenv("DUMMY_SECONDS", "3")
    at = str(time.time() + 3.0)
    servers = [
        subprocess.Popen([sys.executable, "-c", SERVER, str(seed), at], cwd=place.PROJECT, stdout=subprocess.PIPE)
        for seed in seeds
    ]
    answers = [json.loads(server.communicate(timeout=90)[0]) for server in servers]
    ids = [small_plan(seed=seed).spec.id for seed in seeds]
    (started,) = [said for said, _, _ in answers if said in ids]
    (told,) = [said for said, _, _ in answers if said not in ids]
    assert re.search(rf"cpu is busy: sweep {started} (has been training since|is about to train)", told)
    for _, looks, states in answers:
        assert looks > 5
        assert states == ["finished", "running"]
    with Store.open_reader(lab_home) as store:
        (row,) = store.sweeps()
        assert (row.id, row.state) == (started, "finished")
        assert all(run.loss is not None for run in store.runs(started))


def test_a_second_start_says_which_sweep_trains_and_since_when(lab_home: Path) -> None:
    started = supervisor.start(small_plan(), lab_home)
    since = time.strftime("%H:%M:%S", time.localtime(row_of(started.sweep, lab_home).started_at))
    with pytest.raises(SweepError) as caught:
        supervisor.start(small_plan(seed=5), lab_home)
    assert str(caught.value) == (
        f"cpu is busy: sweep {started.sweep} has been training since {since}; wait for it, or stop it."
    )
    with pytest.raises(SweepError, match="cpu is busy"):
        supervisor.measure("auto", lab_home)
    supervisor.stop(started.sweep, lab_home)


def test_without_a_seed_the_next_free_one_is_taken(lab_home: Path) -> None:
    for seed in (0, 1):
        register(lab_home, small_plan(seed=seed), pid=1, created=0.0)
    assert supervisor.with_free_seed(small_plan(), lab_home).spec.seed == 2
    started = supervisor.start(small_plan(), lab_home)
    assert started.sweep == small_plan(seed=2).spec.id
    supervisor.stop(started.sweep, lab_home)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("refuse", r"^The text is empty; choose another one\.$"),
        ("fail", r"^The device vanished\.$"),
        ("crash", r"was killed by signal 9 before it began to train; its log is .*log\.txt"),
    ],
)
def test_a_child_that_fails_at_once_says_why(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    monkeypatch.setenv("DUMMY", how)
    try:
        supervisor.start(small_plan(), lab_home)
    except SweepError as error:
        told: str | None = str(error)
    else:  # it had registered, and was seen in the instant before it failed
        assert how == "fail"
        assert until(lambda: supervisor.status(small_plan().spec.id, lab_home).state == "failed")
        told = supervisor.status(small_plan().spec.id, lab_home).message
    assert told is not None
    assert re.search(said, told)
    assert until(lambda: holder(lab_home, "cpu") is None)


def test_a_child_that_never_registers_is_ended(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUMMY", "silent")
    before = set(psutil.Process().children())
    with pytest.raises(SweepError, match="did not begin to train within 1 s"):
        supervisor.start(small_plan(), lab_home, timeout=1.0)
    assert until(lambda: not set(psutil.Process().children()) - before)


def test_the_end_of_the_starter_is_not_the_end_of_the_child(lab_home: Path) -> None:
    code = (
        "import sys\n"
        "from scaling_core.runs import supervisor\n"
        "from tests.lab_helpers import small_plan\n"
        "supervisor.CHILD_MODULE = 'tests.faults.dummy_child'\n"
        "print(supervisor.start(small_plan()).pid, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=place.PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        server.kill()
    sweep = small_plan().spec.id
    assert not gone(pid)
    assert supervisor.status(sweep, lab_home).state == "running"
    assert supervisor.stop(sweep, lab_home).state == "stopped"


def test_progress_counts_what_a_run_adds(lab_home: Path) -> None:
    plan = small_plan()
    sweep = register(lab_home, plan)
    assert supervisor.status(sweep, lab_home).fraction == 0.0
    finish_runs(lab_home, plan)
    held_out = [run for run in plan.runs if run.held_out]
    done = sum(run.seconds for run in plan.runs if not run.held_out)
    planned = sum(run.seconds for run in plan.runs)
    status = supervisor.status(sweep, lab_home)
    assert status.fraction == pytest.approx(done / planned)
    assert status.seconds_left == pytest.approx(2.0 * (planned - done)), "the runs took twice what was planned"
    rung = plan.sizes[-1]
    trunk_tokens = rung.batch_sequences * 128 * held_out[0].decay_from
    with Store.open_writer(lab_home) as store:
        store.finish_run(
            sweep, held_out[0].id, loss=2.0, se=0.1, bits_per_byte=1.0, seconds=1.0, tokens=1, unique_tokens=1
        )
        store.start_run(sweep, held_out[1].id)
        store.progress(sweep, held_out[1].id, trunk_tokens)
    at_branch = supervisor.status(sweep, lab_home)
    assert at_branch.fraction == pytest.approx((done + held_out[0].seconds) / planned)
    assert at_branch.current_run == held_out[1].id


def test_an_unknown_sweep_is_a_bad_input(lab_home: Path) -> None:
    for action in (supervisor.status, supervisor.stop, supervisor.resume, supervisor.delete):
        with pytest.raises(InputError, match="none of that name"):
            action("live-0123456789", lab_home)
        with pytest.raises(InputError, match="must look like"):
            action("../../home", lab_home)


def test_a_measurement_is_remembered_and_a_bad_one_told(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibrations.save_calibration(lab_home, "auto", calibration())
    assert supervisor.measure("auto", lab_home) == calibration()
    assert supervisor.measure("cpu", lab_home) == calibration()
    with pytest.raises(InputError, match="device"):
        supervisor.measure("abacus", lab_home)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(DeviceError, match="No process could be started"):
        supervisor.measure("cpu", lab_home, again=True)
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with pytest.raises(DeviceError, match="no result that this version can read"):
        supervisor.measure("cpu", lab_home, again=True)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DeviceError, match="ended with code 1"):
        supervisor.measure("cpu", lab_home, again=True)
    assert supervisor.measure("cpu", lab_home) == calibration()
    (lab_home / "calibrations.json").write_text("{ torn")
    assert calibrations.calibration(lab_home, "cpu") is None


@pytest.mark.slow
def test_the_real_child_killed_in_the_middle_is_resumed_and_finishes(lab_home: Path, real_child: str) -> None:
    assert real_child == "scaling_core.lab.child"
    text = lab_home / "text.txt"
    text.write_text("".join(f"{n} times {n} is {n * n}, and {n} and {n} are {n + n}.\n" for n in range(6000)))
    spec = replace(small_plan().spec, corpus=CorpusSpec(kind="path", path=str(text)), horizons=(1.0, 2.0, 4.0))
    started = supervisor.start(make_plan(spec, calibration()), lab_home)

    def finished() -> int:
        return sum(run.loss is not None for run in supervisor.status(started.sweep, lab_home).runs)

    assert until(lambda: finished() >= 4, seconds=120)
    os.kill(started.pid, signal.SIGKILL)
    assert until(lambda: supervisor.status(started.sweep, lab_home).state == "interrupted")
    before = {run.id: run.loss for run in supervisor.status(started.sweep, lab_home).runs if run.loss is not None}
    assert len(before) < 12
    assert supervisor.resume(started.sweep, lab_home).pid != started.pid
    assert until(lambda: supervisor.status(started.sweep, lab_home).state == "finished", seconds=120)
    after = {run.id: run.loss for run in supervisor.status(started.sweep, lab_home).runs}
    assert len(after) == 12
    assert None not in after.values()
    assert {name: after[name] for name in before} == before
    found = results(started.sweep, lab_home, bootstrap=0)
    assert found["prediction"]["measured"] == after[found["prediction"]["id"]]
    assert found["prediction"]["made_at"] < found["prediction"]["measured_at"]
