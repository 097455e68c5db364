"""How sure a law is of its best model: the sentence, the cloud of its constants and the spread of its optimum.

All of it rests on refits of resampled runs. A law without them gets a sentence, and no picture.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from scaling_core.allocations import group
from scaling_core.catalog import Preset, preset
from scaling_core.errors import ScalingError
from scaling_core.language import retold, t, tn, together
from scaling_core.laws import Law
from scaling_core.optimum import Band, Spread
from scaling_core.ui.live import live_chart
from scaling_core.ui.page import note, section
from scaling_core.ui.pins import as_ghost
from scaling_core.ui.words import ratio
from scaling_core.units import format_quantity
from scaling_core.viz.axes import scientific
from scaling_core.viz.fit_detail import sign
from scaling_core.viz.theme import Theme
from scaling_core.viz.uncertainty import best_band, cloud_args, constants_chart, optimum_args, optimum_chart, pair_of

DRAWN = "besiroglu2024"
"""The published law that has refits."""
PRINTED = ("hoffmann2022", "hoffmann2022-printed")
"""Laws of which only an interval of the exponent a was printed, see `data/allocations.csv`."""


def how_sure(law: Law, base: Preset | None, C: float, theme: Theme) -> None:
    """How far the best model for C FLOP could lie elsewhere, by the refits of the law that the constants set out from.

    law: that of the moment, shown beside it where it is another one of the same form.
    """
    if base is None:
        return
    if base.replicates is None:
        note(unknown(base))
        return
    fitted = as_ghost(base)
    now = law if law.form == fitted.law.form else fitted.law
    try:
        band = best_band(fitted, C)
    except ScalingError as error:
        note(retold(str(error)), kind="warning")
        return
    said = interval_sentence(band, fitted.name)
    section(t("How sure is the best model?"), said)
    own = t("my constants")
    cloud, spread = constants_chart(fitted, now, own, theme), optimum_chart(fitted, now, C, own, theme)
    x, y = (sign(name) for name in pair_of(fitted.law.form))
    how = staying(C, fitted.name, base.told("replicates_note"))
    left, right = st.columns(2, gap="medium")
    if cloud is not None:
        with left:
            title = t("{x} and {y} together", x=x, y=y)
            st.markdown(f"**{title}**")
            live_chart(
                cloud, now, "law", {}, kind="cloud", args=cloud_args(cloud, fitted, own), key="cloud",
                alt=t("Refits as points over {x} and {y}, with the region that holds {level:.0f}% of them.", x=x, y=y,
                      level=100 * fitted.level),
                half=True, title=title, notes=how,
            )  # fmt: skip
    with right if cloud is not None else st.container():
        title = t("The best model for {C} FLOP", C=scientific(C))
        st.markdown(f"**{title}**")
        live_chart(
            spread, now, "law", {}, kind="optimum", args=optimum_args(spread, C, own), key="spread",
            alt=t("Best sizes of the refits as bars over parameters, and over tokens above, with their interval."),
            half=cloud is not None, title=title, notes=together(said, how),
        )  # fmt: skip
    note(how)


def interval_sentence(band: Band, name: str) -> str:
    """The intervals of a band at one budget in plain numbers. name: of the law."""
    return tn(
        "{level:.0f}% interval from {n} refit of {law}: the best model for {C} FLOP has {N} parameters and {D} tokens, "
        "{ratio} tokens per parameter.",
        "{level:.0f}% interval from {n} refits of {law}: the best model for {C} FLOP has {N} parameters and {D} "
        "tokens, {ratio} tokens per parameter.",
        band.replicates,
        level=100 * band.level,
        law=name,
        C=scientific(float(band.C[0])),
        N=_span(band.N, format_quantity),
        D=_span(band.D, format_quantity),
        ratio=_span(band.tokens_per_param, ratio),
    )


def staying(C: float, name: str, whose: str) -> str:
    """What the pictures show, that they stay with the law they are of, and whose refits they are."""
    return together(
        t("The shaded band around the curve at {C} FLOP is the interval of its loss.", C=scientific(C)),
        t("Band, cloud and bars stay with {law} while you drag; the diamond and the second line are yours.", law=name),
        whose,
    )


def unknown(base: Preset) -> str:
    """Why there is no band, and what was printed instead."""
    name = base.told("short_name")
    told = [t("No band is drawn: of {law} neither refits nor standard errors are known here.", law=name)]
    if base.id in PRINTED:
        row = group("hoffmann2022-3")["N"]
        told.append(
            t(
                "The paper prints an interval of the exponent a alone, {low:g} to {high:g}, which does not say how α "
                "and β vary together.",
                low=row.low,
                high=row.high,
            )
        )
    return together(*told, t("Choose {law} to see one.", law=preset(DRAWN).told("name")))


def _span(spread: Spread, written: Callable[[float], str]) -> str:
    return t("{low} to {high}", low=written(float(spread.low[0])), high=written(float(spread.high[0])))
