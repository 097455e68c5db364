"""The command line: everything a page does, without a page.

With --json one JSON object goes to stdout and messages go to stderr. A bad input exits with 2 and one sentence
on stderr that names the field, the value seen and what is allowed; anything else that fails exits with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from scaling_core import __version__, catalog
from scaling_core.errors import CorpusError, FitError, InputError, ScalingError
from scaling_core.flops import training_flops
from scaling_core.laws import PowerLaw
from scaling_core.optimum import optimal
from scaling_core.output import print_json, say, table, writable_folder, write_files
from scaling_core.units import format_flops, format_loss, format_quantity, parse_count, parse_quantity

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

BAD_INPUT = 2
_ELSEWHERE = {"lab": "train a ladder of real models on this machine", "doctor": "check this machine"}


class _Nothing:
    """What was seen in a field that was left out."""

    def __str__(self) -> str:
        return "nothing"


class _Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2 after one sentence; the usage is a --help away."""
        text = " ".join(message.split()).rstrip(".")
        sys.stderr.write(f"{self.prog}: {text}; see {self.prog} --help.\n")
        sys.exit(BAD_INPUT)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of every command; those of `lab` and `doctor` are filled in only when `command` names them."""
    parser: argparse.ArgumentParser = _Parser(
        prog="python -m scaling_core",
        description="Scaling laws: published constants, predictions, optima, fits, and a lab that trains real ladders.",
        epilog="Numbers may be written 70B, 1.4T or 5.76e23.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"scaling-lab {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_theory(commands)
    _add_fit(commands)
    _add_demo(commands)
    if command == "lab":
        from scaling_core.lab.commands import register as register_lab

        register_lab(commands)
    elif command == "doctor":
        from scaling_core.doctor import register as register_doctor

        register_doctor(commands)
    for name, text in _ELSEWHERE.items():
        if name != command:
            commands.add_parser(name, help=text, add_help=False)
    return parser


def _add(
    commands: SubParsers, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(func=run)
    parser.add_argument("--json", action="store_true", help="print one JSON value on stdout")
    return parser


def _add_theory(commands: SubParsers) -> None:
    laws = _add(commands, "laws", _laws, "list the published laws with their constants and sources")
    laws.add_argument("--kind", choices=("all", "joint", "univariate"), default="all", help="which laws")

    predict = _add(commands, "predict", _predict, "loss that a law predicts for a model and its training")
    predict.add_argument("--law", required=True, metavar="ID", help="a published law, see `laws`")
    predict.add_argument("--params", metavar="N", help="parameters")
    predict.add_argument("--tokens", metavar="D", help="training tokens")
    predict.add_argument("--compute", metavar="C", help="training FLOP, for a law in compute alone")

    best = _add(commands, "optimal", _optimal, "compute-optimal size and tokens under a law")
    best.add_argument("--law", required=True, metavar="ID", help="a published law in N and D, see `laws`")
    given = best.add_mutually_exclusive_group(required=True)
    given.add_argument("--compute", metavar="C", help="the budget, FLOP")
    given.add_argument("--params", metavar="N", help="a size: what compute makes it optimal")
    given.add_argument("--tokens", metavar="D", help="tokens: what compute makes them optimal")
    given.add_argument("--loss", metavar="L", help="a target loss, nats per token")


def _add_fit(commands: SubParsers) -> None:
    fit = _add(commands, "fit", _fit, "fit a law to a CSV of runs")
    fit.add_argument("file", metavar="FILE.csv", help="columns for the loss and any two of N, D, C")
    fit.add_argument("--approach", choices=("parametric",), default="parametric", help="how (default parametric)")
    fit.add_argument(
        "--form", default="chinchilla", help="chinchilla, power-N, power-D, power-C, or power-N-offset, ..."
    )
    fit.add_argument("--objective", default="huber-log", help="huber-log, lad, ls-log or ls (default huber-log)")
    fit.add_argument("--delta", default="1e-3", help="width of the Huber loss (default 1e-3)")
    fit.add_argument("--bootstrap", default="4000", metavar="R", help="refits for the intervals, 0 for none")
    fit.add_argument("--seed", default="0", help="of the bootstrap")


def _add_demo(commands: SubParsers) -> None:
    demo = _add(commands, "demo", _demo, "plant a law, make runs, fit them, write results.json and the figures")
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


def _laws(args: argparse.Namespace) -> int:
    rows = [preset.to_dict() for preset in catalog.presets(args.kind)]
    if args.json:
        print_json(rows)
        return 0
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
    return 0


def _notes(preset: catalog.Preset, *, N: float | None, D: float | None, C: float | None = None) -> list[str]:
    return [*([preset.warning] if preset.warning else []), *preset.range_notes(N=N, D=D, C=C)]


def _maybe(text: str | None, field: str, *, minimum: float = 1.0) -> float | None:
    return None if text is None else parse_quantity(text, field=field, minimum=minimum)


def _predict(args: argparse.Namespace) -> int:
    preset = catalog.preset(args.law)
    N, D, C = _maybe(args.params, "params"), _maybe(args.tokens, "tokens"), _maybe(args.compute, "compute")
    law, given = preset.law, {"N": N, "D": D, "C": C}
    needed = (law.variable,) if isinstance(law, PowerLaw) else ("N", "D")
    for name, option in (("N", "params"), ("D", "tokens"), ("C", "compute")):
        if name in needed and given[name] is None:
            raise InputError(option, _Nothing(), f"the law {preset.id} needs --{option}")
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
        loss, flops = law.loss(n, d), training_flops(n, d)
        terms = {name: float(value) for name, value in law.terms(n, d).items()}
    notes = _notes(preset, N=N, D=D, C=C)
    if args.json:
        head = {"law": preset.id, "convention": preset.convention, "params": N, "tokens": D}
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
    preset = catalog.preset(args.law)
    found = optimal(
        preset.joint,
        C=_maybe(args.compute, "compute"),
        N=_maybe(args.params, "params"),
        D=_maybe(args.tokens, "tokens"),
        loss=_maybe(args.loss, "loss", minimum=0.0),
    )
    notes = _notes(preset, N=found.N, D=found.D)
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


def _demo(args: argparse.Namespace) -> int:
    from scaling_core.demo import DemoSpec, run_demo, to_json
    from scaling_core.viz.demo import figure_files
    from scaling_core.viz.theme import theme_of

    spec = DemoSpec.of_preset(
        args.law,
        N_low=_maybe(args.params_low, "params-low"),
        N_high=_maybe(args.params_high, "params-high"),
        D_low=_maybe(args.tokens_low, "tokens-low"),
        D_high=_maybe(args.tokens_high, "tokens-high"),
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


def _join_negatives(argv: Sequence[str]) -> list[str]:
    """`--params -inf` as `--params=-inf`, so that the value reaches the field that refuses it by name."""
    joined: list[str] = []
    for word in argv:
        before = joined[-1] if joined else ""
        option = before.startswith("--") and "=" not in before and len(before) > 2
        if option and len(word) > 1 and word[0] == "-" and word[1] != "-" and word != "-h":
            joined[-1] = f"{before}={word}"
        else:
            joined.append(word)
    return joined


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 2 for a bad input, 1 for anything else that failed."""
    words = _join_negatives(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if not word.startswith("-")), None)
    try:
        args = build_parser(command).parse_args(words)
        status: int = args.func(args)
        sys.stdout.flush()
    except (InputError, FitError, CorpusError) as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except ScalingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status
