"""The synthetic demo page: simulated runs, said to be simulated, fitted, drawn and downloadable."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.exports import KINDS, buttons, offered, open_menus
from tests.page_helpers import field_errors, law_choice, still_charts, words


@pytest.fixture
def page(project: Path) -> AppTest:
    """The page as a visitor first sees it."""
    app = AppTest.from_file(str(project / "pages" / "demo.py"), default_timeout=120).run()
    assert not app.exception
    assert not app.error
    return app


def test_it_says_that_the_data_are_simulated(page: AppTest) -> None:
    text = words(page)
    assert "These data are simulated: no model was trained" in text
    assert "56 simulated runs" in text


def test_four_panels_and_the_isoflop_figure(page: AppTest) -> None:
    assert len(still_charts(page)) == 5


def test_all_that_it_shows_can_be_downloaded(page: AppTest) -> None:
    one_by_one = [f"panel.{variable}.{log}" for log in (True, False) for variable in ("N", "D")]
    assert offered(page) == [*one_by_one, "panels", "optimal"]
    open_menus(page, *offered(page))
    assert not page.exception
    assert buttons(page) == [(f"export~{chart}~{kind.lower()}", kind) for chart in offered(page) for kind in KINDS]
    names = [button.proto.label for button in page.get("download_button")]
    assert {"results.json", "runs.csv"} <= set(names)


def test_another_seed_gives_other_numbers_and_the_same_seed_the_same(page: AppTest) -> None:
    first = words(page)
    page.text_input(key="demo.seed").set_value("1").run()
    assert not page.exception
    assert not page.error
    assert words(page) != first
    page.text_input(key="demo.seed").set_value("0").run()
    assert words(page) == first


def test_another_law_is_planted(page: AppTest) -> None:
    law_choice(page, "planted").set_value("study-notes").run()
    assert not page.exception
    assert not page.error
    assert "Study notes" in words(page)


def test_a_law_of_another_form_says_what_cannot_be_recovered(page: AppTest) -> None:
    law_choice(page, "planted").set_value("kaplan2020-joint").run()
    assert not page.exception
    assert not page.error
    assert "The fitted form is not the planted one" in words(page)


@pytest.mark.parametrize("key", ["demo.N_low", "demo.D_high", "demo.noise", "demo.seed", "demo.sizes"])
@pytest.mark.parametrize("text", ["nan", "-1", "abc", "1e400"])
def test_bad_numbers_get_one_sentence(page: AppTest, key: str, text: str) -> None:
    before = words(page)
    page.text_input(key=key).set_value(text).run()
    assert not page.exception
    assert not page.error
    assert len(field_errors(page)) == 1
    assert before.split("simulated runs")[1][:60] in words(page)


def test_ranges_that_contradict_each_other_are_said_in_a_sentence(page: AppTest) -> None:
    page.text_input(key="demo.N_high").set_value("11M").run()
    assert not page.exception
    assert len(page.error) == 1
    assert "largest size" in page.error[0].value
