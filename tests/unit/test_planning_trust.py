"""Laws beside each other: what following one costs where another holds, against brute force and against itself."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.catalog import Preset, preset, presets
from scaling_core.errors import InputError
from scaling_core.hardware import device
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import judge, optimal_for_compute
from scaling_core.planning import Machine, machine
from scaling_core.planning.trust import Trust, trust

SERIOUS = tuple(p for p in presets() if p.warning is None)
BUDGETS = [1e19, 5.76e23, 1e27]
RENTED = machine(device("a100-80gb"), count=8, mfu=0.4)


@pytest.fixture(scope="module", params=BUDGETS)
def asked(request: pytest.FixtureRequest) -> Trust:
    """Every serious law on one budget."""
    return trust(SERIOUS, C=request.param, machine=RENTED)


def test_every_published_law_answers() -> None:
    all_of_them = trust(presets(), N=70e9, D=1.4e12)
    assert [answer.preset.id for answer in all_of_them.answers] == [p.id for p in presets()]
    assert all_of_them.C == 6 * 70e9 * 1.4e12
    assert (all_of_them.N, all_of_them.D) == (70e9, 1.4e12)
    for answer, row in zip(all_of_them.answers, all_of_them.matrix, strict=True):
        law = answer.preset.joint
        assert answer.loss is not None
        assert answer.loss == pytest.approx(float(law.loss(70e9, 1.4e12)), rel=1e-12)
        assert answer.optimum is not None
        assert answer.optimum.loss <= answer.loss * (1 + 1e-12)
        assert answer.chosen is not None
        assert answer.chosen.stated == (answer.preset.warning is None)
        assert len(row) == len(all_of_them.answers)
        assert (answer.loss_interval is not None) == (answer.preset.replicates is not None)
        assert (answer.N_interval is not None) == (answer.preset.replicates is not None)


def test_a_compute_alone_chooses_no_model(asked: Trust) -> None:
    assert asked.N is asked.D is None
    for answer in asked.answers:
        assert (answer.loss, answer.loss_interval, answer.chosen) == (None, None, None)
        assert answer.optimum == optimal_for_compute(answer.preset.joint, asked.C)
        assert answer.best is not None
        assert answer.best.factors == answer.preset.range_factors(N=answer.optimum.N, D=answer.optimum.D)
        assert answer.problem == ""


def test_following_the_law_that_holds_costs_nothing(asked: Trust) -> None:
    for k, answer in enumerate(asked.answers):
        cell = asked.matrix[k][k]
        assert cell is not None
        assert answer.optimum is not None
        assert (cell.excess_loss, cell.wasted, cell.wasted_share, cell.extra_compute, cell.extra_usd) == (0.0,) * 5
        assert cell.loss == pytest.approx(answer.optimum.loss, rel=1e-12)


def test_following_another_law_costs_what_its_loss_says(asked: Trust) -> None:
    for i, here in enumerate(asked.answers):
        law = here.preset.joint
        for j, there in enumerate(asked.answers):
            cell = asked.matrix[i][j]
            assert cell is not None
            assert here.optimum is not None
            assert there.optimum is not None
            assert (cell.under, cell.following) == (here.preset.id, there.preset.id)
            assert asked.cell(under=cell.under, following=cell.following) is cell
            loss = float(law.loss(there.optimum.N, there.optimum.D))
            assert cell.loss == pytest.approx(loss, rel=1e-12)
            if i != j:
                assert cell.excess_loss == pytest.approx(max(0.0, loss - here.optimum.loss), abs=1e-12)
                assert cell.wasted == judge(law, there.optimum.N, there.optimum.D).compute_left
            assert 0.0 <= cell.wasted_share < 1.0


def test_the_extra_compute_makes_the_excess_good(asked: Trust) -> None:
    """Trained with it along the other law's allocations, the model has the loss of the law's own optimum."""
    for i, here in enumerate(asked.answers):
        law = here.preset.joint
        for j, there in enumerate(asked.answers):
            cell = asked.matrix[i][j]
            assert cell is not None
            assert cell.extra_compute is not None
            assert here.optimum is not None
            model = optimal_for_compute(there.preset.joint, asked.C + cell.extra_compute)
            reached = float(law.loss(model.N, model.D))
            room = here.optimum.loss - law.floor
            assert reached == pytest.approx(here.optimum.loss, abs=1e-9 * room), (cell.under, cell.following)
            if i != j:
                assert cell.extra_compute > 0 or cell.excess_loss < 1e-9
                assert cell.extra_compute >= cell.wasted * (1 - 1e-6) or cell.extra_compute > 0
            extra = cell.extra_compute
            assert cell.extra_usd == pytest.approx(RENTED.usd(extra) if extra > 0 else 0.0)


def test_the_extra_compute_against_a_search_that_knows_nothing() -> None:
    asked = trust((preset("hoffmann2022"), preset("kaplan2020-joint")), C=1e22)
    cell = asked.cell(under="hoffmann2022", following="kaplan2020-joint")
    assert cell is not None
    assert cell.extra_compute is not None
    law, other = preset("hoffmann2022").joint, preset("kaplan2020-joint").joint
    grid = 1e22 * np.exp(np.linspace(0.0, 5.0, 20_001))
    losses = [float(law.loss(best.N, best.D)) for best in (optimal_for_compute(other, C) for C in grid[::20])]
    aim = optimal_for_compute(law, 1e22).loss
    needed = float(grid[::20][next(k for k, loss in enumerate(losses) if loss <= aim)])
    assert 1e22 + cell.extra_compute == pytest.approx(needed, rel=0.006)


def test_money_needs_a_price() -> None:
    unpriced = Machine(name="own", peak=1e15, mfu=0.5)
    for rented, none in ((None, True), (unpriced, True), (RENTED, False)):
        matrix = trust(SERIOUS[:5], C=1e22, machine=rented).matrix
        for row in matrix:
            for cell in row:
                assert cell is not None
                assert (cell.extra_usd is None) == none


def test_a_law_without_an_optimum_keeps_its_row_and_says_why() -> None:
    laws = (preset("besiroglu2024"), preset("talk-slides"))
    asked = trust(laws, C=1e5)
    sound, broken = asked.answers
    assert sound.optimum is not None
    assert broken.optimum is None
    assert "less than one parameter or token" in broken.problem
    assert broken.best is None
    assert asked.matrix[0][0] is not None
    assert asked.matrix[0][1] is asked.matrix[1][0] is asked.matrix[1][1] is None


def test_an_advice_that_no_compute_makes_good_is_none() -> None:
    whole = preset("hoffmann2022")
    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    lopsided = ChinchillaLaw(E=1.0, A=100.0, B=1.0, alpha=0.01, beta=1.0)  # nearly all of it goes into the size
    asked = trust((whole, Preset(**fields | {"id": "lopsided", "law": lopsided})), C=1e22, machine=RENTED)
    cell = asked.cell(under="hoffmann2022", following="lopsided")
    assert cell is not None
    assert (cell.extra_compute, cell.extra_usd) == (None, None)
    assert cell.wasted_share == pytest.approx(1.0)
    assert cell.wasted <= 1e22


@pytest.mark.parametrize(
    "question", [{}, {"N": 1e9}, {"D": 1e9}, {"N": 1e9, "D": 1e9, "C": 1e20}, {"N": 1e9, "C": 1e20}]
)
def test_half_a_question_is_refused(question: dict[str, float]) -> None:
    with pytest.raises(InputError, match="give both a size and tokens, or a compute alone"):
        trust(SERIOUS, **question)  # type: ignore[arg-type]  # wrong on purpose


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(InputError, match="compute: got nan"):
        trust(SERIOUS, C=float("nan"))
    with pytest.raises(InputError, match="params: got -1"):
        trust(SERIOUS, N=-1.0, D=1e9)
    with pytest.raises(InputError, match="it is a law in N alone"):
        trust(presets("all"), C=1e20)
    with pytest.raises(InputError, match="law: got 'mine', but it must be one of hoffmann2022"):
        trust(SERIOUS, C=1e20).cell(under="mine", following="hoffmann2022")
