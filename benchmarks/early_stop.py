"""What does stopping runs early save, and what does it cost? Replayed on the learning curves of finished sweeps.

    python benchmarks/early_stop.py [--home FOLDER] [--sweeps ID,ID] [--tolerances 1%,2%,3%] [--monitor] [--json]

Reads the store that SCALING_LAB_HOME names and trains nothing. Tables:

stopping   every line is gone through as the lab trains it with `--stop-early`: at the steps at which it asks, the final
           loss is foretold from what was seen until then, and where half its 95% interval is within the tolerance the
           run is stopped. What is left of its cooldown is saved, and the part of the trunk that no later run needs.
           Ends that were foretold teach nothing about later ones. Held-out runs are trained to their end.
moments    the same moments with every shorter end measured: error, half width, coverage by the share of the run seen.
reach      what stopping at a fixed place costs: when a run of a line is cooled, every longer one of the line is
           foretold, 2, 4 or 8 times as far.
monitor    (with --monitor, a minute) the law of the smaller rungs against each line: whether a curve as it is, and one
           lifted or lowered, is called off the law at any moment, and whether an end of it was.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scaling_core.curves import (
    Drop,
    Extrapolation,
    LearningCurve,
    Verdict,
    certain,
    drops,
    extrapolate,
    where,
    wilson,
)
from scaling_core.errors import FitError, ScalingError
from scaling_core.fit import FitResult, predict
from scaling_core.lab.early import asks
from scaling_core.lab.options import parse_share
from scaling_core.lab.records import LinePlan, RunPlan
from scaling_core.output import table
from scaling_core.runs.curves import learning_curve, schedule_of
from scaling_core.runs.results import fit_runs
from scaling_core.runs.rows import CurveRow, RunRow
from scaling_core.runs.store import Store

BOOTSTRAP = 200
SHARES = (0.3, 0.5, 0.65, 0.8001, 1.0)
"""Ends of the ranges of the share seen in the table of moments; up to 0.8 a run is on its trunk."""
FACTORS = (1.5, 3.0, 6.0, 12.0)
"""Between these lie the factors 2, 4 and 8 of the table of reach."""
LIFTS = (-0.1, -0.05, 0.0, 0.05, 0.1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One finished line: its plan, its rows as stored, its runs as stored, shortest horizon first."""

    plan: LinePlan
    rows: tuple[CurveRow, ...]
    runs: tuple[RunRow, ...]

    def curve(self, run: RunPlan | None, tokens: float, measured: Sequence[RunRow]) -> LearningCurve:
        """What had been seen on the way to `run` at `tokens`; the trunk alone without a run."""
        return learning_curve(self.plan, run, [row for row in self.rows if row.tokens <= tokens], measured)

    def teaches(self, measured: Sequence[RunRow]) -> tuple[Drop, ...]:
        """What the finished line tells the next ones about cooling."""
        try:
            return drops(self.plan.track, self.curve(None, math.inf, measured))
        except FitError:
            return ()


def loss_of(run: RunRow) -> float:
    """The measured end."""
    assert run.loss is not None, "only finished runs are read"
    return run.loss


def read(home: Path | None, wanted: Sequence[str]) -> list[tuple[str, list[Line]]]:
    """Finished sweeps, oldest first, with their lines in the order of training; lines with a copied end left out."""
    found = []
    with Store.open_reader(home) as store, store.snapshot():
        for sweep in sorted(store.sweeps(), key=lambda one: one.created_at):
            if sweep.state != "finished" or (wanted and sweep.id not in wanted) or sweep.plan.spec.tunes:
                continue
            runs = {run.id: run for run in store.runs(sweep.id)}
            rows = store.curve(sweep.id)
            lines = []
            for plan in sweep.plan.lines:
                own = tuple(runs[run.id] for run in plan.runs)
                if all(run.loss is not None and not run.censored and run.copied_from is None for run in own):
                    tracks = {plan.track, *(run.id for run in own)}
                    lines.append(Line(plan=plan, rows=tuple(row for row in rows if row.track in tracks), runs=own))
            if lines:
                found.append((sweep.id, lines))
    return found


def foretell(curve: LearningCurve, run: RunPlan, evidence: Sequence[Drop]) -> Extrapolation | None:
    """The extrapolation, None where it is refused."""
    try:
        return extrapolate(curve, schedule=schedule_of(run), evidence=evidence)
    except FitError:
        return None


def moments_of(run: RunPlan, place: int) -> Iterator[tuple[int, float]]:
    """Steps beyond `place`, and their tokens, at which the lab asks whether the run may be stopped."""
    for step in range(place + 1, run.steps):
        if asks(run, step):
            yield step, step * run.tokens / run.steps


