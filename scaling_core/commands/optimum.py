"""`inference`, `overtrain`, `repeat`: optima of models that are served, kept small, or short of data."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from scaling_core.catalog import Preset
from scaling_core.commands.shared import SubParsers, add, caveats, maybe
from scaling_core.errors import InputError
from scaling_core.laws import MuennighoffLaw
from scaling_core.library import all_laws, find_law
from scaling_core.optimum import (
    Allocation,
    compute_wall,
    data_limited,
    epochs_curve,
    inference_optimal,
    loss_limit,
    smaller_model,
    token_worth,
    worthless_epochs,
)
from scaling_core.output import print_json, say, table
from scaling_core.units import format_flops, format_loss, format_quantity, parse_quantity

TIMES = (1.1, 1.5, 2.0, 5.0, 10.0)
"""Multiples of the optimum's compute that `overtrain` shows where none is named."""
EPOCHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Epochs that `repeat --params` shows."""
WITHIN = 0.01
"""Nats from the limit at which more compute is said to have stopped helping."""
WORTHLESS = 0.01
"""Share of the second epoch's gain below which another epoch is called worthless."""


def register(commands: SubParsers) -> None:
    """Add the commands about optima that are not those of training alone."""
    served = add(commands, "inference", _inference, "cheapest model to train and then to serve, at one quality")
    _with_target(served)
    served.add_argument("--served", required=True, metavar="TOKENS", help="tokens it will read and write in its life")

    smaller = add(commands, "overtrain", _overtrain, "smaller models of one quality, for more training compute")
    _with_target(smaller)
    smaller.add_argument(
        "--times", metavar="X", help="multiple of the optimum's compute, at least 1 (default: several)"
    )

    repeat = add(commands, "repeat", _repeat, "the best training on a limited number of unique tokens")
    repeat.add_argument("--law", default="muennighoff2023", metavar="ID", help="a law of repeated data")
    repeat.add_argument("--unique", required=True, metavar="U", help="unique tokens there are")
    given = repeat.add_mutually_exclusive_group(required=True)
    given.add_argument("--compute", metavar="C", help="the budget, FLOP: how large, and how many epochs")
    given.add_argument("--params", metavar="N", help="a size: what each epoch brings")


def _with_target(parser: argparse.ArgumentParser) -> None:
    """The law and the quality, named by its loss or by the compute that buys it."""
    parser.add_argument("--law", required=True, metavar="ID", help="a law in N and D, see `laws`")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--loss", metavar="L", help="the quality as a loss, nats per token")
    given.add_argument("--compute", metavar="C", help="the quality that this training compute buys at best, FLOP")


def _target(args: argparse.Namespace) -> dict[str, float | None]:
    return {"loss": maybe(args.loss, "loss", minimum=0.0), "C": maybe(args.compute, "compute")}


def _allocation(best: Allocation) -> dict[str, float]:
    return {
        "params": best.N,
        "tokens": best.D,
        "compute": best.C,
        "loss": best.loss,
        "tokens_per_param": best.tokens_per_param,
    }


def _head(preset: Preset) -> dict[str, Any]:
    return {"law": preset.id, "convention": preset.convention}


def _law_row(preset: Preset) -> tuple[str, str]:
    return "law", f"{preset.name} ({preset.source}; {preset.convention} parameters)"


def _inference(args: argparse.Namespace) -> int:
    preset = find_law(args.law)
    served = parse_quantity(args.served, field="served", allow_zero=True)
    found = inference_optimal(preset.joint, **_target(args), D_inference=served)
    notes = caveats(preset, N=found.N, D=found.D)
    if args.json:
        print_json(
            {
                **_head(preset),
                "loss": found.loss,
                "served": found.D_inference,
                "params": found.N,
                "tokens": found.D,
                "tokens_per_param": found.tokens_per_param,
                "training_flops": found.training_flops,
                "inference_flops": found.inference_flops,
                "total_flops": found.total_flops,
                "saving": found.saving,
                "optimum": {**_allocation(found.optimum), "total_flops": found.optimum_total_flops},
                "notes": notes,
            }
        )
        return 0
    best = found.optimum
    serving = found.optimum_total_flops - best.C
    rows = [
        ("", "with serving", "training alone"),
        ("params", format_quantity(found.N), format_quantity(best.N)),
        ("tokens", format_quantity(found.D), format_quantity(best.D)),
        ("tokens per param", format_quantity(found.tokens_per_param), format_quantity(best.tokens_per_param)),
        ("training", format_flops(found.training_flops), format_flops(best.C)),
        ("serving", format_flops(found.inference_flops), format_flops(serving)),
        ("total", format_flops(found.total_flops), format_flops(found.optimum_total_flops)),
    ]
    print(table(rows))
    print(f"Both reach {format_loss(found.loss)} nats per token; the first saves {100 * found.saving:.3g}% in all.")
    print("  ".join(_law_row(preset)))
    say(*notes)
    return 0


