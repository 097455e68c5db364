"""The sentences of the page "Fit your runs": the law with its numbers, what it rests on, and what it cannot say."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from scaling_core.fit import AllocationFit, RunPoints
from scaling_core.fit.diagnosis import extrapolation_note
from scaling_core.fit.validation import Validation
from scaling_core.language import listed, retold, t, tn, together
from scaling_core.laws import AnyLaw, GadreLaw, KaplanJointLaw, MuennighoffLaw, PowerLaw
from scaling_core.ui.fit_controls import objective_names
from scaling_core.ui.fit_source import PLANTED, Source, count_name
from scaling_core.ui.fit_work import Chosen, Options
from scaling_core.ui.page import said, tongue
from scaling_core.ui.talk import formula
from scaling_core.ui.words import ratio
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.fit_path import Path, Quantity
from scaling_core.viz.fit_runs import Fit


def question() -> str:
    """What the page asks."""
    return t("What law do these runs follow?")


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
        R_D, R_N = number(law.R_D_star), number(law.R_N_star)
        return t("{law} with R_D* = {R_D}, R_N* = {R_N}", law=text, R_D=R_D, R_N=R_N)
    return text


def opening(sentence: str, detail: str, line: str = "") -> None:
    """The page's opening, as `ui.page.answer` sets it, with exponents raised and indices lowered in the answer."""
    st.html(
        f"<div class='sl-answer' lang='{tongue()}'><p class='sl-question'>{said(question())}</p>"
        f"<h1 class='sl-sentence'>{formula(sentence)}</h1>"
        f"<p class='sl-detail'>{formula(detail)}</p>"
        + (f"<p class='sl-line' title='{said(line)}'>{said(line)}</p>" if line else "")
        + "</div>"
    )


def about_source(source: Source) -> str:
    """That the runs are simulated, where they are, before anything is said of them."""
    return t("These runs are simulated: no model was trained.") if source.simulated else ""


def named_source(source: Source) -> str:
    """Where the runs are from, for small print."""
    if not source.simulated:
        return t("Runs: {name}.", name=source.name)
    return t(
        "Runs: {name}, with {noise:g}% noise, {sizes} sizes by {horizons} horizons.",
        name=source.name,
        noise=100 * PLANTED.noise,
        sizes=PLANTED.n_sizes,
        horizons=PLANTED.n_horizons,
    )


def fitted_sentence(source: Source, result: Fit) -> str:
    """The law and the number of its runs."""
    law, n = law_text(result.law), result.n
    if source.simulated:
        return t("{law}, from {n} simulated runs.", law=law, n=n)
    return t("{law}, from {n} runs.", law=law, n=n)


def fitted_detail(source: Source, result: Fit) -> str:
    """How the optimum grows; for a law in one variable, how far the runs scatter about it."""
    if result.exponents:
        size, tokens = (_power(result.exponents[name], result.exponent_intervals.get(name)) for name in ("a", "b"))
        found = t("The best size grows as {size}, the best tokens as {tokens}.", size=size, tokens=tokens)
    else:
        found = t("The runs scatter by {scatter} about the law.", scatter=_scatter(result))
    return together(about_source(source), found)


def _scatter(result: Fit) -> str:
    """The residual standard deviation, in percent of the loss or in the loss."""
    if result.objective == "ls":
        return f"{result.scale:.2g} nats"
    return f"{100 * result.scale:.2g}%" if result.scale >= 1e-5 else t("less than 0.001%")


def _power(exponent: float, pair: tuple[float, float] | None) -> str:
    """A power of C, with the interval of its exponent where there is one."""
    power = f"C^{exponent:.3f}"
    return power if pair is None else t("{value} ({span})", value=power, span=span(f"{pair[0]:.3f}", f"{pair[1]:.3f}"))


def span(low: str, high: str) -> str:
    """An interval by its ends, as written."""
    return t("{low} to {high}", low=low, high=high)


