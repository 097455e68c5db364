"""The page Learn: the next step, ticks that outlive the window, and every place that a step opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core import ticks
from scaling_core.errors import StoreError
from scaling_core.language import speaking
from scaling_core.learn import Target, papers, paths, projects
from scaling_core.runs import place
from scaling_core.ui.learn import place_name
from tests.page_helpers import blocks, law_choice, words

pytestmark = pytest.mark.usefixtures("lab_home")


def opened(project: Path, **address: str) -> AppTest:
    """The page as a visitor sees it."""
    app = AppTest.from_file(str(project / "pages" / "learn.py"), default_timeout=60)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert not app.error
    return app


@pytest.fixture
def in_the_app(project: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page inside the whole app, from which other pages can be reached.

    Every run of AppTest begins like that of a fresh server, whose first visitor's page runs twice; a button pressed
    between the two would be forgotten.
    """
    monkeypatch.setattr("scaling_core.ui.page._through_the_main_script", lambda: None)
    app = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page("pages/learn.py").run()
    assert not app.exception
    return app


def test_the_first_step_is_the_answer_and_every_step_has_a_box(project: Path) -> None:
    app = opened(project)
    week = paths()[0]
    assert "One week: what comes next?" in words(app)
    assert f"{week.steps[0].text.en} 0 of 9 steps of this path are done." in words(app)
    keys = {box.key for box in app.checkbox}
    assert {f"learn.{step.id}" for step in week.steps} <= keys
    assert {f"learn.{step.id}" for step in projects()[0].steps} <= keys
    assert {f"learn.{paper.tick}" for paper in papers()} <= keys
    assert not any(box.value for box in app.checkbox)


def test_a_tick_moves_the_answer_on_and_is_there_after_a_restart(project: Path) -> None:
    app = opened(project)
    first, second = paths()[0].steps[:2]
    app.checkbox(key=f"learn.{first.id}").check().run()
    assert f"{second.text.en} 1 of 9 steps of this path are done." in words(app)
    app.checkbox(key=f"learn.{papers()[0].tick}").check().run()
    assert "Reading: 1 of 23 papers." in words(app)
    later = opened(project)
    assert later.checkbox(key=f"learn.{first.id}").value
    later.checkbox(key=f"learn.{first.id}").uncheck().run()
    app.run()
    assert not app.checkbox(key=f"learn.{first.id}").value
    assert ticks.done() == {papers()[0].tick}


def test_a_path_that_is_done_says_so(project: Path) -> None:
    ticks.mark({step.id: True for step in paths()[0].steps})
    app = opened(project)
    assert "Nothing: this path is done. 9 of 9 steps" in words(app)
    assert not [button for button in app.button if button.key == "learn.next"]


def test_paths_and_levels_are_in_the_address_and_survive_a_visit_elsewhere(project: Path) -> None:
    app = opened(project, path="quarter", level="advanced")
    assert "Three months: what comes next?" in words(app)
    assert f"learn.{projects()[9].steps[0].id}" in {box.key for box in app.checkbox}
    assert "chosen here" in words(app)
    app = opened(project, path="forever", level="<b>")
    assert "One week: what comes next?" in words(app)
    app.segmented_control(key="learn.path.en").set_value("half").run()
    assert "Six months: what comes next?" in words(app)
    assert app.query_params["path"] == "half"


def test_a_torn_file_is_one_sentence_and_the_next_tick_keeps_it(project: Path) -> None:
    ticks.file_of().write_text('{"schema": "scaling-lab-learn-1", "done": {"week', encoding="utf-8")
    app = opened(project)
    assert words(app).count("cannot be read from learn.json") == 1
    app.checkbox(key=f"learn.{paths()[0].steps[0].id}").check().run()
    assert "were kept in learn-unreadable-" in words(app)
    app.run()
    assert "unreadable" not in words(app)
    assert ticks.done() == {paths()[0].steps[0].id}


