"""The presenter view: larger type and lines, no navigation, and only the controls that the scene needs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from scaling_core.story import NEEDS, Need
from scaling_core.viz.theme import STAGES, Theme

PRESENTING = "~presenting"
_NOTING = "~noting"
_STAGE = "~stage"
PICTURE = "st-key-picture-"
"""How the class of what holds a chart begins, in this view: a column with one is not hidden with its fields."""


def presenting() -> bool:
    """Whether this viewer is in the presenter view."""
    return bool(st.session_state.get(PRESENTING))


def present(on: bool) -> None:
    """Enter the presenter view, or leave it."""
    st.session_state[PRESENTING] = on


def stage_size() -> float:
    """How tall the viewer's window is, of STAGES: by this much type and lines of charts grow."""
    size: float = st.session_state.get(_STAGE, STAGES[0])
    return size


def measured(size: object) -> None:
    """The browser has measured its window; what is none of STAGES is passed over."""
    if size in STAGES:
        st.session_state[_STAGE] = size


def noting() -> bool:
    """Whether what to point at is shown beside the scene."""
    return bool(st.session_state.get(_NOTING))


def show_notes(on: bool) -> None:
    """Show what to point at, or hide it."""
    st.session_state[_NOTING] = on


def styles(theme: Theme, page: str, needs: Sequence[Need] | None, *, warned: bool) -> str:
    """The styles of the bar, and of the presenter view where it is on.

    page: its part of the address. needs: of the scene; None where no scene is shown, when all controls stay. warned:
    whether the law that the constants set out from has a warning, whose place is kept when it goes.
    """
    large = ""
    if presenting():
        large = _presenter(theme, page, NEEDS if needs is None else needs) + (_KEPT if warned else "")
    return f"<style>{_bar(theme)}{large}</style>"


_KEPT = """
[data-testid="stMainBlockContainer"]:not(:has(> [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]
  .sl-warning)) .st-key-law-answer { padding-bottom: 2.15rem; }
"""


def _bar(theme: Theme) -> str:
    return f"""
.st-key-scene-menu {{ position: fixed; top: .65rem; right: 8rem; width: auto; z-index: 999991; }}
.st-key-scene-keys {{ position: fixed; opacity: 0; pointer-events: none; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-scene-menu), [data-testid="stLayoutWrapper"]:has(> .st-key-scene-keys),
[data-testid="stLayoutWrapper"]:has(> .st-key-language-switch) {{ position: absolute; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-scene-bar) {{ position: sticky; top: 3.55rem; z-index: 990; }}
.st-key-scene-bar {{ background: {theme.background}; border-bottom: 2px solid {theme.border}; padding: 0 0 .4rem; }}
.sl-scene {{ display: flex; gap: .9rem; align-items: baseline; }}
.sl-scene .sl-count {{ color: {theme.muted}; font-size: .95rem; font-variant-numeric: tabular-nums;
  white-space: nowrap; }}
.sl-scene .sl-title {{ color: {theme.accent}; font-weight: 700; font-size: 1.15rem; line-height: 1.25; }}
.sl-scene-said p {{ margin: 0; color: {theme.ink}; font-size: 1rem; line-height: 1.35; text-wrap: pretty; }}
.sl-scene-said p.sl-point {{ color: {theme.muted}; font-size: .95rem; margin-top: .2rem; }}
.sl-scene-said p:empty {{ display: none; }}
[class*="st-key-heading-"] {{ min-height: 2.6rem; }}
.st-key-scene-buttons button {{ padding: .1rem .5rem; min-height: 2rem; white-space: nowrap; }}
"""


def _presenter(theme: Theme, page: str, needs: Sequence[Need]) -> str:
    """Larger type by the size of the root; what a scene does not need is taken off the page, not out of the script.

    --sl-fit, the height left for the picture, is measured by `keys.js`. Where constants can change, the answer has
    room for a second line, so that nothing jumps; what the lab says changes with the ladder alone.
    """
    hidden = ""
    if needs and page != "lab":
        hidden += ":root { --sl-headline: 2.4em; } .sl-answer h1.sl-sentence { min-height: 2.4em; }\n"
    if "sliders" not in needs:
        hidden += ":root { --sl-base: none; }\n"
        hidden += '[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] { display: none !important; }\n'
    if "fields" not in needs:
        kinds = ("stTextInput", "stSelectbox", "stRadio", "stDownloadButton", "stFileUploader", "stPopover",
                 "stButtonGroup")  # fmt: skip
        some = ", ".join(f"[data-testid={kind}]" for kind in kinds)
        column = f'[data-testid="stColumn"]:has({some}):not(:has(.sl-figure, .sl-answer, [class*="{PICTURE}"]))'
        hidden += f'[data-testid="stMain"] :is({some}, {column}) {{ display: none !important; }}\n'
        hidden += '[class*="st-key-lab-replay-open"] { display: none; }\n'
    return f"""
html {{ font-size: clamp(19px, 2.35vh, 30px) !important; }}
:root {{ --sl-tall: var(--sl-fit, max(280px, calc(100vh - 20rem))); --sl-more: none; }}
[data-testid="stHeader"], .st-key-scene-menu, .st-key-language-switch, [class*="st-key-export-"], .st-key-deck-tray,
[data-testid="stDownloadButton"], [data-testid="stElementToolbar"], .sl-quiet {{ display: none !important; }}
[data-testid="stElementContainer"]:has(.sl-quiet) {{ display: none; }}
[data-testid="stMainBlockContainer"] {{ padding: 0 2.2rem var(--sl-tail, 2rem) !important; }}
[data-testid="stMain"] [data-testid="stVerticalBlock"] {{ gap: .55rem; }}
[data-testid="stSidebar"] {{ min-width: 18rem !important; max-width: 18rem !important; }}
.sl-lab-title {{ white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-scene-bar) {{ top: 0; }}
.st-key-scene-line {{ position: relative; }}
[data-testid="stMain"] .st-key-scene-bar {{ gap: .25rem; padding-top: .4rem; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-scene-buttons) {{ position: absolute; right: 0; top: 0; z-index: 2; }}
.st-key-scene-buttons {{ opacity: 0; background: {theme.background}; transition: opacity .15s; }}
.st-key-scene-bar:hover .st-key-scene-buttons, .st-key-scene-buttons:focus-within {{ opacity: 1; }}
.sl-scene-said p {{ font-size: 1.12rem; line-height: 1.3; }}
:is(.sl-answer, .sl-section) .sl-detail, .sl-answer .sl-line {{ display: none; }}
.sl-warning {{ display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 1; overflow: hidden; }}
.sl-note.sl-warning {{ line-height: 1.4rem; max-height: 1.6rem; }}
.st-key-scene-remarks .sl-note.sl-warning {{ -webkit-line-clamp: 3; max-height: none; }}
[data-testid="stElementContainer"]:has(> .stHtml > .sl-warning:only-child) {{ height: 1.6rem; min-height: 1.6rem; }}
.st-key-scene-remarks [data-testid="stElementContainer"] {{ height: auto !important; }}
{hidden}"""
