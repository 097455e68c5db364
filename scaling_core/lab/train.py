"""Train one line: a trunk at constant rate, and from it a branch for every horizon, cooled and measured.

Everything that decides a weight is a pure function of the plan, the text, the seed and the step, and the state
between steps is in the checkpoint: a training resumed after a kill ends in the same bits on the CPU.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling_core.curves.extrapolate import Extrapolation
from scaling_core.errors import CheckpointError
from scaling_core.lab import rules
from scaling_core.lab.batches import BatchOrder
from scaling_core.lab.bench import Bench, CertainEnd, Stopped
from scaling_core.lab.checkpoint import Checkpoints, Loaded, keep_weights
from scaling_core.lab.early import asks, certain_end, standard_error
from scaling_core.lab.identity import init_seed, line_key
from scaling_core.lab.journal import Curve, Diverged
from scaling_core.lab.records import LinePlan, RunPlan
from scaling_core.lab.stepper import Stepper
from scaling_core.lab.watch import Watch
from scaling_core.language import t, together

CHECKPOINT_SECONDS = 30.0
"""Between rolling checkpoints; longer where writing one takes more than a twentieth of it."""
FLUSH_SECONDS = 1.0
BLOCK_TOKENS = 262_144
"""Tokens gathered and sent to the device at once."""


class LineTraining:
    """One size with one seed in training, between `train` calls for its runs, shortest horizon first."""

    def __init__(self, bench: Bench, line: LinePlan) -> None:
        spec = bench.plan.spec
        self.bench = bench
        self.line = line
        self.batch_tokens = line.batch_sequences * spec.context
        self.order = BatchOrder(
            bench.corpus.train, context=spec.context, batch_sequences=line.batch_sequences, seed=line.seed
        )
        self._watch = Watch(bench, line)
        self.step = 0
        self.spent = 0.0
        self.stepper: Stepper | None = None
        self._run = line.runs[0]
        self._track = ""
        self._curve: Curve
        self._flushed = 0.0
        self._saved = 0.0
        self._interval = CHECKPOINT_SECONDS
        self._pending: list[Tensor] = []
        self._block: tuple[int, Tensor] | None = None

    def close(self) -> None:
        """Let threads and memory go."""
        if self.stepper is not None:
            self.stepper.close()
        self.stepper = None
        self._block = None
        self.bench.device.empty_cache()

    def train(self, run: RunPlan) -> None:
        """Train a run from wherever its checkpoints stand to its stored loss.

        Raises Diverged, DeviceError, CheckpointError for a disk that does not take a checkpoint, and Stopped.
        """
        self._run = run
        self.bench.journal.store.start_run(self.bench.plan.spec.id, run.id)
        try:
            self._train(run)
        except CertainEnd as end:
            self._censor(end.foretold)
        if not self.on_trunk:
            self._checkpoints(run.id).remove()
            self._track = ""
        self.spent = 0.0

    def _train(self, run: RunPlan) -> None:
        trunk, branch = run.track, run.id
        if not self._resume(branch, run):
            here = self._track == trunk and self.step <= run.decay_from and self.stepper is not None
            if not here and not self._resume(trunk, run, upto=run.decay_from) and not self._inherit(run):
                self._start(trunk, run)
            self._advance(run.decay_from)
            self._save()
            self._enter(branch, run)
        self._advance(run.steps)
        self._finish()

    @property
    def on_trunk(self) -> bool:
        """Whether the present track is the trunk, on which later runs depend."""
        return self._track == self.line.track

    # Where a track begins

    def _build(self, micro: int | None) -> None:
        spec = self.bench.plan.spec
        if self.stepper is not None:
            if micro is not None:
                self.stepper.micro_sequences = micro
            return
        self.stepper = Stepper(
            self.line.shape,
            vocab_size=spec.vocab_size,
            context=spec.context,
            seed=init_seed(self.line.seed, self.line.shape),
            beta2=self.line.beta2,
            batch_sequences=self.line.batch_sequences,
            device=self.bench.device,
            micro_sequences=micro,
            dropout=spec.dropout,
            model_class=self.bench.model_class,
        )

    def _start(self, track: str, run: RunPlan) -> None:
        """Step 0 of the trunk, with fresh weights."""
        self.close()
        self._build(None)
        self.step, self.spent = 0, 0.0
        self._enter(track, run)

    def _enter(self, track: str, run: RunPlan, about: dict[str, Any] | None = None) -> None:
        """Take the present state as a point of `track`; its curve beyond this step is taken back."""
        on_trunk = track != run.id
        decay, steps = (None, None) if on_trunk else (run.decay_from, run.steps)
        line = self.line

        def rate(step: int) -> float:
            return rules.schedule(
                step, peak=line.learning_rate, warmup=line.warmup_steps, decay_from=decay, steps=steps
            )

        self._curve = Curve(
            track=track,
            params=run.params,
            batch_tokens=self.batch_tokens,
            every=rules.curve_every(line.trunk_steps if on_trunk else run.steps),
            last=line.trunk_steps if on_trunk else run.steps,
            rate=rate,
            limit=math.log(self.bench.plan.spec.vocab_size) + 1.0,
            step=self.step,
            **(Curve.taken(about) if about else {}),
        )
        self._track = track
        self._pending.clear()
        self._flushed = self._saved = time.monotonic()
        self.bench.journal.store.truncate_curve(self.bench.plan.spec.id, track, self.step)

    def _resume(self, track: str, run: RunPlan, upto: int | None = None) -> bool:
        """Load the newest whole checkpoint of a track; False where there is none."""
        found = self._checkpoints(track).load(upto=upto)
        if found is None:
            return False
        self._take(found, run)
        self._enter(track, run, found.about)
        return True

    def _take(self, found: Loaded, run: RunPlan) -> None:
        """The state of a checkpoint: weights, moments, random numbers, step, and the seconds that the run has spent."""
        self._build(int(found.about["micro_sequences"]))
        assert self.stepper is not None
        state = dict(found.tensors)
        torch.set_rng_state(torch.from_numpy(state.pop("rng").copy()))
        self.stepper.load(state, found.step)
        self.step = found.step
        self.spent = float(found.about["spent"]) if found.about["run"] == run.id else 0.0

    def _inherit(self, run: RunPlan) -> bool:
        """Go on from the trunk of the same line in another sweep, where one is kept that is not beyond this run."""
        spec, store = self.bench.plan.spec, self.bench.journal.store
        key = line_key(spec, self.line, self.bench.corpus.hash)
        for sweep, track in store.twin_lines(spec.id, key):
            folder = self.bench.folder.parent / sweep / "checkpoints" / track / track
            kept = self._kept(folder, sweep, track)
            found = kept.load(upto=run.decay_from)
            if found is None:
                continue
            self._take(found, run)
            store.adopt_trunk(spec.id, run.track, sweep, track)
            self._enter(run.track, run, found.about)
            known = {"track": run.track, "step": found.step, "other": track, "sweep": sweep}
            self.bench.journal.event("info", t("{track} goes on from step {step:,} of {other} in {sweep}.", **known))
            return True
        return False

    # From step to step

    def _advance(self, until: int) -> None:
        assert self.stepper is not None
        micro = self.stepper.micro_sequences
        started = time.monotonic()
        spent = self.spent
        while self.step < until:
            now = time.monotonic()
            self.spent = spent + now - started
            if self.bench.stop():
                self._save()
                raise Stopped
            if now - self._saved >= self._interval:
                self._save()
            loss = self.stepper.step(self._batch(), self._curve.rate(self.step))
            self._pending.append(loss)
            self.step += 1
            self._look()
            if now - self._flushed >= FLUSH_SECONDS:
                self._flush()
            if self.stepper.micro_sequences != micro:
                micro = self.stepper.micro_sequences
                said = t(
                    "Memory ran out in {track}; the batch of {sequences} sequences is now worked through {micro} at a "
                    "time, with the same result.",
                    track=self._curve.track, sequences=self.line.batch_sequences, micro=micro,
                )  # fmt: skip
                self.bench.journal.event("warning", said)
        self.spent = spent + time.monotonic() - started
        self._flush()

    def _look(self) -> None:
        """Whether the line has left the law, in words; CertainEnd where the run's end is certain by this step."""
        self._watch.look(self._run, self.step)
        plan, store = self.bench.plan, self.bench.journal.store
        if plan.spec.stop_early and asks(self._run, self.step):
            self._flush()
            found = certain_end(plan, self.line, self._run, store.curve(plan.spec.id), store.runs(plan.spec.id))
            if found is not None:
                raise CertainEnd(found)

    def _censor(self, foretold: Extrapolation) -> None:
        """Store the foretold loss as one that was not measured, with its standard error."""
        run, bench = self._run, self.bench
        bench.journal.event("info", together(t("{run} was stopped.", run=run.id), foretold.note))
        tokens = self.step * self.batch_tokens
        bench.journal.store.finish_run(
            bench.plan.spec.id, run.id, loss=foretold.loss, se=standard_error(foretold), censored=True,
            bits_per_byte=bench.corpus.bits_per_byte(foretold.loss), seconds=self.spent, tokens=tokens,
            unique_tokens=self.order.unique_tokens(tokens),
        )  # fmt: skip

    def _batch(self) -> Tensor:
        """The windows of the present step, from a block gathered at once."""
        assert self.stepper is not None
        size = max(1, BLOCK_TOKENS // self.batch_tokens)
        first = self.step - self.step % size
        if self._block is None or self._block[0] != first:
            self._block = (first, self.stepper.to_device(self.order.tokens(first, size)))
        return self._block[1][self.step - first]

    def _flush(self) -> None:
        """Fetch the losses of the steps since the last time, all at once, and store what they complete."""
        if not self._pending:
            return
        losses = [float(loss) for loss in torch.stack(self._pending).cpu().tolist()]
        now = time.monotonic()
        speed = len(losses) * self.batch_tokens / max(now - self._flushed, 1e-9)
        self._pending.clear()
        self._flushed = now
        rows = self._curve.add(losses, tokens_per_second=speed, memory_bytes=self.bench.device.memory())
        self.bench.journal.advance(self._run, self.step * self.batch_tokens, rows)

    # Checkpoints and the end

    def _checkpoints(self, track: str) -> Checkpoints:
        return self._kept(self.bench.folder / "checkpoints" / self.line.track / track, self.bench.plan.spec.id, track)

    def _kept(self, folder: Path, sweep: str, track: str) -> Checkpoints:
        journal = self.bench.journal
        return Checkpoints(folder, sweep=sweep, track=track, say=lambda text: journal.event("warning", text))

    def _save(self) -> None:
        """A checkpoint of the present step; losses are looked at first, so that no diverged state is ever kept.

        The points of the curve up to here are on the disk before it: none is missing where the power fails after it.
        """
        assert self.stepper is not None
        self._flush()
        self.bench.journal.settle()
        began = time.monotonic()
        about = {
            "run": self._run.id,
            **self._curve.kept(),
            "spent": self.spent,
            "micro_sequences": self.stepper.micro_sequences,
            "shape": self.line.shape.name,
        }
        tensors = {**self.stepper.state(), "rng": torch.get_rng_state().numpy()}
        try:
            self._checkpoints(self._curve.track).save(self.step, tensors, about)
        except OSError as error:
            raise CheckpointError(
                t("The checkpoint of {track} at step {step:,} could not be written to {folder} ({reason}); the one "
                  "before is still good: make room there and resume.", track=self._curve.track, step=self.step,
                  folder=self.bench.folder, reason=error.strerror or str(error))
            ) from error  # fmt: skip
        self._saved = self._flushed = time.monotonic()
        self._interval = max(CHECKPOINT_SECONDS, 20.0 * (self._saved - began))

    def _finish(self) -> None:
        """Measure the cooled model on the validation set, keep the longest horizon's weights, store the loss."""
        assert self.stepper is not None
        bench, run = self.bench, self._run
        sweep = bench.plan.spec.id
        began = time.monotonic()
        losses = self.evaluate()
        loss = float(losses.mean())
        if not math.isfinite(loss):
            raise Diverged(t("The validation loss of {run} is not a number; the model has diverged.", run=run.id))
        se = float(losses.std(ddof=1) / math.sqrt(losses.size))
        self.spent += time.monotonic() - began
        if run.id == self.line.runs[-1].id:
            weights = {name[2:]: array for name, array in self.stepper.state().items() if name.startswith("w.")}
            about = {"shape": self.line.shape.name, "context": str(bench.plan.spec.context)}
            keep_weights(bench.folder / "models", sweep, run.id, weights, about)
        row = self._curve.measured(loss)
        if row is not None:
            bench.journal.advance(run, run.tokens, [row])
        bench.journal.store.finish_run(
            sweep,
            run.id,
            loss=loss,
            se=se,
            bits_per_byte=bench.corpus.bits_per_byte(loss),
            seconds=self.spent,
            tokens=run.tokens,
            unique_tokens=self.order.unique_tokens(run.tokens),
        )

    def evaluate(self) -> NDArray[np.float64]:
        """Mean loss of every validation window in nats per token, shape (windows,)."""
        assert self.stepper is not None
        bench = self.bench
        size = max(1, self.stepper.workers * self.stepper.micro_sequences)
        found: list[Tensor] = []
        for start in range(0, len(bench.validation), size):
            if bench.stop():
                self._save()
                raise Stopped
            found.append(self.stepper.window_losses(self.stepper.to_device(bench.validation[start : start + size])))
            bench.journal.beat()
        return torch.cat(found).cpu().numpy().astype(np.float64)
