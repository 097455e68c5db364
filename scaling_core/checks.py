"""One thing that is looked at before something begins: a talk, or a training. Its name, how it stands, one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Status = Literal["ok", "warning", "failed", "waiting", "ask"]
"""ask: what only a person can answer."""

Told: TypeAlias = tuple[Status, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that is looked at. what: its name. seen: a sentence with what was seen, and what to do."""

    id: str
    what: str
    status: Status
    seen: str
