"""Approach 1 on planted training curves, and on curves that have no envelope."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scaling_core.errors import FitError, InputError
from scaling_core.fit.allocation.envelope import ENVELOPE_RESAMPLINGS, fit_envelope
from scaling_core.fit.points import RunPoints
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import optimal_for_compute

HOFFMANN = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
UNEQUAL = ChinchillaLaw(E=1.69, A=400.0, B=4e4, alpha=0.3, beta=0.5)
SIZES = np.geomspace(2e7, 2e10, 12)
POINTS = 60
Floats = NDArray[np.float64]


def curves(
    law: ChinchillaLaw = HOFFMANN,
    *,
    sizes: Floats = SIZES,
    longest: float = 1000.0,
    noise: float = 0.0,
    moved: float = 0.0,
    warmup: float = 0.0,
    seed: int = 0,
) -> RunPoints:
    """One run a size, from 0.5 to `longest` tokens per parameter; its loss is high by a tenth during `warmup`."""
    rng = np.random.default_rng(seed)
    N = np.repeat(sizes, POINTS)
    D = N * np.tile(np.geomspace(0.5, longest, POINTS), len(sizes))
    error = noise * rng.standard_normal(N.size) + moved * np.repeat(rng.standard_normal(len(sizes)), POINTS)
    early = longest * N * warmup > D
    loss = law.loss(N, D) * np.exp(error + 0.1 * early)
    return RunPoints.of(N=N, D=D, loss=loss, group=[f"run {n:.3g}" for n in N])


def exponent(law: ChinchillaLaw) -> float:
    return law.beta / (law.alpha + law.beta)


@pytest.mark.parametrize("law", [HOFFMANN, UNEQUAL])
@pytest.mark.parametrize("count", [8, 12, 20])
def test_the_planted_law_is_recovered(law: ChinchillaLaw, count: int) -> None:
    points = curves(law, sizes=np.geomspace(2e7, 2e10, count))
    fit = fit_envelope(points, warmup=0.0, bins=200, bootstrap=0)
    assert fit.approach == "envelope"
    assert fit.n == count
    assert fit.exponents["a"] == pytest.approx(exponent(law), abs=0.01)
    truth = optimal_for_compute(law, 1e21).N
    assert fit.optimum(1e21).N == pytest.approx(truth, rel=0.1)
    for row in fit.used:
        assert row.N is not None
        least = min(float(law.loss(N, row.C / (6 * N))) for N in np.unique(points.N))
        assert row.loss == pytest.approx(least, rel=1e-3)


def test_stretches_that_are_cut_off_are_left_out() -> None:
    """With runs of at most 60 tokens per parameter under a law that asks for more, curves end before they cross."""
    points = curves(UNEQUAL, sizes=np.geomspace(2e7, 2e10, 16), longest=300.0)
    fit = fit_envelope(points, warmup=0.0, bootstrap=0)
    left = [row for row in fit.optima if row.refused]
    assert left
    assert all("not seen whole" in str(row.refused) for row in left)
    assert "the stretch of the best size there is cut off" in " ".join(fit.warnings)
    assert fit.exponents["a"] == pytest.approx(exponent(UNEQUAL), abs=0.03)
    log_C, log_N = (np.log([getattr(row, name) for row in fit.optima]) for name in ("C", "N"))
    naive = float(np.polyfit(log_C, log_N, 1)[0])
    assert abs(fit.exponents["a"] - exponent(UNEQUAL)) < abs(naive - exponent(UNEQUAL))


def test_the_warm_up_is_left_out() -> None:
    points = curves(warmup=0.02)
    late = fit_envelope(points, warmup=0.02, bootstrap=0)
    assert late.exponents["a"] == pytest.approx(exponent(HOFFMANN), abs=0.02)
    clean = fit_envelope(curves(), warmup=0.02, bootstrap=0)
    assert late.exponents == clean.exponents
    assert fit_envelope(points, warmup=0.0, bootstrap=0).exponents != clean.exponents


def test_smoothing_takes_out_the_noise_of_single_points() -> None:
    def spread(smooth: float) -> float:
        fits = [fit_envelope(curves(noise=0.004, seed=s), warmup=0.0, smooth=smooth, bootstrap=0) for s in range(12)]
        return float(np.mean([(fit.exponents["a"] - exponent(HOFFMANN)) ** 2 for fit in fits]))

    assert spread(0.5) < 0.7 * spread(0.0)


def test_intervals_hold_the_truth() -> None:
    inside = 0
    for seed in range(40):
        fit = fit_envelope(curves(moved=0.003, seed=seed), warmup=0.0, bootstrap=150, seed=seed)
        low, high = fit.exponent_intervals["a"]
        inside += low <= exponent(HOFFMANN) <= high
    assert inside >= 36


def test_drawing_runs_gives_far_wider_intervals_than_moving_curves() -> None:
    points = curves(moved=0.002)
    moved, drawn = (
        fit_envelope(points, warmup=0.0, bootstrap=200, resampling=resampling) for resampling in ENVELOPE_RESAMPLINGS
    )
    assert (moved.resampling, drawn.resampling) == ("residual", "cluster")
    assert np.ptp(drawn.exponent_intervals["a"]) > 3 * np.ptp(moved.exponent_intervals["a"])


def test_order_does_not_matter_and_seeds_do() -> None:
    points = curves(moved=0.003)
    other = points.subset(np.random.default_rng(0).permutation(len(points)))
    one, two, three = (
        fit_envelope(each, warmup=0.0, bootstrap=60, seed=seed) for each, seed in ((points, 1), (other, 1), (points, 2))
    )
    assert one.replicates is not None
    assert two.replicates is not None
    assert three.replicates is not None
    np.testing.assert_array_equal(one.replicates, two.replicates)
    assert not np.array_equal(one.replicates, three.replicates)
    assert one.optima == two.optima


def test_points_in_the_middle_of_a_schedule_are_always_warned_of() -> None:
    fit = fit_envelope(curves(), bootstrap=0)
    assert fit.warnings[0].startswith("Points before the end of a decaying learning rate are not final losses")
    assert "reads high" in fit.warnings[0]


def test_few_sizes_are_said_and_have_no_intervals() -> None:
    fit = fit_envelope(curves(sizes=np.geomspace(2e7, 2e10, 6)), warmup=0.0, bootstrap=50)
    text = " ".join(fit.warnings)
    assert "Only 2 sizes have a whole stretch" in text
    few = fit_envelope(curves(sizes=np.geomspace(1e8, 2e9, 5)), warmup=0.0, bootstrap=50, resampling="cluster")
    assert few.replicates is None
    assert few.exponent_intervals == {}
    assert "5 runs are too few to draw from, 6 are needed" in " ".join(few.warnings)


def test_edges_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        FitError, match=r"the smallest size that reaches a compute is always best, so .* train smaller sizes"
    ):
        fit_envelope(curves(longest=2.0, sizes=np.geomspace(1e9, 1.2e9, 4)), warmup=0.0)
    with pytest.raises(
        FitError, match=r"the largest size that reaches a compute is always best, so .* train larger sizes"
    ):
        fit_envelope(curves(longest=5000.0, sizes=np.geomspace(1e7, 1.2e7, 4)), warmup=0.4)
    with pytest.raises(FitError, match="No compute is reached by 3 different sizes"):
        fit_envelope(curves(sizes=np.array([1e7, 1e8])))
    with pytest.raises(FitError, match="over a stretch that is seen whole, and a power law needs two"):
        fit_envelope(curves(sizes=np.geomspace(1e8, 9e8, 3)), warmup=0.0)


def test_rows_that_are_no_curves_are_refused() -> None:
    points = curves()
    with pytest.raises(InputError, match="group"):
        fit_envelope(RunPoints.of(N=points.N, D=points.D, loss=points.loss))
    with pytest.raises(InputError, match="a run has one size N"):
        fit_envelope(RunPoints.of(N=points.N, D=points.D, loss=points.loss, group=["one"] * len(points)))


def test_a_run_of_one_point_is_left_out() -> None:
    points = curves()
    more = RunPoints.of(
        N=[*points.N, 5e8], D=[*points.D, 5e9], loss=[*points.loss, 0.5], group=[*(points.group or ()), "single"]
    )
    fit = fit_envelope(more, bootstrap=0)
    assert "1 run was left out: fewer than two points" in " ".join(fit.warnings)
    assert fit.exponents == fit_envelope(points, bootstrap=0).exponents


@pytest.mark.parametrize(
    "options",
    [{"bins": 5}, {"bins": 10**6}, {"warmup": -0.1}, {"warmup": 1.0}, {"smooth": 1.0}, {"smooth": float("nan")},
     {"bootstrap": -1}, {"level": 0.0}, {"resampling": "pairs"}],
)  # fmt: skip
def test_unknown_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        fit_envelope(curves(), **options)


def test_the_dictionary_is_json() -> None:
    fit = fit_envelope(curves(moved=0.002), warmup=0.005, bins=40, bootstrap=50)
    read = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert (read["approach"], read["resampling"], len(read["optima"])) == ("envelope", "residual", 40)
    assert set(read["constants"]) == {"N_coefficient", "D_coefficient"}
