"""What a room sees: frames while a constant is dragged, release to redraw, every page, start to interactive.

    python benchmarks/stage.py --rounds 5 --size 1920x1080

Each is measured beside a page of one slider and one line of text, on the same machine, in turns in the same run; the
pages also beside pages of as many plain lines as they have elements, which take what the framework takes without
charts, words or numbers of ours. Needs Chromium and what requirements-test.txt lists.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from benchmarks.stage_page import (  # noqa: E402
    FIELDS,
    Drag,
    Release,
    Turn,
    Watched,
    at_hand,
    drag,
    ready,
    releases,
    settled,
    turn_to,
)  # fmt: skip
from benchmarks.timed_server import KEPT, written  # noqa: E402
from tests.browser.conftest import FLAGS, AppServer  # noqa: E402

PLAIN = (1, 40, 160)
"""Lines of the plain pages; between them their time is taken to grow evenly."""
TEXT_ONLY = f"""import streamlit as st

def text():
    st.header("A page of text")
    n = st.slider("n", 0, 100, 50)
    st.write(f"The slider stands at {{n}}.")

def plain(lines):
    st.header("Plain lines")
    for k in range(lines - 1):
        st.html(f"<p>Line {{k}} of {{lines}}</p>")

pages = [st.Page(text, title="Text")]
pages += [st.Page(lambda k=k: plain(k), title=f"{{k}} lines", url_path=f"plain{{k}}") for k in {PLAIN}]
st.navigation(pages, position="top").run()
"""
CHROMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZES = ("1280x720", "1920x1080")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table; 0 when all was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5, help="turns, the app and the page of text one after the other")
    parser.add_argument("--size", choices=SIZES, default=SIZES[0], help="of the window")
    parser.add_argument("--steps", type=int, default=120, help="movements of the hand in each drag")
    asked = parser.parse_args(arguments)
    width, height = (int(part) for part in asked.size.split("x"))
    chrome = next((path for name in CHROMES if (path := shutil.which(name))), None)
    if chrome is None:
        print("No Chromium here.", file=sys.stderr)
        return 2
    with servers() as (app, text), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chrome, args=list(FLAGS))
        starts: dict[str, list[tuple[float, float]]] = {"app": [], "text": []}
        for _ in range(1 + max(1, asked.rounds // 2)):
            for name, server in (("app", app), ("text", text)):
                starts[name].append(started(browser, server, width, height))
        print(f"Window {width} x {height}; {asked.rounds} rounds. Milliseconds; beside them the page of text.")
        for name, chosen in (("first start of all", slice(1)), ("later starts", slice(1, None))):
            for k, what in enumerate(("a slider stands", "all charts drawn")):
                line(f"{name}: {what}", *([one[k] for one in starts[of][chosen]] for of in ("app", "text")))
        with opened(browser, app, width, height) as page, opened(browser, text, width, height) as other:
            turns(page, other, asked.rounds, asked.steps, lambda: written(Path(app.environment[KEPT])))
        browser.close()
    return 0


def turns(page: Watched, other: Watched, rounds: int, steps: int, told: Callable[[], list[float]]) -> None:
    """Measure on both pages in turns, and print. told: how long the app's scripts took on the server, so far."""
    settled(page.page)
    settled(other.page)
    drags: list[Drag] = []
    moved: dict[str, list[Release]] = {"app": [], "text": []}
    for _ in range(rounds):
        drags += [drag(page, name, steps) for name in FIELDS]
        moved["app"] += releases(page.page, 10)
        moved["text"] += releases(other.page, 10)
    work = [spent for one in drags for spent in one.work]
    said = f"{len(work)} frames, {sum(one.sent for one in drags)} messages to the server"
    print(f"{'frames while dragging, work':34s} {spread(work)}   {said}")
    text = [one.rest for one in moved["text"]]
    line("release to the hand's picture", [one.hand for one in moved["app"] if one.hand is not None], text)
    line("release to Python's picture", [one.answer for one in moved["app"] if one.answer is not None], text)
    line("release to the page at rest", [one.rest for one in moved["app"]], text)
    plain = turn_to(other.page, rounds)
    text = [one.rest for one in plain.pop("Text")]
    for name, turned in turn_to(page.page, rounds, told).items():
        runs = max(len(one.scripts) for one in turned)
        print(f"{name} ({runs} runs)" if runs > 1 else name)
        print(f"{'  its script on the server':34s} {spread([spent for one in turned for spent in one.scripts])}")
        line("  click to what the window shows", [one.shown for one in turned], text)
        line("  click to the last change", [one.rest for one in turned], text)
        elements = turned[-1].elements
        print(f"  {elements} elements, which take {floor(plain, elements):.0f} ms as plain lines")


def floor(plain: dict[str, list[Turn]], elements: int) -> float:
    """Milliseconds, the median, in which a page of so many plain lines comes to rest."""
    known = sorted((turned[-1].elements, statistics.median(one.rest for one in turned)) for turned in plain.values())
    return float(np.interp(elements, [count for count, _ in known], [spent for _, spent in known]))


def line(name: str, ours: Sequence[float], text: Sequence[float]) -> None:
    """One row: ours, the page of text, and the ratio of their medians."""
    ratio = statistics.median(ours) / statistics.median(text)
    print(f"{name:34s} {spread(ours)}   text {spread(text)}   ratio {ratio:.2f}")


def spread(values: Sequence[float]) -> str:
    """Median, ninetieth and ninety-fifth percentile."""
    ordered = sorted(values)
    p50, p90, p95 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.9, 0.95))
    return f"p50 {p50:7.1f}  p90 {p90:7.1f}  p95 {p95:7.1f}"


@contextlib.contextmanager
def servers() -> Iterator[tuple[AppServer, AppServer]]:
    """The app over an empty lab, and the page of text; both ended and removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        home, script = Path(folder, "lab"), Path(folder, "text.py")
        home.mkdir()
        script.write_text(TEXT_ONLY, encoding="utf-8")
        app = AppServer(
            home=home, log=Path(folder, "app.log"), command=("-m", "benchmarks.timed_server"),
            environment={KEPT: str(Path(folder, "times.txt"))},
        )  # fmt: skip
        text = AppServer(home=home, log=Path(folder, "text.log"), script=str(script))
        try:
            yield app, text
        finally:
            app.kill()
            text.kill()


def started(browser: Browser, server: AppServer, width: int, height: int) -> tuple[float, float]:
    """Milliseconds from the command to a page with a slider, and to one whose charts are all drawn."""
    server.kill()
    begun = time.perf_counter()
    server.start()
    with opened(browser, server, width, height) as watched:
        at_hand(watched.page)
        first = 1e3 * (time.perf_counter() - begun)
        ready(watched.page)
        return first, 1e3 * (time.perf_counter() - begun)


@contextlib.contextmanager
def opened(browser: Browser, server: AppServer, width: int, height: int) -> Iterator[Watched]:
    """The first page of a server, just asked for, started where it is not."""
    if server.process is None:
        server.start()
    context = browser.new_context(viewport={"width": width, "height": height})
    try:
        watched = Watched(page=context.new_page())
        watched.begin()
        watched.page.goto(server.url, wait_until="commit")
        yield watched
    finally:
        context.close()


if __name__ == "__main__":
    sys.exit(main())
