"""The rooms of the project and who may enter them, read from the syntax tree of every module.

LAYERS is the picture: a module imports only from its own row and the rows above it. Imports inside functions count
like any other, and so do `importlib.import_module("...")` and `__import__("...")` with a literal name.
"""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("words", ("language",)),
    ("foundations", ("errors", "arrays", "units", "flops", "laws", "allocations", "catalog", "hardware", "checks")),
    ("answers", ("optimum", "fit", "demo", "talk", "curves", "learn")),
    (
        "declared",
        (
            "lab.oracle",
            "lab.known_texts",
            "lab.corpus_spec",
            "lab.spec",
            "lab.records",
            "lab.rules",
            "lab.identity",
            "lab.modes",
            "lab.plan",
            "planning",
        ),
    ),
    (
        "materials",
        (
            "lab.sources",
            "lab.duplicates",
            "lab.tokens",
            "lab.packing",
            "lab.hub_child",
            "lab.hub",
            "lab.corpus",
            "lab.batches",
            "lab.tensors",
            "lab.allocator",
            "lab.surroundings",
        ),
    ),
    ("store", ("runs", "library", "ticks", "story")),
    ("pictures", ("viz",)),
    (
        "commands",
        (
            "output",
            "commands",
            "lab.report",
            "lab.options",
            "lab.commands",
            "doctor",
            "examination",
            "preflight",
            "preflight_browser",
            "cli",
            "__main__",
        ),
    ),
    ("widgets", ("ui",)),
    ("pages", ("pages",)),
    ("app", ("streamlit_app",)),
)
"""From the bottom up. A name stands for the module and everything below it; those of scaling_core are short."""

TORCH = (
    "lab.model",
    "lab.device",
    "lab.gradient",
    "lab.adamw",
    "lab.stepper",
    "lab.bench",
    "lab.watch",
    "lab.train",
    "lab.checkpoint",
    "lab.calibrate",
    "lab.selftest",
    "lab.precision",
    "lab.checkup",
    "lab.child",
)
CHILD = (*TORCH, "lab.journal", "lab.foresee", "lab.early")
"""What only a child process imports, those that may load torch first: it may look down to the store, and nobody else
may look at it."""

PACKAGES: dict[str, tuple[str, ...]] = {
    "torch": TORCH,
    "streamlit": ("ui", "pages", "streamlit_app"),
    "altair": ("viz", "ui", "pages"),
    "vl_convert": ("viz",),
    "pptx": ("viz.deck", "viz.powerpoint"),
    "babel": ("language",),
    "pandas": ("viz", "ui", "pages"),
    "scipy": ("fit", "optimum", "demo", "curves"),
    "psutil": ("runs", "doctor", "preflight", "lab.commands", "lab.surroundings", *CHILD),
    "safetensors": ("lab.tensors",),
    "tokenizers": ("lab.tokens",),
    "datasets": ("lab.hub_child",),
    "numpy": ("",),
}
"""Which part of the project may use which package; one that is not here is not a dependency."""

OPTIONAL = ("datasets",)
"""Packages that the app does without until a person asks for what needs them: the tests install them."""

UNSAFE = ("pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib")
"""Reading what these wrote can run code: no file of this project is read with them."""


