"""A plan made ready to be judged: the training, the model it would be, its recipe, and the memory it would have."""

from __future__ import annotations

from dataclasses import dataclass

from scaling_core.errors import InputError
from scaling_core.hardware import Device
from scaling_core.planning.architecture import Architecture, Style, architecture_for
from scaling_core.planning.budget import Budgeted
from scaling_core.planning.evidence import Source
from scaling_core.planning.memory import Precision
from scaling_core.planning.recipe import MOST_TOKENS, Recipe, make_recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A plan under a law with what it would be written out as.

    model, recipe: None where the plan cannot be one model, and then `problem` says why. memory: bytes of one device,
    where known, counted in `precision`. measured: whether the speed is one that the lab measured.
    """

    source: Source
    plan: Budgeted
    model: Architecture | None = None
    recipe: Recipe | None = None
    problem: str = ""
    memory: float | None = None
    precision: Precision = "mixed"
    measured: bool = False

    @property
    def devices(self) -> int:
        """How many devices train."""
        return 1 if self.plan.machine is None else self.plan.machine.count


def prepared(
    source: Source,
    plan: Budgeted,
    device: Device | None = None,
    *,
    style: Style = "gpt2",
    vocab_size: int = 50_257,
    context: int = 1024,
) -> Prepared:
    """The plan with a model and a recipe of its own; what cannot be written out says why and is prepared all the same.

    device: of the catalogue, for its memory and the precision that it trains in.
    """
    memory = None if device is None else device.memory
    try:
        model = architecture_for(plan.N, style=style, vocab_size=vocab_size, context=context)
        recipe = recipe_of(model, plan)
    except InputError as error:
        return Prepared(source=source, plan=plan, problem=str(error), memory=memory, precision=precision_of(device))
    return Prepared(source=source, plan=plan, model=model, recipe=recipe, memory=memory, precision=precision_of(device))


def recipe_of(model: Architecture, plan: Budgeted) -> Recipe:
    """The recipe for a model on the plan's tokens and devices; raises InputError as `make_recipe` does."""
    loss = plan.loss if 0.1 <= plan.loss <= 20 else None
    devices = 1 if plan.machine is None else plan.machine.count
    return make_recipe(model, min(plan.D, MOST_TOKENS), loss=loss, devices=devices)


def precision_of(device: Device | None, *, measured: bool = False) -> Precision:
    """In which precision memory is counted: float32 on a machine that the lab measured, else as the device trains."""
    plain = device is not None and device.training_precision in ("fp32", "tf32")
    return "float32" if measured or plain else "mixed"
