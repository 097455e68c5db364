"""The shapes that a trunk may follow: L(t) = E + B phi(t), linear in E and B once the shape phi is chosen.

    power        phi = (t + t0)^-beta                the usual law of a learning curve
    annealing    the same of S1, the area under the rate in units of its peak, instead of t: Tissue et al. 2024
                 (arXiv 2408.11029), L = L0 + A S1^-alpha - C S2; on a trunk S1 is t less half the warm-up
    no floor     power with E = 0: falls for ever
    logarithm    phi = -log(t + t0): falls for ever, and faster
    exponential  phi = exp(-(t / tau)^gamma): levels off first

Between the last two lies whatever a curve may do next; an ensemble that holds both says how little it knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import FloatArray, IndexArray
from scaling_core.curves.curve import Schedule

FAMILIES = ("power", "annealing", "no floor", "logarithm", "exponential")
EXPONENTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3)
OFFSETS = (0.0, 0.05, 0.2, 0.5)
"""t0 in units of the tokens seen."""
SPANS = (0.03, 0.1, 0.3, 0.6, 1.2, 2.5)
"""tau in units of the tokens seen."""
STRETCHES = (0.35, 0.6, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shapes:
    """Every shape at once. family: its number in FAMILIES, shape (G,). at: phi at each time asked for, shape (G, m).

    floor: mean and standard deviation of what is believed of E before the curve is seen, in units of the lowest loss
    seen, shape (G, 2).
    """

    family: IndexArray
    at: FloatArray
    floor: FloatArray


def shapes(times: FloatArray, annealed: FloatArray, first: int, last: int) -> Shapes:
    """phi at `times` (m,), scaled to 1 at the first point fitted.

    annealed: S1 at the same moments, (m,). first, last: places of the first and the last point fitted.
    """
    seen = times[last]
    times, annealed = (np.maximum(clock, 1e-3 * clock[first]) for clock in (times, annealed))
    rows: list[FloatArray] = []
    family: list[int] = []
    floor: list[tuple[float, float]] = []

    def add(name: str, phi: FloatArray, mean: float, sd: float) -> None:
        family.append(FAMILIES.index(name))
        rows.append(phi)
        floor.append((mean, sd))

    for offset in OFFSETS:
        shifted, forward = times + offset * seen, annealed + offset * seen
        for beta in EXPONENTS:
            add("power", (shifted / shifted[first]) ** -beta, 0.5, 0.5)
            add("annealing", (forward / forward[first]) ** -beta, 0.5, 0.5)
            add("no floor", (shifted / shifted[first]) ** -beta, 0.0, 1e-6)
        add("logarithm", 1.0 - np.log(shifted / shifted[first]) / np.log(shifted[last] / shifted[first]), 1.0, 0.5)
    for span in SPANS:
        for gamma in STRETCHES:
            power = (times / (span * seen)) ** gamma
            add("exponential", np.exp(power[first] - power), 0.7, 0.4)
    return Shapes(family=np.array(family, dtype=np.intp), at=np.stack(rows), floor=np.array(floor))


def annealing_shares(shares: FloatArray, memory: float, *, points: int = 400) -> FloatArray:
    """S2 of a 1 - sqrt cooldown at the share of it that is done, over its value at the end: 0 to 1, shape of `shares`.

    S2(s) = sum_i sum_k (rate_{k-1} - rate_k) lambda^(i - k), Tissue et al. 2024, section 3; `memory` is the span
    -1 / log lambda in units of the cooldown. A short one gives 1 - rate / peak, what Luo et al. 2025 (arXiv 2503.12811)
    build on.
    """
    grid = np.linspace(0.0, 1.0, points + 1)
    fallen = np.diff(np.sqrt(grid))
    momentum, keep, area = 0.0, float(np.exp(-1.0 / (memory * points))), np.zeros(points + 1)
    for i in range(points):
        momentum = momentum * keep + fallen[i]
        area[i + 1] = area[i] + momentum
    return np.asarray(np.interp(shares, grid, area / area[-1]))


def annealed_tokens(tokens: FloatArray, *, warmup: float, schedule: Schedule) -> FloatArray:
    """S1 over the peak rate, in tokens: the area under linear warm-up, constant rate and the 1 - sqrt cooldown.

    tokens: moments after the warm-up on the run's own path, any shape.
    """
    span = schedule.final_tokens - schedule.decay_from
    done = schedule.share(tokens)
    return np.asarray(np.minimum(tokens, schedule.decay_from) - warmup / 2.0 + span * (done - 2.0 / 3.0 * done**1.5))
