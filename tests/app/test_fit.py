"""The page "Fit your runs": the example at first, tables in, choices that move the law, laws saved and deleted."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.fit import RunPoints, fit_isoflop, fit_law
from scaling_core.language import speaking
from scaling_core.laws import ChinchillaLaw, MuennighoffLaw
from scaling_core.library import save_law, saved_laws
from scaling_core.ui.fit_pieces import drawn
from scaling_core.ui.fit_save import fit_json, optima_csv, runs_csv
from scaling_core.ui.fit_source import MOST_BYTES, PLANTED, example
from scaling_core.ui.fit_words import law_text, number
from scaling_core.viz.fit_runs import Shown
from scaling_core.viz.theme import Theme, dark, enlarged, light
from tests.lab_helpers import finish_runs, register, small_plan
from tests.page_helpers import blocks, field_errors, still_charts, words

LAW = ChinchillaLaw(E=1.8, A=482.0, B=2085.0, alpha=0.348, beta=0.366)


def table(*, columns: str = "N,D,loss", rows: int = 30, noise: float = 0.003, seed: int = 5) -> str:
    """Runs of LAW on a grid as CSV, six decimals; other columns are filled by `fill`."""
    N = np.repeat(np.geomspace(5e7, 5e9, 6), 5)[:rows]
    D = np.tile(np.geomspace(1e9, 1e11, 5), 6)[:rows]
    loss = LAW.loss(N, D) * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size))
    fill = {
        "N": N, "D": D, "C": 6 * N * D, "loss": loss, "se": np.full(N.size, 0.01), "params_total": N,
        "params_non_embedding": N - 4e7 * (N / 5e7) ** 0.4, "held_out": (N == N.max()).astype(int),
        "unique": np.minimum(D, 1e10),
    }  # fmt: skip
    names = columns.split(",")
    lines = [",".join(f"{fill[name][k]:.8g}" for name in names) for k in range(N.size)]
    return "\n".join([columns, *lines]) + "\n"


@pytest.fixture
def page(project: Path, lab_home: Path) -> AppTest:
    """The page as a visitor first sees it, over an empty lab."""
    app = AppTest.from_file(str(project / "pages" / "fit.py"), default_timeout=120).run()
    assert not app.exception
    assert not app.error
    return app


def paste(app: AppTest, text: str) -> AppTest:
    app.selectbox(key="fit.source").set_value("paste").run()
    app.text_area(key="fit.text").set_value(text).run()
    assert not app.exception
    assert not app.error
    return app


def sentence(app: AppTest) -> str:
    """The large answer, without tags."""
    block = next(block for block in blocks(app) if "sl-sentence" in block)
    found = re.search(r"<h1[^>]*>(.*?)</h1>", block)
    assert found
    return re.sub(r"<[^>]+>", "", found[1].replace("&nbsp;", " ").replace("<sup>", "^"))


def cells(app: AppTest, name: str) -> list[str]:
    """The row of a table that begins with a name."""
    for block in blocks(app):
        for row in re.findall(r"<tr>(.*?)</tr>", block):
            found = re.findall(r"<td[^>]*>(.*?)</td>", row)
            if found and found[0] == name:
                return found[1:]
    return []


def set_choice(app: AppTest, key: str, value: str) -> None:
    app.selectbox(key=key).set_value(value).run()
    assert not app.exception
    assert not app.error


def test_it_begins_with_an_example_that_is_said_to_be_simulated(page: AppTest) -> None:
    expected = fit_law(example().table.points)
    a = expected.constants
    assert sentence(page) == (
        f"L = {a['E']:.3g} + {a['A']:.3g}/N^{a['alpha']:.3f} + {a['B']:.3g}/D^{a['beta']:.3f}, from 49 simulated runs."
    )
    text = words(page)
    assert text.index("These runs are simulated: no model was trained.") < text.index("The constants")
    assert "simulated from Hoffmann 2022, full precision, with 0.5% noise, 7 sizes by 7 horizons" in text
    assert len(still_charts(page)) == 4
    assert PLANTED.noise == 0.005


def test_the_table_of_constants_has_the_fit_its_intervals_and_published_ones(page: AppTest) -> None:
    expected = fit_law(example().table.points, bootstrap=400)
    low, high = expected.intervals["alpha"]
    assert cells(page, "α") == [
        f"{expected.constants['alpha']:.4g}", f"{low:.4g} to {high:.4g}", "0.3392", "0.3478"
    ]  # fmt: skip
    assert cells(page, "Kaplan")[:2] != []
    page.multiselect(key="fit.compare").set_value(["besiroglu2024"]).run()
    assert len(cells(page, "α")) == 3
    assert cells(page, "Kaplan") == []


def test_a_pasted_table_is_fitted_at_once(page: AppTest) -> None:
    paste(page, table())
    read = np.loadtxt(io.StringIO(table()), delimiter=",", skiprows=1)
    expected = fit_law(RunPoints.of(N=read[:, 0], D=read[:, 1], loss=read[:, 2]))
    assert sentence(page) == f"{law_text(expected.law)}, from 30 runs."
    assert "simulated" not in sentence(page)
    assert "Read N as N, D as D, loss as loss." in words(page)


def test_a_bad_row_is_named_with_its_line_and_can_be_left_out(page: AppTest) -> None:
    lines = table().splitlines()
    lines[7] = lines[7].rsplit(",", 1)[0] + ",oops"
    paste(page, "\n".join(lines))
    (error,) = field_errors(page)
    assert "line 8" in error
    assert "oops" in error
    assert "Shown below: the simulated example." in error
    assert sentence(page).endswith("from 49 simulated runs.")
    page.toggle(key="fit.skip").set_value(True).run()
    assert field_errors(page) == []
    assert sentence(page).endswith("from 29 runs.")
    text = words(page)
    assert "1 row was left out, since they cannot be read. Line 8" in text


def test_the_last_table_that_could_be_read_stays(page: AppTest) -> None:
    paste(page, table())
    before = sentence(page)
    page.text_area(key="fit.text").set_value("hello").run()
    assert sentence(page) == before
    (error,) = field_errors(page)
    assert "Shown below: the pasted table." in error


def test_a_file_is_read_forgotten_when_asked_and_too_large_ones_are_refused(page: AppTest) -> None:
    page.selectbox(key="fit.source").set_value("upload").run()
    page.file_uploader(key="fit.file").set_value(("runs.csv", table().encode(), "text/csv")).run()
    assert sentence(page).endswith("from 30 runs.")
    assert "Runs: runs.csv." in words(page)
    big = b"N,D,loss\n" + b"1,1,1\n" * (MOST_BYTES // 6)
    page.file_uploader(key="fit.file").set_value(("big.csv", big, "text/csv")).run()
    assert any("a table may hold 21 MB here" in error for error in field_errors(page))
    assert not page.exception


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"\xff\x00\x01", "binary data"),
        (b"", "no rows"),
        (b"a,b\n1,2\n", "loss"),
    ],
)
def test_what_is_no_table_ends_in_a_sentence(page: AppTest, content: bytes, said: str) -> None:
    page.selectbox(key="fit.source").set_value("upload").run()
    page.file_uploader(key="fit.file").set_value(("<b>x</b>.csv", content, "text/csv")).run()
    assert not page.exception
    assert not page.error
    (error,) = field_errors(page)
    assert said in error
    assert "<b>x</b>.csv" in error
    assert all("<b>x</b>" not in block for block in blocks(page))


def test_columns_can_be_chosen_by_hand(page: AppTest) -> None:
    paste(page, table(columns="N,D,loss").replace("N,D,loss", "N,D,quality", 1))
    assert len(field_errors(page)) == 1
    paste(page, table(columns="N,D,loss,se").replace("N,D,loss,se", "N,D,final_loss,loss", 1))
    assert sentence(page).endswith("from 30 runs.")
    box = next(widget for widget in page.selectbox if str(widget.key).startswith("fit.map.loss."))
    box.set_value("loss").run()
    assert "None that these runs can carry" in words(page) or "loss as loss" in words(page)


def test_the_way_parameters_are_counted_moves_the_exponent_and_is_said(page: AppTest) -> None:
    paste(page, table(columns="params_total,params_non_embedding,D,loss"))
    first = sentence(page)
    assert "The count moves the exponent: here a is" in words(page)
    a = float(cells(page, "a, of N* ~ Cᵃ")[0])
    set_choice(page, "fit.count", "params_non_embedding")
    assert sentence(page) != first
    moved = float(cells(page, "a, of N* ~ Cᵃ")[0])
    assert abs(moved - a) > 0.005
    assert f"counted every parameter, a is {a:.3f}" in words(page)


@pytest.mark.parametrize(
    ("key", "value", "keyword"),
    [
        ("fit.form", "kaplan", {"form": "kaplan"}),
        ("fit.form", "gadre", {"form": "gadre"}),
        ("fit.form", "power-C-offset", {"form": "power-C-offset"}),
        ("fit.objective", "ls", {"objective": "ls"}),
        ("fit.objective", "lad", {"objective": "lad"}),
    ],
)
def test_form_and_objective_are_those_of_the_core(page: AppTest, key: str, value: str, keyword: dict[str, str]) -> None:
    set_choice(page, key, value)
    expected = fit_law(example().table.points, **keyword)  # type: ignore[arg-type]  # names of forms and objectives
    assert sentence(page) == f"{law_text(expected.law)}, from 49 simulated runs."


def test_held_and_shared_constants_are_those_of_the_core(page: AppTest) -> None:
    points = example().table.points
    page.toggle(key="fit.shared.chinchilla").set_value(True).run()
    assert sentence(page).startswith(law_text(fit_law(points, shared=True).law))
    page.toggle(key="fit.shared.chinchilla").set_value(False).run()
    page.multiselect(key="fit.hold.chinchilla").set_value(["E", "alpha"]).run()
    page.text_input(key="fit.held.chinchilla.E").set_value("0").run()
    page.text_input(key="fit.held.chinchilla.alpha").set_value("0.33").run()
    assert sentence(page).startswith(law_text(fit_law(points, fixed={"E": 0.0, "alpha": 0.33}).law))
    assert cells(page, "α")[1] == "held"
    page.text_input(key="fit.held.chinchilla.alpha").set_value("-1").run()
    assert len(field_errors(page)) == 1
    assert not page.exception


@pytest.mark.parametrize("key", ["fit.delta", "fit.N_low", "fit.loss_high", "C"])
@pytest.mark.parametrize("text", ["nan", "-1", "abc", "1e400"])
def test_bad_numbers_get_one_sentence_and_change_nothing(page: AppTest, key: str, text: str) -> None:
    before = sentence(page)
    field = next(w for w in page.text_input if str(w.key) == key or (key == "C" and str(w.key).startswith("fit.C.")))
    field.set_value(text).run()
    assert not page.exception
    assert not page.error
    assert len(field_errors(page)) == 1
    assert sentence(page) == before


def test_runs_far_off_are_named_and_left_out_when_asked(page: AppTest) -> None:
    lines = table().splitlines()
    for k in (3, 17):
        N, D, loss = lines[k].split(",")
        lines[k] = f"{N},{D},{float(loss) * 1.4:.6f}"
    paste(page, "\n".join(lines))
    assert "2 of 30 runs lie more than 6 spreads off the curve" in words(page)
    page.toggle(key="fit.far").set_value(True).run()
    assert sentence(page).endswith("from 28 runs.")
    assert "Left out as far off: line 4 and line 18." in words(page)


def test_cuts_and_held_out_runs(page: AppTest) -> None:
    paste(page, table(columns="N,D,loss,held_out"))
    assert sentence(page).endswith("from 25 runs.")
    page.toggle(key="fit.held_out").set_value(True).run()
    assert sentence(page).endswith("from 30 runs.")
    page.text_input(key="fit.N_low").set_value("100M").run()
    assert sentence(page).endswith("from 25 runs.")
    assert "5 runs lie outside your cuts." in words(page)


def test_standard_errors_are_offered_where_there_are_some(page: AppTest) -> None:
    assert [w for w in page.toggle if w.key == "fit.weights"] == []
    paste(page, table(columns="N,D,loss,se"))
    page.toggle(key="fit.weights").set_value(True).run()
    assert "weighed by standard errors" in words(page)


def test_repeated_data_are_offered_with_unique_tokens(page: AppTest) -> None:
    assert not any("Muennighoff" in str(option) for option in page.selectbox(key="fit.form").options)
    law = MuennighoffLaw(E=1.87, A=521.0, B=1488.0, alpha=0.353, beta=0.353, R_N_star=5.31, R_D_star=15.4)
    N = np.repeat(np.geomspace(1e8, 3e9, 5), 6)
    D = np.tile([2e9, 8e9, 2e10, 5e10, 1e11, 2e11], 5)
    U = np.minimum(D, np.tile([2e9, 8e9, 2e10, 1e10, 1e10, 1e10], 5))
    rows = [f"{n:.6g},{d:.6g},{u:.6g},{loss:.8f}" for n, d, u, loss in zip(N, D, U, law.loss(N, D, U), strict=True)]
    paste(page, "\n".join(["N,D,U,loss", *rows]))
    set_choice(page, "fit.form", "muennighoff")
    assert "R_D* =" in words(page)
    assert len(still_charts(page)) >= 3


def test_runs_that_carry_no_law_say_why_and_are_still_shown(page: AppTest) -> None:
    paste(page, "N,D,loss\n1e8,1e9,3\n2e8,1e9,2.9\n4e8,1e9,2.8\n")
    assert sentence(page) == "None that these runs can carry."
    assert "at least 6 are needed" in words(page)
    assert len(still_charts(page)) == 1


def test_isoflop_profiles_stand_beside_parabolas_with_refused_budgets_and_their_reasons(page: AppTest) -> None:
    set_choice(page, "fit.approach", "isoflop")
    points = example().table.points
    profile, parabola = (fit_isoflop(points, method=m, bootstrap=0) for m in ("profile", "parabola"))
    assert sentence(page).startswith(f"N* grows as C^{profile.exponents['a']:.3f}")
    assert cells(page, "Profile (unbiased)")[0] == f"{profile.exponents['a']:.3f}"
    assert cells(page, "Parabola")[0] == f"{parabola.exponents['a']:.3f}"
    assert "It has 3 sizes: at least 4 are needed." in words(page)
    assert "held the exponent a in 9" in words(page)
    set_choice(page, "fit.method", "parabola")
    assert sentence(page).startswith(f"N* grows as C^{parabola.exponents['a']:.3f}")


def test_the_envelope_of_the_example(page: AppTest) -> None:
    set_choice(page, "fit.approach", "envelope")
    assert "from the envelope of 7 simulated runs." in sentence(page)
    assert len(still_charts(page)) == 2


def test_the_ladders_of_the_lab_are_offered_by_name(page: AppTest, lab_home: Path) -> None:
    assert len(page.selectbox(key="fit.source").options) == 4
    plan = small_plan()
    register(lab_home, plan)
    page.run()
    assert len(page.selectbox(key="fit.source").options) == 4
    finish_runs(lab_home, plan, held_out=True)
    page.run()
    names = page.selectbox(key="fit.source").options
    assert len(names) == 5
    assert names[4].startswith("Ladder: Smoke · CPU · ")
    set_choice(page, "fit.source", f"ladder:{plan.spec.id}")
    assert sentence(page) == "L = 1.2 + 60/N^0.360 + 80/D^0.330, from 9 runs."
    assert "A token of the lab is a byte" in words(page)
    set_choice(page, "fit.approach", "envelope")
    assert "None that these runs can carry." in sentence(page)


def test_the_recorded_ladder_is_a_source(page: AppTest) -> None:
    set_choice(page, "fit.source", "recorded")
    assert "from 16 runs." in sentence(page)
    assert "A token of the lab is a byte" in words(page)
    assert "simulated" not in sentence(page)


def test_the_validation_is_worked_out_when_it_is_opened(page: AppTest) -> None:
    assert "The talk promises" not in words(page)
    page.session_state["fit.judge"] = True
    page.run()
    text = words(page)
    assert "The talk promises the loss within 5% at 10x the compute, 10% at 100x, 20% at 350x." in text
    assert "With these runs that is kept at 10x, 100x and 350x." in text
    assert cells(page, "each run, by all others")[0] == "49"


def test_a_law_is_saved_is_not_overwritten_and_is_deleted_only_when_asked_twice(page: AppTest, lab_home: Path) -> None:
    page.button(key="fit.save").click().run()
    assert any("write one into the field" in error for error in field_errors(page))
    page.text_input(key="fit.name").set_value("my <b>law</b>").run()
    page.button(key="fit.save").click().run()
    (law,) = saved_laws(kind="all")
    assert law.name == "my <b>law</b>"
    assert law.replicates is not None
    assert law.warning is not None
    assert "simulated" in law.warning
    assert law.law.constants == fit_law(example().table.points).constants
    assert "Saved as 'my <b>law</b>'" in words(page)
    set_choice(page, "fit.objective", "ls-log")
    page.button(key="fit.save").click().run()
    assert any("is saved already" in error for error in field_errors(page))
    assert saved_laws(kind="all")[0].law == law.law
    page.button(key="fit.replace").click().run()
    assert saved_laws(kind="all")[0].law != law.law
    page.button(key=f"fit.ask.{law.id}").click().run()
    assert len(saved_laws(kind="all")) == 1
    page.button(key=f"fit.keep.{law.id}").click().run()
    assert len(saved_laws(kind="all")) == 1
    page.button(key=f"fit.ask.{law.id}").click().run()
    page.button(key=f"fit.delete.{law.id}").click().run()
    assert saved_laws(kind="all") == ()
    assert "The law was deleted." in words(page)


def test_a_saved_law_with_the_name_of_a_published_one_is_drawn_apart(page: AppTest, lab_home: Path) -> None:
    saved = save_law("Hoffmann", LAW, source="a test")
    page.run()
    page.multiselect(key="fit.compare").set_value(["hoffmann2022", saved.id]).run()
    assert not page.exception
    assert not page.error


def test_the_files_hold_what_the_page_shows() -> None:
    source = example()
    result = fit_law(source.table.points, bootstrap=40)
    label = ("=cmd()", *(source.table.points.label or ())[1:])
    points = result.points
    named = RunPoints.of(N=points.N, D=points.D, loss=points.loss, label=label)
    text = runs_csv(result, Shown(fitted=named, far=np.zeros(49, dtype=bool)))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 49
    assert rows[0]["run"] == "'=cmd()"
    law = ChinchillaLaw(**result.constants)
    for k in (0, 20, 48):
        fitted = law.loss(float(points.N[k]), float(points.D[k]))
        assert float(rows[k]["fitted"]) == pytest.approx(fitted)
        assert float(rows[k]["residual"]) == pytest.approx(result.residuals[k], abs=1e-12)
    found = json.loads(fit_json(result, source))
    assert found["constants"] == result.constants
    assert found["simulated"] is True
    fit = fit_isoflop(points, bootstrap=20)
    assert len(list(csv.DictReader(io.StringIO(optima_csv(fit))))) == len(fit.optima)


def test_the_files_are_in_english_whatever_the_language() -> None:
    with speaking("zh"):
        source = example()
        result = fit_law(source.table.points.subset(np.arange(0, 49, 5)), bootstrap=0)
        assert result.warnings
        text = fit_json(result, source) + runs_csv(result, Shown(fitted=result.points, far=np.zeros(10, dtype=bool)))
        text += optima_csv(fit_isoflop(source.table.points, bootstrap=0))
    assert text.isascii()
    assert "simulated from Hoffmann 2022, full precision" in text


@pytest.mark.parametrize(
    ("x", "shown"),
    [(0.3417, "0.342"), (1.6873, "1.69"), (424.8, "425"), (12845.6, "12,850"), (6.4e13, "6.4 × 10¹³"), (0.0, "0")],
)
def test_constants_are_written_as_people_read_them(x: float, shown: str) -> None:
    assert number(x) == shown


def test_choices_survive_a_visit_to_another_page(project: Path, lab_home: Path) -> None:
    app = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page("pages/fit.py").run()
    paste(app, table())
    app.selectbox(key="fit.objective").set_value("lad").run()
    app.toggle(key="fit.far").set_value(True).run()
    before = sentence(app)
    app.switch_page("pages/demo.py").run()
    app.switch_page("pages/fit.py").run()
    assert not app.exception
    assert sentence(app) == before
    assert app.selectbox(key="fit.objective").value == "lad"
    assert app.toggle(key="fit.far").value is True


def test_a_figure_of_the_page_is_made_anew_for_the_presenter_view() -> None:
    made: list[Theme] = []
    themes = (light(), enlarged(light()), enlarged(light(), 1.5), dark())
    for theme in (*themes, *themes):
        drawn("one key", theme, partial(made.append, theme))
    assert made == list(themes)
