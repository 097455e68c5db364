"""One look for every chart: colours, type sizes and line widths, in light and dark.

The colours are those of `.streamlit/config.toml`, so that page and picture agree. The categorical ones follow
the order of Okabe and Ito (2008), darkened on white and lightened on black until each keeps a contrast of at
least 3 to 1 with the background, so that they stay apart for readers with any common colour blindness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, TypeAlias, TypeVar

from scaling_core.viz.late import alt

Mode = Literal["light", "dark"]

CHINESE_FONT = '"PingFang SC", "Hiragino Sans GB", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif'
FONT = f'"Source Sans", "Source Sans 3", "Helvetica Neue", Arial, "Liberation Sans", "DejaVu Sans", {CHINESE_FONT}'
"""Streamlit's own font, shipped with it; then what macOS, Windows and Linux have, Chinese included."""
POWER_FONT = f'"Source Sans", "Source Sans 3", "DejaVu Sans", "Lucida Grande", "Arial Unicode MS", {CHINESE_FONT}'
"""For text with superscripts: each Latin one has all ten of them, so that an exported 10²¹ is set in one face."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """Colours as #RRGGBB, sizes in pixels.

    ink, muted: text and quiet text. surface: panels. grid, border: hairlines. accent: what the page is about;
    accent_2: what it is compared with. categorical: series, in this order. sequential: ten steps from the quietest to
    the strongest. under, neutral, over: the poles of a diverging scale.
    """

    mode: Mode
    background: str
    surface: str
    ink: str
    muted: str
    grid: str
    border: str
    accent: str
    accent_2: str
    categorical: tuple[str, ...]
    sequential: tuple[str, ...]
    under: str
    neutral: str
    over: str
    label_size: int = 15
    title_size: int = 16
    mark_size: int = 15
    line_width: float = 3.0
    thin_width: float = 1.5
    point_size: float = 110.0

    @property
    def larger(self) -> float:
        """How much larger all is than on a window 1280 wide, where names have room for 19 pixels of type."""
        return max(1.0, self.mark_size / 19)

    @property
    def laid_size(self) -> float:
        """Size of a name's type in the pixels in which pictures are laid out, those of a window 1280 wide."""
        return self.mark_size / self.larger

    @property
    def on_accent(self) -> str:
        """Text upon a strong fill: the background's own colour."""
        return self.background


@cache
def light() -> Theme:
    """For a bright room, and for paper."""
    return Theme(
        mode="light",
        background="#FFFFFF",
        surface="#F2F5F8",
        ink="#14202B",
        muted="#52606D",
        grid="#E4E9EE",
        border="#D3DAE1",
        accent="#0B5CAD",
        accent_2="#B84A00",
        categorical=("#0B5CAD", "#B84A00", "#007D5C", "#A6438A", "#8A6A00", "#2C86BD", "#52606D"),
        sequential=(
            "#EAF2FA", "#CFE2F3", "#A9CBE9", "#7FB1DC", "#5596CC",
            "#327CBA", "#1663A6", "#0B4C8A", "#083A6B", "#062A4F",
        ),
        under="#B84A00",
        neutral="#EDF0F3",
        over="#0B5CAD",
    )  # fmt: skip


@cache
def dark() -> Theme:
    """For a dark room, where a white page would blind the first row."""
    return Theme(
        mode="dark",
        background="#0E1419",
        surface="#18222C",
        ink="#E9EEF3",
        muted="#A3B1BF",
        grid="#202B36",
        border="#2E3B48",
        accent="#5AB0F5",
        accent_2="#FF9248",
        categorical=("#5AB0F5", "#FF9248", "#2FC79B", "#E48BC4", "#E9C238", "#9ADCF7", "#A3B1BF"),
        sequential=(
            "#14283A", "#173A57", "#1B4D76", "#226294", "#2D78B1",
            "#3F8FCC", "#5AA6E3", "#7FBDF0", "#A8D3F7", "#D2E8FB",
        ),
        under="#FF9248",
        neutral="#222E39",
        over="#5AB0F5",
    )  # fmt: skip


