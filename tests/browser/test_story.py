"""The story in a real browser: by its keys, in the presenter view, by a link on another machine, and without a jump."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from scaling_core.story import PARAMETER, published, told
from tests.browser.conftest import AppServer, Witness, at_rest
from tests.browser.test_pages import no_traceback

pytestmark = pytest.mark.browser

SCENES = published()
ROWS = """() => {
    const hosts = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].map((one) => one.shadowRoot);
    const inside = hosts.flatMap((root) => [root, ...root.querySelectorAll('*')]);
    const view = inside.map((node) => node.live?.view).find((one) => one);
    return view ? ['curves', 'ghosts', 'minima', 'marks'].map((name) => view.data(name)) : null;
}"""
"""The rows that the first live chart draws."""


def place_of(id: str) -> int:
    return next(n for n, scene in enumerate(SCENES, 1) if scene.id == id)


def stands_at(page: Page, id: str) -> None:
    """Waits until the bar says that the scene of this id is on, and its page has run."""
    expect(page.locator(".sl-count")).to_have_text(f"{place_of(id)} / {len(SCENES)}")
    at_rest(page)


def start(page: Page, server: AppServer, id: str) -> None:
    """Open a scene from the page of the story."""
    page.goto(f"{server.url}/story")
    page.locator(f".st-key-story-{id}-open button").click()
    stands_at(page, id)


def headline(page: Page) -> Locator:
    """The answer of the page, whether Python wrote it or it follows the hand."""
    return page.locator("h1").first


def exact(page: Page, name: str) -> Locator:
    return page.locator(f".knob[data-name={name}] input.exact")


def rows(page: Page) -> Any:
    """The rows that the chart draws, once it is there."""
    page.wait_for_function(f"({ROWS})()?.[0].length > 0")
    return page.evaluate(ROWS)


def test_the_whole_story_by_its_keys(app_server: AppServer, page: Page, witness: Witness) -> None:
    page.goto(f"{app_server.url}/story")
    page.locator(".st-key-story-start button").click()
    header = page.get_by_test_id("stHeader")
    for n, scene in enumerate(SCENES):
        stands_at(page, scene.id)
        expect(page.locator(".sl-scene-said")).to_contain_text(told(scene, "sentence", "en"))
        expect(headline(page)).not_to_be_empty()
        no_traceback(page)
        if scene.focus and scene.page == "beyond":
            expect(page.locator(".st-key-wall")).to_be_in_viewport(ratio=0.9)
        elif scene.focus:
            expect(page.get_by_test_id("stMain").locator(".sl-section").nth(scene.focus - 1)).to_be_in_viewport()
        if scene.id == "inference":
            there = headline(page).inner_text()
            page.keyboard.press("PageUp")
            stands_at(page, "wall")
            expect(page.locator(".sl-answer h1")).to_contain_text("10²⁶ FLOP")
            page.keyboard.press("PageDown")
            stands_at(page, "inference")
            expect(headline(page)).to_have_text(there)
        if n == 1:
            page.keyboard.press("p")
            expect(header).to_be_hidden()
        page.keyboard.press(("ArrowRight", "PageDown", " ")[n % 3])
    stands_at(page, SCENES[-1].id)
    page.keyboard.press("PageUp")
    stands_at(page, SCENES[-2].id)
    page.keyboard.press("ArrowLeft")
    stands_at(page, SCENES[-3].id)
    expect(page.locator(".sl-point")).to_be_empty()
    page.keyboard.press("n")
    expect(page.locator(".sl-point")).to_contain_text(told(SCENES[-3], "point", "en"))
    for key, shown in (("p", True), ("p", False), ("Escape", True)):
        at_rest(page)
        page.keyboard.press(key)
        expect(header).to_be_visible(visible=shown)
    witness.check()


AT_ONCE = """(count) => {
    const look = () => {
        const app = document.querySelector("[data-testid=stApp]");
        if (document.querySelector(".sl-count")?.textContent !== count) return;
        if (app.dataset.testScriptState !== "notRunning") return;
        watch.disconnect();
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    };
    const watch = new MutationObserver(look);
    watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    look();
}"""
"""Presses the right arrow in the first moment in which the bar shows this count and the script has ended."""


def test_no_key_is_lost_however_soon_it_is_pressed(app_server: AppServer, page: Page, witness: Witness) -> None:
    page.goto(f"{app_server.url}/story")
    page.locator(".st-key-story-start button").wait_for()
    at_rest(page)
    for place in (1, 2, 3):
        page.evaluate(AT_ONCE, f"{place} / {len(SCENES)}")
        if place == 1:
            page.locator(".st-key-story-start button").click()
        stands_at(page, SCENES[place].id)
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
        page.wait_for_timeout(90)
    stands_at(page, SCENES[6].id)
    page.wait_for_timeout(1500)
    stands_at(page, SCENES[6].id)
    witness.check()


BOXES = """() => {
    const find = (root, what) => root.querySelector(what) ?? [...root.querySelectorAll('*')]
        .map((one) => one.shadowRoot && find(one.shadowRoot, what)).find((one) => one) ?? null;
    const main = document.querySelector('[data-testid=stMain]');
    const picture = find(main, '.chart.grows');
    return [document.querySelector('.sl-scene-said'), find(main, 'h1'), picture].map((one) => {
        const { x, y, width, height } = one.getBoundingClientRect();
        return [x, y, width, height].map(Math.round);
    });
}"""


def still(page: Page) -> Any:
    """Where sentence, answer and picture are, once they have come to rest, and the chart is drawn."""
    at_rest(page)
    seen: list[Any] = []
    for _ in range(60):
        seen = [*seen[-3:], page.evaluate(BOXES)]
        if len(seen) == 4 and all(one == seen[0] for one in seen):
            return seen[0]
        page.wait_for_timeout(300)
    raise AssertionError(f"the page does not come to rest: {seen}")


def set_floor(page: Page, text: str) -> None:
    field = page.get_by_role("textbox", name="Floor, nats (yours)")
    field.fill(text)
    field.press("Enter")
    field.blur()


def test_keys_are_left_to_fields_and_sliders_and_nothing_jumps(
    app_server: AppServer, page: Page, witness: Witness
) -> None:
    start(page, app_server, "power")
    header, field = page.get_by_test_id("stHeader"), page.get_by_role("textbox", name="Floor, nats (yours)")
    field.press("End")
    field.press_sequentially(".5 pnrP")
    for key in ("Home", "ArrowRight", "PageDown"):
        field.press(key)
    expect(field).to_have_value("0.5 pnrP")
    expect(header).to_be_visible()
    set_floor(page, "0")
    stands_at(page, "power")
    page.keyboard.press("p")
    expect(header).to_be_hidden()
    before = still(page)
    assert before[2][1] + before[2][3] <= 720, "sentence and picture fit one screen"
    set_floor(page, "1.69")
    expect(headline(page)).to_contain_text("With a floor of 1.69 nats the line bends")
    assert still(page) == before
    page.keyboard.press("r")
    expect(headline(page)).to_contain_text("every time.")
    expect(field).to_have_value("0")
    for id in ("kaplan", "chinchilla", "verdict"):
        page.keyboard.press("PageDown")
        stands_at(page, id)
    rows(page)
    before, said = still(page), headline(page).inner_text()
    assert before[2][1] + before[2][3] <= 720, "sentence and picture fit one screen"
    exact(page, "beta").fill("0.28")
    exact(page, "beta").press("Enter")
    expect(headline(page)).not_to_have_text(said)
    assert still(page) == before
    slide = page.locator(".knob[data-name=alpha] input.slide")
    place = int(slide.input_value())
    slide.focus()
    page.keyboard.press("ArrowRight")
    expect(slide).to_have_value(str(place + 1))
    box = slide.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for key in ("p", "PageDown", "r"):
        page.keyboard.press(key)
    page.mouse.up()
    stands_at(page, "verdict")
    expect(header).to_be_hidden()
    slide.focus()
    page.keyboard.press("PageDown")
    stands_at(page, "replication")
    witness.check()


def test_a_link_shows_the_same_picture_elsewhere(
    app_server: AppServer, page: Page, browser: Browser, witness: Witness
) -> None:
    start(page, app_server, "verdict")
    exact(page, "beta").fill("0.345678")
    exact(page, "beta").press("Enter")
    expect(page.get_by_role("button", name="Back to")).to_be_visible()
    at_rest(page)
    page.get_by_role("button", name="中文").click()
    expect(page.locator(".sl-title")).to_have_text(told(SCENES[place_of("verdict") - 1], "title", "zh"))
    at_rest(page)
    page.locator(".st-key-scene-menu button").click()
    link = page.locator("[data-testid=stPopoverBody] code").inner_text()
    assert link.startswith(f"{app_server.url}/?{PARAMETER}=")
    page.keyboard.press("Escape")
    at_rest(page)
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-US")
    try:
        other = context.new_page()
        witness.watch(other)
        other.goto(link)
        stands_at(other, "verdict")
        expect(headline(other)).to_have_text(headline(page).inner_text())
        for part in (".sl-scene", ".sl-scene-said"):
            assert other.locator(part).inner_text() == page.locator(part).inner_text()
        assert exact(other, "beta").input_value() == "0.345678"
        for name in ("E", "A", "B", "alpha"):
            assert exact(other, name).input_value() == exact(page, name).input_value()
        assert rows(other) == rows(page)
        assert PARAMETER not in other.url
        other.goto(link[:-9])
        expect(other.locator(".sl-error").first).to_contain_text("This link opens no scene")
        no_traceback(other)
    finally:
        context.close()
    witness.check()
