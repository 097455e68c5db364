"""The browser's evaluator against Python's: losses, optima, verdicts, numbers as text, and the rows of every chart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from scaling_core.catalog import model
from scaling_core.laws import Law
from scaling_core.library import all_laws
from scaling_core.optimum import NEAR_OPTIMAL, judge, optimal_for_compute
from scaling_core.optimum.browser import browser_law
from scaling_core.ui.words import ratio
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.isoflop import Ghost, Mark, isoflop_chart
from scaling_core.viz.laws import slice_chart, terms_chart
from scaling_core.viz.live import isoflop_args, script, slice_args, terms_args
from scaling_core.viz.theme import light

pytestmark = pytest.mark.browser

NAMES = "compileLaw, optimum, judge, quantity, lossText, ratioText, scientific, filled, terms, ROWS"
LAWS = {preset.id: preset.joint for preset in all_laws("joint")}
N = np.geomspace(1e5, 1e13, 33)
D = np.geomspace(1e7, 1e15, 33)
MARKS = [
    Mark(name="GPT-3", N=model("gpt3").N, D=300e9, strong=True),
    Mark(name="Chinchilla", N=70e9, D=1.4e12),
]


@pytest.fixture(scope="module")
def lab(browser: Browser) -> Iterator[Page]:
    """An empty page in which the functions of the live charts are `lab`."""
    page = browser.new_page()
    page.evaluate(
        "([source, names]) => { globalThis.lab = new Function(source + `; return { ${names} };`)(); }",
        [script("law", "bus", "rows"), NAMES],
    )
    yield page
    page.close()


def near(found: Any, wanted: Any, rel: float) -> None:
    """Equal to `rel`, arrays elementwise, on the way through numbers alone."""
    np.testing.assert_allclose(np.asarray(found, dtype=float), np.asarray(wanted, dtype=float), rtol=rel, atol=0)


@pytest.mark.parametrize("id", LAWS)
def test_the_loss_and_the_optimum_of_every_law(lab: Page, id: str) -> None:
    law = LAWS[id]
    grid = [(float(n), float(d)) for n in N for d in D]
    budgets = [float(c) for c in np.geomspace(1e15, 1e28, 40)]
    losses, optima = lab.evaluate(
        """([made, c, grid, budgets]) => {
            const law = lab.compileLaw(made), k = law.core(c);
            return [grid.map(([n, d]) => law.loss(n, d, c)), budgets.map((C) => lab.optimum(k, C))];
        }""",
        [browser_law(law), law.constants, grid, budgets],
    )
    near(losses, [law.loss(n, d) for n, d in grid], 1e-12)
    best = [optimal_for_compute(law, C) for C in budgets]
    for name in ("N", "D", "loss"):
        near([one[name] for one in optima], [getattr(one, name) for one in best], 1e-12)


@pytest.mark.parametrize("id", LAWS)
def test_the_verdict_on_a_model(lab: Page, id: str) -> None:
    law = LAWS[id]
    cases = [(175e9, 300e9), (70e9, 1.4e12), (1e9, 1e12), (8e9, 15e12), (1e12, 1e11)]
    found = lab.evaluate(
        """([made, c, cases, near]) => {
            const law = lab.compileLaw(made), k = law.core(c);
            return cases.map(([n, d]) => [lab.judge(law, k, c, n, d, near), lab.terms(law, k, c, n, d)]);
        }""",
        [browser_law(law), law.constants, cases, NEAR_OPTIMAL],
    )
    for (n, d), (told, terms) in zip(cases, found, strict=True):
        verdict = judge(law, n, d)
        assert told["status"] == verdict.status
        near(told["left"], verdict.compute_left / verdict.C, 1e-6)
        for name, value in law.terms(n, d).items():
            assert terms[name] == pytest.approx(float(value), rel=1e-9, abs=1e-12)


def test_numbers_read_alike(lab: Page) -> None:
    rng = np.random.default_rng(5)
    numbers = [float(x) for x in 10 ** rng.uniform(-5, 26, 3000)]
    numbers += [1e3, 999.96e6, 1e9, 1e12, 999.5, 99.95, 100.0, 1e15, 0.001, 12345.0, 1.0, 2.5e11, 55.0, 1e6, 9.995e5]
    losses = [float(x) for x in rng.uniform(0.2, 9, 500)]
    found = lab.evaluate(
        """([numbers, losses]) => [numbers.map((x) => lab.quantity(x)), numbers.map((x) => lab.scientific(x)),
            losses.map(lab.lossText), numbers.map(lab.ratioText)]""",
        [numbers, losses],
    )
    assert found[0] == [format_quantity(x) for x in numbers]
    assert found[1] == [scientific(x) for x in numbers]
    assert found[2] == [format_loss(x) for x in losses]
    assert found[3] == [ratio(x) for x in numbers]


Rows = dict[str, list[dict[str, Any]]]


def rows(lab: Page, kind: str, law: Law, values: dict[str, float], args: dict[str, Any]) -> Rows:
    """The rows that the browser makes."""
    made: Rows = lab.evaluate(
        """([made, kind, c, args]) => {
            const law = lab.compileLaw(made);
            return lab.ROWS[kind](law, law.core(c), c, args);
        }""",
        [browser_law(law), kind, {**law.constants, **values}, args],
    )
    return made


def alike(found: Rows, wanted: Any) -> None:
    """The same rows in the same order: texts equal, numbers to 1e-11."""
    assert set(found) == set(wanted)
    for name, frame in wanted.items():
        expected = frame.to_dict("records")
        assert len(found[name]) == len(expected), name
        for one, two in zip(found[name], expected, strict=True):
            assert set(one) == set(two), name
            for field, value in two.items():
                if isinstance(value, str):
                    assert one[field] == value, (name, field)
                elif not math.isnan(value):
                    assert one[field] == pytest.approx(value, rel=1e-11), (name, field)


@pytest.mark.parametrize("id", ["hoffmann2022", "besiroglu2024", "kaplan2020-joint", "muennighoff2023"])
@pytest.mark.parametrize("C", [3.15e23, 1e19])
def test_the_rows_of_the_isoflop_chart(lab: Page, id: str, C: float) -> None:
    law, ghosts = LAWS[id], [Ghost(name="Besiroglu", law=LAWS["besiroglu2024"])]
    figure = isoflop_chart(law, C, MARKS, light(), ghosts=ghosts)
    alike(rows(lab, "isoflop", law, {"C": C}, isoflop_args(figure, MARKS, ghosts)), figure.data)


@pytest.mark.parametrize("id", ["hoffmann2022", "kaplan2020-joint"])
def test_the_rows_of_slices_and_terms(lab: Page, id: str) -> None:
    law, n, d = LAWS[id], 70e9, 1.4e12
    for variable in ("N", "D"):
        figure = slice_chart(law, variable, n, d, light())
        alike(rows(lab, "slice", law, {"N": n, "D": d}, slice_args(figure, variable)), figure.data)
    best = optimal_for_compute(law, 6 * n * d)
    pairs = [("here", law.terms(n, d)), ("best", law.terms(best.N, best.D))]
    figure = terms_chart([(name, {k: float(v) for k, v in t.items()}) for name, t in pairs], light())
    alike(rows(lab, "terms", law, {"N": n, "D": d}, terms_args(figure)), figure.data)
