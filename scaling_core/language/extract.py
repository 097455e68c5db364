"""What there is to translate: the literals that the code gives to `t`, `tn` and `raw`, and the texts of the tables."""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from scaling_core.language import LANGUAGES
from scaling_core.language.catalogue import FOLDER, path_of, read

HOME = FOLDER.parents[1]
SPEAKERS = {"t": 1, "raw": 1, "tn": 2}
"""The functions whose first arguments are texts, and how many of them."""
COLUMNS = {
    "models.csv": ("note",),
    "hardware.csv": ("note",),
    "talk_claims.csv": ("label", "claim"),
}
"""Columns of the tables in `data/` that are read by people, each cell one text."""
LAW_FIELDS = ("name", "short_name", "range_note", "precision", "note", "warning", "replicates_note")
Key = str | tuple[str, str]


def code_files() -> list[Path]:
    """The files whose sentences are shown to people, in a fixed order."""
    rooms = [p for room in ("scaling_core", "pages") for p in sorted((HOME / room).rglob("*.py"))]
    return [HOME / "streamlit_app.py", *rooms]


def spoken(source: str) -> Iterator[Key]:
    """The literals that a source gives to the functions of `scaling_core.language`, one inside another included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPEAKERS:
            given = [arg.value for arg in node.args[: SPEAKERS[node.func.id]] if isinstance(arg, ast.Constant)]
            texts = [text for text in given if isinstance(text, str)]
            if len(texts) == SPEAKERS[node.func.id]:
                yield texts[0] if len(texts) == 1 else (texts[0], texts[1])


def messages() -> Iterator[tuple[Key, str]]:
    """Every text to be translated, with the file it is in; a pair where it has a plural."""
    for path in code_files():
        yield from ((key, path.relative_to(HOME).as_posix()) for key in spoken(path.read_text("utf-8")))
    for table, columns in COLUMNS.items():
        with (HOME / "data" / table).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield from ((row[name], f"data/{table}") for name in columns if row[name])
    for law in json.loads((HOME / "data" / "laws.json").read_text("utf-8"))["presets"]:
        yield from ((law[name], "data/laws.json") for name in LAW_FIELDS if law.get(name))


def template() -> Catalog:
    """A catalogue of everything that there is to translate, empty of translations."""
    catalogue = Catalog(project="Scaling Lab", charset="utf-8")
    for key, where in messages():
        flags = ("python-brace-format",) if "{" in "".join(key) else ()
        catalogue.add(key, locations=[(where, None)], flags=flags)  # type: ignore[list-item]  # a file has no one line
    return catalogue


def updated(language: str) -> Catalog:
    """The catalogue of a language with all that there is to translate now, and nothing else."""
    old = read(language)
    old.update(template(), no_fuzzy_matching=True, update_creation_date=False)
    old.obsolete.clear()
    return old


def missing(catalogue: Catalog) -> list[str]:
    """The texts that the catalogue does not translate."""
    texts = []
    for message in catalogue:
        strings = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
        if message.id and not all(strings):
            texts.append(message.id if isinstance(message.id, str) else message.id[0])
    return texts


def update() -> int:
    """Write the catalogue of every language but English anew; 1 where something is left to translate."""
    left = 0
    for language in LANGUAGES:
        if language == "en":
            continue
        catalogue = updated(language)
        FOLDER.mkdir(parents=True, exist_ok=True)
        with path_of(language).open("wb") as file:
            write_po(file, catalogue, width=110, sort_output=False, ignore_obsolete=True, omit_header=False)
        texts = missing(catalogue)
        left += len(texts)
        print(f"{language}: {len(catalogue)} texts, {len(texts)} of them without a translation")
        for text in texts:
            print(f"  {text}")
    return 1 if left else 0
