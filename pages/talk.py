"""Talk check: every number of the talk, what is computed for it now, and the verdict."""

from __future__ import annotations

import streamlit as st

from scaling_core.language import t
from scaling_core.talk import claims, select
from scaling_core.ui.charts import show
from scaling_core.ui.download import download
from scaling_core.ui.page import answer, figures, note, page, section
from scaling_core.ui.talk import cards, claims_csv, count_figures, filters, listing, opening, rule, styles
from scaling_core.viz.talk import ratio_chart

with page("talk") as theme:
    st.html(styles(theme))
    answer(*opening())
    counts, swatches = count_figures(theme)
    figures(counts, swatches)
    st.html(cards())
    how = t("Each printed number over the computed one, on a logarithmic axis: a right number lies on the line.")
    section(t("How far off"), how)
    show(
        ratio_chart(claims(), theme),
        "ratios",
        rigid=True,
        alt=t(
            "The ratio of each printed number to the computed one; the right ones at 1, the wrong ones sorted around."
        ),
        name="talk_check",
        title=t("How far off"),
        notes=how,
        numbers=counts,
    )
    section(t("Every claim"), rule())
    verdict, source = filters()
    found = select(verdict=verdict, source=source)
    note(t("{n} of {all} claims.", n=len(found), all=len(claims())))
    st.html(listing(found))
    download("talk_check.csv", lambda: claims_csv(found), "talk_check.csv", "text/csv", key="talk.csv")
