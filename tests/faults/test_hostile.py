"""Files that mean harm, and those of a person: the first are never executed, the second only ever read."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab import checkpoint
from scaling_core.lab.records import Plan
from tests.faults.trainer import Nursery, events, killed_with_two_generations, make_plan, outcome, trunk

pytestmark = pytest.mark.slow


class Exploit:
    """Makes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_under_a_tensor_file_s_name_is_refused_and_never_run(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path, tmp_path: Path
) -> None:
    plan, expected = undisturbed
    killed_with_two_generations(nursery, lab_home, plan)
    mark = tmp_path / "executed"
    content = pickle.dumps(Exploit(mark))
    pickle.loads(content)  # noqa: S301  (our own, to see that it would work)
    assert mark.exists(), "it would do no harm"
    mark.unlink()
    older, newest = sorted(trunk(lab_home, plan).glob("[0-9]*.safetensors"))
    newest.write_bytes(content)
    manifest = newest.with_suffix(".json")
    body = {**json.loads(manifest.read_text()), "sha256": hashlib.sha256(content).hexdigest()}
    del body["seal"]
    manifest.write_text(json.dumps({**body, "seal": checkpoint._seal(body)}))
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    assert not mark.exists()
    assert "torn or not a safetensors file" in events(lab_home, plan)
    assert f"the one of step {int(older.stem)} is used instead" in events(lab_home, plan)
    assert outcome(lab_home, plan) == expected


def looks(folder: Path) -> dict[str, tuple[int, int, int, int, str]]:
    """Everything that a write would change: mode, inode, size, time and content of each file, times of folders."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        about = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (about.st_mode, about.st_ino, about.st_size, about.st_mtime_ns, content)
    return found


def test_a_text_of_one_s_own_is_only_ever_read(text: Path, nursery: Nursery, lab_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my text"
    shutil.copytree(text, folder / "below")
    for path in [*folder.rglob("*"), folder]:
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    before = looks(folder)
    plan = make_plan(folder, horizons=(1.0, 2.0))
    code, said = nursery.train(lab_home, plan)
    assert code == 0, said
    assert looks(folder) == before
    for path in [folder, *folder.rglob("*")]:
        os.chmod(path, 0o755)
