"""The calculator page: it opens answered, follows the law, and answers bad input with a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import model, preset
from scaling_core.laws import ChinchillaLaw, Law
from scaling_core.library import save_law
from scaling_core.optimum import (
    Allocation,
    judge,
    optimal_for_compute,
    optimal_for_loss,
    optimal_for_params,
    optimal_for_tokens,
)
from scaling_core.ui.live_words import STATUSES
from scaling_core.ui.pins import as_ghost
from scaling_core.units import format_loss, format_quantity, parse_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.uncertainty import best_band
from tests.page_helpers import components, field_errors, knob, law_choice, live_kinds, still_charts, words


@pytest.fixture
def page(project: Path) -> AppTest:
    """The page as a visitor first sees it."""
    app = AppTest.from_file(str(project / "pages" / "calculator.py"), default_timeout=60).run()
    assert not app.exception
    return app


def test_it_opens_on_the_question_of_the_talk_answered(page: AppTest) -> None:
    gpt3 = model("gpt3")
    verdict = judge(preset("hoffmann2022").joint, gpt3.N, gpt3.tokens)
    text = words(page)
    assert "Yes: its compute was better spent on" in text
    assert format_quantity(verdict.optimum.N) in text
    assert format_loss(verdict.loss) in text
    assert "Chinchilla" in text
    assert live_kinds(page) == ["isoflop", "terms", "slice", "slice"]


@pytest.mark.parametrize(
    "id", ["hoffmann2022-printed", "besiroglu2024", "kaplan2020-joint", "talk-slides", "study-notes"]
)
def test_another_law_changes_every_number(page: AppTest, id: str) -> None:
    before = words(page)
    law_choice(page).set_value(id).run()
    assert not page.exception
    assert not page.error
    best = optimal_for_compute(preset(id).joint, 3.15e23)
    after = words(page)
    assert after != before
    assert format_loss(best.loss) in after
    assert format_quantity(best.N) in after


def test_the_verdict_hangs_on_the_constants(page: AppTest) -> None:
    assert "under-trained" in words(page)
    law_choice(page).set_value("study-notes").run()
    text = words(page)
    assert "No, it was too small" in text
    assert "Not a fit of any data" in text


def test_source_convention_and_range_are_always_there(page: AppTest) -> None:
    assert "N counts every parameter; fitted on 70M to 16B parameters and 5B to 500B tokens" in words(page)
    law_choice(page).set_value("kaplan2020-joint").run()
    text = words(page)
    assert "N leaves the embeddings out" in text
    assert "read in a secondary source" in text


def test_what_lies_outside_the_range_is_called_an_extrapolation(page: AppTest) -> None:
    assert re.search(r"175B parameters lie [\d.]+ times above the runs behind this law", words(page))
    knob(page, "N").set("1B")
    knob(page, "D").set("20B")
    assert "1B parameters lie" not in words(page)


@pytest.mark.parametrize("key", ["N", "D", "C"])
@pytest.mark.parametrize("text", ["nan", "-1", "abc", "1e400", "0", "inf", "", "70B; drop", "<b>7</b>"])
def test_bad_numbers_get_one_sentence_and_keep_the_last_good_value(page: AppTest, key: str, text: str) -> None:
    before = len(still_charts(page))
    knob(page, key).set("2e12" if key != "C" else "2e22")
    good = words(page)
    knob(page, key).set(text)
    assert not page.exception
    assert not page.error
    assert len(field_errors(page)) == 1
    assert {"N": "parameters", "D": "tokens", "C": "compute"}[key] in field_errors(page)[0]
    assert len(still_charts(page)) == before
    figures = re.findall(r"\d+\.\d{3}", good)
    assert figures
    assert all(number in words(page) for number in figures)


def test_a_slider_and_its_number_move_together_and_make_the_law_ones_own(page: AppTest) -> None:
    knob(page, "alpha").set(0.4)
    assert law_choice(page).value == "own"
    assert knob(page, "alpha").text == "0.4"
    knob(page, "beta").set("0.31")
    assert knob(page, "beta").value == pytest.approx(0.31)
    assert "Your own constants" in words(page)
    page.button(key="law~reset").click().run()
    assert law_choice(page).value == "hoffmann2022"
    assert knob(page, "alpha").text == "0.33917084"


@pytest.mark.parametrize("text", ["nan", "-1", "abc", "1e400", ""])
def test_a_constant_refuses_what_is_no_constant(page: AppTest, text: str) -> None:
    knob(page, "A").set(text)
    assert not page.exception
    assert not page.error
    assert law_choice(page).value == "hoffmann2022"
    assert len(field_errors(page)) == 1
    assert "A: got" in field_errors(page)[0]


def test_constants_without_a_meaningful_optimum_are_said_in_a_sentence(page: AppTest) -> None:
    for key, text in (("A", "1e9"), ("B", "1e-6"), ("alpha", "0.005"), ("beta", "3")):
        knob(page, key).set(text)
    assert not page.exception
    assert len(page.error) == 1
    assert "under this law its optimum has less than one" in page.error[0].value


def test_a_law_in_the_address(project: Path) -> None:
    app = AppTest.from_file(str(project / "pages" / "calculator.py"), default_timeout=60)
    app.query_params["law"] = "study-notes"
    app.run()
    assert law_choice(app).value == "study-notes"
    assert "No, it was too small" in words(app)


def test_an_unknown_law_in_the_address_is_named(project: Path) -> None:
    app = AppTest.from_file(str(project / "pages" / "calculator.py"), default_timeout=60)
    app.query_params["law"] = "<script>"
    app.run()
    assert not app.exception
    assert law_choice(app).value == "hoffmann2022"
    assert any("law in the address" in sentence for sentence in field_errors(app))


def test_a_stale_message_for_the_picker_cannot_undo_a_slider(page: AppTest) -> None:
    before = law_choice(page).key
    knob(page, "alpha").set(0.36)
    assert law_choice(page).key != before
    knob(page, "alpha").set(0.37)
    assert law_choice(page).value == "own"
    assert knob(page, "alpha").text == "0.37"


def test_ones_own_constants_survive_a_visit_to_another_page(project: Path) -> None:
    app = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=120).run()
    knob(app, "beta").set(0.33)
    knob(app, "C").set("2e22")
    app.switch_page("pages/models.py").run()
    assert law_choice(app).value == "own"
    assert knob(app, "beta").text == "0.33"
    app.switch_page("pages/calculator.py").run()
    assert knob(app, "beta").value == pytest.approx(0.33)
    assert knob(app, "C").text == "2e22"


@pytest.mark.parametrize(
    ("given", "text", "solve"),
    [("N", "13B", optimal_for_params), ("D", "2T", optimal_for_tokens), ("loss", "2.1", optimal_for_loss)],
)
def test_the_optimum_can_be_asked_for_from_any_side(
    page: AppTest, given: str, text: str, solve: Callable[[Law, float], Allocation]
) -> None:
    page.selectbox(key="given").set_value(given).run()
    page.text_input(key=f"given.{given}").set_value(text).run()
    assert not page.exception
    best = solve(preset("hoffmann2022").joint, parse_quantity(text, field="it"))
    shown = words(page)
    assert f"compute, FLOP {scientific(best.C)}" in shown
    answers = {
        "N": f"best parameters {format_quantity(best.N)}",
        "D": f"on tokens {format_quantity(best.D)}",
        "loss": f"loss, nats per token {format_loss(best.loss)} tokens per parameter",
    }
    assert all((answer in shown) == (name != given) for name, answer in answers.items())


@pytest.mark.parametrize("text", ["1.0", "1.69337", "1.6934"])
def test_an_impossible_loss_is_said_to_be_impossible_and_the_page_stays(page: AppTest, text: str) -> None:
    page.selectbox(key="given").set_value("loss").run()
    page.text_input(key="given.loss").set_value(text).run()
    assert not page.exception
    assert not page.error
    assert len(field_errors(page)) == 1
    assert ("impossible" in field_errors(page)[0]) == (float(text) <= preset("hoffmann2022").joint.floor)
    assert live_kinds(page) == ["isoflop", "terms", "slice", "slice"]


def test_a_saved_law_shows_how_far_its_optimum_could_lie_elsewhere(project: Path, lab_home: Path) -> None:
    rng = np.random.default_rng(0)
    law = ChinchillaLaw(E=1.7, A=400.0, B=420.0, alpha=0.33, beta=0.29)
    cloud = np.array(list(law.constants.values())) * np.exp(0.01 * rng.standard_normal((200, 5)))
    saved = save_law(
        "Ours", law, source="a test", convention="total", valid_N=(1e8, 1e10), valid_D=(1e9, 1e11), valid_C=None,
        replicates=cloud,
    )  # fmt: skip
    page = AppTest.from_file(str(project / "pages" / "calculator.py"), default_timeout=60).run()
    law_choice(page).set_value(saved.id).run()
    assert not page.exception
    band = best_band(as_ghost(saved), 3.15e23)
    low, high = (format_quantity(float(end[0])) for end in (band.N.low, band.N.high))
    said = f"95% interval from 200 refits of Ours: the best model for 3.15 × 10²³ FLOP has {low} to {high} parameters"
    assert said in words(page)
    assert "No band is drawn" not in words(page)


def drawn(page: AppTest, kind: str) -> dict[str, Any]:
    """What the live chart of a kind was given."""
    (found,) = [data for data in components(page) if data.get("kind") == kind and "spec" in data]
    return found


def test_a_law_with_refits_shows_band_cloud_and_spread(page: AppTest) -> None:
    law_choice(page).set_value("besiroglu2024").run()
    assert not page.exception
    kinds = ["isoflop", "cloud", "optimum", "terms", "slice", "slice"]
    assert live_kinds(page) == kinds
    assert "95% interval from 500 refits of Besiroglu: the best model for 3.15 × 10²³ FLOP" in words(page)
    assert len(drawn(page, "isoflop")["args"]["band"]) > 50
    assert len(drawn(page, "cloud")["args"]["cloud"]) == 500
    assert "they spread as far as the paper's standard errors say" in words(page)


def test_band_and_cloud_stay_with_the_published_law_when_a_constant_is_moved(page: AppTest) -> None:
    law_choice(page).set_value("besiroglu2024").run()
    before = {kind: drawn(page, kind)["args"] for kind in ("isoflop", "cloud", "optimum")}
    knob(page, "alpha").set(0.36)
    assert law_choice(page).value == "own"
    after = {kind: drawn(page, kind)["args"] for kind in before}
    at = {row["N"]: row for row in before["isoflop"]["band"]}
    common = [row for row in after["isoflop"]["band"] if row["N"] in at]
    assert common == [at[row["N"]] for row in common]
    assert len(common) > 20
    for name in ("cloud", "region"):
        assert after["cloud"][name] == before["cloud"][name]
    for name in ("interval", "bars", "base"):
        same = [{k: v for k, v in row.items() if k not in ("dx", "align")} for row in rows_of(after["optimum"][name])]
        assert same == [
            {k: v for k, v in row.items() if k not in ("dx", "align")} for row in rows_of(before["optimum"][name])
        ]
    assert drawn(page, "cloud")["values"]["alpha"] == 0.36
    assert "refits of Besiroglu" in words(page)


def rows_of(found: dict[str, Any] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize(
    ("id", "printed"), [("hoffmann2022", True), ("kaplan2020-joint", False), ("talk-slides", False)]
)
def test_a_law_without_refits_gets_a_sentence_and_no_picture(page: AppTest, id: str, printed: bool) -> None:
    law_choice(page).set_value(id).run()
    text = words(page)
    assert f"No band is drawn: of {preset(id).short_name} neither refits nor standard errors are known here." in text
    assert ("an interval of the exponent a alone, 0.454 to 0.455" in text) == printed
    assert "Choose Besiroglu 2024, replication to see one." in text
    assert drawn(page, "isoflop")["args"]["band"] == []
    assert not [data for data in components(page) if data.get("kind") in ("cloud", "optimum")]


def test_refits_that_have_no_optimum_are_a_sentence(project: Path, lab_home: Path) -> None:
    law = ChinchillaLaw(E=1.7, A=400.0, B=420.0, alpha=0.33, beta=0.29)
    flat = np.tile(np.array([1.7, 400.0, 420.0, 0.0, 0.0]), (20, 1))
    saved = save_law("Flat", law, source="a test", replicates=flat)
    page = AppTest.from_file(str(project / "pages" / "calculator.py"), default_timeout=60).run()
    law_choice(page).set_value(saved.id).run()
    assert not page.exception
    assert "None of 20 sets of constants has a compute optimum" in words(page)


def test_the_table_of_the_two_models_follows_the_law(page: AppTest) -> None:
    law_choice(page).set_value("besiroglu2024").run()
    (said,) = [data["said"] for data in components(page) if data.get("kind") == "verdicts"]
    assert [row[0].removesuffix(" *") for row in said["rows"]] == ["GPT-3", "Chinchilla"]
    assert [STATUSES[kind] for kind in said["kinds"]] == ["under-trained", "near-optimal"]


def test_a_mistake_here_leaves_a_text_for_the_field_that_another_page_has_of_it(page: AppTest, project: Path) -> None:
    page.session_state["C~good"] = 1e24
    page.session_state["C~good.text"] = "1e24"
    knob(page, "C").set("much")
    assert not page.exception
    assert len(field_errors(page)) == 1
    assert page.session_state["C"] == "1e24"
    beyond = AppTest.from_file(str(project / "pages" / "beyond.py"), default_timeout=60)
    beyond.session_state["C"] = page.session_state["C"]
    beyond.run()
    assert not beyond.exception
    assert not beyond.error
