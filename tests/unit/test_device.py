"""The seam to the devices: the exact calls each backend gets, who is refused and why. No Mac and no GPU is needed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from scaling_core.errors import DeviceError
from scaling_core.lab import calibrate, checkup, child, selftest, surroundings
from scaling_core.lab import device as seam
from scaling_core.lab.device import Device, absence, resolve
from scaling_core.lab.model import GPT
from scaling_core.lab.records import SpeedPoint
from scaling_core.lab.spec import Shape
from scaling_core.lab.stepper import Stepper
from scaling_core.runs import place
from scaling_core.runs.store import Store
from tests.device_fakes import FREE, RECOMMENDED, fake

SHAPE = Shape(n_layer=2, d_model=32, n_head=2)
CONTEXT = 16
WINDOWS = np.random.default_rng(0).integers(0, 256, (8, CONTEXT + 1), dtype=np.uint8)


def stepper(device: Device, model_class: type[GPT] = GPT, **changes: Any) -> Stepper:
    return Stepper(
        SHAPE, vocab_size=256, context=CONTEXT, seed=0, beta2=0.95, batch_sequences=8, device=device,
        model_class=model_class, **changes,
    )  # fmt: skip


def test_mps_is_asked_for_exactly_these_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_ = fake(monkeypatch, mps=True)
    device = resolve("auto")
    assert device.name == "mps"
    assert torch_.calls == []
    assert (device.memory(), device.memory_now(), device.memory_limit()) == (torch_.held, torch_.held, RECOMMENDED)
    device.synchronize()
    device.empty_cache()
    assert torch_.calls == [
        *("mps.driver_allocated_memory", "mps.driver_allocated_memory", "mps.recommended_max_memory"),
        *("mps.synchronize", "mps.empty_cache"),
    ]
    assert device.label.startswith("Apple ")


def test_cuda_is_asked_for_exactly_these_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_ = fake(monkeypatch, cuda=True)
    device = resolve("auto")
    assert device.name == "cuda"
    assert torch_.precisions == ["highest"]
    torch_.calls.clear()
    assert device.memory_limit() == FREE + torch_.held
    assert (device.memory(), device.memory_now()) == (2 * torch_.held, torch_.held)
    device.synchronize()
    device.empty_cache()
    assert torch_.calls == [
        *("cuda.mem_get_info", "cuda.memory_reserved", "cuda.max_memory_reserved", "cuda.memory_reserved"),
        *("cuda.synchronize", "cuda.empty_cache", "cuda.reset_peak_memory_stats"),
    ]
    assert device.label == "Made Up 100"


def test_the_processor_is_asked_for_nothing_of_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_ = fake(monkeypatch, mps=True, cuda=True)
    device = resolve("cpu")
    torch_.calls.clear()
    device.synchronize()
    device.empty_cache()
    assert device.memory() > 10_000_000
    assert device.memory_limit() > 10_000_000
    assert torch_.calls == []
    assert torch_.precisions == []


@pytest.mark.parametrize("version", ["2.13.1", "2.9.0", "1.13.1"])
def test_an_old_torch_is_refused_on_mps_and_auto_goes_on(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    fake(monkeypatch, mps=True, version=version)
    assert resolve("auto").name == "cpu"
    with pytest.raises(DeviceError, match=r"gradients are wrong on some Macs.*install 2\.14\); here there is: cpu\."):
        resolve("mps")


@pytest.mark.parametrize("version", ["2.14.0", "2.14.1+local", "2.15.0a0+git12", "3.0.0"])
def test_a_torch_from_that_release_on_is_taken(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    fake(monkeypatch, mps=True, version=version)
    assert resolve("mps").name == resolve("auto").name == "mps"


def test_why_a_device_is_absent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, built=False)
    assert absence("mps") == "this PyTorch is built without MPS"
    assert absence("cuda") == "this PyTorch is built without CUDA"
    assert absence("cpu") is None
    fake(monkeypatch)
    assert absence("mps") == "it needs Apple silicon and a newer macOS"
    assert absence("cuda") == "no CUDA graphics answers"


def test_a_measured_micro_batch_is_kept_within_what_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, mps=True, cuda=True)
    assert resolve("mps").chunk_tokens == 16_384
    assert resolve("mps", chunk_tokens=4096).chunk_tokens == 4096
    assert resolve("mps", chunk_tokens=1 << 20).chunk_tokens == 16_384
    assert resolve("cuda", chunk_tokens=1 << 20).chunk_tokens == 32_768
    assert resolve("cpu").chunk_tokens == resolve("cpu", chunk_tokens=1 << 20).chunk_tokens == 4096
    assert max(seam.MICRO_CANDIDATES["mps"]) == 16_384
    one = stepper(resolve("mps", chunk_tokens=2 * CONTEXT))
    assert one.micro_sequences == 2
    one.close()


def test_bfloat16_is_of_its_context_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, mps=True)
    a = torch.ones(4, 4)
    device = resolve("mps")
    with device.numerics("bfloat16"):
        assert (a @ a).dtype == torch.bfloat16
    with device.numerics("float32"):
        assert (a @ a).dtype == torch.float32
    assert (a @ a).dtype == torch.float32


def test_the_generator_of_the_device_is_read_and_set(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Device("cpu")
    state = real.random_state()
    first = torch.rand(3)
    real.set_random_state(state)
    assert torch.equal(torch.rand(3), first)
    torch_ = fake(monkeypatch, mps=True, cuda=True)
    for name in ("mps", "cuda"):
        device = resolve(name)
        torch_.calls.clear()
        found = device.random_state()
        assert found.tolist() == list(range(16))
        device.set_random_state(found)
        assert torch_.calls == [f"{name}.get_rng_state", f"{name}.set_rng_state"]
    assert [state.tolist() for state in torch_.states] == [list(range(16))] * 2


def test_steps_on_mps_never_wait_for_the_device_and_agree_with_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_ = fake(monkeypatch, mps=True)
    losses = []
    for name in ("mps", "cpu"):
        one = stepper(resolve(name))
        losses.append([one.step(one.to_device(WINDOWS), 1e-2) for _ in range(5)])
        one.window_losses(one.to_device(WINDOWS))
        one.close()
    assert torch_.calls == []
    assert torch.stack(losses[0]).tolist() == pytest.approx(torch.stack(losses[1]).tolist(), rel=1e-5)


def test_out_of_memory_on_mps_clears_its_cache_once_for_each_halving(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cramped(GPT):
        def loss_sum(self, windows: Tensor, noise: torch.Generator | None = None) -> Tensor:
            if windows.shape[0] > 2:
                raise RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB, max allowed: 9.07 GB)")
            return super().loss_sum(windows, noise)

    torch_ = fake(monkeypatch, mps=True)
    one = stepper(resolve("mps"), Cramped)
    loss = float(one.step(one.to_device(WINDOWS), 1e-2))
    assert one.micro_sequences == 2
    assert torch_.calls == ["mps.empty_cache", "mps.empty_cache"]
    whole = stepper(resolve("mps"))
    assert loss == pytest.approx(float(whole.step(whole.to_device(WINDOWS), 1e-2)), rel=1e-5)


def test_a_sweep_is_trained_on_mps_through_the_seam(monkeypatch: pytest.MonkeyPatch, lab_home: Path) -> None:
    """The real trainer from its first line to its last, with the backend and the Mac around it faked."""
    torch_ = fake(monkeypatch, mps=True)
    monkeypatch.setattr(seam, "MICRO_BATCH_TOKENS", 2048)
    commands: list[list[str]] = []
    monkeypatch.setattr(surroundings, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(
        surroundings, "shutil", SimpleNamespace(which=lambda name: f"/usr/bin/{name}", disk_usage=shutil.disk_usage)
    )
    monkeypatch.setattr(
        surroundings,
        "subprocess",
        SimpleNamespace(Popen=lambda command, **streams: commands.append(command), DEVNULL=subprocess.DEVNULL),
    )
    for name in (surroundings.HIGH_MARK, surroundings.LOW_MARK, "OMP_WAIT_POLICY", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    plan = checkup.experiment_plan("mps")
    place.write_json(place.plan_file(lab_home, plan.spec.id), plan.to_dict())
    try:
        assert child.main([plan.spec.id]) == child.FINISHED
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert commands == [["/usr/bin/caffeinate", "-i", "-w", str(os.getpid())]]
    assert (os.environ[surroundings.HIGH_MARK], os.environ[surroundings.LOW_MARK]) == ("1", "0.9")
    with Store.open_reader(lab_home) as store:
        row = store.sweep(plan.spec.id)
        runs = store.runs(plan.spec.id)
    assert row is not None
    assert row.machine["device"] == "mps"
    assert row.machine["selftest"]["ok"] is True
    assert [run.state for run in runs] == ["finished"] * 4
    assert all(run.loss is not None and run.loss < 5.0 for run in runs)
    assert set(torch_.calls) <= {"mps.driver_allocated_memory", "mps.empty_cache", "mps.get_rng_state"}
    assert torch_.calls.count("mps.empty_cache") >= len(plan.lines)


def quick_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small shapes for a moment each."""
    monkeypatch.setattr(seam, "MICRO_BATCH_TOKENS", 2048)
    monkeypatch.setattr(calibrate, "PROBED", (0, 1))
    monkeypatch.setattr(calibrate, "SHAPE_SECONDS", 0.01)
    monkeypatch.setattr(calibrate, "_precision", lambda device, speeds: None)


