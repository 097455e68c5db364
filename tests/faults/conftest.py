"""Fixtures of the fault tests: a small text, a nursery of trainings, and a sweep that nothing interrupted."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab.records import Plan
from scaling_core.lab.spec import Shape
from tests.faults.trainer import Nursery, make_plan, outcome, train_alone

FILES = ("argparse.py", "typing.py", "json/decoder.py", "subprocess.py", "tarfile.py")


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real text: a few modules of the standard library."""
    folder = tmp_path_factory.mktemp("text")
    for name in FILES:
        source = Path(sysconfig.get_path("stdlib"), name)
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


@pytest.fixture(scope="session")
def _nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    try:
        yield nursery
    finally:
        nursery.close()


@pytest.fixture
def nursery(_nursery: Nursery) -> Iterator[Nursery]:
    """Starts trainings; those that a test leaves behind are killed after it."""
    try:
        yield _nursery
    finally:
        _nursery.clear()


@pytest.fixture(scope="session")
def whole_lab(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    """A home with a sweep that nothing interrupted, trained in an interpreter of its own.

    Three sizes at three horizons, so that the two smaller foretell the largest.
    """
    home = tmp_path_factory.mktemp("undisturbed")
    shapes = tuple(Shape(n_layer=1, d_model=d, n_head=1) for d in (16, 24, 32))
    plan = make_plan(text, shapes=shapes, horizons=(1.0, 2.0, 4.0))
    code, said = train_alone(home, plan)
    assert code == 0, said
    return home, plan


@pytest.fixture(scope="session")
def undisturbed(whole_lab: tuple[Path, Plan]) -> tuple[Plan, dict[str, Any]]:
    """The same sweep's plan, and what came out."""
    home, plan = whole_lab
    found = outcome(home, plan)
    assert [run[1] for run in found["runs"]] == ["finished"] * 9
    assert len(found["weights"]) > 30
    assert len(found["curve"]) > 100
    assert len(found["predictions"]) == 3
    return plan, found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; only root can mount one."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root on Linux")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
