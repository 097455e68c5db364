"""How far the published laws agree: each of them on one question, and what following one costs where another holds.

A law's advice for a budget is its own optimum. Under another law that model is not the best for the compute: it ends at
a higher loss, which only more compute makes good. Both are said in numbers for every pair of laws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Preset
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.language import t
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum import Allocation, judge, optimal_for_compute
from scaling_core.optimum.core import LOG_6, Core, core_of, increasing_root, log_positive
from scaling_core.planning.budget import Machine
from scaling_core.planning.evidence import Extrapolation, Interval, extrapolation, refits_of
from scaling_core.units import MAXIMUM


@dataclass(frozen=True, kw_only=True, slots=True)
class LawAnswer:
    """What one law says of the question, its N counted as `preset.convention` says.

    loss, loss_interval: of the chosen model, nats per token; None where only a compute was given, the interval also
    without refits. optimum: the law's own for the compute, N_interval and D_interval of it; None where the law has
    none, and then `problem` says why. chosen, best: how far the chosen model (None without one) and the law's own
    optimum lie beyond the runs behind the law.
    """

    preset: Preset
    loss: float | None
    loss_interval: Interval | None
    optimum: Allocation | None
    N_interval: Interval | None
    D_interval: Interval | None
    chosen: Extrapolation | None
    best: Extrapolation | None
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """What it costs to follow the allocation of one law where another one holds.

    under: id of the law that holds. following: id of the law whose optimum for C is trained, N parameters on D tokens.
    loss: under the law that holds, nats per token. excess_loss: over that law's own optimum. wasted: FLOP of C that its
    optimum would not have needed for this loss, wasted_share of C. extra_compute: FLOP beyond C that make good the
    excess, if the training keeps to the other law's allocations; None where more than 1e40 FLOP would not. extra_usd:
    their rent, None without a machine and its price.
    """

    under: str
    following: str
    N: float
    D: float
    loss: float
    excess_loss: float
    wasted: float
    wasted_share: float
    extra_compute: float | None
    extra_usd: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Every law on one question, and the matrix of what following each of them costs under each of them.

    C: the compute, FLOP. N, D: the chosen model, None where only a compute was given. answers: a row a law, in the
    order given. matrix: row i under law i, column j following law j; None where either has no optimum for C.
    """

    C: float
    N: float | None
    D: float | None
    answers: tuple[LawAnswer, ...]
    matrix: tuple[tuple[Followed | None, ...], ...]

    def cell(self, *, under: str, following: str) -> Followed | None:
        """The cell of two laws by id; raises InputError that lists the laws there are."""
        ids = [answer.preset.id for answer in self.answers]
        for id in (under, following):
            if id not in ids:
                raise InputError(t("law"), id, t("it must be one of {names}", names=", ".join(ids)))
        return self.matrix[ids.index(under)][ids.index(following)]


def trust(
    laws: Sequence[Preset],
    *,
    N: float | None = None,
    D: float | None = None,
    C: float | None = None,
    machine: Machine | None = None,
) -> Trust:
    """Ask every law: of a model of N parameters on D tokens, or of the best one for C FLOP.

    laws: in N and D, such as `catalog.presets()`. machine: for the rent of the extra compute. A law that has no optimum
    for the compute (it lies below one parameter or token, say) keeps its row and says why. Raises InputError unless
    either C, or both N and D are given, positive and finite, and on a law in one variable.
    """
    if (N is None) != (D is None) or (N is None) == (C is None):
        raise InputError(t("model"), t("nothing"), t("give both a size and tokens, or a compute alone"))
    for name, value in (("params", N), ("tokens", D), ("compute", C)):
        if value is not None:
            log_positive(name, value)
    spent = training_flops(N, D) if N is not None and D is not None else C
    assert spent is not None
    answers = tuple(_answer(law, N, D, spent) for law in laws)
    matrix = tuple(_row(here, answers, spent, machine) for here in answers)
    return Trust(C=spent, N=N, D=D, answers=answers, matrix=matrix)


