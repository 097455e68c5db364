"""How often the intervals of a fit cover what was planted, for every way to make them that the project offers.

    python benchmarks/coverage.py                     # print the table
    python benchmarks/coverage.py --write             # and store it as data/coverage.csv, which the pages show
    python benchmarks/coverage.py --studies 200       # quicker, and rougher by the square root of five

A study is one set of runs: a planted law on a grid of sizes and tokens per parameter, with noise in the log loss. Each
is fitted and resampled as a person would, and each constant, the exponent a and the optimal size at 1e23 FLOP are
looked for inside their 95% intervals. With 1,000 studies a coverage of 95% is known to about 0.7 points.
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
from scaling_core.fit import INTERVALS, OBJECTIVES, RESAMPLINGS, RunPoints, fit_law, interval  # noqa: E402
from scaling_core.laws import ChinchillaLaw  # noqa: E402

PLANTED = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
"""Hoffmann et al. 2022 as printed, equation 10."""
QUANTITIES = ("E", "A", "B", "alpha", "beta", "a", "N*")
BUDGET = 1e23
NOISE = 0.005
LEVEL = 0.95
DESIGNS = {"30 runs": (6, 5), "120 runs": (12, 10)}
FIELDS = ("design", "noise", "objective", "resampling", "interval", "quantity", "coverage", "studies")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One row of the study: how the runs are made and how they are fitted."""

    design: str
    noise: str
    objective: str
    resampling: str
    studies: int
    replicates: int


def quantities(constants: FloatArray) -> FloatArray:
    """E, A, B, alpha, beta, a and ln N*(BUDGET) for constants (R, 5): (R, 7)."""
    _, A, B, alpha, beta = constants.T
    a = beta / (alpha + beta)
    log_N = (np.log(alpha * A) - np.log(beta * B)) / (alpha + beta) + a * np.log(BUDGET / 6.0)
    return np.column_stack([constants, a, log_N])


def runs(setting: Setting, study: int) -> RunPoints:
    """The runs of one study: normal noise, noise with the heavy tails of Student's t (3 degrees), or grouped noise.

    Grouped noise is one draw for each size and one for each run, together as large as the others.
    """
    sizes, horizons = DESIGNS[setting.design]
    N = np.repeat(np.geomspace(5e7, 1e10, sizes), horizons)
    D = N * np.tile(np.geomspace(5.0, 80.0, horizons), sizes)
    rng = np.random.default_rng((20_260_101, study))
    z = rng.standard_normal(N.size)
    if setting.noise == "heavy":
        z = rng.standard_t(3, N.size) / np.sqrt(3.0)
    elif setting.noise == "grouped":
        z = np.sqrt(0.5) * z + np.sqrt(0.5) * np.repeat(rng.standard_normal(sizes), horizons)
    loss = PLANTED.loss(N, D) * np.exp(NOISE * z)
    return RunPoints.of(N=N, D=D, loss=loss, group=[f"{n:.4g}" for n in N])


def covered(task: tuple[Setting, int]) -> dict[str, list[bool]]:
    """For each kind of interval, which quantities of one study lie inside."""
    setting, study = task
    result = fit_law(
        runs(setting, study),
        objective=setting.objective,  # type: ignore[arg-type]  # one of OBJECTIVES
        bootstrap=setting.replicates,
        resampling=setting.resampling,  # type: ignore[arg-type]  # one of RESAMPLINGS
        seed=study,
        level=LEVEL,
    )
    if result.replicates is None:
        raise RuntimeError("a study without replicates")
    truth = quantities(np.array([list(PLANTED.constants.values())]))[0]
    estimate = quantities(np.array([list(result.constants.values())]))[0]
    inside: dict[str, list[bool]] = {}
    for method in INTERVALS:
        low, high = interval(quantities(result.replicates), estimate, LEVEL, method)
        inside[method] = ((low <= truth) & (truth <= high)).tolist()
    return inside


def settings(studies: int, replicates: int) -> Iterator[Setting]:
    """Every resampling under every noise at both sizes, then every other objective with the small design's default."""
    for design, noise, resampling in itertools.product(DESIGNS, ("normal", "heavy", "grouped"), RESAMPLINGS):
        count = studies if design == "30 runs" else max(1, studies // 4)
        yield Setting(
            design=design,
            noise=noise,
            objective="huber-log",
            resampling=resampling,
            studies=count,
            replicates=replicates,
        )
    for objective in OBJECTIVES[1:]:
        yield Setting(
            design="30 runs", noise="normal", objective=objective, resampling="residual", studies=studies,
            replicates=replicates,
        )  # fmt: skip


def measure(setting: Setting, pool: multiprocessing.pool.Pool) -> Iterator[dict[str, object]]:
    """The rows of one setting: one for each kind of interval and each quantity."""
    results = pool.map(covered, [(setting, study) for study in range(setting.studies)], chunksize=4)
    for method in INTERVALS:
        shares = np.mean([result[method] for result in results], axis=0)
        for quantity, share in zip(QUANTITIES, shares, strict=True):
            yield {
                "design": setting.design,
                "noise": setting.noise,
                "objective": setting.objective,
                "resampling": setting.resampling,
                "interval": method,
                "quantity": quantity,
                "coverage": f"{share:.4g}",
                "studies": setting.studies,
            }


def main() -> int:
    """Measure, print, and store where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies of 30 runs (default 1000)")
    parser.add_argument("--replicates", type=int, default=400, help="bootstrap refits of each (default 400)")
    parser.add_argument("--only", default="", help="settings whose name holds this text, such as '30 runs normal'")
    parser.add_argument("--write", action="store_true", help="store the table as data/coverage.csv")
    args = parser.parse_args()
    rows = []
    print("coverage of nominal 95% intervals, in percent, of " + ", ".join(QUANTITIES))
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for setting in settings(args.studies, args.replicates):
            name = f"{setting.design} {setting.noise} {setting.objective} {setting.resampling}"
            if args.only not in name:
                continue
            made = list(measure(setting, pool))
            rows += made
            for method in INTERVALS:
                shares = [100 * float(str(row["coverage"])) for row in made if row["interval"] == method]
                print(f"{name:38s} {method:15s}" + "".join(f"{share:7.1f}" for share in shares), flush=True)
    if args.write:
        with (ROOT / "data" / "coverage.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
