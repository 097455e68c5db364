"""Every page in a real browser: it shows something, breaks nothing, asks no other host, and loads no torch."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import AppServer, Witness, at_rest, open_page

pytestmark = pytest.mark.browser

PAGES = (
    "Calculator",
    "GPT-3 vs Chinchilla",
    "Beyond the optimum",
    "Plan a training",
    "Fit your runs",
    "Synthetic demo",
    "Run on my Mac",
    "Talk check",
    "Learn",
)
STREAMLIT_PROBES = re.compile(r"/_stcore/(health|host-config)$")
"""Before it knows its base path, Streamlit's client asks for these below the page's own address, and is told 404."""


DRAWN = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map((host) => host.shadowRoot?.querySelector('.chart')).filter((chart) => chart?.clientWidth)
    .every((chart) => chart.querySelector('canvas'))"""


def quiet(page: Page) -> None:
    """Waits until the script has run and every chart has drawn itself."""
    main = page.locator("[data-testid=stMainBlockContainer]")
    expect(main.locator("h1, h2").first).to_be_visible()
    at_rest(page)
    page.wait_for_function(DRAWN)


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


def test_every_page_opens_and_torch_stays_outside(app_server: AppServer, page: Page, witness: Witness) -> None:
    page.goto(app_server.url)
    for name in PAGES:
        open_page(page, name)
        quiet(page)
        no_traceback(page)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{name} is {over} pixels wider than the window"
    assert witness.urls, "the witness saw no request at all"
    witness.check()
    files = mapped_files(app_server.pid)
    assert any("numpy" in file for file in files), "the libraries of the server could not be read"
    assert [file for file in files if re.search(r"libtorch|/torch/", file)] == []


@pytest.mark.parametrize("path", ["/", "/story"])
def test_at_twice_the_zoom_nothing_is_cut_and_every_page_can_be_reached(
    app_server: AppServer, page: Page, witness: Witness, path: str
) -> None:
    page.set_viewport_size({"width": 640, "height": 360})
    page.goto(app_server.url + path)
    page.locator("h1").first.wait_for()
    at_rest(page)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Talk check").click()
    expect(page.locator("h1").first).to_contain_text("hold")
    witness.check()


@pytest.mark.parametrize("path", ["/models", "/lab?sweep=new"])
def test_a_fresh_server_opens_a_page_from_its_address(
    own_server: AppServer, page: Page, witness: Witness, path: str
) -> None:
    own_server.kill()
    own_server.start()
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(own_server.url + path)
    quiet(page)
    no_traceback(page)
    for name in PAGES:
        expect(page.get_by_test_id("stTopNavLink").filter(has_text=name)).to_have_count(1)
    assert [url for url in refused if not STREAMLIT_PROBES.search(url)] == []
    assert witness.strangers() == []


def test_boxes_and_buttons_speak_the_language_that_was_switched_to_and_keep_their_choice(
    app_server: AppServer, page: Page, witness: Witness
) -> None:
    def box(key: str) -> Locator:
        return page.locator(f".st-key-{key}").get_by_role("combobox")

    def speak(word: str) -> None:
        at_rest(page)
        page.locator(".st-key-language-switch button").first.click()
        page.get_by_test_id("stTopNavLink").filter(has_text=word).wait_for(state="attached")

    page.goto(f"{app_server.url}/plan")
    at_rest(page)
    box("plan-given").click()
    page.get_by_role("option", name="Money", exact=True).click()
    speak("规划一次训练")
    expect(box("plan-given")).to_have_value("费用")
    expect(page.get_by_test_id("stSidebar").get_by_role("combobox").first).to_have_value(re.compile("完整精度"))
    page.goto(f"{app_server.url}/lab?sweep=new&lang=zh")
    page.get_by_text("快速，一小时").click()
    speak("Run on my Mac")
    expect(page.get_by_role("radio", name="Quick, an hour")).to_be_checked()
    expect(box("lab-device")).to_have_value(re.compile("Automatic"))
    expect(box("lab-chooser")).to_have_value("New ladder")
    witness.check()
