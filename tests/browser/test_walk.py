"""A short random walk over the app; benchmarks/walk.py takes longer ones and watches the server's memory."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from benchmarks.walk import MISSED, walk
from tests.browser.conftest import AppServer, Witness

pytestmark = pytest.mark.browser

STEPS = 8


def test_a_few_things_that_people_do_break_nothing(app_server: AppServer, page: Page, witness: Witness) -> None:
    page.goto(app_server.url)
    page.locator(".words h1").first.wait_for()
    walker, _ = walk(page, witness, app_server, STEPS, seed=7)
    assert sum(walker.done.values()) - walker.done[MISSED] == STEPS
