"""What a person may ask of a ladder on the command line, and what is refused in a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaling_core import cli
from scaling_core.lab.spec import SweepSpec
from scaling_core.runs.calibrations import save_calibration
from scaling_core.runs.store import Store
from tests.lab_helpers import calibration, finish_runs, register, rows_of, small_plan
from tests.unit.test_tuning import measured as tuned_rows
from tests.unit.test_tuning import tuning_plan


@pytest.fixture
def home(lab_home: Path) -> Path:
    """A home whose devices are measured, and a text to train on."""
    (lab_home / "text.txt").write_text("to be or not to be, that is the question\n" * 5000)
    save_calibration(lab_home, "auto", calibration())
    save_calibration(lab_home, "cpu", calibration())
    return lab_home


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        status = cli.main(["lab", *words])
    except SystemExit as error:
        status = int(error.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


def planned(capsys: pytest.CaptureFixture[str], home: Path, *words: str, command: str = "plan") -> dict[str, Any]:
    own = [] if command == "plan" else ["--plan"]
    status, out, said = run(capsys, command, "--corpus", str(home / "text.txt"), "--json", *own, *words)
    assert status == 0, said
    found: dict[str, Any] = json.loads(out)
    return found


def test_sizes_horizons_and_seeds_are_taken_as_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned(
        capsys, home, "--sizes", "2x32,3x48x4,4x64", "--horizons", "4,8", "--seeds", "2,1,1", "--context", "64"
    )
    assert [one["id"] for one in plan["runs"]] == [
        "r0-h4", "r0-h8", "r0-s1-h4", "r0-s1-h8", "r1-h4", "r1-h8", "r2-h4", "r2-h8",
    ]  # fmt: skip
    assert [one["shape"] for one in plan["runs"][::2]] == ["2x32", "2x32", "3x48", "4x64"]
    assert len({one["seed"] for one in plan["runs"]}) == 2
    assert plan["runs"][0]["params_total"] - plan["runs"][0]["params"] == 64 * 32


def test_the_talks_own_shapes_are_counted_exactly(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned(capsys, home, "--sizes", "4x128,6x384,12x768,24x1024", "--horizons", "20", "--seeds", "1,1,1,1")
    blocks = {"4x128": (4, 128), "6x384": (6, 384), "12x768": (12, 768), "24x1024": (24, 1024)}
    for one in plan["runs"]:
        layers, d = blocks[one["shape"]]
        assert one["params_non_embedding"] == layers * (12 * d * d + 13 * d) + 2 * d
        assert one["params"] == one["params_non_embedding"] + 256 * d


def test_most_steps_cut_the_longer_horizons(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = planned(capsys, home, "--sizes", "2x32,2x64", "--horizons", "5,10,20", "--seeds", "1,1")
    middle = whole["runs"][1]["steps"]
    cut = planned(
        capsys, home, "--sizes", "2x32,2x64", "--horizons", "5,10,20", "--seeds", "1,1", "--max-steps", str(middle)
    )
    first = [one for one in cut["runs"] if one["id"].startswith("r0")]
    assert [one["steps"] for one in first] == [whole["runs"][0]["steps"], middle]
    assert all(one["steps"] <= middle for one in cut["runs"])


def test_a_sweep_of_rates_and_its_law_in_a_ladder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned(capsys, home, "--factors", "0.5,1,2", "--horizons", "5", command="tune")
    assert len(plan["runs"]) == 9
    assert {one["rate_factor"] for one in plan["runs"]} == {0.5, 1.0, 2.0}
    sweep = tuning_plan()
    register(home, sweep)
    with Store.open_writer(home) as store:
        for row in tuned_rows(sweep):
            assert row.loss is not None
            store.finish_run(
                sweep.spec.id, row.id, loss=row.loss, se=0.01, bits_per_byte=3.0, seconds=1.0, tokens=1, unique_tokens=1
            )
    status, out, _ = run(capsys, "rates", sweep.spec.id, "--json")
    law = json.loads(out)["law"]
    assert status == 0
    assert law["coefficient"] == pytest.approx(0.004)
    words = ("--sizes", "2x32,2x64", "--horizons", "5", "--seeds", "1,1")
    own, tuned = planned(capsys, home, *words), planned(capsys, home, *words, "--rates", sweep.spec.id)
    assert own["sweep"] != tuned["sweep"]
    status, out, _ = run(capsys, "rates", sweep.spec.id)
    assert "LR(N) = 0.004 (N / 100000)^-0.3" in out


def test_an_extension_adds_and_keeps(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = small_plan()
    register(home, old)
    finish_runs(home, old, held_out=True)
    status, out, said = run(capsys, "extend", old.spec.id, "--sizes", "4x64", "--horizons", "16", "--plan", "--json")
    assert status == 0, said
    found = json.loads(out)
    assert {one["id"] for one in found["runs"]} > {one.id for one in rows_of(old)}
    assert sum(one["held_out"] for one in found["runs"]) == 4
    status, _, said = run(capsys, "extend", old.spec.id, "--plan")
    assert status == 2
    assert "name sizes, horizons or seeds to add" in said


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--sizes", "2xwide"), "layers x width"),
        (("--sizes", "2x67"), "divisor between 16 and 64"),
        (("--sizes", "2x32,4x64", "--seeds", "1"), "one number for each"),
        (("--sizes", "2x32,2x32,4x64"), "sizes must grow"),
        (("--horizons", "5,much"), "horizons"),
        (("--horizons", "-5"), "horizons"),
        (("--seeds", "0"), "seeds"),
        (("--max-steps", "1"), "max-steps"),
        (("--dropout", "1"), "dropout"),
        (("--context", "4"), "context"),
        (("--stop-early", "90%"), "stop_early"),
        (("--precision", "float16"), "precision"),
        (("--rates", "live-0123456789"), "no sweep of that name"),
        (("--minutes", "nan"), "minutes"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], part: str
) -> None:
    status, out, said = run(capsys, "plan", "--corpus", str(home / "text.txt"), *words)
    assert (status, out) == (2, "")
    assert part in said
    assert "Traceback" not in said


def test_a_spec_travels_as_json_and_equal_experiments_have_one_name() -> None:
    spec = small_plan().spec
    assert SweepSpec.from_json(spec.to_json()) == spec
    assert replace(spec, seeds=(1, 1, 1, 1)).id == spec.id
    assert len({replace(spec, **change).id for change in (
        {}, {"dropout": 0.1}, {"seeds": (2, 1, 1, 1)}, {"max_steps": 50}, {"stop_early": 0.04}, {"rules": 1},
        {"rate_exponent": -0.3}, {"precision": "bfloat16"},
    )}) == 8  # fmt: skip
