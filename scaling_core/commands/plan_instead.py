"""What `plan` prints instead of a plan: configurations beside each other, and those to copy for nanoGPT and the lab."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_core.catalog import Preset
from scaling_core.commands.plan_hardware import sources, told
from scaling_core.errors import InputError
from scaling_core.hardware import Device
from scaling_core.output import print_json, say, table
from scaling_core.units import format_duration, format_flops, format_loss, format_quantity, parse_count

if TYPE_CHECKING:
    from scaling_core.planning import Budgeted, Interval, Machine
    from scaling_core.planning.compare import Compared, Comparison

MOST_BYTES = 200_000
"""Of a file to compare; the text may have to be shorter still."""
BAD_INPUT = 2


def head(preset: Preset) -> dict[str, Any]:
    """The law, as JSON has it."""
    return {"law": preset.id, "convention": preset.convention}


def law_line(preset: Preset) -> str:
    """The law in a sentence."""
    return f"Law: {preset.name} ({preset.source}; {preset.convention} parameters)."


def plain(x: float) -> str:
    """Money or hours: 2.79, 720, 2,009, 4.56M."""
    return f"{x:,.0f}" if 1e3 <= x < 1e6 else format_quantity(x)


def ends_of(found: Interval | None) -> dict[str, float] | None:
    """An interval as JSON has it."""
    return None if found is None else {"low": found.low, "high": found.high, "level": found.level}


def ends(found: Interval | None) -> str:
    """The interval of a loss in words, "" where none is known."""
    return "" if found is None else f"{found.level:.0%}: {format_loss(found.low)} to {format_loss(found.high)}"


def comparison(args: argparse.Namespace, preset: Preset, device: Device | None, machine: Machine | None) -> int:
    """Print the models of a file by loss, and which neighbours the law tells apart."""
    from scaling_core.planning.compare import compare, parse_configurations

    found = compare(preset, parse_configurations(_text(args.compare)), machine)
    ranked = found.ranked()
    if args.json:
        pairs = [{name: getattr(pair, name) for name in pair.__slots__} for pair in found.pairs]
        rows = [_compared(row) for row in ranked]
        print_json({**head(preset), "rows": rows, "pairs": pairs, "hardware": told(args, machine, device)})
        return 0
    lines = [("", "params", "tokens", "compute", "loss", "interval", "wasted", "wall time", "cost, USD")]
    lines += [
        (
            row.configuration.name,
            format_quantity(row.configuration.N),
            format_quantity(row.configuration.D),
            format_flops(row.C),
            format_loss(row.loss),
            ends(row.loss_interval),
            "" if row.wasted_share is None else f"{100 * row.wasted_share:.3g}%",
            "" if row.seconds is None else format_duration(row.seconds),
            "" if row.usd is None else plain(row.usd),
        )
        for row in ranked
    ]
    print(table(lines))
    for sentence in _differences(found, ranked):
        print(sentence)
    for sentence in sources(args, machine, device) if machine is not None else []:
        print(sentence)
    print(law_line(preset))
    say(*([preset.warning] if preset.warning else []))
    say(*(f"{row.configuration.name}: {one}" for row in ranked for one in row.extrapolation.sentences))
    return 0


def _text(name: str) -> str:
    """The text of a file; raises InputError where it cannot be read."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError("compare", name, f"it must be a file that can be read ({reason})") from error
    if len(content) > MOST_BYTES:
        raise InputError("compare", name, f"it must be a file of at most {MOST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("compare", name, "it must be a text in UTF-8") from error


def _compared(row: Compared) -> dict[str, Any]:
    one = row.configuration
    return {
        "name": one.name,
        "params": one.N,
        "tokens": one.D,
        "tokens_per_param": row.tokens_per_param,
        "compute": row.C,
        "loss": row.loss,
        "loss_interval": ends_of(row.loss_interval),
        "excess_loss": row.excess_loss,
        "wasted_share": row.wasted_share,
        "seconds": row.seconds,
        "usd": row.usd,
        "notes": list(row.extrapolation.sentences),
    }


def _differences(found: Comparison, ranked: Sequence[Compared]) -> list[str]:
    """A sentence for each two neighbours in rank."""
    said = []
    for first, second in pairwise(ranked):
        pair = found.pair(first.configuration.name, second.configuration.name)
        lower = f"{pair.first} is {abs(pair.difference):.3f} nats better than {pair.second}"
        if pair.share is None:
            said.append(f"{lower}; the law has no refits, so whether that is more than its uncertainty is not known.")
        else:
            apart = "the law tells them apart" if pair.clear else "the law does not tell them apart"
            said.append(f"{lower}, in {100 * pair.share:.3g}% of the refits: {apart}.")
    return said


def nanogpt_of(args: argparse.Namespace, plan: Budgeted, device: Device | None) -> int:
    """Print the configuration of nanoGPT for a plan; its command goes to stderr."""
    from scaling_core.planning.architecture import architecture_for
    from scaling_core.planning.configuration import nanogpt
    from scaling_core.planning.recipe import make_recipe

    if device is not None and device.kind == "tpu":
        return _refused("nanoGPT does not train on TPUs.")
    vocab, context = text_of(args)
    model = architecture_for(plan.N, vocab_size=vocab, context=context)
    loss = plan.loss if 0.1 <= plan.loss <= 20 else None
    recipe = make_recipe(model, plan.D, loss=loss, devices=1 if plan.machine is None else plan.machine.count)
    made = nanogpt(
        model,
        recipe,
        device="mps" if device is not None and device.kind == "mac" else "cuda",
        memory_bytes=None if device is None else device.memory,
    )
    if made.reason:
        return _refused(made.reason)
    if args.json:
        print_json(
            {
                "config": "nanogpt",
                "text": made.text,
                "command": made.command,
                "params": model.count.total,
                "tokens": recipe.tokens,
                "notes": list(recipe.cautions),
            }
        )
        return 0
    sys.stdout.write(made.text)
    say(f"Saved as config/plan.py of nanoGPT, it is run by: {made.command}")
    return 0


def text_of(args: argparse.Namespace) -> tuple[int, int]:
    """Entries of the vocabulary and tokens of a sequence, GPT-2's where not given; raises InputError for others."""
    vocab = 50_257 if args.vocab is None else parse_count(args.vocab, field="vocab", minimum=2, maximum=2**22)
    context = 1024 if args.context is None else parse_count(args.context, field="context", minimum=8, maximum=2**20)
    return vocab, context


def lab_of(args: argparse.Namespace, plan: Budgeted) -> int:
    """Print the lab's own command for a plan; what to know of it goes to stderr."""
    from scaling_core.planning.ladder import lab_ladder
    from scaling_core.runs import place
    from scaling_core.runs.calibrations import of_this_machine

    measured = of_this_machine(place.home())
    ladder = lab_ladder(plan.N, plan.D, device="mps" if sys.platform == "darwin" else "cpu", calibration=measured)
    if ladder.spec is None:
        return _refused(ladder.reason)
    seconds = None if ladder.plan is None else ladder.plan.seconds
    if args.json:
        found = {"config": "lab", "command": ladder.command, "params": ladder.params, "seconds": seconds}
        print_json({**found, "notes": list(ladder.notes)})
        return 0
    print(ladder.command)
    time = "this machine was not measured yet" if seconds is None else f"about {format_duration(seconds)} here"
    say(
        f"The largest of {len(ladder.spec.shapes)} sizes, {format_quantity(ladder.params)} parameters, is foretold "
        f"before it is trained; {time}.",
        *ladder.notes,
    )
    return 0


def _refused(reason: str) -> int:
    say(reason)
    return BAD_INPUT
