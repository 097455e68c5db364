"""Beyond the optimum in the browser against Python: the rows of its charts, its sentences and numbers, and the hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.stage_page import Watched, drag, settled
from scaling_core.catalog import models, preset
from scaling_core.language import LANGUAGES, Language, speaking
from scaling_core.laws import ChinchillaLaw, Law
from scaling_core.library import all_laws
from scaling_core.optimum import inference_optimal, served_for, smaller_model
from scaling_core.optimum.browser import browser_law
from scaling_core.ui import live_beyond
from scaling_core.units import format_quantity
from scaling_core.viz.beyond import lifetime_args, lifetime_chart, overtraining_args, overtraining_chart
from scaling_core.viz.isoflop import Mark
from scaling_core.viz.live import script
from scaling_core.viz.theme import light
from tests.browser import hand
from tests.browser.conftest import AppServer, Witness
from tests.browser.twins import alike, rows

pytestmark = pytest.mark.browser

LAWS = {one.id: one.joint for one in all_laws("joint")}
C, SERVED, TIMES = 3.15e23, 1e13, 2.0
MARKS = [Mark(name=m.name, N=m.N, D=m.tokens) for m in models() if m.tokens]


def moved(**constants: float) -> Law:
    return ChinchillaLaw(**{**preset("hoffmann2022").law.constants, **constants})


@pytest.mark.parametrize("served", [0.5 * SERVED, 1e6])
@pytest.mark.parametrize("id", LAWS)
def test_the_rows_of_both_charts(lab: Page, id: str, served: float) -> None:
    law = LAWS[id]
    figure = lifetime_chart(law, C, served, light())
    alike(rows(lab, "lifetime", law, {"C": C}, lifetime_args(figure, law, C, served)), figure.data)
    for times in (1.0, TIMES, 40.0):
        figure = overtraining_chart(law, times, MARKS, light())
        alike(rows(lab, "overtraining", law, {}, overtraining_args(figure, law, times, MARKS)), figure.data)


@pytest.mark.parametrize("law", [moved(alpha=0.38), moved(beta=0.33, E=1.8), moved(A=900.0)], ids=["a", "bE", "A"])
def test_what_is_still_in_the_hand_is_what_python_would_find(lab: Page, law: Law) -> None:
    """The picture is that of the published law; axes and amounts stay as they are, the rest is the new law's."""
    rest = moved()
    figure = lifetime_chart(rest, C, SERVED, light())
    args = lifetime_args(figure, rest, C, SERVED)
    found = rows(lab, "lifetime", law, {"C": C}, args)
    wanted = [inference_optimal(law, C=C, D_inference=amount) for amount in args["amounts"]]
    assert [row["N"] for row in found["minima"]] == pytest.approx([one.N for one in wanted], rel=1e-11)
    assert [row["total"] for row in found["minima"]] == pytest.approx([one.total_flops for one in wanted], rel=1e-11)
    assert [row["text"] for row in found["minima"]] == [format_quantity(one.N) for one in wanted]
    begun = overtraining_chart(rest, TIMES, MARKS, light())
    points = rows(lab, "overtraining", law, {}, overtraining_args(begun, rest, TIMES, MARKS))["points"]
    chosen = next(row for row in points if row["kind"] == "chosen")
    best = smaller_model(law, C=C, times=TIMES)
    assert (chosen["f"], chosen["ratio"]) == pytest.approx((best.fraction, best.compute_ratio), rel=1e-11)


@pytest.fixture(scope="module")
def writers(browser: Browser) -> Any:
    """A page in which the writers of the live words are `lab`."""
    page = browser.new_page()
    source = script("law", "bus", "rows", "beyond", "words").replace("export default function (", "function mounted (")
    page.evaluate(
        "(source) => { globalThis.lab = new Function(source + '; return { compileLaw, WRITERS };')(); }", source
    )
    yield page
    page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("id", LAWS)