@functools.cache
def modules() -> dict[str, Path]:
    """Dotted name to file, for every module of the project that runs (tests and benchmarks apart)."""
    found = {"streamlit_app": ROOT / "streamlit_app.py"}
    for folder in ("scaling_core", "pages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def short(name: str) -> str:
    """The name as the tables write it: without `scaling_core.` at its front."""
    return name.removeprefix("scaling_core.")


def inside(name: str, rooms: tuple[str, ...]) -> bool:
    """Whether the module is one of the rooms or lies in one; the empty room holds everything."""
    return any(room == "" or short(name) == room or short(name).startswith(f"{room}.") for room in rooms)


def imports_in(source: str, home: list[str]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a source imports, wherever it stands; `home` is the package it lies in.

    `from a import b` gives a.b where that is a module of ours, and a otherwise.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*home[: len(home) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if whole in modules() else base
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("__import__", "import_module"):
            yield from ((node.lineno, str(word.value)) for word in node.args[:1] if isinstance(word, ast.Constant))


def imported(name: str) -> Iterator[tuple[int, str]]:
    """`imports_in` of a module of ours."""
    path = modules()[name]
    home = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    return imports_in(path.read_text(encoding="utf-8"), home)


def layer(name: str) -> int | None:
    """Row of LAYERS, from 0 at the bottom; None for what runs in the child and for bare package folders."""
    for row, (_, rooms) in enumerate(LAYERS):
        if inside(name, rooms):
            return row
    return None


STORE = next(row for row, (title, _) in enumerate(LAYERS) if title == "store")
OURS = ("scaling_core", "pages", "streamlit_app")
BARE = ("scaling_core", "scaling_core.lab")
"""Package folders whose `__init__` imports nothing."""


def test_the_reader_sees_every_way_to_import() -> None:
    source = """
import numpy.linalg
from scaling_core import laws, __version__
from . import spec
from ..fit.points import RunPoints
def later():
    import torch
    importlib.import_module("safetensors.torch")
"""
    assert list(imports_in(source, ["scaling_core", "lab"])) == [
        (2, "numpy.linalg"),
        (3, "scaling_core.laws"),
        (3, "scaling_core"),
        (4, "scaling_core.lab.spec"),
        (5, "scaling_core.fit.points"),
        (7, "torch"),
        (8, "safetensors.torch"),
    ]


def test_there_is_something_to_read() -> None:
    assert len(modules()) > 20
    assert {"torch", "streamlit", "altair"} <= {target for name in modules() for _, target in imported(name)}


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_module_has_a_place(name: str) -> None:
    assert name in BARE or inside(name, CHILD) or layer(name) is not None, (
        f"{name} is in no row of LAYERS: decide where it belongs"
    )


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_imports_only_from_its_own_row_and_below(name: str) -> None:
    own = STORE if inside(name, CHILD) else layer(name)
    for line, target in imported(name):
        if target.split(".")[0] not in OURS:
            continue
        where = f"{modules()[name].relative_to(ROOT)}:{line} imports {target}"
        if inside(target, CHILD):
            assert inside(name, CHILD), f"{where}: only a child process may, so start it with `python -m`"
        elif target not in BARE:
            row = layer(target)
            assert own is not None, f"{where}: a bare package folder imports nothing"
            assert row is not None, f"{where}, which is in no row of LAYERS"
            assert row <= own, f"{where}, which lies above it"


@pytest.mark.parametrize("name", sorted(modules()))
def test_packages_stay_in_their_rooms(name: str) -> None:
    for line, target in imported(name):
        package = target.split(".")[0]
        if package in sys.stdlib_module_names or package in OURS:
            assert package not in UNSAFE, f"{name}:{line} imports {package}, which can run what it reads"
            continue
        assert package in PACKAGES, f"{name}:{line} imports {package}, which is not a dependency"
        assert inside(name, PACKAGES[package]), f"{name}:{line} imports {package}, which is not allowed there"


def test_files_to_take_along_are_made_in_one_room() -> None:
    makers = {
        short(name)
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "download_button"
    }
    assert makers == {"ui.download"}, "a file that is made with the page is missed when the page is gone"


@pytest.mark.parametrize("name", [name for name in sorted(modules()) if inside(name, CHILD)])
def test_torch_reads_weights_only(name: str) -> None:
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            safe = [word for word in node.keywords if word.arg == "weights_only" and ast.unparse(word.value) == "True"]
            assert safe, f"{name}:{node.lineno} loads without weights_only=True"


def test_requirements_are_the_packages_in_use(project: Path) -> None:
    lines = (project / "requirements.txt").read_text(encoding="utf-8").splitlines()
    named = {line.split(";")[0].split(">")[0].split("=")[0].strip() for line in lines if line and line[0] != "#"}
    used = {target.split(".")[0] for name in modules() for _, target in imported(name)} & set(PACKAGES)
    assert {name.removesuffix("-python").removeprefix("python-").replace("-", "_") for name in named} == used - set(
        OPTIONAL
    )
    tools = (project / "requirements-test.txt").read_text(encoding="utf-8").splitlines()
    assert set(OPTIONAL) <= used & {line.split(">")[0] for line in tools}


REPORT = """
import importlib, json, sys, threading
import psutil
before = {thread.ident for thread in threading.enumerate()}
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({
    "loaded": sorted({name.split(".")[0] for name in sys.modules}),
    "threads": [thread.name for thread in threading.enumerate() if thread.ident not in before],
    "processes": [child.cmdline() for child in psutil.Process().children(recursive=True)],
}))
"""


def after_importing(names: list[str]) -> dict[str, list[str]]:
    """What a fresh interpreter holds once it has imported the modules: packages, new threads, child processes."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *names], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, list[str]] = json.loads(done.stdout)
    return report


def library() -> list[str]:
    """Modules that are imported and not run: all of scaling_core but its entry points."""
    return [name for name in modules() if name.startswith("scaling_core") and not name.endswith("__main__")]


def test_importing_the_whole_library_loads_no_torch_and_starts_nothing() -> None:
    report = after_importing([name for name in library() if not inside(name, CHILD)])
    assert "torch" not in report["loaded"]
    assert report["threads"] == []
    assert report["processes"] == []


@pytest.mark.slow
def test_importing_what_trains_starts_nothing() -> None:
    report = after_importing([name for name in library() if inside(name, CHILD)])
    assert "torch" in report["loaded"]
    assert "streamlit" not in report["loaded"]
    assert report["threads"] == []
    assert report["processes"] == []


def test_a_command_that_adds_numbers_waits_for_no_scipy() -> None:
    report = after_importing(["scaling_core.laws", "scaling_core.units", "scaling_core.flops", "scaling_core.catalog"])
    assert not {"scipy", "pandas", "altair", "streamlit", "torch"} & set(report["loaded"])
