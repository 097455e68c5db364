"""The last two parts of the page "Plan a training": the usual mistakes with their price, and the checklist."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import preset
from scaling_core.checks import Check
from scaling_core.hardware import device
from scaling_core.language import LANGUAGES, Language, speaking
from scaling_core.planning import TrainingBudget, budgeted, machine
from scaling_core.planning.checklist import Surroundings, checklist, grounds, summary
from scaling_core.planning.cost import Mistake
from scaling_core.planning.mistakes import mistakes
from scaling_core.planning.prepared import Prepared, prepared
from scaling_core.planning.trust import trust
from scaling_core.ui.check_list import SIGNS, check_list
from scaling_core.ui.plan_checks import dearest
from scaling_core.ui.plan_trust import asked_laws
from tests.page_helpers import blocks, law_choice, words
from tests.plan_helpers import choose, measured, opened, table, whole

A100 = device("a100-80gb")
HOFFMANN = preset("hoffmann2022")


def ready(law: str = "hoffmann2022", *, count: int = 1) -> Prepared:
    plan = budgeted(preset(law), TrainingBudget(days=30.0), machine(A100, mfu=0.4, count=count))
    return prepared(preset(law), plan, A100)


def costs(one: Prepared) -> tuple[Mistake, ...]:
    return mistakes(one, trust(asked_laws(), N=one.plan.N, D=one.plan.D).answers)


def checks(one: Prepared) -> tuple[Check, ...]:
    return checklist(one, Surroundings(today=datetime.now(tz=UTC).date()))


def listed(app: AppTest, name: str) -> list[str]:
    """The rows of the page's lists of that class, as words."""
    found = [block for block in blocks(app) if f"<ul class='{name}'" in block]
    rows = [row for block in found for row in re.findall("<li.*?</li>", block)]
    return [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in rows]


def plain(text: str) -> str:
    return " ".join(text.replace("<", "&lt;").replace("'", "&#x27;").split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("law", ["hoffmann2022", "besiroglu2024", "kaplan2020-joint"])
def test_both_lists_are_the_planner_s(project: Path, lab_home: Path, language: Language, law: str) -> None:
    app = opened(project, language)
    law_choice(app).set_value(law).run()
    whole(app)
    with speaking(language):
        found, well = costs(ready(law)), checks(ready(law))
        assert listed(app, "sl-costs") == [plain(f"{one.what} {one.figure} {one.told}") for one in found]
        assert listed(app, "sl-checks") == [plain(f"{SIGNS[one.status]} {one.what} {one.seen}") for one in well]
        text = words(app)
        assert dearest(found) in text
        assert summary(well) in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cost_and_check_has_its_source(project: Path, lab_home: Path, language: Language) -> None:
    app = opened(project, language)
    with speaking(language):
        found = costs(ready())
        shown = table(app, found[0].what)
        assert [row[0] for row in shown] == [one.what for one in found]
        assert [row[4] for row in shown] == [one.source.replace("&", "&amp;") for one in found]
        assert all(all(cell for cell in row) for row in shown)
        rules = table(app, grounds()[0][0])
    assert len(rules) == len(listed(app, "sl-checks"))


def test_they_follow_the_fields_of_the_page(project: Path, lab_home: Path) -> None:
    app = opened(project)
    before = listed(app, "sl-costs"), listed(app, "sl-checks")
    app.text_input(key="plan.count").set_value("5000").run()
    whole(app)
    first = costs(ready(count=5000))[0]
    assert listed(app, "sl-costs")[0] == plain(f"{first.what} {first.figure} {first.told}")
    assert listed(app, "sl-costs") != before[0]
    assert any(row.startswith(("✕ Range of the law", "! Range of the law")) for row in listed(app, "sl-checks"))
    app.text_input(key="plan.count").set_value("1").run()
    choose(app, "plan.style", "llama")
    plan = ready().plan
    other = prepared(HOFFMANN, plan, A100, style="llama", vocab_size=32_000, context=4096)
    assert listed(app, "sl-costs")[-1] == plain("{0.what} {0.figure} {0.told}".format(costs(other)[-1]))
    assert listed(app, "sl-costs")[-1] != before[0][-1]
    app.text_input(key="plan.price.a100-80gb").set_value("1.00").run()
    assert "at your own 1.00 for each device-hour" in words(app)


def test_on_this_machine_the_disk_is_looked_at_and_the_speed_is_measured(project: Path, lab_home: Path) -> None:
    measured(lab_home)
    app = opened(project, "en", plan_hardware="measured")
    rows = listed(app, "sl-checks")
    assert rows[0].startswith("✓ Utilization The speed was measured here:")
    assert next(row for row in rows if "Disk" in row)[0] in "✓✕"
    assert "0 nats Does not arise: the speed was measured" in listed(app, "sl-costs")[0]


def test_a_plan_that_is_no_model_keeps_both_lists(project: Path, lab_home: Path) -> None:
    app = opened(project)
    choose(app, "plan.given", "N")
    app.text_input(key="plan.N").set_value("1K").run()
    assert not app.exception
    rows = listed(app, "sl-checks")
    assert sum(row.startswith("✕") for row in rows) >= 4
    assert len(listed(app, "sl-costs")) == 9
    assert "Not known for this plan: " in words(app)


def test_a_record_that_cannot_be_read_leaves_the_page_whole(project: Path, lab_home: Path) -> None:
    (lab_home / "lab.sqlite").write_bytes(b"no database at all, only some bytes" * 100)
    app = opened(project)
    assert any(row.startswith("? A small ladder first") for row in listed(app, "sl-checks"))


def test_each_status_has_a_sign_and_a_word() -> None:
    for status, sign in SIGNS.items():
        row = check_list([Check(id="x", what="A & B", status=status, seen="<i>")])  # type: ignore[arg-type]  # of SIGNS
        assert f"sl-is-{status}" in row
        assert sign in row
        assert "A &amp; B" in row
        assert "&lt;i&gt;" in row
        assert "aria-label=''" not in row
