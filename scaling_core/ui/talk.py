"""The talk check in HTML of its own: the opening, three cards, and a list of claims that a room can read."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from scaling_core.language import speaking, t, tdata, tn
from scaling_core.talk import SOURCES, TOLERANCE, CheckedClaim, Verdict, claims, counts, verdict_words
from scaling_core.ui.page import tongue
from scaling_core.viz.theme import Theme

ALL = "all"
HIGHLIGHTS = ("notes-gpt3-gain", "slide-gpt4-loss", "agi-loss")
"""The claims that matter most, in the order of the cards."""
_SIGN = {"right": "✓", "wrong": "✗", "partly": "◐", "measure": "?"}
_RAISED = re.compile(r"\^(?:\(((?:[^()]|\([^()]*\))*)\)|(-?[0-9.]+|[αβ](?:_[NDC])?))")
_LOWERED = re.compile(r"([NDCα])_([NDCc])\b")


def topics() -> dict[str, str]:
    """The headings of the list by topic, in its order."""
    return {
        "compute": t("Compute"),
        "allocation": t("Parameters against tokens"),
        "prediction": t("Predicted losses"),
        "transfer": t("Continuing a trained model"),
        "law": t("The laws themselves"),
        "power law": t("What ten times more does"),
        "hardware": t("Time on hardware"),
        "cost": t("Money"),
        "architecture": t("Sizes of models"),
        "extrapolation": t("Beyond any measurement"),
        "fit": t("Fits"),
        "early stop": t("Stopping early"),
    }


def source_words() -> dict[str, str]:
    """The documents that make the claims, in a word each."""
    words = {
        "talk": t("talk"),
        "readme": t("readme"),
        "summary": t("summary"),
        "notes": t("notes"),
        "status": t("status"),
    }
    return {name: words[name] for name in SOURCES}


def rule() -> str:
    """By which rule a claim is right."""
    return t(
        "A printed number is right if it is off by at most one step of its last digit, and by at most {share:.0%}; one "
        "that is printed as about may be off by {share:.0%}. A formula is right if it gives what the law gives.",
        share=TOLERANCE,
    )


def colours(theme: Theme) -> dict[Verdict, str]:
    """The colour of each verdict, beside its sign and its word."""
    return {
        "wrong": theme.accent_2,
        "partly": theme.categorical[4],
        "right": theme.categorical[2],
        "measure": theme.muted,
    }


def opening() -> tuple[str, str, str]:
    """The question of the page, its answer from the counts, and how the answer came about."""
    n = counts()
    partly = tn("{n} is partly right", "{n} are partly right", n["partly"])
    measure = tn("{n} is to be measured", "{n} are to be measured", n["measure"])
    told = {"right": n["right"], "all": sum(n.values()), "wrong": n["wrong"]}
    if n["partly"] and n["measure"]:
        sentence = t(
            "{right} of {all} hold, {wrong} are wrong; {partly} and {measure}.", partly=partly, measure=measure, **told
        )
    elif n["partly"] or n["measure"]:
        sentence = t(
            "{right} of {all} hold, {wrong} are wrong; {more}.", more=partly if n["partly"] else measure, **told
        )
    else:
        sentence = t("{right} of {all} hold, {wrong} are wrong.", **told)
    detail = t(
        "Every number of the talk and of the documents that go with it, computed again by the functions that the other "
        "pages use."
    )
    return t("How many of the talk's numbers hold?"), sentence, detail


def count_figures(theme: Theme) -> tuple[list[tuple[str, str]], list[str]]:
    """The counts as large numbers (label, value), and the colours of their labels, for `ui.page.figures`."""
    words = verdict_words()
    pairs = [(words[verdict], str(count)) for verdict, count in counts().items()]
    return pairs, [colours(theme)[verdict] for verdict in counts()]


def cards() -> str:
    """The three claims that matter most: what is printed, what is computed, and why, side by side."""
    known = {claim.id: claim for claim in claims()}
    return f"<div class='sl-cards' lang='{tongue()}'>{''.join(_card(known[id]) for id in HIGHLIGHTS)}</div>"


def _card(claim: CheckedClaim) -> str:
    return (
        f"<div class='sl-card sl-v-{claim.verdict}'><p class='sl-card-claim'>{formula(tdata(claim.claim))}</p>"
        f"<div class='sl-card-pair'><div><div class='sl-label'>{html.escape(t('printed'))}</div>"
        f"<div class='sl-card-said'>{html.escape(claim.said)}</div></div>"
        f"<div><div class='sl-label'>{html.escape(t('computed now'))}</div>"
        f"<div class='sl-card-now'>{html.escape(claim.shown)}</div></div></div>"
        f"<p class='sl-card-why'>{formula(claim.reason)}</p></div>"
    )


def filters() -> tuple[str | None, str | None]:
    """Verdict and source as chosen, None for all; kept in the address, and checked here whatever the browser sent."""
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
        verdict = _choice(t("Verdict"), "verdict", verdict_words())
        source = _choice(t("Source"), "source", source_words())
    return verdict, source


def _choice(label: str, key: str, options: Mapping[Any, str]) -> str | None:
    words: dict[Any, str] = {ALL: t("all"), **options}
    chosen = st.segmented_control(
        label,
        list(words),
        default=ALL,
        key=key,
        required=True,
        format_func=lambda name: words.get(name, str(name)),
        bind="query-params",
    )
    return chosen if chosen in options else None


def listing(found: Sequence[CheckedClaim]) -> str:
    """The claims as one table, a heading to each topic; or a sentence where none is left."""
    if not found:
        none = t("No claim of this source has this verdict: choose another of either.")
        return f"<p class='sl-note' lang='{tongue()}'>{html.escape(none)}</p>"
    names = (t("claim"), t("source"), t("printed"), t("computed now"), t("verdict"), t("why"))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    headings = topics()
    order = {topic: place for place, topic in enumerate(headings)}
    widths = "".join(f"<col style='width:{share}%'>" for share in (29, 7, 12, 13, 9, 30))
    body = []
    for topic in sorted({c.topic for c in found}, key=lambda topic: (order.get(topic, len(order)), topic)):
        rows = "".join(_row(c) for c in found if c.topic == topic)
        heading = html.escape(headings.get(topic, topic.capitalize()))
        body.append(f"<tbody><tr><th class='sl-topic' colspan='6'>{heading}</th></tr>{rows}</tbody>")
    return (
        f"<div class='sl-scroll' lang='{tongue()}'><table class='sl-table sl-claims'><colgroup>{widths}</colgroup>"
        f"<thead><tr>{head}</tr></thead>{''.join(body)}</table></div>"
    )


def _row(c: CheckedClaim) -> str:
    return (
        f"<tr><td>{formula(tdata(c.claim))}</td><td class='sl-source'>{html.escape(source_words()[c.source])}</td>"
        f"<td class='sl-said'>{html.escape(c.said)}</td><td class='sl-now'>{html.escape(c.shown)}</td>"
        f"<td class='sl-word sl-v-{c.verdict}'><span aria-hidden='true'>{_SIGN[c.verdict]}</span> "
        f"{html.escape(verdict_words()[c.verdict])}</td><td class='sl-why'>{formula(c.reason)}</td></tr>"
    )


def formula(text: str) -> str:
    """The text as safe HTML with exponents raised and indices lowered, and an equation kept on one line at its sign."""
    safe = _RAISED.sub(lambda found: f"<sup>{found[1] or found[2]}</sup>", html.escape(text))
    return _LOWERED.sub(r"\1<sub>\2</sub>", safe).replace(" = ", "&nbsp;=&nbsp;")


def claims_csv(found: Sequence[CheckedClaim]) -> str:
    """The claims as CSV: what `talk --json` prints, in English, a line each; several numbers with a space between."""
    ids = {claim.id for claim in found}
    with speaking("en"):
        every = [claim.to_dict() for claim in claims()]
    rows = [row for row in every if row["id"] in ids]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(every[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        both = row["recomputed"]
        writer.writerow({**row, "recomputed": " ".join(map(repr, both)) if isinstance(both, list) else both})
    return text.getvalue()


def styles(theme: Theme) -> str:
    """The few styles that only this page needs."""
    verdicts = "".join(f".sl-v-{verdict} {{ --sl-v: {colour}; }}" for verdict, colour in colours(theme).items())
    return f"""<style>
{verdicts}
.sl-cards {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: .55rem 1rem; margin: .5rem 0 .2rem; }}
@media (max-width: 900px) {{ .sl-cards {{ grid-template-columns: 1fr; }} }}
.sl-card {{ background: {theme.surface}; border-radius: .5rem; border-top: 4px solid var(--sl-v); display: grid;
  grid-row: span 3; grid-template-rows: subgrid; padding: .8rem 1rem .9rem; }}
