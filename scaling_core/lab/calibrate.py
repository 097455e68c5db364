"""Measure what this machine does: the self-test, and the training speed of a few shapes. About ten seconds.

    python -m scaling_core.lab.calibrate --device auto|mps|cuda|cpu [--json]

Prints one JSON object, a `Calibration`; a device that is absent ends with 2 and one sentence.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil

from scaling_core.errors import DeviceError
from scaling_core.lab import rules
from scaling_core.lab.records import Calibration, SpeedPoint
from scaling_core.lab.spec import BYTES_VOCAB, DEVICES, Shape
from scaling_core.lab.surroundings import cores, prepare_environment

if TYPE_CHECKING:  # torch reads its environment while it loads, so this waits until that is prepared
    from scaling_core.lab.device import Device

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


def measure(name: str) -> Calibration:
    """Measure a device in this process. Raises DeviceError where it is absent."""
    import torch

    from scaling_core.lab.device import resolve
    from scaling_core.lab.selftest import run

    device = resolve(name)
    verdict = run(device)
    startup = max(0.1, time.time() - psutil.Process().create_time()) + CORPUS_SECONDS
    speeds: list[SpeedPoint] = []
    if verdict.ok:
        speeds = _speeds(device)
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
    )


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
            speeds.append(_speed(device, shape, sequences))
        except DeviceError:
            break
    return speeds


def _speed(device: Device, shape: Shape, sequences: int) -> SpeedPoint:
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
        began = time.perf_counter()
        steps = 0
        while steps < 2 or time.perf_counter() - began < SHAPE_SECONDS:
            for _ in range(1 if device.name == "cpu" else 4):
                stepper.step(windows, 1e-3)
                steps += 1
            device.synchronize()
        seconds = time.perf_counter() - began
        memory = device.memory()
    finally:
        stepper.close()
    tokens = sequences * CONTEXT
    return SpeedPoint(shape=shape, batch_tokens=tokens, tokens_per_second=steps * tokens / seconds, memory_bytes=memory)


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
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(measured.to_dict(), indent=None if options.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
