"""The process that trains a sweep: `python -m scaling_core.lab.child SWEEP`.

It belongs to nobody: it holds the lock of its device for life, writes to the store, and ends by itself. Exit codes:
0 finished, or stopped as asked; 3 the device is busy; 1 failed, with the reason in the store or, where it never
began to train, as the last line printed. Running it again resumes.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from scaling_core import __version__
from scaling_core.errors import CorpusError, DeviceError, ScalingError, SweepError
from scaling_core.lab.corpus import Corpus, load_cached, load_corpus
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import RULES
from scaling_core.lab.surroundings import cores, prepare_environment, stay_awake
from scaling_core.language import packed, t, together
from scaling_core.runs import place
from scaling_core.runs.calibrations import calibration
from scaling_core.runs.liveness import identity
from scaling_core.runs.locks import DeviceLock
from scaling_core.runs.store import Store

if TYPE_CHECKING:  # torch reads its environment while it loads, so these wait until that is prepared
    from scaling_core.lab.device import Device
    from scaling_core.lab.journal import Journal

FINISHED, FAILED, BUSY = 0, 1, 3
RESERVE_BYTES = 1 << 20
"""A file of this size is given up when the disk is full, so that the reason can still be stored."""


class StopFlag:
    """Whether the process was asked to end, by SIGTERM or SIGINT; SIGHUP (a closed terminal) is ignored."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def __call__(self) -> bool:
        return self.asked


def read_plan(home: Path, sweep: str) -> Plan:
    """The plan of a sweep. Raises SweepError where there is none, or it is not one of this version's."""
    path = place.plan_file(home, sweep)
    try:
        plan = Plan.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise SweepError(t("There is no plan {path}; start the sweep again.", path=path)) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ScalingError) as error:
        raise SweepError(
            t("The plan {path} cannot be read ({error}); start the sweep again.", path=path, error=str(error))
        ) from error
    if plan.spec.rules != RULES:
        raise SweepError(
            t(
                "The sweep {sweep} was begun under version {old} of the training rules, and this is version "
                "{new}: the two do not mix; start it again.",
                sweep=sweep,
                old=plan.spec.rules,
                new=RULES,
            )
        )
    if plan.spec.id != sweep:
        raise SweepError(
            t(
                "The plan {path} is that of {other}, not of {sweep}; start the sweep again.",
                path=path,
                other=plan.spec.id,
                sweep=sweep,
            )
        )
    return plan


def open_corpus(store: Store, plan: Plan, home: Path) -> Corpus:
    """The text of the sweep: on a resume the very one it began with. Raises CorpusError where that is gone."""
    folder = home / "corpora"
    row = store.sweep(plan.spec.id)
    if row is None:
        return load_corpus(plan.spec.corpus, folder)
    wanted = str(row.corpus.get("hash"))
    cached = load_cached(wanted, folder)
    if cached is not None:
        return cached
    corpus = load_corpus(plan.spec.corpus, folder)
    if corpus.hash != wanted:
        raise CorpusError(
            t(
                "The text of {sweep} has changed since the sweep began (its hash was {old}, now it is {new}), and no "
                "copy is left; start a new sweep.",
                sweep=plan.spec.id,
                old=wanted[:12],
                new=corpus.hash[:12],
            )
        )
    return corpus


def main(arguments: list[str] | None = None) -> int:
    """Train a sweep; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1:
        print("One argument is needed: the id of a sweep.")
        return FAILED
    stop = StopFlag()
    home = place.home()
    try:
        plan = read_plan(home, given[0])
        with DeviceLock(home, plan.spec.device) as lock:
            if not lock.take(plan.spec.id):
                print(f"{plan.spec.device} is busy: another process trains on it.")
                return BUSY
            _log(f"{plan.spec.id} begins in process {os.getpid()}")
            stay_awake(os.getpid())
            with Store.open_writer(home) as store:
                return _Sweep(plan, store, home, stop).run()
    except ScalingError as error:
        _keep_reason(home, given[0], str(error))
        print(error, flush=True)
        return FAILED


def _keep_reason(home: Path, sweep: str, reason: str) -> None:
    """Leave the reason where the supervisor finds it, which tells it in the reader's language."""
    with contextlib.suppress(ScalingError):
        path = place.ending_file(home, sweep)
        if path.parent.is_dir():
            place.write_json(path, packed(reason))


