"""How long fits take, and what they reach, beside the procedures that others use: all in one run on one machine.

    python benchmarks/fit.py                                          # the published procedure, as SciPy runs it
    python benchmarks/fit.py --python PATH --vpnls CHECKOUT           # and two packages, see --help
    python benchmarks/fit.py --starts 450 --bootstrap 400 --cores 1   # quicker, and rougher

Every objective is evaluated here, on the summed Huber loss of Hoffmann et al. 2022, whatever a solver says of itself.
A ratio is the peer's time over ours, both measured on the same processors; ours is measured before and after each
peer. The published points are read from ../shared/data; without them a planted problem takes their place.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from benchmarks.problems import BESIROGLU_FILE, Problem, besiroglu, planted, summed_huber, summed_squares
from scaling_core.errors import InputError
from scaling_core.fit import fit_law
from scaling_core.fit.bootstrap import pair_counts
from scaling_core.output import print_json, say, table
from scaling_core.units import parse_quantity

WORKER = ROOT / "benchmarks" / "worker.py"
PEERS = ("scipy", "chinchilla", "vpnls")
NOT_HERE = {
    "scipy": "not installed: pip install scipy",
    "chinchilla": "not installed: pip install chinchilla, in an environment of its own, and name it with --python",
    "vpnls": "not found: name a built checkout with --vpnls, and with --python the interpreter it was built for",
}
GRID_STARTS = 4500
REFITS = 4000
"""What a bootstrap of a peer is extrapolated to."""
CHECKED = 40
"""Replicates of ours that are solved once more from the global grid."""
FIT_BUDGET, BOOTSTRAP_BUDGET = 0.015, 2.0
"""Seconds that the 240-point problem may take: its exact optimum, and 4,000 refits on two processors."""
OURS, SQUARES = {"repeats": 30}, {"repeats": 30, "objective": "ls"}


class NotHere(Exception):
    """A peer that is not installed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """One way in which a peer is run. squares: it minimises the sum of squared errors of the loss, not Huber's."""

    label: str
    kind: str
    task: dict[str, Any]
    parts: int = 1
    squares: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What is asked: the problem, the interpreters, the sizes of everything."""

    problem: Problem
    python: str
    vpnls: Path | None
    starts: int
    bootstrap: int
    rounds: int
    versions: dict[str, str] = field(default_factory=dict)

    def ask(self, kind: str, task: dict[str, Any], cores: int) -> dict[str, Any]:
        """What worker.py answers on `cores` processors; raises NotHere for a peer that is not installed."""
        peer, points = kind in ("chinchilla", "vpnls"), self.problem.points
        paths = [str(ROOT)] if not peer else [str(self.vpnls / "src"), str(self.vpnls)] if self.vpnls else []
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        done = subprocess.run(
            [self.python if peer else sys.executable, str(WORKER), kind],
            input=json.dumps(
                {"N": points.N.tolist(), "D": points.D.tolist(), "loss": points.loss.tolist(), "cores": cores, **task}
            ),
            env={
                **os.environ,
                **dict.fromkeys(threads, "1"),  # a fit is too small to share a product of matrices
                "PYTHONPATH": os.pathsep.join(paths),
                "BENCHMARK_CORES": str(cores),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 3 and peer:
            raise NotHere(done.stderr.strip())
        if done.returncode:
            raise RuntimeError(f"{kind} failed: {done.stderr.strip()[-2000:]}")
        answer: dict[str, Any] = json.loads(done.stdout)
        if peer:
            self.versions[kind] = ", ".join(f"{name} {version}" for name, version in answer["versions"].items())
        return answer

    def score(self, constants: dict[str, float], *, squares: bool) -> float:
        """The objective that a fit is compared by."""
        return (summed_squares if squares else summed_huber)(constants, self.problem.points)


def peers(bench: Bench, names: list[str]) -> list[Peer]:
    """Everything that is measured beside us."""
    found = []
    if "scipy" in names:
        task = {"starts": bench.starts, "parts": bench.rounds}
        found.append(Peer(label="SciPy L-BFGS-B, published grid", kind="scipy", task=task, parts=bench.rounds))
    if "chinchilla" in names:
        each = {"starts": bench.starts}
        found += [
            Peer(label="chinchilla, log-Huber", kind="chinchilla", task={**each, "scale": 1.0}),
            Peer(label="chinchilla, log-Huber times 1e5", kind="chinchilla", task={**each, "scale": 1e5}),
        ]
    if "vpnls" in names:
        rough, fine = {"repeats": 3, "resolution": 0.01}, {"repeats": 1, "resolution": 0.001}
        found += [
            Peer(label="vpnls grid 0.01, Huber", kind="vpnls", task={**rough, "method": "grid", "huber": True}),
            Peer(label="vpnls grid 0.001, Huber", kind="vpnls", task={**fine, "method": "grid", "huber": True}),
            Peer(
                label="vpnls L-BFGS-B, squares",
                kind="vpnls",
                task={**rough, "method": "scipy", "huber": False},
                squares=True,
            ),
        ]
    return found


def measure(bench: Bench, peer: Peer, cores: int) -> dict[str, Any]:
    """One peer, ours before and after each of its parts: times, ratio, objectives. Raises NotHere."""
    own = SQUARES if peer.squares else OURS
    ours = [bench.ask("ours", own, cores)]
    theirs = []
    for part in range(peer.parts):
        theirs.append(bench.ask(peer.kind, {**peer.task, "part": part}, cores))
        ours.append(bench.ask("ours", own, cores))
    seconds = sum(statistics.median(answer["seconds"]) for answer in theirs)
    own_seconds = [second for answer in ours for second in answer["seconds"]]
    reached = min(bench.score(answer["constants"], squares=peer.squares) for answer in theirs)
    own_reached = max(bench.score(answer["constants"], squares=peer.squares) for answer in ours)
    row = {
        "peer": peer.label,
        "cores": cores,
        "seconds": seconds,
        "ours_seconds": statistics.median(own_seconds),
        "ours_least_seconds": min(own_seconds),
        "ratio": seconds / statistics.median(own_seconds),
        "objective": reached,
        "ours_objective": own_reached,
        "excess": reached / own_reached - 1.0,
        "of": "squares" if peer.squares else "huber-log",
        "starts": theirs[0].get("starts"),
        "extrapolated_refits_seconds": seconds * REFITS,
    }
    if peer.kind == "scipy":
        values = np.array([value for answer in theirs for value in answer["values"]])
        row |= {
            "starts": len(values),
            "starts_within_1_percent_of_its_best": float((values <= 1.01 * np.nanmin(values)).mean()),
            "starts_within_1_percent_of_ours": float((values <= 1.01 * own_reached).mean()),
        }
    return row


def ours_alone(bench: Bench, cores: int) -> dict[str, Any]:
    """Our bootstrap on `cores` processors in `rounds` rounds, and its replicates solved again from the global grid."""
    points = bench.problem.points
    sample = np.unique(np.linspace(0, bench.bootstrap - 1, min(CHECKED, bench.bootstrap)).round().astype(int)).tolist()
    task = {**OURS, "bootstrap": bench.bootstrap, "sample": sample}
    answers = [bench.ask("ours", task, cores) for _ in range(bench.rounds)]
    ordered, counts = points.sorted(), pair_counts(len(points), bench.bootstrap, 0)
    excess = []
    for k, replicate in zip(sample, answers[0]["replicates"], strict=True):
        drawn = ordered.subset(np.repeat(np.arange(len(points)), counts[k].astype(int)))
        least = summed_huber(fit_law(drawn).constants, drawn)
        excess.append(summed_huber(dict(zip(answers[0]["constants"], replicate, strict=True)), drawn) / least - 1.0)
    fits = [second for answer in answers for second in answer["seconds"]]
    whole = [answer["bootstrap_seconds"] for answer in answers]
    return {
        "cores": cores,
        "fit_seconds": statistics.median(fits),
        "fit_least_seconds": min(fits),
        "objective": bench.score(answers[0]["constants"], squares=False),
        "refits": bench.bootstrap,
        "bootstrap_seconds": statistics.median(whole),
        "bootstrap_least_seconds": min(whole),
        "checked": len(excess),
        "largest_excess": max(excess),
        "warnings": answers[0]["warnings"],
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    from importlib.metadata import version

    return {
        "processor": name,
        "cores": available(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "load": os.getloadavg()[0],
    }


def available() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(value: float) -> str:
    """A time in a unit that suits it."""
    if value < 1.0:
        return f"{1e3 * value:.1f} ms"
    return f"{value:.1f} s" if value < 600 else f"{value / 3600:.1f} h" if value < 2e5 else f"{value / 86400:.1f} days"