def _overtrain(args: argparse.Namespace) -> int:
    preset = find_law(args.law)
    times = TIMES if args.times is None else (parse_quantity(args.times, field="times", minimum=1.0),)
    models = [smaller_model(preset.joint, **_target(args), times=x) for x in times]
    best, least = models[0].optimum, models[0].least_fraction
    notes = caveats(preset, N=min(m.N for m in models), D=max(m.D for m in models))
    if args.json:
        rows = [
            {
                "times": x,
                "params": m.N,
                "tokens": m.D,
                "compute": m.C,
                "fraction": m.fraction,
                "tokens_per_param": m.tokens_per_param,
            }
            for x, m in zip(times, models, strict=True)
        ]
        print_json(
            {**_head(preset), "optimum": _allocation(best), "least_fraction": least, "models": rows, "notes": notes}
        )
        return 0
    lines = [("compute", "params", "of the optimum", "tokens", "tokens per param")]
    lines.append(
        (
            format_flops(best.C),
            format_quantity(best.N),
            "the optimum",
            format_quantity(best.D),
            format_quantity(best.tokens_per_param),
        )
    )
    lines += [
        (
            f"{format_flops(m.C)}, {x:g} times",
            format_quantity(m.N),
            f"{100 * m.fraction:.3g}%",
            format_quantity(m.D),
            format_quantity(m.tokens_per_param),
        )
        for x, m in zip(times, models, strict=True)
    ]
    print(table(lines))
    print(
        f"All reach {format_loss(best.loss)} nats per token; below {100 * least:.3g}% of the optimum no data suffice."
    )
    print("  ".join(_law_row(preset)))
    say(*notes)
    return 0


def _repeat(args: argparse.Namespace) -> int:
    preset = find_law(args.law)
    law = preset.law
    if not isinstance(law, MuennighoffLaw):
        known = ", ".join(p.id for p in all_laws() if isinstance(p.law, MuennighoffLaw))
        raise InputError("law", preset.id, f"it must be a law of repeated data: {known}")
    U = parse_quantity(args.unique, field="unique", minimum=1.0)
    N, C = maybe(args.params, "params"), maybe(args.compute, "compute")
    return _budget(args, preset, law, U, C) if C is not None else _epochs(args, preset, law, U, N or 0.0)


def _budget(args: argparse.Namespace, preset: Preset, law: MuennighoffLaw, U: float, C: float) -> int:
    best, stop, limit = data_limited(law, U=U, C=C), compute_wall(law, U, within=WITHIN), loss_limit(law, U)
    dead = worthless_epochs(law, WORTHLESS)
    notes = caveats(preset, N=best.N, D=best.D)
    free = best.unlimited
    if args.json:
        print_json(
            {
                **_head(preset),
                "unique": U,
                "compute": C,
                "params": best.N,
                "tokens": best.D,
                "epochs": best.epochs,
                "params_effective": best.N_effective,
                "tokens_effective": best.D_effective,
                "loss": best.loss,
                "loss_penalty": best.loss_penalty,
                "compute_equivalent": best.compute_equivalent,
                "unlimited": _allocation(free),
                "limit": {"loss": limit, "within": WITHIN, "compute": stop.C, "epochs": stop.epochs},
                "worthless_epochs": dead,
                "notes": notes,
            }
        )
        return 0
    rows = [
        ("", f"{format_quantity(U)} unique", "unlimited"),
        ("params", format_quantity(best.N), format_quantity(free.N)),
        ("tokens", format_quantity(best.D), format_quantity(free.D)),
        ("epochs", format_quantity(best.epochs), ""),
        ("worth in new tokens", format_quantity(best.D_effective), format_quantity(free.D)),
        ("loss", format_loss(best.loss), format_loss(free.loss)),
        ("compute for that loss", format_flops(C), format_flops(best.compute_equivalent)),
    ]
    print(table(rows))
    print(
        f"No compute goes below {format_loss(limit)} with these data; {format_flops(stop.C)} and "
        f"{stop.epochs:.3g} epochs come within {WITHIN:g} nats of it."
    )
    print("  ".join(_law_row(preset)))
    say(*notes)
    return 0


def _epochs(args: argparse.Namespace, preset: Preset, law: MuennighoffLaw, U: float, N: float) -> int:
    curve = epochs_curve(law, U=U, N=N, epochs=np.array(EPOCHS))
    worth, dead = token_worth(law, curve.epochs), worthless_epochs(law, WORTHLESS)
    notes = caveats(preset, N=N, D=float(curve.D[-1]))
    columns = [curve.epochs, curve.D, 6.0 * N * curve.D, curve.loss, curve.fresh_loss, worth]
    points = list(zip(*(column.tolist() for column in columns), strict=True))
    if args.json:
        names = ("epochs", "tokens", "compute", "loss", "fresh_loss", "token_worth")
        rows = [dict(zip(names, point, strict=True)) for point in points]
        head = {**_head(preset), "unique": U, "params": N, "curve": rows}
        print_json({**head, "limit": {"loss": curve.limit}, "worthless_epochs": dead, "notes": notes})
        return 0
    lines = [("epochs", "tokens", "compute", "loss", "were they new", "a token is worth")]
    lines += [
        (f"{e:g}", format_quantity(d), format_flops(c), format_loss(loss), format_loss(fresh), f"{100 * w:.3g}%")
        for e, d, c, loss, fresh, w in points
    ]
    print(table(lines))
    print(
        f"No number of epochs brings this size below {format_loss(curve.limit)}; after {dead:.3g} one more buys less "
        f"than {100 * WORTHLESS:g}% of what the second did."
    )
    print("  ".join(_law_row(preset)))
    say(*notes)
    return 0
