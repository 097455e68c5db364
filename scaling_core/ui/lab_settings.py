"""Each run's settings beside its curve, and those of all runs as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from scaling_core.lab.records import LinePlan, Plan, RunPlan
from scaling_core.runs.rows import RunRow, SweepRow
from scaling_core.ui import lab_html
from scaling_core.ui.charts import download_figure, show
from scaling_core.ui.fit_pieces import drawn
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_words_closer import number
from scaling_core.units import format_duration, format_flops, format_loss, format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.lab_curves import curves_chart
from scaling_core.viz.lab_frames import rung_label
from scaling_core.viz.theme import Theme

COLUMNS = (
    *("Run", "Shape", "N", "All", "Blocks", "Tokens", "Epochs", "Steps", "Batch", "Rate", "Warm-up", "β₂", "Seed"),
    *("Loss", "± se", "Bits/byte", "Remarks"),
)


def settings_view(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """One run's settings with its curve brought forward, then the table of all."""
    row, runs = seen.row, seen.status.runs
    plan = row.plan
    names = run_names(plan)
    left, right = st.columns([5, 7], gap="large")
    with left:
        chosen = st.selectbox("Run", list(names), format_func=lambda id: names.get(id, id), key="lab.settings.run")
        chosen = chosen if chosen in names else next(iter(names))
        line, run = next((line, run) for line in plan.lines for run in line.runs if run.id == chosen)
        stored = next(one for one in runs if one.id == chosen)
        st.html(lab_html.pairs(settings_of(row, line, run, stored)))
    measured = sum(one.loss is not None for one in runs)
    key = f"lab|{row.id}|{row.started_at}|{measured}|{len(seen.curves)}|settings|{chosen}"
    with right:

        def make() -> Figure:
            return curves_chart(plan, seen.curves, runs, theme, along="step", chosen=chosen)

        figure = drawn(key, theme, make)
        assert figure is not None
        show(figure, "lab.settings.curve", alt=f"The curve of {names[chosen]}, the others faint.", grows=True)
        download_figure(make, f"curve-{chosen}", "lab.settings.files")
    marked = [one.held_out for one in runs]
    st.html(lab_html.table(COLUMNS, settings_rows(row, runs), marked=marked, small=True))


def run_names(plan: Plan) -> dict[str, str]:
    """A name for each run by its id: 182K at 20 tokens a parameter, seed 1, rate × 0.5."""
    several = {size.rung: sum(line.rung == size.rung for line in plan.lines) > 1 for size in plan.sizes}
    names = {}
    for line in plan.lines:
        for run in line.runs:
            name = f"{rung_label(line)}, {run.horizon:g} tokens a parameter"
            if several[line.rung]:
                name += f", rate × {line.rate_factor:g}" if plan.spec.tunes else f", seed {line.seed}"
            names[run.id] = name
    return names


def epochs(row: SweepRow, tokens: int) -> float | None:
    """How often the training half of the text was read for so many tokens; None where its length is not stored."""
    length = row.corpus.get("train_tokens") or row.corpus.get("train_bytes")
    return tokens / float(length) if length else None


def remarks(run: RunRow) -> str:
    """What else to know of a run: held out, copied, stopped early, failed."""
    said = [
        *(["held out"] if run.held_out else []),
        *([f"from {run.copied_from}"] if run.copied_from else []),
        *(["stopped early, foretold"] if run.censored else []),
        *(["failed"] if run.state == "failed" else []),
        *(["not trained yet"] if run.loss is None and run.state != "failed" else []),
    ]
    return ", ".join(said)


def settings_of(row: SweepRow, line: LinePlan, run: RunPlan, stored: RunRow) -> list[tuple[str, str]]:
    """One run's settings, (name, value) each."""
    batch = line.batch_sequences * row.plan.spec.context
    seen = epochs(row, run.tokens)
    pairs = [
        ("Shape", f"{line.shape.n_layer} layers × {line.shape.d_model}, {_heads(line)}"),
        ("N with head / all / blocks", " / ".join(map(format_quantity, _counts(run)))),
        ("Tokens", format_quantity(run.tokens) + ("" if seen is None else f", {seen:.2g} epochs")),
        ("Training", f"{run.steps:,} steps, decay from {run.decay_from:,}"),
        ("Batch", f"{line.batch_sequences} × {row.plan.spec.context} = {format_quantity(batch)} tokens"),
        ("Peak rate, warm-up", f"{line.learning_rate:.3g}, {line.warmup_steps:,} steps"),
        ("AdamW β₂, seed", f"{line.beta2:.3g}, {line.seed}"),
        (
            "6 N D / with attention",
            f"{format_flops(run.flops).removesuffix(' FLOP')} / {format_flops(run.flops_exact)}",
        ),
    ]
    if stored.loss is not None:
        se = "" if stored.se is None else f" ± {stored.se:.4f}"
        bits = "" if stored.bits_per_byte is None else f", {format_loss(stored.bits_per_byte)} bits per byte"
        pairs.append(("Loss", f"{format_loss(stored.loss)}{se} nats{bits}"))
    if stored.seconds:
        pairs.append(("Time", format_duration(stored.seconds)))
    if said := remarks(stored):
        pairs.append(("Remarks", said))
    return pairs


def _heads(line: LinePlan) -> str:
    return f"{line.shape.n_head} head" + ("" if line.shape.n_head == 1 else "s")


def _counts(run: RunPlan) -> tuple[int, int, int]:
    return run.params, run.params_total, run.params_non_embedding


def settings_rows(row: SweepRow, runs: Sequence[RunRow]) -> list[tuple[str, ...]]:
    """A row a run, with the columns of `COLUMNS`."""
    planned = {run.id: (line, run) for line in row.plan.lines for run in line.runs}
    rows = []
    for stored in runs:
        line, run = planned[stored.id]
        seen = epochs(row, run.tokens)
        rows.append(
            (
                run.id,
                line.shape.name,
                *map(format_quantity, _counts(run)),
                format_quantity(run.tokens),
                "" if seen is None else number(seen, 2 if seen >= 0.095 else 3),
                f"{run.steps:,}",
                format_quantity(line.batch_sequences * row.plan.spec.context),
                f"{line.learning_rate:.2g}",
                f"{line.warmup_steps:,}",
                f"{line.beta2:.3g}",
                str(line.seed),
                "" if stored.loss is None else format_loss(stored.loss),
                "" if stored.se is None else f"{stored.se:.4f}",
                "" if stored.bits_per_byte is None else format_loss(stored.bits_per_byte),
                remarks(stored),
            )
        )
    return rows
