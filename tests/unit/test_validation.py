"""Fits judged on runs they have not seen."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.fit import FitResult, RunPoints, fit_law, predict
from scaling_core.fit.validation import leave_one_out, validate
from scaling_core.laws import ChinchillaLaw


def predicted(result: FitResult, i: int, whole: RunPoints) -> float:
    """The loss that a fit predicts for one run of the whole."""
    return float(predict(result, whole.N[i], whole.D[i]).loss)


PLANTED = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)


def runs(noise: float, seed: int = 0, break_above: float = np.inf) -> RunPoints:
    """Runs over five decades of compute; above `break_above` FLOP their loss stops falling with the law."""
    N, ratio = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 3e9, 8), np.geomspace(5, 80, 5)))
    D = N * ratio
    loss = PLANTED.loss(N, D) * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size))
    loss = np.where(6 * N * D > break_above, loss * 1.15, loss)
    return RunPoints.of(N=N, D=D, loss=loss)


def test_left_out_runs_are_predicted_by_the_fit_without_them() -> None:
    result = fit_law(runs(0.01))
    out = leave_one_out(result)
    assert out is not None
    assert len(out.error) == 40
    for i in (0, 17, 39):
        others = np.arange(40) != i
        alone = fit_law(result.points.subset(others))
        assert out.error[i] == pytest.approx(predicted(alone, i, result.points) / result.points.loss[i] - 1.0, abs=1e-7)
    assert out.worst >= out.median > 0.0


def test_without_noise_every_step_is_exact() -> None:
    checked = validate(fit_law(runs(0.0)))
    assert checked.left_out is not None
    assert checked.left_out.worst < 1e-9
    assert checked.largest is not None
    assert checked.largest.worst < 1e-6
    assert [step.factor for step in checked.steps] == [2.0, 10.0, 100.0, 350.0]
    assert all(step.worst < 1e-5 for step in checked.steps)
    assert [step.kept for step in checked.steps] == [None, True, True, True]


def test_a_law_that_breaks_beyond_the_fitted_runs_is_seen_to_break_its_promise() -> None:
    checked = validate(fit_law(runs(0.002, break_above=3e19)))
    ten = next(step for step in checked.steps if step.factor == 10.0)
    assert ten.worst > 0.10
    assert checked.largest is not None
    calm = validate(fit_law(runs(0.002)))
    assert calm.largest is not None
    assert next(step for step in calm.steps if step.factor == 10.0).worst < 0.05


def test_steps_out_of_reach_are_named_and_intervals_are_counted() -> None:
    points = runs(0.005)
    near = points.subset(points.C < 3000 * points.C.min())
    checked = validate(fit_law(near), bootstrap=50)
    assert 350.0 in checked.missing
    assert checked.steps
    assert all(step.covered is not None and 0.0 <= step.covered <= 1.0 for step in checked.steps)
    plain = checked.to_dict()
    assert plain["out_of_reach"] == list(checked.missing)
    assert plain["leave_one_out"]["runs"] == len(near)


def test_the_options_of_the_fit_are_those_of_the_parts() -> None:
    points = runs(0.005)
    held = fit_law(points, fixed={"E": 1.69}, objective="ls-log")
    out = leave_one_out(held)
    assert out is not None
    others = fit_law(held.points.subset(np.arange(40) != 3), fixed={"E": 1.69}, objective="ls-log")
    assert out.error[3] == pytest.approx(predicted(others, 3, held.points) / held.points.loss[3] - 1.0, abs=1e-8)
