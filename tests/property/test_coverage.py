"""The interval that a person gets without choosing: how often it covers what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.arrays import FloatArray
from scaling_core.fit import RunPoints, fit_law, interval
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import exponents, optimal_for_compute

STUDIES = 1000
REPLICATES = 300
PLANTED = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
SIZES, HORIZONS = np.meshgrid(np.geomspace(5e7, 1e10, 6), np.geomspace(5.0, 80.0, 5), indexing="ij")
N, D = SIZES.ravel(), (SIZES * HORIZONS).ravel()
BUDGET = 1e23


def log_optimal_params(constants: FloatArray) -> FloatArray:
    """ln N* at the budget for constants (R, 5), from the closed form written out."""
    _, A, B, alpha, beta = constants.T
    return np.asarray((np.log(alpha * A / (beta * B)) + beta * np.log(BUDGET / 6.0)) / (alpha + beta))


@pytest.mark.slow
def test_default_intervals_of_small_studies_cover_the_truth() -> None:
    """1,000 studies of 30 runs, 6 sizes by 5 horizons, with log noise 0.005: each constant, a, b and N*, in 92-97%.

    A binomial share of 95% has a standard deviation of 0.7 points here.
    """
    names = [*PLANTED.constants, "a", "b", "N*"]
    truth_N = np.log(optimal_for_compute(PLANTED, BUDGET).N)
    truth = dict(zip(names, [*PLANTED.constants.values(), *exponents(PLANTED), truth_N], strict=True))
    hits = dict.fromkeys(names, 0)
    for study in range(STUDIES):
        noise = 0.005 * np.random.default_rng((7, study)).standard_normal(N.size)
        runs = RunPoints.of(N=N, D=D, loss=PLANTED.loss(N, D) * np.exp(noise))
        result = fit_law(runs, bootstrap=REPLICATES, seed=study)
        assert result.replicates is not None
        inside = {**result.intervals, **result.exponent_intervals}
        estimate = log_optimal_params(np.array([list(result.constants.values())]))
        low, high = interval(log_optimal_params(result.replicates)[:, None], estimate, 0.95)
        inside["N*"] = (float(low[0]), float(high[0]))
        for name in names:
            hits[name] += inside[name][0] <= truth[name] <= inside[name][1]
    shares = {name: count / STUDIES for name, count in hits.items()}
    assert all(0.92 <= share <= 0.97 for share in shares.values()), shares
