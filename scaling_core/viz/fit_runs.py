"""The runs of a fit as a frame to draw, in the colours of their sizes, and where the names in a plot have room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.fit import FitResult, RunPoints
from scaling_core.fit.repeated.result import RepeatedFit
from scaling_core.language import retold, t
from scaling_core.laws import MuennighoffLaw, PowerLaw
from scaling_core.units import format_flops, format_loss, format_quantity
from scaling_core.viz.axes import Domain
from scaling_core.viz.labels import named_points, text_width, to_pixels
from scaling_core.viz.late import pd
from scaling_core.viz.theme import Theme, mix

MOST_DRAWN = 2_000
"""Of more runs than this every k-th is drawn, and every one that lies far off."""
MOST_NAMED = 6
SAME_SIZE = 1e-3
"""Sizes closer than this in ln N are drawn as one."""
FAINTEST = 4
"""The first step of the sequential scale that stands out from the background, in light and dark."""
Segment = tuple[float, float, float, float]
Fit: TypeAlias = FitResult | RepeatedFit
"""A fitted law, of whichever form."""


def axis_title(quantity: str) -> str:
    """What an axis of N, D, C or the loss is called."""
    titles = {
        "N": t("Parameters N"),
        "D": t("Tokens D"),
        "C": t("Compute C = 6 N D, FLOP"),
        "loss": t("Loss, nats per token"),
    }
    return titles[quantity]


def size_name(N: float, D: float) -> str:
    """A run by its size and its tokens: 70M on 1.4B."""
    return t("{N} on {D}", N=format_quantity(N), D=format_quantity(D))


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """The runs of a picture by what became of them: fitted, left out as far off, or held out by the table.

    far: which of the fitted ones lie far off, shape (n,).
    """

    fitted: RunPoints
    far: BoolArray
    left_out: RunPoints | None = None
    held_out: RunPoints | None = None

    @property
    def parts(self) -> tuple[tuple[str, RunPoints, BoolArray], ...]:
        """Kind, runs, and which of them lie far off, of each part that there is."""
        parts = [("fitted", self.fitted, self.far)]
        for kind, points in (("left out", self.left_out), ("held out", self.held_out)):
            if points is not None and len(points):
                parts.append((kind, points, np.zeros(len(points), dtype=bool)))
        return tuple(parts)


def runs_frame(result: Fit, shown: Shown, theme: Theme) -> pd.DataFrame:
    """One row a run: N, D, C, loss, kind (fitted, far, left out, held out), colour, name, off, texts for the pointer.

    off: by what share the measured loss lies above the law.
    """
    ends = (float(result.points.N.min()), float(result.points.N.max()))
    frames = []
    for kind, points, far in shown.parts:
        keep = thinned(far)
        some = points.subset(keep)
        hat = law_says(result, some)
        frames.append(
            pd.DataFrame(
                {
                    "N": some.N,
                    "D": some.D,
                    "C": some.C,
                    "loss": some.loss,
                    "off": some.loss / hat - 1.0,
                    "kind": np.where(far[keep], "far", kind),
                    "colour": shades(some.N, ends, theme),
                    "name": run_names(some),
                    "tip_N": [format_quantity(n) for n in some.N.tolist()],
                    "tip_D": [format_quantity(d) for d in some.D.tolist()],
                    "tip_C": [format_flops(c) for c in some.C.tolist()],
                    "tip_hat": [format_loss(one) for one in hat.tolist()],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def law_says(result: Fit, points: RunPoints) -> FloatArray:
    """The loss that the fitted law gives each run, shape (n,)."""
    law = result.law
    if isinstance(law, PowerLaw):
        return np.asarray(law.loss(points.variable(law.variable)))
    if isinstance(law, MuennighoffLaw):
        return np.asarray(law.loss(points.N, points.D, points.unique))
    return np.asarray(law.loss(points.N, points.D))


def thinned(far: BoolArray, most: int = MOST_DRAWN) -> IndexArray:
    """Positions of the runs that are drawn."""
    every = np.zeros(far.size, dtype=bool)
    every[:: max(1, -(-far.size // most))] = True
    return np.flatnonzero(every | far)


def run_names(points: RunPoints) -> list[str]:
    """What each run is called: its label, or its size and tokens."""
    if points.label is not None:
        told = [retold(text) for text in points.label]
        return [text if len(text) <= 40 else f"{text[:37]}..." for text in told]
    return [size_name(n, d) for n, d in zip(points.N.tolist(), points.D.tolist(), strict=True)]


def drawn_sizes(N: FloatArray, most: int) -> FloatArray:
    """Sizes whose curves are drawn: all where they are few, else those nearest to `most` equal steps in ln N."""
    logs = np.unique(np.round(np.log(N) / SAME_SIZE)) * SAME_SIZE
    if len(logs) > most:
        steps = np.linspace(logs[0], logs[-1], most)
        logs = logs[np.unique(np.abs(logs[:, None] - steps).argmin(axis=0))]
    return np.asarray(np.exp(logs))


def shades(values: FloatArray, domain: Domain, theme: Theme) -> list[str]:
    """A colour of the sequential scale for each value, by its logarithm between the ends of `domain`."""
    low, high = math.log(domain[0]), math.log(domain[1])
    share = (np.log(values) - low) / max(high - low, 1e-12)
    steps = FAINTEST + np.clip(share, 0.0, 1.0) * (len(theme.sequential) - 1 - FAINTEST)
    below = np.minimum(steps.astype(int), len(theme.sequential) - 2)
    return [
        mix(theme.sequential[k], theme.sequential[k + 1], float(step - k))
        for k, step in zip(below.tolist(), steps.tolist(), strict=True)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """A plot whose names are laid out: the ends of its axes, x logarithmic, and its size in pixels without axes."""

    x: Domain
    y: Domain
    width: float
    height: float
    log_y: bool = True

    def at(self, frame: pd.DataFrame) -> list[tuple[float, float]]:
        """Pixels of each row of a frame with columns x and y."""
        pairs = zip(frame.x.to_list(), frame.y.to_list(), strict=True)
        return [to_pixels(x, y, self.x, self.y, self.width, self.height, log_y=self.log_y) for x, y in pairs]

    def pieces(self, *frames: pd.DataFrame) -> list[Segment]:
        """Lines (x, y, and line where there are several) as straight pieces, coarse: what names should keep off."""
        found: list[Segment] = []
        for frame in frames:
            groups = [part for _, part in frame.groupby("line", sort=False)] if "line" in frame else [frame]
            for part in groups:
                found += [(*a, *b) for a, b in pairwise(self.at(part.iloc[::4]))]
        return found

    def named(
        self,
        frame: pd.DataFrame,
        *,
        size: float,
        runs: pd.DataFrame | None = None,
        segments: Sequence[Segment] = (),
        others: pd.DataFrame | None = None,
        **more: Any,
    ) -> pd.DataFrame:
        """A frame with columns x, y, name, and the place of each name.

        It keeps clear of the runs (x, y), of the segments, and of the names that `others` has placed.
        """
        anchors = self.at(frame)
        return named_points(
            anchors,
            frame["name"].to_list(),
            {column: frame[column].to_list() for column in frame.columns if column != "name"},
            width=self.width,
            height=self.height,
            size=size,
            obstacles=[
                *([] if runs is None else self._boxes(runs, anchors)),
                *([] if others is None else self._taken(others, size)),
            ],
            segments=segments,
            **more,
        )

    def _boxes(self, runs: pd.DataFrame, anchors: Sequence[tuple[float, float]]) -> list[Segment]:
        """The places that runs take near the anchors, one for each cell of a grid."""
        if not anchors or not len(runs):
            return []
        cells = np.unique(np.round(np.array(self.at(runs)) / 7.0), axis=0) * 7.0
        apart = np.abs(cells[:, None, :] - np.array(anchors))
        near = ((apart[:, :, 0] < 140.0) & (apart[:, :, 1] < 50.0)).any(axis=1)
        return [(x - 6, y - 6, x + 6, y + 6) for x, y in cells[near].tolist()]

    def _taken(self, names: pd.DataFrame, size: float) -> list[Segment]:
        """The boxes of names that are placed."""
        boxes = []
        for (x, y), row in zip(self.at(names), names.to_dict("records"), strict=True):
            wide = text_width(row["name"], size)
            left = x + row["dx"] - {"left": 0.0, "right": wide}.get(row["align"], wide / 2.0)
            middle = y + row["dy"]
            boxes.append((left, middle - 0.6 * size, left + wide, middle + 0.6 * size))
        return boxes
