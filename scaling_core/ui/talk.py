"""The talk check in HTML of its own: the opening, three cards, and a list of claims that a room can read."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Sequence

import streamlit as st

from scaling_core.talk import SOURCES, TOLERANCE, VERDICTS, CheckedClaim, Verdict, claims, counts
from scaling_core.viz.theme import Theme

ALL = "all"
HIGHLIGHTS = ("notes-gpt3-gain", "slide-gpt4-loss", "agi-loss")
"""The claims that matter most, in the order of the cards."""
TOPICS = {
    "compute": "Compute",
    "allocation": "Parameters against tokens",
    "prediction": "Predicted losses",
    "transfer": "Continuing a trained model",
    "law": "The laws themselves",
    "power law": "What ten times more does",
    "hardware": "Time on hardware",
    "cost": "Money",
    "architecture": "Sizes of models",
    "extrapolation": "Beyond any measurement",
    "fit": "Fits",
    "early stop": "Stopping early",
}
"""The headings of the list, in its order."""
_SIGN = {"right": "✓", "wrong": "✗", "partly": "◐", "measure": "?"}
RULE = (
    f"A printed number is right if it is off by at most one step of its last digit, and by at most {TOLERANCE:.0%}; "
    f"one that is printed as about may be off by {TOLERANCE:.0%}. A formula is right if it gives what the law gives."
)
_RAISED = re.compile(r"\^(?:\(((?:[^()]|\([^()]*\))*)\)|(-?[0-9.]+|[αβ](?:_[NDC])?))")
_LOWERED = re.compile(r"([NDCα])_([NDCc])\b")


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
    sentence = f"{n['right']} of {sum(n.values())} hold, {n['wrong']} are wrong"
    more = [f"{n['partly']} {_be(n['partly'])} partly right"] if n["partly"] else []
    more += [f"{n['measure']} {_be(n['measure'])} to be measured"] if n["measure"] else []
    sentence += f"; {' and '.join(more)}." if more else "."
    detail = (
        "Every number of the talk and of the documents that go with it, computed again by the functions that the other "
        "pages use."
    )
    return "How many of the talk's numbers hold?", sentence, detail


def _be(n: int) -> str:
    return "is" if n == 1 else "are"


def count_figures(theme: Theme) -> tuple[list[tuple[str, str]], list[str]]:
    """The counts as large numbers (label, value), and the colours of their labels, for `ui.page.figures`."""
    pairs = [(VERDICTS[verdict], str(count)) for verdict, count in counts().items()]
    return pairs, [colours(theme)[verdict] for verdict in counts()]


def cards() -> str:
    """The three claims that matter most: what is printed, what is computed, and why, side by side."""
    known = {claim.id: claim for claim in claims()}
    return f"<div class='sl-cards'>{''.join(_card(known[id]) for id in HIGHLIGHTS)}</div>"


def _card(claim: CheckedClaim) -> str:
    return (
        f"<div class='sl-card sl-v-{claim.verdict}'><p class='sl-card-claim'>{formula(claim.claim)}</p>"
        f"<div class='sl-card-pair'><div><div class='sl-label'>printed</div><div class='sl-card-said'>"
        f"{html.escape(claim.said)}</div></div><div><div class='sl-label'>computed now</div>"
        f"<div class='sl-card-now'>{html.escape(claim.shown)}</div></div></div>"
        f"<p class='sl-card-why'>{formula(claim.reason)}</p></div>"
    )


def filters() -> tuple[str | None, str | None]:
    """Verdict and source as chosen, None for all; kept in the address, and checked here whatever the browser sent."""
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
        verdict = _choice("Verdict", "verdict", tuple(VERDICTS.items()))
        source = _choice("Source", "source", tuple((name, name) for name in SOURCES))
    return verdict, source


def _choice(label: str, key: str, options: Sequence[tuple[str, str]]) -> str | None:
    words = dict(options)
    chosen = st.segmented_control(
        label,
        [ALL, *words],
        default=ALL,
        key=key,
        required=True,
        format_func=lambda name: words.get(name, str(name)),
        bind="query-params",
    )
    return chosen if chosen in words else None


def listing(found: Sequence[CheckedClaim]) -> str:
    """The claims as one table, a heading to each topic; or a sentence where none is left."""
    if not found:
        return "<p class='sl-note'>No claim of this source has this verdict: choose another of either.</p>"
    head = "".join(f"<th>{name}</th>" for name in ("claim", "source", "printed", "computed now", "verdict", "why"))
    widths = "".join(f"<col style='width:{share}%'>" for share in (29, 7, 12, 13, 9, 30))
    body = []
    for topic in sorted({c.topic for c in found}, key=_place):
        rows = "".join(_row(c) for c in found if c.topic == topic)
        body.append(
            f"<tbody><tr><th class='sl-topic' colspan='6'>{html.escape(_heading(topic))}</th></tr>{rows}</tbody>"
        )
    return (
        f"<div class='sl-scroll'><table class='sl-table sl-claims'><colgroup>{widths}</colgroup>"
        f"<thead><tr>{head}</tr></thead>{''.join(body)}</table></div>"
    )


def _heading(topic: str) -> str:
    return TOPICS.get(topic, topic.capitalize())


def _place(topic: str) -> tuple[int, str]:
    return (list(TOPICS).index(topic) if topic in TOPICS else len(TOPICS)), topic


def _row(c: CheckedClaim) -> str:
    return (
        f"<tr><td>{formula(c.claim)}</td><td class='sl-source'>{html.escape(c.source)}</td>"
        f"<td class='sl-said'>{html.escape(c.said)}</td><td class='sl-now'>{html.escape(c.shown)}</td>"
        f"<td class='sl-word sl-v-{c.verdict}'><span aria-hidden='true'>{_SIGN[c.verdict]}</span> "
        f"{html.escape(VERDICTS[c.verdict])}</td><td class='sl-why'>{formula(c.reason)}</td></tr>"
    )


def formula(text: str) -> str:
    """The text as safe HTML with exponents raised and indices lowered, and an equation kept on one line at its sign."""
    safe = _RAISED.sub(lambda found: f"<sup>{found[1] or found[2]}</sup>", html.escape(text))
    return _LOWERED.sub(r"\1<sub>\2</sub>", safe).replace(" = ", "&nbsp;=&nbsp;")


def claims_csv(found: Sequence[CheckedClaim]) -> str:
    """The claims as CSV: what `talk --json` prints, a line each; several numbers of one claim with a space between."""
    rows = [claim.to_dict() for claim in found]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(claims()[0].to_dict()), lineterminator="\n")
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
