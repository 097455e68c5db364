"""How much a loss depends on the seed: from the sizes that were trained with several."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from scaling_core.runs.rows import RunRow

LEAST_FREEDOM = 2
"""Degrees of freedom below which a spread is not taken for a size's own."""


def seed_noise(runs: Sequence[RunRow]) -> dict[int, float]:
    """Standard deviation between seeds of a cooled loss, nats per token, for each rung; {} where no size has two seeds.

    Over the horizons of a rung it is pooled, sqrt(sum of squared deviations / degrees of freedom). A rung with too few
    seeds takes the value of the nearest below it, and below all of them that of the smallest: noise falls with N, so
    this leans to too much. Runs stopped early are left out; those at different rates are not compared.
    """
    groups: dict[tuple[int, float, float], list[float]] = defaultdict(list)
    for run in runs:
        if run.loss is not None and not run.censored:
            groups[run.rung, run.horizon, run.rate_factor].append(run.loss)
    squares: dict[int, float] = defaultdict(float)
    freedom: dict[int, int] = defaultdict(int)
    for (rung, _, _), losses in groups.items():
        mean = math.fsum(losses) / len(losses)
        squares[rung] += math.fsum((loss - mean) ** 2 for loss in losses)
        freedom[rung] += len(losses) - 1
    known = {
        rung: math.sqrt(squares[rung] / count)
        for rung, count in freedom.items()
        if count >= LEAST_FREEDOM and squares[rung] > 0
    }
    if not known:
        return {}
    found = {}
    for rung in sorted(freedom):
        below = [other for other in known if other <= rung]
        found[rung] = known[max(below) if below else min(known)]
    return found
