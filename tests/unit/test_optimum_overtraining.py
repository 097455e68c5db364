"""Smaller models for more compute: against bracketing, at the wall, and by the equal-exponent formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from scaling_core.catalog import preset
from scaling_core.errors import InputError
from scaling_core.laws import ChinchillaLaw, GadreLaw, KaplanJointLaw, Law, MuennighoffLaw
from scaling_core.optimum import (
    optimal_for_compute,
    optimal_for_loss,
    overtrained_to,
    overtraining_curve,
    smaller_model,
    standing,
    tokens_for,
)

REPEATING = MuennighoffLaw(E=1.87, A=521.0, B=1488.0, alpha=0.35, beta=0.37, R_N_star=5.3, R_D_star=15.4)
GADRE = GadreLaw(E=1.508, a=113.7, b=189.5, eta=0.2425)
LAWS: dict[str, Law] = {
    "hoffmann": preset("hoffmann2022").joint,
    "besiroglu": preset("besiroglu2024").joint,
    "kaplan": KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103),
    "gadre": GADRE,
    "muennighoff": REPEATING,
}
EVERY = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


@EVERY
def test_each_point_has_the_loss_and_the_tokens_that_bracketing_finds(law: Law) -> None:
    best = optimal_for_compute(law, 1e22)
    curve = overtraining_curve(law, C=1e22, fractions=np.array([0.5, 0.7, 1.0, 2.0, 30.0]))
    for N, D in zip(curve.N.tolist(), curve.D.tolist(), strict=True):
        sought = brentq(lambda x, N=N: law.loss(N, math.exp(x)) - best.loss, 5.0, 200.0, xtol=1e-13)
        assert math.log(D) == pytest.approx(float(sought), abs=1e-9)
    assert pytest.approx(6.0 * curve.N * curve.D, rel=1e-14) == curve.C
    assert curve.compute_ratio == pytest.approx(curve.C / best.C, rel=1e-11)
    assert curve.tokens_per_param == pytest.approx(curve.D / curve.N, rel=1e-14)
    assert curve.compute_ratio[2] == pytest.approx(1.0, rel=1e-12)
    assert (np.delete(curve.compute_ratio, 2) > 1.0).all()
    assert curve.optimum == best
    assert curve.loss == best.loss


@EVERY
def test_below_the_least_fraction_no_data_suffice(law: Law) -> None:
    least = overtraining_curve(law, C=1e22, fractions=np.array([1.0])).least_fraction
    curve = overtraining_curve(law, C=1e22, fractions=least * np.array([0.5, 0.999999, 1.000001, 1.01]))
    assert np.isinf(curve.D[:2]).all()
    assert np.isinf(curve.compute_ratio[:2]).all()
    assert np.isfinite(curve.D[3])
    best = optimal_for_compute(law, 1e22)
    alone = law.loss(least * best.N, 1e250)
    assert alone == pytest.approx(best.loss, rel=1e-9)


def test_two_numbers_by_hand() -> None:
    """alpha = beta = 1/2 and A = B: at half the size u = 1/sqrt(2), so D/D* = (1/2 / (1 - 1/sqrt 2))^2."""
    law = ChinchillaLaw(E=2.0, A=400.0, B=400.0, alpha=0.5, beta=0.5)
    curve = overtraining_curve(law, C=6e20, fractions=np.array([0.5]))
    more = (0.5 / (1.0 - 1.0 / math.sqrt(2.0))) ** 2
    assert curve.D[0] == pytest.approx(1e10 * more, rel=1e-11)
    assert curve.compute_ratio[0] == pytest.approx(0.5 * more, rel=1e-11)
    assert curve.least_fraction == pytest.approx(0.25, rel=1e-14)


@pytest.mark.parametrize("times_M", [1.0, 3.0, 32.0, 400.0])
def test_gadres_own_formula_for_a_multiplier(times_M: float) -> None:
    """With one exponent the compute at M = D/N for a fixed loss is C* cosh(eta/2 ln(M / M*))^(2/eta)."""
    best = optimal_for_compute(GADRE, 1e21)
    found = overtrained_to(GADRE, C=1e21, tokens_per_param=best.tokens_per_param * times_M)
    expected = math.cosh(0.5 * GADRE.eta * math.log(times_M)) ** (2.0 / GADRE.eta)
    assert found.compute_ratio == pytest.approx(expected, rel=1e-10)
    assert found.tokens_per_param == pytest.approx(best.tokens_per_param * times_M, rel=1e-9)
    assert GADRE.loss(found.N, found.D) == pytest.approx(best.loss, rel=1e-11)


@EVERY
@pytest.mark.parametrize("times", [1.0, 1.0001, 1.5, 10.0, 1e6])
def test_a_smaller_model_spends_what_it_may_and_reaches_the_loss(law: Law, times: float) -> None:
    best, found = optimal_for_compute(law, 1e22), smaller_model(law, C=1e22, times=times)
    assert found.C == pytest.approx(times * 1e22, rel=1e-9)
    assert found.compute_ratio == pytest.approx(times, rel=1e-9)
    assert law.loss(found.N, found.D) == pytest.approx(best.loss, rel=1e-10)
    assert found.least_fraction < found.fraction <= 1.0
    assert found.N == pytest.approx(found.fraction * best.N, rel=1e-9)
    curve = overtraining_curve(law, C=1e22, fractions=np.array([found.fraction]))
    assert curve.compute_ratio[0] == pytest.approx(times, rel=1e-6)
    if times == 1.0:
        assert found.fraction == pytest.approx(1.0, abs=1e-14)


@EVERY
def test_more_compute_makes_it_smaller_down_to_the_wall(law: Law) -> None:
    found = [smaller_model(law, C=1e22, times=float(t)) for t in np.geomspace(1.0, 1e6, 41)]
    fractions = np.array([f.fraction for f in found])
    assert (np.diff(fractions) < 0).all()
    assert (fractions > found[0].least_fraction).all()
    assert smaller_model(law, loss=found[0].optimum.loss, times=10.0).fraction == pytest.approx(
        smaller_model(law, C=1e22, times=10.0).fraction, rel=1e-8
    )


def test_excess_parameters_cost_more_data_than_the_base_says() -> None:
    """Above the optimal size, Muennighoff's form asks for more tokens than its base; below, for the same."""
    f = np.array([0.3, 0.9, 1.5, 10.0, 1000.0])
    one = overtraining_curve(REPEATING, C=1e22, fractions=f)
    base = overtraining_curve(REPEATING.base, C=1e22, fractions=f)
    assert one.D[:2] == pytest.approx(base.D[:2], rel=1e-12)
    assert (one.D[2:] > base.D[2:] * 1.01).all()
    assert (one.D[2:] < one.optimum.D).all()
    assert (np.diff(one.D) < 0).all()


