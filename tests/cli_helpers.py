"""Running a command inside a test and reading what it printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaling_core.cli import main

Capture = pytest.CaptureFixture[str]


def call(capsys: Capture, *words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of one command."""
    try:
        status = main(words)
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def answer(capsys: Capture, *words: str) -> Any:
    """The JSON of a command that must succeed, and print nothing else on stdout."""
    status, out, err = call(capsys, *words, "--json")
    assert status == 0, err
    assert out.count("\n") == 1
    return json.loads(out)


def refusal(capsys: Capture, *words: str) -> str:
    """The sentence of a command that must refuse: status 2, nothing on stdout, one line on stderr."""
    status, out, err = call(capsys, *words)
    assert status == 2, (status, out, err)
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith(".\n")
    assert "Traceback" not in err
    return err
