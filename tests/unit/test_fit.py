"""The fit on planted laws and on data that cannot carry one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from scaling_core.errors import FitError, InputError
from scaling_core.fit import FORMS, RunPoints, fit_law, predict
from scaling_core.fit.frame import make_frame
from scaling_core.fit.objective import Problem, huber
from scaling_core.fit.valley import straightened
from scaling_core.laws import ChinchillaLaw, GadreLaw, KaplanJointLaw, PowerLaw, law_from_constants
from scaling_core.optimum import exponents

PLANTED = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)


def design(law: ChinchillaLaw = PLANTED, noise: float = 0.0, seed: int = 0, sizes: int = 6) -> RunPoints:
    sizes_by_horizon, ratio = np.meshgrid(np.geomspace(5e7, 1e10, sizes), np.geomspace(5, 80, 5))
    N, D = sizes_by_horizon.ravel(), (sizes_by_horizon * ratio).ravel()
    loss = law.loss(N, D) * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size))
    return RunPoints.of(N=N, D=D, loss=loss)


@pytest.mark.parametrize("objective", ["huber-log", "lad", "ls-log", "ls"])
def test_planted_law_is_recovered_without_noise(objective: str) -> None:
    result = fit_law(design(), objective=objective)  # type: ignore[arg-type]  # parametrised over the literals
    for name, value in PLANTED.constants.items():
        assert result.constants[name] == pytest.approx(value, rel=1e-6)
    assert result.converged


@pytest.mark.parametrize("variable", ["N", "D", "C"])
@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_power_laws_are_recovered(variable: str, offset: float) -> None:
    x = np.geomspace(1e6, 1e10, 9)
    law = PowerLaw.from_amplitude(variable=variable, offset=offset, amplitude=30.0, exponent=0.21)  # type: ignore[arg-type]  # a literal
    columns = {"N": (x, 100 * x), "D": (x / 20, x), "C": (np.sqrt(x), np.sqrt(x) / 6)}[variable]
    points = RunPoints.of(N=columns[0], D=columns[1], loss=law.loss(x))
    result = fit_law(points, form=f"power-{variable}" + ("-offset" if offset else ""))
    assert result.constants["exponent"] == pytest.approx(0.21, rel=1e-6)
    assert result.constants["coefficient"] == pytest.approx(30.0, rel=1e-5)
    assert isinstance(result.law, PowerLaw)
    np.testing.assert_allclose(result.law.loss(x), points.loss, rtol=1e-9)


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("delta", [1e-2, float("inf")])
@pytest.mark.parametrize("form", ["chinchilla", "kaplan", "gadre", "power-N-offset"])
@pytest.mark.parametrize("weighted", [False, True])
def test_derivatives_equal_finite_differences(level: bool, delta: float, form: str, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    shape = FORMS[form]
    frame = make_frame(shape, rng.normal(20.0, 2.0, (len(shape.variables), 40)), 1.0, ())
    problem = Problem(
        frame=frame,
        x=rng.standard_normal((len(shape.variables), 40)),
        log_loss=rng.normal(1.0, 0.1, 40),
        precision=rng.uniform(0.5, 2.0, 40) if weighted else None,
        level=level,
    )
    phi, weights = rng.normal(0.0, 0.5, (3, len(frame.free))), rng.uniform(0.5, 2.0, (3, 40))

    def value_and_gradient(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        theta = frame.theta(phi)
        at = problem.fitted(theta)
        return problem.value(at, weights, delta, problem.log_loss), *frame.reduced(
            *problem.derivatives(theta, at, weights, delta, problem.log_loss)
        )

    _, gradient, hessian = value_and_gradient(phi)
    for i in range(len(frame.free)):
        step = np.zeros(len(frame.free))
        step[i] = 1e-6
        above, below = (value_and_gradient(phi + s) for s in (step, -step))
        np.testing.assert_allclose((above[0] - below[0]) / 2e-6, gradient[:, i], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose((above[1] - below[1]) / 2e-6, hessian[:, i], rtol=1e-4, atol=1e-4)


def test_the_straightened_valley_has_the_derivatives_it_says() -> None:
    """Finite differences of the objective in relative changes of (u, v_1, alpha_1, v_2, alpha_2)."""
    rng = np.random.default_rng(8)
    frame = make_frame(FORMS["chinchilla"], rng.normal(20.0, 2.0, (2, 40)), 1.0, ())
    problem = Problem(
        frame=frame, x=rng.standard_normal((2, 40)), log_loss=rng.normal(1.0, 0.1, 40), precision=None, level=False
    )
    theta, weights = np.array([[0.1, -0.5, 0.4, -1.0, 0.7]]), np.ones((1, 40))
    E, A, alpha = np.exp(theta[0, 0]), np.exp(theta[0, 1::2]), theta[0, 2::2]

    def value(change: np.ndarray) -> float:
        exponent = alpha * (1 + change[2::2])
        terms = alpha * A * (1 + change[1::2]) / exponent
        floor = (E + A.sum()) * (1 + change[0]) - terms.sum()
        there = np.array([[np.log(floor), np.log(terms[0]), exponent[0], np.log(terms[1]), exponent[1]]])
        return float(problem.value(problem.fitted(there), weights, np.inf, problem.log_loss)[0])

    plain = problem.derivatives(theta, problem.fitted(theta), weights, np.inf, problem.log_loss)
    gradient, hessian = straightened(theta, *plain)
    h, unit = 1e-4, np.eye(5)
    for i in range(5):
        assert (value(h * unit[i]) - value(-h * unit[i])) / (2 * h) == pytest.approx(gradient[0, i], rel=1e-5, abs=1e-7)
        for j in range(5):
            around = [value(h * (a * unit[i] + b * unit[j])) * a * b for a in (1, -1) for b in (1, -1)]
            assert sum(around) / (4 * h * h) == pytest.approx(hessian[0, i, j], rel=1e-4, abs=1e-5)


def test_a_curved_valley_is_walked_to_its_end() -> None:
    """Runs whose size term is all but a straight line in log N: E and A are hardly told apart, and the floor wins."""
    law = ChinchillaLaw(E=2.0, A=100.0, B=1000.0, alpha=0.5625, beta=0.375)
    points = design(law)
    noisy = law.loss(points.N, points.D) * np.exp(0.005 * np.random.default_rng(24).standard_normal(30))
    values = []
    for factor in (1.0, 10.0, 1000.0):
        result = fit_law(RunPoints.of(N=factor * points.N, D=points.D, loss=noisy), objective="ls-log")
        assert result.converged
        values.append(result.value)
    assert values == pytest.approx([values[0]] * 3, rel=1e-9)


def test_huber_is_quadratic_inside_and_linear_outside() -> None:
    np.testing.assert_allclose(huber(np.array([0.5, -2.0, 3.0]), 1.0), [0.125, 1.5, 2.5])


def test_order_of_runs_does_not_matter() -> None:
    points = design(noise=0.005)
    order = np.random.default_rng(5).permutation(len(points))
    shuffled = RunPoints.of(N=points.N[order], D=points.D[order], loss=points.loss[order])
    assert fit_law(points, bootstrap=20).intervals == fit_law(shuffled, bootstrap=20).intervals


def test_equal_seeds_give_equal_replicates_and_others_do_not() -> None:
    points = design(noise=0.005)
    first, again, other = (fit_law(points, bootstrap=30, seed=seed).replicates for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_replicate_is_converged_to_its_own_optimum() -> None:
    points = design(noise=0.01)
    result = fit_law(points, bootstrap=12, resampling="pairs", seed=4)
    rng, order = np.random.default_rng((4, 0)), np.lexsort((points.loss, points.D, points.N))
    weights = rng.multinomial(len(points), np.full(len(points), 1 / len(points)), size=12)
    assert result.replicates is not None
    for counts, replicate in zip(weights, result.replicates, strict=True):
        drawn = np.repeat(order, counts)
        alone = fit_law(RunPoints.of(N=points.N[drawn], D=points.D[drawn], loss=points.loss[drawn]))
        residual = np.log(
            FORMS["chinchilla"].predict(replicate[None, :], np.log([points.N, points.D]))[0] / points.loss
        )
        assert float(huber(residual[drawn], 1e-3).sum()) <= alone.value * (1 + 1e-8)


def test_whole_groups_are_drawn_together() -> None:
    """A replicate is the fit of the groups that were drawn, each as often as it was, with all of its runs."""
    points = design(noise=0.01)
    labels = [f"{n:.3g}" for n in points.N]
    grouped = RunPoints.of(N=points.N, D=points.D, loss=points.loss, group=labels)
    result = fit_law(grouped, bootstrap=6, resampling="cluster", seed=2)
    times = np.random.default_rng((2, 0)).multinomial(6, np.full(6, 1 / 6), size=6)
    order = np.lexsort((points.loss, points.D, points.N))
    member = np.unique(np.array(labels)[order], return_inverse=True)[1]
    assert result.replicates is not None
    for counts, replicate in zip(times, result.replicates, strict=True):
        drawn = np.repeat(order, counts[member])
        if len(set(points.N[drawn])) < 3:
            continue
        alone = fit_law(RunPoints.of(N=points.N[drawn], D=points.D[drawn], loss=points.loss[drawn]))
        fitted = FORMS["chinchilla"].predict(replicate[None, :], np.log([points.N[drawn], points.D[drawn]]))[0]
        assert float(huber(np.log(fitted / points.loss[drawn]), 1e-3).sum()) <= alone.value * (1 + 1e-8)
    assert (result.interval_method, fit_law(points, bootstrap=6).interval_method) == ("percentile", "bias-corrected")
    with pytest.raises(FitError, match="at least 6"):
        fit_law(points, bootstrap=6, resampling="cluster")


KAPLAN = KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)
GADRE = GadreLaw(E=1.5, a=113.7, b=189.5, eta=0.2425)


@pytest.mark.parametrize("objective", ["huber-log", "lad", "ls-log", "ls"])
@pytest.mark.parametrize(("form", "law"), [("kaplan", KAPLAN), ("gadre", GADRE)])
def test_other_joint_laws_are_recovered(form: str, law: KaplanJointLaw | GadreLaw, objective: str) -> None:
    points = design()
    result = fit_law(
        RunPoints.of(N=points.N, D=points.D, loss=law.loss(points.N, points.D)),
        form=form,
        objective=objective,  # type: ignore[arg-type]  # parametrised over the literals
    )
    assert type(result.law) is type(law)
    for name, value in law.constants.items():
        assert result.constants[name] == pytest.approx(value, rel=1e-6)
    assert result.exponents["a"] == pytest.approx(exponents(law)[0], rel=1e-6)


@pytest.mark.parametrize("form", ["kaplan", "gadre"])
def test_no_independent_optimiser_does_better_on_other_forms(form: str) -> None:
    """SciPy's simplex from the planted constants, on the objective written out again."""
    law: KaplanJointLaw | GadreLaw = KAPLAN if form == "kaplan" else GADRE
    points = design()
    loss = law.loss(points.N, points.D) * np.exp(0.01 * np.random.default_rng(1).standard_normal(30))
    result = fit_law(RunPoints.of(N=points.N, D=points.D, loss=loss), form=form, objective="ls-log")

    def objective(logs: np.ndarray) -> float:
        there = law_from_constants(form, dict(zip(law.constants, np.exp(logs).tolist(), strict=True)))
        assert not isinstance(there, PowerLaw)
        return float(0.5 * (np.log(there.loss(points.N, points.D) / loss) ** 2).sum())

    start = np.log(list(law.constants.values()))
    found = minimize(objective, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-15})
    assert result.value == pytest.approx(objective(np.log(list(result.constants.values()))), rel=1e-9)
    assert result.value <= found.fun * (1 + 1e-9)


