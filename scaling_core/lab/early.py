"""Stopping a run once its end is certain: asked at fixed steps, so that a resumed run stops where it would have.

Only runs that enter the fit are stopped; one that is foretold is trained to its end, or there would be nothing to hold
the prediction against.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from scaling_core.curves.extrapolate import Extrapolation, certain, extrapolate
from scaling_core.errors import ScalingError
from scaling_core.lab.records import LinePlan, Plan, RunPlan
from scaling_core.runs.curves import cooling_evidence, learning_curve, schedule_of
from scaling_core.runs.rows import CurveRow, RunRow

CHECKS = 25
"""How often a run is asked in its course."""


def asks(run: RunPlan, step: int) -> bool:
    """Whether the run is asked after this step: at each of `CHECKS` equal parts but the last."""
    every = max(1, run.steps // CHECKS)
    return step % every == 0 and 0 < step < run.steps


def certain_end(
    plan: Plan, line: LinePlan, run: RunPlan, rows: Sequence[CurveRow], runs: Sequence[RunRow]
) -> Extrapolation | None:
    """The foretold end of a run where it is certain to the sweep's tolerance, else None."""
    tolerance = plan.spec.stop_early
    if tolerance is None or run.held_out:
        return None
    try:
        evidence = cooling_evidence(plan, rows, runs, but=line.track)
        foretold = extrapolate(learning_curve(line, run, rows, runs), schedule=schedule_of(run), evidence=evidence)
    except ScalingError:  # too little was seen yet
        return None
    return foretold if certain(foretold, tolerance) else None


def standard_error(foretold: Extrapolation) -> float:
    """What half of the interval is in standard errors of a normal distribution, nats per token."""
    return (foretold.high - foretold.low) / 2 / NormalDist().inv_cdf(0.5 + foretold.level / 2)
