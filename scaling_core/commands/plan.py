"""`plan`: what hardware, time or money buys; the catalogue of hardware; configurations compared, and to copy."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from scaling_core.catalog import Preset
from scaling_core.commands.plan_checks import checks_of
from scaling_core.commands.plan_hardware import catalogue, machine_of, sources, told
from scaling_core.commands.plan_instead import comparison, ends, ends_of, head, lab_of, law_line, nanogpt_of, plain
from scaling_core.commands.shared import SubParsers, add, maybe
from scaling_core.errors import InputError
from scaling_core.hardware import PRECISIONS, Device
from scaling_core.library import find_law
from scaling_core.output import print_json, say, table
from scaling_core.units import format_duration, format_flops, format_loss, format_quantity

if TYPE_CHECKING:
    from scaling_core.planning import Budgeted, Interval

GIVEN = ("days", "usd", "compute", "loss", "params", "tokens", "ratio")
"""Options that say what is to be planned."""
HARDWARE = ("device", "peak", "precision", "count", "mfu", "price")
"""Options that say on what."""
CONFIGS = ("nanogpt", "lab")
UNKNOWN = "not known"


def register(commands: SubParsers) -> None:
    """Add the planner."""
    plan = add(commands, "plan", _run, "the training that hardware, time or money buys, and what it takes")
    plan.add_argument("--law", default="hoffmann2022", metavar="ID", help="a law in N and D (default hoffmann2022)")
    given = plan.add_argument_group("what is given: one limit, and at most one of size, tokens and their ratio")
    given.add_argument("--days", metavar="T", help="wall time, days of 24 hours")
    given.add_argument("--usd", metavar="S", help="money, USD")
    given.add_argument("--compute", metavar="C", help="compute, FLOP")
    given.add_argument("--loss", metavar="L", help="a target loss, nats per token")
    given.add_argument("--params", metavar="N", help="parameters")
    given.add_argument("--tokens", metavar="D", help="training tokens")
    given.add_argument("--ratio", metavar="R", help="tokens per parameter")
    hardware = plan.add_argument_group("hardware")
    what = hardware.add_mutually_exclusive_group()
    what.add_argument("--device", metavar="ID", help="of the catalogue, see --hardware")
    what.add_argument("--peak", metavar="F", help="peak of a device of your own, FLOP/s")
    hardware.add_argument("--precision", metavar="P", help="whose peak is taken: " + ", ".join(PRECISIONS))
    hardware.add_argument("--count", metavar="K", help="how many devices (default 1)")
    hardware.add_argument("--mfu", metavar="U", help="achieved share of the peak, 0.4 or 40%% (default 0.4)")
    hardware.add_argument("--price", metavar="P", help="USD per device-hour, in place of the listed price")
    instead = plan.add_argument_group("instead of the plan").add_mutually_exclusive_group()
    instead.add_argument("--hardware", action="store_true", help="list the catalogue, with every source")
    instead.add_argument("--compare", metavar="FILE", help="compare models, a line of name, N, D each")
    instead.add_argument("--config", metavar="WHAT", help="nanogpt: a configuration of it; lab: the lab's own command")
    instead.add_argument("--checks", action="store_true", help="what the usual mistakes cost it, and a checklist")
    model = plan.add_argument_group("with --config nanogpt or --checks")
    model.add_argument("--vocab", metavar="V", help="entries of the vocabulary (default 50257, GPT-2's)")
    model.add_argument("--context", metavar="T", help="tokens of a sequence (default 1024)")


def _run(args: argparse.Namespace) -> int:
    if args.config is not None and args.config not in CONFIGS:
        raise InputError("config", args.config, f"it must be one of {', '.join(CONFIGS)}")
    for option in ("vocab", "context"):
        if getattr(args, option) is not None and args.config != "nanogpt" and not args.checks:
            raise InputError(option, getattr(args, option), "it belongs to --config nanogpt and to --checks")
    if args.hardware or args.compare is not None:
        what = "hardware" if args.hardware else "compare"
        for option in (*GIVEN, *(HARDWARE if args.hardware else ())):
            if getattr(args, option) is not None:
                raise InputError(option, getattr(args, option), f"it plans a training, and --{what} plans none")
    if args.hardware:
        return catalogue(args)
    preset = find_law(args.law)
    device, machine = machine_of(args)
    if args.compare is not None:
        return comparison(args, preset, device, machine)
    from scaling_core.planning import TrainingBudget, budgeted

    budget = TrainingBudget(
        days=maybe(args.days, "days", minimum=0.0),
        usd=maybe(args.usd, "usd", minimum=0.0),
        C=maybe(args.compute, "compute"),
        loss=maybe(args.loss, "loss", minimum=0.0),
        N=maybe(args.params, "params"),
        D=maybe(args.tokens, "tokens"),
        ratio=maybe(args.ratio, "ratio", minimum=0.0),
    )
    plan = budgeted(preset, budget, machine)
    if args.config == "nanogpt":
        return nanogpt_of(args, plan, device)
    if args.config == "lab":
        return lab_of(args, plan)
    if args.checks:
        return checks_of(args, preset, plan, device)
    return _plan(args, preset, plan, device)


def _plan(args: argparse.Namespace, preset: Preset, plan: Budgeted, device: Device | None) -> int:
    notes = [*([preset.warning] if preset.warning else []), *plan.extrapolation.sentences]
    if args.json:
        print_json({**head(preset), **_answer(plan), "hardware": told(args, plan.machine, device), "notes": notes})
        return 0
    rows = [
        ("params", format_quantity(plan.N), _of_optimum(plan.N_interval)),
        ("tokens", format_quantity(plan.D), _of_optimum(plan.D_interval)),
        ("tokens per param", format_quantity(plan.tokens_per_param), ""),
        ("compute", format_flops(plan.C), ""),
        ("loss", f"{format_loss(plan.loss)} nats per token", ends(plan.loss_interval)),
    ]
    if plan.machine is not None:
        energy, usd = plan.kilowatt_hours, plan.usd
        rows += [
            ("wall time", UNKNOWN if plan.seconds is None else format_duration(plan.seconds), ""),
            ("device-hours", UNKNOWN if plan.device_hours is None else plain(plan.device_hours), ""),
            ("energy", UNKNOWN if energy is None else f"{format_quantity(energy)} kWh", ""),
            ("cost", UNKNOWN if usd is None else f"{plain(usd)} USD", ""),
        ]
    print(table(rows))
    if plan.verdict is not None and plan.verdict.loss_gap >= 0.0005:
        wasted = 100 * plan.verdict.compute_left / plan.C
        print(f"The optimum of the same compute is {plan.verdict.loss_gap:.3f} nats lower: {wasted:.3g}% is wasted.")
    for sentence in sources(args, plan.machine, device):
        print(sentence)
    print(law_line(preset))
    say(*notes)
    return 0


def _answer(plan: Budgeted) -> dict[str, Any]:
    verdict = plan.verdict
    return {
        "params": plan.N,
        "tokens": plan.D,
        "tokens_per_param": plan.tokens_per_param,
        "compute": plan.C,
        "loss": plan.loss,
        "loss_interval": ends_of(plan.loss_interval),
        "optimum_intervals": {"params": ends_of(plan.N_interval), "tokens": ends_of(plan.D_interval)},
        "excess_loss": None if verdict is None else verdict.loss_gap,
        "wasted_share": None if verdict is None else verdict.compute_left / plan.C,
        "seconds": plan.seconds,
        "device_hours": plan.device_hours,
        "joules": plan.joules,
        "usd": plan.usd,
        "extrapolation": dict(plan.extrapolation.factors) if plan.extrapolation.stated else None,
    }


def _of_optimum(found: Interval | None) -> str:
    """The interval of the best size, or tokens, for the compute."""
    if found is None:
        return ""
    return f"{found.level:.0%} of the optimum: {format_quantity(found.low)} to {format_quantity(found.high)}"
