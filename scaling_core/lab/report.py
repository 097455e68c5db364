"""Plans, statuses and results as JSON types and as tables of text, for the command line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from scaling_core.curves.score import Score
from scaling_core.lab.records import Plan
from scaling_core.output import table
from scaling_core.runs.progress import SweepStatus
from scaling_core.runs.tuning import Bowl
from scaling_core.units import format_bytes, format_duration, format_flops, format_quantity

Rows = list[tuple[str, ...]]


def plan_dict(plan: Plan) -> dict[str, Any]:
    """A plan as `lab plan --json` prints it."""
    spec = plan.spec
    return {
        "sweep": spec.id,
        "mode": spec.mode,
        "device": spec.device,
        "seed": spec.seed,
        "seconds": plan.seconds,
        "memory_bytes": plan.memory_bytes,
        "horizons": list(spec.horizons),
        "runs": [
            {
                "id": run.id,
                "shape": run.shape.name,
                "params": run.params,
                "params_non_embedding": run.params_non_embedding,
                "params_total": run.params_total,
                "tokens": run.tokens,
                "steps": run.steps,
                "flops": run.flops,
                "flops_exact": run.flops_exact,
                "seconds": run.seconds,
                "memory_bytes": run.memory_bytes,
                "seed": run.seed,
                "rate_factor": run.rate_factor,
                "held_out": run.held_out,
            }
            for run in plan.runs
        ],
        "warnings": list(plan.warnings),
    }


def status_dict(status: SweepStatus) -> dict[str, Any]:
    """A status as `lab status --json` prints it."""
    return {
        "sweep": status.sweep,
        "state": status.state,
        "message": status.message,
        "mode": status.mode,
        "device": status.device,
        "pid": status.pid,
        "fraction": status.fraction,
        "seconds": status.seconds,
        "seconds_left": status.seconds_left,
        "tokens_per_second": status.tokens_per_second,
        "memory_bytes": status.memory_bytes,
        "runs": [
            {"id": run.id, "state": run.state, "tokens": run.tokens, "loss": run.loss, "held_out": run.held_out}
            for run in status.runs
        ],
    }


def plan_rows(plan: Plan) -> Rows:
    """A row for each run of a plan, under a header."""
    return [
        ("run", "shape", "params", "tokens", "compute", "time", "memory", ""),
        *(
            (
                *(run.id, run.shape.name, format_quantity(run.params), format_quantity(run.tokens)),
                *(format_flops(run.flops), format_duration(run.seconds), format_bytes(run.memory_bytes)),
                "held out" if run.held_out else "",
            )
            for run in plan.runs
        ),
    ]


def bowl_rows(bowls: Sequence[Bowl]) -> Rows:
    """A row for each size of a sweep of rates, under a header."""
    return [
        ("params", "rates", "losses", "best rate", "its loss", ""),
        *(
            (
                *(format_quantity(bowl.params), " ".join(f"{rate:.2g}" for rate in bowl.rates)),
                *(" ".join(f"{loss:.4f}" for loss in bowl.losses), f"{bowl.best_rate:.3g}", f"{bowl.best_loss:.4f}"),
                "at the edge" if bowl.at_edge else "",
            )
            for bowl in bowls
        ),
    ]


def list_rows(known: Sequence[SweepStatus]) -> Rows:
    """A row for each sweep, under a header."""
    rows: Rows = [("sweep", "state", "device", "done", "started")]
    for one in known:
        begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created_at))
        rows.append((one.sweep, one.state, one.device, f"{one.fraction:.0%}", begun))
    return rows


def point_rows(found: dict[str, Any]) -> Rows:
    """A row for each finished run of `results`, under a header."""
    return [
        ("run", "params", "tokens", "loss", "se", ""),
        *(
            (
                *(point["id"], format_quantity(point["params"]), format_quantity(point["tokens"])),
                *(f"{point['loss']:.4f}", f"{point['se']:.4f}", "held out" if point["held_out"] else ""),
            )
            for point in found["points"]
        ),
    ]


def constant_rows(fit: dict[str, Any]) -> Rows:
    """A row for each constant and exponent of a fit, under a header."""
    rows: Rows = [("constant", "value", f"{fit['level']:.0%} interval")]
    intervals = {**fit["intervals"], **fit["exponent_intervals"]}
    for name, value in {**fit["constants"], **fit["exponents"]}.items():
        low, high = intervals.get(name, (None, None))
        rows.append((name, f"{value:.6g}", "" if low is None or high is None else f"{low:.6g} to {high:.6g}"))
    return rows


def score_rows(found: Score) -> Rows:
    """A row for each range of factors of compute with a prediction in it, and one for all, under a header."""
    rows: Rows = [("factor", "predictions", "median error", "worst", "within", "coverage", "its 95% interval")]
    for row in (*found.rows, found.total):
        if row.median_error is None or row.worst_error is None or row.coverage is None:
            continue
        rows.append(
            (
                *(row.label, str(row.n), f"{row.median_error:.2%}", f"{row.worst_error:.2%}", str(row.within)),
                *(f"{row.coverage:.0%}", f"{row.coverage_low:.0%} to {row.coverage_high:.0%}"),
            )
        )
    return rows


def oracle_line(found: dict[str, Any]) -> str:
    """The fitted floor of a ladder on the oracle against the known one."""
    verdict = "within" if found["within"] else "outside"
    return (
        f"entropy rate {found['entropy']:.5f}, fitted E {found['E']:.5f} ({found['low']:.5f} to {found['high']:.5f}, "
        f"the luck of the validation text taken out): {verdict}"
    )


def prediction_lines(found: dict[str, Any]) -> list[str]:
    """A sentence for each prediction of `results`."""
    lines = []
    for one in found["predictions"]:
        low, high = one["interval"]
        line = f"{one['id']}: predicted {one['loss']:.4f} ({low:.4f} to {high:.4f})"
        if one["measured"] is not None:
            line += f", measured {one['measured']:.4f}, error {one['error_percent']:+.2f}%"
        lines.append(line)
    return lines


def status_text(status: SweepStatus) -> str:
    """A status for reading: state, share done, time left, and a row for each run."""
    left = "" if status.seconds_left is None else f", about {format_duration(status.seconds_left)} left"
    lines = [f"{status.sweep} on {status.device}: {status.state}, {status.fraction:.0%}{left}"]
    if status.message:
        lines.append(status.message)
    rows: Rows = [("run", "state", "tokens", "loss")]
    for run in status.runs:
        loss = "" if run.loss is None else f"{run.loss:.4f}"
        rows.append((run.id, run.state, format_quantity(run.tokens), loss))
    return "\n".join((*lines, table(rows)))
