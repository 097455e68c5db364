"""The experiment as a declared object: what is trained, and nothing about how fast. Knows no torch.

A sweep is a ladder: `shapes` from small to large (a rung each), every rung trained as one trunk at constant
rate from which a decay branch is cooled for each horizon. Only cooled endpoints are points of a law.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from scaling_core.errors import InputError
from scaling_core.flops import ParameterCount, gpt2_parameters

Mode = Literal["smoke", "live", "quick", "standard", "full"]
MODES: tuple[Mode, ...] = ("smoke", "live", "quick", "standard", "full")
DeviceName = Literal["cpu", "mps", "cuda"]
DEVICES: tuple[DeviceName, ...] = ("mps", "cuda", "cpu")
"""In the order in which `auto` tries them."""

BYTES_VOCAB = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One GPT-2 style model. Raises InputError where a number is not positive or heads do not divide the width."""

    n_layer: int
    d_model: int
    n_head: int

    def __post_init__(self) -> None:
        for name, value in (("n_layer", self.n_layer), ("d_model", self.d_model), ("n_head", self.n_head)):
            if type(value) is not int or not 1 <= value <= 16_384:
                raise InputError(name, value, "it must be a whole number from 1 to 16384")
        if self.d_model % self.n_head:
            raise InputError("n_head", self.n_head, f"it must divide the width {self.d_model}")

    @property
    def name(self) -> str:
        """Layers x width, as the field writes it: 4x128."""
        return f"{self.n_layer}x{self.d_model}"

    def parameters(self, *, vocab_size: int, context: int) -> ParameterCount:
        """Parameter groups of this shape, head tied to the token embedding."""
        return gpt2_parameters(
            n_layer=self.n_layer, d_model=self.d_model, vocab_size=vocab_size, context=context, tied=True
        )


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


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepSpec:
    """A ladder of models on a text. Two equal specs are the same experiment and have the same `id`.

    shapes: rungs, small to large by parameters. horizons: tokens per parameter at which a branch is cooled,
    ascending, parameters counted as `with_head`. held_out: how many of the largest rungs are predicted before
    they are measured.
    decay_fraction: share of a branch's tokens spent on the 1-sqrt decay. rate_factor: multiplies the rule's
    learning rate. tokens are bytes.
    """

    mode: Mode
    device: DeviceName
    corpus: CorpusSpec
    shapes: tuple[Shape, ...]
    horizons: tuple[float, ...]
    seed: int = 0
    held_out: int = 1
    context: int = 128
    vocab_size: int = BYTES_VOCAB
    decay_fraction: float = 0.2
    rate_factor: float = 1.0
    precision: Literal["float32"] = "float32"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError("mode", self.mode, f"it must be one of {', '.join(MODES)}")
        if self.device not in DEVICES:
            raise InputError("device", self.device, f"it must be one of {', '.join(DEVICES)}")
        if not 2 <= len(self.shapes) <= 64:
            raise InputError("shapes", len(self.shapes), "a ladder needs 2 to 64 sizes")
        sizes = [self.parameters(shape).with_head for shape in self.shapes]
        if sizes != sorted(set(sizes)):
            raise InputError("shapes", [s.name for s in self.shapes], "sizes must grow from rung to rung")
        if not self.horizons or list(self.horizons) != sorted(set(self.horizons)):
            raise InputError("horizons", list(self.horizons), "they must grow, and there must be at least one")
        for horizon in self.horizons:
            if not math.isfinite(horizon) or not 0 < horizon <= 10_000:
                raise InputError("horizons", horizon, "tokens per parameter lie between 0 and 10000")
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise InputError("seed", self.seed, "it must be a whole number from 0 to 2147483647")
        if not 0 <= self.held_out < len(self.shapes):
            raise InputError("held_out", self.held_out, "at least one rung must remain to fit")
        if not 8 <= self.context <= 8192:
            raise InputError("context", self.context, "it must lie between 8 and 8192 tokens")
        if not 0 < self.decay_fraction < 1:
            raise InputError("decay_fraction", self.decay_fraction, "it must lie between 0 and 1")
        if not 0.01 <= self.rate_factor <= 100:
            raise InputError("rate_factor", self.rate_factor, "it must lie between 0.01 and 100")

    def parameters(self, shape: Shape) -> ParameterCount:
        """Parameter groups of one rung under this sweep's vocabulary and context."""
        return shape.parameters(vocab_size=self.vocab_size, context=self.context)

    @property
    def id(self) -> str:
        """Mode and the first ten hexadecimal digits of the SHA-256 of the canonical JSON."""
        return f"{self.mode}-{hashlib.sha256(self.to_json().encode()).hexdigest()[:10]}"

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces. `from_json` returns an equal spec."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SweepSpec:
        """Read `to_json`'s text again; raises InputError where it is not one of ours."""
        try:
            raw: dict[str, Any] = json.loads(text)
            raw["corpus"] = CorpusSpec(**raw["corpus"])
            raw["shapes"] = tuple(Shape(**shape) for shape in raw["shapes"])
            raw["horizons"] = tuple(float(h) for h in raw["horizons"])
            return cls(**raw)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError("sweep", text, f"it is not a sweep this version can read ({error})") from error