def fitted_line(source: Source, result: Fit, options: Options) -> str:
    """Small print: what was minimised, how the intervals came about, how N is counted."""
    how = objective_names()[result.objective]
    if result.delta is not None and result.objective == "huber-log":
        how = t("{objective}, δ = {delta:g}", objective=how, delta=result.delta)
    if options.weights == "se":
        how = t("{objective}, weighed by standard errors", objective=how)
    parts: list[str] = [how]
    if result.replicates is not None:
        ends = t("plain percentiles")
        if result.interval_method == "bias-corrected":
            ends = t("bias-corrected percentiles")
        way = _way(result.resampling, t("runs drawn again"), t("whole groups drawn again"), t("residuals drawn again"))
        parts.append(_refits(result.level, len(result.replicates), way, ends))
    parts.append(t("runs scatter by {scatter}", scatter=_scatter(result)))
    if (count := source.table.count) and count != "params":
        parts.append(t("N counts {count}", count=count_name(count)))
    return together(named_source(source), _clauses(parts))


def _way(resampling: str | None, pairs: str, cluster: str, residual: str) -> str:
    """What was drawn again for the refits."""
    return {"pairs": pairs, "cluster": cluster}.get(resampling or "", residual)


def _refits(level: float, n: int, way: str, ends: str) -> str:
    return t("{level:.0f}% intervals from {n:,} refits, {way}, {ends}", level=100 * level, n=n, way=way, ends=ends)


def _clauses(parts: Sequence[str]) -> str:
    """Clauses as one sentence."""
    told = parts[0]
    for part in parts[1:]:
        told = t("{some}; {another}", some=told, another=part)
    return t("{clauses}.", clauses=told)


def before_numbers(result: Fit, optimum: Path | None) -> list[str]:
    """The diagnosis, and where the optimum that is asked for asks for more than the runs carry."""
    sentences = list(result.warnings)
    if optimum is not None:
        far = extrapolation_note(result.points, float(optimum.N[0]), float(optimum.D[0]))
        sentences += [far] if far else []
    return sentences


def about_rows(source: Source, runs: Chosen, left_out: RunPoints | None) -> list[str]:
    """How the table was read, and which runs are not fitted."""
    table, notes = source.table, list(source.table.notes)
    if (n := table.skipped_count) > 0:
        rows = tn(
            "{n} row was left out, since they cannot be read.", "{n} rows were left out, since they cannot be read.", n
        )
        reasons = [retold(reason) for _, reason in table.skipped[:3]]
        more = t("And {n} more.", n=n - 3) if n > 3 else ""
        notes.insert(0, together(rows, *(f"{text[0].upper()}{text[1:]}" for text in reasons), more))
    if source.of_lab:
        notes.append(
            t(
                "A token of the lab is a byte, or one of a vocabulary of its text: its losses cannot be set beside "
                "those of published laws, the exponents of its optimum can."
            )
        )
    if runs.cut:
        notes.append(tn("{n} run lies outside your cuts.", "{n} runs lie outside your cuts.", runs.cut))
    if left_out is not None:
        names = list(left_out.label or ())
        shown, rest = listed(names[:6]), len(names) - 6
        notes.append(
            t("Left out as far off: {names} and {n} more.", names=shown, n=rest)
            if rest > 0
            else t("Left out as far off: {names}.", names=shown)
        )
    return notes


def about_counts(result: Fit, others: dict[str, Fit]) -> str | None:
    """How counting the parameters in another way moves the exponent, in a sentence."""
    if "a" not in result.exponents or not others:
        return None
    moved = [
        t("counted {count}, a is {a:.3f}", count=count_name(count), a=fit.exponents["a"])
        for count, fit in others.items()
        if "a" in fit.exponents
    ]
    here = t("The count moves the exponent: here a is {a:.3f}", a=result.exponents["a"])
    return _clauses([here, *moved])


def optimum_figures(optimum: Path) -> list[tuple[str, str, str]]:
    """The best model of a budget as large numbers (label, value, interval beneath)."""
    labels: tuple[tuple[str, Quantity], ...] = (
        (t("best parameters"), "N"),
        (t("on tokens"), "D"),
        (t("tokens per parameter"), "ratio"),
    )
    figures = []
    for label, quantity in labels:
        value, low, high = (float(end[0]) for end in optimum.of(quantity))
        write = ratio if quantity == "ratio" else format_quantity
        figures.append((label, write(value), "" if low == high else span(write(low), write(high))))
    if optimum.loss is not None:
        loss = float(optimum.loss[0])
        ends = [loss if end is None else float(end[0]) for end in (optimum.loss_low, optimum.loss_high)]
        between = "" if ends[0] == ends[1] else span(format_loss(ends[0]), format_loss(ends[1]))
        figures.append((t("loss, nats per token"), format_loss(loss), between))
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
        st.html("".join(f"<p class='sl-note sl-warning sl-gap' lang='{tongue()}'>{said(one)}</p>" for one in sentences))


