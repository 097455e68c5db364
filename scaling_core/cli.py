"""The command line: everything a page does, without a page.

With --json one JSON object goes to stdout and messages go to stderr. A bad input exits with 2 and one sentence
on stderr that names the field, the value seen and what is allowed; anything else that fails exits with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from scaling_core import __version__
from scaling_core.commands import demo, fit, optimum, plan, talk, theory
from scaling_core.errors import CorpusError, FitError, InputError, ScalingError

BAD_INPUT = 2
_ELSEWHERE = {"lab": "train a ladder of real models on this machine", "doctor": "check this machine"}


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
    for room in (theory, optimum, plan, fit, demo, talk):
        room.register(commands)
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
