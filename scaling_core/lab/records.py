"""What a plan and a calibration hold: frozen records that travel as JSON between page, command line and child."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from scaling_core.lab.spec import DeviceName, Precision, Shape, SweepSpec
from scaling_core.language import packed, unpacked


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedPoint:
    """One measured shape: training speed in tokens/s at `batch_tokens` per step, and peak memory in bytes."""

    shape: Shape
    batch_tokens: int
    tokens_per_second: float
    memory_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionPoint:
    """A shape trained in both precisions: how many times as fast bfloat16 was, the median of interleaved rounds."""

    shape: Shape
    speed_ratio: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionChoice:
    """Whether bfloat16 is worth training in on a device, and why.

    precision: the verdict. least_params: N with head of the smallest measured shape from which on bfloat16 was faster,
    None where it was not or where its results were not right. loss_float32, loss_bfloat16: mean loss in nats over the
    last ten of fifty steps from the same weights over the same batches, None where speed had settled it before.
    """

    precision: Precision
    reason: str
    points: tuple[PrecisionPoint, ...] = ()
    least_params: int | None = None
    loss_float32: float | None = None
    loss_bfloat16: float | None = None

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PrecisionChoice:
        """The record that `asdict` wrote; raises TypeError or KeyError on anything else."""
        points = tuple(PrecisionPoint(**{**point, "shape": Shape(**point["shape"])}) for point in raw["points"])
        return cls(**{**raw, "points": points, "reason": unpacked(str(raw["reason"]))})


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What this machine does, measured in a child process.

    device: where it ran. device_name: as the machine calls it. memory_bytes: what the device may use.
    startup_seconds: from the start of the process until training can begin. made_at: Unix seconds.
    refusal: why the device must not train (its self-test failed), or None.
    micro_tokens: most tokens of one forward pass, as measured; None where the device's own rule stands.
    precision: what a comparison of precisions found; None where none was made.
    """

    device: DeviceName
    device_name: str
    torch_version: str
    cores: int
    memory_bytes: int
    startup_seconds: float
    speeds: tuple[SpeedPoint, ...]
    made_at: float
    refusal: str | None = None
    micro_tokens: int | None = None
    precision: PrecisionChoice | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        raw = asdict(self)
        if self.refusal is not None:
            raw["refusal"] = packed(self.refusal)
        if self.precision is not None:
            raw["precision"]["reason"] = packed(self.precision.reason)
        return raw

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Calibration:
        """The record that `to_dict` wrote; raises TypeError or KeyError on anything else."""
        speeds = tuple(SpeedPoint(**{**point, "shape": Shape(**point["shape"])}) for point in raw["speeds"])
        compared = raw.get("precision")
        precision = None if compared is None else PrecisionChoice.from_dict(compared)
        refusal = raw.get("refusal")
        told = None if refusal is None else unpacked(str(refusal))
        return cls(**{**raw, "speeds": speeds, "precision": precision, "refusal": told})


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """One cooled endpoint: a line (a size with a seed and a rate) at a horizon. The runs of a line share its trunk.

    id: '{track}-h{horizon}', unique in the sweep. track: of its line. seed: of weights and batches.
    steps: optimiser steps from zero to the cooled end.
    decay_from: the trunk step at which this run's branch leaves. tokens: steps * batch_tokens.
    params: `ParameterCount.with_head`, the N of the sweep's law. flops: 6 N D. flops_exact: with attention, by layer.
    seconds: estimate for what this run adds (the first horizons of a rung share its trunk).
    """

    id: str
    track: str
    rung: int
    shape: Shape
    horizon: float
    seed: int
    rate_factor: float
    params: int
    params_non_embedding: int
    params_total: int
    tokens: int
    steps: int
    decay_from: int
    flops: float
    flops_exact: float
    seconds: float
    memory_bytes: int
    held_out: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LinePlan:
    """How one size is trained with one seed; the numbers follow from `lab.rules` and are stored with the sweep.

    track: the name of its trunk. learning_rate: the peak, with the rate's factor in it.
    """

    rung: int
    track: str
    shape: Shape
    seed: int
    rate_factor: float
    batch_sequences: int
    learning_rate: float
    beta2: float
    warmup_steps: int
    trunk_steps: int
    runs: tuple[RunPlan, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A sweep worked out for a machine: every run with its FLOP, seconds and memory. `seconds` is the whole."""

    spec: SweepSpec
    lines: tuple[LinePlan, ...]
    seconds: float
    memory_bytes: int
    warnings: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[RunPlan, ...]:
        """All runs, smallest rung first and shortest horizon first: the order in which they finish."""
        return tuple(run for line in self.lines for run in line.runs)

    @property
    def sizes(self) -> tuple[LinePlan, ...]:
        """The first line of every rung, small to large: what the sizes are, however often each is trained."""
        first = {line.rung: line for line in reversed(self.lines)}
        return tuple(first[rung] for rung in sorted(first))

    def with_seed(self, seed: int) -> Plan:
        """The same plan with another seed of the sweep, and so of every line; it takes as long."""

        def moved(old: int) -> int:
            return (old + seed - self.spec.seed) % 2**31

        lines = tuple(
            replace(line, seed=moved(line.seed), runs=tuple(replace(run, seed=moved(run.seed)) for run in line.runs))
            for line in self.lines
        )
        return replace(self, spec=replace(self.spec, seed=seed), lines=lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**asdict(self), "warnings": [packed(warning) for warning in self.warnings]}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Plan:
        """The record that `to_dict` wrote; raises InputError, TypeError or KeyError on anything else."""
        import json

        lines = tuple(
            LinePlan(
                **{
                    **line,
                    "shape": Shape(**line["shape"]),
                    "runs": tuple(RunPlan(**{**run, "shape": Shape(**run["shape"])}) for run in line["runs"]),
                }
            )
            for line in raw["lines"]
        )
        return cls(
            spec=SweepSpec.from_json(json.dumps(raw["spec"])),
            lines=lines,
            seconds=raw["seconds"],
            memory_bytes=raw["memory_bytes"],
            warnings=tuple(unpacked(str(warning)) for warning in raw["warnings"]),
        )
