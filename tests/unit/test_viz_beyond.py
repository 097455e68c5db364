"""The pictures beyond the optimum: their numbers are the core's, their names keep apart, and they are valid."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from scaling_core.catalog import models, preset, presets
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum import (
    compute_wall,
    data_limited,
    inference_optimal,
    optimal_for_compute,
    standing,
    wall_at_epochs,
)
from scaling_core.viz.beyond import lifetime_chart, overtraining_chart, served_amounts, share_text
from scaling_core.viz.figure import Figure
from scaling_core.viz.isoflop import Mark
from scaling_core.viz.theme import dark, light
from scaling_core.viz.wall import EPOCHS, epochs_text, wall_chart

JOINT = [p.id for p in presets("joint")]
MARKS = [Mark(name=m.name, N=m.N, D=m.tokens) for m in models() if m.id in ("gpt3", "chinchilla", "llama3-8b")]


def repeating() -> MuennighoffLaw:
    law = preset("muennighoff2023").law
    assert isinstance(law, MuennighoffLaw)
    return law


def wall(U: float, C: float) -> Figure:
    law = repeating()
    return wall_chart(law, data_limited(law, U=U, C=C), compute_wall(law, U), light())


def sound(figure: Figure, *, validate: bool = False) -> None:
    """No placeholder is left open, no number is infinite, every frame is used."""
    spec = figure.to_dict(validate=validate)
    text = str(spec)
    assert "_domain'}" not in text
    assert "_ticks'}" not in text
    assert all(f"'name': '{name}'" in text for name in figure.data)
    numbers = [v for rows in spec["datasets"].values() for row in rows for v in row.values() if isinstance(v, float)]
    assert numbers
    assert all(math.isfinite(v) for v in numbers)


@pytest.mark.parametrize("id", JOINT)
@pytest.mark.parametrize("served", [1.0, 1e12, 1e24])
def test_served_curves_are_sound_for_every_law(id: str, served: float) -> None:
    for C in (1e20, 1e30):
        sound(lifetime_chart(preset(id).joint, C, served, light()))


def test_each_dot_is_the_lowest_point_of_its_curve() -> None:
    law = preset("hoffmann2022").joint
    figure = lifetime_chart(law, 3.15e23, 1e13, light())
    amounts = served_amounts(law, 3.15e23, 1e13)
    assert amounts == [0.0, 1e12, 1e13, 1e14]
    for k, (amount, row) in enumerate(zip(amounts, figure.data["minima"].itertuples(), strict=True)):
        best = inference_optimal(law, C=3.15e23, D_inference=amount)
        assert (row.N, row.total) == (best.N, best.total_flops)
        curve = figure.data["curves"].query(f"line == '{k}'")
        assert curve.total.min() >= best.total_flops * (1 - 1e-12)
        assert curve.total.min() == pytest.approx(best.total_flops, rel=1e-3)
    ridge = figure.data["ridge"]
    for N, total in zip(ridge.N[1:-1:9], ridge.total[1:-1:9], strict=True):
        curve = lifetime_chart(law, 3.15e23, 1e13, light()).data["curves"]
        assert curve.total.min() < total
        assert N < optimal_for_compute(law, 3.15e23).N


def test_amounts_that_change_nothing_are_not_drawn() -> None:
    law = preset("hoffmann2022").joint
    amounts = served_amounts(law, 3.15e23, 1e6)
    assert amounts[0] == 1e6
    assert 0.0 not in amounts
    sizes = [inference_optimal(law, C=3.15e23, D_inference=x).N for x in amounts]
    assert all(a > 1.04 * b for a, b in itertools.pairwise(sizes))
    assert served_amounts(law, 3.15e23, 1e24)[-1] == pytest.approx(1e25)


@pytest.mark.parametrize("id", JOINT)
@pytest.mark.parametrize("times", [1.0, 300.0])
def test_over_training_is_sound_for_every_law_and_marks_stand_on_the_curve(id: str, times: float) -> None:
    law = preset(id).joint
    figure = overtraining_chart(law, times, MARKS, light())
    sound(figure)
    points, curve = figure.data["points"], figure.data["curve"]
    assert ("chosen" in set(points.kind)) == (times > 1.0)
    on_curve = np.interp(np.log(points.f), np.log(curve.f), np.log(curve.ratio))
    assert np.log(points.ratio.to_numpy()) == pytest.approx(on_curve, abs=0.02)
    for mark in MARKS:
        stands = standing(law, mark.N, mark.D)
        shown = points[points.name == mark.name]
        if len(shown):
            assert float(shown.f.iloc[0]) == stands.fraction


@pytest.mark.parametrize("U", [1e6, 1e11, 1e20])
@pytest.mark.parametrize("C", [1e12, 3.15e23, 1e32])
def test_the_wall_is_sound(U: float, C: float) -> None:
    sound(wall(U, C))


def test_the_wall_shows_what_the_core_says() -> None:
    figure, law = wall(1e11, 3.15e23), repeating()
    marks = wall_at_epochs(law, U=1e11, epochs=np.array(EPOCHS))
    points = figure.data["points"]
    assert points.C.tolist()[1:] == marks.C.tolist()
    assert points.loss.tolist()[1:] == marks.loss.tolist()
    best = data_limited(law, U=1e11, C=3.15e23)
    assert (points.C[0], points.loss[0]) == (3.15e23, best.loss)
    assert figure.data["stop"].C[0] == compute_wall(law, 1e11).C
    curves = figure.data["curves"]
    limited, free = (curves[curves.line == line].loss.to_numpy() for line in ("limited", "free"))
    assert (limited >= free * (1 - 1e-12)).all()


def test_they_are_valid_vega_lite_and_share_their_templates() -> None:
    law = preset("hoffmann2022").joint
    for theme in (light(), dark()):
        figures = [lifetime_chart(law, 1e23, 1e13, theme), overtraining_chart(law, 2.0, MARKS, theme)]
        for figure in (*figures, wall(1e11, 1e23)):
            sound(figure, validate=True)
    assert lifetime_chart(law, 1e23, 1e13, light()).template is lifetime_chart(law, 1e20, 1e9, light()).template


@pytest.mark.parametrize(("x", "text"), [(0.307, "31%"), (1.0, "100%"), (0.0099, "1%"), (0.00036, "0.04%")])
def test_shares(x: float, text: str) -> None:
    assert share_text(x) == text


@pytest.mark.parametrize(("x", "text"), [(1.94, "1.9"), (14.06, "14"), (99.6, "100"), (16900.0, "17K")])
def test_epochs(x: float, text: str) -> None:
    assert epochs_text(x) == text
