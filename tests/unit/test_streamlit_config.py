"""The app's configuration: keys that Streamlit knows, colours that the charts share, nothing from the network."""

from __future__ import annotations

import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest
from streamlit import config as streamlit_config

from scaling_core.viz.theme import Theme, dark, light


@pytest.fixture(scope="module")
def settings(project: Path) -> dict[str, Any]:
    """`.streamlit/config.toml` as nested tables."""
    return tomllib.loads((project / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    rows: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{before}{key}"
        rows |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return rows


def test_streamlit_knows_every_key(settings: dict[str, Any]) -> None:
    known = streamlit_config.get_config_options()
    assert [key for key in flat(settings) if key not in known] == []


def test_the_server_is_local_and_silent(settings: dict[str, Any]) -> None:
    rows = flat(settings)
    assert rows["server.address"] == "127.0.0.1"
    assert rows["browser.gatherUsageStats"] is False
    assert rows["client.showErrorDetails"] == "none"
    assert rows["runner.postScriptGC"] is False
    assert rows["runner.magicEnabled"] is False
    assert rows["server.maxUploadSize"] <= 50


def test_no_setting_names_an_address(settings: dict[str, Any]) -> None:
    assert [key for key, value in flat(settings).items() if "//" in str(value)] == []


@pytest.mark.parametrize(("section", "theme"), [("light", light()), ("dark", dark())])
def test_page_and_charts_share_their_colours(settings: dict[str, Any], section: str, theme: Theme) -> None:
    assert settings["theme"][section] == {
        "primaryColor": theme.accent,
        "backgroundColor": theme.background,
        "secondaryBackgroundColor": theme.surface,
        "textColor": theme.ink,
        "linkColor": theme.accent,
        "borderColor": theme.border,
        "chartCategoricalColors": list(theme.categorical),
        "chartSequentialColors": list(theme.sequential),
    }


def test_the_favicon_is_a_square_png_shipped_with_the_app(project: Path) -> None:
    data = (project / "data" / "favicon.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width == height >= 64
