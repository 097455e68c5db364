"""Every page in a real browser: it shows something, breaks nothing, asks no other host, and loads no torch."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import AppServer, Witness

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

PAGES = ("Calculator", "GPT-3 vs Chinchilla", "Synthetic demo", "Run on my Mac")
PATHS = ("/", "/models", "/demo", "/lab")
STREAMLIT_PROBES = re.compile(r"/_stcore/(health|host-config)$")
"""Before it knows its base path, Streamlit's client asks for these below the page's own address, and is told 404."""


def quiet(page: Page) -> None:
    """Waits until the script has run and every chart has drawn itself."""
    expect(page.locator("[data-testid=stAppViewContainer]")).to_be_visible()
    expect(
        page.locator("[data-testid=stMainBlockContainer] h1, [data-testid=stMainBlockContainer] h2").first
    ).to_be_visible()
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    for chart in page.locator("[data-testid=stVegaLiteChart]").all():
        expect(chart.locator("canvas, svg").first).to_be_visible()


def no_traceback(page: Page) -> None:
    """Neither Streamlit's exception box nor a Python traceback stands on the page."""
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
    assert "Traceback" not in page.locator("body").inner_text()
    expect(page.locator("[data-testid=stMain] [data-testid=stAlertContentError]")).to_have_count(0)


def mapped_files(pid: int) -> list[str]:
    """Every file that a process has mapped into memory, its native libraries above all."""
    maps = Path(f"/proc/{pid}/maps")
    if maps.exists():
        return [
            line.split(maxsplit=5)[5] for line in maps.read_text().splitlines() if line.count(" ") > 5 and "/" in line
        ]
    return [str(region.path) for region in psutil.Process(pid).memory_maps()]


def test_every_page_opens_without_an_error_or_a_stranger(app_server: AppServer, page: Page, witness: Witness) -> None:
    page.goto(app_server.url)
    for name in PAGES:
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
        quiet(page)
        no_traceback(page)
    assert witness.urls, "the witness saw no request at all"
    witness.check()


@pytest.mark.parametrize("path", PATHS)
def test_a_fresh_server_opens_any_page_from_its_address(
    app_server: AppServer, page: Page, witness: Witness, path: str
) -> None:
    app_server.kill()
    app_server.start()
    probes: list[str] = []
    page.on("response", lambda answer: probes.append(answer.url) if answer.status >= 400 else None)
    page.goto(app_server.url + path)
    quiet(page)
    no_traceback(page)
    for name in PAGES:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    assert [url for url in probes if not STREAMLIT_PROBES.search(url)] == []
    assert witness.strangers() == []


def test_the_server_has_not_loaded_torch(app_server: AppServer, page: Page) -> None:
    page.goto(app_server.url)
    for name in PAGES:
        page.get_by_role("link", name=name, exact=True).click()
        quiet(page)
    files = mapped_files(app_server.pid)
    assert any("numpy" in file for file in files), "the process's libraries could not be read"
    assert [file for file in files if re.search(r"libtorch|/torch/", file)] == []


def test_nothing_is_cut_off_at_the_side(app_server: AppServer, page: Page) -> None:
    page.goto(app_server.url)
    for name in PAGES:
        page.get_by_role("link", name=name, exact=True).click()
        quiet(page)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{name} is {over} pixels wider than the window"
