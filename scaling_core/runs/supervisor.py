"""Start, watch, stop, resume and delete sweeps. The processes belong to nobody who asked for them.

A sweep is trained by a process in a session of its own, which no closed tab, rerun or ended server touches. It is
known by the pid and creation time that it stored; nothing else is ever signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from scaling_core.errors import InputError, ScalingError, StoreError, SweepError
from scaling_core.lab.records import Calibration, Plan
from scaling_core.lab.spec import DEVICES
from scaling_core.language import t, unpacked
from scaling_core.runs import calibrations, place
from scaling_core.runs.liveness import is_living, owner, shown_state
from scaling_core.runs.locks import holder
from scaling_core.runs.progress import SweepStatus, summarize
from scaling_core.runs.rows import SweepRow, state_word
from scaling_core.runs.store import Store

CHILD_MODULE = "scaling_core.lab.child"
"""What a detached process runs, with the sweep's id as its argument."""
BUSY_EXIT = 3
"""How the child ends where another process trains on its device."""
START_SECONDS = 180.0
"""How long a child may take from its start until it has registered: torch, the text and the device's self-test."""
GRACE_SECONDS = 10.0
"""How long a child may take to end when asked to, before it is killed."""
DYING_SECONDS = 5.0
"""How long a killed process may still hold the lock of its device."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A sweep that trains, by process `pid`; or that is finished already, where `message` says so."""

    sweep: str
    pid: int
    message: str | None = None


def start(plan: Plan, home: Path | None = None, *, seed_given: bool = False, timeout: float = START_SECONDS) -> Started:
    """Train a plan in a detached process; returns once it has registered itself.

    Without `seed_given` the sweep gets the next seed, from the plan's on, of which there is no sweep yet. With it, a
    sweep that is finished already is returned as such. Raises SweepError where the device is busy, the sweep exists
    and is to be resumed, or the process fails before it trains; StoreError where files cannot be written.
    """
    home = home or place.home()
    _refuse_busy(home, plan.spec.device)
    if not seed_given:
        plan = with_free_seed(plan, home)
    sweep = plan.spec.id
    with Store.open_reader(home) as store:
        row = store.sweep(sweep)
    if row is not None:
        state = shown_state(row, home)
        if state == "finished":
            return Started(sweep=sweep, pid=row.pid, message=t("The sweep {sweep} is finished already.", sweep=sweep))
        if state == "running":
            raise SweepError(_busy(row.device, row))
        raise SweepError(
            t(
                "The sweep {sweep} exists and is {state}; resume it, or delete it to begin again.",
                sweep=sweep,
                state=state_word(state),
            )
        )
    place.write_json(place.plan_file(home, sweep), plan.to_dict())
    return _spawn(home, sweep, plan.spec.device, timeout)


def with_free_seed(plan: Plan, home: Path) -> Plan:
    """The same plan with the first seed, from its own on, of which the store has no sweep."""
    with Store.open_reader(home) as store, store.snapshot():
        while store.sweep(plan.spec.id) is not None:
            plan = plan.with_seed(plan.spec.seed + 1)
    return plan


def resume(sweep: str, home: Path | None = None, *, timeout: float = START_SECONDS) -> Started:
    """Go on with a sweep that was stopped, interrupted or failed. Raises SweepError for any other, or a busy device."""
    home = home or place.home()
    row = _row(sweep, home)
    state = shown_state(row, home)
    if state == "finished":
        raise SweepError(t("The sweep {sweep} is finished, there is nothing to resume.", sweep=sweep))
    if state == "running":
        raise SweepError(t("The sweep {sweep} is training already (process {pid}).", sweep=sweep, pid=row.pid))
    _refuse_busy(home, row.device)
    if not _has_plan(home, row):
        place.write_json(place.plan_file(home, sweep), row.plan.to_dict())
    return _spawn(home, sweep, row.device, timeout)


