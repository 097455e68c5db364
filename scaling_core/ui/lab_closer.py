"""Below the law: one picture at a time, of how a ladder was trained and of what its law depends on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import streamlit as st

from scaling_core.errors import FitError
from scaling_core.fit import AllocationFit, FitResult
from scaling_core.fit.diagnosis import outliers
from scaling_core.lab.records import Plan
from scaling_core.language import t
from scaling_core.runs import results
from scaling_core.runs.noise import seed_noise
from scaling_core.runs.rows import RunRow
from scaling_core.runs.tuning import rate_bowls, rate_law
from scaling_core.ui import lab_html, lab_words_closer
from scaling_core.ui.charts import show
from scaling_core.ui.fit_pieces import drawn, segments
from scaling_core.ui.lab_compare import compare_view
from scaling_core.ui.lab_counting import counting_view
from scaling_core.ui.lab_data import Fitted, Snapshot
from scaling_core.ui.lab_settings import settings_view
from scaling_core.ui.page import note, section
from scaling_core.viz.figure import Figure
from scaling_core.viz.fit_detail import Against, residual_chart
from scaling_core.viz.fit_runs import Shown
from scaling_core.viz.lab_curves import (
    Along,
    along_names,
    collapse_chart,
    collapse_frame,
    collapse_spread,
    cooled_envelope,
    curves_chart,
)
from scaling_core.viz.lab_rates import bowl_chart, rate_chart
from scaling_core.viz.lab_speed import Measure, measure_names, speed_chart, speed_frame, speed_summary
from scaling_core.viz.late import pd
from scaling_core.viz.theme import Theme

View = Callable[[Theme, Path, Snapshot, Fitted], None]
CHOICE = "lab.closer"


def closer(theme: Theme, home: Path, seen: Snapshot, fit: Fitted) -> None:
    """The section with its choice; only what is chosen is worked out, and while a ladder trains nothing unasked."""
    views = _views(seen)
    section(t("Look closer"))
    chosen = st.segmented_control(
        t("Look closer"), list(views), key=CHOICE,
        default=None if seen.status.state == "running" else next(iter(views)),
        format_func=lambda name: views[name][0] if name in views else str(name), label_visibility="collapsed",
    )  # fmt: skip
    if chosen in views:
        views[chosen][1](theme, home, seen, fit)


def _views(seen: Snapshot) -> dict[str, tuple[str, View]]:
    """Name and function of each picture; a sweep of rates has its bowls, and no law to look at."""
    curves: dict[str, tuple[str, View]] = {"curves": (t("Curves"), _curves)}
    rest: dict[str, tuple[str, View]] = {
        "speed": (t("Speed and memory"), _speed),
        "settings": (t("Each run's settings"), settings_view),
    }
    if seen.row.plan.spec.tunes:
        return {"rates": (t("Best rate"), _rates), **curves, **rest}
    law: dict[str, tuple[str, View]] = {
        "counting": (t("What N counts"), counting_view),
        "residuals": (t("Residuals"), _residuals),
        "collapse": (t("Collapse"), _collapse),
    }
    return {**curves, **law, **rest, "compare": (t("Compare ladders"), compare_view)}


def stage(seen: Snapshot, fit: FitResult | None) -> str:
    """A key that changes whenever what a picture shows does."""
    measured = sum(run.loss is not None for run in seen.status.runs)
    refits = "" if fit is None else f"{fit.n}.{fit.value:.9g}.{0 if fit.replicates is None else len(fit.replicates)}"
    last = "" if seen.curves.empty else f"{len(seen.curves)}.{float(seen.curves['tokens'].iloc[-1]):g}"
    return f"{seen.row.id}|{seen.row.started_at}|{measured}|{last}|{refits}"


def picture(
    key: str, theme: Theme, make: Callable[[], Figure], *, name: str, alt: str, title: str, half: bool = False
) -> None:
    """Draw a figure that is made once for its key; name: of files and of the element; title: of its slide."""
    figure = drawn(f"lab|{key}|{name}", theme, make)
    assert figure is not None
    show(figure, f"lab.{name}", alt=alt, grows=True, half=half, name=name, title=title)


def _curves(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """Every track along steps, tokens or compute; over compute, what each compute buys at best."""
    plan, runs, fit = seen.row.plan, seen.status.runs, None if seen.row.plan.spec.tunes else found.law
    words = along_names()
    names: dict[str, str] = {key: value[0] for key, value in words.items()}
    along = cast("Along", segments(t("Along"), "lab.along", names))
    envelope: AllocationFit | str | None = None
    if along == "compute" and not plan.spec.tunes:
        envelope = _envelope(stage(seen, None), runs)
    early = any(run.censored for run in runs)
    note(lab_words_closer.curves_sentence(along, censored=early, frontier=fit is not None))
    least = None if isinstance(envelope, str) else envelope
    picture(
        f"{stage(seen, fit)}|{along}",
        theme,
        lambda: curves_chart(plan, seen.curves, runs, theme, along=along, fit=fit, envelope=least),
        name=f"curves-{along}",
        title=t("Curves"),
        alt=t("Loss of every run along {along}, falling; marks are measured cooled ends.", along=words[along][2]),
    )
    if along == "compute" and (said := lab_words_closer.frontier_sentence(fit, envelope)):
        note(said)


@st.cache_resource(max_entries=32, show_spinner=False)
def _envelope(key: str, _runs: tuple[RunRow, ...]) -> AllocationFit | str:
    return cooled_envelope(_runs)


def _residuals(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """What the law leaves over, beside the noise between seeds."""
    fit = found.law
    if fit is None:
        note(found.reason)
        return
    names = {"N": t("against N"), "D": t("against D"), "C": t("against C")}
    against = cast("Against", segments(t("Residuals"), "lab.residuals", names))
    runs = seen.status.runs
    noise = noise_percent(runs)
    note(lab_words_closer.residual_sentence(fit, noise))
    held = [run for run in runs if run.held_out and run.loss is not None]
    shown = Shown(
        fitted=fit.points,
        far=outliers(fit.residuals),
        held_out=results.points_of(held) if held else None,
    )
    picture(
        f"{stage(seen, fit)}|{against}|{noise}",
        theme,
        lambda: residual_chart(fit, shown, against, theme, noise=noise),
        name=f"residuals-{against}",
        title=t("Residuals"),
        alt=t("By how many percent each run lies above the law, with the band of the noise."),
    )


def noise_percent(runs: tuple[RunRow, ...]) -> float | None:
    """Two standard deviations between seeds as a percentage of the loss, root mean square over the fitted runs; None
    where no size has several seeds."""
    noise = seed_noise(runs)
    shares = [noise[run.rung] / run.loss for run in runs if run.loss and not run.held_out and run.rung in noise]
    return 200.0 * float(np.sqrt(np.mean(np.square(shares)))) if shares else None


@st.cache_resource(max_entries=16, show_spinner=False)
def _collapsed(key: str, _curves: pd.DataFrame, floor: float) -> tuple[pd.DataFrame, float | None]:
    frame = collapse_frame(_curves, floor)
    return frame, collapse_spread(frame)


def _collapse(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """Trunks measured from the floor, each in units of its own end."""
    if found.law is None:
        note(found.reason)
        return
    plan, floor = seen.row.plan, found.law.constants["E"]
    frame, spread = _collapsed(stage(seen, found.law), seen.curves, floor)
    note(lab_words_closer.collapse_sentence(floor, spread))
    if frame.empty:
        return
    picture(
        stage(seen, found.law),
        theme,
        lambda: collapse_chart(plan, frame, theme),
        name="collapse",
        title=t("Collapse"),
        alt=t(
            "Learning curves of all sizes from the floor, in units of their own ends; where they agree they are one."
        ),
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _speeds(key: str, _plan: Plan, _curves: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = speed_frame(_plan, _curves)
    return frame, speed_summary(frame)


def _speed(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """Throughput and memory along the time in training, and a row a size."""
    plan = seen.row.plan
    key = stage(seen, None)
    frame, summary = _speeds(key, plan, seen.curves)
    if frame.empty:
        note(t("Nothing has been trained yet."))
        return
    names = {"tokens_per_second": t("Tokens / s"), "flops_per_second": "FLOP / s"}
    measure = cast("Measure", segments(t("Speed"), "lab.speed", names))
    note(
        t(
            "Sizes one after the other along the time spent in training, without pauses; memory is that of the process "
            "that trains, as the system or the device counts it."
        )
    )
    left, right = st.columns(2, gap="large")
    with left:
        picture(
            f"{key}|{measure}", theme, lambda: speed_chart(plan, frame, measure, theme), name=f"speed-{measure}",
            title=t("Speed and memory"), half=True,
            alt=t("{measure} along the time in training, by size.", measure=measure_names()[measure][0]),
        )  # fmt: skip
    with right:
        picture(
            key, theme, lambda: speed_chart(plan, frame, "memory_bytes", theme), name="memory",
            title=t("Speed and memory"), half=True,
            alt=t("Memory along the time in training, by size."),
        )  # fmt: skip
    rows = lab_words_closer.speed_rows(plan, summary)
    st.html(lab_html.table(lab_words_closer.speed_columns(), rows))


def _rates(theme: Theme, home: Path, seen: Snapshot, found: Fitted) -> None:
    """A bowl for each size, and the best rate over size."""
    plan = seen.row.plan
    bowls = rate_bowls(plan, seen.status.runs)
    if not bowls:
        note(t("A bowl needs two measured rates of one size: none has them yet."))
        return
    try:
        law, reason = rate_law(bowls), ""
    except FitError as error:
        law, reason = None, str(error)
    note(lab_words_closer.rate_law_sentence(law, reason))
    if edges := lab_words_closer.edge_sentences(plan, bowls):
        st.html(lab_html.warnings(edges))
    key = stage(seen, None)
    left, right = st.columns(2, gap="large")
    with left:
        picture(
            key, theme, lambda: bowl_chart(plan, bowls, theme), name="rate-bowls",
            title=t("Best rate"), half=True,
            alt=t("Loss above the least of each size over the peak rate: a bowl for each size."),
        )  # fmt: skip
    with right:
        picture(
            key, theme, lambda: rate_chart(plan, bowls, law, theme), name="best-rates",
            title=t("Best rate"), half=True,
            alt=t("The best rate of each size over its parameters, with the law through them."),
        )  # fmt: skip
    st.html(lab_html.table(lab_words_closer.bowl_columns(), lab_words_closer.bowl_rows(plan, bowls)))
