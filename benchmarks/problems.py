"""The problems that fits are measured on, and the objective written out once more, apart from the code it judges."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.fit import RunPoints

ROOT = Path(__file__).resolve().parents[1]
BESIROGLU_FILE = ROOT.parent / "shared" / "data" / "epoch_chinchilla_svg_extracted_data.csv"
"""The points of Hoffmann et al. 2022, figure 4, as Besiroglu et al. 2024 read them; their licence keeps them out."""
BESIROGLU_OPTIMUM = 0.00101827403
"""The exact optimum of its 240 points, rounded up: what a solver that reached it may not exceed."""
OUTLIERS = 5
DELTA = 1e-3
"""Width of the Huber loss, Hoffmann et al. 2022, appendix D.2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Runs with a name. optimum: an objective known not to be beaten by more than rounding, where there is one."""

    name: str
    points: RunPoints
    optimum: float | None


def besiroglu_points(path: Path = BESIROGLU_FILE) -> RunPoints:
    """The 240 points of Besiroglu et al. 2024: rows with missing values and the five highest losses left out.

    D = C / (6 N). Raises InputError where the file cannot be read or is another one.
    """
    rows = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                try:
                    rows.append((float(row["Model Size"]), float(row["Training FLOP"]), float(row["loss"])))
                except ValueError:
                    continue
    except (OSError, UnicodeDecodeError, KeyError, TypeError, csv.Error) as error:
        reason = f"it has no column {error}" if isinstance(error, KeyError) else f"it could not be read ({error})"
        raise InputError("data", str(path), f"it must be the file of digitised points, and {reason}") from error
    table = np.array([row for row in rows if np.isfinite(row).all()]).reshape(-1, 3)
    if len(table) <= OUTLIERS:
        raise InputError("data", str(path), f"it must hold more than {OUTLIERS} whole rows, here {len(table)}")
    table = table[np.argsort(table[:, 2])[:-OUTLIERS]]
    return RunPoints.of(N=table[:, 0], D=table[:, 1] / (6 * table[:, 0]), loss=table[:, 2])


def planted_points(*, sizes: int = 8, horizons: int = 10, noise: float = 0.005, seed: int = 0) -> RunPoints:
    """sizes x horizons runs on the law of Besiroglu et al. 2024, with normal noise of that sd in log loss."""
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(5e7, 1e10, sizes), np.geomspace(1e9, 3e11, horizons)))
    loss = 1.81686 + 482.006 * N**-0.34781 + 2085.43 * D**-0.36585
    return RunPoints.of(N=N, D=D, loss=loss * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size)))


def besiroglu(path: Path = BESIROGLU_FILE) -> Problem:
    """The 240-point problem; its optimum holds for the file that the project was measured on."""
    points = besiroglu_points(path)
    return Problem(name="besiroglu", points=points, optimum=BESIROGLU_OPTIMUM if len(points) == 240 else None)


def planted() -> Problem:
    """A problem for a machine that has no published points."""
    return Problem(name="planted", points=planted_points(), optimum=None)


def residuals(constants: Mapping[str, float], points: RunPoints) -> FloatArray:
    """log Lhat - log L of each run under L = E + A / N^alpha + B / D^beta, shape (n,)."""
    law = (
        constants["E"]
        + constants["A"] / points.N ** constants["alpha"]
        + constants["B"] / points.D ** constants["beta"]
    )
    return np.asarray(np.log(law) - np.log(points.loss))


def summed_huber(constants: Mapping[str, float], points: RunPoints, weights: FloatArray | None = None) -> float:
    """sum_i w_i rho(r_i) with Huber's rho of width 1e-3: Hoffmann et al. 2022, eq. 3. weights: ones by default."""
    size = np.abs(residuals(constants, points))
    rho = np.where(size <= DELTA, 0.5 * size**2, DELTA * (size - 0.5 * DELTA))
    return float(np.sum(rho if weights is None else rho * weights))


def summed_squares(constants: Mapping[str, float], points: RunPoints) -> float:
    """sum_i (Lhat_i - L_i)^2, in the loss itself: what a least squares solver minimises."""
    return float(np.sum((points.loss * np.expm1(residuals(constants, points))) ** 2))
