"""The plan as a file to copy: a configuration of nanoGPT's train.py, whose option names it uses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from scaling_core.errors import InputError
from scaling_core.language import t
from scaling_core.planning.architecture import Architecture
from scaling_core.planning.memory import largest_micro_batch, training_memory
from scaling_core.planning.recipe import BETAS, CLIP_NORM, WEIGHT_DECAY, Recipe
from scaling_core.units import format_bytes, format_quantity

GPT2_VOCAB, PADDED_VOCAB = 50_257, 50_304
"""GPT-2's vocabulary, and the rows nanoGPT gives it."""
MOST_NANOGPT_VOCAB = 65_536
"""Its data files hold 16-bit integers."""
UNMEASURED_TOKENS = 16_384
"""Most tokens of a micro-batch where the device's memory is not known."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """A file to copy with the command that runs it; `reason` is a sentence where there is none, and "" otherwise."""

    text: str = ""
    command: str = ""
    reason: str = ""


def nanogpt(
    architecture: Architecture,
    recipe: Recipe,
    *,
    device: Literal["cuda", "mps", "cpu"] = "cuda",
    memory_bytes: float | None = None,
    dataset: str = "openwebtext",
    name: str = "plan",
    per_machine: int = 8,
) -> Copied:
    """The configuration of nanoGPT's train.py for a plan, or why it cannot be trained with it.

    memory_bytes: of one device; of it follows the micro-batch. The last checkpoint is written after max_iters steps,
    which are the recipe's to within one, so that they divide into equal intervals. Raises InputError on a bad field.
    """
    for field, value in ((t("dataset"), dataset), (t("name"), name)):
        if not _NAME.fullmatch(value):
            raise InputError(field, value, t("it must be a plain name of letters, digits, - and _"))
    if architecture.style != "gpt2":
        return Copied(reason=t("nanoGPT trains GPT-2 style models only; this plan is a Llama style one."))
    if architecture.vocab_size > MOST_NANOGPT_VOCAB:
        return Copied(
            reason=t(
                "nanoGPT stores tokens as 16-bit integers; a vocabulary of {vocab:,} does not fit in them.",
                vocab=architecture.vocab_size,
            )
        )
    devices, cuda = recipe.devices, device == "cuda"
    if devices > 1 and not cuda:
        return Copied(reason=t("nanoGPT trains on several devices with CUDA only."))
    if devices > per_machine and devices % per_machine:
        return Copied(
            reason=t(
                "{devices} devices do not fill machines of {each}; choose a multiple.",
                devices=devices,
                each=per_machine,
            )
        )
    sequences = recipe.sequences // devices
    micro = _micro_batch(architecture, sequences, cuda=cuda, memory_bytes=memory_bytes)
    if micro == 0:
        need = training_memory(architecture, 1, precision="mixed" if cuda else "float32")
        return Copied(
            reason=t(
                "nanoGPT keeps the whole model on every device: one sequence needs about {needed} of the {there} there "
                "are. A trainer that shards the model is needed.",
                needed=format_bytes(need.total),
                there=format_bytes(memory_bytes or 0.0),
            )
        )
    steps, evaluations = intervals(recipe.steps, recipe.checkpoints)
    options: tuple[tuple[str, object], ...] = (
        ("out_dir", f"out-{name}"),
        ("dataset", dataset),
        ("init_from", "scratch"),
        ("n_layer", architecture.n_layer),
        ("n_head", architecture.n_head),
        ("n_embd", architecture.d_model),
        ("block_size", architecture.context),
        ("bias", True),
        ("dropout", 0.0),
        ("batch_size", micro),
        ("gradient_accumulation_steps", recipe.sequences // micro),
        ("max_iters", steps),
        ("learning_rate", float(f"{recipe.rate:.3g}")),
        ("min_lr", float(f"{recipe.last_rate:.3g}")),
        ("decay_lr", True),
        ("warmup_iters", min(recipe.warmup_steps, steps - 1)),
        ("lr_decay_iters", steps),
        ("weight_decay", WEIGHT_DECAY),
        ("beta1", BETAS[0]),
        ("beta2", BETAS[1]),
        ("grad_clip", CLIP_NORM),
        ("eval_interval", steps // evaluations),
        ("eval_iters", 200),
        ("log_interval", 10),
        ("always_save_checkpoint", True),
        ("device", device),
        ("dtype", "bfloat16" if cuda else "float32"),
        ("compile", cuda),
    )
    said = [architecture.sentence(), *_about(architecture, recipe, dataset), *recipe.cautions]
    text = "\n".join(
        [*(f"# {sentence}" for sentence in said), "", *(f"{key} = {value!r}" for key, value in options), ""]
    )
    return Copied(text=text, command=_launch(f"config/{name}.py", devices, per_machine))


def _about(architecture: Architecture, recipe: Recipe, dataset: str) -> list[str]:
    said = [
        t(
            "{tokens} tokens in {steps:,} steps of {batch:,}; batch and peak rate by {rule} ({source}).",
            tokens=format_quantity(recipe.tokens, 4),
            steps=recipe.steps,
            batch=recipe.tokens_per_step,
            rule=recipe.rule.name,
            source=recipe.rule.source,
        )
    ]
    if architecture.vocab_size == GPT2_VOCAB:
        said.append(
            t(
                "nanoGPT rounds the vocabulary up to {rows:,}: its model has {more:,} parameters more.",
                rows=PADDED_VOCAB,
                more=(PADDED_VOCAB - GPT2_VOCAB) * architecture.d_model,
            )
        )
    elif architecture.vocab_size != PADDED_VOCAB:
        said.append(
            t(
                "The vocabulary of {vocab:,} must stand in {file}, as vocab_size.",
                vocab=architecture.vocab_size,
                file=f"data/{dataset}/meta.pkl",
            )
        )
    return said


def _micro_batch(architecture: Architecture, sequences: int, *, cuda: bool, memory_bytes: float | None) -> int:
    """Sequences of one forward pass, a divisor of those of a step; 0 where the memory does not hold even one."""
    if memory_bytes is not None:
        return largest_micro_batch(architecture, memory_bytes, most=sequences, precision="mixed" if cuda else "float32")
    within = max(1, UNMEASURED_TOKENS // architecture.context)
    return max(part for part in range(1, min(sequences, within) + 1) if sequences % part == 0)


def intervals(steps: int, wanted: int) -> tuple[int, int]:
    """Steps that are `steps` to within one, and a number of equal parts that they divide into, close to `wanted`."""
    found = [
        (abs(math.log(parts / wanted)), abs(total - steps), total, parts)
        for total in (steps - 1, steps, steps + 1)
        if total >= 1
        for parts in range(1, min(total, 4 * wanted) + 1)
        if total % parts == 0
    ]
    _, _, total, parts = min(found)
    return total, parts


def _launch(file: str, devices: int, per_machine: int) -> str:
    if devices == 1:
        return f"python train.py {file}"
    if devices <= per_machine:
        return f"torchrun --standalone --nproc_per_node={devices} train.py {file}"
    return (
        f"torchrun --nproc_per_node={per_machine} --nnodes={devices // per_machine} --node_rank=RANK "
        f"--master_addr=HOST --master_port=1234 train.py {file}"
    )
