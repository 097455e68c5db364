"""What the pictures below the law say in words, and the cells of their tables. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from scaling_core.fit import AllocationFit, FitResult
from scaling_core.lab.records import Plan
from scaling_core.runs.tuning import Bowl, RateLaw
from scaling_core.units import format_bytes, format_duration, format_loss, format_quantity
from scaling_core.viz.lab_curves import COMPARED, Along
from scaling_core.viz.lab_frames import rung_label

SPEED_COLUMNS = (
    "Size",
    "N",
    "Tokens / s",
    "6 N tokens / s",
    "Matrix products and attention",
    "Memory",
    "Trained",
    "Time",
)
BOWL_COLUMNS = (
    "N",
    "Without embeddings",
    "D/N",
    "Rates tried",
    "Least loss measured",
    "Best rate",
    "Loss there",
    "Where",
)

NO_FLOOR = 5e-4
"""Nats below which a fitted floor is none."""
CHANCE = 1.5
"""How many times the noise between seeds a scatter may be and still be called chance."""


def number(value: float, digits: int = 2) -> str:
    """A number with so many decimals and a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "\u2212")


def between(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval in brackets, or nothing."""
    return "" if low is None or high is None else f" ({number(low, digits)} to {number(high, digits)})"


def curves_sentence(along: Along, *, censored: bool, frontier: bool) -> str:
    """How to read the curves."""
    said = (
        "A thick line is the trunk of a size at constant rate, a thin one a branch cooled from it; dots are measured "
        "ends, diamonds those of the size that was held out."
    )
    if along == "compute" and frontier:
        said += " Green is the efficient frontier, the least loss that each compute buys by the law."
    if censored:
        said += " Runs that were stopped early end at their foretold loss."
    return said


def frontier_sentence(fit: FitResult | None, envelope: AllocationFit | str | None) -> str:
    """How the best size grows along the frontier, by the law and by the cooled ends alone; "" without either."""
    said = []
    if fit is not None and "a" in fit.exponents:
        a, pair = fit.exponents["a"], fit.exponent_intervals.get("a", (None, None))
        said.append(f"Along the frontier of the law the best size grows as C to the {number(a)}{between(*pair)}.")
    if isinstance(envelope, AllocationFit):
        a, pair = envelope.exponents["a"], envelope.exponent_intervals.get("a", (None, None))
        said.append(
            "Dotted is the lower envelope of the cooled ends themselves, without any law: "
            f"C to the {number(a)}{between(*pair)}."
        )
    elif isinstance(envelope, str):
        said.append(f"The cooled ends alone give no frontier. {envelope}")
    return " ".join(said)


def residual_sentence(fit: FitResult, noise: float | None) -> str:
    """What the band of the residuals is, and how far the runs scatter."""
    scatter = f"The runs scatter by {100 * fit.scale:.2f}% about the law."
    if noise is None:
        return (
            f"{scatter} The band is their usual scatter, two robust spreads: no size has several seeds, which would "
            "tell the noise. Open diamonds were held out. A pattern is something the law misses."
        )
    ratio = 100 * fit.scale / (noise / 2)
    verdict = (
        "so the law leaves over no more than chance does"
        if ratio <= CHANCE
        else f"and the law leaves over {ratio:.1f} times as much: it misses something"
    )
    band = "The band is twice what seeds do; open diamonds were held out."
    return f"{scatter} Seeds alone scatter by {noise / 2:.2f}%, {verdict}. {band}"


def collapse_sentence(floor: float, spread: float | None) -> str:
    """What the collapse means, and how well it holds here."""
    above = f"loss above the fitted floor E = {format_loss(floor)}"
    if floor < NO_FLOOR:
        above = "loss, since the fit found no floor (E = 0),"
    meaning = (
        f"Each trunk's {above} in units of what is left at its end; dotted is their mean. If the curves fall on one, "
        "all sizes learn along the same path and are trained equally well, rate, batch and warm-up included; a size "
        "that leaves the others is trained otherwise (Qiu et al. 2025, arXiv 2507.02119)."
    )
    if spread is None:
        return f"{meaning} Here too few trunks are long enough above the floor to compare them."
    shares = f"{100 * COMPARED[0]:.0f}% and {100 * COMPARED[-1]:.0f}%"
    return f"{meaning} Here they differ by at most {100 * spread:.0f}% between {shares} of their training."


def speed_rows(plan: Plan, summary: pd.DataFrame) -> list[tuple[str, ...]]:
    """A row a size, with the columns of `SPEED_COLUMNS`."""
    sizes = {rung_label(size): size for size in plan.sizes}
    rows: list[tuple[str, ...]] = []
    for row in summary.to_dict("records"):
        size = sizes[str(row["label"])]
        first = size.runs[0]
        exact = row["tokens_per_second"] * first.flops_exact / first.tokens
        rows.append(
            (
                f"{size.shape.n_layer} layers × {size.shape.d_model}",
                str(row["label"]),
                format_quantity(row["tokens_per_second"]),
                f"{row['flops_per_second'] / 1e9:.3g} GFLOP/s",
                f"{exact / 1e9:.3g} GFLOP/s",
                format_bytes(row["memory_bytes"]),
                format_quantity(row["tokens"]),
                format_duration(row["seconds"]),
            )
        )
    return rows


def rate_law_sentence(law: RateLaw | None, reason: str) -> str:
    """The law of the rate with what it rests on, or why there is none."""
    read = (
        "Each bowl is one size; the line is a parabola in the logarithm of the rate through the best point and its "
        "neighbours, and the diamond its vertex."
    )
    if law is None:
        return f"{read} {reason}"
    power = number(law.exponent)
    formula = f"LR(N) = {law.coefficient:.2g} × (N / 100K)^{power}".replace(" ", "\u00a0")
    return f"{read} {formula}. {law.note} Dashed is the rule by which this sweep chose the rates it tried."


def edge_sentences(plan: Plan, bowls: Sequence[Bowl]) -> list[str]:
    """A warning for every size whose best rate lies at the edge of those tried."""
    names = {size.rung: rung_label(size) for size in plan.sizes}
    said = []
    for bowl in bowls:
        if bowl.at_edge:
            end, way = ("smallest", "lower") if bowl.best_rate <= bowl.rates[0] else ("largest", "higher")
            said.append(
                f"{names[bowl.rung]}: the least loss is at the {end} rate tried, {bowl.best_rate:.2g}, so the best "
                f"may lie beyond. Tune again with {way} rates."
            )
    return said


def bowl_rows(plan: Plan, bowls: Sequence[Bowl]) -> list[tuple[str, ...]]:
    """A row a size, with the columns of `BOWL_COLUMNS`."""
    names = {size.rung: rung_label(size) for size in plan.sizes}
    rows: list[tuple[str, ...]] = []
    for bowl in bowls:
        lost = f", {len(bowl.failed)} diverged" if bowl.failed else ""
        rows.append(
            (
                names[bowl.rung],
                format_quantity(bowl.params_non_embedding),
                f"{bowl.horizon:g}",
                f"{bowl.rates[0]:.2g} to {bowl.rates[-1]:.2g}{lost}",
                format_loss(min(bowl.losses)),
                f"{bowl.best_rate:.3g}",
                format_loss(bowl.best_loss),
                "at the edge" if bowl.at_edge else "inside",
            )
        )
    return rows
