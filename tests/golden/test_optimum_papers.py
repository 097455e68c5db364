"""What papers print about serving, over-training and repeated data, to the digits they print."""

from __future__ import annotations

import math

import pytest

from scaling_core.laws import ChinchillaLaw, MuennighoffLaw
from scaling_core.optimum import data_limited, inference_optimal, optimal_for_compute, optimal_for_params, token_worth

SARDANA = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.336, beta=0.283)
"""The constants of Sardana et al. 2024, appendix A: Hoffmann's, with a digit more in the exponents than he prints."""
MUENNIGHOFF = MuennighoffLaw(
    E=math.exp(0.6254804),
    A=math.exp(6.255414),
    B=math.exp(7.3049974),
    alpha=0.3526596,
    beta=0.3526596,
    R_N_star=5.309743,
    R_D_star=15.387756,
)


def test_thirteen_billion_parameters_become_seven() -> None:
    """Sardana et al. 2024, figure 1: 13B that will serve 2T tokens; a 7B model saves 1.7e22 FLOP, 17%."""
    quality = optimal_for_params(SARDANA, 13e9).loss
    found = inference_optimal(SARDANA, loss=quality, D_inference=2e12)
    assert round(found.N / 1e9) == 7
    assert round((found.optimum_total_flops - found.total_flops) / 1e21) == 17
    assert round(100 * found.saving) == 17


def test_a_quarter_of_a_hundred_billion_unique_tokens() -> None:
    """Muennighoff et al. 2023: two models of about 9.2e21 FLOP on 25B unique tokens, 6.34B on 242B tokens as their law
    asks and 8.67B on 178B as the law without repetition asks. The law's own optimum is a little better than both.
    """
    C = 6 * 6.34e9 * 242e9
    best = data_limited(MUENNIGHOFF, U=25e9, C=C)
    assert best.loss <= 2.2256440889984477
    assert best.loss == pytest.approx(2.2256440889984477, abs=2e-4)
    assert best.N == pytest.approx(6.34e9, rel=0.08)
    assert best.D == pytest.approx(242e9, rel=0.08)
    free = optimal_for_compute(MUENNIGHOFF, 6 * 8.67e9 * 178e9)
    assert (free.N, free.D) == pytest.approx((8.67e9, 178e9), rel=0.03)


def test_four_epochs_are_almost_new_and_forty_are_worth_little() -> None:
    """Muennighoff et al. 2023, abstract and section 3.1: up to 4 epochs change the loss hardly; after R_D* repetitions
    a further one is worth 1/e of new data.
    """
    assert MUENNIGHOFF.loss(1e9, 4e11, 1e11) - MUENNIGHOFF.loss(1e9, 4e11) < 0.01
    assert float(token_worth(MUENNIGHOFF, 1 + MUENNIGHOFF.R_D_star)) == pytest.approx(math.exp(-1), rel=1e-12)
    assert float(token_worth(MUENNIGHOFF, 4.0)) > 0.8
    assert float(token_worth(MUENNIGHOFF, 40.0)) < 0.1
