"""`inference`, `overtrain`, `repeat`: what they print is the core's, and every bad input is one sentence."""

from __future__ import annotations

import pytest

from scaling_core.catalog import preset
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum import (
    compute_wall,
    data_limited,
    epochs_curve,
    inference_optimal,
    loss_limit,
    optimal_for_compute,
    smaller_model,
    worthless_epochs,
)
from tests.cli_helpers import Capture, answer, call

LAW = preset("hoffmann2022").joint


def repeating() -> MuennighoffLaw:
    law = preset("muennighoff2023").law
    assert isinstance(law, MuennighoffLaw)
    return law


def test_inference(capsys: Capture) -> None:
    words = ("inference", "--law", "hoffmann2022", "--compute", "1e23", "--served", "2T")
    row, found = answer(capsys, *words), inference_optimal(LAW, C=1e23, D_inference=2e12)
    assert (row["params"], row["tokens"], row["total_flops"]) == (found.N, found.D, found.total_flops)
    assert (row["saving"], row["tokens_per_param"], row["served"]) == (found.saving, found.tokens_per_param, 2e12)
    assert row["optimum"]["params"] == found.optimum.N
    assert row["optimum"]["total_flops"] == found.optimum_total_flops
    again = answer(capsys, "inference", "--law", "hoffmann2022", "--loss", repr(found.loss), "--served", "2e12")
    assert again["params"] == pytest.approx(found.N, rel=1e-9)
    status, out, err = call(capsys, *words)
    assert status == 0
    assert "11B" in out
    assert "saves 11% in all" in out
    assert "tokens lie" in err


def test_nothing_served_is_the_optimum(capsys: Capture) -> None:
    row = answer(capsys, "inference", "--law", "besiroglu2024", "--compute", "1e23", "--served", "0")
    assert row["params"] == optimal_for_compute(preset("besiroglu2024").joint, 1e23).N
    assert row["saving"] == pytest.approx(0.0, abs=1e-12)


def test_overtrain(capsys: Capture) -> None:
    words = ("overtrain", "--law", "hoffmann2022", "--compute", "1e23")
    row = answer(capsys, *words)
    assert [m["times"] for m in row["models"]] == [1.1, 1.5, 2.0, 5.0, 10.0]
    for m in row["models"]:
        found = smaller_model(LAW, C=1e23, times=m["times"])
        assert (m["params"], m["tokens"], m["fraction"]) == (found.N, found.D, found.fraction)
    one = answer(capsys, *words, "--times", "3")
    assert len(one["models"]) == 1
    assert one["models"][0]["params"] == smaller_model(LAW, C=1e23, times=3.0).N
    assert one["least_fraction"] == row["least_fraction"]
    status, out, _ = call(capsys, *words)
    assert status == 0
    assert "10 times" in out
    assert "below 9.91% of the optimum no data suffice" in out


def test_repeat_a_budget(capsys: Capture) -> None:
    row = answer(capsys, "repeat", "--unique", "100B", "--compute", "1e23")
    found, stop = data_limited(repeating(), U=1e11, C=1e23), compute_wall(repeating(), 1e11)
    assert (row["params"], row["tokens"], row["epochs"], row["loss"]) == (found.N, found.D, found.epochs, found.loss)
    assert (row["loss_penalty"], row["compute_equivalent"]) == (found.loss_penalty, found.compute_equivalent)
    assert row["unlimited"]["params"] == found.unlimited.N
    assert row["limit"] == {
        "loss": loss_limit(repeating(), 1e11),
        "within": 0.01,
        "compute": stop.C,
        "epochs": stop.epochs,
    }
    assert row["worthless_epochs"] == worthless_epochs(repeating(), 0.01)
    status, out, _ = call(capsys, "repeat", "--unique", "100B", "--compute", "1e23")
    assert status == 0
    assert "7.23" in out


def test_repeat_a_size(capsys: Capture) -> None:
    row = answer(capsys, "repeat", "--law", "muennighoff2023", "--unique", "100B", "--params", "10B")
    epochs = [point["epochs"] for point in row["curve"]]
    curve = epochs_curve(repeating(), U=1e11, N=1e10, epochs=epochs)  # type: ignore[arg-type]  # a list serves as well
    assert [point["loss"] for point in row["curve"]] == curve.loss.tolist()
    assert [point["fresh_loss"] for point in row["curve"]] == curve.fresh_loss.tolist()
    assert row["limit"]["loss"] == curve.limit
    assert row["curve"][0]["token_worth"] == 1.0
    status, out, _ = call(capsys, "repeat", "--unique", "100B", "--params", "10B")
    assert status == 0
    assert "after 25.3 one more buys less than 1%" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inference", "--law", "hoffmann2022", "--loss", "1.5", "--served", "1T"), "loss: got 1.5, but that is impos"),
        (("inference", "--law", "hoffmann2022", "--compute", "1e23", "--served", "-1"), "served: got '-1', but it"),
        (("inference", "--law", "kaplan2020-n", "--compute", "1e23", "--served", "1T"), "law: got 'kaplan2020-n', but"),
        (
            ("overtrain", "--law", "hoffmann2022", "--compute", "1e23", "--times", "0.5"),
            "times: got '0.5', but it",
        ),
        (("overtrain", "--law", "hoffmann2022", "--compute", "nan"), "compute: got 'nan', but it must be a number"),
        (("overtrain", "--law", "talk-slides", "--loss", "1"), "loss: got 1.0, but that is impossible: under this law"),
        (("repeat", "--law", "hoffmann2022", "--unique", "1T", "--compute", "1e23"), "law: got 'hoffmann2022', but it"),
        (("repeat", "--unique", "0", "--compute", "1e23"), "unique: got '0', but it must be a number from 1"),
        (("repeat", "--unique", "1T", "--params", "x"), "params: got 'x', but it must be a number"),
    ],
)
def test_bad_input_is_one_sentence(capsys: Capture, words: tuple[str, ...], said: str) -> None:
    status, out, err = call(capsys, *words)
    assert status == 2
    assert out == ""
    assert err.startswith(said)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("inference", "--law", "hoffmann2022", "--served", "1T"),
        ("inference", "--law", "hoffmann2022", "--compute", "1e23"),
        ("overtrain", "--law", "hoffmann2022", "--compute", "1e23", "--loss", "2"),
        ("repeat", "--unique", "1T"),
        ("repeat", "--unique", "1T", "--params", "1B", "--compute", "1e20"),
    ],
)
def test_what_is_missing_or_too_much_is_said(capsys: Capture, words: tuple[str, ...]) -> None:
    status, out, err = call(capsys, *words)
    assert (status, out) == (2, "")
    assert "see python -m scaling_core" in err
