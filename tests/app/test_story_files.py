"""Files on the page of the story that nobody should have made: a sentence each, and nothing is taken over or lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.story.shelf import file_of
from tests.page_helpers import blocks, words

BAD = [b"", b"{", b"[" * 100_000, b'{"schema": 1}', json.dumps({"schema": "scaling-lab-story-1"}).encode()]


@pytest.fixture
def app(project: Path, lab_home: Path) -> AppTest:
    made = AppTest.from_file(str(project / "pages" / "story.py"), default_timeout=120).run()
    assert not made.exception
    return made


@pytest.mark.parametrize("content", BAD)
def test_a_hostile_file_is_refused_in_a_sentence(app: AppTest, content: bytes) -> None:
    app.file_uploader(key="story.file").set_value(("bad.json", content, "application/json")).run()
    assert not app.exception
    assert sum("sl-error" in block for block in blocks(app)) == 1
    assert "story.replace" not in [button.key for button in app.button]


def test_a_broken_story_of_ones_own_is_said_and_the_projects_shown(app: AppTest) -> None:
    file_of().write_text("{", "utf-8")
    app.run()
    assert "Your own story cannot be read from story.json" in words(app)
    assert "story.power.open" in [button.key for button in app.button]