class _Sweep:
    """One life of the process, from the registration to the last state."""

    def __init__(self, plan: Plan, store: Store, home: Path, stop: StopFlag) -> None:
        self.plan = plan
        self.store = store
        self.home = home
        self.stop = stop
        self.folder = place.sweep_folder(home, plan.spec.id)
        self.reserve = self.folder / ".reserve"

    def run(self) -> int:
        """Register, train, and say how it ended. Errors before the registration are raised."""
        prepare_environment(self.plan.spec.device)
        corpus = open_corpus(self.store, self.plan, self.home)
        import torch

        from scaling_core.lab import selftest
        from scaling_core.lab.bench import Stopped
        from scaling_core.lab.device import explain, resolve

        measured = calibration(self.home, self.plan.spec.device)
        device = resolve(self.plan.spec.device, chunk_tokens=measured.micro_tokens if measured else None)
        verdict = selftest.run(device)
        if not verdict.ok:
            raise DeviceError(verdict.detail)
        machine = {
            "device": device.name,
            "device_name": device.label,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": cores(),
            "version": __version__,
            "selftest": verdict.to_dict(),
        }
        self.store.register_sweep(self.plan, corpus.to_dict(), machine, *identity())
        with contextlib.suppress(OSError):
            self.reserve.write_bytes(bytes(RESERVE_BYTES))
        sweep = self.plan.spec.id
        try:
            self._train(corpus, device)
        except Stopped:
            self._end("stopped", t("Stopped as asked; resuming goes on from its checkpoint."))
            return FINISHED
        except ScalingError as error:
            return self._fail(str(error))
        except OSError as error:
            return self._fail(
                t(
                    "The system refused to go on ({reason}); resume when that is mended.",
                    reason=error.strerror or str(error),
                )
            )
        except (RuntimeError, MemoryError) as error:
            known = explain(error, device.name)
            if known is not None:
                return self._fail(str(known))
            import traceback

            traceback.print_exc()
            return self._fail(
                t(
                    "The training met an error that it does not know ({kind}: {error}); the log in {folder} tells "
                    "where.",
                    kind=type(error).__name__,
                    error=str(error)[:160],
                    folder=self.folder,
                )
            )
        failed = [run.id for run in self.store.runs(sweep) if run.state == "failed"]
        self._end("finished", t("Without {runs}, which failed.", runs=", ".join(failed)) if failed else None)
        return FINISHED

    def _train(self, corpus: Corpus, device: Device) -> None:
        from scaling_core.lab import rules
        from scaling_core.lab.batches import validation_set
        from scaling_core.lab.bench import Bench
        from scaling_core.lab.foresee import register_predictions
        from scaling_core.lab.journal import Diverged, Journal
        from scaling_core.lab.precision import computed_in
        from scaling_core.lab.train import LineTraining

        spec = self.plan.spec
        journal = Journal(self.store, spec.id)
        validation = validation_set(
            corpus.validation, context=spec.context, windows=rules.validation_windows(spec.mode)
        )
        bench = Bench(
            plan=self.plan, corpus=corpus, validation=validation, device=device, journal=journal, folder=self.folder,
            stop=self.stop, model_class=computed_in(device, spec.precision),
        )  # fmt: skip
        self._say_epochs(journal, corpus)
        self._adopt(journal)
        for line in self.plan.lines:
            done = {run.id for run in self.store.runs(spec.id) if run.state in ("finished", "failed")}
            todo = [run for run in line.runs if run.id not in done]
            if not todo:
                continue
            if todo[0].held_out:
                register_predictions(journal, self.plan)
            training = LineTraining(bench, line)
            _log(f"{line.track} {line.shape.name}: {todo[0].params:,} parameters, rate {line.learning_rate:.2g}")
            try:
                while todo:
                    run = todo.pop(0)
                    try:
                        training.train(run)
                        _log(f"{run.id} is finished")
                    except Diverged as error:
                        lost = [run, *todo] if training.on_trunk else [run]
                        for one in lost:
                            self.store.fail_run(spec.id, one.id, str(error))
                        left = t("Left out: {runs}.", runs=", ".join(one.id for one in lost))
                        journal.event("error", together(str(error), left))
                        todo = [one for one in todo if one not in lost]
            finally:
                training.close()

    def _adopt(self, journal: Journal) -> None:
        """Take over what was trained before in another sweep: the same line to the same end on the same text."""
        twins = self.store.twins(self.plan.spec.id)
        for run_id, twin in twins.items():
            self.store.adopt_run(self.plan.spec.id, run_id, twin)
        if twins:
            sources = sorted({twin.copied_from or twin.sweep for twin in twins.values()})
            journal.event(
                "info",
                t(
                    "{n} of {all} runs were trained before, in {sweeps}.",
                    n=len(twins),
                    all=len(self.plan.runs),
                    sweeps=", ".join(sources),
                ),
            )

    def _say_epochs(self, journal: Journal, corpus: Corpus) -> None:
        largest = max(run.tokens for run in self.plan.runs)
        epochs = largest / max(1, corpus.train_tokens)
        if epochs > 4 and not self.store.events(self.plan.spec.id):
            journal.event(
                "warning",
                t(
                    "The largest run reads the text {epochs:.1f} times; beyond four a repeated token is worth less "
                    "than a new one, and the law bends.",
                    epochs=epochs,
                ),
            )

    def _end(self, state: str, message: str | None) -> None:
        self.reserve.unlink(missing_ok=True)
        self.store.set_state(self.plan.spec.id, "finished" if state == "finished" else "stopped", message)
        _log(f"{self.plan.spec.id} is {state}")

    def _fail(self, message: str) -> int:
        """Store the reason; where not even that is possible, the log has it."""
        with contextlib.suppress(OSError):
            self.reserve.unlink(missing_ok=True)
        with contextlib.suppress(ScalingError):
            self.store.set_state(self.plan.spec.id, "failed", message)
        print(message, flush=True)
        return FAILED


def _log(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
