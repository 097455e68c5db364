"""Optima by hand, their inverses, refusals, and verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_core.catalog import presets
from scaling_core.errors import InputError
from scaling_core.laws import ChinchillaLaw, GadreLaw, KaplanJointLaw, Law, MuennighoffLaw, as_chinchilla
from scaling_core.optimum import (
    NEAR_OPTIMAL,
    exponents,
    frontier,
    isoflop,
    judge,
    numeric_optimal,
    optimal,
    optimal_for_compute,
    optimal_for_loss,
    optimal_for_params,
    optimal_for_tokens,
    twenty_to_one,
)

SYMMETRIC = ChinchillaLaw(E=2.0, A=400.0, B=400.0, alpha=0.5, beta=0.5)
GADRE = GadreLaw(E=1.508, a=113.7, b=189.5, eta=0.2425)
REPEATING = MuennighoffLaw(E=1.87, A=521.0, B=1488.0, alpha=0.35, beta=0.37, R_N_star=5.3, R_D_star=15.4)
LAWS = [*(p.joint for p in presets()), GADRE, REPEATING]
IDS = [*(p.id for p in presets()), "a gadre law", "a muennighoff law"]


def test_symmetric_law_by_hand() -> None:
    """With A = B and alpha = beta the optimum is N = D = sqrt(C/6), and L = E + 2 A N^-alpha."""
    best = optimal_for_compute(SYMMETRIC, 6e20)
    assert best.N == pytest.approx(1e10, rel=1e-12)
    assert best.D == pytest.approx(1e10, rel=1e-12)
    assert best.C == 6e20
    assert best.loss == pytest.approx(2.0 + 800.0 * 1e-5, rel=1e-12)
    assert best.tokens_per_param == pytest.approx(1.0, rel=1e-12)
    assert exponents(SYMMETRIC) == (0.5, 0.5)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_inverses_agree(law: Law) -> None:
    best = optimal_for_compute(law, 5.76e23)
    for other in (
        optimal_for_params(law, best.N),
        optimal_for_tokens(law, best.D),
        optimal_for_loss(law, best.loss),
        optimal(law, C=5.76e23),
        optimal(law, N=best.N),
        optimal(law, D=best.D),
        optimal(law, loss=best.loss),
    ):
        assert (other.N, other.D, other.C, other.loss) == pytest.approx((best.N, best.D, best.C, best.loss), rel=1e-9)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_numeric_minimum_is_the_closed_form(law: Law) -> None:
    best, found = optimal_for_compute(law, 1e22), numeric_optimal(law, 1e22)
    assert found.N == pytest.approx(best.N, rel=1e-5)
    assert found.loss == pytest.approx(best.loss, rel=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_frontier_is_the_optimum_of_every_budget(law: Law) -> None:
    budgets = np.geomspace(1e18, 1e26, 5)
    N, D, loss = frontier(law, budgets)
    for i, C in enumerate(budgets):
        best = optimal_for_compute(law, float(C))
        assert (N[i], D[i], loss[i]) == pytest.approx((best.N, best.D, best.loss), rel=1e-10)
    assert 6.0 * N * D == pytest.approx(budgets, rel=1e-10)
    assert (np.diff(loss) < 0).all()


def test_isoflop_spends_the_budget_and_dips_at_the_optimum() -> None:
    law = LAWS[0]
    N = np.geomspace(1e9, 1e12, 301)
    D, loss = isoflop(law, 1e23, N)
    assert 6.0 * N * D == pytest.approx(np.full(301, 1e23), rel=1e-12)
    best = optimal_for_compute(law, 1e23)
    assert loss.min() >= best.loss
    assert abs(math.log(N[int(np.argmin(loss))] / best.N)) < 0.03


@pytest.mark.parametrize("loss", [1.6, 1.69, 0.0, -1.0, math.nan, math.inf, 1e-300])
def test_a_loss_no_model_reaches_is_refused(loss: float) -> None:
    with pytest.raises(InputError, match=r"^loss: got "):
        optimal_for_loss(LAWS[1], loss)


def test_impossible_names_the_floor() -> None:
    said = r"loss: got 1\.69, but that is impossible: under this law no model goes to or below 1\.69, whatever its size"
    with pytest.raises(InputError, match=said):
        optimal_for_loss(LAWS[1], 1.69)
    assert optimal_for_loss(LAWS[1], 1.6901).C > 1e30


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_bad_numbers_are_refused(bad: float) -> None:
    for call in (optimal_for_compute, optimal_for_params, optimal_for_tokens, optimal_for_loss, numeric_optimal):
        with pytest.raises(InputError, match="must be a positive finite number"):
            call(LAWS[0], bad)
    with pytest.raises(InputError):
        twenty_to_one(bad)
    with pytest.raises(InputError):
        judge(LAWS[0], bad, 1e9)
    with pytest.raises(InputError):
        judge(LAWS[0], 1e9, bad)


def test_optima_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="less than one parameter or token"):
        optimal_for_compute(LAWS[0], 7.0)
    with pytest.raises(InputError, match="less than one parameter or token"):
        optimal_for_loss(LAWS[0], 1e6)
    lopsided = ChinchillaLaw(E=1.0, A=1e300, B=1e-300, alpha=0.01, beta=0.01)
    with pytest.raises(InputError, match="beyond any number"):
        optimal_for_compute(lopsided, 1e23)
    with pytest.raises(InputError, match="must exceed 6 FLOP"):
        numeric_optimal(LAWS[0], 6.0)


def test_exactly_one_target() -> None:
    with pytest.raises(InputError, match="got 'nothing'"):
        optimal(LAWS[0])
    with pytest.raises(InputError, match="got 'compute, loss'"):
        optimal(LAWS[0], C=1e20, loss=2.0)


def test_absurd_budgets_stay_finite() -> None:
    for law in LAWS:
        best = optimal_for_compute(law, 1e40)
        assert all(math.isfinite(x) and x > 0 for x in (best.N, best.D, best.loss))


def test_twenty_to_one_spends_the_budget() -> None:
    N, D = twenty_to_one(3.15e23)
    assert D == 20.0 * N
    assert 6.0 * N * D == pytest.approx(3.15e23, rel=1e-12)


@pytest.mark.parametrize(
    ("factor", "status"), [(30.0, "under-trained"), (1.0, "near-optimal"), (1 / 30, "over-trained")]
)
def test_verdicts(factor: float, status: str) -> None:
    best = optimal_for_compute(SYMMETRIC, 6e20)
    verdict = judge(SYMMETRIC, best.N * factor, best.D / factor)
    assert verdict.status == status
    assert verdict.C == pytest.approx(6e20, rel=1e-12)
    assert verdict.optimum.N == pytest.approx(best.N, rel=1e-9)
    assert verdict.loss_gap == pytest.approx(verdict.loss - best.loss, abs=1e-12)
    assert verdict.compute_left == pytest.approx(verdict.C - verdict.compute_needed)
    assert verdict.sentence.endswith(".")
    if status == "near-optimal":
        assert verdict.sentence.startswith("Near the optimum: less than 1% of its compute")
        assert verdict.compute_left == pytest.approx(0.0, abs=1e-6 * verdict.C)
    else:
        needed = optimal_for_compute(SYMMETRIC, verdict.compute_needed)
        assert needed.loss == pytest.approx(verdict.loss, rel=1e-12)
        assert verdict.compute_left > NEAR_OPTIMAL * verdict.C
        assert "10B parameters on 10B tokens" in verdict.sentence


def test_verdict_sentence_speaks_of_the_right_side() -> None:
    assert judge(LAWS[0], 175e9, 300e9).sentence == (
        "Too few tokens for its size: the same compute buys 0.036 nats more with 30.6B parameters on 1.71T tokens; "
        "the same loss needs only 1.31e23 FLOP, 58% less."
    )
    assert judge(LAWS[0], 8e9, 15e12).sentence.startswith("Smaller than optimal for its compute: ")


def test_a_tenth_of_the_compute_is_the_border() -> None:
    """Under Hoffmann's constants Chinchilla left 9% on the table; with 15% more parameters it leaves more than 10%."""
    near, beyond = judge(LAWS[0], 70e9, 1.4e12), judge(LAWS[0], 80e9, 1.4e12)
    assert 0.08 < near.compute_left / near.C < 0.10
    assert 0.10 < beyond.compute_left / beyond.C < 0.13
    assert (near.status, beyond.status) == ("near-optimal", "under-trained")


