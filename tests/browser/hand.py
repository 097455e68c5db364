"""A constant in the hand, and the rows that the charts of a page draw."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from scaling_core.catalog import preset
from scaling_core.laws import ChinchillaLaw

VIEW = """(name) => {
    const hosts = [...document.querySelectorAll('*')].map((node) => node.shadowRoot).filter(Boolean);
    const inside = hosts.flatMap((root) => [root, ...root.querySelectorAll('*')]);
    const views = inside.map((node) => node.live?.view).filter(Boolean);
    for (const view of views) {
        try { return view.data(name).map((row) => ({...row})); } catch { continue; }
    }
    return null;
}"""
"""The rows of a data set of the first live chart that has it, or null."""


def held(page: Page, name: str, id: str = "besiroglu2024") -> ChinchillaLaw:
    """Press the slider of a constant and move it a little; returns the law with what the field then shows."""
    slider = page.locator(f".knob[data-name={name}] input.slide")
    box = slider.bounding_box()
    assert box is not None
    share = slider.evaluate("(s) => (s.value - s.min) / (s.max - s.min)")
    x, y = box["x"] + 8 + share * (box["width"] - 16), box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(6):
        page.mouse.move(x + 2 * k, y)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    value = float(page.locator(f".knob[data-name={name}] input.exact").input_value())
    constants = preset(id).law.constants
    assert value != constants[name]
    return ChinchillaLaw(**{**constants, name: value})


def rows(page: Page, data: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(VIEW, data)
    return found
