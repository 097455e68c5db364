"""The sentences of the pages: verdicts as a question and its answer, and the rows of the tables."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from scaling_core.arrays import FloatArray
from scaling_core.catalog import Preset
from scaling_core.demo import DemoResult
from scaling_core.fit import interval
from scaling_core.laws import Law
from scaling_core.optimum import NEAR_OPTIMAL, Verdict, optimum_band
from scaling_core.ui.page import note
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific

SIGNS = {"E": "E", "A": "A", "B": "B", "alpha": "α", "beta": "β"}
CLASS = {"under-trained": "sl-under", "over-trained": "sl-over", "near-optimal": "sl-near"}


def share_left(verdict: Verdict) -> float:
    """The share of its compute that a model left on the table, 0 to 1."""
    return verdict.compute_left / verdict.C


def percent(share: float) -> str:
    """A share as "38%"; "under 1%" where it would round to nothing."""
    return f"{100 * share:.0f}%" if share >= 0.005 else "under 1%"


def ratio(x: float) -> str:
    """Tokens per parameter: three digits, thousands with a comma, never an exponent below a million."""
    return f"{x:,.0f}" if 100 <= x < 1e6 else f"{x:.3g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def short_name(law: Preset) -> str:
    """The law's short name without a comma, so that it can stand in a list."""
    return law.short_name.replace(", ", " ")


def headline(verdict: Verdict) -> tuple[str, str]:
    """The question that a talk asks of GPT-3, and the answer of a law, each one sentence."""
    question = "Was GPT-3 too large for the data it was trained on?"
    best = f"{format_quantity(verdict.optimum.N)} parameters and {format_quantity(verdict.optimum.D)} tokens"
    if verdict.status == "under-trained":
        return question, f"Yes: its compute was better spent on {best}."
    if verdict.status == "over-trained":
        return question, f"No, it was too small: its compute was better spent on {best}."
    return question, "No: under these constants GPT-3 was close to the best use of its compute."


def comparison(gpt3: Verdict, chinchilla: Verdict) -> str:
    """What GPT-3 lost against its optimum, and how Chinchilla stands, as three short sentences."""
    left = percent(share_left(gpt3))
    if share_left(gpt3) >= NEAR_OPTIMAL:
        lost = f"{left} of the compute was left on the table"
    else:
        lost = f"only {left} of it was left" if share_left(gpt3) >= 0.005 else "next to nothing was left on the table"
    stands = {
        "near-optimal": "is near its optimum",
        "under-trained": "would itself be too large for its data",
        "over-trained": "would itself be too small",
    }[chinchilla.status]
    return (
        f"Built as {format_quantity(gpt3.N)} on {format_quantity(gpt3.D)} tokens it reaches {format_loss(gpt3.loss)} "
        f"nats per token, the best for its compute {format_loss(gpt3.optimum.loss)}: {lost}. "
        f"Chinchilla, with {chinchilla.C / gpt3.C:.1f} times the compute, reaches {format_loss(chinchilla.loss)} "
        f"and {stands}."
    )


def opening_of_models(gpt3: Sequence[Verdict], laws: Sequence[Preset]) -> tuple[str, str, str]:
    """The question of the models page, its answer across all laws, and the reason; gpt3: a verdict for each law."""
    under = [short_name(p) for p, v in zip(laws, gpt3, strict=True) if v.status == "under-trained"]
    spared = [short_name(p) for p, v in zip(laws, gpt3, strict=True) if v.status != "under-trained"]
    question = "Was GPT-3 under-trained?"
    if not spared:
        return question, "Yes, by every law in the catalogue.", ""
    sentence = f"It depends on the constants: {_number(len(under))} of {_number(len(laws))} laws say so."
    detail = (
        f"{listed(under)} would have spent its compute on a smaller model and more tokens; {listed(spared)} would not."
    )
    return question, sentence, detail


def every_law(gpt3: Sequence[Verdict], laws: Sequence[Preset]) -> str:
    """In a sentence or two: under which laws GPT-3 is not under-trained, and what each would have built instead."""
    kind = [(p, v) for p, v in zip(laws, gpt3, strict=True) if v.status != "under-trained"]
    if not kind:
        return "Every one of these laws finds GPT-3 too large for its data."
    verdicts = "; ".join(
        f"{short_name(p)}: {v.status}, best at {format_quantity(v.optimum.N)} on {format_quantity(v.optimum.D)}"
        for p, v in kind
    )
    return (
        f"Under {_number(len(kind))} of the {_number(len(laws))} laws GPT-3 is not under-trained ({verdicts}). "
        "The verdict hangs on the constants."
    )


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def opening_of_demo(result: DemoResult) -> tuple[str, str, str]:
    """The question of the demo page, what came of it, and, before anything else, that the data are simulated."""
    runs, noise = len(result.points), 100 * result.spec.noise
    missed = [name for name, r in result.recovery.items() if not r.inside]
    if not result.recovery:
        sentence = "The fitted form is not the planted one, and the curves show where that matters."
    elif not missed:
        sentence = f"From {runs} simulated runs the fit recovers every constant within its interval."
    else:
        sentence = f"From {runs} simulated runs the fit misses {listed([SIGNS[name] for name in missed])}."
    detail = (
        f"These data are simulated: no model was trained. Each point is the planted law with {noise:g}% noise, "
        f"{result.spec.n_sizes} sizes by {result.spec.n_horizons} horizons."
    )
    return "Simulated: what would a ladder of runs measure if this law were true?", sentence, detail


