"""Frames and charts of a ladder: what they hold, that they stay small, and that a poll changes rows only."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert

from scaling_core.fit import FitResult, RunPoints, fit_law, predict
from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec, SweepSpec
from scaling_core.laws import ChinchillaLaw
from scaling_core.runs.rows import CurveRow, PredictionRow, RunRow
from scaling_core.viz import lab, lab_frames
from scaling_core.viz.theme import contrast, dark, light
from tests.lab_helpers import rows_of

TRUTH = ChinchillaLaw(E=0.9, A=32.0, B=90.0, alpha=0.34, beta=0.36)


def ladder(sizes: int = 5, horizons: tuple[float, ...] = (10.0, 20.0, 40.0)) -> Plan:
    """A plan of five sizes, the largest held out, as the rules work it out."""
    shapes = rules.ladder_shapes()[1 : sizes + 1]
    spec = SweepSpec(mode="live", device="cpu", corpus=CorpusSpec(), shapes=shapes, horizons=horizons)
    return Plan(spec=spec, lines=rules.plan_lines(spec), seconds=100.0, memory_bytes=10**8)


PLAN = ladder()


def measured(plan: Plan, *, first: int = 10**6) -> list[RunRow]:
    """Rows of the plan's runs, the first so many of them finished on the true law."""
    return [
        replace(
            row,
            state="finished",
            tokens=row.planned_tokens,
            loss=float(TRUTH.loss(row.params, row.planned_tokens)),
            se=0.004,
            bits_per_byte=1.0,
            unique_tokens=row.planned_tokens,
            seconds=1.0,
            started_at=0.0,
            finished_at=1.0,
        )
        if index < first
        else row
        for index, row in enumerate(rows_of(plan))
    ]


def fit_of(runs: list[RunRow]) -> FitResult:
    used = [(run.params, run.tokens, run.loss) for run in runs if run.loss is not None and not run.held_out]
    params, tokens, losses = zip(*used, strict=True)
    return fit_law(RunPoints.of(N=params, D=tokens, loss=losses), bootstrap=20)


def curve_row(track: str, step: int, loss: float | None, *, seq: int = 0, validation: float | None = None) -> CurveRow:
    return CurveRow(
        track=track,
        step=step,
        tokens=1024 * (step + 1),
        flops=1e6 * (step + 1),
        train_loss=loss,
        validation_loss=validation,
        learning_rate=1e-3,
        tokens_per_second=1e5,
        memory_bytes=10**8,
        at=0.0,
        seq=seq,
    )


def foretold(plan: Plan) -> list[PredictionRow]:
    return [
        PredictionRow(
            sweep=plan.spec.id,
            run_id=run.id,
            params=run.params,
            tokens=run.tokens,
            loss=1.9,
            low=1.8,
            high=2.0,
            level=0.95,
            form="chinchilla",
            constants={},
            fitted_runs=("r0-h10",),
            made_at=0.0,
        )
        for run in plan.runs
        if run.held_out
    ]


def frames_of(runs: list[RunRow], against: lab_frames.Against) -> dict[str, pd.DataFrame]:
    law = lab_frames.law_frame(fit_of(runs), PLAN, against)
    return {
        "law": law,
        "names": lab_frames.name_frame(law, against),
        "points": lab_frames.point_frame(runs, PLAN),
        "predictions": lab_frames.prediction_frame(foretold(PLAN), runs, PLAN),
    }


