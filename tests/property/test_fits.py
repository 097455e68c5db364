"""What must hold for the fit of any law, not only for the published ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaling_core.arrays import FloatArray
from scaling_core.fit import FORMS, RunPoints, fit_law, interval, joint_region
from scaling_core.laws import ChinchillaLaw

few = settings(max_examples=60, deadline=None)
SIZES, RATIOS = np.meshgrid(np.geomspace(5e7, 1e10, 6), np.geomspace(5.0, 80.0, 5), indexing="ij")
N, D = SIZES.ravel(), (SIZES * RATIOS).ravel()
exponent = st.floats(0.2, 0.6)
law = st.builds(
    ChinchillaLaw,
    E=st.floats(0.5, 2.5),
    A=st.floats(1.7, 3.5).map(lambda p: 10.0**p),
    B=st.floats(1.7, 3.5).map(lambda p: 10.0**p),
    alpha=exponent,
    beta=exponent,
)


@few
@given(law=law)
def test_planted_constants_come_back_without_noise(law: ChinchillaLaw) -> None:
    result = fit_law(RunPoints.of(N=N, D=D, loss=law.loss(N, D)))
    for name, value in law.constants.items():
        assert result.constants[name] == pytest.approx(value, rel=1e-6)


@few
@given(law=law, seed=st.integers(0, 2**31), scale=st.floats(-3.0, 3.0))
def test_units_of_the_runs_do_not_matter(law: ChinchillaLaw, seed: int, scale: float) -> None:
    """N in thousands or in billions: A moves by the factor to the power alpha, and nothing else does."""
    loss = law.loss(N, D) * np.exp(0.005 * np.random.default_rng(seed).standard_normal(N.size))
    one = fit_law(RunPoints.of(N=N, D=D, loss=loss), objective="ls-log")
    other = fit_law(RunPoints.of(N=N * 10**scale, D=D, loss=loss), objective="ls-log")
    assume(one.converged and other.converged)  # runs that fix no law end in a sentence instead
    assert other.value == pytest.approx(one.value, rel=1e-7)
    assert other.constants["alpha"] == pytest.approx(one.constants["alpha"], rel=1e-3)


@few
@given(law=law, seed=st.integers(0, 2**31))
def test_no_random_neighbour_is_better(law: ChinchillaLaw, seed: int) -> None:
    rng = np.random.default_rng(seed)
    loss = law.loss(N, D) * np.exp(0.01 * rng.standard_normal(N.size))
    result = fit_law(RunPoints.of(N=N, D=D, loss=loss), objective="ls-log")
    best = np.array(list(result.constants.values()))
    near = best * np.exp(rng.normal(0.0, 10.0 ** rng.uniform(-4, 0, (500, 1)), (500, 5)))
    hat = FORMS["chinchilla"].predict(near, np.log([N, D]))
    assert (0.5 * (np.log(hat / loss) ** 2).sum(axis=1)).min() >= result.value * (1 - 1e-9)


@few
@given(seed=st.integers(0, 2**31), count=st.integers(50, 400), level=st.floats(0.5, 0.99))
def test_an_interval_holds_its_level_and_turns_with_its_quantity(seed: int, count: int, level: float) -> None:
    """Of replicates without bias it holds a share `level`; a monotone change of the quantity changes its ends alike."""
    rng = np.random.default_rng(seed)
    replicates: FloatArray = rng.standard_normal((count, 3)) * (1.0, 0.1, 5.0)
    estimate = np.median(replicates, axis=0)
    low, high = interval(replicates, estimate, level)
    inside = ((low <= replicates) & (replicates <= high)).mean(axis=0)
    assert np.abs(inside - level).max() <= 6.0 / count
    exp_low, exp_high = interval(np.exp(replicates), np.exp(estimate), level)
    gap = np.abs(np.diff(np.sort(np.exp(replicates), axis=0), axis=0)).max(axis=0)
    assert (np.abs(exp_low - np.exp(low)) <= gap).all()
    assert (np.abs(exp_high - np.exp(high)) <= gap).all()


@few
@given(seed=st.integers(0, 2**31), tilt=st.floats(-0.99, 0.99), level=st.floats(0.5, 0.99))
def test_the_joint_region_holds_its_share_of_the_replicates(seed: int, tilt: float, level: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(400)
    y = tilt * x + np.sqrt(1 - tilt**2) * rng.standard_normal(400)
    outline = joint_region(0.35 + 0.01 * x, 0.3 + 0.02 * y, level)
    turned = (
        (outline - outline.mean(axis=0)) @ np.linalg.inv(np.cov(0.01 * x, 0.02 * y)) * (outline - outline.mean(axis=0))
    )
    radius = float(turned.sum(axis=1).mean())
    cloud = np.stack([0.35 + 0.01 * x, 0.3 + 0.02 * y], axis=1) - outline[:-1].mean(axis=0)
    distance = (cloud @ np.linalg.inv(np.cov(0.01 * x, 0.02 * y)) * cloud).sum(axis=1)
    assert np.ptp(turned.sum(axis=1)) < 0.05 * radius
    assert (distance <= radius).mean() == pytest.approx(level, abs=0.03)
