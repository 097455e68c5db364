"""The models page: every model under the chosen law, and every law on every model."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import model, models, preset, presets
from scaling_core.optimum import judge
from tests.page_helpers import components, knob, law_choice, words


@pytest.fixture
def page(project: Path) -> AppTest:
    """The page as a visitor first sees it."""
    app = AppTest.from_file(str(project / "pages" / "models.py"), default_timeout=60).run()
    assert not app.exception
    return app


def table(page: AppTest) -> list[list[str]]:
    """The rows of the table of models, cell by cell."""
    (said,) = [data["said"] for data in components(page) if data.get("kind") == "verdicts"]
    assert len(said["rows"]) == len(said["kinds"])
    rows: list[list[str]] = said["rows"]
    assert {len(row) for row in rows} == {len(said["head"])}
    return rows


def test_every_model_with_known_tokens_has_a_row(page: AppTest) -> None:
    assert [row[0].removesuffix(" *") for row in table(page)] == [known.name for known in models()]


def test_models_without_published_tokens_are_named(page: AppTest) -> None:
    assert "never published: GPT-2 1.5B, Mistral 7B" in words(page)


def test_the_page_says_that_the_verdict_hangs_on_the_constants(page: AppTest) -> None:
    gpt3 = model("gpt3")
    kind = [p for p in presets("joint") if judge(p.joint, gpt3.N, gpt3.tokens).status != "under-trained"]
    assert "study-notes" in [p.id for p in kind]
    text = words(page)
    assert "GPT-3 is not under-trained" in text
    assert "The verdict hangs on the constants" in text
    assert "Notes" in text.split("GPT-3 is not under-trained")[1]


def test_the_table_follows_the_law(page: AppTest) -> None:
    gpt3 = model("gpt3")
    for id in ("hoffmann2022", "study-notes"):
        law_choice(page).set_value(id).run()
        assert not page.exception
        assert not page.error
        status = judge(preset(id).joint, gpt3.N, gpt3.tokens).status
        (row,) = [row for row in table(page) if row[0].removesuffix(" *") == "GPT-3"]
        assert row[-1] == status


def test_models_outside_the_runs_of_a_law_are_marked(page: AppTest) -> None:
    """Hoffmann's runs go to 16B parameters and 500B tokens: PaLM lies 33.75 times beyond; the notes state no range."""
    law_choice(page).set_value("hoffmann2022").run()
    assert {"PaLM 540B *", "GPT-3 *"} <= {row[0] for row in table(page)}
    assert "PaLM 540B lies farthest out, by a factor of 34" in words(page)
    law_choice(page).set_value("study-notes").run()
    assert "lies farthest out" not in words(page)


def test_a_law_with_a_warning_shows_it(page: AppTest) -> None:
    law_choice(page).set_value("talk-slides").run()
    assert "cannot describe a language model" in words(page)


def test_own_constants_have_a_line_of_their_own(page: AppTest) -> None:
    knob(page, "beta").set(0.33)
    assert not page.exception
    assert not page.error
    (plane,) = [data for data in components(page) if data.get("kind") == "plane"]
    strong = [row for row in plane["args"]["kept"]["lines"] if row["width"] > 4]
    assert {row["line"] for row in strong} == {"my constants"}
    assert plane["args"]["rest"]["beta"] == 0.33
    assert "Your own constants" in words(page)


def test_what_follows_the_hand_gets_the_constants_of_the_picker(page: AppTest) -> None:
    """Plane and table hear the channel of the sliders, and hold the law as they move from it."""
    law_choice(page).set_value("besiroglu2024").run()
    followers = [data for data in components(page) if data.get("kind") in ("plane", "verdicts")]
    assert [data["channel"] for data in followers] == ["law", "law"]
    for data in followers:
        assert data["values"] == preset("besiroglu2024").joint.constants
        assert set(data["law"]) >= {"loss", "core"}
