"""The talk check: each verdict follows from what is printed and what is computed, and would follow from others too."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from scaling_core.catalog import DATA, preset
from scaling_core.cli import main
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import LANGUAGES, Language, speaking, tdata
from scaling_core.laws import ChinchillaLaw
from scaling_core.talk import CHECKS, CheckedClaim, Claim, check, claims, counts, select, table, verdict_of
from scaling_core.talk.allocation import notes_formula, twenty_against_gpt3
from scaling_core.talk.power_laws import sum_form
from scaling_core.talk.predictions import reachable
from scaling_core.talk.rules import Finding, agrees

BY_ID = {claim.id: claim for claim in table()}
NUMBERS = [
    c.id for c in claims() if c.number is not None and isinstance(c.recomputed, float) and c.verdict != "measure"
]
"""Claims of one number, which the common rule decides."""
UNITS = {
    *("FLOP", "%", "x", "C", "", "nats per token", "tokens", "parameters", "tokens per parameter", "constants"),
    *("years", "days", "H100-years", "USD", "degrees of freedom"),
}
"""Units that `with_unit` knows how to write in any language."""


def altered(id: str, **inputs: tuple[float, ...]) -> Claim:
    """A claim with other inputs."""
    claim = BY_ID[id]
    assert set(inputs) <= set(claim.inputs)
    return replace(claim, inputs={**claim.inputs, **inputs})


def verdict(claim: Claim) -> str:
    """What the claim's own check makes of it."""
    return check(claim, CHECKS[claim.id]).verdict


def found(id: str) -> CheckedClaim:
    return next(claim for claim in claims() if claim.id == id)


def test_there_are_58_claims_and_35_are_wrong() -> None:
    assert counts() == {"wrong": 35, "partly": 1, "right": 20, "measure": 2}
    assert sum(counts().values()) == len(claims()) == len({claim.id for claim in claims()}) == 58
    assert len({claim.label for claim in claims()}) == 58
    assert Counter(claim.source for claim in claims()) == {
        "talk": 40,
        "notes": 9,
        "summary": 4,
        "readme": 3,
        "status": 2,
    }


def test_the_table_says_what_is_printed_and_nothing_of_what_is_true() -> None:
    with (DATA / "talk_claims.csv").open(encoding="utf-8", newline="") as file:
        columns = csv.DictReader(file).fieldnames
    assert columns == ["id", "source", "topic", "label", "claim", "printed", "unit", "about", "inputs"]


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.id)
def test_the_reason_is_one_sentence(claim: CheckedClaim) -> None:
    assert claim.reason[0].isupper() or claim.reason[0].isdigit()
    assert claim.reason.endswith(".")
    assert re.search(r"[.!?]\s", claim.reason) is None
    assert not re.search(r"\b(nan|inf|None)\b", claim.reason)
    assert 20 < len(claim.reason) < 240 or claim.id in ("tokens-7b", "tokens-70b", "brain-params")
    assert claim.claim[0].isupper() or claim.claim[0].isdigit()
    assert claim.shown


@pytest.mark.parametrize("id", NUMBERS)
def test_the_verdict_turns_with_the_printed_number(id: str) -> None:
    claim = BY_ID[id]
    now = found(id)
    assert isinstance(now.recomputed, float)
    unit = " C" if claim.unit == "C" else ""
    as_computed = replace(claim, printed=f"{now.recomputed!r}{unit}")
    doubled = replace(claim, printed=f"{2.5 * now.recomputed + 1.0!r}{unit}")
    assert verdict(as_computed) == "right"
    assert verdict(doubled) == "wrong"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_changes_words_and_neither_numbers_nor_verdicts(language: Language) -> None:
    with speaking(language):
        told = claims()
        assert len({tdata(claim.label) for claim in told}) == len(told)
    assert [(c.id, c.recomputed, c.verdict) for c in told] == [(c.id, c.recomputed, c.verdict) for c in claims()]


def test_every_word_that_is_printed_and_every_unit_is_told() -> None:
    for claim in claims():
        assert claim.number is not None or claim.printed in ("", "same", "20:1 better")
        assert claim.unit in UNITS


def test_most_claims_are_single_numbers() -> None:
    assert len(NUMBERS) >= 45


