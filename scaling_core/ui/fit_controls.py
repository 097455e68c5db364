"""The choices of the page "Fit your runs", in the sidebar: every one survives a visit elsewhere and is checked here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import streamlit as st

from scaling_core.catalog import presets
from scaling_core.errors import InputError
from scaling_core.fit import FORMS, Interval, Objective, Resampling
from scaling_core.fit.allocation.curves import Method
from scaling_core.fit.bootstrap import FEWEST_GROUPS, default_interval, default_resampling
from scaling_core.fit.coverage import allocation_sentence, coverage_sentence, coverages, measured
from scaling_core.language import t
from scaling_core.laws import PowerLaw, form_of
from scaling_core.ui.fit_source import Source
from scaling_core.ui.fit_work import REPEATED, Approach, Options
from scaling_core.ui.inputs import bounded, checked_text, choice_input, number_input
from scaling_core.ui.page import note
from scaling_core.units import parse_quantity
from scaling_core.viz.fit_detail import sign

REFITS = (400, 1000, 4000)
RESAMPLINGS = ("pairs", "cluster", "residual")
KAPLAN_HELD = ("N_c", "D_c", "alpha_D")
ALL = "all"
"""What is typed into a cut that cuts nothing."""


def approach_names() -> dict[str, str]:
    """The three ways of fitting, by the names that Hoffmann et al. gave them."""
    return {
        "parametric": t("Parametric (approach 3)"),
        "isoflop": t("IsoFLOP profiles (approach 2)"),
        "envelope": t("Envelope of curves (approach 1)"),
    }


def form_names() -> dict[str, str]:
    """The laws that may be fitted."""
    return {
        "chinchilla": t("Chinchilla: E + A/Nᵅ + B/Dᵝ"),
        "kaplan": t("Kaplan: joint in N and D"),
        "gadre": t("Gadre: one exponent for both"),
        REPEATED: t("Muennighoff: repeated data"),
        "power-N": t("Power law in N"),
        "power-D": t("Power law in D"),
        "power-C": t("Power law in C"),
        "power-N-offset": t("Power law in N, with a floor"),
        "power-D-offset": t("Power law in D, with a floor"),
        "power-C-offset": t("Power law in C, with a floor"),
    }


def objective_names() -> dict[str, str]:
    """What a fit may minimise."""
    return {
        "huber-log": t("Huber, on ln L"),
        "lad": t("Least absolute deviation, on ln L"),
        "ls-log": t("Least squares, on ln L"),
        "ls": t("Least squares, on L"),
    }


def resampling_names() -> dict[str, str]:
    """What the bootstrap draws again."""
    return {
        "pairs": t("Pairs: runs drawn again"),
        "cluster": t("Clusters: whole groups drawn"),
        "residual": t("Residuals: noise drawn again"),
    }


def interval_names() -> dict[str, str]:
    """How refits become an interval."""
    return {"bias-corrected": t("Bias-corrected percentiles"), "percentile": t("Plain percentiles")}


def method_names() -> dict[str, str]:
    """How the minimum of a budget is found."""
    return {"profile": t("Profile (unbiased)"), "parabola": t("Parabola"), "interpolate": t("Interpolation")}


def controls(source: Source) -> Options:
    """Draw every choice that the source and the approach have, and return what was chosen."""
    approach = cast("Approach", choice_input(t("Approach"), "fit.approach", approach_names()))
    options = Options(approach=approach)
    if approach == "parametric":
        options = _law(source, options)
    elif approach == "isoflop":
        method = choice_input(t("Minimum of each budget"), "fit.method", method_names())
        options = replace(options, method=cast("Method", method))
    else:
        start, key = (0.0, "fit.warmup.example") if source.simulated else (0.1, "fit.warmup")
        warmup = number_input(t("Share of each run left out at its start"), key, start, minimum=0.0, maximum=0.9)
        options = replace(options, warmup=warmup)
    options = _rows(source, options)
    return _intervals(source, options)


def _law(source: Source, options: Options) -> Options:
    """Form, objective, weights, and constants that are held or shared."""
    unique = source.table.points.unique is not None
    names = {name: text for name, text in form_names().items() if name in FORMS or (name == REPEATED and unique)}
    form = choice_input(t("Law"), "fit.form", names)
    objective = cast("Objective", choice_input(t("Objective"), "fit.objective", objective_names()))
    delta = options.delta
    if objective == "huber-log":
        delta = number_input(
            t("Huber δ"), "fit.delta", 1e-3, minimum=1e-6, maximum=10.0,
            help=t("Residuals of ln L below δ count by their square, larger ones by their size."),
        )  # fmt: skip
    shared = False
    if form in ("chinchilla", REPEATED):
        shared = _toggle(t("One exponent for N and D"), f"fit.shared.{form}", default=form == REPEATED)
    weigh = False
    if source.table.points.se is not None and form != REPEATED:
        weigh = _toggle(t("Weigh by standard errors"), "fit.weights")
    far = _toggle(t("Leave out runs that lie far off"), "fit.far")
    fixed = () if form == REPEATED else _held(form)
    return replace(
        options,
        form=form,
        objective=objective,
        delta=delta,
        shared=shared,
        weights="se" if weigh else "equal",
        without_far=far,
        fixed=fixed,
    )


def _toggle(label: str, key: str, *, default: bool = False) -> bool:
    return bool(st.toggle(label, value=default, key=key, persist_state="session"))


def _held(form: str) -> tuple[tuple[str, float], ...]:
    """Constants held at a typed value, which begins as a published one."""
    names = list(KAPLAN_HELD if form == "kaplan" else FORMS[form].names)
    starts = published_constants(form)
    with st.expander(t("Hold constants")):
        chosen = st.multiselect(
            t("Held at a value"), names, format_func=sign, key=f"fit.hold.{form}", persist_state="session",
            label_visibility="collapsed", placeholder=t("None is held"),
        )  # fmt: skip
        pairs = []
        for name in [name for name in names if name in chosen]:
            zero = name == "E"
            start = starts.get(name, 1.0)
            parse = _zero_or(sign(name)) if zero else bounded(sign(name), 1e-12, 1e30)
            pairs.append((name, checked_text(sign(name), f"fit.held.{form}.{name}", f"{start:.6g}", parse)))
    return tuple(pairs)


def _zero_or(field: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        return parse_quantity(text, field=field, maximum=100.0, allow_zero=True)

    return parse


def published_constants(form: str) -> dict[str, float]:
    """Constants of the first published law of a form, by the names that a fit gives them; {} where there is none."""
    for law in (preset.law for preset in presets("all")):
        if isinstance(law, PowerLaw) and form.removesuffix("-offset") == form_of(law):
            coefficient = law.scale**law.exponent
            return {"offset": law.offset or 1.7, "coefficient": coefficient, "exponent": law.exponent}
        if form_of(law) == form:
            return law.constants
    return {}


def _rows(source: Source, options: Options) -> Options:
    """Which runs are fitted: those inside the reader's cuts, and those held out where that is asked for."""
    held = False
    if options.approach != "envelope" and source.table.held_out is not None and source.table.held_out.any():
        held = _toggle(t("Fit the held-out runs too"), "fit.held_out")
    if options.approach == "envelope":
        return replace(options, with_held_out=held)
    with st.expander(t("Which runs")):
        left, right = st.columns(2, gap="small")
        with left:
            low = _cut(t("N from"), "fit.N_low", 0.0)
            loss = _cut(t("Loss up to"), "fit.loss_high", float("inf"))
        with right:
            high = _cut(t("N to"), "fit.N_high", float("inf"))
    return replace(options, with_held_out=held, N_low=low, N_high=high, loss_high=loss)


