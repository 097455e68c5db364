"""Files that a command leaves behind: whole or not at all, and a sentence where they cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scaling_core.errors import InputError
from scaling_core.output import writable_folder, write_files


def test_folders_are_made(tmp_path: Path) -> None:
    wanted = tmp_path / "a b" / "c"
    assert writable_folder(str(wanted)) == wanted
    assert wanted.is_dir()
    assert writable_folder(str(wanted)) == wanted


def test_what_is_no_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for text in (str(file), str(file / "below"), "a\x00b"):
        with pytest.raises(InputError, match=r"^out: got .*, but it must be a folder"):
            writable_folder(text)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="a folder that can be written to"):
        writable_folder(str(tmp_path))


def test_files_replace_older_ones_and_leave_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")
    written = write_files(tmp_path, {"a.txt": b"new", "b.txt": b"\x00"})
    assert written == [tmp_path / "a.txt", tmp_path / "b.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_what_cannot_be_written_is_said_and_cleaned_up(tmp_path: Path) -> None:
    (tmp_path / "a.txt" / "inside").mkdir(parents=True)
    with pytest.raises(InputError, match=r"^out: got .*a\.txt could not be written there"):
        write_files(tmp_path, {"a.txt": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
