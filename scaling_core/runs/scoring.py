"""The score over all sweeps: every prediction that was registered here, and what came of it."""

from __future__ import annotations

from pathlib import Path

from scaling_core.curves.score import Foretold, Score, score
from scaling_core.runs.rows import PredictionRow, RunRow
from scaling_core.runs.store import Store


def predictions_score(home: Path) -> Score:
    """Error and coverage of all measured predictions, by the factor of compute that they reached beyond their fit."""
    found: list[Foretold] = []
    with Store.open_reader(home) as store, store.snapshot():
        for row in store.sweeps():
            found += foretold(store.predictions(row.id), store.runs(row.id))
    return score(found)


def foretold(predictions: list[PredictionRow], runs: list[RunRow]) -> list[Foretold]:
    """The measured predictions of one sweep. factor: compute of the run over the largest that its fit used."""
    known = {run.id: run for run in runs}
    found = []
    for one in predictions:
        run = known[one.run_id]
        largest = max((known[name].flops for name in one.fitted_runs if name in known), default=0.0)
        if run.loss is not None and largest > 0:
            found.append(
                Foretold(
                    predicted=one.loss,
                    low=one.low,
                    high=one.high,
                    level=one.level,
                    measured=run.loss,
                    factor=run.flops / largest,
                    censored=run.censored,
                )
            )
    return found
