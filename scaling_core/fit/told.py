"""Words that several sentences about a fit have in common."""

from __future__ import annotations

from collections.abc import Sequence

from scaling_core.language import t


def in_a_row(names: Sequence[str], more: int = 0) -> str:
    """Names with commas between them: a, b, c; with `more` behind them: a, b, c and 2 more."""
    told = names[0] if names else ""
    for name in names[1:]:
        told = t("{some}, {another}", some=told, another=name)
    return t("{some} and {more} more", some=told, more=more) if more else told


def choice(allowed: Sequence[str]) -> str:
    """What an option may be, for an InputError."""
    return t("it must be one of {options}", options=", ".join(allowed))


def within(least: object, most: object) -> str:
    """Between which numbers a value must lie, for an InputError."""
    return t("it must lie between {least} and {most}", least=least, most=most)


def no_intervals(most: int) -> str:
    """Why a fit to very many runs has no intervals."""
    return t("More than {most} runs are not resampled, so there are no intervals: thin the table.", most=most)


def unsettled(failed: int, count: int) -> str:
    """What is said where replicates did not converge."""
    return t(
        "{failed} of {count} bootstrap refits did not settle: read the intervals as rough.", failed=failed, count=count
    )
