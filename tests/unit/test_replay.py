"""A recorded ladder as it stood at any moment: nothing before its time, everything at the end."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from scaling_core.runs.progress import summarize
from scaling_core.runs.recording import EXAMPLE, Recording, read_recording
from scaling_core.runs.replay import END_SECONDS, LEFT_SECONDS, PAUSE_KEPT, Player, Tape, laid_out, steps_until
from scaling_core.runs.results import fit_runs


@pytest.fixture(scope="module")
def whole() -> Recording:
    return read_recording(EXAMPLE)


@pytest.fixture(scope="module")
def tape(whole: Recording) -> Tape:
    return laid_out(whole)


def moments(tape: Tape) -> list[float]:
    """Positions all along the tape, those at which something happens among them, and just before and after them."""
    turns = np.array(tape.turns())
    return sorted({*np.linspace(0.0, tape.length, 40), *turns, *(turns - 1e-4), *(turns + 1e-4)})


def test_at_the_end_it_is_the_recording(whole: Recording, tape: Tape) -> None:
    assert tape.at(tape.length) == whole
    assert tape.at(1e9) == whole
    assert tape.runs_at(tape.length) == whole.runs
    last = tape.at(float(np.nextafter(tape.length, 0.0)))
    assert last.runs == whole.runs
    assert (last.curve, last.predictions) == (whole.curve, whole.predictions)
    assert fit_runs(last.runs).constants == fit_runs(whole.runs).constants


def test_nothing_is_seen_before_its_time(whole: Recording, tape: Tape) -> None:
    begin = whole.row.created_at
    for at in moments(tape)[:-1]:
        seen, now = tape.at(at), begin + at + 1e-6  # this ladder has no pauses
        assert all(run.finished_at is not None and run.finished_at <= now for run in seen.runs if run.loss is not None)
        assert all(point.at <= now for point in seen.curve)
        assert all(one.made_at <= now for one in seen.predictions)
        assert all(one.at <= now for one in seen.events)
        measured = {run.id for run in seen.runs if run.loss is not None}
        assert measured == {run.id for run in whole.runs if (run.finished_at or 0) <= begin + at}
        for run in seen.runs:
            hidden = (run.loss, run.se, run.bits_per_byte, run.seconds, run.finished_at, run.unique_tokens)
            assert run.loss is not None or hidden == (None,) * 6
        assert seen.row.ended_at is None
        assert seen.row.state == "running"


def test_what_was_seen_stays(whole: Recording, tape: Tape) -> None:
    for before, after in pairwise(tape.at(at) for at in moments(tape)):
        assert set(before.curve) <= set(after.curve)
        assert all(one in after.predictions for one in before.predictions)
        assert {run for run in before.runs if run.loss is not None} <= set(after.runs)
        assert all(a.tokens <= b.tokens for a, b in zip(before.runs, after.runs, strict=True))
        assert [run.id for run in after.runs] == [run.id for run in whole.runs]


def test_the_prediction_stands_before_the_largest_size_is_trained(tape: Tape) -> None:
    (made, *_), held = (
        sorted(tape.position(one.made_at) for one in tape.recording.predictions),
        [run for run in tape.recording.runs if run.held_out],
    )
    seen = tape.at(made)
    assert len(seen.predictions) >= 1
    assert {run.state for run in seen.runs if run.held_out} == {"waiting"}
    assert all(tape.position(run.finished_at or 0.0) > made for run in held)
    assert sum(run.loss is not None for run in seen.runs) == len(seen.predictions[0].fitted_runs)


def test_one_run_trains_at_a_time_and_the_status_says_how_far(tape: Tape) -> None:
    shares = []
    for at in np.linspace(2.0, tape.length - 1.0, 30):
        seen = tape.at(float(at))
        status = summarize(seen.row, seen.runs, seen.curve[-1], "running")
        assert sum(run.state == "running" for run in seen.runs) <= 1
        assert all(run.tokens <= run.planned_tokens for run in seen.runs)
        shares.append(status.fraction)
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] > 0.9


def test_moments_and_positions_are_two_names_of_one_thing(whole: Recording, tape: Tape) -> None:
    for run in whole.runs:
        assert run.finished_at is not None
        assert tape.moment(tape.position(run.finished_at)) == run.finished_at
    assert tape.position(0.0) == 0.0
    assert tape.position(1e18) == tape.length
    assert tape.length == pytest.approx((whole.row.ended_at or 0.0) - whole.row.created_at)
    assert not tape.paused


def test_a_pause_is_cut_short_and_nothing_else_moves(whole: Recording, tape: Tape) -> None:
    """A night between the prediction and the largest size."""
    night, cut = 8 * 3600.0, whole.row.created_at + 103.0

    def later(at: float | None) -> float | None:
        return at if at is None or at < cut else at + night

    slept = replace(
        whole,
        row=replace(whole.row, ended_at=later(whole.row.ended_at)),
        runs=tuple(
            replace(run, started_at=later(run.started_at), finished_at=later(run.finished_at)) for run in whole.runs
        ),
        curve=tuple(replace(point, at=later(point.at) or 0.0) for point in whole.curve),
        events=tuple(replace(one, at=later(one.at) or 0.0) for one in whole.events),
    )
    longer = laid_out(slept)
    assert longer.paused
    assert tape.length - 5.0 < longer.length < tape.length + PAUSE_KEPT
    for now, then in zip(longer.landings(), tape.landings(), strict=True):
        assert now == pytest.approx(then, abs=5.0)
    assert longer.at(longer.length) == slept


def test_runs_taken_over_stand_at_the_beginning_and_one_without_a_time_at_the_end(whole: Recording) -> None:
    first, second, *rest = whole.runs
    old = replace(first, started_at=1.0, finished_at=2.0, copied_from="live-0123456789")
    lost = replace(second, started_at=None, finished_at=None)
    tape = laid_out(replace(whole, runs=(old, lost, *rest)))
    begin = tape.at(0.0).runs
    assert begin[0] == old
    assert begin[1].loss is None
    assert tape.at(tape.length - 1e-3).runs[1].state == "waiting"
    assert tape.at(tape.length).runs[1] == lost


def test_a_recording_of_nothing_is_at_its_end(whole: Recording) -> None:
    empty = replace(
        whole, runs=(), curve=(), predictions=(), events=(), row=replace(whole.row, ended_at=None, state="stopped")
    )
    tape = laid_out(empty)
    assert tape.length == 0.0
    assert tape.at(0.0) == empty
    assert tape.turns() == ()
    player = Player(length=tape.length).played(0.0)
    assert not player.seen(1.0).playing


def test_steps_are_those_that_have_happened_the_latest_first() -> None:
    assert steps_until((1.0, 2.0, 3.0), 2.0) == (2.0, 1.0)
    assert steps_until((1.0, 2.0, 3.0), 1.999) == (1.0,)
    assert steps_until((1.0,), 0.5) == ()


class TestThePlayer:
    def test_it_runs_at_its_speed_and_stops_at_the_end(self) -> None:
        player = Player(length=100.0, speed="10").played(now=50.0)
        assert player.seen(53.0).position == pytest.approx(30.0)
        ended = player.seen(60.1)
        assert (ended.position, ended.playing) == (100.0, False)
        assert ended.played(70.0).position == 0.0, "once more from the beginning"

    def test_the_rest_comes_in_thirty_seconds_from_wherever_it_is(self) -> None:
        player = Player(length=600.0, speed="end").moved(300.0).played(now=0.0)
        assert player.seen(10.0).position == pytest.approx(300.0 + 300.0 * 10.0 / END_SECONDS)

    def test_a_change_of_speed_keeps_the_place(self) -> None:
        player = Player(length=600.0, speed="10").played(0.0).at_speed("60", 2.0)
        assert player.position == pytest.approx(20.0)
        assert player.seen(3.0).position == pytest.approx(80.0)
        assert not Player(length=600.0).at_speed("60", 2.0).playing

    def test_at_rest_it_stays(self) -> None:
        player = Player(length=100.0, speed="1").played(0.0).paused(7.0)
        assert player.seen(1e6).position == pytest.approx(7.0)

    def test_one_that_was_left_has_stopped_where_it_was_seen(self) -> None:
        player = Player(length=1e4, speed="1").played(0.0).seen(10.0)
        left = player.seen(10.0 + LEFT_SECONDS + 1.0)
        assert (left.position, left.playing) == (10.0, False)

    def test_the_next_point_is_ahead_and_it_waits_there(self) -> None:
        player = Player(length=100.0, speed="10")
        turns = (10.0, 20.0, 20.5)
        reached = [player := player.next(turns, 0.0) for _ in range(4)]
        assert [one.position for one in reached] == [10.0, 20.0, 20.5, 100.0]
        assert not any(one.playing for one in reached)

    @pytest.mark.parametrize("position", [float("nan"), float("inf"), -5.0])
    def test_no_position_leaves_the_tape(self, position: float) -> None:
        assert 0.0 <= Player(length=100.0).moved(position).position <= 100.0