def test_a_tick_that_the_disk_refuses_is_kept_in_the_window_and_written_later(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(project)
    first, second = paths()[0].steps[:2]
    write = place.write_json

    def full(*_: object) -> None:
        raise StoreError("learn.json cannot be written (No space left on device); free space or rights there.")

    monkeypatch.setattr(place, "write_json", full)
    app.checkbox(key=f"learn.{first.id}").check().run()
    assert not app.exception
    assert "No space left on device" in words(app)
    assert "kept in this window alone" in words(app)
    assert app.checkbox(key=f"learn.{first.id}").value
    assert ticks.done() == frozenset()
    monkeypatch.setattr(place, "write_json", write)
    app.checkbox(key=f"learn.{second.id}").check().run()
    assert ticks.done() == {first.id, second.id}


def test_links_stand_in_the_text_and_nothing_is_fetched(project: Path) -> None:
    app = opened(project)
    body = " ".join(blocks(app))
    for paper in papers():
        assert f"href='{paper.url}' target='_blank' rel='noopener noreferrer'" in body
    assert body.count("http") == len(papers())
    assert not any(word in body for word in ("src=", "url(", "<script", "<iframe"))


def test_a_step_opens_its_law_whatever_was_chosen_there_before(in_the_app: AppTest) -> None:
    app = in_the_app
    app.switch_page("pages/calculator.py").run()
    law_choice(app).set_value("study-notes").run()
    app.switch_page("pages/learn.py").run()
    app.segmented_control(key="learn.level.en").set_value("advanced").run()
    app.button(key="learn.open.p10-size").click().run()
    assert not app.exception
    assert not app.error
    assert law_choice(app).value == "besiroglu2024"
    assert app.session_state["C"] == app.query_params["C"] == "3.2e20"


@pytest.mark.parametrize(
    ("level", "id", "key", "value"),
    [
        ("beginner", "p1-noise", "demo.noise", "0.05"),
        ("intermediate", "p4-isoflop", "fit.approach", "isoflop"),
        ("beginner", "p2-repeat", "unique", "25B"),
        ("beginner", "p3-smoke", "lab.mode", "smoke"),
        ("advanced", "p7-rate", "lab.own.what", "rates"),
        ("advanced", "p9-early", "verdict", "measure"),
    ],
)
def test_a_step_opens_its_page_as_it_needs_it(in_the_app: AppTest, level: str, id: str, key: str, value: str) -> None:
    app = in_the_app
    app.segmented_control(key="learn.level.en").set_value(level).run()
    app.button(key=f"learn.open.{id}").click().run()
    assert not app.exception
    assert not app.error
    widgets = [*app.text_input, *app.radio, *app.selectbox, *app.segmented_control]
    assert next(widget for widget in widgets if widget.key == key).value == value


def test_the_recorded_ladder_is_opened(in_the_app: AppTest) -> None:
    app = in_the_app
    app.button(key="learn.open.p3-closer").click().run()
    assert not app.exception
    assert app.query_params["sweep"] == "example"


def test_places_are_named_by_page_and_what_is_chosen_there() -> None:
    def place_of(page: str, address: dict[str, str], state: dict[str, str]) -> str:
        return place_name(Target(page=page, address=address, state=state))

    assert place_of("calculator", {"law": "besiroglu2024"}, {}) == "Calculator: Besiroglu"
    assert place_of("demo", {}, {"planted": "hoffmann2022"}) == "Synthetic demo: Hoffmann"
    assert place_of("lab", {"sweep": "new"}, {"lab.mode": "smoke"}) == "Run on my Mac: Smoke"
    assert place_of("lab", {"sweep": "new"}, {"lab.mode": "live", "lab.own.what": "rates"}).endswith("Learning rates")
    assert place_of("fit", {}, {}) == "Fit your runs"


def test_a_chinese_reader_meets_no_english_step(project: Path) -> None:
    app = AppTest.from_file(str(project / "pages" / "learn.py"), default_timeout=60)
    app.session_state["language"] = "zh"
    with speaking("zh"):
        app.run()
    assert not app.exception
    text = words(app) + " ".join(box.label for box in app.checkbox)
    for path in paths()[:1]:
        assert path.steps[0].text.zh in words(app)
        assert path.steps[0].text.en not in text
    for paper in papers():
        assert paper.contributes.en not in text
