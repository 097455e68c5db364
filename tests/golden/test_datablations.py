"""The runs of Muennighoff et al. 2023 on repeated data, and the R_N* and R_D* that were published for them.

The published values are those of 182 runs out of 230 with the base law held at constants from elsewhere. The notebook
that made them (huggingface/datablations, utils/parametric_fit.ipynb, "Fit default") leaves out the runs of LEFT_OUT as
outliers, starts L-BFGS from a grid of 4 x 4 values up to 20, and prints the objective that it reached. One of its runs
is not in the released table, and one has another loss there: both stand below.

What these tests found: on these runs the published values are a local minimum of the stated objective. A lower one lies
at R_D* = 95, R_N* = 1.7, outside the grid of starts; the objectives differ by 0.13%, so the runs do not tell the two
apart, and a bootstrap interval holds both.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from scaling_core.catalog import preset
from scaling_core.fit import RunPoints
from scaling_core.fit.objective import huber
from scaling_core.fit.repeated.fitting import fit_repeated
from scaling_core.laws import MuennighoffLaw

LEFT_OUT = """
2b84b4b 2b88b4b 2b812b4b 2b816b4b 2b824b4b 2b855b1b25 4b212b12b 4b224b12b 4b284b1b9 4b284b6b 2b8100m100m 14m7b5100m
14m300b100m 1b12b7100m 1b13b9100m 1b15b9100m 1b17b5100m 619m3b9100m 619m5b9100m 619m7b5100m 2b84b8100m 1b58b8100m
1b112b100m 619m22b100m 421m300b1b5 221m91b400m 221m174b400m 221m600b400m 8b712b12b 8b712b1b5 8b712b400m 8b712b100m
3b926b1b5 2b836b1b5 2b836b400m 2b836b100m 2b246b400m 2b246b100m 1b566b1b5 1b566b100m 1b191b400m 1b191b1b5 1b1250b1b5
1b5174b1b5 2b291b1b5 2b2174b1b5 8b720b1b5 2b877b1b5
"""
MISSING = {"N": 8.67e9, "D": 178e9, "unique": 13e9, "loss": 2.451606}
"""The run 8b7178b13b, which the table does not have."""
OTHER_LOSS = ("7m100m100m", 8.102005)
PRINTED_OBJECTIVE = 0.015825936570763588
"""In float32."""


@pytest.fixture(scope="module")
def published() -> MuennighoffLaw:
    """The law as published."""
    law = preset("muennighoff2023").law
    assert isinstance(law, MuennighoffLaw)
    return law


@pytest.fixture(scope="module")
def released(shared_data: Path) -> RunPoints:
    """All 229 runs of the released table."""
    with (shared_data / "datablations_return_alloc_final_losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    number = {name: [float(row[name]) for row in rows] for name in ("N", "D", "U", "loss")}
    return RunPoints.of(
        N=number["N"],
        D=number["D"],
        loss=number["loss"],
        unique=number["U"],
        label=[row["name"] for row in rows],
    )


@pytest.fixture(scope="module")
def chosen(released: RunPoints) -> RunPoints:
    """The 182 runs of the published fit."""
    assert released.label is not None
    assert released.unique is not None
    keep = ~np.isin(released.label, LEFT_OUT.split())
    loss = np.where(np.array(released.label) == OTHER_LOSS[0], OTHER_LOSS[1], released.loss)[keep]
    return RunPoints.of(
        N=[*released.N[keep], MISSING["N"]],
        D=[*released.D[keep], MISSING["D"]],
        loss=[*loss, MISSING["loss"]],
        unique=[*released.unique[keep], MISSING["unique"]],
    )


def objective(points: RunPoints, law: MuennighoffLaw) -> float:
    """The sum of Huber losses of log residuals, delta 1e-3."""
    assert points.unique is not None
    return float(huber(np.log(law.loss(points.N, points.D, points.unique)) - np.log(points.loss), 1e-3).sum())


def test_the_objective_is_the_one_that_was_printed(chosen: RunPoints, published: MuennighoffLaw) -> None:
    """To the seven digits of a float32, which shows that runs, base law, objective and formula are the paper's."""
    assert len(chosen) == 182
    assert objective(chosen, published) == pytest.approx(PRINTED_OBJECTIVE, rel=3e-7)


