"""The pictures of a fit: every run once, curves that are the law, bands that are the core's, names in their places."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from scaling_core.arrays import FloatArray
from scaling_core.catalog import preset
from scaling_core.fit import FitResult, RunPoints, fit_envelope, fit_isoflop, fit_law, interval
from scaling_core.fit.diagnosis import outliers
from scaling_core.fit.repeated.fitting import fit_repeated
from scaling_core.laws import ChinchillaLaw, MuennighoffLaw
from scaling_core.optimum import frontier, optimal_for_compute, optimum_band
from scaling_core.viz.export import to_svg
from scaling_core.viz.figure import Figure
from scaling_core.viz.fit import law_chart, runs_chart
from scaling_core.viz.fit_budgets import budgets_chart, envelope_chart
from scaling_core.viz.fit_detail import joint_chart, joint_pairs, residual_chart
from scaling_core.viz.fit_path import Path, allocation_path, fitted_path, law_path, optima_path, path_chart
from scaling_core.viz.fit_runs import MOST_DRAWN, Shown, drawn_sizes, law_says, thinned
from scaling_core.viz.theme import Theme, dark, light

LAW = ChinchillaLaw(E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28)
THEMES = [light(), dark()]


def grid(noise: float = 0.004, seed: int = 3) -> RunPoints:
    """Six sizes by six horizons of LAW, named, grouped by size."""
    N = np.repeat(np.geomspace(2e7, 6e9, 6), 6)
    D = np.tile(np.geomspace(4e8, 1.2e11, 6), 6)
    z = np.random.default_rng(seed).standard_normal(N.size)
    names = [f"run {k}" for k in range(N.size)]
    return RunPoints.of(N=N, D=D, loss=LAW.loss(N, D) * np.exp(noise * z), label=names, group=[f"{n:.3g}" for n in N])


@pytest.fixture(scope="module")
def result() -> FitResult:
    return fit_law(grid(), bootstrap=120)


def shown(result: FitResult) -> Shown:
    return Shown(fitted=result.points, far=outliers(result.residuals))


def budgets_of(result: FitResult) -> FloatArray:
    return np.geomspace(float(result.points.C.min()) / 10, float(result.points.C.max()) * 1e3, 41)


def whole(figure: Figure, *, validate: bool = False) -> str:
    """The specification as strict JSON. validate: check it against Vega-Lite's schema, which takes its time."""
    return json.dumps(figure.to_dict(validate=validate), allow_nan=False)


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.mode)
def test_every_picture_is_valid_and_every_placeholder_is_filled(result: FitResult, theme: Theme) -> None:
    path, chosen = fitted_path(result, budgets_of(result)), fitted_path(result, np.array([1e23]))
    assert path is not None
    figures = [
        law_chart(result, shown(result), theme, path=path, chosen=chosen),
        residual_chart(result, shown(result), "N", theme),
        joint_chart(result, ("alpha", "beta"), [("Hoffmann", 0.339, 0.285)], theme),
        path_chart([path], [], "N", theme, measured=(1e17, 1e21), C=1e23),
        budgets_chart(grid(), fit_isoflop(grid(), bootstrap=50), None, theme),
        envelope_chart(grid(), fit_envelope(grid(), warmup=0.0, bootstrap=50), theme),
        runs_chart(grid(), theme),
    ]
    for figure in figures:
        assert figure is not None
        text = whole(figure, validate=theme.mode == "light")
        for placeholder in ("x_domain", "y_domain", "x_ticks", "y_ticks"):
            assert placeholder not in text


def test_every_run_is_drawn_once_in_its_part_and_the_far_ones_are_named() -> None:
    points = grid()
    off = points.loss.copy()
    off[7] *= 1.3
    held = RunPoints.of(N=[2e10], D=[4e11], loss=[1.95])
    moved = RunPoints.of(N=points.N, D=points.D, loss=off, label=points.label)
    found = fit_law(moved)
    figure = law_chart(found, Shown(fitted=found.points, far=outliers(found.residuals), held_out=held), light())
    runs = figure.data["runs"]
    assert runs.kind.value_counts().to_dict() == {"fitted": 35, "far": 1, "held out": 1}
    assert figure.data["far"]["name"].to_list() == ["run 7"]
    assert sorted(runs.loss) == pytest.approx(sorted([*off, 1.95]))


