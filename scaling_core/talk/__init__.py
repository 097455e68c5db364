"""The talk check: every number of the talk and its papers, computed again by the functions that the pages use.

    for claim in claims():
        print(claim.id, claim.said, claim.shown, claim.verdict, claim.reason)

What is printed lies in `data/talk_claims.csv`; what is true of it lies nowhere, it is computed on each first call in a
language.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

from scaling_core.errors import InputError, ScalingError
from scaling_core.language import Language, current, speaking, t
from scaling_core.talk import allocation, architecture, hardware, power_laws, predictions
from scaling_core.talk.rules import (
    TOLERANCE,
    VERDICTS,
    Check,
    CheckedClaim,
    Finding,
    Verdict,
    check,
    verdict_of,
    verdict_words,
)
from scaling_core.talk.table import SOURCES, Claim, table

CHECKS: dict[str, Check] = {
    **power_laws.CHECKS,
    **allocation.CHECKS,
    **hardware.CHECKS,
    **architecture.CHECKS,
    **predictions.CHECKS,
}
"""How each claim is computed, by its id."""


def claims() -> tuple[CheckedClaim, ...]:
    """Every claim with its verdict, in the order of the table; raises ScalingError where one has no check."""
    return _claims(current())


@cache
def _claims(language: Language) -> tuple[CheckedClaim, ...]:
    with speaking(language):
        unknown = {claim.id for claim in table()} ^ set(CHECKS)
        if unknown:
            raise ScalingError(
                t(
                    "{file} and the checks disagree about {names}.",
                    file="data/talk_claims.csv",
                    names=", ".join(sorted(unknown)),
                )
            )
        return tuple(check(claim, CHECKS[claim.id]) for claim in table())


def select(*, verdict: str | None = None, source: str | None = None) -> tuple[CheckedClaim, ...]:
    """The claims of one verdict, of one source, or of both; None takes all. Raises InputError on an unknown name."""
    for field, value, known in (("verdict", verdict, VERDICTS), ("source", source, SOURCES)):
        if value is not None and value not in known:
            raise InputError(field, value, t("it must be one of {names}", names=", ".join(known)))
    return tuple(c for c in claims() if verdict in (None, c.verdict) and source in (None, c.source))


def counts() -> dict[Verdict, int]:
    """How many claims have each verdict, in the order of `VERDICTS`."""
    seen = Counter(claim.verdict for claim in claims())
    return {verdict: seen[verdict] for verdict in VERDICTS}


__all__ = [
    "CHECKS",
    "SOURCES",
    "TOLERANCE",
    "VERDICTS",
    "Check",
    "CheckedClaim",
    "Claim",
    "Finding",
    "Verdict",
    "check",
    "claims",
    "counts",
    "select",
    "table",
    "verdict_of",
    "verdict_words",
]