def test_mps_is_calibrated_through_the_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_ = fake(monkeypatch, mps=True)
    quick_calibration(monkeypatch)
    measured = calibrate.measure("mps")
    assert (measured.device, measured.refusal, measured.memory_bytes) == ("mps", None, RECOMMENDED)
    assert [point.shape.name for point in measured.speeds] == ["2x16", "2x24"]
    assert measured.speeds[0].memory_bytes == torch_.held
    assert measured.micro_tokens is None
    assert torch_.calls.count("mps.empty_cache") == 2
    assert torch_.calls.index("mps.empty_cache") < torch_.calls.index("mps.synchronize")
    assert {name.split(".")[0] for name in torch_.calls} == {"mps"}


def test_a_backend_that_leaks_the_future_is_refused_and_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, mps=True)
    quick_calibration(monkeypatch)
    right = torch.nn.functional.scaled_dot_product_attention

    def leaky(q: Tensor, k: Tensor, v: Tensor, is_causal: bool = False) -> Tensor:
        return right(q, k, v, is_causal=False)

    monkeypatch.setattr("scaling_core.lab.model.F.scaled_dot_product_attention", leaky)
    measured = calibrate.measure("mps")
    assert measured.speeds == ()
    assert measured.refusal is not None
    assert "mps does not compute what it should: a changed token moves earlier logits" in measured.refusal


