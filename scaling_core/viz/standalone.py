"""A picture as one HTML file that needs nothing else: no network, no server, no other file.

Points say their values under the pointer. Where the figure is one that follows the hand, its sliders come with it, and
the browser evaluates the law as it does on the page.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import vl_convert

from scaling_core.language import Language
from scaling_core.laws import Law
from scaling_core.viz.figure import Figure
from scaling_core.viz.kept import kept
from scaling_core.viz.live import chart_data, script, style
from scaling_core.viz.theme import CHINESE_FONT, Theme

CHANNEL = "law"
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:"
)
"""What the file may do: run what stands in it. A browser refuses it every request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """What makes a figure follow the hand in its file: kind and args as in `viz.live.chart_data`.

    values: N, D and C now. knobs: the sliders, as `panel.js` takes them, each with the least and the most that may be
    typed. hint: said over a slider. wrong: said beneath a field that holds no such number.
    """

    law: Law
    kind: str
    args: Mapping[str, Any]
    values: Mapping[str, float]
    knobs: Sequence[Mapping[str, Any]]
    hint: str
    wrong: str


def to_html(
    figure: Figure,
    theme: Theme,
    language: Language,
    *,
    title: str,
    sentence: str = "",
    numbers: Sequence[tuple[str, str]] = (),
    link: str = "",
    live: Live | None = None,
) -> str:
    """The figure as a page of HTML. link: the address of the scene it was taken from, or ""."""
    tall = figure.spec().get("height")
    height = int(tall) if isinstance(tall, (int, float)) else 0
    made = {"live": _live(figure, live, sentence or title)} if live else {"spec": _spec(figure)}
    panel = style("panel") if live else ""
    pairs = "".join(f"<div><dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd></div>" for a, b in numbers)
    address = html.escape(link, quote=True)
    label = "" if live else f' role="img" aria-label="{html.escape(sentence or title, quote=True)}"'
    knobs = '<div id="knobs"><div class="panel"></div></div>' if live else ""
    inner = f'<div class="chart" role="img" style="--tall: {max(height, 420)}px"></div>' if live else ""
    return f"""<!DOCTYPE html>
<html lang="{"zh-CN" if language == "zh" else "en"}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_font()}{_css(theme)}{panel}{style("chart") if live else ""}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
<p class="sentence">{html.escape(sentence)}</p>
<main class="{"live" if live else "still"}">{knobs}
<div id="picture"{label}>{inner}</div></main>
<dl>{pairs}</dl>
<p class="link">{f'<a href="{address}">{address}</a>' if link.startswith(("http://", "https://")) else ""}</p>
<script type="application/json" id="made">{_inline(made)}</script>
<script type="module">{_bundle()}</script>
</body>
</html>
"""


def _spec(figure: Figure) -> dict[str, Any]:
    """The figure as wide as the window, with the values of points and bars under the pointer."""
    spec = figure.to_dict(validate=False)
    shown = {"tooltip": {"content": "encoding"}}
    spec["config"] = {**spec.get("config", {})}
    for mark in ("point", "circle", "square", "bar", "rect"):
        spec["config"][mark] = {**shown, **spec["config"].get(mark, {})}
    return spec


def _live(figure: Figure, live: Live, alt: str) -> dict[str, Any]:
    values = {**live.law.constants, **live.values}
    chart = chart_data(figure, live.law, kind=live.kind, args=live.args)
    return {
        "chart": {**chart, "channel": CHANNEL, "values": values, "alt": alt},
        "panel": {"channel": CHANNEL, "knobs": [dict(knob) for knob in live.knobs], "hint": live.hint},
        "wrong": live.wrong,
    }


def _inline(value: object) -> str:
    """JSON that no browser takes for the end of the script it stands in."""
    told = json.dumps(value, ensure_ascii=False, default=_plain)
    return told.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


@cache
def _bundle() -> str:
    """Vega and what draws the file, some 0.9 MB; made once, in about a second."""
    parts = _part("mountPanel", "law", "bus", "panel"), _part("mountChart", "law", "bus", "rows", "beyond", "chart")
    snippet = "\n".join([*parts, script("standalone")])
    bundle = kept(f"standalone {snippet}", lambda: str(vl_convert.javascript_bundle(snippet=snippet)))
    return bundle.replace("</script", "<\\/script")


@cache
def _font() -> str:
    """The page's own font, which comes with Streamlit, as a style sheet that holds it; "" where it is not found."""
    found = find_spec("streamlit")
    folder = Path(found.origin).parent / "static" / "static" / "media" if found and found.origin else None
    file = next(iter(sorted(folder.glob("SourceSansVF-Upright*.woff2"))), None) if folder else None
    if file is None:
        return ""
    held = base64.b64encode(file.read_bytes()).decode("ascii")
    return (
        f'@font-face {{ font-family: "Source Sans"; font-weight: 200 900; '
        f'src: url("data:font/woff2;base64,{held}") format("woff2"); }}'
    )


def _part(name: str, *files: str) -> str:
    """Files of `viz/live` as one function of this name, which keeps their other names to itself."""
    body = script(*files).replace("export default function", "mount = function")
    return f"const {name} = (() => {{\nlet mount;\n{body}\nreturn mount;\n}})();"


def _css(theme: Theme) -> str:
    return f"""
:root {{ --st-text-color: {theme.ink}; --st-primary-color: {theme.accent}; --st-border-color: {theme.border};
  --st-background-color: {theme.background}; --st-red-text-color: {theme.accent_2}; color-scheme: {theme.mode}; }}
body {{ margin: 2rem auto; max-width: 84rem; padding: 0 2rem; background: {theme.background}; color: {theme.ink};
  font: 17px/1.45 "Source Sans", "Source Sans 3", "Helvetica Neue", Arial, {CHINESE_FONT}; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; }}
.sentence, .link, dt {{ color: {theme.muted}; margin: 0 0 1rem; }}
.link {{ font-size: .85rem; }} a {{ color: {theme.accent}; }} p:empty, dl:empty {{ display: none; }}
.live {{ display: grid; grid-template-columns: minmax(15rem, 20rem) 1fr; gap: 2rem; align-items: center; }}
@media (max-width: 60rem) {{ .live {{ grid-template-columns: 1fr; }} }}
#picture {{ width: 100%; min-width: 0; }}
dl {{ display: flex; flex-wrap: wrap; gap: .4rem 2.4rem; margin: 1rem 0; }} dt {{ margin: 0; font-size: .92rem; }}
dd {{ margin: 0; font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }}
#vg-tooltip-element {{ background: {theme.surface} !important; color: {theme.ink} !important;
  border-color: {theme.border} !important; font-family: inherit !important; font-size: .9rem !important; }}
"""
