"""Checkpoints: what is read is what was written, and damage of every kind leads to the generation before."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scaling_core.errors import CheckpointError
from scaling_core.lab.checkpoint import Checkpoints
from scaling_core.lab.tensors import read_tensors, write_tensors

TENSORS: dict[str, NDArray[Any]] = {
    "w.a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "w.empty": np.zeros((0, 3), dtype=np.float32),
    "scalar": np.array(2.5, dtype=np.float64),
    "rng": np.arange(7, dtype=np.uint8),
    "count": np.array([2**40], dtype=np.int64),
}


def checkpoints(folder: Path, said: list[str] | None = None, sweep: str = "live-0123456789") -> Checkpoints:
    return Checkpoints(folder, sweep=sweep, track="r0", say=(said if said is not None else []).append)


def save(folder: Path, *steps: int) -> None:
    for step in steps:
        checkpoints(folder).save(step, {**TENSORS, "w.a": TENSORS["w.a"] + step}, {"partial": [0.1, step / 3]})


def test_tensors_come_back_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    digest = write_tensors(path, TENSORS, {"run": "r0-h5"})
    found, same = read_tensors(path)
    assert digest == same
    assert set(found) == set(TENSORS)
    for name, array in TENSORS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x01",
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'.ljust(60) + b"short",
        struct.pack("<Q", 60) + b'{"a":{"dtype":"PKL","shape":[1],"data_offsets":[0,4]}}'.ljust(60) + b"full",
    ],
)
def test_what_is_no_tensor_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(damage)
    with pytest.raises(CheckpointError, match="torn or not a safetensors file"):
        read_tensors(path)


def test_the_newest_of_two_generations_is_loaded(tmp_path: Path) -> None:
    assert checkpoints(tmp_path / "none").load() is None
    save(tmp_path, 10, 20, 30)
    assert checkpoints(tmp_path).steps() == [20, 30]
    assert len(list(tmp_path.iterdir())) == 4
    found = checkpoints(tmp_path).load()
    assert found is not None
    assert found.step == 30
    assert np.array_equal(found.tensors["w.a"], TENSORS["w.a"] + 30)
    assert found.about == {"partial": [0.1, 10.0]}
    earlier = checkpoints(tmp_path).load(upto=29)
    assert earlier is not None
    assert earlier.step == 20
    assert checkpoints(tmp_path).load(upto=5) is None


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


def lie(path: Path) -> None:
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "about": {"partial": []}}))


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".safetensors", truncate),
        (".safetensors", flip),
        (".safetensors", Path.unlink),
        (".json", truncate),
        (".json", lie),
        (".json", lambda path: path.write_text("[]")),
    ],
)
def test_damage_leads_to_the_generation_before_and_is_said(tmp_path: Path, suffix: str, damage: object) -> None:
    save(tmp_path, 10, 20)
    damage(tmp_path / f"{20:012d}{suffix}")  # type: ignore[operator]  # parametrised over callables
    said: list[str] = []
    found = checkpoints(tmp_path, said).load()
    assert found is not None
    assert found.step == 10
    assert len(said) == 1
    assert said[0].startswith("The checkpoint of r0 at step 20 is damaged")
    assert "the one of step 10 is used instead" in said[0]
    again = checkpoints(tmp_path, said).load()
    assert again is not None
    assert len(said) == 1
    save(tmp_path, 20)
    repaired = checkpoints(tmp_path).load()
    assert repaired is not None
    assert repaired.step == 20


def test_when_both_are_damaged_the_track_begins_again(tmp_path: Path) -> None:
    save(tmp_path, 10, 20)
    for path in tmp_path.glob("*.safetensors"):
        truncate(path)
    said: list[str] = []
    assert checkpoints(tmp_path, said).load() is None
    assert "begins again" in said[-1]


def test_a_checkpoint_of_another_sweep_is_not_loaded(tmp_path: Path) -> None:
    save(tmp_path, 10)
    said: list[str] = []
    assert checkpoints(tmp_path, said, sweep="live-9999999999").load() is None
    assert "belongs to live-0123456789 r0" in said[0]


@pytest.mark.parametrize("fails_at", ["os.replace", "os.fsync"])
def test_a_save_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    save(tmp_path, 10, 20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fails_at, full)
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path, 30)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_a_killed_writer_left_is_ignored_and_cleared(tmp_path: Path) -> None:
    save(tmp_path, 10)
    (tmp_path / ".000000000020.safetensors.99.new").write_bytes(b"half")
    (tmp_path / "000000000020.safetensors").write_bytes(b"no manifest yet")
    found = checkpoints(tmp_path).load()
    assert found is not None
    assert found.step == 10
    save(tmp_path, 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000000010.json",
        "000000000010.safetensors",
        "000000000030.json",
        "000000000030.safetensors",
    ]
