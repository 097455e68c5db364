"""The picture of the talk check: every number once, in its place, named."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from scaling_core.talk import claims
from scaling_core.viz.export import to_svg
from scaling_core.viz.talk import FAR, ratio_chart, ratios
from scaling_core.viz.theme import Theme, dark, light

THEMES = [light(), dark()]


def test_every_claim_of_one_positive_number_is_drawn_and_no_measurement() -> None:
    names = [one.label for one in ratios(claims())]
    expected = {
        c.label
        for c in claims()
        if c.number and isinstance(c.recomputed, float) and c.recomputed > 0 and c.verdict != "measure"
    }
    assert set(names) == expected
    assert len(names) == len(expected) >= 45


def test_lines_are_sorted_and_the_right_ones_stand_between() -> None:
    figure = ratio_chart(claims(), light())
    order = figure.values["rows"]
    wrong = [one for one in ratios(claims()) if not one.right]
    small = sum(one.ratio < 1 for one in wrong)
    assert [name for name in order if not name.startswith("all ")] == [one.label for one in wrong]
    assert order[small] == f"all {len(figure.data['right'])} that are right"
    assert figure.data["right"].x.between(0.95, 1.05).all()


def test_what_lies_beyond_the_axis_is_a_triangle_inside_it() -> None:
    figure = ratio_chart(claims(), light())
    low, high = figure.values["x_domain"]
    wrong = figure.data["wrong"].set_index("row")
    assert wrong.x.between(low, high).all()
    far = [one for one in ratios(claims()) if one.off]
    assert [one.label for one in far] == ["Kaplan's scale of compute"]
    assert far[0].ratio == pytest.approx(1e10 / (3.1e8 * 8.64e19))
    assert far[0].ratio < 1 / FAR
    assert far[0].text == "10¹⁸ times too small"
    assert wrong.loc[far[0].label, "shape"] == "triangle-left"
    assert (wrong["shape"] != "circle").sum() == 1


def test_words_stand_on_the_far_side_of_the_dot_and_names_on_the_other_side_of_the_line() -> None:
    for row in ratio_chart(claims(), light()).data["wrong"].to_dict("records"):
        left = row["x"] < 1
        assert (row["dx"] < 0) == (row["align"] == "right") == left
        assert (row["name_dx"] > 0) == (row["name_align"] == "left") == left


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.mode)
def test_the_chart_is_valid_and_its_numbers_are_finite(theme: Theme) -> None:
    spec = ratio_chart(claims(), theme).to_dict(validate=True)
    assert "'expr': 'rows'" not in str(spec)
    assert "x_domain'}" not in str(spec)
    numbers = [v for rows in spec["datasets"].values() for row in rows for v in row.values() if isinstance(v, float)]
    assert all(math.isfinite(v) for v in numbers)


def test_it_becomes_a_picture_with_its_words() -> None:
    root = ElementTree.fromstring(to_svg(ratio_chart(claims(), light())))
    texts = {"".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")}
    assert {"GPT-4, slide law", "32 times too small", "1/100", "100", "printed too large"} <= texts
