"""How far a sweep is and how long it still takes, from its plan and its rows. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scaling_core.lab.records import Plan, RunPlan
from scaling_core.runs.liveness import ShownState
from scaling_core.runs.rows import CurveRow, RunRow, SweepRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepStatus:
    """A sweep at a moment. fraction: share of the planned seconds that is done, 0 to 1.

    seconds: training time of the finished runs. seconds_left: at the pace so far, None unless it is running.
    tokens_per_second, memory_bytes: of the latest point of a curve. current_run: id of the run worked on, or None.
    """

    sweep: str
    state: ShownState
    message: str | None
    mode: str
    device: str
    pid: int
    created_at: float
    started_at: float
    ended_at: float | None
    fraction: float
    seconds: float
    seconds_left: float | None
    tokens_per_second: float | None
    memory_bytes: int | None
    current_run: str | None
    runs: tuple[RunRow, ...]


def run_fraction(run: RunPlan, row: RunRow, start_tokens: int) -> float:
    """Share of what a run adds that is done: (tokens - start) / (planned - start), 0 to 1.

    start_tokens: where the branch of the run before it left the trunk, 0 for the first of a rung.
    """
    if row.state in ("finished", "failed"):
        return 1.0
    return min(1.0, max(0.0, (row.tokens - start_tokens) / max(1, run.tokens - start_tokens)))


def summarize(row: SweepRow, runs: Sequence[RunRow], latest: CurveRow | None, state: ShownState) -> SweepStatus:
    """The status of a sweep. runs: all of its rows. state: as `liveness.shown_state` sees it."""
    planned = max(1e-9, sum(run.seconds for run in row.plan.runs))
    done = _done_seconds(row.plan, {run.id: run for run in runs})
    finished = {run.id: run.seconds for run in runs if run.seconds is not None}
    left: float | None = None
    if state == "running":
        expected = sum(run.seconds for run in row.plan.runs if run.id in finished)
        pace = sum(finished.values()) / expected if expected > 0.02 * planned else 1.0
        left = max(0.0, planned - done) * pace
    return SweepStatus(
        sweep=row.id,
        state=state,
        message=row.message,
        mode=row.mode,
        device=row.device,
        pid=row.pid,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        fraction=1.0 if state == "finished" else min(1.0, done / planned),
        seconds=sum(finished.values()),
        seconds_left=left,
        tokens_per_second=latest.tokens_per_second if latest else None,
        memory_bytes=latest.memory_bytes if latest else None,
        current_run=next((run.id for run in runs if run.state == "running"), None) if state == "running" else None,
        runs=tuple(runs),
    )


def _done_seconds(plan: Plan, rows: dict[str, RunRow]) -> float:
    done = 0.0
    for line in plan.lines:
        start_tokens = 0
        for run in line.runs:
            if run.id in rows:
                done += run.seconds * run_fraction(run, rows[run.id], start_tokens)
            start_tokens = run.decay_from * run.tokens // run.steps
    return done
