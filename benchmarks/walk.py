"""A random walk of real interactions over every page and both languages, with the memory of the server beside it.

    python benchmarks/walk.py --steps 2000 --seed 1

Each step does one thing that a person could do to what is in sight: turns a page, presses, types, chooses, drags, goes
back, changes the language or the window. It ends at the first traceback, console error or request to another host, with
the steps that led there. Trainings are not started: everything else on the page is used. The server is started with
what `quickstart.sh` sets for the memory of its threads.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from playwright.sync_api import Error, Locator, Page, sync_playwright  # noqa: E402

from tests.browser.conftest import FLAGS, AppServer, Witness, at_rest  # noqa: E402

MISSED = "missed:"
FIRST = 200
"""Steps after which the server's memory is taken as its own."""
BREATH = 120
"""Milliseconds after each step: what it set off has begun by then, and no hand is quicker."""
TYPED = (
    "70B", "1.4T", "3.15e23", "0.34", "-1", "1e999", "nan", "", "0", "６e21", "7000 亿", "<b>", "a" * 80,
    "'; DROP TABLE runs; --", "1e-9", "12", "9" * 40,
)  # fmt: skip
TABLES = (
    b"params,tokens,loss\n1e8,2e9,3.1\n2e8,4e9,2.9\n4e8,8e9,2.7\n8e8,1.6e10,2.55\n1.6e9,3e10,2.43\n3e9,6e10,2.33\n",
    b"params,tokens,loss\n1e8,2e9\n",
    b"\x00\xff\xfe" * 50,
    b"",
)
KEYS = ("p", "p", "Escape", "n", "ArrowRight", "ArrowLeft", "Home", "PageDown", "r", "Tab", "Enter")
SIZES = ((1280, 720), (1920, 1080), (900, 700))
STARTS = re.compile(
    r"^(Train|Start training|Measure|Resume|Extend|Fetch|Start the check|开始训练|训练|测量|继续|扩展|获取)"
)
"""Buttons that start a process of minutes."""
SEEN = (
    "[data-testid=stSidebar] {0}, [data-testid=stMain] {0}, .stApp [data-testid=stPopoverBody] {0}, [role=dialog] {0}"
)


@dataclass(kw_only=True, slots=True)
class Walk:
    """A walker with its dice, and the last things that it did."""

    page: Page
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    path: list[str] = field(default_factory=list)

    def step(self) -> None:
        """Do one thing; raises AssertionError where the page shows that something broke."""
        ways: list[Callable[[], str]] = [self.turn, self.press, self.move, self.type, self.choose, self.tick]
        ways += [self.key, self.back, self.speak, self.resize, self.upload, self.unfold]
        weights = [6, 10, 10, 6, 8, 5, 4, 1, 1, 1, 1, 3]
        said = MISSED
        while said.startswith(MISSED):  # only what was done counts
            way = self.dice.choices(ways, weights)[0]
            try:
                said = way()
            except Error as error:  # what was in sight went away, or lies under something else
                said = f"{MISSED} {error.message.splitlines()[0]}"
            self.done[MISSED if said.startswith(MISSED) else way.__name__] += 1
            self.path.append(f"{way.__name__} {said}")
        self.page.wait_for_timeout(BREATH)
        at_rest(self.page)
        broken = self.page.locator("[data-testid=stException]").count()
        assert not broken, f"an exception is shown after {self.path[-5:]}"
        assert "Traceback" not in self.page.locator("body").inner_text(), f"a traceback after {self.path[-5:]}"

    def one_of(self, selector: str) -> Locator | None:
        """Something in sight of that kind."""
        found = [one for one in self.page.locator(SEEN.format(selector)).all() if one.is_visible() and one.is_enabled()]
        return self.dice.choice(found) if found else None

    def turn(self) -> str:
        """To another page."""
        links = self.page.locator("[data-testid=stTopNavLink]").all()
        if not links:
            return f"{MISSED} no navigation in the presenter view"
        link = self.dice.choice(links)
        name = link.text_content() or ""
        link.evaluate("(link) => link.click()")
        return name

    def press(self) -> str:
        """A button."""
        button = self.one_of("button")
        name = (button.inner_text() or button.get_attribute("aria-label") or "") if button else ""
        if button is None or STARTS.search(name.strip()):
            return f"{MISSED} none that may be pressed"
        if button.evaluate("(one) => one.closest('[data-testid=stDownloadButton]') !== null"):
            with self.page.expect_download(timeout=20_000):  # whoever goes on at once gets no file
                button.click(timeout=2000)
        else:
            button.click(timeout=2000)
        return name

    def move(self) -> str:
        """A slider, by key or by hand."""
        slider = self.one_of("input[type=range]")
        if slider is None:
            return f"{MISSED} no slider"
        box = slider.bounding_box(timeout=2000)
        if box and self.dice.random() < 0.4:
            y = box["y"] + box["height"] / 2
            self.page.mouse.move(box["x"] + self.dice.random() * box["width"], y)
            self.page.mouse.down()
            for _ in range(4):
                self.page.mouse.move(box["x"] + self.dice.random() * box["width"], y)
            self.page.mouse.up()
            return "by hand"
        slider.focus(timeout=2000)
        self.page.keyboard.press(self.dice.choice(["ArrowLeft", "ArrowRight", "Shift+ArrowLeft", "End", "Home"]))
        return "by key"

    def type(self) -> str:
        """A text into a field."""
        place = self.one_of(":is(input[type=text], input:not([type]), textarea):not([role=combobox])")
        if place is None:
            return f"{MISSED} no field"
        text = self.dice.choice(TYPED)
        place.fill(text, timeout=2000)
        place.press("Enter", timeout=2000)
        return repr(text)

    def choose(self) -> str:
        """An option of a box."""
        box = self.one_of("[role=combobox]")
        if box is None:
            return f"{MISSED} no box"
        box.click(timeout=2000)
        options = self.page.get_by_role("option").all()
        if not options:
            self.page.keyboard.press("Escape")
            return f"{MISSED} no option"
        option = self.dice.choice(options)
        name = option.inner_text(timeout=2000)
        option.click(timeout=2000)
        return name

    def tick(self) -> str:
        """A box to tick, a radio button, a toggle or a tab."""
        return self.click(":is([role=tab], [data-testid=stCheckbox] label, [data-testid=stRadioOption], [role=radio])")

    def unfold(self) -> str:
        """A part that opens and closes."""
        return self.click("[data-testid=stExpander] summary")

    def click(self, selector: str) -> str:
        """Something of that kind, by its text."""
        place = self.one_of(selector)
        if place is None:
            return f"{MISSED} nothing of that kind"
        place.click(timeout=2000)
        return place.inner_text(timeout=2000)

    def key(self) -> str:
        """A key of the presenter's."""
        key = self.dice.choice(KEYS)
        self.page.keyboard.press(key)
        return key

    def back(self) -> str:
        """The browser's button."""
        if self.page.evaluate("history.length") < 3:
            return f"{MISSED} nothing to go back to"
        self.page.go_back(timeout=20_000)
        self.page.locator("[data-testid=stApp]").wait_for()
        if not self.page.url.startswith("http"):
            self.page.go_forward()
        return self.page.url.rsplit("/", 1)[-1][:40]

    def speak(self) -> str:
        """The other language."""
        self.page.locator(".st-key-language-switch button").first.click(timeout=2000)
        return ""

    def resize(self) -> str:
        """Another window."""
        width, height = self.dice.choice(SIZES)
        self.page.set_viewport_size({"width": width, "height": height})
        return f"{width}x{height}"

    def upload(self) -> str:
        """A file, where one is asked for."""
        place = self.page.locator("[data-testid=stMain] input[type=file], [data-testid=stSidebar] input[type=file]")
        if place.count() == 0:
            return f"{MISSED} no upload"
        content = self.dice.choice(TABLES)
        place.first.set_input_files({"name": "runs.csv", "mimeType": "text/csv", "buffer": content})
        return f"{len(content)} bytes"


