"""Numbers in the sentences of a story: a field such as {ratio} is worked out from the scene's state when it is told.

A sentence that names a number would be wrong as soon as a constant of its scene changes. What is no known field stays
as it was written, braces and all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from scaling_core.catalog import model, preset
from scaling_core.errors import ScalingError
from scaling_core.language import Language, current, speaking, t
from scaling_core.laws import Law, PowerLaw
from scaling_core.optimum import judge, optimal_for_compute
from scaling_core.story.plan_facts import PLAN_FACTS
from scaling_core.story.scene import Scene, TextName
from scaling_core.story.state import chosen, law_of, number_of
from scaling_core.units import format_quantity

_FIELD = re.compile(r"\{([a-zA-Z_]{1,40})\}")


def told(scene: Scene, name: TextName, language: Language | None = None) -> str:
    """A text of the scene in the present language, or in that one, its numbers filled in."""
    with speaking(language or current()):
        return _FIELD.sub(lambda found: _value(found, scene), getattr(scene, name).told)


def _value(found: re.Match[str], scene: Scene) -> str:
    fact = FACTS.get(found[1])
    if fact is None:
        return found[0]
    try:
        return fact(scene)
    except (ScalingError, ArithmeticError, KeyError, IndexError, ValueError):
        return "–"


def _law(scene: Scene) -> Law:
    return law_of(chosen(scene.state, scene.page, "law"))


def _gpt3(scene: Scene) -> tuple[Law, float, float]:
    gpt3 = model("gpt3")
    return _law(scene), gpt3.N, gpt3.tokens


def _power(scene: Scene) -> PowerLaw:
    law = preset(chosen(scene.state, "story", "power.law")).law
    if not isinstance(law, PowerLaw):
        raise KeyError("power.law")
    return law


def _ratio(law: Law, scene: Scene) -> str:
    return _digits(optimal_for_compute(law, number_of(scene.state, scene.page, "C")).tokens_per_param)


def _digits(x: float) -> str:
    return f"{x:,.0f}" if x >= 10 else f"{x:.2g}"


def _left(scene: Scene) -> str:
    verdict = judge(*_gpt3(scene))
    share = verdict.compute_left / verdict.C
    return f"{100 * share:.0f}%" if share >= 0.005 else t("under 1%")


def _grown(scene: Scene) -> str:
    law = chosen(scene.state, scene.page, "law")
    allocation = preset(law if isinstance(law, str) else law["base"]).allocation
    if allocation is None:
        raise KeyError("allocation")
    return f"{10**allocation.N_exponent:.1f}"


FACTS: Mapping[str, Callable[[Scene], str]] = {
    "factor": lambda scene: f"{10 ** -_power(scene).exponent:.2f}",
    "best_N": lambda scene: format_quantity(judge(*_gpt3(scene)).optimum.N),
    "best_D": lambda scene: format_quantity(judge(*_gpt3(scene)).optimum.D),
    "left": _left,
    "ratio": lambda scene: _ratio(_law(scene), scene),
    "ratio_pinned": lambda scene: _ratio(law_of(scene.state["pins"][0]), scene),
    "grown_N": _grown,
    "own_b": lambda scene: f"{number_of(scene.state, 'story', 'thinking.b'):g}",
    **PLAN_FACTS,
}
"""The fields that a text may hold. factor: what ten times the variable of the power law multiply the loss by. best_N,
best_D, left: the best use of GPT-3's compute, and the share of it that was left. ratio: tokens per parameter of the
optimum at the scene's C; ratio_pinned: the same under the first pinned law. grown_N: times the parameters for ten times
the compute, as the paper of the law allocates it. own_b: the exponent of test-time compute that is shown.
The rest is told in `plan_facts`."""
