"""A recorded sweep laid out along the time that it took, so that it can be looked at as it stood at any moment.

Runs, predictions and events were stored with their time to the fraction of a second, the points of curves with that of
the second in which they were written. Nothing is seen before its time, so a loss appears when its run had ended and a
prediction when it was registered. Pauses, in which nothing was stored because nobody trained, are cut short.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

from scaling_core.runs.recording import Recording
from scaling_core.runs.rows import CurveRow, RunRow

PAUSE_SECONDS, PAUSE_SHARE = 60.0, 0.1
"""A gap longer than both, the share being of the training time, is a pause; a thinned curve has gaps of a twentieth."""
PAUSE_KEPT = 1.0
"""Seconds that are left of a pause."""

Speed = Literal["1", "10", "60", "300", "end"]
SPEEDS: tuple[Speed, ...] = get_args(Speed)
"""So many times as fast as it was trained, or whatever brings the rest in `END_SECONDS`."""
END_SECONDS = 30.0
LEFT_SECONDS = 15.0
"""A replay that nobody looked at for so long has stopped where it was seen last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tape:
    """A recording with its time, made by `laid_out`.

    moments: Unix seconds at which something was recorded, ascending. positions: seconds from the beginning at each,
    without pauses.
    """

    recording: Recording
    moments: tuple[float, ...]
    positions: tuple[float, ...]

    @property
    def length(self) -> float:
        """Seconds from the beginning to the end, without pauses."""
        return self.positions[-1]

    @property
    def paused(self) -> bool:
        """Whether pauses were cut short."""
        return self.moments[-1] - self.moments[0] > self.length + PAUSE_KEPT

    def position(self, moment: float) -> float:
        """Where on the tape a moment in Unix seconds lies, between 0 and `length`."""
        return _between(self.moments, self.positions, moment)

    def moment(self, position: float) -> float:
        """The Unix seconds of a position."""
        return _between(self.positions, self.moments, position)

    def at(self, seconds: float) -> Recording:
        """The sweep as it stood so many seconds after it began; from the end on, the recording itself."""
        if not seconds < self.length:
            return self.recording
        whole, now = self.recording, self.moment(max(0.0, seconds))
        curve = tuple(point for point in whole.curve if self._seen(point.at, seconds))
        row = replace(
            whole.row,
            state="running",
            message=None,
            started_at=min(whole.row.started_at, now),
            heartbeat_at=now,
            ended_at=None,
        )
        return Recording(
            row=row,
            runs=self._runs(seconds, curve),
            curve=curve,
            predictions=tuple(one for one in whole.predictions if self._seen(one.made_at, seconds)),
            events=tuple(one for one in whole.events if self._seen(one.at, seconds)),
        )

    def runs_at(self, seconds: float) -> tuple[RunRow, ...]:
        """Only the runs of `at`, without how far those in training are."""
        return self.recording.runs if not seconds < self.length else self._runs(seconds, ())

    def landings(self) -> tuple[float, ...]:
        """The positions at which a loss was measured, ascending, each once."""
        return tuple(sorted({self._measured(run) for run in self.recording.runs if run.loss is not None}))

    def turns(self) -> tuple[float, ...]:
        """The positions at which a loss was measured or a prediction registered, ascending, each once."""
        made = {self.position(one.made_at) for one in self.recording.predictions}
        return tuple(sorted(made.union(self.landings())))

    def _seen(self, moment: float, seconds: float) -> bool:
        return self.position(moment) <= seconds

    def _measured(self, run: RunRow) -> float:
        """Where a run ended; one that was stored without a time is not seen before the very end."""
        return self.length if run.finished_at is None else self.position(run.finished_at)

    def _runs(self, seconds: float, curve: tuple[CurveRow, ...]) -> tuple[RunRow, ...]:
        reached: dict[str, int] = {}
        for point in curve:
            reached[point.track] = max(point.tokens, reached.get(point.track, 0))
        return tuple(self._run(run, seconds, reached) for run in self.recording.runs)

    def _run(self, run: RunRow, seconds: float, reached: dict[str, int]) -> RunRow:
        """A run as it stood: ended, in training, or waiting."""
        ended = run.loss is not None or run.state == "failed"
        if ended and self._measured(run) <= seconds:
            return run
        begun = run.started_at is not None and self._seen(run.started_at, seconds)
        tokens = max(reached.get(run.track, 0), reached.get(run.id, 0)) if begun else 0
        return replace(
            run,
            state="running" if begun else "waiting",
            tokens=min(tokens, run.planned_tokens),
            started_at=run.started_at if begun else None,
            loss=None, se=None, bits_per_byte=None, censored=False, copied_from=None, unique_tokens=None,
            seconds=None, finished_at=None, message=None,
        )  # fmt: skip