@pytest.mark.parametrize(
    "fixed",
    [{"E": 1.69}, {"A": 406.4}, {"beta": 0.28}, {"A": 406.4, "alpha": 0.34}, {"E": 1.69, "alpha": 0.34, "beta": 0.28}],
)
def test_constants_can_be_held(fixed: dict[str, float]) -> None:
    result = fit_law(design(), fixed=fixed, bootstrap=20)
    for name, value in PLANTED.constants.items():
        assert result.constants[name] == pytest.approx(value, rel=1e-6)
    assert result.replicates is not None
    for name, value in fixed.items():
        assert result.constants[name] == value
        np.testing.assert_allclose(result.replicates[:, list(result.constants).index(name)], value, rtol=1e-9)


def test_holding_a_wrong_constant_costs_fit_and_zero_is_a_floor_one_may_hold() -> None:
    noisy = design(noise=0.005)
    free = fit_law(noisy, objective="ls-log").value
    assert fit_law(noisy, objective="ls-log", fixed={"E": 1.2}).value > 1.5 * free
    none = fit_law(noisy, objective="ls-log", fixed={"E": 0.0})
    assert none.constants["E"] == 0.0
    assert none.value > free


def test_shared_exponents_are_equal_and_equal_to_gadres() -> None:
    noisy = design(noise=0.005)
    shared, gadre = fit_law(noisy, shared=True), fit_law(noisy, form="gadre")
    assert shared.constants["alpha"] == pytest.approx(shared.constants["beta"], rel=1e-12)
    assert shared.value == pytest.approx(gadre.value, rel=1e-9)
    assert shared.value > fit_law(noisy).value
    assert gadre.constants["eta"] == pytest.approx(shared.constants["alpha"], rel=1e-6)
    held = fit_law(noisy, shared=True, fixed={"beta": 0.3})
    assert (held.constants["alpha"], held.constants["beta"]) == (0.3, 0.3)


