"""The sentences of the page "Fit your runs": the law with its numbers, what it rests on, and what it cannot say."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from scaling_core.fit import AllocationFit, RunPoints
from scaling_core.fit.diagnosis import extrapolation_note
from scaling_core.fit.validation import Validation
from scaling_core.laws import AnyLaw, GadreLaw, KaplanJointLaw, MuennighoffLaw, PowerLaw
from scaling_core.ui.fit_controls import INTERVAL_NAMES, OBJECTIVE_NAMES
from scaling_core.ui.fit_source import COUNTS, PLANTED, Source
from scaling_core.ui.fit_work import Chosen, Options
from scaling_core.ui.talk import formula
from scaling_core.ui.words import listed, ratio
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.fit_path import Path
from scaling_core.viz.fit_runs import Fit

QUESTION = "What law do these runs follow?"
WAYS = {
    "pairs": "runs drawn again",
    "cluster": "whole groups drawn again",
    "residual": "residuals drawn again",
}


def number(x: float) -> str:
    """A constant to three or four digits: 0.342, 406, 12,850, 6.4 × 10¹³."""
    if x == 0:
        return "0"
    if 1000 <= x < 1e6:
        return f"{float(f'{x:.4g}'):,.0f}"
    return scientific(x) if x >= 1e6 or x < 1e-3 else f"{x:.3g}"


def law_text(law: AnyLaw) -> str:
    """The law as a formula with its numbers: L = 1.69 + 406/N^0.342 + 411/D^0.285."""
    if isinstance(law, PowerLaw):
        if law.offset == 0:
            return f"L = ({scientific(law.scale)}/{law.variable})^{law.exponent:.3g}"
        return f"L = {number(law.offset)} + {number(law.scale**law.exponent)}/{law.variable}^{law.exponent:.3f}"
    if isinstance(law, KaplanJointLaw):
        N, D = format_quantity(law.N_c), format_quantity(law.D_c)
        return f"L = [({N}/N)^{law.alpha_N / law.alpha_D:.3f} + {D}/D]^{law.alpha_D:.3f}"
    prime = "′" if isinstance(law, MuennighoffLaw) else ""
    base = law.base if isinstance(law, MuennighoffLaw) else law.chinchilla if isinstance(law, GadreLaw) else law
    text = (
        f"L = {number(base.E)} + {number(base.A)}/N{prime}^{base.alpha:.3f} + {number(base.B)}/D{prime}^{base.beta:.3f}"
    )
    if isinstance(law, MuennighoffLaw):
        text += f" with R_D* = {number(law.R_D_star)}, R_N* = {number(law.R_N_star)}"
    return text


def opening(sentence: str, detail: str, line: str = "") -> None:
    """The page's opening, as `ui.page.answer` sets it, with exponents raised and indices lowered in the answer."""
    safe = html.escape(line, quote=True)
    st.html(
        f"<div class='sl-answer'><p class='sl-question'>{html.escape(QUESTION)}</p>"
        f"<h1 class='sl-sentence'>{formula(sentence)}</h1>"
        f"<p class='sl-detail'>{formula(detail)}</p>"
        + (f"<p class='sl-line' title='{safe}'>{safe}</p>" if line else "")
        + "</div>"
    )


def about_source(source: Source) -> str:
    """That the runs are simulated, where they are, before anything is said of them."""
    return "These runs are simulated: no model was trained. " if source.simulated else ""


def named_source(source: Source) -> str:
    """Where the runs are from, for small print."""
    if not source.simulated:
        return f"Runs: {source.name}."
    return (
        f"Runs: {source.name}, with {100 * PLANTED.noise:g}% noise, {PLANTED.n_sizes} sizes by {PLANTED.n_horizons} "
        "horizons."
    )


def fitted_sentence(source: Source, result: Fit) -> str:
    """The law and the number of its runs."""
    simulated = "simulated " if source.simulated else ""
    return f"{law_text(result.law)}, from {result.n} {simulated}runs."


