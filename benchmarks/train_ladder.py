"""What a ladder of trunks with branches takes, beside one independent run for every point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.train_measure import CONTEXT, SETTLE, Bench, words
from scaling_core.lab import rules
from scaling_core.lab.records import LinePlan
from scaling_core.lab.spec import CorpusSpec, Mode, Shape, SweepSpec

HORIZONS = (5.0, 10.0, 20.0, 40.0, 80.0)
TIMED_STEPS = 12
"""Steps from which the time of one is taken where a line is too long to be run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Optimiser steps of one line: as a trunk with its branches, and as runs of their own."""

    shared: int
    apart: int


def line_steps(line: LinePlan) -> Steps:
    """Shared: the trunk to its last branch, and every branch. Apart: every run from its first step to its last."""
    branches = sum(run.steps - run.decay_from for run in line.runs)
    return Steps(shared=line.trunk_steps + branches, apart=sum(run.steps for run in line.runs))


def ladder_plan(shapes: tuple[Shape, ...], horizons: tuple[float, ...], mode: Mode = "live") -> tuple[LinePlan, ...]:
    """The lines of a ladder over these shapes, by the lab's own rules."""
    corpus = CorpusSpec(kind="stdlib")
    spec = SweepSpec(
        mode=mode, device="cpu", corpus=corpus, shapes=shapes, horizons=horizons, context=CONTEXT, held_out=0
    )
    return rules.plan_lines(spec)


def ladder_row(bench: Bench, line: LinePlan, run_below: float) -> dict[str, Any]:
    """Seconds of one line both ways: run in full where both take less than `run_below` seconds, else counted.

    Counted: the planned steps, times the mean of a dozen measured ones.
    """
    steps = line_steps(line)
    task = {"do": "train", "shape": words(line.shape), "sequences": line.batch_sequences, "precision": bench.precision}

    def seconds(count: int) -> float:
        return float(sum(bench.ask("ours", {**task, "steps": count})["seconds"]))

    seconds(SETTLE)
    one = seconds(TIMED_STEPS) / TIMED_STEPS
    measured = one * (steps.shared + steps.apart) < run_below
    shared = seconds(steps.shared) if measured else one * steps.shared
    apart = seconds(steps.apart) if measured else one * steps.apart
    return {
        "shape": line.shape.name,
        "sequences": line.batch_sequences,
        "runs": len(line.runs),
        "steps_shared": steps.shared,
        "steps_apart": steps.apart,
        "step_seconds": one,
        "shared_seconds": shared,
        "apart_seconds": apart,
        "measured": measured,
    }
