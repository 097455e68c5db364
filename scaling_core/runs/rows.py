"""What the store holds, as records. Times are Unix seconds, losses nats per token, memory bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from scaling_core.lab.known_texts import shown_name, stored_name
from scaling_core.lab.records import Plan
from scaling_core.language import packed, t, unpacked

ShownState = Literal["running", "finished", "stopped", "interrupted", "failed"]
SweepState = Literal["running", "finished", "stopped", "failed"]
SWEEP_STATES: tuple[SweepState, ...] = ("running", "finished", "stopped", "failed")
RunState = Literal["waiting", "running", "finished", "failed"]
Level = Literal["info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("info", "warning", "error")


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepRow:
    """One sweep as stored. `state` is what its process last wrote: 'running' may be the word of a process that is gone.

    `liveness.shown_state` tells the two apart. message: the sentence that goes with the state, or None.
    created_at: first start. started_at: start of the latest process. heartbeat_at: its latest sign of life.
    ended_at: when it left the state 'running', or None. corpus and machine: as the child described them.
    """

    id: str
    mode: str
    device: str
    state: SweepState
    message: str | None
    pid: int
    pid_created: float
    created_at: float
    started_at: float
    heartbeat_at: float
    ended_at: float | None
    plan: Plan
    corpus: dict[str, Any]
    machine: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """One cooled endpoint of a sweep. `tokens` counts from zero along the trunk and its branch.

    track: name of its line. line_key, key: digests of what was trained, see `lab.identity`.
    loss, se: on the fixed validation set, nats per token, with its standard error. bits_per_byte: the same loss.
    censored: the run was stopped early, and its loss is foretold from its curve, with half the interval as `se`.
    copied_from: the sweep in which the same run was trained, or None where it was trained in this one.
    unique_tokens: different tokens among those seen. seconds: what this run added. None until it is finished.
    message: why it failed.
    """

    sweep: str
    id: str
    track: str
    rung: int
    horizon: float
    seed: int
    rate_factor: float
    held_out: bool
    params: int
    params_non_embedding: int
    params_total: int
    planned_tokens: int
    flops: float
    flops_exact: float
    line_key: str
    key: str
    state: RunState
    tokens: int
    loss: float | None
    se: float | None
    bits_per_byte: float | None
    censored: bool
    copied_from: str | None
    unique_tokens: int | None
    seconds: float | None
    started_at: float | None
    finished_at: float | None
    message: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveRow:
    """One point of a learning curve.

    track: 'r3' is the trunk of rung 3, 'r3-h20' its branch for the horizon 20 (the id of the run).
    tokens, flops: from zero, at this step. A loss that is not finite is stored as None. `seq` grows with every row
    stored and is given by the store.
    """

    track: str
    step: int
    tokens: int
    flops: float
    train_loss: float | None
    validation_loss: float | None
    learning_rate: float
    tokens_per_second: float
    memory_bytes: int
    at: float
    seq: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictionRow:
    """A loss foretold for a run before it was measured; it can never be changed.

    params, tokens: N and D of the run. low, high: the interval at `level`. form, constants: the law that foretold it.
    fitted_runs: ids of the runs whose losses the fit used.
    """

    sweep: str
    run_id: str
    params: int
    tokens: int
    loss: float
    low: float
    high: float
    level: float
    form: str
    constants: dict[str, float]
    fitted_runs: tuple[str, ...]
    made_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """Something that happened to a sweep, in one sentence."""

    sweep: str
    at: float
    level: Level
    text: str


def state_word(state: str) -> str:
    """A state of a sweep in words, as a sentence takes it."""
    words = {
        "running": t("running"),
        "finished": t("finished"),
        "stopped": t("stopped"),
        "interrupted": t("interrupted"),
        "failed": t("failed"),
        "deleting": t("deleting"),
    }
    return words.get(state, state)


def read_message(stored: str | None) -> str | None:
    """A sentence as it was stored, to be told in any language; a plain text of an older version as it is."""
    return None if stored is None else unpacked(stored)


def kept_message(message: str | None) -> str | None:
    """The text from which `read_message` makes the sentence again."""
    return None if message is None else packed(message)


def read_corpus(stored: dict[str, Any]) -> dict[str, Any]:
    """What was stored of a sweep's text, its name and note to be told in any language."""
    told = {"name": shown_name, "note": unpacked}
    return {key: told[key](value) if key in told and isinstance(value, str) else value for key, value in stored.items()}


def kept_corpus(corpus: dict[str, Any]) -> dict[str, Any]:
    """What `read_corpus` reads again."""
    kept = {"name": stored_name, "note": packed}
    return {key: kept[key](value) if key in kept and isinstance(value, str) else value for key, value in corpus.items()}
