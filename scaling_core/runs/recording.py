"""A sweep as one file: to take a ladder to another machine, and to show one where nothing was trained yet.

    python -m scaling_core lab record SWEEP --out FILE.json

The file holds what the store holds of a sweep, its curves thinned, and the machine, version, seconds and hash of the
text. Reading checks every field: what is not such a recording is refused in a sentence.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from scaling_core.errors import InputError, ScalingError
from scaling_core.lab.records import Plan
from scaling_core.language import speaking, t, unpacked
from scaling_core.runs import place
from scaling_core.runs.liveness import shown_state
from scaling_core.runs.results import plain
from scaling_core.runs.rows import (
    CurveRow,
    EventRow,
    PredictionRow,
    RunRow,
    SweepRow,
    kept_corpus,
    kept_message,
    read_corpus,
    read_message,
)
from scaling_core.runs.store import Store

Row = TypeVar("Row")
FORMAT = 1
POINTS = 60
"""Points kept of each curve, evenly in the logarithm of the step; the measured end always."""
MOST_BYTES = 32 * 2**20
EXAMPLE = place.PROJECT / "data" / "example_ladder.json"
"""A ladder trained by this project, with the machine that it was trained on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One sweep as it was stored when it was recorded."""

    row: SweepRow
    runs: tuple[RunRow, ...]
    curve: tuple[CurveRow, ...]
    predictions: tuple[PredictionRow, ...]
    events: tuple[EventRow, ...]


@speaking("en")
def record(sweep: str, home: Path) -> Recording:
    """The recording of a sweep. Raises InputError where there is none, or it is training."""
    with Store.open_reader(home) as store, store.snapshot():
        row = store.sweep(place.check_sweep_id(sweep))
        if row is None:
            raise InputError("sweep", sweep, t("there is none of that name; `lab list` shows those there are"))
        if shown_state(row, home) == "running":
            raise InputError("sweep", sweep, t("it is training; record it when it has ended"))
        return Recording(
            row=row,
            runs=tuple(store.runs(sweep)),
            curve=tuple(thinned(store.curve(sweep))),
            predictions=tuple(store.predictions(sweep)),
            events=tuple(store.events(sweep)),
        )


def thinned(rows: Sequence[CurveRow]) -> list[CurveRow]:
    """About `POINTS` points of each track, evenly in ln step, each the mean loss of those that it stands for.

    The last point of each track and those with a measured loss are kept as they are.
    """
    tracks: dict[str, dict[int, CurveRow]] = {}
    for row in rows:
        tracks.setdefault(row.track, {})[row.step] = row
    kept: list[CurveRow] = []
    for points in tracks.values():
        ordered = [points[step] for step in sorted(points)]
        first, last = ordered[0].step, ordered[-1].step
        width = max(math.log(max(last, 2) / max(first, 1)) / POINTS, 1e-9)
        bins: dict[int, list[CurveRow]] = {}
        for point in ordered:
            if point.step == last or point.validation_loss is not None:
                kept.append(point)
            else:
                bins.setdefault(int(math.log(max(point.step, 1) / max(first, 1)) / width), []).append(point)
        for inside in bins.values():
            losses = [point.train_loss for point in inside if point.train_loss is not None]
            kept.append(replace(inside[-1], train_loss=math.fsum(losses) / len(losses) if losses else None))
    return sorted(kept, key=lambda point: (point.seq, point.track, point.step))


def write_recording(recording: Recording, path: Path) -> None:
    """Write a recording, whole or not at all. Raises StoreError where the disk does not take it."""
    row = {name: value for name, value in asdict(recording.row).items() if name != "plan"}
    row |= {"message": kept_message(recording.row.message), "corpus": kept_corpus(recording.row.corpus)}
    names = [field.name for field in fields(CurveRow)]
    place.write_json(
        path,
        plain(
            {
                "format": FORMAT,
                "sweep": {**row, "pid": 0, "pid_created": 0.0},
                "plan": recording.row.plan.to_dict(),
                "runs": [{**asdict(run), "message": kept_message(run.message)} for run in recording.runs],
                "predictions": [asdict(one) for one in recording.predictions],
                "events": [{**asdict(one), "text": kept_message(one.text)} for one in recording.events],
                "curve": {name: [getattr(point, name) for point in recording.curve] for name in names},
            }
        ),
    )


def read_recording(path: Path) -> Recording:
    """Read a recording; raises InputError, one sentence, for a file that is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError("recording", path.name, t("it must be smaller than {most:,} bytes", most=MOST_BYTES))
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise InputError(
                "recording",
                path.name,
                t("its format is {seen}, and this version reads {reads}", seen=repr(raw["format"]), reads=FORMAT),
            )
        columns = raw["curve"]
        curve = tuple(
            _typed(CurveRow, dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)
        )
        row = _typed(SweepRow, {**raw["sweep"], "plan": Plan.from_dict(raw["plan"])})
        runs = [_typed(RunRow, run) for run in raw["runs"]]
        events = [_typed(EventRow, one) for one in raw["events"]]
        return Recording(
            row=replace(row, message=read_message(row.message), corpus=read_corpus(row.corpus)),
            runs=tuple(replace(run, message=read_message(run.message)) for run in runs),
            curve=curve,
            predictions=tuple(
                _typed(PredictionRow, {**one, "fitted_runs": tuple(one["fitted_runs"])}) for one in raw["predictions"]
            ),
            events=tuple(replace(one, text=unpacked(one.text)) for one in events),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, ScalingError):
            raise
        raise InputError(
            "recording", path.name, t("it is not a recorded ladder ({error})", error=str(error))
        ) from error


def _typed(kind: Callable[..., Row], values: dict[str, Any]) -> Row:
    """A row whose numbers are finite numbers and whose texts are texts; raises TypeError for one with anything else."""
    for name, allowed in _fields_of(kind).items():
        value = values[name]
        if float in allowed and type(value) is int:
            values = {**values, name: float(value)}
        elif not any(_is(value, one) for one in allowed):
            raise TypeError(f"{name} is {str(value)[:40]!r}")
    return kind(**values)


@functools.cache
def _fields_of(kind: Callable[..., Row]) -> dict[str, tuple[Any, ...]]:
    """The types that each field of a row may have."""
    hints = get_type_hints(kind)
    return {name: get_args(hint) if isinstance(hint, UnionType) else (hint,) for name, hint in hints.items()}


def _is(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin is not None:
        return isinstance(value, origin)
    return type(value) is hint and (hint is not float or math.isfinite(value))
