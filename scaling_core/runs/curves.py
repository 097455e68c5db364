"""Stored learning curves as the mathematics of `scaling_core.curves` takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scaling_core.curves.curve import Cooled, Drop, LearningCurve, Schedule
from scaling_core.curves.drops import drops
from scaling_core.errors import ScalingError
from scaling_core.lab.records import LinePlan, Plan, RunPlan
from scaling_core.runs.rows import CurveRow, RunRow


def learning_curve(
    line: LinePlan, run: RunPlan | None, rows: Iterable[CurveRow], runs: Sequence[RunRow]
) -> LearningCurve:
    """The curve of a run, its trunk up to where its branch leaves and then the branch; without a run, the trunk alone.

    rows: any rows of the sweep in the order stored; of two of one track and step the later counts. runs: the sweep's,
    whose measured ends of the same line go with the curve.
    """
    points: dict[tuple[int, int], CurveRow] = {}
    leaves = None if run is None else run.decay_from
    for row in rows:
        if row.track == line.track and (leaves is None or row.step <= leaves):
            points[row.step, 0] = row
        elif run is not None and row.track == run.id and row.step > run.decay_from:
            points[row.step, 1] = row
    ordered = [points[key] for key in sorted(points)]
    own = {one.id: one for one in runs if one.track == line.track and one.loss is not None}
    cooled = [
        Cooled(tokens=float(one.tokens), loss=one.loss, censored=one.censored)
        for one in own.values()
        if one.loss is not None and (run is None or one.id != run.id)
    ]
    return LearningCurve.of(
        [float(row.tokens) for row in ordered],
        [row.train_loss for row in ordered],
        [row.learning_rate for row in ordered],
        cooled=cooled,
    )


def schedule_of(run: RunPlan) -> Schedule:
    """Where a run's cooldown begins and ends, in tokens."""
    return Schedule(decay_from=run.decay_from * run.tokens / run.steps, final_tokens=float(run.tokens))


def cooling_evidence(plan: Plan, rows: Sequence[CurveRow], runs: Sequence[RunRow], *, but: str = "") -> list[Drop]:
    """What cooling did in every line of a sweep that has measured ends, the line `but` left out."""
    found: list[Drop] = []
    for line in plan.lines:
        if line.track == but:
            continue
        try:
            found += drops(line.track, learning_curve(line, None, rows, runs))
        except ScalingError:  # too short a trunk to be smoothed says nothing about cooling
            continue
    return found
