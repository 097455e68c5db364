"""Which text a ladder is trained on, and as which tokens: the declaration, not the text. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from scaling_core.errors import InputError

BYTES_VOCAB = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusSpec:
    """Which text. `stdlib` is the Python standard library's source; `path` a local file or folder, only ever read."""

    kind: Literal["stdlib", "path"] = "stdlib"
    path: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("stdlib", "path"):
            raise InputError("corpus", self.kind, "it must be 'stdlib' or 'path'")
        if (self.kind == "path") != bool(self.path):
            raise InputError("corpus path", self.path, "a path is needed for a local text, and only then")

    @property
    def vocab_size(self) -> int:
        """Entries of the vocabulary: 256 bytes."""
        return BYTES_VOCAB

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> CorpusSpec:
        """The record again from its fields as JSON has them; raises InputError, TypeError or KeyError."""
        return cls(**raw)