def test_the_curves_are_the_law_at_the_sizes_of_the_runs(result: FitResult) -> None:
    figure = law_chart(result, shown(result), light())
    curves = figure.data["curves"]
    sizes = drawn_sizes(result.points.N, 7)
    assert len(sizes) == curves["line"].nunique() == 6
    law = ChinchillaLaw(**result.constants)
    for N, (_, curve) in zip(sizes, curves.groupby("line", sort=False), strict=True):
        D = curve.x.to_numpy() / (6.0 * N)
        np.testing.assert_allclose(curve.y, law.loss(N, D), rtol=1e-9)
        assert D.min() < 4.1e8
        assert D.max() > 1.19e11
    assert set(figure.data["names"]["name"]) == set(curves["line"])


def test_the_frontier_and_its_band_are_those_of_the_core(result: FitResult) -> None:
    C = budgets_of(result)
    path = fitted_path(result, C)
    assert path is not None
    assert path.N_low is not None
    assert path.ratio_high is not None
    law = ChinchillaLaw(**result.constants)
    best = [optimal_for_compute(law, float(c)) for c in C]
    assert path.loss is not None
    np.testing.assert_allclose(path.N, np.array([b.N for b in best]), rtol=1e-9)
    np.testing.assert_allclose(path.loss, np.array([b.loss for b in best]), rtol=1e-9)
    assert result.replicates is not None
    band = optimum_band(
        "chinchilla", result.replicates, C, estimate=np.array(list(result.constants.values())),
        interval=lambda rows, point: interval(rows, point, result.level, result.interval_method),
    )  # fmt: skip
    np.testing.assert_allclose(path.N_low, band.N.low)
    np.testing.assert_allclose(path.ratio_high, band.tokens_per_param.high)
    figure = law_chart(result, shown(result), light(), path=path)
    frontier_rows = figure.data["frontier"]
    top = float(result.points.C.max())
    assert (frontier_rows[frontier_rows.part == "within"].x <= top).all()
    assert frontier_rows[frontier_rows.part == "beyond"].x.max() > top


def test_tokens_fall_as_parameters_rise_within_an_interval() -> None:
    one = np.array([1.0])
    path = Path(name="x", C=600 * one, N=10 * one, D=10 * one, N_low=5 * one, N_high=20 * one)
    value, low, high = path.of("D")
    assert (value[0], low[0], high[0]) == (10.0, 5.0, 20.0)
    assert [float(x[0]) for x in path.of("ratio")] == [1.0, 1.0, 1.0]
    assert [float(x[0]) for x in path.of("N")] == [10.0, 5.0, 20.0]


def test_residuals_are_measured_over_fitted_and_the_farthest_stands_at_the_edge() -> None:
    points = grid()
    loss = points.loss.copy()
    loss[20] *= 1.5
    found = fit_law(RunPoints.of(N=points.N, D=points.D, loss=loss, label=points.label))
    figure = residual_chart(found, shown(found), "D", light())
    runs = figure.data["runs"].set_index("name")
    expected = 100.0 * (loss / np.exp(np.log(law_says(found, points))) - 1.0)
    for k in (0, 20, 35):
        assert runs.off[f"run {k}"] == pytest.approx(expected[k], rel=1e-9)
    assert runs.loc["run 20", "shape"] == "triangle-up"
    low, high = figure.values["y_domain"]
    assert runs.y.between(low, high).all()
    assert figure.data["far"]["name"].to_list() == [f"run 20, {expected[20]:+.0f}%"]
    assert high < 10


def test_the_joint_picture_holds_the_refits_the_fit_and_only_near_laws(result: FitResult) -> None:
    published = [("Hoffmann", 0.339, 0.285), ("far", 0.8, 0.9)]
    figure = joint_chart(result, ("alpha", "beta"), published, light())
    assert figure is not None
    assert len(figure.data["cloud"]) == 120
    assert "far" not in figure.data["points"]["name"].to_list()
    own = figure.data["points"].iloc[0]
    assert (own.x, own.y) == (result.constants["alpha"], result.constants["beta"])


def test_pairs_with_a_constant_that_is_held_are_not_offered() -> None:
    assert ("alpha", "A") in joint_pairs(fit_law(grid(), bootstrap=40))
    assert all("alpha" not in pair for pair in joint_pairs(fit_law(grid(), bootstrap=40, fixed={"alpha": 0.34})))
    assert joint_pairs(fit_law(grid())) == ()


def test_refits_that_agree_leave_nothing_to_draw() -> None:
    exact = fit_law(grid(noise=0.0), bootstrap=40)
    assert joint_chart(exact, ("alpha", "beta"), [], light()) is None
    low, high = residual_chart(exact, shown(exact), "C", light()).values["y_domain"]
    assert high > low


