"""The sentences of the pages: verdicts as a question and its answer, and the rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.demo import DemoResult
from scaling_core.language import listed as listed
from scaling_core.language import t, together
from scaling_core.optimum import NEAR_OPTIMAL, Status, Verdict
from scaling_core.ui.page import note, said, tongue
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific

SIGNS = {"E": "E", "A": "A", "B": "B", "alpha": "α", "beta": "β"}


def share_left(verdict: Verdict) -> float:
    """The share of its compute that a model left on the table, 0 to 1."""
    return verdict.compute_left / verdict.C


def percent(share: float) -> str:
    """A share as "38%"; "under 1%" where it would round to nothing."""
    return f"{100 * share:.0f}%" if share >= 0.005 else t("under 1%")


def status_name(status: Status) -> str:
    """A verdict in a word of the reader's language."""
    return {
        "under-trained": t("under-trained"),
        "over-trained": t("over-trained"),
        "near-optimal": t("near-optimal"),
    }[status]


def series(names: Sequence[str]) -> str:
    """Names one after the other, set apart by commas."""
    told = names[0] if names else ""
    for name in names[1:]:
        told = t("{some}, {another}", some=told, another=name)
    return told


def chained(parts: Sequence[str]) -> str:
    """Parts of a sentence one after the other, set apart by semicolons."""
    told = parts[0] if parts else ""
    for part in parts[1:]:
        told = t("{some}; {another}", some=told, another=part)
    return told


def ratio(x: float) -> str:
    """Tokens per parameter: three digits, thousands with a comma, never an exponent below a million."""
    return f"{x:,.0f}" if 100 <= x < 1e6 else f"{x:.3g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def short_name(law: Preset) -> str:
    """The law's short name without a comma, so that it can stand in a list."""
    return law.told("short_name").replace(", ", " ")


def headline(verdict: Verdict) -> tuple[str, str]:
    """The question that a talk asks of GPT-3, and the answer of a law, each one sentence."""
    question = t("Was GPT-3 too large for the data it was trained on?")
    best = {"N": format_quantity(verdict.optimum.N), "D": format_quantity(verdict.optimum.D)}
    if verdict.status == "under-trained":
        return question, t("Yes: its compute was better spent on {N} parameters and {D} tokens.", **best)
    if verdict.status == "over-trained":
        return question, t(
            "No, it was too small: its compute was better spent on {N} parameters and {D} tokens.", **best
        )
    return question, t("No: under these constants GPT-3 was close to the best use of its compute.")


def comparison(gpt3: Verdict, chinchilla: Verdict) -> str:
    """What GPT-3 lost against its optimum, and how Chinchilla stands, as three short sentences."""
    told = {
        "N": format_quantity(gpt3.N),
        "D": format_quantity(gpt3.D),
        "loss": format_loss(gpt3.loss),
        "best": format_loss(gpt3.optimum.loss),
        "left": percent(share_left(gpt3)),
    }
    if share_left(gpt3) >= NEAR_OPTIMAL:
        lost = t(
            "Built as {N} on {D} tokens it reaches {loss} nats per token, the best for its compute {best}: "
            "{left} of the compute was left on the table.",
            **told,
        )
    elif share_left(gpt3) >= 0.005:
        lost = t(
            "Built as {N} on {D} tokens it reaches {loss} nats per token, the best for its compute {best}: "
            "only {left} of it was left.",
            **told,
        )
    else:
        lost = t(
            "Built as {N} on {D} tokens it reaches {loss} nats per token, the best for its compute {best}: "
            "next to nothing was left on the table.",
            **told,
        )
    return together(lost, _chinchilla(chinchilla, chinchilla.C / gpt3.C))


def _chinchilla(verdict: Verdict, times: float) -> str:
    """How Chinchilla stands, with so many times the compute of GPT-3."""
    loss = format_loss(verdict.loss)
    if verdict.status == "near-optimal":
        return t(
            "Chinchilla, with {times:.1f} times the compute, reaches {loss} and is near its optimum.",
            times=times,
            loss=loss,
        )
    if verdict.status == "under-trained":
        return t(
            "Chinchilla, with {times:.1f} times the compute, reaches {loss} and would itself be too large for "
            "its data.",
            times=times,
            loss=loss,
        )
    return t(
        "Chinchilla, with {times:.1f} times the compute, reaches {loss} and would itself be too small.",
        times=times,
        loss=loss,
    )


def opening_of_models(gpt3: Sequence[Verdict], laws: Sequence[Preset]) -> tuple[str, str, str]:
    """The question of the models page, its answer across all laws, and the reason; gpt3: a verdict for each law."""
    under = [short_name(p) for p, v in zip(laws, gpt3, strict=True) if v.status == "under-trained"]
    spared = [short_name(p) for p, v in zip(laws, gpt3, strict=True) if v.status != "under-trained"]
    question = t("Was GPT-3 under-trained?")
    if not spared:
        return question, t("Yes, by every law in the catalogue."), ""
    sentence = t(
        "It depends on the constants: {some} of {all} laws say so.", some=_number(len(under)), all=_number(len(laws))
    )
    detail = t(
        "{these} would have spent its compute on a smaller model and more tokens; {others} would not.",
        these=listed(under),
        others=listed(spared),
    )
    return question, sentence, detail


