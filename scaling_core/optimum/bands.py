"""What the uncertainty of a law's constants does to its optimum: bands from the replicates of a bootstrap.

Every replicate is a law of the same form; N*, D* and the loss of each at every budget come from the closed form in one
sweep of arrays, in logarithms. Percentiles make the interval unless the fit's own method is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.language import t
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum.core import LOG_6, LOG_MAX, Core, core_from, named

Interval: TypeAlias = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
"""(replicates (R, m), estimate (m,)) to (low, high), (m,) each; the level is the method's own matter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Lower end, middle and upper end of one quantity, arrays of one shape."""

    low: FloatArray
    median: FloatArray
    high: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """The optimum along budgets with its uncertainty; every array of the shape (m,) of C.

    C: FLOP. N, D: parameters and tokens. tokens_per_param: D / N. loss: nats per token. level: of the intervals.
    replicates: how many had an optimum. undefined: how many had none and are left out.
    """

    C: FloatArray
    N: Spread
    D: Spread
    tokens_per_param: Spread
    loss: Spread
    level: float
    replicates: int
    undefined: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExponentBand:
    """The exponents of N* ~ C^a and D* ~ C^b, each (low, median, high), with the counts of `Band`."""

    a: tuple[float, float, float]
    b: tuple[float, float, float]
    level: float
    replicates: int
    undefined: int


def optimum_band(
    form: str,
    constants: FloatArray,
    C: FloatArray,
    *,
    estimate: FloatArray | None = None,
    level: float = 0.95,
    interval: Interval | None = None,
) -> Band:
    """Intervals of N*, D*, D*/N* and of the loss at each budget.

    form: chinchilla, gadre, kaplan or muennighoff (new data throughout). constants: (R, p) replicates in the order of
    the law's `constants`. C: (m,) budgets in FLOP. estimate: (p,) the constants that were fitted, for methods that
    need them; the replicates' median elsewhere. level: of the percentile interval.
    interval: a method in its place. It is given the logarithms of N*, D*, D*/N* and loss, one after the other as
    columns (4 m), and its ends are taken back by exp; the estimate itself may lie outside of them.

    A replicate that has no optimum (a term is missing, or an exponent is zero) is left out and counted; one that
    sends N* or D* beyond any number takes part as an extreme, at exp(690). Raises InputError on a wrong shape,
    level or budget, and FitError where no replicate has an optimum.
    """
    budgets = np.asarray(C, dtype=np.float64)
    if budgets.ndim != 1 or not np.all((budgets > 0) & np.isfinite(budgets)):
        raise InputError(named("compute"), budgets.tolist(), t("it must be a list of positive finite budgets"))
    log_x = np.log(budgets) - LOG_6
    logs, undefined = _kept(_logs(_rows(form, constants), log_x))
    point = None if estimate is None else _kept(_logs(_rows(form, np.atleast_2d(estimate)), log_x))[0][0]
    low, median, high = _ends(logs, point, level, interval)
    spreads = [
        Spread(low=np.exp(low[k]), median=np.exp(median[k]), high=np.exp(high[k]))
        for k in np.arange(4 * len(budgets)).reshape(4, -1)
    ]
    return Band(
        C=budgets,
        N=spreads[0],
        D=spreads[1],
        tokens_per_param=spreads[2],
        loss=spreads[3],
        level=level,
        replicates=len(logs),
        undefined=undefined,
    )


def best_sizes(form: str, constants: FloatArray, C: float) -> FloatArray:
    """N* at C FLOP of each of (R, p) replicates that has an optimum; the rest as in `optimum_band`."""
    logs, _ = _kept(_logs(_rows(form, constants), np.array([np.log(C) - LOG_6])))
    return np.asarray(np.exp(logs[:, 0]))


def loss_band(
    form: str,
    constants: FloatArray,
    N: FloatArray,
    D: FloatArray,
    *,
    estimate: FloatArray | None = None,
    level: float = 0.95,
    interval: Interval | None = None,
) -> Spread:
    """Intervals of the loss of models of N parameters and D tokens, each (m,); the rest as in `optimum_band`.

    The method is given the logarithms of the losses. Raises InputError on a wrong shape or level, and FitError where
    no replicate gives every model a loss.
    """
    sizes, tokens = np.broadcast_arrays(np.asarray(N, dtype=np.float64), np.asarray(D, dtype=np.float64))
    rows, _ = _kept(_log_losses(form, constants, sizes, tokens))
    point = None if estimate is None else _log_losses(form, np.atleast_2d(estimate), sizes, tokens)[0]
    low, median, high = (np.exp(end) for end in _ends(rows, point, level, interval))
    return Spread(low=low, median=median, high=high)


