"""`fit`: a law through a table of runs, by any of the three approaches."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_core.commands.shared import SubParsers, add
from scaling_core.errors import InputError
from scaling_core.output import print_json, say, table
from scaling_core.units import format_flops, format_loss, format_quantity, parse_count, parse_quantity

if TYPE_CHECKING:
    from scaling_core.catalog import Convention
    from scaling_core.fit import AllocationFit, FitResult, RepeatedFit, RunPoints, RunTable

ONLY: dict[str, tuple[str, ...]] = {
    "parametric": ("form", "objective", "delta", "weights", "fix", "shared", "interval", "save", "validate"),
    "isoflop": ("method",),
    "envelope": (),
}
"""Options that one approach alone understands."""


def register(commands: SubParsers) -> None:
    """Add the command that fits."""
    fit = add(commands, "fit", _fit, "fit a law to a table of runs")
    fit.add_argument("file", metavar="FILE.csv", help="columns for the loss and any two of N, D, C")
    fit.add_argument("--approach", choices=tuple(ONLY), default="parametric", help="3, 2 or 1 of Hoffmann et al. 2022")
    rows = fit.add_argument_group("the table")
    rows.add_argument("--count", metavar="KIND", help="which parameters N counts, where the table has several columns")
    rows.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be read")
    law = fit.add_argument_group("a parametric fit")
    law.add_argument("--form", help="chinchilla (default), kaplan, gadre, muennighoff, power-N, power-N-offset, ...")
    law.add_argument("--base", metavar="ID", help="muennighoff: a law to hold, so that only R_D* and R_N* are fitted")
    law.add_argument("--objective", help="huber-log (default), lad, ls-log or ls")
    law.add_argument("--delta", help="width of the Huber loss (default 1e-3)")
    law.add_argument("--weights", help="equal (default), or se: by the runs' standard errors")
    law.add_argument("--fix", action="append", metavar="NAME=VALUE", help="hold a constant; may be given again")
    law.add_argument("--shared", action="store_true", default=None, help="one exponent for N and D")
    law.add_argument("--interval", help="bias-corrected or percentile; by default what covers best")
    law.add_argument("--validate", action="store_true", default=None, help="refit parts of the runs, predict the rest")
    law.add_argument("--save", metavar="NAME", help="keep the law under this name for every other command and page")
    profiles = fit.add_argument_group("isoFLOP profiles")
    profiles.add_argument("--method", help="profile (default, unbiased), parabola or interpolate")
    spread = fit.add_argument_group("uncertainty")
    spread.add_argument("--bootstrap", default="4000", metavar="R", help="refits for the intervals, 0 for none")
    spread.add_argument("--resampling", help="pairs, cluster or residual; by default what suits the runs")
    spread.add_argument("--seed", default="0", help="of the bootstrap")


def _fit(args: argparse.Namespace) -> int:
    from scaling_core.fit import MAX_BOOTSTRAP, read_table

    form = args.form or "chinchilla"
    for approach, names in ONLY.items():
        for option in names:
            value = getattr(args, option)
            if approach != args.approach and value is not None:
                shown = " ".join(value) if isinstance(value, list) else str(value)
                raise InputError(option, shown, f"it belongs to --approach {approach}")
    if args.base is not None and form != "muennighoff":
        raise InputError("base", args.base, "it belongs to --form muennighoff")
    bootstrap = parse_count(args.bootstrap, field="bootstrap", maximum=MAX_BOOTSTRAP)
    seed = parse_count(args.seed, field="seed")
    common: dict[str, Any] = {"bootstrap": bootstrap, "seed": seed}
    if args.resampling is not None:
        common["resampling"] = args.resampling
    delta = None if args.delta is None else parse_quantity(args.delta, field="delta", maximum=10.0)
    fixed = None if args.fix is None else _fixed(args.fix)
    if form != "muennighoff":
        _known_form(form)
    runs = read_table(Path(args.file), count=args.count, skip_bad=args.skip_bad)
    say(*_about(runs))
    if args.approach != "parametric":
        return _allocation(args, runs.fitted, common)
    chosen = {
        "objective": args.objective,
        "delta": delta,
        "shared": args.shared,
        "interval_method": args.interval,
        "weights": args.weights,
        "fixed": fixed,
    }
    options = common | {name: value for name, value in chosen.items() if value is not None}
    if form == "muennighoff":
        return _repeated(args, runs.fitted, options)
    return _parametric(args, runs, form, options)


def _known_form(name: str) -> None:
    from scaling_core.fit import FORMS

    if name not in FORMS:
        raise InputError("form", name, f"it must be one of {', '.join([*FORMS, 'muennighoff'])}")


def _about(runs: RunTable) -> list[str]:
    """What was understood of the table, as sentences."""
    sentences = list(runs.notes)
    if runs.skipped_count:
        first = "; ".join(f"line {line}: {reason}" for line, reason in runs.skipped[:3])
        sentences.append(f"{runs.skipped_count} rows were left out. {first}")
    if runs.held_out is not None and runs.held_out.any():
        sentences.append(f"{int(runs.held_out.sum())} runs are marked as held out and are not fitted.")
    return sentences


def _fixed(pairs: list[str]) -> dict[str, float]:
    fixed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError("fix", pair, "it must be NAME=VALUE, such as E=1.69")
        fixed[name.strip()] = parse_quantity(value, field=f"fix {name.strip()}", maximum=1e300, allow_zero=True)
    return fixed


def _parametric(args: argparse.Namespace, runs: RunTable, form: str, options: Mapping[str, Any]) -> int:
    from scaling_core.fit import fit_law
    from scaling_core.fit.validation import validate

    result = fit_law(runs.fitted, form=form, **options)
    checked = validate(result).to_dict() if args.validate else None
    saved = None
    if args.save is not None:
        from scaling_core.library import save_fit

        convention: Convention = "non-embedding" if runs.count == "params_non_embedding" else "total"
        saved = save_fit(result, args.save, source=f"fitted to {Path(args.file).name}", convention=convention).id
    if args.json:
        print_json({"approach": args.approach, **result.to_dict(), "validation": checked, "saved": saved})
        return 0
    say(*result.warnings)
    _print_constants(result)
    print(f"{result.n} runs, {result.objective} = {result.value:.9g}, residual sd {result.scale:.3g} in log loss")
    if checked is not None:
        _print_validation(checked)
    if saved is not None:
        print(f"saved as {saved}")
    return 0


def _repeated(args: argparse.Namespace, points: RunPoints, options: Mapping[str, Any]) -> int:
    from scaling_core import library
    from scaling_core.fit import fit_repeated
    from scaling_core.laws import as_chinchilla

    for option in ("weights", "fix", "save", "validate"):
        if getattr(args, option) is not None:
            raise InputError(option, str(getattr(args, option)), "it is not offered for --form muennighoff")
    base = None
    if args.base is not None:
        base = as_chinchilla(library.find_law(args.base).joint)
        if base is None:
            raise InputError("base", args.base, "it must be a law of the Chinchilla form")
    result = fit_repeated(points, base=base, joint=base is None, **options)
    if args.json:
        print_json({"approach": args.approach, **result.to_dict()})
        return 0
    say(*result.warnings)
    _print_constants(result)
    print(f"{result.n} runs, {result.repeated} of them on repeated data, {result.objective} = {result.value:.9g}")
    return 0


def _allocation(args: argparse.Namespace, points: RunPoints, options: Mapping[str, Any]) -> int:
    from scaling_core.fit import fit_envelope, fit_isoflop

    if args.approach == "isoflop":
        method = {} if args.method is None else {"method": args.method}
        result = fit_isoflop(points, **options, **method)
    else:
        result = fit_envelope(points, **options)
    if args.json:
        print_json(result.to_dict())
        return 0
    say(*result.warnings)
    _print_constants(result)
    shown = result.optima[:: max(1, len(result.optima) // 20)]
    rows = [("compute", "N", "D", "loss", "")]
    rows += [
        (
            format_flops(row.C),
            "" if row.N is None else format_quantity(row.N),
            "" if row.D is None else format_quantity(row.D),
            "" if row.loss is None else format_loss(row.loss),
            row.refused or "",
        )
        for row in shown
    ]
    print(table(rows))
    return 0


def _print_constants(result: FitResult | AllocationFit | RepeatedFit) -> None:
    rows = [("constant", "value", f"{result.level:.0%} interval")]
    for name, value in result.constants.items():
        rows.append((name, f"{value:.6g}", _written(result.intervals.get(name))))
    for name, value in result.exponents.items():
        letter = "N" if name == "a" else "D"
        rows.append((f"{letter}* ~ C^{name}", f"{value:.6g}", _written(result.exponent_intervals.get(name))))
    print(table(rows))


def _written(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.6g} to {interval[1]:.6g}"


def _print_validation(checked: Mapping[str, Any]) -> None:
    """Errors where the law was not fitted, in percent of the loss, and what the talk promised there."""
    rows = [("predicted without being fitted", "runs", "median error", "worst", "promised")]
    out, top = checked["leave_one_out"], checked["leave_largest_out"]
    named = [("each run by all others", out)] if out else []
    named += [("the runs of most compute", top)] if top else []
    named += [(f"{step['factor']:g}x beyond the runs fitted", step) for step in checked["extrapolation"]]
    for name, step in named:
        promised = step.get("promised")
        kept = "" if promised is None else f"{promised:.0%}, {'kept' if step['kept'] else 'not kept'}"
        rows.append((name, str(step["runs"]), f"{step['median']:.2%}", f"{step['worst']:.2%}", kept))
    print(table(rows))
    for factor in checked["out_of_reach"]:
        print(f"{factor:g}x: the runs do not reach so far")
