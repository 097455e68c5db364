"""What is remembered of a device, under every name that means it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from scaling_core.lab.records import Calibration, PrecisionChoice, PrecisionPoint
from scaling_core.runs.calibrations import calibration, forget, save_calibration
from tests.lab_helpers import calibration as measured


def test_a_measurement_is_remembered_under_its_own_name_and_the_one_asked_for(tmp_path: Path) -> None:
    assert calibration(tmp_path, "auto") is None
    save_calibration(tmp_path, "auto", measured(50.0))
    assert calibration(tmp_path, "auto") == calibration(tmp_path, "cpu") == measured(50.0)
    assert calibration(tmp_path, "mps") is None


def test_a_later_measurement_of_the_same_device_counts_for_every_name(tmp_path: Path) -> None:
    save_calibration(tmp_path, "auto", measured(50.0))
    save_calibration(tmp_path, "cpu", measured(90.0))
    assert calibration(tmp_path, "auto") == measured(90.0)


def test_auto_keeps_the_device_that_it_means(tmp_path: Path) -> None:
    save_calibration(tmp_path, "auto", replace(measured(500.0), device="mps"))
    save_calibration(tmp_path, "cpu", measured(90.0))
    found = calibration(tmp_path, "auto")
    assert found is not None
    assert found.device == "mps"


def test_what_is_forgotten_is_forgotten_under_every_name(tmp_path: Path) -> None:
    save_calibration(tmp_path, "auto", measured(50.0))
    save_calibration(tmp_path, "mps", replace(measured(500.0), device="mps"))
    forget(tmp_path, "cpu")
    assert calibration(tmp_path, "auto") is None
    assert calibration(tmp_path, "cpu") is None
    assert calibration(tmp_path, "mps") is not None


def test_a_measurement_stored_before_precisions_were_compared_is_still_read(tmp_path: Path) -> None:
    save_calibration(tmp_path, "cpu", measured(50.0))
    path = tmp_path / "calibrations.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    for entry in stored.values():
        del entry["precision"], entry["micro_tokens"]
    path.write_text(json.dumps(stored), encoding="utf-8")
    assert calibration(tmp_path, "cpu") == measured(50.0)


def test_a_comparison_of_precisions_and_a_micro_batch_are_remembered(tmp_path: Path) -> None:
    base = measured(50.0)
    choice = PrecisionChoice(
        precision="bfloat16",
        reason="faster",
        points=(PrecisionPoint(shape=base.speeds[0].shape, speed_ratio=1.5),),
        least_params=11_000,
        loss_float32=2.0,
        loss_bfloat16=2.001,
    )
    whole: Calibration = replace(base, precision=choice, micro_tokens=8192)
    save_calibration(tmp_path, "cpu", whole)
    assert calibration(tmp_path, "cpu") == whole
