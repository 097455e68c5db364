"""From a mode and a measured machine to a ladder that fits the time, and to what each of its runs costs.

Nothing here trains or imports torch: speeds come from a calibration, everything else from `lab.rules`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from scaling_core.errors import DeviceError, InputError
from scaling_core.flops import flops_per_token
from scaling_core.lab import rules
from scaling_core.lab.modes import MODE_RULES, ModeRule, mode_rule
from scaling_core.lab.records import Calibration, LinePlan, Plan
from scaling_core.lab.spec import BYTES_VOCAB, CorpusSpec, Mode, Shape, SweepSpec
from scaling_core.language import t
from scaling_core.units import format_bytes, format_duration

EVALUATION_SHARE = 1 / 3
"""Cost of a token evaluated against a token trained: the forward pass only (Kaplan et al. 2020, table 1)."""
RUN_OVERHEAD_SECONDS = 0.15
"""For each run: a checkpoint taken, one read again, and a few rows stored."""
FORETELL_SECONDS = 1.5
"""For the fit with its bootstrap from which the held-out runs are foretold, once a sweep."""
MEMORY_SHARE = 0.7
"""Share of the device's memory that a plan may use."""
TOP_STEP = 2.0
"""Least ratio of parameters from the rung below to the largest, which is foretold: four times the compute."""
EPOCHS_HARMLESS = 4.0
"""Repetitions of a text up to which a repeated token is worth about a new one (Muennighoff et al. 2023, section 6)."""


