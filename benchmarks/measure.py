"""Measuring fits: ours and each peer in processes of their own, in turns, every objective evaluated here."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.problems import ROOT, Problem, summed_huber, summed_squares
from scaling_core.fit import fit_law
from scaling_core.fit.bootstrap import pair_counts

WORKER = ROOT / "benchmarks" / "worker.py"
KINDS = ("scipy", "chinchilla", "vpnls")
REFITS = 4000
"""What a bootstrap of a peer is extrapolated to."""
CHECKED = 40
"""Replicates of ours that are solved once more from the global grid."""


class NotHere(Exception):
    """A peer that is not installed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """One way in which a peer is run. task: what worker.py is asked, in `parts` parts. note: what a reader must know.

    squares: it minimises the sum of squared errors of the loss itself, and is compared with our fit of that.
    """

    label: str
    kind: str
    task: dict[str, Any]
    note: str
    parts: int = 1
    squares: bool = False


@dataclass(kw_only=True, slots=True)
class Bench:
    """What is asked: the problem, the interpreters, the sizes of everything; and the processes that answer.

    python: of the peers. starts: of their grids, at most. bootstrap: our refits. rounds: in which we take turns.
    repeats: our fits in each. processes: those that run, by what they measure and on how many processors.
    """

    problem: Problem
    python: str
    vpnls: Path | None
    starts: int
    bootstrap: int
    rounds: int
    repeats: int
    versions: dict[str, str] = field(default_factory=dict)
    processes: dict[tuple[str, int], tuple[subprocess.Popen[str], IO[str]]] = field(default_factory=dict)

    def ask(self, kind: str, task: dict[str, Any], cores: int) -> dict[str, Any]:
        """What worker.py answers on `cores` processors, warm where it was asked before; raises NotHere."""
        if (kind, cores) not in self.processes:
            self.processes[kind, cores] = self._start(kind, cores)
        process, complaints = self.processes[kind, cores]
        assert process.stdin is not None
        assert process.stdout is not None
        points = self.problem.points
        runs = {"N": points.N.tolist(), "D": points.D.tolist(), "loss": points.loss.tolist()}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({**runs, "cores": cores, **task}), file=process.stdin, flush=True)
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            complaints.seek(0)
            said = complaints.read().strip()
            if status == 3 and kind != "ours":
                raise NotHere(said)
            raise RuntimeError(f"{kind} failed: {said[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        self.versions[kind] = ", ".join(f"{name} {version}" for name, version in answer["versions"].items())
        return answer

    def _start(self, kind: str, cores: int) -> tuple[subprocess.Popen[str], IO[str]]:
        peer = kind in ("chinchilla", "vpnls")
        paths = [] if peer else [str(ROOT)]
        if kind == "vpnls" and self.vpnls is not None:
            paths = [str(self.vpnls / "src"), str(self.vpnls)]
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        complaints = tempfile.TemporaryFile("w+")  # a pipe that nobody reads could fill  # noqa: SIM115  # closed below
        process = subprocess.Popen(
            [self.python if peer else sys.executable, str(WORKER), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={
                **os.environ,
                **dict.fromkeys(threads, "1"),  # the matrices are too small to be shared out
                "PYTHONPATH": os.pathsep.join(paths),
                "BENCHMARK_CORES": str(cores),
            },
        )
        return process, complaints

    def close(self) -> None:
        """Ends every process."""
        for process, complaints in self.processes.values():
            process.kill()
            with process, complaints:
                process.wait()
        self.processes.clear()

    def score(self, constants: dict[str, float], *, squares: bool) -> float:
        """The objective that a fit is compared by."""
        return (summed_squares if squares else summed_huber)(constants, self.problem.points)


def peers(bench: Bench, kind: str) -> list[Peer]:
    """Every way in which a peer of that kind is measured."""
    rough = {"repeats": 3, "resolution": 0.01}
    level = "It minimises a Huber loss of the loss itself, so the objective here is not quite its own."
    return {
        "scipy": [
            Peer(
                label="SciPy, published grid",
                kind="scipy",
                task={"starts": bench.starts, "parts": bench.rounds},
                note="L-BFGS-B with numeric gradients, as it comes, on the grid of Hoffmann et al. 2022, appendix D.2.",
                parts=bench.rounds,
            )
        ],
        "chinchilla": [
            Peer(
                label="chinchilla",
                kind="chinchilla",
                task={"starts": bench.starts, "scale": 1.0},
                note="BFGS on the grid of its front page, with its log-Huber loss, delta 1e-3.",
            ),
            Peer(
                label="chinchilla, loss times 1e4",
                kind="chinchilla",
                task={"starts": bench.starts, "scale": 1e4},
                note="The same, with the loss made larger, so that its optimiser does not stop early.",
            ),
        ],
        "vpnls": [
            Peer(
                label="vpnls, grid 0.01",
                kind="vpnls",
                task={**rough, "method": "grid", "huber": True},
                note=level,
            ),
            Peer(
                label="vpnls, grid 0.001",
                kind="vpnls",
                task={"repeats": 1, "resolution": 0.001, "method": "grid", "huber": True},
                note=level,
            ),
            Peer(
                label="vpnls, least squares",
                kind="vpnls",
                task={**rough, "method": "scipy", "huber": False},
                note="Both minimise the squared errors of the loss, its grid 0.01 refined by L-BFGS-B.",
                squares=True,
            ),
        ],
    }[kind]


def measure(bench: Bench, peer: Peer, cores: int) -> dict[str, Any]:
    """One peer, ours before and after each of its parts: times, ratio, objectives. Raises NotHere."""
    own = {"repeats": bench.repeats, "objective": "ls" if peer.squares else "huber-log"}
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
        "of": "squared errors" if peer.squares else "Huber loss",
        "note": peer.note,
        "starts": theirs[0].get("starts"),
        "refits_extrapolated_seconds": seconds * REFITS,
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
    task = {"repeats": bench.repeats, "bootstrap": bench.bootstrap, "sample": sample}
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
