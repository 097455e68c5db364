"""The section "Look closer" of the lab's page over a real store: each picture, its words, and what it refuses."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from scaling_core.lab import rules
from scaling_core.lab.plan import make_plan
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import CorpusSpec, SweepSpec
from scaling_core.runs import results
from scaling_core.runs.rows import CurveRow
from scaling_core.runs.store import Store
from scaling_core.ui import lab_data
from scaling_core.ui.lab_closer import CHOICE
from tests.app.exports import KINDS, buttons, offered, open_menus
from tests.app.test_lab import labels, opened, specs, text
from tests.lab_helpers import LAW, calibration, prediction, register
from tests.page_helpers import words


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the server keeps between scripts belongs to one test; few refits are enough to have intervals."""
    monkeypatch.setattr(results, "BOOTSTRAP", 40)
    monkeypatch.setattr(lab_data, "LIVE_BOOTSTRAP", 40)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def ladder(**changes: object) -> Plan:
    """Five sizes at three horizons, the smallest two with three seeds, the largest held out."""
    values: dict[str, object] = {
        "shapes": rules.ladder_shapes()[:5],
        "horizons": (4.0, 16.0, 64.0),
        "seeds": (3, 3, 1, 1, 1),
        **changes,
    }
    spec = SweepSpec(mode="quick", device="cpu", corpus=CorpusSpec(), **values)  # type: ignore[arg-type]  # fields of the spec
    return make_plan(spec, calibration())


