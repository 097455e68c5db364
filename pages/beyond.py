"""Beyond the optimum: models that are served, models kept small on purpose, and data that run out."""

from __future__ import annotations

import numpy as np
import streamlit as st

from scaling_core.catalog import Preset, models, preset
from scaling_core.language import t
from scaling_core.laws import Law, MuennighoffLaw
from scaling_core.optimum import (
    compute_wall,
    data_limited,
    inference_optimal,
    served_for,
    smaller_model,
    worthless_epochs,
)
from scaling_core.ui.beyond import repeated_words, source_line
from scaling_core.ui.charts import show
from scaling_core.ui.inputs import number_input, quantity_input
from scaling_core.ui.law_picker import law_line, law_picker, outside, warn_of
from scaling_core.ui.live import live_chart
from scaling_core.ui.live_beyond import live_served, live_served_numbers, live_trained, live_trained_numbers
from scaling_core.ui.page import answer, figures, note, page
from scaling_core.ui.words import percent, ratio
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.beyond import lifetime_args, lifetime_chart, overtraining_args, overtraining_chart, share_text
from scaling_core.viz.isoflop import Mark
from scaling_core.viz.theme import Theme
from scaling_core.viz.wall import epochs_text, wall_chart

KNOWN = ("gpt3", "chinchilla", "llama-7b", "llama2-7b", "llama3-8b", "llama3.1-405b")
"""Models that stand on the over-training curve."""
REPEATED = "muennighoff2023"
"""The law of the third part where the chosen one says nothing about repeated data."""
WITHIN = 0.01
"""Nats from the limit at which more compute is said to have stopped helping."""
WORTHLESS = 0.01
"""Share of the second epoch's gain below which another is called worthless."""


def served(law: Law, published: Preset | None, theme: Theme) -> float:
    """The cheapest model to train and to serve. Returns the budget in FLOP that names the quality."""
    words = st.container()
    quality, amount, room = st.columns([1, 1, 2.6], gap="medium", vertical_alignment="bottom")
    with quality:
        C = quantity_input(
            t("Compute C, in FLOP"), "C", "3.15e23", field=t("compute"), minimum=1e12, maximum=1e32, url=True
        )
    with amount:
        tokens = quantity_input(
            t("Tokens served"), "served", "10T", field=t("served tokens"), minimum=1.0, maximum=1e24, url=True
        )
    found = inference_optimal(law, C=C, D_inference=tokens)
    with words:
        live_served(law, C, found, law_line(published), theme)
        warn_of(published)
    numbers = [
        (t("compute saved"), percent(found.saving)),
        (t("in all, FLOP"), scientific(found.total_flops)),
        (t("tokens per parameter"), ratio(found.tokens_per_param)),
    ]
    with room:
        live_served_numbers(law, C, tokens, numbers, theme)
    how = t(
        "Every point has the same loss, the one that C buys at best. Training costs 6 N D, serving 2 N for each "
        "token read or written. Each dot is the cheapest size; near the left end no amount of training data "
        "suffices."
    )
    figure = lifetime_chart(law, C, tokens, theme)
    live_chart(
        figure,
        law,
        "law",
        {"C": C},
        kind="lifetime",
        args=lifetime_args(figure, law, C, tokens),
        key="lifetime",
        alt=t(
            "Training and serving compute against parameters at one loss, with the best size for each served amount."
        ),
        grows=True,
        title=t("Trained to be served"),
        notes=how,
        numbers=numbers,
    )
    note(how)
    outside(published, N=found.N, D=found.D)
    return C


def overtrained(law: Law, published: Preset | None, C: float, theme: Theme) -> None:
    """How small the model becomes for a multiple of the training compute, and where trained models stand."""
    words = st.container()
    field, room = st.columns([1, 3.6], gap="medium", vertical_alignment="bottom")
    with field:
        times = number_input(t("Times the training"), "times", 2.0, minimum=1.0, maximum=1000.0)
    found = smaller_model(law, C=C, times=times)
    demand = float(served_for(law, np.array([found.N]), C=C)[0])
    with words:
        live_trained(law, C, found, times, theme)
    numbers = [
        (t("of the optimal size"), share_text(found.fraction)),
        (t("tokens per parameter"), ratio(found.tokens_per_param)),
        (t("training, FLOP"), scientific(found.C)),
        (t("best for serving, tokens"), format_quantity(demand)),
    ]
    with room:
        live_trained_numbers(law, C, times, numbers, theme)
    marks = [Mark(name=m.name, N=m.N, D=m.tokens) for m in models() if m.id in KNOWN]
    how = t(
        "The curve is the same for every budget of this law. A diamond is a model as it was trained, beside the "
        "least training for its own loss: left of 100% it is smaller than that, which costs training and saves "
        "serving."
    )
    figure = overtraining_chart(law, times, marks, theme)
    live_chart(
        figure,
        law,
        "law",
        {},
        kind="overtraining",
        args=overtraining_args(figure, law, times, marks),
        key="overtraining",
        alt=t("Training compute against size at equal loss, both relative to the optimum, with well-known models."),
        grows=True,
        title=t("Smaller than optimal"),
        notes=how,
        numbers=numbers,
    )
    note(how)
    outside(published, N=found.N, D=found.D)


def repeated(law: Law, published: Preset | None, C: float, theme: Theme) -> None:
    """How often few unique tokens are read at the best, and where more compute stops helping."""
    source = published
    if not isinstance(law, MuennighoffLaw):
        source = preset(REPEATED)
        law = source.joint
    if not isinstance(law, MuennighoffLaw):
        return
    words = st.container()
    field, room = st.columns([1, 3.6], gap="medium", vertical_alignment="bottom")
    with field:
        U = quantity_input(
            t("Unique tokens"), "unique", "100B", field=t("unique tokens"), minimum=1e6, maximum=1e20, url=True
        )
    best, stop = data_limited(law, U=U, C=C), compute_wall(law, U, within=WITHIN)
    end = worthless_epochs(law, WORTHLESS)
    with words:
        answer(*repeated_words(best, stop, WITHIN), source_line(source))
    numbers = [
        (t("parameters"), format_quantity(best.N)),
        (t("tokens seen"), format_quantity(best.D)),
        (t("epochs"), epochs_text(best.epochs)),
        (t("loss, nats per token"), format_loss(best.loss)),
        (t("lost to repetition"), f"{best.loss_penalty:.3f}"),
    ]
    with room:
        figures(numbers)
    how = t(
        "Both curves are the best that each budget buys. A repeated token is worth less than a new one, and so is "
        "a parameter beyond what the data call for. After {epochs} epochs one more buys under {share} of what the "
        "second bought. The upright line is where the limit is {within:g} nats away.",
        epochs=epochs_text(end),
        share=percent(WORTHLESS),
        within=WITHIN,
    )
    show(
        wall_chart(law, best, stop, theme),
        "wall",
        alt=t(
            "Loss against training compute with unlimited data and with the unique tokens, epochs marked on the curve."
        ),
        grows=True,
        title=t("Few data, read again"),
        notes=how,
        numbers=numbers,
    )
    note(how)
    outside(source, N=best.N, D=best.D)


with page("beyond") as theme:
    with st.sidebar:
        published, law = law_picker("law", url=True)
    C = served(law, published, theme)
    st.space("medium")
    overtrained(law, published, C, theme)
    st.space("medium")
    repeated(law, published, C, theme)