def stop(sweep: str, home: Path | None = None, *, grace: float = GRACE_SECONDS) -> SweepStatus:
    """End the process of a sweep: ask, wait `grace` seconds, then kill it and its children. What it did is kept.

    Raises SweepError where the sweep is not running.
    """
    home = home or place.home()
    row = _row(sweep, home)
    process = owner(row, home) if row.state == "running" else None
    if process is None:
        state = state_word(shown_state(row, home))
        raise SweepError(t("The sweep {sweep} is not running, it is {state}.", sweep=sweep, state=state))
    family = _family(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
    until = time.monotonic() + grace
    while owner(row, home) is not None and time.monotonic() < until:
        family |= _family(process)
        time.sleep(0.05)
    _kill_all(family)
    until = time.monotonic() + 5.0
    while owner(row, home) is not None and time.monotonic() < until:
        time.sleep(0.02)
    return status(sweep, home)


def delete(sweep: str, home: Path | None = None) -> None:
    """Remove a sweep, its checkpoints and all that is stored of it. Raises SweepError while it is running.

    Its folder first moves to the trash, so that a deletion cut short never leaves half of one in its place.
    """
    home = home or place.home()
    row = _row(sweep, home)
    if row.state == "running" and owner(row, home) is not None:
        raise SweepError(t("The sweep {sweep} is training; stop it before deleting it.", sweep=sweep))
    folder, trash = place.sweep_folder(home, sweep), home / "trash"
    moved = place.make_folder(trash) / f"{sweep}-{time.time_ns()}"
    try:
        os.rename(folder, moved)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SweepError(
            t(
                "The folder {folder} cannot be removed ({reason}); check the rights there.",
                folder=folder,
                reason=error.strerror,
            )
        ) from error
    try:
        with Store.open_writer(home) as store:
            store.delete_sweep(row)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.rename(moved, folder)
        raise
    shutil.rmtree(moved, ignore_errors=True)
    for leftover in trash.iterdir():
        if time.time() - leftover.stat().st_mtime > 86_400:
            shutil.rmtree(leftover, ignore_errors=True)


def status(sweep: str, home: Path | None = None) -> SweepStatus:
    """How a sweep stands. Raises InputError where there is none of that id."""
    home = home or place.home()
    with Store.open_reader(home) as store, store.snapshot():
        row = store.sweep(place.check_sweep_id(sweep))
        if row is None:
            raise InputError("sweep", sweep, t("there is none of that name; `lab list` shows those there are"))
        return _status(store, row, home)


def statuses(home: Path | None = None) -> list[SweepStatus]:
    """How every sweep stands, the latest started first."""
    home = home or place.home()
    with Store.open_reader(home) as store, store.snapshot():
        return [_status(store, row, home) for row in store.sweeps()]


def measure(device: str = "auto", home: Path | None = None, *, again: bool = False) -> Calibration:
    """What a device does on this machine, remembered or measured by a child process (about 10 s).

    Raises SweepError where it would have to be measured while something trains, which would slow both; DeviceError
    where it is absent or refused.
    """
    home = home or place.home()
    calibrations.check_device(device)
    if again or calibrations.calibration(home, device) is None:
        for name in DEVICES if device == "auto" else (device,):
            _refuse_busy(home, name)
    return calibrations.measure(device, home, again=again)


def _spawn(home: Path, sweep: str, device: str, timeout: float) -> Started:
    log = place.log_file(home, sweep)
    place.make_folder(log.parent)
    with contextlib.suppress(OSError):
        place.ending_file(home, sweep).unlink(missing_ok=True)
    try:
        with open(log, "ab") as output:
            begin = output.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", CHILD_MODULE, sweep],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=place.PROJECT,
                env=calibrations.child_environment(home),
                start_new_session=True,
            )
            known = psutil.Process(process.pid)
    except OSError as error:
        raise SweepError(
            t(
                "No process could be started for {sweep} ({reason}).",
                sweep=sweep,
                reason=error.strerror or str(error),
            )
        ) from error
    # Waits for the child as long as this process lives, so that it never stays behind as a zombie.
    threading.Thread(target=process.wait, name=f"wait-{sweep}", daemon=True).start()
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        code = process.poll()
        with Store.open_reader(home) as store:
            row = store.sweep(sweep)
        if row is not None and row.pid == process.pid:
            if row.state == "failed":
                raise SweepError(
                    row.message or t("The sweep {sweep} failed at its start; its log is {log}.", sweep=sweep, log=log)
                )
            return Started(sweep=sweep, pid=process.pid)
        if code == BUSY_EXIT:
            _refuse_busy(home, device)
            raise SweepError(t("{device} was busy a moment ago; try again.", device=device))
        if code is not None:
            raise SweepError(_ending(home, log, begin, sweep, code))
        time.sleep(0.05)
    _kill_all(_family(known))
    raise SweepError(
        t(
            "The sweep {sweep} did not begin to train within {seconds:.0f} s and was ended; its log is {log}.",
            sweep=sweep,
            seconds=timeout,
            log=log,
        )
    )


