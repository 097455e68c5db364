"""The parts of the page "Plan a training" below its answer: the plan to copy, transfer, experts, comparison, trust."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import preset
from scaling_core.hardware import device
from scaling_core.lab.options import parse_sizes
from scaling_core.planning import TrainingBudget, budgeted, machine
from scaling_core.planning.architecture import architecture_for
from scaling_core.planning.compare import compare, parse_configurations
from scaling_core.planning.experts import COUNTS, best_mixture
from scaling_core.planning.transfer import continued, staged, transferred
from scaling_core.planning.trust import trust
from scaling_core.ui.plan_more import experts_told
from scaling_core.ui.plan_stages import stages_told
from scaling_core.ui.plan_trust import asked_laws, matrix, shade
from scaling_core.ui.plan_words import usd
from scaling_core.ui.words import percent
from scaling_core.units import format_loss, format_quantity, parse_quantity
from scaling_core.viz.theme import contrast, dark, light, readable_on
from tests.page_helpers import blocks, law_choice, words
from tests.plan_helpers import choose, measured, opened, rows, table, whole

HOFFMANN = preset("hoffmann2022")


@pytest.fixture
def page(project: Path, lab_home: Path) -> AppTest:
    """The page as a visitor first sees it, on a machine that the lab has not measured."""
    return opened(project)


@pytest.mark.parametrize("style", ["gpt2", "llama"])
def test_the_plan_to_copy_has_the_exact_count(page: AppTest, style: str) -> None:
    choose(page, "plan.style", style)
    vocab, context = (50_257, 1024) if style == "gpt2" else (32_000, 4096)
    plan = budgeted(HOFFMANN, TrainingBudget(days=30.0), machine(device("a100-80gb"), mfu=0.4))
    made = architecture_for(plan.N, style="llama" if style == "llama" else "gpt2", vocab_size=vocab, context=context)
    assert f"{made.count.total:,}" in words(page)
    assert made.sentence() in words(page)
    code = " ".join(str(block.value) for block in page.code)
    assert (f"n_layer = {made.n_layer}" in code) == (style == "gpt2")
    if style == "llama":
        assert "nanoGPT trains GPT-2 style models only" in words(page)


def test_a_small_plan_opens_in_the_lab(project: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in test_learn: a button pressed between the two first runs of a fresh server would be forgotten."""
    measured(lab_home)
    monkeypatch.setattr("scaling_core.ui.page._through_the_main_script", lambda: None)
    app = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page("pages/plan.py").run()
    choose(app, "plan.given", "N")
    app.text_input(key="plan.N").set_value("1M").run()
    whole(app)
    command = next(str(block.value) for block in app.code if "lab start" in str(block.value))
    app.button(key="plan.open").click().run()
    assert not app.exception
    sizes = app.text_input(key="lab.own.sizes").value
    assert sizes is not None
    assert f"--sizes {sizes.replace(' ', '')}" in command
    assert f"--horizons {str(app.text_input(key='lab.own.horizons').value).replace(' ', '')}" in command
    assert app.selectbox(key="lab.device").value == "cpu"
    assert app.query_params["sweep"] in ("new", ["new"])
    shapes, _ = parse_sizes(sizes)
    assert shapes is not None
    assert len(shapes) >= 3


def test_a_large_plan_says_why_the_lab_cannot(page: AppTest) -> None:
    assert "The lab trains models of up to" in words(page)
    assert "plan.open" not in [button.key for button in page.button]


def test_continuing_is_the_planner_s_in_tokens(page: AppTest) -> None:
    worth = transferred(5e7, 3e8)
    here = continued(HOFFMANN, N=5e7, D=1e8, D_pretrain=4e10)
    text = words(page)
    assert (
        f"Continue: by the transfer that was measured, pre-training is worth {format_quantity(worth.D_T / 3)} more "
        "tokens to 50M parameters with 100M of their own, not the 40B that the talk counts." in text
    )
    measured = float(HOFFMANN.joint.loss(5e7, worth.D_E / 3))
    for loss in (here.scratch, measured, here.talk):
        assert format_loss(loss) in text
    assert f"compute saved {percent(worth.share)} read once" in text
    assert "loss by the talk's rule 3.079 the talk's own, the most possible" in text
    assert "arXiv 2102.01293" in text
    plan = budgeted(HOFFMANN, TrainingBudget(days=30.0), machine(device("a100-80gb"), mfu=0.4))
    assert stages_told(staged(HOFFMANN, C=plan.C, added=plan.C), 1.0) in text
    page.text_input(key="plan.stages.times").set_value("9").run()
    assert stages_told(staged(HOFFMANN, C=plan.C, added=9 * plan.C), 9.0) in words(page)
    choose(page, "plan.before", "mixed")
    assert format_quantity(transferred(5e7, 3e8, "mixed").D_T / 3) in words(page)


def test_what_lies_outside_and_what_does_not_help_is_said(page: AppTest) -> None:
    page.text_input(key="plan.transfer.own").set_value("1B").run()
    assert "That lies 10 times outside what was measured." in words(page)
    assert "measured, 10 times outside" in words(page)
    page.text_input(key="plan.transfer.N").set_value("1M").run()
    assert "Start over: models of 1M parameters with more than 100M characters" in words(page)
    page.text_input(key="plan.transfer.N").set_value("50M").run()
    page.text_input(key="plan.transfer.own").set_value("100M").run()
    page.text_input(key="plan.transfer.before").set_value("10M").run()
    whole(page)
    assert "Continue, but count at most the 10M tokens there were" in words(page)
    assert "measured, 800 times outside" in words(page)


