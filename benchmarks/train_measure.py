"""Measuring training loops: ours and each peer in processes of their own, in turns, after they agree on a gradient."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.problems import ROOT
from scaling_core.lab.spec import BYTES_VOCAB, Shape

WORKER = ROOT / "benchmarks" / "train_worker.py"
CONTEXT, SEQUENCES = 128, 32
SETTLE = 5
"""Steps at the beginning of every part that are not counted, as many as nanoGPT lets pass."""
AGREE = 1e-4
"""Largest relative difference of loss and gradient norm from the same weights that is rounding, in float32."""
TEXT_BYTES = 4_000_000


class NotHere(Exception):
    """A peer that is not installed, or not at the path that was given."""


class Disagreement(Exception):
    """A peer whose loss or gradient is another: its speed is no comparison."""


@dataclass(kw_only=True, slots=True)
class Bench:
    """What is asked, and the processes that answer.

    nanogpt: its checkout. python: in which transformers is installed. precision: of ours and of transformers; nanoGPT
    computes in float32 on a CPU whatever it is told. seconds: that a part of a round takes. folder: for everything
    that is written, apart from the checkout.
    """

    nanogpt: Path | None
    python: str
    precision: str
    rounds: int
    seconds: float
    folder: Path
    versions: dict[str, str] = field(default_factory=dict)
    processes: dict[str, tuple[subprocess.Popen[str], IO[str]]] = field(default_factory=dict)

    def ask(self, kind: str, task: dict[str, Any], *, name: str = "", threads: int = 0) -> dict[str, Any]:
        """What train_worker.py answers, in the process `name` (by default the kind's); raises NotHere."""
        self.send(kind, task, name=name, threads=threads)
        return self.receive(kind, name=name)

    def send(self, kind: str, task: dict[str, Any], *, name: str = "", threads: int = 0) -> None:
        """Set a task without waiting. threads: of a new process of ours, 0 for one on every core."""
        key = name or kind
        if key not in self.processes:
            self.processes[key] = self._start(kind, threads)
        process, _ = self.processes[key]
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"data": str(self.data), "sequences": SEQUENCES, **task}), file=process.stdin, flush=True)

    def receive(self, kind: str, *, name: str = "") -> dict[str, Any]:
        """The answer to what was sent."""
        process, complaints = self.processes[name or kind]
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            complaints.seek(0)
            said = complaints.read().strip()
            if status == 3 and kind != "ours":
                raise NotHere((said.splitlines() or ["it is not there"])[-1])
            raise RuntimeError(f"{kind} failed: {said[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        self.versions[kind] = ", ".join(f"{key} {version}" for key, version in answer["versions"].items())
        return answer

    def _start(self, kind: str, threads: int) -> tuple[subprocess.Popen[str], IO[str]]:
        paths = {"ours": str(ROOT), "nanogpt": str(self.nanogpt), "transformers": ""}
        complaints = tempfile.TemporaryFile("w+")  # a pipe that nobody reads could fill  # noqa: SIM115  # closed below
        process = subprocess.Popen(
            [self.python if kind == "transformers" else sys.executable, str(WORKER), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": paths[kind],
                "PYTHONDONTWRITEBYTECODE": "1",
                "TOKENIZERS_PARALLELISM": "false",
                **({"SCALING_LAB_THREADS": str(threads)} if threads else {}),
            },
        )
        return process, complaints

    @property
    def data(self) -> Path:
        """The text as nanoGPT reads it: 16 bits a token, and a pickle that names the size of the vocabulary."""
        folder = self.folder / "text"
        if not folder.exists():
            folder.mkdir()
            text = b""
            for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
                text += path.read_bytes()
                if len(text) > TEXT_BYTES:
                    break
            tokens = np.frombuffer(text, dtype=np.uint8).astype(np.uint16)
            tokens.tofile(folder / "train.bin")
            tokens[-len(tokens) // 10 :].tofile(folder / "val.bin")
            (folder / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": BYTES_VOCAB}))
        return folder

    def close(self) -> None:
        """Ends every process."""
        for process, complaints in self.processes.values():
            process.kill()
            with process, complaints:
                process.wait()
        self.processes.clear()


def words(shape: Shape) -> list[int]:
    """A shape as the workers read it."""
    return [shape.n_layer, shape.d_model, shape.n_head]


def params(shape: Shape) -> int:
    """N with head."""
    return shape.parameters(vocab_size=BYTES_VOCAB, context=CONTEXT).with_head


def agree(bench: Bench, kind: str, shape: Shape) -> dict[str, float]:
    """Loss and gradient norm, ours and the peer's, from our weights on one batch; raises Disagreement, NotHere."""
    task = {"do": "agree", "shape": words(shape), "weights": str(bench.folder / f"{shape.name}.npz")}
    own = bench.ask("ours", task, name=f"agree-{shape.name}")
    peer = bench.ask(kind, task)
    worst = max(abs(own[key] / peer[key] - 1.0) for key in ("loss", "norm"))
    if not worst <= AGREE:
        raise Disagreement(
            f"{kind} at {shape.name}: loss {peer['loss']:.7g} against ours {own['loss']:.7g}, gradient norm "
            f"{peer['norm']:.7g} against {own['norm']:.7g}; {AGREE:g} is allowed"
        )
    return {"loss": own["loss"], "norm": own["norm"], "peer_loss": peer["loss"], "peer_norm": peer["norm"]}


def our_step(bench: Bench, shape: Shape, steps: int) -> float:
    """Median seconds of a step of ours."""
    task = {"do": "train", "shape": words(shape), "steps": steps + SETTLE, "precision": bench.precision}
    seconds: list[float] = bench.ask("ours", task)["seconds"]
    return statistics.median(seconds[SETTLE:])


def nanogpt_step(bench: Bench, shape: Shape, steps: int) -> float:
    """Median seconds of a step of nanoGPT's train.py, run as it is, as its own log tells them."""
    if bench.nanogpt is None or not (bench.nanogpt / "train.py").is_file():
        raise NotHere("it has no train.py" if bench.nanogpt else "name its checkout by --nanogpt")
    settings = {
        "device": "cpu", "compile": False, "dtype": "float32", "dataset": bench.data, "out_dir": bench.folder / "out",
        "eval_interval": 10**9, "eval_iters": 1, "log_interval": 1, "gradient_accumulation_steps": 1,
        "batch_size": SEQUENCES, "block_size": CONTEXT, "n_layer": shape.n_layer, "n_head": shape.n_head,
        "n_embd": shape.d_model, "dropout": 0.0, "bias": True, "learning_rate": 1e-3, "max_iters": steps + SETTLE,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "train.py", *(f"--{key}={value}" for key, value in settings.items())],
        cwd=bench.nanogpt,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    found = [1e-3 * float(ms) for ms in re.findall(r"^iter \d+: .* time ([\d.]+)ms", done.stdout, flags=re.M)]
    if done.returncode or len(found) <= SETTLE:
        raise RuntimeError(f"nanoGPT failed: {done.stderr[-2000:]}")
    return statistics.median(found[SETTLE:])


def transformers_step(bench: Bench, shape: Shape, steps: int) -> float:
    """Median seconds between two steps of the Trainer of transformers."""
    folder = str(bench.folder / "trainer")
    task = {"do": "train", "shape": words(shape), "steps": steps + SETTLE, "folder": folder}
    seconds: list[float] = bench.ask("transformers", {**task, "precision": bench.precision})["seconds"]
    return statistics.median(seconds[SETTLE - 1 :])


STEPS = {"nanogpt": nanogpt_step, "transformers": transformers_step}


def compare(bench: Bench, kind: str, shape: Shape) -> dict[str, Any]:
    """Rounds in which ours, the peer and ours again take turns; their ratios, the median and its interval."""
    agreed = agree(bench, kind, shape)
    steps = max(4, round(bench.seconds / our_step(bench, shape, 4)))
    ours, theirs, ratios = [], [], []
    for _ in range(bench.rounds):
        before = our_step(bench, shape, -(-steps // 2))
        peer = STEPS[kind](bench, shape, steps)
        own = 0.5 * (before + our_step(bench, shape, -(-steps // 2)))
        ours.append(own)
        theirs.append(peer)
        ratios.append(peer / own)
    return {
        "peer": kind,
        "shape": shape.name,
        "params": params(shape),
        "steps": steps,
        "ours_seconds": statistics.median(ours),
        "seconds": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "interval": interval(ratios),
        "ratios": ratios,
        **agreed,
    }


def interval(ratios: list[float], resamples: int = 10_000) -> list[float]:
    """95% bootstrap interval of the median of the rounds' ratios: percentiles over resampled rounds."""
    drawn = np.random.default_rng(0).choice(np.array(ratios), (resamples, len(ratios)))
    return [float(value) for value in np.percentile(np.median(drawn, axis=1), (2.5, 97.5))]


def product(bench: Bench, precision: str, cores: int) -> float:
    """GFLOP/s of a product of two square matrices on all cores; smaller in bfloat16, which many processors emulate."""
    task = {
        "do": "product",
        "precision": precision,
        "cores": cores,
        "size": 1024 if precision == "float32" else 256,
        "budget": 0.5,
    }
    return float(bench.ask("ours", task, name="product")["gflops"])


def side_by_side(bench: Bench, shape: Shape, sequences: int, cores: int) -> dict[str, Any]:
    """Steps a second of `cores` lines with a core each, over those of one line on all: rounds in turns."""
    task = {"do": "train", "shape": words(shape), "sequences": sequences, "precision": bench.precision}
    names = [f"line {i}" for i in range(cores)]
    first = bench.ask("ours", {**task, "steps": SETTLE + 4})["seconds"]
    steps = SETTLE + max(4, round(bench.seconds / statistics.median(first[SETTLE:])))
    ratios = []
    for _ in range(bench.rounds):
        together = statistics.median(bench.ask("ours", {**task, "steps": steps})["seconds"][SETTLE:])
        for name in names:
            bench.send("ours", {**task, "steps": steps}, name=name, threads=1)
        each = [statistics.median(bench.receive("ours", name=name)["seconds"][SETTLE:]) for name in names]
        ratios.append(together * sum(1.0 / seconds for seconds in each))
    return {
        "shape": shape.name,
        "sequences": sequences,
        "ratio": statistics.median(ratios),
        "interval": interval(ratios),
    }
