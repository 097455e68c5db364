"""The app by keys alone: a constant is moved, a page is opened out of the menu, and every stop on the way is seen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CURRENT, AppServer, Witness, at_rest

pytestmark = pytest.mark.browser

FOCUS = """() => {
    let here = document.activeElement;
    while (here?.shadowRoot?.activeElement) here = here.shadowRoot.activeElement;
    if (!here || here === document.body) return null;
    const ringed = (node) => {
        const style = getComputedStyle(node);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
    };
    const around = [here, here.parentElement, here.parentElement?.parentElement].filter(Boolean);
    return { tag: here.tagName, name: (here.getAttribute("aria-label") ?? here.textContent).trim(),
             ringed: around.some(ringed) };
}"""
"""What has the focus, and whether it or what stands around it is ringed."""


def stops(page: Page, last: str) -> list[dict[str, Any]]:
    """What the Tab key passes until the stop of the name `last` has the focus."""
    passed: list[dict[str, Any]] = []
    for _ in range(80):
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUS)
        if here is not None:
            passed.append(here)
            if here["name"] == last:
                return passed
    raise AssertionError(f"the Tab key does not come to {last}, but to {[one['name'] for one in passed]}")


def test_pages_and_constants_are_reached_by_keys_alone(app_server: AppServer, page: Page, witness: Witness) -> None:
    page.goto(app_server.url)
    page.locator("input.slide").first.wait_for()
    at_rest(page)
    answer = page.locator("h1").first
    before = answer.inner_text()
    passed = stops(page, "α gain from size")
    page.keyboard.press("Shift+ArrowLeft")
    expect(answer).not_to_have_text(before)
    at_rest(page)
    passed += stops(page, "6 more")
    unseen = [one["name"] for one in passed if one["tag"] in ("A", "BUTTON") and not one["ringed"]]
    assert not unseen, f"the focus does not show on {unseen}"
    page.keyboard.press("Enter")
    item = page.get_by_role("menuitem", name="Learn", exact=True)
    item.wait_for()
    for _ in range(8):
        if item.evaluate("(one) => one.contains(document.activeElement) || one.matches('[data-focused], :focus')"):
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(CURRENT).filter(has_text="Learn")).to_have_count(1)
    expect(page.get_by_test_id("stMain").locator("h1").first).to_be_visible()
    witness.check()
