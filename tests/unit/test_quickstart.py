"""quickstart.sh on machines that lack something, each imitated by a PATH of stand-ins; nothing is installed here.

The stand-in for Python makes an environment of itself, writes down what pip and Streamlit were asked, and passes
everything else to the real interpreter. The real installation is what `./quickstart.sh test` itself goes through.
"""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BASH = shutil.which("bash") or "/bin/bash"
TOOLS = ("sed", "mv", "rm", "mkdir", "awk", "df", "cat", "chmod", "cp", "dirname")

PYTHON = """#!{bash}
here=$(dirname "$0")
case "$1 $2" in
    "-c import ensurepip, venv") exit {venv_status} ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && exit {make_status} ;;
    "-c import pip") exit 0 ;;
    "-m pip") shift 2; echo "pip $*" >>"$QUICKSTART_LOG"; exit {pip_status} ;;
    "-m scaling_core") shift 2; echo "$*" >>"$QUICKSTART_LOG"; exit {doctor_status} ;;
    "-m streamlit") shift 2; echo "streamlit arenas=$MALLOC_ARENA_MAX $*" >>"$QUICKSTART_LOG"; exit 0 ;;
    "-m ruff" | "-m mypy" | "-m pytest") shift; echo "$*" >>"$QUICKSTART_LOG"; exit {check_status} ;;
    "-c import altair"*) exit 0 ;;
esac
[ "$1" != --version ] || {{ echo "Python 3.11.99"; exit 0; }}
{body}
"""


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A copy of the script in a folder with spaces, and a PATH that holds the tools it may use and nothing else."""

    folder: Path
    path: Path
    log: Path

    def python(
        self,
        name: str = "python3.11",
        *,
        pip: int = 0,
        venv: int = 0,
        make: int = 0,
        checks: int = 0,
        doctor: int = 0,
        old: bool = False,
    ) -> None:
        """Puts a stand-in interpreter on the PATH; each number is the exit status of one thing it is asked."""
        body = "exit 1" if old else f'exec {shlex.quote(sys.executable)} "$@"'
        text = PYTHON.format(
            bash=BASH,
            pip_status=pip,
            venv_status=venv,
            make_status=make,
            check_status=checks,
            doctor_status=doctor,
            body=body,
        )
        (self.path / name).unlink(missing_ok=True)
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def tool(self, name: str, text: str) -> None:
        """Replaces a tool by a script of one line."""
        (self.path / name).unlink(missing_ok=True)
        (self.path / name).write_text(f"#!{BASH}\n{text}\n")
        (self.path / name).chmod(0o755)

    def run(self, *words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs the script."""
        return subprocess.run(
            [BASH, str(self.folder / "quickstart.sh"), *words],
            cwd=cwd or self.folder,
            env={"PATH": str(self.path), "HOME": str(self.folder), "QUICKSTART_LOG": str(self.log), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def asked(self) -> list[str]:
        """What the stand-ins were asked so far, then forgotten."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def clone(tmp_path: Path, project: Path) -> Clone:
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    for name in ("quickstart.sh", "requirements.txt", "requirements-test.txt"):
        shutil.copy(project / name, folder / name)
    (folder / "streamlit_app.py").write_text("")
    path = tmp_path / "bin"
    path.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is needed"
        (path / tool).symlink_to(found)
    made = Clone(folder=folder, path=path, log=tmp_path / "log")
    made.tool(
        "df", "printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\\n/dev/a b 9 1 90000000 1%% /c d\\n'"
    )
    return made


@pytest.fixture
def first_port_taken() -> Iterator[int]:
    """8501 listens: here, or already because of somebody else."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 8501))
            listener.listen()
        except OSError:
            pass
        yield 8501


def test_bash_reads_it(project: Path) -> None:
    for name in ("quickstart.sh", ".ci/run"):
        done = subprocess.run([BASH, "-n", str(project / name)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_it_keeps_to_the_bash_of_macos(project: Path) -> None:
    text = (project / "quickstart.sh").read_text(encoding="utf-8")
    newer = ("mapfile", "readarray", "declare -A", "local -A", "local -n", "${1,,}", "${1^^}", "|&", "&>>", "coproc")
    assert [word for word in newer if word in text] == []
    assert [word for word in ("readlink -f", "realpath", "sed -i", "grep -P", "sha256sum") if word in text] == []


@pytest.mark.parametrize("words", [("start",), ("--tests",), ("test", "extra")])
def test_an_unknown_word_exits_2_and_installs_nothing(clone: Clone, words: tuple[str, ...]) -> None:
    clone.python()
    done = clone.run(*words)
    assert done.returncode == 2
    assert "test" in done.stderr
    assert clone.asked() == []


def test_help_tells_both_commands(clone: Clone) -> None:
    done = clone.run("help")
    assert done.returncode == 0
    assert "./quickstart.sh test" in done.stdout


def test_without_python_one_sentence_says_so(clone: Clone) -> None:
    done = clone.run()
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no Python 3.11 or later was found" in done.stderr


def test_an_old_python_is_passed_over(clone: Clone) -> None:
    clone.python("python3", old=True)
    assert "no Python 3.11 or later was found" in clone.run().stderr
    clone.python("python")
    assert clone.run().returncode == 0


def test_python_can_be_chosen(clone: Clone) -> None:
    done = clone.run(PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "PYTHON=/nowhere/python is not a working Python 3.11" in done.stderr


def test_a_missing_venv_module_is_named(clone: Clone) -> None:
    clone.python(venv=1)
    done = clone.run()
    assert done.returncode == 1
    assert "python3.11 has no venv module" in done.stderr


def test_too_little_disk_is_said_before_anything_is_made(clone: Clone) -> None:
    clone.python()
    clone.tool("df", "printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\\n/dev/a 9 1 512000 99%% /\\n'")
    done = clone.run()
    assert done.returncode == 1
    assert "3000 MB" in done.stderr
    assert "500 MB are free" in done.stderr
    assert not (clone.folder / ".venv").exists()


def test_no_network_leaves_no_half_made_environment(clone: Clone) -> None:
    clone.python(pip=1)
    done = clone.run()
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert not (clone.folder / ".venv").exists()
    clone.python()
    assert clone.run().returncode == 0


def test_the_first_start_installs_and_the_second_does_not(clone: Clone, tmp_path: Path) -> None:
    clone.python()
    first = clone.run(cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    asked = clone.asked()
    assert asked[0].startswith("pip install")
    assert asked[0].endswith(f"-r {clone.folder}/requirements.txt")
    assert asked[1] == "doctor"
    assert asked[2].startswith(
        f"streamlit arenas=2 run {clone.folder}/streamlit_app.py --server.address 127.0.0.1 --server.port"
    )
    second = clone.run()
    assert second.returncode == 0
    assert [line.split()[0] for line in clone.asked()] == ["doctor", "streamlit"]
    assert "http://127.0.0.1:" in second.stdout


def test_changed_requirements_are_installed(clone: Clone) -> None:
    clone.python()
    clone.run()
    clone.asked()
    with (clone.folder / "requirements.txt").open("a") as file:
        file.write("# one more\n")
    clone.run()
    assert clone.asked()[0].startswith("pip install")


def test_an_interrupted_installation_is_made_again(clone: Clone) -> None:
    clone.python()
    clone.run()
    clone.asked()
    (clone.folder / ".venv" / "scaling-lab.unfinished").touch()
    (clone.folder / ".venv" / "half a package").touch()
    done = clone.run()
    assert "made again: its installation was interrupted" in done.stdout
    assert clone.asked()[0].startswith("pip install")
    assert not (clone.folder / ".venv" / "half a package").exists()
    assert not (clone.folder / ".venv.previous").exists()


def test_a_moved_environment_is_made_again_and_kept_where_that_fails(clone: Clone) -> None:
    clone.python()
    clone.run()
    clone.asked()
    moved = Clone(folder=clone.folder.with_name("moved here"), path=clone.path, log=clone.log)
    clone.folder.rename(moved.folder)
    moved.python(pip=1)
    offline = moved.run()
    assert offline.returncode == 0, offline.stderr
    assert "going on with the environment as it was" in offline.stdout
    assert [line.split()[0] for line in moved.asked()] == ["pip", "doctor", "streamlit"]
    moved.python()
    online = moved.run()
    assert f"it was made in {clone.folder}/.venv and has moved" in online.stdout
    assert moved.run().stdout.count("made again") == 0


def test_a_rebuild_that_was_interrupted_keeps_what_stood_before(clone: Clone) -> None:
    clone.python()
    clone.run()
    (clone.folder / ".venv").rename(clone.folder / ".venv.previous")
    (clone.folder / ".venv").mkdir()
    (clone.folder / ".venv" / "scaling-lab.unfinished").touch()
    clone.python(pip=1)
    done = clone.run()
    assert done.returncode == 0, done.stderr
    assert "going on with the environment as it was" in done.stdout
    assert (clone.folder / ".venv" / "scaling-lab.stamp").exists()


def test_an_environment_that_somebody_made_is_kept(clone: Clone) -> None:
    clone.python()
    binaries = clone.folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    shutil.copy(clone.path / "python3.11", binaries / "python")
    (binaries / "their own").touch()
    assert clone.run().returncode == 0
    assert clone.asked()[0].startswith("pip install")
    assert (binaries / "their own").exists()


def test_a_port_in_use_is_said_and_the_next_taken(clone: Clone, first_port_taken: int) -> None:
    clone.python()
    done = clone.run()
    asked = clone.asked()[-1]
    port = int(asked.rsplit(" ", 1)[1])
    assert port > first_port_taken
    assert f"Port {first_port_taken} is in use; taking the next free one, {port}." in done.stdout
    assert f"http://127.0.0.1:{port} " in done.stdout


def test_every_check_runs_even_after_one_has_failed(clone: Clone) -> None:
    clone.python(checks=3)
    done = clone.run("test")
    assert done.returncode == 1
    asked = clone.asked()
    assert asked[0].endswith(f"-r {clone.folder}/requirements.txt -r {clone.folder}/requirements-test.txt")
    assert [line.split()[0] for line in asked[1:3]] == ["ruff", "ruff"]
    assert sorted(line.split()[0] for line in asked[3:]) == ["mypy", "pytest"], "these two run beside each other"
    assert re.findall(r"^== .*", done.stdout, flags=re.M) == [
        *("== ruff check", "== ruff format", "== pytest", "== mypy --strict"),
    ]
    clone.python()
    shutil.rmtree(clone.folder / ".venv")
    assert clone.run("test").returncode == 0
    clone.asked()
    assert clone.run().returncode == 0
    assert [line.split()[0] for line in clone.asked()] == ["doctor", "streamlit"]


@pytest.mark.parametrize("fails", ["ruff", "mypy", "pytest"])
def test_one_failed_check_fails_them_all(clone: Clone, fails: str) -> None:
    clone.python()
    assert clone.run("test").returncode == 0
    python = clone.folder / ".venv" / "bin" / "python"
    first, rest = python.read_text().split("\n", 1)
    python.write_text(f'{first}\n[ "$2" != {fails} ] || {{ echo "{fails} found a fault"; exit 3; }}\n{rest}')
    done = clone.run("test")
    assert done.returncode == 1
    assert f"{fails} found a fault" in done.stdout


def test_a_machine_that_failed_its_check_is_checked_again(clone: Clone) -> None:
    clone.python(doctor=1)
    first = clone.run()
    assert first.returncode == 0
    assert "found something to mend" in first.stdout
    shutil.rmtree(clone.folder / ".venv")
    clone.python()
    for expected in ("doctor", "doctor --quick"):
        clone.asked()
        clone.run()
        assert expected in clone.asked()
