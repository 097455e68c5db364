"""How a planned model is trained: batch, peak rate, warm-up, steps, checkpoints, by published rules with their range.

Each rule was fitted on runs between two sizes. A plan outside them gets the rule's number all the same, and by what
factor it lies outside: the smaller that factor, the more the number is worth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from scaling_core.errors import InputError
from scaling_core.lab.rules import warmup_steps
from scaling_core.language import t
from scaling_core.optimum.core import named
from scaling_core.planning.architecture import Architecture
from scaling_core.planning.solidity import Range
from scaling_core.units import format_quantity

RuleName = Literal["step-law", "deepseek"]

WARMUP_STEPS = 2_000
"""Steps of warm-up of the runs behind both rules (Li et al. 2025; Bi et al. 2024, section 2.3)."""
BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
CLIP_NORM = 1.0
LAST_RATE = 0.1
"""Share of the peak at which a cosine ends. With the three before it: Brown et al. 2020, appendix B."""
SHORT_TOKENS = 65_536
"""Entries of a vocabulary up to which a token takes 2 bytes on disk, and 4 beyond."""
CHECKPOINT_BYTES = 12
"""For each parameter: weights and AdamW's two moments in float32."""
MOST_TOKENS = 1e18


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A published rule: `name` for people, where it stands, and what it was fitted on.

    formula: peak rate and tokens of a step; N without embeddings and head, D in tokens, L layers, width d, context T.
    ranges: Step Law's are of the dense runs that were released with it, DeepSeek's those its section 3.1 names.
    """

    id: RuleName
    name: str
    source: str
    formula: str
    ranges: tuple[Range, ...]


STEP_LAW = Rule(
    id="step-law",
    name="Step Law",
    source="Li et al. 2025 (arXiv 2503.04715), github.com/step-law/steplaw",
    formula="η = 1.79 N^-0.713 D^0.307, B = 0.58 D^0.571",
    ranges=(
        Range(quantity="N", low=214_663_680, high=1_073_741_824),
        Range(quantity="D", low=4e9, high=1e11),
    ),
)
DEEPSEEK = Rule(
    id="deepseek",
    name="DeepSeek LLM",
    source="Bi et al. 2024 (arXiv 2401.02954), section 3.1, equation 1",
    formula="η = 0.3118 C^-0.1250, B = 0.2920 C^0.3271, C = (6 N + 12 L d T) D",
    ranges=(Range(quantity="C", low=1e17, high=2e19),),
)
RULES: dict[RuleName, Rule] = {rule.id: rule for rule in (STEP_LAW, DEEPSEEK)}

CRITICAL_SOURCE = "Kaplan et al. 2020 (arXiv 2001.08361), equation 5.3, figure 10, table 6"
CRITICAL_RANGE = Range(quantity="L", low=3.0, high=10.0)
"""Losses on WebText2, in nats, that figure 10 shows, of models of 3M and 85M parameters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """What one rule says for a plan. batch_tokens: of a step. outside: factor beyond the rule's range, 1 within."""

    rule: Rule
    batch_tokens: float
    rate: float
    outside: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One training worked out.

    sequences: of one optimiser step, over all devices. tokens: steps * tokens_per_step, within half a step of the
    planned ones. critical_batch: tokens, where a loss was given. checkpoint_bytes: of one. dataset_bytes: all planned
    tokens, each once. cautions: sentences.
    """

    rule: Rule
    suggestions: tuple[Suggestion, ...]
    planned_tokens: float
    context: int
    devices: int
    sequences: int
    steps: int
    rate: float
    warmup_steps: int
    critical_batch: float | None
    checkpoints: int
    checkpoint_bytes: int
    dataset_bytes: int
    cautions: tuple[str, ...]

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimiser step."""
        return self.sequences * self.context

    @property
    def tokens(self) -> int:
        """Tokens of the whole training."""
        return self.steps * self.tokens_per_step

    @property
    def last_rate(self) -> float:
        """The rate at the end of a cosine."""
        return LAST_RATE * self.rate

    @property
    def disk_bytes(self) -> int:
        """Checkpoints and tokens together."""
        return self.checkpoints * self.checkpoint_bytes + self.dataset_bytes


def step_law(params: float, tokens: float) -> tuple[float, float]:
    """Batch in tokens and peak rate of Step Law, for N without embeddings and D tokens."""
    return 0.58 * math.pow(tokens, 0.571), 1.79 * math.pow(params, -0.713) * math.pow(tokens, 0.307)


def deepseek(compute: float) -> tuple[float, float]:
    """Batch in tokens and peak rate of DeepSeek LLM, for C in FLOP without embedding and head."""
    return 0.2920 * math.pow(compute, 0.3271), 0.3118 * math.pow(compute, -0.1250)


def critical_batch(loss: float) -> float:
    """Tokens of a step beyond which more of them save little time: 2.1e8 / L^(1/0.21), L in nats per token.

    Source: Kaplan et al. 2020, figure 10 and table 6. Raises InputError where the loss is not positive.
    """
    if not (math.isfinite(loss) and 0.1 <= loss <= 20):
        raise InputError(named("loss"), loss, t("it must lie between {low} and {high}", low=0.1, high=20))
    return 2.1e8 / math.pow(loss, 1.0 / 0.21)


