"""Pictures as data: what is drawn where, that names do not collide, and that every chart is valid Vega-Lite."""

from __future__ import annotations

import itertools
import math
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core.catalog import models, preset, presets
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import judge, optimal_for_compute
from scaling_core.viz import axes
from scaling_core.viz.export import to_png, to_svg
from scaling_core.viz.figure import Figure
from scaling_core.viz.isoflop import Mark, isoflop_chart
from scaling_core.viz.labels import place, spread, text_width
from scaling_core.viz.laws import slice_chart, terms_chart
from scaling_core.viz.models import ALIKE, D_DOMAIN, N_DOMAIN, compared, frontiers, nd_plane
from scaling_core.viz.surface import contour, levels, surface_chart
from scaling_core.viz.theme import Theme, contrast, dark, diverging, light, mix, readable_on, theme_of
from scaling_core.viz.verdicts import verdict_grid

THEMES = [light(), dark()]
MARKS = [Mark(name="GPT-3", N=175e9, D=300e9, strong=True), Mark(name="Chinchilla", N=70e9, D=1.4e12)]
JOINT = [p.id for p in presets("joint")]


def every_chart(id: str, theme: Theme) -> dict[str, Figure]:
    """Each kind of chart under a published law."""
    law = preset(id).joint
    terms = {name: float(value) for name, value in law.terms(175e9, 300e9).items()}
    rows = [(m.name, [judge(p.joint, m.N, m.tokens) for p in presets("joint")]) for m in models()]
    return {
        "isoflop": isoflop_chart(law, 3.15e23, MARKS, theme),
        "surface": surface_chart(law, 3.15e23, MARKS, theme, valid_N=(7e7, 1.6e10), valid_D=(5e9, 5e11)),
        "L(N)": slice_chart(law, "N", 175e9, 300e9, theme),
        "L(D)": slice_chart(law, "D", 175e9, 300e9, theme),
        "terms": terms_chart([("this", terms), ("best", terms)], theme),
        "plane": nd_plane(
            [Mark(name=m.name, N=m.N, D=m.tokens) for m in models()], frontiers(presets("joint"), id, law), theme
        ),
        "grid": verdict_grid(rows, [p.short_name for p in presets("joint")], theme),
    }


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.mode)
def test_colours_stand_out_from_page_and_panel(theme: Theme) -> None:
    for surface in (theme.background, theme.surface):
        assert contrast(theme.ink, surface) >= 7
        assert contrast(theme.muted, surface) >= 4.5
        assert min(contrast(colour, surface) for colour in (theme.accent, theme.accent_2)) >= 4.5
        assert min(contrast(colour, surface) for colour in theme.categorical) >= 3


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.mode)
def test_text_on_every_cell_of_the_grid_can_be_read(theme: Theme) -> None:
    for value in np.linspace(-1, 1, 41):
        fill = diverging(float(value), theme)
        assert contrast(readable_on(fill, theme), fill) >= 4.5


def test_mixing_ends_where_it_should() -> None:
    assert mix("#000000", "#FFFFFF", 0) == "#000000"
    assert mix("#000000", "#FFFFFF", 1) == "#FFFFFF"
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


def test_an_unknown_viewer_gets_the_light_theme() -> None:
    assert theme_of(None) is light()
    assert theme_of("dark") is dark()


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.15e23, "3.15 × 10²³"), (1e21, "10²¹"), (5.88e23, "5.88 × 10²³"), (9.999e9, "10¹⁰"), (2.5e-3, "2.5 × 10⁻³")],
)
def test_scientific_notation(value: float, text: str) -> None:
    assert axes.scientific(value) == text


@given(st.floats(-10, 20), st.floats(0.1, 15))
def test_log_ticks_are_inside_and_apart(start: float, span: float) -> None:
    domain = (10**start, 10 ** (start + span))
    ticks = axes.log_ticks(domain)
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    assert all(domain[0] * 0.98 <= t <= domain[1] * 1.02 for t in ticks)


