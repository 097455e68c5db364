"""Pictures below the law: curves along three axes with the frontier, the collapse, and speed along the time trained."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scaling_core.fit import AllocationFit, FitResult, RunPoints, fit_law
from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec, SweepSpec
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import frontier
from scaling_core.runs.rows import CurveRow, RunRow
from scaling_core.viz.export import to_svg
from scaling_core.viz.lab_curves import (
    COMPARED,
    Along,
    collapse_chart,
    collapse_frame,
    collapse_spread,
    cooled_envelope,
    curves_chart,
)
from scaling_core.viz.lab_frames import CurveBook, rung_label, trunk_labels, trunk_of
from scaling_core.viz.lab_speed import speed_chart, speed_frame, speed_summary, time_unit
from scaling_core.viz.theme import Theme, dark, light
from tests.lab_helpers import rows_of

TRUTH = ChinchillaLaw(E=0.9, A=32.0, B=90.0, alpha=0.34, beta=0.36)
SPEED = 50_000.0


def plan_of(sizes: int = 5, horizons: tuple[float, ...] = (4.0, 16.0, 64.0), seeds: tuple[int, ...] = ()) -> Plan:
    shapes = rules.ladder_shapes()[1 : sizes + 1]
    spec = SweepSpec(mode="live", device="cpu", corpus=CorpusSpec(), shapes=shapes, horizons=horizons, seeds=seeds)
    return Plan(spec=spec, lines=rules.plan_lines(spec), seconds=100.0, memory_bytes=10**8)


PLAN = plan_of()


def measured(plan: Plan) -> list[RunRow]:
    return [
        replace(
            run,
            state="finished",
            tokens=run.planned_tokens,
            loss=float(TRUTH.loss(run.params, run.planned_tokens)),
            se=0.004,
            bits_per_byte=float(TRUTH.loss(run.params, run.planned_tokens)) / math.log(2),
            seconds=1.0,
        )
        for run in rows_of(plan)
    ]


def fit_of(runs: list[RunRow]) -> FitResult:
    used = [run for run in runs if not run.held_out]
    losses = [run.loss or 0.0 for run in used]
    return fit_law(
        RunPoints.of(N=[run.params for run in used], D=[run.tokens for run in used], loss=losses), bootstrap=20
    )


def curves_of(plan: Plan, *, points: int = 200) -> pd.DataFrame:
    """Trunks and branches that follow the true law from the first step, all at one speed."""
    book = CurveBook(trunk_labels(plan))
    for line in plan.lines:
        batch = line.batch_sequences * plan.spec.context
        tracks = [(line.track, 1, line.trunk_steps)] + [(run.id, run.decay_from + 1, run.steps) for run in line.runs]
        for track, first, last in tracks:
            steps = np.unique(np.geomspace(first, last, points).astype(int)).tolist()
            book.add(row(track, step, step * batch, line.runs[0].params) for step in steps)
    return book.frame()


def row(track: str, step: int, tokens: int, params: int) -> CurveRow:
    return CurveRow(
        track=track,
        step=step,
        tokens=tokens,
        flops=6.0 * params * tokens,
        train_loss=float(TRUTH.loss(params, tokens)),
        validation_loss=None,
        learning_rate=1e-3,
        tokens_per_second=SPEED,
        memory_bytes=10**8 + params,
        at=0.0,
    )


CURVES = curves_of(PLAN)
RUNS = measured(PLAN)


class TestTracks:
    @pytest.mark.parametrize(
        ("track", "trunk"),
        [("r0", "r0"), ("r0-h20", "r0"), ("r0-s1", "r0-s1"), ("r0-s1-h2.5", "r0-s1"), ("r0-x0.5-h1e-05", "r0-x0.5"),
         ("r1-s1", None), ("r7", None), ("r7-h5", None), ("r0-q", None)],
    )  # fmt: skip
    def test_the_trunk_of_a_track(self, track: str, trunk: str | None) -> None:
        assert trunk_of(track, {"r0": "20K", "r0-s1": "20K", "r0-x0.5": "20K"}) == trunk

    def test_a_second_seed_is_a_trunk_and_no_branch(self) -> None:
        plan = plan_of(sizes=2, seeds=(2, 1))
        frame = curves_of(plan, points=20)
        own = frame[frame["track"] == "r0-s1"]
        assert len(own)
        assert not own["branch"].any()
        assert frame.loc[frame["track"] == "r0-s1-h4", "branch"].all()
        assert set(frame.loc[frame["track"] == "r0-s1-h4", "trunk"]) == {"r0-s1"}


class TestCurves:
    @pytest.mark.parametrize("theme", [light(), dark()], ids=["light", "dark"])
    @pytest.mark.parametrize(("along", "title"), [("step", "Optimiser step"), ("tokens", "Training tokens D"),
                                                  ("compute", "Training compute C = 6 N D, FLOP")])  # fmt: skip
    def test_each_axis_is_drawn_by_vega(self, theme: Theme, along: object, title: str) -> None:
        figure = curves_chart(PLAN, CURVES, RUNS, theme, along=along, fit=fit_of(RUNS))  # type: ignore[arg-type]  # parametrised
        svg = to_svg(figure)
        assert f">{title}</text>" in svg
        for size in PLAN.sizes:
            assert f">{rung_label(size)}</text>" in svg

    def test_an_end_stands_at_its_own_step_tokens_and_compute(self) -> None:
        last, run = PLAN.runs[-1], RUNS[-1]
        places: dict[Along, float] = {
            "step": last.steps,
            "tokens": last.tokens,
            "compute": 6.0 * last.params * last.tokens,
        }
        for along, wanted in places.items():
            points = curves_chart(PLAN, CURVES, RUNS, light(), along=along).data["points"]
            one = points[points["run"] == last.id].iloc[0]
            assert one["x"] == pytest.approx(wanted)
            assert one["y"] == pytest.approx(run.loss)

    def test_the_frontier_is_the_least_loss_that_the_law_has_for_its_compute(self) -> None:
        fit = fit_of(RUNS)
        data = curves_chart(PLAN, CURVES, RUNS, light(), along="compute", fit=fit).data["frontier"]
        some = data.iloc[[5, 30, 55]]
        assert isinstance(fit.law, ChinchillaLaw)
        _, _, loss = frontier(fit.law, some["x"].to_numpy())
        assert np.allclose(some["y"], loss, rtol=1e-9)
        grid = np.geomspace(1e3, 1e8, 20_001)
        by_hand = [float(np.min(fit.law.loss(grid, C / (6 * grid)))) for C in some["x"]]
        assert np.allclose(some["y"], by_hand, rtol=1e-6)

    def test_only_compute_has_a_frontier(self) -> None:
        alongs: tuple[Along, ...] = ("step", "tokens")
        for along in alongs:
            figure = curves_chart(PLAN, CURVES, RUNS, light(), along=along, fit=fit_of(RUNS))
            assert figure.data["frontier"].empty

    def test_the_chosen_run_stands_out_with_its_trunk(self) -> None:
        lines = curves_chart(PLAN, CURVES, RUNS, light(), along="step", chosen="r1-h16").data["lines"]
        bright = set(lines.loc[lines["opacity"] == 1.0, "track"])
        assert bright == {"r1", "r1-h16"}

    def test_curves_begin_where_they_enter_the_picture(self) -> None:
        figure = curves_chart(PLAN, CURVES, RUNS, light(), along="tokens")
        low = figure.values["x_domain"][0]
        lines = figure.data["lines"]
        seen = lines[lines["y"] <= figure.values["y_domain"][1]]
        assert low <= seen["x"].min()
        assert low >= seen["x"].min() / 1.3


class TestEnvelope:
    def test_the_cooled_ends_find_the_exponent_of_the_law_they_lie_on(self) -> None:
        plan = plan_of(sizes=9, horizons=(2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0))
        found = cooled_envelope(measured(plan))
        assert isinstance(found, AllocationFit)
        truth = TRUTH.beta / (TRUTH.alpha + TRUTH.beta)
        assert found.exponents["a"] == pytest.approx(truth, abs=0.06)
        lowest = curves_chart(
            plan, curves_of(plan, points=20), measured(plan), light(), along="compute", envelope=found
        )
        assert len(lowest.data["lowest"]) > 10

    def test_too_few_sizes_give_a_sentence(self) -> None:
        found = cooled_envelope(measured(plan_of(sizes=2)))
        assert isinstance(found, str)
        assert found.endswith(".")


class TestCollapse:
    def test_curves_of_one_shape_collapse(self) -> None:
        """L - E = N^-s f(D / D_end) for every size: one curve, whatever the scale."""
        parts = []
        for k, label in enumerate(("20K", "40K", "80K")):
            share = np.geomspace(0.01, 1.0, 50)
            tokens, loss = share * 10.0 ** (5 + k), 1.0 + 0.7**k * share**-0.3
            parts.append(
                pd.DataFrame({"track": f"r{k}", "label": label, "tokens": tokens, "loss": loss, "branch": False})
            )
        curves = pd.concat(parts, ignore_index=True)
        frame = collapse_frame(curves, 1.0)
        assert np.allclose(frame["left"], frame["share"] ** -0.3, rtol=1e-12)
        assert collapse_spread(frame) == pytest.approx(0.0, abs=1e-9)
        wrong = collapse_spread(collapse_frame(curves, 0.2))
        assert wrong is not None
        assert wrong > 0.02, "from a wrong floor they do not"

    def test_the_spread_is_that_of_the_levels(self) -> None:
        share = np.geomspace(0.01, 1.0, 200)
        parts = [
            pd.DataFrame({"track": name, "label": name, "share": share, "left": share**-power})
            for name, power in (("a", 0.2), ("b", 0.3))
        ]
        wanted = math.exp(np.std([-0.2 * math.log(COMPARED[0]), -0.3 * math.log(COMPARED[0])], ddof=1)) - 1
        assert collapse_spread(pd.concat(parts)) == pytest.approx(wanted, rel=1e-3)

    def test_branches_and_curves_below_the_floor_are_left_out(self) -> None:
        frame = collapse_frame(CURVES, 0.9)
        assert set(frame["track"]) == {line.track for line in PLAN.lines}
        assert collapse_frame(CURVES, 50.0).empty
        assert collapse_spread(collapse_frame(CURVES, 50.0)) is None

    @pytest.mark.parametrize("theme", [light(), dark()], ids=["light", "dark"])
    def test_it_is_drawn_by_vega(self, theme: Theme) -> None:
        svg = to_svg(collapse_chart(PLAN, collapse_frame(CURVES, 0.9), theme))
        assert ">Share of its own training, D / D at its end</text>" in svg
        assert f">{rung_label(PLAN.sizes[0])}</text>" in svg


class TestSpeed:
    def test_time_is_tokens_by_speed_without_gaps(self) -> None:
        frame = speed_frame(PLAN, CURVES)
        assert frame["seconds"].is_monotonic_increasing
        first = PLAN.lines[0]
        batch = first.batch_sequences * PLAN.spec.context
        trunk = frame[frame["track"] == first.track]
        assert float(trunk["seconds"].iloc[-1]) == pytest.approx(first.trunk_steps * batch / SPEED, rel=0.02)

    def test_a_size_sums_its_trunk_and_branches(self) -> None:
        summary = speed_summary(speed_frame(PLAN, CURVES))
        assert summary["label"].tolist() == [rung_label(size) for size in PLAN.sizes]
        line, one = PLAN.lines[0], summary.iloc[0]
        batch = line.batch_sequences * PLAN.spec.context
        steps = line.trunk_steps + sum(run.steps - run.decay_from for run in line.runs)
        assert one["tokens"] == pytest.approx(steps * batch, rel=0.05)
        assert one["seconds"] == pytest.approx(one["tokens"] / SPEED, rel=0.05)
        assert one["flops_per_second"] == pytest.approx(6.0 * line.runs[0].params * SPEED)
        assert one["memory_bytes"] == 10**8 + line.runs[0].params

    @pytest.mark.parametrize("measure", ["tokens_per_second", "flops_per_second", "memory_bytes"])
    def test_it_is_drawn_by_vega(self, measure: object) -> None:
        svg = to_svg(speed_chart(PLAN, speed_frame(PLAN, CURVES), measure, dark()))  # type: ignore[arg-type]  # parametrised
        assert f">{rung_label(PLAN.sizes[-1])}</text>" in svg

    def test_nothing_trained_is_an_empty_frame(self) -> None:
        frame = speed_frame(PLAN, CurveBook(trunk_labels(PLAN)).frame())
        assert frame.empty
        assert speed_summary(frame).empty

    @pytest.mark.parametrize(("seconds", "name"), [(5.0, "seconds"), (200.0, "minutes"), (8000.0, "hours")])
    def test_a_unit_in_which_the_time_is_a_small_number(self, seconds: float, name: str) -> None:
        assert time_unit(seconds)[1] == name