@pytest.mark.parametrize("printed", ["1", "7.5", "100"])
@pytest.mark.parametrize("id", ["status-early-stop", "status-mps-speedup"])
def test_what_must_be_measured_is_never_judged(id: str, printed: str) -> None:
    claim = replace(BY_ID[id], printed=printed)
    assert verdict(claim) == "measure"
    assert "the lab measures" in found(id).reason


def test_equal_costs_can_be_unequal() -> None:
    assert verdict(BY_ID["same-compute"]) == "right"
    assert verdict(altered("same-compute", D=(300e9, 9e12))) == "wrong"


def test_the_notes_exponent_would_hold_where_alpha_and_beta_are_one() -> None:
    assert verdict(BY_ID["notes-nopt-exponent"]) == "wrong"
    assert verdict(altered("notes-nopt-exponent", alpha=(1.0,), beta=(1.0,))) == "right"


def test_the_notes_formula_would_hold_where_alpha_and_beta_are_one() -> None:
    claim = BY_ID["notes-nopt-formula"]
    law = ChinchillaLaw(E=1.0, A=3.0, B=2.0, alpha=1.0, beta=1.0)
    assert verdict_of(claim, notes_formula(claim)) == "wrong"
    assert verdict_of(claim, notes_formula(claim, law)) == "right"


def test_the_sum_would_be_kaplans_law_if_both_gave_the_same() -> None:
    claim = BY_ID["kaplan-sum-form"]
    total = sum((scale / x) ** alpha for scale, x, alpha in (
        (8.8e13, 175e9, 0.076), (5.4e13, 300e9, 0.095), (3.1e8 * 8.64e19, 6 * 175e9 * 300e9, 0.05)))  # fmt: skip
    assert sum_form(claim).value == pytest.approx((total, preset("kaplan2020-joint").joint.loss(175e9, 300e9)))
    same = ChinchillaLaw(E=total, A=1e-9, B=1e-9, alpha=0.3, beta=0.3)
    assert verdict_of(claim, sum_form(claim)) == "wrong"
    assert verdict_of(claim, sum_form(claim, same)) == "right"


def test_twenty_to_one_wins_or_loses_with_the_constants() -> None:
    """By hand: at C = 6 x 175e9 x 300e9, N = sqrt(C/120), under E 1.8, A = B = 400, alpha 0.35, beta 0.37."""
    claim = BY_ID["notes-gpt3-gain"]
    N = math.sqrt(6 * 175e9 * 300e9 / 120)
    losses = [1.8 + 400 / n**0.35 + 400 / d**0.37 for n, d in ((N, 20 * N), (175e9, 300e9))]
    assert twenty_against_gpt3(claim).value == pytest.approx(tuple(losses), rel=1e-12)
    assert [f"{loss:.3f}" for loss in losses] == ["1.886", "1.869"]
    assert verdict_of(claim, twenty_against_gpt3(claim)) == "wrong"
    assert verdict_of(claim, twenty_against_gpt3(claim, preset("hoffmann2022").joint)) == "right"


def test_the_slide_predicts_61_nats_for_gpt4() -> None:
    claim = found("slide-gpt4-loss")
    assert claim.recomputed == pytest.approx(1.85 + 450 / 1.8e12**0.08 + 180 / 1.3e13**0.09, rel=1e-12)
    assert claim.shown == "60.81 nats"
    assert "47.1 for the size and 11.9 for the data" in claim.reason


def test_a_loss_of_one_is_impossible_above_a_floor_of_1_85() -> None:
    claim = BY_ID["agi-loss"]
    assert found("agi-loss").recomputed is None
    assert found("agi-loss").shown == "impossible"
    assert "below 1.850" in found("agi-loss").reason
    assert verdict(replace(claim, printed="60")) == "right"
    lower = ChinchillaLaw(E=0.5, A=450.0, B=180.0, alpha=0.3, beta=0.3)
    assert verdict_of(claim, reachable(claim, lower)) == "right"


def test_five_constants_need_more_than_four_runs() -> None:
    assert found("notes-four-points").recomputed == -1.0
    assert "D/N of 10" in found("notes-four-points").reason
    law = preset("hoffmann2022").joint
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 4)))
    design = {"N": tuple(N), "D": tuple(D), "loss": tuple(law.loss(N, D))}
    assert verdict(altered("notes-four-points", **design)) == "right"


