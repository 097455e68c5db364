"""`demo`: plant a law, make runs, fit them, write the figures."""

from __future__ import annotations

import argparse

from scaling_core.commands.shared import SubParsers, add, maybe
from scaling_core.output import print_json, say, table, writable_folder, write_files
from scaling_core.units import parse_count, parse_quantity


def register(commands: SubParsers) -> None:
    """Add the command that makes synthetic runs."""
    demo = add(commands, "demo", _demo, "plant a law, make runs, fit them, write results.json and the figures")
    demo.add_argument("--out", required=True, metavar="DIR", help="folder for the files; made if it is missing")
    demo.add_argument("--law", default="hoffmann2022", metavar="ID", help="the law to plant (default hoffmann2022)")
    demo.add_argument("--seed", default="0", help="of the noise and the bootstrap")
    demo.add_argument("--noise", default="0.005", help="standard deviation of the log loss, 0 to 0.5")
    demo.add_argument("--sizes", default="7", help="model sizes, 2 to 40")
    demo.add_argument("--horizons", default="8", help="token counts per size, 2 to 40")
    for name, value in (("params-low", "10M"), ("params-high", "10B"), ("tokens-low", "200M"), ("tokens-high", "200B")):
        demo.add_argument(f"--{name}", default=value, metavar="X", help=f"end of the range (default {value})")
    demo.add_argument("--bootstrap", default="200", metavar="R", help="refits for the intervals (default 200)")
    demo.add_argument("--theme", choices=("light", "dark"), default="light", help="of the figures")


def _demo(args: argparse.Namespace) -> int:
    from scaling_core.demo import DemoSpec, run_demo, to_json
    from scaling_core.viz.demo import figure_files
    from scaling_core.viz.theme import theme_of

    spec = DemoSpec.of_preset(
        args.law,
        N_low=maybe(args.params_low, "params-low"),
        N_high=maybe(args.params_high, "params-high"),
        D_low=maybe(args.tokens_low, "tokens-low"),
        D_high=maybe(args.tokens_high, "tokens-high"),
        n_sizes=parse_count(args.sizes, field="sizes", minimum=2, maximum=40),
        n_horizons=parse_count(args.horizons, field="horizons", minimum=2, maximum=40),
        noise=parse_quantity(args.noise, field="noise", maximum=0.5, allow_zero=True),
        seed=parse_count(args.seed, field="seed"),
    )
    bootstrap = parse_count(args.bootstrap, field="bootstrap", maximum=10_000)
    folder = writable_folder(args.out)
    result = run_demo(spec, bootstrap=bootstrap)
    contents = {"results.json": to_json(result).encode(), **figure_files(result, theme_of(args.theme))}
    files = [str(path) for path in write_files(folder, contents)]
    if args.json:
        print_json({"out": str(folder), "files": files, "constants": result.fit.constants, "seed": spec.seed})
        return 0
    say(*result.fit.warnings)
    print(
        table(
            [
                ("constant", "planted", "fitted"),
                *((name, f"{r.planted:.6g}", f"{r.fitted:.6g}") for name, r in result.recovery.items()),
            ]
        )
    )
    for path in files:
        print(path)
    return 0
