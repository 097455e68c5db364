"""What a sweep has found: its points, the law fitted to them, and how well the largest rung was foretold."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from scaling_core.errors import FitError, InputError
from scaling_core.fit import FitResult, RunPoints, fit_law
from scaling_core.fit.parametric import Weights
from scaling_core.lab.known_texts import stored_name
from scaling_core.language import speaking, t
from scaling_core.runs import place
from scaling_core.runs.liveness import shown_state
from scaling_core.runs.noise import seed_noise
from scaling_core.runs.rows import PredictionRow, RunRow, SweepRow
from scaling_core.runs.store import Store
from scaling_core.runs.truth import Truth, truth_of

BOOTSTRAP = 1000
"""Refits behind the intervals of `results`."""

_COLUMNS = (
    *("id", "sweep", "rung", "shape", "horizon", "params", "params_non_embedding", "params_total", "tokens"),
    *("unique_tokens", "flops", "flops_exact", "loss", "se", "bits_per_byte", "seed", "rate_factor", "held_out"),
    *("censored", "copied_from", "predicted_loss", "predicted_low", "predicted_high", "seconds", "finished_at"),
    *("device", "corpus", "corpus_hash"),
)
Counting = Literal["with_head", "total", "non_embedding"]
COUNTINGS: dict[Counting, Callable[[RunRow], int]] = {
    "with_head": lambda run: run.params,
    "total": lambda run: run.params_total,
    "non_embedding": lambda run: run.params_non_embedding,
}
"""What N may count, and how a run says it."""
_FORMULA_STARTS = ("=", "+", "-", "@")


@speaking("en")
def results(sweep: str, home: Path | None = None, *, bootstrap: int = BOOTSTRAP) -> dict[str, Any]:
    """Everything measured so far, as JSON types, its sentences in English.

    points: the finished runs. fit: the law through the fitted rungs' points, or None with the reason in `fit_note`.
    predictions: what was foretold for held-out runs, each with the measured loss (or None), the relative error in
    percent, 100 (predicted - measured) / measured, and whether the interval holds the measurement. prediction: the
    one with the largest compute, or None. Raises InputError where there is no such sweep.
    """
    row, runs, foretold = _read(sweep, home or place.home())
    predictions = [_prediction(one, runs) for one in foretold]
    truth: Truth | None = None
    try:
        law = fit_runs(runs, bootstrap=bootstrap)
        truth = truth_of(row, law, home or place.home())
        fit: dict[str, Any] | None = plain(law.to_dict())
        note = None
    except FitError as error:
        fit, note = None, str(error)
    spec = row.plan.spec
    return {
        "sweep": row.id,
        "state": shown_state(row, home),
        "message": row.message,
        "mode": row.mode,
        "device": row.device,
        "seed": spec.seed,
        "created_at": row.created_at,
        "seconds": sum(run.seconds for run in runs if run.seconds is not None),
        "planned_seconds": row.plan.seconds,
        "convention": "params with head, embeddings and positions left out; flops = 6 N D",
        "corpus": row.corpus,
        "machine": row.machine,
        "spec": plain(asdict(spec)),
        "seed_noise": {str(rung): noise for rung, noise in seed_noise(runs).items()},
        "points": [_point(run) for run in runs if run.loss is not None],
        "runs": len(runs),
        "fit": fit,
        "fit_note": note,
        "oracle": None if truth is None else plain({**asdict(truth), "within": truth.within}),
        "prediction": predictions[-1] if predictions else None,
        "predictions": predictions,
    }


def fit_runs(
    runs: Sequence[RunRow],
    *,
    counting: Counting = "with_head",
    censored: bool = False,
    bootstrap: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> FitResult:
    """The Chinchilla form through the finished runs that are not held out.

    counting: which parameters N are, see `points_of`. censored: whether runs that were stopped early take part. Where
    some sizes have several seeds, residuals are weighted by the noise between them. Raises FitError where the runs
    cannot carry the law, above all while too few are finished.
    """
    if len({run.rate_factor for run in runs}) > 1:
        raise FitError(t("The runs were trained at several rates to find the best one: they follow no law together."))
    used = [run for run in runs if run.loss is not None and not run.held_out and (censored or not run.censored)]
    if not used:
        raise FitError(t("No run is finished yet: the fit begins with six of them."))
    points = points_of(used, counting=counting)
    weights: Weights = "equal" if points.se is None else "se"
    return fit_law(points, weights=weights, bootstrap=bootstrap, seed=seed, level=level)


def points_of(runs: Sequence[RunRow], *, counting: Counting = "with_head") -> RunPoints:
    """The finished runs among `runs` as points of a fit, held out or not. Raises InputError where none is finished.

    counting: N is 'with_head' (blocks and head, embeddings and positions left out), 'total' (everything) or
    'non_embedding' (blocks alone, as Kaplan et al. 2020 count). se: the noise between seeds where it is known. The
    standard error of the validation set is not in it: all runs are measured on the same text, and share that error.
    """
    finished = [(run, run.loss) for run in runs if run.loss is not None]
    noise = seed_noise([run for run, _ in finished])
    return RunPoints.of(
        N=[float(COUNTINGS[counting](run)) for run, _ in finished],
        D=[float(run.planned_tokens) for run, _ in finished],
        loss=[loss for _, loss in finished],
        se=[noise[run.rung] for run, _ in finished] if all(run.rung in noise for run, _ in finished) else None,
    )


def export_csv(sweep: str, home: Path | None = None) -> str:
    """The finished runs as CSV, a header and a line each; `read_csv` of `scaling_core.fit` reads it.

    A text that a spreadsheet would take for a formula is preceded by an apostrophe. Raises InputError where
    there is no such sweep.
    """
    return csv_text(*_read(sweep, home or place.home()))


def csv_text(row: SweepRow, runs: Sequence[RunRow], foretold: Sequence[PredictionRow]) -> str:
    """The same of a sweep that was read already, from a store or a recording."""
    by_run = {one.run_id: one for one in foretold}
    plans = {run.id: run for run in row.plan.runs}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for run in runs:
        if run.loss is None:
            continue
        plan, one = plans[run.id], by_run.get(run.id)
        writer.writerow(
            cell(value)
            for value in (
                *(run.id, row.id, run.rung, plan.shape.name, run.horizon),
                *(run.params, run.params_non_embedding, run.params_total, run.tokens, run.unique_tokens),
                *(run.flops, run.flops_exact, run.loss, run.se, run.bits_per_byte),
                *(run.seed, run.rate_factor, int(run.held_out), int(run.censored), run.copied_from),
                *((one.loss, one.low, one.high) if one else (None, None, None)),
                *(run.seconds, run.finished_at, row.device),
                *(stored_name(str(row.corpus.get("name", ""))), str(row.corpus.get("hash", ""))),
            )
        )
    return text.getvalue()


def plain(value: Any) -> Any:
    """The same with every number that JSON has no word for (NaN, infinity) as None, and tuples as lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _read(sweep: str, home: Path) -> tuple[SweepRow, list[RunRow], list[PredictionRow]]:
    with Store.open_reader(home) as store, store.snapshot():
        row = store.sweep(place.check_sweep_id(sweep))
        if row is None:
            raise InputError("sweep", sweep, t("there is none of that name; `lab list` shows those there are"))
        return row, store.runs(sweep), store.predictions(sweep)