@pytest.mark.parametrize("law", [GADRE, REPEATING], ids=["gadre", "muennighoff"])
def test_laws_that_reduce_to_chinchillas_have_its_optimum(law: Law) -> None:
    base = as_chinchilla(law)
    assert base is not None
    for C in (1e18, 1e23, 1e28):
        one, other = optimal_for_compute(law, C), optimal_for_compute(base, C)
        assert (one.N, one.D, one.loss) == pytest.approx((other.N, other.D, other.loss), rel=1e-12)
    assert exponents(law) == pytest.approx(exponents(base), rel=1e-14)


@pytest.mark.parametrize("factor", [1.0, 3.0, 40.0])
def test_excess_parameters_count_in_the_verdict(factor: float) -> None:
    """A model too large for its data is worse under Muennighoff's form than under its base, and judged so."""
    best = optimal_for_compute(REPEATING, 1e22)
    N, D = best.N * factor, best.D / factor
    verdict, base = judge(REPEATING, N, D), judge(REPEATING.base, N, D)
    assert optimal_for_loss(REPEATING, verdict.loss).C == pytest.approx(verdict.compute_needed, rel=1e-7)
    assert verdict.loss == REPEATING.loss(N, D)
    if factor > 1:
        assert verdict.loss > base.loss * 1.001
        assert verdict.compute_needed < base.compute_needed
    small = judge(REPEATING, best.N / 5, best.D * 5)
    assert small.compute_needed == pytest.approx(
        judge(REPEATING.base, best.N / 5, best.D * 5).compute_needed, rel=1e-12
    )


def test_kaplan_has_no_impossible_loss() -> None:
    law = KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)
    assert optimal_for_loss(law, 0.9).C > 1e29
    with pytest.raises(InputError, match="loss: got 0"):
        optimal_for_loss(law, 0.0)