@given(st.floats(-50, 50), st.floats(1e-3, 1e3))
def test_a_nice_domain_holds_its_values_and_its_ticks_lie_inside(low: float, span: float) -> None:
    domain = axes.nice_domain([low, low + span])
    assert domain[0] <= low
    assert low + span <= domain[1]
    ticks = axes.linear_ticks(domain)
    assert 3 <= len(ticks) <= 14
    assert all(domain[0] - 1e-9 * span <= t <= domain[1] + 1e-9 * span for t in ticks)


@given(st.lists(st.floats(0, 400), min_size=1, max_size=12))
def test_spread_keeps_order_and_distance(positions: list[float]) -> None:
    moved = spread(positions, gap=20, low=0, high=400)
    order = sorted(range(len(moved)), key=lambda i: positions[i])
    assert all(moved[b] - moved[a] >= 20 - 1e-9 for a, b in itertools.pairwise(order))


def test_names_of_crowded_points_do_not_overlap() -> None:
    points = [(100.0 + 35 * (i % 4), 100.0 + 30 * (i // 4)) for i in range(8)]
    names = [f"Model {i}" for i in range(8)]
    places = place(points, names, width=500, height=300, size=15)
    boxes = []
    for (x, y), name, p in zip(points, names, places, strict=True):
        wide = text_width(name, 15)
        left = x + p.dx - {"left": 0.0, "right": wide, "center": wide / 2}[p.align]
        boxes.append((left, y + p.dy - 8, left + wide, y + p.dy + 8))
    for a, b in itertools.combinations(boxes, 2):
        assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.mode)
@pytest.mark.parametrize("id", JOINT)
def test_every_chart_of_every_law_is_valid_and_has_no_open_placeholder(id: str, theme: Theme) -> None:
    for name, figure in every_chart(id, theme).items():
        spec = figure.to_dict(validate=id == "hoffmann2022" and theme.mode == "light")
        text = str(spec)
        assert "_domain'}" not in text, name
        assert "_ticks'}" not in text, name
        assert set(spec["datasets"]) == set(figure.data), name
        for rows in spec["datasets"].values():
            numbers = [v for row in rows for v in row.values() if isinstance(v, float)]
            assert all(math.isfinite(v) for v in numbers), name


def test_binding_leaves_the_template_alone_and_laws_share_it() -> None:
    one = isoflop_chart(preset("hoffmann2022").joint, 1e22, MARKS, light())
    before = str(one.template)
    two = isoflop_chart(preset("study-notes").joint, 1e24, MARKS, light())
    assert one.template is two.template
    assert str(one.template) == before
    assert one.spec() != two.spec()


@pytest.mark.parametrize("id", JOINT)
def test_the_dots_are_the_lowest_points_of_their_curves(id: str) -> None:
    law = preset(id).joint
    figure = isoflop_chart(law, 3.15e23, MARKS, light())
    curves, minima = figure.data["curves"], figure.data["minima"]
    for k, row in enumerate(minima.itertuples()):
        curve = curves[curves.line == str(k)]
        assert row.loss <= curve.loss.min() * (1 + 1e-12)
        assert row.N == pytest.approx(optimal_for_compute(law, 3.15e23 * 10.0 ** (k - 2)).N)


@pytest.mark.parametrize("id", JOINT)
def test_a_contour_has_the_loss_that_is_written_on_it(id: str) -> None:
    law = preset(id).joint
    N = np.geomspace(1e8, 1e12, 9)
    level = float(law.loss(1e10, 1e11))
    D = contour(law, level, N)
    inside = (D > 1e7) & (D < 1e16)
    assert inside.any()
    assert np.abs(law.loss(N[inside], D[inside]) / level - 1).max() < 1e-3


def test_levels_are_round_apart_and_inside() -> None:
    steps = levels(1.75, 3.9, 1.69)
    assert 7 <= len(steps) <= 11
    assert steps == sorted(set(steps))
    assert all(1.75 < step < 3.9 and len(f"{step:g}") <= 5 for step in steps)


def test_every_model_is_on_the_plane() -> None:
    figure = nd_plane([Mark(name=m.name, N=m.N, D=m.tokens) for m in models()], [], light())
    marks = figure.data["marks"]
    assert set(marks.name) == {m.name for m in models()}
    assert marks.N.between(*N_DOMAIN).all()
    assert marks.D.between(*D_DOMAIN).all()


def test_kaplan_has_both_of_his_lines() -> None:
    names = [line.name for line in frontiers(presets("joint"), "hoffmann2022", preset("hoffmann2022").joint)]
    assert "Kaplan" in names
    assert "Kaplan as published" in names
    published = next(line for line in frontiers(presets("joint"), None, preset("hoffmann2022").joint) if line.published)
    slope = math.log(published.D[-1] / published.D[0]) / math.log(published.N[-1] / published.N[0])
    assert slope == pytest.approx(0.27 / 0.73)


def test_the_grid_says_what_the_laws_say() -> None:
    laws = presets("joint")
    rows = [("GPT-3", [judge(p.joint, 175e9, 300e9) for p in laws])]
    cells = verdict_grid(rows, [p.id for p in laws], light()).data["cells"].set_index("column").text
    assert cells["hoffmann2022"] == "large 58%"
    assert cells["study-notes"] == "small 26%"
    assert cells["kaplan2020-joint"] == "near"
    few = verdict_grid([("GPT-3", rows[0][1][:2])], ["one", "two"], light()).data["cells"].text
    assert [text[:9] for text in few] == ["too large", "too large"]


def test_the_cells_and_headings_of_the_compared_laws_fit_their_columns() -> None:
    """On a page 1280 wide the grid has about 740 pixels beside the names of the models."""
    laws = compared(presets("joint"))
    assert {p.id for p in presets("joint")} - {p.id for p in laws} == set(ALIKE)
    rows = [(m.name, [judge(p.joint, m.N, m.tokens) for p in laws]) for m in models()]
    names = [p.short_name.replace(", ", " ") for p in laws]
    figure = verdict_grid(rows, names, light())
    column = 740 / len(laws)
    assert max(text_width(text, light().mark_size) for text in figure.data["cells"].text) < column
    assert max(text_width(word, light().label_size) for name in names for word in name.split(" ")) < column
    assert all(len(name.split(" ")) <= 2 for name in names)


def test_the_line_of_a_law_that_is_not_compared_has_its_own_name() -> None:
    laws = compared(presets("joint"))
    left_out = preset("gadre2024-redpajama")
    lines = frontiers(laws, left_out.id, left_out.joint, "Gadre RedPajama")
    assert [line.name for line in lines if line.strong] == ["Gadre RedPajama"]
    assert [line.name for line in frontiers(laws, "besiroglu2024", left_out.joint) if line.strong] == ["Besiroglu"]
    mine = frontiers(laws, "my-law", left_out.joint, "Hoffmann")
    assert [line.name for line in mine if line.strong] == ["Hoffmann (mine)"]
    assert len({line.name for line in mine}) == len(mine)


def test_a_figure_becomes_png_and_svg_with_readable_labels() -> None:
    figure = isoflop_chart(preset("hoffmann2022").joint, 1e22, MARKS, light())
    png = to_png(figure, scale=1)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    root = ElementTree.fromstring(to_svg(figure))
    texts = {"".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")}
    assert {"10²² FLOP", "GPT-3", "Chinchilla", "100B", "Parameters N"} <= texts


def test_axes_write_counts_and_powers_as_people_do() -> None:
    frame = pd.DataFrame({"C": [1e20, 1e26], "N": [1e8, 1e13]})
    chart = (
        alt.Chart(frame)
        .mark_line()
        .encode(axes.log_x("C", "Compute", (1e20, 1e26), "flops"), axes.log_y("N", "N", (1e8, 1e13)))
    )
    root = ElementTree.fromstring(to_svg(chart))
    texts = {"".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")}
    assert {"10²¹", "10²⁶", "100M", "1B", "10T"} <= texts


def test_a_budget_whose_curve_lies_above_the_axes_that_are_kept_has_no_name() -> None:
    law = ChinchillaLaw(E=0.1767, A=23891.0, B=84.72, alpha=0.3584, beta=0.2853)
    figure = isoflop_chart(law, 9.785e19, MARKS, light(), axes=((1e8, 1e13), (1.75, 2.45)))
    assert figure.data["names"].kind.to_list() == ["2", "3", "4"]
    assert set(figure.data["curves"].kind) >= {"2", "3", "4"}
    assert "FLOP" in to_svg(figure)