def test_experts_are_the_planner_s(page: AppTest) -> None:
    plan = budgeted(HOFFMANN, TrainingBudget(days=30.0), machine(device("a100-80gb"), mfu=0.4))
    every = {n: best_mixture(n, plan.C) for n in COUNTS}
    assert experts_told(every[8], every[1]).replace("\xa0", " ") in words(page)
    choose(page, "plan.experts", "32")
    assert experts_told(every[32], every[1]).replace("\xa0", " ") in words(page)
    assert "arXiv 2502.05172" in words(page)
    shown = table(page, "1")
    assert [row[0] for row in shown] == [str(n) for n in COUNTS]
    for row, one in zip(shown, every.values(), strict=True):
        assert row[1:5] == [*(format_quantity(x) for x in (one.active, one.total, one.D)), format_loss(one.loss)]
        assert row[8] == one.solidity.told()


@pytest.mark.parametrize("state", [{"plan_before": "speech"}, {"plan_experts": "3"}, {"plan_experts": "-8"}])
def test_a_choice_that_is_none_counts_as_the_first(project: Path, lab_home: Path, state: dict[str, object]) -> None:
    app = opened(project, "en", **state)
    assert "With 8 experts" in words(app)
    assert "pre-training is worth 179M more" in words(app)


def test_a_known_model_is_added_once_and_its_box_is_empty_again(page: AppTest) -> None:
    def field() -> str:
        return str(page.text_area(key="plan.configurations").value)

    begun = field()
    page.selectbox(key="plan.add").set_value("gopher").run()
    whole(page)
    assert field().startswith(begun)
    name, N, D = (part.strip() for part in field().splitlines()[-1].split(","))
    assert (name, parse_quantity(N, field="N"), parse_quantity(D, field="D")) == ("Gopher", 280e9, 300e9)
    assert page.selectbox(key="plan.add").value is None
    grown = field()
    page.selectbox(key="plan.add").set_value("gopher").run()
    page.selectbox(key="plan.add").set_value("gpt3").run()
    assert field() == grown


def test_configurations_are_those_of_the_planner(page: AppTest) -> None:
    text = "a, 7B, 2T\nb, 70B, 1.4T"
    law_choice(page).set_value("besiroglu2024").run()
    page.text_area(key="plan.configurations").set_value(text).run()
    whole(page)
    found = compare(preset("besiroglu2024"), parse_configurations(text), machine(device("a100-80gb"), mfu=0.4))
    best = found.ranked()[0]
    shown = table(page, best.configuration.name)
    assert [row[0] for row in shown] == [row.configuration.name for row in found.ranked()]
    assert best.loss_interval is not None
    assert shown[0][5] == (
        f"{format_loss(best.loss)} ({format_loss(best.loss_interval.low)} to {format_loss(best.loss_interval.high)})"
    )
    assert "the law tells them apart" in words(page)


def test_the_plan_follows_in_the_untouched_field_and_not_in_a_changed_one(page: AppTest) -> None:
    def field() -> str:
        return str(page.text_area(key="plan.configurations").value)

    assert field().splitlines()[:3] == ["GPT-3, 175B, 300B", "Chinchilla, 70B, 1.4T", "Llama 3 8B, 8B, 15T"]
    before = field()
    page.text_input(key="plan.days").set_value("60").run()
    assert field() != before
    page.text_area(key="plan.configurations").set_value("mine, 1B, 20B").run()
    page.text_input(key="plan.days").set_value("90").run()
    assert field() == "mine, 1B, 20B"
    whole(page)


def test_every_law_is_asked_and_the_matrix_is_the_planner_s(page: AppTest) -> None:
    plan = budgeted(HOFFMANN, TrainingBudget(days=30.0), machine(device("a100-80gb"), mfu=0.4))
    found = trust(asked_laws(), N=plan.N, D=plan.D, machine=machine(device("a100-80gb"), mfu=0.4))
    ids = [one.preset.id for one in found.answers]
    assert "talk-slides" not in ids
    assert "study-notes" not in ids
    assert "besiroglu2024-exact" not in ids
    text = words(page)
    for one in found.answers:
        assert one.optimum is not None
        assert format_quantity(one.optimum.N) in text
    tables = [block for block in blocks(page) if "<tbody>" in block]
    shown = rows(page, next(k for k, block in enumerate(tables) if "sl-matrix" in block))
    for row, cells in zip(found.matrix, shown, strict=True):
        for cell, said in zip(row, cells[1:], strict=True):
            assert cell is not None
            wanted = "0" if cell.under == cell.following else f"+{cell.excess_loss:.3f}"
            assert said == (wanted if cell.excess_loss >= 0.0005 or wanted == "0" else "under 0.001")
    worst = max((cell for row in found.matrix for cell in row if cell), key=lambda cell: cell.excess_loss)
    assert f"{usd(worst.extra_usd)} USD on this hardware" in text


def test_every_cell_of_the_matrix_can_be_read() -> None:
    found = trust(asked_laws(), C=1e21)
    for theme in (light(), dark()):
        assert "style='background:" in matrix(found, theme)
        for k in range(101):
            fill = shade(k / 100, 1.0, theme)
            assert contrast(readable_on(fill, theme), fill) >= 4.5
        assert shade(0.0, 1.0, theme) == theme.sequential[0]
        assert shade(1.0, 1.0, theme) == theme.sequential[9]
