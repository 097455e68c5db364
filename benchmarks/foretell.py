"""How closely could a ladder foretell its held-out runs at best, if its law held exactly and seeds were all the noise?

    python benchmarks/foretell.py SWEEP [--home FOLDER] [--draws 200] [--shared 0.8] [--times 1,2,4] [--json]

The law is the one through all runs of the finished sweep, held-out ones among them; the noise is that between its own
seeds (`runs.noise`). Each draw lays every run of the sweep upon the law, moves it by noise, fits the law again as the
lab does before the held-out runs, and foretells the largest of them. What is left of the error when the sweep's runs
are repeated `times` over tells what more seeds could buy. All of it is simulated; only law and noise were measured.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scaling_core.errors import ScalingError
from scaling_core.fit import RunPoints, fit_law
from scaling_core.laws import ChinchillaLaw
from scaling_core.output import print_json, say
from scaling_core.runs import place
from scaling_core.runs.results import points_of
from scaling_core.runs.rows import RunRow
from scaling_core.runs.store import Store

Floats = NDArray[np.float64]
AIM = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Ladder:
    """The runs of a finished sweep. N, D, noise (relative, of the run's rung): (n,); line: which runs share a trunk."""

    N: Floats
    D: Floats
    noise: Floats
    line: NDArray[np.int64]
    held: NDArray[np.bool_]
    law: ChinchillaLaw


def ladder_of(runs: list[RunRow]) -> Ladder:
    """The ladder of these runs. Raises ScalingError where they carry no law, or lack seeds or held-out runs."""
    done = [run for run in runs if run.loss is not None and not run.censored]
    points = points_of(done)
    held = np.array([run.held_out for run in done])
    if points.se is None or not held.any():
        raise ScalingError("The sweep needs sizes with several seeds, and a held-out rung that is finished.")
    tracks = sorted({run.track for run in done})
    return Ladder(
        N=points.N,
        D=points.D,
        noise=points.se / points.loss,
        line=np.array([tracks.index(run.track) for run in done]),
        held=held,
        law=_law(points),
    )


def _law(points: RunPoints) -> ChinchillaLaw:
    law = fit_law(points, weights="se").law
    assert isinstance(law, ChinchillaLaw)
    return law


def errors(ladder: Ladder, *, times: int, draws: int, shared: float, seed: int = 0) -> tuple[Floats, Floats]:
    """Relative errors of what is foretold for the largest held-out run, against the law and against one run of it.

    times: how often each fitted line is trained. shared: share of the variance that runs of one trunk have in common.
    """
    rng = np.random.default_rng(seed)
    fitted = np.tile(np.flatnonzero(~ladder.held), times)
    copies = np.repeat(np.arange(times), np.count_nonzero(~ladder.held))
    lines = ladder.line[fitted] + copies * (ladder.line.max() + 1)
    N, D, noise = ladder.N[fitted], ladder.D[fitted], ladder.noise[fitted]
    exact = np.asarray(ladder.law.loss(N, D))
    last = np.flatnonzero(ladder.held)[np.argmax((ladder.N * ladder.D)[ladder.held])]
    truth = float(ladder.law.loss(ladder.N[last], ladder.D[last]))
    against_law, against_run = np.empty(draws), np.empty(draws)
    for draw in range(draws):
        common = rng.standard_normal(lines.max() + 1)[lines]
        own = rng.standard_normal(N.size)
        loss = exact * np.exp(noise * (np.sqrt(shared) * common + np.sqrt(1.0 - shared) * own))
        found = _law(RunPoints.of(N=N, D=D, loss=loss, se=noise * loss))
        foretold = float(found.loss(ladder.N[last], ladder.D[last]))
        against_law[draw] = foretold / truth - 1.0
        against_run[draw] = foretold / (truth * np.exp(ladder.noise[last] * rng.standard_normal())) - 1.0
    return against_law, against_run


def summary(against_law: Floats, against_run: Floats) -> dict[str, float]:
    """Bias and root mean square in percent, and the share of single ladders, and of three in a row, within 1%."""
    within = float(np.mean(np.abs(against_run) <= AIM))
    return {
        "bias": 100 * float(against_law.mean()),
        "rms_law": 100 * float(np.sqrt(np.mean(against_law**2))),
        "rms_run": 100 * float(np.sqrt(np.mean(against_run**2))),
        "within": within,
        "three_within": within**3,
    }


def main(given: list[str] | None = None) -> int:
    """Simulate and print; 2 where the sweep cannot be used."""
    parser = argparse.ArgumentParser(description="How closely a ladder could foretell at best, given its seeds' noise.")
    parser.add_argument("sweep")
    parser.add_argument("--home", type=Path, help="folder of the store; default the lab's own")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--shared", type=float, default=0.8, help="share of the variance common to runs of one trunk")
    parser.add_argument("--times", default="1,2,4", help="how often each fitted line is trained")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(given)
    try:
        with Store.open_reader(chosen.home or place.home()) as store:
            ladder = ladder_of(store.runs(chosen.sweep))
    except ScalingError as error:
        print(error, file=sys.stderr)
        return 2
    noise = {f"{N:g}": 100 * float(ladder.noise[ladder.N == N][0]) for N in np.unique(ladder.N)}
    found: dict[str, Any] = {"law": ladder.law.constants, "noise": noise, "times": {}}
    say("Noise between seeds, percent of the loss: " + ", ".join(f"{n} {p:.2f}" for n, p in noise.items()) + ".")
    for times in map(int, chosen.times.split(",")):
        drawn = errors(ladder, times=times, draws=chosen.draws, shared=chosen.shared)
        found["times"][str(times)] = row = summary(*drawn)
        say(
            f"Every fitted line {times} times: bias {row['bias']:+.2f}%, rms {row['rms_law']:.2f}% against the law, "
            f"{row['rms_run']:.2f}% against one run; within 1%: {row['within']:.0%}, three in a row "
            f"{row['three_within']:.0%}."
        )
    if chosen.json:
        print_json(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
