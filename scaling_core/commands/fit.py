"""`fit`: a law through a CSV of runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from scaling_core.commands.shared import SubParsers, add
from scaling_core.output import print_json, say, table
from scaling_core.units import parse_count, parse_quantity


def register(commands: SubParsers) -> None:
    """Add the command that fits."""
    fit = add(commands, "fit", _fit, "fit a law to a CSV of runs")
    fit.add_argument("file", metavar="FILE.csv", help="columns for the loss and any two of N, D, C")
    fit.add_argument("--approach", choices=("parametric",), default="parametric", help="how (default parametric)")
    fit.add_argument(
        "--form", default="chinchilla", help="chinchilla, power-N, power-D, power-C, or power-N-offset, ..."
    )
    fit.add_argument("--objective", default="huber-log", help="huber-log, lad, ls-log or ls (default huber-log)")
    fit.add_argument("--delta", default="1e-3", help="width of the Huber loss (default 1e-3)")
    fit.add_argument("--bootstrap", default="4000", metavar="R", help="refits for the intervals, 0 for none")
    fit.add_argument("--seed", default="0", help="of the bootstrap")


def _fit(args: argparse.Namespace) -> int:
    from scaling_core.fit import MAX_BOOTSTRAP, fit_law, read_csv

    delta = parse_quantity(args.delta, field="delta", maximum=10.0)
    bootstrap = parse_count(args.bootstrap, field="bootstrap", maximum=MAX_BOOTSTRAP)
    seed = parse_count(args.seed, field="seed")
    points = read_csv(Path(args.file))
    result = fit_law(points, form=args.form, objective=args.objective, delta=delta, bootstrap=bootstrap, seed=seed)
    if args.json:
        print_json({"approach": args.approach, **result.to_dict()})
        return 0
    say(*result.warnings)
    rows = [("constant", "value", f"{result.level:.0%} interval")]
    named = {**result.constants, **result.exponents}
    intervals = {**result.intervals, **result.exponent_intervals}
    for name, value in named.items():
        low, high = intervals.get(name, (None, None))
        rows.append((name, f"{value:.6g}", "" if low is None else f"{low:.6g} to {high:.6g}"))
    print(table(rows))
    print(f"{result.n} runs, {result.objective} = {result.value:.9g}, residual sd {result.scale:.3g} in log loss")
    return 0
