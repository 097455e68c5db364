"""Fit your runs in a real browser: a file and a pasted table are fitted, a bad row is named, a saved law is offered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from scaling_core.laws import ChinchillaLaw
from tests.browser.conftest import AppServer, Witness, open_page
from tests.browser.test_pages import no_traceback, quiet

pytestmark = pytest.mark.browser

LAW = ChinchillaLaw(E=1.8, A=482.0, B=2085.0, alpha=0.348, beta=0.366)


def rows() -> list[str]:
    """A header and 36 runs of LAW with a little noise."""
    N = np.repeat(np.geomspace(5e7, 5e9, 6), 6)
    D = np.tile(np.geomspace(1e9, 1e11, 6), 6)
    loss = LAW.loss(N, D) * np.exp(0.002 * np.random.default_rng(1).standard_normal(N.size))
    return ["params,tokens,val_loss", *(f"{n:.6g},{d:.6g},{x:.5f}" for n, d, x in zip(N, D, loss, strict=True))]


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of the box with this label in the sidebar."""
    page.get_by_test_id("stSidebar").get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option).first.click()


def turn_to(page: Page, name: str, part: str) -> None:
    """Follows a link of the navigation and waits until the other page stands there, known by one of its headings.

    For a moment the page before is still there, and at rest; both have a box called Law.
    """
    open_page(page, name)
    expect(page.locator("[data-testid=stMain] h2").filter(has_text=part)).to_have_count(1)
    quiet(page)


def sentence(page: Page, part: str) -> Locator:
    """The large sentence where it says this; for a moment the one that it replaces stands beside it."""
    return page.locator("h1.sl-sentence").filter(has_text=part)


def answer(page: Page) -> str:
    """The large sentence of a page at rest."""
    return page.locator("h1.sl-sentence").inner_text()


def test_from_a_file_to_a_law_on_the_calculator(
    app_server: AppServer, page: Page, witness: Witness, tmp_path: Path
) -> None:
    page.goto(app_server.url + "/fit")
    quiet(page)
    assert "from 49 simulated runs." in answer(page)
    file = tmp_path / "my runs.csv"
    file.write_text("\n".join(rows()), encoding="utf-8")
    choose(page, "Runs", "Upload a table")
    page.locator("input[type=file]").set_input_files(file)
    expect(sentence(page, "from 36 runs.")).to_have_count(1)
    quiet(page)
    expect(page.locator("[data-testid=stMain]").get_by_text("val_loss as loss").first).to_be_attached()

    broken = rows()
    broken[4] = broken[4].rsplit(",", 1)[0] + ",n/a?"
    choose(page, "Runs", "Paste a table")
    area = page.get_by_role("textbox", name="Rows of a table, its header first")
    area.fill("\n".join(broken))
    area.press("Control+Enter")
    error = page.locator("[data-testid=stMain] .sl-error")
    expect(error.filter(has_text="line 5").filter(has_text="Shown below: my runs.csv.")).to_have_count(1)
    page.get_by_test_id("stSidebar").get_by_text("Leave out rows that cannot be read").click()
    expect(sentence(page, "from 35 runs.")).to_have_count(1)
    expect(error).to_have_count(0)
    quiet(page)

    name = page.get_by_role("textbox", name="Name of the law")
    name.fill("thirty-five runs")
    name.press("Enter")
    page.get_by_role("button", name="Save this law").click()
    expect(page.locator("[data-testid=stMain]").get_by_text("Saved as 'thirty-five runs'")).to_be_visible()
    no_traceback(page)

    turn_to(page, "Calculator", "The whole surface")
    choose(page, "Law", "thirty-five runs")
    expect(page.locator("[data-testid=stMain] .words .line").first).to_contain_text("thirty-five runs")
    no_traceback(page)
    turn_to(page, "Fit your runs", "What the law leaves over")
    expect(sentence(page, "from 35 runs.")).to_have_count(1)

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("[data-testid=stMain]").get_by_text("No law is saved yet.")).to_be_visible()
    witness.check()


def test_a_toggle_moves_the_law_and_the_picture(app_server: AppServer, page: Page, witness: Witness) -> None:
    page.goto(app_server.url + "/fit")
    quiet(page)
    before = answer(page)
    expect(sentence(page, before)).to_have_count(1)
    page.get_by_test_id("stSidebar").get_by_text("One exponent for N and D").click()
    expect(sentence(page, before)).to_have_count(0)
    quiet(page)
    choose(page, "Approach", "IsoFLOP profiles")
    expect(sentence(page, "budgets of simulated runs")).to_have_count(1)
    quiet(page)
    page.get_by_test_id("stMain").get_by_text("Best tokens", exact=True).click()
    quiet(page)
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0
    no_traceback(page)
    witness.check()