def every_law(gpt3: Sequence[Verdict], laws: Sequence[Preset]) -> str:
    """In a sentence or two: under which laws GPT-3 is not under-trained, and what each would have built instead."""
    kind = [(p, v) for p, v in zip(laws, gpt3, strict=True) if v.status != "under-trained"]
    if not kind:
        return t("Every one of these laws finds GPT-3 too large for its data.")
    verdicts = [
        t(
            "{law}: {status}, best at {N} on {D}",
            law=short_name(p),
            status=status_name(v.status),
            N=format_quantity(v.optimum.N),
            D=format_quantity(v.optimum.D),
        )
        for p, v in kind
    ]
    return t(
        "Under {some} of the {all} laws GPT-3 is not under-trained ({verdicts}). The verdict hangs on the constants.",
        some=_number(len(kind)),
        all=_number(len(laws)),
        verdicts=chained(verdicts),
    )


def opening_of_demo(result: DemoResult) -> tuple[str, str, str]:
    """The question of the demo page, what came of it, and, before anything else, that the data are simulated."""
    runs, noise = len(result.points), 100 * result.spec.noise
    missed = [name for name, r in result.recovery.items() if not r.inside]
    if not result.recovery:
        sentence = t("The fitted form is not the planted one, and the curves show where that matters.")
    elif not missed:
        sentence = t("From {n} simulated runs the fit recovers every constant within its interval.", n=runs)
    else:
        names = listed([SIGNS[name] for name in missed])
        sentence = t("From {n} simulated runs the fit misses {names}.", n=runs, names=names)
    detail = t(
        "These data are simulated: no model was trained. Each point is the planted law with {noise:g}% noise, "
        "{sizes} sizes by {horizons} horizons.",
        noise=noise,
        sizes=result.spec.n_sizes,
        horizons=result.spec.n_horizons,
    )
    return t("Simulated: what would a ladder of runs measure if this law were true?"), sentence, detail


def recovery_table(result: DemoResult) -> None:
    """Each planted constant, what the fit made of it, and its interval; the fit alone where the forms differ."""
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    level = t("{level:.0f}% interval", level=100 * result.fit.level)
    if result.recovery:
        head = (t("constant"), t("planted"), t("fitted"), level, "")
        rows = [
            (SIGNS[name], f"{r.planted:.5g}", f"{r.fitted:.5g}", _ends((r.low, r.high)), _inside(r.inside))
            for name, r in result.recovery.items()
        ]
    else:
        head = (t("constant"), t("fitted"), level)
        rows = [
            (SIGNS[name], f"{value:.5g}", _ends(result.fit.intervals.get(name, ())))
            for name, value in result.fit.constants.items()
        ]
    heads = "".join(f"<th>{said(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{said(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    st.html(
        f"<div class='sl-scroll' lang='{tongue()}'><table class='sl-table sl-narrow'><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _inside(inside: bool) -> str:
    return t("inside") if inside else t("outside")


def _ends(ends: Sequence[float]) -> str:
    """The two ends of an interval, to five digits; nothing where there is none."""
    return _span(*(f"{end:.5g}" for end in ends)) if ends else ""


def _span(low: str, high: str) -> str:
    return t("{low} to {high}", low=low, high=high)


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
    """A number up to twelve as the language writes it within a sentence."""
    words = t("none one two three four five six seven eight nine ten eleven twelve").split()
    return words[n] if n < len(words) else str(n)


def verdict_head() -> list[str]:
    """The heads of the columns of `verdict_cells`."""
    return [
        "",
        t("built as"),
        t("tokens per parameter"),
        t("compute, FLOP"),
        t("loss"),
        t("best for that compute"),
        t("its loss"),
        t("loss left"),
        t("compute left"),
        t("verdict"),
    ]


def verdict_cells(name: str, v: Verdict) -> list[str]:
    """A model: its training, its loss, the best for the same compute, what was left on the table, and the verdict."""
    return [
        name,
        _size_on_data(v.N, v.D),
        ratio(v.D / v.N),
        scientific(v.C),
        format_loss(v.loss),
        _size_on_data(v.optimum.N, v.optimum.D),
        format_loss(v.optimum.loss),
        format_loss(v.loss_gap),
        percent(share_left(v)),
        status_name(v.status),
    ]


def beyond_runs(rows: Sequence[tuple[str, Verdict]], published: Preset | None) -> dict[str, float]:
    """The models beyond the runs behind the published law, and by what factor."""
    found = {}
    for name, v in rows:
        if factors := published.range_factors(N=v.N, D=v.D) if published else {}:
            found[name] = max(factors.values())
    return found


def beyond_note(beyond: dict[str, float]) -> None:
    """What the mark of the models in `beyond_runs` means, and which lies farthest out."""
    if beyond:
        farthest = max(beyond, key=lambda name: beyond[name])
        note(
            t(
                "* Outside the sizes or tokens of the runs behind this law, so its losses here are extrapolated; "
                "{model} lies farthest out, by a factor of {factor}.",
                model=farthest,
                factor=format_quantity(beyond[farthest], 2),
            )
        )


def _size_on_data(N: float, D: float) -> str:
    return t("{N} on {D}", N=format_quantity(N), D=format_quantity(D))