def test_a_backend_whose_optimiser_drifts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, mps=True)

    class Drifting(Stepper):
        def step(self, windows: Tensor, rate: float) -> Tensor:
            return super().step(windows, rate * 1.03 if self.device.name == "mps" else rate)

    monkeypatch.setattr(selftest, "Stepper", Drifting)
    verdict = selftest.run(resolve("mps", chunk_tokens=2048))
    assert [check.name for check in verdict.checks if not check.ok] == ["training"]
    assert "over 50 steps losses deviate" in verdict.detail


def test_a_backend_that_is_wrong_in_the_widest_shape_alone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyTorch #177116 was: right in small shapes, off by far in large ones."""
    fake(monkeypatch, mps=True)

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradients: Tensor) -> Tensor:
            return gradients[0] * 1.1

    class Wide(GPT):
        def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
            logits: Tensor = super().forward(tokens, noise)
            return Scaled.apply(logits) if tokens.numel() == 4096 else logits  # type: ignore[no-untyped-call]  # torch leaves apply untyped

    verdict = selftest.run(resolve("mps", chunk_tokens=4096), model_class=Wide)
    assert [check.name for check in verdict.checks if not check.ok] == ["gradients"]
    assert "at 32 x 128 tokens" in verdict.detail


class TimedStepper(Stepper):
    """Takes steps that last by the clock of the test what the micro-batch says; more than `most` tokens run out."""

    clock = 0.0
    seconds: ClassVar[dict[int, float]] = {}
    most = 1 << 30

    def step(self, windows: Tensor, rate: float) -> Tensor:
        while self.micro_sequences * self.context > TimedStepper.most:
            self.recover(torch.OutOfMemoryError("out of memory"))
        TimedStepper.clock += TimedStepper.seconds.get(self.micro_sequences * self.context, 1.0)
        return torch.zeros(())


