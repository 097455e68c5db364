"""Does a cooled branch end where a run of its own would have ended, and what does the sharing save?

    python benchmarks/branches.py [--shape 2x48] [--horizons 5,10,20,40,80] [--seeds 3] [--json]

One trunk at constant rate with a cooled branch for each horizon, as the lab trains them, against one independent run
for each horizon that cools along a cosine to a tenth of its peak rate (Hoffmann et al. 2022, section 3.1), with the
same model, text, batches and peak rate. Printed for each horizon: the mean loss of both over the seeds, their
difference in units of the noise between seeds, and the steps that each way took. The text is the standard library's.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scaling_core.lab.surroundings import prepare_environment

prepare_environment("cpu")

import torch  # noqa: E402  # the lines above must come first

from scaling_core.lab import rules  # noqa: E402
from scaling_core.lab.batches import BatchOrder, validation_set  # noqa: E402
from scaling_core.lab.corpus import Corpus, load_corpus  # noqa: E402
from scaling_core.lab.device import resolve  # noqa: E402
from scaling_core.lab.identity import init_seed  # noqa: E402
from scaling_core.lab.options import parse_numbers, parse_sizes  # noqa: E402
from scaling_core.lab.records import LinePlan, RunPlan  # noqa: E402
from scaling_core.lab.spec import CorpusSpec, SweepSpec  # noqa: E402
from scaling_core.lab.stepper import Stepper  # noqa: E402

WINDOWS = 2048
FINAL_SHARE = 0.1


class Trainer:
    """One model on the text, from fresh weights; `go` takes steps, `loss` measures."""

    def __init__(self, spec: SweepSpec, line: LinePlan, corpus: Corpus) -> None:
        self.line = line
        self.order = BatchOrder(
            corpus.train, context=spec.context, batch_sequences=line.batch_sequences, seed=line.seed
        )
        self.validation = validation_set(corpus.validation, context=spec.context, windows=WINDOWS)
        self.stepper = Stepper(
            line.shape, vocab_size=spec.vocab_size, context=spec.context, seed=init_seed(line.seed, line.shape),
            beta2=line.beta2, batch_sequences=line.batch_sequences, device=resolve("cpu"),
        )  # fmt: skip

    def go(self, first: int, until: int, rate: Callable[[int], float]) -> None:
        """Optimiser steps first, ..., until - 1."""
        for step in range(first, until):
            self.stepper.step(self.stepper.to_device(self.order.tokens(step, 1)[0]), rate(step))

    def loss(self) -> float:
        """Mean validation loss, nats per token."""
        size = self.stepper.workers * self.stepper.micro_sequences
        parts = [self.validation[start : start + size] for start in range(0, len(self.validation), size)]
        return float(torch.cat([self.stepper.window_losses(self.stepper.to_device(part)) for part in parts]).mean())


def branches(spec: SweepSpec, line: LinePlan, corpus: Corpus) -> tuple[list[float], int]:
    """Loss of each cooled branch, and the steps taken in all."""
    trainer = Trainer(spec, line, corpus)
    losses, steps, here = [], 0, 0
    for run in line.runs:

        def rate(step: int, run: RunPlan | None = None) -> float:
            cools = {} if run is None else {"decay_from": run.decay_from, "steps": run.steps}
            return rules.schedule(step, peak=line.learning_rate, warmup=line.warmup_steps, **cools)

        trainer.go(here, run.decay_from, rate)
        steps += run.decay_from - here
        here = run.decay_from
        kept = {name: array.copy() for name, array in trainer.stepper.state().items()}
        trainer.go(here, run.steps, partial(rate, run=run))
        steps += run.steps - here
        losses.append(trainer.loss())
        trainer.stepper.load(kept, here)
    trainer.stepper.close()
    return losses, steps


def cosine(step: int, *, peak: float, warmup: int, steps: int) -> float:
    """peak * (f + (1 - f) (1 + cos(pi t)) / 2) with t from 0 at the warm-up's end to 1, f = FINAL_SHARE."""
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / max(1, steps - warmup)
    return peak * (FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * share)))


