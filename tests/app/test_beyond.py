"""The page beyond the optimum: its three answers follow the law and the fields, and bad input gets a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import preset
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum import compute_wall, data_limited, inference_optimal, smaller_model
from scaling_core.units import format_loss, format_quantity
from tests.page_helpers import blocks, components, field_errors, knob, law_choice, live_kinds, still_charts, words

FIELDS = {"C": "compute", "served": "served tokens", "times": "Times the training", "unique": "unique tokens"}


@pytest.fixture
def page(project: Path) -> AppTest:
    """The page as a visitor first sees it."""
    app = AppTest.from_file(str(project / "pages" / "beyond.py"), default_timeout=60).run()
    assert not app.exception
    assert not app.error
    return app


def repeating() -> MuennighoffLaw:
    law = preset("muennighoff2023").law
    assert isinstance(law, MuennighoffLaw)
    return law


def headlines(app: AppTest) -> list[str]:
    """The large sentences, from the top: two that follow the hand, and one that Python writes."""
    live = [data["said"]["headline"] for data in components(app) if "headline" in data.get("said", {})]
    return live + [block.split("sl-sentence'>")[1].split("</h1>")[0] for block in blocks(app) if "sl-sentence" in block]


def test_it_opens_with_three_questions_answered(page: AppTest) -> None:
    text, law = words(page), preset("hoffmann2022").joint
    served = inference_optimal(law, C=3.15e23, D_inference=1e13)
    smaller = smaller_model(law, C=3.15e23, times=2.0)
    few, stop = data_limited(repeating(), U=1e11, C=3.15e23), compute_wall(repeating(), 1e11)
    one, two, three = headlines(page)
    assert one == (
        f"{format_quantity(served.N)} parameters on {format_quantity(served.D)} tokens, where training alone asks for "
        f"{format_quantity(served.optimum.N)} on {format_quantity(served.optimum.D)}."
    )
    assert two.startswith(f"2 times the training makes it {100 * smaller.fraction:.0f}% of the size: ")
    assert format_quantity(smaller.N) in two
    assert f"read {few.epochs:.0f} times" in three
    assert f"{stop.C / 1e23:.3g}" in three
    assert format_loss(few.loss) in text
    assert "How small should a model be that will be served?" in text
    assert "How small can it be, if it may train longer?" in text
    assert "How far do 100B unique tokens go?" in text
    assert "Muennighoff 2023" in text
    assert "This is an extrapolation. 4.64T tokens lie 9.28 times above the runs behind this law" in text
    assert live_kinds(page) == ["lifetime", "overtraining"]
    assert len(still_charts(page)) == 1


@pytest.mark.parametrize("id", ["besiroglu2024", "kaplan2020-joint", "gadre2024-c4", "talk-slides", "study-notes"])
def test_another_law_changes_the_first_two_answers(page: AppTest, id: str) -> None:
    before = headlines(page)
    law_choice(page).set_value(id).run()
    assert not page.exception
    assert not page.error
    after = headlines(page)
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert after[2] == before[2]
    assert format_quantity(inference_optimal(preset(id).joint, C=3.15e23, D_inference=1e13).N) in after[0]


def test_the_fields_move_their_answers(page: AppTest) -> None:
    law = preset("hoffmann2022").joint
    page.text_input(key="served").set_value("1T").run()
    assert format_quantity(inference_optimal(law, C=3.15e23, D_inference=1e12).N) in headlines(page)[0]
    page.text_input(key="times").set_value("10").run()
    assert format_quantity(smaller_model(law, C=3.15e23, times=10.0).N) in headlines(page)[1]
    page.text_input(key="C").set_value("1e22").run()
    best = data_limited(repeating(), U=1e11, C=1e22)
    assert f"read {best.epochs:.2g} times" in headlines(page)[2]
    page.text_input(key="unique").set_value("10B").run()
    assert "How far do 10B unique tokens go?" in words(page)


def test_what_matters_little_is_said_to(page: AppTest) -> None:
    page.text_input(key="served").set_value("1M").run()
    assert headlines(page)[0].startswith("Hardly smaller: ")
    page.text_input(key="times").set_value("1").run()
    assert headlines(page)[1].startswith("No smaller than ")
    page.text_input(key="unique").set_value("100T").run()
    assert headlines(page)[2].startswith("Far enough: ")
    page.text_input(key="unique").set_value("1B").run()
    assert headlines(page)[2].startswith("No further: ")
    assert not page.error


def test_a_law_of_repeated_data_is_used_throughout(page: AppTest) -> None:
    law_choice(page).set_value("muennighoff2023").run()
    assert not page.exception
    assert not page.error
    assert format_quantity(inference_optimal(repeating(), C=3.15e23, D_inference=1e13).N) in headlines(page)[0]


def test_own_constants_are_followed(page: AppTest) -> None:
    before = headlines(page)
    knob(page, "beta").set(0.35)
    assert not page.exception
    assert not page.error
    assert headlines(page)[0] != before[0]
    assert "Your own constants" in words(page)


@pytest.mark.parametrize("key", FIELDS)
@pytest.mark.parametrize("text", ["nan", "-1", "", "<b>7</b>"])
def test_bad_numbers_get_one_sentence_and_keep_the_last_good_value(page: AppTest, key: str, text: str) -> None:
    before = headlines(page)
    page.text_input(key=key).set_value(text).run()
    assert not page.exception
    assert not page.error
    assert len(field_errors(page)) == 1
    assert field_errors(page)[0].startswith(f"{FIELDS[key]}: got ")
    assert headlines(page) == before


def test_constants_without_a_meaningful_optimum_are_said_in_a_sentence(page: AppTest) -> None:
    for key, text in (("A", "1e9"), ("B", "1e-6"), ("alpha", "0.005"), ("beta", "3")):
        knob(page, key).set(text)
    assert not page.exception
    assert len(page.error) == 1
    assert "under this law its optimum has less than one" in page.error[0].value