def exponent_band(
    form: str,
    constants: FloatArray,
    *,
    estimate: FloatArray | None = None,
    level: float = 0.95,
    interval: Interval | None = None,
) -> ExponentBand:
    """Intervals of a = beta/(alpha+beta) and b = alpha/(alpha+beta); arguments and errors as in `optimum_band`.

    The method is given a and b as they are, as two columns.
    """
    rows, undefined = _kept(_exponents(_rows(form, constants)))
    point = None if estimate is None else _kept(_exponents(_rows(form, np.atleast_2d(estimate))))[0][0]
    low, median, high = _ends(rows, point, level, interval)
    a, b = ((float(low[k]), float(median[k]), float(high[k])) for k in (0, 1))
    return ExponentBand(a=a, b=b, level=level, replicates=len(rows), undefined=undefined)


def _rows(form: str, constants: FloatArray) -> Core:
    """The core of (R, p) constants, fields (R, 1)."""
    rows = np.asarray(constants, dtype=np.float64)
    wanted = {"chinchilla": 5, "kaplan": 4, "gadre": 4, "muennighoff": 7}.get(form)
    if wanted is not None and (rows.ndim != 2 or rows.shape[1] != wanted or len(rows) == 0):
        raise InputError(
            "constants",
            rows.shape,
            t("the {form} form takes replicates of shape (R, {wanted})", form=form, wanted=wanted),
        )
    return core_from(form, rows[:, None, :])


def _logs(core: Core, log_x: FloatArray) -> FloatArray:
    """ln of N*, D*, D*/N* and loss side by side, (R, 4 m), for ln(C/6) of shape (m,); NaN where there is no optimum."""
    with np.errstate(all="ignore"):
        log_N, log_D = core.best(log_x)
        log_rest = core.power * core.log_s_best(log_x)
        log_loss = np.logaddexp(np.log(core.floor), log_rest)
        rows = np.concatenate([log_N, log_D, log_D - log_N, log_loss], axis=1)
    return np.asarray(np.clip(rows, -LOG_MAX, LOG_MAX))


def _log_losses(form: str, constants: FloatArray, N: FloatArray, D: FloatArray) -> FloatArray:
    """ln L of (m,) models under each of (R, p) replicates, (R, m); NaN where it is no number.

    Only Muennighoff's form is more than its core away from the optimum: there a size beyond what the tokens call for
    counts for less.
    """
    core = _rows(form, constants)
    with np.errstate(all="ignore"):
        if form == "muennighoff":
            return np.log(np.stack([_repeated(row, N, D) for row in np.asarray(constants, dtype=np.float64).tolist()]))
        log_s = np.logaddexp(core.log_A - core.alpha * np.log(N), core.log_B - core.beta * np.log(D))
        rows = np.logaddexp(np.log(core.floor), core.power * log_s)
    return np.asarray(np.where(np.isfinite(rows), rows, np.nan))


def _repeated(row: list[float], N: FloatArray, D: FloatArray) -> FloatArray:
    """Losses under Muennighoff's form, (m,); NaN where the constants are none of such a law."""
    E, A, B, alpha, beta, R_N_star, R_D_star = row
    try:
        law = MuennighoffLaw(E=E, A=A, B=B, alpha=alpha, beta=beta, R_N_star=R_N_star, R_D_star=R_D_star)
    except InputError:
        return np.full(N.shape, np.nan)
    return np.asarray(law.loss(N, D))


def _exponents(core: Core) -> FloatArray:
    """a and b, (R, 2); NaN where both exponents are zero."""
    with np.errstate(all="ignore"):
        return np.concatenate([core.a, core.b], axis=1)


def _kept(rows: FloatArray) -> tuple[FloatArray, int]:
    """The rows without NaN, and how many had one; raises FitError where none is left."""
    good = ~np.isnan(rows).any(axis=1)
    if not good.any():
        raise FitError(
            t("None of {n} sets of constants has a compute optimum: a term or an exponent is zero.", n=len(rows))
        )
    return rows[good], int(len(rows) - good.sum())


def _ends(
    rows: FloatArray, estimate: FloatArray | None, level: float, interval: Interval | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(low, median, high), each (m,)."""
    if not 0.0 < level < 1.0:
        raise InputError("level", level, t("it must lie between 0 and 1"))
    low, median, high = np.quantile(rows, [0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level], axis=0)
    if interval is not None:
        low, high = interval(rows, median if estimate is None else np.asarray(estimate))
    return np.asarray(low), np.asarray(median), np.asarray(high)