def independent(spec: SweepSpec, line: LinePlan, corpus: Corpus) -> tuple[list[float], int]:
    """Loss of a cosine run of its own for each horizon, and the steps taken in all."""
    losses = []
    for run in line.runs:
        trainer = Trainer(spec, line, corpus)
        trainer.go(0, run.steps, partial(cosine, peak=line.learning_rate, warmup=line.warmup_steps, steps=run.steps))
        losses.append(trainer.loss())
        trainer.stepper.close()
    return losses, sum(run.steps for run in line.runs)


def measure(shape: str, horizons: tuple[float, ...], seeds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Train both ways for every seed; the record that is printed."""
    shapes, _ = parse_sizes(shape)
    assert shapes is not None, "a shape is layers x width"
    spec = SweepSpec(
        mode="standard", device="cpu", corpus=CorpusSpec(), shapes=shapes, horizons=horizons, held_out=0, seeds=(seeds,)
    )
    with tempfile.TemporaryDirectory() as cache:
        corpus = load_corpus(spec.corpus, Path(cache))
        shared, own, seconds = [], [], [0.0, 0.0]
        steps = [0, 0]
        for line in rules.plan_lines(spec):
            began = time.perf_counter()
            losses, steps[0] = branches(spec, line, corpus)
            middle = time.perf_counter()
            shared.append(losses)
            losses, steps[1] = independent(spec, line, corpus)
            own.append(losses)
            seconds[0] += middle - began
            seconds[1] += time.perf_counter() - middle
            say(f"seed {line.seed}: {middle - began:.0f} s shared, {time.perf_counter() - middle:.0f} s independent")
    a, b = np.array(shared), np.array(own)
    freedom = 2 * (seeds - 1)
    noise = (
        np.sqrt((a.var(axis=0, ddof=1) + b.var(axis=0, ddof=1)) / 2) if seeds > 1 else np.full(len(horizons), np.nan)
    )
    return {
        "shape": shape, "params": line.runs[0].params, "horizons": list(horizons), "seeds": seeds,
        "branch_loss": a.mean(axis=0).tolist(), "independent_loss": b.mean(axis=0).tolist(),
        "seed_noise": noise.tolist(), "freedom": freedom,
        "t": ((a.mean(axis=0) - b.mean(axis=0)) / (noise * math.sqrt(2 / seeds))).tolist(),
        "steps_shared": steps[0], "steps_independent": steps[1], "step_share": steps[0] / steps[1],
        "second_share": seconds[0] / seconds[1], "corpus_hash": corpus.hash,
    }  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="2x48")
    parser.add_argument("--horizons", default="5,10,20,40,80")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    horizons = parse_numbers(options.horizons, field="horizons")
    assert horizons is not None, "horizons are numbers"
    if options.seeds < 2:
        parser.error("the noise between seeds takes two of them at least")
    found = measure(options.shape, horizons, options.seeds, lambda text: print(text, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps(found))
        return
    print(f"{found['shape']}, N = {found['params']:,} with head, {found['seeds']} seeds")
    print("D/N     branch   independent   difference   noise of a seed      t")
    for i, horizon in enumerate(found["horizons"]):
        branch, own, noise = found["branch_loss"][i], found["independent_loss"][i], found["seed_noise"][i]
        print(f"{horizon:<6g} {branch:8.4f} {own:11.4f} {branch - own:+12.4f} {noise:14.4f} {found['t'][i]:+12.1f}")
    print(
        f"Steps: {found['steps_shared']:,} against {found['steps_independent']:,}, {found['step_share']:.3f} of them; "
        f"{found['second_share']:.3f} of the seconds."
    )


if __name__ == "__main__":
    main()
