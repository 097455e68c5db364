"""Tables behind the charts of a ladder: learning curves thinned, measured ends, predictions, the law on a grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.fit import FitResult, predict
from scaling_core.lab.records import LinePlan, Plan
from scaling_core.runs.rows import CurveRow, PredictionRow, RunRow
from scaling_core.units import format_quantity
from scaling_core.viz.axes import Domain
from scaling_core.viz.labels import spread
from scaling_core.viz.late import pd

Against = Literal["compute", "size"]

CURVE_POINTS = 60
"""Most points of one track that a chart receives."""
NARROWEST_BIN = 0.02
"""Least width of a bin in ln D: a branch of a fifth of its run keeps about eleven points."""
LINE_POINTS = 28
"""Points of one drawn line of a law."""


def rung_label(rung: LinePlan) -> str:
    """Parameters as the axis writes them, 182K: the count by which C = 6 N D."""
    return format_quantity(rung.runs[0].params)


def horizon_label(horizon: float) -> str:
    """How far a run is trained, as short as a label needs: D = 20 N."""
    return f"D = {horizon:g} N"


def size_domain(plan: Plan) -> Domain:
    """N from well below the smallest rung, where labels stand, to beyond the largest; in parameters."""
    return plan.runs[0].params / 2.0, plan.runs[-1].params * 1.5


def plan_frame(plan: Plan) -> pd.DataFrame:
    """One row a run: run, label, horizon, params, tokens, flops, seconds, held_out, last (of the largest rung)."""
    rows = [
        {
            "run": run.id,
            "label": rung_label(line),
            "horizon": run.horizon,
            "params": run.params,
            "tokens": run.tokens,
            "flops": run.flops,
            "seconds": run.seconds,
            "held_out": run.held_out,
            "last": line.rung == plan.sizes[-1].rung,
        }
        for line in plan.lines
        for run in line.runs
    ]
    numbers = ("horizon", "params", "tokens", "flops", "seconds")
    return _typed(rows, ("run", "label"), numbers, ("held_out", "last"))


def trunk_labels(plan: Plan) -> dict[str, str]:
    """Label of each trunk by its track: r3 -> 69K."""
    return {line.track: rung_label(line) for line in plan.lines}


class CurveBook:
    """Learning curves of one sweep as they arrive: add rows once, ask for the thinned frame as often as one likes.

    labels: name of each trunk, as `trunk_labels` gives them; a branch is named after its trunk and horizon. A row
    replaces an earlier one of the same track and step, so points taken back and trained again count once.
    `last` is the highest `seq` seen, from which the next reading goes on.
    """

    def __init__(self, labels: Mapping[str, str], *, most: int = CURVE_POINTS) -> None:
        self.last = -1
        self._most = most
        self._labels = dict(labels)
        self._tracks: dict[str, dict[int, tuple[float, ...]]] = {}
        self._thinned: dict[str, pd.DataFrame] = {}

    def add(self, rows: Iterable[CurveRow]) -> None:
        """Take in rows of the store; those without a loss or of an unknown rung are passed over."""
        for row in rows:
            self.last = max(self.last, row.seq)
            loss = row.validation_loss if row.train_loss is None else row.train_loss
            if loss is not None and row.tokens > 0 and trunk_of(row.track, self._labels) is not None:
                self._tracks.setdefault(row.track, {})[row.step] = (
                    *(float(row.tokens), float(row.flops), float(loss), float(row.step)),
                    *(float(row.tokens_per_second), float(row.memory_bytes)),
                )
                self._thinned.pop(row.track, None)

    def frame(self) -> pd.DataFrame:
        """At most `most` rows a track, sorted by tokens in it.

        Columns: track, trunk (its own track, or that which a branch left), label, tokens, flops, loss, step,
        tokens_per_second, memory_bytes, branch.
        """
        for track, steps in self._tracks.items():
            if track not in self._thinned:
                values = thin(np.array(list(steps.values())), self._most)
                part = pd.DataFrame(values, columns=list(_NUMBERS))
                trunk = trunk_of(track, self._labels) or track
                self._thinned[track] = part.assign(
                    track=track, trunk=trunk, label=self._labels[trunk], branch=track != trunk
                )
        if not self._thinned:
            return _typed([], ("track", "trunk", "label"), _NUMBERS, ("branch",))
        return pd.concat([self._thinned[track] for track in self._tracks], ignore_index=True)[
            ["track", "trunk", "label", *_NUMBERS, "branch"]
        ]


LEAST_PLOT, NAME_GAP, NAME_LIFT = 220, 17.0, 7.0
"""Pixels: a plot in which names are laid out, about the lowest that is drawn; from name to name in it, and from a point
up to its name."""
_NUMBERS = ("tokens", "flops", "loss", "step", "tokens_per_second", "memory_bytes")


def trunk_of(track: str, trunks: Mapping[str, str]) -> str | None:
    """The trunk that a track is or has left, r3-s1 of r3-s1-h20; None for a track of no known line."""
    if track in trunks:
        return track
    trunk, mark, _ = track.rpartition("-h")
    return trunk if mark and trunk in trunks else None


def thin(values: FloatArray, most: int) -> FloatArray:
    """Rows (n, m), tokens and FLOP first, sorted by tokens and averaged in `most` bins or fewer; the last stays put.

    Bins have equal width in log tokens, which is what a logarithmic axis can show, and are wide enough that what is
    drawn is the course of the loss and not the noise of single batches.
    """
    values = values[np.argsort(values[:, 0], kind="stable")]
    logs = np.log(values[:, 0])
    reach = float(logs[-1] - logs[0])
    bins = min(most, int(reach / NARROWEST_BIN) + 1)
    places = np.minimum(((logs - logs[0]) / max(reach, 1e-12) * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins)
    kept = counts > 0
    sums = np.stack([np.bincount(places, weights=column, minlength=bins) for column in values.T], axis=1)
    thinned: FloatArray = sums[kept] / counts[kept, None]
    thinned[-1, :2] = values[-1, :2]
    return thinned


def end_frame(curves: pd.DataFrame, points: pd.DataFrame, domain: Domain) -> pd.DataFrame:
    """Where each rung's name stands, by its furthest point so far, on the curve or measured: label, tokens, loss, dy.

    domain: the losses that the picture shows. dy: pixels from the point downwards, so that no name covers another in
    a plot of `LEAST_PLOT` pixels or more.
    """
    both = pd.concat([curves[["label", "tokens", "loss"]], points[["label", "tokens", "loss"]]], ignore_index=True)
    if both.empty:
        return _typed([], ("label",), ("tokens", "loss", "dy"), ())
    ends = both.loc[both.groupby("label", sort=False)["tokens"].idxmax()].reset_index(drop=True)
    share = np.log(ends["loss"].clip(*domain) / domain[0]) / np.log(domain[1] / domain[0])
    levels = (LEAST_PLOT * (1.0 - share)).tolist()
    apart = spread(levels, gap=NAME_GAP, low=0.0, high=float(LEAST_PLOT))
    return ends.assign(dy=[new - old - NAME_LIFT for new, old in zip(apart, levels, strict=True)])


def point_frame(runs: Iterable[RunRow], plan: Plan) -> pd.DataFrame:
    """Measured cooled ends: run, label, horizon, params, tokens, flops, loss, se, held_out."""
    labels = {rung.rung: rung_label(rung) for rung in plan.sizes}
    rows = [
        {
            "run": run.id,
            "label": labels.get(run.rung, format_quantity(run.params)),
            "horizon": run.horizon,
            "params": run.params,
            "tokens": run.tokens,
            "flops": 6.0 * run.params * run.tokens,
            "loss": run.loss,
            "se": run.se,
            "held_out": run.held_out,
        }
        for run in runs
        if run.loss is not None
    ]
    return _typed(rows, ("run", "label"), ("horizon", "params", "tokens", "flops", "loss", "se"), ("held_out",))


def prediction_frame(predictions: Iterable[PredictionRow], runs: Sequence[RunRow], plan: Plan) -> pd.DataFrame:
    """What was foretold: run, label, horizon, params, tokens, flops, loss, low, high, measured (NaN until it is)."""
    known = {run.id: run for run in runs}
    labels = {rung.rung: rung_label(rung) for rung in plan.sizes}
    rows = [
        {
            "run": row.run_id,
            "label": labels.get(known[row.run_id].rung, format_quantity(row.params)),
            "horizon": known[row.run_id].horizon,
            "params": row.params,
            "tokens": row.tokens,
            "flops": 6.0 * row.params * row.tokens,
            "loss": row.loss,
            "low": row.low,
            "high": row.high,
            "measured": np.nan if (loss := known[row.run_id].loss) is None else loss,
        }
        for row in predictions
        if row.run_id in known
    ]
    numbers = ("horizon", "params", "tokens", "flops", "loss", "low", "high", "measured")
    return _typed(rows, ("run", "label"), numbers, ())


def law_frame(result: FitResult | None, plan: Plan, against: Against) -> pd.DataFrame:
    """The fitted law with the band of its constants: line, x, loss, low, high, held_out; empty without a fit.

    against="compute": a line for each rung, its loss over C = 6 N D as its tokens grow. against="size": a line for each
    horizon, its loss over N at D = horizon N.
    """
    if result is None:
        return _typed([], ("line",), ("x", "loss", "low", "high"), ("held_out",))
    horizons = plan.spec.horizons
    if against == "compute":
        ratios = np.geomspace(horizons[0] / 1.6, horizons[-1] * 1.6, LINE_POINTS)
        names = [rung_label(rung) for rung in plan.sizes]
        held_out = [rung.runs[0].held_out for rung in plan.sizes]
        params = np.array([[float(rung.runs[0].params)] for rung in plan.sizes]) * np.ones(LINE_POINTS)
        tokens = params * ratios
        x = 6.0 * params * tokens
    else:
        sizes = np.geomspace(plan.runs[0].params / 1.25, plan.runs[-1].params * 1.35, LINE_POINTS)
        names = [horizon_label(horizon) for horizon in horizons]
        held_out = [False] * len(horizons)
        params = np.ones((len(horizons), 1)) * sizes
        tokens = params * np.array(horizons)[:, None]
        x = params
    band = predict(result, params, tokens, noise=False)
    columns = {"x": x.ravel(), "loss": band.loss.ravel(), "low": band.low.ravel(), "high": band.high.ravel()}
    lines = {"line": np.repeat(names, LINE_POINTS).astype(object), "held_out": np.repeat(held_out, LINE_POINTS)}
    return pd.DataFrame({**lines, **columns})


def name_frame(law: pd.DataFrame, against: Against) -> pd.DataFrame:
    """Where the name of each line stands, above it: the law's columns, a row a line.

    Over size that is the left end. Over compute the lines cross, and it is the end that lies furthest above the others.
    """
    if law.empty:
        return law
    lines = {str(name): part for name, part in law.groupby("line", sort=False)}
    if against == "size":
        return pd.concat([part.iloc[[0]] for part in lines.values()], ignore_index=True)
    shapes = {name: (np.log(part["x"].to_numpy()), part["loss"].to_numpy()) for name, part in lines.items()}
    chosen = []
    for name, part in lines.items():
        others = [shape for key, shape in shapes.items() if key != name]
        last = _clearance(shapes[name], -1, others) >= _clearance(shapes[name], 0, others)
        chosen.append(part.iloc[[-1 if last else 0]])
    return pd.concat(chosen, ignore_index=True)


def _clearance(line: tuple[FloatArray, FloatArray], end: int, others: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """How far one end of a line (ln x, loss) lies above the nearest line that passes, in nats; 0.5 where none does."""
    x, loss = line[0][end], line[1][end]
    gaps = [float(loss - np.interp(x, *other)) for other in others if other[0][0] <= x <= other[0][-1]]
    return min(gaps, default=0.5)


def _typed(
    rows: list[dict[str, Any]], words: tuple[str, ...], numbers: tuple[str, ...], flags: tuple[str, ...]
) -> pd.DataFrame:
    """A frame whose columns have their types even when it is empty."""
    frame = pd.DataFrame(rows, columns=[*words, *numbers, *flags])
    return frame.astype({**dict.fromkeys(words, object), **dict.fromkeys(numbers, float), **dict.fromkeys(flags, bool)})