def test_a_power_law_is_not_linear_whatever_its_exponent() -> None:
    claim = BY_ID["hestness-reading"]
    assert verdict(claim) == "partly"
    assert verdict(replace(claim, printed="0.2")) == "partly"
    assert verdict(replace(claim, printed="0.5")) == "wrong"


@pytest.mark.parametrize(
    ("printed", "step"),
    [("1.93", 0.01), ("140B", 1e9), ("3.15e23", 1e21), ("20", 1.0), ("1.4T", 1e11), ("0.3", 0.1), ("1e10", 1e10)],
)
def test_a_step_of_the_last_digit(printed: str, step: float) -> None:
    assert replace(BY_ID["gpt3-flops"], printed=printed).last_digit == pytest.approx(step)


@pytest.mark.parametrize(
    ("printed", "about", "value", "right"),
    [
        ("0.71", False, 0.7047, True),
        ("0.71", False, 0.699, False),
        ("1e20", False, 9.6e17, False),
        ("6", False, 5.0, False),
        ("20", False, 20.9, True),
        ("20", False, 21.1, False),
        ("700", True, 713.0, True),
        ("700", True, 740.0, False),
        ("0", False, 0.0, True),
        ("same", False, 1.0, False),
    ],
)
def test_one_step_of_the_last_digit_or_five_per_cent(printed: str, about: bool, value: float, right: bool) -> None:
    assert agrees(replace(BY_ID["gpt3-flops"], printed=printed, about=about), value) is right


def test_parts_make_right_partly_and_wrong() -> None:
    claim = BY_ID["gpt3-flops"]
    verdicts = [
        verdict_of(claim, Finding(value=None, shown="", reason="", parts=parts))
        for parts in ((True, True), (True, False), (False, False))
    ]
    assert verdicts == ["right", "partly", "wrong"]


def test_either_count_of_parameters_may_be_meant() -> None:
    for printed, expected in (("786K", "right"), ("7.35M", "right"), ("2.5M", "wrong")):
        assert verdict(replace(BY_ID["small-params-4x128"], printed=printed)) == expected


def test_a_number_that_is_not_there_is_named() -> None:
    with pytest.raises(ScalingError, match="no number price for gpt3-flops"):
        BY_ID["gpt3-flops"].x("price")
    with pytest.raises(ScalingError, match="gives 2 numbers N for same-compute"):
        BY_ID["same-compute"].x("N")


def test_a_selection_holds_what_was_asked() -> None:
    assert len(select()) == 58
    assert {claim.verdict for claim in select(verdict="wrong")} == {"wrong"}
    assert len(select(verdict="wrong", source="notes")) == 8
    with pytest.raises(InputError, match="verdict: got 'false', but it must be one of wrong, partly, right, measure"):
        select(verdict="false")
    with pytest.raises(InputError, match="source: got 'blog'"):
        select(source="blog")


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["talk", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    keys = ["id", "source", "topic", "claim", "printed", "unit", "recomputed", "verdict", "reason"]
    assert [list(row) for row in rows] == [keys] * 58
    by_id = {row["id"]: row for row in rows}
    assert by_id["tokens-7b"]["printed"] == 140e9
    assert by_id["same-compute"]["printed"] == "same"
    assert by_id["kaplan-sum-form"]["printed"] is None
    assert by_id["hoffmann-rule"]["printed"] == "C"
    assert by_id["notes-gpt3-gain"]["recomputed"] == pytest.approx([1.886, 1.869], abs=5e-4)
    assert by_id["agi-loss"]["recomputed"] is None


def test_the_command_filters_and_says_what_it_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["talk", "--verdict", "wrong", "--source", "readme"]) == 0
    out = capsys.readouterr().out
    assert out.count("readme-10x") == 3
    assert "3 of 58 claims shown; of all 35 wrong, 1 partly right, 20 right, 2 to be measured." in out
    assert main(["talk", "--verdict", "rwong"]) == 2
    assert "verdict: got 'rwong'" in capsys.readouterr().err
