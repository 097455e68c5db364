"""The exponent under each count of parameters, the bowls of a sweep of rates, and ladders beside one another."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from scaling_core.fit import FitResult, RunPoints, fit_law
from scaling_core.lab import rules
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec, SweepSpec
from scaling_core.laws import ChinchillaLaw
from scaling_core.runs.results import Counting
from scaling_core.runs.rows import RunRow
from scaling_core.runs.tuning import RateLaw, rate_bowls, rate_law
from scaling_core.viz.export import to_svg
from scaling_core.viz.lab_compare import Compared, bits_per_nat, compare_chart
from scaling_core.viz.lab_counting import best_size_chart, exponent_chart
from scaling_core.viz.lab_counts import (
    Exponent,
    counting_names,
    embedding_shares,
    excess_law,
    fitted_exponent,
    read_without_embeddings,
)
from scaling_core.viz.lab_rates import bowl_chart, rate_chart
from scaling_core.viz.theme import Theme, dark, light
from tests.lab_helpers import rows_of

TRUTH = ChinchillaLaw(E=0.9, A=32.0, B=90.0, alpha=0.34, beta=0.36)
THEMES = pytest.mark.parametrize("theme", [light(), dark()], ids=["light", "dark"])


def plan_of(**changes: object) -> Plan:
    values: dict[str, object] = {"shapes": rules.ladder_shapes()[0:9:2], "horizons": (4.0, 16.0, 64.0), **changes}
    spec = SweepSpec(mode="live", device="cpu", corpus=CorpusSpec(), **values)  # type: ignore[arg-type]  # fields of the spec
    return Plan(spec=spec, lines=rules.plan_lines(spec), seconds=100.0, memory_bytes=10**8)


def measured(plan: Plan, law: ChinchillaLaw = TRUTH) -> list[RunRow]:
    return [
        replace(run, state="finished", tokens=run.planned_tokens, se=0.004, seconds=1.0,
                loss=float(law.loss(run.params, run.planned_tokens)),
                bits_per_byte=float(law.loss(run.params, run.planned_tokens)) / math.log(2))
        for run in rows_of(plan)
    ]  # fmt: skip


def fit_of(runs: list[RunRow], counting: Counting = "with_head", bootstrap: int = 40) -> FitResult:
    used = [run for run in runs if not run.held_out]
    N = [
        {"with_head": r.params, "total": r.params_total, "non_embedding": r.params_non_embedding}[counting]
        for r in used
    ]
    return fit_law(
        RunPoints.of(N=N, D=[r.tokens for r in used], loss=[r.loss or 0.0 for r in used]), bootstrap=bootstrap
    )


PLAN = plan_of()
RUNS = measured(PLAN)


class TestReadInKaplansCount:
    def test_it_is_the_slope_of_optima_found_by_minimising(self) -> None:
        """L(N + c N^p, C / 6 N) minimised by SciPy at each C, and a straight line through the logarithms."""
        fit = fit_of(RUNS, bootstrap=0)
        found = read_without_embeddings(fit, PLAN, RUNS, "read")
        assert found is not None
        excess = excess_law(PLAN)
        assert excess is not None
        c, p = excess
        law = fit.law
        assert isinstance(law, ChinchillaLaw)
        computes = [6.0 * run.params_non_embedding * run.tokens for run in RUNS]
        C = np.geomspace(min(computes), max(computes), 9)
        best = [
            minimize_scalar(
                lambda x, one=one: float(law.loss(math.exp(x) + c * math.exp(x * p), one / (6.0 * math.exp(x)))),
                bounds=(math.log(1e2), math.log(1e9)), method="bounded", options={"xatol": 1e-9},
            ).x
            for one in C
        ]  # fmt: skip
        assert found.value == pytest.approx(np.polyfit(np.log(C), best, 1)[0], abs=2e-4)

    def test_leaving_embeddings_out_makes_small_ladders_steeper(self) -> None:
        fit = fit_of(RUNS)
        own, read = fitted_exponent(fit, "own"), read_without_embeddings(fit, PLAN, RUNS, "read")
        assert read is not None
        assert own.value == pytest.approx(TRUTH.beta / (TRUTH.alpha + TRUTH.beta), abs=1e-4)
        assert read.value > own.value + 0.03
        refit = fitted_exponent(fit_of(RUNS, "non_embedding"), "bare")
        assert refit.value > own.value + 0.01, "a refit in that count agrees in direction"

    def test_without_an_excess_it_is_chinchillas_exponent(self) -> None:
        """Where embeddings are next to nothing the two counts are one."""
        bare = replace(
            PLAN,
            lines=tuple(
                replace(
                    line, runs=tuple(replace(run, params_non_embedding=run.params - 1 - line.rung) for run in line.runs)
                )
                for line in PLAN.lines
            ),
        )
        runs = [replace(run, params_non_embedding=run.params - 1 - run.rung) for run in RUNS]
        found = read_without_embeddings(fit_of(runs, bootstrap=0), bare, runs, "read")
        assert found is not None
        assert found.value == pytest.approx(TRUTH.beta / (TRUTH.alpha + TRUTH.beta), abs=1e-3)

    def test_the_interval_holds_the_value(self) -> None:
        rng = np.random.default_rng(3)
        noisy = [replace(run, loss=(run.loss or 0.0) * math.exp(rng.normal(0, 0.01))) for run in RUNS]
        found = read_without_embeddings(fit_of(noisy, bootstrap=100), PLAN, noisy, "read")
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high

    def test_one_size_has_no_excess_law(self) -> None:
        plan = plan_of(shapes=rules.ladder_shapes()[:1], held_out=0)
        assert excess_law(plan) is None
        assert read_without_embeddings(fit_of(RUNS, bootstrap=0), plan, RUNS, "read") is None

    def test_shares_by_hand(self) -> None:
        """2 layers, width 16, 256 bytes, context 128: 6,592 in blocks, 4,096 in the head, 2,048 in positions."""
        total, share = embedding_shares(PLAN)[0]
        blocks = 2 * (12 * 16**2 + 13 * 16) + 2 * 16
        assert total == blocks + 256 * 16 + 128 * 16
        assert share == pytest.approx(1 - blocks / total)


class TestCountingCharts:
    @THEMES
    def test_exponents_are_drawn_by_vega(self, theme: Theme) -> None:
        own = [
            Exponent(name="With head", value=0.47, low=0.4, high=0.55),
            Exponent(name="Bare", value=0.6, low=None, high=None),
        ]
        svg = to_svg(exponent_chart(own, [("Hoffmann", 0.5), ("Kaplan", 0.73)], "With head", theme))
        for text in ("With head", "Bare", "0.47", "0.60", "Kaplan", "Exponent a of N* ∝ Cᵃ"):
            assert f">{text}</text>" in svg
        assert theme.accent_2.lower() in svg.lower()

    @THEMES
    def test_the_line_moves_with_the_count(self, theme: Theme) -> None:
        fits = {counting: fit_of(RUNS, counting) for counting in counting_names()}
        figure = best_size_chart(fits, "non_embedding", theme)
        lines = figure.data["lines"]
        for counting, fit in fits.items():
            one = lines[lines["line"] == counting_names()[counting][1]]
            slope = np.polyfit(np.log(one["x"]), np.log(one["y"]), 1)[0]
            assert slope == pytest.approx(fit.exponents["a"], abs=1e-6)
        assert set(lines.loc[lines["chosen"], "colour"]) == {theme.accent_2}
        assert len(set(lines["colour"])) == 3
        assert ">without</text>" in to_svg(figure)


def tuned(*, edge: bool = False) -> tuple[Plan, list[RunRow]]:
    """A sweep of five rates at three sizes, each a parabola in ln rate whose vertex follows 0.004 (N / 1e5)^-0.3."""
    plan = plan_of(
        shapes=rules.ladder_shapes()[1:6:2], horizons=(16.0,), held_out=0, rate_factors=(0.25, 0.5, 1.0, 2.0, 4.0)
    )
    lines = {line.track: line for line in plan.lines}
    runs = []
    for run in measured(plan):
        best = 0.004 * (run.params_non_embedding / 1e5) ** -0.3 * (0.02 if edge and run.rung == 2 else 1.0)
        away = math.log(lines[run.track].learning_rate / best)
        runs.append(replace(run, loss=(run.loss or 0.0) + 0.05 * away**2))
    return plan, runs


class TestRates:
    @THEMES
    def test_bowls_and_law_are_drawn_by_vega(self, theme: Theme) -> None:
        plan, runs = tuned()
        bowls = rate_bowls(plan, runs)
        law = rate_law(bowls)
        assert law.exponent == pytest.approx(-0.3, abs=1e-6)
        assert ">Peak learning rate</text>" in to_svg(bowl_chart(plan, bowls, theme))
        figure = rate_chart(plan, bowls, law, theme)
        found = figure.data["lines"]
        own = found[found["line"] == "the law found"]
        assert np.allclose(own["y"], 0.004 * (own["x"] / 1e5) ** -0.3, rtol=1e-6)
        assert ">Best peak rate</text>" in to_svg(figure)

    def test_the_parabola_passes_its_vertex_at_zero(self) -> None:
        plan, runs = tuned()
        data = bowl_chart(plan, rate_bowls(plan, runs), light()).data
        assert len(data["points"]) == 15
        assert data["curves"]["y"].min() == pytest.approx(0.0, abs=1e-4)
        assert not data["best"]["edge"].any()

    def test_a_best_at_the_edge_is_a_ring_without_a_curve(self) -> None:
        plan, runs = tuned(edge=True)
        bowls = rate_bowls(plan, runs)
        data = bowl_chart(plan, bowls, light()).data
        assert data["best"]["edge"].tolist() == [False, False, True]
        assert len(set(data["curves"]["line"])) == 2

    def test_a_rate_that_diverged_is_shown(self) -> None:
        plan, _ = tuned()
        bowl = replace(rate_bowls(*tuned())[0], failed=(0.3,))
        figure = bowl_chart(plan, [bowl], light())
        assert figure.data["lost"]["x"].tolist() == [0.3]
        low, high = figure.values["x_domain"]
        assert low < bowl.rates[0] < 0.3 < high

    def test_without_a_law_the_sweeps_rule_is_still_drawn(self) -> None:
        plan, runs = tuned()
        lines = rate_chart(plan, rate_bowls(plan, runs), None, light()).data["lines"]
        rule = RateLaw(coefficient=plan.spec.rate_coefficient, exponent=plan.spec.rate_exponent, note="")
        assert np.allclose(lines["y"], [rule.rate(x) for x in lines["x"]])


class TestCompared:
    def test_bits_per_byte_of_bytes(self) -> None:
        assert bits_per_nat(RUNS) == pytest.approx(1 / math.log(2))
        assert bits_per_nat(rows_of(PLAN)) is None

    @THEMES
    def test_each_ladder_has_its_line_marks_and_unit(self, theme: Theme) -> None:
        other = measured(PLAN, replace(TRUTH, E=1.2))
        ladders = [
            Compared(name="first", runs=tuple(RUNS), fit=fit_of(RUNS), unit=1.0),
            Compared(name="second", runs=tuple(other), fit=fit_of(other), unit=2.0),
            Compared(name="third", runs=tuple(RUNS[:2]), fit=None, unit=1.0),
        ]
        figure = compare_chart(ladders, "Loss, bits per byte", theme)
        runs, law = figure.data["runs"], figure.data["law"]
        assert runs.groupby("line", sort=False).size().to_dict() == {"first": 15, "second": 15, "third": 2}
        assert runs.loc[runs["line"] == "second", "y"].iloc[0] == pytest.approx(2.0 * (other[0].loss or 0.0))
        assert set(law["line"]) == {"first", "second"}
        assert len(set(runs["shape"])) == len(set(runs["colour"])) == 3
        svg = to_svg(figure)
        for text in ("first", "second", "third", "Loss, bits per byte"):
            assert f">{text}</text>" in svg

    def test_no_law_is_drawn_far_beyond_its_runs(self) -> None:
        short = [run for run in RUNS if run.rung < 3]
        ladders = [
            Compared(name="long", runs=tuple(RUNS), fit=None, unit=1.0),
            Compared(name="short", runs=tuple(short[:6]), fit=fit_of(short), unit=1.0),
        ]
        law = compare_chart(ladders, "Loss", light()).data["law"]
        assert law["x"].max() <= 10.0 * max(6.0 * run.params * run.tokens for run in short) * 1.0001
