"""What the doctor asks of a device, and that each question has a wrong answer."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import torch

from scaling_core.lab import calibrate, checkup
from scaling_core.lab.device import Device, resolve
from scaling_core.lab.records import SpeedPoint
from scaling_core.runs import place
from tests.device_fakes import fake

CPU = Device("cpu")


def test_a_right_product_is_told_from_a_rough_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ok, detail = checkup.compute(CPU)
    assert ok
    assert "0.001 is allowed" in detail

    class Rough(Device):
        """Sees three digits of what it is given: its tensors pass through bfloat16."""

    rough = Rough("cpu")
    right = torch.Tensor.to
    monkeypatch.setattr(
        torch.Tensor, "to", lambda tensor, *where: right(tensor, *where).bfloat16().float() * 1.01, raising=True
    )
    assert not checkup.compute(rough)[0]


def test_memory_comes_back_or_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "BLOCK_BYTES", 64 << 20)
    ok, detail = checkup.freed(CPU)
    assert ok, detail
    kept = []
    ones = torch.ones

    def hoard(*sizes: int, **options: Any) -> torch.Tensor:
        kept.append(ones(*sizes, **options))
        return kept[-1]

    monkeypatch.setattr(torch, "ones", hoard)
    ok, detail = checkup.freed(CPU)
    assert not ok
    assert "of 67.1 MB taken, 67" in detail


def test_on_mps_the_driver_is_asked_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_ = fake(monkeypatch, mps=True)
    monkeypatch.setattr(checkup, "BLOCK_BYTES", 1 << 20)
    assert not checkup.freed(resolve("mps"))[0]
    assert torch_.calls == [
        *("mps.recommended_max_memory", "mps.empty_cache", "mps.driver_allocated_memory", "mps.synchronize"),
        *("mps.driver_allocated_memory", "mps.empty_cache", "mps.driver_allocated_memory"),
        "mps.recommended_max_memory",
    ]


@pytest.mark.parametrize(("rate", "ok"), [(90_000.0, True), (999.0, False)])
def test_a_crawling_device_is_too_slow(monkeypatch: pytest.MonkeyPatch, rate: float, ok: bool) -> None:
    """2x64 has 124,672 parameters with its head: 6 N tokens/s of FLOP."""

    def timed(device: Device, shape: Any, sequences: int) -> SpeedPoint:
        return SpeedPoint(shape=shape, batch_tokens=128 * sequences, tokens_per_second=rate, memory_bytes=1)

    monkeypatch.setattr(calibrate, "train_speed", timed)
    found, detail = checkup.speed(CPU)
    count = checkup.SPEED_SHAPE.parameters(vocab_size=256, context=128).with_head
    assert found is ok
    assert f"{6 * count * rate / 1e9:.3g} GFLOP/s" in detail


def answered(code: int, said: str) -> Any:
    return lambda command, **options: subprocess.CompletedProcess(command, code, stdout=said, stderr="")


def test_an_experiment_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", answered(1, "12:00:00 begins\nThe device cpu is on strike.\n"))
    assert checkup.experiment(CPU) == (False, "a sweep of 4 runs failed: The device cpu is on strike.")
    monkeypatch.setattr(subprocess, "run", answered(0, ""))
    ok, detail = checkup.experiment(CPU)
    assert not ok
    assert "learnt nothing" in detail

    def slow(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", slow)
    assert "was not done in 120 s" in checkup.experiment(CPU)[1]


def test_the_experiment_is_small_and_reads_only_the_program(lab_home: Any) -> None:
    plan = checkup.experiment_plan("mps")
    assert plan.spec.device == "mps"
    assert sum(run.steps for run in plan.runs) < 300
    assert plan.spec.corpus.path == str(place.PROJECT / "scaling_core")


def test_every_answer_is_a_line_and_an_error_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(device: Device) -> tuple[bool, str]:
        raise RuntimeError("MPS backend: command buffer exited\nsecond line")

    monkeypatch.setattr(checkup, "ANSWERS", {"compute": lambda device: (True, "right"), "freed": broken})
    monkeypatch.setattr(checkup, "prepare_environment", lambda device: None)
    assert checkup.main(["--device", "cpu"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["ok"]) for line in lines] == [("device", True), ("compute", True), ("freed", False)]
    assert lines[2]["detail"] == "MPS backend: command buffer exited"
    assert all(set(line) == {"name", "ok", "detail", "seconds"} for line in lines)


def test_an_absent_device_ends_the_examination(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, mps=True, version="2.13.0")
    monkeypatch.setattr(checkup, "prepare_environment", lambda device: None)
    assert checkup.main(["--device", "mps"]) == 2
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["name"], line["ok"]) == ("device", False)
    assert "wrong on some Macs" in line["detail"]


def test_with_auto_the_reason_for_the_device_not_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, mps=True, version="2.13.0")
    said = checkup.describe(resolve("auto"))
    assert said.startswith("cpu (")
    assert "no mps: before 2.14 its gradients are wrong on some Macs" in said
