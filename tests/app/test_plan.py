"""The page "Plan a training": every side, device and field answers or says in one sentence why not."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import model, preset
from scaling_core.flops import training_flops
from scaling_core.hardware import DAY, device, devices
from scaling_core.language import LANGUAGES, Language
from scaling_core.planning import TrainingBudget, budgeted, machine
from scaling_core.story import PARTS
from scaling_core.ui.plan_hardware import achieved_here
from scaling_core.ui.plan_words import energy, hours, speed, usd
from scaling_core.units import format_duration, format_loss, format_quantity
from scaling_core.viz.axes import scientific
from tests.page_helpers import field_errors, knob, law_choice, still_charts, words
from tests.plan_helpers import choose, headline, measured, opened, table, whole

HOFFMANN = preset("hoffmann2022")
GIVEN = {"days": 30.0, "usd": 1e4, "C": 1e21, "loss": 2.4, "N": 7e9, "D": 1e11}
PEAKED = [one.id for one in devices() if one.peaks]


@pytest.fixture
def page(project: Path, lab_home: Path) -> AppTest:
    """The page as a visitor first sees it, on a machine that the lab has not measured."""
    return opened(project)


def test_it_reads_as_an_answer_untouched(page: AppTest) -> None:
    plan = budgeted(HOFFMANN, TrainingBudget(days=30.0), machine(device("a100-80gb"), mfu=0.4))
    assert headline(page) == (
        f"One NVIDIA A100 SXM 80 GB for 30 days at 40%: {format_quantity(plan.N)} parameters on "
        f"{format_quantity(plan.D)} tokens, a loss of {format_loss(plan.loss)}."
    )
    text = words(page)
    assert scientific(plan.C) in text
    assert plan.C == pytest.approx(312e12 * 0.4 * 30 * DAY)
    for value in (hours(plan.device_hours), energy(plan.joules), usd(plan.usd)):
        assert value in text
    assert "2.79 an hour, 2026-09-20" in text
    assert "Its peak is 312 TFLOP/s in BF16; 40% of it is achieved, 125 TFLOP/s." in text
    assert "Llama 3 405B, 16,384 GPUs" in text, "published utilizations"
    for heading in ("What can I train?", "What would GPT-3 take?", "A plan to copy", "Continue training or start over?",
                    "Train in stages?", "What do experts buy?", "Compare configurations",
                    "Which law should I trust here?", "What would the usual mistakes cost?",
                    "Before you press start"):  # fmt: skip
        assert heading in text
    assert len(still_charts(page)) == 2
    assert field_errors(page) == []


@pytest.mark.parametrize("given", GIVEN)
def test_every_side_leads_to_the_planner_s_answer(page: AppTest, given: str) -> None:
    choose(page, "plan.given", given)
    assert field_errors(page) == []
    plan = budgeted(HOFFMANN, TrainingBudget(**{given: GIVEN[given]}), machine(device("a100-80gb"), mfu=0.4))
    said = headline(page)
    assert format_quantity(plan.N) in said
    assert format_quantity(plan.D) in said
    assert format_loss(plan.loss) in said
    assert format_duration(plan.seconds or 0.0) in said
    assert usd(plan.usd) in words(page)


@pytest.mark.parametrize(("id", "language"), list(zip(PEAKED, cycle(LANGUAGES), strict=False)))
def test_every_device_is_planned_for(project: Path, lab_home: Path, id: str, language: Language) -> None:
    app = opened(project, language, plan_hardware=id)
    here = device(id)
    plan = budgeted(HOFFMANN, TrainingBudget(days=30.0), machine(here, mfu=0.4))
    assert here.name in headline(app)
    assert format_loss(plan.loss) in headline(app)
    assert field_errors(app) == []
    assert speed(here.peak()) in words(app)
    if here.price is None:
        assert plan.usd is None
        assert app.text_input(key=f"plan.price.{id}").placeholder == ("none listed" if language == "en" else "未列出")
    choose(app, "plan.given", "usd")
    assert len(field_errors(app)) == (1 if here.price is None else 0), "money needs a price"


def test_a_price_of_one_s_own_counts_for_its_hardware_alone(page: AppTest) -> None:
    page.text_input(key="plan.price.a100-80gb").set_value("1.5").run()
    whole(page)
    assert "1.50 an hour, yours" in words(page)
    assert "1,080" in words(page)
    choose(page, "plan.hardware", "h100-sxm")
    assert "3.99 an hour, 2026-09-20" in words(page)
    choose(page, "plan.hardware", "a100-80gb")
    assert "1.50 an hour, yours" in words(page)
    page.text_input(key="plan.price.a100-80gb").set_value("").run()
    assert "2.79 an hour, 2026-09-20" in words(page)


def test_several_devices_and_another_utilization(page: AppTest) -> None:
    page.text_input(key="plan.count").set_value("1,024").run()
    page.slider(key="plan.mfu").set_value(50).run()
    whole(page)
    plan = budgeted(HOFFMANN, TrainingBudget(days=30.0), machine(device("a100-80gb"), count=1024, mfu=0.5))
    assert headline(page).startswith("1,024 × NVIDIA A100 SXM 80 GB for 30 days at 50%: ")
    assert format_quantity(plan.N) in headline(page)
    assert "50% of it is achieved, 160 PFLOP/s together." in words(page)
    assert "ZeRO 3: and weights" in words(page)


def test_a_speed_of_one_s_own_is_a_peak(page: AppTest) -> None:
    choose(page, "plan.hardware", "own")
    page.text_input(key="plan.own").set_value("1000").run()
    whole(page)
    assert "Its peak, as you gave it, is 1 PFLOP/s; 40% of it is achieved, 400 TFLOP/s." in words(page)
    assert scientific(1e15 * 0.4 * 30 * DAY) in words(page)


def test_a_measured_machine_is_achieved_speed_and_takes_no_utilization(project: Path, lab_home: Path) -> None:
    made = measured(lab_home)
    shape = made.speeds[1].shape.parameters(vocab_size=256, context=128)
    assert achieved_here(made) == training_flops(shape.with_head, 9_000.0)
    app = opened(project, plan_hardware="measured")
    assert headline(app).startswith("This machine (some machine) for 30 days at its measured speed: ")
    before = headline(app)
    assert scientific(achieved_here(made) * 30 * DAY) in words(app)
    app.slider(key="plan.mfu").set_value(7).run()
    app.text_input(key="plan.count").set_value("8").run()
    whole(app)
    assert headline(app) == before
    assert "an achieved speed, not a peak" in words(app)


def test_without_a_measurement_this_machine_is_not_offered(page: AppTest) -> None:
    assert "This machine, as measured" not in page.selectbox(key="plan.hardware").options


def test_the_talk_s_numbers_come_out_at_full_utilization(page: AppTest) -> None:
    page.slider(key="plan.mfu").set_value(100).run()
    whole(page)
    text = words(page)
    assert "With 14 TFLOP/s the MacBook takes 713 years at 100%." in text
    found = table(page, "One MacBook M3 Max (40-core GPU)")
    assert [row[3] for row in found] == [
        format_duration(training_flops(175e9, 300e9) / (device(id).peak() * n))
        for id, n in (("macbook-m3-max", 1), ("rtx4090", 1), ("a100-80gb", 1), ("h100-sxm", 1), ("a100-80gb", 8),
                      ("a100-80gb", 1024))
    ]  # fmt: skip
    assert found[-1][3] == "11.4 days"
    assert found[-1][4] == hours(3.15e23 / 312e12 / 3600) == "280,449"


def test_another_model_and_the_plan_itself_can_be_looked_up(page: AppTest) -> None:
    choose(page, "plan.model", "chinchilla")
    one = model("chinchilla")
    assert "What would Chinchilla take?" in words(page)
    assert scientific(training_flops(one.N, one.tokens)) in words(page)
    assert "The talk takes" not in words(page)
    choose(page, "plan.model", "plan")
    assert "What would the plan above take?" in words(page)
    assert table(page, "One MacBook M3 Max (40-core GPU)")[2][3] == "30 days"
    choose(page, "plan.hardware", "b200")
    assert len(table(page, "One MacBook M3 Max (40-core GPU)")) == 7


FIELDS = {
    "plan.days": ("days", "Days"),
    "plan.usd": ("usd", "money"),
    "plan.C": ("C", "compute"),
    "plan.loss": ("loss", "Nats per token"),
    "plan.N": ("N", "parameters"),
    "plan.D": ("D", "tokens"),
    "plan.count": ("days", "Devices"),
    "plan.price.a100-80gb": ("days", "price"),
    "plan.vocab.gpt2": ("days", "Vocabulary"),
    "plan.context.gpt2": ("days", "Context, tokens"),
    "plan.transfer.N": ("days", "parameters"),
    "plan.transfer.before": ("days", "tokens"),
    "plan.transfer.own": ("days", "tokens"),
    "plan.transfer.letters": ("days", "Characters per token"),
    "plan.stages.times": ("days", "Later compute, ×"),
}


@pytest.mark.parametrize("key", FIELDS)
def test_bad_numbers_get_one_sentence_and_keep_the_last_good_value(page: AppTest, key: str) -> None:
    given, field = FIELDS[key]
    choose(page, "plan.given", given)
    before = headline(page)
    for text in ("nan", "-1", "<b>7</b>", "1e400", "0"):
        page.text_input(key=key).set_value(text).run()
        whole(page)
        assert len(field_errors(page)) == 1, text
        assert field_errors(page)[0].startswith(f"{field}: got ")
        assert headline(page) == before


@pytest.mark.parametrize(
    "text", ["", "\n\n", "one", "a, b, c", "a, 7B, 1T\na, 8B, 1T", "x, 0, 1", "<b>, 1e400, 2", "a,1,2\n" * 13]
)
def test_bad_configurations_get_one_sentence(page: AppTest, text: str) -> None:
    page.text_area(key="plan.configurations").set_value(text).run()
    whole(page)
    assert len(field_errors(page)) == 1
    assert "Which law should I trust here?" in words(page)


@pytest.mark.parametrize(("given", "text"), [("loss", "1.5"), ("loss", "0.001"), ("N", "1e18"), ("C", "1e12")])
def test_what_the_law_cannot_answer_or_nobody_can_pay_is_said(page: AppTest, given: str, text: str) -> None:
    choose(page, "plan.given", given)
    page.text_input(key=f"plan.{given}").set_value(text).run()
    whole(page)
    if given == "loss":
        assert len(field_errors(page)) == 1
        assert "impossible" in field_errors(page)[0]
        assert "Shown instead: thirty days on this hardware." in field_errors(page)[0]
        assert headline(page).startswith("One NVIDIA A100 SXM 80 GB for 30 days")
    else:
        assert len(field_errors(page)) <= 1


@pytest.mark.parametrize("state", [{"plan_mfu": "nonsense"}, {"plan_mfu": 1e300}, {"plan_mfu": float("nan")}])
def test_whatever_a_link_says_of_the_utilization_is_checked(
    project: Path, lab_home: Path, state: dict[str, object]
) -> None:
    app = opened(project, "en", **state)
    assert int(str(app.slider(key="plan.mfu").value)) in range(1, 101)


@pytest.mark.parametrize("state", [{"plan_hardware": "measured"}, {"plan_hardware": "abacus"}, {"plan_model": "none"}])
def test_what_a_link_names_and_is_not_here_gives_way(project: Path, lab_home: Path, state: dict[str, object]) -> None:
    app = opened(project, "en", **state)
    assert headline(app).startswith("One NVIDIA A100 SXM 80 GB for 30 days")
    assert "What would GPT-3 take?" in words(app)
    assert len(field_errors(app)) == ("plan_hardware" in state)


LAWS = ("besiroglu2024", "kaplan2020-joint", "gadre2024-c4", "talk-slides", "study-notes")


@pytest.mark.parametrize(("id", "language"), list(zip(LAWS, cycle(LANGUAGES), strict=False)))
def test_every_law_plans(project: Path, lab_home: Path, id: str, language: Language) -> None:
    app = opened(project, language)
    law_choice(app).set_value(id).run()
    whole(app)
    plan = budgeted(preset(id), TrainingBudget(days=30.0), machine(device("a100-80gb"), mfu=0.4))
    assert format_loss(plan.loss) in headline(app)
    assert format_quantity(plan.N) in headline(app)


def test_constants_without_an_optimum_leave_the_page_under_control(page: AppTest) -> None:
    for key, text in (("A", "1e9"), ("B", "1e-6"), ("alpha", "0.005"), ("beta", "3")):
        knob(page, key).set(text)
        whole(page)
    assert headline(page) == "This law has no answer: it has no best model for that."
    assert len(field_errors(page)) == 1
    text = words(page)
    assert "What would GPT-3 take?" in text
    assert "Compare configurations" in text
    assert "A plan to copy" not in text
    assert "Before you press start" not in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_sentence_is_in_the_reader_s_language(project: Path, lab_home: Path, language: Language) -> None:
    app = opened(project, language)
    told = words(app)
    assert ("What can I train?" in told) == (language == "en")
    assert ("Compare configurations" in told) == (language == "en")


def test_scenes_know_every_price_field() -> None:
    known = {one.name for one in PARTS["plan"]}
    assert {f"plan.price.{id}" for id in (*PEAKED, "own", "measured")} <= known


def test_an_unlisted_price_leaves_a_dash(project: Path, lab_home: Path) -> None:
    listed = machine(device("a100-80gb"), mfu=0.4)
    assert usd(replace(listed, price=None).usd(1e21)) == "–"
    app = opened(project, plan_hardware="tpu-v4")
    assert "no price is listed" in words(app)
    assert json.dumps("–", ensure_ascii=False).strip('"') in words(app)
