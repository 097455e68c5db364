"""A slide of the page "Plan a training": the part at which its scene begins, as a picture or in numbers."""

from __future__ import annotations

from typing import TypeAlias

from scaling_core.hardware import device
from scaling_core.language import t
from scaling_core.planning.mistakes import mistakes
from scaling_core.planning.prepared import prepared
from scaling_core.planning.transfer import continued
from scaling_core.story import Scene, chosen, law_of
from scaling_core.story.plan_facts import number, planned, stages, worth
from scaling_core.units import format_duration, format_loss, format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.plan import time_chart
from scaling_core.viz.plan_more import transfer_chart
from scaling_core.viz.theme import Theme

Shown: TypeAlias = tuple[Figure | None, tuple[tuple[str, str], ...]]
CONTINUING, STAGES, MISTAKES, CHECKS = 3, 4, 8, 9
"""Parts of the page, as a scene counts them."""


def plan_slide(scene: Scene, theme: Theme) -> Shown:
    """Figure and numbers of a scene; raises ScalingError where its hardware is this machine, as `planned` does."""
    if scene.focus == CONTINUING:
        return _continued(scene, theme)
    source, what, found = planned(scene)
    if scene.focus == STAGES:
        both = stages(scene)
        return None, (
            (t("after both stages"), format_loss(both.loss)),
            (t("one run with all of it"), format_loss(both.best.loss)),
            (t("price of the stages, nats"), f"{both.excess_loss:.4f}"),
        )
    if scene.focus == MISTAKES:
        id = str(chosen(scene.state, "plan", "plan.hardware"))
        ready = prepared(source, found, None if id == "own" else device(id))
        return None, tuple((one.what, one.figure) for one in mistakes(ready) if one.amount is not None)
    if scene.focus == CHECKS:
        return None, ()
    return time_chart(source, what, found, theme), (
        (t("hardware"), t("{n} × {device}", n=f"{what.count:,}", device=what.name)),
        (t("wall time"), format_duration(what.seconds(found.C))),
        (t("parameters"), format_quantity(found.N)),
        (t("tokens"), format_quantity(found.D)),
        (t("loss, nats per token"), format_loss(found.loss)),
    )


def _continued(scene: Scene, theme: Theme) -> Shown:
    """What pre-training is worth, against one's own data."""
    value, gain = chosen(scene.state, "plan", "law"), worth(scene)
    law = law_of(value)
    N, own, before, letters = (number(scene, f"plan.transfer.{name}") for name in ("N", "own", "before", "letters"))
    here = continued(law, N=N, D=own, D_pretrain=before)
    return transfer_chart(law, here, gain.law.id, letters, theme), (
        (t("worth of pre-training, tokens"), format_quantity(gain.D_T / letters)),
        (t("loss from scratch"), format_loss(here.scratch)),
        (t("loss with measured transfer"), format_loss(float(law.loss(N, gain.D_E / letters)))),
        (t("loss by the talk's rule"), format_loss(here.talk)),
    )
