"""Checkpoints that survive a kill at any instant: two generations, each with a manifest that seals its tensors.

A generation is STEP.safetensors and STEP.json. Both are written beside their place, fsynced and renamed, the
manifest last, and the folder is fsynced: a generation without a good manifest does not exist. Knows no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from scaling_core.errors import CheckpointError
from scaling_core.lab.tensors import read_tensors, write_tensors
from scaling_core.language import t

FORMAT = 1
GENERATIONS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A generation that was read and found whole. about: what was given to `save` beside the tensors."""

    step: int
    tensors: dict[str, NDArray[Any]]
    about: dict[str, Any]


class Checkpoints:
    """The generations of one track of one sweep in a folder. say: told, in a sentence, about damage found."""

    def __init__(self, folder: Path, *, sweep: str, track: str, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.sweep = sweep
        self.track = track
        self.say = say

    def save(self, step: int, tensors: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
        """Store a generation, then drop those older than the last `GENERATIONS`. Raises OSError as the disk does.

        What was there before stays good until the new generation is complete, and when it never is. A whole
        generation of the same step is left as it is: the same step has the same state.
        """
        if self._is_whole(step):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{step:012d}"
        data, manifest = self.folder / f"{name}.safetensors", self.folder / f"{name}.json"
        beside = [path.with_name(f".{path.name}.{os.getpid()}.new") for path in (data, manifest)]
        try:
            digest = write_tensors(beside[0], tensors)
            body = {
                "format": FORMAT, "sweep": self.sweep, "track": self.track, "step": step, "tensors": data.name,
                "sha256": digest, "about": dict(about),
            }  # fmt: skip
            with open(beside[1], "w", encoding="utf-8") as file:
                json.dump({**body, "seal": _seal(body)}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            manifest.unlink(missing_ok=True)
            os.replace(beside[0], data)
            os.replace(beside[1], manifest)
            sync_folder(self.folder)
        except BaseException:
            for path in beside:
                path.unlink(missing_ok=True)
            raise
        kept = self.steps()[-GENERATIONS:]
        for path in self.folder.iterdir():
            if path.name.split(".")[0] not in {f"{old:012d}" for old in kept} and path.suffix != ".damaged":
                path.unlink(missing_ok=True)

    def load(self, *, upto: int | None = None) -> Loaded | None:
        """The newest generation that is whole, at most at step `upto`; None where there is none.

        A damaged one is said aloud, set aside as *.damaged, and the one before is tried.
        """
        for step in reversed(self.steps()):
            if upto is not None and step > upto:
                continue
            try:
                return self._read(step)
            except (CheckpointError, OSError) as error:
                self._set_aside(step)
                rest = [old for old in self.steps() if old < step]
                known = {"track": self.track, "step": step, "error": str(error)}
                self.say(
                    t(
                        "The checkpoint of {track} at step {step} is damaged ({error}); the one of step {older} is "
                        "used instead.",
                        older=rest[-1],
                        **known,
                    )
                    if rest
                    else t(
                        "The checkpoint of {track} at step {step} is damaged ({error}); the track begins again.",
                        **known,
                    )
                )
        return None

    def steps(self) -> list[int]:
        """Steps of which there is a manifest, ascending; nothing is said about their being whole."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        return sorted(int(n.removesuffix(".json")) for n in names if n.endswith(".json") and n[:-5].isdigit())

    def remove(self) -> None:
        """Delete all generations."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, step: int) -> Loaded:
        manifest = self.folder / f"{step:012d}.json"
        try:
            body = json.loads(manifest.read_text(encoding="utf-8"))
            seal = body.pop("seal")
            if seal != _seal(body):
                raise CheckpointError(t("its manifest was changed"))
            whose = (body["format"], body["sweep"], body["track"], body["step"])
            if whose != (FORMAT, self.sweep, self.track, step):
                raise CheckpointError(
                    t(
                        "it belongs to {sweep} {track} at step {step}",
                        sweep=body["sweep"],
                        track=body["track"],
                        step=body["step"],
                    )
                )
            tensors, digest = read_tensors(self.folder / f"{step:012d}.safetensors")
            if digest != body["sha256"]:
                raise CheckpointError(t("its tensors do not have the hash that the manifest states"))
            return Loaded(step=step, tensors=tensors, about=body["about"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(t("its manifest cannot be read")) from error

    def _is_whole(self, step: int) -> bool:
        try:
            return step in self.steps() and self._read(step).step == step
        except (CheckpointError, OSError):
            return False

    def _set_aside(self, step: int) -> None:
        for suffix in (".json", ".safetensors"):
            path = self.folder / f"{step:012d}{suffix}"
            if path.exists():
                os.replace(path, path.with_name(path.name + ".damaged"))


def keep_weights(
    folder: Path, sweep: str, run_id: str, weights: Mapping[str, NDArray[Any]], about: Mapping[str, str]
) -> None:
    """Store a finished model as RUN.safetensors, with what it is. Raises CheckpointError where the disk refuses."""
    path = folder / f"{run_id}.safetensors"
    beside = folder / f".{path.name}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(beside, weights, {"sweep": sweep, "run": run_id, **about})
        beside.replace(path)
        sync_folder(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CheckpointError(
            t(
                "The weights of {run} could not be written to {folder} ({reason}); make room there and resume.",
                run=run_id,
                folder=folder,
                reason=error.strerror or str(error),
            )
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
