"""What the page "Fit your runs" asks of the core, once for each question: fits, allocations, validation, optima."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import streamlit as st

from scaling_core.arrays import BoolArray
from scaling_core.errors import ScalingError
from scaling_core.fit import (
    AllocationFit,
    FitResult,
    Interval,
    Objective,
    Resampling,
    RunPoints,
    Weights,
    fit_envelope,
    fit_isoflop,
    fit_law,
)
from scaling_core.fit.allocation.curves import Method
from scaling_core.fit.diagnosis import outliers
from scaling_core.fit.repeated.fitting import fit_repeated
from scaling_core.fit.validation import Validation, validate
from scaling_core.ui.fit_source import Source
from scaling_core.viz.fit_path import Path, fitted_path
from scaling_core.viz.fit_runs import Fit, Shown

Approach = Literal["parametric", "isoflop", "envelope"]
VALIDATION_REFITS = 200
MOST_WORK, FEWEST_REFITS = 1_000_000, 100
"""Refits times runs that a change may take, which is some seconds; but for any table so many refits."""
REPEATED = "muennighoff"
"""The form that needs unique tokens, and is fitted in stages of its own."""
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the reader asks for, checked. fixed: constants held. resampling: None for what suits the runs.

    without_far: leave out runs that lie far off the law. with_held_out: fit those too that the table holds out.
    N_low, N_high, loss_high: runs outside are left out.
    """

    approach: Approach = "parametric"
    form: str = "chinchilla"
    objective: Objective = "huber-log"
    delta: float = 1e-3
    weights: Weights = "equal"
    fixed: tuple[tuple[str, float], ...] = ()
    shared: bool = False
    without_far: bool = False
    with_held_out: bool = False
    N_low: float = 0.0
    N_high: float = float("inf")
    loss_high: float = float("inf")
    resampling: Resampling | None = None
    interval: Interval = "bias-corrected"
    bootstrap: int = 400
    method: Method = "profile"
    warmup: float = 0.1

    def law(self) -> dict[str, Any]:
        """The keywords of `fit_law`, but for those of the bootstrap."""
        return {
            "form": self.form,
            "objective": self.objective,
            "delta": self.delta,
            "weights": self.weights,
            "fixed": dict(self.fixed),
            "shared": self.shared,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The runs of a source after the reader's cuts. key: names them. taken: to be fitted. cut: how many are not."""

    key: str
    taken: RunPoints
    held_out: RunPoints | None
    cut: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A parametric fit with the runs as they are drawn; without one, `problem` says why. key: names the fit."""

    key: str
    result: Fit | None
    problem: str
    shown: Shown | None


def _refits(options: Options, points: RunPoints) -> int:
    """The refits that were asked for, or as many as so many runs allow."""
    return min(options.bootstrap, max(FEWEST_REFITS, MOST_WORK // max(len(points), 1)))


def choose(source: Source, options: Options) -> Chosen:
    """The runs that are fitted, and those that the table holds out."""
    points = source.table.points
    inside = (points.N >= options.N_low) & (points.N <= options.N_high) & (points.loss <= options.loss_high)
    held: BoolArray = np.zeros(len(points), dtype=bool)
    if source.table.held_out is not None and not options.with_held_out:
        held = source.table.held_out
    cuts = (options.N_low, options.N_high, options.loss_high, options.with_held_out)
    return Chosen(
        key=f"{source.key}|{cuts}",
        taken=points.subset(inside & ~held),
        held_out=points.subset(inside & held) if (inside & held).any() else None,
        cut=int((~inside).sum()),
    )


def parametric(runs: Chosen, options: Options) -> Outcome:
    """The law through the chosen runs, without those that lie far off where that was asked for."""
    law = options.law()
    points, left_out, note = runs.taken, None, ""
    if options.without_far:
        first = _fit(f"{runs.key}|{law}", 0, None, options.interval, points, law)
        if not isinstance(first, str) and (far := outliers(first.residuals)).any():
            points, left_out, note = first.points.subset(~far), first.points.subset(far), "|without"
    key = f"{runs.key}{note}|{law}"
    refits = _refits(options, points)
    found = _fit(key, refits, options.resampling, options.interval, points, law)
    key = f"{key}|{refits}|{options.resampling}|{options.interval}"
    if isinstance(found, str):
        return Outcome(key=key, result=None, problem=found, shown=None)
    far = outliers(found.residuals)
    shown = Shown(fitted=found.points, far=far, left_out=left_out, held_out=runs.held_out)
    return Outcome(key=key, result=found, problem="", shown=shown)


@st.cache_resource(max_entries=32, show_spinner=False)
def _fit(
    key: str,
    bootstrap: int,
    resampling: Resampling | None,
    interval: Interval,
    _points: RunPoints,
    _law: dict[str, Any],
) -> Fit | str:
    spread: dict[str, Any] = {"bootstrap": bootstrap, "resampling": resampling, "interval_method": interval}
    if _law["form"] == REPEATED:
        some = {name: _law[name] for name in ("objective", "delta", "shared")}
        return _or_sentence(lambda: fit_repeated(_points, **some, **spread))
    return _or_sentence(lambda: fit_law(_points, **_law, **spread))


def allocation(runs: Chosen, options: Options, method: Method | None = None) -> AllocationFit | str:
    """Approach 2 by a method, or approach 1 where that is what the options ask for; a sentence where there is none."""
    resampling = options.resampling if options.resampling in ("pairs", "cluster") else None
    refits = _refits(options, runs.taken)
    if options.approach == "envelope":
        whole = resampling == "cluster"
        return _envelope(runs.key, options.warmup, refits, "cluster" if whole else "residual", runs.taken)
    how = method or options.method
    pairs = resampling == "pairs" and how != "interpolate"
    return _isoflop(runs.key, how, refits, "pairs" if pairs else "residual", runs.taken)


@st.cache_resource(max_entries=16, show_spinner=False)
def _isoflop(
    key: str, method: Method, bootstrap: int, resampling: Literal["pairs", "residual"], _points: RunPoints
) -> AllocationFit | str:
    return _or_sentence(lambda: fit_isoflop(_points, method=method, bootstrap=bootstrap, resampling=resampling))


@st.cache_resource(max_entries=16, show_spinner=False)
def _envelope(
    key: str, warmup: float, bootstrap: int, resampling: Literal["cluster", "residual"], _points: RunPoints
) -> AllocationFit | str:
    return _or_sentence(lambda: fit_envelope(_points, warmup=warmup, bootstrap=bootstrap, resampling=resampling))


def _or_sentence(work: Callable[[], Answer]) -> Answer | str:
    """What the work gives, or the sentence that it raises."""
    try:
        return work()
    except ScalingError as error:
        return str(error)


@st.cache_resource(max_entries=16, show_spinner=False)
def validated(key: str, _result: FitResult) -> Validation | str:
    """The fit judged where it was not fitted; `key` names it."""
    return _or_sentence(lambda: validate(_result, bootstrap=VALIDATION_REFITS))


@st.cache_resource(max_entries=64, show_spinner=False)
def path_of(key: str, low: float, high: float, _result: Fit) -> Path | None:
    """The optimum of a fit along budgets from `low` to `high` FLOP."""
    return fitted_path(_result, np.geomspace(low, high, 61))


@st.cache_resource(max_entries=64, show_spinner=False)
def optimum_of(key: str, C: float, _result: Fit) -> Path | None:
    """The optimum of a fit at one budget."""
    return fitted_path(_result, np.array([C]))


def budgets(points: RunPoints, C: float) -> tuple[float, float]:
    """The ends of the axis of compute: a decade before the runs to two beyond them, or beyond the budget C."""
    low, high = float(points.C.min()), float(points.C.max())
    ends = [math.log10(min(low / 10.0, C / 3.0)), math.log10(max(high * 100.0, C * 10.0))]
    return 10.0 ** max(round(ends[0]), -3), 10.0 ** min(round(ends[1]), 36)


def other_counts(source: Source, options: Options) -> dict[str, Fit]:
    """The same fit, without intervals, with parameters counted in each of the other ways that the table has."""
    found = {}
    for count, table in source.others.items():
        other = replace(source, table=table, key=f"{source.key}|{count}", others={})
        outcome = parametric(choose(other, options), replace(options, bootstrap=0))
        if outcome.result is not None:
            found[count] = outcome.result
    return found
