"""The exponents of Porian et al. 2024 (arXiv 2406.19146) from the isoFLOP points of their 15 settings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from scaling_core.fit.allocation.isoflop import fit_isoflop
from scaling_core.fit.allocation.record import AllocationFit
from scaling_core.fit.points import RunPoints

KEYS = ("dataset", "hparams", "warmup", "decay", "param_count", "val")
SETTINGS = (
    "owt2 base long kaplan kaplan train",
    "owt2 base long kaplan standard val",
    "owt2 base short chinchilla standard val",
    "owt2 base short kaplan standard val",
    "owt2 tuned short const standard val",
    "rw base long kaplan attention train",
    "rw base long kaplan kaplan train",
    "rw base long kaplan standard val",
    "rw base short chinchilla attention train",
    "rw base short chinchilla standard val",
    "rw base short kaplan attention train",
    "rw base short kaplan standard val",
    "rw tuned long const kaplan train",
    "rw tuned short const attention train",
    "rw tuned short const standard val",
)


@pytest.fixture(scope="module")
def published(shared_data: Path) -> dict[str, dict[str, str]]:
    with (shared_data / "porian_fits.csv").open() as file:
        return {" ".join(row[key] for key in KEYS): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def fits(shared_data: Path) -> dict[str, AllocationFit]:
    """Each setting's runs through the spline, as the paper does; they follow no law far from the minimum."""
    runs: dict[str, list[tuple[float, float, float]]] = {}
    with (shared_data / "porian_isoflop_points.csv").open() as file:
        for row in csv.DictReader(file):
            run = float(row["N"]), float(row["D"]), float(row["loss"])
            runs.setdefault(" ".join(row[key] for key in KEYS), []).append(run)
    fitted = {}
    for name, rows in runs.items():
        N, D, loss = zip(*rows, strict=True)
        fitted[name] = fit_isoflop(RunPoints.of(N=N, D=D, loss=loss), method="interpolate", bootstrap=200)
    return fitted


def test_every_setting_is_there(published: dict[str, dict[str, str]], fits: dict[str, AllocationFit]) -> None:
    assert sorted(published) == sorted(fits) == sorted(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_exponent_lies_in_the_published_interval(
    published: dict[str, dict[str, str]], fits: dict[str, AllocationFit], name: str
) -> None:
    row, fit = published[name], fits[name]
    assert float(row["n_exp_lo95"]) <= fit.exponents["a"] <= float(row["n_exp_hi95"])
    assert fit.exponents["a"] == pytest.approx(float(row["n_exponent"]), abs=0.02)
    assert fit.exponents["b"] == pytest.approx(float(row["t_exponent"]), abs=0.02)
    low, high = fit.exponent_intervals["a"]
    assert low <= float(row["n_exponent"]) <= high


def test_budgets_whose_smallest_model_is_best_are_refused(fits: dict[str, AllocationFit]) -> None:
    fit = fits["rw base long kaplan standard val"]
    assert len(fit.optima) == 12
    refused = [row for row in fit.optima if row.refused]
    assert [row.C for row in refused] == pytest.approx([1.25e16, 2.5e16], rel=1e-6)
    assert all("smallest size, 5.17M, has the least loss" in str(row.refused) for row in refused)
    assert len(fits["rw tuned short const standard val"].used) == 12
