"""The picker with laws that a person saved: listed, followed when they change or vanish, never trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.catalog import presets
from scaling_core.laws import ChinchillaLaw, GadreLaw, PowerLaw
from scaling_core.library import delete_law, save_law
from scaling_core.optimum import optimal_for_compute
from scaling_core.units import format_quantity
from tests.page_helpers import field_errors, knob, knob_names, law_choice, words

LAW = ChinchillaLaw(E=1.7, A=420.0, B=800.0, alpha=0.33, beta=0.31)
NAME = "我的 *阶梯* <b>1</b>"
NEW = ["besiroglu2024-exact", "muennighoff2023", "gadre2024-c4", "gadre2024-redpajama", "gadre2024-refinedweb"]


def opened(project: Path, page: str, law: str | None = None) -> AppTest:
    """A page as a visitor sees it whose address names this law."""
    app = AppTest.from_file(str(project / "pages" / f"{page}.py"), default_timeout=120)
    if law is not None:
        app.query_params["law"] = law
    app.run()
    assert not app.exception
    assert not app.error
    return app


@pytest.mark.usefixtures("lab_home")
def test_a_saved_law_follows_the_published_ones_and_has_an_address(project: Path) -> None:
    id = save_law(NAME, LAW, source="40 runs of mine", valid_N=(1e6, 1e8), warning="Losses are per byte.").id
    save_law("One variable", PowerLaw(variable="N", scale=1e13, exponent=0.1), source="mine")
    app = opened(project, "calculator", id)
    options = law_choice(app).options
    assert options == [*(p.name for p in presets("joint")), f"{NAME} (saved)", "My own constants"]
    assert law_choice(app).value == id
    assert knob(app, "B").text == "800"
    text = words(app)
    assert f"{NAME}: N counts every parameter; fitted on 1M to 100M parameters. Source: 40 runs of mine." in text
    assert "Losses are per byte." in text
    assert format_quantity(optimal_for_compute(LAW, 3.15e23).N) in text
    knob(app, "alpha").set(0.4)
    assert law_choice(app).value == "own"
    app.button(key="law~reset").click().run()
    assert law_choice(app).value == id
    assert knob(app, "alpha").text == "0.33"


@pytest.mark.usefixtures("lab_home")
@pytest.mark.parametrize("page", ["models", "demo"])
def test_other_pages_take_a_saved_law_too(project: Path, page: str) -> None:
    id = save_law("Hoffmann", GadreLaw(E=1.7, a=120.0, b=300.0, eta=0.25), source="mine").id
    app = opened(project, page)
    law_choice(app, "law" if page == "models" else "planted").set_value(id).run()
    assert not app.exception
    assert not app.error
    assert "Hoffmann: N counts every parameter" in words(app)


@pytest.mark.usefixtures("lab_home")
def test_a_law_saved_deleted_or_changed_meanwhile_is_noticed(project: Path) -> None:
    app = opened(project, "calculator")
    law_choice(app).set_value("study-notes").run()
    id = save_law("Mine", LAW, source="mine").id
    app.run()
    assert "Mine (saved)" in law_choice(app).options
    assert law_choice(app).value == "study-notes"
    law_choice(app).set_value(id).run()
    assert knob(app, "E").text == "1.7"
    save_law("Mine", GadreLaw(E=1.6, a=120.0, b=300.0, eta=0.25), source="mine", replace=True)
    app.run()
    assert law_choice(app).value == id
    assert knob(app, "eta").text == "0.25"
    delete_law(id)
    app.run()
    assert not app.exception
    assert not app.error
    assert law_choice(app).value == "own"
    assert knob(app, "eta").text == "0.25"
    assert "was deleted from the saved ones" in words(app)
    app.button(key="law~reset").click().run()
    assert law_choice(app).value == "hoffmann2022"
    assert knob(app, "alpha").text == "0.33917084"


def test_a_torn_file_is_a_sentence_beside_the_laws(project: Path, lab_home: Path) -> None:
    (lab_home / "laws").mkdir()
    (lab_home / "laws" / "my-torn.json").write_text('{"schema"')
    app = opened(project, "calculator", "my-torn")
    text = words(app)
    assert "my-torn.json among the saved laws cannot be read: it is no whole JSON" in text
    assert "law in the address: got 'my-torn'" in text
    assert law_choice(app).value == "hoffmann2022"


@pytest.mark.parametrize("id", NEW)
@pytest.mark.parametrize("page", ["calculator", "models"])
def test_every_new_law_can_be_chosen(project: Path, page: str, id: str) -> None:
    app = opened(project, page, id)
    assert law_choice(app).value == id
    assert len(knob_names(app)) == {"muen": 7, "gadr": 4, "besi": 5}[id[:4]]


def test_repeats_have_sliders_of_their_own(project: Path) -> None:
    app = opened(project, "calculator", "muennighoff2023")
    assert "every token is taken as new" in words(app)
    before = words(app)
    knob(app, "R_N_star").set(20.0)
    assert not app.error
    assert law_choice(app).value == "own"
    assert words(app) != before
    knob(app, "R_D_star").set("0")
    assert field_errors(app) == ["R_D*: got '0', but it must be a number from 0.01 to 1000."]


def test_a_planted_gadre_law_is_recovered_as_the_chinchilla_law_it_is(project: Path) -> None:
    app = opened(project, "demo")
    law_choice(app, "planted").set_value("gadre2024-c4").run()
    assert not app.exception
    assert not app.error
    assert "The fitted form is not the planted one" not in words(app)
    law_choice(app, "planted").set_value("muennighoff2023").run()
    assert not app.error
    assert "The fitted form is not the planted one" in words(app)
