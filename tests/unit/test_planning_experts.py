"""Experts: the tables that Ludziejewski et al. 2025 print, and what follows from one law with one expert or many."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from scaling_core.errors import InputError
from scaling_core.optimum import numeric_optimal, optimal_for_compute
from scaling_core.planning.experts import (
    ACTIVE,
    COUNTS,
    E_MAX,
    E_START,
    TOTAL,
    best_mixture,
    dense_equivalent,
    law_for,
    mixture,
    total_of,
    transformed,
    width_of,
)

TABLE_4 = {
    1: (30.3640, -0.1817, 53.9838, -0.1965),
    2: (27.7982, -0.1780, 66.8401, -0.2065),
    4: (24.8462, -0.1731, 87.7022, -0.2192),
    8: (21.8330, -0.1676, 119.9126, -0.2338),
    16: (19.0159, -0.1617, 167.5073, -0.2494),
    32: (16.5424, -0.1557, 234.6726, -0.2652),
}
"""Experts: m, mu, n, nu of the joint law reduced to so many."""
TABLE_1 = {
    1e20: ((1.7e9, 9.7e9), (1.5e9, 11.4e9), (1.2e9, 13.9e9), (990e6, 17e9), (810e6, 20.7e9), (669e6, 24.9e9)),
    1e21: ((5.7e9, 29.3e9), (5e9, 33e9), (4.4e9, 38e9), (3.8e9, 44.3e9), (3.3e9, 51.2e9), (2.85e9, 58.4e9)),
    1e22: ((18.8e9, 88.6e9), (17.4e9, 96e9), (15.8e9, 105.4e9), (14.4e9, 115.8e9), (13.2e9, 126.5e9),
           (12.2e9, 136.9e9)),
}  # fmt: skip
"""Training budget: the best active parameters and tokens for 1, 2, 4, 8, 16 and 32 experts."""
RUNS = (
    (5.0e9, 16, 1024, 321e6, 32),
    (3.8e9, 28, 1792, 1.3e9, 4),
    (3.0e9, 26, 1664, 1.1e9, 4),
    (2.7e9, 36, 2304, 2.7e9, 1),
    (2.6e9, 30, 1920, 1.6e9, 2),
    (2.1e9, 12, 768, 169e6, 32),
    (664e6, 8, 512, 79e6, 32),
    (98e6, 8, 512, 79e6, 2),
)
"""Appendix E: total, layers, width, active, experts, of shapes with layers = width / 64."""


@pytest.mark.parametrize("experts", TABLE_4)
def test_the_law_reduced_to_some_experts_is_table_4(experts: int) -> None:
    """To what four digits of table 3 give: 0.3% of the factors, 1e-4 of the exponents."""
    law, (m, mu, n, nu) = law_for(experts), TABLE_4[experts]
    assert (law.A, law.B) == pytest.approx((m, n), rel=3e-3)
    assert (-law.alpha, -law.beta) == pytest.approx((mu, nu), abs=1.5e-4)
    assert law.E == 1.3637
    for N, D in ((3e8, 1e9), (1e9, 1e10), (2.7e9, 8e10)):
        assert law.loss(N, D) == pytest.approx(1.3637 + m * N**mu + n * D**nu, abs=3e-3)


@pytest.mark.parametrize("C", TABLE_1)
def test_the_best_trainings_are_table_1(C: float) -> None:
    for experts, (active, D) in zip(COUNTS, TABLE_1[C], strict=True):
        found = best_mixture(experts, C)
        assert (found.active, found.D) == pytest.approx((active, D), rel=0.025)


@pytest.mark.parametrize("run", RUNS)
def test_total_parameters_are_those_of_the_paper_s_shapes(run: tuple[float, int, int, float, int]) -> None:
    total, layers, width, active, experts = run
    exact = 2 * width * 50_257 + 13 * layers * width**2
    assert width_of(exact) == pytest.approx(width)
    assert exact == pytest.approx(active, rel=0.04)
    assert total_of(exact, experts) == pytest.approx(2 * width * 50_257 + (4 + 9 * experts) * layers * width**2)
    assert total_of(exact, experts) == pytest.approx(total, rel=0.03)


def test_the_example_of_the_rule_of_thumb_holds() -> None:
    """Section 4.5: at 1.1B total, dense on 8B tokens loses to 2 experts on 16B and to 4 on 32B."""

    def active(experts: int) -> float:
        low, high = 1e6, 1.1e9
        for _ in range(100):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if total_of(middle, experts) < 1.1e9 else (low, middle)
        return low

    dense = mixture(1, active=1.1e9, D=8e9)
    two, four = mixture(2, active=active(2), D=16e9), mixture(4, active=active(4), D=32e9)
    assert two.total == pytest.approx(four.total) == pytest.approx(dense.total)
    assert four.loss < two.loss < dense.loss
    assert four.inference_flops < two.inference_flops < dense.inference_flops
    assert 1 - two.inference_flops / dense.inference_flops == pytest.approx(0.36, abs=0.02)
    assert 1 - four.inference_flops / dense.inference_flops == pytest.approx(0.61, abs=0.02)


def test_the_transformation_begins_and_ends_where_it_must() -> None:
    assert transformed(1) == pytest.approx(E_START)
    values = [transformed(n) for n in range(1, 33)]
    assert all(a < b < E_MAX for a, b in itertools.pairwise(values))


@pytest.mark.parametrize("C", [1e18, 3e20, 1e22])
def test_more_experts_are_better_larger_and_smaller_at_work(C: float) -> None:
    """Findings 1 and 2."""
    every = [best_mixture(n, C) for n in COUNTS]
    for one, two in itertools.pairwise(every):
        assert two.loss < one.loss
        assert two.active < one.active
        assert two.D > one.D
        assert two.saved > one.saved
        assert two.total > one.total or C < 1e20
    assert every[0].saved == 0.0
    assert every[0].total == every[0].active == pytest.approx(every[0].dense)


def test_what_is_saved_is_what_the_cheapest_dense_training_spends_more() -> None:
    found = best_mixture(8, 1e21)
    assert optimal_for_compute(law_for(1), found.C / (1 - found.saved)).loss == pytest.approx(found.loss)
    assert found.dense is not None
    assert law_for(1).loss(found.dense, found.D) == pytest.approx(found.loss)
    assert found.loss == pytest.approx(numeric_optimal(law_for(8), 1e21).loss, rel=1e-9)
    assert found.C == pytest.approx(6 * found.active * found.D)
    assert found.bytes == 2 * found.total
    assert mixture(8, active=1e8, D=1e12).saved < 0, "far off its optimum it needs more"
    assert dense_equivalent(law_for(1).floor, 1e9) is None


def test_the_label_knows_active_and_total_parameters_and_tokens() -> None:
    assert mixture(8, active=5e8, D=1e10).solidity.kind == "measured"
    for active, D, factor in ((10 * ACTIVE.high, 1e10, 10.0), (5e8, 8e11, 10.0), (7.9e6, 1e10, 10.0)):
        found = mixture(1, active=active, D=D).solidity
        assert found.factor == pytest.approx(factor)
    large = mixture(32, active=2.7e9, D=1e10)
    assert large.solidity.factor == pytest.approx(large.total / TOTAL.high)
    assert large.solidity.factor > 2.0


@pytest.mark.parametrize("experts", [0, 33, -1, 2.0, "8", True])
def test_experts_beyond_the_law_are_refused(experts: object) -> None:
    with pytest.raises(InputError, match="from 1 to 32"):
        law_for(experts)  # type: ignore[arg-type]  # what a link might say


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_positive_number_is_refused(bad: float) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: mixture(8, active=bad, D=1e9),
        lambda: mixture(8, active=1e9, D=bad),
        lambda: best_mixture(8, bad),
    )
    for call in calls:
        with pytest.raises(InputError):
            call()
