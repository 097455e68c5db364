"""What pre-training is worth, as a picture: loss against one's own data, from scratch and continued."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from scaling_core.language import t
from scaling_core.planning import Source, law_of
from scaling_core.planning.transfer import Continued, Pretraining, transferred
from scaling_core.units import format_loss
from scaling_core.viz.axes import axis_values, decades, linear_y, log_x, nice_domain
from scaling_core.viz.beyond import HEIGHT, PLOT, WIDTH, boxes
from scaling_core.viz.figure import Figure, template
from scaling_core.viz.labels import datum, halo_text, named_points, text_width, to_pixels
from scaling_core.viz.late import alt, pd
from scaling_core.viz.theme import AltairChart, Theme, themed

SPAN = 30.0
"""The curves go from this many times less data of one's own to this many times more."""
ABOVE = 1.2
"""How far above the loss from scratch the picture goes, in units of what the talk's rule promises to save."""
FLAT = 0.01
"""Nats that are shown below and above at least, so that curves that are level stay level."""
LINES = ("scratch", "measured", "talk")


def transfer_chart(
    source: Source, here: Continued, pretraining: Pretraining, characters: float, theme: Theme
) -> Figure:
    """Loss against tokens of one's own: from scratch, with the transfer that was measured, and by the talk's rule.

    The measured curve is dashed beyond the range of its runs. characters: of a token of one's own data.
    """
    law = law_of(source)
    x_domain = (here.D / SPAN, here.D * SPAN)
    D = decades(*x_domain, per_decade=32)
    before = characters * here.D_pretrain
    worth = [transferred(here.N, characters * own, pretraining, pretrained=before) for own in D.tolist()]
    measured = np.array([float(law.loss(here.N, one.D_E / characters)) for one in worth])
    inside = np.array([one.solidity.kind == "measured" for one in worth])
    curves = {
        "scratch": np.asarray(law.loss(here.N, D)),
        "measured": measured,
        "talk": np.asarray(law.loss(here.N, D + here.D_pretrain)),
    }
    now = transferred(here.N, characters * here.D, pretraining)
    losses = {"scratch": here.scratch, "measured": float(law.loss(here.N, now.D_E / characters)), "talk": here.talk}
    top = losses["scratch"] + max(ABOVE * (losses["scratch"] - losses["talk"]), FLAT)
    ends = [min(float(x), top) for curve in curves.values() for x in (curve[0], curve[-1])]
    y_domain = nice_domain([*ends, min(ends) - FLAT, max(ends) + FLAT], margin=0.06)
    told = {
        "scratch": t("from scratch"),
        "measured": t("continued, with the transfer that was measured"),
        "talk": t("continued, every token counted: the talk's rule"),
    }
    at = {"scratch": 0.10, "measured": 0.02, "talk": 0.02}
    names = []
    for line in LINES:
        inside_plot = curves[line] <= y_domain[1] - 0.12 * (y_domain[1] - y_domain[0])
        k = max(int(at[line] * len(D)), int(np.argmax(inside_plot)))
        up = line != "talk" or curves["measured"][k] - curves["talk"][k] > 0.15 * (y_domain[1] - y_domain[0])
        names.append((D[k], curves[line][k], told[line], line, -16.0 if up else 17.0))
    taken = [box for curve in curves.values() for box in boxes(D, curve, x_domain, y_domain, False)]
    for x, y, text, _, dy in names:
        left, middle = to_pixels(x, y, x_domain, y_domain, WIDTH, PLOT, log_y=False)
        taken.append((left, middle + dy - 9, left + text_width(text, theme.laid_size) + 12, middle + dy + 9))
    return Figure(
        template=_transfer_template(theme),
        data={
            "curves": pd.concat([_pieces(D, curves[line], line, inside) for line in LINES], ignore_index=True),
            "names": pd.DataFrame(names, columns=["D", "loss", "text", "line", "dy"]),
            "points": named_points(
                [to_pixels(here.D, losses[line], x_domain, y_domain, WIDTH, PLOT, log_y=False) for line in LINES],
                [format_loss(losses[line]) for line in LINES],
                {"D": [here.D] * 3, "loss": [losses[line] for line in LINES], "line": list(LINES)},
                width=WIDTH,
                height=PLOT,
                size=theme.laid_size,
                obstacles=taken,
            ),
        },
        values={**axis_values("x", x_domain), **axis_values("y", y_domain, log=False)},
    )


def leaves_its_range(figure: Figure) -> bool:
    """Whether some of the measured curve is dashed: beyond the runs behind it."""
    return bool((figure.data["curves"].part == "beyond").any())


def _pieces(D: np.ndarray, loss: np.ndarray, line: str, inside: np.ndarray) -> pd.DataFrame:
    """A curve in pieces within the range of its runs and beyond; each begins with the last point before it."""
    known = inside if line == "measured" else np.ones(len(D), dtype=bool)
    ends = [0, *(np.flatnonzero(np.diff(known)) + 1).tolist(), len(D)]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "D": D[max(0, a - 1) : b],
                    "loss": loss[max(0, a - 1) : b],
                    "line": line,
                    "piece": f"{line} {k}",
                    "part": "within" if known[a] else "beyond",
                }
            )
            for k, (a, b) in enumerate(pairwise(ends))
        ],
        ignore_index=True,
    )


@template
def _transfer_template(theme: Theme) -> AltairChart:
    title = t("Loss, nats per token")
    x, y = log_x("D", t("Tokens of one's own"), "x"), linear_y("loss", title, "y", "loss")
    inks = [theme.muted, theme.accent, theme.accent_2]
    colour = alt.Color("line:N", scale=alt.Scale(domain=list(LINES), range=inks), legend=None)
    dash = alt.StrokeDash("part:N", scale=alt.Scale(domain=["within", "beyond"], range=[[1, 0], [7, 5]]), legend=None)
    names = alt.Chart(alt.NamedData("names")).encode(x, y, text="text:N", color=colour)
    points = alt.Chart(alt.NamedData("points")).encode(x, y)
    place = {"dx": datum("dx"), "dy": datum("dy"), "align": datum("align"), "clip": True}
    return themed(
        alt.layer(
            alt.Chart(alt.NamedData("curves"))
            .mark_line(clip=True, strokeCap="butt")
            .encode(x, y, color=colour, strokeDash=dash, detail="piece:N"),
            points.mark_point(clip=True, filled=True, size=1.4 * theme.point_size, opacity=1).encode(color=colour),
            *halo_text(names, theme, dx=8, dy=datum("dy"), align="left"),
            *halo_text(points.encode(text="name:N", color=colour), theme, **place),
        ).properties(height=HEIGHT, width="container"),
        theme,
    )
