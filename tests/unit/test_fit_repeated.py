"""The fit of the data-constrained law: planted laws, the global minimum, and runs that cannot carry it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from scaling_core.catalog import preset
from scaling_core.errors import FitError, InputError
from scaling_core.fit import RunPoints, fit_law
from scaling_core.fit.objective import huber
from scaling_core.fit.repeated.fitting import RepeatedFit, fit_repeated, predict_repeated
from scaling_core.fit.repeated.objective import FORM, STAR_D, STAR_N, constants_of, make_problem, nature_of
from scaling_core.fit.repeated.remarks import overfitted
from scaling_core.laws import ChinchillaLaw, MuennighoffLaw

PLANTED = MuennighoffLaw(E=1.87, A=520.0, B=1490.0, alpha=0.353, beta=0.353, R_N_star=5.3, R_D_star=15.4)
UNEQUAL = MuennighoffLaw(E=1.7, A=400.0, B=1200.0, alpha=0.33, beta=0.36, R_N_star=3.0, R_D_star=8.0)
MODES: dict[str, dict[str, Any]] = {"base": {"base": PLANTED.base}, "staged": {}, "joint": {"joint": True}}


def grid(
    sizes: int = 5, unique: tuple[float, ...] = (1e8, 1e9, 1e10), epochs: tuple[float, ...] = (1, 3, 8, 20, 60)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N, D and U of every combination."""
    table = np.array(list(itertools.product(np.geomspace(2e7, 3e9, sizes), unique, epochs)))
    return table[:, 0], table[:, 1] * table[:, 2], table[:, 1]


def study(law: MuennighoffLaw = PLANTED, noise: float = 0.005, seed: int = 0, **design: Any) -> RunPoints:
    N, D, U = grid(**design)
    z = np.random.default_rng(seed).standard_normal(N.size)
    return RunPoints.of(N=N, D=D, loss=law.loss(N, D, U) * np.exp(noise * z), unique=U)


def small(seed: int = 0) -> RunPoints:
    return study(seed=seed, sizes=3, unique=(2e8, 2e9, 1e10), epochs=(1, 4, 15, 60))


def objective(points: RunPoints, law: MuennighoffLaw, weights: np.ndarray | float = 1.0, delta: float = 1e-3) -> float:
    """The sum of Huber losses, written out again from the law itself."""
    r = np.log(law.loss(points.N, points.D, points.unique)) - np.log(points.loss)
    return float((weights * huber(r, delta)).sum())


@pytest.mark.parametrize("objective_name", ["huber-log", "lad", "ls-log", "ls"])
@pytest.mark.parametrize("mode", MODES)
def test_planted_constants_are_recovered_without_noise(mode: str, objective_name: Any) -> None:
    result = fit_repeated(study(noise=0.0), objective=objective_name, **MODES[mode])
    for name, value in PLANTED.constants.items():
        assert result.constants[name] == pytest.approx(value, rel=1e-6)
    assert result.converged
    assert not any("bound" in sentence or "held" in sentence for sentence in result.warnings)


@pytest.mark.parametrize("joint", [False, True])
def test_two_exponents_are_recovered_too(joint: bool) -> None:
    result = fit_repeated(study(UNEQUAL, noise=0.0), shared=False, joint=joint)
    for name, value in UNEQUAL.constants.items():
        assert result.constants[name] == pytest.approx(value, rel=1e-6)
    assert result.base_runs == 15


