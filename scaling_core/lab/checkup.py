"""What the doctor asks of a device: is it there, does it compute, free memory, train rightly, how fast, a whole sweep.

    python -m scaling_core.lab.checkup --device auto|mps|cuda|cpu

Prints a line of JSON for every question as soon as it is answered, so that a process that dies still says how far it
came: {name, ok, detail, seconds}, the detail packed. Ends with 2 where the device is absent.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_core.errors import DeviceError, ScalingError
from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import BYTES_VOCAB, DEVICES, CorpusSpec, DeviceName, SweepSpec
from scaling_core.lab.surroundings import prepare_environment
from scaling_core.language import Message, packed, t
from scaling_core.runs import place
from scaling_core.runs.calibrations import child_environment, last_line
from scaling_core.runs.store import Store
from scaling_core.units import format_bytes, format_quantity

if TYPE_CHECKING:  # torch reads its environment while it loads, so this waits until that is prepared
    from scaling_core.lab.device import Device

PRODUCT = 256
PRODUCT_TOLERANCE = 1e-3
"""Largest deviation of a product of matrices of numbers below one, over their common width."""
BLOCK_BYTES = 128 << 20
LEAST_TOKENS_PER_SECOND = 1000.0
"""Below this even the shortest ladder takes an hour."""
SPEED_SHAPE = rules.ladder_shapes()[5]
EXPERIMENT_SECONDS = 120.0
LEARNT = 0.5
"""Nats below a guess at random that the experiment's models must reach."""


def compute(device: Device) -> tuple[bool, str]:
    """A product of two matrices against the same in float64 on the CPU."""
    import torch

    generator = torch.Generator().manual_seed(0)
    a = torch.rand(PRODUCT, PRODUCT, generator=generator)
    found = (a.to(device.torch_device) @ a.to(device.torch_device).T).cpu().double() / PRODUCT
    right = a.double() @ a.double().T / PRODUCT
    error = float((found - right).abs().max())
    return error < PRODUCT_TOLERANCE, t(
        "a product of matrices deviates by {error:.1g}, {allowed:g} is allowed", error=error, allowed=PRODUCT_TOLERANCE
    )