def replay(lines: Sequence[Line], tolerance: float) -> dict[str, Any]:
    """Train a sweep once more on paper, stopping early: compute with and without, and what was foretold."""
    evidence: list[Drop] = []
    spent = whole = 0.0
    stopped: list[tuple[float, Extrapolation, float]] = []
    for line in lines:
        place, measured, steps = 0, list[RunRow](), 0
        step_flops = line.plan.runs[0].flops / line.plan.runs[0].steps
        for run, end in zip(line.plan.runs, line.runs, strict=True):
            step, told = run.steps, None
            for moment, tokens in moments_of(run, place):
                seen = None if run.held_out else foretell(line.curve(run, tokens, measured), run, evidence)
                if seen is not None and certain(seen, tolerance):
                    step, told = moment, seen
                    stopped.append((moment / run.steps, seen, loss_of(end)))
                    break
            if told is None:
                measured.append(end)
            steps += max(0, step - run.decay_from)
            place = max(place, min(step, run.decay_from))
        spent += step_flops * (steps + place)
        whole += step_flops * (line.plan.trunk_steps + sum(run.steps - run.decay_from for run in line.plan.runs))
        evidence += line.teaches(measured)
    return {"spent": spent, "whole": whole, "stopped": stopped}


def stopping(sweeps: Sequence[tuple[str, list[Line]]], tolerance: float) -> dict[str, Any]:
    """The row of the first table for one tolerance."""
    played = [replay(lines, tolerance) for _, lines in sweeps]
    stopped = [one for each in played for one in each["stopped"]]
    errors = [abs(told.loss / loss - 1.0) for _, told, loss in stopped]
    within = sum(told.low <= loss <= told.high for _, told, loss in stopped)
    return {
        "tolerance": tolerance,
        "runs": sum(not run.held_out for _, lines in sweeps for line in lines for run in line.runs),
        "stopped": len(stopped),
        "seen_share": statistics.median([share for share, _, _ in stopped]) if stopped else None,
        "saved": 1.0 - sum(each["spent"] for each in played) / sum(each["whole"] for each in played),
        "median_error": statistics.median(errors) if errors else None,
        "worst_error": max(errors, default=None),
        "below_3_percent": sum(error < 0.03 for error in errors) / len(errors) if errors else None,
        "within": within,
        "coverage": within / len(stopped) if stopped else None,
        "coverage_interval": wilson(within, len(stopped)),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One foretelling. share: of the run seen. factor: its tokens over those of the longest run cooled, or None.

    error, half_width: None where it was refused.
    """

    share: float
    factor: float | None = None
    error: float | None = None
    half_width: float | None = None
    within: bool = False


def moment(run: RunPlan, end: RunRow, curve: LearningCurve, evidence: Sequence[Drop]) -> Moment:
    """Foretell the end of a run from a curve, and hold it against what was measured."""
    told, loss = foretell(curve, run, evidence), loss_of(end)
    share = min(1.0, curve.seen / run.tokens)
    factor = run.tokens / max(one.tokens for one in curve.cooled) if curve.cooled else None
    if told is None:
        return Moment(share=share, factor=factor)
    within = told.low <= loss <= told.high
    return Moment(share=share, factor=factor, error=told.loss / loss - 1.0, half_width=told.half_width, within=within)


def foretold(sweeps: Sequence[tuple[str, list[Line]]]) -> tuple[list[Moment], list[Moment]]:
    """Every moment at which the lab would ask, and every longer run from the departure of a shorter one."""
    asked, reached = [], []
    for _, lines in sweeps:
        evidence: list[Drop] = []
        for line in lines:
            place, measured = 0, list[RunRow]()
            pairs = list(zip(line.plan.runs, line.runs, strict=True))
            for i, (run, end) in enumerate(pairs):
                for _, tokens in moments_of(run, place):
                    asked.append(moment(run, end, line.curve(run, tokens, measured), evidence))
                measured.append(end)
                place = run.decay_from
                trunk = line.curve(None, schedule_of(run).decay_from, measured)
                reached += [moment(longer, far, trunk, evidence) for longer, far in pairs[i + 1 :]]
            evidence += line.teaches(measured)
    return asked, reached


def summed(some: Sequence[Moment], low: float, high: float) -> dict[str, Any]:
    """A row of the tables of moments and of reach."""
    errors = [one.error for one in some if one.error is not None]
    widths = [one.half_width for one in some if one.half_width is not None]
    sizes = [abs(error) for error in errors]
    return {
        "from": low,
        "to": high,
        "n": len(errors),
        "refused": len(some) - len(errors),
        "bias": statistics.fmean(errors) if errors else None,
        "median_error": statistics.median(sizes) if sizes else None,
        "worst_error": max(sizes, default=None),
        "below_3_percent": sum(size < 0.03 for size in sizes) / len(sizes) if sizes else None,
        "half_width": statistics.median(widths) if widths else None,
        "coverage": sum(one.within for one in some) / len(errors) if errors else None,
    }


def monitor(sweeps: Sequence[tuple[str, list[Line]]]) -> list[dict[str, Any]]:
    """The rows of the last table: for each lift, how many lines ended off the law, and how many were called so."""
    counts = {lift: {"lines": 0, "off": 0, "off_called": 0, "on_called": 0, "early": 0, "said": 0} for lift in LIFTS}
    for _, lines in sweeps:
        for line in lines:
            smaller = [one for one in lines if one.plan.rung < line.plan.rung]
            try:
                law = fit_runs(
                    [replace(run, held_out=False) for one in smaller for run in one.runs], bootstrap=BOOTSTRAP
                )
            except ScalingError:
                continue
            evidence = [drop for one in smaller for drop in one.teaches(one.runs)]
            ends = predict(law, float(line.runs[0].params), np.array([float(run.tokens) for run in line.runs]))
            for lift, count in counts.items():
                verdicts = list(standings(line, law, evidence, lift))
                said = {verdict for verdict in verdicts if verdict != "early"}
                losses = np.array([loss_of(run) for run in line.runs]) * (1.0 + lift)
                off = bool(((losses < ends.low) | (losses > ends.high)).any())
                count["lines"] += 1
                count["off"] += off
                count["off_called" if off else "on_called"] += bool(said - {"on"})
                count["early"] += verdicts.count("early")
                count["said"] += len(verdicts) - verdicts.count("early")
    return [{"lift": lift, **count} for lift, count in counts.items()]


def standings(line: Line, law: FitResult, evidence: Sequence[Drop], lift: float) -> Iterator[Verdict]:
    """The verdict at every moment of a line's trunk, with all its losses multiplied by 1 + lift."""
    place, measured = 0, list[RunRow]()
    for run, end in zip(line.plan.runs, line.runs, strict=True):
        for step, tokens in moments_of(run, place):
            if step <= run.decay_from:
                seen = line.curve(run, tokens, measured)
                lifted = LearningCurve(
                    tokens=seen.tokens, losses=seen.losses * (1.0 + lift), rates=seen.rates, cooled=seen.cooled
                )
                yield where(law, run.params, lifted, evidence=evidence).verdict
        measured.append(replace(end, loss=loss_of(end) * (1.0 + lift)))
        place = run.decay_from


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a table writes it."""
    return "-" if value is None else f"{value:.{digits}%}"


def report(found: dict[str, Any]) -> str:
    """The tables."""
    parts = [f"{found['runs']} runs of {len(found['sweeps'])} sweeps: {', '.join(found['sweeps'])}"]
    rows = [["tolerance", "stopped", "seen", "compute saved", "median error", "worst", "under 3%", "covered"]]
    for one in found["stopping"]:
        low, high = one["coverage_interval"]
        rows.append([
            percent(one["tolerance"]), f"{one['stopped']} of {one['runs']}", percent(one["seen_share"], 0),
            percent(one["saved"]), percent(one["median_error"], 2), percent(one["worst_error"], 2),
            percent(one["below_3_percent"], 0), f"{percent(one['coverage'], 0)} ({low:.0%} to {high:.0%})",
        ])  # fmt: skip
    parts.append(table(rows))
    heads = ("moments", "refused", "bias", "median error", "worst", "under 3%", "half width", "covered")
    for name, title in (("moments", "share seen"), ("reach", "times as far")):
        rows = [[title, *heads]]
        for one in found[name]:
            span = f"{one['from']:.0%} to {one['to']:.0%}" if name == "moments" else f"{one['from']:g} to {one['to']:g}"
            figures = [(one[key], 2) for key in ("bias", "median_error", "worst_error")]
            figures += [(one["below_3_percent"], 0), (one["half_width"], 2), (one["coverage"], 0)]
            rows.append([span, str(one["n"]), str(one["refused"]), *(percent(*figure) for figure in figures)])
        parts.append(table(rows))
    if found["monitor"]:
        rows = [["losses", "lines", "ended off the law", "of them called", "ended on it", "of them called"]]
        for one in found["monitor"]:
            counts = (one["lines"], one["off"], one["off_called"], one["lines"] - one["off"], one["on_called"])
            rows.append([f"{one['lift']:+.0%}", *map(str, counts)])
        parts.append(table(rows))
    return "\n\n".join(parts)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--sweeps", default="")
    parser.add_argument("--tolerances", default="1%,2%,3%,4%,5%,6%")
    parser.add_argument("--monitor", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        tolerances = [parse_share(text, field="tolerances") for text in options.tolerances.split(",")]
        sweeps = read(options.home, [name for name in options.sweeps.split(",") if name])
        if not sweeps:
            parser.error("there is no finished sweep with its curves in that store; train one with `lab start`")
        played = [stopping(sweeps, tolerance) for tolerance in tolerances]
    except ScalingError as error:
        parser.error(str(error))
    asked, reached = foretold(sweeps)
    found = {
        "sweeps": [name for name, _ in sweeps],
        "runs": sum(len(line.runs) for _, lines in sweeps for line in lines),
        "stopping": played,
        "moments": [
            summed([one for one in asked if low < one.share <= high], low, min(high, 1.0))
            for low, high in pairwise((0.0, *SHARES))
        ],
        "reach": [
            summed([one for one in reached if one.factor is not None and low < one.factor <= high], low, high)
            for low, high in pairwise(FACTORS)
        ],
        "monitor": monitor(sweeps) if options.monitor else [],
    }
    print(json.dumps(found, allow_nan=False) if options.json else report(found))


if __name__ == "__main__":
    main()
