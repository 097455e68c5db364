"""How far off the optima of approaches 1 and 2 are, and how often their intervals cover what was planted.

    python benchmarks/isoflop_bias.py                     # print the tables
    python benchmarks/isoflop_bias.py --write             # and store the last as data/coverage_isoflop.csv, for pages

First without noise, where all that is left is the method's own bias (arXiv 2603.22339 shows the parabola's); then over
simulated studies with noise in ln loss. Quantities are the exponent a of N* ~ C^a and N* at ten times the largest
budget, whose bias is the mean of ln N* over the truth, as a share. Two laws are planted: Hoffmann et al. 2022, and one
whose exponents are further apart. The sizes of each budget span a factor of 3 or 8 to either side of a centre, which
is the true optimum, or three times above it (off), or wanders from three times below to three times above (drift).
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  # the lines above must come first, in each process

from scaling_core.arrays import FloatArray  # noqa: E402
from scaling_core.errors import FitError  # noqa: E402
from scaling_core.fit.allocation.curves import METHODS, Method  # noqa: E402
from scaling_core.fit.allocation.envelope import fit_envelope  # noqa: E402
from scaling_core.fit.allocation.isoflop import IsoflopResampling, fit_isoflop  # noqa: E402
from scaling_core.fit.allocation.record import AllocationFit, power_law  # noqa: E402
from scaling_core.fit.points import RunPoints  # noqa: E402
from scaling_core.laws import ChinchillaLaw  # noqa: E402

LAWS = {
    "Hoffmann": ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28),
    "unequal": ChinchillaLaw(E=1.69, A=400.0, B=4e4, alpha=0.3, beta=0.5),
}
GRIDS = {
    "narrow": (3.0, 1.0, 1.0),
    "wide": (8.0, 1.0, 1.0),
    "wide, off": (8.0, 3.0, 3.0),
    "wide, drift": (8.0, 1 / 3, 3.0),
}
"""Half-width of the sizes as a factor, and how far their centre is off the optimum at the first and last budget."""
LADDERS = {"8 curves": 8, "16 curves": 16}
BUDGETS = np.geomspace(1e18, 1e21, 6)
SIZES = 7
NOISE = 0.003
LEVEL = 0.95
WAYS: tuple[tuple[Method, IsoflopResampling], ...] = (
    ("profile", "residual"),
    ("profile", "pairs"),
    ("parabola", "residual"),
    ("parabola", "pairs"),
    ("interpolate", "residual"),
)
FIELDS = ("method", "design", "quantity", "coverage", "studies", "bias", "resampling", "spread")
QUANTITIES = ("a", "N*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Errors of a and ln N*, whether each interval covers, and the error of a with weights by each optimum's spread."""

    error: tuple[float, float]
    covered: tuple[bool, bool]
    weighted: float


def truth(law: ChinchillaLaw, C: FloatArray) -> FloatArray:
    """ln N* at C: Hoffmann et al. 2022, eq. 4, written out again."""
    total = law.alpha + law.beta
    log_G = np.log(law.alpha * law.A / (law.beta * law.B)) / total
    return np.asarray(log_G + law.beta / total * np.log(C / 6.0))


def isoflop_runs(law: ChinchillaLaw, grid: str, noise: float, rng: np.random.Generator) -> RunPoints:
    """The runs of one isoFLOP study."""
    half, first, last = GRIDS[grid]
    centre = truth(law, BUDGETS) + np.linspace(np.log(first), np.log(last), len(BUDGETS))
    log_N = centre[:, None] + np.linspace(-np.log(half), np.log(half), SIZES)
    N = np.exp(log_N).ravel()
    D = np.repeat(BUDGETS, SIZES) / (6.0 * N)
    return RunPoints.of(N=N, D=D, loss=law.loss(N, D) * np.exp(noise * rng.standard_normal(N.size)))


def curve_runs(law: ChinchillaLaw, sizes: int, noise: float, rng: np.random.Generator) -> RunPoints:
    """Training curves of 60 points, from 0.5 to 1,000 tokens per parameter, each moved as a whole."""
    N = np.repeat(np.geomspace(2e7, 2e10, sizes), 60)
    D = N * np.tile(np.geomspace(0.5, 1000.0, 60), sizes)
    moved = np.repeat(rng.standard_normal(sizes), 60)
    return RunPoints.of(N=N, D=D, loss=law.loss(N, D) * np.exp(noise * moved), group=[f"{n:.4g}" for n in N])


def errors(law: ChinchillaLaw, fit: AllocationFit) -> tuple[float, float]:
    """Of a and of ln N* at ten times the largest budget."""
    ahead = np.array([10.0 * BUDGETS[-1]])
    a = law.beta / (law.alpha + law.beta)
    return fit.exponents["a"] - a, float(np.log(fit.optimum(ahead).N[0]) - truth(law, ahead)[0])


