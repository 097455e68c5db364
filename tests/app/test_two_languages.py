"""No page says anything that bypasses the catalogue, and each runs in Chinese."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import scaling_core.ui.language  # noqa: F401  # a viewer's language is followed from here on
from scaling_core.catalog import models
from tests.page_helpers import words

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
NAMES = "|".join(
    [*(re.escape(model.name) for model in models()), "Hoffmann|Besiroglu|Kaplan|Muennighoff|Gadre|Chinchilla"]
)
SAME = re.compile(
    rf"{NAMES}|\b[\w ,&-]+ et al\. \d{{4}}|[A-Z][\w-]+( & [A-Z]\w+)? \d{{4}}"
    r"|[\w-]+\.(json|csv|zip|pptx|png|svg|pdf|html)"
    r"|\b(float32|bfloat16|FLOP|nats|token|PNG|SVG|PDF|CSV|HTML|PowerPoint|Markdown|English)\b"
)
"""What is the same in both languages: names, citations, files, units, formats."""


def test_every_text_of_every_page_is_in_the_catalogue(lab_home: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.app.marked_pages", *PAGES], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    passed_by = {
        page: [text for text in said if re.search(r"[a-z]{3,}", SAME.sub(" ", text)) and not re.search("[一-鿿]", text)]
        for page, said in json.loads(ran.stdout.splitlines()[-1]).items()
    }
    assert set(passed_by) == set(PAGES)
    assert {page: said for page, said in passed_by.items() if said} == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_speaks_chinese(page: str, lab_home: Path) -> None:
    app = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=120)
    app.session_state["language"] = "zh"
    app.run()
    assert not app.exception
    said = words(app) + " ".join(str(m.value) for m in app.markdown)
    assert len(re.findall("[一-鿿]", said)) > len(re.findall(r"\b[a-z]{4,}\b", said))
