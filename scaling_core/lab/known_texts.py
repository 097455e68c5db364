"""Texts that are offered by a word: Python's own library, an oracle, and datasets of Hugging Face with their facts.

Sizes are of the train split as the dataset's own card states them, in bytes of text before the cap. Knows no torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scaling_core.language import retold, speaking, t

_STDLIB_NAME = re.compile(r"Python (\S+) standard library")
_ORACLE_NAME = re.compile(r"oracle of ([0-9]+) tokens, order ([0-9]+), seed ([0-9]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownText:
    """One choice for the page and the command line.

    word: what a person writes for it. dataset, config, field: its id on the Hub, its configuration and the column that
    holds the text; None for what needs no download. size_bytes, documents: of the whole text, None where they are the
    machine's or the person's to decide. licence: as its card states it. starts: a pattern that a row matches which
    begins a new document, where a row is only a line of one.
    """

    word: str
    name: str
    licence: str
    dataset: str | None = None
    config: str | None = None
    field: str | None = None
    size_bytes: int | None = None
    documents: int | None = None
    starts: str | None = None

    @property
    def title(self) -> str:
        """Its name, as a person reads it."""
        return _titles().get(self.word, self.name)

    @property
    def about(self) -> str:
        """What it is, in a sentence."""
        return _abouts().get(self.word, "")


def _titles() -> dict[str, str]:
    return {"stdlib": t("Python standard library"), "oracle": t("Oracle")}


def _abouts() -> dict[str, str]:
    return {
        "stdlib": t("The source of this Python's own library, about 30 MB on every machine, read without a network."),
        "oracle": t(
            "A synthetic language whose entropy rate is known exactly, so that a fitted floor has a truth to meet."
        ),
        "tinystories": t(
            "Short stories in the words of a small child, written by GPT-3.5 and GPT-4 (Eldan & Li 2023)."
        ),
        "wikitext-103": t("Good and featured articles of the English Wikipedia (Merity et al. 2016)."),
        "openwebtext": t(
            "Pages that Reddit linked to with three points or more, after the text of GPT-2 (Gokaslan & Cohen 2019)."
        ),
        "fineweb-edu": t(
            "Educational pages of Common Crawl, the sample of 10 billion GPT-2 tokens (Penedo et al. 2024)."
        ),
    }


def shown_name(name: str) -> str:
    """The name that is stored of a text, in the reader's language; a proper name or a file's as it is."""
    if match := _STDLIB_NAME.fullmatch(name):
        return t("Python {version} standard library", version=match[1])
    if match := _ORACLE_NAME.fullmatch(name):
        return t(
            "oracle of {tokens} tokens, order {order}, seed {seed}", tokens=match[1], order=match[2], seed=match[3]
        )
    return name


def stored_name(name: str) -> str:
    """The name of a text as it is stored, and as `shown_name` knows it: in English."""
    with speaking("en"):
        return str(retold(name))


STDLIB = KnownText(
    word="stdlib",
    name="Python standard library",
    licence="PSF-2.0",
)
ORACLE = KnownText(
    word="oracle",
    name="Oracle",
    licence="made here",
)
DATASETS = (
    KnownText(
        word="tinystories",
        name="TinyStories",
        licence="CDLA-Sharing-1.0",
        dataset="roneneldan/TinyStories",
        field="text",
        size_bytes=1_900_000_000,
        documents=2_119_719,
    ),
    KnownText(
        word="wikitext-103",
        name="WikiText-103",
        licence="CC-BY-SA-3.0 and GFDL",
        dataset="Salesforce/wikitext",
        config="wikitext-103-raw-v1",
        field="text",
        size_bytes=546_500_949,
        documents=28_475,
        starts=r" = [^=].* = \n?",
    ),
    KnownText(
        word="openwebtext",
        name="OpenWebText",
        licence="CC0-1.0 for the collection; the pages keep their own rights",
        dataset="Skylion007/openwebtext",
        config="plain_text",
        field="text",
        size_bytes=39_769_491_688,
        documents=8_013_769,
    ),
    KnownText(
        word="fineweb-edu",
        name="FineWeb-Edu",
        licence="ODC-By-1.0",
        dataset="HuggingFaceFW/fineweb-edu",
        config="sample-10BT",
        field="text",
        documents=9_672_101,
    ),
)


def list_choices() -> tuple[KnownText, ...]:
    """Every text that has a word of its own, the default first. Any other dataset or path can be named as well."""
    return (STDLIB, ORACLE, *DATASETS)


def find_dataset(dataset: str | None, config: str | None) -> KnownText | None:
    """The known choice of that id and configuration, else None."""
    return next((known for known in DATASETS if known.dataset == dataset and known.config == config), None)