def _answer(preset: Preset, N: float | None, D: float | None, C: float) -> LawAnswer:
    law, refits = preset.joint, refits_of(preset)
    optimum, problem = None, ""
    try:
        optimum = optimal_for_compute(law, C)
    except InputError as error:
        problem = error.args[0]
    best = refits.of_optimum(C) if refits and optimum else None
    loss, interval, chosen = None, None, None
    if N is not None and D is not None:
        loss, chosen = float(law.loss(N, D)), extrapolation(preset, N, D)
        losses = refits.of_losses(np.array([N]), np.array([D])) if refits else None
        interval = losses[0] if losses else None
    return LawAnswer(
        preset=preset,
        loss=loss,
        loss_interval=interval,
        optimum=optimum,
        N_interval=best[0] if best else None,
        D_interval=best[1] if best else None,
        chosen=chosen,
        best=extrapolation(preset, optimum.N, optimum.D, C) if optimum else None,
        problem=problem,
    )


def _row(
    here: LawAnswer, answers: Sequence[LawAnswer], C: float, machine: Machine | None
) -> tuple[Followed | None, ...]:
    """What following each law costs under the law of `here`."""
    if here.optimum is None:
        return (None,) * len(answers)
    law = here.preset.joint
    extras = _extra_compute(law, [core_of(there.preset.joint) for there in answers], C)
    return tuple(_followed(here, there, C, extra, machine) for there, extra in zip(answers, extras, strict=True))


def _followed(
    here: LawAnswer, there: LawAnswer, C: float, extra: float | None, machine: Machine | None
) -> Followed | None:
    """The allocation of `there` under the law of `here`; extra: FLOP that make it good."""
    model = there.optimum
    if model is None:
        return None
    verdict = judge(here.preset.joint, model.N, model.D)
    same = here is there
    wasted = 0.0 if same else min(C, verdict.compute_left)
    if same:
        extra = 0.0
    return Followed(
        under=here.preset.id,
        following=there.preset.id,
        N=model.N,
        D=model.D,
        loss=verdict.loss,
        excess_loss=0.0 if same else verdict.loss_gap,
        wasted=wasted,
        wasted_share=wasted / C,
        extra_compute=extra,
        extra_usd=None if machine is None or extra is None else machine.usd(extra) if extra > 0 else _free(machine),
    )


def _free(machine: Machine) -> float | None:
    """The rent of nothing; None without a price."""
    return None if machine.price is None else 0.0


def _extra_compute(law: Law, paths: Sequence[Core], C: float) -> list[float | None]:
    """FLOP beyond C with which the allocations of each path reach the loss of the law's own optimum at C.

    ln s of the law falls along a path, on which size and tokens both grow with compute, and nearly as a line in ln C,
    so that Newton's steps find the root. None beyond units.MAXIMUM.
    """
    core, start, end = core_of(law), math.log(C) - LOG_6, math.log(MAXIMUM) - LOG_6
    target = float(core.log_s_best(start))
    log_G, a, b = (np.array([float(getattr(path, name)) for path in paths]) for name in ("log_G", "a", "b"))

    def gained(log_x: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_N, log_D = log_G + a * log_x, b * log_x - log_G
        if isinstance(law, MuennighoffLaw):
            n, d = law.effective(np.exp(log_N), np.exp(log_D))
            log_N, log_D = np.log(n), np.log(d)
        log_s = core.log_s(log_N, log_D)
        share = np.exp(core.log_A - core.alpha * log_N - log_s)
        return target - log_s, np.asarray(share * core.alpha * a + (1.0 - share) * core.beta * b)

    low, high = np.full(len(paths), start), np.full(len(paths), end)
    reached = gained(high)[0] >= 0.0
    roots = increasing_root(gained, low, np.where(reached, high, low))
    extra = C * np.expm1(np.maximum(roots, start) - start)
    return [float(x) if there else None for x, there in zip(extra, reached, strict=True)]
