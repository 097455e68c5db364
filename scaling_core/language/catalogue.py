"""The catalogues of translations, `data/language/LANGUAGE.po`: read once a process, in the format of GNU gettext."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

FOLDER = Path(__file__).resolve().parents[2] / "data" / "language"


def path_of(language: str) -> Path:
    """Where the catalogue of a language lies."""
    return FOLDER / f"{language}.po"


def read(language: str) -> Catalog:
    """The catalogue of a language; an empty one where there is no file yet."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


@cache
def translations(language: str) -> dict[str, str]:
    """English template to its translation, of what is translated. Shared by all: not to be changed."""
    found: dict[str, str] = {}
    for message in read(language):
        one = message.id[0] if isinstance(message.id, (list, tuple)) else message.id
        told = message.string[0] if isinstance(message.string, (list, tuple)) else message.string
        if one and told:
            found[str(one)] = str(told)
    return found
