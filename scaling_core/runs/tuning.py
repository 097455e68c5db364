"""The rate that a sweep of rates found: a bowl of loss against log rate for each size, and a law LR(N) through them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.errors import FitError
from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.runs.rows import RunRow
from scaling_core.units import format_quantity

REFERENCE = 1e5
"""Parameters at which a rate law's coefficient is the rate, as in `lab.rules.learning_rate`."""
NEAR = 3
"""Rates around the best through which the parabola goes: a bowl is a parabola only near its bottom."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bowl:
    """One size at several rates. rates ascending, losses in nats per token, one for each.

    best_rate, best_loss: vertex of the parabola L = a x^2 + b x + c, x = ln rate, through the best point and its
    neighbours; the best point itself where it lies at the edge. at_edge: the best rate tried is the smallest or the
    largest, so that the true best may lie beyond. failed: rates at which training diverged.
    """

    rung: int
    params: int
    params_non_embedding: int
    horizon: float
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    failed: tuple[float, ...]
    best_rate: float
    best_loss: float
    parabola: tuple[float, float, float] | None
    at_edge: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLaw:
    """LR(N) = coefficient (N / 100000)^exponent, N without embeddings and head. note: how far to trust it."""

    coefficient: float
    exponent: float
    note: str

    def rate(self, params_non_embedding: float) -> float:
        """The rate that the law gives for a size."""
        return float(self.coefficient * math.pow(params_non_embedding / REFERENCE, self.exponent))


def rate_bowls(plan: Plan, runs: Sequence[RunRow]) -> tuple[Bowl, ...]:
    """A bowl for every size of which at least two rates are measured, at its longest horizon; seeds are averaged."""
    peaks = {line.track: line.learning_rate for line in plan.lines}
    found = []
    for size in plan.sizes:
        horizon = size.runs[-1].horizon
        losses: dict[float, list[float]] = defaultdict(list)
        failed: set[float] = set()
        for run in runs:
            if run.rung != size.rung or run.horizon != horizon or run.censored:
                continue
            if run.loss is not None:
                losses[peaks[run.track]].append(run.loss)
            elif run.state == "failed":
                failed.add(peaks[run.track])
        if len(losses) >= 2:
            means = {rate: math.fsum(values) / len(values) for rate, values in sorted(losses.items())}
            found.append(_bowl(size.rung, size.runs[-1].params, size.runs[-1].params_non_embedding, horizon, means,
                               tuple(sorted(failed))))  # fmt: skip
    return tuple(found)


def _bowl(
    rung: int, params: int, params_non_embedding: int, horizon: float, means: dict[float, float],
    failed: tuple[float, ...],
) -> Bowl:  # fmt: skip
    rates, losses = tuple(means), tuple(means.values())
    best = min(range(len(rates)), key=lambda i: losses[i])
    upper = any(rate > rates[best] for rate in failed)  # a rate that diverged closes the bowl from above
    at_edge = best == 0 or (best == len(rates) - 1 and not upper)
    best_rate, best_loss, parabola = rates[best], losses[best], None
    if 0 < best < len(rates) - 1:
        near = slice(max(0, best - NEAR // 2), best + NEAR // 2 + 1)
        a, b, c = (float(value) for value in np.polyfit(np.log(rates[near]), losses[near], 2))
        if a > 0:
            best_rate = math.exp(-b / (2 * a))
            best_loss = c - b * b / (4 * a)
            parabola = (a, b, c)
    return Bowl(
        rung=rung,
        params=params,
        params_non_embedding=params_non_embedding,
        horizon=horizon,
        rates=rates,
        losses=losses,
        failed=failed,
        best_rate=best_rate,
        best_loss=best_loss,
        parabola=parabola,
        at_edge=at_edge,
    )


def rate_law(bowls: Sequence[Bowl]) -> RateLaw:
    """The power law through the best rates of at least two sizes, least squares in logarithms.

    Sizes whose best rate lies at the edge of what was tried are left out. Raises FitError where fewer than two remain.
    """
    inside = [bowl for bowl in bowls if not bowl.at_edge]
    edge = [bowl for bowl in bowls if bowl.at_edge]
    if len(inside) < 2:
        raise FitError(
            t(
                "{n} of {all} sizes have their best rate inside what was tried, and a law for the rate "
                "takes two: try lower or higher rates.",
                n=len(inside),
                all=len(bowls),
            )
        )
    x = np.log([bowl.params_non_embedding / REFERENCE for bowl in inside])
    y = np.log([bowl.best_rate for bowl in inside])
    exponent, offset = (float(value) for value in np.polyfit(x, y, 1))
    low, high = (format_quantity(bowl.params_non_embedding) for bowl in (inside[0], inside[-1]))
    names = ", ".join(format_quantity(bowl.params_non_embedding) for bowl in edge)
    note = (
        t(
            "From {n} sizes, N = {low} to {high} without embeddings; left out, best at the edge of what was tried: "
            "{names}.",
            n=len(inside),
            low=low,
            high=high,
            names=names,
        )
        if edge
        else t("From {n} sizes, N = {low} to {high} without embeddings.", n=len(inside), low=low, high=high)
    )
    return RateLaw(coefficient=math.exp(offset), exponent=exponent, note=note)
