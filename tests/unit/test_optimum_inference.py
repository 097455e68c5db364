"""The cheapest model to train and to serve: against a search that knows no formula, and in its refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from scaling_core.catalog import preset
from scaling_core.errors import InputError
from scaling_core.laws import ChinchillaLaw, GadreLaw, KaplanJointLaw, Law, MuennighoffLaw
from scaling_core.optimum import (
    inference_flops,
    inference_optimal,
    lifetime_flops,
    optimal_for_compute,
    optimal_for_loss,
    served_for,
    tokens_for,
)

LAWS: dict[str, Law] = {
    "hoffmann": preset("hoffmann2022").joint,
    "besiroglu": preset("besiroglu2024").joint,
    "kaplan": KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103),
    "gadre": GadreLaw(E=1.508, a=113.7, b=189.5, eta=0.2425),
    "muennighoff": MuennighoffLaw(E=1.87, A=521.0, B=1488.0, alpha=0.35, beta=0.37, R_N_star=5.3, R_D_star=15.4),
}
EVERY = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def searched(law: Law, loss: float, served: float, around: float) -> tuple[float, float]:
    """(ln N, total FLOP) of least lifetime cost, from `law.loss` alone: D by bracketing, N by scalar minimisation."""

    def tokens(log_N: float) -> float:
        return float(brentq(lambda x: law.loss(math.exp(log_N), math.exp(x)) - loss, 5.0, 250.0, xtol=1e-13))

    def cost(log_N: float) -> float:
        if law.loss(math.exp(log_N), 1e100) >= loss:
            return 1e6
        return log_N + float(np.logaddexp(math.log(6.0) + tokens(log_N), math.log(2.0 * served)))

    found = minimize_scalar(cost, bounds=(around - 6.0, around), method="bounded", options={"xatol": 1e-10})
    return float(found.x), math.exp(float(found.fun))


@EVERY
@pytest.mark.parametrize("served", [1e10, 1e12, 3e14])
def test_it_is_what_a_search_finds(law: Law, served: float) -> None:
    best = optimal_for_compute(law, 1e22)
    found = inference_optimal(law, C=1e22, D_inference=served)
    log_N, total = searched(law, best.loss, served, math.log(best.N) + 0.05)
    assert found.total_flops == pytest.approx(total, rel=1e-9)
    assert math.log(found.N) == pytest.approx(log_N, abs=3e-5)
    assert law.loss(found.N, found.D) == pytest.approx(best.loss, rel=1e-12)


@EVERY
def test_nobody_to_serve_leaves_the_compute_optimum(law: Law) -> None:
    found, best = inference_optimal(law, C=1e22, D_inference=0.0), optimal_for_compute(law, 1e22)
    assert (found.N, found.D) == (best.N, best.D)
    assert found.optimum == best
    assert found.saving == pytest.approx(0.0, abs=1e-14)
    assert found.total_flops == pytest.approx(1e22, rel=1e-12)
    little = inference_optimal(law, C=1e22, D_inference=1.0)
    assert little.N == pytest.approx(best.N, rel=1e-9)


@EVERY
def test_more_to_serve_makes_it_smaller_and_longer_trained(law: Law) -> None:
    found = [inference_optimal(law, C=1e22, D_inference=float(x)) for x in np.geomspace(1e8, 1e22, 29)]
    assert (np.diff([f.N for f in found]) < 0).all()
    assert (np.diff([f.D for f in found]) > 0).all()
    assert (np.diff([f.saving for f in found]) > 0).all()
    assert all(f.tokens_per_param == f.D / f.N for f in found)


def test_the_record_adds_up() -> None:
    law = LAWS["hoffmann"]
    found = inference_optimal(law, loss=2.1, D_inference=2e12)
    best = optimal_for_loss(law, 2.1)
    assert found.training_flops == 6.0 * found.N * found.D
    assert found.inference_flops == 2.0 * found.N * 2e12 == inference_flops(found.N, 2e12)
    assert found.total_flops == found.training_flops + found.inference_flops
    assert found.optimum_total_flops == pytest.approx(best.C + 2.0 * best.N * 2e12, rel=1e-15)
    assert found.saving == pytest.approx(1.0 - found.total_flops / found.optimum_total_flops, rel=1e-12)
    assert found.loss == pytest.approx(2.1, rel=1e-12)


def test_a_loss_and_the_budget_that_buys_it_are_the_same_question() -> None:
    law = LAWS["besiroglu"]
    best = optimal_for_compute(law, 3e23)
    one, other = (
        inference_optimal(law, C=3e23, D_inference=1e13),
        inference_optimal(law, loss=best.loss, D_inference=1e13),
    )
    assert (one.N, one.D, one.total_flops) == pytest.approx((other.N, other.D, other.total_flops), rel=1e-9)


@EVERY
def test_the_curve_touches_the_optimum_and_nothing_is_below(law: Law) -> None:
    found = inference_optimal(law, C=1e22, D_inference=1e12)
    N = found.N * np.geomspace(0.01, 30.0, 501)
    total = lifetime_flops(law, N, C=1e22, D_inference=1e12)
    assert (total >= found.total_flops * (1 - 1e-12)).all()
    assert float(total.min()) == pytest.approx(found.total_flops, rel=1e-3)
    assert float(lifetime_flops(law, np.array([found.N]), C=1e22, D_inference=1e12)[0]) == pytest.approx(
        found.total_flops, rel=1e-10
    )
    reached = np.isfinite(total)
    assert reached.any()
    loss = optimal_for_compute(law, 1e22).loss
    assert law.loss(N[reached], tokens_for(law, N[reached], C=1e22)) == pytest.approx(
        np.full(int(reached.sum()), loss), rel=1e-10
    )
    assert (law.loss(N[~reached], 1e200) >= loss).all()


def test_extreme_constants_are_solved() -> None:
    """Exponents far apart, a term of hardly any weight, a demand that dwarfs the training by tens of decades."""
    for alpha, beta in ((0.01, 3.0), (3.0, 0.02), (10.0, 10.0), (0.05, 0.05)):
        law = ChinchillaLaw(E=0.0, A=1e3, B=1e3, alpha=alpha, beta=beta)
        best = optimal_for_compute(law, 1e20)
        for served in (1e-3, 1e12, 1e25):
            found = inference_optimal(law, C=1e20, D_inference=served)
            assert law.loss(found.N, found.D) == pytest.approx(best.loss, rel=1e-11)
            u = law.A * found.N**-alpha / best.loss
            odds = (alpha / beta) * u / (law.B * found.D**-beta / best.loss)
            assert odds == pytest.approx(1.0 + served / (3.0 * found.D), rel=1e-8)


@pytest.mark.parametrize("loss", [1.5, 1.69, 1.6933])
def test_an_impossible_loss_says_so_with_the_floor(loss: float) -> None:
    with pytest.raises(InputError, match=rf"^loss: got {loss}, but that is impossible: .* below 1\.69337"):
        inference_optimal(LAWS["hoffmann"], loss=loss, D_inference=1e12)


@pytest.mark.parametrize("served", [-1.0, math.nan, math.inf])
def test_served_tokens_are_checked(served: float) -> None:
    with pytest.raises(InputError, match=r"^served tokens: got "):
        inference_optimal(LAWS["hoffmann"], C=1e22, D_inference=served)


def test_exactly_one_target() -> None:
    with pytest.raises(InputError, match="give exactly one of loss, compute"):
        inference_optimal(LAWS["hoffmann"], D_inference=1e12)
    with pytest.raises(InputError, match="give exactly one of loss, compute"):
        inference_optimal(LAWS["hoffmann"], C=1e22, loss=2.0, D_inference=1e12)


def test_a_model_of_less_than_a_parameter_is_refused() -> None:
    law = ChinchillaLaw(E=0.0, A=10.0, B=10.0, alpha=0.02, beta=0.02)
    with pytest.raises(
        InputError, match=r"served tokens: got 1e\+40, but under this law its optimum has less than one"
    ):
        inference_optimal(law, C=1e20, D_inference=1e40)


@EVERY
def test_the_demand_that_makes_a_size_the_best(law: Law) -> None:
    best = optimal_for_compute(law, 1e22)
    demands = np.geomspace(1e9, 1e15, 7)
    N = np.array([inference_optimal(law, C=1e22, D_inference=float(x)).N for x in demands])
    assert served_for(law, N, C=1e22) == pytest.approx(demands, rel=1e-6)
    ends = served_for(law, np.array([best.N, 3.0 * best.N, 1e-3 * best.N]), C=1e22)
    assert ends[:2] == pytest.approx([0.0, 0.0], abs=1.0)
    assert np.isinf(ends[2])
