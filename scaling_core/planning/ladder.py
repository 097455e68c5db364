"""The plan as a ladder of the lab: the planned size held out, and smaller ones from which it is foretold."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from scaling_core.errors import InputError
from scaling_core.lab.corpus_spec import CorpusSpec
from scaling_core.lab.modes import MODE_RULES
from scaling_core.lab.plan import MEMORY_SHARE, TOP_STEP, make_plan
from scaling_core.lab.records import Calibration, Plan
from scaling_core.lab.rules import heads_for, ladder_shapes, plan_lines
from scaling_core.lab.spec import DeviceName, Mode, Shape, SweepSpec
from scaling_core.language import t
from scaling_core.optimum.core import named
from scaling_core.units import format_bytes, format_duration, format_quantity

LADDER_STEP = 1.9
"""Ratio of parameters from rung to rung below the two largest."""
RUNGS = 5
LEAST_RUNGS = 3
SEEDS = (3, 2)
"""Trainings of the smallest two sizes, whose spread tells the noise between seeds."""
LEAST_STEPS = MODE_RULES["standard"].least_steps
MOST_SECONDS = 30 * 86_400.0
NEAR = 1.15
"""Times by which the nearest size on offer may miss the planned one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ladder:
    """The lab's ladder for a plan, its largest size held out. params: N with head of that size. notes: sentences.

    plan: with its seconds, where the machine was measured. spec is None and reason a sentence where the lab cannot.
    """

    spec: SweepSpec | None = None
    command: str = ""
    params: int = 0
    plan: Plan | None = None
    notes: tuple[str, ...] = ()
    reason: str = ""


def shape_near(params: float, *, vocab_size: int, context: int) -> Shape:
    """The shape whose N with head is nearest, with about the depth that the lab's ladder has at that size.

    Widths are any that the lab can have; the depth is that of the nearest size of the ladder, or of the one below or
    above it where that comes nearer by 5% at least.
    """

    def distance(shape: Shape) -> float:
        return abs(math.log(shape.parameters(vocab_size=vocab_size, context=context).with_head / params))

    offered = ladder_shapes()
    nearest = min(range(len(offered)), key=lambda k: distance(offered[k]))
    depths = {shape.n_layer for shape in offered[max(0, nearest - 1) : nearest + 2]}
    widest = max(shape.d_model for shape in offered)
    widths = [
        *range(16, 64, 2),
        *range(64, 128, 4),
        *range(128, 256, 8),
        *range(256, 512, 16),
        *range(512, widest + 1, 32),
    ]
    shapes = (
        Shape(n_layer=depth, d_model=width, n_head=heads_for(width)) for depth in sorted(depths) for width in widths
    )
    usual = offered[nearest].n_layer
    return min(
        (offered[nearest], *shapes), key=lambda shape: distance(shape) + (0.05 if shape.n_layer != usual else 0.0)
    )


