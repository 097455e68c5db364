"""What is written about the project is true of it: commands, versions, docstrings, sizes of files, words."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import scaling_core
from scaling_core.cli import build_parser

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 350
PRUNED = re.compile(r"^(?:runs|test-output|shared|\.(?!ci/|streamlit/|gitignore)[^/]*)(?:/|$)|(?:^|/)__pycache__/")
"""What tools leave in the folder, for a copy without git: caches, environments, runs."""
TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".json", ".csv", ".svg", ".js", ".css", ""}


def ours() -> list[Path]:
    """Every text file that a clone holds; in a copy without git, every one outside the folders that tools make."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not PRUNED.search(path.relative_to(ROOT).as_posix())]
    return [path for path in paths if path.is_file() and path.suffix in TEXT]


def sources() -> list[Path]:
    """Python files of the project itself, tests and benchmarks apart."""
    return [path for path in ours() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] not in ("tests",)]


def name_of(path: Path) -> str:
    """A path as a reader of the project writes it."""
    return path.relative_to(ROOT).as_posix()


def readme() -> str:
    """README.md."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


def code_lines(text: str) -> Iterator[str]:
    """Lines of the fenced blocks of a Markdown text, without comments."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S):
        yield from (line.split("  #")[0].strip() for line in block.splitlines())


COMMANDS = [line for line in code_lines(readme()) if line.startswith("python -m scaling_core")]


def test_the_readme_shows_every_command() -> None:
    shown = {shlex.split(line)[3] for line in COMMANDS}
    assert shown == {
        *("laws", "predict", "optimal", "inference", "overtrain", "repeat", "plan"),
        *("fit", "demo", "talk", "doctor", "lab"),
    }
    lab = {shlex.split(line)[4] for line in COMMANDS if shlex.split(line)[3] == "lab"}
    assert {"plan", "start", "status", "stop", "resume", "results"} <= lab


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_of_the_readme_is_understood(line: str) -> None:
    words = shlex.split(line)[3:]
    assert callable(build_parser(words[0]).parse_args(words).func)


def test_the_two_commands_are_in_the_readme_and_run() -> None:
    lines = list(code_lines(readme()))
    assert "./quickstart.sh" in lines
    assert "./quickstart.sh test" in lines
    assert (ROOT / "quickstart.sh").stat().st_mode & 0o111
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_links_and_pictures_of_the_readme_exist() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", readme())
    assert targets
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []


def test_the_changelog_tells_of_this_version() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    assert versions
    assert versions[0] == scaling_core.__version__


def undocumented(node: ast.Module | ast.ClassDef, where: str) -> Iterator[str]:
    """Public classes, functions and methods without a docstring; what overrides another's inherits its text."""
    if not ast.get_docstring(node):
        yield where
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from undocumented(child, f"{where}.{child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            inherits = any(
                ast.unparse(mark).split(".")[-1] in ("override", "overload") for mark in child.decorator_list
            )
            if not inherits and not ast.get_docstring(child):
                yield f"{where}.{child.name}"


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_everything_public_has_a_docstring(path: Path) -> None:
    assert list(undocumented(ast.parse(path.read_text(encoding="utf-8")), name_of(path))) == []


def test_no_file_is_too_long_to_read() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(?:work|root|home/\w+|Users/(?!me/)\w+)/|/tmp/dev\b",
    "how it came to be written": r"\b(?:(?:see|this|the|in|by) issue #?\d|issue #\d|sub-?agents?|an? agent\b|"
    r"(?:this|my|our|previous|earlier|next|another) session\b|the contract says|as an AI\b|chatbot)",
    "a package registry": r"\bpypi\.org|files\.pythonhosted|registry\.npmjs",
    "something left for later": r"\b(?:TODO|FIXME|XXX|HACK)\b",
}


@pytest.mark.parametrize("what", sorted(FORBIDDEN))
def test_no_file_tells(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], flags=re.I if what == "how it came to be written" else 0)
    seen = [
        f"{name_of(path)}:{number}: {line.strip()[:100]}"
        for path in ours()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert seen == []