def _point(run: RunRow) -> dict[str, Any]:
    return {
        "id": run.id,
        "params": run.params,
        "params_non_embedding": run.params_non_embedding,
        "params_total": run.params_total,
        "tokens": run.tokens,
        "unique_tokens": run.unique_tokens,
        "flops": run.flops,
        "flops_exact": run.flops_exact,
        "loss": run.loss,
        "se": run.se,
        "bits_per_byte": run.bits_per_byte,
        "seed": run.seed,
        "held_out": run.held_out,
        "censored": run.censored,
        "copied_from": run.copied_from,
        "seconds": run.seconds,
    }


def _prediction(one: PredictionRow, runs: Sequence[RunRow]) -> dict[str, Any]:
    run = next(run for run in runs if run.id == one.run_id)
    measured = run.loss
    return {
        "id": one.run_id,
        "params": one.params,
        "tokens": one.tokens,
        "loss": one.loss,
        "interval": [one.low, one.high],
        "level": one.level,
        "measured": measured,
        "error_percent": None if measured is None else 100.0 * (one.loss - measured) / measured,
        "within": None if measured is None else one.low <= measured <= one.high,
        "made_at": one.made_at,
        "measured_at": run.finished_at,
        "form": one.form,
        "constants": plain(one.constants),
        "fitted_runs": list(one.fitted_runs),
    }


def cell(value: object) -> object:
    """A value as a cell: None as nothing, a text on one line and never a formula."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
