"""Bands of the optimum: against one law after the other, with replicates that have none, and with another interval."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from scaling_core.arrays import FloatArray
from scaling_core.errors import FitError, InputError
from scaling_core.laws import (
    ChinchillaLaw,
    GadreLaw,
    KaplanJointLaw,
    Law,
    MuennighoffLaw,
    PowerLaw,
    law_from_constants,
)
from scaling_core.optimum import (
    Spread,
    best_sizes,
    exponent_band,
    exponents,
    loss_band,
    optimal_for_compute,
    optimum_band,
)

LAWS: dict[str, Law] = {
    "chinchilla": ChinchillaLaw(E=1.8, A=480.0, B=2085.0, alpha=0.348, beta=0.366),
    "gadre": GadreLaw(E=1.508, a=113.7, b=189.5, eta=0.2425),
    "kaplan": KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103),
    "muennighoff": MuennighoffLaw(E=1.87, A=521.0, B=1488.0, alpha=0.35, beta=0.37, R_N_star=5.3, R_D_star=15.4),
}
EVERY = pytest.mark.parametrize("form", LAWS)
BUDGETS = np.geomspace(1e20, 1e24, 3)


def replicates(law: Law, count: int) -> FloatArray:
    """Constants scattered about those of a law, (count, p), in their order."""
    rng = np.random.default_rng(7)
    centre = np.array(list(law.constants.values()))
    return np.asarray(centre * np.exp(0.05 * rng.standard_normal((count, len(centre)))))


@EVERY
def test_bands_are_the_percentiles_of_the_optima_of_every_replicate(form: str) -> None:
    names, rows = list(LAWS[form].constants), replicates(LAWS[form], 400)
    band = optimum_band(form, rows, BUDGETS, level=0.9)
    assert (band.replicates, band.undefined, band.level) == (400, 0, 0.9)
    best = [
        [optimal_for_compute(law, float(C)) for C in BUDGETS]
        for row in rows
        for law in [law_from_constants(form, dict(zip(names, row.tolist(), strict=True)))]
        if not hasattr(law, "variable")
    ]
    for name in ("N", "D", "tokens_per_param", "loss"):
        values = np.array([[getattr(a, name) for a in of_one] for of_one in best])
        spread: Spread = getattr(band, name)
        for end, share in (("low", 0.05), ("median", 0.5), ("high", 0.95)):
            expected = np.exp(np.quantile(np.log(values), share, axis=0))
            assert getattr(spread, end) == pytest.approx(expected, rel=1e-10), (name, end)
    a = [exponents(law_from_constants(form, dict(zip(names, row.tolist(), strict=True)))) for row in rows]  # type: ignore[arg-type]  # all of these forms are laws in N and D
    both = exponent_band(form, rows, level=0.9)
    assert both.a == pytest.approx(tuple(np.quantile([x for x, _ in a], [0.05, 0.5, 0.95])), rel=1e-12)
    assert both.b == pytest.approx(tuple(np.quantile([x for _, x in a], [0.05, 0.5, 0.95])), rel=1e-12)


@EVERY
def test_one_replicate_is_the_law_itself(form: str) -> None:
    law = LAWS[form]
    band = optimum_band(form, np.array([list(law.constants.values())]), BUDGETS)
    for k, C in enumerate(BUDGETS):
        best = optimal_for_compute(law, float(C))
        assert band.N.low[k] == pytest.approx(best.N, rel=1e-12)
        assert band.D.high[k] == pytest.approx(best.D, rel=1e-12)
        assert band.tokens_per_param.median[k] == pytest.approx(best.tokens_per_param, rel=1e-12)
        assert band.loss.median[k] == pytest.approx(best.loss, rel=1e-12)


@EVERY
def test_the_band_of_the_loss_is_the_percentiles_of_every_replicates_loss(form: str) -> None:
    names, rows = list(LAWS[form].constants), replicates(LAWS[form], 300)
    N = np.geomspace(1e8, 1e13, 40)
    D = 3e23 / (6 * N)
    spread = loss_band(form, rows, N, D, level=0.8)
    every = []
    for row in rows:
        law = law_from_constants(form, dict(zip(names, row.tolist(), strict=True)))
        assert not isinstance(law, PowerLaw)
        every.append([float(law.loss(n, d)) for n, d in zip(N, D, strict=True)])
    for end, share in (("low", 0.1), ("median", 0.5), ("high", 0.9)):
        expected = np.exp(np.quantile(np.log(every), share, axis=0))
        assert getattr(spread, end) == pytest.approx(expected, rel=1e-10), end


def test_a_replicate_that_gives_no_loss_is_left_out_of_its_band() -> None:
    law = LAWS["muennighoff"]
    good = replicates(law, 50)
    bad = good[:1].copy()
    bad[0, 3] = 1e-4
    N, D = np.array([1e9, 1e10]), np.array([1e11, 1e11])
    one, two = (loss_band("muennighoff", rows, N, D) for rows in (good, np.concatenate([good, bad])))
    assert one.low == pytest.approx(two.low, rel=1e-14)
    with pytest.raises(FitError):
        loss_band("muennighoff", bad, N, D)


def test_best_sizes_are_those_of_the_replicates_that_have_one() -> None:
    law = LAWS["chinchilla"]
    rows = replicates(law, 30)
    none = np.array([[1.8, 480.0, 2085.0, 0.0, 0.0]])
    expected = [
        optimal_for_compute(ChinchillaLaw(**dict(zip(law.constants, row.tolist(), strict=True))), 1e22).N
        for row in rows
    ]
    assert best_sizes("chinchilla", np.concatenate([rows, none]), 1e22) == pytest.approx(expected, rel=1e-12)


def test_replicates_without_an_optimum_are_left_out_and_those_at_a_bound_are_extremes() -> None:
    good = replicates(LAWS["chinchilla"], 200)
    nothing = np.array([[1.8, 480.0, 2085.0, 0.0, 0.0], [1.8, 0.0, 9.0, 0.3, 0.3], [1.8, 480.0, 2085.0, 0.0, 0.3]])
    extreme = np.array([[1.8, 480.0, 2085.0, 1e-9, 0.366], [0.0, 1e-300, 2085.0, 0.01, 10.0]])
    band = optimum_band("chinchilla", np.concatenate([good, nothing, extreme]), BUDGETS)
    assert (band.replicates, band.undefined) == (202, 3)
    alone = optimum_band("chinchilla", good, BUDGETS)
    assert band.N.median == pytest.approx(alone.N.median, rel=0.02)
    for field in fields(band):
        value = getattr(band, field.name)
        if isinstance(value, Spread):
            assert np.isfinite([value.low, value.median, value.high]).all()
            assert (value.low <= value.median).all()
            assert (value.median <= value.high).all()
    with pytest.raises(FitError, match="None of 3 sets of constants has a compute optimum"):
        optimum_band("chinchilla", nothing, BUDGETS)
    assert exponent_band("chinchilla", np.concatenate([good, nothing[:1]])).undefined == 1


def test_another_interval_gets_logarithms_and_the_estimate() -> None:
    law = LAWS["chinchilla"]
    rows, estimate = replicates(law, 100), np.array(list(law.constants.values()))
    seen: list[tuple[FloatArray, FloatArray]] = []

    def whole(values: FloatArray, point: FloatArray) -> tuple[FloatArray, FloatArray]:
        seen.append((values, point))
        return values.min(axis=0), 2.0 * point - values.min(axis=0)

    band = optimum_band("chinchilla", rows, BUDGETS, estimate=estimate, interval=whole)
    values, point = seen[0]
    assert values.shape == (100, 12)
    best = [optimal_for_compute(law, float(C)) for C in BUDGETS]
    assert np.exp(point) == pytest.approx(
        [*(b.N for b in best), *(b.D for b in best), *(b.D / b.N for b in best), *(b.loss for b in best)], rel=1e-12
    )
    assert band.N.low == pytest.approx(np.exp(values[:, :3].min(axis=0)), rel=1e-14)
    assert band.loss.high == pytest.approx(np.exp(2 * point[9:] - values[:, 9:].min(axis=0)), rel=1e-14)
    exponent_band("chinchilla", rows, estimate=estimate, interval=whole)
    assert seen[1][1] == pytest.approx(exponents(law), rel=1e-14)
    optimum_band("chinchilla", rows, BUDGETS, interval=whole)
    assert seen[2][1] == pytest.approx(np.median(seen[2][0], axis=0))


def test_refusals() -> None:
    rows = replicates(LAWS["chinchilla"], 5)
    with pytest.raises(InputError, match="it must be chinchilla, kaplan, gadre or muennighoff"):
        optimum_band("power-N", rows, BUDGETS)
    with pytest.raises(InputError, match=r"the chinchilla form takes replicates of shape \(R, 5\)"):
        optimum_band("chinchilla", rows[:, :4], BUDGETS)
    with pytest.raises(InputError, match=r"takes replicates of shape"):
        exponent_band("kaplan", rows)
    for level in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match=r"^level: got "):
            optimum_band("chinchilla", rows, BUDGETS, level=level)
    with pytest.raises(InputError, match=r"^compute: got "):
        optimum_band("chinchilla", rows, np.array([1e20, -1.0]))