def test_models_too_large_for_new_data_do_not_bend_the_base_law() -> None:
    """A plain fit of the runs on new data would; most of these are in excess."""
    points = study(noise=0.0)
    new = points.subset(points.D <= points.unique)  # type: ignore[operator]  # there is U
    assert abs(fit_law(new, shared=True).constants["alpha"] / PLANTED.alpha - 1) > 0.02
    assert fit_repeated(points).constants["alpha"] == pytest.approx(PLANTED.alpha, rel=1e-9)


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("delta", [0.05, float("inf")])
@pytest.mark.parametrize(("joint", "shared", "hold"), [
    (True, False, ()), (True, True, (STAR_D,)), (False, False, ()), (False, False, (STAR_N,)),
])  # fmt: skip
def test_derivatives_equal_finite_differences(
    joint: bool, shared: bool, hold: tuple[int, ...], delta: float, level: bool
) -> None:
    rng = np.random.default_rng(1)
    U = 10.0 ** rng.uniform(8, 10, 40)
    points = RunPoints.of(
        N=10.0 ** rng.uniform(7, 9.5, 40), D=U * rng.choice([1, 2, 5, 20], 40), loss=rng.uniform(2.5, 4, 40), unique=U
    )
    beta = 0.35 if shared else 0.33
    nature = np.array([[0.6, 6.2, 0.35, 7.3, beta, 1.6, 2.7], [0.5, 6.0, 0.3, 7.0, 0.3, -1.0, 0.0]])
    problem = make_problem(points, nature[0], shared=shared, joint=joint, level=level, hold=hold)
    frame, weights = problem.frame, rng.uniform(0.5, 2.0, (2, 40))
    phi = frame.of_nature(nature)[:, frame.free]
    moving = ~problem.held[frame.free]

    def at(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        theta = frame.theta(phi)
        there = problem.fitted(theta)
        return problem.value(there, weights, delta, problem.log_loss), *frame.reduced(
            *problem.derivatives(theta, there, weights, delta, problem.log_loss)
        )

    _, gradient, hessian = at(phi)
    assert (gradient[:, ~moving] == 0).all()
    for i in np.flatnonzero(moving):
        step = np.zeros(len(moving))
        step[i] = 1e-6
        above, below = at(phi + step), at(phi - step)
        np.testing.assert_allclose((above[0] - below[0]) / 2e-6, gradient[:, i], rtol=1e-5, atol=1e-6)
        slope = (above[1] - below[1]) / 2e-6
        np.testing.assert_allclose(slope[:, moving], hessian[:, i, moving], rtol=1e-4, atol=1e-4)


def test_the_law_of_the_solver_is_the_law() -> None:
    N, D, U = grid()
    points = RunPoints.of(N=N, D=D, loss=np.ones(N.size), unique=U)
    nature = nature_of(np.array([list(law.constants.values()) for law in (PLANTED, UNEQUAL)]))
    problem = make_problem(points, nature[0], shared=False, joint=True, level=False)
    log_hat = problem.fitted(problem.frame.of_nature(nature)).log_hat
    np.testing.assert_allclose(np.exp(log_hat), [law.loss(N, D, U) for law in (PLANTED, UNEQUAL)], rtol=1e-12)
    np.testing.assert_allclose(constants_of(nature)[1], list(UNEQUAL.constants.values()), rtol=1e-12)
    assert tuple(PLANTED.constants) == FORM.names


@pytest.mark.parametrize("seed", range(4))
def test_no_simplex_finds_a_lower_objective(seed: int) -> None:
    """Scatter that is wide beside delta makes many local minima: SciPy starts from each corner of a grid."""
    points = study(noise=0.12, seed=seed)
    result = fit_repeated(points, base=PLANTED.base)

    def value(stars: np.ndarray) -> float:
        N, D = np.exp(np.clip(stars, -6.9, 8.0)).tolist()
        return objective(points, MuennighoffLaw(**PLANTED.base.constants, R_N_star=N, R_D_star=D))

    found = [
        minimize(value, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-15}).fun
        for start in itertools.product((-1.0, 1.0, 3.0), (0.0, 2.0, 4.0, 6.0))
    ]
    assert result.value <= min(found) * (1 + 1e-9)
    assert result.value == pytest.approx(objective(points, result.law), rel=1e-12)


