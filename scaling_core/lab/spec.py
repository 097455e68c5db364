"""The experiment as a declared object: what is trained, and nothing about how fast. Knows no torch.

A sweep is a ladder: `shapes` from small to large (a rung each). A rung is trained as one or several lines, which differ
in their seed or in a factor on the rate; a line is one trunk at constant rate, from which a decay branch is cooled for
each horizon. Only cooled endpoints are points of a law.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from scaling_core.errors import InputError
from scaling_core.flops import ParameterCount, gpt2_parameters
from scaling_core.lab.corpus_spec import BYTES_VOCAB, CorpusSpec
from scaling_core.language import t

__all__ = ["BYTES_VOCAB", "DEVICES", "MODES", "RULES", "CorpusSpec", "DeviceName", "Mode", "Shape", "SweepSpec"]

Mode = Literal["smoke", "live", "quick", "standard", "full"]
MODES: tuple[Mode, ...] = ("smoke", "live", "quick", "standard", "full")
DeviceName = Literal["cpu", "mps", "cuda"]
DEVICES: tuple[DeviceName, ...] = ("mps", "cuda", "cpu")
"""In the order in which `auto` tries them."""
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")

RULES = 2
"""Version of the numbers in `lab.rules`, part of a sweep's identity: whoever changes one of them raises it."""
MOST_SEEDS = 16
SEED_STEP = 1_000_003
"""Between the seeds of a rung's lines, far enough that no sweep's own seed is likely to meet them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One GPT-2 style model. Raises InputError where a number is not positive or heads do not divide the width."""

    n_layer: int
    d_model: int
    n_head: int

    def __post_init__(self) -> None:
        for name, value in (("n_layer", self.n_layer), ("d_model", self.d_model), ("n_head", self.n_head)):
            if type(value) is not int or not 1 <= value <= 16_384:
                raise InputError(
                    name, value, t("it must be a whole number from {least} to {most}", least=1, most=16384)
                )
        if self.d_model % self.n_head:
            raise InputError("n_head", self.n_head, t("it must divide the width {width}", width=self.d_model))

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
class SweepSpec:
    """A ladder of models on a text. Two equal specs are the same experiment and have the same `id`.

    shapes: rungs, small to large by parameters. horizons: tokens per parameter at which a branch is cooled, ascending,
    parameters counted as `with_head`. held_out: how many of the largest rungs are predicted before they are measured.
    seeds: how many lines with a seed of their own each rung has, () for one each. rate_coefficient, rate_exponent: the
    peak rate of a rung, coefficient * (N / 100000)^exponent, N without embeddings and head. rate_factors: what
    multiplies it; with several, each is a line, and the sweep tunes the rate. decay_fraction: share of a branch's
    tokens spent on the 1-sqrt decay. dropout: share of activations dropped in training. max_steps: most optimiser steps
    of a run; longer horizons are cut there. least_steps: horizons of a size that take fewer steps are left out, but for
    its longest. stop_early: None, or the relative half width of the interval of a run's foretold loss at which it is
    stopped; such a loss is marked as censored. precision: of the forward pass; weights, loss and gradients are float32.
    rules: version of `lab.rules`.
    """

    mode: Mode
    device: DeviceName
    corpus: CorpusSpec
    shapes: tuple[Shape, ...]
    horizons: tuple[float, ...]
    seed: int = 0
    held_out: int = 1
    context: int = 128
    seeds: tuple[int, ...] = ()
    rate_coefficient: float = 5e-3
    rate_exponent: float = -0.23
    rate_factors: tuple[float, ...] = (1.0,)
    decay_fraction: float = 0.2
    dropout: float = 0.0
    max_steps: int | None = None
    least_steps: int = 0
    stop_early: float | None = None
    precision: Precision = "float32"
    rules: int = RULES

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError("mode", self.mode, t("it must be one of {names}", names=", ".join(MODES)))
        if self.device not in DEVICES:
            raise InputError("device", self.device, t("it must be one of {names}", names=", ".join(DEVICES)))
        if self.precision not in PRECISIONS:
            raise InputError("precision", self.precision, t("it must be one of {names}", names=", ".join(PRECISIONS)))
        if not 8 <= self.context <= 8192:
            raise InputError("context", self.context, t("it must lie between 8 and 8192 tokens"))
        if not 1 <= len(self.shapes) <= 64:
            raise InputError("shapes", len(self.shapes), t("a ladder has 1 to 64 sizes"))
        sizes = [self.parameters(shape).with_head for shape in self.shapes]
        if sizes != sorted(set(sizes)):
            raise InputError("shapes", [s.name for s in self.shapes], t("sizes must grow from rung to rung"))
        self._check_lines()
        self._check_lengths()

    def _check_lines(self) -> None:
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise InputError(
                "seed", self.seed, t("it must be a whole number from {least} to {most}", least=0, most=2147483647)
            )
        if self.seeds and len(self.seeds) != len(self.shapes):
            raise InputError(
                "seeds", list(self.seeds), t("there must be one number for each of {n} sizes", n=len(self.shapes))
            )
        for count in self.seeds:
            if type(count) is not int or not 1 <= count <= MOST_SEEDS:
                raise InputError("seeds", count, t("a size is trained with 1 to {most} seeds", most=MOST_SEEDS))
        if set(self.seeds) == {1}:
            object.__setattr__(self, "seeds", ())
        if not 1e-6 <= self.rate_coefficient <= 1:
            raise InputError(
                "rate_coefficient", self.rate_coefficient, t("it must lie between {low} and {high}", low="1e-6", high=1)
            )
        if not -2 <= self.rate_exponent <= 1:
            raise InputError(
                "rate_exponent", self.rate_exponent, t("it must lie between {low} and {high}", low=-2, high=1)
            )
        if not self.rate_factors or list(self.rate_factors) != sorted(set(self.rate_factors)):
            raise InputError(
                "rate_factors", list(self.rate_factors), t("they must grow, and there must be at least one")
            )
        for factor in self.rate_factors:
            if not 0.01 <= factor <= 100:
                raise InputError("rate_factors", factor, t("each must lie between 0.01 and 100"))
        if self.tunes and self.held_out:
            raise InputError("held_out", self.held_out, t("a sweep that tunes the rate foretells nothing: 0"))
        if not 0 <= self.held_out < len(self.shapes) + self.tunes:
            raise InputError("held_out", self.held_out, t("at least one rung must remain to fit"))

    def _check_lengths(self) -> None:
        if not self.horizons or list(self.horizons) != sorted(set(self.horizons)):
            raise InputError("horizons", list(self.horizons), t("they must grow, and there must be at least one"))
        for horizon in self.horizons:
            if not math.isfinite(horizon) or not 0 < horizon <= 10_000:
                raise InputError("horizons", horizon, t("tokens per parameter lie between 0 and 10000"))
        if not 0 < self.decay_fraction < 1:
            raise InputError(
                "decay_fraction", self.decay_fraction, t("it must lie between {low} and {high}", low=0, high=1)
            )
        if not 0 <= self.dropout < 1:
            raise InputError("dropout", self.dropout, t("it must be at least 0 and below 1"))
        if self.max_steps is not None and (type(self.max_steps) is not int or not 2 <= self.max_steps <= 10**9):
            raise InputError("max_steps", self.max_steps, t("it must be a whole number from 2 on"))
        if type(self.least_steps) is not int or not 0 <= self.least_steps <= 10**6:
            raise InputError(
                "least_steps",
                self.least_steps,
                t("it must be a whole number from {least} to {most}", least=0, most=1000000),
            )
        if self.stop_early is not None and not 0.02 <= self.stop_early <= 0.5:
            raise InputError(
                "stop_early", self.stop_early, t("no end is ever foretold closer than 2%: from 0.02 to 0.5")
            )

    @property
    def vocab_size(self) -> int:
        """Entries of the corpus's vocabulary."""
        return self.corpus.vocab_size

    @property
    def tunes(self) -> bool:
        """Whether the sweep compares rates instead of climbing a ladder."""
        return len(self.rate_factors) > 1

    def seed_count(self, rung: int) -> int:
        """How many lines with a seed of their own a rung has."""
        return self.seeds[rung] if self.seeds else 1

    def line_seed(self, index: int) -> int:
        """The seed of a rung's line number `index`: the sweep's own for the first."""
        return (self.seed + index * SEED_STEP) % 2**31

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
            raw["corpus"] = CorpusSpec.from_dict(raw["corpus"])
            raw["shapes"] = tuple(Shape(**shape) for shape in raw["shapes"])
            raw["horizons"] = tuple(float(h) for h in raw["horizons"])
            raw["seeds"] = tuple(raw["seeds"])
            raw["rate_factors"] = tuple(float(f) for f in raw["rate_factors"])
            return cls(**raw)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                "sweep", text, t("it is not a sweep this version can read ({error})", error=str(error))
            ) from error
