"""Approaches 2 and 1 as pictures: budgets with the curves through their runs, and the envelope of training curves."""

from __future__ import annotations

import numpy as np

from scaling_core.fit import AllocationFit, RunPoints
from scaling_core.language import t
from scaling_core.units import format_quantity
from scaling_core.viz.axes import axis_values, log_domain, log_x, log_y, scientific
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.fit import HEIGHT, MOST_CURVES, PLOT, WIDTH, loss_domain
from scaling_core.viz.fit_runs import MOST_DRAWN, Plane, axis_title, drawn_sizes, shades
from scaling_core.viz.labels import datum, halo_text
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import POWER_FONT, AltairChart, Theme, themed

MOST_BUDGETS = 9
"""Of more budgets than this every k-th is named."""
MOST_ENVELOPE = 12_000
"""Moments of training that are drawn at most."""


def budgets_chart(points: RunPoints, fit: AllocationFit, other: AllocationFit | None, theme: Theme) -> Figure:
    """Loss against N, a colour to each budget: its runs, the curve through them, and its minimum with the interval.

    other: the same runs by another method, dashed, with open minima. Budgets that were refused are grey.
    """
    budgets = np.array([row.C for row in fit.optima])
    nearest = np.abs(np.log(points.C)[:, None] - np.log(budgets)).argmin(axis=1)
    ends = (float(budgets.min()), float(budgets.max()))
    colours = [
        theme.muted if row.refused else shade
        for row, shade in zip(fit.optima, shades(budgets, ends, theme), strict=True)
    ]
    keep = np.arange(0, len(points), -(-len(points) // MOST_DRAWN))
    runs = pd.DataFrame(
        {
            "x": points.N[keep],
            "y": points.loss[keep],
            "colour": [colours[k] for k in nearest[keep]],
            "kind": ["refused" if fit.optima[k].refused else "used" for k in nearest[keep]],
            "tip": [f"{scientific(float(budgets[k]))} FLOP" for k in nearest[keep]],
        }
    )
    curves = [_curves(fit, colours, "own")]
    minima = [_minima(fit, colours, "own")]
    if other is not None:
        again = [colours[int(np.abs(np.log(budgets / row.C)).argmin())] for row in other.optima]
        curves.append(_curves(other, again, "other"))
        minima.append(_minima(other, again, "other"))
    lines, best = pd.concat(curves, ignore_index=True), pd.concat(minima, ignore_index=True)
    x_domain = log_domain([float(runs.x.min()), 2.5 * float(runs.x.max())])
    y_domain = loss_domain([*runs.y, *best.y])
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    own = lines[lines.kind == "own"]
    starts = own.groupby("line", sort=False).tail(1)
    starts = starts.iloc[:: -(-len(starts) // MOST_BUDGETS)] if len(starts) else starts
    return Figure(
        template=_budgets_template(theme),
        data={
            "runs": runs,
            "curves": lines,
            "minima": best,
            "names": plane.named(
                starts.assign(name=starts["line"]),
                size=theme.laid_size,
                radius=3.0,
                runs=runs,
                segments=plane.pieces(own.drop(columns="kind")),
            ),
        },
        values={**axis_values("x", x_domain), **axis_values("y", y_domain)},
    )


def _curves(fit: AllocationFit, colours: list[str], kind: str) -> pd.DataFrame:
    """The curve through the runs of each budget that has one."""
    frames = [
        pd.DataFrame(
            {
                "x": row.curve[0],
                "y": row.curve[1],
                "line": scientific(row.C),
                "colour": colour,
                "kind": kind,
            }
        )
        for row, colour in zip(fit.optima, colours, strict=True)
        if row.curve is not None
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _minima(fit: AllocationFit, colours: list[str], kind: str) -> pd.DataFrame:
    """The minimum of each budget with the interval of its size."""
    return pd.DataFrame(
        [
            {
                "x": row.N,
                "y": row.loss,
                "low": (row.interval or (row.N, row.N))[0],
                "high": (row.interval or (row.N, row.N))[1],
                "colour": colour,
                "kind": kind,
            }
            for row, colour in zip(fit.optima, colours, strict=True)
            if row.refused is None and row.N is not None
        ]
    )


@template
def _budgets_template(theme: Theme) -> AltairChart:
    x, y = log_x("x", axis_title("N"), "x"), log_y("y", axis_title("loss"), "y", "loss")
    own = alt.Color("colour:N", scale=None, legend=None)
    tips = [alt.Tooltip("tip:N", title=t("budget")), alt.Tooltip("y:Q", title=t("loss"), format=".4f")]
    runs = alt.Chart(alt.NamedData("runs")).encode(x, y, color=own, tooltip=tips)
    curves = alt.Chart(alt.NamedData("curves")).encode(x, y, detail="line:N", color=own)
    minima = alt.Chart(alt.NamedData("minima")).encode(x, y)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="name:N", color=own)
    size = theme.point_size
    return themed(
        alt.layer(
            curves.mark_line(clip=True, strokeWidth=theme.thin_width + 1).transform_filter("datum.kind == 'own'"),
            curves.mark_line(clip=True, strokeWidth=theme.thin_width + 0.5, strokeDash=[5, 5]).transform_filter(
                "datum.kind == 'other'"
            ),
            runs.mark_point(
                clip=True, filled=True, size=0.7 * size, opacity=1, stroke=theme.background, strokeWidth=1
            ).transform_filter("datum.kind == 'used'"),
            runs.mark_point(clip=True, size=0.7 * size, opacity=0.8, strokeWidth=1.5).transform_filter(
                "datum.kind == 'refused'"
            ),
            minima.mark_point(
                clip=True, shape="diamond", size=1.5 * size, filled=True, fill=theme.background, stroke=theme.accent_2,
                strokeWidth=2, opacity=1,
            ).transform_filter("datum.kind == 'other'"),
            minima.mark_rule(clip=True, color=theme.accent_2, strokeWidth=3)
            .encode(log_x("low", axis_title("N"), "x"), x2="high:Q")
            .transform_filter("datum.kind == 'own'"),
            minima.mark_point(
                clip=True, shape="diamond", size=1.6 * size, filled=True, color=theme.accent_2, opacity=1,
                stroke=theme.background, strokeWidth=1.5,
            ).transform_filter("datum.kind == 'own'"),
            *halo_text(
                names, theme, clip=True, font=POWER_FONT, dx=datum("dx"), dy=datum("dy"), align=datum("align")
            ),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )  # fmt: skip


def envelope_chart(points: RunPoints, fit: AllocationFit, theme: Theme) -> Figure:
    """Loss against compute along every training run, in the colour of its size, and the lower envelope of them all.

    The envelope is strong where it counts, and dotted where the best size's stretch is cut off.
    """
    labels = np.array(points.group or ("run",) * len(points))
    order = np.lexsort((points.D, labels))
    order = order[:: -(-len(order) // MOST_ENVELOPE)]
    ends = (float(points.N.min()), float(points.N.max()))
    runs = pd.DataFrame(
        {
            "x": points.C[order],
            "y": points.loss[order],
            "line": labels[order],
            "colour": shades(points.N[order], ends, theme),
            "size": points.N[order],
        }
    )
    rows = [row for row in fit.optima if row.loss is not None]
    edge = pd.DataFrame(
        {
            "x": [row.C for row in rows],
            "y": [row.loss for row in rows],
            "cut": [row.refused is not None for row in rows],
        }
    )
    low = float(edge.x.min()) / 3.0
    seen = runs[runs.x >= low]
    x_domain, y_domain = log_domain([low, float(runs.x.max()) * 1.3]), loss_domain([*seen.y, *edge.y])
    plane = Plane(x=x_domain, y=y_domain, width=WIDTH, height=PLOT)
    last = seen.groupby("line", sort=False).tail(1)
    named = last[last["size"].isin(_named_sizes(last["size"].to_numpy()))].drop_duplicates("size")
    return Figure(
        template=_envelope_template(theme),
        data={
            "runs": runs[["x", "y", "line", "colour"]],
            "edge": edge,
            "names": plane.named(
                named[["x", "y", "colour"]].assign(name=[format_quantity(n) for n in named["size"]]),
                size=theme.laid_size,
                radius=1.0,
                segments=plane.pieces(edge[["x", "y"]]),
            ),
        },
        values={**axis_values("x", x_domain, kind="flops"), **axis_values("y", y_domain)},
    )


def _named_sizes(N: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """The sizes that are named, as they stand in the table."""
    return [float(N[np.abs(np.log(N / size)).argmin()]) for size in drawn_sizes(N, MOST_CURVES)]


@template
def _envelope_template(theme: Theme) -> AltairChart:
    x, y = log_x("x", axis_title("C"), "x", "flops"), log_y("y", axis_title("loss"), "y", "loss")
    own = alt.Color("colour:N", scale=None, legend=None)
    runs = alt.Chart(alt.NamedData("runs"))
    edge = alt.Chart(alt.NamedData("edge")).encode(x, y)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="name:N", color=own)
    return themed(
        alt.layer(
            runs.mark_line(clip=True, strokeWidth=theme.thin_width + 0.3).encode(x, y, detail="line:N", color=own),
            edge.mark_line(clip=True, color=theme.accent_2, strokeWidth=2, strokeDash=[2, 5]),
            edge.mark_point(clip=True, filled=True, size=26, color=theme.accent_2, opacity=1).transform_filter(
                "!datum.cut"
            ),
            *halo_text(names, theme, clip=True, dx=datum("dx"), dy=datum("dy"), align=datum("align")),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
