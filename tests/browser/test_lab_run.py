"""A real ladder from the page: started, watched, its server killed, found again, finished, downloaded, deleted."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from scaling_core.fit import read_csv
from scaling_core.runs.store import Store
from tests.browser.conftest import AppServer, at_rest, open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 90_000
"""Milliseconds for what waits on training: a smoke ladder takes about 20 s on an idle machine."""


def button(page: Page, key: str) -> Locator:
    """The page's own button of that key; Streamlit's header has a Stop too."""
    return page.locator(f".st-key-{key} button").first


def press(page: Page, key: str) -> None:
    """Presses that button once the page has come to rest: while it is drawn anew, what follows a button moves it."""
    at_rest(page)
    button(page, key).click()


def measured(page: Page) -> int:
    """How many runs the page shows as measured; 0 while it shows none."""
    shown = page.get_by_text(re.compile(r"^\d+ / \d+$")).first
    expect(shown).to_be_visible(timeout=PATIENCE)
    return int(shown.inner_text().split("/")[0])


def wait_for(condition: Callable[[], bool], what: str, seconds: float = PATIENCE / 1000) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


def choose_smoke(page: Page) -> None:
    """The quickest mode, and its plan there to be started."""
    page.get_by_text("Smoke, 20 seconds").click()
    expect(page.get_by_text("A check that everything works")).to_be_visible()
    expect(button(page, "lab-start")).to_be_enabled(timeout=PATIENCE)


def sweep_in(page: Page) -> str:
    """The ladder that the address names."""
    page.wait_for_url(re.compile(r"sweep=smoke-[0-9a-f]{10}"), timeout=PATIENCE)
    found = re.search(r"sweep=(smoke-[0-9a-f]{10})", page.url)
    assert found is not None
    return found.group(1)


def child_of(home: Path, sweep: str) -> psutil.Process:
    """The process that trains the sweep."""
    with Store.open_reader(home) as store:
        row = store.sweep(sweep)
    assert row is not None
    return psutil.Process(row.pid)


def no_traceback(page: Page) -> None:
    assert "Traceback" not in page.locator("body").inner_text()
    expect(page.locator("[data-testid=stException]")).to_have_count(0)


def test_a_ladder_survives_the_server_and_is_taken_away(own_server: AppServer, page: Page) -> None:
    # The plan is there before anything is trained, after a measurement of this machine.
    page.goto(own_server.url)
    open_page(page, "Run on my Mac")
    expect(page.get_by_text("What will happen")).to_be_visible()
    choose_smoke(page)
    expect(page.get_by_role("cell", name="predicted first")).to_be_visible()

    # Start: the address names the ladder, points arrive.
    press(page, "lab-start")
    sweep = sweep_in(page)
    expect(button(page, "lab-stop")).to_be_visible(timeout=PATIENCE)
    child = child_of(own_server.home, sweep)
    wait_for(lambda: measured(page) >= 1, "a measured run on the page")
    no_traceback(page)

    # A second tab without an address finds it, and its Start says who trains.
    tab = page.context.new_page()
    tab.goto(f"{own_server.url}/lab")
    expect(button(tab, "lab-stop")).to_be_visible(timeout=PATIENCE)
    assert sweep_in(tab) == sweep
    tab.goto(f"{own_server.url}/lab?sweep=new")
    choose_smoke(tab)
    press(tab, "lab-start")
    expect(tab.get_by_text("cpu is busy")).to_be_visible(timeout=PATIENCE)
    assert sweep_in(tab) == sweep
    tab.close()

    # The server dies; the training does not notice.
    assert child.is_running(), "the ladder ended before the server could be killed: make it longer"
    own_server.kill()
    assert child.is_running()
    own_server.start()
    page.goto(f"{own_server.url}/lab?sweep={sweep}")
    expect(page.get_by_text(re.compile(r"^Trained in "))).to_be_visible(timeout=PATIENCE)

    # It is the same ladder, whole, with its prediction beside the measurement.
    with Store.open_reader(own_server.home) as store:
        row, runs, foretold = store.sweep(sweep), store.runs(sweep), store.predictions(sweep)
        assert len(store.sweeps()) == 1
    assert row is not None
    assert row.state == "finished"
    assert row.pid == child.pid, "another process finished it"
    expect(page.get_by_text(f"{len(runs)} / {len(runs)}", exact=True)).to_have_count(1)
    loss = next(run.loss for run in runs if run.id == foretold[-1].run_id)
    assert loss is not None
    said = f"Predicted {foretold[-1].loss:.3f}, measured {loss:.3f}: off by "
    expect(page.locator("h1")).to_have_text(re.compile(f"^{re.escape(said)}"))
    for prediction in foretold:
        run = next(run for run in runs if run.id == prediction.run_id)
        assert run.finished_at is not None
        assert prediction.made_at < run.finished_at
    no_traceback(page)

    # Its results, as CSV and JSON.
    with page.expect_download() as taken:
        press(page, "lab-csv")
    text = Path(taken.value.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [line["id"] for line in rows] == [run.id for run in runs]
    assert [float(line["loss"]) for line in rows] == [run.loss for run in runs]
    assert {line["sweep"] for line in rows} == {sweep}
    assert len(read_csv(text.encode())) == len(runs)
    with page.expect_download() as taken:
        press(page, "lab-json")
    found = json.loads(Path(taken.value.path()).read_text())
    assert found["prediction"]["measured"] == loss
    assert found["sweep"] == sweep

    # Deleting asks; keeping keeps.
    press(page, "lab-delete")
    press(page, "lab-delete-no")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert (own_server.home / "sweeps" / sweep).exists()
    press(page, "lab-delete")
    press(page, "lab-delete-yes")
    expect(button(page, "lab-start")).to_be_visible(timeout=PATIENCE)
    assert not (own_server.home / "sweeps" / sweep).exists()
    with Store.open_reader(own_server.home) as store:
        assert store.sweep(sweep) is None


def test_a_ladder_is_stopped_killed_and_resumed_from_the_page(own_server: AppServer, page: Page) -> None:
    page.goto(f"{own_server.url}/lab?sweep=new")
    choose_smoke(page)
    press(page, "lab-start")
    sweep = sweep_in(page)
    wait_for(lambda: measured(page) >= 1, "a measured run on the page")

    press(page, "lab-stop")
    expect(page.get_by_text(re.compile(r"^Stopped after \d+ of \d+ runs"))).to_be_visible(timeout=PATIENCE)
    before = measured(page)

    press(page, "lab-resume")
    expect(button(page, "lab-stop")).to_be_visible(timeout=PATIENCE)
    child = child_of(own_server.home, sweep)
    child.kill()
    expect(page.get_by_text(re.compile(r"^Interrupted after \d+ of \d+ runs"))).to_be_visible(timeout=PATIENCE)
    expect(button(page, "lab-resume")).to_be_visible()
    assert measured(page) >= before
    no_traceback(page)
