"""The picture of a plan: its numbers are the planner's, its times read as times, its names keep apart."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from scaling_core.catalog import preset, presets
from scaling_core.hardware import DAY, HOUR, YEAR, device
from scaling_core.language import speaking
from scaling_core.learn import Text
from scaling_core.optimum import optimal_for_compute
from scaling_core.planning import Machine, TrainingBudget, budgeted, machine, refits_of
from scaling_core.story import Scene, published
from scaling_core.units import format_quantity, parse_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.labels import text_width
from scaling_core.viz.plan import SPAN, leaves_its_range, time_chart, time_ticks
from scaling_core.viz.story_slides import slides
from scaling_core.viz.theme import dark, light

A100 = machine(device("a100-80gb"), mfu=0.4)
JOINT = [p.id for p in presets("joint") if p.warning is None]


def drawn(id: str = "hoffmann2022", what: Machine = A100, **budget: float) -> Figure:
    plan = budgeted(preset(id), TrainingBudget(**(budget or {"days": 30.0})), what)
    return time_chart(preset(id), what, plan, light())


@pytest.mark.parametrize("id", JOINT)
def test_the_curve_is_the_best_loss_for_what_the_hardware_does_by_then(id: str) -> None:
    figure = drawn(id)
    curve = figure.data["curve"].drop_duplicates("seconds")
    assert (curve.seconds.iloc[0], curve.seconds.iloc[-1]) == pytest.approx((30 * DAY / SPAN, 30 * DAY * SPAN))
    for row in curve.iloc[::20].to_dict("records"):
        best = optimal_for_compute(preset(id).joint, A100.flops(row["seconds"]))
        assert row["loss"] == pytest.approx(best.loss)
    assert np.all(np.diff(curve.loss) < 0)


def test_the_diamond_is_the_plan_and_dots_are_where_their_size_is_best() -> None:
    figure = drawn()
    points, law = figure.data["points"], preset("hoffmann2022").joint
    here = points[points.kind == "here"].iloc[0]
    plan = budgeted(preset("hoffmann2022"), TrainingBudget(days=30.0), A100)
    assert (here.seconds, here.loss) == pytest.approx((30 * DAY, plan.loss))
    assert here["name"] == "1.32B on 40.7B"
    sizes = points[points.kind == "size"]
    assert len(sizes) >= 3
    for row in sizes.to_dict("records"):
        best = optimal_for_compute(law, A100.flops(row["seconds"]))
        assert best.N == pytest.approx(parse_quantity(row["name"], field="size"))
        assert row["loss"] == pytest.approx(best.loss)


def test_a_band_is_drawn_where_the_law_has_refits_and_only_there() -> None:
    assert len(drawn("hoffmann2022").data["band"]) == 0
    figure = drawn("besiroglu2024")
    band, curve = figure.data["band"], figure.data["curve"].drop_duplicates("seconds", ignore_index=True)
    assert len(band) == len(curve)
    assert np.all(band.low <= curve.loss + 1e-9)
    assert np.all(band.high >= curve.loss - 1e-9)
    refits = refits_of(preset("besiroglu2024"))
    assert refits is not None
    middle = len(curve) // 2
    best = optimal_for_compute(preset("besiroglu2024").joint, A100.flops(float(curve.seconds.iloc[middle])))
    losses = refits.of_losses(np.array([best.N]), np.array([best.D]))
    assert losses is not None
    assert band.low[middle] == pytest.approx(losses[0].low, abs=0.01)


@pytest.mark.parametrize(
    ("days", "peak"), [(1e-6, 1e6), (1e-3, 1e13), (1.0, 1e15), (30.0, 312e12), (3650.0, 1e18), (1e6, 1e21)]
)
@pytest.mark.parametrize("id", JOINT)
def test_no_number_is_infinite_and_no_name_covers_another(id: str, days: float, peak: float) -> None:
    what = Machine(name="mine", peak=peak, mfu=0.4)
    figure = drawn(id, what, days=days)
    spec = figure.to_dict()
    numbers = [v for rows in spec["datasets"].values() for row in rows for v in row.values() if isinstance(v, float)]
    assert all(math.isfinite(v) for v in numbers)
    assert "_domain'}" not in str(spec)
    assert "_ticks'}" not in str(spec)
    low, high = figure.values["x_domain"]
    spans = []
    for row in figure.data["points"].to_dict("records"):
        x, wide = 780 * math.log(row["seconds"] / low) / math.log(high / low), text_width(row["name"], 15)
        left = x + row["dx"] - {"left": 0.0, "right": wide, "center": wide / 2}[row["align"]]
        spans.append((left, left + wide, row["loss"], row["dy"]))
    y_low, y_high = figure.values["y_domain"]
    for one, two in itertools.combinations(spans, 2):
        apart = one[1] <= two[0] + 1 or two[1] <= one[0] + 1
        heights = [280 * (1 - (loss - y_low) / (y_high - y_low)) + dy for _, _, loss, dy in (one, two)]
        assert apart or abs(heights[0] - heights[1]) >= 15


@pytest.mark.parametrize("seconds", [1e-12, 1e-3, 1.0, 600.0, 30 * DAY, 10 * YEAR, 1e15 * YEAR])
def test_ticks_are_round_times_inside_the_domain_and_never_crowded(seconds: float) -> None:
    domain = (seconds / SPAN, seconds * SPAN)
    ticks = time_ticks(domain)
    assert 3 <= len(ticks) <= 12
    assert all(domain[0] * 0.999 <= x <= domain[1] * 1.001 for x in ticks)
    assert min(math.log(b / a) for a, b in itertools.pairwise(ticks)) > 0.07 * math.log(1e4)


def test_a_month_is_ticked_in_hours_days_and_years() -> None:
    ticks = time_ticks((0.3 * DAY, 3000 * DAY))
    assert ticks == [10 * HOUR, DAY, 10 * DAY, 100 * DAY, YEAR]


def test_the_template_is_valid_and_speaks_the_reader_s_language() -> None:
    for theme in (light(), dark()):
        plan = budgeted(preset("besiroglu2024"), TrainingBudget(days=30.0), A100)
        for language in ("en", "zh"):
            with speaking(language):
                text = str(time_chart(preset("besiroglu2024"), A100, plan, theme).to_dict(validate=True))
            assert ("Wall time on this hardware" in text) == (language == "en")


@pytest.mark.parametrize(("state", "figure"), [({"plan.given": "N"}, True), ({"plan.hardware": "measured"}, False)])
def test_a_scene_of_the_page_is_a_slide_with_its_curve(state: dict[str, str], figure: bool) -> None:
    words = Text(en="A plan", zh="方案")
    scene = Scene(
        id="p", title=words, sentence=words, point=words, page="plan", state=state, needs=(), focus=0, data={}
    )
    (slide,) = slides((scene,), light())
    assert (slide.figure is not None) == figure
    if figure:
        plan = budgeted(preset("hoffmann2022"), TrainingBudget(N=7e9), A100)
        assert dict(slide.numbers)["tokens"] == format_quantity(plan.D)


def test_each_scene_of_the_story_s_plan_is_a_slide_of_its_part() -> None:
    found = {scene.id: slides((scene,), light())[0] for scene in published() if scene.page == "plan"}
    pictured = {id for id, slide in found.items() if slide.figure is not None}
    assert pictured == {"month", "fine-tune"}
    assert dict(found["fine-tune"].numbers)["loss by the talk's rule"] == "3.105"
    assert dict(found["stages"].numbers)["price of the stages, nats"] == "0.0354"
    costs = dict(found["mistakes"].numbers)
    assert costs["Put all into size, as GPT-3 did"] == "+0.064 nats"
    assert "Trust one law alone" not in costs, "a slide asks no other law"
    assert "" not in costs.values()
    assert found["before-start"].numbers == ()


def test_the_curve_is_dashed_exactly_where_it_leaves_the_law_s_range() -> None:
    law = preset("hoffmann2022")
    assert law.valid_N is not None
    assert law.valid_D is not None
    figure = drawn()
    assert leaves_its_range(figure)
    pieces = [piece for _, piece in figure.data["curve"].groupby("line")]
    assert [piece.part.iloc[0] for piece in pieces] == ["beyond", "within"]
    for piece in pieces:
        for row in piece.iloc[1:].to_dict("records"):
            best = optimal_for_compute(law.joint, A100.flops(row["seconds"]))
            inside = not law.range_factors(N=best.N, D=best.D)
            assert inside == (row["part"] == "within")
    for one, two in itertools.pairwise(pieces):
        assert one.seconds.iloc[-1] == two.seconds.iloc[0]
    mine = time_chart(law.joint, A100, budgeted(law.joint, TrainingBudget(days=30.0), A100), light())
    assert not leaves_its_range(mine), "constants of one's own state no range"
