"""The two figures of the synthetic demo, as the page shows them and as the command line writes them."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from scaling_core.demo import DemoResult, DemoSpec, run_demo
from scaling_core.viz.demo import PANELS, all_panels, chinchilla_optimal, four_panels, panel
from scaling_core.viz.export import to_png, to_svg
from scaling_core.viz.theme import dark, light


@pytest.fixture(scope="module")
def result() -> DemoResult:
    """A small demo of the default law."""
    return run_demo(DemoSpec.of_preset(seed=0), bootstrap=40)


def texts(svg: str) -> set[str]:
    """All text of an SVG."""
    root = ElementTree.fromstring(svg)
    return {"".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")}


@pytest.mark.parametrize(("variable", "log_loss"), [panel[:2] for panel in PANELS])
def test_a_panel_shows_runs_planted_fitted_and_published(result: DemoResult, variable: str, log_loss: bool) -> None:
    figure = panel(result, variable, light(), log_loss=log_loss)
    cut = result.single_N if variable == "N" else result.single_D
    assert np.array_equal(figure.data["runs"].loss, cut.loss)
    lines = set(figure.data["curves"].line)
    assert {"planted", "fitted", "kaplan"} <= lines
    assert ("hestness" in lines) == (variable == "D")
    assert "GPT-3" in set(figure.data["models"].name)
    band = figure.data["band"]
    assert (band.high >= band.loss).all()


def test_the_loss_axis_of_a_panel_holds_every_run(result: DemoResult) -> None:
    for variable, log_loss, _ in PANELS:
        figure = panel(result, variable, light(), log_loss=log_loss)
        low, high = figure.values["y_domain"]
        assert low < figure.data["runs"].loss.min()
        assert figure.data["runs"].loss.max() < high
        assert low > 0 or not log_loss


def test_four_panels_make_one_picture_with_their_titles(result: DemoResult) -> None:
    panels = all_panels(result, light())
    together = four_panels(panels)
    assert {title() for _, _, title in PANELS} <= texts(to_svg(together))
    assert len(together.data) == sum(len(one.data) for one in panels)


def test_chinchilla_optimal_has_budgets_rule_and_models(result: DemoResult) -> None:
    shown = texts(to_svg(chinchilla_optimal(result, light())))
    assert {"10¹⁹ FLOP", "10²³ FLOP", "20 tokens per parameter", "GPT-3", "Gopher", "Chinchilla"} <= shown
    ridge = chinchilla_optimal(result, light()).data["ridge"]
    twenty = ridge[ridge.line == "twenty"]
    assert np.allclose(twenty.N, np.sqrt(np.array([1e19, 1e20, 1e21, 1e22, 1e23]) / 120))


def test_the_dark_figure_is_dark(result: DemoResult) -> None:
    figure = chinchilla_optimal(result, dark())
    assert figure.to_dict()["config"]["background"] == dark().background
    assert to_png(figure, scale=1)[:4] == b"\x89PNG"