def recovery_table(result: DemoResult) -> None:
    """Each planted constant, what the fit made of it, and its interval; the fit alone where the forms differ."""
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    level = f"{100 * result.fit.level:.0f}% interval"
    if result.recovery:
        head = ("constant", "planted", "fitted", level, "")
        rows = [
            (SIGNS[name], f"{r.planted:.5g}", f"{r.fitted:.5g}", f"{r.low:.5g} to {r.high:.5g}", _inside(r.inside))
            for name, r in result.recovery.items()
        ]
    else:
        head = ("constant", "fitted", level)
        rows = [
            (SIGNS[name], f"{value:.5g}", " to ".join(f"{end:.5g}" for end in result.fit.intervals.get(name, ())))
            for name, value in result.fit.constants.items()
        ]
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    st.html(
        f"<div class='sl-scroll'><table class='sl-table sl-narrow'><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def optimum_interval(law: Law, replicates: FloatArray, C: float, level: float = 0.95) -> str:
    """The interval of N*, D* and D/N at a budget from the replicates of the law's fit, (R, p), as a sentence."""
    band = optimum_band(
        law.form,
        replicates,
        np.array([C]),
        estimate=np.array(list(law.constants.values())),
        level=level,
        interval=lambda rows, point: interval(rows, point, level),
    )
    parts = (("parameters", band.N), ("tokens", band.D), ("tokens per parameter", band.tokens_per_param))
    text = ", ".join(
        f"{format_quantity(float(spread.low[0]))} to {format_quantity(float(spread.high[0]))} {what}"
        for what, spread in parts
    )
    return f"{100 * level:.0f}% interval from the {band.replicates} refits saved with this law: {text}."


def _inside(inside: bool) -> str:
    return "inside" if inside else "outside"


def runs_csv(result: DemoResult) -> str:
    """The simulated runs as CSV that `scaling_core fit` reads: N, D, C, loss at full precision."""
    points = result.points
    lines = [
        f"{n!r},{d!r},{c!r},{loss!r}"
        for n, d, c, loss in zip(
            points.N.tolist(), points.D.tolist(), points.C.tolist(), points.loss.tolist(), strict=True
        )
    ]
    return "\n".join(["N,D,C,loss", *lines]) + "\n"


def _number(n: int) -> str:
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    return words[n] if n < len(words) else str(n)


def verdict_table(rows: Sequence[tuple[str, Verdict]], published: Preset | None) -> None:
    """One row to a model: its training, its loss, the best for the same compute, and what was left on the table.

    Models beyond the runs behind the published law are marked, and a line below says how far the farthest is.
    """
    beyond: dict[str, float] = {}
    head = (
        "",
        "built as",
        "tokens per parameter",
        "compute, FLOP",
        "loss",
        "best for that compute",
        "its loss",
        "loss left",
        "compute left",
    )
    body = []
    for name, v in rows:
        outside = published.range_factors(N=v.N, D=v.D) if published else {}
        if outside:
            beyond[name] = max(outside.values())
        cells = (
            f"{name} *" if outside else name,
            f"{format_quantity(v.N)} on {format_quantity(v.D)}",
            ratio(v.D / v.N),
            scientific(v.C),
            format_loss(v.loss),
            f"{format_quantity(v.optimum.N)} on {format_quantity(v.optimum.D)}",
            format_loss(v.optimum.loss),
            format_loss(v.loss_gap),
            percent(share_left(v)),
        )
        columns = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        body.append(f"<tr>{columns}<td class='sl-word {CLASS[v.status]}'>{html.escape(v.status)}</td></tr>")
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in head) + "<th class='sl-word'>verdict</th>"
    st.html(
        f"<div class='sl-scroll'><table class='sl-table'><thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
    if beyond:
        farthest = max(beyond, key=lambda name: beyond[name])
        note(
            f"* Outside the sizes or tokens of the runs behind this law, so its losses here are extrapolated; "
            f"{farthest} lies farthest out, by a factor of {format_quantity(beyond[farthest], 2)}."
        )
