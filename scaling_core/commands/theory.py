"""`laws`, `predict`, `optimal`: published and saved laws, what they say of a model, and their optima."""

from __future__ import annotations

import argparse

from scaling_core.allocations import allocations
from scaling_core.commands.shared import Nothing, SubParsers, add, caveats, maybe
from scaling_core.errors import InputError
from scaling_core.flops import training_flops
from scaling_core.laws import MuennighoffLaw, PowerLaw
from scaling_core.library import all_laws, find_law, library_problems
from scaling_core.optimum import optimal
from scaling_core.output import print_json, say, table
from scaling_core.units import format_flops, format_loss, format_quantity


def register(commands: SubParsers) -> None:
    """Add the commands about published and saved laws."""
    laws = add(commands, "laws", _laws, "list the published and the saved laws with their constants and sources")
    kinds = ("all", "joint", "univariate", "allocation")
    laws.add_argument("--kind", choices=kinds, default="all", help="which laws, or published allocations instead")

    predict = add(commands, "predict", _predict, "loss that a law predicts for a model and its training")
    predict.add_argument("--law", required=True, metavar="ID", help="a published or saved law, see `laws`")
    predict.add_argument("--params", metavar="N", help="parameters")
    predict.add_argument("--tokens", metavar="D", help="training tokens")
    predict.add_argument("--unique", metavar="U", help="how many of the tokens are unique, for muennighoff2023")
    predict.add_argument("--compute", metavar="C", help="training FLOP, for a law in compute alone")

    best = add(commands, "optimal", _optimal, "compute-optimal size and tokens under a law")
    best.add_argument("--law", required=True, metavar="ID", help="a law in N and D, see `laws`")
    given = best.add_mutually_exclusive_group(required=True)
    given.add_argument("--compute", metavar="C", help="the budget, FLOP")
    given.add_argument("--params", metavar="N", help="a size: what compute makes it optimal")
    given.add_argument("--tokens", metavar="D", help="tokens: what compute makes them optimal")
    given.add_argument("--loss", metavar="L", help="a target loss, nats per token")


def _laws(args: argparse.Namespace) -> int:
    if args.kind == "allocation":
        return _allocations(args)
    rows = [preset.to_dict() for preset in all_laws(args.kind)]
    if args.json:
        print_json(rows)
    else:
        print(
            table(
                [
                    ("id", "form", "constants", "source"),
                    *(
                        (
                            row["id"],
                            row["form"],
                            " ".join(f"{name}={value:.6g}" for name, value in row["constants"].items()),
                            row["source"] + (" [secondary source]" if row["secondary"] else ""),
                        )
                        for row in rows
                    ),
                ]
            )
        )
        say(*(f"{row['id']}: {row['warning']}" for row in rows if row["warning"]))
    say(*library_problems())
    return 0


def _allocations(args: argparse.Namespace) -> int:
    rows = allocations()
    if args.json:
        print_json([row.to_dict() for row in rows])
        return 0
    cells = [("id", "quantity", "coefficient", "exponent", "interval", "source")]
    for row in rows:
        coefficient = "" if row.coefficient is None else format_quantity(row.coefficient, digits=5)
        interval = f"{row.low:g} to {row.high:g} ({row.interval})" if row.low is not None else ""
        source = row.source + (" [secondary source]" if row.secondary else "")
        cells.append((row.id, f"{row.quantity}, {row.unit}", coefficient, f"{row.exponent:g}", interval, source))
    print(table(cells))
    return 0


def _predict(args: argparse.Namespace) -> int:
    preset = find_law(args.law)
    N, D, C = maybe(args.params, "params"), maybe(args.tokens, "tokens"), maybe(args.compute, "compute")
    U = maybe(args.unique, "unique")
    law, given = preset.law, {"N": N, "D": D, "C": C}
    if U is not None and not isinstance(law, MuennighoffLaw):
        raise InputError("unique", args.unique, f"the law {preset.id} does not tell repeated tokens from new ones")
    needed = (law.variable,) if isinstance(law, PowerLaw) else ("N", "D")
    for name, option in (("N", "params"), ("D", "tokens"), ("C", "compute")):
        if name in needed and given[name] is None:
            raise InputError(option, Nothing(), f"the law {preset.id} needs --{option}")
        if name not in needed and given[name] is not None:
            raise InputError(
                option, getattr(args, option), f"the law {preset.id} is one of {' and '.join(needed)} only"
            )
    if isinstance(law, PowerLaw):
        x = given[law.variable] or 0.0
        loss, flops = law.loss(x), C
        terms = {"E": law.floor, law.variable: loss - law.floor}
    else:
        n, d = N or 0.0, D or 0.0
        parts = law.terms(n, d, U) if isinstance(law, MuennighoffLaw) else law.terms(n, d)
        loss = law.loss(n, d, U) if isinstance(law, MuennighoffLaw) else law.loss(n, d)
        flops, terms = training_flops(n, d), {name: float(value) for name, value in parts.items()}
    notes = caveats(preset, N=N, D=D, C=C)
    if args.json:
        head = {"law": preset.id, "convention": preset.convention, "params": N, "tokens": D, "unique": U}
        print_json({**head, "loss": loss, "flops": flops, "terms": terms, "notes": notes})
        return 0
    print(
        table(
            [
                ("loss", f"{format_loss(loss)} nats per token"),
                *((f"  term {name}", format_loss(value)) for name, value in terms.items()),
                *([] if flops is None else [("compute", format_flops(flops))]),
                ("law", f"{preset.name} ({preset.source}; {preset.convention} parameters)"),
            ]
        )
    )
    say(*notes)
    return 0


def _optimal(args: argparse.Namespace) -> int:
    preset = find_law(args.law)
    found = optimal(
        preset.joint,
        C=maybe(args.compute, "compute"),
        N=maybe(args.params, "params"),
        D=maybe(args.tokens, "tokens"),
        loss=maybe(args.loss, "loss", minimum=0.0),
    )
    notes = caveats(preset, N=found.N, D=found.D)
    published = None
    if preset.allocation is not None:
        n, d = preset.allocation.at(found.C)
        published = {"params": n, "tokens": d}
        notes.append(
            f"The paper's own allocation at {format_flops(found.C)} is {format_quantity(n)} parameters on "
            f"{format_quantity(d)} tokens; it does not follow from this law."
        )
    if args.json:
        answer = {"params": found.N, "tokens": found.D, "compute": found.C, "loss": found.loss}
        answer["tokens_per_param"] = found.tokens_per_param
        head = {"law": preset.id, "convention": preset.convention}
        print_json({**head, **answer, "published_allocation": published, "notes": notes})
        return 0
    print(
        table(
            [
                ("params", format_quantity(found.N)),
                ("tokens", format_quantity(found.D)),
                ("compute", format_flops(found.C)),
                ("loss", f"{format_loss(found.loss)} nats per token"),
                ("tokens per param", format_quantity(found.tokens_per_param)),
                ("law", f"{preset.name} ({preset.source}; {preset.convention} parameters)"),
            ]
        )
    )
    say(*notes)
    return 0