def freed(device: Device) -> tuple[bool, str]:
    """A large block is taken and given back: the bytes in use rise by it and fall again."""
    import torch

    block = min(BLOCK_BYTES, device.memory_limit() // 8)
    gc.collect()
    device.empty_cache()
    before = device.memory_now()
    held = torch.ones(block // 4, dtype=torch.float32, device=device.torch_device)
    device.synchronize()
    taken = device.memory_now() - before
    del held
    gc.collect()
    device.empty_cache()
    left = device.memory_now() - before
    ok = taken > block / 2 and left < block / 4
    return ok, t(
        "of {block} taken, {left} stay in use; {limit} may be used",
        block=format_bytes(block),
        left=format_bytes(max(0, left)),
        limit=format_bytes(device.memory_limit()),
    )


def speed(device: Device) -> tuple[bool, str]:
    """Training steps of one small model on random bytes, for about a second."""
    from scaling_core.lab.calibrate import CONTEXT, train_speed

    count = SPEED_SHAPE.parameters(vocab_size=BYTES_VOCAB, context=CONTEXT).with_head
    point = train_speed(device, SPEED_SHAPE, rules.batch_sequences(count, CONTEXT))
    rate = point.tokens_per_second
    said = t(
        "{shape} trains at {rate} tokens/s, {gigaflops:.3g} GFLOP/s",
        shape=SPEED_SHAPE.name,
        rate=format_quantity(rate),
        gigaflops=6 * count * rate / 1e9,
    )
    if rate < LEAST_TOKENS_PER_SECOND:
        return False, t("{said}; a ladder would take very long, is the machine busy?", said=said)
    return True, said


def experiment_plan(device: DeviceName) -> Plan:
    """Two models at two horizons, on this program's own source."""
    spec = SweepSpec(
        mode="smoke",
        device=device,
        corpus=CorpusSpec(kind="path", path=str(place.PROJECT / "scaling_core")),
        shapes=rules.ladder_shapes()[:2],
        horizons=(1.0, 2.0),
        held_out=0,
    )
    lines = rules.plan_lines(spec)
    memory = max(run.memory_bytes for line in lines for run in line.runs)
    return Plan(spec=spec, lines=lines, seconds=10.0, memory_bytes=memory)


def experiment(device: Device) -> tuple[bool, str]:
    """A whole sweep by the real trainer in a home of its own: text, checkpoints, branches, losses in the store."""
    plan = experiment_plan(device.name)
    sweep = plan.spec.id
    with tempfile.TemporaryDirectory(prefix="scaling-lab-") as folder:
        home = Path(folder)
        place.write_json(place.plan_file(home, sweep), plan.to_dict())
        began = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "scaling_core.lab.child", sweep],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=EXPERIMENT_SECONDS,
                cwd=place.PROJECT,
                env=child_environment(home),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False, t(
                "a sweep of {n} runs was not done in {seconds:.0f} s", n=len(plan.runs), seconds=EXPERIMENT_SECONDS
            )
        seconds = time.perf_counter() - began
        if done.returncode:
            why = last_line(done.stdout) or last_line(done.stderr) or f"code {done.returncode}"
            return False, t("a sweep of {n} runs failed: {why}", n=len(plan.runs), why=why)
        with Store.open_reader(home) as store:
            losses = [run.loss for run in store.runs(sweep)]
    found = [loss for loss in losses if loss is not None]
    if len(found) != len(plan.runs) or not max(found) < math.log(BYTES_VOCAB) - LEARNT:
        return False, t(
            "a sweep of {n} runs ended at losses of {losses}: its models learnt nothing",
            n=len(plan.runs),
            losses=str(losses),
        )
    return True, t(
        "{n} runs trained, stored and read again in {seconds:.1f} s, the best at {best:.2f} nats (a guess has "
        "{guess:.2f})",
        n=len(found),
        seconds=seconds,
        best=min(found),
        guess=math.log(BYTES_VOCAB),
    )


def describe(device: Device) -> str:
    """The device in words, and what else was looked for."""
    import torch

    from scaling_core.lab.device import absence

    told: str = t(
        "{device} ({label}) with torch {version}",
        device=device.name,
        label=device.label,
        version=str(torch.__version__),
    )
    for name in DEVICES:
        if (why := absence(name)) is not None:
            told = t("{told}; no {device}: {why}", told=told, device=name, why=why)
    return told


def _selftest(device: Device) -> tuple[bool, str]:
    from scaling_core.lab import selftest

    verdict = selftest.run(device)
    return verdict.ok, verdict.detail


Question = Callable[["Device"], tuple[bool, str]]
ANSWERS: dict[str, Question] = {
    "compute": compute, "freed": freed, "self-test": _selftest, "experiment": experiment, "speed": speed,
}  # fmt: skip
"""In the order in which they are asked; the speed last, when nothing else runs."""


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scaling_core.lab.checkup", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help=f"auto, {', '.join(DEVICES)}")
    options = parser.parse_args(arguments)
    prepare_environment(options.device)
    began = time.perf_counter()
    try:
        from scaling_core.lab.device import resolve

        device = resolve(options.device)
    except (DeviceError, ImportError, OSError) as error:
        _print("device", False, str(error), began)
        return 2
    _print("device", True, describe(device), began)
    for name, question in ANSWERS.items():
        began = time.perf_counter()
        try:
            ok, detail = question(device)
        except (ScalingError, RuntimeError, MemoryError, OSError) as error:
            ok, detail = False, (str(error).splitlines() or [type(error).__name__])[0][:200]
        _print(name, ok, detail, began)
    return 0


def _print(name: str, ok: bool, detail: str, began: float) -> None:
    kept = packed(detail) if isinstance(detail, Message) else detail
    said = {"name": name, "ok": ok, "detail": kept, "seconds": time.perf_counter() - began}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    sys.exit(main())
