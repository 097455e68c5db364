"""Measurements in a process of their own: each line of stdin is a task in JSON, each line of stdout what came of it.

    python benchmarks/worker.py scipy <tasks

A process for each peer, so that all are given the same processors from the start, and so that a peer may be installed
in another environment than this project's. `ours` needs the project's folder on PYTHONPATH; the peers need only NumPy
and themselves, and are called as their own documentation shows.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

if __name__ == "__main__" and hasattr(os, "sched_setaffinity"):  # before NumPy counts the processors
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(os.environ.get("BENCHMARK_CORES", "1"))])

import numpy as np

Task = dict[str, Any]
NAMES = ("E", "A", "B", "alpha", "beta")
GRID = (
    np.arange(0.0, 25.1, 5.0),  # a = log A
    np.arange(0.0, 25.1, 5.0),  # b = log B
    np.arange(-1.0, 1.1, 0.5),  # e = log E
    np.arange(0.0, 2.1, 0.5),  # alpha
    np.arange(0.0, 2.1, 0.5),  # beta
)
"""The 4,500 initialisations of Hoffmann et al. 2022, appendix D.2."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that a library prints reaches the answer."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def timed(action: Callable[[], Any], repeats: int) -> tuple[list[float], Any]:
    """Seconds of each of `repeats` calls, and what the last gave."""
    seconds, answer = [], None
    for _ in range(repeats):
        begun = time.perf_counter()
        answer = action()
        seconds.append(time.perf_counter() - begun)
    return seconds, answer


def ours(task: Task) -> Task:
    """Fits in a process that is warm: `repeats` times alone, and once with `bootstrap` refits where asked."""
    fit = importlib.import_module("scaling_core.fit")
    points = fit.RunPoints.of(N=task["N"], D=task["D"], loss=task["loss"])
    objective = task.get("objective", "huber-log")
    for _ in range(3):
        fit.fit_law(points, objective=objective)
    seconds, found = timed(lambda: fit.fit_law(points, objective=objective), task["repeats"])
    answer: Task = {"seconds": seconds, "constants": {name: found.constants[name] for name in NAMES}}
    if task.get("bootstrap"):
        fit.fit_law(points, bootstrap=32, resampling="pairs")
        whole, found = timed(lambda: fit.fit_law(points, bootstrap=task["bootstrap"], resampling="pairs", seed=0), 1)
        answer |= {
            "bootstrap_seconds": whole[0],
            "replicates": [[float(value) for value in found.replicates[k]] for k in task["sample"]],
            "warnings": [sentence for sentence in found.warnings if "bootstrap" in sentence],
        }
    return answer


def published(x: np.ndarray, log_N: np.ndarray, log_D: np.ndarray, log_loss: np.ndarray) -> float:
    """Hoffmann et al. 2022, eq. 3: the summed Huber loss of LSE(a - alpha log N, b - beta log D, e) - log L."""
    a, b, e, alpha, beta = x
    size = np.abs(np.logaddexp(np.logaddexp(a - alpha * log_N, b - beta * log_D), e) - log_loss)
    small = np.minimum(size, 1e-3)
    return float(np.sum(small * (size - 0.5 * small)))


