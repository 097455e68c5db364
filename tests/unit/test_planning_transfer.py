"""Transfer: the numbers that Hernandez et al. 2021 print, the talk's rule as a bound, and stages against one run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_core.catalog import preset, presets
from scaling_core.errors import InputError
from scaling_core.language import speaking
from scaling_core.optimum import numeric_optimal
from scaling_core.planning.solidity import TALK, Solidity
from scaling_core.planning.transfer import (
    LAWS,
    OSSIFIED_D,
    OSSIFIED_N,
    OWN_DATA,
    PRETRAINED,
    SIZES,
    Pretraining,
    continued,
    staged,
    transferred,
)
from scaling_core.talk import claims
from scaling_core.viz.plan_more import leaves_its_range, transfer_chart
from scaling_core.viz.theme import dark, light

HOFFMANN = preset("hoffmann2022")
GPT3 = 175e9
KINDS: tuple[Pretraining, ...] = ("text", "mixed")


@pytest.mark.parametrize(("kind", "printed"), [("text", 3.7e8), ("mixed", 4.1e9)])
def test_one_character_to_gpt_3_is_worth_what_the_paper_prints(kind: Pretraining, printed: float) -> None:
    """Section 6.2, from constants of two digits."""
    assert LAWS[kind].transferred(GPT3, 1.0) == pytest.approx(printed, rel=0.05)


@pytest.mark.parametrize(("kind", "printed"), [("text", 2.8), ("mixed", 1.7)])
def test_three_hundred_characters_multiply_it_as_printed(kind: Pretraining, printed: float) -> None:
    """Section 6.2."""
    one = LAWS[kind].transferred(GPT3, 1.0)
    assert LAWS[kind].transferred(GPT3, 300.0) / one == pytest.approx(printed, abs=0.05)


def test_ten_times_the_size_is_worth_about_a_hundred_times_the_data() -> None:
    """Section 1.1, where beta is about twice alpha."""
    law = LAWS["text"]
    one = law.transferred(1e8, 1e6)
    assert law.transferred(1e9, 1e6) / one == pytest.approx(law.transferred(1e8, 1e8) / one, rel=0.1)


def test_the_example_of_the_first_figure_is_met_to_a_factor_of_three() -> None:
    """40M parameters on 3e5 characters: about 1,000 times D_F, a single point beside a global fit."""
    found = transferred(40e6, 3e5)
    assert 1 / 3 < found.D_T / found.D_F / 1000.0 < 1.0
    assert found.solidity == Solidity(kind="measured")


@pytest.mark.parametrize("kind", KINDS)
def test_effective_data_add_up_and_their_share_falls_with_own_data(kind: Pretraining) -> None:
    shares = []
    for D_F in np.geomspace(3e5, 3e8, 20).tolist():
        found = transferred(1e8, D_F, kind)
        assert found.D_E == found.D_F + found.D_T
        assert found.multiplier == pytest.approx(1.0 / (1.0 - found.share))
        assert (found.D_T > found.D_F) == (found.even > found.D_F)
        shares.append(found.share)
    assert np.all(np.diff(shares) < 0)
    even = transferred(1e8, transferred(1e8, 1e6, kind).even, kind)
    assert even.share == pytest.approx(0.5)


def test_code_before_is_worth_more_on_few_data_and_less_so_on_many() -> None:
    gains = [transferred(1e8, D, "mixed").D_T / transferred(1e8, D, "text").D_T for D in (3e5, 3e8)]
    assert gains[0] > gains[1] > 1.0


@pytest.mark.parametrize(
    ("N", "D_F", "pretrained", "factor"),
    [
        (1e8, 1e7, 1e11, 1.0),
        (SIZES.high, OWN_DATA.high, PRETRAINED.low, 1.0),
        (10 * SIZES.high, 1e7, 1e11, 10.0),
        (1e8, 3e9, 1e11, 10.0),
        (1e8, 1e5, 1e11, 3.0),
        (1e8, 1.5 * OWN_DATA.high, 1e11, 1.5),
        (1e8, 1.02 * OWN_DATA.high, 1e11, 1.02),
        (1e8, 1e7, 24e6, 1000.0),
    ],
)
def test_the_label_says_by_how_many_times_it_lies_outside(
    N: float, D_F: float, pretrained: float, factor: float
) -> None:
    found = transferred(N, D_F, pretrained=pretrained).solidity
    assert found.factor == pytest.approx(factor)
    assert (found.kind == "measured") == (factor == 1.0) == (found.told() == "measured, in range")
    assert (found.sentence() == "") == (factor == 1.0)
    if factor > 1.0:
        assert found.times() in found.told()
        with speaking("zh"):
            assert "实测" in found.told()


def test_small_models_on_much_data_of_their_own_are_told_to_start_over() -> None:
    assert transferred(OSSIFIED_N, 1.01 * OSSIFIED_D).ossified
    assert not transferred(OSSIFIED_N, OSSIFIED_D).ossified
    assert not transferred(1.01 * OSSIFIED_N, 10 * OSSIFIED_D).ossified


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_positive_number_is_refused(bad: float) -> None:
    for call in (
        lambda: transferred(bad, 1e6),
        lambda: transferred(1e6, bad),
        lambda: transferred(1e6, 1e6, pretrained=bad),
        lambda: continued(HOFFMANN, N=bad, D=1e9, D_pretrain=1e9),
        lambda: continued(HOFFMANN, N=1e9, D=bad, D_pretrain=1e9),
        lambda: continued(HOFFMANN, N=1e9, D=1e9, D_pretrain=bad),
        lambda: staged(HOFFMANN, C=bad, added=1e20),
        lambda: staged(HOFFMANN, C=1e20, added=bad),
    ):
        with pytest.raises(InputError):
            call()
    with pytest.raises(InputError):
        transferred(1e6, 1e6, "speech")  # type: ignore[arg-type]  # what a link might say


def test_the_talk_s_rule_is_its_own_claim_recomputed() -> None:
    checked = {one.id: one for one in claims()}
    found = continued(preset("talk-slides"), N=50e6, D=1e9, D_pretrain=40e9)
    assert checked["slide-finetune-a"].recomputed == pytest.approx(found.scratch)
    assert checked["slide-finetune-b"].recomputed == pytest.approx(found.talk)
    assert found.talk_solidity is TALK
    assert TALK.told() == "the talk's own"


@pytest.mark.parametrize("id", [p.id for p in presets("joint")])
def test_the_talk_s_rule_bounds_what_transfer_can_give(id: str) -> None:
    law = preset(id).joint
    found = continued(law, N=5e7, D=1e8, D_pretrain=4e10)
    worth = transferred(5e7, 3e8).D_E / 3.0
    assert found.talk < float(law.loss(5e7, worth)) < found.scratch
    assert found.gain == found.scratch - found.talk > 0


@pytest.mark.parametrize("id", ["hoffmann2022", "besiroglu2024", "kaplan2020-joint"])
@pytest.mark.parametrize("times", [0.1, 1.0, 30.0])
def test_stages_cost_the_size_chosen_too_early_and_nothing_else(id: str, times: float) -> None:
    law = preset(id).joint
    found = staged(preset(id), C=1e21, added=times * 1e21)
    assert 6 * found.first.N * found.D == pytest.approx((1 + times) * 1e21)
    assert found.loss == pytest.approx(float(law.loss(found.first.N, found.D)))
    assert found.best.loss == pytest.approx(numeric_optimal(law, (1 + times) * 1e21).loss, rel=1e-9)
    assert found.excess_loss == pytest.approx(found.loss - found.best.loss)
    assert found.first.N < found.best.N
    if times > 1.0:
        assert found.excess_loss > staged(preset(id), C=1e21, added=1e21).excess_loss


def test_the_picture_is_the_planner_s_and_dashed_beyond_the_runs() -> None:
    here = continued(HOFFMANN, N=5e7, D=1e8, D_pretrain=4e10)
    figure = transfer_chart(HOFFMANN, here, "text", 3.0, light())
    assert leaves_its_range(figure)
    law = HOFFMANN.joint
    for row in figure.data["curves"].to_dict("records"):
        D, N = row["D"], here.N
        wanted = {"scratch": D, "talk": D + 4e10, "measured": transferred(N, 3 * D).D_E / 3}[row["line"]]
        assert row["loss"] == pytest.approx(float(law.loss(N, wanted)))
    dashed = figure.data["curves"].query("part == 'beyond'")
    assert set(dashed.line) == {"measured"}
    assert dashed.D.iloc[1:].min() * 3 > OWN_DATA.high
    points = figure.data["points"].set_index("line").loss
    assert points["talk"] < points["measured"] < points["scratch"] == here.scratch
    few = continued(HOFFMANN, N=5e7, D=1e8, D_pretrain=1e6)
    drawn = transfer_chart(HOFFMANN, few, "text", 3.0, light()).data["curves"]
    assert set(drawn[drawn.line == "measured"].part) == {"beyond"}


@pytest.mark.parametrize(
    ("N", "D", "before"), [(1e3, 1e3, 1e3), (1e18, 1e20, 1e20), (1e3, 1e20, 1e3), (1e18, 1e3, 1e20)]
)
def test_the_picture_is_finite_and_valid_at_every_corner(N: float, D: float, before: float) -> None:
    for id in ("hoffmann2022", "kaplan2020-joint", "muennighoff2023", "gadre2024-c4"):
        source = preset(id)
        here = continued(source, N=N, D=D, D_pretrain=before)
        spec = transfer_chart(source, here, "mixed", 3.0, dark()).to_dict(validate=id == "hoffmann2022")
        rows = [row for frame in spec["datasets"].values() for row in frame]
        assert all(math.isfinite(v) for row in rows for v in row.values() if isinstance(v, float))