@pytest.mark.parametrize("form", ["power-N", "power-C-offset", "kaplan", "gadre"])
def test_laws_of_every_form_are_drawn(form: str) -> None:
    points = grid()
    if form == "power-N":
        points = points.subset(points.D == points.D.max())
    found = fit_law(points, form=form, bootstrap=40)
    path = fitted_path(found, budgets_of(found))
    assert (path is None) == form.startswith("power")
    figure = law_chart(found, shown(found), light(), path=path)
    whole(figure)
    assert len(figure.data["frontier"])


def test_a_law_of_repeated_data_judges_each_run_by_its_unique_tokens() -> None:
    law = MuennighoffLaw(E=1.87, A=521.0, B=1488.0, alpha=0.353, beta=0.353, R_N_star=5.31, R_D_star=15.4)
    N = np.repeat(np.geomspace(1e8, 3e9, 5), 6)
    D = np.tile([2e9, 8e9, 2e10, 5e10, 1e11, 2e11], 5)
    U = np.minimum(D, np.tile([2e9, 8e9, 2e10, 1e10, 1e10, 1e10], 5))
    z = np.random.default_rng(0).standard_normal(N.size)
    points = RunPoints.of(N=N, D=D, loss=law.loss(N, D, U) * np.exp(0.002 * z), unique=U)
    found = fit_repeated(points, bootstrap=40)
    np.testing.assert_allclose(
        law_says(found, found.points), found.law.loss(found.points.N, found.points.D, found.points.unique)
    )
    path = fitted_path(found, np.geomspace(1e18, 1e24, 21))
    assert path is not None
    whole(law_chart(found, Shown(fitted=found.points, far=outliers(found.residuals)), light(), path=path))


def test_published_paths_are_their_laws_and_all_are_named_at_the_right(result: FitResult) -> None:
    C = budgets_of(result)
    own = fitted_path(result, C)
    hoffmann = law_path(preset("hoffmann2022").joint, C, "Hoffmann")
    assert own is not None
    assert hoffmann is not None
    np.testing.assert_allclose(hoffmann.N, frontier(preset("hoffmann2022").joint, C)[0])
    figure = path_chart([own], [hoffmann], "ratio", light(), measured=(1e18, 1e20), C=1e22)
    names = figure.data["names"]
    assert names["line"].to_list() == ["your runs", "Hoffmann"]
    levels = names.y.to_numpy()
    assert (names.x == figure.values["x_domain"][1]).all()
    assert levels[1] == pytest.approx(float(hoffmann.D[-1] / hoffmann.N[-1]))
    texts = {
        "".join(node.itertext()) for node in ElementTree.fromstring(to_svg(figure)).iter() if node.tag.endswith("text")
    }
    assert {"your runs", "Hoffmann", "Best tokens per parameter D*/N*"} <= texts


def test_budgets_show_their_minima_and_refused_ones_are_set_apart() -> None:
    points = grid(noise=0.001)
    fit, parabola = fit_isoflop(points, bootstrap=60), fit_isoflop(points, method="parabola", bootstrap=60)
    figure = budgets_chart(points, fit, parabola, light())
    minima = figure.data["minima"]
    own = minima[minima.kind == "own"]
    assert own.x.to_list() == [row.N for row in fit.used]
    assert ((own.low <= own.x) & (own.x <= own.high)).all()
    assert (minima.kind == "other").sum() == len(parabola.used)
    refused = [row for row in fit.optima if row.refused]
    assert refused
    runs = figure.data["runs"]
    assert (runs.kind == "refused").sum() == sum(row.n for row in refused)
    again = optima_path(fit)
    np.testing.assert_allclose(6.0 * again.N * again.D, again.C)
    line = allocation_path(fit, np.array([1e22]), "x")
    assert float(line.N[0]) == pytest.approx(fit.constants["N_coefficient"] * 1e22 ** fit.exponents["a"])


def test_the_envelope_is_drawn_where_it_counts() -> None:
    points = grid(noise=0.0)
    fit = fit_envelope(points, warmup=0.0, bootstrap=0)
    figure = envelope_chart(points, fit, light())
    edge = figure.data["edge"]
    assert (~edge.cut).sum() == len(fit.used)
    assert figure.data["runs"]["line"].nunique() == 6
    assert len(figure.data["names"]) == 6


def test_a_large_table_is_thinned_and_keeps_what_lies_far_off() -> None:
    far = np.zeros(100_000, dtype=bool)
    far[[17, 99_998]] = True
    keep = thinned(far)
    assert len(keep) <= MOST_DRAWN + 2
    assert {17, 99_998} <= set(keep.tolist())
    assert len(drawn_sizes(np.geomspace(1e6, 1e10, 5000), 7)) == 7
    assert math.isclose(drawn_sizes(np.geomspace(1e6, 1e10, 5000), 7)[0], 1e6, rel_tol=1e-3)
