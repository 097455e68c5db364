"""How long fits take, and what they reach, beside the procedures that others use: all in one run on one machine.

    python benchmarks/fit.py                                             # the published procedure, as SciPy runs it
    python benchmarks/fit.py --python PATH --vpnls CHECKOUT              # and two packages, see --help
    python benchmarks/fit.py --starts 450 --bootstrap 400 --rounds 1     # quicker, and rougher

Every objective is evaluated here, on the summed Huber loss of Hoffmann et al. 2022, whatever a solver says of itself.
A ratio is the peer's time over ours, both measured on the same processors; ours is measured before and after each
peer. The published points are read from ../shared/data; without them a planted problem takes their place.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import KINDS, REFITS, Bench, NotHere, measure, ours_alone, peers
from benchmarks.problems import BESIROGLU_FILE, besiroglu, planted
from scaling_core.errors import InputError
from scaling_core.output import print_json, say

NOT_HERE = {
    "chinchilla": "not installed: pip install chinchilla in an environment of its own, and name its Python by --python",
    "vpnls": "not found: name a built checkout by --vpnls, and by --python the Python that it was built with",
}
GRID_STARTS = 4500
tell = functools.partial(print, flush=True)
FIT_BUDGET, BOOTSTRAP_BUDGET = 0.015, 2.0
"""Seconds that the 240-point problem may take: its exact optimum, and 4,000 refits on two processors."""


def machine() -> dict[str, Any]:
    """What the figures are measured on."""
    name, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    return {
        "processor": name,
        "processors": available(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
    }


def available() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def duration(seconds: float) -> str:
    """A time in a unit that suits it."""
    for limit, unit, name in ((1.0, 1e-3, "ms"), (600.0, 1.0, "s"), (36000.0, 60.0, "min"), (360000.0, 3600.0, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 86400.0:.3g} days"


def on(cores: int) -> str:
    """Processors, in words."""
    return "one processor" if cores == 1 else f"{cores} processors"


def tell_ours(row: dict[str, Any], optimum: float | None) -> None:
    """Our own figures on so many processors."""
    tell(
        f"Ours on {on(row['cores'])}: exact fit {duration(row['fit_seconds'])} (median; least "
        f"{duration(row['fit_least_seconds'])}), objective {row['objective']:.11g}; {row['refits']:,} refits "
        f"{duration(row['bootstrap_seconds'])} (median; least {duration(row['bootstrap_least_seconds'])}); "
        f"{row['checked']} are solved again from the global grid: at most {max(row['largest_excess'], 0.0):.1e} above."
    )
    for sentence in row["warnings"]:
        tell(f"  {sentence}")
    if optimum is not None:
        tell(
            f"  Budgets: objective at most {optimum}: {kept(row['objective'] <= optimum)}; a fit in "
            f"{duration(FIT_BUDGET)}: {kept(row['fit_seconds'] <= FIT_BUDGET)}"
            + (
                f"; {REFITS:,} refits in {duration(BOOTSTRAP_BUDGET)} on two processors: "
                f"{kept(row['bootstrap_seconds'] <= BOOTSTRAP_BUDGET)}."
                if (row["cores"], row["refits"]) == (2, REFITS)
                else "."
            )
        )


def kept(yes: bool) -> str:
    """Whether a budget is kept."""
    return "kept" if yes else "MISSED"


def tell_peer(row: dict[str, Any], own_refits: float | None) -> None:
    """A peer beside us. own_refits: seconds that our own 4,000 refits took on as many processors."""
    starts = f"{row['starts']:,} starts, " if row["starts"] else ""
    tell(
        f"{row['peer']}: ratio {row['ratio']:.4g} ({duration(row['seconds'])} against {duration(row['ours_seconds'])}; "
        f"{starts}{on(row['cores'])}). {row['note']}"
    )
    tell(
        f"  {row['of']} reached {row['objective']:.11g}, ours {row['ours_objective']:.11g}: "
        f"{100 * row['excess']:+.2g}% from ours."
    )
    if "starts_within_1_percent_of_its_best" in row:
        share = 100 * row["starts_within_1_percent_of_its_best"]
        tell(f"  {share:.0f}% of its starts end within 1% of the best of them.")
    beside = "" if own_refits is None else f"; ours took {duration(own_refits)}"
    tell(
        f"  {REFITS:,} refits would take {duration(row['refits_extrapolated_seconds'])} "
        f"(extrapolated: {REFITS:,} times one fit, not measured){beside}."
    )


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Time and objective of fits, ours and those of others, in one run on one machine."
    )
    parser.add_argument("--data", type=Path, default=BESIROGLU_FILE, help="the file of digitised points")
    parser.add_argument("--problem", choices=("besiroglu", "planted"), help="by default what the data allow")
    parser.add_argument("--peers", default=",".join(KINDS), help=f"some of {','.join(KINDS)}, or none")
    parser.add_argument("--python", default=sys.executable, help="the Python in which the peers are installed")
    parser.add_argument("--vpnls", type=Path, help="folder of a vpnls checkout, its extension built in place")
    parser.add_argument("--starts", type=int, default=GRID_STARTS, help="starts of the peers' grids at most")
    parser.add_argument("--bootstrap", type=int, default=REFITS, help="our refits")
    parser.add_argument("--rounds", type=int, default=3, help="parts in which ours and the peers take turns")
    parser.add_argument("--repeats", type=int, default=30, help="our fits in each of these parts")
    parser.add_argument(
        "--cores",
        default=str(min(2, available())),
        help="processors for the peers and us, such as 1,2; ours alone is also measured on one",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of sentences")
    given = parser.parse_args(words)
    try:
        given.cores = [int(word) for word in given.cores.split(",")]
        given.peers = [] if given.peers == "none" else given.peers.split(",")
    except ValueError:
        parser.error("--cores must be numbers with commas between them, such as 1,2")
    if not all(1 <= cores <= available() for cores in given.cores):
        parser.error(f"--cores must lie between 1 and {available()} here")
    if not set(given.peers) <= set(KINDS):
        parser.error(f"--peers must be some of {','.join(KINDS)}, or none")
    if min(given.starts, given.bootstrap, given.rounds, given.repeats) < 1:
        parser.error("--starts, --bootstrap, --rounds and --repeats must be at least 1")
    return given


def main(words: list[str] | None = None) -> int:
    """Measure and print; the exit status is 2 for a bad input and 0 otherwise, whatever the figures."""
    given = arguments(words)
    absent = given.data == BESIROGLU_FILE and not given.data.exists()
    if absent and given.problem is None:
        say("The published points are not in ../shared/data: a planted problem takes their place.")
    try:
        problem = planted() if given.problem == "planted" or (absent and not given.problem) else besiroglu(given.data)
    except InputError as error:
        say(str(error))
        return 2
    bench = Bench(
        problem=problem,
        python=given.python,
        vpnls=given.vpnls,
        starts=given.starts,
        bootstrap=given.bootstrap,
        rounds=given.rounds,
        repeats=given.repeats,
    )
    try:
        report = compare(bench, given)
    finally:
        bench.close()
    if given.json:
        print_json(report)
    return 0


def compare(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """Measure everything, and tell of each as soon as it is measured unless one JSON object is asked for."""
    begun, load, here, problem = time.perf_counter(), os.getloadavg()[0], machine(), bench.problem
    with contextlib.redirect_stdout(io.StringIO() if given.json else sys.stdout):
        tell(
            f"The {problem.name} problem: {len(problem.points)} runs, summed Huber loss of log residuals, delta 1e-3.\n"
            f"{here['processor']}, {on(here['processors'])}, {here['system']}, Python {here['python']}, NumPy "
            f"{here['numpy']}, SciPy {here['scipy']}.\n",
        )
        ours: list[dict[str, Any]] = []
        for cores in sorted({1, *given.cores}):
            ours.append(ours_alone(bench, cores))
            tell_ours(ours[-1], problem.optimum)
        refits = {row["cores"]: row["bootstrap_seconds"] for row in ours if row["refits"] == REFITS}
        rows: list[dict[str, Any]] = []
        missing = {}
        for kind in given.peers:
            try:
                if kind == "vpnls" and given.vpnls is None and given.python == sys.executable:
                    raise NotHere
                for peer, cores in itertools.product(peers(bench, kind), given.cores):
                    rows.append(measure(bench, peer, cores))
                    tell_peer(rows[-1], refits.get(cores))
            except NotHere:
                missing[kind] = NOT_HERE[kind]
                tell(f"{kind}: {NOT_HERE[kind]}.")
        took, loads = time.perf_counter() - begun, [load, os.getloadavg()[0]]
        tell(f"\nIn {duration(took)}; load average {loads[0]:.1f} before and {loads[1]:.1f} after.")
    return {
        "problem": problem.name,
        "runs": len(problem.points),
        "machine": here,
        "load": loads,
        "ours": ours,
        "peers": rows,
        "versions": bench.versions,
        "missing": missing,
        "seconds": took,
    }


if __name__ == "__main__":
    sys.exit(main())
