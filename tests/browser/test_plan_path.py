"""A newcomer's path: hardware, a plan, its configuration, started in the lab, its points on the predicted curve."""

from __future__ import annotations

import re
import sys

import pytest
from playwright.sync_api import Locator, Page, expect

from scaling_core.catalog import preset
from scaling_core.hardware import device
from scaling_core.lab.spec import DeviceName
from scaling_core.planning import TrainingBudget, budgeted, machine
from scaling_core.planning.architecture import architecture_for
from scaling_core.planning.ladder import lab_ladder
from scaling_core.runs.calibrations import calibration
from scaling_core.runs.store import Store
from scaling_core.units import format_loss, format_quantity, parse_quantity
from tests.browser.conftest import AppServer, Witness, at_rest
from tests.browser.test_lab_run import PATIENCE, button, no_traceback, press, sweep_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MAC = "macbook-m3-max"
SIZE = "100K"
"""Of the planned model: three smaller ones foretell it; each trained once takes some twenty seconds on two cores."""
TRAINED = 240_000
"""Milliseconds that its training may take where other work shares the cores."""
VOCABULARY, CONTEXT = 65, 64
"""Characters instead of GPT-2's tokens, whose embedding alone would be larger than the model, and short sequences."""


def choose(page: Page, key: str, option: str) -> None:
    """Pick an option of the box of this key, once the page has come to rest."""
    at_rest(page)
    page.locator(f".st-key-{key}").get_by_role("combobox").click()
    page.get_by_role("option", name=option, exact=True).click()


def write(page: Page, key: str, text: str) -> None:
    """Type into the field of this key, once the page has come to rest."""
    at_rest(page)
    field = page.locator(f".st-key-{key} input")
    field.fill(text)
    field.press("Enter")


def setting(page: Page, label: str) -> Locator:
    """A field of the lab's own settings."""
    return page.get_by_test_id("stExpander").get_by_label(label, exact=True)


def test_from_hardware_to_points_on_the_predicted_curve(own_server: AppServer, page: Page, witness: Witness) -> None:
    # Hardware and a size: the answer names both, with what it takes.
    page.goto(f"{own_server.url}/plan")
    expect(page.locator("h1.sl-sentence")).to_contain_text("One NVIDIA A100 SXM 80 GB for 30 days")
    choose(page, "plan-hardware", device(MAC).name)
    expect(page.locator("h1.sl-sentence")).to_contain_text(f"One {device(MAC).name} for 30 days")
    choose(page, "plan-given", "Model size")
    expect(page.locator("h1.sl-sentence")).to_contain_text("7B parameters call for")
    write(page, "plan-N", SIZE)
    plan = budgeted(
        preset("hoffmann2022"), TrainingBudget(N=parse_quantity(SIZE, field="size")), machine(device(MAC), mfu=0.4)
    )
    said = f"{SIZE} parameters call for {format_quantity(plan.D)} tokens"
    expect(page.locator("h1.sl-sentence")).to_contain_text(said)
    expect(page.locator("h1.sl-sentence")).to_contain_text(f"on one {device(MAC).name} at 40%")

    # The model that is nearest, and the file that trains it with nanoGPT.
    write(page, "plan-vocab-gpt2", str(VOCABULARY))
    write(page, "plan-context-gpt2", str(CONTEXT))
    model = architecture_for(plan.N, vocab_size=VOCABULARY, context=CONTEXT)
    expect(page.get_by_role("paragraph").filter(has_text=model.sentence())).to_be_visible()
    expect(page.get_by_text(f"{model.count.total:,}", exact=True)).to_be_visible()
    file = page.locator("[data-testid=stCode]").filter(has_text="out_dir = 'out-plan'")
    lines = (f"n_layer = {model.n_layer}", f"n_embd = {model.d_model}", f"block_size = {CONTEXT}", "device = 'mps'")
    for line in lines:
        expect(file).to_contain_text(line)

    # Into the lab: the form holds the ladder, the plan is its largest size.
    measured = calibration(own_server.home, "auto") or calibration(own_server.home, "cpu")
    usual: DeviceName = "mps" if sys.platform == "darwin" else "cpu"
    ladder = lab_ladder(plan.N, plan.D, device=usual, calibration=measured)
    assert ladder.spec is not None
    expect(page.locator("[data-testid=stCode]").filter(has_text="lab start")).to_contain_text(ladder.command)
    press(page, "plan-open")
    page.wait_for_url(re.compile(r"/lab\?.*sweep=new"))
    page.get_by_text("Smoke, 20 seconds").click()
    page.get_by_text("Your own settings").click()
    sizes = [shape.name for shape in ladder.spec.shapes]
    expect(setting(page, "Sizes")).to_have_value(", ".join(sizes))
    expect(setting(page, "Tokens per parameter")).to_have_value(", ".join(f"{h:g}" for h in ladder.spec.horizons))
    expect(setting(page, "Sizes foretold")).to_have_value("1")
    seeds = setting(page, "Seeds of each size")
    expect(seeds).to_have_value(", ".join(str(ladder.spec.seed_count(rung)) for rung in range(len(sizes))))
    seeds.fill(", ".join("1" for _ in sizes))
    seeds.press("Enter")
    expect(page.get_by_role("cell", name="predicted first")).to_be_visible(timeout=PATIENCE)

    # It trains; the prediction was there before the measurement, and the page shows both.
    expect(button(page, "lab-start")).to_be_enabled(timeout=PATIENCE)
    press(page, "lab-start")
    sweep = sweep_in(page)
    expect(page.get_by_text(re.compile(r"^Trained in "))).to_be_visible(timeout=TRAINED)
    with Store.open_reader(own_server.home) as store:
        row, runs, foretold = store.sweep(sweep), store.runs(sweep), store.predictions(sweep)
    assert row is not None
    assert row.state == "finished"
    assert row.plan.spec.shapes == ladder.spec.shapes
    assert row.plan.spec.horizons == ladder.spec.horizons
    last = foretold[-1]
    trained = next(run for run in runs if run.id == last.run_id)
    assert trained.held_out
    assert trained.params == ladder.params
    assert trained.loss is not None
    assert trained.finished_at is not None
    for prediction in foretold:
        run = next(run for run in runs if run.id == prediction.run_id)
        assert run.finished_at is not None
        assert prediction.made_at < run.finished_at
    expect(page.locator("h1.sl-sentence")).to_contain_text(
        f"Predicted {format_loss(last.loss)}, measured {format_loss(trained.loss)}: off by "
    )
    table = page.get_by_role("row").filter(has_text=format_loss(trained.loss)).filter(has_text=format_loss(last.loss))
    expect(table.first).to_be_visible()
    no_traceback(page)
    witness.check()
