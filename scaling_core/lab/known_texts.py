"""Texts that are offered by a word: Python's own library, an oracle, and datasets of Hugging Face with their facts.

Sizes are of the train split as the dataset's own card states them, in bytes of text before the cap. Knows no torch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownText:
    """One choice for the page and the command line.

    word: what a person writes for it. dataset, config, field: its id on the Hub, its configuration and the column that
    holds the text; None for what needs no download. size_bytes, documents: of the whole text, None where they are the
    machine's or the person's to decide. licence: as its card states it. starts: a pattern that a row matches which
    begins a new document, where a row is only a line of one. about: what it is, in a sentence.
    """

    word: str
    title: str
    about: str
    licence: str
    dataset: str | None = None
    config: str | None = None
    field: str | None = None
    size_bytes: int | None = None
    documents: int | None = None
    starts: str | None = None


STDLIB = KnownText(
    word="stdlib",
    title="Python standard library",
    about="The source of this Python's own library, about 30 MB on every machine, read without a network.",
    licence="PSF-2.0",
)
ORACLE = KnownText(
    word="oracle",
    title="Oracle",
    about="A synthetic language whose entropy rate is known exactly, so that a fitted floor has a truth to meet.",
    licence="made here",
)
DATASETS = (
    KnownText(
        word="tinystories",
        title="TinyStories",
        about="Short stories in the words of a small child, written by GPT-3.5 and GPT-4 (Eldan & Li 2023).",
        licence="CDLA-Sharing-1.0",
        dataset="roneneldan/TinyStories",
        field="text",
        size_bytes=1_900_000_000,
        documents=2_119_719,
    ),
    KnownText(
        word="wikitext-103",
        title="WikiText-103",
        about="Good and featured articles of the English Wikipedia (Merity et al. 2016).",
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
        title="OpenWebText",
        about="Pages that Reddit linked to with three points or more, after the text of GPT-2 (Gokaslan & Cohen 2019).",
        licence="CC0-1.0 for the collection; the pages keep their own rights",
        dataset="Skylion007/openwebtext",
        config="plain_text",
        field="text",
        size_bytes=39_769_491_688,
        documents=8_013_769,
    ),
    KnownText(
        word="fineweb-edu",
        title="FineWeb-Edu",
        about="Educational pages of Common Crawl, the sample of 10 billion GPT-2 tokens (Penedo et al. 2024).",
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