def test_its_sentences_and_numbers(writers: Page, monkeypatch: pytest.MonkeyPatch, id: str, language: Language) -> None:
    """What Python sends to be said at rest is what the browser says of the same values."""
    law, sent = LAWS[id], []
    monkeypatch.setattr(live_beyond, "live_words", lambda *given, **named: sent.append((given[4], named)))
    with speaking(language):
        for amount in (SERVED, 1e9):
            found = inference_optimal(law, C=C, D_inference=amount)
            live_beyond.live_served(law, C, found, "a line", light())
        for times in (1.0, 1.7, 30.0):
            live_beyond.live_trained(law, C, smaller_model(law, C=C, times=times), times, light())
    assert len(sent) == 5
    for said, named in sent:
        data = {k: v for k, v in named.items() if k not in ("kind", "key")}
        told = writers.evaluate(
            """([kind, data, made, c]) => {
                const law = lab.compileLaw(made);
                return lab.WRITERS[kind](data, law, law.core(c), c);
            }""",
            [named["kind"], data, browser_law(law), law.constants],
        )
        assert told == {name: str(text) for name, text in said.items()}


def test_the_page_follows_the_hand(app_server: AppServer, page: Page, witness: Witness) -> None:
    watched = Watched(page=page)
    watched.begin()
    page.goto(f"{app_server.url}/beyond?law=hoffmann2022")
    settled(page)
    before = page.locator(".words .value").all_inner_texts()
    done = drag(watched, "alpha", 30)
    assert done.sent == 0
    assert done.seen > 5, "the answer did not follow"
    law = moved(alpha=float(page.locator(".knob[data-name=alpha] input.exact").input_value()))
    demand = served_for(law, np.array([smaller_model(law, C=C, times=TIMES).N]), C=C)[0]
    expect(page.locator(".words .value").last).to_have_text(format_quantity(float(demand)))
    assert len(page.locator(".words .value").all_inner_texts()) == len(before) == 7
    witness.check()


def test_curves_stay_while_a_constant_is_dragged_and_hang_on_the_budget_of_this_page(
    app_server: AppServer, page: Page, witness: Witness
) -> None:
    """The budget is a field here and no slider, so that no panel speaks of it; on the calculator one does."""
    page.goto(f"{app_server.url}/?law=hoffmann2022")
    budget = page.locator(".knob[data-name=C] input.exact")
    budget.fill("1e21")
    budget.press("Enter")
    expect(page.locator(".words .figures").first.locator(".value").first).to_have_text("2.22B")
    settled(page)
    view = "() => [...document.querySelectorAll('.st-key-isoflop *')].map((one) => one.shadowRoot).find(Boolean)"
    page.evaluate(f"() => {{ const root = ({view})(); window.first = root.querySelector('canvas'); }}")
    budget.fill("2e21")
    budget.press("Enter")
    settled(page)
    assert page.evaluate(f"() => ({view})().querySelector('canvas') === window.first"), "it was drawn from the start"
    page.locator("[data-testid=stTopNavLink]").filter(has_text="Beyond").click()
    field = page.get_by_role("textbox", name="Compute C, in FLOP")
    expect(field).to_have_value("2e21")
    field.fill("3.15e23")
    field.press("Enter")
    settled(page)
    law = moved()
    best = inference_optimal(law, C=C, D_inference=SERVED)
    expect(page.locator(".words h1").first).to_contain_text(format_quantity(best.N))
    assert "C" not in page.evaluate("() => window.scalingLab.channels.law.values")
    dragged = hand.held(page, "alpha", "hoffmann2022")
    served = [row for row in hand.rows(page, "minima") if row["N"]]
    wanted = inference_optimal(dragged, C=C, D_inference=SERVED)
    assert any(row["N"] == pytest.approx(wanted.N, rel=1e-9) for row in served)
    assert len(hand.rows(page, "curves")) > 50
    page.mouse.up()
    witness.check()