def rendered(spec: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """The chart as SVG, drawn by Vega itself, which fails on a specification that is wrong."""
    data = {name: table.replace({np.nan: None}).to_dict(orient="records") for name, table in tables.items()}
    return str(vl_convert.vegalite_to_svg({**spec, "width": 500, "height": 300, "datasets": data}))


class TestCurves:
    def test_a_long_track_is_thinned_and_keeps_its_end(self) -> None:
        book = lab_frames.CurveBook(lab_frames.trunk_labels(PLAN))
        book.add(curve_row("r0", step, 5.0 - step / 5000) for step in range(5000))
        frame = book.frame()
        assert 40 < len(frame) <= lab_frames.CURVE_POINTS
        assert frame["tokens"].is_monotonic_increasing
        assert frame["tokens"].iloc[-1] == 1024 * 5000
        assert frame["loss"].iloc[-1] == pytest.approx(4.0, abs=0.1)

    def test_thinning_averages_what_falls_into_a_bin(self) -> None:
        values = np.column_stack([np.arange(1.0, 1001.0), np.arange(1.0, 1001.0), np.tile([1.0, 3.0], 500)])
        late = lab_frames.thin(values, 20)[-4:-1, 2]
        assert np.allclose(late, 2.0, atol=0.1)

    def test_a_short_track_is_kept_as_it_is(self) -> None:
        values = np.array([[2.0, 1.0, 3.0], [1.0, 1.0, 4.0]])
        assert lab_frames.thin(values, 200).tolist() == [[1.0, 1.0, 4.0], [2.0, 1.0, 3.0]]
        assert lab_frames.thin(values[:1], 200).tolist() == [[2.0, 1.0, 3.0]]

    def test_a_branch_keeps_its_shape_without_the_noise_of_batches(self) -> None:
        tokens = np.linspace(800.0, 1000.0, 40)
        noise = np.random.default_rng(0).normal(0.0, 0.1, 40)
        drawn = lab_frames.thin(np.column_stack([tokens, tokens, 3.0 - tokens / 1000.0 + noise]), 200)
        assert 8 <= len(drawn) <= 13
        assert np.std(drawn[:, 2] - 3.0 + drawn[:, 0] / 1000.0) < 0.07

    def test_a_step_trained_again_counts_once_with_its_later_loss(self) -> None:
        book = lab_frames.CurveBook(lab_frames.trunk_labels(PLAN))
        book.add([curve_row("r1", 0, 5.0, seq=1), curve_row("r1", 1, 4.0, seq=2)])
        assert book.frame()["loss"].tolist() == [5.0, 4.0]
        book.add([curve_row("r1", 1, 3.5, seq=7)])
        assert book.frame()["loss"].tolist() == [5.0, 3.5]
        assert book.last == 7

    def test_rows_without_a_loss_or_of_no_rung_are_passed_over(self) -> None:
        book = lab_frames.CurveBook(lab_frames.trunk_labels(PLAN))
        book.add([curve_row("r0", 0, None), curve_row("r99", 0, 2.0), curve_row("r0", 1, None, validation=2.5)])
        assert book.frame()["loss"].tolist() == [2.5]

    def test_branches_are_told_from_trunks(self) -> None:
        book = lab_frames.CurveBook(lab_frames.trunk_labels(PLAN))
        book.add([curve_row("r0", 0, 3.0), curve_row("r0-h10", 1, 2.5)])
        assert book.frame()["branch"].tolist() == [False, True]

    def test_an_empty_book_still_has_typed_columns(self) -> None:
        frame = lab_frames.CurveBook(lab_frames.trunk_labels(PLAN)).frame()
        assert frame.empty
        assert frame["loss"].dtype == float
        assert frame["branch"].dtype == bool


class TestLaw:
    @pytest.mark.parametrize("against", ["compute", "size"])
    def test_the_line_is_the_fitted_law(self, against: lab_frames.Against) -> None:
        fit = fit_of(measured(PLAN))
        law = lab_frames.law_frame(fit, PLAN, against)
        run = PLAN.runs[-1] if against == "compute" else PLAN.runs[0]
        wanted = lab_frames.rung_label(PLAN.sizes[-1]) if against == "compute" else "D = 10 N"
        line = law[law["line"] == wanted]
        params = np.full(len(line), float(run.params)) if against == "compute" else line["x"].to_numpy()
        tokens = line["x"].to_numpy() / (6.0 * params) if against == "compute" else 10.0 * params
        assert np.allclose(line["loss"], predict(fit, params, tokens).loss, rtol=1e-12)
        assert (line["low"] <= line["loss"] + 1e-9).all()
        assert (line["high"] >= line["loss"] - 1e-9).all()

    def test_only_the_largest_size_is_marked_as_held_out(self) -> None:
        law = lab_frames.law_frame(fit_of(measured(PLAN)), PLAN, "compute")
        assert set(law.loc[law["held_out"], "line"]) == {lab_frames.rung_label(PLAN.sizes[-1])}
        assert not lab_frames.law_frame(fit_of(measured(PLAN)), PLAN, "size")["held_out"].any()

    def test_a_name_stands_where_no_line_passes_above_it(self) -> None:
        law = pd.DataFrame(
            {
                "line": ["low", "low", "crossing", "crossing"],
                "x": [1.0, 100.0, 10.0, 1000.0],
                "loss": [3.0, 1.0, 2.8, 0.2],
                "low": 0.0,
                "high": 4.0,
                "held_out": False,
            }
        )
        assert lab_frames.name_frame(law, "compute")["x"].tolist() == [1.0, 10.0]
        assert lab_frames.name_frame(law, "size")["x"].tolist() == [1.0, 10.0]
        law.loc[2, "loss"] = 1.5
        assert lab_frames.name_frame(law, "compute")["x"].tolist() == [1.0, 1000.0]

    def test_without_a_fit_nothing_is_drawn(self) -> None:
        law = lab_frames.law_frame(None, PLAN, "compute")
        assert law.empty
        assert lab_frames.name_frame(law, "compute").empty

    def test_a_prediction_is_joined_by_its_measurement(self) -> None:
        before = lab_frames.prediction_frame(foretold(PLAN), measured(PLAN, first=12), PLAN)
        after = lab_frames.prediction_frame(foretold(PLAN), measured(PLAN), PLAN)
        assert before["measured"].isna().all()
        last = PLAN.runs[-1]
        assert after["measured"].iloc[-1] == pytest.approx(float(TRUTH.loss(last.params, last.tokens)))
        assert after["flops"].iloc[-1] == 6.0 * last.params * last.tokens

    def test_points_leave_out_what_is_not_measured(self) -> None:
        points = lab_frames.point_frame(measured(PLAN, first=4), PLAN)
        assert points["run"].tolist() == [run.id for run in PLAN.runs[:4]]


class TestDomains:
    def test_a_wild_law_does_not_push_the_points_together(self) -> None:
        low, high = lab.loss_domain([2.0, 3.0], [900.0, 0.0])
        assert high < 4.0
        assert low > 0.5

    def test_it_holds_every_measured_loss(self) -> None:
        low, high = lab.loss_domain([1.52, 3.4], [1.4])
        assert low <= 1.4
        assert high >= 3.4

    def test_one_point_does_not_fill_the_picture(self) -> None:
        low, high = lab.loss_domain([2.5])
        assert high - low >= lab.NARROWEST

    def test_nothing_measured_has_a_domain_too(self) -> None:
        assert lab.loss_domain([]) == (1.0, lab.HIGHEST_LOSS)
        assert lab.loss_domain([math.nan]) == (1.0, lab.HIGHEST_LOSS)

    @pytest.mark.parametrize(("lowest", "floor"), [(2.2, 2.0), (1.30, 1.25), (0.62, 0.6), (0.01, 0.1)])
    def test_the_floor_of_learning_is_a_round_loss_below(self, lowest: float, floor: float) -> None:
        assert lab.loss_floor([4.0, lowest, math.nan]) == floor


class TestCharts:
    @pytest.mark.parametrize("theme", [light(), dark()], ids=["light", "dark"])
    @pytest.mark.parametrize("against", ["compute", "size"])
    def test_the_law_is_drawn_by_vega(self, theme: Any, against: lab_frames.Against) -> None:
        tables = frames_of(measured(PLAN), against)
        domain = lab.loss_domain(tables["points"]["loss"], tables["law"]["loss"])
        svg = rendered(lab.law_chart(PLAN, theme, against=against, domain=domain), tables)
        wanted = [lab_frames.rung_label(rung) for rung in PLAN.sizes] if against == "compute" else ["D = 20 N"]
        for text in [*wanted, "Loss, nats per byte"]:
            assert f">{text}</text>" in svg

    def test_before_anything_is_measured_the_axes_stand_already(self) -> None:
        law = lab_frames.law_frame(None, PLAN, "compute")
        runs = measured(PLAN, first=0)
        points = lab_frames.point_frame(runs, PLAN)
        tables = {"law": law, "names": law, "points": points}
        tables["predictions"] = lab_frames.prediction_frame([], runs, PLAN)
        spec = lab.law_chart(PLAN, light(), against="compute", domain=lab.loss_domain([]))
        assert "Training compute" in rendered(spec, tables)

    def test_learning_is_drawn_by_vega(self) -> None:
        book = lab_frames.CurveBook(lab_frames.trunk_labels(PLAN))
        book.add([curve_row("r0", step, 4.0 * (step + 1) ** -0.1) for step in range(100)])
        curves, points = book.frame(), lab_frames.point_frame(measured(PLAN, first=2), PLAN)
        tables = {"curves": curves, "points": points, "ends": lab_frames.end_frame(curves, points, (2.0, 4.0))}
        svg = rendered(lab.learning_chart(PLAN, light(), floor=2.0), tables)
        assert f">{lab_frames.rung_label(PLAN.sizes[0])}</text>" in svg
        assert f">{lab_frames.rung_label(PLAN.sizes[3])}</text>" not in svg

    def test_the_plan_is_drawn_by_vega(self) -> None:
        svg = rendered(lab.plan_chart(PLAN, light()), {"plan": lab_frames.plan_frame(PLAN)})
        assert ">D = 40 N</text>" in svg
        assert svg.count(light().accent_2) >= len(PLAN.spec.horizons)

    def test_a_point_that_arrives_changes_rows_only(self) -> None:
        specs = []
        for first in (6, 7):
            points = lab_frames.point_frame(measured(PLAN, first=first), PLAN)
            domain = lab.loss_domain(points["loss"])
            specs.append(lab.law_chart(PLAN, light(), against="compute", domain=domain))
        assert specs[0] is specs[1]
        assert "datasets" not in specs[0]

    def test_an_equal_plan_of_another_reading_has_the_same_chart(self) -> None:
        again = Plan.from_dict(PLAN.to_dict())
        assert lab.plan_chart(again, light()) is lab.plan_chart(PLAN, light())

    @pytest.mark.parametrize("theme", [light(), dark()], ids=["light", "dark"])
    def test_every_size_stands_out_from_the_background_and_the_others(self, theme: Any) -> None:
        plan = ladder(sizes=8)
        colours = lab.rung_colours(plan, theme)
        assert len(set(colours.values())) == 8
        assert list(colours.values())[-1] == theme.accent_2
        assert min(contrast(colour, theme.background) for colour in colours.values()) >= 3.0

    def test_names_stand_at_the_furthest_point(self) -> None:
        book = lab_frames.CurveBook(lab_frames.trunk_labels(PLAN))
        book.add([curve_row("r0", step, 3.0) for step in range(5)])
        points = lab_frames.point_frame(measured(PLAN, first=1), PLAN)
        ends = lab_frames.end_frame(book.frame(), points, (1.0, 4.0))
        assert ends["tokens"].tolist() == [max(5 * 1024.0, float(PLAN.runs[0].tokens))]

    def test_names_of_sizes_that_end_at_one_loss_do_not_cover_each_other(self) -> None:
        points = lab_frames.point_frame(measured(PLAN, first=len(PLAN.runs)), PLAN).assign(loss=2.0)
        ends = lab_frames.end_frame(lab_frames.CurveBook({}).frame(), points, (1.0, 4.0))
        places = sorted(ends["dy"])
        assert len(places) == len(PLAN.sizes)
        assert min(b - a for a, b in pairwise(places)) >= light().mark_size
