"""What the lines of a sweep share while they are trained, and how one of them may end before its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scaling_core.curves.extrapolate import Extrapolation
from scaling_core.lab.batches import Tokens
from scaling_core.lab.corpus import Corpus
from scaling_core.lab.device import Device
from scaling_core.lab.journal import Journal
from scaling_core.lab.model import GPT
from scaling_core.lab.records import Plan


class Stopped(Exception):
    """The training was asked to stop, and its state is in a checkpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What every line of a sweep shares. folder: of the sweep. validation: windows (n, context + 1).

    stop: asked at every step whether to stop.
    """

    plan: Plan
    corpus: Corpus
    validation: Tokens
    device: Device
    journal: Journal
    folder: Path
    stop: Callable[[], bool]
    model_class: type[GPT] = GPT


class CertainEnd(Exception):
    """The end of the run in training is foretold closely enough to stop it."""

    def __init__(self, foretold: Extrapolation) -> None:
        super().__init__(foretold.note)
        self.foretold = foretold
