"""What must hold for every law, every budget and every text, not only for the ones we thought of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaling_core.errors import InputError
from scaling_core.laws import (
    AnyLaw,
    ChinchillaLaw,
    GadreLaw,
    KaplanJointLaw,
    Law,
    MuennighoffLaw,
    PowerLaw,
    form_of,
    law_from_constants,
)
from scaling_core.optimum import (
    exponents,
    frontier,
    judge,
    numeric_optimal,
    optimal_for_compute,
    optimal_for_loss,
    optimal_for_params,
    optimal_for_tokens,
)
from scaling_core.units import format_flops, format_quantity, parse_count, parse_quantity

exponent = st.floats(0.05, 1.0)
coefficient = st.floats(0.0, 5.0).map(lambda p: 10.0**p)
size = st.floats(5.0, 13.0).map(lambda p: 10.0**p)
budget = st.floats(16.0, 27.0).map(lambda p: 10.0**p)
chinchilla = st.builds(
    ChinchillaLaw, E=st.floats(0.0, 3.0), A=coefficient, B=coefficient, alpha=exponent, beta=exponent
)
kaplan = st.builds(
    KaplanJointLaw,
    N_c=st.floats(10.0, 16.0).map(lambda p: 10.0**p),
    D_c=st.floats(10.0, 16.0).map(lambda p: 10.0**p),
    alpha_N=exponent,
    alpha_D=exponent,
)
gadre = st.builds(GadreLaw, E=st.floats(0.0, 3.0), a=coefficient, b=coefficient, eta=exponent)
star = st.floats(-1.0, 2.0).map(lambda p: 10.0**p)
muennighoff = st.builds(
    MuennighoffLaw,
    E=st.floats(0.0, 3.0),
    A=coefficient,
    B=coefficient,
    alpha=exponent,
    beta=exponent,
    R_N_star=star,
    R_D_star=star,
)
power_law = st.builds(
    PowerLaw, variable=st.sampled_from(["N", "D", "C"]), scale=size, exponent=exponent, offset=st.floats(0.0, 3.0)
)
law_of_two = st.one_of(chinchilla, kaplan, gadre, muennighoff)
few = settings(max_examples=100, deadline=None)


def best_of(law: Law, C: float) -> tuple[float, float, float]:
    """N, D and loss of the optimum; examples whose optimum is below one parameter or token are passed over."""
    try:
        best = optimal_for_compute(law, C)
    except InputError:
        assume(False)
    return best.N, best.D, best.loss


@few
@given(law=law_of_two, N=size, D=size, factor=st.floats(1.01, 1e3))
def test_more_is_never_worse(law: Law, N: float, D: float, factor: float) -> None:
    here = law.loss(N, D)
    assert law.loss(N * factor, D) <= here
    assert law.loss(N, D * factor) <= here
    assert law.loss(N * factor, D * factor) < here
    assert here > law.floor


@few
@given(law=law_of_two, N=size, D=size)
def test_terms_add_up_to_the_loss(law: Law, N: float, D: float) -> None:
    terms = law.terms(N, D)
    assert set(terms) == {"E", "N", "D"}
    assert sum(float(value) for value in terms.values()) == pytest.approx(law.loss(N, D), rel=1e-13)
    assert all(float(value) >= 0 for value in terms.values())


@few
@given(law=law_of_two, N=size, D=size)
def test_gradient_is_the_slope(law: Law, N: float, D: float) -> None:
    h = 1e-5
    by_N = (law.loss(N * math.exp(h), D) - law.loss(N * math.exp(-h), D)) / (2 * h)
    by_D = (law.loss(N, D * math.exp(h)) - law.loss(N, D * math.exp(-h))) / (2 * h)
    scale = law.loss(N, D)
    assert law.gradient(N, D) == pytest.approx((by_N, by_D), rel=1e-5, abs=1e-9 * scale)


@few
@given(law=muennighoff, N=size, D=size, U=size)
def test_gradient_with_repeated_data_is_the_slope(law: MuennighoffLaw, N: float, D: float, U: float) -> None:
    assume(abs(math.log(D / U)) > 1e-4)  # the kink has a test of its own
    h = 1e-5
    by_N = (law.loss(N * math.exp(h), D, U) - law.loss(N * math.exp(-h), D, U)) / (2 * h)
    by_D = (law.loss(N, D * math.exp(h), U) - law.loss(N, D * math.exp(-h), U)) / (2 * h)
    assert law.gradient(N, D, U) == pytest.approx((by_N, by_D), rel=2e-5, abs=1e-9 * law.loss(N, D, U))


@few
@given(law=muennighoff, N=size, D=size, U=size, factor=st.floats(1.01, 1e3))
def test_a_repeated_token_is_worth_something_and_never_more_than_a_new_one(
    law: MuennighoffLaw, N: float, D: float, U: float, factor: float
) -> None:
    n, d = (float(x) for x in law.effective(N, D, U))
    assert n <= N * (1 + 1e-12)
    assert min(U, D) * (1 - 1e-12) <= d <= min(D, min(U, D) * (1 + law.R_D_star)) * (1 + 1e-12)
    assert law.loss(N, D, U) == pytest.approx(law.base.loss(n, d), rel=1e-13)
    assert law.loss(N, D, U * factor) <= law.loss(N, D, U) * (1 + 1e-15)
    assert law.loss(N, D) == law.loss(N, D, D) <= law.loss(N, D, U) * (1 + 1e-15)
    assert law.loss(N, D) >= law.base.loss(N, D) * (1 - 1e-15)


@few
@given(law=power_law, x=size)
def test_power_law_slope_and_fall(law: PowerLaw, x: float) -> None:
    h = 1e-5
    slope = (law.loss(x * math.exp(h)) - law.loss(x * math.exp(-h))) / (2 * h)
    assert law.gradient(x) == pytest.approx(slope, rel=1e-5, abs=1e-9 * law.loss(x))
    assert law.loss(2.0 * x) < law.loss(x)


@few
@given(law=st.one_of(law_of_two, power_law))
def test_constants_rebuild_the_law(law: AnyLaw) -> None:
    assert law_from_constants(form_of(law), law.constants) == law


@few
@given(law=law_of_two, C=budget)
def test_optimum_spends_the_budget_and_is_stationary(law: Law, C: float) -> None:
    N, D, loss = best_of(law, C)
    assert 6.0 * N * D == pytest.approx(C, rel=1e-9)
    by_N, by_D = law.gradient(N, D)
    assert float(by_N) == pytest.approx(float(by_D), rel=1e-8)
    for shift in (1e-3, 0.1, 3.0):
        assert law.loss(N * math.exp(shift), D * math.exp(-shift)) >= loss * (1 - 1e-14)
        assert law.loss(N * math.exp(-shift), D * math.exp(shift)) >= loss * (1 - 1e-14)


@few
@given(law=law_of_two, C=budget)
def test_closed_form_is_the_numeric_minimum(law: Law, C: float) -> None:
    N, _, loss = best_of(law, C)
    assume(loss - law.floor > 1e-3 * loss)  # a curve flatter than this has no minimum a float can find
    found = numeric_optimal(law, C)
    assert found.loss == pytest.approx(loss, rel=1e-10)
    assert found.loss >= loss * (1 - 1e-14)
    assert math.log(found.N / N) == pytest.approx(0.0, abs=2e-3)


@few
@given(law=law_of_two, C=budget)
def test_every_way_to_ask_gives_the_same_optimum(law: Law, C: float) -> None:
    N, D, loss = best_of(law, C)
    assert optimal_for_params(law, N).D == pytest.approx(D, rel=1e-8)
    assert optimal_for_tokens(law, D).N == pytest.approx(N, rel=1e-8)
    assume(loss - law.floor > 1e-6 * loss)  # nearer to the floor the loss has no digits left to invert
    again = optimal_for_loss(law, loss)
    assert math.log(again.C / C) == pytest.approx(0.0, abs=1e-4)


@few
@given(law=law_of_two, C=budget, factor=st.floats(1.1, 1e3))
def test_frontier_grows_by_its_exponents(law: Law, C: float, factor: float) -> None:
    a, b = exponents(law)
    assert a + b == pytest.approx(1.0, rel=1e-12)
    N, D, loss = frontier(law, np.array([C, C * factor]))
    assert N[1] / N[0] == pytest.approx(factor**a, rel=1e-9)
    assert D[1] / D[0] == pytest.approx(factor**b, rel=1e-9)
    assert loss[1] <= loss[0]


@few
@given(law=law_of_two, N=size, D=size)
def test_a_verdict_is_never_better_than_the_optimum(law: Law, N: float, D: float) -> None:
    try:
        verdict = judge(law, N, D)
    except InputError:
        assume(False)
    assert verdict.loss_gap >= 0.0
    assert 0.0 <= verdict.compute_left <= verdict.C
    assert (verdict.status == "near-optimal") == (verdict.compute_left < 0.1 * verdict.C)
    if verdict.status != "near-optimal":
        assert (verdict.status == "under-trained") == (N > verdict.optimum.N)
    assert verdict.compute_needed == verdict.C or verdict.compute_needed < verdict.C


@few
@given(x=st.floats(1e-300, 1e300), digits=st.integers(1, 17))
def test_a_written_quantity_reads_back(x: float, digits: int) -> None:
    read = parse_quantity(format_quantity(x, digits), field="x", maximum=1e305)
    assert read == pytest.approx(x, rel=0.51 * 10.0 ** (1 - digits))
    if digits == 17:
        assert read == x


@few
@given(x=st.floats(1e-3, 1e40))
def test_written_compute_reads_back(x: float) -> None:
    assert parse_quantity(format_flops(x), field="x", maximum=1.01e40) == pytest.approx(x, rel=0.0051)


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.text(max_size=80), st.from_regex(r"[-+0-9.,eExX*^ kmbgtpKMBGTP]{0,20}", fullmatch=True)))
def test_any_text_is_a_positive_number_or_one_sentence(text: str) -> None:
    try:
        value: float | str = parse_quantity(text, field="params")
    except InputError as error:
        value = str(error)
    if isinstance(value, str):
        assert value.startswith("params: got ")
        assert "\n" not in value
    else:
        assert 0.0 < value <= 1e40


@few
@given(value=st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(), st.none(), st.booleans()))
def test_any_number_is_checked(value: float | None) -> None:
    try:
        read = parse_quantity(value, field="params")  # type: ignore[arg-type]  # a value of any kind is the test
    except InputError:
        assert value is None or isinstance(value, bool) or not 0 < value <= 1e40
    else:
        assert value is not None
        assert read == float(value), "the float that is nearest"


@few
@given(n=st.integers(0, 2**31 - 1))
def test_counts_read_back(n: int) -> None:
    assert parse_count(str(n), field="n") == n
    assert parse_count(f"{n:,}", field="n") == n