.sl-card p {{ margin: 0; line-height: 1.4; }}
.sl-card-claim {{ font-weight: 600; color: {theme.ink}; }}
.sl-card-pair {{ display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; }}
.sl-card .sl-label {{ font-size: .9rem; color: {theme.muted}; }}
.sl-card-said, .sl-card-now {{ font-size: 1.38rem; font-weight: 650; line-height: 1.2; white-space: nowrap;
  font-variant-numeric: tabular-nums; }}
.sl-card-said {{ color: {theme.muted}; }} .sl-card-now {{ color: var(--sl-v); }}
.sl-card-why {{ color: {theme.muted}; font-size: .98rem; }}
table.sl-claims {{ table-layout: fixed; min-width: 60rem; }}
table.sl-claims th, table.sl-claims td, table.sl-claims .sl-word {{ text-align: left; white-space: normal;
  vertical-align: top; line-height: 1.35; }}
table.sl-claims td:first-child {{ font-weight: 400; }}
table.sl-claims th.sl-topic {{ color: {theme.ink}; font-size: 1.15rem; font-weight: 650; padding-top: 1.3rem; }}
table.sl-claims .sl-said, table.sl-claims .sl-now {{ font-weight: 600; }}
table.sl-claims .sl-word {{ color: var(--sl-v); }}
table.sl-claims .sl-why {{ color: {theme.muted}; }}
table.sl-claims .sl-source {{ color: {theme.muted}; }}
.sl-card sup, .sl-card sub, table.sl-claims sup, table.sl-claims sub {{ line-height: 0; font-size: .75em; }}
</style>"""
