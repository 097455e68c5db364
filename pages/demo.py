"""Synthetic demo: plant a law, simulate a ladder of runs, fit them, and see what comes back."""

from __future__ import annotations

import streamlit as st

from scaling_core.catalog import Preset
from scaling_core.demo import DemoResult, DemoSpec, run_demo, to_json
from scaling_core.language import t
from scaling_core.ui.charts import show
from scaling_core.ui.download import download
from scaling_core.ui.export import offer
from scaling_core.ui.inputs import integer_input, number_input, quantity_input
from scaling_core.ui.law_picker import law_line, law_picker, warn_of
from scaling_core.ui.page import answer, note, page, section
from scaling_core.ui.words import opening_of_demo, recovery_table, runs_csv
from scaling_core.viz.demo import PANELS, all_panels, chinchilla_optimal, four_panels
from scaling_core.viz.theme import Theme


@st.cache_resource(max_entries=16, show_spinner=False)
def simulated(key: str, _spec: DemoSpec) -> DemoResult:
    """The demo of a spec; `key` is the spec written out, since laws are not hashed by Streamlit."""
    return run_demo(_spec)


def controls() -> tuple[DemoSpec, Preset | None]:
    """The planted law, the ranges, the noise and the seed; and the published law, if it is one."""
    published, law = law_picker("planted", label=t("Planted law"), folded=True)
    left, right = st.columns(2, gap="small")
    with left:
        N_low = quantity_input(t("N from"), "demo.N_low", "10M", field=t("smallest size"), minimum=1e3, maximum=1e13)
        D_low = quantity_input(
            t("D from"), "demo.D_low", "200M", field=t("smallest horizon"), minimum=1e3, maximum=1e14
        )
        n_sizes = integer_input(t("Sizes"), "demo.sizes", 7, minimum=2, maximum=40)
        noise = number_input(t("Noise, in ln L"), "demo.noise", 0.005, minimum=0, maximum=0.5)
    with right:
        N_high = quantity_input(t("N to"), "demo.N_high", "10B", field=t("largest size"), minimum=1e3, maximum=1e13)
        D_high = quantity_input(t("D to"), "demo.D_high", "200B", field=t("largest horizon"), minimum=1e3, maximum=1e14)
        n_horizons = integer_input(t("Horizons"), "demo.horizons", 8, minimum=2, maximum=40)
        seed = integer_input(t("Seed"), "demo.seed", 0, minimum=0, maximum=2**31 - 1)
    spec = DemoSpec(
        law=law,
        N_low=N_low,
        N_high=N_high,
        D_low=D_low,
        D_high=D_high,
        n_sizes=n_sizes,
        n_horizons=n_horizons,
        noise=noise,
        seed=seed,
        preset_id=published.id if published else None,
    )
    return spec, published


def panels(result: DemoResult, theme: Theme) -> None:
    """The four panels, two by two."""
    figures = all_panels(result, theme)
    both = list(zip(figures, PANELS, strict=True))
    for row in (both[:2], both[2:]):
        for column, (figure, (variable, log, title)) in zip(st.columns(2, gap="medium"), row, strict=True):
            with column:
                st.markdown(f"**{title()}**")
                show(figure, f"panel.{variable}.{log}", alt=title(), half=True)
    note(
        t(
            "Circles are the simulated runs at the largest value of the other variable; diamonds stand where known "
            "models would lie on the planted curve. Kaplan's curve is as published, for other data and another "
            "tokenizer. Hestness et al. published a slope alone; it is drawn through the middle of the planted curve."
        )
    )
    offer(
        four_panels(figures),
        "scaling_laws_with_theory",
        "panels",
        label=t("Export all four"),
        title=t("All four panels"),
        sentence=t("The simulated runs beside the planted law, its theory and known models."),
    )


with page("demo") as theme:
    with st.sidebar:
        spec, published = controls()
    result = simulated(repr(spec), spec)
    answer(*opening_of_demo(result), law_line(published))
    warn_of(published)
    for warning in result.fit.warnings:
        note(warning, kind="warning")
    panels(result, theme)
    rings = t(
        "Each curve is one budget under the planted law. Rings are the optima of the fitted law: where they sit on "
        "the planted line, the fit would have sent the money to the right place."
    )
    section(t("Where the same compute is best spent"), rings)
    show(
        chinchilla_optimal(result, theme, titled=False),
        "optimal",
        name="chinchilla_optimal_scaling",
        title=t("Where the same compute is best spent"),
        notes=rings,
        alt=t(
            "IsoFLOP curves of the planted law with their minima, the 20 to 1 line, and GPT-3, Gopher and Chinchilla."
        ),
    )
    section(t("What was planted and what came back"))
    recovery_table(result)
    with st.container(horizontal=True, gap="small"):
        download("results.json", lambda: to_json(result), "results.json", "application/json", key="json")
        download("runs.csv", lambda: runs_csv(result), "runs.csv", "text/csv", key="csv")