def test_one_exponent_may_be_held_where_its_variable_never_changes() -> None:
    N = np.geomspace(1e7, 1e10, 9)
    D = np.full(9, 1e10)
    result = fit_law(RunPoints.of(N=N, D=D, loss=PLANTED.loss(N, D)), fixed={"beta": 0.28, "B": 410.7})
    assert result.constants["alpha"] == pytest.approx(0.34, rel=1e-6)


def test_standard_errors_weigh_the_runs() -> None:
    """Every third run is ten times noisier, and says so: its weight brings the constants nearer to the truth."""
    points = design()
    se = np.where(np.arange(30) % 3 == 0, 0.05, 0.005) * points.loss
    equal: list[float] = []
    weighted: list[float] = []
    for seed in range(12):
        loss = points.loss + se * np.random.default_rng(seed).standard_normal(30)
        runs = RunPoints.of(N=points.N, D=points.D, loss=loss, se=se)
        for weights, errors in (("equal", equal), ("se", weighted)):
            result = fit_law(runs, objective="ls-log", weights=weights)  # type: ignore[arg-type]  # a literal
            errors.append(np.log(result.constants["alpha"] / PLANTED.alpha))
    assert np.std(weighted) < 0.6 * np.std(equal)
    same = RunPoints.of(N=points.N, D=points.D, loss=loss, se=0.01 * loss)
    assert fit_law(same, weights="se").constants == pytest.approx(fit_law(same).constants, rel=1e-6)
    with pytest.raises(InputError, match="no standard errors"):
        fit_law(points, weights="se")


