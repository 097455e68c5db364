"""One's own settings on the lab's page before Start: the plan follows them, and what cannot be is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.lab.records import Plan
from scaling_core.runs import supervisor
from scaling_core.runs.store import Store
from scaling_core.runs.supervisor import Started
from tests.app.test_lab import (  # noqa: F401  # fixtures, used by their names
    PAGE,
    _nothing_kept,
    _small_text,
    finished,
    measured_home,
    opened,
    settled,
    text,
)
from tests.lab_helpers import register
from tests.unit.test_tuning import measured, tuning_plan


def typed(app: AppTest, name: str, value: str) -> AppTest:
    app.text_input(key=f"lab.own.{name}").set_value(value).run()
    return settled(app)


def test_sizes_and_horizons_of_ones_own_are_in_the_plan(measured_home: Path) -> None:  # noqa: F811  # the fixture
    app = typed(typed(opened(), "sizes", "2x32, 3x48, 4x64, 4x128"), "horizons", "5, 10")
    said = text(app)
    assert "4 × 2" in said
    for shape in ("2 layers × 32", "3 layers × 48", "4 layers × 64", "4 layers × 128"):
        assert shape in said
    assert not app.button(key="lab.start").disabled


def test_a_sweep_of_rates_is_planned_and_foretells_nothing(measured_home: Path) -> None:  # noqa: F811  # the fixture
    app = opened()
    app.radio(key="lab.own.what").set_value("rates").run()
    app = typed(settled(app), "factors", "0.5, 1, 2")
    said = text(app)
    assert "3 × 1" in said
    assert "predicted first" not in said.split("Every size")[1]


def test_a_ladder_may_take_its_rate_from_a_finished_sweep_of_rates(measured_home: Path) -> None:  # noqa: F811  # the fixture
    plan = tuning_plan()
    register(measured_home, plan)
    with Store.open_writer(measured_home) as store:
        for row in measured(plan):
            assert row.loss is not None
            store.finish_run(
                plan.spec.id, row.id, loss=row.loss, se=0.01, bits_per_byte=3.0, seconds=1.0, tokens=1, unique_tokens=1
            )
        store.set_state(plan.spec.id, "finished")
    app = opened("new")
    assert app.selectbox(key="lab.own.rates").options[0] == "the rule"
    app.selectbox(key="lab.own.rates").set_value(plan.spec.id).run()
    app = settled(app)
    assert not app.button(key="lab.start").disabled


@pytest.mark.parametrize(
    ("box", "chosen", "foreign"),
    [
        ("lab.corpus", "oracle", "Python 标准库"),
        ("lab.device", "cpu", "自动"),
        ("lab.own.precision", "bfloat16", "单精度"),
    ],
)
def test_a_name_of_the_language_just_left_changes_no_choice(
    measured_home: Path,  # noqa: F811  # the fixture
    box: str,
    chosen: str,
    foreign: str,
) -> None:
    app = AppTest.from_file(str(PAGE), default_timeout=60)
    app.query_params["sweep"] = "new"
    app.session_state[box], app.session_state[f"{box}~kept"] = foreign, chosen
    app.run()
    assert not app.exception
    assert not app.error
    assert app.selectbox(key=box).value == chosen


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("sizes", "2xwide", "layers x width"),
        ("horizons", "=1+1", "horizons"),
        ("seeds", "3", "one number for each"),
        ("minutes", "0", "minutes"),
        ("max_steps", "1e99", "max-steps"),
        ("context", "-3", "context"),
        ("dropout", "200%", "dropout"),
        ("held_out", "99", "held-out"),
    ],
)
def test_what_cannot_be_is_one_sentence(measured_home: Path, name: str, value: str, part: str) -> None:  # noqa: F811  # the fixture
    app = typed(opened(), name, value)
    assert [part in str(one.value).replace("\\", "") for one in app.warning] == [True]
    assert app.button(key="lab.start").disabled
    app = typed(app, name, "")
    assert not app.button(key="lab.start").disabled


def test_a_finished_ladder_is_extended_from_its_page(
    measured_home: Path,  # noqa: F811  # the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = finished(measured_home)
    begun: list[Plan] = []

    def start(plan: Plan, home: Path, *, seed_given: bool) -> Started:
        begun.append(plan)
        return Started(sweep=plan.spec.id, pid=1)

    monkeypatch.setattr(supervisor, "start", start)
    app = opened(plan.spec.id)
    app.text_input(key="lab.extend.horizons").set_value("16").run()
    assert "4 further runs" in text(app)
    app.button(key="lab.extend.start").click().run()
    assert begun[0].spec.horizons == (*plan.spec.horizons, 16.0)
    app = opened(plan.spec.id)
    app.text_input(key="lab.extend.sizes").set_value("4xwide").run()
    assert any("layers x width" in str(error.value) for error in app.error)