def suggestions(architecture: Architecture, tokens: float) -> tuple[Suggestion, ...]:
    """What every rule says for a model and its tokens, the one nearest to its own range first."""
    params, compute = float(architecture.count.non_embedding), architecture.flops_non_embedding * tokens
    values = {"N": params, "D": tokens, "C": compute}
    said: dict[RuleName, tuple[float, float]] = {"step-law": step_law(params, tokens), "deepseek": deepseek(compute)}
    found = [
        Suggestion(
            rule=rule,
            batch_tokens=said[rule.id][0],
            rate=said[rule.id][1],
            outside=max(one.outside(values[one.quantity]) for one in rule.ranges),
        )
        for rule in RULES.values()
    ]
    return tuple(sorted(found, key=lambda one: one.outside))


def round_batch(tokens: float, context: int, devices: int) -> int:
    """Whole sequences of a step of about `tokens` tokens: the same for each device, of four binary digits, at least 1.

    So the step can be cut into equal micro-batches of a power of two, and differs from the rule by at most a
    sixteenth, or where a device has fewer than eight sequences by half a one.
    """
    wanted = max(1.0, tokens / context / devices)
    grain = 1 << max(0, math.floor(math.log2(wanted)) - 3)
    return devices * max(1, grain * round(wanted / grain))


def make_recipe(
    architecture: Architecture,
    tokens: float,
    *,
    rule: RuleName | None = None,
    loss: float | None = None,
    devices: int = 1,
    checkpoints: int = 10,
) -> Recipe:
    """The training of a model on `tokens` tokens. loss: foretold, for the critical batch.

    rule: whose batch and rate are taken; by default those of the rule whose range the plan is nearest to.

    The warm-up is the 2,000 steps of the runs behind the rules, but never more than this lab's own: N tokens, a tenth
    of the steps. Raises InputError on a bad field.
    """
    if rule is not None and rule not in get_args(RuleName):
        raise InputError(t("rule"), rule, t("it must be one of {names}", names=", ".join(get_args(RuleName))))
    if not (math.isfinite(tokens) and architecture.context <= tokens <= MOST_TOKENS):
        raise InputError(
            named("tokens"),
            tokens,
            t("it must be a number from {least} to {most}", least=architecture.context, most=f"{MOST_TOKENS:g}"),
        )
    for field, value, most in ((t("number of devices"), devices, 100_000), (t("checkpoints"), checkpoints, 10_000)):
        if type(value) is not int or not 1 <= value <= most:
            raise InputError(field, value, t("it must be a whole number from {least} to {most}", least=1, most=most))
    all_said = suggestions(architecture, tokens)
    chosen = next(one for one in all_said if rule in (None, one.rule.id))
    sequences = round_batch(chosen.batch_tokens, architecture.context, devices)
    per_step = sequences * architecture.context
    steps = max(1, round(tokens / per_step))
    size = 2 if architecture.vocab_size <= SHORT_TOKENS else 4
    critical = None if loss is None else critical_batch(loss)
    return Recipe(
        rule=chosen.rule,
        suggestions=all_said,
        planned_tokens=tokens,
        context=architecture.context,
        devices=devices,
        sequences=sequences,
        steps=steps,
        rate=chosen.rate,
        warmup_steps=min(WARMUP_STEPS, warmup_steps(architecture.count.with_head, per_step, steps)),
        critical_batch=critical,
        checkpoints=min(checkpoints, steps),
        checkpoint_bytes=CHECKPOINT_BYTES * architecture.count.total,
        dataset_bytes=size * math.ceil(tokens),
        cautions=tuple(_cautions(chosen, per_step, steps, critical, loss)),
    )


def _cautions(chosen: Suggestion, per_step: int, steps: int, critical: float | None, loss: float | None) -> list[str]:
    said: list[str] = []
    if chosen.outside > 1.05:
        said.append(
            t(
                "This plan lies a factor of {factor} outside the runs on which {rule} was fitted: its batch and rate "
                "are a place to start a search from, not its result.",
                factor=format_quantity(chosen.outside, 2),
                rule=chosen.rule.name,
            )
        )
    if per_step > 1.5 * chosen.batch_tokens:
        said.append(
            t(
                "One sequence for each device is already {ratio:.1f} times the batch of the rule: take fewer devices "
                "or a shorter context.",
                ratio=per_step / chosen.batch_tokens,
            )
        )
    if steps < 500:
        said.append(
            t(
                "The training takes {steps} steps only. In fewer than 500 a model is still in the steep first part of "
                "its curve, which no law describes.",
                steps=steps,
            )
        )
    if critical is not None and loss is not None:
        if per_step > critical:
            said.append(
                t(
                    "The batch of {batch} tokens is above the critical one of {critical} at a loss of {loss:.2f}: "
                    "more devices then save less time than they cost.",
                    batch=format_quantity(per_step),
                    critical=format_quantity(critical),
                    loss=loss,
                )
            )
        if CRITICAL_RANGE.outside(loss) > 1.0:
            said.append(
                t(
                    "Critical batches were measured at losses from {low:g} to {high:g} nats; {loss:.2f} lies outside.",
                    low=CRITICAL_RANGE.low,
                    high=CRITICAL_RANGE.high,
                    loss=loss,
                )
            )
    return said
