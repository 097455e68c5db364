"""What follows the hand beside the calculator's first picture: the plane and table of the models, and the refits."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from scaling_core.catalog import model
from scaling_core.optimum import judge, optimal_for_compute
from scaling_core.talk import claims
from scaling_core.ui.words import verdict_cells
from scaling_core.viz.talk import ratio_chart
from scaling_core.viz.theme import light
from tests.browser.conftest import AppServer, Witness, at_rest
from tests.browser.hand import VIEW, held, rows

pytestmark = pytest.mark.browser


def opened(app_server: AppServer, page: Page, path: str, data: str) -> None:
    """A page at its address, its script run and the chart with this data set drawn."""
    page.goto(f"{app_server.url}{path}")
    page.locator(".knob[data-name=beta]").wait_for()
    at_rest(page)
    page.wait_for_function(f"(name) => ({VIEW})(name) !== null", arg=data)


def test_plane_and_table_of_the_models_follow_the_hand(app_server: AppServer, page: Page, witness: Witness) -> None:
    opened(app_server, page, "/models?law=besiroglu2024", "line_names")
    assert "my constants" not in {row["line"] for row in rows(page, "lines")}
    law = held(page, "beta")
    strong = [row for row in rows(page, "lines") if row["width"] > 4]
    assert {row["line"] for row in strong} == {"my constants"}
    for row, C in zip(strong, (1e18, 1e30), strict=True):
        assert row["N"] == pytest.approx(optimal_for_compute(law, C).N, rel=1e-9)
    gpt3 = model("gpt3")
    wanted = verdict_cells("GPT-3", judge(law, gpt3.N, gpt3.tokens))
    cells = page.locator(".words tbody tr").first.locator("td")
    expect(cells).to_have_text(wanted)
    page.mouse.up()
    expect(page.get_by_role("button", name="Back to")).to_be_visible()
    at_rest(page)
    expect(cells).to_have_text(wanted)
    witness.check()


def test_the_refits_stay_and_ones_own_constants_move_among_them(
    app_server: AppServer, page: Page, witness: Witness
) -> None:
    opened(app_server, page, "/?law=besiroglu2024", "cloud")
    page.wait_for_function(f"(name) => ({VIEW})(name) !== null", arg="bars")
    page.locator(".st-key-cloud").scroll_into_view_if_needed()
    before = {name: rows(page, name) for name in ("cloud", "bars", "band")}
    assert (len(before["cloud"]), len(rows(page, "points"))) == (500, 1)
    law = held(page, "alpha")
    assert {name: rows(page, name) for name in before} == before
    _, own = rows(page, "points")
    assert (own["x"], own["y"]) == pytest.approx((law.alpha, law.beta), rel=1e-12)
    _, best = rows(page, "lines")
    assert best["N"] == pytest.approx(optimal_for_compute(law, 3.15e23).N, rel=1e-9)
    page.mouse.up()
    expect(page.get_by_role("button", name="Back to")).to_be_visible()
    at_rest(page)
    witness.check()


def test_pictures_outside_of_the_window_wait_until_they_are_seen(
    app_server: AppServer, page: Page, witness: Witness
) -> None:
    opened(app_server, page, "/?law=besiroglu2024", "floor")
    floor, ridge = rows(page, "floor")[0]["loss"], rows(page, "ridge")
    law = held(page, "E")
    assert rows(page, "ridge") != ridge, "what the window shows follows the hand"
    assert rows(page, "floor")[0]["loss"] == floor, "the slices are below the window"
    page.locator(".st-key-slice-N").evaluate("(one) => one.scrollIntoView()")
    page.wait_for_function(f"(old) => ({VIEW})('floor')[0].loss !== old", arg=floor)
    assert rows(page, "floor")[0]["loss"] == pytest.approx(law.E, rel=1e-12)
    page.mouse.up()
    witness.check()


def test_a_chart_that_follows_nothing_draws_what_python_sent(
    app_server: AppServer, page: Page, witness: Witness
) -> None:
    page.goto(f"{app_server.url}/talk")
    page.wait_for_function(f"(name) => ({VIEW})(name)?.length > 0", arg="wrong")
    sent = ratio_chart(claims(), light()).data
    for name in ("wrong", "right", "heads"):
        drawn = [{str(key): row[str(key)] for key in sent[name]} for row in rows(page, name)]
        assert drawn == sent[name].to_dict("records")
    picture = page.locator(".st-key-ratios [role=img]")
    expect(picture).to_have_attribute("aria-label", re.compile("ratio of each printed number"))
    box = picture.bounding_box()
    assert box is not None
    assert box["height"] > 600, "every line has its room"
    witness.check()


def test_where_vega_did_not_come_the_next_page_asks_again(app_server: AppServer, page: Page) -> None:
    asked: list[str] = []

    def once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    page.route(re.compile(r":\d+/media/"), once)
    page.goto(f"{app_server.url}/talk")
    page.locator(".sl-sentence").first.wait_for()
    page.wait_for_function("() => window.scalingLab?.failed === 1")
    assert rows(page, "wrong") is None
    link = page.locator("[data-testid=stTopNavLink]")
    link.filter(has_text="Calculator").evaluate("(one) => one.click()")
    page.wait_for_function(f"(name) => ({VIEW})(name)?.length > 0", arg="ridge")
    link.filter(has_text="Talk").evaluate("(one) => one.click()")
    page.wait_for_function(f"(name) => ({VIEW})(name)?.length > 0", arg="wrong")
    assert len(asked) == 2, "once it is there it is not fetched again"
