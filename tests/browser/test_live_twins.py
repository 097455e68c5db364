"""The browser's evaluator against Python's: losses, optima, verdicts, numbers as text, and the rows of every chart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from scaling_core.catalog import model, models, preset, presets
from scaling_core.laws import ChinchillaLaw, Law
from scaling_core.library import all_laws
from scaling_core.optimum import NEAR_OPTIMAL, judge, optimal_for_compute
from scaling_core.optimum.browser import browser_law
from scaling_core.ui.live_words import STATUSES
from scaling_core.ui.pins import as_ghost
from scaling_core.ui.words import ratio, verdict_cells, verdict_head
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.isoflop import Ghost, Mark, isoflop_chart
from scaling_core.viz.laws import slice_chart, terms_chart
from scaling_core.viz.live import isoflop_args, script, slice_args, terms_args
from scaling_core.viz.models import compared, frontiers, nd_plane
from scaling_core.viz.plane import plane_args
from scaling_core.viz.theme import Theme, dark, enlarged, light
from scaling_core.viz.uncertainty import cloud_args, constants_chart, optimum_args, optimum_chart
from tests.browser.twins import alike, rows

pytestmark = pytest.mark.browser

LAWS = {preset.id: preset.joint for preset in all_laws("joint")}
N = np.geomspace(1e5, 1e13, 33)
D = np.geomspace(1e7, 1e15, 33)
MARKS = [
    Mark(name="GPT-3", N=model("gpt3").N, D=300e9, strong=True),
    Mark(name="Chinchilla", N=70e9, D=1.4e12),
]


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
    losses = [float(x) for x in (*rng.uniform(0.2, 9, 500), *10 ** rng.uniform(0.9, 9, 500))]
    losses += [9.9994, 9.9996, 10.0, 10.002, 9999.4, 9999.6, 1e4, 12346.0, 1e12, math.inf, math.nan]
    found = lab.evaluate(
        """([numbers, losses]) => [numbers.map((x) => lab.quantity(x)), numbers.map((x) => lab.scientific(x)),
            losses.map(lab.lossText), numbers.map(lab.ratioText)]""",
        [numbers, losses],
    )
    assert found[0] == [format_quantity(x) for x in numbers]
    assert found[1] == [scientific(x) for x in numbers]
    assert found[2] == [format_loss(x) for x in losses]
    assert found[3] == [ratio(x) for x in numbers]


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


FITTED = as_ghost(preset("besiroglu2024"))


def moved(**constants: float) -> Law:
    """The published law with refits, some of its constants moved."""
    return ChinchillaLaw(**{**FITTED.law.constants, **constants})


@pytest.mark.parametrize("law", [FITTED.law, moved(alpha=0.36), moved(E=1.9, beta=0.3)], ids=["rest", "alpha", "beta"])
def test_the_band_stays_where_it_is_and_goes_with_its_budget(lab: Page, law: Law) -> None:
    figure = isoflop_chart(law, 3.15e23, MARKS, light(), ghosts=[FITTED])
    args = isoflop_args(figure, MARKS, [FITTED])
    assert len(args["band"]) > 20
    alike(rows(lab, "isoflop", law, {"C": 3.15e23}, args), figure.data)
    other = rows(lab, "isoflop", moved(alpha=0.4), {"C": 3.15e23}, args)
    assert len(other["band"]) == len(args["band"])
    elsewhere = rows(lab, "isoflop", law, {"C": 4e23}, args)
    assert elsewhere["band"] == elsewhere["band_name"] == []


@pytest.mark.parametrize(
    "law", [FITTED.law, moved(alpha=0.36), moved(alpha=0.31, beta=0.43), moved(A=500.0)], ids=["rest", "a", "ab", "A"]
)
def test_the_rows_of_cloud_and_optimum(lab: Page, law: Law) -> None:
    cloud, best = (constants_chart(FITTED, law, "mine", light()), optimum_chart(FITTED, law, 3.15e23, "mine", light()))
    assert cloud is not None
    alike(rows(lab, "cloud", law, {}, cloud_args(cloud, FITTED, "mine")), cloud.data)
    alike(rows(lab, "optimum", law, {"C": 3.15e23}, optimum_args(best, 3.15e23, "mine")), best.data)


def test_a_point_dragged_from_rest_is_where_python_would_put_it(lab: Page) -> None:
    """The picture is that of the published law; the constants of the moment are still in the hand."""
    law, rest = moved(alpha=0.352), FITTED.law
    cloud, best = constants_chart(FITTED, rest, "mine", light()), optimum_chart(FITTED, rest, 1e24, "mine", light())
    assert cloud is not None
    (_, point) = rows(lab, "cloud", law, {}, cloud_args(cloud, FITTED, "mine"))["points"]
    assert (point["x"], point["y"], point["name"]) == (0.352, rest.constants["beta"], "mine")
    (_, line) = rows(lab, "optimum", law, {"C": 3e20}, optimum_args(best, 1e24, "mine"))["lines"]
    assert line["N"] == pytest.approx(optimal_for_compute(law, 1e24).N, rel=1e-12)
    assert line["text"] == f"mine: {format_quantity(optimal_for_compute(law, 1e24).N)}"


PLANE = compared(presets("joint"))
KNOWN = [Mark(name=m.name, N=m.N, D=m.tokens, strong=m.id == "gpt3") for m in models()]


@pytest.mark.parametrize("theme", [light(), enlarged(dark(), 2.0)], ids=["light", "stage"])
@pytest.mark.parametrize("law", [moved(beta=0.3659), moved(beta=0.33), moved(alpha=0.5), moved(alpha=0.25, beta=0.5)])
@pytest.mark.parametrize("rest", ["hoffmann2022", "talk-slides", "besiroglu2024-exact"])
def test_the_lines_of_the_plane(lab: Page, rest: str, law: Law, theme: Theme) -> None:
    """What is drawn while dragging is what Python draws when it is let go, names and all."""
    begun = nd_plane(KNOWN, frontiers(PLANE, rest, own=LAWS[rest], own_name="kept"), theme)
    args = plane_args(begun, PLANE, LAWS[rest], theme)
    alike(rows(lab, "plane", LAWS[rest], {}, args), begun.data)
    wanted = nd_plane(KNOWN, frontiers(PLANE, None, own=law), theme)
    found = rows(lab, "plane", law, {}, args)
    assert [row["N"] for row in found["marks"]] == wanted.data["marks"].N.to_list()
    alike({**found, "marks": []}, {**wanted.data, "marks": wanted.data["marks"].head(0)})


@pytest.mark.parametrize("id", LAWS)
def test_the_table_of_the_models(browser: Browser, id: str) -> None:
    page = browser.new_page()
    source = script("law", "bus", "rows", "beyond", "words").replace("export default function (", "function mounted (")
    words = {
        "on": "{N} on {D}",
        "under_one": "under 1%",
        "status": {status: status for status in ("under-trained", "over-trained", "near-optimal")},
        "head": verdict_head(),
    }
    data = {"words": words, "models": [{"name": m.name, "N": m.N, "D": m.D} for m in KNOWN], "near": NEAR_OPTIMAL}
    said = page.evaluate(
        """([source, data, made, c]) => {
            const lab = new Function(source + "; return { compileLaw, WRITERS };")(), law = lab.compileLaw(made);
            return lab.WRITERS.verdicts(data, law, law.core(c), c);
        }""",
        [source, data, browser_law(LAWS[id]), LAWS[id].constants],
    )
    page.close()
    verdicts = [(m.name, judge(LAWS[id], m.N, m.D)) for m in KNOWN]
    assert said["rows"] == [verdict_cells(name, verdict) for name, verdict in verdicts]
    assert [STATUSES[kind] for kind in said["kinds"]] == [verdict.status for _, verdict in verdicts]
