"""In a real browser: what it tells before a talk, and a recorded ladder that plays by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import AppServer, Witness, at_rest

pytestmark = pytest.mark.browser


def test_the_browser_answers_once_and_is_green(app_server: AppServer, page: Page, witness: Witness) -> None:
    (app_server.home / "calibrations.json").unlink(missing_ok=True)
    sent: list[object] = []
    page.on("websocket", lambda channel: channel.on("framesent", lambda frame: sent.append(frame)))
    page.goto(f"{app_server.url}/preflight")
    checks = page.locator(".sl-checks li")
    for name in ("Chinese on the page", "Chinese in figures", "No network needed", "Figures warmed up"):
        check = checks.filter(has_text=name)
        expect(check).to_have_class("sl-is-ok")
    expect(checks.filter(has_text="Window and zoom")).to_contain_text("1280 × 720")
    expect(page.locator("h1")).to_contain_text("Training device")
    at_rest(page)
    page.wait_for_timeout(1200)
    before = len(sent)
    page.wait_for_timeout(2000)
    assert len(sent) - before <= 1, "at rest nothing runs by itself"
    page.set_viewport_size({"width": 1000, "height": 700})
    page.locator(".st-key-preflight-again button").first.click()
    expect(checks.filter(has_text="Window and zoom")).to_contain_text("too narrow")
    assert witness.strangers() == []


def test_a_page_that_asked_another_host_is_found_out(app_server: AppServer, page: Page) -> None:
    page.route("http://strange.example/**", lambda route: route.fulfill(body="", content_type="text/css"))
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => { const link = document.createElement('link');"
        "link.rel = 'stylesheet'; link.href = 'http://strange.example/font.css'; document.head.append(link); })"
    )
    page.goto(f"{app_server.url}/preflight")
    check = page.locator(".sl-checks li").filter(has_text="No network needed")
    expect(check).to_have_class("sl-is-failed")
    expect(check).to_contain_text("strange.example")


def test_a_recorded_ladder_plays_to_its_end_and_says_what_it_is(
    app_server: AppServer, page: Page, witness: Witness
) -> None:
    page.goto(f"{app_server.url}/lab?sweep=example")
    at_rest(page)
    page.locator(".st-key-lab-replay-open button").first.click()
    banner = page.locator(".sl-replay")
    expect(banner).to_contain_text("Nothing is being trained now")
    page.wait_for_url(re.compile("replay=end"))
    at_rest(page)
    page.locator(".st-key-lab-replay-speed").get_by_text("60×").click()
    page.wait_for_url(re.compile("replay=60"))
    expect(page.get_by_text("0 / 19", exact=True)).to_be_visible()
    at_rest(page)
    page.locator(".st-key-lab-replay-start button").first.click()
    expect(page.get_by_text("19 / 19", exact=True)).to_be_visible()
    expect(page.locator("h1")).to_contain_text("off by 1.19%")
    expect(page.locator(".st-key-lab-replay-start button").first).to_be_visible()
    page.locator("h1").hover()
    for _ in range(20):  # what follows the end may still be coming, and take the page to its top
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(400)
        if page.locator("h1").evaluate("(one) => one.getBoundingClientRect().bottom < 0"):
            break
    expect(page.locator("h1")).not_to_be_in_viewport()
    expect(banner).to_be_in_viewport()
    assert witness.strangers() == []
