"""The story in the app: every scene on its page in both languages; saving, ordering, exporting and importing scenes."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import scaling_core.ui.language  # noqa: F401  # a viewer's language is followed from here on
from scaling_core.catalog import model, preset
from scaling_core.language import LANGUAGES, Language
from scaling_core.learn import Text
from scaling_core.optimum import judge
from scaling_core.story import (
    PARAMETER,
    PARTS,
    Scene,
    chosen,
    packed_scene,
    published,
    read_story,
    story,
    told,
    unpacked_scene,
)
from scaling_core.ui.fit_tables import COMPARED
from tests.app.exports import kept_files
from tests.page_helpers import blocks, knob, law_choice, words

GPT3 = model("gpt3")
ALL = len(published())


def by_id(id: str) -> Scene:
    return next(scene for scene in published() if scene.id == id)


@pytest.fixture
def app(project: Path, lab_home: Path) -> AppTest:
    made = AppTest.from_file(str(project / "streamlit_app.py"), default_timeout=120).run()
    return to(made, "story")


def to(app: AppTest, page: str) -> AppTest:
    """Bring the app to a page: AppTest itself does not follow a page that is switched to by the script."""
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def opened(app: AppTest, scene: Scene) -> AppTest:
    """Open a scene by its button on the page of the story."""
    app.query_params.clear()
    to(app, "story").button(key=f"story.{scene.id}.open").click().run()
    return to(app, scene.page)


def link_to(app: AppTest, value: str, page: str) -> AppTest:
    """Open a link."""
    app.query_params[PARAMETER] = value
    return to(to(app, page), page)


def bar(app: AppTest) -> str:
    """The sentence of the scene, as its bar tells it."""
    return next(re.sub("<[^>]+>", " ", block) for block in blocks(app) if "sl-scene-said" in block)


def answer(app: AppTest, scene: Scene) -> str:
    """What the page says besides the bar."""
    return words(app).replace(told(scene, "sentence"), "")


# ---- opening


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_scene_opens_on_its_page(app: AppTest, language: Language) -> None:
    app.session_state["language"] = language
    for n, scene in enumerate(published(), 1):
        opened(app, scene)
        assert not app.error, scene.id
        said = words(app)
        assert f"{n} / {len(published())}" in said
        assert told(scene, "title", language) in said
        assert told(scene, "sentence", language) in said
        assert "sl-error" not in " ".join(blocks(app)), scene.id
        if "law" in scene.state and scene.page != "story":
            assert law_choice(app).value == scene.state["law"]


@pytest.mark.slow
def test_the_page_agrees_with_the_sentence(app: AppTest) -> None:
    shown: dict[str, list[str]] = {
        "power": ["multiply the loss by 0.84, every time."],
        "kaplan": ["No: under these constants GPT-3 was close to the best use of its compute."],
        "chinchilla": ["Yes: its compute was better spent on 30.6B parameters and 1.71T tokens.", "58%"],
        "verdict": ["No, it was too small", "Hoffmann → now: optimum from 30.6B on 1.71T to 439B on 120B"],
        "replication": ["18.3", "Hoffmann, printed → now: optimum from 32.2B on 2.98T to 72.4B on 1.33T"],
        "wall": ["How far do 5T unique tokens go?", "more compute stops helping"],
        "inference": ["where training alone asks for"],
        "month": ["One NVIDIA A100 SXM 80 GB for 30 days at 40%: 1.56B parameters on 34.6B tokens, a loss of 2.414."],
        "fine-tune": ["pre-training is worth 179M more tokens", "not the 40B that the talk counts"],
        "stages": ["with 9 times its compute again", "Stages cost 0.0354 nats"],
        "mistakes": ["a loss of 2.477: 43% of the compute is wasted", "+0.064 nats"],
        "before-start": ["From 104B on, serving costs more than training"],
        "prediction": ["Predicted", "measured"],
        "emergence": ["Answers of 10 tokens go from 10% to 50% right while the loss falls by 0.161 nats."],
        "test-time": ["The talk's own formula: accuracy = a (N T)^b, here with b = 0.4", "the talk itself"],
    }
    for id, parts in shown.items():
        said = answer(opened(app, by_id(id)), by_id(id))
        for part in parts:
            assert part in said, f"{id} does not show {part!r}"
    assert "under 1%" in told(by_id("kaplan"), "sentence", "en")
    assert f"{2.98e12 / 32.2e9:.0f}" == "93"
    assert "ask for 93" in told(by_id("replication"), "sentence", "en")


def test_the_sentence_follows_a_constant_that_is_moved(app: AppTest) -> None:
    opened(app, by_id("chinchilla"))
    assert "58%" in bar(app)
    knob(app, "alpha").set(0.36)
    law = preset("hoffmann2022").joint
    verdict = judge(type(law)(**{**law.constants, "alpha": 0.36}), GPT3.N, GPT3.tokens)
    assert f"{100 * verdict.compute_left / verdict.C:.0f}%" in bar(app)
    assert "58%" not in bar(app)


def test_next_previous_and_reset(app: AppTest) -> None:
    opened(app, by_id("verdict"))
    knob(app, "beta").set(0.3)
    assert law_choice(app).value == "own"
    app.button(key="scene.reset").click().run()
    assert law_choice(to(app, "calculator")).value == "study-notes"
    app.button(key="scene.next").click().run()
    assert f"5 / {ALL}" in words(to(app, "calculator"))
    app.button(key="scene.previous").click().run()
    app.button(key="scene.previous").click().run()
    assert f"3 / {ALL}" in words(to(app, "calculator"))
    assert law_choice(app).value == "hoffmann2022"
    app.button(key="scene.leave").click().run()
    assert f"3 / {ALL}" not in words(app)
    assert law_choice(app).value == "hoffmann2022", "the page stays as it is"
    opened(app, published()[0])
    assert app.button(key="scene.previous").disabled
    opened(app, published()[-1])
    assert app.button(key="scene.next").disabled


def test_notes_and_the_presenter_view(app: AppTest) -> None:
    scene = by_id("wall")
    opened(app, scene)
    assert told(scene, "point") not in words(app)
    app.button(key="scene.notes").click().run()
    assert told(scene, "point") in words(app)
    plain = [str(block.proto.body) for block in app.get("html")]
    app.button(key="scene.present").click().run()
    large = [str(block.proto.body) for block in app.get("html")]
    assert any("stHeader" in one and "display: none" in one for one in large)
    assert not any("stHeader" in one and "display: none" in one for one in plain)
    app.button(key="scene.leave").click().run()
    assert not app.session_state["~presenting"]


# ---- links


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_opens_the_scene_in_its_language(app: AppTest, language: Language) -> None:
    scene = by_id("replication")
    link_to(app, packed_scene(scene, language=language, view="presenter", story=True), "calculator")
    assert app.session_state["language"] == language
    assert app.session_state["~presenting"]
    assert told(scene, "sentence", language) in words(app)
    assert PARAMETER not in app.query_params


def test_a_link_of_another_law_is_shown_as_ones_own_and_said(app: AppTest) -> None:
    values = preset("hoffmann2022").joint.constants | {"alpha": 0.35}
    law = {"choice": "saved-by-nobody", "base": "hoffmann2022", "form": "chinchilla", "values": values}
    scene = replace(by_id("chinchilla"), state={"law": law}, data={"name": "runs.csv", "hash": "0123"})
    link_to(app, packed_scene(scene, language="en", view="page", story=False), "calculator")
    assert law_choice(app).value == "own"
    assert knob(app, "alpha").value == 0.35
    assert "The law saved-by-nobody is not known here with these constants" in words(app)
    assert "This scene was made with other data, runs.csv (0123)" in words(app)
    assert f"1 / {ALL}" not in words(app)


@pytest.mark.parametrize("name", ["alpha", "E"])
def test_a_link_beyond_every_slider_is_refused_in_a_sentence(app: AppTest, name: str) -> None:
    values = preset("hoffmann2022").joint.constants | {name: 1e30}
    law = {"choice": "own", "base": "hoffmann2022", "form": "chinchilla", "values": values}
    link_to(app, packed_scene(replace(by_id("chinchilla"), state={"law": law}), language="en", view="page",
                              story=False), "calculator")  # fmt: skip
    assert law_choice(app).value == "hoffmann2022"
    assert re.search(r"(E|alpha): got 1e\+30, but it must be a", words(app))


@pytest.mark.parametrize("value", ["", "x", "%%%", "A" * 9000, "eJw", "<script>alert(1)</script>"])
def test_a_link_that_opens_nothing_is_one_sentence(app: AppTest, value: str) -> None:
    app.query_params[PARAMETER] = value
    to(app, "calculator")
    assert words(app).count("This link opens no scene") == 1
    assert PARAMETER not in app.query_params
    assert law_choice(app).value == "hoffmann2022"


# ---- saving and changing


def save(app: AppTest, title: str, sentence: str = "") -> AppTest:
    app.session_state["scene.menu"] = True
    app.run()
    app.text_input(key="scene.title").set_value(title).run()
    if sentence:
        app.text_input(key="scene.sentence").set_value(sentence).run()
    return app.button(key="scene.save").click().run()


def test_what_a_page_shows_is_saved_and_opens_again(app: AppTest) -> None:
    to(app, "calculator")
    law_choice(app).set_value("besiroglu2024").run()
    knob(app, "alpha").set(0.36)
    save(app, "Mine & <b>yours</b>", "With $C$ of *mine*.")
    assert not app.exception
    scene = story()[0][-1]
    assert (scene.title.en, scene.title.zh) == ("Mine & <b>yours</b>", "Mine & <b>yours</b>")
    assert scene.state["law"]["values"]["alpha"] == 0.36
    opened(app, published()[0])
    opened(app, scene)
    assert law_choice(app).value == "own"
    assert knob(app, "alpha").value == 0.36
    assert "Mine & <b>yours</b>" in words(app)


def test_models_typed_for_a_comparison_travel_with_the_scene(app: AppTest) -> None:
    to(app, "plan")
    begun = app.text_area(key="plan.configurations").value
    save(app, "As it begins")
    app.text_area(key="plan.configurations").set_value("mine, 7B, 1T\n\n我的, 70B, 2T").run()
    save(app, "With two of mine")
    untouched, mine = story()[0][-2:]
    assert "plan.configurations" not in untouched.state
    assert mine.state["plan.configurations"] == ["mine, 7B, 1T", "我的, 70B, 2T"]
    opened(app, untouched)
    assert app.text_area(key="plan.configurations").value == begun
    opened(app, mine)
    assert app.text_area(key="plan.configurations").value == "mine, 7B, 1T\n我的, 70B, 2T"
    assert "我的" in words(app)


@pytest.mark.parametrize("page", PARTS)
def test_every_page_can_be_saved_and_linked(app: AppTest, page: str) -> None:
    to(app, page)
    save(app, f"A {page}")
    assert not app.exception
    assert story()[0][-1].page == page
    link = next(code.value for code in app.code if f"?{PARAMETER}=" in str(code.value))
    found = unpacked_scene(str(link).split("=", 1)[1])
    assert (found.scene.page, found.notes) == (page, ())
    opened(app, story()[0][-1])
    assert "sl-error" not in " ".join(blocks(app))


APART = re.compile(
    r"(law|planted)~(pick|pin)|lab\.(pick|device|own\.rates)|fit\.(name|C\.)|learn\.|scene\.|story\.|plan\.add"
)
"""Keys of what has a part of its own (laws and pins), lives in the address, belongs to one machine or one table, or is
no part of the picture."""


@pytest.mark.parametrize("page", PARTS)
def test_no_choice_of_a_page_is_left_out_of_its_scenes(app: AppTest, page: str) -> None:
    to(app, page)
    kinds = (app.selectbox, app.text_input, app.number_input, app.toggle, app.checkbox, app.radio, app.multiselect,
             app.text_area)  # fmt: skip
    keys = {str(widget.key) for kind in kinds for widget in kind if widget.key}
    known = {part.name for part in PARTS[page]}
    if page == "fit":
        assert chosen({}, "fit", "fit.compare") == COMPARED
    assert {key for key in keys - known if not APART.match(key)} == set()


def test_a_scene_keeps_what_its_page_shows_now(app: AppTest) -> None:
    opened(app, by_id("verdict"))
    knob(app, "beta").set(0.31)
    app.session_state["scene.menu"] = True
    app.run().button(key="scene.keep").click().run()
    scene = next(scene for scene in story()[0] if scene.id == "verdict")
    assert scene.state["law"]["values"]["beta"] == 0.31
    assert scene.sentence == by_id("verdict").sentence


def test_order_names_and_deletion(app: AppTest) -> None:
    app.toggle(key="story.edit").set_value(True).run()
    app.button(key="story.kaplan.up").click().run()
    app.button(key="story.power.down").click().run()
    assert [scene.id for scene in story()[0]][:3] == ["kaplan", "chinchilla", "power"]
    assert app.button(key="story.kaplan.up").disabled
    app.button(key="story.power.name").click().run()
    app.text_input(key="story.words.power.title").set_value("A line").run()
    app.button(key="story.save").click().run()
    assert story()[0][2].title == Text(en="A line", zh=by_id("power").title.zh)
    app.button(key="story.power.drop").click().run()
    app.button(key="story.no").click().run()
    assert len(story()[0]) == len(published())
    app.button(key="story.power.drop").click().run()
    app.button(key="story.yes").click().run()
    assert "power" not in [scene.id for scene in story()[0]]
    app.button(key="story.back").click().run()
    app.button(key="story.yes").click().run()
    assert story() == (published(), "")
    assert not app.exception


# ---- files


def test_the_exported_file_is_the_story_and_comes_back(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    makers = kept_files(monkeypatch)
    app.run()
    content = str(makers["story.json"]()).encode()
    assert read_story(content) == (published(), ())
    app.file_uploader(key="story.file").set_value(("mine.json", content, "application/json")).run()
    app.button(key="story.append").click().run()
    assert len(story()[0]) == 2 * len(published())
    assert len({scene.id for scene in story()[0]}) == 2 * len(published())
    app.button(key="story.replace").click().run()
    assert story()[0] == published()
    assert not app.exception


@pytest.mark.slow
def test_the_slides_of_the_story_speak_the_language_of_the_page(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    makers = kept_files(monkeypatch)
    app.session_state["language"] = "zh"
    app.run()
    content = makers["story.zip"]()
    assert isinstance(content, bytes)
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        text = files.read("slides.md").decode()
    for scene in published():
        assert told(scene, "title", "zh") in text
