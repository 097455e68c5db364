"""The lab's page in HTML of its own: tables, rows of large numbers, and the few styles that they need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scaling_core.language import retold, together
from scaling_core.ui.lab_words import steps
from scaling_core.ui.page import said, tongue
from scaling_core.viz.theme import Theme


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, marked: Sequence[bool] = (), small: bool = False
) -> str:
    """An HTML table in the page's style; rows whose mark is true are set in the second accent.

    small: in smaller type, for tables of many columns.
    """
    head = "".join(f"<th>{said(column)}</th>" for column in columns)
    body = []
    for index, row in enumerate(rows):
        name = " class='sl-lab-held'" if index < len(marked) and marked[index] else ""
        body.append(f"<tr{name}>" + "".join(f"<td>{said(cell)}</td>" for cell in row) + "</tr>")
    kind = "sl-table sl-lab-small" if small else "sl-table"
    return (
        f"<div class='sl-scroll' lang='{tongue()}'><table class='{kind}'><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    cells = "".join(f"<dt>{said(name)}</dt><dd>{said(value)}</dd>" for name, value in rows)
    return f"<dl class='sl-lab-pairs' lang='{tongue()}'>{cells}</dl>"


def figure_groups(groups: Iterable[Sequence[tuple[str, str, str]]]) -> str:
    """Groups of large numbers in one row, a hairline between: (label, value, small print) each."""
    parts = []
    for group in groups:
        blocks = "".join(
            f"<div class='sl-figure'><div class='sl-label'>{said(label)}</div>"
            f"<div class='sl-value'>{said(value)}</div>"
            + (f"<div class='sl-label'>{said(small)}</div>" if small else "")
            + "</div>"
            for label, value, small in group
        )
        if blocks:
            parts.append(f"<div class='sl-lab-group'>{blocks}</div>")
    return f"<div class='sl-lab-row' lang='{tongue()}'><div class='sl-lab-groups'>{''.join(parts)}</div></div>"


def chart_title(title: str, sentence: str) -> str:
    """A chart's name and, quietly beside it, how to read it."""
    return f"<p class='sl-lab-title' lang='{tongue()}'><b>{said(title)}</b> {said(sentence)}</p>"


def warnings(sentences: Sequence[str]) -> str:
    """Sentences that come before numbers, one below the other."""
    return "".join(f"<p class='sl-note sl-warning sl-lab-gap' lang='{tongue()}'>{said(one)}</p>" for one in sentences)


def plain(sentences: Sequence[str]) -> str:
    """Paragraphs of small print, one below the other."""
    return "".join(f"<p class='sl-note sl-lab-gap' lang='{tongue()}'>{said(one)}</p>" for one in sentences)


def caution(sentences: Sequence[str]) -> str:
    """What a fit cannot say, in one line under the headline; the whole text shows under the pointer."""
    safe = said(together(*map(retold, sentences)))
    return f"<p class='sl-note sl-warning sl-lab-caution' lang='{tongue()}' title='{safe}'>{safe}</p>"


def styles(theme: Theme) -> str:
    """The few styles that only this page needs."""
    return f"""<style>
.sl-lab-held td {{ color: {theme.accent_2}; }}
.sl-lab-groups {{ display: flex; flex-wrap: wrap; gap: .5rem clamp(.9rem, 1.7vw, 1.8rem); margin: .1rem 0; }}
.sl-lab-group {{ display: flex; flex-wrap: wrap; gap: .4rem clamp(.9rem, 1.7vw, 1.8rem); }}
.sl-lab-row {{ container-type: inline-size; }}
@container (max-width: 900px) {{
  .sl-lab-group:has(> :nth-child(8)) {{ column-gap: .9rem; }}
  .sl-lab-group:has(> :nth-child(8)) .sl-value {{ font-size: 1.45rem; line-height: 1.4; }}
  .sl-lab-group:has(> :nth-child(8)) .sl-value + .sl-label {{ max-width: 6.3rem; line-height: 1.3; }}
}}
.sl-lab-group + .sl-lab-group {{ border-left: 2px solid {theme.border}; padding-left: 1.8rem; }}
.sl-lab-caution {{ max-width: none; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }}
table.sl-lab-small td, table.sl-lab-small th {{ font-size: .82rem; padding-left: .3rem; padding-right: .3rem; }}
dl.sl-lab-pairs {{ display: grid; grid-template-columns: auto 1fr; gap: .28rem 1.1rem; margin: .2rem 0 0; padding: 0; }}
.sl-lab-pairs dt {{ margin: 0; padding: 0; font-size: .95rem; color: {theme.muted}; }}
.sl-lab-pairs dd {{ margin: 0; padding: 0; font-size: .95rem; font-weight: 600; font-variant-numeric: tabular-nums; }}
.sl-lab-gap {{ margin-bottom: .45rem; }}
.sl-lab-title {{ margin: .2rem 0 0; color: {theme.muted}; font-size: 1rem; line-height: 1.35; }}
.sl-lab-title b {{ color: {theme.ink}; font-size: 1.2rem; font-weight: 650; margin-right: .45rem; }}
.sl-lab-steps {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 2.5rem; }}
.sl-lab-steps h3 {{ margin: 0 0 .3rem; padding: 0; font-size: 1.1rem; font-weight: 650; color: {theme.ink}; }}
.sl-lab-steps p {{ margin: 0; color: {theme.muted}; line-height: 1.45; }}
@media (min-width: 900px) {{
  [data-testid="stVerticalBlock"]:has(> .st-key-lab-chooser),
  [data-testid="stVerticalBlock"]:has(> * > .st-key-lab-chooser) {{ position: relative; }}
  .st-key-lab-chooser {{ position: absolute; right: 0; top: 0; width: 23rem; z-index: 2; }}
}}
</style>"""


def explanation() -> str:
    """What a ladder is, in three parts."""
    parts = (f"<div><h3>{said(title)}</h3><p>{said(text)}</p></div>" for title, text in steps())
    return f"<div class='sl-lab-steps' lang='{tongue()}'>{''.join(parts)}</div>"
