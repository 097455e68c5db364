"""Checks one below the other, as the pages "Pre-flight" and "Plan a training" show them: a sign, a name, a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from scaling_core.checks import Check
from scaling_core.language import t
from scaling_core.ui.page import said, tongue
from scaling_core.viz.theme import Theme

SIGNS = {"ok": "✓", "warning": "!", "failed": "✕", "waiting": "…", "ask": "?"}


def check_list(checks: Sequence[Check]) -> str:
    """Checks one below the other: the sign, what it is about, and the sentence."""
    words = {
        "ok": t("well"),
        "warning": t("look at this"),
        "failed": t("failed"),
        "waiting": t("on its way"),
        "ask": t("ask yourself"),
    }
    rows = "".join(
        f"<li class='sl-is-{check.status}'><span class='sl-sign' role='img' aria-label='{said(words[check.status])}'>"
        f"{SIGNS[check.status]}</span><div><b>{said(check.what)}</b><p>{said(check.seen)}</p></div></li>"
        for check in checks
    )
    return f"<ul class='sl-checks' lang='{tongue()}'>{rows}</ul>"


def check_styles(theme: Theme) -> str:
    """The signs in the colours of their verdict, and type that is read from the last row; rules without their tag."""
    green, orange, grey = theme.categorical[2], theme.accent_2, theme.muted
    return f"""
ul.sl-checks {{ list-style: none; margin: 0; padding: 0; }}
ul.sl-checks li {{ display: flex; gap: .8rem; margin: 0; padding: .38rem 0; border-bottom: 1px solid {theme.border}; }}
.sl-checks .sl-sign {{ flex: none; width: 1.9rem; height: 1.9rem; border-radius: 50%; text-align: center;
  font-weight: 800; font-size: 1.15rem; line-height: 1.9rem; margin-top: .12rem; color: {theme.background}; }}
.sl-checks b {{ font-size: 1.15rem; line-height: 1.25; font-weight: 650; color: {theme.ink}; }}
.sl-checks p {{ margin: 0; font-size: 1rem; line-height: 1.3; color: {theme.muted}; text-wrap: pretty; }}
.sl-is-ok .sl-sign {{ background: {green}; }} .sl-is-waiting .sl-sign {{ background: {grey}; }}
.sl-is-ask .sl-sign {{ background: {theme.accent}; }} .sl-is-ask p {{ color: {theme.ink}; }}
.sl-is-warning .sl-sign, .sl-is-failed .sl-sign {{ background: {orange}; }}
.sl-is-warning b, .sl-is-failed b {{ color: {orange}; }} .sl-is-warning p, .sl-is-failed p {{ color: {theme.ink}; }}
"""
