"""`python -m scaling_core lab ...`: plan, start, extend, watch, stop, resume and delete sweeps without a page."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scaling_core.errors import FitError, InputError, StoreError
from scaling_core.lab import options, report
from scaling_core.lab.records import Plan
from scaling_core.lab.surroundings import plan_cautions
from scaling_core.output import print_json, say, table
from scaling_core.runs import place, results, supervisor
from scaling_core.runs.liveness import shown_state
from scaling_core.runs.progress import SweepStatus
from scaling_core.runs.recording import record, write_recording
from scaling_core.runs.scoring import predictions_score
from scaling_core.runs.store import Store
from scaling_core.runs.tuning import rate_bowls, rate_law
from scaling_core.units import format_duration

POLL_SECONDS = 0.5
SubParsers = Any  # argparse keeps the type of `add_subparsers` to itself


def register(commands: SubParsers) -> None:
    """Add the command `lab` with its own commands; each sets `func`, which returns the exit status."""
    lab = commands.add_parser(
        "lab", help="train a ladder of real models on this machine", allow_abbrev=False,
        description="Train a ladder of real models on this machine, in a process that outlives this one.",
    )  # fmt: skip
    known = lab.add_subparsers(dest="lab_command", metavar="COMMAND", required=True)
    plan = _add(known, "plan", _plan, "every run of a ladder with its FLOP, seconds and memory on this machine")
    options.add_ladder_options(plan)
    start = _add(known, "start", _start, "train a ladder in a detached process")
    options.add_ladder_options(start)
    tune = _add(known, "tune", _tune, "train a few sizes at several rates, to find the rate of this machine's ladders")
    options.add_tuning_options(tune)
    extend = _add(known, "extend", _extend, "add sizes, horizons or seeds to a ladder; only what is new is trained")
    extend.add_argument("sweep", metavar="SWEEP", help="its id, see `lab list`")
    options.add_extension_options(extend)
    for parser in (tune, extend):
        parser.add_argument("--plan", action="store_true", help="only say what would be trained")
    for parser in (start, tune, extend):
        parser.add_argument("--wait", action="store_true", help="follow it; Ctrl-C leaves the training untouched")
    _add(known, "list", _list, "the sweeps there are")
    _add(known, "score", _score, "how well the predictions of all sweeps have done, by factor of compute")
    for name, run, text in (
        ("status", _status, "how a sweep stands"),
        ("stop", _stop, "end the process of a sweep; what it did is kept"),
        ("resume", _resume, "go on with a sweep that was stopped, interrupted or failed"),
        ("delete", _delete, "remove a sweep and all that is stored of it"),
        ("results", _results, "points, fitted law and prediction of a sweep"),
        ("record", _record, "write a sweep to one file, to be shown on another machine"),
        ("rates", _rates, "the best rate of each size of a sweep of rates, and the law through them"),
    ):
        parser = _add(known, name, run, text)
        parser.add_argument("sweep", metavar="SWEEP", help="its id, see `lab list`")
        if name == "resume":
            parser.add_argument("--wait", action="store_true", help="follow it to its end")
        if name == "delete":
            parser.add_argument("--yes", action="store_true", help="do not ask")
        if name == "record":
            parser.add_argument("--out", metavar="FILE", required=True, help="a .json file that is not there yet")
        if name == "results":
            parser.add_argument("--csv", action="store_true", help="print the finished runs as CSV")


def _add(known: SubParsers, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = known.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(func=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    return parser


def _plan(args: argparse.Namespace) -> int:
    plan, _ = options.asked(args)
    return _print_plan(plan, args)


def _start(args: argparse.Namespace) -> int:
    plan, seed_given = options.asked(args)
    return _begin(plan, args, seed_given=seed_given)


def _tune(args: argparse.Namespace) -> int:
    plan, seed_given = options.asked(args, tunes=True)
    return _print_plan(plan, args) if args.plan else _begin(plan, args, seed_given=seed_given)


def _extend(args: argparse.Namespace) -> int:
    home = place.home()
    with Store.open_reader(home) as store:
        row = store.sweep(place.check_sweep_id(args.sweep))
    if row is None:
        raise InputError("sweep", args.sweep, "there is none of that name; `lab list` shows those there are")
    measured = supervisor.measure(row.device, home)
    plan = options.extended_plan(row, options.Wish.of(args), measured)
    return _print_plan(plan, args) if args.plan else _begin(plan, args, seed_given=True)


def _print_plan(plan: Plan, args: argparse.Namespace) -> int:
    if args.json:
        return _print_json(report.plan_dict(plan))
    print(table(report.plan_rows(plan)))
    print(f"{plan.spec.id} on {plan.spec.device}: {len(plan.runs)} runs, about {format_duration(plan.seconds)} in all")
    say(*plan.warnings)
    return 0


def _begin(plan: Plan, args: argparse.Namespace, *, seed_given: bool) -> int:
    home = place.home()
    say(*plan.warnings, *plan_cautions(plan, home))
    return _follow(lambda: supervisor.start(plan, home, seed_given=seed_given), args, home)


def _resume(args: argparse.Namespace) -> int:
    home = place.home()
    return _follow(lambda: supervisor.resume(args.sweep, home), args, home)


def _follow(begin: Callable[[], supervisor.Started], args: argparse.Namespace, home: Path) -> int:
    """Begin a training and say so, or follow it to its end; Ctrl-C ends the looking on, never the training."""
    try:
        started = begin()
    except KeyboardInterrupt:
        say("No longer watching; a process that was started already goes on untouched: `lab list` shows it.")
        return 130
    head = {"sweep": started.sweep, "pid": started.pid, "message": started.message}
    if not args.wait:
        if args.json:
            return _print_json(head)
        print(started.message or f"{started.sweep} trains in process {started.pid}; `lab status {started.sweep}`")
        return 0
    try:
        status = _wait(started.sweep, home)
    except KeyboardInterrupt:
        say(
            f"No longer watching; the training goes on untouched: `lab status {started.sweep}`, "
            f"`lab stop {started.sweep}`."
        )
        return 130
    if args.json:
        _print_json({**head, **report.status_dict(status)})
    else:
        print(report.status_text(status))
    return 0 if status.state == "finished" else 1


def _wait(sweep: str, home: Path) -> SweepStatus:
    """Follow a sweep with a line on stderr for every run that ends and everything that happens.

    Returns once it no longer runs.
    """
    told: set[str] = set()
    events = 0
    while True:
        try:
            with Store.open_reader(home) as store:
                happened = store.events(sweep)
            status = supervisor.status(sweep, home)
        except StoreError as error:  # locked for a moment, say: the training does not depend on our looking
            say(str(error))
            time.sleep(4 * POLL_SECONDS)
            continue
        say(*(event.text for event in happened[events:]))
        events = len(happened)
        for run in status.runs:
            if run.state in ("finished", "failed") and run.id not in told:
                told.add(run.id)
                left = "" if status.seconds_left is None else f", about {format_duration(status.seconds_left)} left"
                what = f"loss {run.loss:.4f}" if run.loss is not None else f"failed: {run.message}"
                say(f"{run.id}: {what}, {len(told)} of {len(status.runs)} runs{left}")
        if status.state != "running":
            return status
        time.sleep(POLL_SECONDS)


def _status(args: argparse.Namespace) -> int:
    status = supervisor.status(args.sweep)
    if args.json:
        return _print_json(report.status_dict(status))
    print(report.status_text(status))
    return 0


def _list(args: argparse.Namespace) -> int:
    known = supervisor.statuses()
    if args.json:
        fields = ("sweep", "state", "mode", "device", "created_at", "fraction")
        return _print_json({"sweeps": [{name: getattr(one, name) for name in fields} for one in known]})
    if not known:
        print("No sweep yet; `lab start` trains one.")
        return 0
    print(table(report.list_rows(known)))
    return 0


def _score(args: argparse.Namespace) -> int:
    found = predictions_score(place.home())
    if args.json:
        return _print_json(asdict(found))
    print(table(report.score_rows(found)))
    print(found.sentence)
    return 0


def _stop(args: argparse.Namespace) -> int:
    status = supervisor.stop(args.sweep)
    if args.json:
        return _print_json(report.status_dict(status))
    print(f"{status.sweep} is {status.state}; `lab resume {status.sweep}` goes on with it.")
    return 0


def _delete(args: argparse.Namespace) -> int:
    home = place.home()
    with Store.open_reader(home) as store:
        row = store.sweep(place.check_sweep_id(args.sweep))
    if row is not None and not args.yes and shown_state(row, home) != "running":
        if not sys.stdin.isatty():
            raise InputError("delete", args.sweep, "without a terminal to ask on, --yes must say that it is meant")
        print(f"Delete {args.sweep} with its checkpoints and results? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            say("Nothing was deleted.")
            return 1
    supervisor.delete(args.sweep, home)
    if args.json:
        return _print_json({"sweep": args.sweep, "deleted": True})
    print(f"{args.sweep} is deleted.")
    return 0


def _results(args: argparse.Namespace) -> int:
    if args.csv and args.json:
        raise InputError("--csv", "with --json", "it is one or the other")
    if args.csv:
        sys.stdout.write(results.export_csv(args.sweep))
        return 0
    found = results.results(args.sweep)
    if args.json:
        return _print_json(found)
    print(table(report.point_rows(found)))
    if found["fit"] is None:
        say(found["fit_note"])
    else:
        print(table(report.constant_rows(found["fit"])))
        say(*found["fit"]["warnings"])
    if found["oracle"] is not None:
        print(report.oracle_line(found["oracle"]))
    for line in report.prediction_lines(found):
        print(line)
    return 0


def _record(args: argparse.Namespace) -> int:
    path = Path(args.out).expanduser()
    if path.exists():
        raise InputError("out", args.out, "a file of that name is there already, and nothing is overwritten")
    recording = record(args.sweep, place.home())
    write_recording(recording, path)
    if args.json:
        return _print_json({"sweep": args.sweep, "file": str(path), "runs": len(recording.runs)})
    print(f"{args.sweep} is recorded in {path}.")
    return 0


def _rates(args: argparse.Namespace) -> int:
    with Store.open_reader() as store, store.snapshot():
        row = store.sweep(place.check_sweep_id(args.sweep))
        if row is None or not row.plan.spec.tunes:
            raise InputError("sweep", args.sweep, "there is no sweep of rates of that name; `lab tune` makes one")
        bowls = rate_bowls(row.plan, store.runs(args.sweep))
    try:
        law, missing = rate_law(bowls), ""
    except FitError as error:
        law, missing = None, str(error)
    if args.json:
        found = {"sweep": args.sweep, "bowls": [asdict(bowl) for bowl in bowls], "note": missing}
        return _print_json({**found, "law": None if law is None else asdict(law)})
    print(table(report.bowl_rows(bowls)))
    if law is None:
        say(missing)
    else:
        print(f"LR(N) = {law.coefficient:.3g} (N / 100000)^{law.exponent:.3g}. {law.note}")
    return 0


def _print_json(value: dict[str, Any]) -> int:
    print_json(results.plain(value))
    return 0
