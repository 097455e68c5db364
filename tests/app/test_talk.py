"""The talk check page: the counts, the three that matter, the list and its filters, the files."""

from __future__ import annotations

import csv
import html
import io
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from scaling_core.language import speaking
from scaling_core.talk import claims, counts, select
from scaling_core.ui.talk import HIGHLIGHTS, claims_csv, formula, topics
from tests.app.exports import KINDS, offered, open_menus
from tests.page_helpers import blocks, still_charts, words


@pytest.fixture
def page(project: Path) -> AppTest:
    """The page as a visitor first sees it."""
    app = AppTest.from_file(str(project / "pages" / "talk.py"), default_timeout=60).run()
    assert not app.exception
    assert not app.error
    return app


def rows(app: AppTest) -> list[str]:
    """The rows of the list, as HTML, without headings."""
    table = next((block for block in blocks(app) if "sl-claims" in block), "")
    return re.findall(r"<tr><td>.*?</tr>", table)


def choose(app: AppTest, key: str, value: str) -> None:
    app.segmented_control(key=key).set_value(value).run()
    assert not app.exception
    assert not app.error


def test_the_answer_and_the_figures_are_the_counts(page: AppTest) -> None:
    n = counts()
    text = words(page)
    assert "How many of the talk's numbers hold?" in text
    assert f"{n['right']} of 58 hold, {n['wrong']} are wrong; 1 is partly right and 2 are to be measured." in text
    assert f"wrong {n['wrong']} partly right {n['partly']} right {n['right']} to be measured {n['measure']}" in text


def test_the_three_that_matter_stand_above_the_list(page: AppTest) -> None:
    card = next(block for block in blocks(page) if "sl-cards" in block)
    assert card.count("<div class='sl-card ") == len(HIGHLIGHTS) == 3
    for text in ("1.886 against 1.869", "60.81 nats", "impossible", "below 1.850"):
        assert text in card
    assert blocks(page).index(card) < next(i for i, block in enumerate(blocks(page)) if "sl-claims" in block)


def test_every_claim_has_a_row_with_both_numbers_a_word_and_a_reason(page: AppTest) -> None:
    shown = rows(page)
    assert len(shown) == 58
    body = " ".join(shown)
    for claim in claims():
        for text in (html.escape(claim.said), html.escape(claim.shown), formula(claim.claim), formula(claim.reason)):
            assert text in body, claim.id


def test_every_topic_has_a_heading_and_its_claims_beneath(page: AppTest) -> None:
    assert {claim.topic for claim in claims()} == set(topics())
    table = next(block for block in blocks(page) if "sl-claims" in block)
    assert re.findall(r"sl-topic' colspan='6'>(.*?)<", table) == list(topics().values())


@pytest.mark.parametrize(("verdict", "source"), [("wrong", "all"), ("all", "notes"), ("right", "talk")])
def test_the_filters_leave_what_was_asked(page: AppTest, verdict: str, source: str) -> None:
    choose(page, "verdict", verdict)
    choose(page, "source", source)
    kept = select(verdict=None if verdict == "all" else verdict, source=None if source == "all" else source)
    assert len(rows(page)) == len(kept)
    assert f"{len(kept)} of 58 claims." in words(page)


def test_nothing_left_is_said_in_a_sentence(page: AppTest) -> None:
    choose(page, "verdict", "measure")
    choose(page, "source", "talk")
    assert rows(page) == []
    assert "No claim of this source has this verdict" in words(page)


def test_the_chart_and_the_files_are_there(page: AppTest) -> None:
    assert len(still_charts(page)) == 1
    assert [button.proto.label for button in page.get("download_button")] == ["talk_check.csv"]
    assert offered(page) == ["ratios"]
    open_menus(page, "ratios")
    assert not page.exception
    assert [button.proto.label for button in page.get("download_button")] == [*KINDS, "talk_check.csv"]


def test_the_csv_holds_what_the_command_prints() -> None:
    read = list(csv.DictReader(io.StringIO(claims_csv(claims()))))
    assert [row["id"] for row in read] == [claim.id for claim in claims()]
    gain = next(row for row in read if row["id"] == "notes-gpt3-gain")
    assert [round(float(part), 3) for part in gain["recomputed"].split()] == [1.886, 1.869]
    for row, claim in zip(read, claims(), strict=True):
        assert (row["verdict"], row["reason"]) == (claim.verdict, claim.reason)
    with speaking("zh"):
        there = claims_csv(claims())
    assert there == claims_csv(claims())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("C^0.5", "C<sup>0.5</sup>"),
        ("10^-0.076 is", "10<sup>-0.076</sup> is"),
        ("C^(1/(α+β))", "C<sup>1/(α+β)</sup>"),
        ("(N_c/N)^α_N", "(N<sub>c</sub>/N)<sup>α<sub>N</sub></sup>"),
        ("D = 20 N", "D&nbsp;=&nbsp;20 N"),
        ("<b>^2", "&lt;b&gt;<sup>2</sup>"),
    ],
)
def test_formulas_are_set_and_escaped(text: str, shown: str) -> None:
    assert formula(text) == shown