def test_many_runs_are_fitted_without_being_resampled() -> None:
    rng = np.random.default_rng(0)
    N = np.exp(rng.uniform(15, 25, 30_000))
    D = N * np.exp(rng.uniform(1, 4, 30_000))
    loss = PLANTED.loss(N, D) * np.exp(0.01 * rng.standard_normal(30_000))
    result = fit_law(RunPoints.of(N=N, D=D, loss=loss), bootstrap=100)
    assert result.constants["alpha"] == pytest.approx(0.34, abs=0.003)
    assert result.replicates is None
    assert "not resampled" in " ".join(result.warnings)


def test_prediction_interval_widens_with_distance_and_noise() -> None:
    result = fit_law(design(noise=0.005), bootstrap=200)
    law = predict(result, N=np.array([1e9, 1e12]), D=np.array([2e10, 2e13]), noise=False)
    measured = predict(result, N=np.array([1e9, 1e12]), D=np.array([2e10, 2e13]))
    assert (law.low < law.loss).all()
    assert (law.loss < law.high).all()
    assert (law.high - law.low)[1] > (law.high - law.low)[0]
    assert ((measured.high - measured.low) > (law.high - law.low)).all()


@pytest.mark.parametrize(
    ("N", "D", "sentence"),
    [
        ([1e7, 2e7, 4e7], [1e9, 2e9, 9e9], "cannot carry"),
        ([1e7, 2e7, 4e7, 8e7, 1e8, 2e8], [1e9] * 6, "D is 1B in every run"),
        ([1e7, 2e7, 4e7, 8e7, 1e8, 2e8], [2e8, 4e8, 8e8, 1.6e9, 2e9, 4e9], "alpha and beta cannot be told apart"),
    ],
)
def test_impossible_designs_are_refused_in_a_sentence(N: list[float], D: list[float], sentence: str) -> None:
    with pytest.raises(FitError, match=sentence):
        fit_law(RunPoints.of(N=N, D=D, loss=PLANTED.loss(np.array(N), np.array(D))))


