"""What every page shares: the guard against tracebacks, the viewer's theme, and the page's few own styles."""

from __future__ import annotations

import html
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from scaling_core.errors import ScalingError
from scaling_core.language import current, retold, speaking, t
from scaling_core.ui.component import vega_address
from scaling_core.ui.presenter import presenting, stage_size
from scaling_core.viz.theme import Theme, enlarged, theme_of

log = logging.getLogger("scaling_lab.page")


def viewer_theme() -> Theme:
    """The theme of the person who looks: Streamlit's light or dark, light where it is not known; large on a stage."""
    theme = theme_of(st.context.theme.type)
    return enlarged(theme, stage_size()) if presenting() else theme


@contextmanager
def page(name: str) -> Iterator[Theme]:
    """Run a page's body; what fails inside becomes one sentence on the page, and a traceback only in the log.

    A ScalingError is already a sentence. Anything else is logged with an id that the page shows, so that the two can
    be brought together. Streamlit's own control flow (rerun, stop) passes through, since it is no Exception.
    """
    started = time.perf_counter()
    _through_the_main_script()
    if st.session_state.get("~page") != name:
        st.session_state["~page"] = name
        st.session_state["~visit"] = visit() + 1
    theme = viewer_theme()
    vega_address()
    st.html(_css(theme))
    try:
        with speaking(current()):
            yield theme
    except ScalingError as error:
        st.error(escape_markdown(str(error)))
    except Exception:
        mark = uuid.uuid4().hex[:8]
        log.exception("page %s failed [%s]", name, mark)
        st.error(
            t(
                "Something on this page went wrong and was written to the log under {mark}. "
                "Reload the page; nothing that was stored is lost.",
                mark=mark,
            )
        )
    finally:
        log.debug("page %s took %.1f ms", name, 1e3 * (time.perf_counter() - started))


def failure(error: BaseException) -> str:
    """What to tell a person of a failure; one that is no sentence of ours goes to the log, under an id."""
    if isinstance(error, ScalingError):
        return str(error)
    mark = uuid.uuid4().hex[:8]
    log.error("a part of a page failed [%s]", mark, exc_info=error)
    return t(
        "Something went wrong here and was written to the log under {mark}; nothing that was stored is lost.", mark=mark
    )


def visit() -> int:
    """How often this viewer has come to a page from another: widgets of an earlier visit have forgotten all."""
    return int(st.session_state.get("~visit", 0))


def _through_the_main_script() -> None:
    """Run the page again inside `streamlit_app.py` where Streamlit ran it alone.

    A server that has not run the main script yet takes a `pages` folder for the older way of making several pages,
    so the first visitor of a fresh server, on any page but the first, would get it without configuration or navigation.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def escape_markdown(text: str) -> str:
    """The text as it is, where Streamlit would read markdown: every sign with a meaning is escaped."""
    return "".join("\\" + sign if sign in r"\`*_{}[]()#+-.!|$~<>:^" else sign for sign in text)


def answer(question: str, sentence: str, detail: str = "", line: str = "") -> None:
    """The page's opening: a quiet question, a large answer, a sentence or two more. Plain text, escaped here.

    line: small print below that keeps to one line; what does not fit is cut, and shown whole under the pointer.
    """
    more = f"<p class='sl-detail'>{said(detail)}</p>" if detail else ""
    more += f"<p class='sl-line' title='{said(line)}'>{said(line)}</p>" if line else ""
    st.html(
        f"<div class='sl-answer' lang='{tongue()}'><p class='sl-question'>{said(question)}</p>"
        f"<h1 class='sl-sentence'>{said(sentence)}</h1>{more}</div>"
    )


def section(title: str, sentence: str = "") -> None:
    """A heading inside a page and the sentence that says what the picture below shows. Plain text."""
    more = f"<p class='sl-detail'>{said(sentence)}</p>" if sentence else ""
    st.html(f"<div class='sl-section' lang='{tongue()}'><h2>{said(title)}</h2>{more}</div>")


def note(text: str, *, kind: str = "quiet") -> None:
    """A line of small print: kind "quiet", "warning" (coloured, for what must not be overlooked) or "error"."""
    role = " role='alert'" if kind == "error" else ""
    st.html(f"<p class='sl-note sl-{html.escape(kind)}' lang='{tongue()}'{role}>{said(text)}</p>")


def folded(label: str, inside: str, kind: str = "") -> None:
    """Small print that opens at a click or a key, in the browser alone. inside: HTML. kind: a class, for styles."""
    st.html(
        f"<details class='sl-folded {html.escape(kind)}' lang='{tongue()}'><summary>{said(label)}</summary>"
        f"{inside}</details>"
    )


def tongue() -> str:
    """The present language as HTML's `lang` names it, so that Han characters take their Chinese form."""
    return "zh-CN" if current() == "zh" else "en"


