"""Numbers that papers print, or that follow from what they print; each to the digits given."""

from __future__ import annotations

import pytest

from scaling_core.catalog import model, preset, presets
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.laws import PowerLaw
from scaling_core.optimum import exponents, judge, optimal_for_compute, optimal_for_loss, twenty_to_one
from scaling_core.units import format_duration


def power(id: str) -> PowerLaw:
    law = preset(id).law
    assert isinstance(law, PowerLaw)
    return law


def test_hoffmann_full_precision_constants() -> None:
    constants = preset("hoffmann2022").law.constants
    assert round(constants["E"], 5) == 1.69337
    assert round(constants["A"], 3) == 406.401
    assert round(constants["B"], 3) == 410.723
    assert (constants["alpha"], constants["beta"]) == (0.33917084, 0.2849083)


def test_hoffmann_as_printed_constants() -> None:
    expected = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    assert preset("hoffmann2022-printed").law.constants == expected


def test_besiroglu_constants() -> None:
    constants = preset("besiroglu2024").law.constants
    assert round(constants["E"], 5) == 1.81686
    assert (constants["A"], constants["B"]) == (482.006, 2085.43)
    assert (constants["alpha"], constants["beta"]) == (0.34781, 0.36585)
    assert exponents(preset("besiroglu2024").joint)[0] == pytest.approx(0.513, abs=0.0005)


def test_kaplan_constants() -> None:
    assert preset("kaplan2020-joint").law.constants == {
        "N_c": 6.4e13,
        "D_c": 1.8e13,
        "alpha_N": 0.076,
        "alpha_D": 0.103,
    }
    assert (power("kaplan2020-n").scale, power("kaplan2020-n").exponent) == (8.8e13, 0.076)
    assert (power("kaplan2020-d").scale, power("kaplan2020-d").exponent) == (5.4e13, 0.095)
    assert power("kaplan2020-c").scale == pytest.approx(3.1e8 * 1e15 * 86_400, rel=1e-12)  # 3.1e8 PF-days
    assert power("kaplan2020-c").exponent == 0.050


def test_rounding_the_exponents_moves_hoffmanns_optimum_by_a_quarter() -> None:
    """At Gopher's 5.76e23 FLOP: 40B parameters from the digits of the TeX source, 32B from the printed ones."""
    full = optimal_for_compute(preset("hoffmann2022").joint, 5.76e23)
    printed = optimal_for_compute(preset("hoffmann2022-printed").joint, 5.76e23)
    assert full.N == pytest.approx(40e9, rel=0.02)
    assert printed.N == pytest.approx(32e9, rel=0.02)
    assert exponents(preset("hoffmann2022").joint) == pytest.approx((0.46, 0.54), abs=0.005)


def test_besiroglus_optimum_is_near_twenty_tokens_per_parameter() -> None:
    best = optimal_for_compute(preset("besiroglu2024").joint, 5.76e23)
    assert 15 < best.tokens_per_param < 25
    assert judge(preset("besiroglu2024").joint, 70e9, 1.4e12).status == "near-optimal"


@pytest.mark.parametrize(
    ("N", "loss"), [(5e6, 3.55), (10e6, 3.37), (20e6, 3.20), (50e6, 2.98), (100e6, 2.83), (200e6, 2.68), (500e6, 2.50)]
)
def test_kaplan_loss_by_size(N: float, loss: float) -> None:
    assert round(power("kaplan2020-n").loss(N), 2) == loss


@pytest.mark.parametrize(
    ("id", "factor", "times"),
    [
        ("kaplan2020-n", 10.0, 0.8395),
        ("kaplan2020-n", 100.0, 0.7047),
        ("kaplan2020-n", 1000.0, 0.5916),
        ("kaplan2020-d", 10.0, 0.8035),
        ("kaplan2020-c", 10.0, 1 / 1.122),
        ("kaplan2020-c", 100.0, 1 / 1.259),
        ("kaplan2020-c", 1000.0, 1 / 1.413),
    ],
)
def test_what_ten_times_more_does(id: str, factor: float, times: float) -> None:
    law = power(id)
    assert law.loss(1e9 * factor) / law.loss(1e9) == pytest.approx(times, rel=5e-4)


