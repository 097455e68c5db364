"""GPT-3 against Chinchilla: the models people know, on one plane, under one law and under every law."""

from __future__ import annotations

import streamlit as st

from scaling_core.catalog import Preset, models, presets
from scaling_core.language import t
from scaling_core.laws import Law
from scaling_core.optimum import Verdict, judge
from scaling_core.ui.charts import show
from scaling_core.ui.law_picker import law_line, law_picker, warn_of
from scaling_core.ui.live import live_chart
from scaling_core.ui.live_words import live_verdicts
from scaling_core.ui.page import answer, note, page, section
from scaling_core.ui.words import chained, every_law, opening_of_models, series, short_name
from scaling_core.viz.isoflop import Mark
from scaling_core.viz.models import compared, frontiers, nd_plane, why_alike
from scaling_core.viz.plane import plane_args
from scaling_core.viz.theme import Theme
from scaling_core.viz.verdicts import verdict_grid

STRONG = ("gpt3", "chinchilla")
LAWS = compared(presets("joint"))


@st.cache_data(max_entries=64, show_spinner=False)
def under_every_law() -> list[tuple[str, list[Verdict]]]:
    """Each model's verdict under each published law that is compared, in the order of the catalogue."""
    return [(m.name, [judge(p.joint, m.N, m.tokens) for p in LAWS]) for m in models()]


def plane(published: Preset | None, law: Law, theme: Theme) -> None:
    """The models on the plane, with the frontier of the chosen law drawn strongest."""
    marks = [Mark(name=m.name, N=m.N, D=m.tokens, strong=m.id in STRONG) for m in models()]
    chosen, name = (published.id, short_name(published)) if published else (None, t("my constants"))
    how = t(
        "Falling lines are budgets in FLOP. A model above a law's line is smaller than optimal for its compute, "
        "one below it too large for its data. Kaplan's line appears twice: the optimum of the joint law, and the "
        "allocation that the paper printed, which came from runs stopped early. "
        "A law without a line here puts it outside the plot."
    )
    figure = nd_plane(marks, frontiers(LAWS, chosen, own=law, own_name=name), theme)
    live_chart(
        figure,
        law,
        "law",
        {},
        kind="plane",
        args=plane_args(figure, LAWS, law, theme),
        key="plane",
        alt=t("Models on the plane of parameters and tokens, with budgets, the 20 to 1 line and each law's frontier."),
        title=t("GPT-3 vs Chinchilla"),
        notes=how,
    )
    note(how)


with page("models") as theme:
    with st.sidebar:
        published, law = law_picker("law", url=True)
    verdicts = [(m.name, judge(law, m.N, m.tokens)) for m in models()]
    table = under_every_law()
    names = [short_name(p) for p in LAWS]
    question, sentence, detail = opening_of_models(dict(table)["GPT-3"], LAWS)
    answer(question, sentence, detail, law_line(published))
    warn_of(published)
    plane(published, law, theme)
    section(
        t("Every model under the chosen law"),
        t("What each model spent, what the law predicts for it, and the best that its compute could have bought."),
    )
    live_verdicts(law, verdicts, published, theme, key="law~verdicts")
    section(t("Every model under every law"), every_law(dict(table)["GPT-3"], LAWS))
    show(
        verdict_grid(table, names, theme),
        "grid",
        alt=t("The share of compute each model left on the table under each published law."),
        title=t("Every model under every law"),
        notes=every_law(dict(table)["GPT-3"], LAWS),
    )
    note(
        t(
            "The percentage is the share of the model's compute that a compute-optimal model of the same loss would "
            "not have needed. Large: too large for its data; small: too small for its compute; near: less than a tenth "
            "was left. Compute-optimal means training alone: a model that will be used a great deal is made smaller on "
            "purpose."
        )
    )
    note(
        t(
            "Not shown, since their training tokens were never published: {models}. The Talk column follows the "
            "printed slides, whose constants describe no language model.",
            models=series([m.name for m in models(unknown_tokens=True) if m.D is None]),
        )
    )
    laws = chained(list(why_alike().values()))
    note(t("Not compared, though each can be chosen as the law: {laws}.", laws=laws))