def _refuse_busy(home: Path, device: str) -> None:
    until = time.monotonic() + DYING_SECONDS
    while (held := holder(home, device)) is not None:
        # A killed process keeps its files, and with them the lock, until the last of its threads has gone.
        if "pid" not in held or is_living(held["pid"]) or time.monotonic() > until:
            break
        time.sleep(0.02)
    if held is None:
        return
    row = None
    with contextlib.suppress(StoreError), Store.open_reader(home) as store:
        row = store.sweep(str(held.get("sweep")))
    if row is not None:
        raise SweepError(_busy(device, row))
    if "sweep" in held:
        raise SweepError(
            t(
                "{device} is busy: sweep {sweep} is about to train on it; wait for it, or stop it.",
                device=device,
                sweep=held["sweep"],
            )
        )
    raise SweepError(
        t("{device} is busy: another process is about to train on it; wait for it, or stop it.", device=device)
    )


def _busy(device: str, row: SweepRow) -> str:
    since = time.strftime("%H:%M:%S", time.localtime(row.started_at))
    if time.time() - row.started_at > 43_200:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started_at))
    return t(
        "{device} is busy: sweep {sweep} has been training since {since}; wait for it, or stop it.",
        device=device,
        sweep=row.id,
        since=since,
    )


def _ending(home: Path, log: Path, begin: int, sweep: str, code: int) -> str:
    """What the child said last before it ended without having registered."""
    with contextlib.suppress(OSError, ValueError):
        return unpacked(str(json.loads(place.ending_file(home, sweep).read_text(encoding="utf-8"))))
    try:
        with open(log, "rb") as handle:
            handle.seek(begin)
            said = calibrations.last_line(handle.read().decode("utf-8", "replace"))
    except OSError:
        said = ""
    if said.endswith("."):
        return said
    if code < 0:
        how = t("The sweep {sweep} was killed by signal {signal} before it began to train", sweep=sweep, signal=-code)
    else:
        how = t("The sweep {sweep} ended with code {code} before it began to train", sweep=sweep, code=code)
    if said:
        return t("{how} ({said}); its log is {log}.", how=how, said=said[:200], log=log)
    return t("{how}; its log is {log}.", how=how, log=log)


def _family(process: psutil.Process) -> set[psutil.Process]:
    """A process and everything it started that still lives; nothing where its pid is another's by now."""
    try:
        return {process, *process.children(recursive=True)}
    except psutil.Error:
        return set()


def _kill_all(family: set[psutil.Process]) -> None:
    """Kill; psutil compares creation times before it signals, so a pid given away meanwhile is left alone."""
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()


def _has_plan(home: Path, row: SweepRow) -> bool:
    """Whether the plan's file is whole and that of the store, which has it too."""
    try:
        written = place.plan_file(home, row.id).read_text(encoding="utf-8")
        return Plan.from_dict(json.loads(written)) == row.plan
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ScalingError):
        return False


def _row(sweep: str, home: Path) -> SweepRow:
    with Store.open_reader(home) as store:
        row = store.sweep(place.check_sweep_id(sweep))
    if row is None:
        raise InputError("sweep", sweep, t("there is none of that name; `lab list` shows those there are"))
    return row


def _status(store: Store, row: SweepRow, home: Path) -> SweepStatus:
    return summarize(row, store.runs(row.id), store.latest(row.id), shown_state(row, home))