def test_the_published_values_are_a_local_minimum(chosen: RunPoints, published: MuennighoffLaw) -> None:
    """SciPy's simplex, started at them, stays: within 0.11% of each, float32 and 16 starts allowing no better."""

    def value(stars: np.ndarray) -> float:
        N, D = np.exp(stars).tolist()
        return objective(chosen, replace(published, R_N_star=N, R_D_star=D))

    start = np.log([published.R_N_star, published.R_D_star])
    found = minimize(value, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-16})
    assert np.exp(found.x) == pytest.approx([5.309743, 15.387756], rel=1.1e-3)
    assert found.fun == pytest.approx(0.0158259321, abs=1e-10)


def test_the_global_minimum_lies_elsewhere_and_hardly_lower(chosen: RunPoints, published: MuennighoffLaw) -> None:
    result = fit_repeated(chosen, base=published.base)
    assert result.value == pytest.approx(0.0158046625, abs=1e-10)
    assert result.value == pytest.approx(objective(chosen, result.law), rel=1e-12)
    assert result.constants["R_D_star"] == pytest.approx(95.365, abs=1e-3)
    assert result.constants["R_N_star"] == pytest.approx(1.70590, abs=1e-5)
    assert 1.001 < objective(chosen, published) / result.value < 1.0014
    assert result.alternative is not None


def test_without_the_missing_run_the_published_minimum_is_named_as_the_other_one(
    released: RunPoints, published: MuennighoffLaw
) -> None:
    """On the 181 of the 182 runs that were released the two objectives differ by 0.03%."""
    result = fit_repeated(released.subset(~np.isin(released.label or (), LEFT_OUT.split())), base=published.base)
    assert result.n == 181
    assert result.alternative is not None
    assert result.alternative["R_D_star"] == pytest.approx(15.387756, rel=0.003)
    assert result.alternative["R_N_star"] == pytest.approx(5.309743, rel=0.003)
    assert result.constants["R_D_star"] == pytest.approx(46.212, abs=1e-3)
    assert any("R_D* = 15.4 with R_N* = 5.32" in sentence for sentence in result.warnings)


def test_the_published_values_lie_in_wide_intervals(chosen: RunPoints, published: MuennighoffLaw) -> None:
    """R_D* anywhere from 5 up, without an end: not even its order of magnitude is fixed by these runs.

    Runs are resampled, as is the default for so many. New losses about the law, with normal noise, would be wrong here:
    the residuals have two humps and a pattern. R_D* would then lie above 18 to 23.
    """
    result = fit_repeated(chosen, base=published.base, bootstrap=200)
    assert result.resampling == "pairs"
    for name, most in (("R_D_star", 10.0), ("R_N_star", 1.0)):
        low, high = result.intervals[name]
        assert low < most
        assert low < published.constants[name] < high
    assert any("The interval of R_D* has no upper end" in sentence for sentence in result.warnings)
    assert any("The residuals bend with D" in sentence for sentence in result.warnings)


def test_with_every_run_repetition_seems_to_cost_nothing(released: RunPoints, published: MuennighoffLaw) -> None:
    """The runs that were left out are mostly large models whose loss rose with epochs, which the law cannot follow."""
    result = fit_repeated(released, base=published.base)
    assert result.n == 229
    assert any("R_D* ended at its upper bound" in sentence for sentence in result.warnings)
    assert any("31 runs have a higher loss than the same model had" in sentence for sentence in result.warnings)
    assert result.value < objective(released, published)


def test_all_constants_together_fit_twice_as_well(chosen: RunPoints, published: MuennighoffLaw) -> None:
    """The base law was read off another paper's figure: left free, it halves the objective, and R_N* has no upper end.

    R_D* is then 34, with an interval that holds neither 15.4 nor a hundred.
    """
    result = fit_repeated(chosen, joint=True, bootstrap=200)
    assert result.value < 0.5 * objective(chosen, published)
    low, high = result.intervals["R_D_star"]
    assert 15.4 < low < 33.6 < high < 100
