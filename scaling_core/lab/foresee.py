"""Foretell the held-out runs from the measured ones, before they are trained. Knows no torch."""

from __future__ import annotations

import time

from scaling_core.errors import ScalingError
from scaling_core.fit import predict
from scaling_core.lab.journal import Journal
from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.runs.results import fit_runs
from scaling_core.runs.rows import PredictionRow

BOOTSTRAP = 400
"""Refits behind the interval of a prediction."""


def register_predictions(journal: Journal, plan: Plan) -> None:
    """Fit the law to the finished runs of the rungs that are not held out, and store a prediction per held-out run.

    A prediction that stands already stays, and a run that has a loss gets none. Where the points cannot carry the
    fit the reason becomes an event, and training goes on.
    """
    sweep = plan.spec.id
    runs = journal.store.runs(sweep)
    standing = {prediction.run_id for prediction in journal.store.predictions(sweep)}
    open_ids = {run.id for run in runs if run.held_out and run.loss is None} - standing
    if not open_ids:
        return
    used = tuple(run.id for run in runs if not run.held_out and run.loss is not None and not run.censored)
    try:
        fit = fit_runs(runs, bootstrap=BOOTSTRAP)
        foretold = [(run, predict(fit, run.params, run.tokens)) for run in plan.runs if run.id in open_ids]
    except ScalingError as error:
        journal.event("warning", t("The held-out runs are trained without a prediction: {error}", error=str(error)))
        return
    for run, prediction in foretold:
        journal.store.add_prediction(
            PredictionRow(
                sweep=sweep,
                run_id=run.id,
                params=run.params,
                tokens=run.tokens,
                loss=float(prediction.loss),
                low=float(prediction.low),
                high=float(prediction.high),
                level=prediction.level,
                form=fit.form.name,
                constants=dict(fit.constants),
                fitted_runs=used,
                made_at=time.time(),
            )
        )
        journal.event(
            "info",
            t(
                "Foretold from {n} runs: {run} will end at {loss:.4f} nats per token, between {low:.4f} and {high:.4f} "
                "at {level:.0%}.",
                n=len(used),
                run=run.id,
                loss=float(prediction.loss),
                low=float(prediction.low),
                high=float(prediction.high),
                level=prediction.level,
            ),
        )
