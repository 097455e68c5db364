"""The sentences and numbers of the calculator that follow the hand: what each says, in the reader's language.

The browser fills in the very templates that the page's own functions speak, told by which case they belong to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaling_core.catalog import Preset
from scaling_core.language import Message, opened, raw, t
from scaling_core.laws import Law
from scaling_core.optimum import NEAR_OPTIMAL, Allocation, Verdict, optimal_for_compute
from scaling_core.optimum.verdict import Status
from scaling_core.ui.live import live_words
from scaling_core.ui.words import (
    beyond_note,
    beyond_runs,
    comparison,
    headline,
    ratio,
    status_name,
    verdict_cells,
    verdict_head,
)
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.isoflop import Ghost, same_to_the_eye
from scaling_core.viz.laws import TERMS, term_colours, term_names
from scaling_core.viz.theme import Theme

STATUSES: tuple[Status, ...] = ("under-trained", "over-trained", "near-optimal")
LEFT = (0.5, 0.05, 0.0)
"""Shares of the compute left on the table, one for each way of saying it: much, little, nothing."""


def live_answer(law: Law, gpt3: Verdict, chinchilla: Verdict, line: str, theme: Theme) -> None:
    """The opening of the calculator: question, answer and how the two models stand."""
    question, sentence = headline(gpt3)
    stands = {status: _two(comparison(gpt3, replace(chinchilla, status=status)))[1] for status in STATUSES}
    words = {
        "question": question,
        "headline": {status: opened(headline(replace(gpt3, status=status))[1]) for status in STATUSES},
        "lost": [_two(comparison(replace(gpt3, compute_left=share * gpt3.C), chinchilla))[0] for share in LEFT],
        "stands": stands,
        "together": raw("{first} {then}"),
        "under_one": t("under 1%"),
        "line": line,
    }
    said = {"question": question, "headline": sentence, "detail": comparison(gpt3, chinchilla), "line": line}
    models = [{"N": verdict.N, "D": verdict.D} for verdict in (gpt3, chinchilla)]
    live_words(
        law, "law", {}, theme, said, kind="answer", key="law~answer", words=words, models=models, near=NEAR_OPTIMAL
    )


def live_budget(law: Law, best: Allocation, given: str, ghosts: list[Ghost], theme: Theme) -> None:
    """The best model for a budget in numbers, but for what was given, and how far each pinned law lies from it."""
    words = {
        "C": t("compute, FLOP"),
        "N": t("best parameters"),
        "D": t("on tokens"),
        "loss": t("loss, nats per token"),
        "ratio": t("tokens per parameter"),
    }
    values = {
        "C": scientific(best.C),
        "N": format_quantity(best.N),
        "D": format_quantity(best.D),
        "loss": format_loss(best.loss),
        "ratio": ratio(best.tokens_per_param),
    }
    said = {
        "numbers": [[words[name], values[name]] for name in values if name != given],
        "ghosts": [_change(ghost, best, first=place == 0) for place, ghost in enumerate(ghosts)],
    }
    words |= {
        "begin": raw("{name}: drag a constant, and this curve stays behind."),
        "same": raw("{name}: the same optimum."),
        "change": raw("{name} → now: optimum from {N} on {D} to {N2} on {D2}; loss {loss}."),
    }
    live_words(
        law, "law", {"C": best.C}, theme, said, kind="budget", key="law~budget", ghosts=ghosts, words=words,
        given=list(values).index(given),
    )  # fmt: skip


def _change(ghost: Ghost, now: Allocation, *, first: bool) -> str:
    """How far the optimum of a pinned law lies from that of the law of the moment."""
    was = optimal_for_compute(ghost.law, now.C)
    if same_to_the_eye(was, now):
        if first:
            return t("{name}: drag a constant, and this curve stays behind.", name=ghost.name)
        return t("{name}: the same optimum.", name=ghost.name)
    gap = now.loss - was.loss
    return t(
        "{name} → now: optimum from {N} on {D} to {N2} on {D2}; loss {loss}.",
        name=ghost.name,
        N=format_quantity(was.N),
        D=format_quantity(was.D),
        N2=format_quantity(now.N),
        D2=format_quantity(now.D),
        loss=f"{'−' if gap < 0 else '+'}{abs(gap):.3f}",
    )


def live_model(law: Law, N: float, D: float, theme: Theme) -> None:
    """The loss of a model and its three terms in numbers, in the colours of the bars."""
    words = {"loss": t("loss, nats per token"), **{name: term_names()[name] for name in TERMS}}
    colours, parts = term_colours(theme), law.terms(N, D)
    numbers = [[words["loss"], format_loss(law.loss(N, D))]]
    numbers += [[words[name], format_loss(float(parts[name])), colours[name]] for name in TERMS]
    live_words(
        law, "law", {"N": N, "D": D}, theme, {"numbers": numbers, "ghosts": []}, kind="model", key="law~numbers",
        words=words, colours=colours,
    )  # fmt: skip


def live_verdicts(
    law: Law, rows: Sequence[tuple[str, Verdict]], published: Preset | None, theme: Theme, *, key: str
) -> None:
    """One row to a model: its training, its loss, the best for the same compute, and what was left on the table.

    Models beyond the runs behind the published law are marked, and a line below says how far the farthest is.
    """
    beyond = beyond_runs(rows, published)
    cells = [verdict_cells(f"{name} *" if name in beyond else name, verdict) for name, verdict in rows]
    statuses = {status: status_name(status) for status in STATUSES}
    said = {"head": verdict_head(), "rows": cells, "kinds": [STATUSES.index(verdict.status) for _, verdict in rows]}
    models = [{"name": name, "N": verdict.N, "D": verdict.D} for name, verdict in rows]
    words = {"on": raw("{N} on {D}"), "under_one": t("under 1%"), "status": statuses, "head": verdict_head()}
    live_words(law, "law", {}, theme, said, kind="verdicts", key=key, words=words, models=models, near=NEAR_OPTIMAL)
    beyond_note(beyond)


def _two(pair: str) -> tuple[str, str]:
    """The templates of two sentences that stand together."""
    assert isinstance(pair, Message)
    return opened(pair.fields["first"]), opened(pair.fields["then"])
