"""Measure what this machine does: the self-test, the training speed of a few shapes, what micro-batch and which
precision serve it best. About ten seconds.

    python -m scaling_core.lab.calibrate --device auto|mps|cuda|cpu [--json]

Prints one JSON object, a `Calibration`; a device that is absent ends with 2 and one sentence, with --json packed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil

from scaling_core.errors import DeviceError
from scaling_core.lab import rules
from scaling_core.lab.records import Calibration, PrecisionChoice, SpeedPoint
from scaling_core.lab.spec import BYTES_VOCAB, DEVICES, Shape
from scaling_core.lab.surroundings import cores, prepare_environment
from scaling_core.language import packed

if TYPE_CHECKING:  # torch reads its environment while it loads, so this waits until that is prepared
    from scaling_core.lab.device import Device

BEGAN = time.perf_counter()
INTERPRETER_SECONDS = 5.0
"""Longest that the interpreter may have taken before this module was read; beyond, the clock was set meanwhile."""
CONTEXT = 128
STEP_SECONDS = 1.2
"""Shapes whose step is expected to take longer are not measured."""
SHAPE_SECONDS = 0.7
"""How long steps of one shape are timed, at least two of them."""
TOTAL_SECONDS = 5.0
"""After this long no further shape is begun."""
PROBED = (0, 2, 5, 7, 9, 11, 14, 17, 20, 22)
"""Which of `rules.ladder_shapes` are measured, as far as they fit."""
CORPUS_SECONDS = 0.3
"""For opening the packed text and the store."""
MICRO_WINS = 1.05
"""Times the speed of the usual micro-batch from which another is taken instead."""
MICRO_ROUNDS = 3
MICRO_SECONDS = 4.0
"""After this long no further round is begun, once each number has been tried twice."""
TRIAL_SECONDS = 0.25
"""Precisions are compared on shapes whose step takes no longer."""


def measure(name: str) -> Calibration:
    """Measure a device in this process. Raises DeviceError where it is absent."""
    import torch

    from scaling_core.lab.device import resolve
    from scaling_core.lab.selftest import run

    device = resolve(name)
    verdict = run(device)
    startup = _age() + CORPUS_SECONDS
    speeds: list[SpeedPoint] = []
    micro: int | None = None
    precision: PrecisionChoice | None = None
    if verdict.ok:
        speeds = _speeds(device)
        micro = _micro_tokens(device, speeds)
        precision = _precision(device, speeds)
    return Calibration(
        device=device.name,
        device_name=device.label,
        torch_version=str(torch.__version__),
        cores=cores(),
        memory_bytes=device.memory_limit(),
        startup_seconds=startup,
        speeds=tuple(speeds),
        made_at=time.time(),
        refusal=None if verdict.ok else verdict.detail,
        micro_tokens=micro,
        precision=precision,
    )


def _age() -> float:
    """Seconds that this process has lived: what the system says, held against a clock that nobody sets."""
    since = time.perf_counter() - BEGAN
    return min(max(since, time.time() - psutil.Process().create_time()), since + INTERPRETER_SECONDS)


def _speeds(device: Device) -> list[SpeedPoint]:
    """Shapes from small to as large as a step stays short and the memory suffices."""
    began = time.perf_counter()
    shapes = rules.ladder_shapes()
    speeds: list[SpeedPoint] = []
    limit = device.memory_limit()
    for index in PROBED:
        shape = shapes[index]
        count = shape.parameters(vocab_size=BYTES_VOCAB, context=CONTEXT).with_head
        sequences = rules.batch_sequences(count, CONTEXT)
        need = rules.memory_estimate(shape, vocab_size=BYTES_VOCAB, context=CONTEXT, batch_sequences=sequences)
        if speeds:
            last = speeds[-1]
            known = last.shape.parameters(vocab_size=BYTES_VOCAB, context=CONTEXT).with_head
            expected = sequences * CONTEXT * count / (known * last.tokens_per_second)
            if expected > STEP_SECONDS or need > 0.5 * limit or time.perf_counter() - began > TOTAL_SECONDS:
                break
        try:
            speeds.append(train_speed(device, shape, sequences))
        except DeviceError:
            break
    return speeds


def train_speed(device: Device, shape: Shape, sequences: int) -> SpeedPoint:
    """Train one shape on random bytes for about a second."""
    from scaling_core.lab.stepper import Stepper

    device.empty_cache()
    stepper = Stepper(
        shape, vocab_size=BYTES_VOCAB, context=CONTEXT, seed=0, beta2=0.95, batch_sequences=sequences, device=device
    )
    try:
        text = np.random.default_rng(0).integers(0, 256, (sequences, CONTEXT + 1), dtype=np.uint8)
        windows = stepper.to_device(text)
        stepper.step(windows, 1e-3)
        device.synchronize()
        at_once = 1 if device.name == "cpu" else 4
        began = time.perf_counter()
        times: list[float] = []
        while len(times) < 2 or time.perf_counter() - began < SHAPE_SECONDS:
            start = time.perf_counter()
            for _ in range(at_once):
                stepper.step(windows, 1e-3)
            device.synchronize()
            times.append((time.perf_counter() - start) / at_once)
        memory = device.memory()
    finally:
        stepper.close()
    tokens = sequences * CONTEXT
    quick = sorted(times)[len(times) // 4]  # what this machine does when nothing else wants it for a moment
    return SpeedPoint(shape=shape, batch_tokens=tokens, tokens_per_second=tokens / quick, memory_bytes=memory)


def _micro_tokens(device: Device, speeds: list[SpeedPoint]) -> int | None:
    """Tokens of a forward pass that train the largest measured shape fastest; None where the usual number stands.

    Tried in turns, on one model; what memory does not take is passed over. The device and the last of `speeds` are
    changed to the better number.
    """
    from scaling_core.lab.device import MICRO_CANDIDATES
    from scaling_core.lab.stepper import Stepper

    usual = device.chunk_tokens
    batch = speeds[-1].batch_tokens if speeds else 0
    widths = {min(tokens, batch): tokens for tokens in reversed(MICRO_CANDIDATES[device.name])}
    candidates = [tokens for width, tokens in widths.items() if width != min(usual, batch)]
    if not speeds or not candidates:
        return None
    last = speeds[-1]
    seconds: dict[int, list[float]] = {tokens: [] for tokens in (usual, *candidates)}
    stepper = Stepper(
        last.shape, vocab_size=BYTES_VOCAB, context=CONTEXT, seed=0, beta2=0.95, batch_sequences=batch // CONTEXT,
        device=device,
    )  # fmt: skip
    try:
        text = np.random.default_rng(0).integers(0, BYTES_VOCAB, (batch // CONTEXT, CONTEXT + 1), dtype=np.uint8)
        windows = stepper.to_device(text)
        started = time.perf_counter()
        for counted in range(1 + MICRO_ROUNDS):
            if counted > 1 and time.perf_counter() - started > MICRO_SECONDS:
                break
            for tokens in list(seconds):
                stepper.micro_sequences = asked = min(max(1, tokens // CONTEXT), batch // CONTEXT)
                device.synchronize()
                began = time.perf_counter()
                stepper.step(windows, 1e-3)
                device.synchronize()
                if stepper.micro_sequences != asked:
                    del seconds[tokens]
                elif counted:
                    seconds[tokens].append(time.perf_counter() - began)
    except DeviceError:
        return None
    finally:
        stepper.close()
    taken = {tokens: min(found) for tokens, found in seconds.items()}
    best = min(taken, key=lambda tokens: taken[tokens], default=usual)
    if best == usual or taken[best] * MICRO_WINS > taken.get(usual, math.inf):
        return None
    device.chunk_tokens = best
    device.empty_cache()
    speeds[-1] = train_speed(device, last.shape, batch // CONTEXT)
    return best


def _precision(device: Device, speeds: list[SpeedPoint]) -> PrecisionChoice | None:
    """Compare precisions on the middle and the last of the measured shapes whose step is short."""
    from scaling_core.lab.precision import Trial, precision_choice

    trials = [
        Trial(
            shape=point.shape,
            sequences=point.batch_tokens // CONTEXT,
            step_seconds=point.batch_tokens / point.tokens_per_second,
        )
        for point in speeds
    ]
    short = [trial for trial in trials if trial.step_seconds <= TRIAL_SECONDS]
    chosen = [short[index] for index in sorted({len(short) // 2, len(short) - 1})] if short else []
    return precision_choice(device, chosen) if chosen else None


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scaling_core.lab.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help=f"auto, {', '.join(DEVICES)}")
    parser.add_argument("--json", action="store_true", help="the record on one line")
    options = parser.parse_args(arguments)
    prepare_environment(options.device)
    try:
        measured = measure(options.device)
    except DeviceError as error:
        print(packed(str(error)) if options.json else error, file=sys.stderr)
        return 2
    print(json.dumps(measured.to_dict(), indent=None if options.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
