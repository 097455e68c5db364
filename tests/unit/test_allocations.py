"""Published allocations: what the papers print, in their own units, and where printed values disagree."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from scaling_core import allocations
from scaling_core.allocations import AllocationRow, allocation, group
from scaling_core.catalog import preset
from scaling_core.errors import InputError
from scaling_core.optimum import exponents

PF_DAY = 1e15 * 86_400


def all_rows() -> dict[str, AllocationRow]:
    return {row.id: row for row in allocations.allocations()}


def test_every_row_says_what_it_is_and_where_it_is_from() -> None:
    rows = allocations.allocations()
    assert len({row.id for row in rows}) == len(rows) == 23
    for row in rows:
        assert row.source
        assert row.counts
        assert row.name
        assert row.unit
        assert row.note.endswith(".")
        assert row.url.startswith("https://arxiv.org/abs/")
        assert row.secondary == row.id.startswith(("hoffmann2022", "llama3", "deepseek"))
        assert (row.low is None) == (row.high is None) == (row.interval == "")
        assert 0 < row.exponent < 1
    assert allocations.allocations() is rows


@pytest.mark.parametrize(
    ("approach", "a", "b"),
    [
        (1, (0.50, 0.488, 0.502), (0.50, 0.501, 0.512)),
        (2, (0.49, 0.462, 0.534), (0.51, 0.483, 0.529)),
        (3, (0.46, 0.454, 0.455), (0.54, 0.542, 0.543)),
    ],
)
def test_hoffmanns_three_approaches(
    approach: int, a: tuple[float, float, float], b: tuple[float, float, float]
) -> None:
    rows = group(f"hoffmann2022-{approach}")
    assert (rows["N"].exponent, rows["N"].low, rows["N"].high) == a
    assert (rows["D"].exponent, rows["D"].low, rows["D"].high) == b
    assert rows["N"].interval == "10th to 90th percentile"
    with pytest.raises(InputError, match="only its exponent was published"):
        rows["N"].at(1e21)


def test_where_hoffmanns_numbers_disagree_the_notes_say_so() -> None:
    """Three printed exponents lie outside their own intervals; approach 3 follows from the full-precision constants."""
    outside = [
        row.id for row in all_rows().values() if row.low and row.high and not row.low <= row.exponent <= row.high
    ]
    assert outside == ["hoffmann2022-1-d", "hoffmann2022-3-n", "hoffmann2022-3-d"]
    assert all("interval" in all_rows()[id].note for id in outside)
    a, b = exponents(preset("hoffmann2022").joint)
    assert (round(a, 3), round(b, 3)) == (0.457, 0.543)
    assert round(exponents(preset("hoffmann2022-printed").joint)[1], 3) == 0.548


def test_kaplans_allocation_in_his_own_unit() -> None:
    rows = group("kaplan2020")
    assert {q: row.at(PF_DAY) for q, row in rows.items()} == {"N": 1.3e9, "D": 2e10, "B": 2e6, "S": 5.4e3}
    assert {q: row.exponent for q, row in rows.items()} == {"N": 0.73, "D": 0.27, "B": 0.24, "S": 0.03}
    assert rows["N"].at(1e3 * PF_DAY) == pytest.approx(1.3e9 * 1e3**0.73)
    used = preset("kaplan2020-joint").allocation
    assert used is not None
    assert used.at(1e23) == (rows["N"].at(1e23), rows["D"].at(1e23))
    # two pairs that do not agree with each other, as the notes of these rows say
    assert rows["B"].at(PF_DAY) * rows["S"].at(PF_DAY) == pytest.approx(1.08e10)
    assert 6 * rows["N"].at(PF_DAY) * rows["D"].at(PF_DAY) == pytest.approx(1.56e20)
    assert "1.1e10" in rows["D"].note
    assert "1.6e20" in rows["N"].note


def test_llama_3_is_about_tokens_and_its_two_digits_do_not_reach_its_own_statement() -> None:
    row = allocation("llama3-2024-d")
    assert (row.quantity, row.coefficient, row.exponent) == ("D", 0.29, 0.53)
    assert "TOKENS" in row.note
    assert row.stated == (3.8e25, 16.55e12)
    C, tokens = row.stated
    assert C / (6 * tokens) == pytest.approx(402e9, rel=0.06)  # 402B as stated; 6 N D is 5% above the budget named
    assert row.at(C) == pytest.approx(10.46e12, rel=1e-3)
    assert "10.5T" in row.note
    assert math.log(tokens / 0.29) / math.log(C) == pytest.approx(0.538, abs=5e-4)
    assert "0.538" in row.note


def test_deepseeks_two_rows_spend_the_budget() -> None:
    rows = group("deepseek2024")
    assert rows["M"].exponent + rows["D"].exponent == pytest.approx(1.0)
    for C in (1e18, 3e20, 1e24):
        assert rows["M"].at(C) * rows["D"].at(C) == pytest.approx(C, rel=2e-4)
    assert rows["M"].unit == "FLOP per token"


@pytest.mark.parametrize(
    ("data", "printed"),
    [("refinedweb", (0.835, 0.707, 0.602, 0.572, 0.497)), ("openwebtext2", (0.864, 0.699, 0.603, 0.574, 0.519))],
)
def test_porians_corrections_step_by_step(data: str, printed: tuple[float, ...]) -> None:
    rows = [allocation(f"porian2024-{data}-{step}") for step in (1, 2, 3, 4, 5)]
    assert tuple(row.exponent for row in rows) == printed
    assert list(printed) == sorted(printed, reverse=True)
    for row in rows:
        assert row.low is not None
        assert row.high is not None
        assert row.low < row.exponent < row.high


def test_porians_intervals_are_those_of_the_released_fits(shared_data: Path) -> None:
    steps = [
        ("long", "kaplan", "kaplan"),
        ("long", "kaplan", "standard"),
        ("short", "kaplan", "standard"),
        ("short", "chinchilla", "standard"),
        ("short", "const", "standard"),
    ]
    with (shared_data / "porian_fits.csv").open(newline="") as file:
        fits = {
            (row["dataset"], row["warmup"], row["decay"], row["param_count"]): row
            for row in csv.DictReader(file)
            if (row["decay"] == "const") == (row["hparams"] == "tuned")
        }
    for data, short in (("refinedweb", "rw"), ("openwebtext2", "owt2")):
        for step, setting in enumerate(steps, start=1):
            row, fit = allocation(f"porian2024-{data}-{step}"), fits[(short, *setting)]
            assert row.exponent == pytest.approx(float(fit["n_exponent"]), abs=6e-4)
            assert row.low == pytest.approx(float(fit["n_exp_lo95"]), abs=6e-4)
            assert row.high == pytest.approx(float(fit["n_exp_hi95"]), abs=6e-4)
            if round(float(fit["n_exponent"]), 3) != row.exponent:
                assert f"{float(fit['n_exponent']):.3f}" in row.note


def test_rows_are_plain_json() -> None:
    rows = json.loads(json.dumps([row.to_dict() for row in allocations.allocations()], allow_nan=False))
    kaplan = next(row for row in rows if row["id"] == "kaplan2020-n-of-c")
    assert (kaplan["coefficient"], kaplan["exponent"], kaplan["unit_flops"]) == (1.3e9, 0.73, 8.64e19)
    assert kaplan["stated"] is None


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"allocation: got 'llama'.*llama3-2024-d"):
        allocation("llama")
    with pytest.raises(InputError, match=r"allocation: got 'llama'.*deepseek2024"):
        group("llama")
