"""The numbers of scenes on the page "Plan a training": the plan of their state, and what its parts say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from scaling_core.hardware import device
from scaling_core.language import t
from scaling_core.library import find_law
from scaling_core.story.scene import Scene
from scaling_core.story.state import chosen, law_of, number_of
from scaling_core.units import format_loss, format_quantity

if TYPE_CHECKING:
    from scaling_core.optimum import Verdict
    from scaling_core.planning import Budgeted, Machine, Source
    from scaling_core.planning.transfer import Pretraining, Staged, Transferred


def planned(scene: Scene) -> tuple[Source, Machine, Budgeted]:
    """Law, hardware and plan of a scene's state; raises InputError where the hardware is this machine."""
    from scaling_core.planning import Machine, TrainingBudget, budgeted, machine

    given, id = chosen(scene.state, "plan", "plan.given"), str(chosen(scene.state, "plan", "plan.hardware"))
    count, mfu = int(number(scene, "plan.count")), number(scene, "plan.mfu") / 100
    if id == "own":
        what = Machine(name=t("device of my own"), peak=1e12 * number(scene, "plan.own"), count=count, mfu=mfu)
    else:
        what = machine(device(id), count=count, mfu=mfu)
    value = chosen(scene.state, "plan", "law")
    source = find_law(value) if isinstance(value, str) else law_of(value)
    budget = TrainingBudget(**{given: number(scene, f"plan.{given}")})
    return source, what, budgeted(source, budget, what)


def number(scene: Scene, name: str) -> float:
    """A number of the page."""
    return number_of(scene.state, "plan", name)


def worth(scene: Scene) -> Transferred:
    """What pre-training is worth to the model of the page's part on it."""
    from scaling_core.planning.transfer import transferred

    letters, own = number(scene, "plan.transfer.letters"), number(scene, "plan.transfer.own")
    before = number(scene, "plan.transfer.before")
    kind: Pretraining = "mixed" if chosen(scene.state, "plan", "plan.before") == "mixed" else "text"
    return transferred(number(scene, "plan.transfer.N"), letters * own, kind, pretrained=letters * before)


def stages(scene: Scene) -> Staged:
    """The plan's model trained on in a second stage."""
    from scaling_core.planning.transfer import staged

    source, _, plan = planned(scene)
    return staged(source, C=plan.C, added=number(scene, "plan.stages.times") * plan.C)


def _oversized(scene: Scene) -> Verdict:
    """The plan's compute at GPT-3's tokens per parameter."""
    from scaling_core.catalog import model
    from scaling_core.planning import law_of as law_under
    from scaling_core.planning.mistakes import LARGE, at_ratio

    source, _, plan = planned(scene)
    large = model(LARGE)
    return at_ratio(law_under(source), plan.C, large.tokens / large.N)


def _wasted(scene: Scene) -> str:
    found = _oversized(scene)
    return f"{100 * found.compute_left / found.C:.0f}%"


PLAN_FACTS: Mapping[str, Callable[[Scene], str]] = {
    "plan_days": lambda scene: f"{planned(scene)[2].days:g}",
    "plan_mfu": lambda scene: f"{number(scene, 'plan.mfu'):g}%",
    "plan_N": lambda scene: format_quantity(planned(scene)[2].N),
    "plan_D": lambda scene: format_quantity(planned(scene)[2].D),
    "plan_loss": lambda scene: format_loss(planned(scene)[2].loss),
    "own_tokens": lambda scene: format_quantity(number(scene, "plan.transfer.own")),
    "before_tokens": lambda scene: format_quantity(number(scene, "plan.transfer.before")),
    "worth_tokens": lambda scene: format_quantity(worth(scene).D_T / number(scene, "plan.transfer.letters")),
    "stage_times": lambda scene: f"{number(scene, 'plan.stages.times'):g}",
    "stage_excess": lambda scene: format_loss(stages(scene).excess_loss),
    "size_excess": lambda scene: format_loss(_oversized(scene).loss_gap),
    "size_wasted": _wasted,
    "as_served": lambda scene: format_quantity(3.0 * planned(scene)[2].D),
}
"""plan_days to plan_loss: the plan. own_tokens, before_tokens, worth_tokens: of the part on transfer, the last what
pre-training is worth. stage_times, stage_excess: of the part on stages, the last in nats. size_excess, size_wasted:
what GPT-3's tokens per parameter would cost, nats and a share of the compute. as_served: tokens that cost as much to
serve as the training did."""
