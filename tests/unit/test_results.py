"""Results of a sweep whose losses lie exactly on a planted law."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaling_core.errors import FitError, InputError
from scaling_core.fit import read_csv
from scaling_core.language import speaking
from scaling_core.runs.noise import seed_noise
from scaling_core.runs.results import Counting, export_csv, fit_runs, plain, points_of, results
from scaling_core.runs.store import Store
from tests.lab_helpers import CORPUS, LAW, finish_runs, prediction, register, small_plan

PLAN = small_plan()
SWEEP = PLAN.spec.id
HELD_OUT = [run for run in PLAN.runs if run.held_out]


@pytest.fixture
def home(lab_home: Path) -> Path:
    """A sweep with every fitted run finished and every held-out run foretold."""
    register(lab_home, PLAN)
    finish_runs(lab_home, PLAN)
    with Store.open_writer(lab_home) as store:
        for run in HELD_OUT:
            store.add_prediction(prediction(PLAN, run.id))
    return lab_home


def test_the_planted_law_comes_back_from_the_fitted_rungs(home: Path) -> None:
    found = results(SWEEP, home, bootstrap=20)
    for name, value in LAW.constants.items():
        assert found["fit"]["constants"][name] == pytest.approx(value, rel=1e-3)
    assert found["fit"]["n"] == 9
    assert found["fit"]["warnings"]
    assert found["fit_note"] is None
    assert [point["id"] for point in found["points"]] == [run.id for run in PLAN.runs if not run.held_out]
    wanted = ("params", "params_non_embedding", "tokens", "flops", "loss", "se", "seed", "held_out")
    assert set(wanted) <= set(found["points"][0])
    point, run = found["points"][0], PLAN.runs[0]
    assert (point["params"], point["tokens"], point["flops"]) == (run.params, run.tokens, 6.0 * run.params * run.tokens)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_file_of_results_is_english_in_whatever_language_the_law_was_fitted(home: Path) -> None:
    with Store.open_reader(home) as store:
        runs = store.runs(SWEEP)
    english = fit_runs(runs).to_dict()["warnings"]
    with speaking("zh"):
        law = fit_runs(runs)
        chinese = law.to_dict()["warnings"]
    assert english != chinese
    with speaking("en"):
        assert law.to_dict()["warnings"] == english


def test_the_prediction_is_that_of_the_largest_held_out_run_and_is_scored(home: Path) -> None:
    before = results(SWEEP, home, bootstrap=0)["prediction"]
    assert before["id"] == HELD_OUT[-1].id
    assert (before["measured"], before["error_percent"], before["within"]) == (None, None, None)
    finish_runs(home, PLAN, held_out=True)
    found = results(SWEEP, home, bootstrap=0)
    after = found["prediction"]
    assert after["measured"] == pytest.approx(float(LAW.loss(HELD_OUT[-1].params, HELD_OUT[-1].tokens)))
    assert after["error_percent"] == pytest.approx(2.0)
    assert after["within"] is True
    assert after["made_at"] == before["made_at"] < after["measured_at"]
    assert [one["id"] for one in found["predictions"]] == [run.id for run in HELD_OUT]
    assert found["fit"]["n"] == 9, "a held-out run never enters the fit"
    assert len(found["points"]) == 12


def test_a_measurement_outside_its_interval_is_said(lab_home: Path) -> None:
    register(lab_home, PLAN)
    run = HELD_OUT[-1]
    loss = float(LAW.loss(run.params, run.tokens))
    with Store.open_writer(lab_home) as store:
        store.add_prediction(prediction(PLAN, run.id, loss=0.5 * loss, low=0.4 * loss, high=0.6 * loss))
    finish_runs(lab_home, PLAN, held_out=True)
    found = results(SWEEP, lab_home, bootstrap=0)["prediction"]
    assert found["within"] is False
    assert found["error_percent"] == pytest.approx(-50.0)


def test_before_six_runs_there_is_a_reason_in_the_place_of_a_fit(lab_home: Path) -> None:
    register(lab_home, PLAN)
    empty = results(SWEEP, lab_home)
    assert (empty["points"], empty["fit"], empty["prediction"]) == ([], None, None)
    assert "No run is finished" in empty["fit_note"]
    with Store.open_writer(lab_home) as store:
        for run in PLAN.runs[:5]:
            store.finish_run(
                SWEEP, run.id, loss=2.0, se=0.1, bits_per_byte=1.0, seconds=1.0, tokens=run.tokens, unique_tokens=1
            )
        runs = store.runs(SWEEP)
    some = results(SWEEP, lab_home)
    assert len(some["points"]) == 5
    assert some["fit"] is None
    assert "5 runs cannot carry" in some["fit_note"]
    with pytest.raises(FitError):
        fit_runs(runs)


def test_the_csv_is_read_back_by_the_fit(home: Path) -> None:
    finish_runs(home, PLAN, held_out=True)
    text = export_csv(SWEEP, home)
    points = read_csv(text.encode())
    with Store.open_reader(home) as store:
        expected = points_of(store.runs(SWEEP))
    assert points.N.tolist() == expected.N.tolist()
    assert points.D.tolist() == expected.D.tolist()
    assert points.loss.tolist() == expected.loss.tolist()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(PLAN.runs)
    assert rows[0]["predicted_loss"] == ""
    assert float(rows[-1]["predicted_loss"]) == prediction(PLAN, HELD_OUT[-1].id).loss
    assert rows[-1]["held_out"] == "1"
    assert rows[0]["shape"] == PLAN.runs[0].shape.name


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=cmd()", "'=cmd()"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=x", "'=x"),
        ("\r\n=x", "'=x"),
        ('a\rb,\n"c"', 'a b, "c"'),
        ("Faust 浮士德", "Faust 浮士德"),
    ],
)
def test_a_text_of_a_bad_name_is_no_formula_and_no_second_line(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, name: str, cell: str
) -> None:
    monkeypatch.setitem(CORPUS, "name", name)
    register(lab_home, PLAN)
    finish_runs(lab_home, PLAN)
    rows = list(csv.DictReader(io.StringIO(export_csv(SWEEP, lab_home), newline="")))
    assert {row["corpus"] for row in rows} == {cell}
    assert len(rows) == 9


def test_runs_carry_the_noise_between_seeds_and_not_that_of_the_shared_text(home: Path) -> None:
    with Store.open_reader(home) as store:
        runs = store.runs(SWEEP)
    assert points_of(runs).se is None
    twice = [*runs, *(replace(run, track=f"{run.track}-s1", loss=run.loss + 0.02) for run in runs if run.loss)]
    points = points_of(twice)
    assert points.se is not None
    assert points.se == pytest.approx(np.full(len(points), 0.02 / math.sqrt(2)))


def test_a_size_without_seeds_takes_the_noise_of_the_next_below(home: Path) -> None:
    with Store.open_reader(home) as store:
        runs = store.runs(SWEEP)
    shift = {0: 0.08, 1: 0.02}
    more = [replace(run, loss=run.loss + shift[run.rung]) for run in runs if run.loss and run.rung in shift]
    noise = seed_noise([*runs, *more])
    assert noise[0] == pytest.approx(0.08 / math.sqrt(2))
    assert noise[1] == noise[2] == pytest.approx(0.02 / math.sqrt(2))
    assert seed_noise(runs) == {}


@pytest.mark.parametrize("counting", ["with_head", "total", "non_embedding"])
def test_the_parameters_that_count_are_those_asked_for(home: Path, counting: Counting) -> None:
    with Store.open_reader(home) as store:
        runs = [run for run in store.runs(SWEEP) if run.loss is not None]
    wanted = [{"with_head": r.params, "total": r.params_total, "non_embedding": r.params_non_embedding} for r in runs]
    assert points_of(runs, counting=counting).N.tolist() == [one[counting] for one in wanted]


def test_an_unknown_sweep_is_a_bad_input(lab_home: Path) -> None:
    for ask in (results, export_csv):
        with pytest.raises(InputError, match="none of that name"):
            ask("live-0123456789", lab_home)
        with pytest.raises(InputError, match="must look like"):
            ask("..", lab_home)


def test_plain_has_no_number_that_json_lacks() -> None:
    assert plain({"a": (1.0, math.nan), "b": {"c": math.inf}, "d": "x"}) == {
        "a": [1.0, None],
        "b": {"c": None},
        "d": "x",
    }
