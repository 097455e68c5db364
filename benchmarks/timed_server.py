"""Streamlit's own command, which also writes down how long the server took over each run of a page's script.

    SCRIPT_TIMES=times.txt python -m benchmarks.timed_server run streamlit_app.py

A line for each run, milliseconds by the clock on the wall: what the budget of a page is about, apart from the browser.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.web.cli import main

KEPT = "SCRIPT_TIMES"
"""The variable that names the file."""


def timed(path: Path) -> None:
    """From now on every run of a script in this process is written to the file."""
    plain = ScriptRunner._run_script

    def run(runner: ScriptRunner, asked: Any) -> None:
        begun = time.perf_counter()
        try:
            plain(runner, asked)
        finally:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{1e3 * (time.perf_counter() - begun):.2f}\n")

    ScriptRunner._run_script = run  # type: ignore[assignment,method-assign]  # there is no other place to listen at


def written(path: Path) -> list[float]:
    """The times so far; none where nothing has run."""
    return [float(line) for line in path.read_text("utf-8").split()] if path.exists() else []


if __name__ == "__main__":
    timed(Path(os.environ[KEPT]))
    sys.exit(main())
