"""What the commands have in common: the --json switch, optional numbers, what was left out, and what to beware of."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

from scaling_core.catalog import Preset
from scaling_core.units import parse_quantity

SubParsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Nothing:
    """What was seen in a field that was left out."""

    def __str__(self) -> str:
        return "nothing"


def add(
    commands: SubParsers, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """Add a command that `run` carries out, with its --json switch; `text` says what it does."""
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(func=run)
    parser.add_argument("--json", action="store_true", help="print one JSON value on stdout")
    return parser


def maybe(text: str | None, field: str, *, minimum: float = 1.0) -> float | None:
    """The quantity that an option holds, or None where it was left out; raises InputError that names the field."""
    return None if text is None else parse_quantity(text, field=field, minimum=minimum)


def caveats(preset: Preset, *, N: float | None = None, D: float | None = None, C: float | None = None) -> list[str]:
    """Why a law's numbers may not hold here, a sentence each: its own warning, and what lies outside its range."""
    return [*([preset.warning] if preset.warning else []), *preset.range_notes(N=N, D=D, C=C)]