def trained(home: Path, plan: Plan, *, curves: bool = True, finish: bool = True) -> Plan:
    """A sweep with curves and losses on the planted law, a hundredth of noise that depends on the run alone."""
    register(home, plan)
    with Store.open_writer(home) as store:
        for line in plan.lines:
            batch = line.batch_sequences * plan.spec.context
            spans = [(line.track, 1, line.trunk_steps), *((run.id, run.decay_from + 1, run.steps) for run in line.runs)]
            rows = [
                CurveRow(
                    track=track, step=step, tokens=step * batch, flops=6.0 * line.runs[0].params * step * batch,
                    train_loss=float(LAW.loss(line.runs[0].params, step * batch)), validation_loss=None,
                    learning_rate=line.learning_rate, tokens_per_second=4e4, memory_bytes=3 * 10**8, at=0.0,
                )
                for track, first, last in spans
                for step in range(first, last + 1, max(1, (last - first) // 40))
            ]  # fmt: skip
            if curves:
                store.add_curve(plan.spec.id, rows)
        for index, run in enumerate(plan.runs):
            if run.held_out:
                store.add_prediction(prediction(plan, run.id))
            loss = float(LAW.loss(run.params, run.tokens)) * (1.0 + 0.01 * math.sin(7.0 * index))
            if finish:
                store.finish_run(
                    plan.spec.id, run.id, loss=loss, se=0.004, bits_per_byte=loss / math.log(2), seconds=run.seconds,
                    tokens=run.tokens, unique_tokens=run.tokens,
                )  # fmt: skip
        if finish:
            store.set_state(plan.spec.id, "finished")
    return plan


def looking(plan: Plan, view: str) -> AppTest:
    """The page on this ladder with one picture open."""
    app = opened(plan.spec.id)
    app.session_state[CHOICE] = view
    app.run()
    assert not app.exception
    assert [error.value for error in app.error] == []
    return app


def files(app: AppTest) -> list[str]:
    """The pictures below "Look closer" that offer themselves as files, each of every kind once its menu is open."""
    charts = [chart for chart in offered(app) if chart.startswith("lab.")]
    open_menus(app, *charts)
    assert not app.exception
    assert buttons(app) == [(f"export~{chart}~{kind.lower()}", kind) for chart in charts for kind in KINDS]
    return charts


class TestWhatIsOffered:
    def test_a_finished_ladder_opens_on_its_curves(self, lab_home: Path) -> None:
        app = opened(trained(lab_home, ladder()).spec.id)
        assert "Look closer" in text(app)
        assert len(specs(app)) == 3
        assert "A thick line is the trunk" in words(app)

    def test_while_it_trains_nothing_more_is_drawn_unasked(self, lab_home: Path) -> None:
        plan = trained(lab_home, ladder(), finish=False)
        app = opened(plan.spec.id)
        assert "Stop" in labels(app)
        assert len(specs(app)) == 2
        app.session_state[CHOICE] = "curves"
        app.run()
        assert len(specs(app)) == 3

    @pytest.mark.parametrize("view", ["curves", "counting", "residuals", "collapse", "speed", "settings", "compare"])
    def test_a_ladder_without_anything_measured_says_so(self, lab_home: Path, view: str) -> None:
        plan = trained(lab_home, ladder(), finish=False, curves=False)
        looking(plan, view)


class TestCurves:
    @pytest.mark.parametrize("along", ["step", "tokens", "compute"])
    def test_three_axes(self, lab_home: Path, along: str) -> None:
        app = looking(trained(lab_home, ladder()), "curves")
        app.session_state["lab.along"] = along
        app.run()
        assert not app.exception
        assert files(app) == [f"lab.curves-{along}"]
        assert ("Along the frontier of the law the best size grows as C to the" in words(app)) == (along == "compute")


class TestCounting:
    def test_three_counts_side_by_side_with_the_reason(self, lab_home: Path) -> None:
        plan = trained(lab_home, ladder())
        app = looking(plan, "counting")
        said = words(app)
        for wanted in ("With head", "All parameters", "Without embeddings", "2406.12907", "2406.19146"):
            assert wanted in said
        small = plan.runs[0]
        share = 100 * (1 - small.params_non_embedding / small.params_total)
        assert f"embeddings and head are {share:.0f}% of the smallest model" in said
        head, bare = re.findall(r"(?:grows as C to the|head, give) ([\d.]+)", said)[:2]
        assert float(bare) > float(head), "leaving embeddings out makes the line steeper"
        assert "a steeper line" in said
        assert files(app) == ["lab.exponents", "lab.best-size"]

    def test_switching_the_count_redraws(self, lab_home: Path) -> None:
        app = looking(trained(lab_home, ladder()), "counting")
        before = specs(app)
        app.session_state["lab.counting"] = "non_embedding"
        app.run()
        assert not app.exception
        assert len(specs(app)) == len(before) == 4


class TestTheRest:
    def test_residuals_stand_beside_the_noise_of_seeds(self, lab_home: Path) -> None:
        app = looking(trained(lab_home, ladder()), "residuals")
        assert "Seeds alone scatter by" in words(app)

    def test_without_seeds_the_band_is_what_it_is(self, lab_home: Path) -> None:
        app = looking(trained(lab_home, ladder(seeds=())), "residuals")
        assert "no size has several seeds" in words(app)

    def test_the_collapse_says_what_it_means_and_how_well_it_holds(self, lab_home: Path) -> None:
        said = words(looking(trained(lab_home, ladder()), "collapse"))
        assert "all sizes learn along the same path" in said
        assert re.search(r"they differ by at most \d+%", said)

    def test_speed_has_a_row_a_size(self, lab_home: Path) -> None:
        plan = trained(lab_home, ladder())
        app = looking(plan, "speed")
        said = words(app)
        assert f"{6.0 * plan.runs[0].params * 4e4 / 1e9:.3g} GFLOP/s" in said
        assert "300 MB" in said
        assert files(app) == ["lab.speed-tokens_per_second", "lab.memory"]

    def test_settings_of_each_run(self, lab_home: Path) -> None:
        plan = trained(lab_home, ladder())
        app = looking(plan, "settings")
        run = plan.runs[-1]
        app.selectbox(key="lab.settings.run").set_value(run.id).run()
        said = words(app)
        line = plan.lines[-1]
        for wanted in (
            f"{run.steps:,} steps, decay from {run.decay_from:,}",
            f"{line.learning_rate:.3g}, {line.warmup_steps:,} steps",
            "held out",
            "bits per byte",
        ):
            assert wanted in said
        for other in plan.runs:
            assert f" {other.id} " in said
        assert f"{run.tokens / 10_000_000:.2g} epochs" in said, "of the ten million bytes of the made up text"


class TestCompare:
    def test_only_what_differs_is_listed(self, lab_home: Path) -> None:
        first = trained(lab_home, ladder())
        second = trained(lab_home, ladder(seed=7, decay_fraction=0.3))
        app = looking(first, "compare")
        app.multiselect(key="lab.compare").set_value([second.spec.id]).run()
        assert not app.exception
        said = words(app)
        table = said[said.index("Set differently") : said.index("Every run")]
        assert "decay fraction 0.2 0.3" in table
        assert "seed 0 7" in table
        assert "context" not in table
        assert "All were measured on the same text." in said
        assert said.count("(") > 10, "constants with their intervals"

    def test_a_sweep_of_rates_is_not_offered(self, lab_home: Path) -> None:
        first = trained(lab_home, ladder())
        trained(lab_home, rates())
        assert "There is no other finished ladder" in words(looking(first, "compare"))


def rates() -> Plan:
    """Three sizes at five rates."""
    return ladder(
        shapes=rules.ladder_shapes()[1:6:2],
        horizons=(16.0,),
        seeds=(),
        held_out=0,
        rate_factors=(0.25, 0.5, 1.0, 2.0, 4.0),
    )


def tuned(home: Path, *, edge: bool = False) -> Plan:
    """A sweep of rates whose bowls have their least at 0.004 (N / 1e5)^-0.3, or for one size beyond what was tried."""
    plan = rates()
    register(home, plan)
    with Store.open_writer(home) as store:
        for line in plan.lines:
            for run in line.runs:
                best = 0.004 * (run.params_non_embedding / 1e5) ** -0.3 * (50.0 if edge and run.rung == 2 else 1.0)
                loss = float(LAW.loss(run.params, run.tokens)) + 0.05 * math.log(line.learning_rate / best) ** 2
                store.finish_run(
                    plan.spec.id, run.id, loss=loss, se=0.004, bits_per_byte=loss / math.log(2), seconds=1.0,
                    tokens=run.tokens, unique_tokens=run.tokens,
                )  # fmt: skip
        store.set_state(plan.spec.id, "finished")
    return plan


class TestRates:
    def test_the_answer_is_the_rate_and_no_law_is_fitted(self, lab_home: Path) -> None:
        app = opened(tuned(lab_home).spec.id)
        said = words(app)
        assert "The best rate is 0.004 at 100K parameters and changes as N to the \u22120.30." in said
        assert "The law so far" not in said
        assert "Residuals" not in said
        assert len(specs(app)) == 4, "curves and bowls above, bowls and best rates below"
        assert "Sweep of rates" in said

    def test_a_best_at_the_edge_is_said(self, lab_home: Path) -> None:
        said = words(opened(tuned(lab_home, edge=True).spec.id))
        assert "the least loss is at the largest rate tried" in said
        assert "Tune again with higher rates." in said
        assert "at the edge" in said

    def test_before_two_rates_are_measured_there_is_no_bowl(self, lab_home: Path) -> None:
        plan = rates()
        register(lab_home, plan)
        said = words(opened(plan.spec.id))
        assert "A bowl needs two measured rates" in said
        assert "Preparing the next rate: 0 of 15 runs measured." in said