def theme_of(mode: str | None) -> Theme:
    """`dark()` for "dark"; `light()` for anything else, which is what an unknown viewer gets."""
    return dark() if mode == "dark" else light()


STAGES = (1.0, 1.25, 1.5, 2.0)
"""How much larger type and lines are in the presenter view than on its smallest window, one of 720 pixels' height."""


@cache
def enlarged(theme: Theme, stage: float = STAGES[0]) -> Theme:
    """The same colours with type and lines for the last row of a room, before a window of `stage` times 720 pixels."""
    return replace(
        theme,
        label_size=round(19 * stage),
        title_size=round(20 * stage),
        mark_size=round(19 * stage),
        line_width=4.5 * stage,
        thin_width=2.2 * stage,
        point_size=190.0 * stage * stage,
    )


def mix(first: str, second: str, share: float) -> str:
    """The colour `share` of the way from `first` to `second`, both #RRGGBB, mixed in sRGB; share in [0, 1]."""
    part = min(1.0, max(0.0, share))
    one, two = (tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in (first, second))
    return "#" + "".join(f"{round(a + (b - a) * part):02X}" for a, b in zip(one, two, strict=True))


def luminance(colour: str) -> float:
    """Relative luminance of #RRGGBB in [0, 1] (WCAG 2.2, definition of relative luminance)."""
    parts = []
    for i in (1, 3, 5):
        value = int(colour[i : i + 2], 16) / 255
        parts.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2); text wants 4.5, lines and marks 3."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def readable_on(fill: str, theme: Theme) -> str:
    """Ink or background, whichever stands out more upon `fill`; black or white where neither reaches 4.5 to 1."""
    best = max((theme.ink, theme.background), key=lambda colour: contrast(colour, fill))
    return best if contrast(best, fill) >= 4.5 else max(("#000000", "#FFFFFF"), key=lambda c: contrast(c, fill))


def diverging(value: float, theme: Theme) -> str:
    """Colour of a value in [-1, 1]: `under` at -1, `neutral` at 0, `over` at 1."""
    return mix(theme.neutral, theme.over if value > 0 else theme.under, abs(value))


AltairChart: TypeAlias = "alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart | alt.FacetChart"
ChartT = TypeVar("ChartT", bound="AltairChart")


def themed(chart: ChartT, theme: Theme) -> ChartT:
    """The chart with the theme's configuration, to be called once, on the outermost chart.

    No frame around the plot, hairline grid, quiet axes, large labels, and nothing that depends on the data, so that
    a rerun sends data only.
    """
    axis: dict[str, Any] = {
        "labelColor": theme.muted,
        "labelFontSize": theme.label_size,
        "labelFontWeight": 400,
        "labelPadding": 6,
        "titleColor": theme.ink,
        "titleFontSize": theme.title_size,
        "titleFontWeight": 600,
        "titlePadding": 10,
        "gridColor": theme.grid,
        "gridWidth": 1,
        "domainColor": theme.border,
        "tickColor": theme.border,
        "tickSize": 5,
    }
    configured: ChartT = chart.configure(
        background=theme.background,
        font=FONT,
        axis=axis,
        view={"stroke": None},
        title={
            "color": theme.ink,
            "fontSize": theme.title_size + 2,
            "fontWeight": 600,
            "anchor": "start",
            "subtitleColor": theme.muted,
            "subtitleFontSize": theme.label_size,
            "offset": 12,
        },
        legend={
            "labelColor": theme.ink,
            "labelFontSize": theme.label_size,
            "titleColor": theme.muted,
            "titleFontSize": theme.label_size,
            "labelLimit": 400,
        },
        text={"fontSize": theme.mark_size, "color": theme.ink},
        line={"strokeWidth": theme.line_width, "strokeCap": "round", "strokeJoin": "round"},
        concat={"spacing": 36},
    )
    return configured
