"""What must hold of every optimum beyond the first: served, over-trained, data-limited, for every law and budget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaling_core.errors import InputError
from scaling_core.laws import ChinchillaLaw, GadreLaw, KaplanJointLaw, Law, MuennighoffLaw, as_chinchilla
from scaling_core.optimum import (
    compute_wall,
    data_limited,
    inference_optimal,
    judge,
    lifetime_flops,
    loss_limit,
    optimal_for_compute,
    optimal_for_loss,
    overtrained_to,
    smaller_model,
    worthless_epochs,
)
from scaling_core.optimum.core import core_of, increasing_root

exponent = st.floats(0.05, 1.0)
coefficient = st.floats(0.0, 5.0).map(lambda p: 10.0**p)
scale = st.floats(10.0, 16.0).map(lambda p: 10.0**p)
repetitions = st.floats(-1.0, 3.0).map(lambda p: 10.0**p)
budget = st.floats(16.0, 27.0).map(lambda p: 10.0**p)
tokens = st.floats(6.0, 20.0).map(lambda p: 10.0**p)
chinchilla = st.builds(
    ChinchillaLaw, E=st.floats(0.0, 3.0), A=coefficient, B=coefficient, alpha=exponent, beta=exponent
)
kaplan = st.builds(KaplanJointLaw, N_c=scale, D_c=scale, alpha_N=exponent, alpha_D=exponent)
gadre = st.builds(GadreLaw, E=st.floats(0.0, 3.0), a=coefficient, b=coefficient, eta=exponent)
repeating = st.builds(
    MuennighoffLaw,
    E=st.floats(0.0, 3.0),
    A=coefficient,
    B=coefficient,
    alpha=exponent,
    beta=exponent,
    R_N_star=repetitions,
    R_D_star=repetitions,
)
law_of_two = st.one_of(chinchilla, kaplan, gadre, repeating)
few = settings(max_examples=60, deadline=None)


def possible(law: Law, C: float) -> float:
    """The optimum's loss; examples without one, or too near the floor for a float, are passed over."""
    try:
        loss = optimal_for_compute(law, C).loss
    except InputError:
        assume(False)
    assume(loss - law.floor > 1e-4 * loss)
    return loss


@few
@given(law=law_of_two, C=budget, served=tokens)
def test_serving_makes_the_best_model_smaller_and_saves(law: Law, C: float, served: float) -> None:
    loss, best = possible(law, C), optimal_for_compute(law, C)
    try:
        found, more = (inference_optimal(law, C=C, D_inference=x) for x in (served, 10.0 * served))
    except InputError:
        assume(False)
    assert found.N <= best.N * (1 + 1e-12)
    assert found.D >= best.D * (1 - 1e-12)
    assert more.N <= found.N
    assert more.D >= found.D
    assert 0.0 <= found.saving < 1.0
    assert law.loss(found.N, found.D) == pytest.approx(loss, rel=1e-8)
    around = lifetime_flops(law, found.N * np.array([0.9, 0.999, 1.001, 1.1]), C=C, D_inference=served)
    assert (around >= found.total_flops * (1 - 1e-10)).all()


@few
@given(law=law_of_two, C=budget, times=st.floats(1.0, 1e4))
def test_a_smaller_model_keeps_the_loss_at_the_price_named(law: Law, C: float, times: float) -> None:
    loss = possible(law, C)
    try:
        found = smaller_model(law, C=C, times=times)
        again = overtrained_to(law, C=C, tokens_per_param=found.tokens_per_param)
    except InputError:
        assume(False)
    assert found.C == pytest.approx(times * C, rel=1e-8)
    assert law.loss(found.N, found.D) == pytest.approx(loss, rel=1e-8)
    assert 0.0 < found.fraction <= 1.0
    assert again.N == pytest.approx(found.N, rel=1e-6)
    assert again.compute_ratio == pytest.approx(times, rel=1e-6)


@few
@given(law=repeating, C=budget, U=tokens)
def test_few_data_never_help_and_no_neighbour_is_better(law: MuennighoffLaw, C: float, U: float) -> None:
    possible(law, C)
    try:
        best = data_limited(law, U=U, C=C)
    except InputError:
        assume(False)
    assert best.loss >= best.unlimited.loss * (1 - 1e-13)
    assert best.loss >= loss_limit(law, U) * (1 - 1e-13)
    assert best.compute_equivalent <= C
    assert best.epochs == best.D / U
    for shift in (1e-3, 0.1, 1.0, 5.0, 20.0):
        for sign in (-1.0, 1.0):
            N, D = best.N * math.exp(sign * shift), best.D * math.exp(-sign * shift)
            assert law.loss(N, D, U) >= best.loss * (1 - 1e-13)
    assert data_limited(law, U=2.0 * U, C=C).loss <= best.loss * (1 + 1e-13)
    assert data_limited(law, U=U, C=2.0 * C).loss <= best.loss * (1 + 1e-13)


@few
@given(law=repeating, U=tokens, share=st.floats(1e-4, 0.9))
def test_walls_are_where_they_are_said_to_be(law: MuennighoffLaw, U: float, share: float) -> None:
    within = 0.01
    try:
        stop = compute_wall(law, U, within=within)
    except InputError:
        assume(False)
    limit = loss_limit(law, U)
    assume(limit < 1e6 * within)
    assert stop.loss == pytest.approx(limit + within, abs=1e-7 * max(1.0, limit))
    assert 1.0 < worthless_epochs(law, share) <= 1.0 + law.R_D_star * math.log(1.0 / share) + 1e-9


@few
@given(law=st.one_of(gadre, repeating), C=budget)
def test_what_reduces_to_chinchillas_law_has_its_optimum(law: Law, C: float) -> None:
    base = as_chinchilla(law)
    assert base is not None
    possible(law, C)
    one, other = optimal_for_compute(law, C), optimal_for_compute(base, C)
    assert (one.N, one.D) == pytest.approx((other.N, other.D), rel=1e-9)
    assert one.loss == pytest.approx(other.loss, rel=1e-12)
    assert float(core_of(law).log_K) == pytest.approx(float(core_of(base).log_K), abs=1e-10)


@few
@given(law=repeating, N=st.floats(5.0, 13.0).map(lambda p: 10.0**p), D=st.floats(5.0, 13.0).map(lambda p: 10.0**p))
def test_a_verdict_needs_the_compute_of_its_own_loss(law: MuennighoffLaw, N: float, D: float) -> None:
    try:
        verdict = judge(law, N, D)
        needed = optimal_for_loss(law, verdict.loss).C
    except InputError:
        assume(False)
    assume(verdict.loss - law.floor > 1e-4 * verdict.loss)
    assert math.log(verdict.compute_needed / needed) == pytest.approx(0.0, abs=1e-6)


@given(
    at=st.floats(-50.0, 50.0),
    below=st.floats(0.0, 100.0),
    above=st.floats(0.0, 100.0),
    power=st.sampled_from([1, 3, 5]),
)
def test_the_root_is_found_wherever_it_lies(at: float, below: float, above: float, power: int) -> None:
    x = increasing_root(lambda v: ((v - at) ** power, power * (v - at) ** (power - 1)), at - below, at + above)
    assert float(x) == pytest.approx(at, abs=1e-4 if power > 1 else 1e-13)
    flat = increasing_root(lambda v: (np.sign(v - at), np.full_like(v, np.nan)), at - below, at + above)
    assert float(flat) == pytest.approx(at, abs=1e-12)