def _cut(label: str, key: str, none: float) -> float:
    """A field for a limit; "all", or nothing, is none."""

    def parse(text: str) -> float:
        if text.strip().lower() in ("", ALL):
            return none
        try:
            return parse_quantity(text, field=label, maximum=1e30)
        except InputError:
            raise InputError(label, text, t('it must be a number such as 70M, or "all"')) from None

    return checked_text(label, key, ALL, parse)


def _intervals(source: Source, options: Options) -> Options:
    """How intervals are made, and beside the choice how often such intervals held the truth in simulated studies."""
    points = source.table.fitted
    names = _resamplings(source, options)
    chosen = choice_input(t("Resampling"), f"fit.resampling.{options.approach}", names)
    resampling = cast("Resampling", chosen) if chosen in RESAMPLINGS else None
    interval, used = options.interval, resampling or default_resampling(len(points))
    if options.approach == "parametric":
        best = default_interval(used)
        known = interval_names()
        ordered = {best: known[best], **known}
        interval = cast("Interval", choice_input(t("Interval"), f"fit.interval.{best}", ordered))
    refits = choice_input(t("Refits"), "fit.refits", {str(n): t("{n:,} refits", n=n) for n in REFITS})
    options = replace(
        options,
        resampling=resampling,
        interval=interval,
        bootstrap=int(refits),
    )
    if options.approach == "parametric":
        found = measured(
            coverages(), n=len(points), objective=options.objective, resampling=used, interval=options.interval
        )
        sentence = coverage_sentence(found)
    else:
        way = resampling if resampling == "pairs" or resampling == "cluster" else "residual"
        sentence = allocation_sentence(options.method if options.approach == "isoflop" else "envelope", way)
    if sentence is not None:
        note(sentence)
    return options


def _resamplings(source: Source, options: Options) -> Mapping[str, str]:
    """The ways to resample that the runs allow; the first is what suits them."""
    groups = len(set(source.table.points.group or ()))
    if options.approach == "isoflop":
        names = {"residual": t("Residuals: noise drawn again"), "pairs": t("Pairs: sizes drawn again")}
        return names if options.method != "interpolate" else {"residual": names["residual"]}
    if options.approach == "envelope":
        return {"residual": t("Residuals: curves moved"), "cluster": t("Clusters: runs drawn again")}
    auto = default_resampling(len(source.table.fitted))
    automatic = {"auto": t("Automatic: pairs") if auto == "pairs" else t("Automatic: residuals")}
    return automatic | {k: name for k, name in resampling_names().items() if k != "cluster" or groups >= FEWEST_GROUPS}
