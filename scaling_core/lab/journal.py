"""What a training says to the store: points of its curve about once a second, progress, sentences. Knows no torch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scaling_core.errors import ScalingError
from scaling_core.flops import training_flops
from scaling_core.lab.records import RunPlan
from scaling_core.language import t
from scaling_core.runs.rows import CurveRow, Level
from scaling_core.runs.store import Store

HEARTBEAT_SECONDS = 2.0


class Diverged(ScalingError):
    """A loss is not finite, or is beyond what a guess among all tokens would cost. The message is the sentence."""


@dataclass(slots=True)
class Curve:
    """Points of one track, each the mean over `every` steps; a started point outlives a checkpoint in `partial`.

    rate: learning rate of a step. limit: mean loss in nats above which the track has diverged. step: steps that
    have been counted so far.
    """

    track: str
    params: int
    batch_tokens: int
    every: int
    last: int
    rate: Callable[[int], float]
    limit: float
    step: int = 0
    partial: list[float] = field(default_factory=list)
    newest: CurveRow | None = None

    def add(self, losses: Sequence[float], *, tokens_per_second: float, memory_bytes: int) -> list[CurveRow]:
        """Count the mean losses of the next steps; returns the points that they complete. Raises Diverged."""
        rows: list[CurveRow] = []
        for loss in losses:
            self.step += 1
            self.partial.append(loss)
            if not math.isfinite(loss):
                raise Diverged(
                    t(
                        "The loss of {track} stopped being a number at step {step:,}; the learning rate {rate:.2g} is "
                        "too high for this size.",
                        track=self.track,
                        step=self.step,
                        rate=self.rate(self.step - 1),
                    )
                )
            if self.step % self.every and self.step != self.last:
                continue
            mean = math.fsum(self.partial) / len(self.partial)
            if mean > self.limit:
                raise Diverged(
                    t(
                        "The loss of {track} rose to {mean:.2f} at step {step:,}, above that of a blind guess; the "
                        "learning rate {rate:.2g} is too high for this size.",
                        track=self.track,
                        mean=mean,
                        step=self.step,
                        rate=self.rate(self.step - 1),
                    )
                )
            self.partial.clear()
            tokens = self.step * self.batch_tokens
            row = CurveRow(
                track=self.track,
                step=self.step,
                tokens=tokens,
                flops=training_flops(self.params, tokens),
                train_loss=mean,
                validation_loss=None,
                learning_rate=self.rate(self.step - 1),
                tokens_per_second=tokens_per_second,
                memory_bytes=memory_bytes,
                at=time.time(),
            )
            rows.append(row)
            self.newest = row
        return rows

    def kept(self) -> dict[str, Any]:
        """What a checkpoint holds of the curve, in JSON types."""
        return {"partial": self.partial, "newest": asdict(self.newest) if self.newest else None}

    @staticmethod
    def taken(about: dict[str, Any]) -> dict[str, Any]:
        """The fields of a curve that `kept` wrote into a checkpoint."""
        newest = about.get("newest")
        return {"partial": list(about["partial"]), "newest": CurveRow(**newest) if newest else None}

    def measured(self, validation_loss: float) -> CurveRow | None:
        """The last point again, with the validation loss of the model at its step; None where there is none."""
        return None if self.newest is None else replace(self.newest, validation_loss=validation_loss, at=time.time())


class Journal:
    """The store as a training sees it: bound to a sweep, and sparing with transactions."""

    def __init__(self, store: Store, sweep: str) -> None:
        self.store = store
        self.sweep = sweep
        self._beat = 0.0

    def event(self, level: Level, text: str) -> None:
        """A sentence for the reader, and for the log."""
        print(f"{time.strftime('%H:%M:%S')} {level}: {text}", flush=True)  # noqa: T201
        self.store.add_event(self.sweep, level, text)

    def advance(self, run: RunPlan, tokens: int, rows: Sequence[CurveRow]) -> None:
        """New points, and how far the run is; counts as a sign of life."""
        if rows:
            self.store.add_curve(self.sweep, rows)
        self.store.progress(self.sweep, run.id, tokens)
        self._beat = time.monotonic()

    def settle(self) -> None:
        """Everything stored so far is on the disk when this returns."""
        self.store.heartbeat(self.sweep, durable=True)
        self._beat = time.monotonic()

    def beat(self) -> None:
        """A sign of life where the last is two seconds old."""
        now = time.monotonic()
        if now - self._beat >= HEARTBEAT_SECONDS:
            self.store.heartbeat(self.sweep)
            self._beat = now
