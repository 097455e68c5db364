"""Constants under the hand: what follows does so in the browser, and on release Python has the exact value."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks.stage_page import Watched, drag, releases, settled
from scaling_core.catalog import preset
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import optimal_for_compute
from scaling_core.units import format_loss, format_quantity
from tests.browser.conftest import AppServer, Witness, at_rest

pytestmark = pytest.mark.browser

C = 3.15e23
"""FLOP that the calculator begins with."""


@pytest.fixture
def calculator(app_server: AppServer, page: Page, witness: Witness) -> Watched:
    """The calculator, at rest and watched."""
    watched = Watched(page=page)
    watched.begin()
    page.goto(app_server.url)
    settled(page)
    return watched


def slider(page: Page, name: str) -> Locator:
    return page.locator(f".knob[data-name={name}] input.slide")


def exact(page: Page, name: str) -> Locator:
    return page.locator(f".knob[data-name={name}] input.exact")


def numbers(page: Page) -> list[str]:
    """The best model for the budget in numbers, as they stand there now."""
    return page.locator(".words .figures").first.locator(".value").all_inner_texts()


def says(page: Page, wanted: list[str]) -> None:
    """Waits until the numbers are these."""
    values = page.locator(".words .figures").first.locator(".value")
    for place, text in enumerate(wanted):
        expect(values.nth(place)).to_have_text(text)


def expected(**constants: float) -> list[str]:
    """The same computed here, for Hoffmann's law with other constants."""
    published = preset("hoffmann2022").joint
    assert isinstance(published, ChinchillaLaw)
    best = optimal_for_compute(ChinchillaLaw(**{**published.constants, **constants}), C)
    return [format_quantity(best.N), format_quantity(best.D), format_loss(best.loss)]


def test_nothing_is_sent_while_a_constant_is_dragged(calculator: Watched, witness: Witness) -> None:
    says(calculator.page, expected())
    done = drag(calculator, "alpha", 40)
    assert done.sent == 0
    assert done.seen > 5, "the answer did not follow"
    assert len(done.work) >= 20
    says(calculator.page, expected(alpha=float(exact(calculator.page, "alpha").input_value())))
    assert calculator.page.evaluate("() => window.scalingLab.frames.length") > 20, "no chart was drawn meanwhile"
    witness.check()


def test_on_release_python_says_what_the_browser_said(calculator: Watched, witness: Witness) -> None:
    page, name = calculator.page, "B"
    box = slider(page, name).bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    share = slider(page, name).evaluate("(s) => (s.value - s.min) / (s.max - s.min)")
    page.mouse.move(box["x"] + 8 + share * (box["width"] - 16), y)
    page.mouse.down()
    for k in range(12):
        page.mouse.move(box["x"] + 8 + share * (box["width"] - 16) + 2 * k, y)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    value = float(exact(page, name).input_value())
    live = numbers(page)
    assert value != preset("hoffmann2022").law.constants[name]
    assert live[:3] == expected(**{name: value})
    sent = calculator.sent
    page.mouse.up()
    expect(page.get_by_role("button", name="Back to")).to_be_visible()
    at_rest(page)
    assert calculator.sent > sent
    assert numbers(page) == live
    assert float(exact(page, name).input_value()) == value
    witness.check()


def test_keys_move_it_finely_and_coarsely_and_a_double_click_brings_it_back(
    calculator: Watched, witness: Witness
) -> None:
    page = calculator.page
    published = preset("hoffmann2022").law.constants["alpha"]
    field = exact(page, "alpha")
    slider(page, "alpha").focus()
    begin = int(slider(page, "alpha").input_value())
    for key, place in (("ArrowRight", 1), ("ArrowRight", 2), ("Shift+ArrowRight", 12), ("Shift+ArrowLeft", 2)):
        page.keyboard.press(key)
        expect(slider(page, "alpha")).to_have_value(str(begin + place))
        at_rest(page)
    says(page, expected(alpha=float(field.input_value())))
    slider(page, "alpha").dblclick()
    expect(field).to_have_value(f"{published:.8g}")
    at_rest(page)
    says(page, expected())
    field.fill("0.123456789")
    field.press("Enter")
    expect(page.get_by_role("button", name="Back to")).to_be_visible()
    at_rest(page)
    says(page, expected(alpha=0.123456789))
    field.fill("much")
    field.press("Enter")
    expect(page.locator(".knob[data-name=alpha] .wrong")).not_to_be_empty()
    at_rest(page)
    says(page, expected(alpha=0.123456789))
    taken = releases(page, 2)
    assert len(taken) == 2
    for one in taken:
        assert one.hand is not None
        assert one.answer is not None
        assert 0 < one.hand <= one.answer, "the hand's picture comes first"
        assert one.hand < one.rest
    witness.check()


def test_keys_faster_than_python_lose_no_step(calculator: Watched, witness: Witness) -> None:
    page = calculator.page
    slider(page, "alpha").focus()
    begin = int(slider(page, "alpha").input_value())
    for k in range(24):
        page.keyboard.press("Shift+ArrowRight" if k % 3 == 2 else "ArrowRight")
        page.wait_for_timeout(20 + 17 * (k % 7))
    expect(slider(page, "alpha")).to_have_value(str(begin + 16 + 80))
    page.wait_for_timeout(600)
    at_rest(page)
    expect(slider(page, "alpha")).to_have_value(str(begin + 16 + 80))
    says(page, expected(alpha=float(exact(page, "alpha").input_value())))
    witness.check()


def test_pinned_curves_stay_behind_and_say_what_changed(calculator: Watched, witness: Witness) -> None:
    page = calculator.page
    page.get_by_role("button", name="Pin this curve").click()
    name = page.get_by_role("textbox", name="Name of the pinned curve")
    expect(name).to_have_count(1)
    name.fill("where I began")
    name.press("Enter")
    slider(page, "beta").focus()
    page.keyboard.press("Shift+ArrowRight")
    ghosts = page.locator(".words .ghost")
    expect(ghosts.filter(has_text="where I began")).to_contain_text("optimum from")
    at_rest(page)
    now = expected(beta=float(exact(page, "beta").input_value()))
    was = expected()
    for text in ghosts.all_inner_texts():
        assert f"optimum from {was[0]} on {was[1]} to {now[0]} on {now[1]}" in text
    page.get_by_role("button", name="×").click()
    expect(ghosts.filter(has_text="where I began")).to_have_count(0)
    witness.check()