def test_warnings_name_few_points_and_a_narrow_range() -> None:
    N, ratio = np.meshgrid([1e8, 1.5e8, 2e8], [10.0, 14.0, 20.0])
    D = (N * ratio).ravel()
    loss = PLANTED.loss(N.ravel(), D) * np.exp(0.001 * np.random.default_rng(0).standard_normal(9))
    text = " ".join(fit_law(RunPoints.of(N=N.ravel(), D=D, loss=loss)).warnings)
    assert "Few points" in text
    assert "Narrow range" in text


def test_an_outlier_is_named() -> None:
    points = design(noise=0.001)
    loss = points.loss.copy()
    loss[7] *= 1.2
    text = " ".join(fit_law(RunPoints.of(N=points.N, D=points.D, loss=loss)).warnings)
    assert "1 of 30 runs lies" in text
    assert "Without it" in text


@pytest.mark.parametrize("column", ["N", "D", "loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_points_refuse_what_is_not_a_positive_number(column: str, value: float) -> None:
    columns = {"N": [1e8, 2e8], "D": [1e9, 2e9], "loss": [3.0, 2.9]}
    columns[column][1] = value
    with pytest.raises(InputError, match=f"{column} of run 2"):
        RunPoints.of(N=columns["N"], D=columns["D"], loss=columns["loss"])


def test_unknown_options_are_refused() -> None:
    for options in (
        {"form": "cubic"},
        {"objective": "l3"},
        {"delta": -1.0},
        {"bootstrap": -1},
        {"level": 1.5},
        {"resampling": "jackknife"},
        {"interval_method": "exact"},
        {"weights": "mass"},
        {"fixed": {"gamma": 1.0}},
        {"fixed": {"A": -1.0}},
        {"form": "kaplan", "fixed": {"alpha_N": 0.1}},
        {"form": "kaplan", "shared": True},
    ):
        with pytest.raises(InputError):
            fit_law(design(), **options)
