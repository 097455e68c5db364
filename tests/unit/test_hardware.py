"""Devices and utilizations of the catalogue, and what a training takes: every row cited, every inverse exact."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core import hardware
from scaling_core.errors import InputError, ScalingError
from scaling_core.hardware import (
    DAY,
    HOUR,
    PRECISIONS,
    YEAR,
    achieved_flops,
    cost,
    device,
    device_hours,
    devices,
    energy,
    flops_in,
    kilowatt_hours,
    seconds_for,
    training_seconds,
    utilisation_of,
    utilisations,
)

WITHOUT_PEAK = ["macbook-m4-pro", "macbook-m4-max", "macbook-m5", "macbook-m5-pro", "macbook-m5-max"]
FLOPS = st.floats(1e12, 1e30)
PEAKS = st.floats(1e10, 1e17)
COUNTS = st.integers(1, 100_000)
SHARES = st.floats(0.001, 1.0)


def test_every_row_has_a_source_and_an_address() -> None:
    for row in devices():
        assert row.source
        assert row.url.startswith("https://")
        assert row.note.endswith(".")
        assert row.memory is not None
        assert row.bandwidth is not None
    for one in utilisations():
        assert one.source
        assert one.url.startswith("https://")
        assert (one.count is None) == (one.id == "gpt3")
        assert one.device is None or device(one.device).name
    for rows in (devices(), utilisations()):
        assert len({row.id for row in rows}) == len(rows)
    assert devices() is devices()


def test_a_price_has_a_day_and_a_place() -> None:
    priced = [row for row in devices() if row.price is not None]
    assert priced
    for row in priced:
        assert row.price is not None
        assert date(2026, 1, 1) <= date.fromisoformat(row.price.date)
        assert "https://" in row.price.source
        assert 0.05 < row.price.usd_per_hour < 20.0
    with (hardware.DATA / "hardware.csv").open(encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file):
            given = [bool(cells[name]) for name in ("price_usd_per_hour", "price_date", "price_source")]
            assert len(set(given)) == 1, cells["id"]


def test_what_nobody_states_is_not_there() -> None:
    assert [row.id for row in devices() if not row.peaks] == WITHOUT_PEAK
    for row in devices():
        if row.kind == "mac":
            assert row.power is None
            assert row.price is None
            assert set(row.peaks) <= {"fp32"}
        if row.third_party:
            assert "third party" in row.note
    for id in WITHOUT_PEAK:
        with pytest.raises(InputError, match="its peak is not published"):
            device(id).peak()


def test_peaks_are_dense() -> None:
    """What the datasheets print with sparsity is nowhere: those numbers are twice as large."""
    printed_with_sparsity = {"a100-80gb": 624e12, "h100-sxm": 1978.9e12, "h200": 1979e12, "b200": 4.5e15,
                             "rtx3090": 142e12, "rtx4090": 330.4e12, "rtx5090": 419e12}  # fmt: skip
    for id, sparse in printed_with_sparsity.items():
        assert device(id).peak("bf16") == pytest.approx(sparse / 2, rel=1e-3)
    for row in devices():
        for lower, higher in (("tf32", "bf16"), ("bf16", "fp8")):
            if lower in row.peaks and higher in row.peaks:
                assert row.peaks[higher] == pytest.approx(2 * row.peaks[lower], rel=0.03), row.id  # type: ignore[index]  # names of precisions
        if {"bf16", "fp16"} <= set(row.peaks):
            assert row.peaks["bf16"] == row.peaks["fp16"]


def test_the_peak_of_training_is_that_of_its_precision() -> None:
    assert device("a100-80gb").training_precision == "bf16"
    assert device("a100-80gb").peak() == 312e12
    assert device("a100-80gb").peak("fp32") == 19.5e12
    assert device("macbook-m1").training_precision == "fp32"
    assert device("macbook-m5").training_precision is None
    with pytest.raises(InputError, match="precision: got 'fp8', but for this device it must be one of fp32, tf32"):
        device("a100-80gb").peak("fp8")


def test_an_unknown_device_is_refused_with_the_list() -> None:
    with pytest.raises(InputError, match=r"device: got 'v100', but it must be one of macbook-m1, .*tpu-v6e"):
        device("v100")


def test_rows_are_plain_json_and_can_be_kept() -> None:
    rows = json.loads(json.dumps([row.to_dict() for row in devices()], allow_nan=False))
    by_id = {row["id"]: row for row in rows}
    assert by_id["a100-80gb"]["peak_flops_per_second"]["bf16"] == 312e12
    assert by_id["a100-80gb"]["price"]["date"] == "2026-09-20"
    assert by_id["tpu-v4"]["memory_bytes"] == 32 * 2**30
    assert by_id["tpu-v5e"]["price"] is None
    assert len({hash(row) for row in devices()}) == len(devices())
    with pytest.raises(TypeError):
        device("a100-80gb").peaks["bf16"] = 1.0  # type: ignore[index]  # the test is that it cannot be


def test_utilizations_are_those_that_were_published() -> None:
    shares = {one.id: one.mfu for one in utilisations()}
    assert {id: shares[id] for id in ("gpt3", "gopher", "mt-nlg", "palm", "megascale")} == {
        "gpt3": 0.213, "gopher": 0.325, "mt-nlg": 0.302, "palm": 0.462, "megascale": 0.552,
    }  # fmt: skip
    assert [shares[id] for id in ("llama3-8k", "llama3-16k", "llama3-128k-context")] == [0.43, 0.41, 0.38]
    assert all(0.1 < share < 0.8 for share in shares.values())
    assert all(one.precision in PRECISIONS for one in utilisations())


@pytest.mark.parametrize(
    ("column", "cell"),
    [("price_date", ""), ("price_date", "yesterday"), ("bf16", "fast"), ("bf16", "-1"), ("power_w", "nan"),
     ("kind", "abacus")],
)  # fmt: skip
def test_a_torn_table_is_said_in_a_sentence(
    column: str, cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (hardware.DATA / "hardware.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    next(row for row in rows if row["id"] == "a100-80gb")[column] = cell
    with (tmp_path / "hardware.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setattr(hardware, "DATA", tmp_path)
    with pytest.raises(ScalingError, match=r"data/hardware\.csv cannot be read \(.*\); restore it from the project"):
        devices.__wrapped__()
    with pytest.raises(ScalingError, match=r"data/utilisation\.csv cannot be read"):
        utilisations.__wrapped__()


def test_a_utilization_above_one_is_a_torn_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(hardware.DATA / "utilisation.csv", tmp_path)
    path = tmp_path / "utilisation.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("0.213", "21.3"), encoding="utf-8")
    monkeypatch.setattr(hardware, "DATA", tmp_path)
    with pytest.raises(ScalingError, match=r"utilisation\.csv cannot be read \(21\.3 is more than the whole\)"):
        utilisations.__wrapped__()


def test_time_energy_and_money_of_one_run() -> None:
    seconds = training_seconds(1e21, peak=312e12, count=8, mfu=0.4)
    assert seconds == pytest.approx(1e21 / (312e12 * 8 * 0.4))
    assert achieved_flops(peak=312e12, count=8, mfu=0.4) == pytest.approx(998.4e12)
    assert device_hours(seconds, count=8) == pytest.approx(8 * seconds / HOUR)
    assert kilowatt_hours(energy(HOUR, power=400.0, count=8)) == pytest.approx(3.2)
    assert cost(720.0, price=2.0) == 1440.0
    assert pytest.approx(365.25) == YEAR / DAY


@given(C=FLOPS, peak=PEAKS, count=COUNTS, mfu=SHARES)
def test_time_and_compute_are_inverse(C: float, peak: float, count: int, mfu: float) -> None:
    seconds = training_seconds(C, peak=peak, count=count, mfu=mfu)
    assert flops_in(seconds, peak=peak, count=count, mfu=mfu) == pytest.approx(C, rel=1e-12)
    assert utilisation_of(C, seconds, peak=peak, count=count) == pytest.approx(mfu, rel=1e-12)
    assert training_seconds(C, peak=peak, count=count, mfu=1.0) <= seconds * (1 + 1e-12)


@given(usd=st.floats(0.01, 1e12), price=st.floats(0.01, 1e3), count=COUNTS)
def test_money_and_time_are_inverse(usd: float, price: float, count: int) -> None:
    seconds = seconds_for(usd, price=price, count=count)
    assert cost(device_hours(seconds, count=count), price=price) == pytest.approx(usd, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"peak": 0.0}, "peak speed: got 0.0"),
        ({"peak": float("inf")}, "peak speed: got inf"),
        ({"mfu": 0.0}, "utilization: got 0.0, but it must lie above 0 and be at most 1"),
        ({"mfu": 40}, "utilization: got 40"),
        ({"mfu": float("nan")}, "utilization: got nan"),
        ({"count": 0}, "number of devices: got 0, but it must be a whole number of at least 1"),
        ({"count": 1.5}, r"number of devices: got 1\.5"),
        ({"count": float("inf")}, "number of devices: got inf"),
        ({"count": True}, "number of devices: got True"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        training_seconds(1e21, **({"peak": 312e12, "count": 1, "mfu": 0.4} | change))  # type: ignore[arg-type]  # wrong on purpose


def test_faster_than_the_peak_is_refused() -> None:
    with pytest.raises(InputError, match=r"time: got 1\.0, but even at its peak this hardware would take longer"):
        utilisation_of(1e15, 1.0, peak=312e12)
    with pytest.raises(InputError, match="even at its peak"):
        utilisation_of(312e12 * 1.01, 1.0, peak=312e12)
    assert utilisation_of(312e12, 1.0, peak=312e12) == 1.0
    with pytest.raises(InputError, match="compute: got -1"):
        training_seconds(-1, peak=312e12, mfu=0.4)
