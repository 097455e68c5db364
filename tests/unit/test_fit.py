"""The fit on planted laws and on data that cannot carry one."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.errors import FitError, InputError
from scaling_core.fit import FORMS, RunPoints, fit_law, predict
from scaling_core.fit.objective import Problem, huber
from scaling_core.laws import ChinchillaLaw, PowerLaw

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
def test_derivatives_equal_finite_differences(level: bool, delta: float) -> None:
    rng = np.random.default_rng(3)
    problem = Problem(
        form=FORMS["chinchilla"], x=rng.standard_normal((2, 40)), log_loss=rng.normal(1.0, 0.1, 40), level=level
    )
    theta, weights = rng.normal(0.0, 0.5, (3, 5)), rng.uniform(0.5, 2.0, (3, 40))
    value, gradient, hessian = problem.derivatives(theta, weights, delta, problem.log_loss)
    np.testing.assert_allclose(value, problem.value(theta, weights, delta, problem.log_loss), rtol=1e-12)
    for i in range(5):
        step = np.zeros(5)
        step[i] = 1e-6
        above, below = (problem.derivatives(theta + s, weights, delta, problem.log_loss) for s in (step, -step))
        np.testing.assert_allclose((above[0] - below[0]) / 2e-6, gradient[:, i], rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose((above[1] - below[1]) / 2e-6, hessian[:, i], rtol=1e-4, atol=1e-5)


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
    rng, order = np.random.default_rng(4), np.lexsort((points.loss, points.D, points.N))
    weights = rng.multinomial(len(points), np.full(len(points), 1 / len(points)), size=12)
    assert result.replicates is not None
    for counts, replicate in zip(weights, result.replicates, strict=True):
        drawn = np.repeat(order, counts)
        alone = fit_law(RunPoints.of(N=points.N[drawn], D=points.D[drawn], loss=points.loss[drawn]))
        residual = np.log(
            FORMS["chinchilla"].predict(replicate[None, :], np.log([points.N, points.D]))[0] / points.loss
        )
        assert float(huber(residual[drawn], 1e-3).sum()) <= alone.value * (1 + 1e-8)


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
    assert "1 of 30 runs lie" in text


@pytest.mark.parametrize("column", ["N", "D", "loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_points_refuse_what_is_not_a_positive_number(column: str, value: float) -> None:
    columns = {"N": [1e8, 2e8], "D": [1e9, 2e9], "loss": [3.0, 2.9]}
    columns[column][1] = value
    with pytest.raises(InputError, match=f"{column} of run 2"):
        RunPoints.of(N=columns["N"], D=columns["D"], loss=columns["loss"])


def test_unknown_options_are_refused() -> None:
    for options in ({"form": "cubic"}, {"objective": "l3"}, {"delta": -1.0}, {"bootstrap": -1}, {"level": 1.5}):
        with pytest.raises(InputError):
            fit_law(design(), **options)
