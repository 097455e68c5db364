"""The live charts' functions in a browser, beside Python's: how their rows are asked for and compared."""

from __future__ import annotations

import math
from typing import Any

import pytest
from playwright.sync_api import Page

from scaling_core.laws import Law
from scaling_core.optimum.browser import browser_law

NAMES = "compileLaw, optimum, judge, quantity, lossText, ratioText, scientific, filled, terms, ROWS"
"""What tests call of `viz/live`, in the page of the fixture `lab`."""
Rows = dict[str, list[dict[str, Any]]]


def rows(lab: Page, kind: str, law: Law, values: dict[str, float], args: dict[str, Any]) -> Rows:
    """The rows that the browser makes."""
    made: Rows = lab.evaluate(
        """([made, kind, c, args]) => {
            const law = lab.compileLaw(made);
            return lab.ROWS[kind](law, law.core(c), c, args);
        }""",
        [browser_law(law), kind, {**law.constants, **values}, args],
    )
    return made


def alike(found: Rows, wanted: Any) -> None:
    """The same rows in the same order: texts equal, numbers to 1e-11."""
    assert set(found) == set(wanted)
    for name, frame in wanted.items():
        expected = frame.to_dict("records")
        assert len(found[name]) == len(expected), name
        for one, two in zip(found[name], expected, strict=True):
            assert set(one) == set(two), name
            for field, value in two.items():
                if isinstance(value, str):
                    assert one[field] == value, (name, field)
                elif not math.isnan(value):
                    assert one[field] == pytest.approx(value, rel=1e-11), (name, field)
