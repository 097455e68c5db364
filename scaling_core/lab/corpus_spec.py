"""Which text a ladder is trained on, and as which tokens: the declaration, not the text. Knows no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from scaling_core.errors import InputError
from scaling_core.lab.known_texts import DATASETS, ORACLE, STDLIB
from scaling_core.lab.oracle import OracleSpec
from scaling_core.language import t

CorpusKind = Literal["stdlib", "path", "huggingface", "oracle"]
TokenKind = Literal["bytes", "bpe", "oracle"]

BYTES_VOCAB = 256
BPE_VOCAB = (512, 4096)
"""Fewest and most entries of a vocabulary trained here; the first 256 are the bytes."""
USUAL_BPE_VOCAB = 1024
READERS = ("json", "text", "parquet", "csv")
"""Formats of local files that are read through the datasets package; it gets no others."""
CAP_BYTES = (1_000_000, 4 * 1024**3)
USUAL_CAP_BYTES = 256 * 1024**2
"""Bytes of text that are streamed of a dataset before the reading stops."""

_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+-]{0,95}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusSpec:
    """Which text, and cut into which tokens. Two equal specs on the same source are the same corpus. Raises InputError.

    kind: `stdlib` is the Python standard library's source; `path` a local file or folder, only ever read;
    `huggingface` a dataset of the Hub by its id `name`, or local files of the format `name` at `path`; `oracle` a
    synthetic language. config, field: of a dataset, its configuration and the column with the text, found where None.
    cap_bytes: most text streamed of a dataset; 0 for the usual. tokens: bytes, or BPE trained on the train half; an
    oracle has its own. vocab_size: entries of the vocabulary; 0 for the usual of these tokens.
    """

    kind: CorpusKind = "stdlib"
    path: str | None = None
    name: str | None = None
    config: str | None = None
    field: str | None = None
    cap_bytes: int = 0
    oracle: OracleSpec | None = None
    tokens: TokenKind = "bytes"
    vocab_size: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(CorpusKind):
            raise InputError("corpus", self.kind, t("it must be one of {names}", names=", ".join(get_args(CorpusKind))))
        local = self.kind == "huggingface" and self.name in READERS
        if (self.kind == "path" or local) != bool(self.path):
            raise InputError("corpus path", self.path, t("a path is needed for a local text, and only then"))
        self._check_dataset()
        if self.oracle is not None and self.kind != "oracle":
            raise InputError("oracle", self.kind, t("only a corpus of that kind has one"))
        if self.kind == "oracle" and self.oracle is None:
            object.__setattr__(self, "oracle", OracleSpec())
        self._check_tokens()

    def _check_dataset(self) -> None:
        if self.kind != "huggingface":
            for label, value in (("name", self.name), ("config", self.config), ("field", self.field)):
                if value is not None:
                    raise InputError(f"corpus {label}", value, t("only a dataset of Hugging Face has one"))
            if self.cap_bytes:
                raise InputError("cap_bytes", self.cap_bytes, t("only a dataset of Hugging Face is cut there"))
            return
        if self.name not in READERS and not (self.name and _DATASET.fullmatch(self.name)):
            raise InputError("corpus name", self.name, t("a dataset's id is OWNER/NAME, as in roneneldan/TinyStories"))
        for label, value in (("config", self.config), ("field", self.field)):
            if value is not None and not _PART.fullmatch(value):
                raise InputError(f"corpus {label}", value, t("it must be a plain name, as on the dataset's page"))
        if not self.cap_bytes:
            object.__setattr__(self, "cap_bytes", USUAL_CAP_BYTES)
        if type(self.cap_bytes) is not int or not CAP_BYTES[0] <= self.cap_bytes <= CAP_BYTES[1]:
            raise InputError(
                "cap_bytes",
                self.cap_bytes,
                t("it must lie between {low:,} and {high:,}", low=CAP_BYTES[0], high=CAP_BYTES[1]),
            )

    def _check_tokens(self) -> None:
        if self.tokens not in get_args(TokenKind):
            raise InputError("tokens", self.tokens, t("they are bytes or bpe"))
        own = self.oracle
        if (self.tokens == "bpe" and own is not None) or (self.tokens == "oracle" and own is None):
            raise InputError("tokens", self.tokens, t("an oracle has tokens of its own, and every other text has not"))
        if own is not None:
            object.__setattr__(self, "tokens", "oracle")
        usual = own.vocab_size if own is not None else USUAL_BPE_VOCAB if self.tokens == "bpe" else BYTES_VOCAB
        low, high = BPE_VOCAB if self.tokens == "bpe" else (usual, usual)
        if self.vocab_size == 0:
            object.__setattr__(self, "vocab_size", usual)
        if type(self.vocab_size) is not int or not low <= self.vocab_size <= high:
            allowed = (
                t("with these tokens it must be {only}", only=low)
                if low == high
                else t("with these tokens it must be from {low} to {high}", low=low, high=high)
            )
            raise InputError("vocab_size", self.vocab_size, allowed)

    @property
    def shown(self) -> str:
        """How the command line would name it: the inverse of `from_words`, tokens apart."""
        if self.kind == "path":
            return str(self.path)
        if self.kind == "huggingface":
            known = next((k for k in DATASETS if (k.dataset, k.config, k.field) == self._dataset), None)
            if known is not None:
                return known.word
            parts = [self.name, self.path] if self.path else [self.name, self.config or "", self.field or ""]
            return ":".join(["hf", *(str(part) for part in parts)]).rstrip(":")
        return self.kind

    @property
    def _dataset(self) -> tuple[str | None, str | None, str | None]:
        return self.name, self.config, self.field

    @classmethod
    def from_words(cls, words: str, *, tokens: TokenKind = "bytes", vocab_size: int = 0) -> CorpusSpec:
        """The corpus that a person names: `stdlib`, `oracle`, a known dataset's word, hf:OWNER/NAME[:CONFIG[:FIELD]],
        hf:parquet:PATH (or json, text, csv), or else the path of a file or folder, which is made absolute.

        Raises InputError. A file of the name of a known word is reached as ./word.
        """
        known = next((k for k in DATASETS if k.word == words), None)
        given: dict[str, Any] = {"tokens": tokens, "vocab_size": vocab_size}
        if words in (STDLIB.word, ORACLE.word):
            return cls(kind="stdlib" if words == STDLIB.word else "oracle", **given)
        if known is not None:
            return cls(kind="huggingface", name=known.dataset, config=known.config, field=known.field, **given)
        if not words.startswith("hf:"):
            return cls(kind="path", path=_absolute(words), **given)
        name, _, rest = words.removeprefix("hf:").partition(":")
        if name in READERS:
            return cls(kind="huggingface", name=name, path=_absolute(rest), **given)
        config, _, field = rest.partition(":")
        return cls(kind="huggingface", name=name, config=config or None, field=field or None, **given)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> CorpusSpec:
        """The record again from its fields as JSON has them; raises InputError, TypeError or KeyError."""
        oracle = raw.get("oracle")
        return cls(**{**raw, "oracle": None if oracle is None else OracleSpec(**oracle)})


def _absolute(path: str) -> str | None:
    return str(Path(path).expanduser().absolute()) if path else None