def said(text: str) -> str:
    """A text in the viewer's language, escaped for HTML, its attributes included."""
    return html.escape(retold(text), quote=True)


def _more() -> str:
    """The menu of pages that the window has no room for, which Streamlit names in English alone."""
    if current() == "en":
        return ""
    menu = '[data-testid="stTopNavSection"] p'
    return f'{menu} {{ font-size: 0; }} {menu}::after {{ content: "{t("More pages")}"; font-size: 1rem; }}'


def _css(theme: Theme) -> str:
    """Type scale and spacing of the page's own blocks, in the colours of the theme."""
    return f"""<style>
[data-testid="stMainBlockContainer"] {{ padding: 4.5rem 2.5rem 3rem; max-width: 112rem; }}
[data-testid="stElementContainer"]:has(style) {{ display: none; }}
[data-testid="stToolbar"] div:has(> [data-testid="stToolbarActions"]) {{ min-width: 3rem; position: relative; }}
[data-testid="stToolbar"] [data-testid="stStatusWidget"] {{ position: absolute; right: 0; top: 100%; }}
.st-key-language-switch {{ position: fixed; top: .65rem; right: 4.2rem; width: auto; z-index: 999991; }}
[class*="st-key-export-inset-"] {{ height: 0 !important; min-height: 0; margin: -2.9rem 0 1.9rem; z-index: 2;
  pointer-events: none; }}
[class*="st-key-export-below-"] {{ margin: -1.1rem 0 -.4rem; }}
[class*="st-key-export-inset-"] button, [class*="st-key-export-below-"] button {{ pointer-events: auto;
  color: {theme.muted}; font-size: .85rem; padding: 0 .2rem; min-height: 1.6rem; }}
:is([class*="st-key-export-"], .st-key-deck-tray) button[kind="tertiary"]:is(:hover, :focus) {{
  color: {theme.accent}; }}
[class*="st-key-export-shown-"] {{ opacity: 0; pointer-events: none; }}
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-export-shown-"]) {{ position: absolute; }}
.st-key-deck-tray {{ position: fixed; top: .65rem; right: 12.4rem; width: auto; z-index: 999991; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-deck-tray) {{ position: absolute; }}
body:has(.st-key-deck-tray) .rc-overflow {{ margin-right: 16rem !important; }}
.stApp :is(a, button, summary):focus-visible {{ outline: 3px solid {theme.accent}; outline-offset: 1px;
  box-shadow: none; }}
#vg-tooltip-element {{ background: {theme.surface} !important; color: {theme.ink} !important;
  border-color: {theme.border} !important; font-family: inherit !important; font-size: .9rem !important; }}
.rc-overflow {{ margin-right: 9rem; }}
{_more()}
.sl-answer {{ margin: 0 0 .25rem; }}
.sl-question {{ margin: 0 0 .35rem; color: {theme.accent}; font-weight: 600; font-size: 1.05rem; }}
.sl-answer h1.sl-sentence {{ margin: 0; padding: 0; font-size: clamp(1.55rem, 2.3vw, 2.4rem); line-height: 1.2;
  font-weight: 700; letter-spacing: -.01em; text-wrap: balance; max-width: 46em; color: {theme.ink}; }}
:is(h1.sl-sentence, .sl-section h2) {{ word-break: keep-all; overflow-wrap: anywhere; }}
.sl-detail {{ margin: .55rem 0 0; font-size: 1.08rem; line-height: 1.45; color: {theme.muted}; max-width: 72em;
  text-wrap: pretty; }}
.sl-section {{ margin: 1.6rem 0 .2rem; }}
.sl-section h2 {{ margin: 0; padding: 0; font-size: 1.4rem; font-weight: 650; line-height: 1.25; color: {theme.ink}; }}
.sl-section .sl-detail {{ margin-top: .3rem; }}
.sl-line {{ margin: .55rem 0 0; font-size: .9rem; line-height: 1.3; color: {theme.muted};
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }}
.sl-note {{ margin: 0; font-size: .95rem; line-height: 1.4; color: {theme.muted}; max-width: 70em; }}
.sl-warning {{ color: {theme.ink}; border-left: 4px solid {theme.accent_2}; padding: .1rem 0 .1rem .7rem; }}
.sl-error {{ color: {theme.accent_2}; font-weight: 600; }}
.sl-scroll {{ overflow-x: auto; }}
.sl-folded {{ border: 1px solid {theme.border}; border-radius: .5rem; padding: 0 .9rem; margin: .1rem 0; }}
.sl-folded[open] {{ padding-bottom: .7rem; }}
.sl-folded summary {{ cursor: pointer; list-style: none; padding: .55rem 0; font-size: .95rem; line-height: 1.4;
  color: {theme.ink}; }}
.sl-folded summary::-webkit-details-marker {{ display: none; }}
.sl-folded summary::before {{ content: ""; display: inline-block; width: .42em; height: .42em;
  margin: 0 .9em .12em .1em; border: solid currentColor; border-width: 0 1.5px 1.5px 0; transform: rotate(-45deg); }}
.sl-folded[open] summary::before {{ transform: rotate(45deg); }}
.sl-folded summary:hover {{ color: {theme.accent}; }}
table.sl-table {{ border-collapse: collapse; width: 100%; font-size: 1rem; font-variant-numeric: tabular-nums; }}
table.sl-table th {{ text-align: right; font-weight: 600; color: {theme.muted}; font-size: .9rem; line-height: 1.2;
  vertical-align: bottom; padding: .3rem .55rem; border-bottom: 2px solid {theme.border}; }}
table.sl-table td {{ text-align: right; padding: .42rem .55rem; border-bottom: 1px solid {theme.border};
  white-space: nowrap; }}
table.sl-table th:first-child, table.sl-table td:first-child {{ text-align: left; padding-left: 0; }}
table.sl-table td:first-child {{ font-weight: 600; }}
table.sl-table .sl-word {{ text-align: left; font-weight: 600; white-space: nowrap; }}
table.sl-narrow {{ width: auto; min-width: 34rem; }}
@media (max-width: 1450px) {{
  table.sl-table {{ font-size: .93rem; }} table.sl-table th {{ font-size: .82rem; }}
  table.sl-table th, table.sl-table td {{ padding-left: .38rem; padding-right: .38rem; }}
}}
.sl-under {{ color: {theme.under}; }} .sl-over {{ color: {theme.over}; }} .sl-near {{ color: {theme.categorical[2]}; }}
.sl-figures {{ display: flex; flex-wrap: wrap; gap: .4rem 2.2rem; margin: .2rem 0 .1rem; }}
.sl-figure .sl-label {{ font-size: .92rem; color: {theme.muted}; }}
.sl-swatch {{ display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }}
.sl-figure .sl-value {{ font-size: 1.75rem; font-weight: 650; line-height: 1.15; font-variant-numeric: tabular-nums; }}
</style>"""


def figures(pairs: Sequence[tuple[str, str]], swatches: Sequence[str] = ()) -> None:
    """A row of large numbers, each under its label; with `swatches` a square of that colour before the label.

    A swatch "" is none. Digits have equal widths, so that nothing jumps when a number changes.
    """
    blocks = []
    for k, (label, value) in enumerate(pairs):
        colour = swatches[k] if k < len(swatches) else ""
        square = f"<span class='sl-swatch' style='background:{html.escape(colour)}'></span>" if colour else ""
        blocks.append(
            f"<div class='sl-figure'><div class='sl-label'>{square}{said(label)}</div>"
            f"<div class='sl-value'>{said(value)}</div></div>"
        )
    st.html(f"<div class='sl-figures' lang='{tongue()}'>{''.join(blocks)}</div>")
