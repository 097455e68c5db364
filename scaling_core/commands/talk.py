"""`talk`: every number of the talk, computed again."""

from __future__ import annotations

import argparse

from scaling_core.commands.shared import SubParsers, add
from scaling_core.output import print_json, table


def register(commands: SubParsers) -> None:
    """Add the command that checks the talk."""
    talk = add(commands, "talk", _talk, "compute every number of the talk again, with a verdict and the reason")
    talk.add_argument("--verdict", metavar="WORD", help="only these: wrong, partly, right or measure")
    talk.add_argument("--source", metavar="WORD", help="only these: talk, readme, summary, notes or status")


def _talk(args: argparse.Namespace) -> int:
    from scaling_core.talk import VERDICTS, counts, select

    found = select(verdict=args.verdict, source=args.source)
    if args.json:
        print_json([claim.to_dict() for claim in found])
        return 0
    rows = [(c.id, c.said, c.shown, VERDICTS[c.verdict], c.reason) for c in found]
    print(table([("id", "printed", "computed now", "verdict", "why"), *rows]))
    total = ", ".join(f"{count} {VERDICTS[verdict]}" for verdict, count in counts().items())
    print(f"{len(found)} of {sum(counts().values())} claims shown; of all {total}.")
    return 0
