"""What is set before torch loads, what keeps a Mac awake, and what is said before a long training begins."""

from __future__ import annotations

import subprocess
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from scaling_core.errors import DeviceError
from scaling_core.lab import surroundings
from scaling_core.lab.surroundings import HIGH_MARK, LOW_MARK, before_start, power, prepare_environment
from tests.lab_helpers import small_plan

GB = 1_000_000_000
OTHERS = ("CUBLAS_WORKSPACE_CONFIG", "OMP_WAIT_POLICY", "TOKENIZERS_PARALLELISM")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment of the test's own."""
    made: dict[str, str] = {}
    monkeypatch.setattr(surroundings, "os", SimpleNamespace(environ=made))
    return made


@pytest.mark.parametrize(
    ("given", "high", "low"),
    [
        ({}, "1", "0.9"),
        ({HIGH_MARK: "0.7"}, "0.7", "0.63"),
        ({HIGH_MARK: "1.7"}, "1.7", "0.9"),
        ({HIGH_MARK: "0.0"}, "0", "0.9"),
        ({LOW_MARK: "0.5"}, "1", "0.5"),
        ({LOW_MARK: "1.4"}, "1.4", "1.4"),
        ({HIGH_MARK: "0.6", LOW_MARK: "0.5"}, "0.6", "0.5"),
        ({HIGH_MARK: "0.5", LOW_MARK: "0.8"}, "0.5", "0.45"),
        ({HIGH_MARK: "much", LOW_MARK: "-1"}, "1", "0.9"),
    ],
)
def test_both_watermarks_are_set_and_the_allocator_takes_them(
    environment: dict[str, str], given: dict[str, str], high: str, low: str
) -> None:
    environment.update(given)
    prepare_environment("mps")
    assert (environment[HIGH_MARK], environment[LOW_MARK]) == (high, low)
    assert 0.0 <= float(environment[LOW_MARK]) <= (float(environment[HIGH_MARK]) or 2.0) <= 2.0


def test_each_device_gets_its_own_limits(environment: dict[str, str]) -> None:
    prepare_environment("cpu")
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    environment["OMP_WAIT_POLICY"] = "ACTIVE"
    prepare_environment("cuda")
    assert environment["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"
    assert HIGH_MARK not in environment
    prepare_environment("auto")
    assert set(environment) == {HIGH_MARK, LOW_MARK, *OTHERS}


def mac(monkeypatch: pytest.MonkeyPatch, *, tool: str | None = "/usr/bin/caffeinate") -> list[tuple[Any, Any]]:
    """A Mac whose started commands are written down."""
    started: list[tuple[Any, Any]] = []

    def popen(command: list[str], **streams: Any) -> str:
        started.append((command, streams))
        return "process"

    monkeypatch.setattr(surroundings, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(surroundings, "shutil", SimpleNamespace(which=lambda name: tool))
    monkeypatch.setattr(surroundings, "subprocess", SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL))
    return started


def test_a_mac_is_kept_awake_with_exactly_this_command(monkeypatch: pytest.MonkeyPatch) -> None:
    started = mac(monkeypatch)
    assert surroundings.stay_awake(4711) is not None
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    assert started == [(["/usr/bin/caffeinate", "-i", "-w", "4711"], quiet)]


def test_without_the_tool_or_elsewhere_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mac(monkeypatch, tool=None) == []
    assert surroundings.stay_awake(1) is None
    started = mac(monkeypatch)
    monkeypatch.setattr(surroundings, "sys", SimpleNamespace(platform="linux"))
    assert surroundings.stay_awake(1) is None
    assert started == []


def test_a_tool_that_cannot_be_started_stops_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    mac(monkeypatch)

    def refuse(command: list[str], **streams: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(surroundings, "subprocess", SimpleNamespace(Popen=refuse, DEVNULL=subprocess.DEVNULL))
    assert surroundings.stay_awake(1) is None


Battery = namedtuple("Battery", "percent secsleft power_plugged")
Usage = namedtuple("Usage", "total used free")


def machine(
    monkeypatch: pytest.MonkeyPatch, *, battery: Battery | None = None, memory: int = 16 * GB, disk: int = 100 * GB
) -> None:
    """A machine in that state."""
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=memory))
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(500 * GB, 0, disk))


def test_a_machine_that_is_well_is_warned_of_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for battery in (None, Battery(80.0, psutil.POWER_TIME_UNLIMITED, True), Battery(3.0, 60, True)):
        machine(monkeypatch, battery=battery)
        assert before_start(tmp_path, 36_000.0, 2 * GB, GB, checkpoint_bytes=GB) == ()
    machine(monkeypatch, battery=Battery(80.0, psutil.POWER_TIME_UNKNOWN, False))
    assert before_start(tmp_path, 180.0, 2 * GB, GB) == ()


@pytest.mark.parametrize(
    ("battery", "seconds", "words"),
    [
        (Battery(80.0, psutil.POWER_TIME_UNKNOWN, False), 3600.0, ("on battery at 80%", "about 1 h;")),
        (Battery(12.0, psutil.POWER_TIME_UNKNOWN, False), 20.0, ("on battery at 12%", "plug it in")),
        (Battery(60.0, 3000, False), 3600.0, ("about 50 min left", "less than the 1 h")),
        (Battery(100.0, 100, False), 180.0, ("about 1 min 40 s left", "less than the 3 min")),
    ],
)
def test_a_battery_that_may_not_last_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, battery: Battery, seconds: float, words: tuple[str, ...]
) -> None:
    machine(monkeypatch, battery=battery)
    (said,) = before_start(tmp_path, seconds, 0, 0)
    for word in words:
        assert word in said, said


def test_too_little_memory_and_disk_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, memory=3 * GB, disk=5 * GB)
    memory, disk = before_start(tmp_path / "not" / "yet", 60.0, 4 * GB, 6 * GB, checkpoint_bytes=GB)
    assert "needs about 4 GB of memory and 3 GB are available" in memory
    assert "writes up to 6 GB and 5 GB are free at" in disk


def test_a_disk_that_cannot_hold_one_checkpoint_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, disk=GB)
    with pytest.raises(DeviceError, match=r"Only 1 GB are free at .* takes 1\.2 GB; make room there"):
        before_start(tmp_path, 60.0, 0, 0, checkpoint_bytes=12 * GB // 10)
    assert len(before_start(tmp_path, 60.0, 0, 2 * GB, checkpoint_bytes=GB)) == 1


def test_a_system_that_cannot_tell_of_its_battery_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise FileNotFoundError("no such file: /sys/class/power_supply")

    monkeypatch.setattr(psutil, "sensors_battery", broken, raising=False)
    assert power() is None
    monkeypatch.delattr(psutil, "sensors_battery")
    assert power() is None
    machine(monkeypatch, battery=Battery(55.4, psutil.POWER_TIME_UNLIMITED, True))
    assert str(power()) == "plugged in, the battery at 55%"


def test_the_disk_that_a_plan_needs_is_counted_by_generations() -> None:
    """Four sizes; of each two generations of 12 bytes a parameter and a model of 4; once four more of the largest."""
    plan = small_plan()
    sizes = [line.runs[0].params_total for line in plan.lines]
    assert surroundings.checkpoint_needed(plan) == 12 * max(sizes)
    assert surroundings.disk_needed(plan) == 28 * sum(sizes) + 48 * max(sizes) + 100_000_000