def lab_ladder(
    params: float,
    tokens: float,
    *,
    device: DeviceName = "cpu",
    corpus: CorpusSpec | None = None,
    context: int = 128,
    calibration: Calibration | None = None,
    unique_tokens: int | None = None,
) -> Ladder:
    """The lab's ladder whose largest size is the planned one, held out, under smaller ones from which it is foretold.

    params, tokens: the plan; what is kept of the tokens is their number for each parameter, the longest of three
    horizons. N is counted with the head, under the corpus's vocabulary (bytes by default). calibration: the measured
    machine, whose device is taken and whose time and memory are looked at. Raises InputError on a bad field.
    """
    for field, value in ((named("params"), params), (named("tokens"), tokens)):
        if not (math.isfinite(value) and 0 < value <= 1e18):
            raise InputError(field, value, t("it must be a positive number up to {most}", most="1e18"))
    text = CorpusSpec() if corpus is None else corpus
    bpe = text.tokens == "bpe"
    spelled = CorpusSpec.from_words(
        text.shown, tokens="bpe" if bpe else "bytes", vocab_size=text.vocab_size if bpe else 0
    )
    if spelled != text:
        return Ladder(reason=t("This text has settings that the command line has no words for."))
    if calibration is not None and calibration.refusal:
        return Ladder(reason=calibration.refusal)

    def size(shape: Shape) -> int:
        return shape.parameters(vocab_size=text.vocab_size, context=context).with_head

    top = shape_near(params, vocab_size=text.vocab_size, context=context)
    shapes = {top.name: top}
    for rung in range(RUNGS - 1):
        wanted = size(top) / (TOP_STEP * LADDER_STEP**rung)
        below = shape_near(wanted, vocab_size=text.vocab_size, context=context)
        if abs(math.log(size(below) / wanted)) < math.log(NEAR):
            shapes[below.name] = below
    ascending = tuple(sorted(shapes.values(), key=size))
    most = size(ladder_shapes()[-1])
    if params > NEAR * most:
        return Ladder(
            reason=t(
                "The lab trains models of up to {most} parameters; this plan has {params}.",
                most=format_quantity(most),
                params=format_quantity(params),
            )
        )
    if len(ascending) < LEAST_RUNGS or abs(math.log(size(top) / params)) > math.log(NEAR):
        return Ladder(
            reason=t(
                "A model of {params} parameters is too small for the lab: there are no two smaller ones to foretell it "
                "from.",
                params=format_quantity(params),
            )
        )
    ratio = tokens / params
    if not 0.1 <= ratio <= 10_000:
        return Ladder(
            reason=t(
                "The lab trains on 0.1 to 10,000 tokens for each parameter; this plan has {ratio}.",
                ratio=format_quantity(ratio),
            )
        )
    horizons = tuple(float(f"{ratio * share:.4g}") for share in (0.25, 0.5, 1.0))

    def spec_of(mode: Mode) -> SweepSpec:
        return SweepSpec(
            mode=mode,
            device=device if calibration is None else calibration.device,
            corpus=text,
            shapes=ascending,
            horizons=horizons,
            seeds=(*SEEDS, *(1 for _ in ascending))[: len(ascending)],
            held_out=1,
            context=context,
        )

    if calibration is None:
        return _ladder(spec_of("standard"), size(top), None)
    plans = [
        make_plan(spec_of(mode), calibration, unique_tokens=unique_tokens) for mode in MODE_RULES if mode != "smoke"
    ]
    plan = next((one for one in plans if one.seconds <= MODE_RULES[one.spec.mode].seconds), plans[-1])
    if plan.seconds > MOST_SECONDS:
        return Ladder(
            reason=t(
                "On this machine the ladder would take {needed}; the lab plans for {most} at the most.",
                needed=format_duration(plan.seconds),
                most=format_duration(MOST_SECONDS),
            )
        )
    if plan.memory_bytes > MEMORY_SHARE * calibration.memory_bytes:
        return Ladder(
            reason=t(
                "The planned size needs about {needed} to train here, of {there} of which the lab fills {share:.0%}.",
                needed=format_bytes(plan.memory_bytes),
                there=format_bytes(calibration.memory_bytes),
                share=MEMORY_SHARE,
            )
        )
    return _ladder(plan.spec, size(top), plan)


def _ladder(spec: SweepSpec, params: int, plan: Plan | None) -> Ladder:
    words = ["python", "-m", "scaling_core", "lab", "start", "--mode", spec.mode, "--device", spec.device]
    if spec.corpus.shown != "stdlib":
        words += ["--corpus", spec.corpus.shown]
    if spec.corpus.tokens == "bpe":
        words += ["--tokens", f"bpe-{spec.corpus.vocab_size}"]
    words += ["--sizes", ",".join(shape.name for shape in spec.shapes)]
    words += ["--horizons", ",".join(f"{horizon:g}" for horizon in spec.horizons)]
    words += ["--seeds", ",".join(str(spec.seed_count(rung)) for rung in range(len(spec.shapes)))]
    words += ["--held-out", str(spec.held_out), "--context", str(spec.context)]
    notes = () if plan is None else plan.warnings
    return Ladder(spec=spec, command=shlex.join(words), params=params, plan=plan, notes=(*notes, *_short(spec)))


def _short(spec: SweepSpec) -> list[str]:
    """A sentence where fitted runs are too short for a law; `lab.modes` says what came of such."""
    fitted = [run for line in plan_lines(spec) for run in line.runs if not run.held_out]
    short = sum(run.steps < LEAST_STEPS for run in fitted)
    if not short:
        return []
    return [
        t(
            "{n} of the {all} runs to fit take fewer than {least} steps, in the steep first part of the curve: laws "
            "through such runs foretold the largest size 2 to 10% too high. More tokens for each parameter help.",
            n=short,
            all=len(fitted),
            least=LEAST_STEPS,
        )
    ]
