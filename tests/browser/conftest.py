"""A running app and a browser that writes down every request, console error and page error it sees."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scaling_core.viz.live import script
from tests.browser.twins import NAMES

ROOT = Path(__file__).resolve().parents[2]
HERE = "127.0.0.1"
START_SECONDS = 60.0
PAGE_PATIENCE = 60_000
"""Milliseconds that a page may take to answer while other tests and trainings share the processors with it."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_HOST = re.compile(r"^(data|blob|about|chrome|devtools):")
OWN_GUESSES = re.compile(r"/\w+/_stcore/(health|host-config)$")
"""On the address of an inner page, Streamlit's browser side first asks for these beneath it, and then at the root."""

CURRENT = "[data-testid=stTopNavLink][aria-current=page]"
"""The page that is open, as the navigation marks it, shown or in its menu."""

expect.set_options(timeout=PAGE_PATIENCE)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((HERE, 0))
        return int(listener.getsockname()[1])


@dataclass(kw_only=True)
class AppServer:
    """A Streamlit server of this app with a lab of its own; `kill` and `start` may follow one another.

    home: its SCALING_LAB_HOME. port: the same before and after a restart, so that a page's address stays good.
    script: what Streamlit runs. command: what Python is given to be Streamlit.
    """

    home: Path
    log: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    script: str = "streamlit_app.py"
    command: tuple[str, ...] = ("-m", "streamlit")
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the first page, without a slash at its end."""
        return f"http://{HERE}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the server; raises AssertionError when none was started."""
        assert self.process is not None, "the server is not running"
        return self.process.pid

    def start(self) -> None:
        """Starts the server and returns once it answers; raises AssertionError with its log when it does not."""
        assert self.process is None or self.process.poll() is not None, "the server runs already"
        options = ("--server.port", str(self.port), "--server.headless", "true")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.command, "run", self.script, *options],
                cwd=ROOT,
                env={**os.environ, "SCALING_LAB_HOME": str(self.home), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if self.healthy():
                return
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the server did not answer within {START_SECONDS:.0f} s; its log:\n{self.text()}")

    def healthy(self) -> bool:
        """Whether the server answers its own health check."""
        connection = http.client.HTTPConnection(HERE, self.port, timeout=2)
        try:
            connection.request("GET", "/_stcore/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """Kills the server process alone, as a crash would; what it had started detached lives on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            self.process = None

    def text(self) -> str:
        """What the server has written so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextlib.contextmanager
def serving(folder: Path, end_lab: Callable[[Path], None]) -> Iterator[AppServer]:
    """The app on a free port over an empty lab in `folder`; gone at the end with all it started.

    What charts are made of is made once for all such servers.
    """
    home, made = folder / "lab home", folder.parent / "made"
    made.mkdir(exist_ok=True)
    home.mkdir()
    (home / "made").symlink_to(made, target_is_directory=True)
    server = AppServer(home=home, log=folder / "server.log")
    try:
        server.start()
        yield server
    finally:
        server.kill()
        end_lab(home)


@pytest.fixture(scope="session")
def app_server(
    tmp_path_factory: pytest.TempPathFactory, chromium: str, end_lab: Callable[[Path], None]
) -> Iterator[AppServer]:
    """One server for every test that neither ends it nor trains: what one viewer did must not trouble the next."""
    with serving(tmp_path_factory.mktemp("app server"), end_lab) as server:
        yield server


@pytest.fixture(scope="session")
def own_server(
    tmp_path_factory: pytest.TempPathFactory, chromium: str, end_lab: Callable[[Path], None]
) -> Iterator[AppServer]:
    """Another, for the tests that kill it, start it again, or train with it."""
    with serving(tmp_path_factory.mktemp("own server"), end_lab) as server:
        yield server


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless browser for a module of tests; closed with it, because Playwright holds the thread's event loop."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        opened.close()


@dataclass(kw_only=True)
class Witness:
    """What a page did: the addresses it asked, their hosts, and its console errors and uncaught exceptions."""

    hosts: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listens to `page` from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.on("request", lambda request: self._address(request.url))
        page.on("websocket", lambda channel: self._address(channel.url))

    def _console(self, message: Any) -> None:
        where = str(message.location.get("url", ""))
        if message.type == "error" and not OWN_GUESSES.search(where):
            self.errors.append(f"console: {message.text} ({where})")

    def _address(self, url: str) -> None:
        if NO_HOST.match(url):
            return
        self.urls.append(url)
        self.hosts.append(urlsplit(url).hostname or url)

    def strangers(self) -> list[str]:
        """Every address asked that is not this machine's."""
        return [url for url, host in zip(self.urls, self.hosts, strict=True) if host != HERE]

    def check(self) -> None:
        """Raises AssertionError where another host was asked or an error was seen."""
        assert self.strangers() == [], f"the page asked another host: {self.strangers()}"
        assert self.errors == [], f"the page reported errors: {self.errors}"


def at_rest(page: Page) -> None:
    """Waits until the page's script has run: while it runs, what it replaces and what it writes stand side by side."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def open_page(page: Page, name: str) -> None:
    """Follows the link of the navigation with this name, out of its menu where the window is too narrow for all."""
    page.get_by_test_id("stTopNavLink").filter(has_text=name).wait_for(state="attached")
    at_rest(page)
    shown = page.locator(".rc-overflow-item:not([aria-hidden=true])")
    link = shown.get_by_role("link", name=name, exact=True)
    if link.count() == 0:
        shown.get_by_test_id("stTopNavSection").last.click()
        link = page.get_by_role("menuitem", name=name, exact=True)
    link.click()
    expect(page.locator(CURRENT).filter(has_text=name)).to_have_count(1)


@pytest.fixture
def witness() -> Witness:
    """The record of the page that this test opens."""
    return Witness()


@pytest.fixture
def page(browser: Browser, witness: Witness) -> Iterator[Page]:
    """A fresh page of 1280x720, watched by `witness`; on failure nothing is left open."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    context.set_default_timeout(PAGE_PATIENCE)
    opened = context.new_page()
    witness.watch(opened)
    try:
        yield opened
    finally:
        context.close()


@pytest.fixture(scope="module")
def lab(browser: Browser) -> Iterator[Page]:
    """An empty page in which the functions of the live charts are `lab`."""
    page = browser.new_page()
    page.evaluate(
        "([source, names]) => { globalThis.lab = new Function(source + `; return { ${names} };`)(); }",
        [script("law", "bus", "rows", "beyond"), NAMES],
    )
    yield page
    page.close()
