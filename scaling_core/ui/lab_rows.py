"""The cells of the tables on the lab's page, row by row. Pure text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scaling_core.curves.score import Score as Judged
from scaling_core.curves.score import ScoreRow
from scaling_core.lab.records import LinePlan, Plan
from scaling_core.language import t
from scaling_core.runs.rows import RunRow
from scaling_core.ui.lab_words import Score, commas, span
from scaling_core.units import format_bytes, format_duration, format_flops, format_loss, format_quantity


def shape_name(layers: int, width: int) -> str:
    """A shape for reading: 4 layers × 128."""
    return t("{layers} layers × {width}", layers=layers, width=width)


def plan_columns() -> tuple[str, ...]:
    """Headings of `plan_rows`."""
    return (
        *(t("Size"), "N", t("All parameters"), t("Without embedding"), t("Tokens"), "FLOP", t("Time"), t("Memory")),
        t("Role"),
    )


def plan_rows(plan: Plan) -> list[tuple[str, ...]]:
    """A row a size for the plan's table, with the columns of `plan_columns`."""
    return [_plan_row([line for line in plan.lines if line.rung == size.rung]) for size in plan.sizes]


def _plan_row(lines: Sequence[LinePlan]) -> tuple[str, ...]:
    """One size with all its lines: what they cost together."""
    runs = [run for line in lines for run in line.runs]
    shape, first, last = lines[0].shape, lines[0].runs[0], lines[0].runs[-1]
    least, most = (format_quantity(run.tokens, 2) for run in (first, last))
    seeds, rates = len({line.seed for line in lines}), len({line.rate_factor for line in lines})
    named = [shape_name(shape.n_layer, shape.d_model)]
    if seeds > 1:
        named.append(t("{count} seeds", count=seeds))
    if rates > 1:
        named.append(t("{count} rates", count=rates))
    return (
        commas(named),
        format_quantity(last.params),
        format_quantity(last.params_total),
        format_quantity(last.params_non_embedding),
        least if least == most else span(least, most),
        format_flops(sum(run.flops for run in runs)).removesuffix(" FLOP"),
        format_duration(sum(run.seconds for run in runs)),
        format_bytes(max(run.memory_bytes for run in runs)),
        t("predicted first") if last.held_out else t("fitted"),
    )


def run_columns() -> tuple[str, ...]:
    """Headings of `run_rows`."""
    return (
        *(t("Parameters"), t("Tokens"), "D/N", "FLOP", t("Loss"), t("± se"), t("Bits per byte"), t("Predicted")),
        *(t("Error"), t("State")),
    )


def run_rows(runs: Sequence[RunRow], found: Sequence[Score]) -> list[tuple[str, ...]]:
    """A row a run for the table of results, with the columns of `run_columns`, largest compute last."""
    by_run = {score.prediction.run_id: score for score in found}
    rows: list[tuple[str, ...]] = []
    for run in runs:
        score = by_run.get(run.id)
        rows.append(
            (
                format_quantity(run.params),
                format_quantity(run.tokens if run.loss is not None else run.planned_tokens),
                f"{run.horizon:g}",
                format_flops(run.flops).removesuffix(" FLOP"),
                "" if run.loss is None else format_loss(run.loss),
                "" if run.se is None else f"{run.se:.4f}",
                "" if run.bits_per_byte is None else format_loss(run.bits_per_byte),
                "" if score is None else format_loss(score.prediction.loss),
                "" if score is None else score.error_text,
                _run_state(run),
            )
        )
    return rows


def _run_state(run: RunRow) -> str:
    """How far a run is, and whether it was kept out of the fit."""
    named = {
        "waiting": t("waiting"),
        "running": t("training"),
        "finished": t("measured"),
        "failed": t("failed"),
    }[run.state]
    return commas([named, t("held out")]) if run.held_out else named


def score_columns() -> tuple[str, ...]:
    """Headings of `score_rows`."""
    return (
        *(t("factor"), t("predictions"), t("median error"), t("worst"), t("within"), t("coverage")),
        t("its 95% interval"),
    )


def score_rows(found: Judged) -> list[tuple[str, ...]]:
    """A row for each range of factors of compute with a prediction in it, and one for all."""
    rows: list[tuple[str, ...]] = []
    for row in (*found.rows, found.total):
        if row.median_error is None or row.worst_error is None or row.coverage is None:
            continue
        rows.append(
            (
                *(_reach(row), str(row.n), f"{row.median_error:.2%}", f"{row.worst_error:.2%}", str(row.within)),
                *(f"{row.coverage:.0%}", span(f"{row.coverage_low:.0%}", f"{row.coverage_high:.0%}")),
            )
        )
    return rows


def _reach(row: ScoreRow) -> str:
    """A range of factors in words: under 2x, 2x to 5x, over 10x, all."""
    low, high = f"{row.low:g}x", f"{row.high:g}x"
    if row.low <= 0.0:
        return t("all") if math.isinf(row.high) else t("under {factor}", factor=high)
    return t("over {factor}", factor=low) if math.isinf(row.high) else span(low, high)