def test_kaplans_own_allocation_is_not_the_optimum_of_the_joint_law() -> None:
    row = preset("kaplan2020-joint")
    assert row.allocation is not None
    assert row.allocation.at(8.64e19) == pytest.approx((1.3e9, 2e10))
    assert row.allocation.at(8.64e21)[0] == pytest.approx(1.3e9 * 100**0.73)
    a, b = exponents(row.joint)
    assert a == pytest.approx(0.103 / 0.179, rel=1e-12)  # alpha_D / (alpha_N + alpha_D)
    assert a + b == pytest.approx(1.0)
    assert abs(a - row.allocation.N_exponent) > 0.1


@pytest.mark.parametrize(
    ("N", "D", "loss"),
    [(1.8e12, 1.3e13, 60.81), (120e6, 2.4e9, 129.2), (50e6, 1e9, 138.7), (50e6, 41e9, 130.8)],
)
def test_talk_slide_law(N: float, D: float, loss: float) -> None:
    assert preset("talk-slides").joint.loss(N, D) == pytest.approx(loss, abs=0.05)


def test_talk_slide_law_never_reaches_one() -> None:
    with pytest.raises(InputError, match=r"no model goes to or below 1\.85"):
        optimal_for_loss(preset("talk-slides").joint, 1.0)


def test_study_notes() -> None:
    law = preset("study-notes").joint
    assert optimal_for_compute(law, 1e23).N == pytest.approx(2.43e11, rel=0.002)
    C = training_flops(175e9, 300e9)
    best = optimal_for_compute(law, C)
    assert (best.N, best.D) == pytest.approx((439e9, 120e9), rel=0.005)
    assert round(law.loss(175e9, 300e9), 3) == 1.869
    assert round(law.loss(*twenty_to_one(C)), 3) == 1.886


@pytest.mark.parametrize(
    ("C", "N", "D"),
    [(3.15e23, 5.123e10, 1.02e12), (8.087e20, 2.596e9, 52e9), (1e22, 9.129e9, 1.826e11)],
)
def test_twenty_to_one(C: float, N: float, D: float) -> None:
    assert twenty_to_one(C) == pytest.approx((N, D), rel=0.005)


def test_compute_of_known_models() -> None:
    assert training_flops(model("gpt3").N, model("gpt3").tokens) == pytest.approx(3.15e23, rel=1e-3)
    assert training_flops(175e9, 300e9) == pytest.approx(training_flops(6e9, 8.75e12), rel=1e-12)
    llama = model("llama3.1-405b")
    assert training_flops(llama.N, llama.tokens) == pytest.approx(3.8e25, rel=0.01)
    assert model("chinchilla").tokens / model("chinchilla").N == pytest.approx(20.0)
    assert model("gpt3").tokens / model("gpt3").N == pytest.approx(1.714, abs=0.001)


def test_the_verdict_on_gpt3_hangs_on_the_constants() -> None:
    status = {p.id: judge(p.joint, 175e9, 300e9).status for p in presets()}
    assert status == {
        "hoffmann2022": "under-trained",
        "hoffmann2022-printed": "under-trained",
        "besiroglu2024": "under-trained",
        "kaplan2020-joint": "near-optimal",
        "talk-slides": "over-trained",
        "study-notes": "over-trained",
    }


@pytest.mark.parametrize(
    ("peak", "text"),
    [
        (14e12, "713 years"),
        (82e12, "122 years"),
        (312e12, "32 years"),
        (1e15, "9.98 years"),
        (2.5e15, "3.99 years"),
        (1024 * 312e12, "11.4 days"),
    ],
)
def test_time_to_train_gpt3(peak: float, text: str) -> None:
    assert format_duration(training_flops(175e9, 300e9) / peak) == text
