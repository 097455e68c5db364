"""The doctor: what it says of a healthy machine, and of each illness."""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from scaling_core import cli, doctor
from scaling_core.errors import InputError
from scaling_core.lab.surroundings import Power


def check_of(name: str, checks: list[doctor.Check]) -> doctor.Check:
    (found,) = [check for check in checks if check.name == name]
    return found


QUICK = """
import sys
from scaling_core import cli
status = cli.main(["doctor", "--quick", "--json"])
sys.exit("torch was loaded" if "torch" in sys.modules else status)
"""


def test_quick_checks_are_well_here_and_need_no_torch(lab_home: Path) -> None:
    """In a process of its own, where no other test has loaded torch."""
    root = Path(__file__).parents[2]
    asked = subprocess.run([sys.executable, "-c", QUICK], cwd=root, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    found = json.loads(asked.stdout)
    assert found["ok"] is True
    names = [check["name"] for check in found["checks"]]
    assert names == ["python", "packages", "home", "disk", "memory", "power", "port", "imports", "figures"]
    for check in found["checks"]:
        assert set(check) == {"name", "ok", "detail", "seconds", "required"}
        assert check["ok"] or not check["required"], check
        assert check["seconds"] < 60


@pytest.mark.slow
def test_the_device_is_examined_from_its_presence_to_a_whole_sweep(lab_home: Path) -> None:
    checks = doctor.examine(device="cpu", home=lab_home)
    assert [check.name for check in checks][-6:] == list(doctor.DEVICE_CHECKS)
    for name in doctor.DEVICE_CHECKS:
        assert check_of(name, checks).ok, check_of(name, checks).detail
    assert "cpu (" in check_of("device", checks).detail
    assert "may be used" in check_of("freed", checks).detail
    assert "agrees with the reference" in check_of("self-test", checks).detail
    assert "4 runs trained, stored and read again" in check_of("experiment", checks).detail
    assert "2x64 trains at" in check_of("speed", checks).detail
    assert not any((lab_home / "sweeps").glob("*"))


def child_that(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another program stand for the process that examines the device."""
    run = doctor._run
    monkeypatch.setattr(doctor, "_run", lambda command, home: run([sys.executable, "-c", code], home))


WELL = '{"name": "device", "ok": true, "detail": "cpu", "seconds": 0.1}'


def test_a_device_whose_process_dies_owes_the_rest(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_that(f"import os; print({WELL!r}, flush=True); os.kill(os.getpid(), 9)", monkeypatch)
    checks = doctor._device_checks("cpu", lab_home)
    assert [(check.name, check.ok) for check in checks] == [(name, name == "device") for name in doctor.DEVICE_CHECKS]
    assert all("ended with code -9" in check.detail for check in checks[1:])


def test_a_device_that_hangs_says_how_far_it_came(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_that(f"import time; print({WELL!r}, flush=True); time.sleep(60)", monkeypatch)
    monkeypatch.setattr(doctor, "CHILD_SECONDS", 1.0)
    checks = doctor._device_checks("cpu", lab_home)
    assert check_of("device", checks).ok
    assert "no answer within 1 s" in check_of("compute", checks).detail


def test_what_the_device_prints_besides_its_answers_is_passed_over(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_that(f"print('a driver chats'); print({WELL!r}); print('[1]'); raise SystemExit('no memory')", monkeypatch)
    checks = doctor._device_checks("cpu", lab_home)
    assert len(checks) == len(doctor.DEVICE_CHECKS)
    assert check_of("speed", checks).detail == "not answered: no memory."


def test_a_weak_battery_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    for plugged, percent, ok in ((True, 5.0, True), (False, 60.0, True), (False, 12.0, False)):
        now = Power(plugged=plugged, percent=percent, seconds=None)
        monkeypatch.setattr(doctor, "power", lambda now=now: now)
        found = doctor._check("power", doctor._power, False)
        assert (found.ok, found.required) == (ok, False)
        assert f"{percent:.0f}%" in found.detail
    monkeypatch.setattr(doctor, "power", lambda: None)
    assert doctor._power() == "no battery"


def test_the_table_says_that_something_is_missing(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [
        doctor.Check(name="disk", ok=False, detail="only 3 MB are free.", seconds=0.1),
        doctor.Check(name="memory", ok=False, detail="little.", seconds=0.1, required=False),
        doctor.Check(name="python", ok=True, detail="Python", seconds=0.1),
    ]
    monkeypatch.setattr(doctor, "examine", lambda **options: bad)
    arguments = argparse.Namespace(device="auto", quick=True, json=False)
    assert doctor.run(arguments) == 1
    out = capsys.readouterr().out
    assert "FAIL  disk" in out
    assert "note  memory" in out
    assert "Something is missing" in out
    monkeypatch.setattr(doctor, "examine", lambda **options: bad[1:])
    assert doctor.run(arguments) == 0
    assert "This machine is ready." in capsys.readouterr().out


def test_a_bad_device_is_a_bad_input(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--device", "abacus"]) == 2
    assert "device: got 'abacus'" in capsys.readouterr().err
    with pytest.raises(InputError):
        doctor.run(argparse.Namespace(device="", quick=True, json=False))


def test_illnesses_are_found(lab_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10, 9, 5_000_000))
    monkeypatch.setattr("sys.version_info", (3, 10, 4))
    monkeypatch.setattr("scaling_core.runs.place.PROJECT", tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy<1\nno-such-package>=1\npsutil\n")
    monkeypatch.setattr(doctor, "_figures", lambda: doctor._last_word([sys.executable, "-c", "print('here')"]))
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    checks = doctor.examine(quick=True, home=blocked)
    assert "5 MB are free" in check_of("disk", checks).detail
    assert "3.11 or later is needed" in check_of("python", checks).detail
    packages = check_of("packages", checks).detail
    assert "no-such-package is missing" in packages
    assert "numpy is" in packages
    assert "psutil" not in packages
    assert "cannot be made" in check_of("home", checks).detail
    assert "No module named 'no-such-package'" in check_of("imports", checks).detail
    assert [check.name for check in checks if not check.ok and check.required] == [
        *("python", "packages", "home", "disk", "imports"),
    ]
    assert check_of("figures", checks).detail == "here"


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setattr(doctor, "FIRST_PORT", port)
        monkeypatch.setattr(doctor, "PORTS", 20)
        assert f"({port} is in use)" in doctor._port()
        monkeypatch.setattr(doctor, "PORTS", 1)
        with pytest.raises(doctor._Unwell, match="no port"):
            doctor._port()


@pytest.mark.parametrize(
    ("version", "bounds", "meets"),
    [
        ("2.13.0+cpu", "==2.13.0", True),
        ("2.13.0", "==2.14", False),
        ("1.67.0", ">=1.61,<2", True),
        ("2.0", ">=1.61,<2", False),
        ("1.9", ">=1.61", False),
        ("3", ">=3.0.0", True),
        ("2.14.0a0", "!=2.13", True),
        ("1.0", "", True),
        ("1.10", ">1.9,<=1.10", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, bounds: str, meets: bool) -> None:
    assert doctor.satisfies(version, bounds) is meets


def test_requirements_of_another_system_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "# a note",
        "",
        'torch==2.13.0; sys_platform != "darwin"',
        'torch>=2.14,<3; sys_platform == "darwin"',
        "numpy >= 2.1, < 3  # why",
    ]
    monkeypatch.setattr("sys.platform", "darwin")
    assert doctor.required_packages(lines) == [("torch", ">=2.14,<3"), ("numpy", ">=2.1,<3")]
    monkeypatch.setattr("sys.platform", "linux")
    assert doctor.required_packages(lines) == [("torch", "==2.13.0"), ("numpy", ">=2.1,<3")]
