"""While a line trains: is it where the law of the smaller ones says? It is said when it is not, and when it is again.

Looks, and changes nothing: what a run becomes does not depend on it.
"""

from __future__ import annotations

from scaling_core.curves.monitor import Verdict, where
from scaling_core.errors import ScalingError
from scaling_core.fit import FitResult
from scaling_core.lab.bench import Bench
from scaling_core.lab.records import LinePlan, RunPlan
from scaling_core.language import t
from scaling_core.runs.curves import cooling_evidence, learning_curve
from scaling_core.runs.results import fit_runs

BOOTSTRAP = 100
LOOKS = 10
"""How often a run is looked at in its course."""
LEAST_RUNS = 8
"""Finished runs of smaller sizes before there is a law to hold a curve against."""


class Watch:
    """The watch over one line; begins where enough smaller runs are measured."""

    def __init__(self, bench: Bench, line: LinePlan) -> None:
        self.bench = bench
        self.line = line
        self.verdict: Verdict = "on"
        self.law = self._law()

    def _law(self) -> FitResult | None:
        spec, store = self.bench.plan.spec, self.bench.journal.store
        runs = [run for run in store.runs(spec.id) if run.rung < self.line.rung]
        if spec.tunes or sum(run.loss is not None and not run.censored for run in runs) < LEAST_RUNS:
            return None
        try:
            return fit_runs(runs, bootstrap=BOOTSTRAP)
        except ScalingError:
            return None

    def look(self, run: RunPlan, step: int) -> None:
        """Say, once for each change, that the line has left the law or is back on it; at each tenth of the trunk."""
        if self.law is None or step > run.decay_from or step % max(1, run.decay_from // LOOKS):
            return
        plan, store = self.bench.plan, self.bench.journal.store
        rows, runs = store.curve(plan.spec.id), store.runs(plan.spec.id)
        try:
            standing = where(
                self.law,
                run.params,
                learning_curve(self.line, None, rows, runs),
                evidence=cooling_evidence(plan, rows, runs, but=self.line.track),
            )
        except ScalingError:
            return
        if standing.verdict in ("early", self.verdict):
            return
        self.verdict = standing.verdict
        self.bench.journal.event(
            "info" if standing.verdict == "on" else "warning",
            t("{track}: {sentence}", track=self.line.track, sentence=standing.sentence),
        )
