"""`python -m scaling_core doctor`: whether this machine can show the pictures and train the ladder, check by check."""

from __future__ import annotations

import argparse
import json
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from scaling_core.errors import ScalingError
from scaling_core.lab.sources import in_a_row
from scaling_core.lab.surroundings import BATTERY_PERCENT, free_bytes, power
from scaling_core.language import t, unpacked
from scaling_core.runs import place
from scaling_core.runs.calibrations import check_device, child_environment, last_line
from scaling_core.units import format_bytes

MINIMUM_PYTHON = (3, 11)
DISK_BYTES = 1_000_000_000
MEMORY_BYTES = 1_500_000_000
FIRST_PORT, PORTS = 8501, 50
CHILD_SECONDS = 180.0

DEVICE_CHECKS = ("device", "compute", "freed", "self-test", "experiment", "speed")
"""What `lab.checkup` answers, in a process that loads torch: is the device there, does it compute, does memory that was
freed come back, does it train as the CPU does, does a whole small sweep run, how fast is it."""

_IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(len(sys.argv) - 1, "packages import")
"""
_MODULES = {"python-pptx": "pptx", "vl-convert-python": "vl_convert"}
"""Packages whose module has another name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One question to the machine. required: the app or the lab does not work without it. detail: one sentence."""

    name: str
    ok: bool
    detail: str
    seconds: float
    required: bool = True


def register(commands: Any) -> None:
    """Add the command `doctor`."""
    parser = commands.add_parser("doctor", help="check this machine", description=__doc__, allow_abbrev=False)
    parser.set_defaults(func=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.add_argument("--device", default="auto", help="auto, mps, cuda or cpu (default auto)")
    parser.add_argument("--quick", action="store_true", help="leave out what needs torch")


def run(args: argparse.Namespace) -> int:
    """Print every check; 0 where all required ones are well, 1 otherwise. Raises InputError for a device's name."""
    checks = examine(device=check_device(args.device), quick=args.quick)
    well = all(check.ok for check in checks if check.required)
    if args.json:
        print(json.dumps({"ok": well, "checks": [asdict(check) for check in checks]}))
        return 0 if well else 1
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = "ok  " if check.ok else "FAIL" if check.required else "note"
        print(f"{mark}  {check.name.ljust(width)}  {check.detail}  ({check.seconds:.1f} s)")
    print("This machine is ready." if well else "Something is missing: see the lines that begin with FAIL.")
    return 0 if well else 1


def examine(*, device: str = "auto", quick: bool = False, home: Path | None = None) -> list[Check]:
    """Every check, the slow ones side by side. quick: without those that load torch."""
    home = home or place.home()
    with ThreadPoolExecutor(max_workers=2) as pool:
        trained = None if quick else pool.submit(_device_checks, device, home)
        drawn = pool.submit(lambda: [_check("imports", _imports, True), _check("figures", _figures, True)])
        checks = [
            _check("python", _python, True),
            _check("packages", _packages, True),
            _check("home", lambda: _home(home), True),
            _check("disk", lambda: _disk(home), True),
            _check("memory", _memory, False),
            _check("power", _power, False),
            _check("port", _port, True),
        ]
        return checks + drawn.result() + (trained.result() if trained else [])


class _Unwell(Exception):
    """A check failed; the text says what and what to do."""


def _check(name: str, question: Callable[[], str], required: bool) -> Check:
    begun = time.perf_counter()
    try:
        ok, detail = True, question()
    except (_Unwell, ScalingError) as error:
        ok, detail = False, error.args[0] if isinstance(error, _Unwell) else str(error)
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is the answer
        ok, detail = False, f"{type(error).__name__}: {error}"
    return Check(name=name, ok=ok, detail=detail, seconds=time.perf_counter() - begun, required=required)


def _python() -> str:
    if sys.version_info < MINIMUM_PYTHON:
        raise _Unwell(t("Python {version} is too old; 3.11 or later is needed.", version=platform.python_version()))
    return t(
        "Python {version} on {system} {machine}",
        version=platform.python_version(),
        system=platform.system(),
        machine=platform.machine(),
    )