def memory(server: AppServer) -> float:
    """MiB that the server holds."""
    return float(psutil.Process(server.pid).memory_info().rss) / 2**20


def walk(page: Page, witness: Witness, server: AppServer, steps: int, seed: int) -> tuple[Walk, list[float]]:
    """Walk; the walker, and the server's memory in MiB after every hundred steps.

    Raises AssertionError for a traceback, a console error or a request to another host.
    """
    walker = Walk(page=page, dice=random.Random(seed))
    held = []
    for n in range(1, steps + 1):
        try:
            walker.step()
        except AssertionError as error:
            error.add_note(f"step {n}; the end of the server's log:\n{server.text()[-3000:]}")
            raise
        assert "Traceback" not in server.text(), f"step {n}, after {walker.path[-5:]}: {server.text()[-3000:]}"
        assert not witness.errors, f"step {n}: {witness.errors} after {walker.path[-5:]}"
        assert not witness.strangers(), f"step {n}: {witness.strangers()} after {walker.path[-5:]}"
        if n % 100 == 0:
            held.append(memory(server))
            print(f"{n} steps, the server holds {held[-1]:.0f} MiB", flush=True)
    return walker, held


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk and print; 0 where nothing broke and the memory stayed within a tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    chrome = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    if chrome is None:
        print("No Chromium here.", file=sys.stderr)
        return 2
    begun, witness = time.monotonic(), Witness()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = AppServer(
            home=Path(folder, "lab"), log=Path(folder, "server.log"), environment={"MALLOC_ARENA_MAX": "2"}
        )
        server.home.mkdir()
        server.start()
        try:
            browser = playwright.chromium.launch(executable_path=chrome, args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            witness.watch(page)
            page.goto(server.url)
            page.locator(".words h1").first.wait_for()
            walker, held = walk(page, witness, server, asked.steps, asked.seed)
            browser.close()
        finally:
            failed = "Traceback" in server.text()
            server.kill()
    first, last = held[min(len(held), FIRST // 100) - 1], held[-1]
    print(f"{asked.steps} steps in {time.monotonic() - begun:.0f} s: {dict(walker.done)}")
    print(f"memory of the server, MiB after every hundred steps: {', '.join(f'{one:.0f}' for one in held)}")
    print(f"after {FIRST} steps {first:.0f} MiB, at the end {last:.0f} MiB: {100 * (last / first - 1):+.1f}%")
    print(f"tracebacks in the server's log: {'yes' if failed else 'none'}")
    return int(failed or abs(last / first - 1) > 0.1)


if __name__ == "__main__":
    sys.exit(main())
