"""`plan --checks`: what the usual mistakes would cost the plan, and what to look at before it is started."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scaling_core.catalog import Preset
from scaling_core.commands.plan_hardware import sources, told
from scaling_core.commands.plan_instead import head, law_line, text_of
from scaling_core.errors import ScalingError
from scaling_core.hardware import Device
from scaling_core.output import print_json, say, table

if TYPE_CHECKING:
    from scaling_core.checks import Check
    from scaling_core.planning import Budgeted
    from scaling_core.planning.checklist import Surroundings
    from scaling_core.planning.cost import Mistake


def checks_of(args: argparse.Namespace, preset: Preset, plan: Budgeted, device: Device | None) -> int:
    """Print both lists for a plan: every mistake with its price, every check with how it stands."""
    from scaling_core.catalog import presets
    from scaling_core.planning.checklist import checklist, summary
    from scaling_core.planning.mistakes import mistakes
    from scaling_core.planning.prepared import prepared
    from scaling_core.planning.trust import trust
    from scaling_core.viz.models import compared

    vocab, context = text_of(args)
    ready = prepared(preset, plan, device, vocab_size=vocab, context=context)
    laws = [one for one in compared(presets("joint")) if one.warning is None]
    costs = mistakes(ready, trust(laws, N=plan.N, D=plan.D).answers)
    checks = checklist(ready, _surroundings())
    notes = [*([preset.warning] if preset.warning else []), *plan.extrapolation.sentences]
    if args.json:
        print_json(
            {
                **head(preset),
                "params": plan.N,
                "tokens": plan.D,
                "compute": plan.C,
                "loss": plan.loss,
                "mistakes": [_mistake(one) for one in costs],
                "checks": [{name: getattr(one, name) for name in ("id", "what", "status", "seen")} for one in checks],
                "hardware": told(args, plan.machine, device),
                "notes": notes,
            }
        )
        return 0
    print("What the usual mistakes would cost")
    print(table([(one.figure or "not known", f"{one.what}: {one.told}") for one in costs]))
    print()
    print(f"Before you press start. {summary(checks)}")
    print(table(_rows(checks)))
    for sentence in sources(args, plan.machine, device):
        print(sentence)
    print(law_line(preset))
    say(*notes)
    return 0


def _rows(checks: Sequence[Check]) -> list[tuple[str, ...]]:
    return [(check.status, check.what, check.seen) for check in checks]


def _mistake(one: Mistake) -> dict[str, Any]:
    names = ("id", "what", "unit", "amount", "told", "formula", "source")
    solid = one.solidity
    kind = None if solid is None else {"kind": solid.kind, "factor": solid.factor, "quantity": solid.quantity or None}
    return {**{name: getattr(one, name) for name in names}, "solidity": kind}


def _surroundings() -> Surroundings:
    """Today, and what came of the predictions of this machine."""
    from scaling_core.planning.checklist import Surroundings
    from scaling_core.runs import place
    from scaling_core.runs.scoring import predictions_score

    try:
        score = predictions_score(place.home())
    except ScalingError:
        score = None
    return Surroundings(today=datetime.now(tz=UTC).date(), score=score)