def _packages() -> str:
    lines = (place.PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wrong: list[str] = []
    seen = 0
    for name, bounds in required_packages(lines):
        seen += 1
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(t("{name} is missing", name=name))
            continue
        if not satisfies(version, bounds):
            wrong.append(t("{name} is {version}, wanted {bounds}", name=name, version=version, bounds=bounds))
    if wrong:
        raise _Unwell(t("{wrong}; install them with `pip install -r requirements.txt`.", wrong=in_a_row(wrong)))
    return t("all {n} are there in the versions wanted", n=seen)


def required_packages(lines: list[str]) -> list[tuple[str, str]]:
    """(name, bounds) of the lines of a requirements file that hold on this platform."""
    found = []
    for line in lines:
        wanted, _, marker = line.partition("#")[0].partition(";")
        match = re.fullmatch(r"\s*([A-Za-z0-9_.-]+)\s*(.*?)\s*", wanted)
        if not match:
            continue
        platform_asked = re.fullmatch(r"""\s*sys_platform\s*(==|!=)\s*["'](\w+)["']\s*""", marker)
        if platform_asked and (platform_asked[2] == sys.platform) != (platform_asked[1] == "=="):
            continue
        found.append((match[1], match[2].replace(" ", "")))
    return found


def satisfies(version: str, bounds: str) -> bool:
    """Whether a version such as 2.13.0+cpu meets bounds such as '>=2.1,<3'. Suffixes after the numbers do not count."""

    def numbers(text: str) -> tuple[int, ...]:
        match = re.match(r"\d+(\.\d+)*", text)
        parts = [int(part) for part in match[0].split(".")] if match else []
        return tuple(parts + [0] * (6 - len(parts)))

    here = numbers(version)
    meets: dict[str, Callable[[tuple[int, ...]], bool]] = {
        ">=": lambda there: here >= there,
        "<=": lambda there: here <= there,
        "==": lambda there: here == there,
        "!=": lambda there: here != there,
        ">": lambda there: here > there,
        "<": lambda there: here < there,
    }
    for bound in filter(None, bounds.split(",")):
        match = re.fullmatch(r"(>=|<=|==|!=|>|<)(.+)", bound)
        if match and not meets[match[1]](numbers(match[2])):
            return False
    return True


def _home(home: Path) -> str:
    place.make_folder(home)
    try:
        with tempfile.TemporaryFile(dir=home) as handle:
            handle.write(b"x")
    except OSError as error:
        raise _Unwell(
            t(
                "{home} cannot be written ({reason}); give rights there or set {variable}.",
                home=home,
                reason=error.strerror,
                variable=place.HOME_VARIABLE,
            )
        ) from error
    return t("runs are kept in {home}", home=home)


def _disk(home: Path) -> str:
    free = free_bytes(home)
    if free < DISK_BYTES:
        raise _Unwell(
            t(
                "only {free} are free at {home}; {needed} are needed.",
                free=format_bytes(free),
                home=home,
                needed=format_bytes(DISK_BYTES),
            )
        )
    return t("{free} free", free=format_bytes(free))


def _memory() -> str:
    memory = psutil.virtual_memory()
    said = t("{free} of {all} available", free=format_bytes(memory.available), all=format_bytes(memory.total))
    if memory.available < MEMORY_BYTES:
        raise _Unwell(t("{said}; close other programs before you train.", said=said))
    return said


def _port() -> str:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port == FIRST_PORT:
            return t("127.0.0.1:{port} is free", port=port)
        return t("127.0.0.1:{port} is free ({usual} is in use)", port=port, usual=FIRST_PORT)
    raise _Unwell(
        t(
            "no port from {first} to {last} is free; end a program that listens there.",
            first=FIRST_PORT,
            last=FIRST_PORT + PORTS - 1,
        )
    )


def _power() -> str:
    now = power()
    if now is None:
        return t("no battery")
    if not now.plugged and now.percent < BATTERY_PERCENT:
        raise _Unwell(t("{now}; plug the machine in before you train.", now=str(now)))
    return str(now)


def _imports() -> str:
    """Every package of requirements.txt but torch, which the checks of the device load."""
    lines = (place.PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [_MODULES.get(name, name) for name, _ in required_packages(lines) if name != "torch"]
    return _last_word([sys.executable, "-c", _IMPORTS, *names])


def _figures() -> str:
    from scaling_core.catalog import preset
    from scaling_core.viz.export import to_png
    from scaling_core.viz.laws import slice_chart
    from scaling_core.viz.theme import light

    picture = to_png(slice_chart(preset("hoffmann2022").joint, "N", 70e9, 1.4e12, light()), scale=1.0)
    if not picture.startswith(b"\x89PNG"):
        raise _Unwell(t("the converter returned no PNG; install vl-convert-python again."))
    return t("a figure of {size} was drawn without a network", size=format_bytes(len(picture)))


def _device_checks(device: str, home: Path) -> list[Check]:
    """The answers of `lab.checkup`; where its process ends early, what it owes is failed with the reason."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "scaling_core.lab.checkup", "--device", device]
    why = ""
    try:
        done = _run(command, home)
        said = done.stdout
        why = last_line(done.stderr) or t("its process ended with code {code}", code=done.returncode)
    except subprocess.TimeoutExpired as error:
        said = "" if error.stdout is None else error.stdout.decode(errors="replace")
        why = t("no answer within {seconds:.0f} s; the machine may be busy", seconds=CHILD_SECONDS)
    found = []
    for line in said.splitlines():
        try:
            answer = json.loads(line)
            known = {name: answer[name] for name in ("name", "ok", "seconds")}
            found.append(Check(**known, detail=unpacked(str(answer["detail"]))))
        except (ValueError, TypeError, KeyError):
            continue
    if found and not found[-1].ok and found[-1].name == "device":
        why = t("there is no device to ask")
    answered = {check.name for check in found}
    seconds = time.perf_counter() - began
    return found + [
        Check(name=name, ok=False, detail=t("not answered: {why}.", why=why), seconds=0.0 if answered else seconds)
        for name in DEVICE_CHECKS
        if name not in answered
    ]


def _last_word(command: list[str]) -> str:
    """The last line that a child prints. Raises _Unwell with the last line of its complaint where it fails."""
    try:
        done = _run(command, place.home())
    except subprocess.TimeoutExpired as error:
        raise _Unwell(t("no answer within {seconds:.0f} s; the machine may be busy.", seconds=CHILD_SECONDS)) from error
    said = last_line(done.stdout)
    if done.returncode or not said:
        raise _Unwell(
            last_line(done.stderr) or t("the process ended with code {code} and said nothing.", code=done.returncode)
        )
    return said


def _run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        cwd=place.PROJECT,
        env=child_environment(home),
        check=False,
    )
