"""Approach 2 on planted laws, against independent solvers, and on runs that cannot carry it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator
from scipy.optimize import minimize, nnls

from scaling_core.errors import FitError, InputError
from scaling_core.fit.allocation.budgets import find_budgets, tabulate
from scaling_core.fit.allocation.curves import METHODS, Method, curves_of, neighbour_scatter
from scaling_core.fit.allocation.isoflop import ISOFLOP_RESAMPLINGS, fit_isoflop
from scaling_core.fit.allocation.minima import parabola, spline
from scaling_core.fit.allocation.profile import best
from scaling_core.fit.allocation.record import AllocationFit
from scaling_core.fit.points import RunPoints
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import optimal_for_compute

HOFFMANN = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
UNEQUAL = ChinchillaLaw(E=1.69, A=400.0, B=4e4, alpha=0.3, beta=0.5)
EQUAL = ChinchillaLaw(E=1.8, A=400.0, B=900.0, alpha=0.35, beta=0.35)
BUDGETS = np.geomspace(1e18, 1e21, 6)
Floats = NDArray[np.float64]


def runs(
    law: ChinchillaLaw = HOFFMANN,
    *,
    half: float = 5.0,
    off: float = 1.0,
    drift: float = 1.0,
    sizes: int = 7,
    budgets: Sequence[float] | Floats = BUDGETS,
    noise: float = 0.0,
    seed: int = 0,
    **columns: Any,
) -> RunPoints:
    """Sizes up to a factor `half` around `off` times the optimum, which grows by `drift` from the first to the last."""
    centre = np.array([optimal_for_compute(law, float(C)).N for C in budgets])
    centre *= off * np.geomspace(drift**-0.5, drift**0.5, len(centre))
    N = (centre[:, None] * np.geomspace(1 / half, half, sizes)).ravel()
    D = np.repeat(budgets, sizes) / (6.0 * N)
    loss = law.loss(N, D) * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size))
    return RunPoints.of(N=N, D=D, loss=loss, **columns)


def shuffled(points: RunPoints, seed: int = 3) -> RunPoints:
    return points.subset(np.random.default_rng(seed).permutation(len(points)))


def exponent(law: ChinchillaLaw) -> float:
    return law.beta / (law.alpha + law.beta)


def off_by(law: ChinchillaLaw, fit: AllocationFit, C: float = 1e22) -> float:
    """ln of N* over the truth at C."""
    return float(np.log(fit.optimum(C).N / optimal_for_compute(law, C).N))


# planted laws


@pytest.mark.parametrize("law", [HOFFMANN, UNEQUAL, EQUAL])
@pytest.mark.parametrize("design", [{}, {"half": 3.0}, {"half": 10.0, "off": 3.0}, {"half": 8.0, "drift": 9.0}])
def test_a_profile_recovers_any_law_from_any_sizes(law: ChinchillaLaw, design: dict[str, float]) -> None:
    fit = fit_isoflop(runs(law, **design), bootstrap=0)  # type: ignore[arg-type]  # floats by name
    assert fit.method == "profile"
    assert fit.exponents["a"] == pytest.approx(exponent(law), abs=1e-7)
    assert fit.exponents["b"] == pytest.approx(1.0 - exponent(law), abs=1e-7)
    assert off_by(law, fit) == pytest.approx(0.0, abs=1e-5)
    assert fit.constants["alpha"] == pytest.approx(law.alpha, rel=1e-3)
    assert fit.constants["beta"] == pytest.approx(law.beta, rel=1e-3)
    for row in fit.used:
        truth = optimal_for_compute(law, row.C)
        assert (row.N, row.D, row.loss) == pytest.approx((truth.N, truth.D, truth.loss), rel=1e-6)


def test_a_profile_honours_runs_that_miss_their_budget() -> None:
    exact = runs(UNEQUAL)
    D = exact.D * np.exp(0.04 * np.random.default_rng(1).standard_normal(len(exact)))
    fit = fit_isoflop(RunPoints.of(N=exact.N, D=D, loss=UNEQUAL.loss(exact.N, D)), bootstrap=0)
    assert len(fit.used) == len(BUDGETS)
    for row in fit.used:
        assert row.N == pytest.approx(optimal_for_compute(UNEQUAL, row.C).N, rel=1e-5)


def test_the_parabola_is_exact_where_both_sides_are_alike() -> None:
    """alpha = beta and sizes centred on the optimum: the curve is even in ln N, though no parabola."""
    fit = fit_isoflop(runs(EQUAL, half=8.0), method="parabola", bootstrap=0)
    assert fit.exponents["a"] == pytest.approx(0.5, abs=1e-3)
    assert off_by(EQUAL, fit) == pytest.approx(0.0, abs=2e-3)


def test_the_parabola_is_biased_elsewhere_and_the_profile_is_not() -> None:
    """Its vertex lies towards the flatter side, below the optimum where alpha < beta; a drift reaches the exponent."""
    centred, drifting = runs(UNEQUAL, half=8.0), runs(UNEQUAL, half=8.0, drift=9.0)
    shift = off_by(UNEQUAL, fit_isoflop(centred, method="parabola", bootstrap=0))
    assert -0.15 < shift < -0.08
    error = fit_isoflop(drifting, method="parabola", bootstrap=0).exponents["a"] - exponent(UNEQUAL)
    assert 0.005 < error < 0.02
    for points in (centred, drifting):
        fit = fit_isoflop(points, bootstrap=0)
        assert abs(off_by(UNEQUAL, fit)) < 1e-5
        assert abs(fit.exponents["a"] - exponent(UNEQUAL)) < 1e-7


def test_interpolation_needs_no_law() -> None:
    """A loss that is no power law in N or D, with its minimum at N = C^0.6 / 1e3."""
    N = np.concatenate([C**0.6 / 1e3 * np.geomspace(0.2, 5, 11) for C in BUDGETS])
    D = np.repeat(BUDGETS, 11) / (6 * N)
    x = np.log(N) - np.log(6 * N * D) * 0.6 + np.log(1e3)
    points = RunPoints.of(N=N, D=D, loss=3.0 - np.exp(-(x**2)) + 0.1 * np.abs(x) ** 3)
    fit = fit_isoflop(points, method="interpolate", bootstrap=0)
    assert fit.exponents["a"] == pytest.approx(0.6, abs=1e-6)
    assert fit.constants["N_coefficient"] == pytest.approx(1e-3, rel=1e-3)
    assert fit.constants["D_coefficient"] == pytest.approx(1e3 / 6, rel=1e-3)


# against independent solvers


def test_no_other_solver_finds_a_better_profile() -> None:
    points = runs(UNEQUAL, noise=0.004, sizes=8)
    table, _ = tabulate(points, find_budgets(points)[0], None)
    w = table.weight / table.loss**2
    fit = best(table.x, table.z, table.loss[None], w[None])

    def value(theta: Floats) -> float:
        alpha, beta = np.exp(theta)
        total = 0.0
        for x, loss in zip(table.x, table.loss, strict=True):
            columns = np.stack([np.ones_like(x), np.exp(-alpha * x), np.exp(beta * x)], axis=1) / loss[:, None]
            total += nnls(columns, np.ones_like(x))[1] ** 2
        return float(total)

    assert value(np.log(fit.exponents[0])) == pytest.approx(float(fit.value[0]), rel=1e-9)
    for start in ([0.1, 0.1], [0.3, 0.5], [1.0, 0.2], [0.2, 1.5]):
        found = minimize(value, np.log(start), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-14})
        assert float(fit.value[0]) <= found.fun * (1 + 1e-7)


def test_a_profile_keeps_its_terms_non_negative() -> None:
    """Curves with more bend than a law with E >= 0 can have: the least squares solution has E < 0."""
    x = np.linspace(-1.0, 1.0, 7)[None]
    loss = 1.0 + 0.8 * x**2
    fit = best(x, x, loss[None], np.ones((1, 1, 7)))
    alpha, beta = fit.exponents[0]
    c = fit.c[0, 0]
    assert c[0] - c[2] / (alpha * beta) >= -1e-9
    assert min(c[2] - alpha * c[1], c[2] + beta * c[1]) >= 0
    assert fit.value[0] < 1e-3


def test_the_vertex_equals_that_of_polyfit() -> None:
    x = np.linspace(-1.2, 0.9, 6)
    y = 2.0 + 0.3 * (x - 0.2) ** 2 + 0.05 * np.random.default_rng(0).standard_normal(6)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 6)
    minima, c = parabola(x[None], y[None, None], w[None, None])
    expected = np.polyfit(x, y, 2, w=np.sqrt(w))
    np.testing.assert_allclose(c[0, 0], expected[::-1], rtol=1e-9)
    assert minima.x[0, 0] == pytest.approx(-expected[1] / (2 * expected[0]))
    assert minima.loss[0, 0] == pytest.approx(np.polyval(expected, minima.x[0, 0]))


def test_the_spline_is_that_of_scipy() -> None:
    rng, checked = np.random.default_rng(4), 0
    for _ in range(100):
        n = int(rng.integers(4, 12))
        x, y, w = np.zeros((1, 14)), np.ones((1, 1, 14)), np.zeros((1, 1, 14))
        x[0, :n] = np.sort(rng.uniform(0.0, 3.0, n))
        y[0, 0, :n] = (x[0, :n] - 1.5) ** 2 + 0.2 * rng.standard_normal(n)
        w[0, 0, :n] = 1.0
        minima = spline(x, y, w)
        if minima.found[0, 0]:
            theirs = Akima1DInterpolator(x[0, :n], y[0, 0, :n])
            assert float(theirs(minima.x[0, 0])) == pytest.approx(minima.loss[0, 0], abs=1e-12)
            assert minima.loss[0, 0] <= theirs(np.linspace(x[0, 0], x[0, n - 1], 5001)).min() + 1e-12
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("method", METHODS)
def test_the_curves_pass_where_their_minima_are(method: Method) -> None:
    points = runs(noise=0.001)
    table, _ = tabulate(points, find_budgets(points)[0], None)
    curves = curves_of(method, table)
    minima = curves.minima(table.loss[None], np.ones((1, 1, 1)))
    at = minima.x[0][:, None] + np.array([-1e-3, 0.0, 1e-3])
    values = curves.at(at, at)
    np.testing.assert_allclose(values[:, 1], minima.loss[0], rtol=1e-9)
    assert (values[:, 1:2] <= values).all()
    fit = fit_isoflop(points, method=method, bootstrap=0)
    for row in fit.used:
        assert row.curve is not None
        assert row.curve[1].min() == pytest.approx(row.loss, rel=1e-3)


# budgets


def test_budgets_are_found_from_compute() -> None:
    points = shuffled(runs())
    groups, sentences = find_budgets(points)
    assert [len(group) for group in groups] == [7] * 6
    np.testing.assert_allclose([points.C[group].mean() for group in groups], BUDGETS, rtol=1e-9)
    assert sentences == ("6 budgets were found from C = 6 N D.",)


def test_groups_are_budgets_where_their_compute_agrees() -> None:
    labels = [f"b{i}" for i in np.repeat(np.arange(6), 7)]
    points = runs(group=labels)
    off = replace(points, D=points.D * np.exp(0.1 * np.sin(np.arange(len(points)))))
    groups, sentences = find_budgets(off)
    assert [sorted({off.group[i] for i in group}) for group in groups if off.group] == [[f"b{i}"] for i in range(6)]
    assert sentences == ("6 budgets were read from the runs' groups.",)
    by_run = replace(points, group=tuple(f"size {i}" for i in np.tile(np.arange(7), 6)))
    groups, sentences = find_budgets(by_run)
    assert len(groups) == 6
    assert "set aside" in sentences[0]


def test_given_budgets_take_the_runs_near_them() -> None:
    points = runs()
    fit = fit_isoflop(points, budgets=BUDGETS[1:5] * 1.1, bootstrap=0)
    assert len(fit.used) == 4
    assert fit.n == 28
    assert "14 of 42 runs belong to none of them" in fit.warnings[0]
    for given in ([], [0.0], [float("nan"), 1e18], [-1e18]):
        with pytest.raises(InputError, match="budgets"):
            fit_isoflop(points, budgets=given)


def test_runs_without_gaps_in_compute_are_no_budgets() -> None:
    points = runs(budgets=np.geomspace(1e18, 4e18, 12), sizes=5)
    with pytest.raises(FitError, match=r"Its runs spread from 1e18 FLOP to 4e18 FLOP without a gap"):
        fit_isoflop(points)
    assert len(fit_isoflop(points, budgets=[1e18, 2e18, 4e18], bootstrap=0).used) == 3


def test_seeds_of_one_size_are_averaged() -> None:
    points = runs(noise=0.002)
    twice = RunPoints.of(
        N=np.tile(points.N, 2),
        D=np.tile(points.D, 2),
        loss=np.concatenate([points.loss * 1.004, points.loss * 0.996]),
    )
    one, two = (fit_isoflop(each, method="parabola", bootstrap=0) for each in (points, twice))
    assert two.n == 2 * one.n
    assert two.exponents["a"] == pytest.approx(one.exponents["a"], abs=1e-9)


def test_standard_errors_weigh_the_runs() -> None:
    points = runs(noise=0.001)
    loss, se = points.loss.copy(), np.full(len(points), 0.003)
    loss[9] *= 1.1
    se[9] = 10.0
    bad = RunPoints.of(N=points.N, D=points.D, loss=loss, se=se)
    for method in METHODS[:2]:
        clean = fit_isoflop(points, method=method, bootstrap=0)
        weighed = fit_isoflop(bad, method=method, bootstrap=0)
        equal = fit_isoflop(replace(bad, se=None), method=method, bootstrap=0)
        assert abs(weighed.exponents["a"] - clean.exponents["a"]) < 0.005
        assert abs(equal.exponents["a"] - clean.exponents["a"]) > 0.01
    known = fit_isoflop(replace(points, se=np.full(len(points), 0.003)), method="interpolate", bootstrap=0)
    assert known.scale == pytest.approx(0.003 / np.median(points.loss), rel=0.05)


def test_a_window_keeps_the_sizes_near_the_best() -> None:
    points = runs(UNEQUAL, half=10.0, sizes=13)
    narrow = fit_isoflop(points, method="parabola", window=2.5, bootstrap=0)
    wide = fit_isoflop(points, method="parabola", bootstrap=0)
    assert narrow.n < wide.n
    assert abs(off_by(UNEQUAL, narrow)) < 0.25 * abs(off_by(UNEQUAL, wide))
    with pytest.raises(FitError, match=r"within a factor 1.2 of the best one: at least 4"):
        fit_isoflop(points, window=1.2)


# refusals


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("off", "side", "which"), [(8.0, "below", "smallest"), (0.125, "above", "largest")])
def test_a_budget_that_brackets_no_minimum_is_refused(method: Method, off: float, side: str, which: str) -> None:
    good, bad = runs(budgets=BUDGETS[:4]), runs(budgets=[1e21], off=off)
    points = RunPoints.of(
        N=np.concatenate([good.N, bad.N]),
        D=np.concatenate([good.D, bad.D]),
        loss=np.concatenate([good.loss, bad.loss]),
    )
    fit = fit_isoflop(points, method=method, bootstrap=50)
    row = fit.optima[-1]
    assert row.N is None
    assert f"The {which} size" in str(row.refused)
    assert f"lies {side} the sizes" in str(row.refused)
    assert len(fit.used) == 4
    assert "1 of 5 budgets was left out, at 1e21 FLOP" in " ".join(fit.warnings)
    alone = fit_isoflop(good, method=method, bootstrap=50)
    assert fit.exponents == alone.exponents
    assert fit.exponent_intervals == alone.exponent_intervals


def test_too_few_budgets_are_refused_with_the_reason() -> None:
    with pytest.raises(FitError, match=r"2 of 2 budgets have .* needs at least 3\.$"):
        fit_isoflop(runs(budgets=BUDGETS[:2]))
    with pytest.raises(FitError, match=r"0 of 6 budgets have .* At .*: The smallest size, .*, has the least loss"):
        fit_isoflop(runs(off=8.0))
    with pytest.raises(FitError, match=r"It has 3 sizes: at least 4 are needed"):
        fit_isoflop(runs(sizes=3))


def test_a_curve_without_a_minimum_is_refused() -> None:
    """The best run lies between others, but the parabola through all of them opens downwards."""
    points = runs()
    last = np.isclose(points.C, BUDGETS[-1], rtol=1e-6)
    loss = points.loss.copy()
    loss[last] = [2.6, 2.8, 2.9, 2.5, 2.9, 2.8, 2.6]
    fit = fit_isoflop(RunPoints.of(N=points.N, D=points.D, loss=loss), method="parabola", bootstrap=0)
    assert str(fit.optima[-1].refused).startswith("The curve through its runs has no minimum")
    assert len(fit.used) == 5


def test_few_sizes_get_parabolas_and_a_sentence() -> None:
    fit = fit_isoflop(runs(sizes=4, budgets=BUDGETS[:3]), bootstrap=0)
    assert fit.method == "parabola"
    assert "12 sizes are too few for the 11 constants" in " ".join(fit.warnings)


def test_noise_that_drowns_the_minima_is_refused() -> None:
    points = runs(half=1.5, sizes=5, budgets=BUDGETS[:4], noise=0.0005)
    with pytest.raises(FitError, match=r"of the resamplings fewer than 3 budgets have a minimum"):
        fit_isoflop(replace(points, se=np.full(len(points), 5.0)), method="interpolate")


@pytest.mark.parametrize(
    "options",
    [
        {"method": "cubic"},
        {"bootstrap": -1},
        {"level": 1.0},
        {"window": 1.0},
        {"window": float("nan")},
        {"resampling": "cluster"},
        {"method": "interpolate", "resampling": "pairs"},
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="|".join(options)):
        fit_isoflop(runs(), **options)


# replicates


@pytest.mark.parametrize("method", METHODS)
def test_order_does_not_matter_and_seeds_do(method: Method) -> None:
    points = runs(noise=0.003)
    first, again, other = (
        fit_isoflop(each, method=method, bootstrap=60, seed=seed)
        for each, seed in ((points, 1), (shuffled(points), 1), (points, 2))
    )
    assert first.exponents == again.exponents == other.exponents
    assert first.replicates is not None
    assert again.replicates is not None
    assert other.replicates is not None
    np.testing.assert_array_equal(first.replicates, again.replicates)
    assert not np.array_equal(first.replicates, other.replicates)
    assert [row.to_dict() for row in first.optima] == [row.to_dict() for row in again.optima]


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(60):
        fit = fit_isoflop(runs(half=4.0, noise=0.003, seed=seed), bootstrap=100, seed=seed)
        low, high = fit.exponent_intervals["a"]
        inside += low <= exponent(HOFFMANN) <= high
    assert 52 <= inside <= 60


def test_drawing_sizes_gives_wider_intervals() -> None:
    fits = [
        fit_isoflop(runs(half=4.0, noise=0.003, seed=seed), bootstrap=100, resampling=resampling)
        for seed in range(5)
        for resampling in ISOFLOP_RESAMPLINGS
    ]
    width = [np.ptp(fit.exponent_intervals["a"]) for fit in fits]
    assert [fit.resampling for fit in fits[:2]] == ["residual", "pairs"]
    assert np.mean(width[1::2]) > 1.3 * np.mean(width[::2])


def test_scale_is_the_noise_that_was_planted() -> None:
    for method in METHODS:
        scales = [fit_isoflop(runs(noise=0.003, seed=s), method=method, bootstrap=0).scale or 0.0 for s in range(20)]
        assert float(np.mean(scales)) == pytest.approx(0.003, rel=0.15)
    points = runs(noise=0.003)
    assert neighbour_scatter(tabulate(points, find_budgets(points)[0], None)[0])[1] == 6 * 5


def test_the_band_widens_beyond_the_budgets_and_tokens_follow() -> None:
    fit = fit_isoflop(runs(noise=0.004), bootstrap=200)
    band = fit.optimum(np.array([1e19, 1e24]))
    assert (band.N_low < band.N).all()
    assert (band.N < band.N_high).all()
    width = np.log(band.N_high / band.N_low)
    assert width[1] > 2 * width[0]
    np.testing.assert_allclose(6 * band.N * band.D, band.C, rtol=1e-12)
    np.testing.assert_allclose(6 * band.N_low * band.D_high, band.C, rtol=1e-12)
    narrower = fit.optimum(1e24, level=0.5)
    assert narrower.N.shape == ()
    assert narrower.N_high < band.N_high[1]
    assert fit.intervals["D_coefficient"][0] < fit.constants["D_coefficient"] < fit.intervals["D_coefficient"][1]
    assert fit.exponent_intervals["b"] == pytest.approx([1 - x for x in fit.exponent_intervals["a"][::-1]])
    for C in (0.0, -1e20, float("inf")):
        with pytest.raises(InputError, match="compute"):
            fit.optimum(C)


def test_without_replicates_there_are_no_intervals() -> None:
    fit = fit_isoflop(runs(), bootstrap=0)
    assert (fit.replicates, fit.resampling, fit.intervals, fit.exponent_intervals) == (None, None, {}, {})
    band = fit.optimum(1e22)
    assert band.N_low == band.N == band.N_high
    assert all(row.interval is None for row in fit.optima)


def test_the_dictionary_is_json_with_every_row() -> None:
    fit = fit_isoflop(runs(noise=0.003, off=1.5, half=3.0), bootstrap=50)
    read = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert (read["approach"], read["method"], read["n"]) == ("isoflop", "profile", 42)
    assert set(read["constants"]) == {"N_coefficient", "D_coefficient", "alpha", "beta"}
    assert len(read["optima"]) == 6
    assert read["optima"][0]["interval"][0] < read["optima"][0]["N"] < read["optima"][0]["interval"][1]


# what is said


def test_doubts_are_said() -> None:
    text = " ".join(fit_isoflop(runs(budgets=[1e18, 3e18, 1e19]), bootstrap=0).warnings)
    assert "the budgets span 1.0 decades of compute" in text
    text = " ".join(fit_isoflop(runs(UNEQUAL, half=12.0), method="parabola", bootstrap=0).warnings)
    assert "The curves miss the runs" in text
    text = " ".join(fit_isoflop(runs(half=1.6, noise=0.0005), bootstrap=0).warnings)
    assert "ended at its bound" in text


def test_optima_off_the_line_are_said() -> None:
    """Budgets of two laws whose optima lie apart: no one power law goes through them."""
    parts = [runs(law, budgets=BUDGETS[i::2], noise=0.001) for i, law in enumerate((HOFFMANN, UNEQUAL))]
    points = RunPoints.of(
        N=np.concatenate([part.N for part in parts]),
        D=np.concatenate([part.D for part in parts]),
        loss=np.concatenate([part.loss for part in parts]),
    )
    assert "further off the power law than their scatter explains" in " ".join(fit_isoflop(points).warnings)
    assert "further off" not in " ".join(fit_isoflop(runs(noise=0.003)).warnings)


def test_what_the_page_says_of_coverage_is_in_the_measured_table(project: Path) -> None:
    with (project / "data" / "coverage_isoflop.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["method", "design", "quantity", "coverage", "studies", "bias"]
    methods = {row["method"] for row in rows}
    assert methods == {*METHODS, "envelope"}
    assert min(int(row["studies"]) for row in rows) >= 200
    profile = [row for row in rows if row["method"] == "profile" and row["resampling"] == "residual"]
    assert all(0.92 <= float(row["coverage"]) <= 0.99 for row in profile)
    spread = {(row["method"], row["design"]): float(row["spread"]) for row in rows if row["quantity"] == "a"}
    ratios = [
        spread["interpolate", design] / spread["profile", design] for _, design in spread if "curves" not in design
    ]
    assert 3 < float(np.median(ratios)) < 8
