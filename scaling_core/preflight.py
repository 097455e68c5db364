"""Before going on stage: whether everything that a talk needs is there, check by check, each in one sentence.

What only the browser sees is in `preflight_browser`; what a device does is known from `examination`.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from scaling_core.checks import Check, Status, Told
from scaling_core.doctor import DEVICE_CHECKS, DISK_BYTES, MEMORY_BYTES
from scaling_core.errors import ScalingError
from scaling_core.examination import Examination
from scaling_core.lab.records import Calibration
from scaling_core.lab.surroundings import BATTERY_PERCENT, free_bytes, power
from scaling_core.language import listed, t, tn, together
from scaling_core.runs import place, recording
from scaling_core.runs.liveness import shown_state
from scaling_core.runs.store import Store
from scaling_core.units import format_bytes
from scaling_core.viz import warm

SLOWEST_FIGURE = 1.5
"""Seconds that the export of a figure may take."""
ROOMY_DISK = 5_000_000_000
LOCK_SECONDS = 1.0


def figure_checks(drawn: Callable[[], bool], export: Callable[[], object]) -> list[Check]:
    """Whether figures can be made: Chinese in them, and all that is slow at first done already.

    drawn: says whether Chinese is drawn. export: makes a figure. Neither is called before the converter is warm.
    """
    state = warm.state()
    if state in ("cold", "warming"):
        soon = t("The figures are being warmed up; it takes some seconds.")
        found: list[Told] = [("waiting", soon), ("waiting", soon)]
    else:
        found = [_told(lambda: _figure_font(drawn)), _told(lambda: _warm(state, export))]
    (font, font_seen), (ready, ready_seen) = found
    return [
        Check(id="figure-font", what=t("Chinese in figures"), status=font, seen=font_seen),
        Check(id="figures", what=t("Figures warmed up"), status=ready, seen=ready_seen),
    ]


def _figure_font(drawn: Callable[[], bool]) -> Told:
    if drawn():
        return "ok", t("Exported figures draw Chinese.")
    return "failed", t("Exported figures show boxes for Chinese: install a Chinese font and start the app again.")


def _warm(state: warm.State, export: Callable[[], object]) -> Told:
    begun = time.perf_counter()
    export()
    seconds = time.perf_counter() - begun
    if state == "failed":
        return "warning", t("Warming up has failed, see the log: the first look at each page will be slower.")
    if seconds > SLOWEST_FIGURE:
        return "warning", t("An exported figure takes {seconds:.1f} s: the machine is busy.", seconds=seconds)
    return "ok", t("All charts are ready, and an exported figure takes {seconds:.2f} s.", seconds=seconds)


def device_check(seen: Examination | None, measured: Calibration | None, training: str | None = None) -> Check:
    """What is known of the device that trains. training: the ladder that it trains now, or None."""
    status, said = _device(seen, measured)
    if training is not None and status != "failed":
        status = "warning"
        said = t("{ladder} is training and holds the device: wait for it or stop it.", ladder=training)
    return Check(id="device", what=t("Training device"), status=status, seen=said)


def _device(seen: Examination | None, measured: Calibration | None) -> Told:
    if seen is not None and seen.running:
        done, of = len(seen.checks), len(DEVICE_CHECKS)
        return "waiting", t("Being examined: {done} of {of} questions answered.", done=done, of=of)
    if seen is not None and seen.wrong is not None:
        wrong = t("{question}: {answer}", question=question(seen.wrong.name), answer=seen.wrong.detail)
        return "failed", together(wrong, t("Replay the recorded ladder instead of training."))
    if seen is not None:
        speed = next(one.detail for one in seen.checks if one.name == "speed")
        return "ok", t("Examined on {day}, all well: {speed}.", day=_day(seen.made_at), speed=speed)
    if measured is not None and measured.refusal is not None:
        return "failed", measured.refusal
    if measured is not None:
        name, day = measured.device_name, _day(measured.made_at)
        return "ok", t("{name} passed the self-test on {day}; press Examine for the rest.", name=name, day=day)
    return "warning", t("Nothing is known of it yet: press Examine, which takes about a minute.")


def question(name: str) -> str:
    """A question of `lab.checkup` in words."""
    words = {
        "device": t("A device is there"),
        "compute": t("It computes rightly"),
        "freed": t("Memory comes back"),
        "self-test": t("It trains as the CPU does (self-test)"),
        "experiment": t("A whole small ladder runs"),
        "speed": t("It is fast enough"),
    }
    return words.get(name, name)


def machine_checks(home: Path) -> list[Check]:
    """Disk, memory, power and what lies on the disk: the record of the lab, the recorded ladder, the story."""
    asked: list[tuple[str, str, Callable[[], Told]]] = [
        ("disk", t("Disk"), lambda: _disk(home)),
        ("memory", t("Memory"), _memory),
        ("power", t("Power"), _power),
        ("record", t("The lab's record"), lambda: _record(home)),
        ("example", t("Recorded ladder"), _example),
        ("story", t("Story"), lambda: _story(home)),
    ]
    found = [(id, what, _told(ask)) for id, what, ask in asked]
    return [Check(id=id, what=what, status=status, seen=seen) for id, what, (status, seen) in found if seen]


def _told(ask: Callable[[], Told]) -> Told:
    """The answer, or the sentence of what went wrong."""
    try:
        return ask()
    except ScalingError as error:
        return "failed", str(error)
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is the answer
        return "failed", f"{type(error).__name__}: {error}"[:200]


def _disk(home: Path) -> Told:
    free = free_bytes(home)
    if free < DISK_BYTES:
        needed = format_bytes(DISK_BYTES)
        return "failed", t(
            "Only {free} are free: make room, {needed} are needed.", free=format_bytes(free), needed=needed
        )
    if free < ROOMY_DISK:
        return "warning", t("{free} are free: enough for a short ladder, make room for more.", free=format_bytes(free))
    return "ok", t("{free} are free.", free=format_bytes(free))


def _memory() -> Told:
    now = psutil.virtual_memory()
    said = t("{free} of {all} are available", free=format_bytes(now.available), all=format_bytes(now.total))
    if now.available < MEMORY_BYTES:
        return "warning", t("{said}: close other programs before you train.", said=said)
    return "ok", t("{said}.", said=said)


def _power() -> Told:
    now = power()
    if now is None:
        return "ok", t("It runs without a battery.")
    if now.plugged:
        return "ok", t("{now}.", now=str(now))
    status: Status = "failed" if now.percent < BATTERY_PERCENT else "warning"
    return status, t("{now}: plug it in, on battery it is slower and falls asleep.", now=str(now))


def _record(home: Path) -> Told:
    place.make_folder(home)
    try:
        with tempfile.TemporaryFile(dir=home) as handle:
            handle.write(b"x")
    except OSError as error:
        return "failed", t("{home} cannot be written ({reason}): give rights there.", home=home, reason=error.strerror)
    with Store.open_reader(home) as store:
        ladders = len(store.sweeps())
    path = place.database(home)
    if path.exists() and path.stat().st_size:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=LOCK_SECONDS)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            return "failed", t("{path} cannot be written now ({reason}).", path=path, reason=str(error))
        finally:
            connection.close()
    return "ok", tn("It can be written and holds {n} ladder.", "It can be written and holds {n} ladders.", ladders)


def training_now(home: Path) -> str | None:
    """The ladder that trains in this lab now, or None; also None where the record cannot be read."""
    try:
        with Store.open_reader(home) as store:
            return next((row.id for row in store.sweeps() if shown_state(row, home) == "running"), None)
    except ScalingError:
        return None


def _example() -> Told:
    seen = recording.read_recording(recording.EXAMPLE)
    runs = sum(run.loss is not None for run in seen.runs)
    return "ok", t("{n} runs of {day}, ready to be replayed.", n=runs, day=_day(seen.row.created_at))


def _story(home: Path) -> Told:
    """The scenes of the story; nothing in a version that has none."""
    try:
        from scaling_core.story import story
    except ImportError:
        return "ok", ""
    scenes, problem = story(home)
    if problem:
        return "warning", problem
    return "ok", tn("{n} scene is ready.", "{n} scenes are ready.", len(scenes))


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))


def verdict(checks: Sequence[Check]) -> tuple[Status, str, str]:
    """Whether all is well, in a word, a large sentence and a quieter one; the gravest first."""
    worst: tuple[Status, ...] = ("failed", "warning", "waiting")
    left = [check for status in worst for check in checks if check.status == status]
    if not left:
        return "ok", t("Ready."), t("All {n} checks are green.", n=len(checks))
    first = [check.what for check in left if check.status == left[0].status]
    names = listed(first)
    well = t("{done} of {n} checks are green.", done=len(checks) - len(left), n=len(checks))
    if left[0].status == "waiting":
        return "waiting", t("One moment: {names}.", names=names), well
    if left[0].status == "failed":
        return "failed", t("Not ready: {names}.", names=names), well
    return "warning", tn("One thing is left: {names}.", "{n} things are left: {names}.", len(first), names=names), well