def make_spec(
    mode: Mode,
    calibration: Calibration,
    corpus: CorpusSpec,
    seed: int = 0,
    *,
    sizes: int | None = None,
    minutes: float | None = None,
    held_out: int = 1,
    shapes: tuple[Shape, ...] | None = None,
    horizons: tuple[float, ...] | None = None,
    seeds: tuple[int, ...] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> SweepSpec:
    """The largest ladder whose predicted seconds fit the mode's time on this machine, and whose memory fits too.

    Sizes are taken from `rules.ladder_shapes` and between them, from the top down in the mode's steps. For the largest
    top that fits with the mode's shortest horizons, the horizons then grow until the time is used. Where not even
    the smallest ladder fits, that one is given all the same; `make_plan` says how long it really takes.
    shapes, horizons: taken as they are, instead of what would fit, and however few the steps. seeds: lines of each
    size, by default the mode's for the smallest ones. settings: further fields of the `SweepSpec`.

    Raises InputError on a bad field, DeviceError where the device failed its self-test.
    """
    rule = mode_rule(mode, sizes=sizes, minutes=minutes)
    if calibration.refusal:
        raise DeviceError(calibration.refusal)
    count = rule.sizes if shapes is None else len(shapes)
    if not 0 <= held_out <= max(0, count - 2):
        raise InputError(
            "held_out",
            held_out,
            t("of {count} sizes at least two remain to fit, so it is 0 to {most}", count=count, most=max(0, count - 2)),
        )
    if seeds is None:
        seeds = (*rule.seeds, *(1 for _ in range(count)))[:count]

    def spec_of(chosen: tuple[Shape, ...], first: float) -> SweepSpec:
        return SweepSpec(
            mode=mode,
            device=calibration.device,
            corpus=corpus,
            shapes=chosen,
            horizons=horizons or tuple(first * 2.0**k for k in range(rule.horizons)),
            seed=seed,
            seeds=seeds,
            held_out=held_out,
            **{"least_steps": 0 if horizons else rule.least_steps, **(settings or {})},
        )

    def fits(spec: SweepSpec) -> bool:
        plan = make_plan(spec, calibration)
        return plan.seconds <= rule.fill * rule.seconds and plan.memory_bytes <= MEMORY_SHARE * calibration.memory_bytes

    ladders = _ladders(rule) if shapes is None else [shapes]
    for chosen in ladders:
        if fits(spec_of(chosen, rule.shortest)):
            grown = [spec for first in _steps(rule.shortest, rule.longest) if fits(spec := spec_of(chosen, first))]
            return grown[-1]
    for first in reversed(_steps(rule.least, rule.shortest)):
        if fits(spec_of(ladders[-1], first)):
            return spec_of(ladders[-1], first)
    return spec_of(ladders[-1], rule.least)


def make_plan(
    spec: SweepSpec,
    calibration: Calibration,
    *,
    unique_tokens: int | None = None,
    asked_seconds: float | None = None,
) -> Plan:
    """Every run of the sweep with its tokens, FLOP, seconds and bytes on this machine, and what to be warned of.

    The seconds of a run are those that it adds: its piece of the trunk, its branch and its evaluation. Those of the
    plan add the start of the process and the fit before the held-out runs. unique_tokens: size of the training text,
    where it is known. asked_seconds: the time that was asked for, the mode's own by default. Raises InputError where
    the calibration is of another device.
    """
    if calibration.device != spec.device:
        raise InputError(
            "calibration",
            calibration.device,
            t("the sweep trains on {device}, measure that device", device=spec.device),
        )
    lines = tuple(_timed(spec, line, calibration) for line in rules.plan_lines(spec))
    seconds = calibration.startup_seconds + (FORETELL_SECONDS if spec.held_out else 0.0)
    seconds += sum(run.seconds for line in lines for run in line.runs)
    memory = max(run.memory_bytes for line in lines for run in line.runs)
    plan = Plan(spec=spec, lines=lines, seconds=seconds, memory_bytes=memory)
    return replace(plan, warnings=tuple(_warnings(plan, calibration, unique_tokens, asked_seconds)))


def speed(shape: Shape, calibration: Calibration, *, vocab_size: int, context: int) -> float:
    """Training speed of a shape in tokens/s, from measured shapes: linear in log(tokens/s) over log(FLOP/token).

    Never better than measured: a smaller model than the smallest measured gets that one's tokens/s, a larger one
    than the largest gets the FLOP/s of the largest.
    """
    if not calibration.speeds:
        raise InputError("calibration", "no speeds", t("measure the device again"))

    def cost(of: Shape) -> float:
        return flops_per_token(n_layer=of.n_layer, d_model=of.d_model, vocab_size=vocab_size, context=context)

    points = sorted((cost(point.shape), point.tokens_per_second) for point in calibration.speeds)
    known = np.log([point[0] for point in points])
    rates = np.log([point[1] for point in points])
    wanted = math.log(cost(shape))
    return math.exp(float(np.interp(wanted, known, rates)) - max(0.0, wanted - float(known[-1])))


def memory(shape: Shape, estimate: int, calibration: Calibration, *, vocab_size: int, context: int) -> int:
    """Bytes at the peak: the rule's estimate, raised by what the measured shapes needed beyond theirs.

    The larger of estimate + (what the smallest measured shape took beyond its own: torch itself) and
    estimate * (measured / estimated of the largest measured shape).
    """
    points = sorted(calibration.speeds, key=lambda point: shape_parameters(point.shape, vocab_size, context))
    if not points:
        return estimate

    def of(index: int) -> tuple[int, int]:
        point = points[index]
        guess = rules.memory_estimate(
            point.shape,
            vocab_size=vocab_size,
            context=context,
            batch_sequences=max(1, point.batch_tokens // context),
        )
        return point.memory_bytes, guess

    small_measured, small_guess = of(0)
    large_measured, large_guess = of(-1)
    base = max(0, small_measured - small_guess)
    return round(max(estimate + base, estimate * max(1.0, large_measured / large_guess)))


def shape_parameters(shape: Shape, vocab_size: int, context: int) -> int:
    """N of the sweep's law: parameters with head."""
    return shape.parameters(vocab_size=vocab_size, context=context).with_head


def run_shares(line: LinePlan) -> list[int]:
    """Optimiser steps that each run of a line adds: from the branching of the run before along the trunk to its end."""
    starts = [0, *(run.decay_from for run in line.runs[:-1])]
    return [run.steps - start for run, start in zip(line.runs, starts, strict=True)]


def _timed(spec: SweepSpec, line: LinePlan, calibration: Calibration) -> LinePlan:
    rate = speed(line.shape, calibration, vocab_size=spec.vocab_size, context=spec.context)
    batch_tokens = line.batch_sequences * spec.context
    evaluation = rules.validation_windows(spec.mode) * spec.context * EVALUATION_SHARE / rate
    runs = tuple(
        replace(
            run,
            seconds=steps * batch_tokens / rate + evaluation + RUN_OVERHEAD_SECONDS,
            memory_bytes=memory(
                line.shape, run.memory_bytes, calibration, vocab_size=spec.vocab_size, context=spec.context
            ),
        )
        for run, steps in zip(line.runs, run_shares(line), strict=True)
    )
    return replace(line, runs=runs)


def _offered() -> list[Shape]:
    """The shapes of `rules.ladder_shapes` and, from each up to the next, wider ones of its depth; ascending."""
    shapes = list(rules.ladder_shapes())
    for below, above in pairwise(rules.ladder_shapes()):
        grain = 2 if below.d_model < 64 else 8 if below.d_model < 128 else 32
        for width in range(below.d_model + grain - below.d_model % grain, 4 * below.d_model, grain):
            shape = Shape(n_layer=below.n_layer, d_model=width, n_head=rules.heads_for(width))
            if _size(shape) >= _size(above):
                break
            shapes.append(shape)
    return sorted(shapes, key=_size)


def _ladders(rule: ModeRule) -> list[tuple[Shape, ...]]:
    """For every top from which enough sizes go down, the ladder with the smallest steps allowed; largest top first."""
    offered = _offered()
    ladders = []
    for top in range(len(offered) - 1, -1, -1):
        chosen = [offered[top]]
        for shape in reversed(offered[:top]):
            step = max(rule.step, TOP_STEP) if len(chosen) == 1 else rule.step
            if len(chosen) < rule.sizes and _size(chosen[-1]) >= step * _size(shape):
                chosen.append(shape)
        if len(chosen) == rule.sizes:
            ladders.append(tuple(reversed(chosen)))
    return ladders


def _size(shape: Shape) -> int:
    return shape_parameters(shape, BYTES_VOCAB, 128)


def _steps(low: float, high: float) -> list[float]:
    """First horizons to try, ascending in halves."""
    return [low + k / 2 for k in range(round(2 * (high - low)) + 1)]


def _warnings(
    plan: Plan, calibration: Calibration, unique_tokens: int | None, asked_seconds: float | None
) -> list[str]:
    found: list[str] = []
    asked = asked_seconds or MODE_RULES[plan.spec.mode].seconds
    if plan.seconds > asked:
        found.append(
            t(
                "This machine needs about {needed} for this ladder, more than the {asked} asked for.",
                needed=format_duration(plan.seconds),
                asked=format_duration(asked),
            )
        )
    if plan.memory_bytes > MEMORY_SHARE * calibration.memory_bytes:
        found.append(
            t(
                "The largest size needs about {needed} of the {there} there are; close other programs or choose fewer "
                "sizes.",
                needed=format_bytes(plan.memory_bytes),
                there=format_bytes(calibration.memory_bytes),
            )
        )
    least, horizons = plan.spec.least_steps, len(plan.spec.horizons)
    if least and plan.spec.max_steps is None and (cut := [one for one in plan.sizes if len(one.runs) < horizons]):
        found.append(
            t(
                "The shorter horizons of the smallest {n} sizes are left out: in fewer than {least} steps a model is "
                "still in the steep first part of its curve, which no law describes.",
                n=len(cut),
                least=least,
            )
        )
    fitted = [run for run in plan.runs if not run.held_out]
    decades = math.log10(max(run.flops for run in fitted) / min(run.flops for run in fitted))
    if len(fitted) <= 5:
        found.append(t("Only {n} runs enter the fit: too few for the five constants of the law.", n=len(fitted)))
    if decades < 1.5:
        found.append(
            t(
                "The fitted runs span {decades:.1f} decades of compute: too narrow to trust an exponent.",
                decades=decades,
            )
        )
    if unique_tokens:
        epochs = max(run.tokens for run in plan.runs) / unique_tokens
        if epochs > EPOCHS_HARMLESS:
            found.append(
                t(
                    "The longest run reads the text {epochs:.1f} times; beyond {harmless:.0f} a repeated token is "
                    "worth less than a new one, so its loss lies above the law: give a larger text.",
                    epochs=epochs,
                    harmless=EPOCHS_HARMLESS,
                )
            )
    return found
