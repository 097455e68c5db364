"""What the pictures below the law say in words, and the cells of their tables. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

from scaling_core.fit import AllocationFit, FitResult
from scaling_core.lab.records import Plan
from scaling_core.language import t, together
from scaling_core.runs.tuning import Bowl, RateLaw
from scaling_core.units import format_bytes, format_duration, format_loss, format_quantity
from scaling_core.viz.lab_curves import COMPARED, Along
from scaling_core.viz.lab_frames import rung_label
from scaling_core.viz.late import pd

NO_FLOOR = 5e-4
"""Nats below which a fitted floor is none."""
CHANCE = 1.5
"""How many times the noise between seeds a scatter may be and still be called chance."""


def number(value: float, digits: int = 2) -> str:
    """A number with so many decimals and a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "\u2212")


def estimate(value: float, low: float | None, high: float | None, digits: int = 2) -> str:
    """A number with its interval in brackets, where there is one."""
    written = number(value, digits)
    return written if low is None or high is None else span(written, number(low, digits), number(high, digits))


def span(value: str, low: str, high: str) -> str:
    """A number with its interval in brackets, all three written already."""
    return t("{value} ({low} to {high})", value=value, low=low, high=high)


def curves_sentence(along: Along, *, censored: bool, frontier: bool) -> str:
    """How to read the curves."""
    return together(
        t(
            "A thick line is the trunk of a size at constant rate, a thin one a branch cooled from it; dots are "
            "measured ends, diamonds those of the size that was held out."
        ),
        t("Green is the efficient frontier, the least loss that each compute buys by the law.")
        if along == "compute" and frontier
        else "",
        t("Runs that were stopped early end at their foretold loss.") if censored else "",
    )


def frontier_sentence(fit: FitResult | None, envelope: AllocationFit | str | None) -> str:
    """How the best size grows along the frontier, by the law and by the cooled ends alone; "" without either."""
    said = []
    if fit is not None and "a" in fit.exponents:
        a = estimate(fit.exponents["a"], *fit.exponent_intervals.get("a", (None, None)))
        said.append(t("Along the frontier of the law the best size grows as C to the {a}.", a=a))
    if isinstance(envelope, AllocationFit):
        a = estimate(envelope.exponents["a"], *envelope.exponent_intervals.get("a", (None, None)))
        said.append(
            t("Dotted is the lower envelope of the cooled ends themselves, without any law: C to the {a}.", a=a)
        )
    elif isinstance(envelope, str):
        said += [t("The cooled ends alone give no frontier."), envelope]
    return together(*said)


def residual_sentence(fit: FitResult, noise: float | None) -> str:
    """What the band of the residuals is, and how far the runs scatter."""
    scatter = t("The runs scatter by {scatter:.2f}% about the law.", scatter=100 * fit.scale)
    if noise is None:
        band = t(
            "The band is their usual scatter, two robust spreads: no size has several seeds, which would tell the "
            "noise. Open diamonds were held out. A pattern is something the law misses."
        )
        return together(scatter, band)
    ratio = 100 * fit.scale / (noise / 2)
    verdict = (
        t("Seeds alone scatter by {noise:.2f}%, so the law leaves over no more than chance does.", noise=noise / 2)
        if ratio <= CHANCE
        else t(
            "Seeds alone scatter by {noise:.2f}%, and the law leaves over {ratio:.1f} times as much: it misses "
            "something.",
            noise=noise / 2,
            ratio=ratio,
        )
    )
    return together(scatter, verdict, t("The band is twice what seeds do; open diamonds were held out."))


