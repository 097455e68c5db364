"""The page "Plan a training": every side, device and field answers or says in one sentence why not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import model, preset
from scaling_core.flops import training_flops
from scaling_core.hardware import DAY, device, devices
from scaling_core.lab.options import parse_sizes
from scaling_core.lab.records import Calibration, SpeedPoint
from scaling_core.lab.spec import Shape
from scaling_core.language import Language
from scaling_core.planning import TrainingBudget, budgeted, machine
from scaling_core.planning.architecture import architecture_for
from scaling_core.planning.compare import compare, parse_configurations
from scaling_core.planning.trust import trust
from scaling_core.runs.calibrations import save_calibration
from scaling_core.story import PARTS
from scaling_core.ui.language import KEY
from scaling_core.ui.plan_hardware import achieved_here
from scaling_core.ui.plan_trust import asked_laws, matrix, shade
from scaling_core.ui.plan_words import energy, hours, speed, usd
from scaling_core.units import format_duration, format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.theme import contrast, dark, light, readable_on
from tests.page_helpers import blocks, field_errors, knob, law_choice, words

HOFFMANN = preset("hoffmann2022")
GIVEN = {"days": 30.0, "usd": 1e4, "C": 1e21, "loss": 2.4, "N": 7e9, "D": 1e11}
PEAKED = [one.id for one in devices() if one.peaks]


@pytest.fixture
def page(project: Path, lab_home: Path) -> AppTest:
    """The page as a visitor first sees it, on a machine that the lab has not measured."""
    return opened(project)


def opened(project: Path, language: Language = "en", **state: object) -> AppTest:
    app = AppTest.from_file(str(project / "pages" / "plan.py"), default_timeout=60)
    app.session_state[KEY] = language
    for key, value in state.items():
        app.session_state[key.replace("_", ".", 1)] = value
    app.run()
    whole(app)
    return app


def whole(app: AppTest) -> None:
    """No traceback, and no error in place of a page."""
    assert not app.exception
    assert not app.error


def headline(app: AppTest) -> str:
    """The answer."""
    return next(block for block in blocks(app) if "sl-sentence" in block).split("sl-sentence'>")[1].split("</h1>")[0]


def choose(app: AppTest, key: str, value: str) -> AppTest:
    app.selectbox(key=key).set_value(value).run()
    whole(app)
    return app


def rows(app: AppTest, n: int) -> list[list[str]]:
    """The cells of the table number n that holds body rows."""
    tables = [block for block in blocks(app) if "<tbody>" in block]
    body = tables[n].split("<tbody>")[1]
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall(r"<tr.*?</tr>", body)]


def table(app: AppTest, first: str) -> list[list[str]]:
    """The table whose first cell is this."""
    count = len([block for block in blocks(app) if "<tbody>" in block])
    return next(found for n in range(count) if (found := rows(app, n)) and found[0][0] == first)


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
    for heading in ("What can I train?", "What would GPT-3 take?", "A plan to copy", "Compare configurations",
                    "Which law should I trust here?"):  # fmt: skip
        assert heading in text
    assert len(page.get("vega_lite_chart")) == 1
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


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("id", PEAKED)
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


def measured(home: Path) -> Calibration:
    made = Calibration(
        device="cpu", device_name="some machine", torch_version="2", cores=2, memory_bytes=24_000_000_000,
        startup_seconds=3.0, made_at=0.0,
        speeds=(
            SpeedPoint(shape=Shape(n_layer=4, d_model=128, n_head=4), batch_tokens=4096, tokens_per_second=22_000.0,
                       memory_bytes=500_000_000),
            SpeedPoint(shape=Shape(n_layer=6, d_model=192, n_head=6), batch_tokens=4096, tokens_per_second=9_000.0,
                       memory_bytes=900_000_000),
        ),
    )  # fmt: skip
    save_calibration(home, "auto", made)
    return made


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
    shown = rows(page, len([b for b in blocks(page) if "<tbody>" in b]) - 1)
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
}


@pytest.mark.parametrize("key", FIELDS)
@pytest.mark.parametrize("text", ["nan", "-1", "<b>7</b>", "1e400", "0"])
def test_bad_numbers_get_one_sentence_and_keep_the_last_good_value(page: AppTest, key: str, text: str) -> None:
    given, field = FIELDS[key]
    choose(page, "plan.given", given)
    before = headline(page)
    page.text_input(key=key).set_value(text).run()
    whole(page)
    assert len(field_errors(page)) == 1
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


@pytest.mark.parametrize("id", ["besiroglu2024", "kaplan2020-joint", "gadre2024-c4", "talk-slides", "study-notes"])
@pytest.mark.parametrize("language", ["en", "zh"])
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