def outcome(law: ChinchillaLaw, fit: AllocationFit) -> Outcome:
    """What one study found."""
    low, high = fit.exponent_intervals["a"]
    ahead = np.array([10.0 * BUDGETS[-1]])
    band, N = fit.optimum(ahead), np.exp(truth(law, ahead))
    a = law.beta / (law.alpha + law.beta)
    weighted = float("nan")
    widths = [row.interval for row in fit.used if row.interval is not None]
    if fit.approach == "isoflop" and len(widths) == len(fit.used):
        log_C, log_N = (np.log([getattr(row, name) for row in fit.used]) for name in ("C", "N"))
        width = np.array([np.log(high / low) for low, high in widths])
        weighted = float(power_law(log_C, log_N, 1.0 / np.maximum(width, 1e-6)[None] ** 2)[0, 1] - a)
    return Outcome(
        error=errors(law, fit),
        covered=(bool(low <= a <= high), bool((band.N_low <= N).all() and (N <= band.N_high).all())),
        weighted=weighted,
    )


def study(task: tuple[str, str, int, int]) -> dict[tuple[str, str], Outcome]:
    """One simulated study under every method; a method that finds too few minima is left out."""
    law_name, design, seed, replicates = task
    law, rng = LAWS[law_name], np.random.default_rng((20_260_102, seed))
    if design in LADDERS:
        points = curve_runs(law, LADDERS[design], NOISE, rng)
        fit = fit_envelope(points, warmup=0.0, bootstrap=replicates, seed=seed, level=LEVEL)
        return {("envelope", "residual"): outcome(law, fit)}
    points = isoflop_runs(law, design, NOISE, rng)
    found: dict[tuple[str, str], Outcome] = {}
    for method, resampling in WAYS:
        try:
            fit = fit_isoflop(
                points, method=method, bootstrap=replicates, resampling=resampling, seed=seed, level=LEVEL
            )
        except FitError:
            continue
        found[method, resampling] = outcome(law, fit)
    return found


def without_noise() -> None:
    """Print the bias of each method where nothing else is wrong."""
    print("without noise: error of a, and of N* at ten times the largest budget\n")
    print(f"{'law':10s}{'sizes':14s}" + "".join(f"{method:>24s}" for method in METHODS))
    for name, grid in itertools.product(LAWS, GRIDS):
        cells = []
        for method in METHODS:
            points = isoflop_runs(LAWS[name], grid, 0.0, np.random.default_rng(0))
            a, log_N = errors(LAWS[name], fit_isoflop(points, method=method, bootstrap=0))
            cells.append(f"{a:+14.5f} {100 * np.expm1(log_N):+8.2f}%")
        print(f"{name:10s}{grid:14s}" + "".join(cells))


def rows(design: str, results: list[dict[tuple[str, str], Outcome]]) -> Iterator[dict[str, object]]:
    """A row for each method and quantity of one design; prints a line for each method."""
    for method, resampling in sorted({key for result in results for key in result}):
        found = [result[method, resampling] for result in results if (method, resampling) in result]
        error = np.array([each.error for each in found])
        covered = np.array([each.covered for each in found]).mean(axis=0)
        spread = error.std(axis=0)
        weighted = np.array([each.weighted for each in found])
        print(
            f"{design:24s}{method:13s}{resampling:10s}{len(found):5d}"
            + "".join(f"{100 * share:8.1f}%" for share in covered)
            + f"{error[:, 0].mean():+10.4f} ({spread[0]:.4f}) "
            + ("" if np.isnan(weighted).any() else f"{weighted.mean():+.4f} ({weighted.std():.4f})").rjust(18)
            + f"{100 * error[:, 1].mean():+9.1f}% ({100 * spread[1]:.1f}%)",
            flush=True,
        )
        for i, quantity in enumerate(QUANTITIES):
            yield {
                "method": method,
                "design": design,
                "quantity": quantity,
                "coverage": f"{covered[i]:.4g}",
                "studies": len(found),
                "bias": f"{error[:, i].mean():.4g}",
                "resampling": resampling,
                "spread": f"{spread[i]:.4g}",
            }


def main() -> int:
    """Measure, print, and store where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200, help="simulated studies of each design (default 200)")
    parser.add_argument("--replicates", type=int, default=300, help="bootstrap replicates of each (default 300)")
    parser.add_argument("--write", action="store_true", help="store the table as data/coverage_isoflop.csv")
    args = parser.parse_args()
    without_noise()
    print(
        f"\nwith noise of {NOISE} in ln loss: share of {LEVEL:.0%} intervals that cover a and N*; mean error of a and"
    )
    print("its spread, the same with optima weighted by their own intervals; mean error of N* and its spread\n")
    made: list[dict[str, object]] = []
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for law, grid in itertools.product(LAWS, (*GRIDS, *LADDERS)):
            tasks = [(law, grid, seed, args.replicates) for seed in range(args.studies)]
            made += rows(f"{grid}, {law}", pool.map(study, tasks, chunksize=4))
    if args.write:
        with (ROOT / "data" / "coverage_isoflop.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