@pytest.mark.parametrize(
    ("seconds", "most", "chosen"),
    [
        ({4096: 0.5, 8192: 0.8}, 1 << 30, 4096),
        ({8192: 0.7}, 1 << 30, 8192),
        ({4096: 0.99, 8192: 0.98}, 1 << 30, None),
        ({16_384: 0.5}, 1 << 30, None),
        ({4096: 0.9, 8192: 0.5}, 5000, 4096),
    ],
)
def test_the_micro_batch_is_chosen_by_measurement(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float], most: int, chosen: int | None
) -> None:
    torch_ = fake(monkeypatch, mps=True)
    monkeypatch.setattr("scaling_core.lab.stepper.Stepper", TimedStepper)
    monkeypatch.setattr("time.perf_counter", lambda: TimedStepper.clock)
    monkeypatch.setattr(TimedStepper, "seconds", seconds)
    monkeypatch.setattr(TimedStepper, "most", most)
    shape = Shape(n_layer=1, d_model=16, n_head=1)
    point = SpeedPoint(shape=shape, batch_tokens=32_768, tokens_per_second=1.0, memory_bytes=1)
    faster = SpeedPoint(shape=shape, batch_tokens=32_768, tokens_per_second=2.0, memory_bytes=2)
    monkeypatch.setattr(calibrate, "train_speed", lambda device, shape, sequences: faster)
    device, speeds = resolve("mps"), [point]
    assert calibrate._micro_tokens(device, speeds) == chosen
    assert device.chunk_tokens == (chosen or 16_384)
    assert speeds == [faster if chosen else point]
    assert "mps.synchronize" in torch_.calls


def test_no_micro_batch_is_tried_where_none_would_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, mps=True)
    shape = Shape(n_layer=1, d_model=16, n_head=1)
    small = [SpeedPoint(shape=shape, batch_tokens=2048, tokens_per_second=1.0, memory_bytes=1)]
    assert calibrate._micro_tokens(resolve("mps"), small) is None
    large = [SpeedPoint(shape=shape, batch_tokens=65_536, tokens_per_second=1.0, memory_bytes=1)]
    assert calibrate._micro_tokens(resolve("cpu"), large) is None
    assert calibrate._micro_tokens(resolve("mps"), []) is None


BEFORE_TORCH = """
import importlib, json, os, sys
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            names = ("PYTORCH_MPS_HIGH_WATERMARK_RATIO", "PYTORCH_MPS_LOW_WATERMARK_RATIO", "OMP_WAIT_POLICY")
            print(json.dumps([os.environ.get(one) for one in names]), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Gate())
importlib.import_module(sys.argv[1]).main(sys.argv[2:])
print("torch was never loaded")
"""


@pytest.mark.parametrize("module", ["calibrate", "checkup", "child"])
def test_limits_are_set_before_torch_loads(module: str, lab_home: Path) -> None:
    arguments = ["--device", "mps"]
    if module == "child":
        from dataclasses import replace

        from scaling_core.lab.plan import make_plan
        from tests.lab_helpers import calibration, small_plan

        plan = make_plan(replace(small_plan().spec, device="mps"), calibration(device="mps"))
        place.write_json(place.plan_file(lab_home, plan.spec.id), plan.to_dict())
        arguments = [plan.spec.id]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTORCH_", "OMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_TORCH, f"scaling_core.lab.{module}", *arguments],
        env={**environment, place.HOME_VARIABLE: str(lab_home)},
        cwd=place.PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1]) == ["1", "0.9", "PASSIVE"], done.stderr
