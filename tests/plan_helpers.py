"""Reading the page "Plan a training"."""

from __future__ import annotations

import re
from pathlib import Path

from streamlit.testing.v1 import AppTest

from scaling_core.lab.records import Calibration, SpeedPoint
from scaling_core.lab.spec import Shape
from scaling_core.language import Language
from scaling_core.runs.calibrations import save_calibration
from scaling_core.ui.language import KEY
from tests.page_helpers import blocks


def opened(project: Path, language: Language = "en", **state: object) -> AppTest:
    app = AppTest.from_file(str(project / "pages" / "plan.py"), default_timeout=60)
    app.session_state[KEY] = language
    for key, value in state.items():
        app.session_state[key.replace("_", ".", 1)] = value
    app.run()
    whole(app)
    return app


def whole(app: AppTest) -> None:
    """No traceback, and no error in place of a page."""
    assert not app.exception
    assert not app.error


def headline(app: AppTest) -> str:
    """The answer."""
    return next(block for block in blocks(app) if "sl-sentence" in block).split("sl-sentence'>")[1].split("</h1>")[0]


def choose(app: AppTest, key: str, value: str) -> AppTest:
    app.selectbox(key=key).set_value(value).run()
    whole(app)
    return app


def rows(app: AppTest, n: int) -> list[list[str]]:
    """The cells of the table number n that holds body rows."""
    tables = [block for block in blocks(app) if "<tbody>" in block]
    body = tables[n].split("<tbody>")[1]
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall(r"<tr.*?</tr>", body)]


def table(app: AppTest, first: str) -> list[list[str]]:
    """The table whose first cell is this."""
    count = len([block for block in blocks(app) if "<tbody>" in block])
    return next(found for n in range(count) if (found := rows(app, n)) and found[0][0] == first)


def measured(home: Path) -> Calibration:
    made = Calibration(
        device="cpu", device_name="some machine", torch_version="2", cores=2, memory_bytes=24_000_000_000,
        startup_seconds=3.0, made_at=0.0,
        speeds=(
            SpeedPoint(shape=Shape(n_layer=4, d_model=128, n_head=4), batch_tokens=4096, tokens_per_second=22_000.0,
                       memory_bytes=500_000_000),
            SpeedPoint(shape=Shape(n_layer=6, d_model=192, n_head=6), batch_tokens=4096, tokens_per_second=9_000.0,
                       memory_bytes=900_000_000),
        ),
    )  # fmt: skip
    save_calibration(home, "auto", made)
    return made