def fitted_detail(source: Source, result: Fit) -> str:
    """How the optimum grows; for a law in one variable, how far the runs scatter about it."""
    text = about_source(source)
    if result.exponents:
        a, b = result.exponents["a"], result.exponents["b"]
        text += f"The best size grows as C^{a:.3f}{_range(result.exponent_intervals.get('a'), 3)}, "
        text += f"the best tokens as C^{b:.3f}{_range(result.exponent_intervals.get('b'), 3)}."
        return text
    return f"{text}The runs scatter by {_scatter(result)} about the law."


def _scatter(result: Fit) -> str:
    """The residual standard deviation, in percent of the loss or in the loss."""
    if result.objective == "ls":
        return f"{result.scale:.2g} nats"
    return f"{100 * result.scale:.2g}%" if result.scale >= 1e-5 else "less than 0.001%"


def _range(pair: tuple[float, float] | None, digits: int) -> str:
    return "" if pair is None else f" ({pair[0]:.{digits}f} to {pair[1]:.{digits}f})"


def fitted_line(source: Source, result: Fit, options: Options) -> str:
    """Small print: what was minimised, how the intervals came about, how N is counted."""
    how = OBJECTIVE_NAMES[result.objective]
    if result.delta is not None and result.objective == "huber-log":
        how += f", δ = {result.delta:g}"
    if options.weights == "se":
        how += ", weighed by standard errors"
    if result.replicates is not None:
        way = WAYS.get(result.resampling or "", "")
        how += f"; {100 * result.level:.0f}% intervals from {len(result.replicates):,} refits, {way}"
        how += f", {INTERVAL_NAMES[result.interval_method].lower()}"
    count = source.table.count
    counted = f"; N counts {COUNTS.get(count, count)}" if count and count != "params" else ""
    return f"{named_source(source)} {how}; runs scatter by {_scatter(result)}{counted}."


def before_numbers(result: Fit, optimum: Path | None) -> list[str]:
    """The diagnosis, and where the optimum that is asked for asks for more than the runs carry."""
    sentences = list(result.warnings)
    if optimum is not None:
        far = extrapolation_note(result.points, float(optimum.N[0]), float(optimum.D[0]))
        sentences += [far] if far else []
    return sentences


