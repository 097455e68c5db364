"""The replication of Chinchilla's third approach, to the last digit that its source prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.problems import BESIROGLU_FILE, besiroglu_points
from scaling_core.catalog import preset
from scaling_core.fit import RunPoints, fit_law
from scaling_core.fit.objective import huber


@pytest.fixture(scope="module")
def points(shared_data: Path) -> RunPoints:
    """The 240 points of Besiroglu et al. 2024."""
    return besiroglu_points(shared_data / BESIROGLU_FILE.name)


def test_the_exact_huber_optimum(points: RunPoints) -> None:
    result = fit_law(points)
    assert result.n == 240
    assert result.converged
    assert result.value <= 0.00101827403
    for name, value, digits in (
        ("A", 477.826, 5e-4),
        ("B", 2143.417, 5e-4),
        ("E", 1.81722, 5e-6),
        ("alpha", 0.347310, 5e-7),
        ("beta", 0.367172, 5e-7),
    ):
        assert result.constants[name] == pytest.approx(value, abs=digits * 1.1)


def test_no_independent_optimiser_finds_a_lower_value(points: RunPoints) -> None:
    """SciPy's simplex from the published constants, on the objective written out again."""

    def objective(theta: np.ndarray) -> float:
        a, b, e, alpha, beta = theta
        log_hat = np.logaddexp(np.logaddexp(a - alpha * np.log(points.N), b - beta * np.log(points.D)), e)
        return float(1e3 * huber(log_hat - np.log(points.loss), 1e-3).sum())

    start = np.array([np.log(482.006), np.log(2085.43), 0.59711196, 0.34781, 0.36585])
    found = minimize(objective, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-13})
    assert objective(start) == pytest.approx(1.0186, abs=2e-3)
    assert fit_law(points).value <= found.fun / 1e3 + 1e-12


def test_bootstrap_spread_agrees_with_the_published_standard_errors(points: RunPoints) -> None:
    """Besiroglu et al. 2024, table 1: E 0.0257, A 124.5, B 1293.3, alpha 0.0154, beta 0.0206; a = 0.513 (0.020)."""
    result = fit_law(points, bootstrap=2000, seed=0)
    assert result.resampling == "pairs"
    assert result.replicates is not None
    spread = dict(zip(result.constants, result.replicates.std(axis=0), strict=True))
    for name, published in (("E", 0.0257), ("A", 124.5), ("B", 1293.3), ("alpha", 0.0154), ("beta", 0.0206)):
        assert spread[name] == pytest.approx(published, rel=0.25)
    assert result.exponents["a"] == pytest.approx(0.513, abs=0.005)
    low, high = result.exponent_intervals["a"]
    assert low < 0.513 < high
    assert high - low == pytest.approx(4 * 0.02, rel=0.25)


def test_the_refits_that_come_with_the_law_are_those_of_this_fit(points: RunPoints) -> None:
    """`data/refits_besiroglu2024.csv` is 500 refits with seed 0, to the digits that are kept."""
    made = fit_law(points, bootstrap=500, seed=0)
    for id in ("besiroglu2024", "besiroglu2024-exact"):
        kept = preset(id)
        assert list(kept.law.constants) == list(made.constants)
        assert kept.replicates is not None
        assert made.replicates is not None
        assert kept.level == made.level == 0.95
        np.testing.assert_allclose(kept.replicates, made.replicates, rtol=1e-5)
