"""What the browser tells before a talk: whether it draws Chinese, asks no other host, and is of a size and speed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scaling_core.checks import Check, Told
from scaling_core.language import listed, t

LEAST_WINDOW, MOST_WIDTH = (1200, 640), 2300
"""Points: a projector of 1280 by 720 without the browser's own bars, and where a page gets too small to read."""
SLOWEST_FRAME = 34.0
"""Milliseconds from one frame to the next, about 30 a second."""
HERE = ("127.0.0.1", "localhost", "::1", "[::1]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Browser:
    """What the browser told of itself.

    han: it draws Chinese. host: where the app comes from; strangers: other hosts that were asked. width, height: of the
    window in points; ratio: pixels to a point. frame_ms: between two frames, None where it drew none (a hidden window).
    redraw_ms: of a live chart, where one was drawn in this tab.
    """

    han: bool
    host: str
    strangers: tuple[str, ...]
    online: bool
    width: int
    height: int
    ratio: float
    frame_ms: float | None
    redraw_ms: float | None


def read_browser(raw: object) -> Browser | None:
    """What a browser sent, or None where it is not of that kind."""
    if not isinstance(raw, Mapping):
        return None
    strangers = raw.get("strangers")
    width, height, ratio = (_number(raw.get(name)) for name in ("width", "height", "ratio"))
    if width is None or height is None or ratio is None or not isinstance(strangers, list):
        return None
    return Browser(
        han=raw.get("han") is True,
        host=_host(raw.get("host")),
        strangers=tuple(_host(one) for one in strangers[:20]),
        online=raw.get("online") is True,
        width=int(width),
        height=int(height),
        ratio=ratio,
        frame_ms=_number(raw.get("frame_ms")),
        redraw_ms=_number(raw.get("redraw_ms")),
    )


def _number(value: object) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return min(1e6, max(0.0, float(value))) if known else None  # type: ignore[arg-type]  # a number, a line above


def _host(value: object) -> str:
    return "".join(sign for sign in str(value)[:80] if sign.isprintable())


def browser_checks(seen: Browser | None) -> list[Check]:
    """What the audience sees, as far as the browser has told: font, network, window, speed."""
    names = {
        "page-font": t("Chinese on the page"),
        "offline": t("No network needed"),
        "window": t("Window and zoom"),
        "frames": t("Speed of the browser"),
    }
    if seen is None:
        silent = t("The browser has not answered yet.")
        return [Check(id=id, what=what, status="waiting", seen=silent) for id, what in names.items()]
    found = {
        "page-font": _page_font(seen),
        "offline": _offline(seen),
        "window": _window(seen),
        "frames": _frames(seen),
    }
    return [Check(id=id, what=what, status=found[id][0], seen=found[id][1]) for id, what in names.items()]


def _page_font(seen: Browser) -> Told:
    if seen.han:
        return "ok", t("This browser draws Chinese.")
    return "failed", t("This browser shows boxes for Chinese: install a Chinese font such as Noto Sans CJK SC.")


def _offline(seen: Browser) -> Told:
    if seen.strangers:
        hosts = listed([*seen.strangers[:3], *(["…"] if len(seen.strangers) > 3 else [])])
        return "failed", t(
            "The page has asked {hosts}: switch off the extension that does so, and reload.", hosts=hosts
        )
    if seen.host not in HERE:
        return "warning", t("The app comes from {host} over a network: open it on its own machine.", host=seen.host)
    if seen.online:
        return "ok", t("All of it came from this machine; the network may be switched off.")
    return "ok", t("All of it came from this machine, and there is no network now.")


def _window(seen: Browser) -> Told:
    size = t("{width} × {height}, pixel ratio {ratio:.3g}", width=seen.width, height=seen.height, ratio=seen.ratio)
    if seen.width < LEAST_WINDOW[0]:
        return "warning", t("{size}: too narrow, zoom out (⌘ or Ctrl and −) or widen the window.", size=size)
    if seen.height < LEAST_WINDOW[1]:
        return "warning", t("{size}: too low, use the full screen (⌃⌘F or F11) or zoom out.", size=size)
    if seen.width > MOST_WIDTH:
        return "warning", t("{size}: too small for the last row, zoom in (⌘ or Ctrl and +).", size=size)
    return "ok", t("{size}.", size=size)


def _frames(seen: Browser) -> Told:
    if not seen.frame_ms:
        return "warning", t("It drew nothing when it was asked: bring the window to the front and check again.")
    rate = 1e3 / seen.frame_ms
    if seen.frame_ms > SLOWEST_FRAME:
        return "warning", t("{rate:.0f} frames a second: close other tabs and programs.", rate=rate)
    if seen.redraw_ms is None:
        return "ok", t("{rate:.0f} frames a second.", rate=rate)
    return "ok", t("{rate:.0f} frames a second; a live chart takes {ms:.0f} ms.", rate=rate, ms=seen.redraw_ms)