def test_tokens_for_takes_any_shape() -> None:
    law = LAWS["hoffmann"]
    N = np.geomspace(1e9, 1e12, 6).reshape(2, 3)
    D = tokens_for(law, N, loss=2.2)
    assert D.shape == (2, 3)
    assert law.loss(N, D) == pytest.approx(np.full((2, 3), 2.2), rel=1e-12)


def test_refusals() -> None:
    law = LAWS["hoffmann"]
    with pytest.raises(InputError, match=r"^times: got 0\.5"):
        smaller_model(law, C=1e22, times=0.5)
    with pytest.raises(InputError, match=r"^times: got nan"):
        smaller_model(law, C=1e22, times=math.nan)
    with pytest.raises(InputError, match=r"times: got 1e\+290, but under this law the optimum lies beyond any number"):
        smaller_model(law, C=1e22, times=1e290)
    with pytest.raises(InputError, match="impossible"):
        smaller_model(law, loss=1.5, times=2.0)
    with pytest.raises(InputError, match="impossible"):
        overtraining_curve(law, loss=1.69, fractions=np.array([1.0]))
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match=r"^fractions: got "):
            overtraining_curve(law, C=1e22, fractions=np.array([1.0, bad]))
    ratio = optimal_for_loss(law, 2.0).tokens_per_param
    with pytest.raises(InputError, match="over-training begins at"):
        overtrained_to(law, loss=2.0, tokens_per_param=0.9 * ratio)
    with pytest.raises(InputError, match="must be a positive finite number"):
        overtrained_to(law, loss=2.0, tokens_per_param=0.0)


@EVERY
@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("C", [1e20, 1e23])
def test_every_trained_model_stands_on_one_curve(law: Law, factor: float, C: float) -> None:
    """The curve of one loss, asked at another model's fraction, gives that model's ratio: whatever the loss."""
    best = optimal_for_compute(law, C)
    found = standing(law, best.N * factor, best.D / factor)
    assert found.optimum.loss == pytest.approx(law.loss(best.N * factor, best.D / factor), rel=1e-9)
    assert found.fraction == pytest.approx(best.N * factor / found.optimum.N, rel=1e-9)
    assert found.compute_ratio == pytest.approx(found.C / found.optimum.C, rel=1e-9)
    curve = overtraining_curve(law, C=1e25, fractions=np.array([found.fraction]))
    assert curve.compute_ratio[0] == pytest.approx(found.compute_ratio, rel=1e-6)
    assert curve.least_fraction == pytest.approx(found.least_fraction, rel=1e-14)
