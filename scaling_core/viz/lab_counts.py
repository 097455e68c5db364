"""What the exponent of N* is under each way to count parameters, and why: from the runs of one ladder.

Chinchilla's exponent counts the parameters that C = 6 N D counts; Kaplan's leaves embeddings and head out, of N and so
of C. In small models the two differ much, in large ones little, so a curve through the same optima has another slope.
Source: Pearce & Song 2024 (arXiv 2406.12907); Porian et al. 2024 (arXiv 2406.19146).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.fit import FitResult, interval
from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.runs.results import Counting
from scaling_core.runs.rows import RunRow

BUDGETS = 9
GRID = 401
REACH = 30.0
"""How far beyond the trained sizes an optimum is looked for, as a factor."""
MOST_REPLICATES = 200


def counting_names() -> dict[Counting, tuple[str, str]]:
    """Name of each count, and a shorter one for lines, in the order of the page."""
    return {
        "with_head": (t("With head"), t("with head")),
        "total": (t("All parameters"), t("all")),
        "non_embedding": (t("Without embeddings"), t("without")),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Exponent:
    """The exponent a of N* ~ C^a: name of how it was found, value, and the ends of its interval or None."""

    name: str
    value: float
    low: float | None
    high: float | None


def fitted_exponent(fit: FitResult, name: str) -> Exponent:
    """a = beta / (alpha + beta) of a fitted law, with the interval of its refits."""
    low, high = fit.exponent_intervals.get("a", (None, None))
    return Exponent(name=name, value=fit.exponents["a"], low=low, high=high)


def embedding_shares(plan: Plan) -> list[tuple[int, float]]:
    """All parameters of each size, and the share of them that lies in embeddings, positions and head."""
    firsts = [size.runs[0] for size in plan.sizes]
    return [(run.params_total, 1.0 - run.params_non_embedding / run.params_total) for run in firsts]


def excess_law(plan: Plan) -> tuple[float, float] | None:
    """(c, p) of N - N_nonemb = c N_nonemb^p, N with head, least squares in logarithms over the sizes; None for one.

    For models that keep their proportions p is 1/3 (Pearce & Song 2024).
    """
    firsts = [size.runs[0] for size in plan.sizes]
    if len({run.params_non_embedding for run in firsts}) < 2:
        return None
    x = np.log([run.params_non_embedding for run in firsts])
    y = np.log([run.params - run.params_non_embedding for run in firsts])
    p, offset = (float(value) for value in np.polyfit(x, y, 1))
    return float(np.exp(offset)), p


def read_without_embeddings(fit: FitResult, plan: Plan, runs: Sequence[RunRow], name: str) -> Exponent | None:
    """What the law in N with head says of N* ~ C^a once N and C = 6 N D leave embeddings and head out.

    At each of several C_nonemb between the least and the largest that was trained, the N_nonemb of least loss
    L(N_nonemb + c N_nonemb^p, C_nonemb / (6 N_nonemb)), see `excess_law`; a is the slope of their logarithms, and its
    interval comes from the refits. None where an optimum lies far beyond the sizes, or the sizes are too few.
    Source: Pearce & Song 2024.
    """
    excess = excess_law(plan)
    computes = [6.0 * run.params_non_embedding * run.tokens for run in runs if run.loss is not None]
    if excess is None or len(computes) < 2:
        return None
    C = np.geomspace(min(computes), max(computes), BUDGETS)
    sizes = [float(size.runs[0].params_non_embedding) for size in plan.sizes]
    N = np.geomspace(sizes[0] / REACH, sizes[-1] * REACH, GRID)
    counted = N + excess[0] * N ** excess[1]
    best = np.array([list(fit.constants.values())])
    value = _slopes(best, fit.form.names, counted, N, C)
    if not np.isfinite(value[0]):
        return None
    low = high = None
    if fit.replicates is not None:
        some = fit.replicates[:: -(-len(fit.replicates) // MOST_REPLICATES)]
        spread = _slopes(some, fit.form.names, counted, N, C)
        spread = spread[np.isfinite(spread)]
        if len(spread) > 0.8 * len(some):
            ends = interval(spread[:, None], value, fit.level, fit.interval_method)
            low, high = float(ends[0][0]), float(ends[1][0])
    return Exponent(name=name, value=float(value[0]), low=low, high=high)


def _slopes(
    constants: FloatArray, names: Sequence[str], counted: FloatArray, N: FloatArray, C: FloatArray
) -> FloatArray:
    """Slope of ln N* over ln C for each row of constants, (R,); NaN where an optimum lies at the end of the grid."""
    of = dict(zip(names, constants.T, strict=True))
    logs, tokens = np.log(counted), np.log(C[:, None] / (6.0 * N))
    # the floor E is the same everywhere, so the optimum does not see it
    loss = of["A"][:, None, None] * np.exp(-of["alpha"][:, None, None] * logs) + of["B"][:, None, None] * np.exp(
        -of["beta"][:, None, None] * tokens
    )
    least = loss.argmin(axis=2)
    inside = ((least > 0) & (least < N.size - 1)).all(axis=1)
    here = np.clip(least, 1, N.size - 2)[..., None] + np.array([-1, 0, 1])
    left, mid, right = np.moveaxis(np.take_along_axis(loss, here, axis=2), 2, 0)
    step = float(np.log(N[1] / N[0]))
    bend = left - 2.0 * mid + right
    shift = np.divide(left - right, 2.0 * bend, out=np.zeros_like(bend), where=bend > 0)
    optimum = np.log(N)[here[..., 1]] + step * shift
    x = np.log(C) - np.log(C).mean()
    slopes: FloatArray = optimum @ x / (x @ x)
    return np.where(inside, slopes, np.nan)
