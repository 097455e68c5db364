"""Fixtures that every folder of tests may ask for, and what the report says about this machine."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

CHROME_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_APPLICATIONS = ("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium")

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in the lab's child: torch's threads wait without spinning
settings.register_profile("lab", deadline=None)  # a shared machine may stall in the middle of any example
settings.load_profile("lab")


def required(name: str) -> bool:
    """Whether the environment variable `name` says yes (1 or true, in any case)."""
    return os.environ.get(name, "").strip().lower() in ("1", "true")


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome: the CHROME variable, then the commands on PATH, then the Mac's applications."""
    named = os.environ.get("CHROME")
    if named:
        return shutil.which(named)
    for command in CHROME_COMMANDS:
        if found := shutil.which(command):
            return found
    for folder in (Path("/Applications"), Path.home() / "Applications"):
        for application in MAC_APPLICATIONS:
            if (folder / application).is_file():
                return str(folder / application)
    return None


def processes_of(home: Path) -> list[psutil.Process]:
    """Living processes that were started with SCALING_LAB_HOME set to `home`, detached ones too, without this one."""
    wanted = str(home)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get("SCALING_LAB_HOME") == wanted:
                found.append(process)
    return found


def end_processes_of(home: Path) -> None:
    """Asks whatever runs over the lab in `home` to end, waits five seconds, and kills what is left."""
    processes = processes_of(home)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=5)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)


def unit_of(nodeid: str) -> str:
    """What stays in one process where several run the tests: a file, all that drive a browser, or one property."""
    path = nodeid.split("::")[0]
    if path.startswith("tests/browser/"):
        return "tests/browser/"
    return nodeid if path.startswith("tests/property/") else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hands out whole units in the order of collection."""
    config.option.loadscopereorder = False
    scheduler = importlib.import_module("xdist.scheduler").LoadScopeScheduling(config, log)
    scheduler._split_scope = unit_of
    return scheduler


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes run the tests, files with slow ones come first, so that all end together."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def pytest_report_header() -> list[str]:
    """Says which browser the browser tests drive, or that they are skipped and how to have them."""
    found = find_chromium()
    if found:
        return [f"browser tests: {found}"]
    return ["browser tests: skipped, no Chromium or Chrome found (install one, or set CHROME to its path)"]


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder of the project: what a clone gives."""
    return ROOT


def beside_the_project(name: str, what: str) -> Path:
    """The folder `name` of ../shared; where it is absent the test is skipped and says so, and fails with CI=true."""
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        message = f"{what} are not here: this test reads them from ../shared/{name}"
        if required("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of published runs beside the project; their licences keep them out of it."""
    return beside_the_project("data", "the published runs")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Folder of reference tables beside the project, made independently of it."""
    return beside_the_project("reference", "the reference tables")


@pytest.fixture(scope="session", autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps every test away from the runs and the saved laws of the person whose machine this is."""
    before = os.environ.get("SCALING_LAB_HOME")
    os.environ["SCALING_LAB_HOME"] = str(tmp_path_factory.mktemp("nobody"))
    yield
    if before is None:
        del os.environ["SCALING_LAB_HOME"]
    else:
        os.environ["SCALING_LAB_HOME"] = before


@pytest.fixture
def lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty lab: SCALING_LAB_HOME points at it, and whatever the test started there has ended afterwards."""
    home = tmp_path / "lab home"
    home.mkdir()
    monkeypatch.setenv("SCALING_LAB_HOME", str(home))
    try:
        yield home
    finally:
        end_processes_of(home)


@pytest.fixture(scope="session")
def end_lab() -> Callable[[Path], None]:
    """A function that ends every process over the lab in a folder, for fixtures that outlive one test."""
    return end_processes_of


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium or Chrome that browser tests drive.

    Where there is none the test is skipped and says so; with SCALING_LAB_REQUIRE_BROWSER=1 that is a failure.
    """
    found = find_chromium()
    if found is None:
        message = "no Chromium or Chrome found: install one, or set CHROME to its path"
        if required("SCALING_LAB_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return found