def test_all_together_is_at_least_as_good_as_in_stages() -> None:
    points = study(seed=3)
    staged, joint = fit_repeated(points), fit_repeated(points, joint=True)
    assert joint.value < staged.value

    def value(x: np.ndarray) -> float:
        E, A, B, alpha, N, D = np.exp(x).tolist()
        return 1e3 * objective(points, MuennighoffLaw(E=E, A=A, B=B, alpha=alpha, beta=alpha, R_N_star=N, R_D_star=D))

    for start in (staged.law, joint.law, PLANTED):
        c = start.constants
        x = np.log([c[name] for name in ("E", "A", "B", "alpha", "R_N_star", "R_D_star")])
        assert joint.value <= minimize(value, x, method="Nelder-Mead").fun / 1e3 * (1 + 1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_the_order_of_runs_does_not_matter(mode: str) -> None:
    points = small()
    turned = points.subset(np.random.default_rng(5).permutation(len(points)))
    one, other = (fit_repeated(p, bootstrap=20, **MODES[mode]) for p in (points, turned))
    assert one.constants == other.constants
    assert one.intervals == other.intervals


def test_each_replicate_is_an_optimum_of_its_own() -> None:
    """The draw is made again from its seed, and SciPy looks for something lower near every replicate."""
    points = study(noise=0.05)
    result = fit_repeated(points, base=PLANTED.base, bootstrap=16, resampling="pairs", seed=7)
    assert result.replicates is not None
    n = len(points)
    draws = np.random.default_rng((7, 0)).multinomial(n, np.full(n, 1.0 / n), size=16).astype(float)
    for weights, constants in zip(draws[:6], result.replicates[:6], strict=True):

        def value(stars: np.ndarray, weights: np.ndarray = weights) -> float:
            N, D = np.exp(stars).tolist()
            return objective(result.points, MuennighoffLaw(**PLANTED.base.constants, R_N_star=N, R_D_star=D), weights)

        mine = value(np.log(constants[5:]))
        for start in (np.log(constants[5:]), np.log([5.3, 15.4])):
            assert mine <= minimize(value, start, method="Nelder-Mead").fun * (1 + 1e-6)
    assert (result.replicates[:, :5] == list(PLANTED.base.constants.values())).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("resampling", ["pairs", "residual", "cluster"])
def test_intervals_lie_about_the_estimate_and_repeat(mode: str, resampling: Any) -> None:
    points = study()
    points = RunPoints.of(
        N=points.N, D=points.D, loss=points.loss, unique=points.unique, group=[f"{n:.3g}{u:.3g}" for n, u in
        zip(points.N, points.unique, strict=True)],  # type: ignore[arg-type]  # there is U
    )  # fmt: skip
    one, other = (fit_repeated(points, bootstrap=16, resampling=resampling, seed=2, **MODES[mode]) for _ in range(2))
    assert one.intervals == other.intervals
    assert one.resampling == resampling
    assert set(one.intervals) == set(FORM.names[5:] if mode == "base" else FORM.names)
    for name, (low, high) in one.intervals.items():
        assert low < one.constants[name] < high
    if mode != "base":
        assert one.exponent_intervals["a"] == pytest.approx((0.5, 0.5))


def test_intervals_cover_what_was_planted() -> None:
    hits = []
    for seed in range(16):
        result = fit_repeated(small(seed), base=PLANTED.base, bootstrap=60, seed=seed)
        hits += [result.intervals[name][0] <= PLANTED.constants[name] <= result.intervals[name][1]
                 for name in ("R_N_star", "R_D_star")]  # fmt: skip
    assert np.mean(hits) >= 0.8  # 32 looks at intervals of 95%: four standard errors below


def test_a_prediction_has_the_interval_of_its_replicates() -> None:
    points = study()
    bare = fit_repeated(points, base=PLANTED.base)
    N, D, U = 1e9, np.array([1e10, 1e11]), 5e9
    plain = predict_repeated(bare, N, D, U)
    np.testing.assert_allclose(plain.loss, bare.law.loss(N, D, U), rtol=1e-12)
    assert (plain.low == plain.loss).all()
    full = fit_repeated(points, base=PLANTED.base, bootstrap=200)
    band, measured = predict_repeated(full, N, D, U, noise=False), predict_repeated(full, N, D, U)
    assert (band.low < band.loss).all()
    assert (band.loss < band.high).all()
    assert (measured.high - measured.low > band.high - band.low).all()
    assert full.replicates is not None
    each = [MuennighoffLaw(**dict(zip(FORM.names, row, strict=True))).loss(N, D, U) for row in full.replicates.tolist()]
    assert (np.min(each, axis=0) <= band.low).all()
    assert (band.high <= np.max(each, axis=0)).all()
    new = predict_repeated(full, 1e8, 1e10)  # a small model on new data: nothing but the base law, which is held
    assert float(new.loss) == pytest.approx(PLANTED.base.loss(1e8, 1e10), rel=1e-12)


def test_the_record_goes_into_json_like_that_of_any_fit() -> None:
    result = fit_repeated(small(), bootstrap=10)
    shown = json.loads(json.dumps(result.to_dict()))
    assert set(fit_law(small()).to_dict()) <= set(shown)
    assert shown["form"] == "muennighoff"
    assert shown["constants"] == result.constants
    assert shown["base_runs"] == 9
    given = fit_repeated(small(), base=PLANTED.base)
    assert given.fixed == PLANTED.base.constants
    assert given.base_runs is None


def columns(**changed: Any) -> RunPoints:
    points = small()
    given = {"N": points.N, "D": points.D, "loss": points.loss, "unique": points.unique}
    return RunPoints.of(**{**given, **changed})


@pytest.mark.parametrize(("points", "options", "words"), [
    (columns(unique=None), {}, "do not say how many of their tokens are unique"),
    (columns(unique=small().D), {}, "No run repeats its data"),
    (columns(unique=np.where(np.arange(36) < 2, small().D / 2, small().D)), {}, "Only 2 runs repeat their data"),
    (small().subset(np.arange(6)), {}, "6 runs cannot carry the 6 constants"),
    (small().subset(small().D > 1.5 * small().unique), {}, "give a published base law"),  # type: ignore[operator]  # there is U
])  # fmt: skip
def test_runs_that_cannot_carry_it_are_refused_in_a_sentence(
    points: RunPoints, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(FitError, match=words):
        fit_repeated(points, **options)


@pytest.mark.parametrize(("options", "field"), [
    ({"base": PLANTED.base, "joint": True}, "joint"),
    ({"objective": "huber"}, "objective"),
    ({"delta": -1.0}, "delta"),
    ({"bootstrap": -1}, "bootstrap"),
    ({"level": 1.0}, "level"),
    ({"resampling": "jackknife"}, "resampling"),
    ({"interval_method": "normal"}, "interval"),
    ({"base": ChinchillaLaw(E=1.0, A=400.0, B=1e-300, alpha=1e-3, beta=0.3)}, "alpha"),
])  # fmt: skip
def test_options_that_do_not_exist_are_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as error:
        fit_repeated(small(), **options)
    assert error.value.field == field


def said(result: RepeatedFit, words: str) -> bool:
    return any(words in sentence for sentence in result.warnings)


def test_without_models_in_excess_the_published_value_is_held_and_said() -> None:
    law, (N, D, U) = PLANTED, grid(unique=(3e9, 1e10, 3e10))
    few = law.optimal_params_for(U) > N
    points = RunPoints.of(N=N[few], D=D[few], loss=law.loss(N[few], D[few], U[few]), unique=U[few])
    for options in MODES.values():
        result = fit_repeated(points, bootstrap=20, **options)
        assert said(result, "No run is larger than its unique tokens call for, so R_N* cannot be found")
        assert (
            result.constants["R_N_star"]
            == result.fixed["R_N_star"]
            == preset("muennighoff2023").law.constants["R_N_star"]
        )
        assert "R_N_star" not in result.intervals
        assert result.constants["R_D_star"] == pytest.approx(15.4, rel=1e-6)


@pytest.mark.parametrize(("seen", "words"), [
    (lambda D, U: D, "R_D* ended at its upper bound: in these runs a repeated token is worth as much as a new one"),
    (lambda D, U: U, "R_D* ended at its lower bound: in these runs a repeated token is worth nothing"),
])  # fmt: skip
def test_an_estimate_at_its_bound_is_said(seen: Any, words: str) -> None:
    """Losses in which every pass counts in full, and losses in which only the first one counts."""
    N, D, U = grid()
    by_data = PLANTED.B * seen(D, U) ** -PLANTED.beta
    by_size = PLANTED.loss(N, U) - PLANTED.B * U**-PLANTED.beta
    points = RunPoints.of(N=N, D=D, loss=by_size + by_data, unique=U)
    assert said(fit_repeated(points, base=PLANTED.base), words)


def test_few_runs_and_values_beyond_them_are_said() -> None:
    points = study(noise=0.0, epochs=(1, 2))
    keep = points.D == points.unique
    keep[np.flatnonzero(~keep)[:5]] = True
    result = fit_repeated(points.subset(keep), base=PLANTED.base)
    assert said(result, "Only 5 of 20 runs repeat their data")
    assert said(result, "R_D* = 15.4 lies beyond the runs, none of which goes further than R = 1")


def test_runs_that_lost_by_going_on_are_counted() -> None:
    points = study(noise=0.001)
    loss = points.loss.copy()
    longest = np.flatnonzero((points.D > 50 * points.unique) & (points.unique == 1e8))  # type: ignore[operator]  # there is U
    loss[longest] *= 1.3
    points = RunPoints.of(N=points.N, D=points.D, loss=loss, unique=points.unique)
    assert (np.flatnonzero(overfitted(points)) == longest).all()
    assert said(fit_repeated(points, base=PLANTED.base), "5 runs have a higher loss than the same model had")
    assert not overfitted(study(noise=0.005)).any()


def test_two_minima_that_are_as_good_are_both_named() -> None:
    result = fit_repeated(study(noise=0.3, seed=16), base=PLANTED.base)
    assert result.alternative is not None
    assert abs(np.log(result.alternative["R_D_star"] / result.law.R_D_star)) > np.log(2)
    other = MuennighoffLaw(**result.alternative)
    assert result.value < objective(result.points, other) <= result.value * (1 + 1 / result.n)
    assert said(result, "Another minimum is as good: R_D* = 0.403 with R_N* = 16.4")


def test_many_runs_start_from_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    points = study()
    whole = fit_repeated(points, base=PLANTED.base), fit_repeated(points, joint=True)
    monkeypatch.setattr("scaling_core.fit.repeated.solve.MANY", 40)
    monkeypatch.setattr("scaling_core.fit.repeated.search.MOST_GRID_POINTS", 20)
    monkeypatch.setattr("scaling_core.fit.repeated.fitting.MOST_RUNS", 50)
    for before, options in zip(whole, (MODES["base"], MODES["joint"]), strict=True):
        result = fit_repeated(points, bootstrap=10, **options)
        assert result.value == pytest.approx(before.value, rel=1e-6)
        assert result.replicates is None
        assert said(result, "More than 50 runs are not resampled")