def about_rows(source: Source, runs: Chosen, left_out: RunPoints | None) -> list[str]:
    """How the table was read, and which runs are not fitted."""
    table, said = source.table, list(source.table.notes)
    if table.skipped_count:
        first = " ".join(f"{reason[0].upper()}{reason[1:]}" for _, reason in table.skipped[:3])
        more = f" And {table.skipped_count - 3} more." if table.skipped_count > 3 else ""
        rows = "1 row was" if table.skipped_count == 1 else f"{table.skipped_count} rows were"
        said.insert(0, f"{rows} left out, since they cannot be read. {first}{more}")
    if source.of_lab:
        said.append(
            "A token of the lab is a byte, or one of a vocabulary of its text: its losses cannot be set beside those "
            "of published laws, the exponents of its optimum can."
        )
    if runs.cut:
        said.append(f"{runs.cut} {'run lies' if runs.cut == 1 else 'runs lie'} outside your cuts.")
    if left_out is not None:
        names = list(left_out.label or ())
        shown = listed(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        said.append(f"Left out as far off: {shown}.")
    return said


def about_counts(result: Fit, others: dict[str, Fit]) -> str | None:
    """How counting the parameters in another way moves the exponent, in a sentence."""
    if "a" not in result.exponents or not others:
        return None
    moved = [
        f"{COUNTS.get(count, count)}, a is {fit.exponents['a']:.3f}"
        for count, fit in others.items()
        if "a" in fit.exponents
    ]
    return f"The count moves the exponent: here a is {result.exponents['a']:.3f}; counted {'; '.join(moved)}."


def optimum_figures(optimum: Path) -> list[tuple[str, str, str]]:
    """The best model of a budget as large numbers (label, value, interval beneath)."""
    figures = []
    for label, quantity in (("best parameters", "N"), ("on tokens", "D"), ("tokens per parameter", "ratio")):
        value, low, high = (float(end[0]) for end in optimum.of(quantity))  # type: ignore[arg-type]  # one of its literals
        write = ratio if quantity == "ratio" else format_quantity
        figures.append((label, write(value), "" if low == high else f"{write(low)} to {write(high)}"))
    if optimum.loss is not None:
        loss = float(optimum.loss[0])
        ends = [loss if end is None else float(end[0]) for end in (optimum.loss_low, optimum.loss_high)]
        between = "" if ends[0] == ends[1] else f"{format_loss(ends[0])} to {format_loss(ends[1])}"
        figures.append(("loss, nats per token", format_loss(loss), between))
    return figures


def styles() -> str:
    """The few styles that only this page needs."""
    return (
        "<style>.sl-answer sup, .sl-section sup, .sl-note sup { font-size: .62em; line-height: 0; }"
        ".sl-answer sup, .sl-section sup, .sl-note sup { vertical-align: .55em; }"
        ".sl-answer sub { font-size: .7em; line-height: 0; } .sl-gap + .sl-gap { margin-top: .5rem; }</style>"
    )


def caution(sentences: Sequence[str]) -> None:
    """What must not be overlooked, one sentence below the other."""
    if sentences:
        st.html("".join(f"<p class='sl-note sl-warning sl-gap'>{html.escape(one)}</p>" for one in sentences))


def interval_figures(rows: Sequence[tuple[str, str, str]]) -> None:
    """A row of large numbers, each under its label and above its interval."""
    blocks = "".join(
        f"<div class='sl-figure'><div class='sl-label'>{html.escape(label)}</div>"
        f"<div class='sl-value'>{html.escape(value)}</div>"
        f"<div class='sl-label'>{html.escape(small) or '&nbsp;'}</div></div>"
        for label, value, small in rows
    )
    st.html(f"<div class='sl-figures'>{blocks}</div>")


def allocation_sentence(fit: AllocationFit, source: Source) -> str:
    """How size and tokens grow with compute, and on how many optima that rests."""
    a, b = fit.exponents["a"], fit.exponents["b"]
    simulated = "simulated " if source.simulated else ""
    if fit.approach == "isoflop":
        return f"N* grows as C^{a:.3f} and D* as C^{b:.3f}, from {len(fit.used)} budgets of {simulated}runs."
    runs = simulated or "training "
    return f"N* grows as C^{a:.3f} and D* as C^{b:.3f}, from the envelope of {fit.n} {runs}runs."


def allocation_detail(source: Source, fit: AllocationFit) -> str:
    """The interval of the exponent, and what it rests on."""
    text = about_source(source)
    if (pair := fit.exponent_intervals.get("a")) is not None:
        text += f"The exponent of N* lies between {pair[0]:.3f} and {pair[1]:.3f}. "
    return f"{text}The loss itself is not described: this says how to spend compute, not what it buys."


def allocation_line(source: Source, fit: AllocationFit) -> str:
    """Small print: how the minima were found, and how the interval came about."""
    how = {"profile": "Minima by profiles", "parabola": "Minima by parabolas", "interpolate": "Minima by splines"}
    line = how.get(fit.method, "Lower envelope of the training curves")
    if fit.replicates is not None:
        way = {"pairs": "sizes drawn again", "cluster": "runs drawn again"}.get(
            fit.resampling or "", "noise drawn again"
        )
        line += f"; {100 * fit.level:.0f}% intervals from {len(fit.replicates):,} refits, {way}, plain percentiles"
    return f"{named_source(source)} {line}."


def validation_sentence(found: Validation) -> str:
    """What the talk promises of extrapolations, and whether this fit keeps it."""
    judged = [step for step in found.steps if step.promised is not None]
    if not judged:
        reach = max((step.factor for step in found.steps), default=None)
        if reach is None:
            return "These runs do not reach far enough in compute to cut them and predict the rest."
        return f"These runs allow steps of up to {reach:g}x in compute; the talk's promises begin at 10x."
    kept = [f"{step.factor:g}x" for step in judged if step.kept]
    broken = [f"{step.factor:g}x" for step in judged if not step.kept]
    text = "The talk promises the loss within 5% at 10x the compute, 10% at 100x, 20% at 350x. "
    if kept:
        text += f"With these runs that is kept at {listed(kept)}"
        text += f" and not kept at {listed(broken)}." if broken else "."
    else:
        text += f"With these runs that is not kept at {listed(broken)}."
    if found.missing:
        text += f" {listed([f'{factor:g}x' for factor in found.missing])}: out of their reach."
    return text
