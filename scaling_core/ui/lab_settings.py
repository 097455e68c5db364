"""Each run's settings beside its curve, and those of all runs as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from scaling_core.lab.records import LinePlan, Plan, RunPlan
from scaling_core.language import t, tn
from scaling_core.runs.rows import RunRow, SweepRow
from scaling_core.ui import lab_html
from scaling_core.ui.charts import show
from scaling_core.ui.fit_pieces import drawn
from scaling_core.ui.inputs import choice_input
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_rows import shape_name
from scaling_core.ui.lab_words import commas
from scaling_core.ui.lab_words_closer import number
from scaling_core.units import format_duration, format_flops, format_loss, format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.lab_curves import curves_chart
from scaling_core.viz.lab_frames import rung_label
from scaling_core.viz.theme import Theme


def columns() -> tuple[str, ...]:
    """Headings of `settings_rows`."""
    return (
        *(t("Run"), t("Shape"), "N", t("All"), t("Blocks"), t("Tokens"), t("Epochs"), t("Steps"), t("Batch")),
        *(t("Rate"), t("Warm-up"), "β₂", t("Seed"), t("Loss"), t("± se"), t("Bits/byte"), t("Remarks")),
    )


def settings_view(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """One run's settings with its curve brought forward, then the table of all."""
    row, runs = seen.row, seen.status.runs
    plan = row.plan
    names = run_names(plan)
    left, right = st.columns([5, 7], gap="large")
    with left:
        chosen = choice_input(t("Run"), "lab.settings.run", names)
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
        alt = t("The curve of {run}, the others faint.", run=names[chosen])
        show(figure, "lab.settings.curve", alt=alt, grows=True, half=True, name=f"curve-{chosen}", title=names[chosen])
    marked = [one.held_out for one in runs]
    st.html(lab_html.table(columns(), settings_rows(row, runs), marked=marked, small=True))


def run_names(plan: Plan) -> dict[str, str]:
    """A name for each run by its id: 182K at 20 tokens a parameter, seed 1, rate × 0.5."""
    several = {size.rung: sum(line.rung == size.rung for line in plan.lines) > 1 for size in plan.sizes}
    names: dict[str, str] = {}
    for line in plan.lines:
        for run in line.runs:
            name = t("{size}, {horizon:g} tokens a parameter", size=rung_label(line), horizon=run.horizon)
            if several[line.rung]:
                own = t("rate × {factor:g}", factor=line.rate_factor) if plan.spec.tunes else _seed(line)
                name = commas([name, own])
            names[run.id] = name
    return names


def _seed(line: LinePlan) -> str:
    return t("seed {seed}", seed=line.seed)


def epochs(row: SweepRow, tokens: int) -> float | None:
    """How often the training half of the text was read for so many tokens; None where its length is not stored."""
    length = row.corpus.get("train_tokens") or row.corpus.get("train_bytes")
    return tokens / float(length) if length else None


def remarks(run: RunRow) -> str:
    """What else to know of a run: held out, copied, stopped early, failed."""
    said = [
        *([t("held out")] if run.held_out else []),
        *([t("from {ladder}", ladder=run.copied_from)] if run.copied_from else []),
        *([t("stopped early, foretold")] if run.censored else []),
        *([t("failed")] if run.state == "failed" else []),
        *([t("not trained yet")] if run.loss is None and run.state != "failed" else []),
    ]
    return commas(said)


def settings_of(row: SweepRow, line: LinePlan, run: RunPlan, stored: RunRow) -> list[tuple[str, str]]:
    """One run's settings, (name, value) each."""
    batch = line.batch_sequences * row.plan.spec.context
    seen = epochs(row, run.tokens)
    pairs: list[tuple[str, str]] = [
        (t("Shape"), commas([shape_name(line.shape.n_layer, line.shape.d_model), _heads(line)])),
        (t("N with head / all / blocks"), " / ".join(map(format_quantity, _counts(run)))),
        (t("Tokens"), _tokens(run.tokens, seen)),
        (t("Training"), t("{steps:,} steps, decay from {start:,}", steps=run.steps, start=run.decay_from)),
        (
            t("Batch"),
            t(
                "{sequences} × {context} = {tokens} tokens",
                sequences=line.batch_sequences, context=row.plan.spec.context, tokens=format_quantity(batch),
            ),
        ),
        (
            t("Peak rate, warm-up"),
            t("{rate:.3g}, {steps:,} steps", rate=line.learning_rate, steps=line.warmup_steps),
        ),
        (t("AdamW β₂, seed"), f"{line.beta2:.3g}, {line.seed}"),
        (
            t("6 N D / with attention"),
            f"{format_flops(run.flops).removesuffix(' FLOP')} / {format_flops(run.flops_exact)}",
        ),
    ]  # fmt: skip
    if stored.loss is not None:
        nats = format_loss(stored.loss) + ("" if stored.se is None else f" ± {stored.se:.4f}")
        told = f"{nats} nats"
        if stored.bits_per_byte is not None:
            told = t("{nats} nats, {bits} bits per byte", nats=nats, bits=format_loss(stored.bits_per_byte))
        pairs.append((t("Loss"), told))
    if stored.seconds:
        pairs.append((t("Time"), format_duration(stored.seconds)))
    if said := remarks(stored):
        pairs.append((t("Remarks"), said))
    return pairs


def _tokens(tokens: int, epochs: float | None) -> str:
    if epochs is None:
        return format_quantity(tokens)
    return t("{tokens}, {epochs:.2g} epochs", tokens=format_quantity(tokens), epochs=epochs)


def _heads(line: LinePlan) -> str:
    return tn("{n} head", "{n} heads", line.shape.n_head)


def _counts(run: RunPlan) -> tuple[int, int, int]:
    return run.params, run.params_total, run.params_non_embedding


def settings_rows(row: SweepRow, runs: Sequence[RunRow]) -> list[tuple[str, ...]]:
    """A row a run, with the columns of `columns`."""
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