def from_starts(given: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """L-BFGS-B with SciPy's own settings and numeric gradients from each start (m, 5): where it ends, and its value."""
    starts, log_N, log_D, log_loss = given
    minimize = importlib.import_module("scipy.optimize").minimize
    with np.errstate(all="ignore"):
        ends = [minimize(published, start, args=(log_N, log_D, log_loss), method="L-BFGS-B") for start in starts]
    return np.array([end.x for end in ends]), np.array([end.fun for end in ends])


def chosen_starts(count: int, part: int, parts: int) -> np.ndarray:
    """`count` starts spread over the grid, and of these every `parts`-th from `part` on."""
    grid = np.array(list(itertools.product(*GRID)))
    spread = np.unique(np.linspace(0, len(grid) - 1, min(count, len(grid))).round().astype(int))
    return np.asarray(grid[spread][part::parts])


def scipy(task: Task) -> Task:
    """The published procedure on a part of its grid, shared out over the processors."""
    data = (np.log(task["N"]), np.log(task["D"]), np.log(task["loss"]))
    starts = chosen_starts(task["starts"], task["part"], task["parts"])
    importlib.import_module("scipy.optimize")
    shares = [(share, *data) for share in np.array_split(starts, max(1, min(8 * task["cores"], len(starts))))]
    begun = time.perf_counter()
    if task["cores"] > 1:
        with multiprocessing.Pool(task["cores"]) as pool:
            solved = pool.map(from_starts, shares, chunksize=1)
    else:
        solved = [from_starts(share) for share in shares]
    seconds = time.perf_counter() - begun
    x, values = np.concatenate([part[0] for part in solved]), np.concatenate([part[1] for part in solved])
    best = int(np.nanargmin(values))
    a, b, e, alpha, beta = (float(value) for value in x[best])
    constants = dict(zip(NAMES, (np.exp(e), np.exp(a), np.exp(b), alpha, beta), strict=True))
    return {"seconds": [seconds], "constants": constants, "values": [float(value) for value in values]}


def chinchilla(task: Task) -> Task:
    """The package's fit with its log-Huber loss, times `scale`, on the grid that its front page shows."""
    os.environ["MPLBACKEND"] = "agg"
    package = importlib.import_module("chinchilla")
    log_huber = importlib.import_module("chinchilla._metrics").log_huber
    if task["cores"] > 1 and "fork" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("fork", force=True)  # its pool hands a local function to its workers
    ends = {"E": (1, 2), "a": (1, 10), "b": (1, 10), "alpha": (0.1, 0.7), "beta": (0.1, 0.7)}
    each = max(count for count in range(1, 6) if count**5 <= max(1, task["starts"]))
    grid = {name: np.linspace(low, high, each) for name, (low, high) in ends.items()}
    scale = task["scale"]
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        lab = package.Chinchilla(
            folder, param_grid=grid, loss_fn=lambda y, hat: scale * log_huber(y, hat, 1e-3), log_level=50
        )
        for N, D, loss in zip(task["N"], task["D"], task["loss"], strict=True):
            lab.append(N=N, D=D, loss=loss)
        lab.visualizer.optim = lambda *words, **options: None  # the figure it draws at the end is not part of the fit
        seconds, _ = timed(lambda: lab.fit(parallel=task["cores"] > 1), 1)
    return {"seconds": seconds, "constants": lab.params, "starts": each**5}


def vpnls(task: Task) -> Task:
    """The package's fit in millions of parameters and billions of tokens, as its front page shows it."""
    api = importlib.import_module("vpnls.api")
    N, D, loss = (np.array(task[name]) for name in ("N", "D", "loss"))
    options = {"method": task["method"], "resolution": task["resolution"]}
    if task["method"] == "grid":
        options["num_workers"] = task["cores"]
    if task["huber"]:
        options["loss"] = api.huber(1e-3)
    seconds, found = timed(lambda: api.fit_vpnls(N / 1e6, D / 1e9, loss, **options), task["repeats"])
    constants = {name: float(getattr(found, name)) for name in NAMES}
    constants["A"] *= 1e6 ** constants["alpha"]
    constants["B"] *= 1e9 ** constants["beta"]
    return {"seconds": seconds, "constants": constants}


KINDS: dict[str, Callable[[Task], Task]] = {"ours": ours, "scipy": scipy, "chinchilla": chinchilla, "vpnls": vpnls}


def versions(kind: str) -> dict[str, str]:
    """Versions of Python and of the packages at work."""
    metadata = importlib.import_module("importlib.metadata")
    found = {"python": sys.version.split()[0]}
    for name in ("numpy", "scipy", *([kind] if kind in ("chinchilla", "vpnls") else [])):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def main(kind: str) -> int:
    """The exit status: 0 once there are no more tasks, 3 where the peer is not installed."""
    for line in sys.stdin:
        try:
            with quiet():
                answer = KINDS[kind](json.loads(line))
        except ModuleNotFoundError as error:
            print(error, file=sys.stderr)
            return 3
        print(json.dumps({**answer, "versions": versions(kind)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