def interval_figures(rows: Sequence[tuple[str, str, str]]) -> None:
    """A row of large numbers, each under its label and above its interval."""
    blocks = "".join(
        f"<div class='sl-figure'><div class='sl-label'>{said(label)}</div>"
        f"<div class='sl-value'>{said(value)}</div>"
        f"<div class='sl-label'>{said(small) or '&nbsp;'}</div></div>"
        for label, value, small in rows
    )
    st.html(f"<div class='sl-figures' lang='{tongue()}'>{blocks}</div>")


def allocation_sentence(fit: AllocationFit, source: Source) -> str:
    """How size and tokens grow with compute, and on how many optima that rests."""
    a, b = fit.exponents["a"], fit.exponents["b"]
    grow = t("N* grows as C^{a:.3f} and D* as C^{b:.3f}", a=a, b=b)
    if fit.approach == "isoflop":
        if source.simulated:
            return t("{grow}, from {n} budgets of simulated runs.", grow=grow, n=len(fit.used))
        return t("{grow}, from {n} budgets of runs.", grow=grow, n=len(fit.used))
    if source.simulated:
        return t("{grow}, from the envelope of {n} simulated runs.", grow=grow, n=fit.n)
    return t("{grow}, from the envelope of {n} training runs.", grow=grow, n=fit.n)


def allocation_detail(source: Source, fit: AllocationFit) -> str:
    """The interval of the exponent, and what it rests on."""
    lies = ""
    if (pair := fit.exponent_intervals.get("a")) is not None:
        lies = t("The exponent of N* lies between {low:.3f} and {high:.3f}.", low=pair[0], high=pair[1])
    silent = t("The loss itself is not described: this says how to spend compute, not what it buys.")
    return together(about_source(source), lies, silent)


def allocation_line(source: Source, fit: AllocationFit) -> str:
    """Small print: how the minima were found, and how the interval came about."""
    how = {
        "profile": t("Minima by profiles"),
        "parabola": t("Minima by parabolas"),
        "interpolate": t("Minima by splines"),
    }
    parts: list[str] = [how.get(fit.method, t("Lower envelope of the training curves"))]
    if fit.replicates is not None:
        way = _way(fit.resampling, t("sizes drawn again"), t("runs drawn again"), t("noise drawn again"))
        parts.append(_refits(fit.level, len(fit.replicates), way, t("plain percentiles")))
    return together(named_source(source), _clauses(parts))


def validation_sentence(found: Validation) -> str:
    """What the talk promises of extrapolations, and whether this fit keeps it."""
    judged = [step for step in found.steps if step.promised is not None]
    if not judged:
        reach = max((step.factor for step in found.steps), default=None)
        if reach is None:
            return t("These runs do not reach far enough in compute to cut them and predict the rest.")
        return t(
            "These runs allow steps of up to {reach:g}x in compute; the talk's promises begin at 10x.", reach=reach
        )
    kept = _factors([step.factor for step in judged if step.kept])
    broken = _factors([step.factor for step in judged if not step.kept])
    promise = t("The talk promises the loss within 5% at 10x the compute, 10% at 100x, 20% at 350x.")
    if not broken:
        verdict = t("With these runs that is kept at {kept}.", kept=kept)
    elif not kept:
        verdict = t("With these runs that is not kept at {broken}.", broken=broken)
    else:
        verdict = t("With these runs that is kept at {kept} and not kept at {broken}.", kept=kept, broken=broken)
    if not found.missing:
        return together(promise, verdict)
    return together(promise, verdict, t("{factors}: out of their reach.", factors=_factors(found.missing)))


def _factors(factors: Sequence[float]) -> str:
    """Factors of compute as a sentence lists them; nothing for none."""
    return listed([t("{factor:g}x", factor=factor) for factor in factors])