def collapse_sentence(floor: float, spread: float | None) -> str:
    """What the collapse means, and how well it holds here."""
    drawn = (
        t(
            "Each trunk's loss, since the fit found no floor (E = 0), in units of what is left at its end; dotted is "
            "their mean."
        )
        if floor < NO_FLOOR
        else t(
            "Each trunk's loss above the fitted floor E = {floor} in units of what is left at its end; dotted is their "
            "mean.",
            floor=format_loss(floor),
        )
    )
    meaning = t(
        "If the curves fall on one, all sizes learn along the same path and are trained equally well, rate, batch and "
        "warm-up included; a size that leaves the others is trained otherwise (Qiu et al. 2025, arXiv 2507.02119)."
    )
    if spread is None:
        return together(drawn, meaning, t("Here too few trunks are long enough above the floor to compare them."))
    held = t(
        "Here they differ by at most {most:.0f}% between {first:.0f}% and {last:.0f}% of their training.",
        most=100 * spread,
        first=100 * COMPARED[0],
        last=100 * COMPARED[-1],
    )
    return together(drawn, meaning, held)


def speed_columns() -> tuple[str, ...]:
    """The headings above `speed_rows`."""
    return (
        t("Size"),
        "N",
        t("Tokens / s"),
        t("6 N tokens / s"),
        t("Matrix products and attention"),
        t("Memory"),
        t("Trained"),
        t("Time"),
    )


def speed_rows(plan: Plan, summary: pd.DataFrame) -> list[tuple[str, ...]]:
    """A row a size, with the columns of `speed_columns`."""
    sizes = {rung_label(size): size for size in plan.sizes}
    rows: list[tuple[str, ...]] = []
    for row in summary.to_dict("records"):
        size = sizes[str(row["label"])]
        first = size.runs[0]
        exact = row["tokens_per_second"] * first.flops_exact / first.tokens
        rows.append(
            (
                t("{layers} layers × {width}", layers=size.shape.n_layer, width=size.shape.d_model),
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
    read = t(
        "Each bowl is one size; the line is a parabola in the logarithm of the rate through the best point and its "
        "neighbours, and the diamond its vertex."
    )
    if law is None:
        return together(read, reason)
    power = number(law.exponent)
    formula = f"LR(N) = {law.coefficient:.2g} × (N / 100K)^{power}".replace(" ", "\u00a0")
    dashed = t("Dashed is the rule by which this sweep chose the rates it tried.")
    return together(read, t("{formula}.", formula=formula), law.note, dashed)


def edge_sentences(plan: Plan, bowls: Sequence[Bowl]) -> list[str]:
    """A warning for every size whose best rate lies at the edge of those tried."""
    names = {size.rung: rung_label(size) for size in plan.sizes}
    said = []
    for bowl in bowls:
        size, rate = names[bowl.rung], bowl.best_rate
        if not bowl.at_edge:
            continue
        said.append(
            t(
                "{size}: the least loss is at the smallest rate tried, {rate:.2g}, so the best may lie beyond. Tune "
                "again with lower rates.",
                size=size,
                rate=rate,
            )
            if rate <= bowl.rates[0]
            else t(
                "{size}: the least loss is at the largest rate tried, {rate:.2g}, so the best may lie beyond. Tune "
                "again with higher rates.",
                size=size,
                rate=rate,
            )
        )
    return said


def bowl_columns() -> tuple[str, ...]:
    """The headings above `bowl_rows`."""
    return (
        "N",
        t("Without embeddings"),
        "D/N",
        t("Rates tried"),
        t("Least loss measured"),
        t("Best rate"),
        t("Loss there"),
        t("Where"),
    )


def bowl_rows(plan: Plan, bowls: Sequence[Bowl]) -> list[tuple[str, ...]]:
    """A row a size, with the columns of `bowl_columns`."""
    names = {size.rung: rung_label(size) for size in plan.sizes}
    rows: list[tuple[str, ...]] = []
    for bowl in bowls:
        tried = t("{low:.2g} to {high:.2g}", low=bowl.rates[0], high=bowl.rates[-1])
        if bowl.failed:
            tried = t("{rates}, {n} diverged", rates=tried, n=len(bowl.failed))
        rows.append(
            (
                names[bowl.rung],
                format_quantity(bowl.params_non_embedding),
                f"{bowl.horizon:g}",
                tried,
                format_loss(min(bowl.losses)),
                f"{bowl.best_rate:.3g}",
                format_loss(bowl.best_loss),
                t("at the edge") if bowl.at_edge else t("inside"),
            )
        )
    return rows