def laid_out(recording: Recording) -> Tape:
    """The tape of a recording. What was taken over from an older sweep stands at its beginning."""
    begin = recording.row.created_at
    moments = sorted({begin, *(moment for moment in _moments(recording) if moment > begin and math.isfinite(moment))})
    trained = math.fsum(run.seconds for run in recording.runs if run.seconds is not None)
    longest = max(PAUSE_SECONDS, PAUSE_SHARE * trained)
    positions = [0.0]
    for before, after in pairwise(moments):
        gap = after - before
        positions.append(positions[-1] + (gap if gap <= longest else PAUSE_KEPT))
    return Tape(recording=recording, moments=tuple(moments), positions=tuple(positions))


def _moments(recording: Recording) -> Iterable[float]:
    """Every time that is stored with a recording, in no order."""
    for run in recording.runs:
        yield from (moment for moment in (run.started_at, run.finished_at) if moment is not None)
    yield from (point.at for point in recording.curve)
    yield from (one.made_at for one in recording.predictions)
    yield from (one.at for one in recording.events)
    if recording.row.ended_at is not None:
        yield recording.row.ended_at


def _between(knots: tuple[float, ...], values: tuple[float, ...], x: float) -> float:
    """Linear between knots that do not fall, exact at them, level beyond; of equal knots the last counts."""
    right = bisect_right(knots, x)
    if right == 0 or right == len(knots):
        return values[0 if right == 0 else -1]
    if knots[right - 1] == x:
        return values[right - 1]
    low, high = knots[right - 1], knots[right]
    return values[right - 1] + (values[right] - values[right - 1]) * ((x - low) / (high - low))


@dataclass(frozen=True, kw_only=True, slots=True)
class Player:
    """Where a replay is and whether it goes on. `now` is that of a clock that only runs forwards, in seconds.

    position: seconds of the tape, reached at `since`, the clock when it was looked at last; None while it stands still.
    rate: seconds of the tape in one of the clock while it plays.
    """

    length: float
    speed: Speed = "end"
    position: float = 0.0
    since: float | None = None
    rate: float = 1.0

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself."""
        return self.since is not None

    def seen(self, now: float) -> Player:
        """The player at this moment of the clock: further on, at rest at its end, or where it was left."""
        if self.since is None:
            return self
        gone = max(0.0, now - self.since)
        if gone > LEFT_SECONDS:
            return replace(self, since=None)
        reached = self.position + gone * self.rate
        if reached >= self.length:
            return replace(self, position=self.length, since=None)
        return replace(self, position=reached, since=now)

    def played(self, now: float) -> Player:
        """Going on from here; from the beginning where it is at its end."""
        here = 0.0 if self.position >= self.length else self.position
        return replace(self, position=here, since=now, rate=_rate(self.speed, self.length - here))

    def paused(self, now: float) -> Player:
        """At rest where it is now."""
        return replace(self.seen(now), since=None)

    def moved(self, position: float) -> Player:
        """At rest at another position."""
        here = min(self.length, max(0.0, position)) if math.isfinite(position) else 0.0
        return replace(self, position=here, since=None)

    def at_speed(self, speed: Speed, now: float) -> Player:
        """Where it is now, at another speed."""
        here = replace(self.seen(now), speed=speed)
        return here.played(now) if here.playing else here

    def next(self, turns: tuple[float, ...], now: float) -> Player:
        """At rest at the first of the ascending `turns` that lies ahead, or at the end."""
        here = self.paused(now)
        ahead = turns[bisect_right(turns, here.position) :]
        return replace(here, position=ahead[0] if ahead else self.length)


def _rate(speed: Speed, left: float) -> float:
    return max(left, 1e-3) / END_SECONDS if speed == "end" else float(speed)


def steps_until(landings: tuple[float, ...], position: float) -> tuple[float, ...]:
    """Of ascending landings those that have happened at a position, the latest first."""
    return landings[: bisect_right(landings, position)][::-1]
