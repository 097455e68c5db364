"""Altair and pandas, imported when a chart is first made: what stands above it on a page does not wait for them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["alt", "pd"]

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
else:

    class _Late:
        """Stands for a module until something of it is asked for."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            return getattr(import_module(self._name), name)

    alt, pd = _Late("altair"), _Late("pandas")
